import Foundation
import Glibc
import TestSupport
import TestThreads
import Testing

/// What commands say of where things stand, and to nobody.
@Suite(.waiting) struct ToldTests {
  @Test func `show says where the files of a message lie, and when none is left`() throws {
    let scratch = try Scratch(inMemory: true)
    let spool = try scratch.makeSpool(bots: ["ada", "bob"])
    let id = try SpoolCommand.run(["send", "ada,bob", "hello"], in: spool).output.trimmingCharacters(in: .newlines)
    func files() throws -> [String] {
      let shown = try SpoolCommand.run(["show", id], in: spool)
      #expect(shown.isDone && shown.output.contains("\nhello\n"))
      #expect(shown.error.contains("spool trace") == !shown.output.contains("\nfile "))
      return shown.output.matches(of: #/(?m)^file +(.+)$/#).map { String($0.1) }
    }
    #expect(try files() == ["ada", "bob"].map { "bots/\($0)/inbox/5-\(id).json" })
    #expect(try SpoolCommand.run(["receive", "ada"], in: spool).isDone)
    let claimed = try #require(Scratch.names("\(spool)/bots/ada/claimed").first)
    #expect(try files() == ["bots/ada/claimed/\(claimed)", "bots/bob/inbox/5-\(id).json"])
    #expect(try SpoolCommand.run(["ack", claimed], in: spool).isDone)
    #expect(try SpoolCommand.run(["receive", "bob", "--ack"], in: spool).isDone)
    #expect(try files() == [])
  }

  /// Killed for it, the command would leave it in hand.
  @Test(arguments: [["receive", "coder"], ["task", "claim", "--next", "--as", "coder"]])
  func `what nobody could read is given back`(command: [String]) throws {
    let stage = try TaskStage()
    try stage.done("send", "coder", "hello")
    let task = try stage.add("it")
    let gone = "\(stage.scratch.path)/gone"
    let script = "(until [ -e '\(gone)' ]; do sleep 0.02; done; \"$0\" \"$@\") | (exec <&-; : >'\(gone)')"
    let piped = try SpoolCommand.start(
      program: "/bin/sh", ["-c", script, try SpoolCommand.path.get()] + command, in: stage.spool)
    #expect(try piped.wait(seconds: 20).error.contains("cannot write to standard output"))
    #expect(Scratch.names("\(stage.spool)/bots/coder/claimed").isEmpty)
    #expect(try stage.state(task) == "pending")
  }

  @Test func `what waits for a coordinator is not to be taken by a program`() throws {
    let stage = try TaskStage()
    try stage.done("announce", "predict", "--skill", "ml")
    for verb in ["doctor", "status"] {
      let said = try stage.run([verb]).output
      #expect(said.contains("spool coordinate") && !said.contains("spool receive hub"), "\(said)")
    }
  }
}
