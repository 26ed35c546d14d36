import CoordinatorPolicy
import SpoolFormat
import TestSupport
import Testing

/// The cheapest sets, against every set there is.
@Suite struct MatchingTests {
  private struct Team {
    let candidates: [Matching.Candidate]
    let skills: Int
    let size: ClosedRange<Int>

    init(_ random: inout SeededGenerator) throws {
      skills = Int.random(in: 1...6, using: &random)
      let least = Int.random(in: 1...3, using: &random)
      size = least...Int.random(in: least...5, using: &random)
      let full = UInt32(1 << skills)
      // Few prices, so that there are ties.
      let prices = [0.5, 1, 1.5, 2, 3]
      candidates = try (0..<Int.random(in: 0...11, using: &random)).map { number in
        Matching.Candidate(
          bot: try BotName(parsing: "bot\(number)"),
          covers: UInt32.random(in: 0..<full, using: &random) & UInt32.random(in: 0..<full, using: &random),
          cost: prices.randomElement(using: &random)!)
      }
    }

    /// The lowest cost of all sets that will do; nil when there is none.
    var lowest: Double? {
      let full = UInt32((1 << skills) - 1)
      let useful = candidates.filter { $0.covers != 0 }
      var lowest: Double?
      for set in 1..<(1 << useful.count) where size ~= set.nonzeroBitCount {
        let members = useful.indices.filter { set & (1 << $0) != 0 }.map { useful[$0] }
        guard members.reduce(0, { $0 | $1.covers }) == full else { continue }
        lowest = min(lowest ?? .infinity, members.reduce(0) { $0 + $1.cost })
      }
      return lowest
    }
  }

  @Test func `of random teams the cheapest set is chosen, or none where there is none`() throws {
    let seed = UInt64.random(in: 1 ... .max)
    var random = SeededGenerator(seed: seed)
    var covered = 0
    for round in 0..<400 {
      let team = try Team(&random)
      let matching = Matching(team.candidates, skills: team.skills, size: team.size)
      let place = "seed \(seed), round \(round)"
      let lowest = team.lowest
      #expect(matching.isCovered == (lowest != nil), "\(place)")
      guard let lowest else { continue }
      covered += 1
      #expect(abs(matching.cost - lowest) < 1e-9, "\(place): \(matching.cost) in place of \(lowest)")
      #expect(team.size ~= matching.chosen.count && Set(matching.chosen.map(\.bot)).count == matching.chosen.count)
      #expect(matching.chosen.reduce(0) { $0 | $1.covers } == UInt32((1 << team.skills) - 1), "\(place)")
      if case .bounded = matching.method { Issue.record("so few are always done exactly (\(place))") }
    }
    #expect(covered > 50, "seed \(seed)")
  }

  @Test func `the order of the offers makes no difference`() throws {
    let seed = UInt64.random(in: 1 ... .max)
    var random = SeededGenerator(seed: seed)
    for _ in 0..<100 {
      let team = try Team(&random)
      let first = Matching(team.candidates, skills: team.skills, size: team.size)
      let second = Matching(team.candidates.shuffled(using: &random), skills: team.skills, size: team.size)
      #expect(first.chosen == second.chosen, "seed \(seed)")
    }
  }

  @Test func `past the bound it says that it only searched, and what it found covers all`() throws {
    let seed = UInt64.random(in: 1 ... .max)
    var random = SeededGenerator(seed: seed)
    var bounded = 0
    for _ in 0..<5 {
      let skills = 16
      let candidates = try (0..<400).map { number in
        // Three or so skills each, at prices that leave nobody clearly the best.
        var covers: UInt32 = 0
        for _ in 0..<3 { covers |= 1 << UInt32.random(in: 0..<16, using: &random) }
        return Matching.Candidate(
          bot: try BotName(parsing: "bot\(number)"), covers: covers, cost: Double.random(in: 1...2, using: &random))
      }
      let matching = Matching(candidates, skills: skills, size: 1...10)
      #expect(matching.isCovered, "seed \(seed)")
      #expect(matching.chosen.count <= 10 && matching.chosen.reduce(0) { $0 | $1.covers } == 0xffff)
      if case .bounded(let nodes) = matching.method {
        bounded += 1
        #expect(nodes <= Matching.nodesMax + 1)
      }
    }
    #expect(bounded > 0, "seed \(seed)")
  }

  @Test func `what nobody covers is named`() throws {
    let matching = Matching(
      [Matching.Candidate(bot: try BotName(parsing: "a"), covers: 0b01, cost: 1)], skills: 2, size: 1...2)
    #expect(!matching.isCovered && matching.missing == 0b10)
  }
}

@Suite struct SelectionTests {
  private func offer(_ name: String, _ skills: String..., price: Double = 1, load: Int = 0) throws -> SkillOffer {
    var offer = SkillOffer(bot: try BotName(parsing: name), skills: try skills.map { try Card.Skill(parsing: $0) })
    offer.price = price
    offer.load = load
    offer.capacity = 4
    return offer
  }

  private func select(_ offers: [SkillOffer], _ wanted: String..., size: ClosedRange<Int> = 1...5) throws -> Selection {
    Selection(
      offers, wanted: try wanted.map { try Card.Skill(parsing: $0) }, size: size, records: { _ in nil }, fairness: 0.3)
  }

