import Glibc
import Linux
import SpoolFormat

/// A message that was given up, and why.
public struct DeadLetter: Sendable {
  public let bot: BotName
  public let name: EntryName
  public let reason: String
}

extension Spool {
  /// A bot's dead letters, oldest first.
  /// - Throws: `.noSuchBot`; `.notPermitted` for another user's bot.
  public func deadLetters(of bot: BotName) throws -> [DeadLetter] {
    try require(bot)
    try requireOwn(bot, to: "look at the dead letters of")
    return try doing("cannot look at the dead letters of \(bot)") {
      try root.names(Layout.box(bot, .dead)).compactMap { name in
        guard let entry = EntryName(name) else { return nil }
        return DeadLetter(bot: bot, name: entry, reason: reason(besides: Layout.entry(bot, .dead, entry)) ?? "unknown")
      }.sorted { $0.name.id < $1.name.id }
    }
  }

  /// What a file of a message says; nil when it is gone.
  func message(in path: String, _ name: EntryName) throws -> Message? {
    let bytes = try doing("cannot read \(path)") { try root.readFile(path, maximum: Message.bytesMax + 1) }
    guard let bytes else { return nil }
    do { return try Inbox.message(bytes, name.id) } catch { throw SpoolError(.badData, "\(path): \(error)") }
  }

  /// What a dead letter says; nil when it is gone.
  /// - Throws: `.badData` when it can't be read as a message; `.inputOutput` and its like.
  public func message(of letter: DeadLetter) throws -> Message? {
    try message(in: Layout.entry(letter.bot, .dead, letter.name), letter.name)
  }

  /// Puts a dead letter back into the inbox, its attempts counted from none again. False when it is gone.
  /// - Throws: `.inputOutput` and its like.
  public func revive(_ letter: DeadLetter) throws -> Bool {
    var waiting = letter.name
    waiting.attempt = 0
    let dead = Layout.entry(letter.bot, .dead, letter.name)
    return try doing("cannot put back \(letter.name.id)") {
      let isOurs = try root.renameIfPresent(dead, to: Layout.entry(letter.bot, .inbox, waiting))  // commit
      guard isOurs else { return false }
      // A reason without its letter is nothing.
      _ = try? root.unlinkIfPresent(Layout.reason(besides: dead))
      noteRevived(letter)
      return true
    }
  }

  /// Throws a dead letter away; the log keeps what it said. False when it is gone, or was put back just then.
  /// - Throws: `.inputOutput` and its like, with nothing thrown away.
  public func discard(_ letter: DeadLetter) throws -> Bool {
    let dead = Layout.entry(letter.bot, .dead, letter.name)
    return try doing("cannot discard \(letter.name.id)") {
      guard try root.status(dead) != nil else { return false }
      try log.append(.messageDiscarded, letter.name.id.description) { writer in
        settle(&writer, letter.bot, letter.name)
        writer.endObject()
      }
      // In this order: a reason without its letter is nothing, a letter without its reason is a riddle.
      guard try root.unlinkIfPresent(dead) else {
        // Somebody has put it back just then, and perhaps before that line.
        if try recovery(with: nil).hasCopy(letter.name.id, letter.bot) { noteRevived(letter) }
        return false
      }
      forgetSender(of: letter.name.id, to: letter.bot)
      try root.unlinkIfPresent(Layout.reason(besides: dead))
      return true
    }
  }

  private func noteRevived(_ letter: DeadLetter) {
    note(.messageRevived, letter.name.id.description) { writer in
      settle(&writer, letter.bot, letter.name)
      writer.endObject()
    }
  }
}
