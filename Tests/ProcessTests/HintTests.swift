import Foundation
import Glibc
import SpoolFormat
import TestSupport
import TestThreads
import Testing

/// What a command says to do works, and what it says of where things stand is so.
@Suite(.waiting) struct HintTests {
  @Test(arguments: [["bots"], ["init"]], [true, false])
  func `where spool.json was lost it is said how to make it again`(command: [String], isEmptied: Bool) throws {
    let stage = try TaskStage()
    let settings = "\(stage.spool)/spool.json"
    try stage.done("send", "coder", "hello")
    try Scratch.write("{}", to: "\(stage.spool)/notes")
    if isEmptied { try Scratch.write("", to: settings) } else { unlink(settings) }
    let lost = try stage.run(command)
    #expect(lost.status == (command == ["init"] && !isEmptied ? 73 : 69), "\(lost)")
    #expect(SpoolMessage.isOneLine(lost.error) && lost.error.contains("--shared"), "\(lost)")
    let cure = try #require(lost.error.firstMatch(of: #/echo '[^']+' > [^ ;]+/#), "\(lost)").output
    let made = try SpoolCommand.start(program: "/bin/sh", ["-c", String(cure)], in: stage.spool).wait(seconds: 20)
    #expect(made.isDone, "\(made)")
    #expect(try stage.done("receive", "coder", "--ack") == "hello")
  }

