import SpoolFormat

/// What is done to a task together with those that belong to it.
extension Spool {
  /// Ends a task that nobody wants any more, and all that are its children, however deep, and haven't ended.
  /// The task itself goes first, so that nothing follows from the end of its children; killed in between, the same call
  /// does the rest.
  /// - Returns: what was cancelled, in that order.
  /// - Throws: `.notAllowed` when there is nothing to cancel.
  public func cancelWithChildren(_ entry: TaskEntry, reason: String? = nil, by: String? = nil) throws -> [TaskEntry] {
    var cancelled: [TaskEntry] = []
    if entry.state != .cancelled {
      cancelled.append(try persisting(entry) { try cancel($0, reason: reason, by: by) })
    }
    let why = reason ?? "\(entry.id), which it was a part of, was cancelled"
    var problem: (any Error)?
    for child in try descendants(of: entry.id, &problem) where !child.state.isFinal {
      try persisting(child.entry) { entry -> Void? in
        if entry.state.isFinal { return () }
        guard let moved = try cancel(entry, reason: why, by: by) else { return nil }
        cancelled.append(moved)
        return ()
      }
    }
    if let problem { throw problem }
    if cancelled.isEmpty { _ = try Self.entry(after: .cancel, entry) }
    return cancelled
  }

  /// All that are children of a task, and children of these; each after its parent.
  /// Cost: reads the tasks that aren't older.
  public func descendants(of id: MessageID) throws -> [StoredTask] {
    var problem: (any Error)?
    let found = try descendants(of: id, &problem)
    if let problem { throw problem }
    return found
  }

  /// - Parameter problem: why one couldn't be read, which may be among them; one that is no task belongs to nobody.
  private func descendants(of id: MessageID, _ problem: inout (any Error)?) throws -> [StoredTask] {
    var children: [MessageID: [StoredTask]] = [:]
    let others = try tasks(addedWith: id) { error in
      if (error as? SpoolError)?.code != .badData { problem = problem ?? error }
    }
    for task in others { if let parent = task.record.parent { children[parent, default: []].append(task) } }
    var found: [StoredTask] = []
    var open = [id]
    var seen: Set<MessageID> = [id]
    while !open.isEmpty {
      let next = open.removeFirst()
      for child in (children[next] ?? []).sorted(by: { $0.id < $1.id }) where seen.insert(child.id).inserted {
        found.append(child)
        open.append(child.id)
      }
    }
    return found
  }

  /// Once more, from the beginning, a task that failed or was cancelled, and what failed or was cancelled with it: the
  /// children of one that waits for its children, the parents that waited for it and failed, and what was cancelled
  /// because it depends on it. What has to wait gets back to `blocked/`, all else to `pending/`.
  /// The task itself goes first (one that waits for its children after these); killed in between, the same call does
  /// the rest.
  /// - Returns: what was brought back.
  /// - Throws: `.notAllowed` when there is nothing to bring back, something that it depends on has failed, or it stands
  ///   for a group.
  public func retryWithRelatives(_ entry: TaskEntry, by: String? = nil) throws -> [TaskEntry] {
    guard let task = try task(entry.id) else {
      throw SpoolError(.notFound, "\(entry.id) is gone", hint: "see: spool trace \(entry.id)")
    }
    guard Self.groupAsWhole(task.record) == nil else {
      throw SpoolError(
        .notAllowed, "cannot retry \(task.id): it ended with its group", hint: "announce it again: spool announce")
    }
    let relatives = try relativesToBringBack(task)
    guard !relatives.isEmpty else {
      throw SpoolError(
        .notAllowed, "cannot retry \(task.id): it is \(task.state.rawValue), and neither failed nor was cancelled",
        hint: task.state == .inProgress ? "take it from its holder with: spool task release \(task.id)" : nil)
    }
    let ids = Set(relatives.map(\.id))
    var back: [TaskEntry] = []
    for relative in relatives {
      if let moved = try bringBack(relative, with: ids, isOptional: relative.id != task.id, by: by) {
        back.append(moved)
      }
    }
    // A parent may have failed while these were brought back, because they had.
    for relative in try relativesToBringBack(task) where !ids.contains(relative.id) {
      if let moved = try bringBack(relative, with: ids, isOptional: true, by: by) { back.append(moved) }
    }
    // Blocked ones may have nothing left to wait for, and others were blocked because these had failed.
    for entry in back where entry.state == .blocked { try settle(entry) }
    try settleDependents(of: back.map(\.id))
    return back
  }

