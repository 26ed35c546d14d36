import SpoolFormat

/// What an action is worth, from 0 to 100 hundredths: kept in whole numbers, so that sums don't depend on their order.
public enum Reward {
  /// Of a message by how long it waited to be taken: under 50 ms 1.0, under 100 ms 0.8, under 200 ms 0.6, else 0.4. The
  /// steps are those of nano mesh networks, where the reward of a relay is its latency.
  public static func ofDelivery(microseconds: Int) -> Int {
    switch microseconds {
    case ..<50_000: 100
    case ..<100_000: 80
    case ..<200_000: 60
    default: 40
    }
  }

  /// Of an attempt at a task by its outcome: 1.0 for a success, else 0.
  public static func of(_ outcome: TaskOutcome) -> Int { outcome.succeeded ? 100 : 0 }

  /// Hours after which what is remembered weighs half.
  public static let halfLifeHours = 1.0
  /// A bot of which nothing is remembered counts as one with four actions of this reward.
  public static let prior = 0.75
  public static let priorActions = 4.0
  /// Below this a bot is passed over, unless told otherwise.
  public static let threshold = 0.3
}

extension BotRecord {
  /// The mean of all rewards; nil before the first.
  public var meanReward: Double? { actions > 0 ? Double(rewards) / 100 / Double(actions) : nil }

  /// What is to be expected now: the mean of the remembered actions, each weighing half for every hour since, and of four
  /// more of 0.75. So a bot's turn for the worse is noticed within a few actions; and as its memory fades, in hours, a
  /// bot that was passed over for it is tried again.
  public func expectedReward(now: Timestamp) -> Double {
    var (sum, weight) = (Reward.prior * Reward.priorActions, Reward.priorActions)
    for action in memory {
      let share = power(0.5, max(0, now.seconds(since: action.at)) / 3600 / Reward.halfLifeHours)
      sum += share * Double(action.reward) / 100
      weight += share
    }
    return sum / weight
  }

  /// Microseconds that its remembered messages waited on average; nil when none is remembered.
  public var recentWait: Double? {
    let waits = memory.filter { $0.kind == .message }.compactMap(\.microseconds)
    return waits.isEmpty ? nil : waits.reduce(0.0) { $0 + Double($1) } / Double(waits.count)
  }
}
