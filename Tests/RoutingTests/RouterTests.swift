import CoordinatorPolicy
import Routing
import Spool
import SpoolFormat
import TestSupport
import Testing

@Suite struct RouterTests {
  private let home: TemporaryDirectory
  private let spool: Spool

  init() throws {
    home = try TemporaryDirectory()
    try Spool.create(at: home("spool")) { $0.durability = .relaxed }
    spool = try Spool(at: home("spool"))
  }

  private func register(_ name: String, _ domain: String, runs: Bool = true) throws -> BotName {
    var card = Card(name: try BotName(parsing: name))
    card.domain = domain
    try spool.register(card)
    if runs { try spool.announce(card.name, program: "test").beat() }
    return card.name
  }

  private func message() -> Message {
    var message = Message(content: "hi")
    message.from = "user"
    return message
  }

  @Test func `a message goes to a bot of the field, from Swift, and says what was asked for`() throws {
    let ann = try register("ann", "development")
    _ = try register("tess", "quality")
    var router = try Router(spool)
    try router.refresh()
    let (id, choice) = try router.send(message(), to: RouteAddress(parsing: "any:development"))
    #expect(choice.bot == ann)
    let claim = try #require(try Inbox(spool, ann).claim())
    #expect(claim.message.id == id && claim.message.to == ["ann"])
    #expect(claim.message.extra.first { $0.name == "asked_for" }?.value == JSONText(string: "any:development"))
  }

  @Test func `load, new cards, and bots that come and go, are seen at the next refresh`() throws {
    let ann = try register("ann", "development")
    var router = try Router(spool)
    router.rule.exploration = 0
    try router.refresh()
    let any = try RouteAddress(parsing: "any:development")
    for _ in 0..<3 { _ = try router.send(message(), to: any) }
    let bob = try register("bob", "writing")
    try router.refresh()
    #expect(try router.send(message(), to: any).choice.bot == ann)
    var card = Card(name: bob)
    card.domain = "development"
    card.description = "another card, of another length"
    try spool.register(card)
    try router.refresh()
    #expect(try router.send(message(), to: any).choice.bot == bob)
    try shell("mv '\(home("spool"))/bots/bob' '\(home("gone"))'", in: "/tmp")
    try router.refresh()
    #expect(try router.send(message(), to: any).choice.bot == ann)
  }

  @Test func `nobody who can is one answer, and nobody who is there another`() throws {
    var router = try Router(spool)
    func code(_ address: String) throws -> SpoolError.Code? {
      try router.refresh()
      do {
        _ = try router.send(message(), to: RouteAddress(parsing: address))
        return nil
      } catch let error as SpoolError { return error.code }
    }
    #expect(try code("any") == .noSuchBot)
    let ann = try register("ann", "development", runs: false)
    try spool.announce(ann, program: "test", takes: .tasks).beat()
    #expect(try code("any:design") == .noSuchBot && code("any:development") == .tryAgain)
    _ = try register("otto", "development", runs: false)
    #expect(try code("any:development") == nil)
    // Neither the coordinator nor a person is anybody.
    for name in ["coordinator", "human"] { _ = try register(name, "cooking") }
    #expect(try code("any:cooking") == .noSuchBot)
  }

  @Test func `those for whom a message matters most come first`() throws {
    for (name, domain) in [("ann", "development"), ("tess", "quality"), ("dan", "data")] {
      _ = try register(name, domain)
    }
    var router = try Router(spool)
    try router.refresh()
    var message = message()
    message.to = ["team"]
    message.content = "a question of quality"
    #expect(try router.attention(on: message).map(\.bot.description) == ["tess", "ann", "dan"])
    #expect(try router.attention(on: message, domains: ["Data"]).prefix(2).map(\.bot.description) == ["dan", "tess"])
    for name in Router.others { try spool.register(Card(name: BotName(parsing: name))) }
    try router.refresh()
    try spool.subscribe(BotName(parsing: "hub"), to: BotName(parsing: "news"))
    message.to = ["#news"]
    #expect(throws: SpoolError.self) { try router.attention(on: message) }
    message.to = ["team"]
    #expect(try router.attention(on: message).map(\.bot.description) == ["tess", "ann", "dan"])
    message.to = ["hub", "tess"]
    #expect(try router.attention(on: message).map(\.bot.description).sorted() == ["hub", "tess"])
    message.to = ["human"]
    #expect(try router.attention(on: message).map(\.bot.description) == ["human"])
    message.to = ["nobody"]
    #expect(throws: SpoolError.self) { try router.attention(on: message) }
  }

  @Test func `a team that is busy shares the work`() throws {
    for name in ["a", "b", "c", "d"] { _ = try register(name, "development") }
    var router = try Router(spool)
    router.rule.exploration = 0
    var counts: [String: Int] = [:]
    for _ in 0..<40 {
      try router.refresh()
      counts[try router.send(message(), to: RouteAddress(parsing: "any")).choice.bot.description, default: 0] += 1
    }
    // Nobody takes anything, so that what waits is the only difference.
    #expect(counts.values.allSatisfy { $0 == 10 }, "\(counts)")
  }
}
