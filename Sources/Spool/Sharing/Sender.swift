import Glibc
import Linux
import SpoolFormat

/// Who sent a message, in a spool that several users share: what the file system says, not what the message does.
public struct Sender: Sendable, Hashable {
  /// The number of the user; nil when that can't be told.
  public let user: UInt32?
  /// Why nobody vouches for it that the message is from whom it says, in words; nil when the file system does.
  public let problem: String?

  /// Whether the bot that the message names as its sender belongs to the user who sent it, and sent it here.
  public var isVerified: Bool { problem == nil }
  /// What the user is called, or the number.
  public var name: String { user.map { Accounts.shown(user: $0) } ?? "unknown" }
}

/// A message that its receiver had before: somebody who got the file, too, has put it there again.
struct BroughtAgain: Error, CustomStringConvertible {
  let bot: BotName
  var description: String { "\(bot) has had this message before, and somebody put its file here again" }
}

/// A message couldn't be made the receiver's own now; that says nothing against the message.
struct NotSecured: Error {
  let cause: any Error
}

extension Message {
  /// Adds `from_verified` and `from_user`, in place of what the sender may have put there.
  public mutating func tell(of sender: Sender) {
    forgetTelling()
    func add(_ name: String, _ write: (inout JSONWriter) -> Void) {
      var writer = JSONWriter()
      write(&writer)
      extra.append(Field(name: name, value: writer.text))
    }
    add("from_verified") { $0.bool(sender.isVerified) }
    add("from_user") { $0.string(sender.name) }
  }
}

extension Message {
  /// Takes away what only the receiver can say.
  mutating func forgetTelling() { extra.removeAll { ["from_verified", "from_user"].contains($0.name) } }
}

extension FileStatus {
  /// What a receiver copied is closed to everybody else; what was sent isn't.
  func isCopy(by user: UInt32?) -> Bool { owner == user && mode & 0o077 == 0 }
}

extension Directory {
  /// As `Spool.maker`, for a process that acts as `user`.
  func maker(
    _ status: FileStatus, _ bot: BotName, _ id: MessageID?, _ user: UInt32?
  ) throws(SystemCallError) -> UInt32? {
    guard status.mode & 0o022 == 0 else { return nil }
    guard status.isCopy(by: user) else { return status.owner }
    // Copied by its receiver, who noted whose it was.
    guard let id, let text = try readLink(Layout.sender(bot, id)) else { return nil }
    return UInt32(text)
  }
}

extension Spool {
  /// Who made a file in a box of a bot; nil when that can't be told. A file that others can write may have become what it
  /// is by anybody's hand.
  func maker(_ status: FileStatus, _ bot: BotName, _ id: MessageID?) throws(SystemCallError) -> UInt32? {
    try root.maker(status, bot, id, sharing?.user)
  }

  /// What may be believed of a message's `from`.
  /// - Parameters:
  ///   - message: as it was read, with the id that it gives itself.
  ///   - id: of its file's name; nil for a dropped one.
  func judge(_ message: Message, by user: UInt32?, named id: MessageID?, for bot: BotName) -> Sender {
    Sender(user: user, problem: problem(message, user, id, bot))
  }

  private func problem(_ message: Message, _ user: UInt32?, _ id: MessageID?, _ bot: BotName) -> String? {
    guard let user else { return "nobody can tell who wrote its file" }
    guard let from = message.from else { return "it doesn't say who sent it" }
    let shown = String(from.prefix(64)).escapedForTerminal()
    guard let sender = try? BotName(parsing: from), let owner = (try? owner(of: sender)) ?? nil else {
      return "\(shown) is no bot of this spool"
    }
    guard owner == user else { return "\(shown) belongs to \(Accounts.shown(user: owner))" }
    // Who got a file from that user may move it on: it says itself where it was to go, and which message it is.
    guard isMeant(message, for: bot) else { return "it isn't addressed to \(bot)" }
    guard let own = message.id else { return "it has no id of its own" }
    guard id == nil || own == id else { return "its file has the name of another message" }
    return nil
  }

  /// Whether a message says that it is for the bot, alone or among others.
  private func isMeant(_ message: Message, for bot: BotName) -> Bool {
    message.to.contains { target in
      if target == "team" || target == bot.description { return true }
      guard target.hasPrefix("#"), let topic = try? BotName(parsing: String(target.dropFirst())) else { return false }
      return (try? root.isSubscribed(bot, to: topic)) == true
    }
  }

  /// Who sent what lies in one of the bot's boxes, without taking it; nil where the spool isn't shared.
  func sender(of message: Message, _ status: FileStatus, _ bot: BotName, named id: MessageID?) -> Sender? {
    guard sharing != nil else { return nil }
    let user = (try? maker(status, bot, id ?? message.id)) ?? nil
    return judge(message, by: user, named: id, for: bot)
  }

