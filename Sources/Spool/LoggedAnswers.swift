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
    var taken: Message?
    for event in events {
      guard let id = MessageID(event.subject) else { continue }
      if event.kind != .messageSent {
        if event.text("bot") == bot.description { taken = taken ?? waiting[id] }
      } else if var message = event.message, message.to.contains(bot.description), counts(event, message) {
        message.id = id
        message.createdAt = message.createdAt ?? id.time
        waiting[id] = message
      }
    }
    return taken
  }

  private func counts(_ event: LogEvent, _ message: Message) -> Bool {
    guard let asked else { return true }
    return asked.contains(message.from ?? "") && spool.isFromItsBot(event)
  }
}
