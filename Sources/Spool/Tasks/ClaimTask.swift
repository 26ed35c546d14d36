import SpoolFormat

/// Taking a task in hand, and doing something to one that is in hand: for a bot that looks for work itself, and for
/// commands, of which each sees the task anew.
extension Spool {
  /// Begins a task for a bot: one that is pending, or assigned to that bot.
  /// - Parameter worker: the process that works on it, and renews it; nil when it is taken by hand.
  /// - Throws: `.noSuchBot`; `.notPermitted` for another user's bot; `.notAllowed`, saying whose it is, or what it
  ///   waits for; `.badData` when it can't be read; else as `persisting`.
  public func claimTask(_ entry: TaskEntry, for bot: BotName, worker: Holder? = nil, by: String? = nil) throws
    -> TaskEntry
  {
    try require(bot)
    try requireOwn(bot, to: "take tasks for")
    return try persisting(entry) { entry in
      if let owner = entry.bot, owner != bot, !entry.state.isFinal {
        let verb = entry.state == .assigned ? "is assigned to \(owner)" : "is in the hands of \(owner)"
        let cure = entry.state == .assigned ? "assign \(entry.id) \(bot)" : "release \(entry.id)"
        throw SpoolError(
          .notAllowed, "\(bot) cannot claim \(entry.id): it \(verb) (attempt \(entry.attempt))",
          hint: "first: spool task \(cure)")
      }
      guard entry.state == .pending || entry.state == .assigned else {
        let isOwn = entry.state == .inProgress
        throw SpoolError(
          .notAllowed,
          "\(bot) cannot claim \(entry.id): \(isOwn ? "\(bot) has it in hand already" : "it is \(entry.state.rawValue)")",
          hint: isOwn
            ? "its claim is \(entry.name)"
            : entry.state == .blocked ? "see what it waits for: spool task show \(entry.id)" : nil)
      }
      if entry.state == .pending, let record = try record(of: entry) {
        if let other = record.assignTo, other != bot {
          throw SpoolError(
            .notAllowed, "\(bot) cannot claim \(entry.id): only \(other) is to do it",
            hint: "all the same: spool task assign \(entry.id) \(bot)")
        }
        guard !record.isJoin else { throw Self.nobodyWorks(on: entry) }
      }
      return try start(entry, bot: bot, worker: worker, by: by)
    }
  }

  static func nobodyWorks(on entry: TaskEntry) -> SpoolError {
    SpoolError(
      .notAllowed, "nobody works on \(entry.id): it ends by itself when its children have",
      hint: "see: spool task tree \(entry.id)")
  }

  /// Begins the most urgent task that a bot may do: one that was assigned to it, or a pending one that suits it.
  /// Cost: a listing of what is pending and assigned, and one file read for each pending one that is tried.
  /// - Returns: nil when there is none.
  /// - Throws: `.noSuchBot`; `.badData` for its card; `.notPermitted` for another user's bot.
  public func claimNextTask(for bot: BotName, worker: Holder? = nil, by: String? = nil) throws -> TaskEntry? {
    let card = try card(of: bot)
    try requireOwn(bot, to: "take tasks for")
    let now = now()
    let waiting = try tasks(in: [.pending, .assigned]).filter { entry in
      entry.state == .assigned ? entry.bot == bot : entry.notBefore.map { $0 <= now } ?? true
    }
    for entry in waiting.sorted(by: { $0.name < $1.name }) {
      if entry.state == .pending {
        // One that can't be read stops nobody.
        guard let record = try? record(of: entry), !record.isJoin,
          record.assignTo.map({ $0 == bot }) ?? card.suits(record)
        else { continue }
      }
      if let started = try start(entry, bot: bot, worker: worker, by: by) { return started }
    }
    return nil
  }

  /// The task in progress that a text means: a part of its id, or a claim (the name of its file, which bears its attempt
  /// and its bot).
  /// - Parameter bot: who says that it has it; nil for somebody who doesn't say.
  /// - Throws: `.claimLost` when the attempt that is named, or the bot's, is over; `.notFound`; `.badData`.
  public func taskInHand(named text: String, of bot: BotName? = nil) throws -> TaskEntry {
    let last = text.split(separator: "/").last.map(String.init) ?? text
    let whole = last.hasSuffix(".json") ? String(last.dropLast(5)) : last
    let parts = whole.split(separator: "~", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
    // A copy may lie elsewhere: what is named as a whole is that file.
    let exact: TaskEntry? = try EntryName("\(whole).json", of: .task).flatMap { try self.entry(of: $0) }
    let entry = try exact ?? task(named: parts[0])
    if parts.count > 1 {
      guard let attempt = Int(parts[1]) else {
        throw SpoolError(
          .badData, "\(last.prefix(160).description.escapedForTerminal()) is neither a part of an id nor a claim",
          hint: "see: spool task list")
      }
      let isSame =
        entry.attempt == attempt && (parts.count < 3 || entry.name.description.hasSuffix("~\(parts[2]).json"))
      guard entry.state == .inProgress, isSame else { throw lost(entry, "attempt \(attempt) at \(entry.id) is over") }
    }
    if let bot, entry.state != .inProgress || entry.bot != bot {
      throw lost(entry, "\(bot) doesn't have \(entry.id) in hand")
    }
    return entry
  }

  private func lost(_ entry: TaskEntry, _ what: String) -> SpoolError {
    let holder = entry.bot.map { entry.state == .assigned ? " to \($0)" : " by \($0)" } ?? ""
    let state = entry.state == .inProgress ? "in progress" : entry.state.rawValue
    return SpoolError(
      .claimLost, "\(what), and nothing was changed: it is \(state)\(holder), attempt \(entry.attempt)",
      hint: "see: spool trace \(entry.id)")
  }

  /// Does something to a task as long as it stands where it stood: `body` returns nil when it didn't find it there, and
  /// is called again when it is back, as after another's change of its progress.
  /// - Throws: `.claimLost` when it stands elsewhere; else as `persisting`.
  public func holding<Result>(_ entry: TaskEntry, _ body: (TaskEntry) throws -> Result?) throws -> Result {
    try persisting(entry) { found in
      guard found == entry else { throw lost(found, "somebody moved \(entry.id)") }
      return try body(entry)
    }
  }

  /// Does something to a task wherever it stands: `body` returns nil when somebody moved it first, and is called again
  /// with where it stands then.
  /// - Throws: what `body` throws; `.notFound`; `.tryAgain` when others were first a hundred times, or one
  ///   is just moving it.
  public func persisting<Result>(_ entry: TaskEntry, _ body: (TaskEntry) throws -> Result?) throws -> Result {
    var entry = entry
    for _ in 0..<100 {
      if let result = try body(entry) { return result }
      guard let found = try findTask(entry.id) else {
        if try isOnTheMove(entry.id) { break }
        throw SpoolError(.notFound, "\(entry.id) is gone", hint: "see: spool trace \(entry.id)")
      }
      entry = found
    }
    throw SpoolError(.tryAgain, "\(entry.id) keeps being changed by others", hint: "try again in a moment")
  }
}
