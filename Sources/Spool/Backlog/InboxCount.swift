import Glibc
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

  /// The same for a bot of another user's, whose inbox this process may add to and not list: those of the messages that this
  /// user last sent there, `sentMax` at most, which still lie there under the names they were sent by. What was taken and
  /// put back is the other's, and doesn't count.
  /// Cost: this user's part of the log from its end, and one fstatat(2) for each message.
  func countOwn(to bot: BotName, amongLast sentMax: Int) throws -> InboxCount {
    var count = InboxCount()
    // Of the others' messages nobody knows.
    count.isPartial = true
    let files = LogFiles(root: root)
    let search = TextSearch("\"type\":\"message.sent\"")
    var (sent, bytesRead) = (0, 0)
    for part in try files.hosts() where files.user(of: part) == geteuid() {
      for segment in try files.segments(of: part).reversed() {
        try files.readBackwards(segment) { lines, _ in
          var events: [LogEvent] = []
          forEachMatch(of: search, in: lines) { line in
            if let event = LogEvent(line: line), event.kind == .messageSent { events.append(event) }
            return true
          }
          for event in events.reversed() where sent < sentMax && event.texts("recipients").contains(bot.description) {
            sent += 1
            guard let name = event.text("name").flatMap({ EntryName($0) }),
              let status = try root.status(Layout.entry(bot, .inbox, name)), status.owner == geteuid()
            else { continue }
            count.add(messages: 1, bytes: status.size)
            count.oldest = min(count.oldest ?? name.id.time, name.id.time)
          }
          bytesRead += lines.count
          return sent < sentMax && bytesRead < Self.ownLogBytesMax
        }
        if sent >= sentMax || bytesRead >= Self.ownLogBytesMax { return count }
      }
    }
    return count
  }

  /// So much of a user's log is read for his own messages.
  private static let ownLogBytesMax = 64 << 20
}