  /// What failed or was cancelled with a task, in the order in which it is to be brought back.
  private func relativesToBringBack(_ task: StoredTask) throws -> [StoredTask] {
    var found: [MessageID: StoredTask] = [:]
    var order: [MessageID] = []
    // Those whose children come with them: not the parents, whose other children are another matter.
    var open: [(task: StoredTask, bringsChildren: Bool)] = []
    func add(_ task: StoredTask, bringsChildren: Bool) {
      guard found[task.id] == nil, task.state == .failed || task.state == .cancelled,
        Self.groupAsWhole(task.record) == nil
      else { return }
      found[task.id] = task
      order.append(task.id)
      open.append((task, bringsChildren))
    }
    add(task, bringsChildren: true)
    // Brought back already, by a call that was killed: its relatives may not be.
    if found.isEmpty { open = [(task, false)] }
    let cancelled = try cancelledByDependencies()
    while let (next, bringsChildren) = open.popLast() {
      if bringsChildren, next.record.awaitsChildren {
        for child in try children(of: next.record) { add(child, bringsChildren: true) }
      }
      if let parent = try next.record.parent.flatMap({ try self.task($0) }), parent.record.awaitsChildren,
        parent.state == .failed
      {
        add(parent, bringsChildren: false)
      }
      for dependent in cancelled where dependent.record.dependsOn.contains(next.id) {
        add(dependent, bringsChildren: true)
      }
    }
    // One that waits for its children would go on at once if it came before them.
    func depth(_ id: MessageID) -> Int {
      var depth = 0
      var next = found[id]?.record.parent
      while let id = next, depth < found.count {
        depth += 1
        next = found[id]?.record.parent
      }
      return depth
    }
    let tasks = order.map { found[$0]! }
    let parents = tasks.filter(\.record.awaitsChildren).sorted { depth($0.id) > depth($1.id) }
    return tasks.filter { !$0.record.awaitsChildren } + parents
  }

  /// Those that were cancelled because something that they depend on was, or failed.
  private func cancelledByDependencies() throws -> [StoredTask] {
    try tasks(in: [.cancelled]).compactMap { entry in
      guard let record = try? record(of: entry), record.onDependencyFailure == .cancel, !record.dependsOn.isEmpty,
        let last = try History(self).lastOfTask(entry.id), last.text("by") == TaskDependencies.author
      else { return nil }
      return StoredTask(entry: entry, record: record)
    }
  }

  /// - Returns: nil when somebody else brought it back, or when it can't be, and needn't.
  func bringBack(
    _ task: StoredTask, with others: Set<MessageID>, isOptional: Bool, by: String?
  ) throws -> TaskEntry? {
    let found = try findTasks(Set(task.record.dependsOn))
    let children = task.record.awaitsChildren ? try children(of: task.record) : []
    func state(_ entry: TaskEntry) -> TaskState { others.contains(entry.id) ? .pending : entry.state }
    switch TaskDependencies.verdict(
      task.record, states: { found[$0].map(state) }, children: children.map { state($0.entry) })
    {
    case .ready:
      guard let pending = try retry(task.entry, by: by) else { return nil }
      guard let bot = task.record.assignTo else { return pending }
      return try assign(pending, to: bot, by: by) ?? pending
    case .waiting, .joined:
      return try change(task.entry, .block, by: by, reason: "once more") { record in
        record.error = nil
        record.recoverySuggestion = nil
        record.completedAt = nil
        record.blockedReason = nil
        record.blockedBy = nil
      }
    case .failed(let dependency, let state):
      if isOptional { return nil }
      let what = state == .failed ? "failed" : "was cancelled"
      throw SpoolError(
        .notAllowed, "cannot retry \(task.id): \(dependency), which it depends on, \(what)",
        hint: "first: spool task retry \(dependency)")
    }
  }

  /// Lets a blocked task go on: one that somebody blocked as soon as nothing else is missing.
  /// - Parameter isForced: whatever it waits for.
  /// - Returns: where it stands then, which may be `blocked/` still.
  /// - Throws: `.notAllowed` when it waits for others, or stands for a group; also when it is forced, and ends with its
  ///   children; `.badData` when it can't be read; else as `persisting`.
  public func unblockTask(_ entry: TaskEntry, isForced: Bool = false, by: String? = nil) throws -> TaskEntry {
    try persisting(entry) { (entry) -> TaskEntry? in
      guard let record = try record(of: entry) else { return nil }
      if let group = Self.groupAsWhole(record) {
        throw SpoolError(
          .notAllowed, "cannot unblock \(entry.id): it ends with its group", hint: "see: spool group show \(group)")
      }
      guard !record.isJoin || !isForced else { throw Self.nobodyWorks(on: entry) }
      if isForced || entry.state != .blocked {
        guard let pending = try unblock(entry, by: by) else { return nil }
        guard let bot = record.assignTo else { return pending }
        return try assign(pending, to: bot, by: by) ?? pending
      }
      if record.blockedReason != nil, record.blockedBy == nil {
        let cleared = try change(entry, .block, by: by, reason: "unblocked") { $0.blockedReason = nil }
        return try cleared.map { try settle($0) ?? findTask($0.id) ?? $0 }
      }
      if let settled = try settle(entry) { return settled }
      let why = try record.blockedReason ?? "it waits for \(missing(record))"
      throw SpoolError(
        .notAllowed, "cannot unblock \(entry.id): \(why)", hint: "it begins by itself; whatever is missing: --force")
    }
  }

  /// What a blocked task waits for, in words.
  private func missing(_ record: TaskRecord) throws -> String {
    let found = try findTasks(Set(record.dependsOn))
    let open = record.dependsOn.filter { found[$0]?.state != .completed }
    guard !open.isEmpty else { return "its children" }
    let some = open.prefix(3).map { "\($0) (\(found[$0]?.state.rawValue ?? "gone"))" }.joined(separator: ", ")
    return open.count > 3 ? "\(some) and \(open.count - 3) more" : some
  }
}
