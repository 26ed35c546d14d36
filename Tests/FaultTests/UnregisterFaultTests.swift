#if DEBUG
  import Foundation
  import Glibc
  import Spool
  import SpoolFormat
  import TestSupport
  import TestThreads
  import Testing

  /// A bot that is removed while somebody who sends to it is stopped, at each of its system calls in turn.
  @Suite(.waiting) struct UnregisterFaultTests {
    /// Whether the bot was made by hand, with no more than it needs, and something else of a person's is kept with it.
    @Test(arguments: [false, true])
    func `a send is first, and the bot stays, or there is no such bot`(isByHand: Bool) throws {
      let traced = try makeStage(isByHand)
      let trace = "\(traced.scratch.path)/trace"
      #expect(try start(traced, ["SPOOL_FAULT_TRACE": trace]).wait(seconds: SpoolCommand.secondsMax).isDone)
      let calls = try String(contentsOfFile: trace, encoding: .utf8).split(separator: "\n").count
      var (stayed, removed) = (0, 0)
      for number in 1...calls {
        let stage = try makeStage(isByHand)
        let send = try start(stage, ["SPOOL_FAULT": "stop-before:\(number)"])
        guard send.waitUntilStopped() else { continue }
        let isRemoved = (try? stage.bystander.unregister(BotName(parsing: "a"))) != nil
        send.kill(SIGCONT)
        let outcome = try send.wait(seconds: SpoolCommand.secondsMax)
        let place = "stopped at call \(number) of \(calls): \(outcome)"
        #expect(outcome.status == (isRemoved ? 67 : 0), "\(place)")
        #expect(Scratch.names("\(stage.path)/bots/a/inbox").count == (isRemoved ? 0 : 1), "\(place)")
        #expect(try stage.bystander.exists(BotName(parsing: "a")) != isRemoved, "\(place)")
        if isRemoved { removed += 1 } else { stayed += 1 }
      }
      #expect(removed > 2 && stayed > 2, "\(removed) and \(stayed) of \(calls)")
    }

    private func makeStage(_ isByHand: Bool) throws -> Stage {
      let stage = try Stage(bots: ["a", "b"])
      guard isByHand else { return stage }
      for box in Scratch.names("\(stage.path)/bots/a") where box != "inbox" {
        try FileManager.default.removeItem(atPath: "\(stage.path)/bots/a/\(box)")
      }
      try Data().write(to: URL(fileURLWithPath: "\(stage.path)/bots/a/notes"))
      return stage
    }

    private func start(_ stage: Stage, _ environment: [String: String]) throws -> Running {
      try SpoolCommand.start(["send", "a", "payload", "--from", "b"], in: stage.path, environment: environment)
    }
  }
#endif
