import Linux
import SpoolFormat

/// What becomes of a task that waits, by the states of what it waits for. Pure: the same for whoever asks.
public enum TaskDependencies {
  /// Who does, as the log has it, what follows from what others did.
  static let author = "dependencies"

  public enum Verdict: Sendable, Hashable {
    /// Nothing is missing any more.
    case ready
    case waiting
    /// One that it depends on failed or was cancelled.
    case failed(MessageID, TaskState)
    /// Its children have ended, and it with them.
    case joined
  }

  /// - Parameters:
  ///   - states: where each of its dependencies stands; nil for one that isn't there, which is waited for.
  ///   - children: where each of its children stands; of one that can't go on because of another that failed, `failed`.
  public static func verdict(
    _ record: TaskRecord, states: (MessageID) -> TaskState?, children: [TaskState]
  ) -> Verdict {
    var isWaiting = false
    for dependency in record.dependsOn {
      switch states(dependency) {
      case .completed: continue
      case .failed: return .failed(dependency, .failed)
      case .cancelled: return .failed(dependency, .cancelled)
      case .pending, .assigned, .inProgress, .blocked, nil: isWaiting = true
      }
    }
    if isWaiting { return .waiting }
    guard record.awaitsChildren else { return .ready }
    guard !children.isEmpty, children.count >= record.children.count, children.allSatisfy(\.isFinal) else {
      return .waiting
    }
    return record.isJoin ? .joined : .ready
  }

  public static func reason(_ dependency: MessageID, _ state: TaskState) -> String {
    let what =
      switch state {
      case .failed: "failed"
      case .blocked: "can't begin"
      default: "was cancelled"
      }
    return "\(dependency), which it depends on, \(what)"
  }
}

extension Spool {
  /// A task was moved: does what follows from it for those that wait for it, and for those that wait for them.
  /// Cost: reads what is in `blocked/`. A coordinator knows who waits for whom, and uses `settle` instead.
  public func settleDependents(of id: MessageID) throws { try settleDependents(of: [id]) }

  /// The same for several, which reads what is in `blocked/` once for all of them.
  /// - Throws: why the first couldn't be settled, when all others are.
  public func settleDependents(of ids: [MessageID]) throws {
    var open = Set(ids)
    var seen: Set<MessageID> = []
    var problem: (any Error)?
    while !open.isEmpty {
      seen.formUnion(open)
      let found = try findTasks(open)
      let parents = Set(found.values.compactMap { (try? record(of: $0))?.parent })
      var moved: Set<MessageID> = []
      for entry in try tasks(in: [.blocked]) {
        // One that can't be read stops nobody else.
        guard let record = try? record(of: entry) else { continue }
        guard parents.contains(entry.id) || record.dependsOn.contains(where: open.contains) else { continue }
        do { if try settle(entry) != nil { moved.insert(entry.id) } } catch { problem = problem ?? error }
      }
      open = moved.subtracting(seen)
    }
    if let problem { throw problem }
  }

  /// Where those stand that a task waits for. Of one that can't go on because of another that failed: `failed`.
  public typealias Standings = (dependencies: [MessageID: TaskState], children: [TaskState])

  /// Does with a blocked task what the states of those that it waits for say.
  /// - Parameter standings: of who knows them; else they are looked for.
  /// - Returns: where it stands then, when that was changed.
  @discardableResult
  public func settle(_ entry: TaskEntry, standings: ((TaskRecord) -> Standings)? = nil) throws -> TaskEntry? {
    guard entry.state == .blocked, let record = try record(of: entry) else { return nil }
    // Blocked by somebody, for a reason of their own.
    if record.blockedReason != nil, record.blockedBy == nil { return nil }
    let known = try standings?(record) ?? self.standings(record)
    let verdict = TaskDependencies.verdict(record, states: { known.dependencies[$0] }, children: known.children)
    let moved = try carryOut(verdict, entry, record, childrenCount: known.children.count)
    guard let moved, moved.state == .blocked else { return moved }
    // It was nowhere for a moment: whoever then ended what it waits for didn't find it.
    return try settle(moved, standings: standings) ?? moved
  }

  /// Lets a join wait on that somebody made pending: nobody works on it.
  public func blockJoin(_ entry: TaskEntry, by: String) throws -> TaskEntry? {
    try move(entry, .block, by: by, reason: "it ends by itself when its children have")
  }

