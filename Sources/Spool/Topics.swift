import Glibc
import Linux
import SpoolFormat

/// A topic is a directory in `topics/`, a subscription an empty file in it that bears the bot's name.
extension Spool {
  /// From now on, what is sent to `#topic` reaches the bot. Once more does no harm.
  /// - Throws: `.noSuchBot`; `.notPermitted` for another user's bot; `.tryAgain` (no room).
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

  /// What is sent to `#topic` reaches the bot no more; what lies in its inbox stays.
  /// - Returns: whether the bot had been subscribed.
  /// - Throws: `.notPermitted` for another user's bot.
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

  /// Whom a message to `#topic` reaches now.
  public func subscribers(of topic: BotName) throws -> [BotName] {
    try doing("cannot list who subscribes to \(topic)") {
      let bots = try root.names(Layout.topic(topic)).compactMap { try? BotName(parsing: $0) }
      guard isShared else { return bots }
      // Nobody subscribes another's bot.
      return try bots.filter { try root.isSubscribed($0, to: topic) }
    }
  }
}

extension Directory {
  /// Whether a bot subscribes to a topic. In a shared spool the file must be the bot's user's, and never have been anybody
  /// else's to write: such a file may have been brought here from where everybody moves files.
  func isSubscribed(_ bot: BotName, to topic: BotName) throws(SystemCallError) -> Bool {
    guard let file = try status(Layout.subscription(topic, bot)) else { return false }
    guard isShared else { return true }
    let owner = try status(Layout.bot(bot))?.owner
    return file.isRegular && file.mode & 0o022 == 0 && file.owner == owner
  }
}
