import Glibc
import Linux
import SpoolFormat
import TestSupport
import Testing

@testable import Spool

@Suite struct RecoveryTests {
  // MARK: Files

  @Test(arguments: ["FIFO", "directory", "link", "too long", "no directory around it"])
  func `whatever lies in the place of another part's checkpoint, the spool is opened, and its log read`(odd: String)
    throws
  {
    let fixture = try Fixture("coder")
    let afar = try Spool(at: fixture.path, machine: "afar")
    var message = Message(content: "from afar")
    message.to = ["coder"]
    try afar.send(message)
    let checkpoint = "\(fixture.path)/\(Layout.checkpoint(of: "afar"))"
    switch odd {
    case "FIFO": #expect(mkfifo(checkpoint, 0o644) == 0)
    case "directory": #expect(mkdir(checkpoint, 0o755) == 0)
    case "link": #expect(symlink("/dev/zero", checkpoint) == 0)
    case "too long": try Plain.write(checkpoint, String(repeating: "x", count: 300))
    default: try Plain.write("\(fixture.path)/log/stray", "")
    }
    let spool = try fixture.rebooted()
    #expect(spool.recovery?.messagesLookedAt == 1)
    _ = try Doctor(spool).examine(repairing: true)
    #expect(try fixture.drain() == ["from afar"])
  }

  @Test func `nothing is done after a reboot that lost nothing, and nothing twice`() throws {
    let fixture = try Fixture.eventful()
    let before = fixture.files()
    for _ in 0..<2 {
      let spool = try fixture.rebooted()
      #expect(spool.recovery?.findings.map(\.path) == [])
      #expect((spool.recovery?.messagesLookedAt ?? 0) > 5)
    }
    #expect(fixture.files() == before)
    #expect(try Spool(at: fixture.path).recovery == nil)
  }

  @Test(arguments: ["removed", "emptied", "zeroed", "garbled", "another's"])
  func `every message that is not done is there again with its bytes, and none that is`(damage: String) throws {
    let fixture = try Fixture.eventful()
    let before = fixture.files()
    let messages = before.filter { $0.key.hasSuffix(".json") && !$0.key.hasSuffix("card.json") }
    // Waiting, to all three, later, two nacked, one buried, one claimed, one dropped and claimed.
    #expect(messages.count == 10)
    for (path, bytes) in messages {
      let whole = "\(fixture.path)/\(path)"
      switch damage {
      case "removed": unlink(whole)
      case "emptied": #expect(truncate(whole, 0) == 0)
      case "zeroed": try Plain.write(whole, [UInt8](repeating: 0, count: bytes.count))
      case "garbled": try Plain.write(whole, Array(bytes.dropLast(5)))
      default: try Plain.write(whole, #"{"content":"something else"}"#)
      }
    }
    let spool = try fixture.rebooted()
    #expect(spool.recovery?.count == 10)
    let after = fixture.files().filter { $0.key.hasSuffix(".json") && !$0.key.hasSuffix("card.json") }
    func says(_ files: [String: [UInt8]]) throws -> [String] {
      try files.map { path, bytes in
        let id = EntryName(String(path.split(separator: "/").last ?? ""))?.id.description ?? path
        return "\(path.split(separator: "/")[1]) \(id) \(try JSONValue(parsing: bytes).text)"
      }.sorted()
    }
    #expect(try says(after) == says(messages))
    if damage == "removed" {
      // What was claimed waits again, and counts its attempt; what was dead is dead, its reason beside it.
      #expect(after.keys.allSatisfy { !$0.contains("/claimed/") })
      #expect(after.keys.filter { $0.contains("/dead/") }.count == 1)
      #expect(
        after.keys.compactMap { EntryName(String($0.split(separator: "/").last!)) }.filter { $0.attempt == 1 }.count
          == 5)
    } else {
      #expect(Set(after.keys) == Set(messages.keys))
    }
    #expect(try spool.deadLetters(of: fixture.bot("b")).map(\.reason) == ["no use"])
    // The delay that a message was sent with is kept; one that came later is not worth a message.
    let later = try fixture.spool.entries(of: fixture.bot("a")).compactMap { $0.name?.notBefore }
    #expect(later.count == 1)
    #expect(try fixture.rebooted().recovery?.count == 0)
  }

