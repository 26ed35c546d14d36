import Glibc
import Linux
import SpoolFormat
import TestSupport
import Testing

@testable import Spool

/// Recovery where one machine has the spool under several names (containers, say), each with a part of the log and a
/// checkpoint of its own.
@Suite struct PartsRecoveryTests {
  private let fixture: Fixture
  private let other: Spool

  init() throws {
    fixture = try Fixture("coder", "tester") { $0.segmentBytesMax = 4096 }
    other = try Spool(at: fixture.path, machine: "other")
  }

  private func reboot() {
    for part in [fixture.spool.part, other.part] { fixture.setBoot(String(repeating: "0", count: 32), of: part) }
  }

  /// Has the other name's log go on until recovery needn't read its beginning.
  private func fillOther() throws {
    let inbox = try Inbox(other, fixture.bot("tester"))
    for _ in 0..<40 {
      var message = Message(content: String(repeating: "x", count: 300))
      message.to = ["tester"]
      try other.send(message)
      while let claim = try inbox.claim() { try other.ack(claim.bot, claim.name) }
    }
    #expect(try LogFiles(root: other.root).checkpoint(of: other.part) != nil)
  }

  @Test func `what another name acked before its checkpoint doesn't come back`() throws {
    try fixture.send("do it once")
    let claim = try #require(try Inbox(other, fixture.bot()).claim())
    try other.ack(claim.bot, claim.name)
    try fillOther()
    try fixture.send("waits")
    #expect(unlink("\(fixture.box("inbox"))/\(fixture.names("inbox")[0])") == 0)
    reboot()
    #expect(try Spool(at: fixture.path).recovery?.count == 1)
    #expect(try fixture.drain() == ["waits"])
  }

  @Test func `nor does a task that it completed and collected`() throws {
    let entry = try fixture.spool.addTask(TaskRecord(title: "deploy once"))
    let claimed = try other.claimTask(entry, for: fixture.bot())
    #expect(try other.complete(claimed, result: nil) != nil)
    usleep(10_000)
    #expect(try other.collectTasks(olderThan: 0) == 1)
    try fillOther()
    let lost = try fixture.spool.addTask(TaskRecord(title: "waits"))
    #expect(unlink("\(fixture.path)/\(lost.path)") == 0)
    reboot()
    let spool = try Spool(at: fixture.path)
    #expect(spool.recovery?.findings.map(\.path) == [lost.path])
    #expect(try spool.tasks(in: TaskState.allCases) == [lost])
  }

  @Test func `nor is a task moved back from where it brought it`() throws {
    let entry = try fixture.spool.addTask(TaskRecord(title: "x"))
    let blocked = try #require(try fixture.spool.block(entry, reason: "not yet"))
    let pending = try #require(try other.unblock(blocked))
    try fillOther()
    reboot()
    let spool = try Spool(at: fixture.path)
    #expect(spool.recovery?.findings.map(\.path) == [])
    #expect(try spool.tasks(in: TaskState.allCases) == [pending])
  }

  @Test func `right after a power cut, what another name has only just sent is there again`() throws {
    let id = try fixture.send("answered with yes")
    #expect(truncate("\(fixture.box("inbox"))/5-\(id).json", 0) == 0)
    reboot()
    #expect(try Spool(at: fixture.path, machine: "other").recovery?.count == 1)
    #expect(try fixture.drain() == ["answered with yes"])
  }

  @Test(arguments: [true, false])
  func `where users share the spool, what another user's process that may be alive is sending is left to it`(
    isForged: Bool
  ) throws {
    guard geteuid() == 0 else { return }
    let id = try fixture.send("on its way")
    let inbox = "\(fixture.box("inbox"))/5-\(id).json"
    let (host, own) = (fixture.spool.host, fixture.spool.holder)
    let (other, sender) = (uid_t(4242), isForged ? uid_t(4243) : 4242)
    #expect(chown(inbox, other, 0) == 0)
    let dead = DeadProcess.holder(on: host)
    let cases = [("\(own)", 60, true), (dead, 0, false), ("afar.5.1f", 0, true), ("afar.5.1f", 60, false)]
    for (holder, age, isLeft) in cases {
      let path = "\(fixture.box("tmp"))/5-\(id)~0~\(holder).json"
      #expect(rename(inbox, path) == 0)
      let moment = timespec(tv_sec: time(nil) - age, tv_nsec: 0)
      #expect(utimensat(AT_FDCWD, path, [moment, moment], 0) == 0)
      let recovery = Recovery(root: fixture.spool.root, host: host, part: fixture.spool.part, user: 0, log: nil)
      let position = LogCursor.Position(segment: LogFiles.Segment(host: host, start: id.time), offset: 0)
      let message = Recovery.Outstanding(
        position: position, time: id.time, name: EntryName(urgency: 5, id: id), sender: sender,
        copies: ["coder": .init()])
      var outstanding = [id: message]
      _ = try recovery.places(live: false, &outstanding)
      #expect(outstanding.isEmpty == (isLeft && !isForged), "\(holder)")
      #expect(rename(path, inbox) == 0)
    }
  }

