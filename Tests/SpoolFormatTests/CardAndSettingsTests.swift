import Testing

@testable import SpoolFormat

@Suite struct CardAndSettingsTests {
  private let coder: BotName

  init() throws { coder = try BotName(parsing: "coder") }

  private func card(_ text: String) throws -> Card { try Card(name: coder, parsing: Array(text.utf8)) }
  private func settings(_ text: String) throws -> Settings { try Settings(parsing: Array(text.utf8)) }

  @Test func `a card reads as it was written`() throws {
    var card = Card(name: coder)
    card.description = "writes \u{e9}"
    card.domain = "development"
    card.skills = [Card.Skill(name: "swift", level: .expert), Card.Skill(name: "sh", level: .novice)]
    card.capacity = 4
    card.leaseSeconds = 1.5
    card.attemptsMax = 3
    card.registeredAt = Timestamp(microseconds: 1_795_218_312_345_678)
    var writer = JSONWriter()
    card.write(to: &writer)
    #expect(try Card(name: coder, parsing: writer.bytes) == card)
  }

  @Test func `settings that don't count are told, and what others may have added isn't`() throws {
    let text =
      #"{"nanospool":1,"id":"x","lease_seconds":"5m","attempts_max":99999999,"attempts_mx":2,"inbox_messages_max":-1,"#
      + #""note":1,"durability":"relaxed","segment_bytes_max":1e6,"created_at":"2026-11-20T23:45:12+00:00"}"#
    let told = Settings.problems(in: Array(text.utf8))
    #expect(
      told == [
        #""lease_seconds" won't do as it is; 60.0 is taken"#, #""attempts_max" won't do as it is; 9999 is taken"#,
        #""attempts_mx" means nothing here; did you mean attempts_max?"#,
        #""inbox_messages_max" won't do, and is not counted"#,
        #""segment_bytes_max" won't do as it is; 67108864 is taken"#,
      ])
    var writer = JSONWriter()
    try settings(text).write(to: &writer)
    #expect(Settings.problems(in: writer.bytes) == [])
  }

  @Test func `a card by hand may leave out everything, and name skills as on the command line`() throws {
    #expect(try card("{}") == Card(name: coder))
    let read = try card(
      #"{"name":"other","skills":["swift:expert","sh",{"name":"c"},{"name":"d","level":"novice"},7]}"#)
    #expect(read.name == coder)
    #expect(read.skills.map(\.name) == ["swift", "sh", "c", "d"])
    #expect(read.skills.map(\.level) == [.expert, .intermediate, .intermediate, .novice])
    #expect(Card.Level.novice < .expert)
    #expect(throws: FormatError.self) { try card(#"{"skills":["swift:guru"]}"#) }
    for name in ["a\u{1b}[2Jb", "a\nb", "a\u{9b}b"] {
      #expect(throws: FormatError.self) { try Card.Skill(parsing: name) }
    }
    #expect(throws: FormatError.self) { try card("{") }
    #expect(throws: FormatError.self) { try Card.Skill(parsing: ":expert") }
    #expect(throws: FormatError.self) { try Card.Skill(parsing: String(repeating: "x", count: 65)) }
  }

  @Test(arguments: ["1e300", "-5", "0", "1e-300", "9223372036854775807", "1e10"])
  func `numbers that nobody can mean are brought to where they do no harm`(number: String) throws {
    let read = try card(#"{"lease_seconds":\#(number),"attempts_max":\#(number),"capacity":\#(number)}"#)
    let lease = read.leaseSeconds ?? 60
    #expect(lease >= 0.001 && lease <= 1e8)
    #expect(1...EntryName.attemptMax ~= (read.attemptsMax ?? 5))
    #expect(1...1000 ~= read.capacity)
    let spool = try settings(
      #"{"nanospool":1,"id":"x","lease_seconds":\#(number),"attempts_max":\#(number),"segment_bytes_max":\#(number)}"#)
    #expect(spool.leaseSeconds >= 0.001 && spool.leaseSeconds <= 1e8)
    #expect(1...EntryName.attemptMax ~= spool.attemptsMax)
    #expect(spool.segmentBytesMax >= 4096)
  }

  @Test func `settings read as they were written, and keep what is told`() throws {
    var wanted = Settings(identity: "0123")
    wanted.durability = .relaxed
    wanted.leaseSeconds = 0.25
    wanted.attemptsMax = 2
    wanted.segmentBytesMax = 4096
    wanted.createdAt = Timestamp(microseconds: 5)
    var writer = JSONWriter()
    wanted.write(to: &writer)
    #expect(try Settings(parsing: writer.bytes) == wanted)
    #expect(try settings(#"{"nanospool":1,"id":"x"}"#) == Settings(identity: "x"))
    #expect(try settings(#"{"nanospool":1,"id":"x","durability":"durable","more":[]}"#).durability == .durable)
  }

  @Test(arguments: [
    ("{}", "some other program's file"), (#"{"nanospool":1}"#, "some other program's file"),
    (#"{"id":"x"}"#, "some other program's file"), (#"{"nanospool":"1","id":"x"}"#, "some other program's file"),
    (#"{"nanospool":2,"id":"x"}"#, "has format 2, and this program knows 1: use a newer one"), ("", "not JSON"),
    ("[]", "some other program's file"),
    (#"{"nanospool":1,"id":"x","durability":"maybe"}"#, "is not relaxed or durable"),
  ])
  func `settings that are none are refused with why`(text: String, reason: String) {
    let error = #expect(throws: FormatError.self) { try settings(text) }
    #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
  }
}
