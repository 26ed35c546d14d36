import CLinux
import Glibc

/// The clocks there are: one for people, which may jump, and one that only ever runs, with and without the time that
/// the machine slept.
public enum Clock {
  /// Microseconds since 1970 by the wall clock.
  public static func wall() -> Int {
    #if DEBUG
      return read(CLOCK_REALTIME) / 1000 + ClockFault.jump() * 1_000_000
    #else
      return read(CLOCK_REALTIME) / 1000
    #endif
  }

  /// Nanoseconds since boot, never set back or forward. Time asleep is left out: who slept with the machine was not
  /// silent, and no program took longer.
  public static func sinceBoot() -> Int { read(CLOCK_MONOTONIC) }

  /// The same, time asleep included: for who must ask whether others, who didn't sleep, have given it up meanwhile.
  public static func withSleep() -> Int { read(CLOCK_BOOTTIME) }

  private static func read(_ clock: clockid_t) -> Int {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int(time.tv_sec) * 1_000_000_000 + Int(time.tv_nsec)
  }

  /// This boot of this machine, 32 hexadecimal digits; the same for every process until the next one.
  public static func bootIdentity() throws(SystemCallError) -> String {
    let file = try Descriptor.open("/proc/sys/kernel/random/boot_id", O_RDONLY)
    let text = try file.read(maximum: 64) ?? []
    return String(decoding: text.filter { $0 != UInt8(ascii: "-") && $0 > 32 }, as: UTF8.self)
  }
}

#if DEBUG
  /// Lets a test set the wall clock of running processes forward and back: by the seconds in the file that
  /// `SPOOL_CLOCK_JUMP` names, read at each look at the clock. Debug builds only.
  private enum ClockFault {
    private static let path = getenv("SPOOL_CLOCK_JUMP").map { String(cString: $0) }

    static func jump() -> Int {
      guard let path else { return 0 }
      let file = open(path, O_RDONLY | O_CLOEXEC)
      guard file != -1 else { return 0 }
      defer { close(file) }
      var buffer = [UInt8](repeating: 0, count: 32)
      let count = Glibc.read(file, &buffer, buffer.count)
      return Int(String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)) ?? 0
    }
  }
#endif