  /// Takes a message in hand that is claimed already: from here on its file is the receiver's own, and nobody else can
  /// change it or bring it again.
  /// - Returns: nil when the claim was lost meanwhile.
  /// - Throws: `FormatError` for what is no message; `BroughtAgain`; `NotSecured` for all else.
  func secure(
    _ held: EntryName, _ bot: BotName, at path: String, _ bytes: [UInt8], _ status: FileStatus
  ) throws -> (message: Message, sender: Sender?)? {
    guard let sharing else { return (try Message(parsing: bytes), nil) }
    var message = try Message(parsing: bytes)
    message.forgetTelling()
    do { return try secure(message, held, bot, at: path, bytes, status, sharing) } catch let error as BroughtAgain {
      throw error
    } catch { throw NotSecured(cause: error) }
  }

  private func secure(
    _ message: Message, _ held: EntryName, _ bot: BotName, at path: String, _ bytes: [UInt8], _ status: FileStatus,
    _ sharing: SharedSpool
  ) throws -> (message: Message, sender: Sender?)? {
    let user = try maker(status, bot, held.id)
    let sender = judge(message, by: user, named: held.id, for: bot)
    if status.isCopy(by: sharing.user) { return (message, sender) }
    // One that went to several lies, or lay, where others of them could take it from.
    let wasElsewhere = message.to != [bot.description] || sharing.linksAreLoose
    if wasElsewhere, try hasHad(held.id, bot, sharing.user, from: user) {
      throw BroughtAgain(bot: bot)
    }
    guard status.owner != sharing.user || wasElsewhere else { return (message, sender) }
    return try keep(held, bot, at: path, bytes, from: user) ? (message, sender) : nil
  }

  /// Puts a copy that belongs to the receiver alone in the place of the file at `path`, and notes whose that was.
  /// - Returns: false when the file is gone.
  func keep(
    _ held: EntryName, _ bot: BotName, at path: String, _ bytes: [UInt8], from user: UInt32?
  ) throws(SystemCallError) -> Bool {
    try root.note(user, sent: held.id, to: bot)
    let temporary = Layout.senderTemporary(bot, "\(holder)-\(UInt32.random(in: .min ... .max))")
    let file = try root.open(temporary, O_WRONLY | O_CREAT | O_EXCL, mode: Permissions.privateFile)
    do {
      try file.write(bytes)
      try file.close()
      guard try replace(held, bot, path, by: temporary) else {
        try root.unlinkIfPresent(temporary)
        return false
      }
    } catch {
      _ = try? root.unlinkIfPresent(temporary)
      throw error
    }
    return true
  }

  /// Only if it is still there: somebody may have taken our claim away, and it mustn't come back.
  private func replace(
    _ held: EntryName, _ bot: BotName, _ path: String, by temporary: String
  ) throws(SystemCallError) -> Bool {
    do {
      guard try root.exchangeIfPresent(temporary, path) else { return false }
      try root.unlinkIfPresent(temporary)
      return true
    } catch {
      guard error.code == EINVAL || error.code == ENOSYS || error.code == ENOTSUP else { throw error }
    }
    // Two renames, the first of which decides. Meanwhile it is claimed by nobody who lives, so that it comes back when this
    // process dies.
    var aside = held
    aside.place = .held(detachedHolder())
    let old = Layout.entry(bot, .claimed, aside)
    guard try root.renameIfPresent(path, to: old) else { return false }
    do { try root.rename(temporary, to: path) } catch {
      _ = try? root.renameIfPresent(old, to: path)
      throw error
    }
    try root.unlinkIfPresent(old)
    return true
  }

  /// After the last of a message is gone.
  func forgetSender(of id: MessageID, to bot: BotName) {
    if sharing != nil { _ = try? root.unlinkIfPresent(Layout.sender(bot, id)) }
  }

  /// Whether the bot ever took the message in hand, by what its own user's processes logged; or may have, as everybody was
  /// done with it when the log was last collected.
  /// - Parameter maker: whose the message's file is.
  func hasHad(_ id: MessageID, _ bot: BotName, _ user: UInt32, from maker: UInt32?) throws -> Bool {
    let files = LogFiles(root: root)
    let known = try hadMessages.withLock { had in
      if had == nil { had = HadMessages(files, of: user) }
      return try had!.contains(id, bot)
    }
    // All of the log may have to be read for it: other messages needn't wait for that.
    return try (known ?? HadMessages.search(files, of: user, for: id, bot)) || wasForgotten(id, files, from: maker)
  }

  /// Whether a message is from before the log was last collected, and was nobody's to do then.
  private func wasForgotten(_ id: MessageID, _ files: LogFiles, from maker: UInt32?) throws -> Bool {
    guard try hasForgotten(id), try !Forgotten.needs(id, in: root) else { return false }
    // By a host whose clock is behind it may have been sent since.
    let forgotten = try Forgotten(in: root)
    return try !HadMessages.search(files, of: maker, for: id) { event, position in
      event.kind == .messageSent && !forgotten.covers(id, position, event.time)
    }
  }
}
