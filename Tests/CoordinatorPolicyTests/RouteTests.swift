import SpoolFormat
import TestSupport
import Testing

@testable import CoordinatorPolicy

@Suite struct RouteTests {
  private let now = Timestamp(microseconds: 1_795_218_312_345_678)

  private func card(_ name: String, _ domain: String? = nil, _ skills: String...) throws -> Card {
    var card = Card(name: try BotName(parsing: name))
    card.domain = domain
    card.skills = try skills.map { try Card.Skill(parsing: $0) }
    return card
  }

  /// Messages that a bot took, so long after they were sent, the last of them now.
  private func record(_ name: String, _ waits: [Int], from: String = "planner", ago seconds: Double = 0) throws
    -> BotRecord
  {
    var record = BotRecord()
    for (number, wait) in waits.enumerated() {
      let at = now.advanced(bySeconds: -seconds - Double(waits.count - number))
      let data = #"{"bot":"\#(name)","attempt":1,"waited_us":\#(wait),"from":\#(JSONText(string: from))}"#
      let line = LogEvent.line(kind: .messageClaimed, subject: "x", source: "/h/1.1", number: 1, time: at) {
        $0.raw(Array(data.utf8))
      }
      let event = try #require(line.withUnsafeBufferPointer { LogEvent(line: $0) })
      record.count(try #require(Lesson(event, now: now)))
    }
    return record
  }

  private func standing(
    waiting: Int = 0, claimed: Int = 0, oldest: Double? = nil, newest: Double? = nil, runs: Bool = true,
    died: Bool = false
  ) -> BotStanding {
    var standing = BotStanding()
    (standing.waiting, standing.claimed) = (waiting, claimed)
    standing.oldest = oldest.map { now.advanced(bySeconds: -$0) }
    standing.newest = newest.map { now.advanced(bySeconds: -$0) }
    (standing.takesMessages, standing.hasDied) = (runs, died)
    return standing
  }

  private func candidate(
    _ card: Card, _ record: BotRecord = BotRecord(), _ standing: BotStanding? = nil
  ) -> RouteCandidate {
    RouteCandidate(card: card, record: record, standing: standing ?? self.standing(), now: now)
  }

  private func best(_ candidates: [RouteCandidate], _ address: String = "any", from: String? = "planner") throws
    -> String?
  {
    var rule = RouteTeam.Rule()
    rule.exploration = 0
    var random = SeededGenerator()
    let needs = try RouteAddress(parsing: address).needs
    return RouteTeam(candidates).choose(needs, from: from, rule: rule, random: &random)?.bot.description
  }

  // MARK: Addresses

  @Test func `addresses say what they ask for`() throws {
    #expect(try RouteAddress(parsing: "any").needs == TaskNeeds())
    #expect(try RouteAddress(parsing: "any:Development").needs == TaskNeeds(domain: "development"))
    let both = try RouteAddress(parsing: "any:data/skill=SQL>=advanced/skill=c++/skill=r:expert").needs
    let skills = try ["sql:advanced", "c++:novice", "r:expert"].map { try Card.Skill(parsing: $0) }
    #expect(both == TaskNeeds(domain: "data", skills: skills))
    #expect(try RouteAddress(parsing: "any:domain=data").needs == TaskNeeds(domain: "data"))
    #expect(!RouteAddress.isOne("anyone") && RouteAddress.isOne("any") && RouteAddress.isOne("any:"))
  }

  @Test(arguments: [
    "any:", "any:a/b", "any:a//", "any:skill=", "any:skill=>=expert", "any:skill=swift>=guru", "any:skill=swift>=",
    "any:skill=swift>expert", "any:skill=swift=expert", "any:skill=swift<=expert", "any:level=3", "any:a>b",
    "any:domain=",
    "any:skill=\(String(repeating: "x", count: 65))", "any:\(String(repeating: "x/", count: 2000))", "every",
  ])
  func `what can't be meant is refused`(text: String) {
    #expect(throws: FormatError.self) { try RouteAddress(parsing: text) }
  }

  // MARK: Whether a bot answers

  @Test func `a bot that left a message is passed over, then tried again, ever more seldom`() {
    func state(_ standing: BotStanding, seen: Double? = nil) -> RouteState {
      RouteCandidate.state(standing, lastSeen: seen.map { now.advanced(bySeconds: -$0) }, now: now)
    }
    #expect(state(standing()) == .present)
    #expect(state(standing(waiting: 1, oldest: 29, newest: 29)) == .present)
    #expect(state(standing(waiting: 1, oldest: 31, newest: 31)) == .stopped(until: now.advanced(bySeconds: 29)))
    #expect(state(standing(waiting: 1, oldest: 61, newest: 61)) == .onTrial)
    #expect(state(standing(waiting: 2, oldest: 200, newest: 61)) == .stopped(until: now.advanced(bySeconds: 59)))
    #expect(state(standing(waiting: 2, oldest: 200, newest: 121)) == .onTrial)
    #expect(state(standing(waiting: 30, oldest: 9000, newest: 3000)) == .stopped(until: now.advanced(bySeconds: 600)))
    // Who works, or took another one since, is only busy.
    #expect(state(standing(waiting: 5, claimed: 1, oldest: 500, newest: 5)) == .present)
    #expect(state(standing(waiting: 5, oldest: 500, newest: 5), seen: 10) == .present)
    // A dead process answers nobody; without any process it is on trial only when nobody else is there.
    // What is from the future, or from nobody knows when, keeps nobody from being tried.
    #expect(state(standing(waiting: 1, oldest: 61, newest: -86_400)) == .onTrial)
    #expect(state(standing(waiting: 0, runs: false, died: true)) == .absent)
    #expect(state(standing(runs: false), seen: -86_400) == .absent)
    #expect(state(standing(runs: false, died: true), seen: 10) == .stopped(until: now.advanced(bySeconds: 50)))
    #expect(state(standing(runs: false, died: true), seen: 100) == .absent)
    #expect(state(standing(waiting: 1, oldest: 70, newest: 70, runs: false)) == .absent)
    #expect(state(standing(runs: true, died: true), seen: 10) == .present)
    // A bot by hand is taken for there while it is seen, though not before one that has a process.
    #expect(state(standing(runs: false), seen: 200) == .seen && state(standing(runs: false), seen: 400) == .absent)
    var tasks = standing(runs: false)
    tasks.takesTasks = true
    #expect(state(tasks) == .tasksOnly)
  }

  // MARK: Choosing

  @Test func `who was seen lately and has no process is chosen only where nobody has one`() throws {
    let stopped = candidate(
      try card("a"), try record("a", Array(repeating: 1000, count: 20)), standing(runs: false))
    let slow = candidate(try card("b"), try record("b", Array(repeating: 300_000, count: 20)))
    #expect(try best([stopped, slow]) == "b")
    let gone = candidate(try card("c"), BotRecord(), standing(runs: false))
    #expect(try best([gone, stopped]) == "a")
    let scores = RouteTeam([gone, stopped, slow]).scores(try RouteAddress(parsing: "any").needs, from: nil)
    #expect(scores.map(\.bot.description) == ["b", "a", "c"])
    #expect(scores.map(\.remark) == [nil, "seen lately, no process", "nobody runs it"])
  }

  @Test func `who does better, has less to do, is of the field or more skilled, is chosen`() throws {
    let fast = candidate(try card("a"), try record("a", Array(repeating: 1000, count: 20)))
    let slow = candidate(try card("b"), try record("b", Array(repeating: 300_000, count: 20)))
    #expect(try best([slow, fast]) == "a")
    let busy = candidate(try card("c"), try record("c", Array(repeating: 1000, count: 20)), standing(waiting: 3))
    #expect(try best([busy, fast]) == "a")
    let expert = candidate(try card("d", "development", "swift:expert"))
    let advanced = candidate(try card("e", "development", "swift:advanced"))
    #expect(try best([advanced, expert], "any:skill=swift") == "d")
    #expect(try best([advanced, expert], "any:skill=swift>=expert") == "d")
    #expect(try best([advanced], "any:skill=swift>=expert") == nil)
    #expect(try best([candidate(try card("f")), advanced], "any:development") == "e")
    #expect(try best([candidate(try card("f"))], "any:development") == nil)
    // Never the sender itself.
    #expect(try best([expert], "any:development", from: "d") == nil)
  }

  @Test func `a sender's own good experience with a bot counts`() throws {
    let mine = candidate(try card("a"), try record("a", Array(repeating: 1000, count: 20), from: "planner"))
    let others = candidate(try card("b"), try record("b", Array(repeating: 1000, count: 20), from: "user"))
    #expect(try best([mine, others], from: "planner") == "a")
    #expect(try best([mine, others], from: "user") == "b")
  }

  @Test func `a new bot is tried before one that is proven, and who is there before who isn't`() throws {
    let proven = candidate(try card("a"), try record("a", Array(repeating: 1000, count: 30)))
    let new = candidate(try card("b"))
    #expect(try best([proven, new]) == "b")
    let veteran = candidate(try card("z"), try record("z", Array(repeating: 1000, count: 2000), from: "user"))
    #expect(try best([proven, new, veteran]) == "b")
    #expect(try best([candidate(try card("a"), try record("a", [1000])), new, veteran]) == "b")
    let once = candidate(try card("b"), try record("b", [1000]))
    #expect(try best([candidate(try card("a"), try record("a", Array(repeating: 1000, count: 4))), once]) == "b")
    let absent = candidate(try card("c"), BotRecord(), standing(runs: false))
    let loaded = candidate(try card("d"), try record("d", Array(repeating: 500_000, count: 5)), standing(waiting: 9))
    #expect(try best([absent, loaded]) == "d" && best([absent]) == "c")
  }

  @Test func `below the threshold nobody is taken, and after hours it is tried again`() throws {
    var record = BotRecord()
    let needs = TaskNeeds()
    for number in 0..<32 {
      let at = now.advanced(bySeconds: -Double(number))
      record.count(TaskOutcome(bot: try BotName(parsing: "a"), needs: needs, succeeded: false, seconds: nil, at: at))
    }
    #expect(try best([candidate(try card("a"), record)]) == nil)
    let later = RouteCandidate(
      card: try card("a"), record: record, standing: standing(), now: now.advanced(bySeconds: 4 * 3600))
    #expect(try best([later]) == "a")
    let scores = RouteTeam([candidate(try card("a"), record)]).scores(needs, from: nil)
    #expect(scores.first?.passedOver == "its reward is below 0.3")
  }

  // MARK: Random teams

  private func randomTeam(_ random: inout SeededGenerator) throws -> [RouteCandidate] {
    try (0..<Int.random(in: 0...12, using: &random)).map { number in
      let name = "bot\(number)"
      let domain = ["development", "data", nil].randomElement(using: &random)!
      var card = try card(name, domain)
      for skill in ["swift", "sql"] where Bool.random(using: &random) {
        card.skills.append(Card.Skill(name: skill, level: Card.Level.allCases.randomElement(using: &random)!))
      }
      card.capacity = Int.random(in: 1...4, using: &random)
      let waits = (0..<Int.random(in: 0...40, using: &random)).map { _ in Int.random(in: 0...400_000, using: &random) }
      let from = ["planner", "user"].randomElement(using: &random)!
      let ago = Double.random(in: 0...1e5, using: &random)
      let age = Double.random(in: 0...300, using: &random)
      let waiting = Int.random(in: 0...5, using: &random)
      let standing = standing(
        waiting: waiting, claimed: Int.random(in: 0...1, using: &random), oldest: waiting > 0 ? age : nil,
        newest: waiting > 0 ? age / 2 : nil, runs: Int.random(in: 0..<4, using: &random) > 0,
        died: Int.random(in: 0..<4, using: &random) == 0)
      return candidate(card, try record(name, waits, from: from, ago: ago), standing)
    }
  }

  @Test func `the choice is the first of the table, and who is chosen can do it and answers`() throws {
    var random = SeededGenerator()
    var chosen = 0
    for _ in 0..<500 {
      let team = RouteTeam(try randomTeam(&random))
      let address = ["any", "any:data", "any:skill=swift>=advanced", "any:development/skill=sql"]
      let needs = try RouteAddress(parsing: address.randomElement(using: &random)!).needs
      let from = ["planner", "bot1", nil].randomElement(using: &random)!
      var rule = RouteTeam.Rule()
      rule.exploration = 0
      rule.threshold = Double.random(in: 0...0.9, using: &random)
      let scores = team.scores(needs, from: from, rule: rule)
      let choice = team.choose(needs, from: from, rule: rule, random: &random)
      guard let choice else {
        #expect(scores.allSatisfy { $0.passedOver != nil }, "seed \(random.seed)")
        continue
      }
      chosen += 1
      let first = try #require(scores.first)
      #expect(first.passedOver == nil && abs(first.total - choice.score) < 1e-12, "seed \(random.seed)")
      #expect(choice.bot.description != from && 0...1 ~= choice.score, "seed \(random.seed)")
      let candidate = try #require(team.candidates.first { $0.bot == choice.bot })
      #expect(candidate.reward >= rule.threshold && RouteScore.skill(candidate.profile, needs) != nil)
      #expect(abs(first.parts.reduce(0) { $0 + $1.value * $1.weight } - first.total) < 1e-12)
      #expect(abs(first.parts.reduce(0) { $0 + $1.weight } - 1) < 1e-12)
    }
    #expect(chosen > 100, "seed \(random.seed)")
  }

  @Test func `exploring takes others about as often as was said, and a seed makes the same choices`() throws {
    let team = RouteTeam(
      try ["a", "b", "c"].map {
        candidate(try card($0), try record($0, Array(repeating: $0 == "a" ? 1000 : 90_000, count: 32)))
      })
    var random = SeededGenerator()
    var rule = RouteTeam.Rule()
    rule.exploration = 0.2
    var counts: [String: Int] = [:]
    for _ in 0..<5000 {
      let choice = try #require(team.choose(TaskNeeds(), from: nil, rule: rule, random: &random))
      #expect(choice.isExploring == (choice.bot.description != "a"))
      counts[choice.bot.description, default: 0] += 1
    }
    // A fifth of 5,000, half each: 500, standard deviation 21.
    for other in ["b", "c"] { #expect(380...620 ~= counts[other] ?? 0, "seed \(random.seed): \(counts)") }
    var first = SeededGenerator(seed: 7)
    var second = SeededGenerator(seed: 7)
    for _ in 0..<100 {
      let left = team.choose(TaskNeeds(), from: nil, rule: rule, random: &first)
      #expect(left?.bot == team.choose(TaskNeeds(), from: nil, rule: rule, random: &second)?.bot)
    }
  }

  @Test func `of equals each is taken as often`() throws {
    let team = RouteTeam(try ["a", "b", "c", "d"].map { candidate(try card($0)) })
    var random = SeededGenerator()
    var rule = RouteTeam.Rule()
    rule.exploration = 0
    var counts: [String: Int] = [:]
    for _ in 0..<4000 {
      counts[team.choose(TaskNeeds(), from: nil, rule: rule, random: &random)!.bot.description, default: 0] += 1
    }
    for bot in ["a", "b", "c", "d"] { #expect(850...1150 ~= counts[bot] ?? 0, "seed \(random.seed): \(counts)") }
  }

  // MARK: Paths and attention

  @Test func `paths that do well grow, and those that don't or aren't used fade`() throws {
    let good = try #require(try record("a", Array(repeating: 1000, count: 10)).paths["planner"])
    let bad = try #require(try record("a", Array(repeating: 900_000, count: 10)).paths["planner"])
    let seldom = try #require(try record("a", [1000]).paths["planner"])
    #expect(good.weight(now: now) > bad.weight(now: now) && good.weight(now: now) > seldom.weight(now: now))
    var last = good.weight(now: now)
    for week in 1...20 {
      let next = good.weight(now: now.advanced(bySeconds: Double(week) * 7 * 86400))
      #expect(next < last && next > 0)
      last = next
    }
    #expect(last < 1e-4)
  }

  @Test func `attention goes to those whose field or skill is named, and to those who do well`() throws {
    let bad = Array(repeating: 900_000, count: 20)
    let team = RouteTeam([
      candidate(try card("ann", "data")), candidate(try card("bob", nil, "sql:expert")),
      candidate(try card("cat", "design")),
      candidate(try card("dan", "data"), try record("dan", bad)),
      candidate(try card("eve", "data"), BotRecord(), standing(waiting: 1, oldest: 40, newest: 40)),
    ])
    let words = Attention.words("Who can mend the (SQL) of data.")
    #expect(words == ["who", "can", "mend", "the", "sql", "of", "data"])
    let all = team.attention(team.candidates.map(\.bot), domains: [], words: words, now: now)
    #expect(all.map(\.bot.description) == ["bob", "ann", "dan", "cat", "eve"])
    #expect(all.last?.isDeaf == true)
    let other = team.attention(team.candidates.map(\.bot), domains: ["design"], words: [], now: now)
    #expect(other.first?.bot.description == "cat")
  }

  @Test func `of those in the field the one that is best at the skill that is named matters most`() throws {
    let team = RouteTeam([
      candidate(try card("bad", "development", "swift:novice")),
      candidate(try card("good", "development", "swift:expert", "sql:novice")),
      candidate(try card("none", "development")),
    ])
    let words = Attention.words("swift and sql code breaks")
    let all = team.attention(team.candidates.map(\.bot), domains: ["development"], words: words, now: now)
    #expect(all.map(\.bot.description) == ["good", "bad", "none"])
    #expect(all.map { ($0.relevance * 100).rounded() } == [100, 85, 80])
    #expect(all[0].reason == "its domain is development, and it has swift as expert")
  }

  @Test func `the mesh shows every path, heaviest first, and draws whatever a sender is called`() throws {
    var team = TeamRecord()
    team.merge(try record("a", [1000, 3000], from: "b"), of: try BotName(parsing: "a"))
    team.merge(try record("b", [1000], from: "a"), of: try BotName(parsing: "b"))
    team.merge(try record("c", [900_000], from: "x\\\"\n"), of: try BotName(parsing: "c"))
    let mesh = Mesh(team, now: now)
    #expect(mesh.edges.map { "\($0.from)\($0.to)" }.prefix(2) == ["ba", "ab"])
    #expect(mesh.edges[0].path.meanWait == 2000 && mesh.edges[0].back == 1 && mesh.edges[0].weight == 0.5)
    #expect(mesh.dot.contains(#""b" -> "a" [label="2, 2 ms", penwidth=2.5, weight=50];"#), "\(mesh.dot)")
    #expect(mesh.dot.split(separator: "\n").count == 7 && mesh.dot.hasSuffix("}"), "\(mesh.dot)")
    #expect(mesh.filtered { $0.from == "a" }.edges.count == 1)
  }

  @Test func `health follows the stated rule`() throws {
    func grade(_ active: Int, _ stopped: Int, _ load: Int, _ reward: Double?) -> TeamHealth.Grade {
      TeamHealth.grade(active: active, stopped: stopped, load: load, reward: reward).0
    }
    #expect(grade(3, 0, 0, nil) == .excellent && grade(3, 0, 9, 0.9) == .excellent)
    #expect(grade(3, 0, 0, 0.89) == .good && grade(9, 1, 0, 1) == .good && grade(9, 1, 0, 0.7) == .good)
    #expect(grade(8, 1, 0, 1) == .degraded && grade(2, 1, 0, 0.5) == .degraded)
    #expect(grade(3, 2, 0, 1) == .poor && grade(3, 0, 0, 0.49) == .poor)
    #expect(grade(0, 2, 1, nil) == .poor && grade(0, 2, 0, nil) == .degraded)
    let health = TeamHealth(
      RouteTeam([
        candidate(try card("a"), try record("a", [1000])), candidate(try card("b"), BotRecord(), standing(runs: false)),
        candidate(try card("c"), BotRecord(), standing(waiting: 2, oldest: 99, newest: 9)),
      ]))
    #expect(
      health.active == 1 && health.stopped == 1 && health.load == 2 && health.reward == 1 && health.grade == .poor)
  }

  @Test func `fairness is 1 for equal shares, and 1 by n when one has all`() {
    #expect(Fairness.index([]) == nil && Fairness.index([0, 0]) == nil)
    #expect(Fairness.index([3, 3, 3]) == 1 && Fairness.index([5, 0, 0, 0]) == 0.25)
    var random = SeededGenerator()
    for _ in 0..<200 {
      var amounts = (0..<Int.random(in: 1...20, using: &random)).map { _ in Int.random(in: 0...50, using: &random) }
      amounts[0] += 1
      let index = Fairness.index(amounts)!
      #expect(index <= 1 + 1e-12 && index >= 1 / Double(amounts.count) - 1e-12, "seed \(random.seed)")
      #expect(abs(Fairness.index(amounts.map { $0 * 7 })! - index) < 1e-12, "seed \(random.seed)")
    }
  }

  @Test func `the logarithm is that of the books`() {
    for (x, y) in [(1.0, 0.0), (2, 0.693147180559945), (10, 2.302585092994046), (1001, 6.908754779315221)] {
      #expect(abs(naturalLogarithm(x) - y) < 1e-12)
    }
  }
}
