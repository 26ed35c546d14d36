import SpoolFormat
import TestSupport
import Testing

@Suite struct CardReaderTests {
  private func read(_ text: String, name: String? = nil) throws -> Card {
    try Card(specification: Array(text.utf8), name: name.map { try BotName(parsing: $0) })
  }

  private func problems(_ text: String) -> [String] {
    do {
      _ = try read(text)
      return []
    } catch { return (error as? FileProblems)?.problems.map(\.description) ?? ["\(error)"] }
  }

  private func written(_ card: Card) -> [UInt8] {
    var writer = JSONWriter()
    card.write(to: &writer)
    return writer.bytes
  }

  @Test func `a file may say no more than the name, or all of it, with limits apart or not`() throws {
    #expect(try read(#"{"name":"coder"}"#) == Card(name: try BotName(parsing: "coder")))
    #expect(try read("{}", name: "coder") == Card(name: try BotName(parsing: "coder")))
    let flat = try read(#"{"name":"a","lease_seconds":30,"attempts_max":3,"timeout_seconds":300,"start":["./a.sh"]}"#)
    let apart = try read(
      #"{"name":"a","limits":{"lease_seconds":"30s","attempts_max":3,"timeout_seconds":"5m"},"start":{"program":"./a.sh"}}"#
    )
    #expect(flat == apart)
    #expect(flat.leaseSeconds == 30 && flat.timeoutSeconds == 300 && flat.start == Card.Start(program: ["./a.sh"]))
  }

  @Test func `any card that is written is read back the same, as a card and as a specification`() throws {
    var random = SeededGenerator()
    func maybe<T>(_ value: @autoclosure () -> T) -> T? { Bool.random(using: &random) ? value() : nil }
    for _ in 0..<300 {
      var card = Card(name: try BotName(parsing: "bot\(Int.random(in: 0..<100, using: &random))"))
      card.description = maybe("d\u{e9}\n\"")
      card.domain = maybe("development")
      for skill in ["swift", "sql", "c++"] {
        if let level = maybe(Card.Level.allCases.randomElement(using: &random)!) {
          card.skills.append(Card.Skill(name: skill, level: level))
        }
      }
      card.capacity = Int.random(in: 1...1000, using: &random)
      card.personality = maybe("terse\tand dry")
      card.instructions = maybe("one\ntwo")
      card.leaseSeconds = maybe(Double.random(in: 0.1...1000, using: &random))
      card.attemptsMax = maybe(Int.random(in: 1...9999, using: &random))
      card.timeoutSeconds = maybe(Double.random(in: 0.01...1e6, using: &random))
      card.registeredAt = maybe(Timestamp(microseconds: 1_795_218_312_345_678))
      if let takes = maybe(Card.Start.Takes.allCases.randomElement(using: &random)!) {
        var start = Card.Start(program: ["sh", "-c", "echo \"$1\""])
        start.takes = takes
        start.takesPending = takes == .tasks && Bool.random(using: &random)
        start.slots = maybe(Int.random(in: 1...1000, using: &random))
        start.isStream = Bool.random(using: &random)
        card.start = start
      }
      if let own = maybe(JSONValue.array([.number("1.50"), .null])) { card.extra["x-own"] = own }
      #expect(try Card(specification: written(card)) == card, "seed \(random.seed)")
      #expect(try Card(name: card.name, parsing: written(card)) == card, "seed \(random.seed)")
    }
  }

  @Test func `every mistake is told with its line, its field and a cure, and all at once`() {
    let found = problems(
      """
      {"domian": "x",
       "skills": ["swift:guru", {"name": "sql", "level": "experd"}, 7, "c", "C:novice"],
       "capacity": 1.5,
       "lease_seconds": 5, "limits": {"lease_seconds": 6, "lease_secs": 1},
       "start": {"program": [""], "takes": "message", "pending": true}}
      """)
    #expect(
      found == [
        #"line 1: domian: unknown field: did you mean domain?"#,
        #"line 1: name: a bot needs one: write "name": "coder""#,
        #"line 2: skills[0]: there is no level "guru": the levels are novice, intermediate, advanced, expert"#,
        #"line 2: skills[1]: there is no level "experd": did you mean expert?"#,
        #"line 2: skills[2]: a number where a skill should be: write "swift:expert""#,
        #"line 2: skills[4]: "C" stands here twice: name each skill once"#,
        #"line 3: capacity: 1.5 won't do: write a whole number from 1 to 1000"#,
        #"line 4: limits.lease_secs: unknown field: did you mean lease_seconds?"#,
        #"line 4: limits.lease_seconds: stands outside of limits, too: say it once"#,
        #"line 5: start.program: names no program: write ["python3", "coder.py"]"#,
      ])
  }

  @Test(arguments: [
    ("[]", "a list where a bot should be"), (#"{"name":"A"}"#, "won't do"), (#"{"name":"team"}"#, "taken"),
    (#"{"name":7}"#, "a number where a text should be"), (#"{"name":"a","name":"b"}"#, "not JSON"),
    (#"{"name":"a","instructions":"\u0000"}"#, "NUL"), (#"{"name":"a","start":"x"}"#, "where a program should be"),
    (#"{"name":"a","start":{}}"#, "a start needs one"), (#"{"name":"a","start":["a",1]}"#, "where a text should be"),
    (#"{"name":"a","start":{"program":["a"],"pending":true}}"#, "is about tasks"),
    (#"{"name":"a","start":{"program":["a"],"takes":"all"}}"#, #"write "messages" or "tasks""#),
    (#"{"name":"a","skills":{}}"#, "where a list of skills should be"), (#"{"name":"a","skills":["x:"]}"#, "no level"),
    (#"{"name":"a","skills":[{"level":"expert"}]}"#, "a skill needs one"),
    (#"{"name":"a","skills":[":"]}"#, "no skill"),
    (#"{"name":"a","limits":3}"#, "where an object should be"), (#"{"name":"a","registered_at":"x"}"#, "is no time"),
  ])
  func `what can't be meant is refused`(text: String, says: String) {
    let found = problems(text)
    #expect(found.count == 1 && found.allSatisfy { $0.contains(says) }, "\(found)")
  }

  @Test func `texts that no environment could hold are refused`() {
    let long = String(repeating: "x", count: 100_001)
    #expect(problems(#"{"name":"a","instructions":"\#(long)"}"#).first?.contains("at most 100000") == true)
  }
}
