import Linux
import SpoolFormat

/// How often to look for what other hosts have done, of which no event tells: ten times a second while things happen,
/// and more and more seldom while nothing does, a sixteenth of the time that it has been quiet.
///
/// So what another host did is noticed within a tenth of a second, in the middle of much; within a second when the last
/// was 16 s ago; and within 4.4 s at last.
public struct LookPace: Sendable {
  static let busyNanoseconds = 100_000_000
  public static let idleNanoseconds = 4_000_000_000
  /// No more often than this for what a person looks at.
  static let readerNanosecondsMax = 1_000_000_000

  private var changed: Int
  private var signature: UInt64 = 0
  private let maximum: Int

  /// Begins as if something had just happened.
  public init(atMost maximum: Int = LookPace.idleNanoseconds) {
    self.init(atMost: maximum, since: Clock.sinceBoot())
  }

  /// - Parameter moment: when something last happened.
  init(atMost maximum: Int, since moment: Int) {
    self.maximum = maximum
    changed = moment
  }

  /// Something happened, here or elsewhere.
  public mutating func noteChange() { changed = Clock.sinceBoot() }

  /// What was found is made a number of by `Signature`: another one means that something happened.
  mutating func note(_ found: Signature) {
    if found.value != signature { noteChange() }
    signature = found.value
  }

  /// Nanoseconds from now until the next look. Not quite the same for all that became quiet together.
  public func interval(now: Int = Clock.sinceBoot()) -> Int {
    let interval = min(max(Self.busyNanoseconds, (now - changed) / 16), maximum)
    return interval - interval / 10 + Int.random(in: 0...(interval / 5))
  }

  /// How long to leave it at that after a look, in nanoseconds: so many times what it took, as there is other work to do,
  /// and the more there is to look at the longer it takes. But what took long only because the file system didn't
  /// answer for a while, or this process was stopped, keeps nobody from the next look for more than five seconds; what
  /// always takes longer than that, for as long as it takes, and at most a minute.
  public static func rest(after took: Int, times: Int = 20) -> Int {
    min(max(0, took) * times, max(restNanosecondsMax, min(took, 12 * restNanosecondsMax)))
  }

  static let restNanosecondsMax = 5_000_000_000

  /// Of names, whatever their order.
  struct Signature {
    private(set) var value: UInt64 = 0

    mutating func add(_ name: UnsafeBufferPointer<UInt8>) {
      var hash = FNV1a()
      hash.add(name)
      value &+= hash.value | 1
    }

    mutating func add(_ name: String) {
      var name = name
      name.withUTF8 { add($0) }
    }
  }
}
