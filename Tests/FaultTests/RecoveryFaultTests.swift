#if DEBUG
  import Foundation
  import Glibc
  import TestSupport
  import TestThreads
  import Testing

  /// What is done once in a spool's life, killed at every system call and done again.
  @Suite(.waiting) struct RecoveryFaultTests {
    @Test func `recovery of a damaged copy, killed at any system call and run again, ends the same`() throws {
      let scratch = try Scratch(inMemory: true)
      let original = try scratch.makeSpool("original", bots: ["a", "b"])
      var ids: [String] = []
      for text in ["one", "two", "three", "four"] {
        ids.append(try run(["send", "a", text], in: original).line)
      }
      ids.append(try run(["send", "team", "five", "--key", "k"], in: original).line)
      let claims = try (0..<2).map { _ in
        try #require(run(["receive", "a", "--json"], in: original).output.firstMatch(of: #/"claim":"([^"]+)"/#)).output
          .1
      }
      _ = try run(["ack", String(claims[0])], in: original)
      _ = try run(["nack", "--dead", String(claims[1])], in: original)
      try damage(original, ids)
      var visited = 0
      while visited < 1000 {
        let copy = "\(scratch.path)/copy"
        try FileManager.default.copyItem(atPath: original, toPath: copy)
        defer { try? FileManager.default.removeItem(atPath: copy) }
        let outcome = try SpoolCommand.run(
          ["bots"], in: copy, environment: ["SPOOL_FAULT": "kill-before:\(visited + 1)"])
        let again = try SpoolCommand.run(["doctor", "--repair"], in: copy)
        #expect(again.isDone, "killed at \(visited + 1): \(again)")
        let reader = SpoolReader(copy)
        let found = reader.violations(settled: true).filter { !$0.contains("no whole JSON object") }
        #expect(found.isEmpty, "killed at \(visited + 1): \(found)")
        #expect(reader.tornBytes == 0)
        #expect(Set(reader.entries("a", "inbox").map(\.id)) == [ids[2], ids[3], ids[4]])
        #expect(reader.entries("b", "inbox").map(\.id) == [ids[4]])
        #expect(reader.entries("a", "dead").map(\.id) == [ids[1]])
        #expect(Scratch.names("\(copy)/bots/a/dead").contains { $0.hasSuffix(".reason") })
        #expect(reader.entries.allSatisfy { $0.message != nil })
        let sent = try run(["send", "team", "five", "--key", "k"], in: copy).line
        #expect(sent == ids[4], "the key was forgotten")
        guard outcome.isKilled else { break }
        visited += 1
      }
      #expect(visited > 60 && visited < 1000)
      print("recovery of a copy: killed before each of \(visited) system calls")
    }

    /// Takes away, empties and garbles files, and leaves half a line at the end of the log.
    private func damage(_ spool: String, _ ids: [String]) throws {
      let inbox = "\(spool)/bots/a/inbox"
      try FileManager.default.removeItem(atPath: "\(inbox)/5-\(ids[2]).json")
      try Scratch.write("", to: "\(inbox)/5-\(ids[3]).json")
      try FileManager.default.removeItem(atPath: "\(spool)/bots/b/inbox/5-\(ids[4]).json")
      try FileManager.default.removeItem(atPath: "\(spool)/bots/a/dead")
      try FileManager.default.removeItem(atPath: "\(spool)/keys")
      let host = try #require(Scratch.names("\(spool)/log").first)
      let segment = try #require(Scratch.names("\(spool)/log/\(host)").first { $0.hasSuffix(".jsonl") })
      let file = try #require(FileHandle(forWritingAtPath: "\(spool)/log/\(host)/\(segment)"))
      try file.seekToEnd()
      try file.write(contentsOf: Data(#"{"specversion":"1.0","id":"1","source":"/x"#.utf8))
      try file.close()
    }

    @Test(arguments: [["init"], ["register", "a"], ["subscribe", "b", "news"]])
    func `what makes something, killed at any system call, can simply be done again`(arguments: [String]) throws {
      let scratch = try Scratch(inMemory: true)
      var visited = 0
      while visited < 500 {
        let spool = "\(scratch.path)/spool-\(visited)"
        if arguments != ["init"] { _ = try scratch.makeSpool("spool-\(visited)", bots: ["b"]) }
        let command = arguments == ["init"] ? ["init", spool] : arguments
        let outcome = try SpoolCommand.run(
          command, in: spool, environment: ["SPOOL_FAULT": "kill-before:\(visited + 1)"])
        let again = try SpoolCommand.run(command, in: spool)
        #expect(again.isDone, "\(arguments) killed at \(visited + 1), and again: \(again)")
        #expect(try SpoolCommand.run(["doctor", "--repair"], in: spool).isDone)
        if arguments[0] != "subscribe" {
          _ = try run(["register", "a"], in: spool)
          _ = try run(["send", "a", "hello"], in: spool)
          #expect(try run(["receive", "a", "--ack"], in: spool).line == "hello")
        } else {
          #expect(try run(["topics"], in: spool).output.contains("news"))
        }
        #expect(SpoolReader(spool).violations(settled: true).isEmpty)
        guard outcome.isKilled else { break }
        visited += 1
      }
      #expect(visited > 12 && visited < 500)
      print("\(arguments[0]): killed before each of \(visited) system calls")
    }

    private func run(_ arguments: [String], in spool: String) throws -> SpoolCommand.Outcome {
      let outcome = try SpoolCommand.run(arguments, in: spool)
      try #require(outcome.isDone, "\(arguments): \(outcome)")
      return outcome
    }
  }
#endif
