import Glibc
import Linux
import SpoolFormat

/// A topic is a directory in `topics/`, a subscription an empty file in it that bears the bot's name.
extension Spool {
  /// From now on, what is sent to `#topic` reaches the bot. Once more does no harm.
  public func subscribe(_ bot: BotName, to topic: BotName) throws {
    try require(bot)
    try requireOwn(bot, to: "subscribe")
    try doing("cannot subscribe \(bot) to \(topic)") {
      try root.makeDirectory(Layout.topic(topic))
      try root.open(Layout.subscription(topic, bot), O_WRONLY | O_CREAT).close()
    }
    note(.topicSubscribed, bot.description) { writer in
      writer.beginObject()
      writer.member("topic", topic.description)
      writer.endObject()
    }
  }

  /// Whether the bot had been subscribed.
  @discardableResult
  public func unsubscribe(_ bot: BotName, from topic: BotName) throws -> Bool {
    try requireOwn(bot, to: "unsubscribe")
    let was = try doing("cannot unsubscribe \(bot) from \(topic)") {
      try root.unlinkIfPresent(Layout.subscription(topic, bot))
    }
    if was {
      note(.topicUnsubscribed, bot.description) { writer in
        writer.beginObject()
        writer.member("topic", topic.description)
        writer.endObject()
      }
    }
    return was
  }

  /// All topics that anybody ever subscribed to.
  public func topics() throws -> [BotName] {
    try doing("cannot list the topics") { try root.names(Layout.topics).compactMap { try? BotName(parsing: $0) } }
  }

  public func subscribers(of topic: BotName) throws -> [BotName] {
    try doing("cannot list who subscribes to \(topic)") {
      let bots = try root.names(Layout.topic(topic)).compactMap { try? BotName(parsing: $0) }
      guard isShared else { return bots }
      // Nobody subscribes another's bot.
      return try bots.filter { bot in
        guard let subscription = try root.status(Layout.subscription(topic, bot)) else { return false }
        return try root.status(Layout.bot(bot))?.owner == subscription.owner
      }
    }
  }
}