  @Test func `directories that a copier left out are made again`() throws {
    let fixture = try Fixture.eventful()
    let copy = fixture.home("copy")
    try shell("cp -a spool copy; find copy -type d -empty -delete; rm -r copy/bots/a/inbox", in: fixture.home.path)
    let spool = try Spool(at: copy)
    #expect(spool.recovery?.count == 3)
    #expect(try spool.entries(of: fixture.bot("a")).count == 3)
    var message = Message(content: "x")
    message.to = ["c"]
    try spool.send(message)
  }

  /// What the log says of a message in the end, and whether its file comes back.
  @Test(arguments: [
    ([], true), (["claimed 1"], true), (["claimed 1", "acked 1"], false),
    (["claimed 1", "acked 1", "ack_refused 1"], true),
    (["claimed 1", "requeued 1"], true), (["claimed 1", "requeued 1", "acked 1"], true),
    (["claimed 1", "acked 1", "requeued 1"], true), (["claimed 1", "requeued 1", "claimed 2", "acked 2"], false),
    (["claimed 1", "requeued 1", "claimed 2", "acked 1"], true), (["claimed 1", "acked 1", "claimed 2"], true),
    (["claimed 1", "claimed 2", "acked 2", "requeued 1"], false), (["claimed 1", "acked 1", "acked 1"], false),
    (["claimed 1", "claimed 2", "acked 2", "acked 1", "ack_refused 1"], false),
    (["claimed 1", "acked 1", "dead 1"], true), (["claimed 1", "dead 1", "claimed 2", "acked 2"], false),
    (["claimed 1", "dead 1"], true), (["claimed 1", "dead 1", "discarded 1"], false),
    (["claimed 1", "dead 1", "revived 1", "claimed 1", "acked 1"], false),
    (["claimed 1", "dead 1", "revived 1"], true),
    (["quarantined 1"], false), (["acked 1", "claimed 1"], false),
    // Moved to `done/` by hand, from the inbox and from `dead/`.
    (["claimed 1", "requeued 1", "acked 1 mv"], false), (["claimed 5", "dead 5", "acked 5 mv"], false),
    (["claimed 1", "requeued 1", "claimed 2", "acked 1 mv"], true), (["claimed 1", "acked 1 mv", "requeued 1"], true),
    // Put back from `dead/` by hand.
    (["claimed 5", "dead 5", "claimed 1", "acked 1"], false), (["claimed 1", "dead 1", "claimed 1", "acked 1"], false),
    (["claimed 5", "dead 5", "acked 0 mv"], false), (["claimed 5", "dead 5", "claimed 1"], true),
    // Put back by hand without its attempt, and not: that claim was logged late.
    (["claimed 1", "requeued 1", "claimed 2", "requeued 2", "claimed 1", "acked 1"], false),
    (["claimed 1", "requeued 1", "claimed 2", "requeued 2", "claimed 1"], true),
    (["requeued 1", "claimed 2", "claimed 1", "acked 2", "acked 1", "ack_refused 1"], false),
  ])
  func `an ack counts unless something else was logged for the same or a later attempt`(
    events: [String], isRestored: Bool
  ) throws {
    let fixture = try Fixture("coder")
    let id = try fixture.send("x")
    for event in events {
      let parts = event.split(separator: " ")
      try fixture.spool.log.append(LogEvent.Kind("message.\(parts[0])"), id.description) { writer in
        writer.beginObject()
        writer.member("bot", "coder")
        writer.member("attempt", Int(parts[1])!)
        if parts.count > 2 { writer.member("by", String(parts[2])) }
        writer.endObject()
      }
    }
    unlink(fixture.box("inbox") + "/5-\(id).json")
    _ = try fixture.rebooted()
    #expect((fixture.names("inbox") + fixture.names("dead")).contains { $0.hasSuffix(".json") } == isRestored)
  }

