import Linux

/// Whether to wait for the next message without going to sleep. Being woken takes longer than an answer from one who is
/// awake, so it pays while messages come one right after the other; and only where a processor is free for it, which is
/// found by trying.
struct SpinPace {
  /// With one alone, who spins keeps the sender from sending.
  var processors = Thread.processors
  /// Nanoseconds for which one spins at most, and within which messages must come for that.
  static let nanoseconds = 300_000
  private static let penaltyMax = 4096

  /// Short waits until it is tried again.
  private var left = 1
  /// How many of them the next failure costs.
  private var penalty = 1

  var isWorthwhile: Bool { left == 0 && processors > 1 }

  /// - Parameter hasCome: whether a message came while one spun.
  mutating func noteSpin(hasCome: Bool) {
    if hasCome {
      penalty = max(1, penalty / 2)
    } else {
      penalty = min(Self.penaltyMax, penalty * 4)
      left = penalty
    }
  }

  /// - Parameter duration: nanoseconds that were slept.
  mutating func noteSleep(_ duration: Int) {
    left = duration < Self.nanoseconds ? max(0, left - 1) : max(1, left)
  }
}
