import SpoolFormat

/// The bots that messages may go to, as they stand at a moment.
public struct RouteTeam: Sendable {
  /// By name.
  public let candidates: [RouteCandidate]
  private let logarithm: Double

  public init(_ candidates: [RouteCandidate]) {
    self.candidates = candidates.sorted { $0.bot < $1.bot }
    logarithm = naturalLogarithm(Double(1 + candidates.reduce(0) { $0 + $1.actions }))
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

  /// The best of those that fit, and now and then another. While somebody is there who fits, those who aren't are not
  /// considered; and of equals each is as likely as the others. The sender itself is never chosen.
  /// Cost: a look at each bot, some 100 ns.
  /// - Returns: nil when nobody is considered.
  public func choose(
    _ needs: TaskNeeds, from: String?, rule: Rule = Rule(), random: inout some RandomNumberGenerator
  ) -> Choice? {
    var considered: [(place: Int, score: Double)] = []
    var arePresent = false
    var best = -1.0
    var ties = 0
    var chosen = -1
    for place in candidates.indices {
      guard
        let score = RouteScore.total(candidates[place], needs, from: from, of: self, threshold: rule.threshold),
        from == nil || candidates[place].bot.description != from
      else { continue }
      let isPresent = candidates[place].state != .absent
      if arePresent, !isPresent { continue }
      if isPresent, !arePresent {
        arePresent = true
        considered = []
        best = -1
      }
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
    func rank(_ score: RouteScore) -> Int { score.passedOver != nil ? 2 : score.isAbsent ? 1 : 0 }
    return all.sorted { left, right in
      if rank(left) != rank(right) { return rank(left) < rank(right) }
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
