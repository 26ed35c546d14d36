import Glibc
import Linux
import SpoolFormat
import Synchronization

/// Transitions with new content. The process writes the new file into its own directory below `tasks/moving/`, takes the
/// old one out of its state by renaming it there (the race is won here), logs what it does, and renames the new one into
/// its new state. Whoever finds the directory of a process that died finishes what the log has, and puts back the rest.
extension Spool {
  /// Makes a transition that changes what the task's file says.
  /// - Parameter durability: of its line in the log; of a complete or a fail the spool's own unless told.
  /// - Returns: where it stands then; nil when somebody else moved it first, and nothing was changed.
  /// - Throws: `.notAllowed`; `.badData`; `.tryAgain` (no room), with nothing changed; `.outcomeUnknown`.
  @discardableResult
  public func change(
    _ entry: TaskEntry, _ event: TaskEvent, notBefore: Timestamp? = nil, by: String? = nil, reason: String? = nil,
    durability: Durability? = nil, _ edit: (inout TaskRecord) throws -> Void
  ) throws -> TaskEntry? {
    let changed = try Self.entry(after: event, entry, notBefore: notBefore)
    guard var record = try record(of: entry) else { return nil }
    try edit(&record)
    let body = try Self.file(of: record)
    let isFinal = changed.state.isFinal
    do {
      guard
        let receipt = try replace(
          entry.path, with: changed.path,
          moving: (
            old: Layout.taskMoving(by: holder, raw: TaskMove(.old, entry).fileName),
            new: Layout.taskMoving(by: holder, raw: TaskMove(.new, changed).fileName)
          ), in: Layout.tasksMoving(by: holder), body, isUndone: { try self.isUndone(changed, body) },
          { isTakenBack throws in
            // Progress is told often, and is worth a word; all else is kept whole.
            try self.log.append(
              event.kind, entry.id.description, reserving: body.count + 512, unless: isTakenBack
            ) { writer in
              if event == .progress {
                self.writeProgress(changed, record, by: by, to: &writer)
              } else {
                self.writeEvent(changed, from: entry, by: by, reason: reason, body: body, to: &writer)
              }
            }
          })
      else { return nil }
      if (durability ?? (isFinal ? settings.durability : .relaxed)) == .durable { try log.waitUntilSynced(receipt) }
    } catch let error as SystemCallError {
      throw SpoolError("cannot \(event.rawValue) \(entry.id), and nothing was changed", error)
    }
    if let bot = entry.bot, isFinal || changed.state != entry.state { ring(bot) }
    return changed
  }

  private func writeProgress(_ entry: TaskEntry, _ record: TaskRecord, by: String?, to writer: inout JSONWriter) {
    writer.beginObject()
    writer.member("state", entry.state.rawValue)
    writer.member("attempt", entry.attempt)
    writer.member("bot", ifPresent: entry.bot?.description)
    writer.member("by", ifPresent: by)
    writer.member("name", entry.name.description)
    writer.member("progress", ifPresent: record.progress)
    writer.member("text", ifPresent: record.progressText)
    writer.endObject()
  }

  /// Puts a new file in the place of an old one, which may be another: of a task, or of a group.
  /// - Parameters:
  ///   - moving: where the two are meanwhile, in a directory of this process.
  ///   - isUndone: whether others have put the old file back all the same; asked where the new one is gone.
  ///   - logIt: logs it, unless others took this process for dead and have put the old file back.
  /// - Returns: nil when the old file was no longer there, or is there again, and nothing was changed.
  func replace(
    _ path: String, with changed: String, moving: (old: String, new: String), in directory: String, _ body: [UInt8],
    isUndone: () throws -> Bool, _ logIt: (_ isTakenBack: @escaping () throws -> Bool) throws -> LogWriter.Receipt?
  ) throws -> LogWriter.Receipt? {
    let began = Clock.withSleep()
    // Another thread of this process is changing the same.
    guard let file = try createInMoving(moving.new, directory) else { return nil }
    _ = takeLeft(moving.old)
    do {
      try file.write(body)
      try file.close()
      guard try root.renameIfPresent(path, to: moving.old) else {  // the race is won here
        discard(moving.new)
        return nil
      }
    } catch {
      discard(moving.new)
      throw error
    }
    func leave() { for path in [moving.old, moving.new] { Self.leave(path) } }
    let receipt: LogWriter.Receipt?
    do { receipt = try logIt { try self.wasTakenBack(moving.new, since: began) } } catch let error
      where error.isUnknownOutcome
    {
      leave()
      throw error
    } catch {
      do {
        _ = try root.renameIfPresent(moving.old, to: path)
        try root.unlinkIfPresent(moving.new)
      } catch { leave() }
      throw error
    }
    guard let receipt else { return nil }
    // From here on it is so: what can't be done now is done by whoever settles our directory, as long as both are there.
    do {
      guard try root.renameIfPresent(moving.new, to: changed) else {  // visible
        return try !isUndone() || redo(path, changed, moving, directory, body) ? receipt : nil
      }
      try root.unlinkIfPresent(moving.old)
    } catch { leave() }
    return receipt
  }

