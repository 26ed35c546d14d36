import SpoolFormat

/// How a team of bots does as a whole.
public struct TeamHealth: Sendable, Hashable {
  public enum Grade: String, Sendable, CaseIterable { case excellent, good, degraded, poor }

  /// Bots that are there (`RouteState.present`, `seen`, or at tasks), and those that stopped answering.
  public let active: Int
  public let stopped: Int
  /// The mean of the remembered actions of those that are there, from 0 to 1; nil when none is remembered.
  public let reward: Double?
  /// Messages that wait, or are in hand.
  public let load: Int
  public let grade: Grade
  /// What decided.
  public let reason: String

  /// Excellent: everybody who ran answers, and the mean reward is 0.9 at least. Good: at most a tenth stopped answering, and
  /// it is 0.7 at least. Degraded: at most a third, and 0.5. Else poor; and poor as well when nobody is there and something
  /// waits, degraded when nothing does. Where no action is remembered, the reward counts as 1.
  public init(_ team: RouteTeam) {
    var (active, stopped, load) = (0, 0, 0)
    var (sum, count) = (0, 0)
    for candidate in team.candidates {
      load += candidate.load
      switch candidate.state {
      case .present, .seen, .tasksOnly:
        active += 1
        for action in candidate.profile.record.memory {
          sum += action.reward
          count += 1
        }
      case .stopped, .onTrial: stopped += 1
      case .absent: break
      }
    }
    (self.active, self.stopped, self.load) = (active, stopped, load)
    reward = count > 0 ? Double(sum) / 100 / Double(count) : nil
    (grade, reason) = Self.grade(active: active, stopped: stopped, load: load, reward: reward)
  }

  static func grade(active: Int, stopped: Int, load: Int, reward: Double?) -> (Grade, String) {
    guard active > 0 else {
      return load > 0 ? (.poor, "nobody is there, and \(load) wait") : (.degraded, "nobody is there")
    }
    let silent = Double(stopped) / Double(active + stopped)
    let worth = reward ?? 1
    let text = "\(stopped) of \(active + stopped) stopped answering, mean reward \(BotScore.short(worth))"
    if stopped == 0, worth >= 0.9 { return (.excellent, text) }
    if silent <= 0.1, worth >= 0.7 { return (.good, text) }
    if silent <= 1.0 / 3, worth >= 0.5 { return (.degraded, text) }
    return (.poor, text)
  }
}

/// How evenly something is spread: Jain's index (Jain, Chiu, Hawe, "A Quantitative Measure of Fairness", 1984).
public enum Fairness {
  /// (Σx)² ÷ (n · Σx²): 1 when all have the same, 1 ÷ n when one has all; nil when nobody has anything.
  public static func index(_ amounts: [Int]) -> Double? {
    let sum = amounts.reduce(0.0) { $0 + Double($1) }
    guard sum > 0 else { return nil }
    return sum * sum / (Double(amounts.count) * amounts.reduce(0.0) { $0 + Double($1) * Double($1) })
  }
}