  @Test func `this machine by another name leaves alone what is on its way in a spool in use`() throws {
    let fixture = try Fixture("coder")
    var message = Message(content: "x")
    message.to = ["coder"]
    message.id = fixture.spool.newIdentifier()
    let parcel = try Parcel(message, [fixture.bot()], fixture.spool)
    let before = fixture.spool.now().advanced(bySeconds: -60)
    try fixture.spool.log.append(.messageSent, parcel.subject, time: before) { parcel.writeLogData(to: &$0) }
    #expect(try Spool(at: fixture.path, machine: "container").recovery?.count == 0)
    #expect(fixture.names("inbox").isEmpty)
    // After a power cut nobody is at work, by any name.
    TemporaryDirectory.removeTree(fixture.path + "/log/container")
    #expect(try fixture.rebooted().recovery?.count == 1)
    #expect(fixture.names("inbox").count == 1)
  }

  @Test func `a message that somebody moved to another bot is not made twice`() throws {
    let fixture = try Fixture("a", "b")
    try fixture.send("moved and waiting", to: "a")
    try shell("mv a/inbox/* b/inbox/", in: fixture.path + "/bots")
    #expect(try fixture.rebooted().recovery?.count == 0)
    #expect(fixture.names("inbox", of: "a").isEmpty)
    #expect(try fixture.drain("b") == ["moved and waiting"])
    #expect(try fixture.rebooted().recovery?.count == 0)
    #expect(fixture.names("inbox", of: "a").isEmpty && fixture.names("inbox", of: "b").isEmpty)
  }

  @Test func `a bot that was removed stays removed`() throws {
    let fixture = try Fixture("a", "b")
    try fixture.send("x", to: "a", "b")
    TemporaryDirectory.removeTree(fixture.path + "/bots/a")
    #expect(try fixture.rebooted().recovery?.count == 0)
    #expect(try fixture.spool.bots().map(\.description) == ["b"])
  }

  // MARK: The log

  @Test(arguments: ["half a line", "zeros", "a line with a wrong checksum", "half a line after zeros", "a line feed"])
  func `a torn tail is cut, kept aside, and loses nothing before it`(tail: String) throws {
    let fixture = try Fixture("coder")
    for number in 0..<5 { try fixture.send("\(number)") }
    let segment = try fixture.lastSegment()
    let whole = try Plain.read(segment)
    let line = Array(whole.split(separator: 10).last!)
    let torn: [UInt8] =
      switch tail {
      case "half a line": Array(line[..<(line.count / 2)])
      case "zeros": [UInt8](repeating: 0, count: 5000)
      case "half a line after zeros": [UInt8](repeating: 0, count: 512) + line[..<20]
      case "a line feed": [10]
      // Another digit than the right one.
      default: line.dropLast(3) + [line[line.count - 3] == 48 ? 49 : 48] + Array("\"}\n".utf8)
      }
    try Plain.write(segment, torn, append: true)
    let spool = try fixture.rebooted()
    #expect(spool.recovery?.tornBytes == torn.count)
    #expect(try Plain.read(segment) == whole)
    let aside = Plain.names(fixture.path + "/quarantine").filter { $0.hasPrefix("torn-") }
    #expect(aside.count == 1)
    #expect(try Plain.read(fixture.path + "/quarantine/" + #require(aside.first)) == torn)
    var message = Message(content: "after")
    message.to = ["coder"]
    try spool.send(message)
    #expect(try fixture.drain() == ["0", "1", "2", "3", "4", "after"])
    #expect(try fixture.events(.messageSent).count == 6)
  }

