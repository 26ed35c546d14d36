#if DEBUG
  import Foundation
  import Glibc
  import Spool
  import TestSupport
  import Testing

  /// The system calls of a command, each one killed at or made to fail in turn. What must hold then is said once, in
  /// `SpoolReader.violations` and in each `Scenario`: no half file is ever seen; a message is in one place for
  /// each recipient; a yes is kept and a no changes nothing; all or nothing once `spool doctor --repair` has run; nothing
  /// acked comes back; every line of the log is good; and a process that has the spool open goes on without a restart.
  @Suite struct FaultTests {
    @Test(arguments: Scenario.all)
    func `a command killed at any system call leaves all or nothing, and the spool goes on`(scenario: Scenario) throws {
      let calls = try Self.trace(scenario)
      #expect(calls.count >= scenario.callsMin, "\(scenario.name) makes only \(calls)")
      let first = try Self.firstCall(scenario, calls)
      var killed = 0
      for moment in ["before", "after"] {
        for number in first...(calls.count + 1) {
          let stage = try scenario.prepare()
          let outcome = try stage.run(["SPOOL_FAULT": "kill-\(moment):\(number)"])
          let place = "\(scenario.name) killed \(moment) call \(number)"
          if outcome.isKilled { killed += 1 }
          // After a call that failed, such as for a file that isn't there, nothing kills.
          let mayLive = moment == "after" || number > calls.count
          #expect(outcome.isKilled || (outcome.isDone && mayLive), "\(place): \(outcome)")
          try judge(scenario, stage, outcome, place) {
            let repair = try SpoolCommand.run(["doctor", "--repair"], in: stage.path)
            #expect(repair.isDone, "\(place): \(repair)")
          }
        }
      }
      #expect(killed > (calls.count - first) * 3 / 2, "killed only \(killed) of \(calls.count) calls")
      print("\(scenario.name): \(calls.count) system calls, killed \(killed) times")
    }

    @Test(arguments: Scenario.all)
    func `a command whose system call fails says so, and what it says is true`(scenario: Scenario) throws {
      let calls = try Self.trace(scenario)
      #expect(calls.count >= scenario.callsMin, "\(scenario.name) makes only \(calls)")
      let first = try Self.firstCall(scenario, calls)
      var (runs, refused) = (0, 0)
      for fault in Fault.all {
        for number in first...calls.count where fault.canHappen(at: calls[number - 1]) {
          let stage = try scenario.prepare()
          let outcome = try stage.run(["SPOOL_FAULT": "\(fault.name):\(number)"])
          let place = "\(scenario.name) with \(fault.name) at call \(number), \(calls[number - 1])"
          runs += 1
          if !outcome.isDone {
            refused += 1
            let isNothing = outcome.status == 1 && outcome.error.contains("nothing waits")
            #expect(fault.statuses.contains(outcome.status ?? -1), "\(place): \(outcome)")
            #expect(isNothing || SpoolMessage.isOneLine(outcome.error), "\(place): \(outcome)")
          }
          try judge(scenario, stage, outcome, place) { _ = try Doctor(stage.bystander).examine(repairing: true) }
        }
      }
      #expect(refused > (calls.count - first) * 2, "only \(refused) of \(runs) runs were refused")
      print("\(scenario.name): \(calls.count) system calls, failed \(runs) times, refused \(refused) times")
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

    /// Kinds of failure, and the statuses that a command may end with then.
    private struct Fault {
      let name: String
      let statuses: Set<Int>
      func canHappen(at call: String) -> Bool { name != "short-write" || call == "write" }

      /// 69: `spool.json` could not be read; 1: what could not be read was set aside or left, and nothing else waits.
      static let all = [
        Fault(name: "\(ENOSPC)", statuses: [75, 74, 69, 1]), Fault(name: "\(EIO)", statuses: [74, 69, 1]),
        Fault(name: "\(EMFILE)", statuses: [75, 74, 69, 1]), Fault(name: "\(EACCES)", statuses: [77, 74, 69, 1]),
        Fault(name: "\(ESTALE)", statuses: [74, 69, 1]), Fault(name: "short-write", statuses: [75]),
      ]
    }

    /// The names of the calls that the command makes when nothing is in its way.
    private static func trace(_ scenario: Scenario) throws -> [String] {
      let stage = try scenario.prepare()
      let outcome = try stage.run(["SPOOL_FAULT_TRACE": "\(stage.scratch.path)/trace"])
      #expect(outcome.isDone, "\(scenario.name): \(outcome)")
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
      var found = before.violations(settled: false) + scenario.afterwards(stage, outcome, before)
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
