import Glibc
import Linux
import SpoolFormat
import TestSupport
import Testing

@testable import Spool

@Suite struct BacklogTests {
  @Test func `what waits is counted by its age, and what waits for its time apart`() throws {
    let fixture = try Fixture("coder")
    let now = Timestamp(microseconds: Clock.wall())
    for (seconds, count) in [(1.0, 3), (100, 2), (7000, 1), (1e7, 4)] {
      for _ in 0..<count {
        let id = MessageID(time: now.advanced(bySeconds: -seconds), random: Random.bits())
        try Plain.write(fixture.box("inbox") + "/5-\(id).json", #"{"content":"x"}"#)
      }
    }
    try fixture.send("later") { $0.notBefore = now.advanced(bySeconds: 3600) }
    try Plain.write(fixture.box("inbox") + "/dropped.json", #"{"content":"x"}"#)
    try Plain.write(fixture.box("inbox") + "/.hidden", "x")
    let backlog = try fixture.spool.backlog(of: fixture.bot())
    #expect(backlog.byAge == [4, 2, 0, 0, 1, 0, 0, 4])
    #expect(backlog.waiting == 11 && backlog.delayed == 1 && backlog.total == 12)
    #expect(backlog.oldest.map { abs(now.seconds(since: $0) - 1e7) < 60 } == true)
    #expect(backlog.isAbandoned && !backlog.isFull)
    let remarks = try Doctor(fixture.spool).remarks()
    #expect(remarks.contains { $0.hasPrefix("coder has 11 waiting (") && $0.contains("nobody takes them") })
  }

  @Test func `a bot that somebody works for, or that has nothing, is not told of; a full one is`() throws {
    let fixture = try Fixture("coder", "idle")
    let presence = try fixture.spool.announce(fixture.bot(), program: "test")
    try presence.beat()
    defer { presence.end() }
    try fixture.send("1")
    var backlog = try fixture.spool.backlog(of: fixture.bot())
    #expect(backlog.consumers == 1 && !backlog.isAbandoned)
    #expect(try !Doctor(fixture.spool).remarks().contains { $0.contains("waiting") })
    var card = try fixture.spool.card(of: fixture.bot())
    card.inboxLimits.messages = 1
    try fixture.spool.register(card)
    backlog = try fixture.spool.backlog(of: fixture.bot())
    #expect(backlog.isFull)
    #expect(try Doctor(fixture.spool).remarks().contains { $0.contains("coder has 1 waiting, and no more may") })
  }

  @Test func `a claim that nobody has any more is no taker, and is told of though nothing else waits`() throws {
    let fixture = try Fixture("coder") { $0.leaseSeconds = 1 }
    try fixture.send("1")
    _ = try #require(try fixture.inbox(detached: true).receive())
    let claimed = Clock.sinceBoot()
    func backlog() throws -> Backlog { try fixture.spool.backlog(of: fixture.bot()) }
    let inHand = try backlog()
    let isInTime = inHand.claimed == 1 && inHand.lapsed == 0 && !inHand.isAbandoned
    #expect(isInTime || Clock.sinceBoot() - claimed >= 1_000_000_000)
    #expect(try eventually { try backlog().lapsed == 1 })
    #expect(try backlog().isAbandoned)
    #expect(
      try Doctor(fixture.spool).remarks().contains { $0.hasPrefix("coder has 1 in hand that nobody has any more") })
    try fixture.send("2")
    let remarks = try Doctor(fixture.spool).remarks().joined(separator: "\n")
    #expect(remarks.contains("1 waiting") && remarks.contains("1 in hand that nobody has any more"), "\(remarks)")
  }

  @Test func `what waits for its time can be called off`() throws {
    let fixture = try Fixture("coder")
    let due = Timestamp(microseconds: Clock.wall()).advanced(bySeconds: 3600)
    let id = try fixture.send("later") { $0.notBefore = due }
    #expect(try fixture.spool.backlog(of: fixture.bot()).nextDue == due)
    #expect(try fixture.spool.ackDelayed(fixture.bot()) == 1)
    #expect(try fixture.spool.backlog(of: fixture.bot()).total == 0)
    #expect(try fixture.kinds(of: id) == [.messageSent, .messageAcked])
    try fixture.spool.unregister(fixture.bot())
  }

  @Test func `the doctor tells programs of it, too`() throws {
    let fixture = try Fixture("coder", "idle")
    for number in 1...3 { try fixture.send("\(number)") }
    let told = try SpoolCommand.run(["doctor", "--json"], in: fixture.path)
    #expect(told.isDone && told.output.split(separator: "\n").count == 1, "\(told)")
    let object = try JSONValue(parsing: Array(told.output.utf8))
    #expect(object["backlog"]?.string == "coder" && object["waiting"]?.int == 3 && object["consumers"]?.int == 0)
    #expect(object["by_age"]?["1m"]?.int == 3 && object["oldest"]?.string != nil)
    #expect(told.output.contains("\"abandoned\":true,\"") || told.output.contains("\"abandoned\":true}"))
    #expect(try fixture.drain().count == 3)
    #expect(try SpoolCommand.run(["doctor", "--json"], in: fixture.path).output == "")
  }
}
