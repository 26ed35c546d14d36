import SpoolFormat

/// Who is to do which of the wanted skills, and why: the cheapest of the offers, explained.
public struct Selection: Sendable {
  public struct Member: Sendable, Hashable {
    public let bot: BotName
    public let skills: [Card.Skill]
  }

  public let members: [Member]
  /// Wanted skills that no offer covers.
  public let missing: [Card.Skill]
  /// Why no group came of it though each skill is covered by somebody.
  public let problem: String?
  public let explanation: [String]
  public let matching: Matching

  /// - Parameters:
  ///   - wanted: what is to be covered, by name.
  ///   - agreed: those that have accepted already, and cost nothing more.
  ///   - size: members to be chosen, at least and at most.
  ///   - fairness: see `OfferCost`.
  public init(
    _ offers: [SkillOffer], wanted: [Card.Skill], size: ClosedRange<Int>, agreed: Set<BotName> = [],
    records: (BotName) -> BotRecord?, fairness: Double
  ) {
    let scale = OfferCost.Scale(offers, records: records, fairness: fairness)
    var costs: [BotName: OfferCost] = [:]
    var candidates: [Matching.Candidate] = []
    candidates.reserveCapacity(offers.count)
    for offer in offers {
      let covers = Matching.Candidate.covered(wanted, by: offer.skills)
      guard covers != 0, costs[offer.bot] == nil else { continue }
      let cost = OfferCost(offer, for: wanted, record: records(offer.bot), scale: scale)
      costs[offer.bot] = cost
      candidates.append(
        Matching.Candidate(bot: offer.bot, covers: covers, cost: agreed.contains(offer.bot) ? 0.001 : cost.total))
    }
    let matching = Matching(candidates, skills: wanted.count, size: size)
    self.matching = matching
    missing = wanted.indices.filter { matching.missing & (1 << $0) != 0 }.map { wanted[$0] }
    members = Self.share(wanted, among: matching.chosen)
    problem =
      matching.isCovered || !missing.isEmpty
      ? nil : "no \(size.lowerBound) to \(size.upperBound) of the \(candidates.count) that offered cover all skills"
    explanation = Self.explain(
      matching, candidates, costs, wanted: wanted, missing: missing, agreed: agreed, fairness: scale.fairness,
      size: size)
  }

  /// Each skill goes to the one of the chosen that covers fewest, so that nobody is left without one where that can be;
  /// who is chosen only to make the group large enough does one of them a second time.
  private static func share(_ wanted: [Card.Skill], among chosen: [Matching.Candidate]) -> [Member] {
    var parts: [BotName: [Card.Skill]] = [:]
    let order = chosen.sorted {
      let (left, right) = ($0.covers.nonzeroBitCount, $1.covers.nonzeroBitCount)
      return left != right ? left < right : $0.bot < $1.bot
    }
    for (index, skill) in wanted.enumerated() {
      let able = order.filter { $0.covers & (1 << index) != 0 }
      let idle = able.first { parts[$0.bot] == nil } ?? able.first
      if let idle { parts[idle.bot, default: []].append(skill) }
    }
    return chosen.map { candidate in
      let first = wanted.indices.first { candidate.covers & (1 << $0) != 0 }.map { [wanted[$0]] }
      return Member(bot: candidate.bot, skills: parts[candidate.bot] ?? first ?? [])
    }
  }

  /// Of those that weren't chosen, so many are named: who reads on?
  private static let othersShown = 24

  private static func explain(
    _ matching: Matching, _ candidates: [Matching.Candidate], _ costs: [BotName: OfferCost], wanted: [Card.Skill],
    missing: [Card.Skill], agreed: Set<BotName>, fairness: Double, size: ClosedRange<Int>
  ) -> [String] {
    func names(_ bits: UInt32) -> String {
      wanted.indices.filter { bits & (1 << $0) != 0 }.map { wanted[$0].name }.joined(separator: ", ")
    }
    let needs = wanted.map { "\($0.name):\($0.level)" }.joined(separator: ", ")
    var lines = [
      "wanted: \(needs); \(size.lowerBound) to \(size.upperBound) members; fairness \(BotScore.short(fairness))",
      "\(matching.candidates) offers, \(matching.kept) that nobody beats in all; \(matching.method.text)",
    ]
    let chosen = Set(matching.chosen.map(\.bot))
    let others = candidates.filter { !chosen.contains($0.bot) }.sorted(by: Matching.precedes)
    let shown = matching.chosen.sorted(by: Matching.precedes) + others.prefix(othersShown)
    for candidate in shown {
      let mark = chosen.contains(candidate.bot) ? "chosen" : "not chosen"
      let why = agreed.contains(candidate.bot) ? "has agreed already" : costs[candidate.bot]?.explanation ?? ""
      lines.append("\(mark): \(candidate.bot) for \(names(candidate.covers)): \(why)")
    }
    let rest = others.count - othersShown
    if rest > 0 { lines.append("and \(rest) more that cost as much, at least, each for itself") }
    if !missing.isEmpty {
      lines.append("nobody offers \(missing.map { "\($0.name):\($0.level)" }.joined(separator: ", "))")
    } else if matching.isCovered {
      lines.append(
        "together \(BotScore.short(matching.cost)); of sets that cost the same the smaller one, then the names that "
          + "come first")
      lines += alternatives(matching, candidates, skills: wanted.count, size)
    }
    return lines
  }

  /// What it would cost without each of the chosen: how close the choice was.
  private static func alternatives(
    _ matching: Matching, _ candidates: [Matching.Candidate], skills: Int, _ size: ClosedRange<Int>
  ) -> [String] {
    // More than a few dozen offers would make this cost more than the choice itself.
    guard candidates.count <= 64, skills <= 8 else { return [] }
    return matching.chosen.map { member in
      let other = Matching(candidates.filter { $0.bot != member.bot }, skills: skills, size: size)
      guard other.isCovered else { return "without \(member.bot): not covered" }
      let new = other.chosen.map(\.bot).filter { bot in !matching.chosen.contains { $0.bot == bot } }
      let tie = abs(other.cost - matching.cost) < 1e-9 ? ", a tie" : ""
      return
        "without \(member.bot): \(BotScore.short(other.cost))\(tie), with \(new.map(\.description).joined(separator: ", "))"
    }
  }
}
