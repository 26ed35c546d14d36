import Glibc
import Linux
import SpoolFormat
import TestSupport
import Testing

@testable import Spool

/// Pages that say something else than the log and the directory.
@Suite struct LogDriftTests {
  /// As when the disk was gone for a while within one boot: the page is mapped, and written whenever the kernel likes.
  @Test(arguments: [false, true])
  func `a log that its page doesn't fit any more is read anew, and not cut`(hasRoom: Bool) throws {
    let fixture = try Fixture("coder")
    let writer = try fixture.spool.log
    let file = try fixture.spool.root.open(Layout.commitPage(of: writer.part), O_RDWR)
    try fixture.send("first")
    if hasRoom {
      try writer.locked { state in
        try writer.makeRoom(of: LogWriter.roomBytesLeast, in: writer.currentSegment(&state), &state)
      }
    }
    let page = try file.read(at: 0, count: 4096)
    for content in ["second", "third"] { unlink("\(fixture.box("inbox"))/5-\(try fixture.send(content)).json") }
    _ = try file.writeOnce(page, at: 0)
    let spool = try fixture.reopened()
    #expect(spool.recovery != nil)
    #expect(try spool.log.page.hasRoom == false)
    #expect(try fixture.reopened().recovery == nil)
    #expect(try fixture.drain() == ["first", "second", "third"])
  }

  @Test func `a log that ends before its page says so goes on from there`() throws {
    let fixture = try Fixture("coder")
    let writer = try fixture.spool.log
    try fixture.send("first")
    let end = writer.page.segmentEnd
    try fixture.send("second")
    try fixture.spool.root.open(Layout.segment(of: writer.part, writer.page.segmentStart), O_WRONLY).truncate(to: end)
    let spool = try fixture.reopened()
    #expect(spool.recovery != nil)
    #expect(try spool.log.page.segmentEnd == end)
    try fixture.send("third")
    #expect(try fixture.reopened().recovery == nil)
    #expect(try fixture.drain() == ["first", "second", "third"])
    #expect(try fixture.events(.messageSent).count == 2)
  }

  @Test func `a recovery of a copy that was killed goes on as one of a copy`() throws {
    let fixture = try Fixture("coder")
    let afar = try Spool(at: fixture.path, machine: "afar")
    var message = Message(content: "from afar")
    message.to = ["coder"]
    let id = try afar.send(message)
    try shell("cp -a spool copy; rm copy/bots/coder/inbox/5-\(id).json", in: fixture.home.path)
    let copy = try Directory(fixture.home("copy"))
    let status = try copy.status()
    let file = try copy.open(Layout.commitPage(of: fixture.spool.host), O_RDWR)
    // As it is right after the page was made.
    try CommitPage(file).initialize(
      boot: Clock.bootIdentity(), root: CommitPage.Root(inode: status.inode, device: status.device),
      start: fixture.spool.log.page.segmentStart, end: fixture.spool.log.page.segmentEnd, as: .recoveringCopy)
    // In a spool that isn't a copy another host may be about to deliver it.
    #expect(try Spool(at: fixture.home("copy")).recovery?.count == 1)
    #expect(Plain.names(fixture.home("copy/bots/coder/inbox")) == ["5-\(id).json"])
  }
}
