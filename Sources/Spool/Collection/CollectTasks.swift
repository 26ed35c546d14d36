import Glibc
import Linux
import SpoolFormat

extension Spool {
  /// Removes the files of tasks that ended so many seconds ago, as far as all that they are connected with did: parents,
  /// children, what they depend on, and what depends on them. The log keeps what they said, or has it once more when it
  /// had forgotten it.
  /// Cost: reads every task's file; 1000 of them at a time are on the move for a moment.
  /// - Returns: how many.
  /// - Throws: `.tryAgain` when somebody else is collecting; `.notPermitted` where users share the spool, for all but root.
  public func collectTasks(olderThan seconds: Double, dryRun: Bool = false) throws -> Int {
    _ = try log
    return try doing("cannot collect the tasks of \(path)") {
      let turn = try takeCollectionTurn()
      defer { _ = try? turn.unlock() }
      defer { leaveMoving() }
      var collection = TaskCollection(self, olderThan: seconds)
      return try collection.run(dryRun: dryRun)
    }
  }
}

extension Spool {
  /// The log has all that a task or a group said, unless that was removed from there: then it has it from here on.
  func bodyToLog(at path: String, _ bytesMax: Int) throws(SystemCallError) -> [UInt8]? {
    guard let bytes = try root.readFile(path, maximum: bytesMax) else { return nil }
    return bytes.last == UInt8(ascii: "\n") ? bytes : bytes + [UInt8(ascii: "\n")]
  }
}

/// Which finished tasks nobody needs any more, and their removal.
///
/// A failed or cancelled task may be brought back at any moment, with its relatives, and a new one may come to depend on one
/// that was completed. So those that are to go are first taken out of their states, each by the rename that only one wins;
/// then what is unfinished is looked at again; and only then it is logged that they are gone, and they are.
struct TaskCollection {
  private let spool: Spool
  private let seconds: Double
  private var root: Directory { spool.root }

  /// Those that ended long enough ago.
  private var known: [TaskEntry] = []
  private var ended: Set<MessageID> = []
  private var connections = Connections()
  /// Of these nothing goes that is connected with them: they are unfinished, or ended too late, or can't be read.
  private var kept: Set<MessageID> = []
  /// Of requests that the coordinator took, and may not have answered yet: their goals.
  private var goals: [MessageID: MessageID] = [:]
  /// An unfinished one of which neither its file nor the log says what it is connected with: then nothing goes.
  private var hidden: TaskEntry?
  /// Unfinished tasks whose files were read.
  private var read: Set<TaskEntry> = []

  /// So many are on the move at once.
  private static let batchMax = 1000

  init(_ spool: Spool, olderThan seconds: Double) {
    self.spool = spool
    self.seconds = seconds
  }

  mutating func run(dryRun: Bool) throws -> Int {
    try gather()
    try requireAllKnown()
    let isKept = Set(kept.map { connections.group(of: $0) })
    var groups: [MessageID: [TaskEntry]] = [:]
    for entry in known {
      let group = connections.group(of: entry.id)
      if !isKept.contains(group) { groups[group, default: []].append(entry) }
    }
    if dryRun { return groups.values.reduce(0) { $0 + $1.count } }
    var count = 0
    var batch: [[TaskEntry]] = []
    for (_, entries) in groups.sorted(by: { $0.key < $1.key }) {
      batch.append(entries)
      guard batch.reduce(0, { $0 + $1.count }) >= Self.batchMax else { continue }
      count += try remove(batch)
      batch = []
    }
    return try count + remove(batch)
  }

  // MARK: What is needed

  private mutating func gather() throws {
    // Those that have ended first: one that ends meanwhile is among the living, or in neither.
    for entry in try spool.tasks(in: TaskState.allCases.filter(\.isFinal)) { try examine(entry) }
    try keepUnfinished()
    try keepGroups()
    try keepGoals()
  }

  private func requireAllKnown() throws {
    guard let hidden else { return }
    throw SpoolError(
      .badData, "\(hidden.path) can't be read, and what it depends on might be removed: no task was",
      hint: "mend it, or move it out of tasks/")
  }

