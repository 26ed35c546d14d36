import Glibc
import Linux
import Spool
import SpoolFormat
import TestSupport
import TestThreads
import Testing

@testable import Coordinator

/// What a coordinator makes of files that come, go, come back, or can't be read.
@Suite(.waiting) struct LookingTests {
  @Test(arguments: [nil, "coder"] as [BotName?])
  func `a task that wasn't there when it was to be assigned is assigned when it is back`(assignTo: BotName?) throws {
    let stage = try Stage()
    try stage.spool.register(Card(name: "coder"))
    // Not before the coordinator has seen it, and its bot.
    let soon = Timestamp(microseconds: Clock.wall()).advanced(bySeconds: 1)
    let task = try stage.add { $0.assignTo = assignTo }
    let started = try #require(try stage.spool.start(task, bot: "other", worker: nil))
    let delayed = try #require(try stage.spool.release(started, notBefore: soon))
    let (there, away) = ("\(stage.path)/\(delayed.path)", stage.home("away"))
    #expect(try stage.turns { stage.coordinator.board.state(of: task.id) == .pending })
    let bot = try stage.bot("coder")
    #expect(try stage.turns { stage.coordinator.scheduler.knows(bot) })
    #expect(rename(there, away) == 0)
    let isDue = { stage.coordinator.scheduler.pendingCount + stage.coordinator.reserved.count == 0 }
    #expect(try stage.turns(until: isDue))
    #expect(rename(away, there) == 0)
    #expect(try stage.turns { try stage.spool.findTask(task.id)?.bot == bot })
  }
}
