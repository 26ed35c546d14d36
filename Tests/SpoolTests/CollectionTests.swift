import Glibc
import Linux
import SpoolFormat
import TestSupport
import Testing

@testable import Spool

/// `spool gc`: what goes, what stays, and that nothing that was done comes back for it.
@Suite struct CollectionTests {
  private func fixture(_ bots: String...) throws -> Fixture {
    let fixture = try Fixture("coder", "tester") { $0.segmentBytesMax = 4096 }
    for bot in bots { try fixture.spool.register(Card(name: BotName(parsing: bot))) }
    return fixture
  }

  /// Sends and acks until there are so many segments more.
  private func fill(_ fixture: Fixture, segments: Int, host: Spool? = nil) throws {
    let spool = host ?? fixture.spool
    let inbox = try Inbox(spool, fixture.bot("tester"))
    let wanted = try self.segments(fixture, spool.host).count + segments
    while try self.segments(fixture, spool.host).count < wanted {
      var message = Message(content: String(repeating: "x", count: 300))
      message.to = ["tester"]
      try spool.send(message)
      while let claim = try inbox.claim() { try spool.ack(claim.bot, claim.name) }
    }
  }

  private func segments(_ fixture: Fixture, _ host: String? = nil) throws -> [LogFiles.Segment] {
    try LogFiles(root: Directory(fixture.path)).segments(of: host ?? fixture.spool.host)
  }

  @discardableResult
  private func collect(_ fixture: Fixture, _ change: (inout CollectionWish) -> Void = { _ in }) throws
    -> CollectionReport
  {
    var wish = CollectionWish()
    wish.olderThan = 0
    wish.youngest = 0
    change(&wish)
    let files = LogFiles(root: fixture.spool.root)
    var records: [String: LogFollower.Position] = [:]
    for host in try files.hosts() {
      records[host] = try files.segments(of: host).last.map { .init(segment: $0.start.compact, offset: 0) }
    }
    return try fixture.spool.collect(wish, records: records)
  }

