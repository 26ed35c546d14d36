import Glibc
import Linux
import SpoolFormat

extension Spool {
  /// Sends a message, and returns its id when it is kept: it survives a crash of any process and, when
  /// `durability` is `.durable`, a power cut. `to` is names of bots, `team` (all but the sender), `#topic`, or several.
  ///
  /// The order is what makes it safe: the file in `tmp/`, the line in the log, its sync (from here on the
  /// answer is yes), and the file in each inbox. Whoever finds a file in `tmp/` whose sender died looks in the log,
  /// and delivers it or takes it away.
  ///
  /// With an idempotency key, a second send with the same key to the same recipients delivers nothing and
  /// returns the first's id.
  ///
  /// Where more than `InboxLimits` allow would wait in any of the inboxes, nothing is sent to anybody.
  /// - Parameter evenIfFull: whatever waits there; for the one answer to a message that is in hand, which would else keep
  ///   its place, and two who answer each other would wait for each other.
  /// - Throws: `.noSuchBot`, `.notFound` (a team or topic of nobody), `.badData`, `.tryAgain` (no room, an inbox is full), `.outcomeUnknown`.
  @discardableResult
  public func send(_ message: Message, durability: Durability? = nil, evenIfFull: Bool = false) throws -> MessageID {
    let recipients = try recipients(of: message)
    var message = message
    let created = now()
    // Always new: what is passed on is another message, with a history of its own.
    message.id = MessageID(time: created, random: Random.bits())
    message.createdAt = created
    message.makeCanonical()
    try check(message)
    // What goes to a group is the same message however many belong to it at the moment.
    if message.type == nil { message.type = message.to == [recipients[0].description] ? .request : .broadcast }
    if let key = message.idempotencyKey {
      return try sendOnce(message, key, recipients, durability ?? settings.durability, evenIfFull: evenIfFull)
    }
    return try send(
      message, recipients, durability ?? settings.durability, evenIfFull: evenIfFull)!
  }

  /// What a reader would set aside, or nobody would get, isn't sent.
  /// - Throws: `.badData` for names that are too long, and for a message that expires before it is handed out.
  public func check(_ message: Message) throws {
    func require(_ label: String?, _ name: StaticString) throws {
      guard let label, label.utf8.count > Message.labelBytesMax else { return }
      throw SpoolError(
        .badData, "the name of the \(name) has \(label.utf8.count) bytes, and may have \(Message.labelBytesMax)")
    }
    try require(message.from, "sender")
    try require(message.conversation, "conversation")
    try require(message.inReplyTo, "message that it answers")
    if let due = message.notBefore, let expiry = message.expiresAt, expiry <= due {
      throw SpoolError(
        .badData, "the message would expire at \(expiry.rfc3339), before it is handed out at \(due.rfc3339)",
        hint: "nothing was sent; give a later time to expire at")
    }
  }

  /// Nil, and nothing is sent, when `isSent` says that somebody else has; it is asked under the lock of the log.
  func send(
    _ message: Message, _ recipients: [BotName], _ durability: Durability, evenIfFull: Bool = false,
    unless isSent: (() throws -> Bool)? = nil
  ) throws -> MessageID? {
    let parcel = try Parcel(message, recipients, self, evenIfFull: evenIfFull)
    let receipt: LogWriter.Receipt?
    do {
      receipt = try log.append(
        .messageSent, parcel.subject, time: message.createdAt!, reserving: parcel.line.count + 512,
        isSyncedSoon: durability == .durable,
        unless: isSent,
        data: { parcel.writeLogData(to: &$0) })
    } catch {
      if error.isUnknownOutcome { Self.leave(parcel.temporaryName) } else { parcel.discard(self) }
      throw sendError(error, recipients)
    }
    guard let receipt else {
      parcel.discard(self)
      return nil
    }
    // Should the disk refuse, the file stays in `tmp/`: the log has the message, so whoever settles that delivers it
    // soon, and not the recovery after some later reboot.
    do { if durability == .durable { try log.waitUntilSynced(receipt) } } catch {
      Self.leave(parcel.temporaryName)
      throw error
    }
    deliver(parcel, receipt)
    return parcel.name.id
  }

  func sendError(_ error: any Error, _ recipients: [BotName]) -> any Error {
    guard let error = error as? SystemCallError else { return error }
    let whom = recipients.count == 1 ? recipients[0].description : "\(recipients.count) bots"
    return SpoolError("cannot send to \(whom), and nothing was sent", error)
  }

  // MARK: Recipients

