import Foundation
import TestSupport
import TestThreads
import Testing

@Suite(.waiting) struct DemoTests {
  @Test func `the demo takes nobody's spool for its own`() throws {
    let scratch = try Scratch(inMemory: true)
    let spool = try scratch.makeSpool(bots: [])
    #expect(try SpoolCommand.run(["register", "planner", "--domain", "planning"], in: spool).isDone)
    #expect(try SpoolCommand.run(["send", "planner", "plan the release", "--from", "you"], in: spool).isDone)
    let card = try String(contentsOfFile: "\(spool)/bots/planner/card.json", encoding: .utf8)
    let refused = try SpoolCommand.run(["demo", "--spool", spool], in: scratch.path)
    #expect(refused.status == 73 && refused.error.contains("is a spool already"), "\(refused)")
    #expect(try String(contentsOfFile: "\(spool)/bots/planner/card.json", encoding: .utf8) == card)
    #expect(Scratch.names("\(spool)/bots/planner/inbox").count == 1)
  }
}
