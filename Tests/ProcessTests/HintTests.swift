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
}
