import SpoolFormat

/// How far a bot can be trusted with a kind of task, from 0 to 1: the mean of a Beta distribution over its share of successes.
///
/// - **Evidence** (Jøsang and Ismail, "The Beta Reputation System", 2002): each success adds its difficulty to α, and each
///   failure 1 to β, so that failing at what is hard costs no more than failing at what is easy
///   (`TaskOutcome.difficulty`: 1 for a plain task, up to 3.5).
/// - **Decay**, their forgetting factor: what is 30 days old weighs half, by whole days.
/// - **Prior**: α = 3 and β = 1, as if it had done three of four tasks; for a skill, as if it had done four tasks as well
///   as it does all, so that who does well elsewhere is trusted here.
/// - **Exploration**: half a standard deviation of that distribution is added where bots are chosen (`standing`). It is
///   the optimism of UCB1 (Auer, Cesa-Bianchi, Fischer 2002) in the form of Bayes-UCB (Kaufmann, Cappé, Garivier 2012): 0.1
///   for a new bot, 0.05 after a dozen tasks, next to nothing for one that is well known. So a new bot is tried before one
///   that is as good and proven, and not before one that is better by more than that.
public struct Reputation: Sendable, Hashable {
  public let alpha: Double
  public let beta: Double

  public static let halfLifeDays = 30.0
  public static let priorTasks = 4.0
  public static let priorShare = 0.75
  /// Standard deviations.
  public static let optimism = 0.5

  /// - Parameter days: difficulties in quarters: of successes, and of failures.
  init(_ days: Days, prior: Double = priorShare, now: Timestamp) {
    let (good, bad) = days.decayed(halfLifeDays: Self.halfLifeDays, now: now)
    alpha = Self.priorTasks * prior + good / 4
    beta = Self.priorTasks * (1 - prior) + bad / 4
  }

  public var value: Double { alpha / (alpha + beta) }

  /// Plain tasks' worth of what is known.
  public var evidence: Double { alpha + beta - Self.priorTasks }

  /// What is added because little is known.
  public var bonus: Double {
    let sum = alpha + beta
    return Self.optimism * (alpha * beta / (sum * sum * (sum + 1))).squareRoot()
  }

  /// The value with the bonus, 1 at most.
  public var standing: Double { min(1, value + bonus) }
}

extension BotRecord {
  /// In all tasks.
  public func reputation(now: Timestamp) -> Reputation { Reputation(all.days, now: now) }

  /// In tasks that required a skill, in lower case.
  public func reputation(skill: String, now: Timestamp) -> Reputation {
    Reputation(skills[skill]?.days ?? Days(), prior: reputation(now: now).value, now: now)
  }
}