  /// The bots that `to` means now, sorted, each once.
  /// - Throws: as `send`.
  public func recipients(of message: Message) throws -> [BotName] {
    guard !message.to.isEmpty else { throw SpoolError(.badData, "a message to nobody: name a bot, team or #topic") }
    if message.to.count == 1, message.to[0] != "team", !message.to[0].hasPrefix("#") {
      return [try parsed(message.to[0])]
    }
    var names: [BotName] = []
    for target in message.to {
      if target == "team" {
        names += try team(besides: message.from)
      } else if target.hasPrefix("#") {
        let topic = try parsed(String(target.dropFirst()))
        // A subscriber that is no bot any more must not keep the others from hearing.
        names += try subscribers(of: topic).filter { try $0.description != message.from && exists($0) }
      } else {
        let name = try parsed(target)
        try require(name)
        names.append(name)
      }
    }
    // Looked at one by one it would take half as long again. The others are missed when they are to get theirs.
    while message.to.contains("team"), let first = names.first, try !exists(first) { names.removeFirst() }
    // One list is sorted, and has each once.
    if message.to.count > 1 { names = Set(names).sorted() }
    guard !names.isEmpty else {
      let target = message.to.joined(separator: ", ").escapedForTerminal()
      let hint = target.hasPrefix("#") ? "spool subscribe BOT \(target.dropFirst())" : "spool register BOT"
      throw SpoolError(.notFound, "nobody to send to: \(target) has no bots besides the sender", hint: hint)
    }
    guard names.count <= Message.recipientsMax else {
      throw SpoolError(.badData, "\(names.count) recipients: a message may have \(Message.recipientsMax)")
    }
    return names
  }

  /// All bots but the sender, sorted; there may be some among them that have no inbox.
  private func team(besides sender: String?) throws -> [BotName] {
    try doing("cannot list the bots of \(path)") {
      try root.names(Layout.bots).compactMap { $0 == sender ? nil : try? BotName(parsing: $0) }
    }
  }

  private func parsed(_ name: String) throws -> BotName {
    do { return try BotName(parsing: name) } catch { throw SpoolError(.badData, error.description) }
  }

  // MARK: Delivering

  /// Puts a message that is in the log into every inbox. What can't be done now (no room for a name) is left in
  /// `tmp/`, to be done by whoever next looks there, in this process or another.
  func deliver(_ parcel: Parcel, _ receipt: LogWriter.Receipt) {
    let first = parcel.recipients[0]
    var isComplete = true
    var obstacle = first
    let targets = parcel.recipients.map { Layout.entry($0, .inbox, raw: parcel.fileName) }
    root.link(parcel.temporary, toEach: Array(targets.dropFirst())) { place, error in
      let recipient = parcel.recipients[place + 1]
      if !isSettled(error, parcel, recipient) {
        isComplete = false
        obstacle = recipient
      }
    }
    do {
      if isComplete { isComplete = try root.renameIfPresent(parcel.temporary, to: targets[0]) }  // visible from here on
    } catch {
      Self.leave(parcel.temporaryName)
      noteUndelivered(parcel, to: first, error)
    }
    // Stopped for longer than a lease, we may have been taken for dead, and our file with us; but the log has it.
    do { if !isComplete { try finish(parcel) } } catch { noteUndelivered(parcel, to: obstacle, error) }
    if receipt.hasRotated, case .granted(let log) = logAccess { log.noteCheckpoint() }
  }

  /// Takes what couldn't be delivered yet, a sentence each; who doesn't ask has the last few told when it does.
  public func takeProblems() -> [String] {
    problems.withLock { problems in
      defer { problems = [] }
      return problems
    }
  }

  private func noteUndelivered(_ parcel: Parcel, to bot: BotName, _ error: any Error) {
    let cause = (error as? SystemCallError)?.reason ?? "\(error)"
    let problem = "\(parcel.name.id) is kept, and can't be put into \(Layout.box(bot, .inbox))/ yet: \(cause)"
    problems.withLock { $0 = $0.suffix(7) + [problem] }
  }

  /// Whether the message needn't be linked there any more.
  private func isSettled(_ error: SystemCallError, _ parcel: Parcel, _ recipient: BotName) -> Bool {
    switch error.code {
    case EEXIST: return true
    case ENOENT, ENOTDIR: return isNoBot(recipient, parcel)
    // No links here, or no more of them to this file: a copy does as well.
    case EMLINK, EXDEV, EPERM, ENOTSUP, ENOSYS, EACCES: return (try? copy(parcel, to: recipient)) != nil
    default: return false
    }
  }

