import Glibc
import Linux
import SpoolFormat
import Synchronization
import TestSupport
import TestThreads
import Testing

@testable import Spool

@Suite(.waiting) struct WaitingTests {
  /// In a process of its own, because a process has one dnotify watcher.
  @Test(arguments: ["inotify", "dnotify", "polling"])
  func `each way of watching wakes a receiver`(mechanism: String) throws {
    let fixture = try Fixture("coder")
    let outcome = try OwnProcess.run("wait for ten", [fixture.path, mechanism])
    #expect(outcome.isDone, "\(outcome)")
  }

  @Test func `a receiver that waits for nothing ends in time, and one that is rung at once`() throws {
    let fixture = try Fixture("coder")
    let inbox = try fixture.inbox()
    #expect(try inbox.receive() == nil)
    #expect(try inbox.receive(waiting: 0.05) == nil)
    let bell = try Pipe()
    try bell.writeEnd.write([1])
    #expect(try inbox.receive(waiting: nil, interruption: bell.readEnd.raw) == nil)
  }

  @Test func `an inbox that is replaced while somebody waits is watched again`() throws {
    let fixture = try Fixture("coder")
    let receiver = try DroppedFileTests.Receiver(fixture)
    for round in 0..<3 {
      try shell("mv inbox inbox\(round); mkdir inbox", in: fixture.box("."))
      try fixture.send("\(round)")
      #expect(eventually { receiver.contents.count == round + 1 })
    }
    // It is events again that tell.
    let took = try seconds {
      for round in 3..<8 {
        try fixture.send("\(round)")
        #expect(eventually { receiver.contents.count == round + 1 })
      }
    }
    #expect(took < 18)
    try receiver.stop()
    #expect(receiver.contents == (0..<8).map { "\($0)" })
  }

  @Test func `an inbox that is away for a while is found when it is back`() throws {
    let fixture = try Fixture("coder")
    let receiver = try DroppedFileTests.Receiver(fixture)
    try shell("mv inbox away", in: fixture.box("."))
    try Plain.write(fixture.box("away") + "/a.json", #"{"content":"x"}"#)
    try shell("sleep 0.3; mv away inbox", in: fixture.box("."))
    #expect(eventually { receiver.contents == ["x"] })
    try receiver.stop()
  }

  @Test func `a bot whose whole directory is replaced is found again, and events tell of it`() throws {
    let fixture = try Fixture("coder")
    let receiver = try DroppedFileTests.Receiver(fixture)
    try shell("mv coder old; mkdir -p coder/inbox", in: fixture.path + "/bots")
    try fixture.send("first")
    #expect(eventually { receiver.contents.count == 1 })
    let took = try seconds {
      for round in 0..<5 {
        try fixture.send("\(round)")
        #expect(eventually { receiver.contents.count == round + 2 })
      }
    }
    #expect(took < 18)
    try receiver.stop()
  }

  @Test func `a queue of events that ran over loses nothing`() throws {
    let limit = Int(try Plain.text("/proc/sys/fs/inotify/max_queued_events").filter(\.isNumber)) ?? .max
    guard limit <= 100_000 else { return }
    let fixture = try Fixture("coder")
    let inbox = try fixture.inbox()
    try inbox.watch()
    #expect(try inbox.claim() == nil)
    let directory = try Directory(fixture.box("inbox"))
    try Plain.write(fixture.box("inbox") + "/.a", "")
    for _ in 0..<(limit / 2 + 100) {
      try directory.rename(".a", to: ".b")
      try directory.rename(".b", to: ".a")
    }
    // For this one there is no event any more.
    try fixture.send("x")
    #expect(try inbox.claim()?.message.content == "x")
  }

  @Test func `the moment to look again is that of the next message's time`() throws {
    let fixture = try Fixture("coder")
    let inbox = try fixture.inbox()
    try inbox.watch()
    try fixture.send("x") { $0.notBefore = Timestamp(microseconds: Clock.wall()).advanced(bySeconds: 2) }
    #expect(try inbox.claim() == nil)
    #expect(inbox.nextWake() - Clock.sinceBoot() <= 2_000_000_000)
    #expect(try inbox.receive(waiting: 20)?.message.content == "x")
  }

  @Test func `what came between the last look and the beginning of the watch is found at once`() throws {
    let fixture = try Fixture("coder")
    let inbox = try fixture.inbox()
    #expect(try inbox.claim() == nil)
    try fixture.send("in between")
    try inbox.watch()
    #expect(try inbox.claim()?.message.content == "in between")
  }
}
