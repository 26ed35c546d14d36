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

    private static func makeWorkflow(_ stage: Stage) throws -> String {
      let path = "\(stage.scratch.path)/release.json"
      let steps = #"{"name":"a","title":"a"},{"name":"b","title":"b","depends_on":["a"]}"#
      try Scratch.write(#"{"title":"release","steps":[\#(steps)]}"#, to: path)
      return path
    }

    @Test func `the second yes to a workflow under its key waits for the disk, as the first may never have been given`()
      throws
    {
      let stage = try Stage(bots: ["a"])
      try stage.send("the first, which makes the log", to: "a")
      let submit = ["workflow", "submit", try Self.makeWorkflow(stage), "--key", "k"]
      #expect(try !Self.trace(stage, submit + ["--relaxed"]).contains("fdatasync"))
      #expect(try !Self.trace(stage, submit + ["--relaxed"]).contains("fdatasync"))
      #expect(try Self.trace(stage, submit).contains("fdatasync"))
    }

    @Test func `the yes to a workflow is for all its lines, also where another process began a segment between them`()
      throws
    {
      let stage = try Stage(bots: ["a", "filler"], settings: ["segment_bytes_max": 4096])
      let submit = ["workflow", "submit", try Self.makeWorkflow(stage)]
      let trace = "\(stage.scratch.path)/trace"
      // Before the file of the first step, after the line of the parent.
      let calls = try Self.trace(stage, submit)
      let writes = calls.indices.filter { calls[$0] == "write" }
      try FileManager.default.removeItem(atPath: trace)
      let running = try SpoolCommand.start(
        submit, in: stage.path,
        environment: ["SPOOL_FAULT": "stop-before:\(writes[2] + 1)", "SPOOL_FAULT_TRACE": trace])
      #expect(eventually { running.isStoppedOrOver })
      let before = Self.segments(stage)
      while Self.segments(stage) == before { try stage.send("filling", to: "filler") }
      running.kill(SIGCONT)
      #expect(try running.wait(seconds: SpoolCommand.secondsMax).isDone)
      // The last line's; and, as that was in another segment than the first, both.
      let syncs = try String(contentsOfFile: trace, encoding: .utf8).split(separator: "\n").count { $0 == "fdatasync" }
      #expect(syncs == 3, "\(syncs)")
    }
  }
#endif
