#if DEBUG
  import Foundation
  import Glibc
  import Spool
  import SpoolFormat
  import TestSupport
  import TestThreads
  import Testing

  /// Two who do something about the same tasks, one of them stopped, or killed, amid it.
  @Suite(.waiting) struct TaskRaceTests {
    private func stopped(
      _ stage: Stage, at fault: String, _ arguments: String..., meanwhile body: () throws -> Void
    ) throws -> SpoolCommand.Outcome {
      let running = try SpoolCommand.start(arguments, in: stage.path, environment: ["SPOOL_FAULT": fault])
      #expect(eventually { running.isStoppedOrOver })
      try body()
      running.kill(SIGCONT)
      return try running.wait(seconds: SpoolCommand.secondsMax)
    }

    private func run(_ stage: Stage, _ arguments: String...) throws {
      let outcome = try SpoolCommand.run(arguments, in: stage.path)
      #expect(outcome.isDone, "\(arguments): \(outcome)")
    }

    private func makeWorkflow(_ stage: Stage, steps: Int) throws -> String {
      let path = "\(stage.scratch.path)/release.json"
      let names = (0..<steps).map { #"{"name":"s\#($0)","title":"s\#($0)"}"# }.joined(separator: ",")
      try Scratch.write(#"{"title":"release","steps":[\#(names)]}"#, to: path)
      return path
    }

    @Test func `what a process that was killed had completed stays so, however much was logged before the reboot`()
      throws
    {
      func stage() throws -> Stage { try Stage(bots: ["a", "filler"], settings: ["segment_bytes_max": 4096]) }
      let traced = try stage()
      let trace = "\(traced.scratch.path)/trace"
      let id = try traced.beginTask()
      let whole = try SpoolCommand.run(
        ["task", "complete", id, "42"], in: traced.path, environment: ["SPOOL_FAULT_TRACE": trace])
      #expect(whole.isDone, "\(whole)")
      let calls = try String(contentsOfFile: trace, encoding: .utf8).split(separator: "\n")
      let renames = calls.indices.filter { calls[$0] == "renameat" }
      // Out of its state, and into the new one: in between stands the line.
      try #require(renames.count >= 2)
      let killed = try stage()
      let task = try killed.beginTask()
      let outcome = try SpoolCommand.run(
        ["task", "complete", task, "42"], in: killed.path,
        environment: ["SPOOL_FAULT": "kill-before:\(renames[1] + 1)"])
      #expect(!outcome.isDone)
      for _ in 0..<60 { try killed.send(String(repeating: "x", count: 400), to: "filler") }
      try killed.reboot()
      try killed.reopen()
      let stored = try #require(try killed.bystander.task(MessageID(task)!))
      #expect(stored.state == .completed && stored.record.result?.value.string == "42", "\(stored.entry.path)")
    }

    @Test func `who blocks a task for a reason is not overruled by the end of what it waited for`() throws {
      let stage = try Stage(bots: ["a"])
      let first = try stage.beginTask()
      let second = try stage.addTask { $0.dependsOn = [MessageID(first)!] }
      // The second of its renames that begins the other task.
      let outcome = try stopped(stage, at: "stop-before:renameat#3", "task", "complete", first) {
        try run(stage, "task", "block", second, "waits for the licence")
      }
      #expect(outcome.isDone, "\(outcome)")
      let task = try #require(try stage.bystander.task(MessageID(second)!))
      #expect(task.state == .blocked && task.record.blockedReason == "waits for the licence", "\(task.entry.path)")
    }

    @Test func `a parent doesn't fail for a child that is tried again just then`() throws {
      let stage = try Stage(bots: ["a"])
      let path = try makeWorkflow(stage, steps: 1)
      let parent = try SpoolCommand.run(["workflow", "submit", path], in: stage.path).line
      let step = try #require(try stage.bystander.task(MessageID(parent)!)?.record.children.first)
      try run(stage, "task", "claim", step.description, "--as", "a")
      let outcome = try stopped(stage, at: "stop-before:renameat#3", "task", "fail", step.description, "no", "--final")
      {
        #expect(try stage.bystander.findTask(step)?.state == .failed)
        try run(stage, "task", "retry", step.description)
      }
      #expect(outcome.isDone, "\(outcome)")
      #expect(try stage.bystander.findTask(step)?.state == .pending)
      #expect(try stage.bystander.findTask(MessageID(parent)!)?.state == .blocked)
    }

    @Test func `a workflow that is cancelled while it is submitted leaves nothing to be done`() throws {
      let stage = try Stage(bots: ["a"])
      let path = try makeWorkflow(stage, steps: 5)
      let outcome = try stopped(stage, at: "stop-before:renameat#4", "workflow", "submit", path) {
        let parent = try #require(try stage.bystander.tasks(in: [.blocked]).first)
        #expect(try !stage.bystander.tasks(in: [.pending]).isEmpty)
        try run(stage, "task", "cancel", parent.id.description)
      }
      #expect(outcome.isDone, "\(outcome)")
      let tasks = try stage.bystander.tasks(in: TaskState.allCases)
      #expect(tasks.count == 6 && tasks.allSatisfy { $0.state == .cancelled }, "\(tasks.map(\.path))")
    }
  }
#endif
