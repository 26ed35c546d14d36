import Linux

/// Waiting for the lock under which a spool is recovered.
enum RecoveryTurn {
  /// Who has had it for so long is looked at: most recoveries take less.
  private static let unseenNanoseconds = 5_000_000_000
  /// The longest that one is waited for who can't be told, such as a process of another container.
  private static let unknownNanosecondsMax = 300_000_000_000

  /// Returns with the lock in hand. However long a recovery takes that goes on, it is waited for.
  /// - Throws: `.tryAgain` when its holder was stopped, or can't be told and has had it for minutes.
  static func wait(for file: borrowing Descriptor) throws {
    let began = Clock.sinceBoot()
    while try !file.tryLock() {
      let waited = Clock.sinceBoot() - began
      if waited > unseenNanoseconds { try requireProgress(try file.lockHolder(), waited) }
      _ = try Poll.wait([], nanoseconds: min(max(waited / 8, 1_000_000), 100_000_000))
    }
  }

  private static func requireProgress(_ holder: Int?, _ waited: Int) throws {
    if let holder, ProcessIdentity.isStopped(holder) {
      throw SpoolError(
        .tryAgain, "process \(holder) was stopped while it recovered the spool",
        hint: "let it go on with fg or kill -CONT \(holder), or kill it: nothing is lost by that")
    }
    if holder == nil, waited > unknownNanosecondsMax {
      throw SpoolError(
        .tryAgain, "a process that can't be seen from here has been recovering the spool for minutes",
        hint: "try again when it is through")
    }
  }
}
