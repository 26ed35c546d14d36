import Linux
import SpoolFormat

/// The answers to a request as the log has them. One that somebody else took out of the inbox, such as a worker of the bot
/// that asked, is known by it all the same.
struct LoggedAnswers {
  private let spool: Spool
  private let bot: BotName
  private let asked: Set<String>?
  private var follower: LogFollower
  /// Those that nobody has taken yet, as far as the log tells.
  private var waiting: [MessageID: Message] = [:]

  /// Those that are sent to a bot from now on.
  /// - Parameter asked: where users share the spool, whose answers count.
  init(_ spool: Spool, to bot: BotName, from asked: Set<String>?) throws {
    self.spool = spool
    self.bot = bot
    self.asked = asked
    follower = try LogFollower(spool, from: nil)
  }

  /// Whether one has been sent, and may be taken by anybody at any moment.
  func isExpected(at now: Timestamp) -> Bool { waiting.values.contains { $0.notBefore.map { $0 <= now } ?? true } }

  /// The first that was taken since the last call; nil when none was.
  mutating func taken(to request: MessageID) throws -> Message? {
    try follower.addNewHosts()
    var events: [LogEvent] = []
    _ = try follower.take { event in
      let isSent = event.kind == .messageSent && event.message?.inReplyTo == request.description
      if isSent || event.kind == .messageClaimed || event.kind == .messageAcked { events.append(event) }
    }
    // First, whatever order the logs of several hosts come in.
    for event in events where event.kind == .messageSent {
      guard let id = MessageID(event.subject), var message = event.message, message.to.contains(bot.description),
        counts(event, message)
      else { continue }
      message.id = id
      message.createdAt = message.createdAt ?? id.time
      waiting[id] = message
    }
    for event in events where event.kind != .messageSent && event.text("bot") == bot.description {
      if let taken = MessageID(event.subject).flatMap({ waiting[$0] }) { return taken }
    }
    return nil
  }

  private func counts(_ event: LogEvent, _ message: Message) -> Bool {
    guard let asked else { return true }
    return asked.contains(message.from ?? "") && spool.isFromItsBot(event)
  }
}