  @Test func `after what is too long to be a torn line the next is one`() throws {
    let fixture = try Fixture("coder")
    try fixture.send("0")
    let segment = try fixture.lastSegment()
    // As some file systems leave a file that had grown: longer than what came to the disk.
    #expect(truncate(segment, off_t(try Plain.read(segment).count + (20 << 20))) == 0)
    let spool = try fixture.rebooted()
    #expect(spool.recovery?.tornBytes == 0)
    var message = Message(content: "1")
    message.to = ["coder"]
    try spool.send(message, durability: .durable)
    for name in fixture.names("inbox") { unlink(fixture.box("inbox") + "/" + name) }
    _ = try fixture.rebooted()
    #expect(try fixture.drain() == ["0", "1"])
  }

  @Test func `a flipped bit costs one line, is reported with its place, and never ends the replay`() throws {
    let fixture = try Fixture("coder")
    for number in 0..<10 { try fixture.send("\(number)") }
    let segment = try fixture.lastSegment()
    var bytes = try Plain.read(segment)
    let lines = bytes.split(separator: 10, omittingEmptySubsequences: false)
    // The sixth message; the first line is the bot's.
    let start = lines[6].startIndex
    bytes[start + 100] ^= 4
    try Plain.write(segment, bytes)
    for name in fixture.names("inbox") { unlink(fixture.box("inbox") + "/" + name) }
    let spool = try fixture.rebooted()
    let damage = try #require(spool.recovery?.damaged.first)
    #expect("\(fixture.path)/\(damage.position.segment.path)" == segment && damage.position.offset == start)
    #expect(damage.count == lines[6].count + 1 && spool.recovery?.damagedCount == 1)
    #expect(try fixture.drain() == ["0", "1", "2", "3", "4", "6", "7", "8", "9"])
  }

  @Test func `a flipped line feed costs the line that it ended, and not the next`() throws {
    let fixture = try Fixture("coder")
    for number in 0..<6 { try fixture.send("\(number)") }
    let segment = try fixture.lastSegment()
    var bytes = try Plain.read(segment)
    let feeds = bytes.indices.filter { bytes[$0] == 10 }
    bytes[feeds[2]] ^= 1
    try Plain.write(segment, bytes)
    for name in fixture.names("inbox") { unlink(fixture.box("inbox") + "/" + name) }
    _ = try fixture.rebooted()
    // The message 1 is in the line that the feed ended; it is whole but for that.
    #expect(try fixture.drain() == ["0", "2", "3", "4", "5"])
  }

  @Test func `a shared page that is gone, empty or garbage is made anew`() throws {
    let fixture = try Fixture("coder")
    let page = "\(fixture.path)/log/\(fixture.spool.host)/commit"
    var random = SeededGenerator()
    let garbage = (0..<4096).map { _ in UInt8.random(in: .min ... .max, using: &random) }
    for (number, damage) in [nil, [], garbage, [UInt8](repeating: 0, count: 100)].enumerated() {
      // A new file, because the old one is mapped by those who have the spool open.
      unlink(page)
      if let damage { try Plain.write(page, damage) }
      let spool = try Spool(at: fixture.path)
      #expect(spool.recovery != nil, "seed \(random.seed)")
      var message = Message(content: "\(number)")
      message.to = ["coder"]
      try spool.send(message, durability: .durable)
    }
    #expect(try fixture.drain() == ["0", "1", "2", "3"])
  }

