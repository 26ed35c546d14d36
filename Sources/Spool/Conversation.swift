import Linux
import SpoolFormat

extension Spool {
  /// An answer to a message: to its sender, in its conversation, with its id in `in_reply_to`.
  /// - Throws: `.badData` for a message without a sender.
  public func reply(to original: Message, from sender: String?, _ content: Message) throws -> Message {
    guard let recipient = original.from else {
      throw SpoolError(.badData, "message \(original.id?.description ?? "") has no sender to reply to")
    }
    var reply = content
    reply.from = sender
    reply.to = [recipient]
    reply.type = reply.type ?? .response
    reply.conversation = reply.conversation ?? original.conversationKey
    reply.inReplyTo = original.id?.description
    reply.priority = reply.priority ?? original.priority
    return reply
  }

  /// Sends a request and waits for its answer: the first message in the sender's inbox whose `in_reply_to` is the
  /// request's id. Others are left where they are. The answer is acked; one that somebody else took out of the inbox is
  /// an answer, too, and stays theirs.
  /// - Parameters:
  ///   - seconds: how long to wait at most.
  ///   - meanwhile: called with the request's id once a second at least while nothing has come.
  ///   - settling: given the answer before it is acked; when it throws, the answer stays in the inbox.
  /// - Returns: the answer (of type `error` when the bot gave the request up), or nil when the time was over; the id
  ///   of the request in any case.
  public func request(
    _ message: Message, waiting seconds: Double, meanwhile: (MessageID) -> Void = { _ in },
    settling: (Message) throws -> Void = { _ in }
  ) throws -> (id: MessageID, answer: Message?) {
    guard let from = message.from else {
      throw SpoolError(.badData, "a request needs a sender whose inbox gets the answer")
    }
    let sender = try bot(named: from)
    try requireOwn(sender, to: "wait for answers to")
    var message = message
    message.type = message.type ?? .request
    let watcher = try doing("cannot watch the inbox of \(sender)") {
      let watcher = try DirectoryWatcher(root)
      _ = try watcher.watch(Layout.box(sender, .inbox))
      return watcher
    }
    let deadline = Clock.sinceBoot() + Int(min(seconds, 1e9) * 1e9)
    // Where users share the spool, somebody else may be first with an answer in the other's name.
    let asked = isShared ? try Set(recipients(of: message).map(\.description)) : nil
    // Where the log can't be read the inbox alone tells.
    var logged = try? LoggedAnswers(self, to: sender, from: asked)
    let id = try send(message)
    let pace = LookPace()
    var seen: Set<String> = []
    while true {
      if let answer = try takeAnswer(to: id.description, sender, asked, &seen, settling) { return (id, answer) }
      if let answer = (try? logged?.taken(to: id)) ?? nil {
        try settling(answer)
        return (id, answer)
      }
      let now = Clock.sinceBoot()
      if now >= deadline { return (id, nil) }
      meanwhile(id)
      let isSoon = watcher.mechanism != .inotify || logged?.isExpected(at: self.now()) ?? false
      let step = root.isRemote ? pace.interval(now: now) : isSoon ? 100_000_000 : 1_000_000_000
      try doing("cannot wait for an answer") {
        _ = try Poll.wait([watcher.descriptor].compactMap { $0 }, nanoseconds: min(deadline - now, step))
        _ = try watcher.takeChanges()
      }
    }
  }

  /// Each waiting file is read once, one at a time, unless it is not complete yet, or its time hasn't come.
  private func takeAnswer(
    to id: String, _ bot: BotName, _ asked: Set<String>?, _ seen: inout Set<String>,
    _ settling: (Message) throws -> Void
  ) throws -> Message? {
    func isAnswer(_ message: Message, _ sender: Sender?) -> Bool {
      guard message.inReplyTo == id else { return false }
      guard let asked else { return true }
      return sender?.isVerified == true && asked.contains(message.from ?? "")
    }
    let names = try doing("cannot look into the inbox of \(bot)") { try root.names(Layout.box(bot, .inbox)) }
    for fileName in names where !seen.contains(fileName) && fileName.hasSuffix(".json") && !fileName.hasPrefix(".") {
      let moment = now()
      if let due = EntryName(fileName)?.notBefore, due > moment { continue }
      let entry = entry(bot, .inbox, fileName)
      if let due = entry.message?.notBefore, due > moment { continue }
      if entry.message != nil { seen.insert(fileName) }
      guard var message = entry.message, message.expiresAt.map({ $0 > moment }) ?? true,
        isAnswer(message, entry.sender), var held = try entry.name ?? adopt(entry.fileName, bot)
      else { continue }
      let waiting = held
      message.id = held.id
      message.createdAt = message.createdAt ?? held.id.time
      held.attempt += 1
      held.place = .held(holder)
      let taken = try doing("cannot take the answer") {
        try root.makeDirectory(Layout.box(bot, .claimed))
        return try root.renameIfPresent(
          Layout.entry(bot, .inbox, waiting), to: Layout.entry(bot, .claimed, held))
      }
      guard taken else { continue }
      if isShared,
        let (bytes, status) = try? root.readFileWithStatus(
          Layout.entry(bot, .claimed, held), maximum: Message.bytesMax)
      {
        // What others may have put there, or changed since it was looked at, is no answer; the inbox deals with it.
        let secured = try? secure(held, bot, at: Layout.entry(bot, .claimed, held), bytes, status)
        guard let secured = secured ?? nil, isAnswer(secured.message, secured.sender) else {
          _ = try? requeue(bot, held, delay: 0, reason: "not the answer", attemptsMax: .max)
          continue
        }
      }
      note(.messageClaimed, held.id.description) { writer in
        settle(&writer, bot, held)
        // As of what an inbox claims.
        let due = max(message.notBefore ?? held.id.time, held.id.time)
        writer.member("waited_us", max(0, now().microseconds - due.microseconds))
        writer.endObject()
      }
      do { try settling(message) } catch {
        _ = try? requeue(bot, held, delay: 0, reason: "\(error)", attemptsMax: .max)
        throw error
      }
      try ack(bot, held)
      return message
    }
    return nil
  }

  /// Gives an answer that was dropped by hand its name, and puts it into the log; nil when it is gone or not complete.
  private func adopt(_ fileName: String, _ bot: BotName) throws -> EntryName? {
    var file = DroppedFile(name: Array(fileName.utf8))
    if case .adopted(let name) = try file.examine(self, bot) { return name }
    return nil
  }
}
