import Linux
import SpoolFormat

extension Spool {
  /// Puts a message back that its holder must leave unfinished for reasons of its own. The claim counts as an attempt,
  /// unless it was the last one: the message isn't given up for that.
  /// - Throws: `.claimLost`.
  public func release(_ bot: BotName, _ name: EntryName, reason: String) throws {
    if name.attempt < attemptsMax(of: bot) {
      try nack(bot, name, reason: reason)
    } else {
      try unclaim(bot, name, reason: reason)
    }
  }

  /// Puts a message back that nobody has seen since it was claimed: the claim counts as no attempt.
  /// - Throws: `.claimLost`.
  public func unclaim(_ bot: BotName, _ name: EntryName, reason: String) throws {
    try requireOwn(bot, to: "put back for")
    var waiting = name
    waiting.attempt = max(0, name.attempt - 1)
    waiting.place = .waiting
    let isOurs = try doing("cannot put back \(name.id)") {
      try root.renameIfPresent(Layout.entry(bot, .claimed, name), to: Layout.entry(bot, .inbox, waiting))  // commit
    }
    guard isOurs else {
      throw SpoolError(.claimLost, "\(bot) no longer has \(name.id)", hint: "see: spool trace \(name.id)")
    }
    // With the number before: an ack of the next claim, which has this one's, is not overruled.
    note(.messageRequeued, name.id.description) { writer in
      writer.beginObject()
      writer.member("bot", bot.description)
      writer.member("attempt", waiting.attempt)
      writer.member("holder", ifPresent: name.holder?.description)
      writer.member("reason", reason)
      writer.endObject()
    }
  }
}
