import Glibc
import Linux
import SpoolFormat

/// A task as its path tells it: state, urgency, age, attempt and holder.
public struct TaskEntry: Sendable, Hashable {
  public let state: TaskState
  public let name: EntryName

  public init(state: TaskState, name: EntryName) {
    self.state = state
    self.name = name
  }

  public var id: MessageID { name.id }
  /// Of a pending task, the attempts that were made; of one that somebody has, which one this is.
  public var attempt: Int { name.attempt }
  public var bot: BotName? { name.bot }
  /// The process that works on it; nil for one that was taken by hand.
  public var worker: Holder? { name.worker }
  public var notBefore: Timestamp? { name.notBefore }
  /// Assigned with no bot in its name, as only a hand does it.
  var isGivenToNobody: Bool { state == .assigned && bot == nil }
  /// Relative to the spool.
  public var path: String { Layout.task(state, name) }
}

/// A task and where it stands.
public struct StoredTask: Sendable {
  public let entry: TaskEntry
  public var record: TaskRecord
  /// Of one that was begun by a `TaskInbox`, whether it had been given to the bot.
  public let wasAssigned: Bool

  public init(entry: TaskEntry, record: TaskRecord, wasAssigned: Bool = false) {
    self.entry = entry
    self.record = record
    self.wasAssigned = wasAssigned
  }

  public var id: MessageID { entry.id }
  public var state: TaskState { entry.state }
}

extension Spool {
  /// The tasks in these states, by state, urgency and age. Reads names only.
  public func tasks(in states: [TaskState] = TaskState.allCases) throws -> [TaskEntry] {
    try entries(in: states)
  }

  /// How many tasks are in each state; of some only, if that is asked.
  public func taskCounts(
    in states: [TaskState] = TaskState.allCases, where isCounted: ((TaskEntry) -> Bool)? = nil
  ) throws -> [TaskState: Int] {
    try doing("cannot list the tasks of \(path)") {
      var counts: [TaskState: Int] = [:]
      for state in states {
        var count = 0
        try root.list(Layout.tasks(state)) { file in
          guard let name = EntryName(file, of: .task) else { return }
          if isCounted?(TaskEntry(state: state, name: name)) ?? true { count += 1 }
        }
        counts[state] = count
      }
      return counts
    }
  }

  /// How many tasks each bot has, begun or not; those without any are left out.
  public func tasksInHand() throws -> [BotName: Int] {
    var counts: [BotName: Int] = [:]
    for entry in try tasks(in: [.assigned, .inProgress]) {
      if let bot = entry.bot { counts[bot, default: 0] += 1 }
    }
    return counts
  }

  /// How many tasks a bot has, begun or not, with those that were taken from it to be its own once more.
  /// - Parameter known: whether pending ones are that, as far as they were read before.
  public func tasksInHand(of bot: BotName, knowing known: inout [EntryName: Bool]) throws -> Int {
    var ids: Set<MessageID> = []
    func add(_ state: TaskState) throws {
      for entry in try tasks(in: [state]) where entry.bot == bot { ids.insert(entry.id) }
    }
    // In the order in which one goes back that is on its way meanwhile.
    try add(.inProgress)
    let moves = try doing("cannot look at the tasks of \(bot)") { try onTheMove(TaskEntry.self).map(\.move) }
    let leaving = Set(moves.filter { $0.side == .old && $0.entry.bot == bot }.map(\.entry.id))
    for move in moves where move.side == .new && move.entry.state == .pending && leaving.contains(move.entry.id) {
      ids.insert(move.entry.id)
    }
    var pending: [EntryName: Bool] = [:]
    for entry in try tasks(in: [.pending]) where entry.attempt > 0 {
      pending[entry.name] = known[entry.name] ?? ((try? record(of: entry)) ?? nil).map { $0.assignTo == bot }
      if pending[entry.name] == true { ids.insert(entry.id) }
    }
    known = pending
    try add(.assigned)
    try add(.inProgress)
    return ids.count
  }

  /// What a task's file says; nil when it is there no longer.
  /// - Throws: `.badData` when it can't be read as a task.
  public func record(of entry: TaskEntry) throws -> TaskRecord? { try contents(of: entry) }

  /// Where a task stands; nil when there is none with this id.
  /// Cost: a listing of each state's directory.
  public func findTask(_ id: MessageID) throws -> TaskEntry? {
    try findTasks([id])[id]
  }

  /// The same for several at once.
  public func findTasks(_ ids: Set<MessageID>) throws -> [MessageID: TaskEntry] { try find(ids) }

  /// The task that a text on a command line means: an id, the name of its file, or an unambiguous part of either.
  /// - Throws: `.notFound`; `.badData` when there are several.
  public func task(named text: String) throws -> TaskEntry { try entry(named: text) }

  /// The task with this id and what it says; nil when there is none.
  public func task(_ id: MessageID) throws -> StoredTask? {
    // It may move on between being found and being read.
    for _ in 0..<50 {
      guard let entry = try findTask(id) else { return nil }
      if let record = try record(of: entry) { return StoredTask(entry: entry, record: record) }
    }
    return nil
  }

  /// A task that was found, and what it says. Only one that has moved on since is looked for again.
  public func task(_ found: TaskEntry) throws -> StoredTask? {
    if let record = try record(of: found) { return StoredTask(entry: found, record: record) }
    return try task(found.id)
  }

  /// The tasks that are not older than another, by age, each as it stood when it was read. What moves meanwhile is not
  /// missed. Those that follow from one request are as old as it, to the microsecond.
  /// - Parameter unreadable: told why one couldn't be read, which is left out.
  func tasks(addedWith id: MessageID, unreadable: (any Error) -> Void) throws -> [StoredTask] {
    var entries: [MessageID: TaskEntry?] = [:]
    // Twice, with what is being changed, for the reasons that `find` has.
    for _ in 0..<2 {
      for entry in try tasks() where entry.id.time >= id.time && entry.id != id { entries[entry.id] = entry }
      let moving = try tasksOnTheMove()
      for other in moving where other.time >= id.time && other != id && entries[other] == nil {
        entries[other] = .some(nil)
      }
    }
    return entries.sorted { $0.key < $1.key }.compactMap { other, entry in
      do {
        if let entry, let record = try record(of: entry) { return StoredTask(entry: entry, record: record) }
        return try task(other) ?? taskOnTheMove(other)
      } catch {
        unreadable(error)
        return nil
      }
    }
  }

  /// A task that somebody is changing, or was when he died, as it was before.
  func taskOnTheMove(_ id: MessageID) throws -> StoredTask? {
    try doing("cannot look at \(id)") {
      for (path, move) in try onTheMove(TaskEntry.self) where move.side == .old && move.entry.id == id {
        guard let bytes = try root.readFile(path, maximum: TaskRecord.bytesMax) else { continue }
        return StoredTask(entry: move.entry, record: try contents(of: move.entry, bytes))
      }
      return nil
    }
  }

  /// Wakes the workers of a bot that wait for tasks. Only a hint: they look by themselves now and then.
  func ring(_ bot: BotName?) {
    guard let bot else { return }
    guard isShared else {
      _ = try? root.open(Layout.taskBell(bot), O_WRONLY | O_CREAT)
      return
    }
    // In a drop box each has a bell of his own, and takes it away: nobody could write into another's.
    let bell = Layout.taskBell(bot) + "-\(holder)-\(UInt32.random(in: .min ... .max))"
    if (try? root.open(bell, O_WRONLY | O_CREAT | O_EXCL).close()) != nil { _ = try? root.unlink(bell) }
  }
}
