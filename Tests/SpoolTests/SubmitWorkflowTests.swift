import Glibc
import Linux
import SpoolFormat
import Synchronization
import TestSupport
import TestThreads
import Testing

@testable import Spool

@Suite(.waiting) struct SubmitWorkflowTests {
  @Test func `what a killed submit left out is left to who took that up after it was looked at`() throws {
    let fixture = try Fixture()
    let spool = fixture.spool
    let file = #"{"title": "all", "steps": [{"name": "a"}, {"name": "b", "depends_on": ["a"]}]}"#
    let submitted = try spool.submit(Workflow(parsing: Array(file.utf8)), Workflow.Origin())
    func parent() throws -> StoredTask { try #require(try spool.task(submitted.parent)) }
    func submitter() throws -> String? {
      try parent().record.extra.first { $0.name == "submitted_by" }?.value.value.string
    }
    func isTakenUp(by holder: String) throws {
      try spool.change(parent().entry, .block) { record in
        record.extra.removeAll { $0.name == "submitted_by" }
        record.extra.append(Message.Field(name: "submitted_by", value: JSONText(string: holder)))
      }
    }
    try isTakenUp(by: DeadProcess.holder(on: spool.host))
    let missing = try #require(try spool.findTask(submitted.steps[1].id))
    #expect(unlink("\(fixture.path)/\(missing.path)") == 0)
    let seen = try parent()
    #expect(try spool.stepsMissing(of: seen) == 1)
    try isTakenUp(by: "elsewhere.17.17")
    #expect(try spool.finishSubmitting(seen) == 0)
    #expect(try submitter() == "elsewhere.17.17")
    #expect(try spool.findTask(missing.id) == nil)
  }

  @Test func `a workflow that can't be read where its parent keeps it is refused as a whole`() throws {
    let fixture = try Fixture()
    func workflow(_ depth: Int) throws -> Workflow {
      let context = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
      return try Workflow(parsing: Array(#"{"title":"x","steps":[{"name":"a","context":\#(context)}]}"#.utf8))
    }
    let deepest = try #require((1...JSON.depthMax).last { (try? workflow($0)) != nil })
    #expect(throws: (any Error).self) { try fixture.spool.submit(workflow(deepest), Workflow.Origin()) }
    #expect(try fixture.spool.tasks(in: TaskState.allCases) == [])
    let submitted = try fixture.spool.submit(workflow(deepest - 1), Workflow.Origin())
    #expect(try fixture.spool.task(submitted.parent) != nil)
    #expect(try LogMerge(LogFiles(root: fixture.spool.root)).badLines.isEmpty)
  }

  @Test func `who was stopped with the key in hand until another host took it over submits nothing`() throws {
    let fixture = try Fixture()
    let spool = fixture.spool
    let afar = try Spool(at: fixture.path, machine: "afar")
    let workflow = try Workflow(parsing: Array(#"{"title": "all", "steps": [{"name": "a"}]}"#.utf8))
    let result = Mutex<Result<Spool.SubmittedWorkflow, any Error>?>(nil)
    let submit: @Sendable () -> Void = {
      let submitted = Result { try spool.submit(workflow, Workflow.Origin(), key: "k") }
      result.withLock { $0 = submitted }
    }
    var id: MessageID?
    try spool.log.locked { _ in
      try Thread.detach { submit() }
      #expect(eventually { Plain.names("\(fixture.path)/tasks/tmp").count == 1 })
      let key = try Plain.text("\(fixture.path)/keys/" + Plain.names("\(fixture.path)/keys")[0])
      id = MessageID(String(key.prefix(MessageID.textCount)))
      // All that matters of what the other does: the log has the parent.
      var parent = TaskRecord(title: "all")
      parent.id = id
      #expect(try afar.addOnce(parent) != nil)
    }
    #expect(eventually { result.withLock { $0 != nil } })
    let submitted = try #require(result.withLock { $0 }).get()
    #expect(submitted.parent == id && !submitted.isNew)
    #expect(try fixture.events(.taskAdded).count == 1)
    #expect(try spool.tasks().map(\.id) == [id])
    #expect(Plain.names("\(fixture.path)/tasks/tmp").isEmpty)
  }

  @Test(arguments: ["emptied", "removed"])
  func `the key of a workflow that was submitted is known after a power cut, however that left its file`(damage: String)
    throws
  {
    let fixture = try Fixture()
    let file = #"{"title": "all", "steps": [{"name": "a"}]}"#
    func submit(to spool: Spool, by author: String?) throws -> Spool.SubmittedWorkflow {
      var origin = Workflow.Origin()
      origin.createdBy = author
      return try spool.submit(Workflow(parsing: Array(file.utf8)), origin, key: "k")
    }
    let before = try [nil, "ann"].map { try submit(to: fixture.spool, by: $0).parent }
    for name in Plain.names("\(fixture.path)/keys") {
      let key = "\(fixture.path)/keys/\(name)"
      #expect(damage == "removed" ? unlink(key) == 0 : truncate(key, 0) == 0)
    }
    let spool = try fixture.rebooted()
    let after = try [nil, "ann"].map { try submit(to: spool, by: $0) }
    #expect(after.map(\.parent) == before && after.allSatisfy { !$0.isNew })
    #expect(try fixture.events(.taskAdded).count == 4)
  }

  @Test func `a field of an ordinary task that looks like a key is none`() throws {
    let fixture = try Fixture()
    var record = TaskRecord(title: "x")
    record.extra = [Message.Field(name: "idempotency_key", value: JSONText(string: "k"))]
    try fixture.spool.addTask(record)
    _ = try fixture.rebooted()
    #expect(Plain.names("\(fixture.path)/keys").isEmpty)
  }

  #if DEBUG
    private func start(_ fixture: Fixture, _ host: String, fault: String = "", trace: String = "/dev/null") throws
      -> Running
    {
      try OwnProcess.start(
        "submit a workflow with a key", [fixture.path],
        environment: [
          "SPOOL_HOST": host, "SPOOL_CLOCK_JUMP": fixture.home("clock"), "SPOOL_FAULT": fault,
          "SPOOL_FAULT_TRACE": trace,
        ])
    }

    /// A spool in which a submit by the host "one", whose clock is so far ahead, is stopped between the parent and its
    /// step.
    private func stoppedAmidSubmit(clock seconds: Int = 0) throws -> (Fixture, Running) {
      let traced = try Fixture("coder")
      try Plain.write(traced.home("clock"), "\(seconds)")
      #expect(try start(traced, "one", trace: traced.home("trace")).wait(seconds: SpoolCommand.secondsMax).isDone)
      let calls = try Plain.text(traced.home("trace")).split(separator: "\n")
      // The last but one puts the parent in its place.
      let placed = calls.indices.filter { calls[$0].hasPrefix("renameat") }.dropLast().last
      let opened = calls[..<(try #require(placed))].count { $0 == "openat" }
      for _ in 0..<20 {
        let fixture = try Fixture("coder")
        try Plain.write(fixture.home("clock"), "\(seconds)")
        let first = try start(fixture, "one", fault: "stop-before:openat#\(opened + 1)")
        #expect(eventually { first.isStoppedOrOver })
        // On a busy machine it makes more calls before, or fewer.
        if try fixture.spool.tasks().map(\.state) == [.blocked] { return (fixture, first) }
        first.kill(SIGCONT)
        _ = try first.wait(seconds: SpoolCommand.secondsMax)
      }
      throw Failure("it was never stopped between the parent and its step")
    }

    @Test func `who was stopped before the steps until another host had added them adds none`() throws {
      let (fixture, first) = try stoppedAmidSubmit()
      let spool = fixture.spool
      try Plain.write(fixture.home("clock"), "100")
      let second = try start(fixture, "two").wait(seconds: SpoolCommand.secondsMax)
      #expect(second.isDone, "\(second)")
      let step = try #require(try spool.tasks().first { $0.state == .pending })
      let begun = try #require(try spool.start(step, bot: fixture.bot(), worker: spool.holder))
      #expect(try spool.complete(begun, result: nil) != nil)
      first.kill(SIGCONT)
      #expect(try first.wait(seconds: SpoolCommand.secondsMax).line == second.line)
      #expect(try spool.tasks().filter { $0.id == step.id }.map(\.state) == [.completed])
      #expect(try fixture.events(.taskAdded).count == 2)
    }

    @Test func `who submits by a clock that is far behind has as long as others`() throws {
      let (fixture, first) = try stoppedAmidSubmit(clock: -1000)
      let entry = try #require(try fixture.spool.tasks().first)
      let parent = try #require(try fixture.spool.task(entry))
      #expect(try fixture.spool.finishSubmitting(parent) == 0)
      #expect(try fixture.events(.taskAdded).count == 1)
      first.kill(SIGCONT)
      #expect(try first.wait(seconds: SpoolCommand.secondsMax).isDone)
      #expect(try fixture.spool.finishSubmitting(parent) == 0)
      #expect(try fixture.events(.taskAdded).count == 2)
    }
  #endif
}
