import Linux
import SpoolFormat

extension Timestamp {
  /// When to ask whether this moment has come; nanoseconds since boot. Within a minute, though it may be thousands of years
  /// away: the wall clock may be set meanwhile.
  public var nextAsked: Int {
    Clock.sinceBoot() + min(max(0, microseconds - Clock.wall()), 60_000_000) * 1000
  }
}