  @Test(arguments: [true, false])
  func `what is said late of a message that was thrown away, or is done, doesn't bring it back`(isDone: Bool) throws {
    let id = try fixture.send("over")
    let claim = try #require(try fixture.inbox().claim())
    if isDone {
      try fixture.spool.ack(claim.bot, claim.name)
    } else {
      try fixture.spool.bury(claim.bot, claim.name, reason: "given up")
      #expect(try fixture.spool.discard(#require(fixture.spool.deadLetters(of: fixture.bot()).first)))
    }
    // By an ack that was stopped before it looked for its file; by a retry that was stopped after its move.
    try fixture.spool.log.append(isDone ? .messageRevived : .messageAckRefused, id.description) { writer in
      writer.beginObject()
      writer.member("bot", "coder")
      writer.member("attempt", 1)
      writer.endObject()
    }
    _ = try fixture.rebooted()
    #expect(try fixture.drain() == [])
    #expect(fixture.names("dead") == [])
  }

  @Test func `what one part says counts as it stands there, whatever its clock did`() throws {
    let entry = try fixture.spool.addTask(TaskRecord(title: "x"))
    let later = try fixture.send("later")
    let now = fixture.spool.now()
    for (kind, spool, seconds) in [
      (LogEvent.Kind.messageClaimed, fixture.spool, 5.0), (.messageRequeued, fixture.spool, -60),
      (.messageDead, other, 3), (.messageRevived, other, 8),
    ] {
      try spool.log.append(kind, entry.id.description, time: now.advanced(bySeconds: seconds)) {
        $0.beginObject()
        $0.endObject()
      }
    }
    let events = try LogFiles(root: fixture.spool.root).events(about: [entry.id, later])
    let kinds: [LogEvent.Kind] = [
      .taskAdded, .messageSent, .messageDead, .messageClaimed, .messageRequeued, .messageRevived,
    ]
    #expect(events.map(\.event.kind) == kinds)
  }

  @Test
  func `a recovery that began without knowing whose the checkpoints are, and was killed, is begun like that again`()
    throws
  {
    let id = try fixture.send("waits")
    try fillOther()
    let inbox = try fixture.inbox("tester")
    for _ in 0..<40 {
      try fixture.send(String(repeating: "x", count: 300), to: "tester")
      while let claim = try inbox.claim() { try fixture.spool.ack(claim.bot, claim.name) }
    }
    let (page, status) = (try fixture.spool.log.page, try fixture.spool.root.status())
    let checkpoint = try #require(try LogFiles(root: fixture.spool.root).checkpoint(of: fixture.spool.part))
    #expect(id.time < checkpoint)
    #expect(unlink("\(fixture.box("inbox"))/5-\(id).json") == 0)
    page.initialize(
      boot: try Clock.bootIdentity(), root: CommitPage.Root(inode: status.inode, device: status.device),
      start: page.segmentStart, end: page.segmentEnd, as: .recoveringAll)
    #expect(try Spool(at: fixture.path).recovery?.count == 1)
    #expect(try fixture.drain() == ["waits"])
  }

  @Test func `a dead letter that is put back while it is thrown away is there, and comes back after a power cut`()
    throws
  {
    let id = try fixture.send("precious", to: "coder", "tester")
    let inbox = try fixture.inbox()
    let claim = try #require(try inbox.claim())
    try fixture.spool.bury(claim.bot, claim.name, reason: "given up")
    let letter = try #require(try fixture.spool.deadLetters(of: fixture.bot()).first)
    // In the log either may be first.
    try fixture.spool.log.append(.messageDiscarded, id.description) { writer in
      writer.beginObject()
      writer.member("bot", "coder")
      writer.member("attempt", letter.name.attempt)
      writer.endObject()
    }
    #expect(try fixture.spool.revive(letter))
    let waiting = "\(fixture.box("inbox"))/\(fixture.names("inbox")[0])"
    #expect(truncate(waiting, 0) == 0)
    _ = try fixture.rebooted()
    #expect(try fixture.drain() == ["precious"])
  }

  @Test func `what went to a bot that is gone doesn't come back, once collected, for one that was done with it`() throws
  {
    try fixture.spool.register(Card(name: BotName(parsing: "leaver")))
    // Keeps the segment with the sending.
    try fixture.send("later", to: "coder") { $0.notBefore = Timestamp(microseconds: Clock.wall() + 3_600_000_000) }
    try fixture.send("to two", to: "coder", "leaver")
    try fillOther()
    let claim = try #require(try Inbox(other, fixture.bot()).claim())
    try other.ack(claim.bot, claim.name)
    try fillOther()
    TemporaryDirectory.removeTree("\(fixture.path)/bots/leaver")
    var wish = CollectionWish()
    wish.olderThan = 0
    wish.youngest = 0
    let files = LogFiles(root: other.root)
    var records: [String: LogFollower.Position] = [:]
    for host in try files.hosts() {
      records[host] = try files.segments(of: host).last.map { .init(segment: $0.start.compact, offset: 0) }
    }
    #expect(try other.collect(wish, records: records).removed.count > 3)
    #expect(try Doctor(fixture.spool).examine(repairing: true).findings.map(\.path) == [])
    #expect(fixture.names("inbox").count == 1)
  }
}
