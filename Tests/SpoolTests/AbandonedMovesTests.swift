import Glibc
import Linux
import SpoolFormat
import Synchronization
import TestSupport
import TestThreads
import Testing

@testable import Spool

/// Changes of tasks and groups that a process could not finish, its own and others'.
@Suite(.waiting) struct AbandonedMovesTests {
  private func started(_ fixture: Fixture, worker: Holder? = nil, _ edit: (inout TaskRecord) -> Void = { _ in }) throws
    -> TaskEntry
  {
    var record = TaskRecord(title: "x")
    edit(&record)
    let spool = fixture.spool
    return try #require(try spool.start(spool.addTask(record), bot: fixture.bot(), worker: worker ?? spool.holder))
  }

  private func group(_ fixture: Fixture) throws -> (entry: GroupEntry, record: GroupRecord) {
    let record = try newGroup(fixture)
    return (try fixture.spool.addGroup(record, term: 1), record)
  }

  private func newGroup(_ fixture: Fixture) throws -> GroupRecord {
    let deadline = Timestamp(microseconds: Clock.wall()).advanced(bySeconds: 60)
    return GroupRecord(
      id: fixture.spool.newIdentifier(),
      Announcement("x", skills: [Card.Skill(name: "ml", level: .novice)], deadline: deadline))
  }

  private func dead(_ fixture: Fixture) -> Holder {
    Holder(host: fixture.spool.host, pid: DeadProcess.pid, start: DeadProcess.start)
  }

  /// As long as `body` runs nothing can get to `path`.
  private func blocking(_ path: String, _ fixture: Fixture, _ body: () throws -> Void) throws {
    let way = "\(fixture.path)/\(path)"
    #expect(mkdir(way, 0o777) == 0 && mkdir(way + "/in", 0o777) == 0)
    try body()
    #expect(rmdir(way + "/in") == 0 && rmdir(way) == 0)
  }

  private func moving(_ fixture: Fixture) throws -> [String] {
    let root = fixture.spool.root
    return try [Layout.tasksMoving, Layout.groupsMoving].flatMap { directory in
      try root.names(directory).flatMap { try root.names("\(directory)/\($0)") }
    } + root.names(Layout.tasksTemporary)
  }

  // MARK: Its own

  @Test func `who waits for a task that a dead process was changing has it put back`() throws {
    let fixture = try Fixture("coder")
    let task = try started(fixture)
    func take(_ holder: Holder) throws -> String {
      let moving = "\(fixture.path)/\(Layout.tasksMoving(by: holder))"
      #expect(mkdir(moving, 0o777) == 0)
      #expect(rename("\(fixture.path)/\(task.path)", "\(moving)/\(TaskMove(.old, task).fileName)") == 0)
      return moving
    }
    _ = try take(dead(fixture))
    #expect(try fixture.spool.waitForTasks([task.id], seconds: 0.01).map(\.entry) == [task])
    #expect(try fixture.spool.task(named: task.id.description) == task)
    // One that may be at it still is waited for, and named to whoever doesn't.
    let moving = try take(Holder(host: "afar", pid: 17, start: 17))
    #expect(try fixture.spool.waitForTasks([task.id], seconds: 0.01).map(\.entry) == [task])
    let error = #expect(throws: SpoolError.self) { try fixture.spool.task(named: task.id.description) }
    #expect(error?.code == .tryAgain && error?.message.contains("afar.17") == true, "\(error?.message ?? "")")
    #expect(Plain.names(moving).count == 1)
  }

  @Test func `a part of a group's work that another hub has handed out meanwhile isn't once more`() throws {
    let fixture = try Fixture("coder")
    let (group, _) = try group(fixture)
    var record = TaskRecord(title: "part")
    record.id = .derived("part", from: group.id)
    record.assignTo = try fixture.bot()
    let now = Clock.withSleep()
    try fixture.spool.addPart(record, of: group.id, since: now)
    let part = try #require(try fixture.spool.findTask(record.id!))
    #expect(part.state == .assigned)
    #expect(unlink("\(fixture.path)/\(part.path)") == 0)
    // Stopped since before that.
    try fixture.spool.addPart(record, of: group.id, since: now - Int(fixture.spool.settings.leaseSeconds * 1e9))
    #expect(try fixture.spool.findTask(record.id!) == nil)
  }

