import SpoolFormat
import TestSupport
import Testing

@testable import CoordinatorPolicy

@Suite struct RecordTests {
  private let coder: BotName
  private let start = Timestamp(microseconds: 1_795_218_312_345_678)
  private let swift: TaskNeeds

  init() throws {
    coder = try BotName(parsing: "coder")
    swift = TaskNeeds(skills: [try Card.Skill(parsing: "swift")])
  }

  private func outcome(
    _ succeeded: Bool, at seconds: Double = 0, level: Card.Level = .novice, failedBefore: Int = 0, taken: Double? = 1
  ) -> TaskOutcome {
    TaskOutcome(
      bot: coder, needs: TaskNeeds(domain: "data", skills: [Card.Skill(name: "swift", level: level)]),
      succeeded: succeeded, seconds: taken, at: start.advanced(bySeconds: seconds), failedBefore: failedBefore,
      requester: "planner")
  }

  private func record(_ outcomes: [TaskOutcome]) -> BotRecord {
    var record = BotRecord()
    for outcome in outcomes { record.count(outcome) }
    return record
  }

  private func days(_ number: Double) -> Timestamp { start.advanced(bySeconds: number * 86400) }

  // MARK: Levels

  @Test func `a level is gained by twenty successes, lost by failing more than half of the last, and won back`() {
    var outcomes = (0..<20).map { outcome(true, at: Double($0)) }
    #expect(record(outcomes).level("swift", stated: .novice, now: days(0)) == .intermediate)
    #expect(record(outcomes).level("sql", stated: .advanced, now: days(0)) == .advanced)
    outcomes += (0..<8).map { outcome(false, at: 100 + Double($0)) }
    #expect(record(outcomes).level("swift", stated: .advanced, now: days(0)) == .advanced)
    outcomes += (8..<11).map { outcome(false, at: 100 + Double($0)) }
    #expect(record(outcomes).level("swift", stated: .advanced, now: days(0)) == .intermediate)
    outcomes += (11..<16).map { outcome(false, at: 100 + Double($0)) }
    #expect(record(outcomes).level("swift", stated: .advanced, now: days(0)) == .novice)
    #expect(record(outcomes).level("swift", stated: .novice, now: days(0)) == .novice)
    outcomes += (0..<20).map { outcome(true, at: 200 + Double($0)) }
    #expect(record(outcomes).level("swift", stated: .novice, now: days(0)) == .advanced)
    // A few failures of a new bot say nothing yet.
    let failures = (0..<10).map { outcome(false, at: Double($0)) }
    #expect(record(Array(failures[..<5])).level("swift", stated: .expert, now: days(0)) == .expert)
    #expect(record(Array(failures[..<6])).level("swift", stated: .expert, now: days(0)) == .advanced)
    #expect(record(failures).level("swift", stated: .expert, now: days(0)) == .intermediate)
  }

