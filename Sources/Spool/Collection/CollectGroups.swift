import Linux
import SpoolFormat

extension Spool {
  /// Removes the files of groups that were dissolved, or failed, so many seconds ago, once those of their tasks are gone.
  /// The log keeps what they said, or has it once more when it had forgotten it.
  /// Cost: reads each such group's file, and lists all tasks.
  /// - Returns: how many.
  /// - Throws: `.tryAgain` when somebody else is collecting; `.notPermitted` where users share the spool, for all but root.
  public func collectGroups(olderThan seconds: Double, dryRun: Bool = false) throws -> Int {
    _ = try log
    return try doing("cannot collect the groups of \(path)") {
      let turn = try takeCollectionTurn()
      defer { _ = try? turn.unlock() }
      defer { leaveMoving() }
      let unneeded = try unneededGroups(olderThan: seconds)
      if dryRun || unneeded.isEmpty { return unneeded.count }
      try root.makeDirectory(Layout.groupsMoving)
      try root.makeDirectory(Layout.groupsMoving(by: holder))
      hasMovingDirectory.store(true, ordering: .relaxed)
      let forgotten = try Forgotten.until(in: root)
      return try unneeded.count { entry in
        try remove(entry, isForgotten: forgotten.map { entry.id.time < $0 } ?? false)
      }
    }
  }

  private func unneededGroups(olderThan seconds: Double) throws -> [GroupEntry] {
    // Of these the hub died before it had acked the announcement: without its group that would be formed anew.
    var announced: Set<MessageID> = []
    for box in [Layout.Box.inbox, .claimed, .tmp] {
      try root.list(Layout.box(Self.hub, box)) { if let id = EntryName($0)?.id { announced.insert(id) } }
    }
    var tasks: [GroupEntry: Set<MessageID>] = [:]
    for entry in try groups(in: [.dissolved, .failed]) where !announced.contains(entry.id) {
      guard let status = try root.status(entry.path), Double(statusAge(status)) >= seconds * 1e9 else { continue }
      // One that can't be read is left to a person.
      do {
        guard let group = try record(of: entry) else { continue }
        tasks[entry] = Set(group.parts.map(\.task) + [group.task].compactMap { $0 })
      } catch let error as SpoolError where error.code == .badData { continue }
    }
    // What is on the move is nowhere for a moment, and no less there.
    let there = try Set(findTasks(tasks.values.reduce(into: []) { $0.formUnion($1) }).keys).union(tasksOnTheMove())
    return tasks.filter { there.isDisjoint(with: $0.value) }.keys.sorted { $0.id < $1.id }
  }

  /// - Returns: false when somebody moved it first: one that failed may be formed once more by hand.
  private func remove(_ entry: GroupEntry, isForgotten: Bool) throws -> Bool {
    let began = Clock.withSleep()
    let path = Layout.groupMoving(by: holder, raw: GroupMove(.old, entry).fileName)
    guard try root.renameIfPresent(entry.path, to: path) else { return false }
    do {
      let body = isForgotten ? try bodyToLog(at: path, GroupRecord.bytesMax) : nil
      let receipt = try log.append(
        .groupRemoved, entry.id.description, reserving: (body?.count ?? 0) + 512,
        unless: { try self.wasTakenBack(path, since: began) }
      ) { writer in self.writeEvent(entry, from: nil, by: "gc", reason: nil, body: body, to: &writer) }
      if receipt == nil { return false }
    } catch {
      // What is logged is gone, though its file be here still.
      let isLogged = (try? History(self).lastOfGroup(entry.id))??.kind == .groupRemoved
      if !isLogged { _ = try? root.renameIfPresent(path, to: entry.path) }
      throw error
    }
    // commit: whoever settles our directory removes it, should this process die now.
    try root.unlinkIfPresent(path)
    return true
  }
}
