import Glibc
import Linux
import SpoolFormat
import Synchronization
import TestSupport
import Testing

@testable import Spool

@Suite struct RecoveryTests {
  /// Makes it look as if the machine had been started again since: the boot's id is in the shared page.
  private func reboot(_ path: String, host: String) {
    let raw = open("\(path)/log/\(host)/commit", O_WRONLY)
    #expect(pwrite(raw, String(repeating: "0", count: 32), 32, 16) == 32)
    close(raw)
  }

  /// After a power cut, as far as one can be had.
  private func rebooted(_ fixture: Fixture) throws -> Spool {
    reboot(fixture.path, host: fixture.spool.host)
    return try Spool(at: fixture.path)
  }

  /// Every file that isn't the log's own, and its bytes.
  private func files(_ path: String, _ below: String = "bots") -> [String: [UInt8]] {
    var found: [String: [UInt8]] = [:]
    for name in Plain.names("\(path)/\(below)") {
      let inner = "\(below)/\(name)"
      if let bytes = try? Plain.read("\(path)/\(inner)") {
        found[inner] = bytes
      } else {
        found.merge(files(path, inner)) { first, _ in first }
      }
    }
    return found
  }

  private func lastSegment(_ path: String) throws -> String {
    path + "/" + (try #require(try LogFiles(root: Directory(path)).allSegments().last).path)
  }

  /// A spool in which something of every kind has happened.
  private func eventful() throws -> Fixture {
    let fixture = try Fixture("a", "b", "c")
    try fixture.send("waiting", to: "a")
    try fixture.send("to all", to: "team")
    try fixture.send("later", to: "a") {
      $0.notBefore = Timestamp(microseconds: Clock.wall()).advanced(bySeconds: 3600)
    }
    for number in 0..<6 { try fixture.send("\(number)", to: "b") { $0.priority = Priority(value: 10) } }
    let inbox = try fixture.inbox("b")
    let claims = try (0..<6).map { _ in try #require(try inbox.claim()) }
    try fixture.spool.ack(claims[0].bot, claims[0].name)
    try fixture.spool.ack(claims[1].bot, claims[1].name)
    try fixture.spool.nack(claims[2].bot, claims[2].name)
    try fixture.spool.nack(claims[3].bot, claims[3].name, delay: 3600)
    try fixture.spool.bury(claims[4].bot, claims[4].name, reason: "no use")
    try Plain.write(fixture.box("inbox", of: "c") + "/x.json", "{ \"content\" : \"dropped\", \"n\": 1.50 }\n")
    _ = try fixture.inbox("c").claim()
    return fixture
  }

  // MARK: Files

  @Test func `nothing is done after a reboot that lost nothing, and nothing twice`() throws {
    let fixture = try eventful()
    let before = files(fixture.path)
    for _ in 0..<2 {
      let spool = try rebooted(fixture)
      #expect(spool.recovery?.findings.map(\.path) == [])
      #expect((spool.recovery?.messagesLookedAt ?? 0) > 5)
    }
    #expect(files(fixture.path) == before)
    #expect(try Spool(at: fixture.path).recovery == nil)
  }

  @Test(arguments: ["removed", "emptied", "zeroed", "garbled", "another's"])
  func `every message that is not done is there again with its bytes, and none that is`(damage: String) throws {
    let fixture = try eventful()
    let before = files(fixture.path)
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
    let spool = try rebooted(fixture)
    #expect(spool.recovery?.count == 10)
    let after = files(fixture.path).filter { $0.key.hasSuffix(".json") && !$0.key.hasSuffix("card.json") }
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
    #expect(try rebooted(fixture).recovery?.count == 0)
  }

  @Test func `directories that a copier left out are made again`() throws {
    let fixture = try eventful()
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
    (["claimed 1", "acked 1", "dead 1"], true), (["claimed 1", "dead 1", "claimed 2", "acked 2"], false),
    (["claimed 1", "dead 1"], true), (["claimed 1", "dead 1", "discarded 1"], false),
    (["claimed 1", "dead 1", "revived 1", "claimed 1", "acked 1"], false),
    (["claimed 1", "dead 1", "revived 1"], true),
    (["quarantined 1"], false), (["acked 1", "claimed 1"], false),
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
        writer.endObject()
      }
    }
    unlink(fixture.box("inbox") + "/5-\(id).json")
    _ = try rebooted(fixture)
    #expect((fixture.names("inbox") + fixture.names("dead")).contains { $0.hasSuffix(".json") } == isRestored)
  }

