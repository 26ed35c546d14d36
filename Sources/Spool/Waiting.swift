import Linux
import SpoolFormat

/// An entry of an inbox or of what is claimed, as `ls` would show it, and what it says.
public struct Entry: Sendable {
  public let bot: BotName
  /// As it stands in the directory.
  public let fileName: String
  /// Nil for a dropped file that hasn't got its proper name yet.
  public let name: EntryName?
  public let isClaimed: Bool
  /// Nil when it can't be read; `problem` says why then.
  public let message: Message?
  public let problem: String?
  /// Who sent it; nil when it can't be read, and where the spool isn't shared.
  public let sender: Sender?
  public var path: String { Layout.entry(bot, isClaimed ? .claimed : .inbox, raw: fileName) }
}

extension Spool {
  /// What waits in a bot's inbox, most urgent first, and then what is claimed; at most `limit` of each.
  /// Takes nothing, changes nothing.
  public func entries(of bot: BotName, limit: Int = .max) throws -> [Entry] {
    try require(bot)
    try requireOwn(bot, to: "look into the inbox of")
    var entries: [Entry] = []
    for box in [Layout.Box.inbox, .claimed] {
      try doing("cannot look into the inbox of \(bot)") {
        for name in try root.firstNames(Layout.box(bot, box), limit) { entries.append(entry(bot, box, name)) }
      }
    }
    return entries
  }

  func entry(_ bot: BotName, _ box: Layout.Box, _ fileName: String) -> Entry {
    let name = EntryName(fileName)
    var message: Message?
    var problem: String?
    var sender: Sender?
    do {
      let path = Layout.entry(bot, box, raw: fileName)
      if let (bytes, status) = try root.readFileWithStatus(path, maximum: Message.bytesMax) {
        var parsed = try Message(parsing: bytes)
        sender = self.sender(of: parsed, status, bot, named: name?.id)
        if let name { parsed.id = name.id }
        parsed.createdAt = parsed.createdAt ?? name?.id.time
        message = parsed
      } else {
        // Of a name that is no text the text stands for no file.
        problem = fileName.contains("\u{FFFD}") ? "its name is not UTF-8" : "gone"
      }
    } catch let error as SystemCallError {
      problem = DroppedFile.reason(error)
    } catch { problem = "\(error)" }
    return Entry(
      bot: bot, fileName: fileName, name: name, isClaimed: box == .claimed, message: message, problem: problem,
      sender: sender)
  }

  /// The claim that a text on a command line means: `BOT/NAME`, a path that ends so, a name, or part of an id.
  /// - Throws: `.claimLost` when there is no such claim; `.badData` when there are several.
  public func claim(named text: String) throws -> (bot: BotName, name: EntryName) {
    let parts = text.split(separator: "/").map(String.init)
    guard let last = parts.last else { throw SpoolError(.badData, "no claim is named") }
    if let name = EntryName(last), name.holder != nil, parts.count >= 2 {
      let owner =
        parts[parts.count - 2] == Layout.Box.claimed.rawValue && parts.count >= 3
        ? parts[parts.count - 3] : parts[parts.count - 2]
      return (try bot(named: owner), name)
    }
    var found: [(bot: BotName, name: EntryName)] = []
    for bot in try bots() where isOwn(bot) {
      try doing("cannot look at the claims of \(bot)") {
        for name in try root.names(Layout.box(bot, .claimed))
        where name == last || (last.utf8.count >= 4 && name.contains(last)) {
          if let entry = EntryName(name), entry.holder != nil { found.append((bot, entry)) }
        }
      }
    }
    if found.count == 1 { return found[0] }
    guard found.isEmpty else {
      throw SpoolError(
        .badData, "\(last.escapedForTerminal()) stands for \(found.count) claims",
        hint: "give BOT/NAME, as receive printed it")
    }
    throw SpoolError(
      .claimLost, "nobody has \(last.escapedForTerminal()) in hand: it was settled, or its lease ran out",
      hint: "see: spool trace ID")
  }

  /// The message with this id, wherever it is: in the log, waiting, claimed, or dead.
  public func message(_ id: MessageID) throws -> (message: Message, recipients: [String])? {
    if let sent = try History(self).sent(id), let message = sent.message {
      var message = message
      message.id = id
      message.createdAt = message.createdAt ?? id.time
      return (message, sent.texts("recipients"))
    }
    for bot in try bots() where isOwn(bot) {
      for (box, name) in try files(of: id, bot) where box != .done {
        if let message = entry(bot, box, name).message { return (message, [bot.description]) }
      }
    }
    return nil
  }

  /// Where the files of a message lie, from the spool's directory on, in the boxes of those bots that this user may look
  /// into: a path says whether it waits, is claimed, and by whom, is dead, or is done and not yet in the log.
  /// Cost: all names in these boxes are read.
  public func files(of id: MessageID, recipients: [String]) throws -> [String] {
    var paths: [String] = []
    for recipient in recipients {
      guard let bot = try? BotName(parsing: recipient), isOwn(bot) else { continue }
      paths += try files(of: id, bot).map { Layout.entry(bot, $0.box, raw: $0.name) }
    }
    return paths
  }

  private func files(of id: MessageID, _ bot: BotName) throws -> [(box: Layout.Box, name: String)] {
    var found: [(box: Layout.Box, name: String)] = []
    for box in [Layout.Box.inbox, .claimed, .dead, .done] {
      _ = try doing("cannot look into the inbox of \(bot)") {
        try root.list(Layout.box(bot, box)) { name in
          if EntryName(name)?.id == id { found.append((box, String(decoding: name, as: UTF8.self))) }
        }
      }
    }
    return found
  }
}

extension Directory {
  /// The first names of an inbox or the like, sorted by their bytes, at most `limit`; in memory for twice as many, however
  /// many there are.
  func firstNames(_ directory: String, _ limit: Int) throws(SystemCallError) -> [String] {
    var names: [[UInt8]] = []
    var last: [UInt8]?
    let capacity = limit > 1 << 30 ? Int.max : 2 * limit + 1024
    try list(directory) { name in
      guard EntryName.isDropped(name) else { return }
      if let last, !name.lexicographicallyPrecedes(last) { return }
      names.append(Array(name))
      guard names.count >= capacity else { return }
      names.sort { $0.lexicographicallyPrecedes($1) }
      names.removeLast(names.count - limit)
      last = names.last
    }
    names.sort { $0.lexicographicallyPrecedes($1) }
    return names.prefix(limit).map { String(decoding: $0, as: UTF8.self) }
  }
}