  @Test func `a page belongs to one boot and one directory of one device`() throws {
    let home = try TemporaryDirectory()
    let page = try CommitPage(Descriptor.open(home("page"), O_RDWR | O_CREAT))
    let boot = String(repeating: "b", count: 32)
    let root = CommitPage.Root(inode: 2, device: 17)
    #expect(!page.belongs(toBoot: boot, root: root))
    page.initialize(boot: boot, root: root, start: Timestamp(microseconds: 5), end: 100, as: .recovering)
    #expect(page.belongs(toBoot: boot, root: root))
    #expect(page.state == .recovering)
    #expect(page.segmentEnd == 100 && page.segmentStart.microseconds == 5)
    #expect(!page.belongs(toBoot: String(repeating: "c", count: 32), root: root))
    // The root of another file system has the same number, more often than not.
    for other in [CommitPage.Root(inode: 3, device: 17), CommitPage.Root(inode: 2, device: 18)] {
      #expect(!page.belongs(toBoot: boot, root: other))
      #expect(!page.hasRoot(other))
    }
    #expect(page.hasRoot(root))
  }

  @Test func `from a checkpoint on only what moved since is looked for, and the doctor looks at all`() throws {
    let fixture = try Fixture("coder") { $0.segmentBytesMax = 4096 }
    let old = try fixture.send("old")
    let moved = try fixture.send("moved") { $0.priority = Priority(value: 9) }
    for number in 0..<60 { try fixture.send("filler \(number)") { $0.priority = Priority(value: 1) } }
    #expect(Plain.exists("\(fixture.path)/log/\(fixture.spool.host)/checkpoint"))
    let claim = try #require(try fixture.inbox().claim())
    #expect(claim.name.id == moved)
    try fixture.spool.nack(claim.bot, claim.name)
    let last = try fixture.send("last")
    for name in fixture.names("inbox") where [old, moved, last].contains(EntryName(name)?.id) {
      unlink(fixture.box("inbox") + "/" + name)
    }
    let spool = try fixture.rebooted()
    #expect((spool.recovery?.messagesLookedAt ?? 0) < 40)
    let there = Set(fixture.names("inbox").compactMap { EntryName($0)?.id })
    #expect(there.contains(moved) && there.contains(last))
    // The checkpoint vouches for what was on the disk before it; this one was taken away by other means.
    #expect(!there.contains(old))
    #expect(try Doctor(spool).examine(repairing: true).count == 1)
    #expect(fixture.names("inbox").contains("5-\(old).json"))
    // A copy believes no checkpoint.
    unlink(fixture.box("inbox") + "/5-\(old).json")
    try shell("cp -a spool copy", in: fixture.home.path)
    #expect(try Spool(at: fixture.home("copy")).recovery?.count == 1)
  }

  @Test func `thousands of waiting messages are recovered in seconds`() throws {
    let fixture = try Fixture("coder")
    for number in 0..<3000 { try fixture.send("\(number)") }
    for name in fixture.names("inbox").prefix(1000) { unlink(fixture.box("inbox") + "/" + name) }
    var count: Int?
    let took = try seconds { count = try fixture.rebooted().recovery?.count }
    #expect(count == 1000)
    #expect(fixture.names("inbox").count == 3000)
    print("recovery of 3000 messages: \(took) s")
    #expect(took < 30)
  }

  @Test(arguments: [1, 3])
  func `what was put back unseen and then moved into done by hand is acked, and doesn't come back`(attempt: Int) throws
  {
    let fixture = try Fixture("coder")
    try fixture.send("x")
    let inbox = try fixture.inbox()
    for number in 1...attempt {
      let claim = try #require(try inbox.claim())
      #expect(claim.attempt == number)
      guard number == attempt else {
        try fixture.spool.nack(claim.bot, claim.name)
        continue
      }
      try fixture.spool.unclaim(claim.bot, claim.name, reason: "could not be shown")
    }
    let name = try #require(fixture.names("inbox").first)
    #expect(rename("\(fixture.box("inbox"))/\(name)", "\(fixture.box("done"))/\(name)") == 0)
    #expect(try fixture.inbox().claim() == nil)
    #expect(try fixture.events(.messageAcked).count == 1)
    #expect(try fixture.rebooted().recovery?.findings.map(\.path) == [])
    #expect(fixture.names("inbox").isEmpty)
  }
}
