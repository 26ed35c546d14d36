import Linux
import SpoolFormat

/// What waits in an inbox, delayed messages and dropped files included, as far as it was counted.
struct InboxCount: Sendable, Hashable {
  var messages = 0
  /// Of these, and of one user's; only where files were looked at.
  var bytes = 0
  var ownMessages = 0
  var ownBytes = 0
  /// When the oldest was made, of those with a proper name.
  var oldest: Timestamp?
  /// There are more: it was stopped.
  var isPartial = false

  /// What the same user sent on top.
  mutating func add(messages: Int, bytes: Int) {
    self.messages += messages
    self.bytes += bytes
    ownMessages += messages
    ownBytes += bytes
  }
}

extension Spool {
  /// Counts what waits for a bot, and with `user` how large it is and what belongs to that user.
  /// Cost: a listing; with `user` one fstatat(2) a file as well. Stops at `limit` names.
  func countInbox(of bot: BotName, user: UInt32? = nil, upTo limit: Int) throws(SystemCallError) -> InboxCount {
    var count = InboxCount()
    var failure: SystemCallError?
    try root.scan(Layout.box(bot, .inbox)) { name in
      guard EntryName.isDropped(name) else { return true }
      if count.messages >= limit {
        count.isPartial = true
        return false
      }
      if let user {
        let path = Layout.entry(bot, .inbox, raw: String(decoding: name, as: UTF8.self))
        do throws(SystemCallError) {
          guard let status = try root.status(path) else { return true }
          count.bytes += status.size
          if status.owner == user {
            count.ownMessages += 1
            count.ownBytes += status.size
          }
        } catch {
          failure = error
          return false
        }
      }
      count.messages += 1
      if let id = EntryName(name)?.id { count.oldest = min(count.oldest ?? id.time, id.time) }
      return true
    }
    if let failure { throw failure }
    return count
  }
}
