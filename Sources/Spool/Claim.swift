import Glibc
import Linux
import SpoolFormat

/// A message in hand. It stays so for the lease's length, longer when renewed, and until it is settled by
/// `ack`, `nack` or `bury`; then, or when the lease has run out, it is no longer the holder's.
public struct Claim: Sendable {
  public let bot: BotName
  /// The name of its file in `claimed/`: the token that every settlement begins with.
  public let name: EntryName
  /// Id and time of making are filled in from the name where the file doesn't say.
  public let message: Message
  /// Who sent it; nil where the spool isn't shared.
  public var sender: Sender?

  /// `BOT/NAME`, as `spool ack` takes it.
  public var token: String { "\(bot)/\(name)" }
  /// Relative to the spool.
  public var path: String { Layout.entry(bot, .claimed, name) }
  public var attempt: Int { name.attempt }
}

extension Spool {
  /// The claim's work is done: logs that, and removes the message.
  /// - Parameter output: kept in the log with it, up to 64 KiB.
  /// - Throws: `.claimLost` when the lease ran out meanwhile; nothing is changed then.
  public func ack(_ bot: BotName, _ name: EntryName, output: String? = nil) throws {
    try requireOwn(bot, to: "ack for")
    let fresh = takeFresh(bot, name)
    let path = fresh?.path ?? Layout.entry(bot, .claimed, name)
    let subject = fresh?.subject ?? name.id.description
    try doing("cannot ack \(name.id)") {
      // A look first keeps an ack that comes too late out of the log.
      if fresh == nil, try root.status(path) == nil { throw lost(bot, name) }
      do {
        // An ack counts unless something else was logged for the same or a later attempt: should the claim
        // be lost between these two lines, what its loser or its next holder logs will overrule this.
        try log.append(.messageAcked, subject) { writer in
          settle(&writer, bot, name)
          writer.member("output", ifPresent: output.map { String($0.prefix(64 << 10)) })
          writer.endObject()
        }
        guard try remove(path, bot, name) else { throw lost(bot, name, logged: true) }  // commit
        forgetSender(of: name.id, to: bot)
      } catch let error as SystemCallError where error.isForLackOfRoom {
        // A full disk must not keep a message from being finished; removing its file makes room for the line.
        guard try remove(path, bot, name) else { throw lost(bot, name) }
        note(.messageAcked, subject) { writer in
          settle(&writer, bot, name)
          writer.endObject()
        }
      }
    }
  }

  /// Whether the claim was there to be removed. On a network file system "no such file" may be what a repeated request was
  /// answered, and only a move leaves something behind to tell; what dies in between is known from the log to be done.
  private func remove(_ path: String, _ bot: BotName, _ name: EntryName) throws(SystemCallError) -> Bool {
    guard root.isRemote else { return try root.unlinkIfPresent(path) }
    let aside = Layout.entry(bot, .tmp, name)
    try root.makeDirectory(Layout.box(bot, .tmp))
    guard try root.renameIfPresent(path, to: aside) else { return false }
    _ = try? root.unlinkIfPresent(aside)
    return true
  }

  /// The claim if it was the last one, a moment ago: it can't have been lost yet, but by somebody's hand. Once.
  private func takeFresh(_ bot: BotName, _ name: EntryName) -> FreshClaim? {
    let last = lastClaim.withLock { last in
      defer { last = nil }
      return last
    }
    guard let last, last.name == name, last.bot == bot, Clock.withSleep() < last.end else { return nil }
    return last
  }

  /// Puts the message back, to be handed out again at once or after `delay` seconds; after its last attempt it is
  /// dead-lettered instead.
  /// - Returns: whether it waits again; false when it was given up.
  /// - Throws: `.claimLost`.
  @discardableResult
  public func nack(_ bot: BotName, _ name: EntryName, delay: Double = 0, reason: String = "nacked") throws -> Bool {
    try requireOwn(bot, to: "nack for")
    return try requeue(bot, name, delay: delay, reason: reason, attemptsMax: attemptsMax(of: bot))
  }

  /// Gives the message up: into `dead/`, its reason beside it.
  /// - Throws: `.claimLost`.
  public func bury(_ bot: BotName, _ name: EntryName, reason: String) throws {
    guard try bury(bot, from: Layout.entry(bot, .claimed, name), name, reason: reason) else { throw lost(bot, name) }
  }

  /// Whether a new claim still stands, which is renewed if it took long to make: whoever was kept waiting meanwhile, by the
  /// disk or by being stopped, may have lost it, and isn't to begin what another has begun.
  func confirm(_ claim: Claim, since asked: Int, lease: Double) throws -> Bool {
    guard Clock.sinceBoot() - asked > Int(lease * 1e9 / 4) else { return true }
    do { try extend(claim.bot, claim.name) } catch let error as SpoolError where error.code == .claimLost {
      return false
    }
    return true
  }

  /// Renews the lease by one length.
  /// - Throws: `.claimLost`.
  public func extend(_ bot: BotName, _ name: EntryName) throws {
    try requireOwn(bot, to: "extend a claim of")
    let path = Layout.entry(bot, .claimed, name)
    separate(path)
    let isThere = try doing("cannot extend \(name.id)") { try root.touch(path) }
    if !isThere { throw lost(bot, name) }
  }

