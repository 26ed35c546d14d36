import Foundation
import Glibc
import TestSupport
import TestThreads
import Testing

/// Where no file may be longer than some kilobytes (`ulimit -f`): what goes past that is refused like what a full disk has
/// no room for.
@Suite(.waiting) struct FileSizeLimitTests {
  private let scratch: Scratch
  private let spool: String

  init() throws {
    // Whoever started the tests may ignore it, as Python does, and that is inherited.
    signal(SIGXFSZ, SIG_DFL)
    scratch = try Scratch(inMemory: true)
    spool = try scratch.makeSpool(bots: ["a"])
  }

  private func limited(_ arguments: [String]) throws -> SpoolCommand.Outcome {
    try SpoolCommand.start(
      program: "/bin/sh", ["-c", "ulimit -f 16; exec \"$0\" \"$@\"", SpoolCommand.path.get()] + arguments, in: spool
    ).wait(seconds: SpoolCommand.secondsMax)
  }

  private func expectRefusal(_ outcome: SpoolCommand.Outcome) {
    #expect(outcome.status == 75 && SpoolMessage.isOneLine(outcome.error), "\(outcome)")
    #expect(outcome.error.contains("ulimit -f"), "\(outcome)")
  }

  @Test func `a message that is too long is refused, and leaves nothing behind`() throws {
    expectRefusal(try limited(["send", "a", String(repeating: "x", count: 100_000)]))
    for box in ["inbox", "tmp"] { #expect(Scratch.names("\(spool)/bots/a/\(box)").filter { !$0.hasPrefix(".") } == []) }
    #expect(Scratch.names("\(spool)/tmp") == [])
    #expect(try limited(["send", "a", "short"]).isDone)
    #expect(try limited(["receive", "a", "--ack"]).line == "short")
  }

  @Test func `a line that the log has no place for is taken back, and what waits can be received and acked`() throws {
    var sent: [String] = []
    while sent.count < 20 {
      let content = "\(sent.count) " + String(repeating: "x", count: 1500)
      let outcome = try limited(["send", "a", content])
      guard outcome.isDone else {
        expectRefusal(outcome)
        break
      }
      sent.append(content)
    }
    try #require(2..<20 ~= sent.count)
    let reader = SpoolReader(spool)
    #expect(reader.tornBytes == 0)
    #expect(reader.violations(settled: true).isEmpty, "\(reader.violations(settled: true))")
    #expect(reader.entries("a", "inbox").count == sent.count)
    for content in sent { #expect(try limited(["receive", "a", "--ack"]).line == content) }
    #expect(SpoolReader(spool).entries("a", "claimed").isEmpty)
    #expect(try SpoolCommand.run(["send", "a", "without a limit"], in: spool).isDone)
    #expect(try SpoolCommand.run(["receive", "a", "--ack"], in: spool).line == "without a limit")
    #expect(SpoolReader(spool).tornBytes == 0)
  }

  @Test func `a program that a worker runs is ended by the limit, as ever`() throws {
    #expect(try SpoolCommand.run(["send", "a", "x"], in: spool).isDone)
    let found = "\(scratch.path)/found"
    let script = "grep SigIgn /proc/self/status > \(found)"
    #expect(try SpoolCommand.run(["work", "a", "--until-empty", "--", "/bin/sh", "-c", script], in: spool).isDone)
    let ignored = try #require(UInt64(Scratch.text(found).split(whereSeparator: \.isWhitespace).last ?? "", radix: 16))
    #expect(ignored & 1 << UInt64(SIGXFSZ - 1) == 0)
  }
}
