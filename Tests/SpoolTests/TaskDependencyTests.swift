import Glibc
import SpoolFormat
import TestSupport
import Testing

@testable import Spool

/// What waits for what ends at that moment.
@Suite struct TaskDependencyTests {
  private func add(_ fixture: Fixture, _ title: String, _ edit: (inout TaskRecord) -> Void = { _ in }) throws
    -> TaskEntry
  {
    var record = TaskRecord(title: title)
    edit(&record)
    return try fixture.spool.addTask(record, by: "test")
  }

  private func end(_ fixture: Fixture, _ entry: TaskEntry, _ ok: Bool = true) throws {
    let spool = fixture.spool
    let started = try #require(try spool.start(entry, bot: fixture.bot(), worker: nil))
    _ = ok ? try spool.complete(started, result: nil) : try spool.fail(started, error: "broken", isRetryable: false)
    try spool.settleDependents(of: entry.id)
  }

  @Test func `a task begins though what it depends on ended while it was being added`() throws {
    let fixture = try Fixture("coder")
    let first = try add(fixture, "first")
    try end(fixture, first)
    var record = TaskRecord(title: "after")
    record.dependsOn = [first.id]
    // As whoever added it saw it.
    let after = try fixture.spool.addTask(record, by: "test", knowing: [first.id: .inProgress])
    #expect(after.state == .pending)
    #expect(try fixture.spool.findTask(after.id) == after)
  }

