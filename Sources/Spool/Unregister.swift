import Glibc
import Linux
import SpoolFormat

extension Spool {
  /// Removes a bot for which nothing is left to do: no message waits, is in hand or dead, no task is its own, and no
  /// process runs it. Its subscriptions end. What it said and did stays in the log. A send at that moment is first, so
  /// that the bot stays, or finds no such bot. One whose removal was killed is removed to the end.
  /// - Throws: `.noSuchBot`; `.tryAgain`, which says what is left, and changes nothing; `.notPermitted`.
  public func unregister(_ bot: BotName) throws {
    guard try exists(bot) || isClosed(bot) else { throw noSuchBot(bot.description) }
    try requireOwn(bot, to: "unregister")
    try alone(with: bot) {
      if try isClosed(bot) { try reopen(bot) }
      try requireNothingLeft(of: bot)
      try doing("cannot unregister \(bot)") {
        try close(bot)
        for topic in try topics() { try unsubscribe(bot, from: topic) }
        try removeRest(of: bot)
      }
    }
    note(.botUnregistered, bot.description) { writer in
      writer.beginObject()
      writer.endObject()
    }
  }

  /// One at a time makes a bot whole, or removes it. A directory can't be locked on a network file system.
  /// - Throws: `.noSuchBot` when its directory isn't there; `.tryAgain` when another takes seconds.
  func alone<Result>(with bot: BotName, _ body: () throws -> Result) throws -> Result {
    guard !root.isRemote else { return try body() }
    let deadline = Clock.sinceBoot() + 2_000_000_000
    while true {
      guard let turn = try turn(with: bot) else { return try body() }
      if try turn.tryLock() {
        // It may have been removed, and made anew, before the lock was ours.
        let inode = try directory(of: bot).status().inode
        if try isShared || inode == turn.status().inode { return try body() }
      }
      guard Clock.sinceBoot() < deadline else {
        throw SpoolError(.tryAgain, "another process is making or removing \(bot)", hint: "try again")
      }
      _ = try Poll.wait([], nanoseconds: 2_000_000)
    }
  }

  /// What is locked for that: the bot's directory. Where users share the spool, others could hold that for ever, and each
  /// has one for all of his bots; nil when somebody has taken its place.
  private func turn(with bot: BotName) throws -> Descriptor? {
    guard let user = sharing?.user else { return try directory(of: bot) }
    return try root.openPrivate(Layout.botsLock(of: user), of: user)
  }

  private func directory(of bot: BotName) throws -> Descriptor {
    // With the dot, through a link to where somebody keeps it.
    do { return try root.open("\(Layout.bot(bot))/.", O_RDONLY | O_DIRECTORY) } catch {
      guard error.code == ENOENT else { throw error }
      throw noSuchBot(bot.description)
    }
  }

  /// Whether a removal of the bot is under way, or was killed half-way.
  func isClosed(_ bot: BotName) throws(SystemCallError) -> Bool {
    guard let status = try root.status(Layout.box(bot, .tmp)) else { return false }
    return status.isRegular && status.size == 0
  }

  /// Takes a removal back, as far as it went.
  func reopen(_ bot: BotName) throws(SystemCallError) {
    if try isClosed(bot) { try root.unlinkIfPresent(Layout.box(bot, .tmp)) }
    try makeBoxes(of: bot)
  }

  // MARK: What is left

  private func requireNothingLeft(of bot: BotName) throws {
    settleDone(bot)
    let count = try count(bot)
    let tasks = try tasksLeft(of: bot)
    let left = [
      (count.waiting, "messages that wait", "spool inbox \(bot), which --clear --delayed empties"),
      (count.claimed, "messages in hand", "spool inbox \(bot)"),
      (count.dead, "dead letters", "spool dead \(bot)"), (tasks, "unfinished tasks", "spool task list --bot \(bot)"),
    ].filter { $0.0 > 0 }
    guard left.isEmpty else {
      var hints: [String] = []
      for (_, _, hint) in left where !hints.contains(hint) { hints.append(hint) }
      throw SpoolError(
        .tryAgain,
        "\(bot) still has \(left.map { "\($0.1) (\($0.0))" }.joined(separator: ", ")), and nothing was removed",
        hint: "settle them first; see: \(hints.joined(separator: ", "))")
    }
    if let holder = try presence(of: bot).first {
      throw SpoolError(
        .tryAgain, "process \(holder.pid) on \(holder.host) runs \(bot), and nothing was removed",
        hint: canSee(holder)
          ? "end it first: kill \(holder.pid)"
          : "end it where it runs; one that is gone is known to be after \(Int(Self.silenceSecondsMax)) s")
    }
    try requireEmpty([.tmp, .inbox, .claimed, .done, .dead], of: bot)
  }

