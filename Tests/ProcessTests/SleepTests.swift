import TestSupport
import TestThreads
import Testing

/// A machine that slept, as seen by a process in a time namespace: the clock that counts time asleep, or both, are an hour
/// further on there.
private enum Later {
  static func unshare(_ clocks: [String]) -> [String] {
    ["unshare", "--time", "--fork"] + clocks.flatMap { [$0, "3600"] }
  }

  static let isPossible: Bool = {
    let outcome = try? SpoolCommand.start(program: "/usr/bin/env", unshare(["--boottime"]) + ["true"]).wait(seconds: 20)
    return outcome?.isDone == true
  }()
}

@Suite(.waiting, .enabled(if: Later.isPossible, "needs unshare(1), and the right to use it")) struct SleepTests {
  private let scratch: Scratch
  private let spool: String

  init() throws {
    scratch = try Scratch(inMemory: true)
    spool = try scratch.makeSpool(bots: ["coder"])
  }

  /// On a host that can't see the process which has the claim.
  private func receive(afterAnHourOf clocks: [String] = []) throws -> SpoolCommand.Outcome {
    let command = [try SpoolCommand.path.get(), "receive", "coder"]
    return try SpoolCommand.start(
      program: "/usr/bin/env", (clocks.isEmpty ? [] : Later.unshare(clocks)) + command, in: spool,
      environment: ["SPOOL_HOST": "observer"]
    ).wait(seconds: SpoolCommand.secondsMax)
  }

  @Test func `a lease doesn't run out while the machine sleeps`() throws {
    #expect(try SpoolCommand.run(["send", "coder", "hi"], in: spool).isDone)
    #expect(try SpoolCommand.run(["receive", "coder"], in: spool, environment: ["SPOOL_HOST": "holder"]).isDone)
    #expect(try receive().status == 1)
    #expect(try receive(afterAnHourOf: ["--boottime"]).status == 1)
    let outcome = try receive(afterAnHourOf: ["--boottime", "--monotonic"])
    #expect(outcome.isDone && outcome.output.contains("hi"), "\(outcome)")
  }
}
