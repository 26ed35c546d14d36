#if DEBUG
  import Foundation
  import Glibc
  import Spool
  import SpoolFormat
  import TestSupport
  import TestThreads
  import Testing

  /// A process that changes tasks, and is stopped before each of its system calls in turn for longer than a lease, so that
  /// another takes it for dead and settles what it has on the move: a yes that it says afterwards is true.
  @Suite(.waiting) struct TaskStoppedTests {
    private static let settings = ["lease_seconds": 0.1]

    @Test func `what was added is there, once`() throws {
      let add = ["task", "add", "payload"]
      try stopAtEach({ _ in add }) { stage, outcome, place in
        let tasks = stage.reader.taskFiles
        #expect(tasks.count == (outcome.isDone ? 1 : 0), "\(place): \(outcome), \(tasks)")
      }
    }

    @Test func `what was completed is, with its result, and else can be completed still`() throws {
      let complete = { (stage: Stage) in ["task", "complete", try stage.beginTask(), "42"] }
      try stopAtEach(complete) { stage, outcome, place in
        let tasks = try stage.bystander.tasks(in: TaskState.allCases)
        #expect(tasks.count == 1, "\(place): \(tasks)")
        guard let task = try tasks.first.flatMap({ try stage.bystander.task($0.id) }) else { return }
        #expect((task.state == .completed) == outcome.isDone, "\(place): \(outcome), \(task.entry.path)")
        if outcome.isDone { #expect(task.record.result?.value.string == "42", "\(place)") }
      }
    }

    @Test func `what is said of a task that stays where it is stays said`() throws {
      let block = { (stage: Stage) in
        let first = MessageID(try stage.beginTask())!
        return ["task", "block", try stage.addTask { $0.dependsOn = [first] }, "waits for the licence"]
      }
      try stopAtEach(block) { stage, outcome, place in
        let tasks = try stage.bystander.tasks(in: [.blocked])
        #expect(tasks.count == 1, "\(place): \(tasks)")
        let reason = try tasks.first.flatMap { try stage.bystander.task($0)?.record.blockedReason }
        #expect((reason == "waits for the licence") == outcome.isDone, "\(place): \(outcome), \(reason ?? "no reason")")
      }
    }

    private func stopAtEach(
      _ arguments: (Stage) throws -> [String], _ check: (Stage, SpoolCommand.Outcome, String) throws -> Void
    ) throws {
      let traced = try Stage(bots: ["a"], settings: Self.settings)
      let trace = "\(traced.scratch.path)/trace"
      let whole = try SpoolCommand.run(arguments(traced), in: traced.path, environment: ["SPOOL_FAULT_TRACE": trace])
      #expect(whole.isDone, "\(whole)")
      let calls = try String(contentsOfFile: trace, encoding: .utf8).split(separator: "\n")
      var late = 0
      for number in 1...calls.count {
        let stage = try Stage(bots: ["a"], settings: Self.settings)
        let running = try SpoolCommand.start(
          arguments(stage), in: stage.path, environment: ["SPOOL_FAULT": "stop-before:\(number)"])
        #expect(eventually { running.isStoppedOrOver })
        late += try settle(stage)
        running.kill(SIGCONT)
        let outcome = try running.wait(seconds: SpoolCommand.secondsMax)
        try check(stage, outcome, "stopped before call \(number) of \(calls.count), \(calls[number - 1])")
      }
      #expect(late > 0)
    }

    /// - Returns: 1 when something was on the move, which then was settled.
    private func settle(_ stage: Stage) throws -> Int {
      var observations = TaskObservations()
      func onTheMove() -> [String] {
        let tasks = "\(stage.path)/tasks"
        return Scratch.names("\(tasks)/tmp")
          + Scratch.names("\(tasks)/moving").flatMap { Scratch.names("\(tasks)/moving/\($0)") }
      }
      guard !onTheMove().isEmpty else { return 0 }
      let isSettled = try eventually {
        _ = try stage.bystander.settleMoves(&observations)
        return onTheMove().isEmpty
      }
      #expect(isSettled, "\(onTheMove())")
      return 1
    }
  }
#endif
