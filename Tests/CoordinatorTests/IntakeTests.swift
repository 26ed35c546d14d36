import Glibc
import Linux
import Spool
import SpoolFormat
import TestSupport
import TestThreads
import Testing

@testable import Coordinator

@Suite(.waiting) struct IntakeTests {
  private func stage(_ options: CoordinatorOptions = CoordinatorOptions()) throws -> Stage {
    let stage = try Stage(options)
    try stage.spool.register(Card(name: Coordinator.human))
    return stage
  }

  /// A bot with a full inbox that nobody reads.
  private func fill(_ name: String, _ stage: Stage) throws {
    var card = Card(name: try BotName(parsing: name))
    card.inboxLimits.messages = 1
    try stage.spool.register(card)
    var message = Message(content: "wait")
    message.to = [name]
    try stage.spool.send(message)
  }

  @discardableResult
  private func send(_ type: MessageType, _ stage: Stage, from: String, inReplyTo: String? = nil) throws -> MessageID {
    var message = Message(content: "how are you?")
    message.from = from
    message.to = ["coordinator"]
    message.type = type
    message.inReplyTo = inReplyTo
    return try stage.spool.send(message)
  }

  @Test func `who asked is answered though much waits there`() throws {
    let stage = try stage()
    try fill("slow", stage)
    for _ in 0..<2 { try stage.ask("Hello!", from: "slow") }
    try stage.ask("Hello!")
    #expect(try stage.turns { try stage.messages(to: "human").count == 1 && stage.messages(to: "slow").count == 3 })
  }

  @Test func `what can't be done at the moment keeps no younger request waiting`() throws {
    let stage = try stage()
    try fill("slow", stage)
    for _ in 0..<2 { try send(.broadcast, stage, from: "human") }
    try stage.ask("Hello!")
    // All in one turn.
    #expect(try stage.turns { try !stage.events(.messageRequeued).isEmpty })
    #expect(try stage.messages(to: "human").contains { $0.content?.hasPrefix("Hello") == true })
    #expect(try stage.spool.count(Coordinator.bot).waiting == 2 && !stage.coordinator.requests.isIdle)
    let waiting = try #require(try stage.spool.entries(of: BotName(parsing: "slow")).first)
    #expect(unlink("\(stage.path)/\(waiting.path)") == 0)
    #expect(try stage.turns { try stage.messages(to: "slow").contains { $0.content == "how are you?" } })
  }

  @Test func `a status message that is an answer isn't answered`() throws {
    let stage = try stage()
    try send(.status, stage, from: "coordinator")
    try send(.status, stage, from: "human", inReplyTo: "x")
    #expect(try stage.turns { try stage.spool.entries(of: Coordinator.bot).isEmpty })
    let last = try send(.status, stage, from: "human")
    #expect(try stage.turns { try !stage.messages(to: "human").isEmpty })
    #expect(try stage.messages(to: "human").map(\.inReplyTo) == [last.description])
    #expect(try stage.events(.messageSent).count == 4)
  }

  @Test func `while all programs are at work the inbox wakes nobody`() throws {
    var options = CoordinatorOptions()
    options.analyzer = [
      "/bin/sh", "-c",
      #"cat >/dev/null; while [ ! -e "$SPOOL_DIR/go" ]; do sleep 0.1; done; "#
        + #"echo '{"complexity":"low","domains":[],"requires_team":false,"recommended_approach":"direct_response"}'"#,
    ]
    let stage = try stage(options)
    let coordinator = stage.coordinator
    var later = Message(content: "Hello!")
    later.from = "human"
    later.to = ["coordinator"]
    later.notBefore = Timestamp(microseconds: Clock.wall()).advanced(bySeconds: 2)
    try stage.spool.send(later)
    for _ in 0..<8 { try stage.ask("Hello!") }
    #expect(try stage.turns { try stage.spool.count(Coordinator.bot).claimed == 8 })
    try stage.ask("Hello!")
    // Until long after the other's time has come. The coordinator has other reasons to wake, a few each second.
    let end = Clock.sinceBoot() + 4_000_000_000
    var (turns, turnsDue) = (0, 0)
    while Clock.sinceBoot() < end {
      coordinator.turn(Clock.sinceBoot())
      if coordinator.requests.nextDue <= Clock.sinceBoot() { turnsDue += 1 }
      try coordinator.sleep(until: end)
      turns += 1
    }
    #expect(turns < 200 && turnsDue * 2 < turns)
    #expect(try stage.spool.count(Coordinator.bot).waiting == 2)
    try Plain.write("\(stage.path)/go", "")
    #expect(try stage.turns { try stage.messages(to: "human").count == 10 })
  }

  @Test func `errors that are too long together are answered with where they are`() throws {
    var options = CoordinatorOptions()
    options.planner = [
      "/bin/sh", "-c", #"cat >/dev/null; echo '{"title":"t","steps":[{"name":"a"},{"name":"b"},{"name":"c"}]}'"#,
    ]
    let stage = try stage(options)
    try stage.bot("coder", capacity: 100)
    let id = try stage.ask("Build and test a feature to track user engagement")
    let long = String(repeating: "x", count: 1_900_000)
    #expect(
      try stage.turns {
        try stage.work(error: long) { _ in nil }
        return try stage.spool.findTask(Goal.id(for: id))?.state == .failed
      })
    let answer = try #require(try stage.messages(to: "human").first { $0.inReplyTo == id.description })
    #expect(answer.type == .error && answer.content?.contains("spool task tree \(Goal.id(for: id))") == true)
  }
}