  /// Those that it has, and those that nobody else may have.
  private func tasksLeft(of bot: BotName) throws -> Int {
    try tasks(in: TaskState.allCases.filter { !$0.isFinal }).count { entry in
      entry.bot == bot || (try? record(of: entry))??.assignTo == bot
    }
  }

  private func requireEmpty(_ boxes: [Layout.Box], of bot: BotName) throws {
    for box in boxes {
      guard let found = try root.names(Layout.box(bot, box)).first(where: { !isPassing($0, in: box, of: bot) }) else {
        continue
      }
      throw SpoolError(
        .tryAgain, "\(Layout.box(bot, box)) has \(found.escapedForTerminal()) in it, and \(bot) was not removed",
        hint: "if it stays there, see: spool doctor; or move it away by hand")
    }
  }

  /// What `spool` itself leaves there, and nobody misses; and a reason whose letter somebody has moved back by hand.
  private func isPassing(_ name: String, in box: Layout.Box, of bot: BotName) -> Bool {
    switch box {
    case .tmp: name.hasPrefix(Layout.creditPrefix)
    case .inbox: Layout.isTaskBell(Array(name.utf8))
    case .dead: name.hasSuffix(".reason") && lacksLetter(name, of: bot)
    default: false
    }
  }

  private func lacksLetter(_ reason: String, of bot: BotName) -> Bool {
    do { return try root.status(Layout.entry(bot, .dead, raw: String(reason.dropLast(7)))) == nil } catch {
      return false
    }
  }

  // MARK: Removing

  /// Removing a directory decides whether something came into it since it was looked at. Who sends has a file in `tmp/`:
  /// first that gives way to a file, so that nobody begins.
  private func close(_ bot: BotName) throws {
    do {
      try remove(.tmp, of: bot)
      do { try root.open(Layout.box(bot, .tmp), O_WRONLY | O_CREAT | O_EXCL).close() } catch {
        guard error.code == EEXIST else { throw error }
        throw SpoolError(.tryAgain, "somebody is just sending to \(bot), which was not removed", hint: "try again")
      }
      try requireEmpty([.inbox, .claimed, .done, .dead], of: bot)
      for box in [.inbox, .claimed, .done, .dead] as [Layout.Box] { try remove(box, of: bot) }
      guard try tasksLeft(of: bot) == 0 else {
        throw SpoolError(.tryAgain, "\(bot) was just given a task, and was not removed")
      }
    } catch {
      try reopen(bot)
      throw error
    }
  }

  private func remove(_ box: Layout.Box, of bot: BotName) throws {
    let path = Layout.box(bot, box)
    for name in try root.names(path) where isPassing(name, in: box, of: bot) {
      try root.unlinkIfPresent(Layout.entry(bot, box, raw: name))
    }
    do { try root.removeDirectory(path) } catch {
      if error.code == ENOENT { return }
      guard error.code == ENOTEMPTY || error.code == EEXIST else { throw error }
      try requireEmpty([box], of: bot)
      throw SpoolError(.tryAgain, "somebody is just at work in \(path), and \(bot) was not removed", hint: "try again")
    }
  }

  /// What else `spool` keeps for a bot, and last what says that it is closed. Files that people put beside it stay.
  private func removeRest(of bot: BotName) throws(SystemCallError) {
    for directory in [Layout.box(bot, .presence), Layout.senders(bot), Layout.reservations(bot)] {
      for name in try root.names(directory) { try root.unlinkIfPresent("\(directory)/\(name)") }
      do { try root.removeDirectory(directory) } catch { if error.code != ENOENT { throw error } }
    }
    for file in [Layout.record(bot, for: nil), Layout.card(bot), Layout.box(bot, .tmp)] {
      try root.unlinkIfPresent(file)
    }
    do { try root.removeDirectory(Layout.bot(bot)) } catch {
      // A link to where somebody keeps it.
      if error.code == ENOTDIR { _ = try root.unlinkIfPresent(Layout.bot(bot)) }
      if error.code != ENOTEMPTY, error.code != ENOTDIR { throw error }
    }
  }
}
