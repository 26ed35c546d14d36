import SpoolFormat

/// The bots that messages may go to, as they stand at a moment.
///
/// What doesn't depend on the message is added up beforehand, and who has a field, a skill or a path is listed by it, so that a
/// choice among a thousand bots compares no names: some 20 µs.
public struct RouteTeam: Sendable {
  /// By name.
  public let candidates: [RouteCandidate]
  private let logarithm: Double
  /// By a bot's place: the parts of its score that are the same for all messages, and what it takes to be considered.
  private var fixed: [Double] = []
  private var rewards: [Double] = []
  private var ranks: [Rank] = []
  private var placeOfBot: [String: Int] = [:]
  private var fields: [String: [(place: Int, value: Double)]] = [:]
  private var levels: [String: [(place: Int, rank: Int)]] = [:]
  private var paths: [String: [(place: Int, weight: Double)]] = [:]

  enum Rank: UInt8 { case out, absent, seen, present }

  public init(_ candidates: [RouteCandidate]) {
    self.candidates = candidates.sorted { $0.bot < $1.bot }
    logarithm = naturalLogarithm(Double(1 + candidates.reduce(0) { $0 + $1.actions }))
    for (place, candidate) in self.candidates.enumerated() {
      fixed.append(
        RouteScore.Weight.reward * candidate.reward + RouteScore.Weight.load * candidate.loadPart
          + RouteScore.Weight.latency * candidate.latencyPart + RouteScore.Weight.new * novelty(candidate.actions))
      rewards.append(candidate.reward)
      ranks.append(candidate.state.rank)
      placeOfBot[candidate.bot.description] = place
      index(candidate, place)
    }
  }

  private mutating func index(_ candidate: RouteCandidate, _ place: Int) {
    let profile = candidate.profile
    let skills = Set(profile.card.skills.map { $0.name.lowercased() })
    for domain in skills.union(profile.record.domains.keys).union([profile.domain].compactMap { $0 }) {
      let value = BotScore.domain(profile, domain)
      if value >= RouteScore.fieldMin { fields[domain, default: []].append((place, value)) }
    }
    for skill in skills {
      if let level = profile.level(skill) { levels[skill, default: []].append((place, level.rank)) }
    }
    for (sender, weight) in candidate.paths { paths[sender, default: []].append((place, weight)) }
  }

  /// By place, how well each bot fits, as `RouteScore.skill`; below zero for one that doesn't.
  private func fits(_ needs: TaskNeeds) -> [Double] {
    guard needs.domain != nil || !needs.skills.isEmpty else { return [Double](repeating: 0.5, count: fixed.count) }
    var domain = [Double](repeating: needs.domain == nil ? 0 : -1, count: fixed.count)
    if let wanted = needs.domain { for entry in fields[wanted] ?? [] { domain[entry.place] = entry.value } }
    guard !needs.skills.isEmpty else { return domain }
    var sums = [Double](repeating: 0, count: fixed.count)
    var counts = [Int](repeating: 0, count: fixed.count)
    for wanted in needs.skills {
      let least = wanted.level.rank
      for entry in levels[wanted.name] ?? [] where entry.rank >= least {
        sums[entry.place] += 0.7 + 0.1 * Double(entry.rank - least)
        counts[entry.place] += 1
      }
    }
    let number = Double(needs.skills.count)
    for place in sums.indices {
      guard counts[place] == needs.skills.count, domain[place] >= 0 else {
        domain[place] = -1
        continue
      }
      let skills = sums[place] / number
      domain[place] = needs.domain == nil ? skills : (domain[place] + skills) / 2
    }
    return domain
  }

  func novelty(_ actions: Int) -> Double {
    actions == 0 ? 1 : 0.75 * min(1, (logarithm / Double(1 + actions)).squareRoot())
  }