  /// What was sent to several is one file with a name in each inbox, whose date all their claims have: ours gets a file of
  /// its own before it is renewed, lest theirs be renewed with it. Where that can't be done theirs only stand for longer.
  private func separate(_ path: String) {
    guard exchangesFiles.load(ordering: .relaxed), let status = (try? root.status(path)) ?? nil, status.links > 1,
      let bytes = (try? root.readFile(path, maximum: Message.bytesMax + 1)) ?? nil
    else { return }
    let temporary = Layout.temporary("\(holder)-\(UInt32.random(in: .min ... .max))")
    do {
      let file = try root.open(temporary, O_WRONLY | O_CREAT | O_EXCL)
      try file.write(bytes)
      try file.close()
      // Not over it: when the claim was lost it mustn't come back.
      do throws(SystemCallError) { _ = try root.exchangeIfPresent(temporary, path) } catch {
        // All that would be copied at each renewal would be copied for nothing.
        if [EINVAL, ENOSYS, ENOTSUP].contains(error.code) { exchangesFiles.store(false, ordering: .relaxed) }
      }
    } catch {}
    _ = try? root.unlinkIfPresent(temporary)
  }

  /// What is said of what failed that often.
  public static func givenUp(_ attempts: Int) -> String {
    "given up after \(attempts) attempt\(attempts == 1 ? "" : "s")"
  }

  @discardableResult
  func requeue(
    _ bot: BotName, _ name: EntryName, delay: Double, reason: String, attemptsMax: Int
  ) throws -> Bool {
    if name.attempt >= attemptsMax {
      let last = "\(Self.givenUp(name.attempt)); the last: \(reason)"
      guard try bury(bot, from: Layout.entry(bot, .claimed, name), name, reason: last) else { throw lost(bot, name) }
      return false
    }
    var waiting = name
    waiting.place = delay > 0 ? .waitingUntil(now().advanced(bySeconds: delay)) : .waiting
    let isOurs = try doing("cannot put back \(name.id)") {
      try root.renameIfPresent(Layout.entry(bot, .claimed, name), to: Layout.entry(bot, .inbox, waiting))  // commit
    }
    if !isOurs { throw lost(bot, name) }
    note(.messageRequeued, name.id.description) { writer in
      settle(&writer, bot, name)
      writer.member("reason", reason)
      if delay > 0 { writer.member("delay_seconds", delay) }
      writer.endObject()
    }
    return true
  }

  /// False when the file at `path` is not there any more.
  func bury(_ bot: BotName, from path: String, _ name: EntryName, reason: String) throws -> Bool {
    var dead = name
    dead.place = .waiting
    let target = Layout.entry(bot, .dead, dead)
    return try doing("cannot dead-letter \(name.id)") {
      guard try root.status(path) != nil else { return false }
      try root.makeDirectory(Layout.box(bot, .dead))
      do throws(SystemCallError) { try writeReason(besides: target, bot: bot, reason: reason) } catch {
        // No room for it: the log has it as well, and recovery puts it there.
        guard error.isForLackOfRoom else { throw error }
      }
      guard try root.renameIfPresent(path, to: target) else {  // commit
        // Whoever was first may have buried it too: the reason is then its own.
        if try root.status(target) == nil { _ = try? root.unlink(Layout.reason(besides: target)) }
        return false
      }
      let sender = ((try? message(in: target, dead)) ?? nil)?.from
      note(.messageDead, name.id.description) { writer in
        settle(&writer, bot, name)
        writer.member("reason", reason)
        writer.member("from", ifPresent: sender)
        writer.endObject()
      }
      return true
    }
  }

  func writeReason(besides path: String, bot: BotName, reason: String) throws(SystemCallError) {
    var writer = JSONWriter()
    writer.beginObject()
    writer.member("reason", reason)
    writer.member("bot", bot.description)
    writer.member("at", moment: now())
    writer.member("by", holder.description)
    writer.endObject()
    try replace(Layout.reason(besides: path), with: writer.bytes + [10])
  }

  /// Begins the data of an event about one bot's copy of a message.
  func settle(_ writer: inout JSONWriter, _ bot: BotName, _ name: EntryName) {
    writer.beginObject()
    writer.member("bot", bot.description)
    writer.member("attempt", name.attempt)
    writer.member("holder", ifPresent: name.holder?.description)
  }

  func attemptsMax(of bot: BotName) -> Int { (try? card(of: bot).attemptsMax) ?? settings.attemptsMax }

  private func lost(_ bot: BotName, _ name: EntryName, logged: Bool = false) -> SpoolError {
    if logged {
      note(.messageAckRefused, name.id.description) { writer in
        settle(&writer, bot, name)
        writer.endObject()
      }
    }
    return SpoolError(
      .claimLost, "\(bot) no longer has \(name.id) (attempt \(name.attempt)): its lease ran out, or it was settled",
      hint: "see: spool trace \(name.id)")
  }
}