  @Test func `a message that somebody moved to another bot is not made twice`() throws {
    let fixture = try Fixture("a", "b")
    try fixture.send("moved and waiting", to: "a")
    try shell("mv a/inbox/* b/inbox/", in: fixture.path + "/bots")
    #expect(try rebooted(fixture).recovery?.count == 0)
    #expect(fixture.names("inbox", of: "a").isEmpty)
    #expect(try fixture.drain("b") == ["moved and waiting"])
    #expect(try rebooted(fixture).recovery?.count == 0)
    #expect(fixture.names("inbox", of: "a").isEmpty && fixture.names("inbox", of: "b").isEmpty)
  }

  @Test func `a bot that was removed stays removed`() throws {
    let fixture = try Fixture("a", "b")
    try fixture.send("x", to: "a", "b")
    TemporaryDirectory.removeTree(fixture.path + "/bots/a")
    #expect(try rebooted(fixture).recovery?.count == 0)
    #expect(try fixture.spool.bots().map(\.description) == ["b"])
  }

  // MARK: The log

  @Test(arguments: ["half a line", "zeros", "a line with a wrong checksum", "half a line after zeros", "a line feed"])
  func `a torn tail is cut, kept aside, and loses nothing before it`(tail: String) throws {
    let fixture = try Fixture("coder")
    for number in 0..<5 { try fixture.send("\(number)") }
    let segment = try lastSegment(fixture.path)
    let whole = try Plain.read(segment)
    let line = Array(whole.split(separator: 10).last!)
    let torn: [UInt8] =
      switch tail {
      case "half a line": Array(line[..<(line.count / 2)])
      case "zeros": [UInt8](repeating: 0, count: 5000)
      case "half a line after zeros": [UInt8](repeating: 0, count: 512) + line[..<20]
      case "a line feed": [10]
      default: line.dropLast(3) + Array("0\"}\n".utf8)
      }
    try Plain.write(segment, torn, append: true)
    let spool = try rebooted(fixture)
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

  @Test func `a flipped bit costs one line, is reported with its place, and never ends the replay`() throws {
    let fixture = try Fixture("coder")
    for number in 0..<10 { try fixture.send("\(number)") }
    let segment = try lastSegment(fixture.path)
    var bytes = try Plain.read(segment)
    let lines = bytes.split(separator: 10, omittingEmptySubsequences: false)
    // The sixth message; the first line is the bot's.
    let start = lines[6].startIndex
    bytes[start + 100] ^= 4
    try Plain.write(segment, bytes)
    for name in fixture.names("inbox") { unlink(fixture.box("inbox") + "/" + name) }
    let spool = try rebooted(fixture)
    let damage = try #require(spool.recovery?.findings.first { $0.path.contains(".jsonl") })
    #expect(damage.path.hasSuffix(".jsonl at byte \(start)"))
    #expect(damage.problem.hasPrefix("\(lines[6].count + 1) bytes"))
    #expect(try fixture.drain() == ["0", "1", "2", "3", "4", "6", "7", "8", "9"])
  }

  @Test func `a flipped line feed costs the line that it ended, and not the next`() throws {
    let fixture = try Fixture("coder")
    for number in 0..<6 { try fixture.send("\(number)") }
    let segment = try lastSegment(fixture.path)
    var bytes = try Plain.read(segment)
    let feeds = bytes.indices.filter { bytes[$0] == 10 }
    bytes[feeds[2]] ^= 1
    try Plain.write(segment, bytes)
    for name in fixture.names("inbox") { unlink(fixture.box("inbox") + "/" + name) }
    _ = try rebooted(fixture)
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
    page.initialize(boot: boot, root: root, start: Timestamp(microseconds: 5), end: 100)
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
    let spool = try rebooted(fixture)
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

  // MARK: Copies

  @Test func `a copy of a spool in use has every message that was acknowledged before it began`() throws {
    let fixture = try Fixture("a", "b") {
      $0.segmentBytesMax = 16384
      $0.durability = .durable
    }
    let (path, spool) = (fixture.path, fixture.spool)
    let bots = [try fixture.bot("a"), try fixture.bot("b")]
    let running = try Pipe()
    let done = running.writeEnd.raw
    let isOver = Shared(Atomic<Bool>(false))
    let ids = Shared(Mutex<[MessageID]>([]))
    for sender in 0..<2 {
      try Thread.detach {
        var number = 0
        while !isOver.value.load(ordering: .relaxed) {
          var message = Message(content: "\(sender)-\(number)")
          message.to = number % 3 == 0 ? ["a", "b"] : [number % 3 == 1 ? "a" : "b"]
          if let id = try? spool.send(message) { ids.value.withLock { $0.append(id) } }
          number += 1
        }
        var byte: UInt8 = 1
        _ = Glibc.write(done, &byte, 1)
      }
    }
    for bot in bots {
      try Thread.detach {
        do {
          let inbox = try Inbox(spool, bot)
          var number = 0
          while !isOver.value.load(ordering: .relaxed) {
            guard let claim = try inbox.receive(waiting: 0.05) else { continue }
            number += 1
            switch number % 4 {
            case 0: try spool.nack(claim.bot, claim.name)
            case 1 where claim.attempt == 1: try spool.bury(claim.bot, claim.name, reason: "x")
            default: try spool.ack(claim.bot, claim.name)
            }
          }
        } catch { Issue.record(error) }
        var byte: UInt8 = 1
        _ = Glibc.write(done, &byte, 1)
      }
    }
    var snapshots: [[MessageID]] = []
    for number in 0..<4 {
      #expect(eventually { ids.value.withLock { $0.count } > (number + 1) * 60 })
      snapshots.append(ids.value.withLock { $0 })
      try shell("cp -a spool copy\(number) 2>&1 || true", in: fixture.home.path)
    }
    isOver.value.store(true, ordering: .relaxed)
    var left = 4
    while left > 0 { left -= try running.readEnd.read(maximum: left)?.count ?? 0 }
    for (number, sent) in snapshots.enumerated() {
      #expect(sent.count > 60)
      let copy = try Spool(at: fixture.home("copy\(number)"))
      #expect(copy.recovery != nil)
      var there: [String: Set<MessageID>] = [:]
      for bot in ["a", "b"] {
        for box in ["inbox", "claimed", "dead"] {
          for name in Plain.names("\(copy.path)/bots/\(bot)/\(box)") {
            guard let entry = EntryName(name) else { continue }
            there[bot, default: []].insert(entry.id)
            // Whole, all of them.
            #expect(throws: Never.self) { try Message(parsing: Plain.read("\(copy.path)/bots/\(bot)/\(box)/\(name)")) }
          }
        }
      }
      var recipients: [MessageID: [String]] = [:]
      try History(copy).forEach(History.Filter()) { event in
        guard let id = MessageID(event.subject) else { return true }
        if event.kind == .messageSent { recipients[id] = event.texts("recipients") }
        if event.kind == .messageAcked, let bot = event.text("bot") { there[bot, default: []].insert(id) }
        return true
      }
      for id in sent {
        let bots = try #require(recipients[id], "copy \(number) has no line of \(id)")
        for bot in bots { #expect(there[bot]?.contains(id) == true, "copy \(number), \(bot), \(id)") }
      }
      #expect(try Doctor(copy).examine(repairing: false).findings.map(\.path) == [])
      #expect(path != copy.path)
    }
  }

  /// A value that several threads share.
  private final class Shared<Value: ~Copyable & Sendable>: Sendable {
    let value: Value
    init(_ value: consuming Value) { self.value = value }
  }

  @Test func `a copy has what other hosts had just sent`() async throws {
    let fixture = try Fixture("coder")
    let path = fixture.path
    await #expect(processExitsWith: .success) { [path = path as String] in
      setenv("SPOOL_HOST", "afar", 1)
      let spool = try Spool(at: path)
      #expect(spool.host == "afar")
      var message = Message(content: "from afar")
      message.to = ["coder"]
      try spool.send(message)
    }
    try fixture.send("from here")
    try shell("cp -a spool copy; rm copy/bots/coder/inbox/*", in: fixture.home.path)
    let copy = try Spool(at: fixture.home("copy"))
    #expect(copy.recovery?.count == 2)
    #expect(Plain.names("\(copy.path)/bots/coder/inbox").count == 2)
    // A backup is opened elsewhere, by a host that was never there.
    try shell("cp -a spool elsewhere; rm elsewhere/bots/coder/inbox/*", in: fixture.home.path)
    let elsewhere = fixture.home("elsewhere")
    await #expect(processExitsWith: .success) { [elsewhere = elsewhere as String] in
      setenv("SPOOL_HOST", "third", 1)
      let spool = try Spool(at: elsewhere)
      #expect(spool.recovery?.count == 2)
    }
  }

  @Test func `what another host is just sending is not taken for lost`() throws {
    let fixture = try Fixture("coder")
    // A clock that is ahead, so that a busy machine has time enough.
    for (host, ahead) in [("afar", 8.0), ("slow", -100.0)] {
      let time = Timestamp(microseconds: Clock.wall()).advanced(bySeconds: ahead)
      let id = MessageID(time: time, random: 17)
      let line = LogEvent.line(kind: .messageSent, subject: "\(id)", source: "/\(host)/1.1", number: 1, time: time) {
        $0.raw(Array(#"{"recipients":["coder"],"name":"5-\#(id).json","message":{"content":"\#(host)"}}"#.utf8))
      }
      #expect(mkdir("\(fixture.path)/log/\(host)", 0o755) == 0)
      try Plain.write("\(fixture.path)/log/\(host)/\(time.compact).jsonl", line)
    }
    #expect(try rebooted(fixture).recovery?.count == 1)
    #expect(try fixture.drain() == ["slow"])
  }

  // MARK: The doctor

  @Test func `the doctor says what it would do without doing it, and then does it`() async throws {
    let fixture = try eventful()
    let path = fixture.path
    await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
      let spool = try Spool(at: path)
      #expect(try Inbox(spool, BotName(parsing: "a")).claim() != nil)
      try Plain.write(path + "/bots/a/presence/\(spool.holder)", "")
      kill(getpid(), SIGKILL)
    }
    let gone = Holder(host: fixture.spool.host, pid: 1, start: 1)
    let unsent = EntryName(
      urgency: 5, id: MessageID(time: Timestamp(microseconds: 1), random: 1), place: .held(gone))
    try Plain.write(fixture.box("tmp", of: "a") + "/\(unsent)", #"{"content":"never sent"}"#)
    unlink(fixture.box("inbox", of: "c") + "/" + (try #require(fixture.names("inbox", of: "c").first)))
    try Plain.write(fixture.box("claimed", of: "a") + "/by-hand.json", #"{"content":"x"}"#)
    try Plain.write(fixture.box("dead", of: "a") + "/none.json.reason", "{}")
    try Plain.write(path + "/bots/c/card.json", "not json")
    try Plain.write(path + "/tmp/old", "x")
    var times = [timespec(tv_sec: 1, tv_nsec: 0), timespec(tv_sec: 1, tv_nsec: 0)]
    utimensat(AT_FDCWD, path + "/tmp/old", &times, 0)
    TemporaryDirectory.removeTree(path + "/bots/b/presence")
    let before = files(path, ".")
    let names = Plain.names(path + "/bots/b")
    let report = try Doctor(fixture.spool).examine(repairing: false)
    let problems = report.findings.map {
      "\($0.path.split(separator: "/").prefix(3).joined(separator: "/")) \($0.problem)"
    }
    #expect(report.count == report.findings.count)
    for wanted in [
      "bots/a/claimed is held by a process that has died", "bots/a/presence is a process that has ended",
      "bots/a/tmp was left by a sender that died", "bots/a/claimed is claimed by nobody",
      "bots/a/dead is a reason without its letter", "bots/c/inbox is missing",
      "tmp/old was left by a command that died",
      "bots/b/presence is missing",
    ] { #expect(problems.contains(wanted), "\(wanted): \(problems)") }
    #expect(problems.contains { $0.hasPrefix("bots/c/card.json") })
    #expect(report.count == 9)
    #expect(files(path, ".") == before)
    #expect(Plain.names(path + "/bots/b") == names)
    let again = try Doctor(fixture.spool).examine(repairing: true)
    #expect(again.count == 9)
    let left = try Doctor(fixture.spool).examine(repairing: false)
    // The card is for a person to mend.
    #expect(left.findings.map(\.path) == ["bots/c/card.json"])
    #expect(fixture.names("tmp", of: "a").isEmpty)
    #expect(try fixture.drain("a").sorted() == ["to all", "waiting", "x"])
    #expect(!(try Doctor(fixture.spool).remarks()).isEmpty)
  }

  @Test(.enabled(if: !isRoot, "root may write everywhere"))
  func `a spool that may not be written to can be read`() throws {
    let fixture = try Fixture("coder")
    let id = try fixture.send("x")
    try shell("chmod -R a-w spool", in: fixture.home.path)
    defer { try? shell("chmod -R u+w spool", in: fixture.home.path) }
    let spool = try Spool(at: fixture.path)
    #expect(try spool.entries(of: fixture.bot()).map(\.message?.content) == ["x"])
    #expect(try History(spool).trace(id).count == 1)
    var message = Message(content: "y")
    message.to = ["coder"]
    #expect(code { try spool.send(message) } == .notPermitted)
    #expect(code { _ = try Inbox(spool, fixture.bot()).claim() } == .notPermitted)
  }

  @Test func `thousands of waiting messages are recovered in seconds`() throws {
    let fixture = try Fixture("coder")
    for number in 0..<3000 { try fixture.send("\(number)") }
    for name in fixture.names("inbox").prefix(1000) { unlink(fixture.box("inbox") + "/" + name) }
    var count: Int?
    let took = try seconds { count = try rebooted(fixture).recovery?.count }
    #expect(count == 1000)
    #expect(fixture.names("inbox").count == 3000)
    print("recovery of 3000 messages: \(took) s")
    #expect(took < 30)
  }
}
