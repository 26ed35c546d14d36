import SpoolFormat
import TestSupport
import Testing

@testable import Spool

/// A join of three steps: build and docs after design.
private struct Workflow {
  let fixture: Fixture
  let all: MessageID
  let design: MessageID
  let build: MessageID
  let docs: MessageID
  var spool: Spool { fixture.spool }

  init(onDependencyFailure: TaskRecord.DependencyFailure = .block) throws {
    fixture = try Fixture("coder")
    let spool = fixture.spool
    func add(_ title: String, _ edit: (inout TaskRecord) -> Void) throws -> MessageID {
      var record = TaskRecord(title: title)
      record.onDependencyFailure = onDependencyFailure
      edit(&record)
      return try spool.addTask(record, by: "test").id
    }
    let all = try add("all") { $0.isJoin = true }
    let design = try add("design") { $0.parent = all }
    build = try add("build") {
      $0.parent = all; $0.dependsOn = [design]
    }
    docs = try add("docs") {
      $0.parent = all; $0.dependsOn = [design]
    }
    (self.all, self.design) = (all, design)
  }

  func state(_ id: MessageID) throws -> TaskState? { try spool.findTask(id)?.state }

  var states: [TaskState?] { get throws { try [all, design, build, docs].map(state) } }

  func finish(_ id: MessageID, _ ok: Bool) throws {
    let entry = try #require(try spool.findTask(id))
    let started = try spool.claimTask(entry, for: fixture.bot())
    _ = try ok ? spool.complete(started, result: nil) : spool.fail(started, error: "broken", isRetryable: false)
    try spool.settleDependents(of: id)
  }

