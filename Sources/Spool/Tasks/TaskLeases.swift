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
  @discardableResult
  public func expireTasks(of bot: BotName? = nil, _ observations: inout TaskObservations) throws -> [TaskEntry] {
    var changed = try settleMoves(&observations)
    let now = Clock.sinceBoot()
    let limit = Int(settings.leaseSeconds * 1e9)
    var gone: [Holder: Bool] = [:]
    for entry in try tasks(in: [.inProgress]) where bot == nil || entry.bot == bot {
      guard let worker = entry.worker else { continue }
      let status = try doing("cannot look at \(entry.id)") { try root.status(entry.path) }
      guard let status else { continue }
      let stood = observations.leases.observe(entry.name.description, modified: status.modified, now: now)
      let isDead = gone[worker] ?? isGone(worker)
      gone[worker] = isDead
      guard isDead || stood >= limit else { continue }
      let why = isDead ? "its worker \(worker) died" : "its worker \(worker) was silent for \(settings.leaseSeconds) s"
      // One that can't be read stops nobody else.
      do {
        if let moved = try expire(entry, reason: why, by: "lease") { changed.append(moved) }
      } catch let error as SpoolError where error.code == .badData || error.code == .notPermitted { continue }
    }
    observations.leases.endRound()
    return changed
  }

  /// Finishes, or takes back, what processes that died were doing to tasks.
  /// - Returns: the tasks that are where they should be again.
  @discardableResult
  public func settleMoves(_ observations: inout TaskObservations) throws -> [TaskEntry] {
    let now = Clock.sinceBoot()
    var settled: [TaskEntry] = []
    try doing("cannot look at the tasks on the move") {
      var temporaries: [EntryName] = []
      try root.list(Layout.tasksTemporary) { if let name = EntryName($0) { temporaries.append(name) } }
      for name in temporaries {
        guard let holder = name.holder, holder != self.holder else { continue }
        let stood = observations.moves.observe(name.description, modified: 0, now: now)
        if isAbandoned(holder, stood), let entry = try settleUnfinishedAdd(name) { settled.append(entry) }
      }
      for (mover, names) in try abandonedMoves(in: Layout.tasksMoving, &observations.moves) {
        settled += try settleMoves(of: mover, names)
        _ = try? root.removeDirectory(Layout.tasksMoving(by: mover))
      }
    }
    observations.moves.endRound()
    return settled
  }

  /// What lies in `tasks/moving/`, whoever moves it, and where.
  func tasksOnTheMove() throws(SystemCallError) -> [(path: String, move: TaskMove)] {
    var found: [(path: String, move: TaskMove)] = []
    for mover in try root.names(Layout.tasksMoving) {
      let directory = "\(Layout.tasksMoving)/\(mover)"
      for name in try root.names(directory) {
        if let move = TaskMove(name) { found.append(("\(directory)/\(name)", move)) }
      }
    }
    return found
  }

  func idsOnTheMove() throws(SystemCallError) -> Set<MessageID> { Set(try tasksOnTheMove().map(\.move.entry.id)) }

  /// An adder died between its file in `tmp/` and its place. Did it get as far as the log?
  func settleUnfinishedAdd(_ name: EntryName) throws -> TaskEntry? {
    let temporary = Layout.taskTemporary(name)
    guard let last = try History(self).lastOfTask(name.id), let entry = last.entry else {
      try root.clear(temporary)
      return nil
    }
    guard try findTask(name.id) == nil else {
      try root.clear(temporary)
      return nil
    }
    guard try root.renameIfPresent(temporary, to: entry.path) else { return nil }
    ring(entry.bot)
    return entry
  }

  /// - Parameter names: what is in the directory of a process that will not come back.
  func settleMoves(of mover: Holder, _ names: [String]) throws -> [TaskEntry] {
    var moves: [MessageID: [TaskMove]] = [:]
    for move in names.compactMap({ TaskMove($0) }) { moves[move.entry.id, default: []].append(move) }
    var settled: [TaskEntry] = []
    var problem: (any Error)?
    for (id, moves) in moves.sorted(by: { $0.key < $1.key }) {
      // One that can't be looked at now stops nobody else.
      do { if let entry = try settle(id, moves, of: mover) { settled.append(entry) } } catch {
        problem = problem ?? error
      }
    }
    for entry in settled { ring(entry.bot) }
    if let problem { throw problem }
    return settled
  }

  private func settle(_ id: MessageID, _ moves: [TaskMove], of mover: Holder) throws -> TaskEntry? {
    var settled: TaskEntry?
    func path(_ move: TaskMove) -> String { Layout.taskMoving(by: mover, raw: move.fileName) }
    let old = moves.first { $0.side == .old }
    let new = moves.first { $0.side == .new }
    let last = try History(self).lastOfTask(id)
    guard let old else {
      // It hadn't begun; or all was done but for this.
      guard let new else { return nil }
      if try standing(id) == nil, let last, last.entry == new.entry, try isLogged(path(new), of: new.entry, last) {
        if try root.renameIfPresent(path(new), to: new.entry.path) { settled = new.entry }
      } else {
        try root.clear(path(new))
      }
      return settled
    }
    // Collected: nobody needs it any more.
    if new == nil, last?.kind == .taskRemoved, last?.entry == old.entry {
      try root.clear(path(old))
      return nil
    }
    if let new, let last, last.entry == new.entry, try isLogged(path(new), of: new.entry, last) {
      if try root.renameIfPresent(path(new), to: new.entry.path) { settled = new.entry }
      try root.clear(path(old))
    } else if try new != nil || standing(id) == nil {
      if try root.renameIfPresent(path(old), to: old.entry.path) { settled = old.entry }
      if let new { try root.clear(path(new)) }
    } else {
      try root.clear(path(old))
    }
    return settled
  }

  /// Whether the log has the content of a file on the move. Where it stands doesn't tell: it may have stood there before.
  private func isLogged(_ path: String, of entry: TaskEntry, _ last: LogEvent) throws -> Bool {
    // Nothing leads away from there; a file that is damaged is made again from the log.
    if entry.state == .completed { return true }
    let bytes: [UInt8]
    do throws(SystemCallError) {
      guard let found = try root.readFile(path, maximum: TaskRecord.bytesMax) else { return false }
      bytes = found
    } catch {
      guard Self.isNoFile(error) else { throw error }
      return false
    }
    if let body = last.taskBytes { return bytes.dropLast() == body[...] }
    guard last.kind == .taskProgressed, let record = try? record(of: entry, bytes) else { return false }
    return record.progress == last.number("progress") && record.progressText == last.text("text")
  }

  /// Where a task is among the states, whatever is on the move.
  private func standing(_ id: MessageID) throws -> TaskEntry? {
    for state in TaskState.allCases {
      var found: TaskEntry?
      try root.list(Layout.tasks(state)) {
        if let name = EntryName($0, of: .task), name.id == id { found = TaskEntry(state: state, name: name) }
      }
      if let found { return found }
    }
    return nil
  }
}
