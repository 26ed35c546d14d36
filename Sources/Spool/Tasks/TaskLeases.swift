import Glibc
import Linux
import SpoolFormat

/// What the tasks of an observer's rounds looked like, so that leases run out by its own clock.
public struct TaskObservations {
  var leases = LeaseObservations()
  var moves = LeaseObservations()
  public init() {}
}

extension Spool {
  /// Takes tasks from workers that died, or haven't renewed them for the lease's length, and finishes what dead processes
  /// left half done. What a person took by hand is left alone. For whoever stays up: each call is a round.
  /// Cost: two directory listings, and one fstatat(2) for each task in progress.
  /// - Parameter bot: only this bot's tasks.
  /// - Returns: the tasks that were taken, as they stand now.
  /// - Throws: why something could not be done, when there is nothing to return; once, and with all the rest done.
  @discardableResult
  public func expireTasks(of bot: BotName? = nil, _ observations: inout TaskObservations) throws -> [TaskEntry] {
    var changed = try settleAbandonedMoves(&observations)
    let now = Clock.sinceBoot()
    let limit = leaseNanoseconds
    var gone: [Holder: Bool] = [:]
    for entry in try tasks(in: [.inProgress]) where bot == nil || entry.bot == bot {
      guard let worker = entry.worker else { continue }
      let status = try doing("cannot look at \(entry.id)") { try root.status(entry.path) }
      guard let status else { continue }
      let stood = observations.leases.observe(entry.name.description, modified: status.modified, now: now, limit: limit)
      let isDead = gone[worker] ?? isGone(worker)
      gone[worker] = isDead
      guard isDead || stood >= limit else { continue }
      let why = isDead ? "its worker \(worker) died" : "its worker \(worker) was silent for \(settings.leaseSeconds) s"
      let moved = observations.leases.attempt(entry.name.description, at: entry.path) { () throws -> TaskEntry? in
        // What can't be read is told by others.
        do { return try expire(entry, reason: why, by: "lease") } catch let error as SpoolError
          where error.code == .badData || error.code == .notPermitted
        { return nil }
      }
      if let moved = moved ?? nil { changed.append(moved) }
    }
    observations.leases.endRound()
    if changed.isEmpty {
      try observations.moves.throwProblem()
      try observations.leases.throwProblem()
    }
    return changed
  }

  /// Finishes, or takes back, what processes that died were doing to tasks.
  /// - Returns: the tasks that are where they should be again.
  /// - Throws: as `expireTasks`.
  @discardableResult
  public func settleMoves(_ observations: inout TaskObservations) throws -> [TaskEntry] {
    let settled = try settleAbandonedMoves(&observations)
    if settled.isEmpty { try observations.moves.throwProblem() }
    return settled
  }

  private func settleAbandonedMoves(_ observations: inout TaskObservations) throws -> [TaskEntry] {
    let settled = try doing("cannot look at the tasks on the move") {
      try settleAdds(&observations.moves) + settleMoves(of: TaskEntry.self, &observations.moves)
    }
    observations.moves.endRound()
    for entry in settled { ring(entry.bot) }
    return settled
  }

  /// Whether somebody is changing a task just now, or was when he died: then it is nowhere until he, or who settles
  /// that, is done.
  public func isOnTheMove(_ id: MessageID) throws -> Bool { try tasksOnTheMove().contains(id) }

  /// All that are.
  public func tasksOnTheMove() throws -> Set<MessageID> {
    try doing("cannot look for tasks in \(path)") { Set(try onTheMove(TaskEntry.self).map(\.move.entry.id)) }
  }

  private func settleAdds(_ observations: inout LeaseObservations) throws(SystemCallError) -> [TaskEntry] {
    let now = Clock.sinceBoot()
    var settled: [TaskEntry] = []
    var names: [EntryName] = []
    try root.list(Layout.tasksTemporary) { if let name = EntryName($0) { names.append(name) } }
    for name in names {
      let path = Layout.taskTemporary(name)
      guard let holder = name.holder, holder != self.holder || isLeft(path) else { continue }
      let stood = observations.observe(name.description, modified: 0, now: now, limit: leaseNanoseconds)
      guard holder == self.holder || isAbandoned(holder, stood) else { continue }
      let entry = observations.attempt(name.description, at: path) { () throws in try settleAdd(name) }
      if let entry = entry ?? nil { settled.append(entry) }
    }
    return settled
  }

  /// An adder died, or could not go on, between its file in `tmp/` and its place. Did it get as far as the log?
  func settleAdd(_ name: EntryName) throws -> TaskEntry? {
    let temporary = Layout.taskTemporary(name)
    let added = try History(self).lastOfTask(name.id)?.entry
    var settled: TaskEntry?
    if let added, try findTask(name.id) == nil {
      if try root.renameIfPresent(temporary, to: added.path) { settled = added }
    } else {
      try root.clear(temporary)
    }
    _ = takeLeft(temporary)
    return settled
  }
}
