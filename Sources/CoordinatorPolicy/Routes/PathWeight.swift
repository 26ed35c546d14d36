import SpoolFormat

extension BotRecord.Path {
  /// Days after which what passed on a path weighs half.
  public static let halfLifeDays = 7.0
  /// Actions that a path must have seen to weigh half of what they were worth.
  public static let inertia = 2.0

  /// How well a path has done, from 0 to 1, and less the longer nothing has passed: the sum of the rewards, each halved for
  /// every week since, by that of as many ones and two more. What is used and does well grows, what fails or isn't used
  /// fades: reinforcement and evaporation, as in ant colonies' routing (Di Caro and Dorigo, "AntNet", 1998).
  public func weight(now: Timestamp) -> Double {
    let (count, rewards) = days.decayed(halfLifeDays: Self.halfLifeDays, now: now)
    return rewards / 100 / (count + Self.inertia)
  }

  /// Actions, each weighing half for every week since.
  public func traffic(now: Timestamp) -> Double { days.decayed(halfLifeDays: Self.halfLifeDays, now: now).first }

  /// From 0 to 1; nil before the first action.
  public var meanReward: Double? { count > 0 ? Double(rewards) / 100 / Double(count) : nil }

  /// Microseconds that a message waited on average; nil without any.
  public var meanWait: Double? { deliveries > 0 ? Double(waitedMicroseconds) / Double(deliveries) : nil }
}