  @Test func `a level below the wanted one doesn't count`() throws {
    let selection = try select([offer("low", "ml:advanced"), offer("high", "ml:expert", price: 9)], "ml:expert")
    #expect(selection.members.map(\.bot.description) == ["high"])
  }

  @Test func `of equals the less busy one, and then the name that comes first`() throws {
    let busy = try select([offer("ada", "ml", load: 2), offer("bea", "ml")], "ml")
    #expect(busy.members.map(\.bot.description) == ["bea"])
    let equal = try select([offer("bea", "ml"), offer("ada", "ml")], "ml")
    #expect(equal.members.map(\.bot.description) == ["ada"])
    #expect(equal.explanation.contains { $0.contains("without ada") && $0.contains("a tie, with bea") })
  }

  @Test func `one who can do both is cheaper than two`() throws {
    let selection = try select([offer("a", "ml"), offer("b", "sql"), offer("c", "ml", "sql")], "ml", "sql")
    #expect(selection.members.map(\.bot.description) == ["c"])
    #expect(selection.members.first?.skills.map(\.name) == ["ml", "sql"])
  }

  @Test func `a group that must be larger gives each member something to do`() throws {
    let selection = try select([offer("a", "ml"), offer("b", "ml")], "ml", size: 2...3)
    #expect(selection.members.count == 2)
    #expect(selection.members.allSatisfy { $0.skills.map(\.name) == ["ml"] })
  }

  @Test func `what nobody offers is named`() throws {
    let selection = try select([offer("a", "ml:novice")], "ml:expert", "sql")
    #expect(selection.members.isEmpty)
    #expect(selection.missing.map(\.name) == ["ml", "sql"])
    #expect(selection.explanation.contains { $0.hasPrefix("nobody offers ml:expert, sql:intermediate") })
  }

  @Test func `fairness prefers who has done less, speed who is faster`() throws {
    let wanted = [try Card.Skill(parsing: "ml")]
    var fast = try offer("fast", "ml")
    fast.seconds = 1
    var slow = try offer("slow", "ml")
    slow.seconds = 10
    var busy = BotRecord()
    for _ in 0..<40 {
      busy.count(TaskOutcome(bot: fast.bot, needs: TaskNeeds(skills: wanted), succeeded: true, seconds: 1))
    }
    var idle = BotRecord()
    for _ in 0..<4 {
      idle.count(TaskOutcome(bot: slow.bot, needs: TaskNeeds(skills: wanted), succeeded: true, seconds: 10))
    }
    func chosen(_ fairness: Double) -> String? {
      Selection(
        [fast, slow], wanted: wanted, size: 1...1, records: { $0 == fast.bot ? busy : idle }, fairness: fairness
      ).members.first?.bot.description
    }
    #expect(chosen(0) == "fast")
    #expect(chosen(1) == "slow")
  }
}

@Suite struct BidTests {
  private func answer(
    load: Int = 0, secondsLeft: Double = 60, mean: Double? = nil, tries: Int = 3, at skill: String = "ml",
    wanted: String...
  ) throws -> Bid {
    var card = Card(name: try BotName(parsing: "ada"))
    card.skills = [try Card.Skill(parsing: "ML:advanced")]
    var record = BotRecord()
    for _ in 0..<tries {
      guard let mean else { break }
      let needs = TaskNeeds(skills: [try Card.Skill(parsing: skill)])
      record.count(TaskOutcome(bot: card.name, needs: needs, succeeded: true, seconds: mean))
    }
    return Bid.answer(
      try wanted.map { try Card.Skill(parsing: $0) }, bot: BotProfile(card: card, record: record), load: load,
      capacity: 2, secondsLeft: secondsLeft)
  }

  private func reason(_ bid: Bid) -> String? {
    guard case .refuse(let why) = bid else { return nil }
    return why
  }

  @Test func `it offers what it has at the wanted level, and says how busy it is`() throws {
    guard case .offer(let offer) = try answer(load: 1, wanted: "ml", "sql") else {
      Issue.record("refused")
      return
    }
    #expect(offer.skills == [Card.Skill(name: "ml", level: .advanced)])
    #expect(offer.load == 1 && offer.capacity == 2)
  }

  @Test func `it refuses with the reason`() throws {
    #expect(try reason(answer(wanted: "sql")) == "has no sql")
    #expect(try reason(answer(wanted: "ml:expert")) == "has ml only as advanced")
    #expect(try reason(answer(load: 2, wanted: "ml")) == "has 2 of at most 2 tasks")
    #expect(try reason(answer(secondsLeft: 0, wanted: "ml")) == "the deadline is past")
    #expect(try reason(answer(secondsLeft: 10, mean: 9, wanted: "ml"))?.hasPrefix("takes 9 s on average") == true)
    #expect(try reason(answer(secondsLeft: 10, mean: 7, wanted: "ml")) == nil)
  }

  @Test func `how long it takes is known from a few tries at the very skill, not from other work`() throws {
    func seconds(_ bid: Bid) -> Double? {
      guard case .offer(let offer) = bid else { return nil }
      return offer.seconds
    }
    #expect(try seconds(answer(mean: 7, wanted: "ml")) == 7)
    #expect(try seconds(answer(mean: 7, tries: 2, wanted: "ml")) == nil)
    #expect(try seconds(answer(mean: 0.01, tries: 9, at: "ping", wanted: "ml")) == nil)
    #expect(try reason(answer(secondsLeft: 10, mean: 900, at: "training", wanted: "ml")) == nil)
  }
}