  private mutating func examine(_ entry: TaskEntry) throws {
    // Twice, by the hand of somebody who copied it.
    let isFirst = ended.insert(entry.id).inserted
    guard isFirst, let status = try root.status(entry.path), status.isRegular,
      Double(spool.statusAge(status)) >= seconds * 1e9,
      let record = try readable(entry)
    else {
      kept.insert(entry.id)
      return
    }
    known.append(entry)
    connect(entry.id, record)
    if let field = record.extra.first(where: { $0.name == "goal" }),
      let request = field.value.value["request"]?.string.flatMap({ MessageID($0) })
    {
      goals[request] = entry.id
    }
  }

  private mutating func connect(_ id: MessageID, _ record: TaskRecord) {
    for other in record.dependsOn + record.children + [record.parent].compactMap({ $0 }) {
      connections.connect(id, other)
    }
  }

  /// Nil for one that is gone, or is none; nobody knows what that is connected with.
  private func readable(_ entry: TaskEntry) throws -> TaskRecord? {
    do { return try spool.record(of: entry) } catch let error as SpoolError where error.code == .badData { return nil }
  }

  /// What the log has as the newest of it.
  private func logged(_ id: MessageID) throws -> TaskRecord? {
    let event = try History(spool).trace(id).last { $0.taskBytes != nil }
    return event?.taskBytes.flatMap { try? TaskRecord(parsing: $0) }
  }

  /// - Returns: whether there was any that had not been read before.
  @discardableResult
  private mutating func keepUnfinished() throws -> Bool {
    var isNew = false
    var (live, adding, moving) = (Set<TaskEntry>(), Set<EntryName>(), Set<MessageID>())
    // At once, and twice: what is moved from one place to another meanwhile may be missed in both.
    for _ in 0..<2 {
      live.formUnion(try spool.tasks(in: TaskState.live))
      adding.formUnion(try root.names(Layout.tasksTemporary).compactMap { EntryName($0) })
      for mover in try root.names(Layout.tasksMoving) where Holder(mover) != spool.holder {
        moving.formUnion(try root.names("\(Layout.tasksMoving)/\(mover)").compactMap { TaskMove($0)?.entry.id })
      }
    }
    for id in moving { isNew = kept.insert(id).inserted || isNew }
    for entry in live where read.insert(entry).inserted {
      isNew = true
      kept.insert(entry.id)
      guard let record = try readable(entry) ?? logged(entry.id) else {
        // Gone meanwhile, or nobody knows what it waits for.
        if try root.status(entry.path) != nil { hidden = entry }
        continue
      }
      connect(entry.id, record)
    }
    for name in adding {
      isNew = kept.insert(name.id).inserted || isNew
      if let bytes = (try? root.readFile(Layout.taskTemporary(name), maximum: TaskRecord.bytesMax)) ?? nil,
        let record = try? TaskRecord(parsing: bytes)
      {
        connect(name.id, record)
      }
    }
    return isNew
  }

  private mutating func keepGroups() throws {
    for state in GroupState.allCases where state != .dissolved {
      for name in try root.names(Layout.groups(state)) {
        guard let entry = EntryName(name) else { continue }
        // One that failed may be formed once more by hand, for as long as its tasks may be brought back.
        let status = try root.status(Layout.group(state, entry))
        if state == .failed, let status, Double(spool.statusAge(status)) >= seconds * 1e9 { continue }
        guard
          let bytes = (try? root.readFile(Layout.group(state, entry), maximum: TaskRecord.bytesMax)) ?? nil,
          let group = try? GroupRecord(parsing: bytes)
        else { continue }
        kept.formUnion(group.parts.map(\.task) + [group.task, group.announcement.parent].compactMap { $0 })
      }
    }
  }

  /// A request that is still in hand is answered from its goal's file.
  private mutating func keepGoals() throws {
    if goals.isEmpty { return }
    for bot in try spool.bots() {
      for box in [Layout.Box.inbox, .claimed, .tmp] {
        try root.list(Layout.box(bot, box)) { name in
          if let id = EntryName(name)?.id, let goal = goals[id] { kept.insert(goal) }
        }
      }
    }
  }