  /// What a copy has for its bots when it has healed, by what the messages say.
  private func copied(_ fixture: Fixture, without path: String? = nil) throws -> [String: [String]] {
    let name = "copy\(UInt32.random(in: .min ... .max))"
    try shell("cp -a spool \(name)", in: fixture.home.path)
    if let path { #expect(unlink(fixture.home("\(name)/\(path)")) == 0) }
    let copy = try Spool(at: fixture.home(name))
    var found: [String: [String]] = [:]
    for bot in try copy.bots() {
      found[bot.description] =
        try copy.entries(of: bot).compactMap { $0.message?.content?.prefix(10).description }
        + copy.deadLetters(of: bot).compactMap { try copy.message(of: $0)?.content }
    }
    return found
  }

  private func problems(_ fixture: Fixture) throws -> [String] {
    try Doctor(fixture.spool).examine(repairing: false).findings.map { "\($0.path) \($0.problem)" }
  }

  @Test func `segments of what is done go, and nothing is missed or comes back`() throws {
    let fixture = try fixture()
    try fill(fixture, segments: 8)
    let before = try segments(fixture)
    let trial = try collect(fixture) { $0.isDryRun = true }
    #expect(try segments(fixture) == before)
    let report = try collect(fixture)
    #expect(trial.removed.map(\.path) == report.removed.map(\.path))
    #expect(report.removed.count == before.count - 2 && report.kept.isEmpty)
    #expect(report.bytesRemoved > 4096 * (before.count - 3) && report.bytesRemoved < report.bytesBefore)
    #expect(try segments(fixture) == before.suffix(2))
    #expect(report.since == before[before.count - 2].start)
    #expect(try problems(fixture) == [])
    #expect(try copied(fixture) == ["coder": [], "tester": []])
    try fill(fixture, segments: 3)
    #expect(try collect(fixture).removed.count == 3)
    #expect(try problems(fixture) == [])
    // One that is really lost is still told of.
    try fill(fixture, segments: 3)
    #expect(try unlink("\(fixture.path)/\(segments(fixture)[1].path)") == 0)
    #expect(try problems(fixture).contains { $0.contains("is missing: what was logged") })
  }

  @Test func `what waits, is in hand or dead keeps its segment; what was acked beside it stays acked`() throws {
    let fixture = try fixture()
    let done = try fixture.send("done", to: "tester")
    try fixture.send("waiting")
    try fixture.send("dead", to: "coder") { $0.priority = Priority(value: 10) }
    try fixture.send("in hand", to: "coder") { $0.priority = Priority(value: 9) }
    let inbox = try fixture.inbox()
    let dead = try #require(try inbox.claim())
    try fixture.spool.bury(dead.bot, dead.name, reason: "no use")
    _ = try #require(try inbox.claim())
    let first = try segments(fixture)[0]
    // Its ack is in a segment that goes, and its sending in one that stays.
    let later = try fixture.inbox("tester")
    let claim = try #require(try later.claim())
    #expect(claim.name.id == done)
    try fill(fixture, segments: 1, host: nil)
    try fixture.spool.ack(claim.bot, claim.name)
    try fill(fixture, segments: 6)
    let report = try collect(fixture)
    #expect(report.kept.first?.path == first.path && report.kept.first?.reason?.contains("isn't done") == true)
    #expect(report.removed.count >= 4)
    #expect(try problems(fixture) == [])
    let expected = ["coder": ["dead", "in hand", "waiting"], "tester": []]
    #expect(try copied(fixture).mapValues { $0.sorted() } == expected)
    // Nothing but what was written down keeps it from coming back.
    let bare = try copied(fixture, without: Layout.forgotten)
    #expect(bare["tester"]?.contains("done") == true)
    // Files that a power cut takes are made again.
    for box in ["inbox", "claimed"] {
      for name in fixture.names(box) where !name.hasPrefix(".") { #expect(unlink(fixture.box(box) + "/" + name) == 0) }
    }
    #expect(try copied(fixture).mapValues { $0.sorted() } == expected)
  }

  @Test func `what the log has as unsettled stays though its file is gone`() throws {
    let fixture = try fixture()
    try fixture.send("lost")
    let path = fixture.box("inbox") + "/" + fixture.names("inbox")[0]
    #expect(unlink(path) == 0)
    try fill(fixture, segments: 5)
    #expect(try collect(fixture).kept.count == 1)
    #expect(try copied(fixture)["coder"] == ["lost"])
  }

  @Test func `an unfinished task keeps the lines of what it depends on, a finished one nothing`() throws {
    let fixture = try fixture()
    let first = try fixture.spool.addTask(TaskRecord(title: "first"))
    var second = TaskRecord(title: "second")
    second.dependsOn = [first.id]
    let waiting = try fixture.spool.addTask(second)
    try fill(fixture, segments: 4)
    #expect(try collect(fixture).kept.count == 1)
    for name in Plain.names("\(fixture.path)/tasks/blocked") {
      #expect(unlink("\(fixture.path)/tasks/blocked/\(name)") == 0)
    }
    _ = try Doctor(fixture.spool).examine(repairing: true)
    #expect(Plain.names("\(fixture.path)/tasks/blocked").contains { $0.contains(waiting.id.description) })
    for entry in try fixture.spool.tasks(in: TaskState.live) { _ = try fixture.spool.cancel(entry) }
    try fill(fixture, segments: 4)
    #expect(try collect(fixture).kept.isEmpty)
    #expect(try problems(fixture) == [])
    #expect(Plain.names("\(fixture.path)/tasks/cancelled").count == 2)
  }

  @Test func `the newest of a shared value stays, the ones before it go`() throws {
    let fixture = try fixture()
    let key = try StateKey(parsing: "light")
    try fixture.spool.setState(key, to: JSONText(validating: "1"))
    try fill(fixture, segments: 2)
    try fixture.spool.setState(key, to: JSONText(validating: "2"))
    let segment = try segments(fixture).last!
    try fill(fixture, segments: 4)
    let report = try collect(fixture)
    #expect(report.kept.map(\.path) == [segment.path] && report.kept[0].reason == "has the value of light")
    #expect(try problems(fixture) == [])
  }

  @Test func `a value that was deleted keeps nothing, and stays deleted where an older line of it is left`() throws {
    let fixture = try fixture()
    let key = try StateKey(parsing: "job-17")
    try fixture.spool.setState(key, to: JSONText(validating: "1"))
    let waiting = try fixture.send("waiting")
    try fill(fixture, segments: 2)
    try fixture.spool.deleteState(key)
    try fill(fixture, segments: 4)
    #expect(try collect(fixture).kept.map(\.reason) == ["has lines about \(waiting), which isn't done"])
    #expect(try History(fixture.spool).states(key).map(\.version) == [1])
    #expect(try problems(fixture) == [])
    try shell("cp -a spool copy", in: fixture.home.path)
    for spool in try [fixture.rebooted(), Spool(at: fixture.home("copy"))] {
      #expect(try spool.state(key) == nil)
      #expect(try spool.setState(key, to: JSONText(validating: "2"), expecting: 0).version == 3)
    }
  }

  @Test func `a deletion that isn't finished keeps its line`() throws {
    let fixture = try fixture()
    let key = try StateKey(parsing: "job-17")
    try fixture.spool.setState(key, to: JSONText(validating: "1"))
    let before = try Plain.read("\(fixture.path)/state/job-17.json")
    try fixture.spool.deleteState(key)
    try Plain.write("\(fixture.path)/state/job-17.json", before)
    try fill(fixture, segments: 4)
    #expect(try collect(fixture).kept.map(\.reason) == ["has the value of job-17"])
  }

  @Test func `what was sent to a bot whose directory is gone keeps nothing, and isn't forgotten where it is left`()
    throws
  {
    let fixture = try fixture("gone")
    try fixture.send("lost", to: "gone")
    try fixture.send("to both", to: "gone", "coder")
    try fill(fixture, segments: 3)
    try fixture.send("late", to: "gone")
    try shell("rm -r bots/gone", in: fixture.path)
    #expect(try collect(fixture).kept.count == 1)
    #expect(try fixture.drain() == ["to both"])
    try fill(fixture, segments: 1)
    #expect(try collect(fixture).kept.count == 0)
    try fixture.spool.register(Card(name: fixture.bot("gone")))
    _ = try Doctor(fixture.spool).examine(repairing: true)
    #expect(try fixture.drain("gone") == ["late"])
  }

  @Test func `a key whose message the log has forgotten still stands for it`() throws {
    let fixture = try fixture()
    let id = try fixture.send("once", to: "coder") { $0.idempotencyKey = "k" }
    #expect(try fixture.drain() == ["once"])
    try fill(fixture, segments: 5)
    #expect(try collect(fixture).keys == 0)
    #expect(try History(fixture.spool).sent(id) == nil)
    #expect(try fixture.send("once", to: "coder") { $0.idempotencyKey = "k" } == id)
    #expect(try fixture.drain() == [])
    try fill(fixture, segments: 3)
    try collect(fixture)
    #expect(try fixture.send("once", to: "coder") { $0.idempotencyKey = "k" } == id)
  }

  @Test func `a key under which nothing was sent never comes to mean that it was`() throws {
    let fixture = try fixture()
    try fill(fixture, segments: 2)
    // Its sender died before the log had the message.
    let id = fixture.spool.newIdentifier()
    let key = IdempotencyKey(text: "k", from: nil, to: ["coder"], askedFor: nil, user: nil)
    let gone = Holder(host: fixture.spool.host, pid: DeadProcess.pid, start: DeadProcess.start)
    #expect(try key.take(for: id, by: gone, in: fixture.spool.root))
    try fill(fixture, segments: 5)
    let report = try collect(fixture)
    #expect(!report.removed.isEmpty && report.kept.contains { $0.reason?.contains("key") == true })
    #expect(try !fixture.spool.hasForgotten(id))
    #expect(try fixture.send("once", to: "coder") { $0.idempotencyKey = "k" } == id)
    #expect(try fixture.drain() == ["once"])
    // Once it was sent it keeps nothing, and means that.
    #expect(try collect(fixture).removed.count >= 3)
    try fill(fixture, segments: 3)
    try collect(fixture)
    #expect(try fixture.spool.hasForgotten(id))
    #expect(try fixture.send("once", to: "coder") { $0.idempotencyKey = "k" } == id)
  }

  @Test func `an ack of another host goes only with what keeps the message from coming back`() throws {
    let fixture = try fixture()
    // This host is quiet: its one segment is never removed, and has the sending.
    try fixture.send("done elsewhere")
    let afar = try Spool(at: fixture.path, machine: "afar")
    let inbox = try Inbox(afar, fixture.bot())
    let claim = try #require(try inbox.claim())
    try afar.ack(claim.bot, claim.name)
    try fill(fixture, segments: 6, host: afar)
    // Clocks of several hosts may differ.
    #expect(try collect(fixture) { $0.youngest = 3600 }.removed.isEmpty)
    let report = try collect(fixture)
    #expect(report.removed.count >= 4 && report.removed.allSatisfy { $0.path.hasPrefix("log/afar/") })
    #expect(try copied(fixture)["coder"] == [])
    #expect(try copied(fixture, without: Layout.forgotten)["coder"] == ["done elsew"])
    // What is sent now, in the same segment, is as safe as ever.
    try fixture.send("new")
    #expect(unlink(fixture.box("inbox") + "/" + fixture.names("inbox")[0]) == 0)
    #expect(try copied(fixture)["coder"] == ["new"])
  }

  @Test func `by size the oldest go first, and never what is younger than an hour`() throws {
    let fixture = try fixture()
    try fill(fixture, segments: 9)
    let before = try segments(fixture)
    func wish(_ youngest: Double) -> (inout CollectionWish) -> Void {
      return {
        $0.olderThan = nil
        $0.keepBytes = 5 * 4096
        $0.youngest = youngest
      }
    }
    #expect(try collect(fixture, wish(3600)).removed.isEmpty)
    let report = try collect(fixture, wish(0))
    #expect(report.removed.map(\.path) == before.prefix(report.removed.count).map(\.path))
    #expect(report.bytesBefore - report.bytesRemoved <= 5 * 4096)
    #expect(report.bytesBefore - report.bytesRemoved > 4 * 4096 - 600)
  }

  @Test func `by age and size together no more goes than by either`() throws {
    let fixture = try fixture()
    try fill(fixture, segments: 9)
    usleep(2_000_000)
    let old = try segments(fixture).count - 1
    try fill(fixture, segments: 6)
    let all = try segments(fixture)
    let bytes = try all.reduce(0) { try $0 + (fixture.spool.root.status($1.path)?.size ?? 0) }
    let report = try collect(fixture) {
      $0.olderThan = fixture.spool.now().seconds(since: all[old].start) - 1
      $0.keepBytes = bytes / 2
    }
    #expect(report.bytesBefore == bytes && report.removed.map(\.path) == all.prefix(old).map(\.path))
  }

  @Test func `what the records have still to read stays, and so does all without a checkpoint`() throws {
    let fixture = try fixture()
    try fill(fixture, segments: 6)
    let all = try segments(fixture)
    var wish = CollectionWish()
    wish.olderThan = 0
    let place = LogFollower.Position(segment: all[2].start.compact, offset: 10)
    #expect(try fixture.spool.collect(wish, records: [:]).removed.isEmpty)
    #expect(try fixture.spool.collect(wish, records: [fixture.spool.host: place]).removed.count == 2)
    #expect(try segments(fixture) == Array(all.dropFirst(2)))
  }

  @Test func `old dead letters and what was set aside go when that is asked for`() throws {
    let fixture = try fixture()
    try fixture.send("dead")
    let claim = try #require(try fixture.inbox().claim())
    try fixture.spool.bury(claim.bot, claim.name, reason: "no use")
    try fixture.spool.quarantine(fixture.bot(), .inbox, Array("no such".utf8), reason: "x")
    try Plain.write(fixture.box("inbox") + "/bad.json", "{")
    try fixture.spool.quarantine(fixture.bot(), .inbox, Array("bad.json".utf8), reason: "no JSON")
    #expect(try fixture.spool.discardDeadLetters(olderThan: 3600) == 0)
    #expect(try fixture.spool.clearQuarantine(olderThan: 3600) == 0)
    #expect(try fixture.spool.discardDeadLetters(olderThan: 0, dryRun: true) == 1)
    #expect(try fixture.spool.discardDeadLetters(olderThan: 0) == 1)
    #expect(try fixture.spool.clearQuarantine(olderThan: 0) == 1)
    #expect(fixture.names("dead").isEmpty && Plain.names("\(fixture.path)/quarantine").isEmpty)
    #expect(try copied(fixture)["coder"] == [])
  }

  @Test func `an unfinished task of which only the log knows keeps its lines`() throws {
    let fixture = try fixture()
    let task = try fixture.spool.addTask(TaskRecord(title: "lost"))
    #expect(unlink("\(fixture.path)/\(task.path)") == 0)
    try fill(fixture, segments: 5)
    #expect(try collect(fixture).kept.count == 1)
    _ = try Doctor(fixture.spool).examine(repairing: true)
    #expect(try fixture.spool.findTask(task.id) == task)
  }

  @Test func `of another host all from its checkpoint on stays, and its last two segments whatever that says`() throws {
    let fixture = try fixture()
    let afar = try Spool(at: fixture.path, machine: "afar")
    try fill(fixture, segments: 6, host: afar)
    let all = try segments(fixture, "afar")
    let checkpoint = "\(fixture.path)/\(Layout.checkpoint(of: "afar"))"
    try Plain.write(checkpoint, "\(all[2].start.compact)\n")
    #expect(try collect(fixture).removed.map(\.path) == all.prefix(2).map(\.path))
    try Plain.write(checkpoint, "\(Timestamp(microseconds: .max).compact)\n")
    #expect(try collect(fixture) { _ in }.removed.count == all.count - 4)
    #expect(try segments(fixture, "afar") == all.suffix(2))
  }

  @Test func `where a host's checkpoint can't be read nothing of its log goes, and everything of the others'`() throws {
    let fixture = try fixture()
    let afar = try Spool(at: fixture.path, machine: "afar")
    try fill(fixture, segments: 4, host: afar)
    try fill(fixture, segments: 4)
    let checkpoint = "\(fixture.path)/\(Layout.checkpoint(of: "afar"))"
    #expect(unlink(checkpoint) == 0 && mkfifo(checkpoint, 0o600) == 0)
    let removed = try collect(fixture).removed.map(\.path)
    #expect(removed.count >= 2 && removed.allSatisfy { $0.hasPrefix("log/\(fixture.spool.host)/") })
  }

  @Test func `what was acked and brought back by hand is needed again`() throws {
    let fixture = try fixture()
    let id = try fixture.send("again", to: "coder")
    let name = try #require(fixture.names("inbox").first)
    try shell("cp inbox/\(name) kept", in: "\(fixture.path)/bots/coder")
    #expect(try fixture.drain() == ["again"])
    try shell("mv kept inbox/\(name)", in: "\(fixture.path)/bots/coder")
    try fill(fixture, segments: 5)
    let report = try collect(fixture)
    #expect(report.kept.first?.reason?.contains("\(id)") == true)
    #expect(try fixture.drain() == ["again"])
  }

  @Test func `what is no key keeps nobody from collecting`() throws {
    let fixture = try fixture()
    try fill(fixture, segments: 5)
    try Plain.write("\(fixture.path)/keys/long", String(repeating: "x", count: 5000))
    #expect(mkfifo("\(fixture.path)/keys/fifo", 0o600) == 0 && mkdir("\(fixture.path)/keys/none", 0o700) == 0)
    #expect(try collect(fixture).removed.count >= 4)
    #expect(Plain.names("\(fixture.path)/keys").contains("long"))
  }

  @Test func `one collects at a time`() throws {
    let fixture = try fixture()
    let lock = try Directory(fixture.path).open(Layout.forgottenLock, O_RDWR | O_CREAT)
    try lock.lock()
    #expect(code { try collect(fixture) } == .tryAgain)
    try lock.unlock()
    try collect(fixture)
  }
}
