import Glibc
import TestSupport
import TestThreads
import Testing

/// `spool gc` as it is run from cron: with several ages at once.
@Suite(.waiting) struct CollectCommandTests {
  @Test func `what a task said stays in the log though both go in the same run`() throws {
    let scratch = try Scratch(inMemory: true)
    let spool = try scratch.makeSpool(bots: ["a"], settings: ["segment_bytes_max": 4096])
    func done(_ arguments: String...) throws -> String {
      let outcome = try SpoolCommand.run(arguments, in: spool)
      #expect(outcome.isDone, "\(arguments): \(outcome)")
      return outcome.line
    }
    let id = try done("task", "add", "quarterly report")
    _ = try done("task", "complete", done("task", "claim", id, "--as", "a"), "the result: 42")
    let text = String(repeating: "x", count: 1000)
    for _ in 0..<12 {
      _ = try done("send", "a", text)
      _ = try done("receive", "a", "--ack")
    }
    usleep(1_100_000)
    let report = try done("gc", "--older-than", "1s", "--tasks", "1s")
    #expect(report.contains("1 task removed") && !report.contains("0 segments"), "\(report)")
    let trace = try done("trace", id, "--json")
    #expect(!trace.contains("task.added") && trace.contains("the result: 42"), "\(trace)")
    #expect(try done("search", "42", "--json").contains(id))
  }
}
