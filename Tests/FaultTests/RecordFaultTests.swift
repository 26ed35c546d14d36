#if DEBUG
  import Glibc
  import TestSupport
  import TestThreads
  import Testing

  /// Records that are being caught up, by commands that die, fail, or do it all at once.
  @Suite(.waiting) struct RecordFaultTests {
    private let scratch: Scratch
    private let spool: String

    init() throws {
      scratch = try Scratch(inMemory: true)
      spool = try scratch.makeSpool(bots: [])
      for bot in ["a", "b"] { try done("register", bot, "--skill", "swift") }
    }

    @discardableResult
    private func done(_ arguments: String...) throws -> String {
      let outcome = try SpoolCommand.run(arguments, in: spool)
      try #require(outcome.isDone, "\(arguments): \(outcome)")
      return outcome.line
    }

    /// Something that both bots' records must tell of.
    private func act() throws {
      for (from, to) in [("a", "b"), ("b", "a")] {
        try done("send", to, "hi", "--from", from, "--relaxed")
        try done("receive", to, "--ack")
      }
    }

    private var records: [String] { ["a", "b"].map { Scratch.text("\(spool)/bots/\($0)/record.json") } }

    /// Caught up from what is there, they are what all of the log gives.
    private func check(_ what: String) throws {
      try done("skills")
      let caughtUp = records
      try done("skills", "--recompute")
      // They may have been written at different places in the log, each right for its own.
      let read = #/"read": \{.*/#.dotMatchesNewlines()
      #expect(caughtUp.map { $0.replacing(read, with: "") } == records.map { $0.replacing(read, with: "") }, "\(what)")
    }

    @Test func `catching up, killed at any system call, leaves what can be caught up`() throws {
      var visited = 0
      while visited < 500 {
        try act()
        let outcome = try SpoolCommand.run(
          ["skills"], in: spool, environment: ["SPOOL_FAULT": "kill-before:\(visited + 1)"])
        if visited % 3 == 0 { try act() }
        try check("killed at \(visited + 1)")
        guard outcome.isKilled else { break }
        visited += 1
      }
      #expect(visited > 40 && visited < 500)
      print("catching up: killed before each of \(visited) system calls")
    }

    @Test func `whatever fails while catching up, the next one catches up`() throws {
      try act()
      var calls = 0
      while calls < 500 {
        calls += 1
        let outcome = try SpoolCommand.run(
          ["skills", "--json"], in: spool, environment: ["SPOOL_FAULT": "\(ENOSPC):\(calls)"])
        guard outcome.isDone else { continue }
        #expect(outcome.output.contains("\"skill\":\"swift\""), "\(outcome)")
        if try !SpoolCommand.run(["skills"], in: spool, environment: ["SPOOL_FAULT": "kill-before:\(calls)"]).isKilled {
          break
        }
      }
      try check("failures")
      print("catching up: each of \(calls) system calls failed once")
    }

    @Test func `many that catch up at once, while there is more to learn, end with the same records`() throws {
      for _ in 0..<6 {
        let readers = try (0..<6).map { _ in try SpoolCommand.start(["skills"], in: spool) }
        try act()
        let more = try (0..<3).map { _ in try SpoolCommand.start(["mesh", "--recompute"], in: spool) }
        try act()
        for reader in readers + more { #expect(try reader.wait(seconds: 30).signal == nil) }
        try check("at once")
      }
    }
  }
#endif
