import Glibc
import Linux
import SpoolFormat

extension Spool {
  /// Adds a task, and returns where it stands when it is kept. It begins pending; assigned, if it names its bot; or
  /// blocked, if it has to wait for others. The order is that of `send`: the file in `tmp/`, the line in the log, its
  /// sync (from here on the answer is yes), and the file in its place.
  ///
  /// - Parameters:
  ///   - record: its `id` is made when it has none. One that is given must never have been used before.
  ///   - others: tasks that are known to stand so, and needn't be looked for.
  /// - Throws: `.badData` for a dependency on itself, through others or its own parent, and for who takes no tasks
  ///   (`requireTaker`); `.notFound` for one that isn't there; `.noSuchBot`; `.tryAgain` (no room); `.outcomeUnknown`.
  @discardableResult
  public func addTask(
    _ record: TaskRecord, by: String? = nil, durability: Durability? = nil, knowing others: [MessageID: TaskState] = [:]
  ) throws -> TaskEntry {
    var record = record
    record.createdAt = record.createdAt ?? now()
    record.createdBy = record.createdBy ?? by
    let id = record.id ?? newIdentifier()
    record.id = id
    if let bot = record.assignTo { try requireTaker(bot) }
    let state = try firstState(&record, others)
    let entry = try add(record, as: state, by: by, durability: durability ?? settings.durability)!
    guard state == .blocked, !record.dependsOn.isEmpty else { return entry }
    // Whoever ended what it waits for before it was there didn't find it. It is added whatever comes of this.
    return (try? settle(entry)) ?? entry
  }

  /// Adds a task whose first state is known.
  /// - Parameter onlyOnce: not if the log has it already; needed where two may add the same. Asked under the lock of the log.
  /// - Returns: nil when it was added before.
  func add(
    _ record: TaskRecord, as state: TaskState, by: String?, durability: Durability,
    onlyOnce: @escaping @autoclosure () -> Bool = false
  ) throws -> TaskEntry? {
    var record = record
    var name = EntryName(urgency: record.priority.urgency, id: record.id!)
    if state == .assigned, let bot = record.assignTo {
      name.attempt = 1
      name.place = .bot(bot, nil)
      record.assignedAt = record.createdAt
    }
    let entry = TaskEntry(state: state, name: name)
    guard try write(entry, record, by, durability, onlyOnce) else { return nil }
    if state == .assigned { ring(record.assignTo) }
    return entry
  }

  /// - Returns: whether it was added now.
  private func write(
    _ entry: TaskEntry, _ record: TaskRecord, _ by: String?, _ durability: Durability,
    _ onlyOnce: @escaping () -> Bool
  ) throws -> Bool {
    let body = try Self.file(of: record)
    let held = EntryName(urgency: entry.name.urgency, id: entry.id, place: .held(holder))
    let temporary = Layout.taskTemporary(held)
    // Added before, and not known to be: what came of that must be seen.
    if isLeft(temporary) { _ = try settleAdd(held) }
    // Found before others have to wait for it; under the lock only what was written since is looked at.
    let history = History(self)
    let end = try onlyOnce() ? history.end() : nil
    if end != nil, try history.lastOfTask(entry.id) != nil { return false }
    let began = Clock.withSleep()
    var wasTaken = false
    do {
      try makingTaskDirectories { () throws(SystemCallError) in
        let file = try root.open(temporary, O_WRONLY | O_CREAT | O_EXCL)
        do throws(SystemCallError) {
          try file.write(body)
          try file.close()
        } catch {
          discard(temporary)
          throw error
        }
      }
      let receipt: LogWriter.Receipt?
      do {
        receipt = try log.append(
          .taskAdded, entry.id.description, reserving: body.count + 512,
          unless: {
            wasTaken = try self.wasTakenBack(temporary, since: began)
            guard !wasTaken, onlyOnce() else { return wasTaken }
            return try end.map { try history.hasNews(of: entry.id, since: $0) } ?? (history.lastOfTask(entry.id) != nil)
          }
        ) { writer in
          self.writeEvent(entry, by: by, reason: nil, body: body, to: &writer)
        }
      } catch {
        if error.isUnknownOutcome { Self.leave(temporary) } else { discard(temporary) }
        throw error
      }
      guard let receipt else {
        discard(temporary)
        if wasTaken { throw Self.takenForDead }
        return false
      }
      do { if durability == .durable { try log.waitUntilSynced(receipt) } } catch {
        Self.leave(temporary)
        throw error
      }
      // From the log on it is so, and what can't be done now is done by whoever settles what was left.
      do {
        if try !root.renameIfPresent(temporary, to: entry.path) {  // visible
          try bringBack(body, to: entry.path, through: temporary, in: Layout.tasksTemporary) {
            try findTask(entry.id) == nil && history.lastOfTask(entry.id)?.entry == entry
          }
        }
      } catch { Self.leave(temporary) }
      return true
    } catch let error as SystemCallError {
      throw SpoolError("cannot add the task, and nothing was added", error)
    }
  }