  /// Once more, after others took us for dead just before our line was in the log, and put the old file back.
  /// - Returns: false when somebody has moved that since.
  private func redo(
    _ path: String, _ changed: String, _ moving: (old: String, new: String), _ directory: String, _ body: [UInt8]
  ) throws -> Bool {
    guard let file = try createInMoving(moving.new, directory) else { return false }
    do {
      try file.write(body)
      try file.close()
      guard try root.renameIfPresent(path, to: moving.old) else {
        discard(moving.new)
        return false
      }
    } catch {
      discard(moving.new)
      throw error
    }
    try root.rename(moving.new, to: changed)
    try root.unlinkIfPresent(moving.old)
    return true
  }

  /// - Returns: nil when it is there already.
  func createInMoving(_ path: String, _ directory: String) throws(SystemCallError) -> Descriptor? {
    // Other threads of this process may make the directory meanwhile, and the file in it, or remove it when they leave.
    var tries = 0
    while true {
      do { return try root.open(path, O_WRONLY | O_CREAT | O_EXCL) } catch {
        if error.code == EEXIST { return nil }
        tries += 1
        guard error.code == ENOENT, tries < 8 else { throw error }
        try root.makeTop()
        try root.makeDirectory(directory)
        hasMovingDirectory.store(true, ordering: .relaxed)
      }
    }
  }

  /// Removes this process's directories below `tasks/moving/` and `groups/moving/`; should it have another use for them,
  /// it makes them again.
  public func leaveMoving() {
    for name in [Layout.tasksMoving(by: holder), Layout.groupsMoving(by: holder)] {
      _ = try? root.removeDirectory(name)
    }
  }

  // MARK: What is done most

  /// Tells how far a task in progress is.
  /// - Parameters:
  ///   - percent: cut to 0…100; nil keeps what was told before.
  ///   - text: nil keeps what was told before.
  /// - Returns: nil when somebody moved it first.
  /// - Throws: as `change`.
  @discardableResult
  public func progress(_ entry: TaskEntry, percent: Int?, text: String?, by: String? = nil) throws -> TaskEntry? {
    try change(entry, .progress, by: by) { record in
      record.progress = percent.map { min(max($0, 0), 100) } ?? record.progress
      record.progressText = text ?? record.progressText
    }
  }

  /// An attempt that failed: the task waits to be tried again, or has failed for good when it was the last one or
  /// mustn't be repeated. One that isn't in progress fails for good. Of an error that there is no room for in the task a
  /// part is kept there, or else the log has it.
  /// - Parameters:
  ///   - delay: seconds before it may be tried again, none for 0 or less; nil for the task's own backoff.
  ///   - startedAt: kept when it has failed for good.
  /// - Returns: nil when somebody moved it first.
  /// - Throws: as `change`.
  @discardableResult
  public func fail(
    _ entry: TaskEntry, error: String, recoverySuggestion: String? = nil, isRetryable: Bool = true,
    delay: Double? = nil,
    startedAt: Timestamp? = nil, by: String? = nil, durability: Durability? = nil
  ) throws -> TaskEntry? {
    guard let record = try record(of: entry) else { return nil }
    let again = isRetryable && entry.state == .inProgress && entry.attempt < record.attemptsMax
    let wait = delay ?? record.backoffSeconds(after: entry.attempt, random: Double.random(in: 0...1))
    let event: TaskEvent = again ? .retry : .fail
    let notBefore = again && wait > 0 ? now().advanced(bySeconds: wait) : nil
    // That of an assigned one wasn't begun.
    let attempt = entry.state == .assigned ? entry.attempt - 1 : entry.attempt
    func fail(_ error: String, _ suggestion: String?) throws -> TaskEntry? {
      try change(entry, event, notBefore: notBefore, by: by, reason: error, durability: durability) { record in
        record.error = error
        record.recoverySuggestion = suggestion
        record.add(TaskRecord.Failure(attempt: attempt, bot: entry.bot?.description, at: now(), error: error))
        if !again { record.end(startedAt, now()) }
      }
    }
    do { return try fail(error, recoverySuggestion) } catch let tooLong as SpoolError where tooLong.code == .badData {}
    let part = Self.part(of: error)
    do { return try fail(part, recoverySuggestion.map(Self.part)) } catch let tooLong as SpoolError
      where tooLong.code == .badData
    {
      return try move(entry, event, notBefore: notBefore, by: by, reason: part)
    }
  }