  @Test func `another success never costs a level`() {
    var random = SeededGenerator()
    for _ in 0..<300 {
      let share = Double.random(in: 0...1, using: &random)
      let outcomes = (0..<Int.random(in: 0...80, using: &random)).map {
        outcome(Double.random(in: 0...1, using: &random) < share, at: Double($0))
      }
      let stated = Card.Level.allCases.randomElement(using: &random)!
      let before = record(outcomes).level("swift", stated: stated, now: days(0))
      let last = Double(outcomes.count)
      // What falls out of the last twenty may have been a success, so only with room there.
      guard outcomes.count < 20 || !outcomes[outcomes.count - 20].succeeded else { continue }
      #expect(
        record(outcomes + [outcome(true, at: last)]).level("swift", stated: stated, now: days(0)) >= before,
        "\(random.seed)")
    }
  }

  // MARK: Reputation

  @Test func `reputation follows the stated formula`() {
    let new = BotRecord().reputation(now: start)
    #expect(new.value == 0.75 && new.evidence == 0)
    #expect(abs(new.bonus - 0.5 * (3.0 / 80).squareRoot()) < 1e-12 && new.standing > 0.84 && new.standing < 0.85)
    let reputation = record([
      outcome(true), outcome(true, level: .expert, failedBefore: 2), outcome(false, level: .expert),
    ])
    .reputation(now: start)
    #expect(reputation.alpha == 3 + 1 + (1 + 1.5 + 0.5) && reputation.beta == 1 + 1)
    let later = record([outcome(true)]).reputation(now: days(30))
    #expect(abs(later.alpha - 3.5) < 1e-9 && later.beta == 1)
    // A skill that wasn't tried is trusted as the bot is.
    #expect(record([outcome(true)]).reputation(skill: "sql", now: start).value == 0.8)
  }

  @Test
  func `success raises it, more when the task is harder; failure lowers it; time brings it back to what a new bot has`()
  {
    var random = SeededGenerator()
    for _ in 0..<300 {
      let outcomes = (0..<Int.random(in: 0...40, using: &random)).map { _ in
        outcome(
          Bool.random(using: &random), at: Double.random(in: -1e7...0, using: &random),
          level: Card.Level.allCases.randomElement(using: &random)!, failedBefore: Int.random(in: 0...5, using: &random)
        )
      }
      let before = record(outcomes).reputation(now: start)
      let easy = record(outcomes + [outcome(true)]).reputation(now: start)
      let hard = record(outcomes + [outcome(true, level: .expert)]).reputation(now: start)
      let failed = record(outcomes + [outcome(false, level: .expert)]).reputation(now: start)
      #expect(easy.value > before.value && hard.value > easy.value && failed.value < before.value, "\(random.seed)")
      #expect(0...1 ~= hard.standing && hard.standing >= hard.value && easy.bonus > 0, "\(random.seed)")
      let faded = record(outcomes).reputation(now: days(3000))
      #expect(abs(faded.value - 0.75) < 1e-6 && faded.evidence < 1e-6, "\(random.seed)")
      let half = record(outcomes).reputation(now: days(30))
      #expect(abs(half.value - 0.75) <= abs(before.value - 0.75) + 1e-12, "\(random.seed)")
    }
  }

  @Test func `a new bot is put before one that is as good and known, and after one that is clearly better`() {
    let known = record((0..<40).map { outcome($0 % 4 != 0, at: Double($0)) })
    let better = record((0..<40).map { outcome(true, at: Double($0)) })
    let new = BotRecord().reputation(now: start).standing
    #expect(new > known.reputation(now: start).standing && new < better.reputation(now: start).standing)
  }

  // MARK: Times and decay

  @Test func `a quantile is one of the values, to 1 part in 32`() {
    var random = SeededGenerator()
    for _ in 0..<200 {
      var times = Times()
      let bound = [20, 1000, 1_000_000, 1 << 40].randomElement(using: &random)!
      let values = (0..<Int.random(in: 1...200, using: &random)).map { _ in Int.random(in: 0...bound, using: &random) }
      for value in values { times.count(microseconds: value) }
      let share = Double.random(in: 0...1, using: &random)
      let rank = max(1, Int((share * Double(values.count)).rounded(.up)))
      let exact = values.sorted()[rank - 1]
      let found = times.quantile(share)!
      #expect(abs(found - exact) <= exact / 32 + 1, "seed \(random.seed): \(found) for \(exact)")
    }
    #expect(Times().quantile(0.9) == nil)
  }

  @Test func `powers agree with repeated halving`() {
    #expect(power(0.5, 0) == 1 && power(0.5, 3) == 0.125 && power(0.5, 1e9) == 0)
    #expect(abs(power(0.5, 0.5) - 0.5.squareRoot()) < 1e-9)
    var random = SeededGenerator()
    for _ in 0..<200 {
      let (a, b) = (Double.random(in: 0...20, using: &random), Double.random(in: 0...20, using: &random))
      let product = power(0.5, a) * power(0.5, b)
      #expect(abs(power(0.5, a + b) - product) <= 1e-7 * product, "seed \(random.seed)")
    }
  }

  // MARK: Rewards

  @Test func `a delivery is rewarded by its latency, in the stated steps`() {
    let steps = [(0, 100), (49_999, 100), (50_000, 80), (99_999, 80), (100_000, 60), (199_999, 60), (200_000, 40)]
    for (microseconds, reward) in steps { #expect(Reward.ofDelivery(microseconds: microseconds) == reward) }
    #expect(Reward.of(outcome(true)) == 100 && Reward.of(outcome(false)) == 0)
  }

  @Test func `what is expected follows the last actions within a few, and forgets them within hours`() {
    var record = BotRecord()
    #expect(record.expectedReward(now: start) == 0.75)
    for number in 0..<200 { record.count(outcome(true, at: Double(number))) }
    #expect(record.expectedReward(now: start.advanced(bySeconds: 200)) > 0.95)
    for number in 200..<232 { record.count(outcome(false, at: Double(number))) }
    let low = record.expectedReward(now: start.advanced(bySeconds: 232))
    #expect(low < Reward.threshold)
    #expect(record.expectedReward(now: start.advanced(bySeconds: 3 * 3600)) > Reward.threshold)
    #expect(record.memory.count == BotRecord.memoryMax && record.actions == 232 && record.meanReward! > 0.85)
  }

  // MARK: From the log

  private func event(_ kind: LogEvent.Kind, _ data: String, subject: String = "x", at seconds: Double = 0) -> LogEvent {
    let line = LogEvent.line(
      kind: kind, subject: subject, source: "/pi/1.1", number: 1, time: start.advanced(bySeconds: seconds)
    ) { $0.raw(Array(data.utf8)) }
    return line.withUnsafeBufferPointer { LogEvent(line: $0)! }
  }

  @Test func `lines of the log teach what they should, and no more`() throws {
    let claimed = lesson(event(.messageClaimed, #"{"bot":"coder","attempt":1,"waited_us":70000,"from":"planner"}"#))
    #expect(claimed?.what == .delivery(from: "planner", microseconds: 70_000) && claimed?.bot == coder)
    #expect(lesson(event(.messageClaimed, #"{"bot":"coder","attempt":2,"waited_us":7}"#)) == nil)
    #expect(lesson(event(.messageClaimed, #"{"bot":"../x","attempt":1,"waited_us":7}"#)) == nil)
    #expect(lesson(event(.botRegistered, "{}", subject: "coder"))?.what == .registered)
    #expect(lesson(event(.messageDead, #"{"bot":"coder","attempt":3,"reason":"x"}"#))?.what == .givenUp(from: nil))
    #expect(lesson(event(.messageSent, #"{"recipients":["coder"]}"#)) == nil)
    let done = lesson(
      event(
        .taskCompleted,
        #"{"state":"completed","from":"in_progress","attempt":2,"bot":"coder","task":{"title":"t","domain":"Data","#
          + #""required_skills":["swift:expert"],"created_by":"planner","started_at":"2026-11-20T23:00:00Z"}}"#))
    guard case .outcome(let outcome)? = done?.what else { throw Failure("no outcome") }
    #expect(
      outcome.succeeded && outcome.needs.domain == "data" && outcome.failedBefore == 1 && outcome.difficulty == 11)
    #expect(outcome.requester == "planner" && outcome.microseconds! > 0)
    let expired = lesson(
      event(
        .taskExpired,
        #"{"state":"pending","from":"in_progress","attempt":1,"bot":"coder","task":{"title":"t","domain":"data"}}"#))
    guard case .outcome(let late)? = expired?.what else { throw Failure("no outcome") }
    #expect(!late.succeeded && late.needs.domain == "data" && late.microseconds == nil)
    // Somebody's retry of what had failed, or a task failed by hand, is nobody's doing.
    #expect(lesson(event(.taskRetried, #"{"state":"pending","from":"failed","attempt":1,"bot":"coder"}"#)) == nil)
  }

  @Test func `lessons taken in any order, in parts, and by way of files, make the same record`() throws {
    var random = SeededGenerator()
    for _ in 0..<20 {
      let lessons = (0..<400).compactMap { _ in lesson(&random) }
      var whole = TeamRecord()
      for lesson in lessons { whole.count(lesson) }
      var shuffled = TeamRecord()
      for lesson in lessons.shuffled(using: &random) { shuffled.count(lesson) }
      #expect(shuffled == whole, "seed \(random.seed)")
      // Cut somewhere, kept, read again, and gone on with; and two halves merged.
      let cut = Int.random(in: 0...lessons.count, using: &random)
      var first = TeamRecord()
      for lesson in lessons[..<cut] { first.count(lesson) }
      var writer = JSONWriter()
      first.write(to: &writer)
      var resumed = try TeamRecord(parsing: writer.bytes)
      #expect(resumed == first, "seed \(random.seed)")
      var second = TeamRecord()
      for lesson in lessons[cut...] {
        resumed.count(lesson)
        second.count(lesson)
      }
      second.merge(first)
      #expect(resumed == whole && second == whole, "seed \(random.seed)")
    }
  }

  /// Read when nothing of the log is from the future any more.
  private func lesson(_ event: LogEvent) -> Lesson? { Lesson(event, now: days(1000)) }

  @Test func `what a clock that was ahead wrote counts as of the present`() throws {
    let data = #"{"bot":"coder","attempt":1,"waited_us":7,"from":"in_progress"}"#
    let ahead = event(.messageClaimed, data, at: 366 * 86_400)
    #expect(Lesson(ahead, now: start)?.at == start && lesson(ahead)?.at == days(366))
    let done = event(.taskCompleted, #"{"state":"completed","from":"in_progress","bot":"coder"}"#, at: 86_400)
    guard case .outcome(let outcome)? = Lesson(done, now: start)?.what else { throw Failure("no outcome") }
    #expect(outcome.at == start)
  }

  @Test func `a level that an outage cost comes back when its failures are a week old`() throws {
    let failed = record((0..<6).map { outcome(false, at: Double($0)) })
    #expect(failed.level("swift", stated: .expert, now: days(1)) == .advanced)
    #expect(failed.level("swift", stated: .expert, now: days(7.1)) == .expert)
    // Its successes are not forgotten.
    let mixed = record(
      (0..<20).map { outcome(true, at: Double($0)) } + (20..<31).map { outcome(false, at: Double($0)) })
    #expect(mixed.level("swift", stated: .advanced, now: days(1)) == .intermediate)
    #expect(mixed.level("swift", stated: .advanced, now: days(7.1)) == .expert)
    let card = try Card(name: coder, parsing: Array(#"{"skills":["swift:expert"]}"#.utf8))
    var profile = BotProfile(card: card, record: failed, now: days(1))
    #expect(profile.level("swift") == .advanced)
    profile.now = days(8)
    #expect(profile.level("swift") == .expert)
  }

  @Test func `counts that can't be are refused, whatever was written there`() {
    func team(tried: String) throws -> TeamRecord {
      let text = #"{"coder":{"all":{"tried":\#(tried),"succeeded":1,"microseconds":0}}}"#
      return try TeamRecord(parsing: Array(text.utf8))
    }
    #expect(throws: Never.self) { try team(tried: "2") }
    for tried in ["-1", "-1152921504606846976", "9223372036854775807", "0"] {
      #expect(throws: FormatError.self, "\(tried)") { try team(tried: tried) }
    }
  }

  @Test func `waits beyond all bounds overflow nothing`() {
    var record = BotRecord()
    for second in 0..<40 {
      let data = #"{"bot":"coder","attempt":1,"waited_us":\#(WholeNumber.max)}"#
      if let lesson = lesson(event(.messageClaimed, data, at: Double(second))) { record.count(lesson) }
    }
    #expect(record.deliveries == 40 && record.recentWait == Double(WholeNumber.max))
  }

  private func lesson(_ random: inout SeededGenerator) -> Lesson? {
    let bot = ["ann", "bob", "coder"].randomElement(using: &random)!
    let from = ["planner", "ann", "user"].randomElement(using: &random)!
    // Few moments, so that many are equal; over a year, so that old days are let go.
    let at = Double(Int.random(in: 0..<150, using: &random)) * 200_000
    let attempt = Int.random(in: 1...3, using: &random)
    switch Int.random(in: 0..<6, using: &random) {
    case 0: return lesson(event(.botRegistered, "{}", subject: bot, at: at))
    case 1: return lesson(event(.messageDead, #"{"bot":"\#(bot)","attempt":\#(attempt),"from":"\#(from)"}"#, at: at))
    case 2, 3:
      let waited = Int.random(in: 0...300_000, using: &random)
      let data = #"{"bot":"\#(bot)","attempt":1,"waited_us":\#(waited),"from":"\#(from)"}"#
      return lesson(event(.messageClaimed, data, at: at))
    default:
      let skill = ["swift", "sql"].randomElement(using: &random)!
      let level = Card.Level.allCases.randomElement(using: &random)!
      let data =
        #"{"state":"x","from":"in_progress","attempt":\#(attempt),"bot":"\#(bot)","task":{"title":"t","domain":"data","#
        + #""required_skills":["\#(skill):\#(level)"],"created_by":"\#(from)","started_at":"2026-11-20T23:00:00Z"}}"#
      return lesson(event(Bool.random(using: &random) ? .taskCompleted : .taskFailed, data, at: at))
    }
  }

  private struct Failure: Error {
    let text: String
    init(_ text: String) { self.text = text }
  }

  @Test func `numbers as large as a record may have them add up to no more than that`() throws {
    let most = WholeNumber.max
    let times = (0..<9000).map { "\"\($0 * 1000)\": \(1 << 50)" }.joined(separator: ", ")
    let tally = """
      {"tried": \(most), "succeeded": \(most), "microseconds": \(most), "times_us": {\(times)}, \
      "recent": [5], "days": {"2026-11-21": [\(1 << 50), 0]}}
      """
    let text = """
      {"actions": \(most), "rewards": \(most), "deliveries": \(most), "lessons": \(most), "all": \(tally), \
      "paths": {"user": {"count": \(most), "rewards": \(most), "deliveries": \(most), "waited_us": \(most)}}}
      """
    let record = try BotRecord(try JSONValue(parsing: Array(text.utf8)))
    var team = TeamRecord()
    for number in 0..<9 { team.merge(record, of: try BotName(parsing: "bot\(number)")) }
    for _ in 0..<9 { team.merge(record, of: coder) }
    #expect(team.together.all.tried == most && team.together.all.times.count == most)
    #expect(team.bots[coder]?.actions == most && team.bots[coder]?.paths["user"]?.count == most)
    #expect(team.together.all.p90Seconds ?? 0 > 0 && record.all.recent.map(\.at) == [5])
  }
}