  /// Lets go on what nobody was told of: see `overlooked`.
  public func settleOverlooked() throws { try settle(overlooked()) }

  /// Settles each of these, and then what waits for it.
  /// - Throws: why the first couldn't be settled, when all others are.
  func settle(_ entries: [TaskEntry]) throws {
    var problem: (any Error)?
    for entry in entries {
      do { if let moved = try settle(entry) { try settleDependents(of: moved.id) } } catch {
        problem = problem ?? error
      }
    }
    if let problem { throw problem }
  }

  /// What is blocked and `settle` would move, or give another reason: who ended what it waits for died before it saw to
  /// that, or did it with `mv`.
  /// Cost: what is in `blocked/` is read, and all tasks are listed, where any of it waits for others. Where one waits for
  /// children that it doesn't name, all tasks that are younger are read, once for all of these.
  /// - Parameter readsMax: where more tasks are younger than such a parent, its children are not looked for.
  func overlooked(readsMax: Int = .max) throws -> [TaskEntry] {
    var blocked: [MessageID: StoredTask] = [:]
    for entry in try tasks(in: [.blocked]) {
      // One that can't be read stops nobody else.
      guard let record = try? record(of: entry) else { continue }
      blocked[entry.id] = StoredTask(entry: entry, record: record)
    }
    let others = try findTasks(Set(blocked.values.flatMap { $0.record.dependsOn + $0.record.children }))
    func standing(_ id: MessageID) -> TaskState? {
      guard let entry = others[id], entry.state == .blocked else { return others[id]?.state }
      return blocked[id].map(Self.standingForParent) ?? .blocked
    }
    let unnamed = try childrenStanding(
      of: blocked.values.filter { $0.record.awaitsChildren && $0.record.children.isEmpty }.map(\.id), readsMax)
    return blocked.values.filter { task in
      let dependencies = task.record.dependsOn.compactMap { id in standing(id).map { (id, $0) } }
      return isToBeSettled(
        task.record,
        (
          Dictionary(dependencies) { first, _ in first },
          unnamed[task.id] ?? task.record.children.compactMap(standing)
        ))
    }.map(\.entry).sorted { $0.name < $1.name }
  }

  /// How the children stand of those that didn't name them, but for those than which more than `readsMax` are younger.
  private func childrenStanding(of parents: [MessageID], _ readsMax: Int) throws -> [MessageID: [TaskState]] {
    guard !parents.isEmpty else { return [:] }
    let younger = try tasks().map(\.id).sorted(by: >).dropFirst(readsMax)
    let parents = Set(parents.filter { id in younger.first.map { id >= $0 } ?? true })
    guard let oldest = parents.min() else { return [:] }
    var found: [MessageID: [TaskState]] = [:]
    for task in try tasks(addedWith: oldest, unreadable: { _ in }) {
      guard let parent = task.record.parent, parents.contains(parent) else { continue }
      found[parent, default: []].append(Self.standingForParent(task))
    }
    return found
  }

  /// Whether `settle` would do something with a blocked task.
  private func isToBeSettled(_ record: TaskRecord, _ known: Standings) -> Bool {
    if record.blockedReason != nil, record.blockedBy == nil { return false }
    switch TaskDependencies.verdict(record, states: { known.dependencies[$0] }, children: known.children) {
    case .waiting: return record.blockedBy != nil
    case .ready, .joined: return true
    case .failed(let dependency, _): return record.blockedBy != dependency
    }
  }

  private func standings(_ record: TaskRecord) throws -> Standings {
    let found = try findTasks(Set(record.dependsOn))
    let children = record.awaitsChildren ? try children(of: record) : []
    return (try found.mapValues(standing), children.map(Self.standingForParent))
  }

  /// As those see a task that wait for it.
  func standing(_ entry: TaskEntry) throws -> TaskState {
    guard entry.state == .blocked, let record = try? record(of: entry) else { return entry.state }
    return Self.standingForParent(StoredTask(entry: entry, record: record))
  }

