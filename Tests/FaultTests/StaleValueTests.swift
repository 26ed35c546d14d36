#if DEBUG
  import Foundation
  import Glibc
  import TestSupport
  import TestThreads
  import Testing

  /// A shared value of which another host's change is seen half: the token already, and still the file that was there before.
  @Suite(.waiting) struct StaleValueTests {
    private static let environment = ["SPOOL_STORAGE": "shared"]

    /// A value at version 2 of which only version 1 is seen, and what version 2 is.
    private static func stage() throws -> (scratch: Scratch, path: String, seen: String, newer: Data) {
      let scratch = try Scratch(inMemory: true)
      let path = "\(scratch.path)/spool"
      let value = "\(path)/state/light.json"
      #expect(try SpoolCommand.run(["init", path], environment: environment).isDone)
      #expect(try SpoolCommand.run(["state", "set", "light", "1"], in: path, environment: environment).isDone)
      let older = try Data(contentsOf: URL(fileURLWithPath: value))
      #expect(try SpoolCommand.run(["state", "set", "light", "2"], in: path, environment: environment).isDone)
      let newer = try Data(contentsOf: URL(fileURLWithPath: value))
      try older.write(to: URL(fileURLWithPath: value))
      return (scratch, path, value, newer)
    }

    private static let change = ["state", "cas", "light", "3", "--version", "2"]

    @Test func `a value that is older than its token is looked at again before a change is refused`() throws {
      let traced = try Self.stage()
      let trace = "\(traced.scratch.path)/trace"
      let refused = try SpoolCommand.run(
        Self.change, in: traced.path, environment: Self.environment.merging(["SPOOL_FAULT_TRACE": trace]) { $1 })
      #expect(refused.status == 3, "what stays old was put there by hand: \(refused)")
      let calls = try String(contentsOfFile: trace, encoding: .utf8).split(separator: "\n")
      // The token's directory is listed, and the value read: the first time, and again after that.
      let looks = calls.indices.filter { calls[$0] == "pread" && $0 > 1 && calls[..<$0].suffix(3).contains("statx") }
      #expect(looks.count > 3, "\(calls)")
      let number = try #require(looks.first) + 2

      let stage = try Self.stage()
      let running = try SpoolCommand.start(
        Self.change, in: stage.path,
        environment: Self.environment.merging(["SPOOL_FAULT": "stop-before:\(number)"]) { $1 })
      #expect(running.waitUntilStopped())
      // By a rename, as the other host does it.
      try stage.newer.write(to: URL(fileURLWithPath: "\(stage.path)/state/tmp/newer"))
      #expect(rename("\(stage.path)/state/tmp/newer", stage.seen) == 0)
      running.kill(SIGCONT)
      let outcome = try running.wait(seconds: SpoolCommand.secondsMax)
      #expect(outcome.isDone, "\(outcome)")
      let now = try SpoolCommand.run(
        ["state", "get", "light", "--json"], in: stage.path, environment: Self.environment)
      #expect(now.output.contains("\"value\":3,\"version\":3"), "\(now)")
    }
  }
#endif