  /// Whether there is no such bot (any more); the log is told that nobody is to get the message there.
  private func isNoBot(_ bot: BotName, _ parcel: Parcel) -> Bool {
    guard (try? exists(bot)) == false else { return false }
    note(.messageDiscarded, parcel.subject) { writer in
      settle(&writer, bot, parcel.name)
      writer.endObject()
    }
    return true
  }

  private func copy(_ parcel: Parcel, to recipient: BotName) throws(SystemCallError) {
    let temporary = Layout.entry(recipient, .tmp, parcel.temporaryName)
    let file = try root.open(temporary, O_WRONLY | O_CREAT | O_TRUNC)
    try file.write(parcel.line)
    try file.close()
    try root.rename(temporary, to: Layout.entry(recipient, .inbox, raw: parcel.fileName))
  }
}

/// A message on its way: its bytes, its name, and the file in `tmp/` that it waits in.
struct Parcel {
  let recipients: [BotName]
  let name: EntryName
  /// The name as text, which is wanted in several places.
  let fileName: String
  /// One line of JSON, with the line feed that ends the file.
  let line: [UInt8]
  /// In the first recipient's `tmp/`: the intent to send, until the log has the message.
  private(set) var temporary: String
  private(set) var temporaryName: EntryName

  init(_ message: Message, _ recipients: [BotName], _ spool: Spool, evenIfFull: Bool = false) throws {
    self.recipients = recipients
    let urgency = (message.priority ?? .normal).urgency
    let isEarly = message.notBefore.map { $0 > spool.now() } ?? false
    name = EntryName(
      urgency: urgency, id: message.id!, place: isEarly ? .waitingUntil(message.notBefore!) : .waiting)
    fileName = name.description
    temporaryName = EntryName(urgency: urgency, id: message.id!, place: .held(spool.holder))
    temporary = Layout.entry(recipients[0], .tmp, temporaryName)
    do { try message.check() } catch { throw SpoolError(.badData, error.description) }
    var encoded = message.encoded
    encoded.append(10)
    guard encoded.count <= Message.bytesMax else {
      throw SpoolError(
        .badData, "the message has \(encoded.count) bytes, and may have \(Message.bytesMax)",
        hint: "put the content into a file, and its name into the message")
    }
    line = encoded
    if !evenIfFull { try spool.admit(recipients, bytes: encoded.count) }
    while true {
      do {
        try write(spool)
        return
      } catch let error as SpoolError where error.cause?.code == EEXIST {
        // Another thread of this process is sending with the same key: here its files differ in the attempt.
        guard temporaryName.attempt < EntryName.attemptMax else { throw error }
        temporaryName.attempt += 1
        temporary = Layout.entry(recipients[0], .tmp, temporaryName)
      }
    }
  }

  private func write(_ spool: Spool) throws {
    do {
      let file: Descriptor
      do { file = try spool.root.open(temporary, O_WRONLY | O_CREAT | O_EXCL) } catch {
        guard error.code == ENOENT || error.code == ENOTDIR else { throw error }
        file = try openAnew(spool)
      }
      do {
        try file.write(line)
        try file.close()
      } catch {
        discard(spool)
        throw error
      }
    } catch let error as SystemCallError {
      throw SpoolError("cannot send to \(recipients[0]), and nothing was sent", error)
    }
  }

  /// A bot made by hand has no `tmp/` yet; one that isn't there has no `inbox/` either; while one is being removed, `tmp`
  /// is a file.
  private func openAnew(_ spool: Spool) throws -> Descriptor {
    let bot = recipients[0]
    do {
      try spool.require(bot)
      try spool.root.makeDirectory(Layout.box(bot, .tmp))
      let file = try spool.root.open(temporary, O_WRONLY | O_CREAT | O_EXCL)
      // From here on it can't be removed; but it may have been just before.
      do { try spool.require(bot) } catch {
        discard(spool)
        throw error
      }
      return file
    } catch let error as SystemCallError where error.code == ENOENT || error.code == ENOTDIR {
      try spool.require(bot)
      throw SpoolError(
        .tryAgain, "cannot send to \(bot), which is just being removed, and nothing was sent",
        hint: "if nobody is removing it: spool doctor --repair", cause: error)
    }
  }

  var subject: String { name.id.description }

  func writeLogData(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.key("recipients")
    writer.beginArray()
    for recipient in recipients { writer.string(recipient.description) }
    writer.endArray()
    writer.member("name", fileName)
    writer.key("message")
    writer.raw(line.dropLast())
    writer.endObject()
  }

  func discard(_ spool: Spool) {
    do { try spool.root.unlink(temporary) } catch { Spool.leave(temporaryName) }
  }
}
