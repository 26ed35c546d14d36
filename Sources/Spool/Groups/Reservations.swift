import Glibc
import Linux
import SpoolFormat

/// The groups that a bot has agreed to work for while its tasks are still to come: an empty file for each in
/// `bots/BOT/reserved/`, which its modification time says the age of.
extension Spool {
  /// Seconds after which an agreement counts no more: the hub would have sent the task, or another invitation.
  public static let reservationSecondsMax = 60.0

  /// Agrees once more, or for the first time.
  public func reserve(_ bot: BotName, for group: MessageID) throws {
    let path = Layout.reservation(bot, group)
    try doing("cannot reserve \(bot)") {
      if try root.touch(path) { return }
      do throws(SystemCallError) { try root.open(path, O_WRONLY | O_CREAT).close() } catch {
        guard error.code == ENOENT else { throw error }
        try root.makeDirectory(Layout.reservations(bot))
        try root.open(path, O_WRONLY | O_CREAT).close()
      }
    }
  }

  /// The agreement is kept, or void.
  public func unreserve(_ bot: BotName, for group: MessageID) throws {
    try doing("cannot free \(bot)") { _ = try root.unlinkIfPresent(Layout.reservation(bot, group)) }
  }

  /// The groups that count; what is too old is removed.
  public func reservations(of bot: BotName) throws -> Set<MessageID> {
    try doing("cannot look at \(bot)") {
      var groups: Set<MessageID> = []
      for group in try root.names(Layout.reservations(bot)).compactMap({ MessageID($0) }) {
        let path = Layout.reservation(bot, group)
        guard let status = try root.status(path) else { continue }
        if Double(try ageByRemoteClock(status)) > Self.reservationSecondsMax * 1e9 {
          try root.unlinkIfPresent(path)
        } else {
          groups.insert(group)
        }
      }
      return groups
    }
  }
}
