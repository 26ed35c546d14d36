#if DEBUG
  import Foundation
  import Glibc
  import TestSupport
  import TestThreads
  import Testing

  /// What must have happened before a yes, and in which order: told by the system calls that a command makes.
  @Suite(.waiting) struct OrderTests {
    private static func trace(_ stage: Stage, _ arguments: [String]) throws -> [String] {
      let path = "\(stage.scratch.path)/trace"
      try? FileManager.default.removeItem(atPath: path)
      let outcome = try SpoolCommand.run(arguments, in: stage.path, environment: ["SPOOL_FAULT_TRACE": path])
      #expect(outcome.isDone, "\(outcome)")
      return try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map(String.init)
    }

    private static func segments(_ stage: Stage) -> Int {
      Scratch.names("\(stage.path)/log").flatMap { Scratch.names("\(stage.path)/log/\($0)") }
        .count { $0.hasSuffix(".jsonl") }
    }

    @Test func `a durable message is written to the log, synced, and only then seen; a relaxed one is not synced`()
      throws
    {
      let stage = try Stage(bots: ["a"])
      try stage.send("the first, which makes the log", to: "a")
      let calls = try Self.trace(stage, ["send", "a", "payload"]).filter {
        ["write", "fdatasync", "renameat"].contains($0)
      }
      // The file in tmp/, the line in the log.
      #expect(calls == ["write", "write", "fdatasync", "renameat"], "\(calls)")
      let relaxed = try Self.trace(stage, ["send", "a", "payload", "--relaxed"])
      #expect(!relaxed.contains("fdatasync"), "\(relaxed)")
      #expect(relaxed.contains("renameat"))
    }

    @Test func `a task is logged and synced before it is seen, and its result before the answer`() throws {
      let stage = try Stage(bots: ["a"])
      _ = try stage.addTask()
      let kinds: Set = ["write", "fdatasync", "renameat"]
      let added = try Self.trace(stage, ["task", "add", "another"]).filter(kinds.contains)
      #expect(added == ["write", "write", "fdatasync", "renameat"], "\(added)")
      let id = try stage.beginTask()
      // The new file, the old one out of the way, the line, the new one in its place, and the sync.
      let completed = try Self.trace(stage, ["task", "complete", id, "42"]).filter(kinds.contains)
      #expect(completed.prefix(5) == ["write", "renameat", "write", "renameat", "fdatasync"], "\(completed)")
      let relaxed = try Self.trace(stage, ["task", "add", "a third", "--relaxed"])
      #expect(!relaxed.contains("fdatasync"), "\(relaxed)")
    }

    @Test func `the name of a new segment is synced before the first line in it`() throws {
      let stage = try Stage(bots: ["a", "filler"], settings: ["segment_bytes_max": 4096])
      try stage.fillSegments()
      let before = Self.segments(stage)
      let calls = try Self.trace(stage, ["send", "a", "payload"]).filter {
        ["write", "fdatasync", "renameat"].contains($0)
      }
      #expect(Self.segments(stage) == before + 1)
      // The file in tmp/, the line that names the segment before, the directory, the line, its sync.
      let expected = ["write", "write", "fdatasync", "write", "fdatasync", "renameat"]
      #expect(Array(calls.prefix(6)) == expected, "\(calls)")
    }

    @Test func `a sync that failed is no yes, is never tried again, and its segment gets no more lines`() throws {
      let stage = try Stage(bots: ["a"])
      try stage.send("the first, which makes the log", to: "a")
      let calls = try Self.trace(stage, ["send", "a", "payload"])
      let sync = try #require(calls.firstIndex(of: "fdatasync")) + 1
      let before = Self.segments(stage)
      let outcome = try SpoolCommand.run(
        ["send", "a", "payload"], in: stage.path, environment: ["SPOOL_FAULT": "\(EIO):\(sync)"])
      #expect(!outcome.isDone && outcome.error.contains("may or may not"), "\(outcome)")
      #expect(try SpoolCommand.run(["send", "a", "another"], in: stage.path).isDone)
      #expect(Self.segments(stage) == before + 1)
      #expect(try SpoolCommand.run(["doctor", "--repair"], in: stage.path).isDone)
      #expect(stage.reader.violations(settled: true).isEmpty)
    }

    @Test func `who sends again under the key of a send that was not synced gets no yes either`() throws {
      let (traced, stage) = (try Stage(bots: ["a"]), try Stage(bots: ["a"]))
      for stage in [traced, stage] { try stage.send("the first, which makes the log", to: "a") }
      let send = ["send", "a", "payload", "--key", "k"]
      let sync = try #require(Self.trace(traced, send).firstIndex(of: "fdatasync")) + 1
      let outcome = try SpoolCommand.run(send, in: stage.path, environment: ["SPOOL_FAULT": "\(EIO):\(sync)"])
      #expect(outcome.status == 74 && outcome.error.contains("may or may not"), "\(outcome)")
      // The kernel has told of it once: a sync of that file would be a yes now.
      let again = try SpoolCommand.run(send, in: stage.path)
      #expect(again.status == 74 && again.error.contains("may or may not"), "\(again)")
      #expect(try SpoolCommand.run(send + ["--relaxed"], in: stage.path).isDone)
      #expect(try SpoolCommand.run(["send", "a", "payload", "--key", "other"], in: stage.path).isDone)
    }
  }
#endif
