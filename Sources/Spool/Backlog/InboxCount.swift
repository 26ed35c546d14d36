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

  /// More than any limit. A file without content may be as long as the file system has numbers for, and nothing that is
  /// read from elsewhere may be too much to add.
  static let most = InboxLimits.range.upperBound

  /// Of whomever.
  mutating func add(messages: Int, bytes: Int) {
    self.messages = Self.sum(self.messages, messages)
    self.bytes = Self.sum(self.bytes, bytes)
  }

  /// What the same user sent on top.
  mutating func addOwn(messages: Int, bytes: Int) {
    ownMessages = Self.sum(ownMessages, messages)
    ownBytes = Self.sum(ownBytes, bytes)
  }

  private static func sum(_ one: Int, _ other: Int) -> Int {
    min(most, min(most, max(0, one)) + min(most, max(0, other)))
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
          count.add(messages: 0, bytes: status.size)
          if status.owner == user { count.addOwn(messages: 1, bytes: status.size) }
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
  /// user last sent there which still lie there under the names they were sent by, until there are too many. What was
  /// taken and put back is the other's, and doesn't count.
  /// Cost: this user's part of the log from its end, and one fstatat(2) for each message.
  func countOwn(to bot: BotName, _ limits: InboxLimits) throws -> InboxCount {
    let most = min(limits.messages ?? .max, limits.senderMessages ?? .max)
    let sentMax = most < .max / 4 ? max(Self.ownLookedForMin, 4 * most) : .max
    // The log has all of each message, and as a rule of others, too.
    let bytesReadMax = max(
      Self.ownLogBytesMin, limits.bytesMax < Self.ownLogBytesMax / 2 ? 2 * limits.bytesMax : Self.ownLogBytesMax)
    var count = InboxCount()
    // Of the others' messages nobody knows.
    count.isPartial = true
    let files = LogFiles(root: root)
    let search = TextSearch("\"type\":\"message.sent\"")
    var (sent, bytesRead) = (0, 0)
    func isMore() -> Bool { sent < sentMax && bytesRead < bytesReadMax && limits.allow(count, 0) }
    for part in try files.hosts() where files.user(of: part) == geteuid() {
      for segment in try files.segments(of: part).reversed() {
        try files.readBackwards(segment) { lines, _ in
          var events: [LogEvent] = []
          _ = forEachMatch(of: search, in: lines) { line in
            if let event = LogEvent(line: line), event.kind == .messageSent { events.append(event) }
            return true
          }
          for event in events.reversed() where sent < sentMax && event.texts("recipients").contains(bot.description) {
            sent += 1
            guard let name = event.text("name").flatMap({ EntryName($0) }),
              let status = try root.status(Layout.entry(bot, .inbox, name)), status.owner == geteuid()
            else { continue }
            count.add(messages: 1, bytes: status.size)
            count.addOwn(messages: 1, bytes: status.size)
            count.oldest = min(count.oldest ?? name.id.time, name.id.time)
          }
          bytesRead += lines.count
          return isMore()
        }
        if !isMore() { return count }
      }
    }
    return count
  }

  /// How far back a user's own messages are looked for.
  private static let ownLookedForMin = 10_000
  private static let ownLogBytesMin = 64 << 20
  private static let ownLogBytesMax = 4 << 30
}
