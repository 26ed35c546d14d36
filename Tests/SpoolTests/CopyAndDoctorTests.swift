import Glibc
import Linux
import SpoolFormat
import Synchronization
import TestSupport
import Testing

@testable import Spool

@Suite struct CopyAndDoctorTests {
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

  @Test func `a copy that somebody uses already is a spool like any other to who comes next`() throws {
    let fixture = try Fixture("coder")
    try shell("cp -a spool copy", in: fixture.home.path)
    let copy = fixture.home("copy")
    func open(_ host: String) throws {
      let outcome = try OwnProcess.start("open", [copy], environment: ["SPOOL_HOST": host])
        .wait(seconds: SpoolCommand.secondsMax)
      #expect(outcome.isDone, "\(outcome)")
    }
    try open("one")
    try Plain.write("\(copy)/log/one/checkpoint", "20261123T120000.000000Z\n")
    try open("two")
    #expect(Plain.exists("\(copy)/log/one/checkpoint"))
  }

  @Test func `a copy has what other hosts had just sent`() throws {
    let fixture = try Fixture("coder")
    let afar = ["SPOOL_HOST": "afar"]
    #expect(try OwnProcess.run("open", [fixture.path], environment: afar).output.hasPrefix("afar "))
    #expect(try OwnProcess.run("send", [fixture.path, "from afar", "", "coder"], environment: afar).isDone)
    try fixture.send("from here")
    try shell("cp -a spool copy; rm copy/bots/coder/inbox/*", in: fixture.home.path)
    let copy = try Spool(at: fixture.home("copy"))
    #expect(copy.recovery?.count == 2)
    #expect(Plain.names("\(copy.path)/bots/coder/inbox").count == 2)
    // A backup is opened elsewhere, by a host that was never there.
    try shell("cp -a spool elsewhere; rm elsewhere/bots/coder/inbox/*", in: fixture.home.path)
    let elsewhere = fixture.home("elsewhere")
    #expect(try OwnProcess.run("open", [elsewhere], environment: ["SPOOL_HOST": "third"]).line == "third 2")
  }

  @Test func `what another host is just sending is not taken for lost`() throws {
    let fixture = try Fixture("coder")
    func openShared() throws -> String {
      try OwnProcess.run("open", [fixture.path], environment: ["SPOOL_STORAGE": "shared"]).line
    }
    #expect(try openShared() == "\(fixture.spool.host) 0")
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
    fixture.setBoot(String(repeating: "0", count: 32))
    #expect(try openShared() == "\(fixture.spool.host) 1")
    #expect(try fixture.drain() == ["slow"])
    // On storage of this machine alone it would have a file.
    #expect(try fixture.rebooted().recovery?.count == 1)
    #expect(try fixture.drain() == ["afar"])
  }

  /// - Parameter isAhead: whether the clock of the host that collected was.
  @Test(arguments: [false, true])
  func `what is sent in a copy that lacks segments which were collected is kept`(isAhead: Bool) throws {
    let fixture = try Fixture("coder") { $0.segmentBytesMax = 4096 }
    let host = fixture.spool.host
    let files = LogFiles(root: fixture.spool.root)
    func fill(segments count: Int) throws {
      let wanted = try files.segments(of: host).count + count
      while try files.segments(of: host).count < wanted {
        try fixture.send(String(repeating: "x", count: 300))
        _ = try fixture.drain()
      }
    }
    try fill(segments: 3)
    try shell("cp -a spool copy", in: fixture.home.path)
    // Meanwhile; and the copier comes by what was written of it.
    try fill(segments: 3)
    let last = try #require(try files.segments(of: host).last)
    var wish = CollectionWish()
    wish.olderThan = 0
    let records = [host: LogFollower.Position(segment: last.start.compact, offset: 0)]
    #expect(try fixture.spool.collect(wish, records: records).removed.count > 3)
    let read = "read \(host) \(isAhead ? "29991231T000000.000000Z" : last.start.compact) "
    let forgotten = try Plain.text("\(fixture.path)/log/.gc").replacing(
      "read \(host) \(last.start.compact) ", with: read)
    #expect(forgotten.contains(read))
    try Plain.write(fixture.home("copy/log/.gc"), forgotten)
    let copy = try Spool(at: fixture.home("copy"))
    var message = Message(content: "new")
    message.to = ["coder"]
    try copy.send(message, durability: .durable)
    #expect(try Doctor(copy).examine(repairing: false).findings.map(\.path) == [])
    try shell("rm copy/bots/coder/inbox/*; cp -a copy again", in: fixture.home.path)
    #expect(try Spool(at: fixture.home("again")).entries(of: fixture.bot()).map(\.message?.content) == ["new"])
  }

  // MARK: The doctor