  func retry(_ id: MessageID) throws -> [MessageID] {
    try spool.retryWithRelatives(try #require(try spool.findTask(id)), by: "test").map(\.id)
  }

  func cancel(_ id: MessageID) throws -> [MessageID] {
    try spool.cancelWithChildren(try #require(try spool.findTask(id)), by: "test").map(\.id)
  }
}

@Suite struct TaskFamilyTests {
  @Test func `a task that fails before it was begun failed in no attempt`() throws {
    let fixture = try Fixture("coder")
    for isBegun in [false, true] {
      let added = try fixture.spool.addTask(TaskRecord(title: "x"), by: "test")
      var entry = try #require(try fixture.spool.assign(added, to: fixture.bot()))
      if isBegun { entry = try #require(try fixture.spool.start(entry, bot: fixture.bot(), worker: nil)) }
      let failed = try #require(try fixture.spool.fail(entry, error: "no", isRetryable: false))
      #expect(failed.attempt == (isBegun ? 1 : 0))
      #expect(try fixture.spool.record(of: failed)?.failures.map(\.attempt) == [failed.attempt])
    }
  }

  @Test func `a task is cancelled with all that are below it and haven't ended`() throws {
    let work = try Workflow()
    try work.finish(work.design, true)
    var record = TaskRecord(title: "a part of build")
    record.parent = work.build
    let below = try work.spool.addTask(record).id
    #expect(try work.cancel(work.all) == [work.all, work.build, work.docs, below])
    #expect(try work.states == [.cancelled, .completed, .cancelled, .cancelled])
    #expect(try work.state(below) == .cancelled)
    #expect(code { _ = try work.cancel(work.all) } == .notAllowed)
    #expect(code { _ = try work.cancel(work.design) } == .notAllowed)
  }

  @Test func `those that are as old as their parent, to the microsecond, are its children all the same`() throws {
    let fixture = try Fixture("coder")
    let moment = Timestamp(microseconds: 1_800_000_000_000_000)
    var all = TaskRecord(title: "all")
    all.id = MessageID(time: moment, random: 5)
    all.isJoin = true
    try fixture.spool.addTask(all)
    for random in [1, 9] as [UInt64] {
      var part = TaskRecord(title: "part")
      part.id = MessageID(time: moment, random: random)
      part.parent = all.id
      try fixture.spool.addTask(part)
    }
    #expect(try fixture.spool.children(of: all).count == 2)
    let entry = try #require(try fixture.spool.findTask(all.id!))
    #expect(try fixture.spool.cancelWithChildren(entry).count == 3)
  }

  @Test func `a join whose results are too long for one file says where they are`() throws {
    let work = try Workflow()
    for id in [work.design, work.build, work.docs] {
      let entry = try #require(try work.spool.findTask(id))
      let started = try work.spool.claimTask(entry, for: work.fixture.bot())
      try work.spool.complete(started, result: JSONText(string: String(repeating: "x", count: 2 << 20)))
      try work.spool.settleDependents(of: id)
    }
    #expect(try work.states == [.completed, .completed, .completed, .completed])
    #expect(try work.spool.task(work.all)?.record.result?.value.string?.contains("spool task tree") == true)
  }

  @Test func `cancelling that was killed half-way is finished by the same call`() throws {
    let work = try Workflow()
    _ = try work.spool.cancel(try #require(try work.spool.findTask(work.all)))
    #expect(try work.cancel(work.all) == [work.design, work.build, work.docs])
  }

  @Test func `a step that failed brings back its join, which waits again and ends well`() throws {
    let work = try Workflow()
    try work.finish(work.design, false)
    #expect(try work.states == [.failed, .failed, .blocked, .blocked])
    #expect(try work.retry(work.design) == [work.design, work.all])
    #expect(try work.states == [.blocked, .pending, .blocked, .blocked])
    let record = try #require(try work.spool.task(work.all)).record
    #expect(record.error == nil && record.completedAt == nil && record.blockedReason == nil)
    #expect(try work.spool.task(work.build)?.record.blockedBy == nil)
    for id in [work.design, work.build, work.docs] { try work.finish(id, true) }
    #expect(try work.states == [.completed, .completed, .completed, .completed])
  }

  @Test func `what comes after a step that can't begin can't either, and all of them come back with the first`() throws
  {
    let work = try Workflow()
    func add(_ policy: TaskRecord.DependencyFailure) throws -> MessageID {
      var record = TaskRecord(title: "test")
      record.dependsOn = [work.build]
      record.parent = work.all
      record.onDependencyFailure = policy
      return try work.spool.addTask(record).id
    }
    let tests = try [add(.block), add(.cancel)]
    try work.finish(work.design, false)
    let later = try add(.cancel)
    for id in tests + [later] {
      let task = try #require(try work.spool.task(id))
      #expect(task.state == .blocked && task.record.blockedBy == work.build, "\(task)")
      #expect(task.record.blockedReason == "\(work.build), which it depends on, can't begin")
    }
    #expect(try work.state(work.all) == .failed)
    _ = try work.retry(work.design)
    for id in tests + [later] { #expect(try work.spool.task(id)?.record.blockedBy == nil) }
    for id in [work.design, work.build, work.docs] + tests + [later] { try work.finish(id, true) }
    #expect(try work.state(work.all) == .completed)
  }

  @Test func `a join that failed brings back its children`() throws {
    let work = try Workflow()
    try work.finish(work.design, true)
    try work.finish(work.build, false)
    try work.finish(work.docs, false)
    #expect(try work.state(work.all) == .failed)
    #expect(Set(try work.retry(work.all)) == [work.all, work.build, work.docs])
    #expect(try work.states == [.blocked, .completed, .pending, .pending])
  }

  @Test func `what was cancelled because of a dependency comes back with it, and what a person cancelled doesn't`()
    throws
  {
    let work = try Workflow(onDependencyFailure: .cancel)
    _ = try work.cancel(work.docs)
    try work.finish(work.design, false)
    #expect(try work.states == [.failed, .failed, .cancelled, .cancelled])
    #expect(Set(try work.retry(work.design)) == [work.design, work.build, work.all])
    #expect(try work.states == [.blocked, .pending, .blocked, .cancelled])
  }

  @Test func `a cancelled workflow comes back as it was`() throws {
    let work = try Workflow()
    try work.finish(work.design, true)
    _ = try work.cancel(work.all)
    #expect(Set(try work.retry(work.all)) == [work.all, work.build, work.docs])
    #expect(try work.states == [.blocked, .completed, .pending, .pending])
  }

  @Test func `bringing back that was killed half-way is finished by the same call`() throws {
    let work = try Workflow()
    try work.finish(work.design, false)
    _ = try work.spool.retry(try #require(try work.spool.findTask(work.design)))
    #expect(try work.state(work.all) == .failed)
    #expect(try work.retry(work.design) == [work.all])
    #expect(try work.states == [.blocked, .pending, .blocked, .blocked])
    #expect(code { _ = try work.retry(work.design) } == .notAllowed)
  }

  @Test func `a task whose dependency has failed can't be tried again before that is`() throws {
    let work = try Workflow()
    _ = try work.cancel(work.build)
    try work.finish(work.design, false)
    let text = error { _ = try work.retry(work.build) }
    #expect(text.contains("\(work.design), which it depends on, failed") && text.contains("first: spool task retry"))
    #expect(try work.state(work.build) == .cancelled)
  }

  @Test func `unblocking takes away a person's reason, and no other unless it is forced`() throws {
    let work = try Workflow()
    func entry(_ id: MessageID) throws -> TaskEntry { try #require(try work.spool.findTask(id)) }
    #expect(
      error { _ = try work.spool.unblockTask(try entry(work.build)) }.contains("waits for \(work.design) (pending)"))
    #expect(code { _ = try work.spool.unblockTask(try entry(work.all)) } == .notAllowed)
    let blocked = try #require(try work.spool.block(try entry(work.build), reason: "no licence"))
    #expect(try work.spool.unblockTask(blocked).state == .blocked)
    try work.finish(work.design, true)
    #expect(try work.state(work.build) == .pending)
    let again = try #require(try work.spool.block(try entry(work.build), reason: "no licence"))
    #expect(try work.spool.settle(again) == nil)
    #expect(try work.spool.unblockTask(again).state == .pending)
    let other = try Workflow()
    let early = try #require(try other.spool.findTask(other.build))
    #expect(try other.spool.unblockTask(early, isForced: true).state == .pending)
  }

  @Test func `a wait tells what is done, and ends when all have ended or are stuck`() throws {
    let work = try Workflow()
    #expect(try work.spool.waitForTasks([work.design], seconds: 0.01).map(\.state) == [.pending])
    var seen: [[TaskState]] = []
    var isFinished = false
    let tasks = try work.spool.waitForTasks([work.design, work.build], seconds: 30) { tasks in
      seen.append(tasks.map(\.state))
      // What somebody else does meanwhile.
      if !isFinished { #expect(throws: Never.self) { try work.finish(work.design, false) } }
      isFinished = true
    }
    #expect(tasks.map(\.state) == [.failed, .blocked] && tasks.allSatisfy(\.hasEnded))
    #expect(seen.first == [.pending, .blocked] && seen.last == [.failed, .blocked])
  }
}