  @Test func `a task begins though what it depends on ended while its file was being changed`() throws {
    let fixture = try Fixture("coder")
    let spool = fixture.spool
    let first = try add(fixture, "first")
    let after = try add(fixture, "after") { $0.dependsOn = [first.id] }
    try end(fixture, first, false)
    #expect(try spool.task(after.id)?.record.blockedBy == first.id)
    let failed = try #require(try spool.findTask(first.id))
    try end(fixture, try #require(try spool.retry(failed)), false)
    // Tried again, as one who settles it sees; completed when he has changed its file.
    var looks = 0
    let moved = try spool.settle(#require(try spool.findTask(after.id))) { _ in
      looks += 1
      return ([first.id: looks == 1 ? .inProgress : .completed], [])
    }
    #expect(moved?.state == .pending && looks == 2)
    #expect(try spool.findTask(after.id)?.state == .pending)
  }

  /// As of a submit that was killed before it added the last step.
  @Test func `a workflow ends though a step of it was added after what that waits for had failed`() throws {
    let fixture = try Fixture("coder")
    let spool = fixture.spool
    let file = """
      {"title": "all", "steps": [{"name": "a"}, {"name": "b", "depends_on": ["a"], "on_dependency_failure": "cancel"}]}
      """
    let workflow = try Workflow(parsing: Array(file.utf8)).sorted
    let ids = [spool.newIdentifier(), spool.newIdentifier()]
    var parent = workflow.parentRecord(id: spool.newIdentifier(), stepIDs: ids, origin: Workflow.Origin())
    parent.extra.append(Message.Field(name: "workflow", value: JSONText(trusted: workflow.encoded)))
    let submitter = JSONText(string: DeadProcess.holder(on: spool.host))
    parent.extra.append(Message.Field(name: "submitted_by", value: submitter))
    let whole = try spool.addTask(parent)
    let step = workflow.records(ids: ids, parent: whole.id, origin: Workflow.Origin())[0]
    try end(fixture, try spool.addTask(step), false)
    #expect(try spool.findTask(whole.id)?.state == .blocked)
    #expect(try spool.finishSubmitting(#require(try spool.task(whole.id))) == 1)
    #expect(try spool.findTask(ids[1])?.state == .cancelled)
    #expect(try spool.findTask(whole.id)?.state == .failed)
  }

  @Test(arguments: [false, true]) func `a child that can't be read stops nobody else's going on`(isLate: Bool) throws {
    let fixture = try Fixture("coder")
    let spool = fixture.spool
    let (first, spoilt) = (try add(fixture, "first"), try add(fixture, "spoilt"))
    let all = try add(fixture, "all") {
      $0.dependsOn = [first.id]; $0.children = [spoilt.id]; $0.waitsForChildren = true;
      $0.priority = Priority(value: 9)!
    }
    let after = try add(fixture, "after") { $0.dependsOn = [first.id] }
    #expect(after.state == .blocked && all.state == .blocked)
    let ended = try #require(try spool.cancel(spoilt, reason: nil, by: "test"))
    try Plain.write("\(fixture.path)/\(ended.path)", "no task")
    let started = try #require(try spool.start(first, bot: fixture.bot(), worker: nil))
    let completed = try #require(try spool.complete(started, result: nil))
    let problem = code { _ = try isLate ? spool.settleOverlooked() : spool.settleAfter(completed) }
    #expect(problem == .badData)
    #expect(try spool.findTask(after.id)?.state == .pending)
    #expect(try spool.findTask(all.id)?.state == .blocked)
  }

  /// As of children that were added one by one, and ended by who was killed then.
  @Test func `a worker lets a parent go on that never named its children`() throws {
    let fixture = try Fixture("coder")
    let spool = fixture.spool
    let all = try add(fixture, "all") { $0.waitsForChildren = true }
    let other = try add(fixture, "other") { $0.waitsForChildren = true }
    let part = try add(fixture, "part") { $0.parent = all.id }
    let open = try add(fixture, "open") { $0.parent = other.id }
    let started = try #require(try spool.start(part, bot: fixture.bot(), worker: nil))
    #expect(try spool.overlooked() == [])
    try spool.complete(started, result: nil)
    #expect(try spool.overlooked() == [all])
    // Of this one three are younger.
    #expect(try spool.overlooked(readsMax: 2) == [] && spool.overlooked(readsMax: 3) == [all])
    _ = try TaskInbox(spool, fixture.bot()).takeWarning()
    #expect(try spool.findTask(all.id)?.state == .pending)
    #expect(try spool.findTask(other.id)?.state == .blocked)
    #expect(try spool.findTask(open.id)?.state == .pending)
  }

  @Test func `nobody gets a join, whoever makes it pending`() throws {
    let fixture = try Fixture("coder", "another")
    let spool = fixture.spool
    let all = try add(fixture, "all") { $0.isJoin = true }
    let part = try add(fixture, "part") {
      $0.parent = all.id
      $0.assignTo = try! BotName(parsing: "another")
    }
    #expect(code { _ = try spool.unblockTask(all, isForced: true) } == .notAllowed)
    #expect(rename("\(fixture.path)/\(all.path)", "\(fixture.path)/tasks/pending/\(all.name)") == 0)
    let inbox = try TaskInbox(spool, fixture.bot(), takesPending: true)
    #expect(try inbox.next() == nil)
    #expect(try spool.findTask(all.id) == all)
    let started = try #require(try spool.start(part, bot: fixture.bot(), worker: nil))
    try spool.complete(started, result: nil)
    try spool.settleDependents(of: part.id)
    #expect(try spool.findTask(all.id)?.state == .completed)
  }

  @Test func `who waits for tasks reads those that have ended once`() throws {
    let fixture = try Fixture("coder")
    let spool = fixture.spool
    let (one, two) = (try add(fixture, "one"), try add(fixture, "two"))
    try end(fixture, one)
    let ended = try #require(try spool.findTask(one.id))
    var looks = 0
    let tasks = try spool.waitForTasks([one.id, two.id], seconds: 20) { _ in
      looks += 1
      guard looks == 1 else { return }
      #expect(throws: Never.self) {
        try Plain.write("\(fixture.path)/\(ended.path)", "no task")
        try end(fixture, two)
      }
    }
    #expect(tasks.map(\.state) == [.completed, .completed] && looks == 2)
  }
}
