import Foundation
import Glibc
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