  /// How a choice is made.
  public struct Rule: Sendable {
    /// Below this expected reward a bot is passed over, from 0 to 1.
    public var threshold = Reward.threshold
    /// How often another than the best is taken, from 0 to 1, each of those that were considered as likely: without it, a
    /// bot that is a little worse than another today would never show that it has become better.
    public var exploration = 0.05

    public init() {}
  }

  public struct Choice: Sendable {
    public let bot: BotName
    public let score: Double
    /// Not the best, for once.
    public let isExploring: Bool
  }

  /// The best of those that fit, and now and then another. While somebody who fits has a process, those who have none are
  /// not considered, and while one of these was seen lately, the others aren't; and of equals each is as likely as the others. The sender itself is never chosen.
  /// Cost: some 20 ns for each bot.
  /// - Returns: nil when nobody is considered.
  public func choose(
    _ needs: TaskNeeds, from: String?, rule: Rule = Rule(), random: inout some RandomNumberGenerator
  ) -> Choice? {
    let fits = fits(needs)
    var extra = [Double](repeating: 0, count: fixed.count)
    if let from { for entry in paths[from] ?? [] { extra[entry.place] = RouteScore.Weight.path * entry.weight } }
    let own = from.flatMap { placeOfBot[$0] } ?? -1
    var considered: [(place: Int, score: Double)] = []
    var rank = Rank.absent
    var best = -1.0
    var ties = 0
    var chosen = -1
    for place in fits.indices {
      guard fits[place] >= 0, rewards[place] >= rule.threshold, ranks[place].rawValue >= rank.rawValue, place != own
      else {
        continue
      }
      if ranks[place].rawValue > rank.rawValue {
        rank = ranks[place]
        considered = []
        best = -1
      }
      let score = fixed[place] + RouteScore.Weight.skill * fits[place] + extra[place]
      considered.append((place, score))
      if score > best {
        (best, chosen, ties) = (score, place, 1)
      } else if score == best {
        // Each of equals with the same chance, in one pass.
        ties += 1
        if Int.random(in: 0..<ties, using: &random) == 0 { chosen = place }
      }
    }
    guard chosen >= 0 else { return nil }
    if considered.count > 1, rule.exploration > 0, Double.random(in: 0..<1, using: &random) < rule.exploration {
      let others = considered.filter { $0.place != chosen }
      let other = others[Int.random(in: 0..<others.count, using: &random)]
      return Choice(bot: candidates[other.place].bot, score: other.score, isExploring: true)
    }
    return Choice(bot: candidates[chosen].bot, score: best, isExploring: false)
  }

  /// All bots but the sender, those that are considered first, the best first. For people.
  public func scores(_ needs: TaskNeeds, from: String?, rule: Rule = Rule()) -> [RouteScore] {
    let all = candidates.filter { $0.bot.description != from }.map {
      RouteScore($0, needs, from: from, of: self, threshold: rule.threshold)
    }
    func rank(_ score: RouteScore) -> UInt8 { score.passedOver != nil ? 0 : score.state.rank.rawValue }
    return all.sorted { left, right in
      if rank(left) != rank(right) { return rank(left) > rank(right) }
      return left.total != right.total ? left.total > right.total : left.bot < right.bot
    }
  }

  /// Those who could do it by their cards, whether or not they are there.
  public func fitting(_ needs: TaskNeeds) -> [RouteCandidate] {
    candidates.filter { RouteScore.skill($0.profile, needs) != nil }
  }
}

/// ln(x) for x ≥ 1, to 1e-12: the exponent's share, and the series of the area tangent for the rest.
func naturalLogarithm(_ x: Double) -> Double {
  guard x > 1, x.isFinite else { return 0 }
  let ratio = (x.significand - 1) / (x.significand + 1)
  let square = ratio * ratio
  var (term, sum) = (ratio, 0.0)
  for odd in stride(from: 1.0, to: 60, by: 2) {
    sum += term / odd
    term *= square
  }
  return 2 * sum + Double(x.exponent) * 0.693_147_180_559_945_3
}