  // MARK: Removing

  private func moving(_ entry: TaskEntry) -> String {
    Layout.taskMoving(by: spool.holder, raw: TaskMove(.old, entry).fileName)
  }

  /// - Returns: how many were removed.
  private mutating func remove(_ batch: [[TaskEntry]]) throws -> Int {
    if batch.isEmpty { return 0 }
    try root.makeDirectory(Layout.tasksMoving)
    try root.makeDirectory(Layout.tasksMoving(by: spool.holder))
    spool.hasMovingDirectory.store(true, ordering: .relaxed)
    var taken: [[TaskEntry]] = []
    var count = 0
    let began = Clock.withSleep()
    do {
      for group in batch {
        let ours = try take(group)
        if !ours.isEmpty { taken.append(ours) }
      }
      // One may have been brought back, or come to depend on these, since they were looked at.
      if try keepUnfinished() {
        try requireAllKnown()
        let isKept = Set(kept.map { connections.group(of: $0) })
        for (index, group) in taken.enumerated() where isKept.contains(connections.group(of: group[0].id)) {
          for entry in group { try putBack(entry) }
          taken[index] = []
        }
      }
      let forgotten = try Forgotten.until(in: root)
      for group in taken {
        for entry in group
        where try remove(entry, isForgotten: forgotten.map { entry.id.time < $0 } ?? false, since: began) { count += 1 }
      }
    } catch {
      // What is logged is gone, though its file be here still: whoever settles our directory sees to that.
      for entry in taken.joined() where !removed(entry) { try? putBack(entry) }
      throw error
    }
    return count
  }

  /// Takes all of them, or none.
  private func take(_ group: [TaskEntry]) throws -> [TaskEntry] {
    var ours: [TaskEntry] = []
    // Those that can be brought back first: without these nothing happens to the others.
    for entry in group.sorted(by: { $0.state > $1.state }) {
      let isOurs: Bool
      do { isOurs = try root.renameIfPresent(entry.path, to: moving(entry)) } catch {
        for entry in ours { try? putBack(entry) }
        throw error
      }
      guard isOurs else {
        for entry in ours { try putBack(entry) }
        return []
      }
      ours.append(entry)
    }
    return ours
  }

  private func putBack(_ entry: TaskEntry) throws { _ = try root.renameIfPresent(moving(entry), to: entry.path) }

  private func removed(_ entry: TaskEntry) -> Bool {
    (try? History(spool).lastOfTask(entry.id))??.kind == .taskRemoved
  }

  /// - Parameter began: before it was taken; by `Clock.withSleep`.
  /// - Returns: false when others took this process for dead and have put it back.
  private func remove(_ entry: TaskEntry, isForgotten: Bool, since began: Int) throws -> Bool {
    let path = moving(entry)
    let body = isForgotten ? try spool.bodyToLog(at: path, TaskRecord.bytesMax) : nil
    let receipt = try spool.log.append(
      .taskRemoved, entry.id.description, reserving: (body?.count ?? 0) + 512,
      unless: { try spool.wasTakenBack(path, since: began) }
    ) { writer in spool.writeEvent(entry, by: "gc", reason: nil, body: body, to: &writer) }
    if receipt == nil { return false }
    // commit: from here on it is gone, also when this process dies now.
    try root.unlinkIfPresent(path)
    return true
  }
}

/// Which of many are connected with each other, directly or by way of others.
private struct Connections {
  private var above: [MessageID: MessageID] = [:]

  /// The same for all that are connected.
  mutating func group(of id: MessageID) -> MessageID {
    guard let next = above[id] else {
      above[id] = id
      return id
    }
    if next == id { return id }
    // Half the way is saved for who comes next.
    var place = id
    while let parent = above[place], parent != place {
      let grandparent = above[parent] ?? parent
      above[place] = grandparent
      place = grandparent
    }
    return place
  }

  mutating func connect(_ one: MessageID, _ other: MessageID) {
    let (first, second) = (group(of: one), group(of: other))
    if first != second { above[max(first, second)] = min(first, second) }
  }
}
