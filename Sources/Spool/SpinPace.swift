import Linux

/// How to wait for what comes next: without going to sleep, when that is worthwhile. Being woken takes longer than an
/// answer from one who is awake, so it pays while one thing comes right after the other; and only where a processor is
/// free for it, which is found by trying.
struct SpinPace {
  /// Nanoseconds for which one spins at most, and within which things must come for that.
  static let nanoseconds = 300_000
  /// With one alone, who spins keeps the other from answering.
  var processors = Thread.processors
  private static let penaltyMax = 4096

  /// Short waits until it is tried again.
  private var left = 1
  /// How many of them the next failure costs.
  private var penalty = 1

  var isWorthwhile: Bool { left == 0 && processors > 1 }

  /// As `Poll.wait`.
  mutating func wait(_ descriptors: [CInt], nanoseconds: Int) throws -> [Bool] {
    let began = Clock.sinceBoot()
    if isWorthwhile, nanoseconds > Self.nanoseconds {
      while Clock.sinceBoot() - began < Self.nanoseconds {
        let ready = try Poll.wait(descriptors, nanoseconds: 0)
        if ready.contains(true) {
          noteSpin(hasCome: true)
          return ready
        }
        Thread.pause()
      }
      noteSpin(hasCome: false)
    }
    let ready = try Poll.wait(descriptors, nanoseconds: nanoseconds)
    noteSleep(Clock.sinceBoot() - began)
    return ready
  }

  /// - Parameter hasCome: whether something came while one spun.
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
