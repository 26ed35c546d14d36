import Glibc
import Linux
import SpoolFormat

/// Transitions that leave a task's content as it is: one rename, which only one can win, and then a line in the log. Each
/// returns where the task stands then, or nil when somebody else moved it first; killed in between, the move counts, and
/// whoever notices it logs it. `.inputOutput` and its like are thrown by each, too.
extension Spool {
  /// Gives a pending task to a bot, or an assigned one to another. Whether there is such a bot isn't looked at.
  /// - Throws: `.notAllowed` from any other state.
  @discardableResult
  public func assign(
    _ entry: TaskEntry, to bot: BotName, by: String? = nil, reason: String? = nil
  ) throws -> TaskEntry? {
    guard let assigned = try move(entry, .assign, bot: bot, by: by, reason: reason) else { return nil }
    ring(bot)
    return assigned
  }

  /// Begins an attempt: from `assigned/`, or from `pending/` without having been asked.
  /// - Parameter worker: the process that works on it, and renews it; nil for a person, who doesn't.
  /// - Throws: `.notAllowed` from any other state.
  @discardableResult
  public func start(_ entry: TaskEntry, bot: BotName, worker: Holder?, by: String? = nil) throws -> TaskEntry? {
    try move(entry, .start, bot: bot, worker: worker, by: by ?? bot.description)
  }

  /// Gives a task back that was assigned (the attempt isn't counted), or that was begun.
  /// - Parameter isUnseen: nobody was told of it since it was begun: that isn't counted either.
  /// - Throws: `.notAllowed` from any other state.
  @discardableResult
  public func release(
    _ entry: TaskEntry, reason: String? = nil, notBefore: Timestamp? = nil, by: String? = nil, isUnseen: Bool = false
  ) throws -> TaskEntry? {
    try move(entry, .release, notBefore: notBefore, by: by, reason: reason, isUnseen: isUnseen)
  }

  /// Ends a task that nobody wants any more; not its children.
  /// - Throws: `.notAllowed` when it is completed or cancelled.
  @discardableResult
  public func cancel(_ entry: TaskEntry, reason: String? = nil, by: String? = nil) throws -> TaskEntry? {
    try move(entry, .cancel, by: by, reason: reason)
  }

  /// What it waited for is there.
  /// - Throws: `.notAllowed` when it isn't blocked.
  @discardableResult
  public func unblock(_ entry: TaskEntry, by: String? = nil) throws -> TaskEntry? {
    try move(entry, .unblock, by: by)
  }

  /// Once more, from the beginning, a task that failed or was cancelled. It gets one attempt at least.
  /// - Throws: `.notAllowed` when it is pending, assigned, blocked or completed.
  @discardableResult
  public func retry(_ entry: TaskEntry, by: String? = nil) throws -> TaskEntry? {
    try move(entry, .retry, by: by)
  }

  /// Renews the lease of a task in progress. C: utimensat(2).
  /// - Returns: false when it is somebody else's by now, or was moved.
  /// - Throws: `.inputOutput` and its like.
  public func renew(_ entry: TaskEntry) throws -> Bool {
    try doing("cannot renew \(entry.id)") { try root.touch(entry.path) }
  }

  func move(
    _ entry: TaskEntry, _ event: TaskEvent, bot: BotName? = nil, worker: Holder? = nil, notBefore: Timestamp? = nil,
    by: String?, reason: String? = nil, isUnseen: Bool = false
  ) throws -> TaskEntry? {
    let moved = try Self.entry(
      after: event, entry, bot: bot, worker: worker, notBefore: notBefore, isUnseen: isUnseen)
    do {
      guard try root.renameIfPresent(entry.path, to: moved.path) else { return nil }  // commit
      // A lease begins now, not when the file was written.
      if moved.state == .inProgress { _ = try? root.touch(moved.path) }
    } catch { throw SpoolError("cannot \(event.rawValue) \(entry.id)", error) }
    note(event.kind, entry.id.description) {
      writeEvent(moved, from: entry, by: by, reason: reason, to: &$0)
    }
    if entry.bot != nil, entry.bot != moved.bot || moved.state.isFinal { ring(entry.bot) }
    return moved
  }

  /// Where a task stands after an event.
  /// - Throws: `.notAllowed`, naming what is allowed.
  static func entry(
    after event: TaskEvent, _ entry: TaskEntry, bot: BotName? = nil, worker: Holder? = nil, notBefore: Timestamp? = nil,
    isUnseen: Bool = false
  ) throws -> TaskEntry {
    guard let state = entry.state.after(event) else { throw refusal(of: event, entry) }
    var name = entry.name
    // Moved to `assigned/` by a hand that gave it to nobody, its attempt wasn't counted.
    let isUncounted = entry.state == .pending || entry.isGivenToNobody
    let isTaken = state == .assigned || state == .inProgress
    if isTaken, isUncounted { name.attempt = min(name.attempt + 1, EntryName.attemptMax) }
    // What was assigned and never begun was no attempt, nor what nobody was told of.
    let wasBegun = entry.state != .assigned && !isUnseen
    if !isTaken, !isUncounted, !wasBegun { name.attempt = max(0, name.attempt - 1) }
    switch state {
    case .pending: name.place = notBefore.map { .waitingUntil($0) } ?? .waiting
    case .blocked: name.place = .waiting
    case .assigned: name.place = bot.map { .bot($0, nil) } ?? .waiting
    case .inProgress: if event == .start { name.place = bot.map { .bot($0, worker) } ?? .waiting }
    case .completed, .failed, .cancelled: name.place = entry.bot.map { .bot($0, nil) } ?? .waiting
    }
    return TaskEntry(state: state, name: name)
  }

