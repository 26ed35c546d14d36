import Glibc
import Linux
import SpoolFormat
import TestSupport
import Testing

@testable import Spool

/// Messages that somebody moved to another bot than they were sent to.
@Suite struct MovedMessageTests {
  private func move(_ fixture: Fixture) throws {
    try shell("mv coder/inbox/* tester/inbox/", in: fixture.path + "/bots")
  }

  @Test func `what is lost in another bot's hand is made again there, and not once that has acked it`() throws {
    let fixture = try Fixture("coder", "tester")
    let id = try fixture.send("x")
    try move(fixture)
    let claim = try #require(try fixture.inbox("tester").claim())
    #expect(unlink(fixture.box("claimed", of: "tester") + "/\(claim.name)") == 0)
    #expect(try fixture.rebooted().recovery?.count == 1)
    #expect(fixture.names("inbox", of: "tester") == ["5-\(id)~1.json"])
    #expect(fixture.names("inbox").isEmpty)
    #expect(try fixture.drain("tester") == ["x"])
    #expect(try fixture.rebooted().recovery?.count == 0)
    #expect(fixture.names("inbox").isEmpty && fixture.names("inbox", of: "tester").isEmpty)
  }

  @Test func `the log isn't kept for what another bot has acked`() throws {
    let fixture = try Fixture("coder", "tester")
    let root = fixture.spool.root
    let id = try fixture.send("x")
    try move(fixture)
    func isNeeded() throws -> Bool {
      try LogNeeds(fixture.spool, LogFiles(root: root), Forgotten(in: root)).gathered().ids.contains(id)
    }
    let claim = try #require(try fixture.inbox("tester").claim())
    let file = fixture.box("claimed", of: "tester") + "/\(claim.name)"
    #expect(rename(file, fixture.home("aside")) == 0)
    #expect(try isNeeded())
    #expect(rename(fixture.home("aside"), file) == 0)
    try fixture.spool.ack(claim.bot, claim.name)
    #expect(try !isNeeded())
  }

  /// What the log says of a message to coder, and with whom its file comes back.
  @Test(arguments: [
    (["tester claimed 1"], "tester"), (["tester claimed 1", "tester acked 1"], nil), (["tester dead 1"], "tester"),
    (["tester acked 0 mv"], nil), (["tester acked 1"], nil), (["tester claimed 1", "coder claimed 2"], "coder"),
    (["tester claimed 1", "tester quarantined 1"], nil), (["tester dead 1", "tester discarded 1"], nil),
    // Taken out of coder's hand, who acks it late.
    (["coder claimed 1", "tester claimed 2", "coder acked 1", "coder ack_refused 1"], "tester"),
    (["coder claimed 1", "tester claimed 2", "coder acked 1", "coder ack_refused 1", "tester acked 2"], nil),
    (["coder claimed 1", "tester claimed 2", "coder acked 1", "tester acked 2", "coder ack_refused 1"], nil),
    (["coder claimed 1", "tester claimed 2", "tester acked 2", "coder acked 1", "coder ack_refused 1"], nil),
    (["coder claimed 1", "tester claimed 1", "tester acked 1", "coder acked 1", "coder ack_refused 1"], nil),
  ])
  func `what was moved is with who had it last, and an ack of either counts`(events: [String], bot: String?) throws {
    let fixture = try Fixture("coder", "tester")
    let id = try fixture.send("x")
    for event in events {
      let parts = event.split(separator: " ")
      try fixture.spool.log.append(LogEvent.Kind("message.\(parts[1])"), id.description) { writer in
        writer.beginObject()
        writer.member("bot", String(parts[0]))
        writer.member("attempt", Int(parts[2])!)
        if parts.count > 3 { writer.member("by", String(parts[3])) }
        writer.endObject()
      }
    }
    #expect(unlink(fixture.box("inbox") + "/5-\(id).json") == 0)
    _ = try fixture.rebooted()
    let there = ["coder", "tester"].filter { bot in
      (fixture.names("inbox", of: bot) + fixture.names("dead", of: bot)).contains { $0.hasSuffix(".json") }
    }
    #expect(there == [bot].compactMap { $0 })
  }
}
