import Glibc
import Linux
import SpoolFormat

/// Whom to believe in a log of which each user writes a part. What was sent, anybody may say, for himself; what became of
/// it at a bot, only the user to whom the bot belongs.
struct Credibility {
  private let root: Directory
  private var owners: [String: UInt32?] = [:]

  init(root: Directory) { self.root = root }

  /// The user to whom a bot belongs; asked once.
  mutating func owner(of bot: String) -> UInt32? {
    if let known = owners[bot] { return known }
    let owner = (try? BotName(parsing: bot)).flatMap { (try? root.status(Layout.bot($0))) ?? nil }?.owner
    owners[bot] = owner
    return owner
  }

  /// Whether it stands in the log of somebody who can know.
  mutating func holds(_ event: LogEvent) -> Bool {
    guard root.isShared else { return true }
    guard let user = event.writtenBy else { return false }
    switch event.kind {
    case .botRegistered, .topicSubscribed, .topicUnsubscribed: return owner(of: event.subject) == user
    case .messageClaimed, .messageAcked, .messageAckRefused, .messageRequeued, .messageDead, .messageRevived,
      .messageQuarantined, .messageDiscarded, .messageRestored, .taskStarted, .taskCompleted:
      guard let bot = event.text("bot") else { return false }
      return owner(of: bot) == user
    default: return true
    }
  }

  /// Whose a message was that the log says was sent: of who says so, or of who dropped it with who says so now.
  mutating func sender(_ event: LogEvent) -> UInt32? {
    guard event.text("dropped_as") != nil else { return event.writtenBy }
    let recipients = event.texts("recipients")
    guard recipients.count == 1, owner(of: recipients[0]) == event.writtenBy else { return event.writtenBy }
    return event.number("dropped_by").flatMap { UInt32(exactly: $0) }
  }
}

extension Spool {
  /// Whether a `message.sent` stands in the log of the user to whom the bot belongs that it says it is from.
  public func isFromItsBot(_ event: LogEvent) -> Bool {
    guard isShared else { return true }
    guard let from = event.message?.from.flatMap({ try? BotName(parsing: $0) }) else { return false }
    return event.writtenBy != nil && (try? owner(of: from)) == event.writtenBy
  }

  /// As the log is read, which of its events are to be believed; see `Credibility`. One for each reading: it remembers.
  public func credible() -> (LogEvent) -> Bool {
    var credibility = Credibility(root: root)
    return { credibility.holds($0) }
  }
}

extension Directory {
  /// Makes the spool's own directories that are missing. In a shared one only who made it can.
  func makeTop() throws(SystemCallError) {
    for name in Layout.top {
      do throws(SystemCallError) { try makeDirectory(name) } catch {
        guard isShared, error.code == EACCES || error.code == EPERM else { throw error }
      }
    }
  }

  /// Makes a directory of this user's where everybody may make some: one that somebody else made in its place, or can
  /// write in, is refused (EPERM).
  func makeOwn(_ name: String, of user: UInt32) throws(SystemCallError) {
    try makeDirectory(name)
    guard let status = try status(name), status.owner == user, status.mode & 0o022 == 0 else {
      throw SystemCallError("mkdirat", name, EPERM)
    }
  }

  /// Notes who sent what is kept as a copy.
  func note(_ user: UInt32?, sent id: MessageID, to bot: BotName) throws(SystemCallError) {
    let path = Layout.sender(bot, id)
    let text = user.map { "\($0)" } ?? "unknown"
    for isSecond in [false, true] {
      do {
        try writeLink(path, text)
        return
      } catch {
        switch error.code {
        case ENOENT where !isSecond: try makeDirectory(Layout.senders(bot))
        // Of an earlier copy, whose maker died.
        case EEXIST where !isSecond: try unlinkIfPresent(path)
        default: throw error
        }
      }
    }
  }
}