  @Test func `the doctor says what it would do without doing it, and then does it`() throws {
    let fixture = try Fixture.eventful()
    let path = fixture.path
    let dead = try OwnProcess.run("claim and die", [path, "a"])
    #expect(dead.isKilled)
    try Plain.write(path + "/bots/a/presence/\(dead.line)", "")
    let gone = Holder(host: fixture.spool.host, pid: DeadProcess.pid, start: DeadProcess.start)
    let unsent = EntryName(
      urgency: 5, id: MessageID(time: Timestamp(microseconds: 1), random: 1), place: .held(gone))
    try Plain.write(fixture.box("tmp", of: "a") + "/\(unsent)", #"{"content":"never sent"}"#)
    unlink(fixture.box("inbox", of: "c") + "/" + (try #require(fixture.names("inbox", of: "c").first)))
    try Plain.write(fixture.box("claimed", of: "a") + "/by-hand.json", #"{"content":"x"}"#)
    try writeReason(fixture.box("dead", of: "a") + "/none.json.reason", secondsAgo: 120)
    // Its letter may follow.
    try writeReason(fixture.box("dead", of: "a") + "/new.json.reason", secondsAgo: 0)
    try Plain.write(path + "/bots/c/card.json", "not json")
    try Plain.write(path + "/tmp/old", "x")
    try fixture.seen("old", secondsAgo: 3601)
    TemporaryDirectory.removeTree(path + "/bots/b/presence")
    let before = fixture.files(".")
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
    ] { #expect(problems.contains(wanted), "\(wanted): \(problems)") }
    #expect(problems.contains { $0.hasPrefix("bots/c/card.json") })
    #expect(report.count == 8)
    #expect(fixture.files(".") == before)
    #expect(Plain.names(path + "/bots/b") == names)
    let again = try Doctor(fixture.spool).examine(repairing: true)
    #expect(again.count == 8)
    let left = try Doctor(fixture.spool).examine(repairing: false)
    // The card is for a person to mend.
    #expect(left.findings.map(\.path) == ["bots/c/card.json"])
    #expect(fixture.names("tmp", of: "a").isEmpty)
    #expect(try fixture.drain("a").sorted() == ["to all", "waiting", "x"])
  }

  @Test func `what is left counts beyond what is shown`() throws {
    let fixture = try Fixture("coder")
    for number in 0..<RecoveryReport.findingsMax {
      try writeReason(fixture.box("dead") + "/\(number).reason", secondsAgo: 120)
    }
    try Plain.write("\(fixture.path)/tasks/pending/5-\(fixture.spool.newIdentifier()).json", "{")
    let outcome = try SpoolCommand.run(["doctor", "--repair"], in: fixture.path)
    #expect(outcome.status == 1 && outcome.output.contains("1 thing is wrong; for you to mend"), "\(outcome.error)")
    #expect(fixture.names("dead").isEmpty)
  }

  @Test func `the doctor tells of what lies where a directory should`() throws {
    let fixture = try Fixture("coder")
    for path in ["bots/coder/tmp", "bots/coder/claimed", "keys"] {
      TemporaryDirectory.removeTree("\(fixture.path)/\(path)")
      try Plain.write("\(fixture.path)/\(path)", "x")
    }
    for repairing in [false, true] {
      let findings = try Doctor(fixture.spool).examine(repairing: repairing).findings
      #expect(
        findings.map { "\($0.path) \($0.problem) \($0.isLeft)" }.sorted() == [
          "bots/coder/claimed is a file, where a directory should be true",
          "bots/coder/tmp is a file, where a directory should be true",
          "keys is a file, where a directory should be true",
        ])
    }
    try shell("rm keys bots/coder/tmp bots/coder/claimed", in: fixture.path)
    #expect(try Doctor(fixture.spool).examine(repairing: true).findings.map(\.path) == ["keys"])
    try fixture.send("x")
    #expect(try fixture.drain() == ["x"])
  }

  @Test func `what was put among the claims by hand takes no other's place in the inbox`() throws {
    let fixture = try Fixture("coder")
    let (claimed, waiting) = (fixture.box("claimed", of: "coder"), fixture.box("inbox", of: "coder"))
    try Plain.write(claimed + "/x.json", #"{"content":"claimed"}"#)
    // Half of a message, that stays there.
    try Plain.write(waiting + "/x.json", #"{"content":"wai"#)
    for repairing in [false, true] {
      let report = try Doctor(fixture.spool).examine(repairing: repairing)
      #expect(report.findings.map(\.isLeft) == [true], "\(report.findings)")
    }
    #expect(Plain.names(claimed) == ["x.json"])
    #expect(Plain.names(waiting) == ["x.json"])
    unlink(waiting + "/x.json")
    #expect(try Doctor(fixture.spool).examine(repairing: true).findings.map(\.isLeft) == [false])
    #expect(try fixture.drain("coder") == ["claimed"])
  }

  @Test func `a bot that was made by hand lacks nothing`() throws {
    let fixture = try Fixture("coder")
    try shell("mkdir -p bots/made/inbox", in: fixture.path)
    #expect(try Doctor(fixture.spool).examine(repairing: false).findings.isEmpty)
    try fixture.send("x", to: "made")
    #expect(try fixture.drain("made") == ["x"])
  }

  @Test(arguments: [false, true])
  func `the doctor tells of a task whose bot is gone, whether a coordinator leads or not`(hasLeader: Bool) throws {
    let fixture = try Fixture("coder")
    let added = try fixture.spool.addTask(TaskRecord(title: "x"), by: "test")
    _ = try fixture.spool.assign(added, to: fixture.bot())
    if hasLeader {
      try shell("mkdir -p coordinator/leader && touch coordinator/leader/1~\(fixture.spool.holder)", in: fixture.path)
    }
    #expect(fixture.spool.coordinatorIsUp == hasLeader)
    #expect(try Doctor(fixture.spool).examine(repairing: false).findings.isEmpty)
    try shell("rm -r bots/coder", in: fixture.path)
    let findings = try Doctor(fixture.spool).examine(repairing: false).findings
    #expect(findings.map(\.problem) == ["is given to coder, which is no bot"])
  }

  @Test func `the doctor names what nobody looks at, and settings that don't count`() throws {
    let fixture = try Fixture("coder")
    func remarks() throws -> [String] { try Doctor(fixture.reopened()).remarks() }
    let before = try remarks()
    try Plain.write(fixture.box("inbox") + "/noext", "{}")
    try Plain.write(fixture.box("inbox") + "/.hidden", "{}")
    try Plain.write("\(fixture.path)/tasks/pending/x.json", "{}")
    #expect(mkdir("\(fixture.path)/bots/Big", 0o777) == 0)
    #expect(mkdir("\(fixture.path)/log/afar", 0o777) == 0)
    try Plain.write("\(fixture.path)/log/afar/29991231T000000.000000Z.jsonl", "")
    for box in ["done", "dead"] { try Plain.write(fixture.box(box) + "/x.json", "{}") }
    try Plain.write(fixture.box("dead") + "/x.json.reason", "{}")
    let settings = try Plain.text("\(fixture.path)/spool.json")
    try Plain.write(
      "\(fixture.path)/spool.json", settings.replacing("\"lease_seconds\"", with: "\"attempts_mx\":2,\"lease_seconds\"")
    )
    #expect(
      try remarks().filter { !before.contains($0) } == [
        "spool.json: \"attempts_mx\" means nothing here; did you mean attempts_max?",
        "bots/ has 1 that nobody looks at: Big; a bot's name has no capitals, and no spaces",
        "bots/coder/inbox/ has 1 that nobody looks at: noext; a message's name ends in .json",
        "tasks/pending/ has 1 that nobody looks at: x.json; tasks are made with spool task add",
        "log/afar goes on in a segment of 2999-12-31T00:00:00.000000Z, which is yet to come: a clock was wrong; "
          + "until then spool gc keeps what is logged there",
        "coder has 1 in done/ that never got a proper name, and are in no log: they stay until somebody removes them",
        "coder has 1 in dead/ that never got a proper name, and are in no log: they stay until somebody removes them",
      ])
    #expect(try fixture.spool.count(fixture.bot()).dead == 0 && fixture.spool.backlog(of: fixture.bot()).dead == 0)
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

  @Test func `a copy has a message again whose file it lacks, however long before the checkpoint it was sent`() throws {
    let fixture = try Fixture("coder") { $0.segmentBytesMax = 4096 }
    let early = try fixture.send("early")
    let files = LogFiles(root: fixture.spool.root)
    while try files.segments(of: fixture.spool.host).count < 5 { try fixture.send(String(repeating: "x", count: 300)) }
    let checkpoint = try Plain.text("\(fixture.path)/log/\(fixture.spool.host)/checkpoint")
    #expect(try #require(Timestamp(compact: checkpoint.utf8.filter { $0 > 32 })) > early.time)
    try shell("cp -a spool copy", in: fixture.home.path)
    let name = try #require(fixture.names("inbox").first { $0.contains("\(early)") })
    #expect(unlink("\(fixture.home("copy"))/bots/coder/inbox/\(name)") == 0)
    // The newest segments weren't there yet when the copier looked.
    for segment in try files.segments(of: fixture.spool.host).suffix(2) {
      #expect(unlink("\(fixture.home("copy"))/\(segment.path)") == 0)
    }
    // Also when the first who opened it was killed, at any call.
    for number in stride(from: 0, through: 80, by: 4) {
      let path = fixture.home("copy\(number)")
      try shell("cp -a copy copy\(number)", in: fixture.home.path)
      let fault = ["SPOOL_FAULT": "kill-before:\(number)"]
      _ = try OwnProcess.run("send", [path, "x", "key", "coder"], environment: number == 0 ? [:] : fault)
      let copy = try Spool(at: path)
      #expect(try copy.entries(of: fixture.bot()).contains { $0.message?.content == "early" }, "\(number)")
      #expect(try Doctor(copy).examine(repairing: false).findings.map(\.path) == [], "\(number)")
    }
  }

  private func writeReason(_ path: String, secondsAgo: Int) throws {
    try Plain.write(path, "{}")
    let moment = timespec(tv_sec: Clock.wall() / 1_000_000 - secondsAgo, tv_nsec: 0)
    #expect(utimensat(AT_FDCWD, path, [moment, moment], 0) == 0)
  }
}
