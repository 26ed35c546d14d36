import Linux
import SpoolFormat

extension Spool {
  /// Discards dead letters of all bots that are this user's that were made so many seconds ago; the log keeps what they
  /// said. What anybody else says of them in his part of the log counts for nothing, and they would come back.
  /// - Returns: how many.
  public func discardDeadLetters(olderThan seconds: Double, dryRun: Bool = false) throws -> Int {
    let now = now()
    var count = 0
    for bot in try bots() where isOwn(bot) {
      for letter in try deadLetters(of: bot) where now.seconds(since: letter.name.id.time) >= seconds {
        if try dryRun || discard(letter) { count += 1 }
      }
    }
    return count
  }

  /// Removes what was set aside so many seconds ago, with the reasons.
  /// - Returns: how many.
  public func clearQuarantine(olderThan seconds: Double, dryRun: Bool = false) throws -> Int {
    var count = 0
    for name in try quarantinedNames() {
      let path = Layout.quarantined(name)
      try doing("cannot remove \(path)") {
        guard let status = try root.status(path), status.isRegular, Double(statusAge(status)) >= seconds * 1e9 else {
          return
        }
        count += 1
        if dryRun { return }
        // In this order: a file without its reason is a riddle.
        try root.unlinkIfPresent(path)
        try root.unlinkIfPresent(Layout.reason(besides: path))
      }
    }
    return count
  }

  /// Nanoseconds since it was renamed there.
  func statusAge(_ status: FileStatus) -> Int { Clock.wall() * 1000 - status.changed }
}
