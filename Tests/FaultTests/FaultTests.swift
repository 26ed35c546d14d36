#if DEBUG
  import Foundation
  import Glibc
  import Spool
  import TestSupport
  import TestThreads
  import Testing

  /// The system calls of a command, each one killed at or made to fail in turn. What must hold then is said once, in
  /// `SpoolReader.violations` and in each `Scenario`: no half file is ever seen; a message is in one place for
  /// each recipient; a yes is kept and a no changes nothing; all or nothing once `spool doctor --repair` has run; nothing
  /// acked comes back; every line of the log is good; and a process that has the spool open goes on without a restart.
  @Suite(.waiting) struct FaultTests {
    @Test(arguments: Scenario.all)
    func `a command killed at any system call leaves all or nothing, and the spool goes on`(scenario: Scenario) throws {
      let calls = try Self.trace(scenario)
      #expect(calls.count >= scenario.callsMin, "\(scenario.name) makes only \(calls)")
      let first = try Self.firstCall(scenario, calls)
      var sample = Sample("\(scenario.name), killed")
      var killed = 0
      // All of those that send, claim, ack and nack make; of very many some.
      let oneOf = calls.count <= 60 ? 1 : calls.count / 25
      for moment in ["before", "after"] {
        for number in first...(calls.count + 1) where sample.takes(oneOf: oneOf) {
          sample.count += 1
          let stage = try scenario.prepare()
          let trace = "\(stage.scratch.path)/trace"
          let outcome = try stage.run(["SPOOL_FAULT": "kill-\(moment):\(number)", "SPOOL_FAULT_TRACE": trace])
          let place = "\(scenario.name) killed \(moment) call \(number)"
          if outcome.isKilled { killed += 1 }
          // After a call that failed, such as for a file that isn't there, nothing kills. And on a busy machine a run may
          // make fewer calls than the one that was traced.
          let mayLive = try moment == "after" || Self.trace(stage).count < number
          let isDone = outcome.status == scenario.doneStatus
          #expect(outcome.isKilled || (isDone && mayLive), "\(place): \(outcome)")
          try judge(scenario, stage, outcome, place) {
            let repair = try SpoolCommand.run(["doctor", "--repair"], in: stage.path)
            #expect(repair.isDone, "\(place): \(repair)")
          }
        }
      }
      #expect(killed > sample.count * 2 / 5, "killed only \(killed) of \(sample.count) times")
      #expect(sample.count >= min(2 * (calls.count - first), 20), "only \(sample.count) times of \(calls.count) calls")
      print("\(scenario.name): \(calls.count) system calls, killed \(killed) times")
    }

    @Test(arguments: Scenario.all)
    func `a command whose system call fails says so, and what it says is true`(scenario: Scenario) throws {
      let calls = try Self.trace(scenario)
      #expect(calls.count >= scenario.callsMin, "\(scenario.name) makes only \(calls)")
      let first = try Self.firstCall(scenario, calls)
      var sample = Sample("\(scenario.name), system calls that fail")
      var (points, refused) = (0, 0)
      let most = (calls.count - first + 1) * Fault.all.count
      for fault in Fault.all {
        for number in first...calls.count where fault.canHappen(at: calls[number - 1]) {
          points += 1
          guard sample.takes(oneOf: max(fault.isAlwaysTried ? 1 : 2, most / 60)) else { continue }
          let stage = try scenario.prepare()
          guard let outcome = try Self.run(stage, fault: fault.name, at: number, of: calls) else { continue }
          let place = "\(scenario.name) with \(fault) at call \(number), \(calls[number - 1])"
          sample.count += 1
          if !outcome.isDone {
            refused += 1
            let nothings = ["nothing waits", "no tasks yet", "no such tasks", "no task "]
            let isNothing = outcome.status == 1 && nothings.contains { outcome.error.contains($0) }
            let isAsExpected = outcome.status == scenario.doneStatus || fault.statuses.contains(outcome.status ?? -1)
            #expect(isAsExpected, "\(place): \(outcome)")
            let isSaid = SpoolMessage.isOneLine(outcome.error) || (scenario.isReboot && !outcome.error.isEmpty)
            #expect(isNothing || isSaid, "\(place): \(outcome)")
          }
          let left = fault.isHonest && calls[number - 1] != "unlinkat" ? stage.reader.temporary : []
          #expect(left.isEmpty, "\(place) left \(left) in tmp/")
          try judge(scenario, stage, outcome, place) { _ = try Doctor(stage.bystander).examine(repairing: true) }
        }
      }
      #expect(points >= 9 * (calls.count - first + 1))
      #expect(
        sample.count >= (Sample.isWhole ? points : min(25, points / 4)), "tried only \(sample.count) of \(points)")
      #expect(refused > sample.count / 10, "only \(refused) of \(sample.count) runs were refused")
      print(
        "\(scenario.name): \(calls.count) system calls, \(points) faults, tried \(sample.count), refused \(refused)")
    }

    /// On storage that several hosts share: a rename or a link that was done, and of which the repeated request says that
    /// there is nothing to do it to; and a file that another host replaced (ESTALE), once at each place.
    @Test(arguments: Scenario.all)
    func `where hosts share the storage, a lost answer is found out, and what was replaced is looked up again`(
      scenario: Scenario
    ) throws {
      let calls = try Self.trace(scenario, ["SPOOL_STORAGE": "shared"])
      var sample = Sample("\(scenario.name), lost answers")
      for (number, call) in zip(1..., calls) {
        let faults: [String] =
          switch call {
          case "renameat": ["done-\(ENOENT)", "\(ESTALE)"]
          case "linkat": ["done-\(EEXIST)", "\(ESTALE)"]
          case "statx", "openat": ["\(ESTALE)"]
          default: []
          }
        for fault in faults where sample.takes(oneOf: max(1, calls.count / 25)) || fault.hasPrefix("done") {
          let stage = try scenario.prepare()
          guard let outcome = try Self.run(stage, fault: fault, at: number, of: calls, shared: true) else { continue }
          sample.count += 1
          let place = "\(scenario.name) with \(fault) at call \(number), \(call)"
          #expect(outcome.status == scenario.doneStatus, "\(place): \(outcome)")
          try judge(scenario, stage, outcome, place) { _ = try Doctor(stage.bystander).examine(repairing: true) }
        }
      }
      #expect(sample.count > 0)
      print("\(scenario.name): \(sample.count) lost answers and replaced files")
    }

    @Test func `a message to many whose sender was killed half-way reaches each, whoever of them is there`() throws {
      let stage = try Stage(bots: ["a", "b", "c", "filler"])
      try stage.send("the first, which makes the log", to: "filler")
      stage.arguments = ["send", "team", "payload"]
      _ = try stage.run(["SPOOL_FAULT_TRACE": "\(stage.scratch.path)/trace"])
      let link = try #require(try Self.trace(stage).firstIndex(of: "linkat")) + 1
      #expect(try stage.run(["SPOOL_FAULT": "kill-after:\(link)"]).isKilled)
      try #require(stage.reader.entries("c", "inbox").count == 1, "it was not killed half-way")
      for bot in ["c", "b"] {
        for _ in 0..<2 {
          let outcome = try SpoolCommand.run(["receive", bot, "--wait", "20s", "--ack"], in: stage.path)
          #expect(outcome.line == "payload", "\(bot): \(outcome)")
        }
      }
      #expect(stage.reader.entries("a", "inbox").count == 2)
      #expect(stage.reader.violations(settled: true).isEmpty)
    }

    @Test func `a task whose file can't be closed isn't added`() throws {
      let stage = try Stage(bots: ["a"])
      stage.arguments = ["task", "add", "payload"]
      let outcome = try stage.run(["SPOOL_FAULT": "\(ENOSPC):close#1"])
      #expect(!outcome.isDone && SpoolMessage.isOneLine(outcome.error), "\(outcome)")
      #expect(outcome.error.contains("nothing was added"))
      let reader = stage.reader
      #expect(reader.added(titled: "payload").isEmpty && reader.tasks(titled: "payload").isEmpty)
      #expect(Scratch.names("\(stage.path)/tasks/tmp").isEmpty)
    }

    /// Kinds of failure, and the statuses that a command may end with then.
    private struct Fault: CustomStringConvertible {
      let name: String
      let description: String
      let statuses: Set<Int>
      var isAlwaysTried = false
      /// Whether what is said to have failed was not done.
      var isHonest = true
      func canHappen(at call: String) -> Bool { name != "short-write" || call == "write" }

      private init(
        _ code: CInt, _ description: String, _ statuses: Set<Int>, always isAlwaysTried: Bool = false,
        done: Bool = false
      ) {
        name = done ? "done-\(code)" : "\(code)"
        self.description = description
        self.statuses = statuses
        self.isAlwaysTried = isAlwaysTried
        isHonest = !done
      }

      private init(shortWrite statuses: Set<Int>) {
        name = "short-write"
        description = name
        self.statuses = statuses
        isAlwaysTried = true
      }

      /// 69: `spool.json` could not be read; 1: what could not be read was set aside or left, and nothing else waits;
      /// 3 and 73: what was done, though it is said to have failed, is found done.
      static let all = [
        Fault(EIO, "EIO", [74, 69, 1], always: true), Fault(ENOSPC, "ENOSPC", [75, 74, 69, 1], always: true),
        Fault(EDQUOT, "EDQUOT", [75, 74, 69, 1]), Fault(EMFILE, "EMFILE", [75, 74, 69, 1]),
        Fault(EACCES, "EACCES", [77, 74, 69, 1]), Fault(EROFS, "EROFS", [77, 74, 69, 1]),
        Fault(ESTALE, "ESTALE", [74, 69, 1]), Fault(EINTR, "EINTR", []), Fault(shortWrite: [75]),
        Fault(EIO, "EIO, though it is done", [74, 69, 3, 1], done: true),
      ]
    }

    /// Runs it with a fault at this call. The outcome is nil when another call had that number, or none: on a busy machine
    /// leases need to be renewed, so that a run may make other calls than the one that was traced.
    private static func run(_ stage: Stage, fault: String, at number: Int, of calls: [String], shared: Bool = false)
      throws -> SpoolCommand.Outcome?
    {
      var environment = ["SPOOL_FAULT": "\(fault):\(number)", "SPOOL_FAULT_TRACE": "\(stage.scratch.path)/trace"]
      if shared { environment["SPOOL_STORAGE"] = "shared" }
      let outcome = try stage.run(environment)
      return try trace(stage).dropFirst(number - 1).first == calls[number - 1] ? outcome : nil
    }

    /// The names of the calls that the command makes when nothing is in its way.
    private static func trace(_ scenario: Scenario, _ environment: [String: String] = [:]) throws -> [String] {
      let stage = try scenario.prepare()
      let traced = ["SPOOL_FAULT_TRACE": "\(stage.scratch.path)/trace"]
      let outcome = try stage.run(environment.merging(traced) { $1 })
      #expect(outcome.status == scenario.doneStatus, "\(scenario.name): \(outcome)")
      return try trace(stage)
    }

    private static func trace(_ stage: Stage) throws -> [String] {
      try String(contentsOfFile: "\(stage.scratch.path)/trace", encoding: .utf8).split(separator: "\n").map(String.init)
    }

    /// Where to begin: every command opens the spool with the same calls, which need to be gone through in one of them.
    private static func firstCall(_ scenario: Scenario, _ calls: [String]) throws -> Int {
      if scenario.name == Scenario.all[0].name { return 1 }
      let stage = try Stage(bots: [])
      stage.arguments = ["topics"]
      _ = try stage.run(["SPOOL_FAULT_TRACE": "\(stage.scratch.path)/trace"])
      return max(1, zip(try trace(stage), calls).prefix { $0 == $1 }.count)
    }

    private func judge(
      _ scenario: Scenario, _ stage: Stage, _ outcome: SpoolCommand.Outcome, _ place: String, repair: () throws -> Void
    ) throws {
      let before = stage.reader
      var found = before.violations(settled: false)
      if scenario.isReboot {
        // Whatever is missing may be missing still; the next to open it goes on.
        found = []
        try stage.reopen()
      }
      found += scenario.afterwards(stage, outcome, before)
      try repair()
      let repaired = stage.reader
      found += repaired.violations(settled: true)
      found += try scenario.inTheEnd(stage, outcome, repaired)
      found += stage.reader.violations(settled: true)
      if scenario.mayGoUnlogged { found.removeAll { $0.hasSuffix("is not in the log") } }
      #expect(found.isEmpty, "\(place): \(found.joined(separator: "; ")); the command: \(outcome)")
      try stage.goesOn("a")
    }
  }
#endif
