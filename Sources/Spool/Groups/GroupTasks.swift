import Linux
import SpoolFormat

extension Spool {
  /// The group that a task stands for as a whole; nil for a part of one, and for any other.
  public static func groupAsWhole(_ record: TaskRecord) -> MessageID? {
    record.assignTo == hub ? GroupPart(record)?.group : nil
  }

  /// Adds a task that waits until somebody says what became of it, whatever its children do. Nothing when it was added
  /// before.
  public func addTask(_ record: TaskRecord, blockedFor reason: String, by: String? = nil) throws {
    var record = record
    record.createdAt = record.createdAt ?? now()
    record.blockedReason = reason
    _ = try add(record, as: .blocked, by: by, durability: .relaxed, onlyOnce: true)
  }

  /// Adds a member's part of a group's work. Nothing when it was added before, by a hub that took this one for dead.
  /// - Parameter began: when this process looked whether it has the group; by the clock with sleep, nanoseconds.
  public func addPart(_ record: TaskRecord, of group: MessageID, since began: Int, by: String? = nil) throws {
    var record = record
    record.createdAt = record.createdAt ?? now()
    if let bot = record.assignTo { try require(bot) }
    _ = try add(
      record, as: .assigned, by: by, durability: .relaxed,
      onlyOnce: self.mayBeTakenOver(group, since: began, after: self.settings.leaseSeconds))
  }

  /// Whether the announcement of a group waits for a hub, or one has it.
  public func isAnnounced(_ id: MessageID) throws -> Bool { try !announced(among: [id]).isEmpty }

  /// Those of some groups whose announcement waits for a hub, or one has it.
  /// Cost: two directory listings. Messages are read, each once, only for groups that no name tells of: those that were
  /// announced again.
  public func announced(among ids: Set<MessageID>) throws -> Set<MessageID> {
    try doing("cannot look at \(Self.hub)") {
      var found: Set<MessageID> = []
      var others: [String] = []
      for box in [Layout.Box.inbox, .claimed] {
        for name in try root.names(Layout.box(Self.hub, box)) {
          guard let entry = EntryName(name) else { continue }
          if ids.contains(entry.id) {
            found.insert(entry.id)
          } else {
            others.append(Layout.entry(Self.hub, box, raw: name))
          }
        }
      }
      for path in others where found.count < ids.count {
        if let id = try announcement(at: path)?.conversation.flatMap({ MessageID($0) }), ids.contains(id) {
          found.insert(id)
        }
      }
      return found
    }
  }

  /// Ends a group that nobody wants any more, with its parts; or takes its announcement back when no hub has it yet.
  /// - Returns: nil when only the announcement was there.
  /// - Throws: `.notFound`; `.notAllowed` when it has ended.
  public func cancelGroup(named text: String, reason: String?, by: String?) throws -> GroupEntry? {
    let entry: GroupEntry
    do { entry = try group(named: text) } catch let error as SpoolError where error.code == .notFound {
      guard try withdrawAnnouncement(text) else { throw error }
      return nil
    }
    for _ in 0..<50 {
      guard let stored = try group(entry.id) else { break }
      _ = try Self.state(after: .dissolve, stored.entry)
      guard stored.state.isLive else {
        throw SpoolError(.notAllowed, "\(entry.id) is \(stored.state.rawValue) already")
      }
      var record = stored.record
      record.error = reason ?? "cancelled\(by.map { " by \($0)" } ?? "")"
      record.endedAt = now()
      let ended = try change(stored.entry, .dissolve, to: record, by: by, reason: record.error)
      guard let ended else { continue }
      for id in record.parts.filter({ $0.outcome == .working }).map(\.task) + [record.task].compactMap({ $0 }) {
        guard let task = try findTask(id), !task.state.isFinal else { continue }
        _ = try cancelWithChildren(task, reason: record.error, by: by)
      }
      return ended
    }
    throw SpoolError(.tryAgain, "\(entry.id) keeps being changed by its hub", hint: "try again in a moment")
  }

  /// - Returns: whether an announcement that nobody has was acked.
  private func withdrawAnnouncement(_ text: String) throws -> Bool {
    guard text.utf8.count >= 3, try exists(Self.hub) else { return false }
    return try doing("cannot take the announcement back") {
      let found = try root.names(Layout.box(Self.hub, .inbox)).filter {
        try $0.contains(text) && EntryName($0) != nil
          && announcement(at: Layout.entry(Self.hub, .inbox, raw: $0)) != nil
      }
      guard found.count == 1 else { return false }
      try root.makeDirectory(Layout.box(Self.hub, .done))
      return try root.renameIfPresent(
        Layout.entry(Self.hub, .inbox, raw: found[0]), to: Layout.entry(Self.hub, .done, raw: found[0]))
    }
  }

  /// What announces a group, in a file of the hub's; nil for any other file, and one that is gone, or can't be read: that
  /// is the hub's to set aside.
  private func announcement(at path: String) throws(SystemCallError) -> Message? {
    do {
      let message = try root.readFile(path, maximum: Message.bytesMax + 1).flatMap { try? Message(parsing: $0) }
      return message?.type == .taskAnnounce ? message : nil
    } catch {
      guard Inbox.faultsOfFiles.contains(error.code) else { throw error }
      return nil
    }
  }

  /// Whether a claimed message may be a bot's own, as far as files tell: written by the user to whom the bot belongs, or
  /// by root. Bots of one user can write in each other's name; no file tells them apart.
  public func isWritten(_ claim: Claim, by bot: BotName) -> Bool {
    if let sender = claim.sender {
      return (sender.isVerified && claim.message.from == bot.description) || sender.user == 0
    }
    guard let author = (try? root.status(claim.path))??.owner, let owner = (try? root.status(Layout.bot(bot)))??.owner
    else { return true }
    return author == owner || author == 0
  }
}
