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
    let place = try doing("cannot look into quarantine") { try root.status(Layout.quarantine) }
    func mayGo(_ path: String) throws(SystemCallError) -> Bool {
      guard let status = try root.status(path), !status.isDirectory, Double(statusAge(status)) >= seconds * 1e9 else {
        return false
      }
      // Whose it is may remove it; of all others, whose the directory is, and root.
      guard let sharing else { return true }
      return [status.owner, place?.owner, 0].contains(sharing.user)
    }
    for name in try doing("cannot look into quarantine", { try root.names(Layout.quarantine) }) {
      let path = Layout.quarantined(name)
      try doing("cannot remove \(path)") {
        if name.hasSuffix(".reason") {
          // Its file went before it.
          let isLeft = try root.status(String(path.dropLast(".reason".count))) == nil && mayGo(path)
          if isLeft, !dryRun { try root.unlinkIfPresent(path) }
          return
        }
        guard try mayGo(path) else { return }
        count += 1
        if dryRun { return }
        // In this order: a file without its reason is a riddle.
        try root.unlinkIfPresent(path)
        let reason = Layout.reason(besides: path)
        if try mayGo(reason) { try root.unlinkIfPresent(reason) }
      }
    }
    return count
  }

  /// Removes what commands of a host noted of leases, where none has for so many seconds: a host may never come back, as
  /// containers don't that are called anew each time. Without it a lease only takes longer.
  func clearLeaseNotes(olderThan seconds: Double) throws(SystemCallError) {
    for bot in try root.names(Layout.bots).compactMap({ try? BotName(parsing: $0) }) {
      let directory = Layout.box(bot, .presence)
      for name in try root.names(directory) where name.hasSuffix(Layout.leasesSuffix) {
        let path = "\(directory)/\(name)"
        guard let status = try root.status(path), status.isRegular, Double(statusAge(status)) >= seconds * 1e9 else {
          continue
        }
        try root.unlinkIfPresent(path)
      }
    }
  }

  /// Nanoseconds since it was renamed there.
  func statusAge(_ status: FileStatus) -> Int { Clock.wall() * 1000 - status.changed }
}