  static let takenForDead = SpoolError(
    .tryAgain, "this process was stopped for so long that others took it for dead, and nothing was added",
    hint: "do it again")

  /// A task's bytes, with the line feed that ends its file.
  static func file(of record: TaskRecord) throws -> [UInt8] {
    do { try record.check() } catch { throw SpoolError(.badData, error.description) }
    let body = record.encoded + [10]
    guard body.count <= TaskRecord.bytesMax else {
      throw SpoolError(
        .badData, "the task has \(body.count) bytes, and may have \(TaskRecord.bytesMax)",
        hint: "put what is long into a file, and its name into the task")
    }
    return body
  }

  /// Spools that were made before there were tasks get their directories with the first.
  func makingTaskDirectories(_ body: () throws(SystemCallError) -> Void) throws(SystemCallError) {
    do { try body() } catch {
      guard error.code == ENOENT else { throw error }
      try root.makeTop()
      try body()
    }
  }

  // MARK: What it waits for

  private func firstState(_ record: inout TaskRecord, _ others: [MessageID: TaskState]) throws -> TaskState {
    try refuseCycle(record)
    guard !record.dependsOn.isEmpty || record.awaitsChildren else {
      return record.assignTo == nil ? .pending : .assigned
    }
    var states = others
    let unknown = Set(record.dependsOn + [record.parent].compactMap { $0 }).subtracting(others.keys)
    var stuck: Set<MessageID> = []
    for (id, entry) in try findTasks(unknown) {
      states[id] = try standing(entry)
      if states[id] != entry.state { stuck.insert(id) }
    }
    if let missing = record.dependsOn.first(where: { states[$0] == nil }) {
      throw SpoolError(.notFound, "no task \(missing) to depend on", hint: "see: spool task list")
    }
    switch TaskDependencies.verdict(record, states: { states[$0] }, children: []) {
    case .ready: return record.assignTo == nil ? .pending : .assigned
    case .waiting, .joined: return .blocked
    case .failed(let dependency, let state):
      let isStuck = stuck.contains(dependency)
      guard record.onDependencyFailure == .block || isStuck else {
        throw SpoolError(
          .badData,
          "\(dependency), which it depends on, is \(state.rawValue) already, and it would be cancelled at once",
          hint: "see: spool task show \(dependency)")
      }
      record.blockedBy = dependency
      record.blockedReason = TaskDependencies.reason(dependency, isStuck ? .blocked : state)
      return .blocked
    }
  }

  /// A new task can close a cycle in two ways only: it depends on itself, or on one that waits for it as its child.
  private func refuseCycle(_ record: TaskRecord) throws {
    let id = record.id!
    guard !record.dependsOn.isEmpty else { return }
    // Those that wait for this one: its ancestors, as far as each waits for its children.
    var waiting: [MessageID] = [id]
    var parent = record.parent
    while let next = parent, waiting.count < TaskRecord.dependenciesMax, !waiting.contains(next),
      let task = try task(next), task.record.awaitsChildren
    {
      waiting.append(next)
      parent = task.record.parent
    }
    if waiting.count == 1 {
      // Nothing that is there already can depend on what isn't there yet.
      guard !record.dependsOn.contains(id) else { throw Self.cycle([id, id]) }
      return
    }
    var cameFrom: [MessageID: MessageID] = [:]
    var open = record.dependsOn
    for next in open { cameFrom[next] = id }
    while let next = open.popLast() {
      if waiting.contains(next) {
        var path = [next]
        while let before = cameFrom[path[0]], path[0] != id { path.insert(before, at: 0) }
        throw Self.cycle(path + waiting.prefix(while: { $0 != next }).reversed())
      }
      guard let task = try task(next), !task.state.isFinal else { continue }
      let children = task.record.awaitsChildren ? try children(of: task.record).map(\.id) : []
      for further in task.record.dependsOn + children where cameFrom[further] == nil {
        cameFrom[further] = next
        open.append(further)
      }
    }
  }

  private static func cycle(_ ids: [MessageID]) -> SpoolError {
    SpoolError(
      .badData, "a cycle, in which nothing could ever begin: \(ids.map(\.description).joined(separator: " → "))",
      hint: "leave out one of these dependencies")
  }
}