  @Test func `what the doctor says to do about a broken card mends it`() throws {
    let stage = try TaskStage()
    try Scratch.write("{", to: "\(stage.spool)/bots/coder/card.json")
    let said = try stage.run(["doctor"])
    #expect(said.status == 1 && said.output.contains("spool register --file"), "\(said)")
    try stage.done("register", "--file", "-", input: .text(#"{"name":"coder"}"#))
    #expect(try stage.run(["doctor"]).isDone)
  }

  @Test func `a request that has expired waits no more`() throws {
    let stage = try TaskStage()
    let asked = try stage.run(["request", "coder", "hi", "--from", "tester", "--wait", "300ms", "--expires", "100ms"])
    #expect(asked.status == 1 && asked.error.contains("it has expired, and nobody gets it"), "\(asked)")
  }

  @Test func `a request that can't be sent makes no bot of who asks`() throws {
    let stage = try TaskStage()
    #expect(try stage.run(["request", "any:nothing", "hi", "--from", "new"]).status == 67)
    #expect(Scratch.names("\(stage.spool)/bots") == ["coder", "tester"])
  }

  @Test func `a request that is answered with an error exits as other waits for what failed`() throws {
    let stage = try TaskStage()
    let asking = try SpoolCommand.start(
      ["request", "coder", "hi", "--from", "tester", "--wait", "1m"], in: stage.spool)
    let received = try JSONValue(parsing: Array(try stage.done("receive", "coder", "--wait", "30s", "--json").utf8))
    let id = try #require(received["message"]?["id"]?.string)
    try stage.done("reply", id, "can't", "--type", "error", "--from", "coder")
    let asked = try asking.wait(seconds: SpoolCommand.secondsMax)
    #expect(asked.status == 2 && asked.output == "can't\n", "\(asked)")
  }

  @Test func `a list that is cut off says the whole command that shows more`() throws {
    let stage = try TaskStage()
    for title in ["one", "two", "three"] { _ = try stage.add(title, "--domain", "two words") }
    let cut = try stage.run(["task", "list", "--limit", "2", "pending", "--domain", "two words", "--json"])
    #expect(cut.error == "and more; see: spool task list pending --domain 'two words' --json --limit 20\n", "\(cut)")
    #expect(try stage.run(["task", "list", "--all", "--limit", "1"]).error.contains("list --all --limit 10"))
  }

  @Test func `what programs should read may come from standard input`() throws {
    let stage = try TaskStage()
    let id = try stage.done("send", "coder", "--data", "-", input: .text(" {\"n\":1.50}\n"))
    #expect(try stage.done("show", id, "--json").contains(#""data":{"n":1.50}"#))
    let answer = try stage.done("reply", id, "done", "--from", "tester", "--data", "-", input: .text("[2]"))
    #expect(try stage.done("show", answer, "--json").contains(#""data":[2]"#))
    for (arguments, input, status) in [(["text"], "{'n'", 65), (["-"], "{}", 64), (["--file", "-"], "{}", 64)] {
      let refused = try stage.run(["send", "coder"] + arguments + ["--data", "-"], input: .text(input))
      #expect(refused.status == status && refused.error.contains("standard input"), "\(refused)")
    }
    #expect(Scratch.names("\(stage.spool)/bots/coder/inbox").count == 1)
  }

  @Test func `trace shows what the log has of a task whose file is gone`() throws {
    let stage = try TaskStage()
    let id = try stage.add("write the parser", "--domain", "development")
    try stage.finish(id, "in parser.swift")
    #expect(try stage.run(["trace", id]).error.contains("spool task show"))
    #expect(
      try eventually {
        try stage.done("gc", "--tasks", "1ms")
        return stage.names("completed").isEmpty
      })
    let traced = try stage.run(["trace", id])
    #expect(traced.isDone && !traced.error.contains("spool task show"), "\(traced)")
    for part in ["removed", "write the parser", "completed by coder", "domain        development", "in parser.swift"] {
      #expect(traced.output.contains(part), "\(part): \(traced)")
    }
  }

  @Test(arguments: [["register", "new"], ["send", "coder", "hi", "--key", "k"]])
  func `a directory of the spool that is missing is made by what is said`(command: [String]) throws {
    let stage = try TaskStage()
    for name in ["tmp", "keys"] { try FileManager.default.removeItem(atPath: "\(stage.spool)/\(name)") }
    let refused = try stage.run(command)
    #expect(refused.status == 74 && refused.error.contains("spool doctor --repair"), "\(refused)")
    try stage.done("doctor", "--repair")
    #expect(try stage.run(command).isDone)
  }

  @Test func `of a bot that isn't there the near ones are named where nothing was found`() throws {
    let stage = try TaskStage()
    try stage.done("send", "coder", "hello", "--from", "tester")
    for (arguments, says) in [
      (["log", "--from", "testr"], "did you mean tester?"), (["log", "--bot", "codr"], "did you mean coder?"),
      (["search", "hello", "--to", "codr"], "did you mean coder?"), (["log", "--to", "nobody"], "no bot named nobody"),
    ] {
      let found = try stage.run(arguments)
      #expect(found.status == 1 && found.error.contains(says), "\(arguments): \(found)")
    }
    #expect(try stage.run(["search", "bye", "--to", "coder"]).error == "nothing says that\n")
    #expect(try stage.run(["log", "--to", "team"]).error == "nothing in the log that matches\n")
  }

  @Test func `a time of day that is to come is yesterday's where the past is asked for`() throws {
    let stage = try TaskStage()
    try stage.done("send", "coder", "hello")
    // In this zone it is noon, or so.
    let hour = Calendar(identifier: .gregorian).dateComponents(in: .gmt, from: Date()).hour!
    let zone = ["TZ": "XYZ\(hour - 12)"]
    func log(_ arguments: String...) throws -> SpoolCommand.Outcome {
      try SpoolCommand.run(["log"] + arguments, in: stage.spool, environment: zone)
    }
    let since = try log("--since", "14:00")
    #expect(since.isDone && since.output.contains("hello"), "\(since)")
    #expect(try log("--until", "14:00").status == 1)
    #expect(try log("--since", "10:00", "--until", "11:00").status == 1)
  }

  @Test(.enabled(if: SharedStage.isPossible, SharedStage.whyNot))
  func `what is kept for an inbox that can't be written is told, and once by the doctor`() throws {
    let stage = try SharedStage(bots: [])
    let home = "\(stage.scratch.path)/home"
    try Scratch.makeDirectory(home)
    #expect(chown(home, uid_t(SharedStage.User.ada.rawValue), gid_t(SharedStage.User.ada.rawValue)) == 0)
    func shell(_ script: String) throws -> SpoolCommand.Outcome {
      try stage.shell(.ada, "export SPOOL_DIR=\(home)/spool; \(script)")
    }
    #expect(try shell("spool init $SPOOL_DIR && spool register ann && spool register bob").isDone)
    #expect(try shell("chmod 555 $SPOOL_DIR/bots/ann/inbox").isDone)
    for recipients in ["ann", "bob,ann"] {
      let sent = try shell("spool send \(recipients) hello")
      #expect(sent.isDone && sent.error.hasPrefix("spool: \(sent.line) is kept, and can't"), "\(sent)")
      #expect(SpoolMessage.isOneLine(sent.error) && sent.error.contains("bots/ann/inbox/ yet: Permission"), "\(sent)")
    }
    for command in ["doctor", "doctor --repair"] {
      let said = try shell("spool \(command)")
      let lines = said.output.split(separator: "\n").filter { $0.contains("bots/ann/tmp/") }
      #expect(said.status == 1 && lines.count == 2, "\(said)")
      #expect(lines.allSatisfy { $0.contains("waits for bots/ann/inbox/, which can't be written: ") }, "\(said)")
    }
    #expect(try shell("chmod 755 $SPOOL_DIR/bots/ann/inbox; spool doctor --repair").isDone)
    #expect(try shell("spool inbox ann").output.split(separator: "\n").count == 3)
  }
}