  @Test func `what a process could not put in its place is put there by that very process`() throws {
    let fixture = try Fixture("coder")
    let spool = fixture.spool
    let task = try started(fixture)
    let done = try Spool.entry(after: .complete, task)
    try blocking(done.path, fixture) { () throws in
      #expect(try spool.complete(task, result: JSONText(string: "made")) == done)
    }
    #expect(try moving(fixture).count == 2)
    var tasks = TaskObservations()
    #expect(try spool.settleMoves(&tasks) == [done])
    #expect(try spool.task(task.id)?.record.result == JSONText(string: "made"))

    let (forming, record) = try group(fixture)
    let active = GroupEntry(state: .active, name: forming.name)
    try blocking(active.path, fixture) { () throws in #expect(try spool.change(forming, .form, to: record) == active) }
    var groups = GroupObservations()
    try spool.settleGroupMoves(&groups)
    #expect(try spool.findGroup(forming.id) == active)

    let new = try newGroup(fixture)
    let place = GroupEntry(state: .forming, name: EntryName(urgency: active.name.urgency, id: new.id, attempt: 1))
    try blocking(place.path, fixture) { () throws in #expect(try spool.addGroup(new, term: 1) == place) }
    try spool.settleGroupMoves(&groups)
    #expect(try spool.findGroup(new.id) == place)
    #expect(try moving(fixture).isEmpty)
  }

  @Test func `what is being changed is left alone by the process that changes it`() throws {
    let fixture = try Fixture("coder")
    let spool = fixture.spool
    let task = try started(fixture)
    let directory = Layout.tasksMoving(by: spool.holder)
    try spool.root.makeDirectory(directory)
    let old = Layout.taskMoving(by: spool.holder, raw: TaskMove(.old, task).fileName)
    try spool.root.rename(task.path, to: old)
    var observations = TaskObservations()
    #expect(try spool.settleMoves(&observations) == [])
    #expect(try spool.root.status(old) != nil)
  }

  @Test func `who adds once what it has added and could not put in its place is told that it is there`() throws {
    let fixture = try Fixture("coder")
    let spool = fixture.spool
    var record = TaskRecord(title: "x")
    record.id = spool.newIdentifier()
    let place = TaskEntry(state: .pending, name: EntryName(urgency: 5, id: record.id!))
    try blocking(place.path, fixture) { () throws in #expect(try spool.addOnce(record) == place) }
    #expect(try spool.root.names(Layout.tasksTemporary).count == 1)
    #expect(try spool.addOnce(record) == nil)
    #expect(try spool.findTask(place.id) == place)
    #expect(try moving(fixture).isEmpty)
    #expect(try fixture.events(.taskAdded).count == 1)

    record.id = spool.newIdentifier()
    let other = TaskEntry(state: .pending, name: EntryName(urgency: 5, id: record.id!))
    try blocking(other.path, fixture) { () throws in #expect(try spool.addTask(record) == other) }
    var observations = TaskObservations()
    #expect(try spool.expireTasks(&observations) == [other])
  }

  // MARK: Stopped

  /// Does something while nothing can be logged, and has `meanwhile` happen before that can be.
  private func stopped<Result: Sendable>(
    _ fixture: Fixture, _ body: @escaping @Sendable () throws -> Result, meanwhile: () throws -> Void
  ) throws -> Swift.Result<Result, any Error> {
    let result = Mutex<Swift.Result<Result, any Error>?>(nil)
    let store: @Sendable (Swift.Result<Result, any Error>) -> Void = { new in result.withLock { $0 = new } }
    try fixture.spool.log.locked { _ in
      try Thread.detach { store(.init(catching: body)) }
      try meanwhile()
    }
    #expect(eventually { result.withLock { $0 != nil } })
    return try #require(result.withLock { $0 })
  }

  @Test func `a task that others put back while its collector was stopped isn't removed`() throws {
    let fixture = try Fixture("coder") { $0.leaseSeconds = 0.2 }
    let spool = fixture.spool
    let done = try #require(try spool.complete(started(fixture), result: nil))
    let removed = try stopped(fixture, { try spool.collectTasks(olderThan: 0) }) { () throws in
      let old = Layout.taskMoving(by: spool.holder, raw: TaskMove(.old, done).fileName)
      #expect(eventually { Plain.exists("\(fixture.path)/\(old)") })
      usleep(250_000)
      try spool.root.rename(old, to: done.path)
    }
    #expect(try removed.get() == 0)
    #expect(try History(spool).lastOfTask(done.id)?.kind == .taskCompleted)
    #expect(try spool.findTask(done.id) == done)
  }

  @Test func `a change that others took back while its maker was stopped is no change`() throws {
    let fixture = try Fixture("coder") { $0.leaseSeconds = 0.2 }
    let spool = fixture.spool
    let task = try started(fixture)
    func takeBack(_ old: String, _ new: String, to path: String) throws {
      #expect(eventually { Plain.exists("\(fixture.path)/\(old)") })
      usleep(250_000)
      try spool.root.unlink(new)
      try spool.root.rename(old, to: path)
    }
    let done = try Spool.entry(after: .complete, task)
    let changed = try stopped(fixture, { try spool.complete(task, result: nil) }) {
      try takeBack(
        Layout.taskMoving(by: spool.holder, raw: TaskMove(.old, task).fileName),
        Layout.taskMoving(by: spool.holder, raw: TaskMove(.new, done).fileName), to: task.path)
    }
    #expect(try changed.get() == nil)
    #expect(try spool.findTask(task.id) == task)
    #expect(try fixture.events(.taskCompleted).isEmpty)

    let (forming, record) = try group(fixture)
    let active = GroupEntry(state: .active, name: forming.name)
    let formed = try stopped(fixture, { try spool.change(forming, .form, to: record) }) {
      try takeBack(
        Layout.groupMoving(by: spool.holder, raw: GroupMove(.old, forming).fileName),
        Layout.groupMoving(by: spool.holder, raw: GroupMove(.new, active).fileName), to: forming.path)
    }
    #expect(try formed.get() == nil)
    #expect(try spool.findGroup(forming.id) == forming)
    #expect(try fixture.events(.groupFormed).isEmpty)
    #expect(try moving(fixture).isEmpty)
  }

  @Test func `what others threw away while its adder was stopped is not added`() throws {
    let fixture = try Fixture("coder") { $0.leaseSeconds = 0.2 }
    let spool = fixture.spool
    let once = try stopped(fixture, { try spool.addTask(TaskRecord(title: "x")) }) {
      #expect(eventually { Plain.names("\(fixture.path)/tasks/tmp").count == 1 })
      usleep(250_000)
      for name in try spool.root.names(Layout.tasksTemporary) { try spool.root.unlink("tasks/tmp/\(name)") }
    }
    #expect(code { _ = try once.get() } == .tryAgain)
    #expect(try fixture.events(.taskAdded).isEmpty)
    let record = try newGroup(fixture)
    let directory = Layout.groupsMoving(by: spool.holder)
    let group = try stopped(fixture, { try spool.addGroup(record, term: 1) }) {
      #expect(eventually { Plain.names("\(fixture.path)/\(directory)").count == 1 })
      usleep(250_000)
      for name in try spool.root.names(directory) { try spool.root.unlink("\(directory)/\(name)") }
    }
    #expect(code { _ = try group.get() } == .tryAgain)
    #expect(try fixture.events(.groupAnnounced).isEmpty)
  }

  // MARK: Others'

  @Test func `one that can't be settled is told once, and keeps nobody from the rest`() throws {
    let fixture = try Fixture("coder")
    let spool = fixture.spool
    let dead = dead(fixture)
    var active: [GroupEntry] = []
    try spool.root.makeDirectory(Layout.groupsMoving(by: dead))
    for _ in 0..<3 {
      let (forming, record) = try group(fixture)
      let entry = try #require(try spool.change(forming, .form, to: record))
      let path = Layout.groupMoving(by: dead, raw: GroupMove(.new, entry).fileName)
      try spool.root.rename(entry.path, to: path)
      let old = Layout.groupMoving(by: dead, raw: GroupMove(.old, forming).fileName)
      try Plain.write("\(fixture.path)/\(old)", record.encoded + [10])
      active.append(entry)
    }
    // What can't be read as a file is none.
    let odd = Layout.groupMoving(by: dead, raw: GroupMove(.new, active[0]).fileName)
    try spool.root.unlink(odd)
    try spool.root.makeDirectory(odd)
    var observations = GroupObservations()
    try blocking(active[1].path, fixture) {
      let told = error { try spool.settleGroupMoves(&observations) }
      #expect(told.contains(GroupMove(.new, active[1]).fileName), "\(told)")
      #expect(try spool.findGroup(active[2].id) == active[2])
      // Not again and again.
      try spool.settleGroupMoves(&observations)
    }
    observations = GroupObservations()
    try spool.settleGroupMoves(&observations)
    #expect(try spool.findGroup(active[1].id) == active[1])
  }

  @Test func `a task on the move that can't be settled keeps no other from being taken from the dead`() throws {
    let fixture = try Fixture("coder")
    let spool = fixture.spool
    let dead = dead(fixture)
    let left = try started(fixture, worker: dead)
    let held = try started(fixture, worker: dead)
    let before = try Plain.read("\(fixture.path)/\(left.path)")
    let done = try #require(try spool.complete(left, result: nil))
    try spool.root.makeDirectory(Layout.tasksMoving(by: dead))
    let directory = Layout.tasksMoving(by: dead)
    try spool.root.rename(done.path, to: "\(directory)/\(TaskMove(.new, done).fileName)")
    try Plain.write("\(fixture.path)/\(directory)/\(TaskMove(.old, left).fileName)", before)
    var observations = TaskObservations()
    try blocking(done.path, fixture) {
      #expect(try spool.expireTasks(&observations).map(\.id) == [held.id])
      let told = error { try spool.expireTasks(&observations) }
      #expect(told.contains(directory), "\(told)")
      #expect(try spool.expireTasks(&observations) == [])
      let findings = try Doctor(spool).examine(repairing: true).findings
      #expect(findings.contains { $0.isLeft && $0.problem.contains(directory) }, "\(findings)")
    }
    observations = TaskObservations()
    #expect(try spool.settleMoves(&observations) == [done])
  }

  @Test(arguments: [1, 3])
  func `a task that has no room for one failure more is taken from the dead all the same`(attemptsMax: Int) throws {
    let fixture = try Fixture("coder")
    let task = try started(fixture, worker: dead(fixture)) { record in
      record.attemptsMax = attemptsMax
      record.context = JSONText(string: String(repeating: "x", count: TaskRecord.bytesMax - 400))
    }
    var observations = TaskObservations()
    let moved = try fixture.spool.expireTasks(&observations)
    #expect(moved.map(\.state) == [attemptsMax == 1 ? .failed : .pending])
    #expect(try fixture.spool.findTask(task.id) == moved.first)
  }

  #if DEBUG
    @Test func `a task is taken from the dead though there is no room to say so`() throws {
      func expire(_ faults: String) throws -> (said: String, calls: [String], record: TaskRecord?) {
        let fixture = try Fixture("coder")
        let task = try started(fixture, worker: dead(fixture))
        let trace = fixture.home("trace")
        let outcome = try OwnProcess.run(
          "expire tasks", [fixture.path, trace], environment: ["SPOOL_FAULT_TRACE": trace, "SPOOL_FAULT": faults])
        #expect(outcome.isDone, "\(outcome)")
        let calls = try Plain.text(trace).split(separator: "\n").map(String.init)
        return (outcome.line, calls, try fixture.spool.task(task.id)?.record)
      }
      let traced = try expire("")
      #expect(traced.said == "pending" && traced.record?.failures.count == 1)
      let opened = try #require(traced.calls.firstIndex(of: "opened"))
      let write = try #require(traced.calls[opened...].firstIndex(of: "write"))
      // The line that says that it is open is counted, too.
      let full = try expire("\(ENOSPC):\(write)")
      #expect(full.said == "pending" && full.record?.failures.isEmpty == true)
    }

    @Test func `a task that goes on while what a dead process left of it is settled isn't there twice`() throws {
      /// What is there in the end. While the process that settles it has stopped, the task is given back.
      func settle(_ fault: String) throws -> (calls: [String], left: [String]) {
        let fixture = try Fixture("coder")
        let task = try started(fixture)
        let directory = Layout.tasksMoving(by: dead(fixture))
        try fixture.spool.root.makeDirectory(directory)
        let bytes = try Plain.read("\(fixture.path)/\(task.path)")
        try Plain.write("\(fixture.path)/\(directory)/\(TaskMove(.old, task).fileName)", bytes)
        let trace = fixture.home("trace")
        let running = try OwnProcess.start(
          "expire tasks", [fixture.path, trace], environment: ["SPOOL_FAULT_TRACE": trace, "SPOOL_FAULT": fault])
        if !fault.isEmpty {
          #expect(eventually { running.isStoppedOrOver })
          try fixture.spool.root.rename(task.path, to: Spool.entry(after: .release, task).path)
          running.kill(SIGCONT)
        }
        #expect(try running.wait(seconds: SpoolCommand.secondsMax).isDone)
        let left = try fixture.spool.tasks().map(\.path) + moving(fixture)
        return (try Plain.text(trace).split(separator: "\n").map(String.init), left)
      }
      let traced = try settle("")
      #expect(traced.left.count == 1 && traced.left[0].hasPrefix("tasks/in_progress/"), "\(traced.left)")
      let opened = try #require(traced.calls.firstIndex(of: "opened"))
      let removed = try #require(traced.calls[opened...].firstIndex(of: "unlinkat"))
      let first = traced.calls[..<opened].count { $0 == "openat" } + 1
      let last = traced.calls[..<removed].count { $0 == "openat" }
      #expect(last - first > 3)
      for number in first...last {
        let left = try settle("stop-before:openat#\(number)").left
        #expect(left.count == 1 && left[0].hasPrefix("tasks/pending/"), "stopped before \(number): \(left)")
      }
    }
  #endif
}
