import CoordinatorPolicy
import SpoolFormat
import TestSupport
import Testing

@Suite struct BotScoreTests {
  private func card(_ name: String, _ domain: String? = nil, skills: [String] = [], capacity: Int = 4) throws -> Card {
    var card = Card(name: try BotName(parsing: name))
    card.domain = domain
    card.skills = try skills.map { try Card.Skill(parsing: $0) }
    card.capacity = capacity
    return card
  }

  private func outcome(_ needs: TaskNeeds, _ succeeded: Bool, _ seconds: Double = 10) throws -> TaskOutcome {
    TaskOutcome(bot: try BotName(parsing: "coder"), needs: needs, succeeded: succeeded, seconds: seconds)
  }

  private func total(_ card: Card, _ needs: TaskNeeds, load: Int = 0, record: BotRecord = BotRecord()) -> Double {
    BotScore(BotProfile(card: card, record: record), for: needs, load: load, teamSeconds: 10).total
  }

  @Test func `who is of the field is worth more than who is for everything, and both more than a stranger`() throws {
    let needs = TaskNeeds(domain: "development")
    let own = total(try card("a", "Development"), needs)
    let expert = total(try card("b", skills: ["development:expert"]), needs)
    let novice = total(try card("c", "writing", skills: ["development:novice"]), needs)
    let general = total(try card("d"), needs)
    let stranger = total(try card("e", "writing"), needs)
    #expect(own > expert && expert > novice && novice > general && general > stranger)
    let score = BotScore(BotProfile(card: try card("e", "writing")), for: needs, load: 0)
    #expect(score.isStranger && score.disqualification == nil)
  }

  @Test func `a required skill that is missing or too low disqualifies, and a higher level is worth more`() throws {
    let needs = TaskNeeds(skills: [try Card.Skill(parsing: "Swift:advanced")])
    func score(_ skills: [String]) throws -> BotScore {
      BotScore(BotProfile(card: try card("a", skills: skills)), for: needs, load: 0)
    }
    #expect(try score([]).disqualification == "lacks the required skill swift")
    #expect(
      try score(["swift:novice"]).disqualification == "has swift as novice, and advanced is required")
    #expect(try score(["swift:advanced"]).disqualification == nil)
    #expect(try score(["swift:expert"]).total > score(["swift:advanced"]).total)
    #expect(try score([]).explanation == "a can't: it lacks the required skill swift")
  }

  @Test func `an idle bot for everything is chosen before a specialist that has its hands full`() throws {
    let needs = TaskNeeds(domain: "data")
    let specialist = try card("a", "data")
    let general = try card("b")
    #expect(total(specialist, needs) > total(general, needs))
    #expect(total(specialist, needs, load: 3) < total(general, needs))
  }

  @Test func `success and speed count, and a new bot is trusted as far as three in four`() throws {
    let needs = TaskNeeds(domain: "data")
    var good = BotRecord()
    var bad = BotRecord()
    var slow = BotRecord()
    for _ in 0..<20 {
      good.count(try outcome(needs, true, 5))
      slow.count(try outcome(needs, true, 50))
      bad.count(try outcome(needs, false))
    }
    let card = try card("a", "data")
    #expect(total(card, needs, record: good) > total(card, needs))
    #expect(total(card, needs, record: slow) < total(card, needs, record: good))
    #expect(total(card, needs, record: bad) < total(card, needs))
    #expect(BotRecord().expectedShare("data") == 0.75)
    #expect(good.expectedShare("data") > 0.9 && bad.expectedShare("data") < 0.1)
    // Who does well elsewhere is trusted here.
    #expect(good.expectedShare("writing") > 0.9)
    #expect(good.tally("data").meanSeconds == 5)
  }

  @Test func `a skill grows with twenty successes, and a domain is shown by three`() throws {
    let swift = try Card.Skill(parsing: "swift:novice")
    let needs = TaskNeeds(domain: "development", skills: [swift])
    var record = BotRecord()
    for _ in 0..<19 { record.count(try outcome(needs, true)) }
    #expect(record.level("swift", stated: .novice, now: Timestamp(microseconds: 0)) == .novice)
    record.count(try outcome(needs, true))
    #expect(record.level("swift", stated: .novice, now: Timestamp(microseconds: 0)) == .intermediate)
    #expect(record.level("swift", stated: .expert, now: Timestamp(microseconds: 0)) == .expert)
    let profile = BotProfile(card: try card("coder", "writing"), record: record)
    #expect(!BotScore(profile, for: TaskNeeds(domain: "development"), load: 0).isStranger)
  }

  @Test func `a score is the sum of its parts, and says why`() throws {
    let needs = TaskNeeds(domain: "data", skills: [try Card.Skill(parsing: "sql")])
    let profile = BotProfile(card: try card("ann", "data", skills: ["sql:expert"]))
    let score = BotScore(profile, for: needs, load: 1, teamSeconds: 3, hasFailed: true)
    #expect(abs(score.parts.reduce(0) { $0 + $1.value * $1.weight } - score.total) < 1e-12)
    #expect(abs(score.parts.filter { $0.value >= 0 }.reduce(0) { $0 + $1.weight } - 1) < 1e-12)
    #expect(
      score.explanation == """
        ann 0.33: domain 1 × 0.3 (its domain is data), skills 0.9 × 0.15 (has all that are required), \
        success 0.8 × 0.2 (hasn't tried any such task), speed 0.5 × 0.1 (hasn't done any such task), \
        load 0.75 × 0.25 (has 1 of at most 4), failure -1 × 0.5 (has failed this task before)
        """)
    var writer = JSONWriter()
    score.write(to: &writer)
    #expect(try JSONValue(parsing: writer.bytes)["parts"]?.array?.count == 6)
  }

  @Test func `records of parts of a log, merged in any order, are the record of all of it, and can be read back`()
    throws
  {
    var random = SeededGenerator()
    var whole = TeamRecord()
    var parts = [TeamRecord](repeating: TeamRecord(), count: 3)
    for _ in 0..<500 {
      let bot = try BotName(parsing: ["ann", "bob", "coder"].randomElement(using: &random)!)
      let skills = [Card.Skill(name: ["swift", "sql"].randomElement(using: &random)!, level: .novice)]
      let needs = TaskNeeds(domain: ["data", "design", nil].randomElement(using: &random)!, skills: skills)
      let seconds = Double.random(in: 0...100, using: &random)
      let outcome = TaskOutcome(
        bot: bot, needs: needs, succeeded: Bool.random(using: &random), seconds: seconds,
        at: Timestamp(microseconds: Int.random(in: 1...1_800_000_000_000_000, using: &random)))
      whole.count(outcome)
      parts[Int.random(in: 0..<3, using: &random)].count(outcome)
    }
    var merged = parts[2]
    merged.merge(parts[0])
    merged.merge(parts[1])
    #expect(merged == whole, "seed \(random.seed)")
    var writer = JSONWriter()
    whole.write(to: &writer)
    #expect(try TeamRecord(parsing: writer.bytes) == whole)
    for text in ["[]", "{\"A\": {}}", #"{"a": {"all": {"tried": 1, "succeeded": 2, "microseconds": 0}}}"#] {
      #expect(throws: FormatError.self) { try TeamRecord(parsing: Array(text.utf8)) }
    }
  }
}