  private static func refusal(of event: TaskEvent, _ entry: TaskEntry) -> SpoolError {
    let allowed = entry.state.allowed.compactMap { $0.verb(from: entry.state) }
    return SpoolError(
      .notAllowed, "cannot \(event.rawValue) \(entry.id): it is \(entry.state.rawValue)",
      hint: allowed.isEmpty
        ? "nothing can be done with it any more" : "allowed now: \(allowed.joined(separator: ", "))")
  }

  /// Refuses to complete a task that nobody has begun. Of what is blocked, a join ends so; what else does (the task of
  /// a group) is ended by whoever made it.
  public func requireBegun(_ entry: TaskEntry) throws {
    guard entry.state == .blocked, try record(of: entry)?.isJoin == false else { return }
    throw Self.refusal(of: .complete, entry)
  }

  /// The data of an event: where the task stands, and its body where that is new.
  func writeEvent(
    _ entry: TaskEntry, from: TaskEntry? = nil, by: String?, reason: String?, body: [UInt8]? = nil,
    to writer: inout JSONWriter
  ) {
    writer.beginObject()
    writer.member("state", entry.state.rawValue)
    writer.member("from", ifPresent: from?.state.rawValue)
    writer.member("attempt", entry.attempt)
    writer.member("bot", ifPresent: (entry.bot ?? from?.bot)?.description)
    writer.member("by", ifPresent: by)
    writer.member("reason", ifPresent: reason)
    writer.member("name", entry.name.description)
    if let body {
      writer.key("task")
      writer.raw(body.dropLast())
    }
    writer.endObject()
  }
}

extension TaskRecord {
  /// Keeps the last `failuresMax`.
  mutating func add(_ failure: Failure) {
    failures.append(failure)
    failures.removeFirst(max(0, failures.count - Self.failuresMax))
  }
}

extension TaskEvent {
  /// What the command for it is called; nil when there is none for a task that stands there.
  fileprivate func verb(from state: TaskState) -> String? {
    switch (self, state) {
    case (.start, _): "claim"
    case (.expire, _), (.retry, .inProgress), (.complete, .blocked): nil
    default: rawValue
    }
  }

  /// As the log calls it.
  var kind: LogEvent.Kind {
    switch self {
    case .assign: .taskAssigned
    case .start: .taskStarted
    case .progress: .taskProgressed
    case .complete: .taskCompleted
    case .fail: .taskFailed
    case .block: .taskBlocked
    case .unblock: .taskUnblocked
    case .cancel: .taskCancelled
    case .retry: .taskRetried
    case .release: .taskReleased
    case .expire: .taskExpired
    }
  }
}

/// Moves that somebody made with `mv`.
extension Spool {
  /// Logs a move that nobody logged, as done by somebody unknown, if it is one that a task may make; else puts the task back
  /// where it was, and logs that.
  /// - Parameter from: where it stood before, if that is known.
  /// - Returns: where it stands now; nil when it was moved on meanwhile.
  /// - Throws: `.inputOutput` and its like.
  @discardableResult
  public func acknowledgeMove(_ entry: TaskEntry, from: TaskEntry?) throws -> TaskEntry? {
    // Within one state only the name was changed: another urgency, another holder.
    let isTransition = from.map { $0.state == entry.state || $0.state.event(movingTo: entry.state) != nil } ?? true
    // It would stay so.
    let isNobodys = entry.isGivenToNobody
    guard try doing("cannot look at \(entry.id)", { try root.status(entry.path) }) != nil else { return nil }
    guard let from, !isTransition || isNobodys else {
      note(.taskMoved, entry.id.description) {
        writeEvent(entry, from: from, by: "unknown", reason: "its file was moved", to: &$0)
      }
      // Whoever had it must hear that, and so must whoever has it now.
      for bot in Set([from?.bot, entry.bot].compactMap { $0 }) { ring(bot) }
      return entry
    }
    let isOurs = try doing("cannot put \(entry.id) back") { try root.renameIfPresent(entry.path, to: from.path) }
    guard isOurs else { return nil }
    let allowed = from.state.allowed.compactMap { from.state.after($0)?.rawValue }
    let reason =
      isTransition
      ? "put back: the name of a task that is assigned ends in ~BOT.json"
      : "put back: a task that is \(from.state.rawValue) can't become \(entry.state.rawValue)"
        + (allowed.isEmpty ? "" : ", only " + Set(allowed).sorted().joined(separator: ", "))
    note(.taskMoved, entry.id.description) {
      writeEvent(from, from: entry, by: "unknown", reason: reason, to: &$0)
    }
    return from
  }
}