  /// What is kept of an error that is too long for its task: more than anybody reads.
  private static let errorBytesMax = 64 << 10

  private static func part(of text: String) -> String {
    let count = text.utf8.count
    guard count > errorBytesMax else { return text }
    // Without half a character.
    let start = text.unicodeScalars[..<text.utf8.index(text.startIndex, offsetBy: errorBytesMax)]
    return "\(String(start))… (\(count) bytes)"
  }

  /// Takes a task from a holder that died or took too long: back to `pending/` or, after its last attempt, to `failed/`.
  /// That counts as a failure of the holder, so that another is preferred.
  /// - Returns: nil when somebody moved it first.
  /// - Throws: as `change`; but a reason for which the task's file has no room goes into the log alone, and so does
  ///   one for which the disk has none, unless that was the last attempt.
  @discardableResult
  public func expire(_ entry: TaskEntry, reason: String, by: String? = nil) throws -> TaskEntry? {
    guard let record = try record(of: entry) else { return nil }
    let isLast = entry.attempt >= record.attemptsMax
    do {
      return try change(entry, isLast ? .fail : .expire, by: by, reason: isLast ? nil : reason) { record in
        record.error = isLast ? "\(Self.givenUp(entry.attempt)); the last: \(reason)" : reason
        if isLast { record.end(nil, now()) }
        record.add(TaskRecord.Failure(attempt: entry.attempt, bot: entry.bot?.description, at: now(), error: reason))
      }
    } catch let error as SpoolError where error.code == .badData || (error.isForLackOfRoom && !isLast) {
      // No room, in the task or on the disk, to say so there: the log says it.
      return try move(entry, isLast ? .fail : .expire, by: by, reason: reason)
    }
  }

  /// The task's work is done.
  /// - Parameters:
  ///   - result: nil keeps one that it has.
  ///   - confidence: 0 to 1; `.badData` for any other.
  /// - Returns: nil when somebody moved it first.
  /// - Throws: as `change`; `.badData` for a result that is too long or too deep.
  @discardableResult
  public func complete(
    _ entry: TaskEntry, result: JSONText?, confidence: Double? = nil, learnings: [String] = [],
    startedAt: Timestamp? = nil, by: String? = nil, durability: Durability? = nil
  ) throws -> TaskEntry? {
    try change(entry, .complete, by: by, durability: durability) { record in
      record.result = result ?? record.result
      record.confidence = confidence ?? record.confidence
      record.learnings += learnings
      record.progress = 100
      record.error = nil
      record.recoverySuggestion = nil
      record.end(startedAt, now())
    }
  }

  /// Nobody can go on with it until somebody unblocks it.
  /// - Parameter dependency: the task that failed, when that is why.
  /// - Returns: nil when somebody moved it first.
  /// - Throws: as `change`.
  @discardableResult
  public func block(
    _ entry: TaskEntry, reason: String, on dependency: MessageID? = nil, by: String? = nil
  ) throws -> TaskEntry? {
    try change(entry, .block, by: by, reason: reason) { record in
      record.blockedReason = reason
      record.blockedBy = dependency
    }
  }
}

extension TaskRecord {
  /// - Parameter started: nil keeps what the task says.
  public mutating func end(_ started: Timestamp?, _ ended: Timestamp) {
    startedAt = started ?? startedAt
    completedAt = ended
    blockedReason = nil
    blockedBy = nil
  }
}
