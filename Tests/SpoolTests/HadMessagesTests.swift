import Glibc
import Linux
import SpoolFormat
import TestSupport
import Testing

@testable import Spool

/// What a bot of a shared spool had before, whoever of its user's processes took it and however long ago.
@Suite struct HadMessagesTests {
  @Test(.enabled(if: isRoot, "needs root"))
  func `what is logged between two questions is known at the second, and what was long before at the first`()
    throws
  {
    let fixture = try Fixture("coder", "tester", sharedWith: "\(getegid())")
    let id = try addOldMessages(fixture)
    let sent = try (0..<3).map { try fixture.send("\($0)", to: "coder", "tester") }
    func had(_ id: MessageID, _ bot: String = "coder") throws -> Bool {
      try fixture.spool.hasHad(id, fixture.bot(bot), geteuid(), from: geteuid())
    }
    let inbox = try Inbox(fixture.reopened(), fixture.bot())
    #expect(try inbox.claim()?.name.id == sent[0])
    #expect(try had(sent[0]) && !had(sent[0], "tester") && !had(sent[1]))
    #expect(try inbox.claim()?.name.id == sent[1])
    #expect(try had(sent[1]) && !had(sent[2]))
    for number in [5999, 3000, 1, 0] { #expect(try had(id(number)), "\(number)") }
    #expect(try !had(id(6000)) && !had(id(0), "tester"))
    #expect(try inbox.claim()?.name.id == sent[2])
    #expect(try had(sent[2]))
  }

  @Test(.enabled(if: isRoot, "needs root"))
  func `for a message of long ago the log is searched, and no more is kept than there is a place for`() throws {
    let fixture = try Fixture("coder", "tester", sharedWith: "\(getegid())")
    let id = try addOldMessages(fixture)
    let files = LogFiles(root: fixture.spool.root)
    let had = HadMessages(files, of: geteuid(), countMax: 2000)
    func search(_ number: Int, _ bot: String = "coder") throws -> Bool {
      try HadMessages.search(files, of: geteuid(), for: id(number), fixture.bot(bot))
    }
    for number in [0, 1, 0] {
      #expect(try had.contains(id(number), fixture.bot()) == nil)
      // A block more than half.
      #expect((1000..<3000).contains(had.count), "\(had.count)")
    }
    #expect(try had.contains(id(5999), fixture.bot()) == true)
    #expect(try search(0) && search(1) && search(5999))
    #expect(try !search(6000) && !search(0, "tester"))
    // What is taken from now on is known without.
    let inbox = try Inbox(fixture.reopened(), fixture.bot())
    let sent = try (0..<2).map { try fixture.send("\($0)", to: "coder", "tester") }
    #expect(try inbox.claim()?.name.id == sent[0])
    #expect(try had.contains(sent[0], fixture.bot()) == true)
    #expect(try had.contains(sent[1], fixture.bot()) == false)
  }

  @Test(.enabled(if: isRoot, "needs root"))
  func `what everybody was done with when the log was collected counts as had, and nothing else does`() throws {
    let fixture = try Fixture("coder", "tester", sharedWith: "\(getegid())")
    let before = try ["done", "waiting"].map { try fixture.send($0, to: "coder", "tester") }
    func had(_ id: MessageID, from maker: UInt32? = geteuid()) throws -> Bool {
      try fixture.spool.hasHad(id, fixture.bot(), geteuid(), from: maker)
    }
    #expect(try !had(before[0]) && !had(before[1]))
    // As a collection would leave it that found only the second unfinished.
    var forgotten = Forgotten()
    for host in try LogFiles(root: fixture.spool.root).hosts() {
      forgotten.read[host] = LogFollower.Position(segment: "99991231T235959.999999Z", offset: 0)
    }
    forgotten.until = Timestamp(microseconds: Clock.wall()).advanced(bySeconds: 3600)
    forgotten.needed = [before[1]]
    try Plain.write("\(fixture.path)/\(Layout.forgotten)", forgotten.encoded)
    #expect(chmod("\(fixture.path)/\(Layout.forgotten)", 0o640) == 0)
    #expect(try had(before[0]) && !had(before[1]))
    // Logged since, by a host whose clock is behind; others can't say so in the name of its maker.
    forgotten.read = [:]
    try Plain.write("\(fixture.path)/\(Layout.forgotten)", forgotten.encoded)
    let since = try fixture.send("since", to: "coder", "tester")
    #expect(try !had(since) && had(since, from: 4711) && had(since, from: nil))
    #expect(try fixture.drain() == ["done", "waiting", "since"])
  }

  @Test(.enabled(if: isRoot, "needs root"))
  func `what others log of a bot doesn't make its messages less needed`() throws {
    let fixture = try Fixture("coder", sharedWith: "\(getegid())")
    let id = try fixture.send("lost")
    #expect(unlink(fixture.box("inbox") + "/" + fixture.names("inbox")[0]) == 0)
    // Another user's part, where somebody says that it was acked.
    let part = "\(fixture.path)/log/x~4711"
    #expect(mkdir(part, 0o750) == 0 && chown(part, 4711, getegid()) == 0)
    let line = LogEvent.line(
      kind: .messageAcked, subject: "\(id)", source: "/x/1.1", number: 1, time: Timestamp(microseconds: .max)
    ) { $0.raw(Array(#"{"bot":"coder","attempt":1,"holder":"x.1.1"}"#.utf8)) }
    try Plain.write("\(part)/20210101T000000.000000Z.jsonl", line)
    #expect(chmod("\(part)/20210101T000000.000000Z.jsonl", 0o640) == 0)
    #expect(chown("\(part)/20210101T000000.000000Z.jsonl", 4711, getegid()) == 0)
    let files = LogFiles(root: fixture.spool.root)
    #expect(try History(fixture.spool).trace(id).contains { $0.kind == .messageAcked }, "it is read")
    #expect(try LogNeeds(fixture.spool, files, Forgotten()).gathered().ids.contains(id))
  }

  /// Six thousand that coder had in another year, several blocks of the log; returns the id of each.
  private func addOldMessages(_ fixture: Fixture) throws -> (Int) -> MessageID {
    let long = Timestamp(microseconds: 1_600_000_000_000_000)
    func id(_ number: Int) -> MessageID {
      MessageID(time: long.advanced(bySeconds: Double(number)), random: UInt64(number))
    }
    var lines: [UInt8] = []
    for number in 0..<6000 {
      lines += LogEvent.line(
        kind: number % 2 == 0 ? .messageClaimed : .messageAcked, subject: "\(id(number))", source: "/x/1.1",
        number: number, time: id(number).time
      ) { $0.raw(Array(#"{"bot":"coder","attempt":1,"holder":"x.1.1"}"#.utf8)) }
    }
    try Plain.write("\(fixture.path)/log/\(fixture.spool.part)/\(long.compact).jsonl", lines)
    return id
  }
}