  private func carryOut(
    _ verdict: TaskDependencies.Verdict, _ entry: TaskEntry, _ record: TaskRecord, childrenCount: Int
  ) throws -> TaskEntry? {
    switch verdict {
    case .waiting:
      // What kept it from beginning may have been tried again meanwhile.
      guard record.blockedBy != nil else { return nil }
      return try change(entry, .block, by: TaskDependencies.author) { record in
        record.blockedReason = nil
        record.blockedBy = nil
      }
    case .ready:
      guard let ready = try unblock(entry, by: TaskDependencies.author) else { return nil }
      // Somebody may have blocked it for a reason of his own since it was read, which its name doesn't tell.
      if let now = try self.record(of: ready), let reason = now.blockedReason, now.blockedBy == nil,
        reason != record.blockedReason
      {
        return try move(ready, .block, by: TaskDependencies.author, reason: reason)
      }
      guard let bot = record.assignTo else { return ready }
      return try assign(ready, to: bot, by: TaskDependencies.author)
    case .failed(let dependency, let state):
      // One that can't begin may be brought back, and nothing is lost with it yet.
      let isStuck = try findTask(dependency)?.state == .blocked
      let reason = TaskDependencies.reason(dependency, isStuck ? .blocked : state)
      if record.onDependencyFailure == .cancel, !isStuck {
        return try cancel(entry, reason: reason, by: TaskDependencies.author)
      }
      if record.blockedBy == dependency, record.blockedReason == reason { return nil }
      return try block(entry, reason: reason, on: dependency, by: TaskDependencies.author)
    case .joined:
      let children = try children(of: record)
      // One of them may have been brought back meanwhile; its next end settles this.
      guard children.count >= childrenCount, children.allSatisfy({ Self.standingForParent($0).isFinal }) else {
        return nil
      }
      if let bad = children.first(where: { $0.state != .completed }) {
        let failed = try fail(
          entry, error: "\(bad.record.step ?? bad.record.title) \(Self.outcome(of: bad))", isRetryable: false,
          by: TaskDependencies.author)
        // Whoever brought one back just before didn't see this.
        guard let failed, try self.children(of: record).contains(where: { !Self.standingForParent($0).isFinal }),
          let stored = try task(failed.id), stored.state == .failed
        else { return failed }
        return try bringBack(stored, with: [failed.id], isOptional: true, by: TaskDependencies.author)
      }
      do { return try complete(entry, result: Self.results(of: children), by: TaskDependencies.author) } catch let error
        as SpoolError where error.code == .badData
      {
        let why = "the results of its children are too long for one file; see each: spool task tree \(entry.id)"
        return try complete(entry, result: JSONText(string: why), by: TaskDependencies.author)
      }
    }
  }

  private static func outcome(of task: StoredTask) -> String {
    switch task.state {
    case .failed: "failed: \(task.record.error ?? "no reason was given")"
    case .blocked: "couldn't begin: \(task.record.blockedReason ?? "it is blocked")"
    default: "was \(task.state.rawValue)"
    }
  }

  /// An object of the results, by the names of the steps, else by id.
  public static func results(of tasks: [StoredTask]) -> JSONText {
    var writer = JSONWriter()
    writer.beginObject()
    for task in tasks {
      writer.key(task.record.step ?? task.id.description)
      if let result = task.record.result { writer.raw(result) } else { writer.null() }
    }
    writer.endObject()
    return writer.text
  }

  private static func standingForParent(_ child: StoredTask) -> TaskState {
    child.state == .blocked && child.record.blockedBy != nil ? .failed : child.state
  }

  /// The children of a task, those that it names first, in that order, and then by age. Those that nobody named
  /// beforehand are looked for among all that are younger.
  /// - Parameter unreadable: told of each that it names and that can't be read as a task, and why.
  public func children(
    of record: TaskRecord, unreadable: (TaskEntry, SpoolError) throws -> Void = { throw $1 }
  ) throws -> [StoredTask] {
    guard let id = record.id else { return [] }
    var found: [MessageID: StoredTask] = [:]
    let named = try findTasks(Set(record.children))
    for entry in named.values {
      do { found[entry.id] = try task(entry) } catch let error as SpoolError where error.code == .badData {
        try unreadable(entry, error)
      }
    }
    if record.children.isEmpty {
      for task in try tasks(addedWith: id, unreadable: { _ in }) where task.record.parent == id {
        found[task.id] = task
      }
    }
    let order = Dictionary(record.children.enumerated().map { ($1, $0) }) { first, _ in first }
    return found.values.sorted { (order[$0.id] ?? .max, $0.id) < (order[$1.id] ?? .max, $1.id) }
  }
}
