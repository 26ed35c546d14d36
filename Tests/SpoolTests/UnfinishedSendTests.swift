import Glibc
import Linux
import SpoolFormat
import TestSupport
import TestThreads
import Testing

@testable import Spool

/// What senders left in a `tmp/`, with their line in the log.
@Suite(.waiting) struct UnfinishedSendTests {
  /// What a sender left that got as far as its line in the log.
  private func leave(_ fixture: Fixture, to recipients: [String], by holder: Holder) throws -> String {
    var message = Message(content: "x")
    message.id = fixture.spool.newIdentifier()
    message.to = recipients
    let parcel = try Parcel(message, recipients.map { try fixture.bot($0) }, fixture.spool)
    try fixture.spool.log.append(.messageSent, parcel.subject) { parcel.writeLogData(to: &$0) }
    var name = parcel.temporaryName
    name.place = .held(holder)
    let path = Layout.entry(parcel.recipients[0], .tmp, name)
    try fixture.spool.root.rename(parcel.temporary, to: path)
    return path
  }

  @Test func `what can't be delivered keeps nobody from the rest, is told once, and comes when it can`() throws {
    let fixture = try Fixture("a", "b", "c")
    let path = try leave(
      fixture, to: ["a", "b", "c"], by: Holder(host: fixture.spool.host, pid: DeadProcess.pid, start: DeadProcess.start)
    )
    let inbox = fixture.box("inbox", of: "b")
    #expect(rename(inbox, inbox + ".away") == 0)
    try Plain.write(inbox, "")
    for bot in ["a", "c"] {
      try fixture.send("y", to: bot)
      let inbox = try fixture.inbox(bot)
      var contents: [String?] = []
      while let claim = try inbox.claim() {
        contents.append(claim.message.content)
        try fixture.spool.ack(claim.bot, claim.name)
      }
      #expect(Set(contents) == ["x", "y"] && contents.count == 2)
      let problems = inbox.takeProblems()
      #expect(problems.count == 1 && problems[0].contains(path), "\(problems)")
      usleep(150_000)
      #expect(try inbox.claim() == nil && inbox.takeProblems() == [])
    }
    let told = try Doctor(fixture.spool).examine(repairing: true).findings
    #expect(told.contains { $0.path == path && $0.isLeft }, "\(told)")
    #expect(unlink(inbox) == 0 && rename(inbox + ".away", inbox) == 0)
    #expect(try fixture.drain("b") == ["x"])
    #expect(fixture.names("tmp", of: "a").isEmpty)
    #expect(try fixture.drain("a") == [] && fixture.drain("c") == [])
  }

  @Test func `what other lines quote is nothing that the log says of a message`() throws {
    let fixture = try Fixture("coder")
    let gone = Holder(host: fixture.spool.host, pid: DeadProcess.pid, start: DeadProcess.start)
    let left = try leave(fixture, to: ["coder"], by: gone)
    let id = try #require(EntryName(String(left.split(separator: "/").last!))).id
    let task = try fixture.spool.addTask(TaskRecord(title: "quotes it"))
    let started = try #require(try fixture.spool.start(task, bot: fixture.bot(), worker: fixture.spool.holder))
    let result = JSONText(trusted: Array(#"{"subject":"\#(id)"}"#.utf8))
    _ = try #require(try fixture.spool.complete(started, result: result))
    #expect(try fixture.drain() == ["x"])
    #expect(try fixture.kinds(of: id).first == .messageSent)
    #expect(try fixture.events(.messageRestored).map(\.subject) == ["\(id)"])
  }

  @Test func `a repair settles all of them, however many there are`() throws {
    let fixture = try Fixture("a", "b")
    let gone = Holder(host: fixture.spool.host, pid: DeadProcess.pid, start: DeadProcess.start)
    let count = 600
    for _ in 0..<count { _ = try leave(fixture, to: ["a", "b"], by: gone) }
    let findings = try Doctor(fixture.spool).examine(repairing: true).findings
    #expect(findings.count == count && findings.allSatisfy { $0.remedy == "delivered: the log has it" })
    #expect(fixture.names("tmp", of: "a").count == 0)
    #expect(fixture.names("inbox", of: "a").count == count && fixture.names("inbox", of: "b").count == count)
  }

  @Test func `what can't be settled is tried less and less often, and others go on`() throws {
    var observations = LeaseObservations()
    var tries = 0
    for _ in 0..<3 {
      for name in ["bad", "good"] { _ = observations.observe(name, modified: 1, now: 1, limit: 1000) }
      #expect(
        observations.attempt("bad", at: "there") {
          tries += 1
          throw SystemCallError("linkat", "there", ENOSPC)
        } == nil)
      #expect(observations.attempt("good", at: "here") { true } == true)
      observations.endRound()
    }
    #expect(tries == 1)
    #expect(observations.takeProblems().map(\.path) == ["there"])
    #expect(observations.takeProblems().isEmpty)
    // Another file under that name.
    _ = observations.observe("bad", modified: 2, now: 2, limit: 1000)
    #expect(observations.attempt("bad", at: "there") { true } == true)
  }

  @Test func `a claim that can't be put back keeps nobody from what waits`() throws {
    let fixture = try Fixture("coder")
    let id = MessageID(time: Timestamp(microseconds: 1_700_000_000_000_000), random: 1)
    let gone = Holder(host: fixture.spool.host, pid: DeadProcess.pid, start: DeadProcess.start)
    let held = EntryName(urgency: 5, id: id, attempt: 1, place: .held(gone))
    try Plain.write(fixture.box("claimed") + "/\(held)", #"{"content":"held"}"#)
    let way = fixture.box("inbox") + "/\(EntryName(urgency: 5, id: id, attempt: 1))"
    #expect(mkdir(way, 0o777) == 0 && mkdir(way + "/in", 0o777) == 0)
    try fixture.send("waiting")
    let inbox = try fixture.inbox()
    #expect(try inbox.claim()?.message.content == "waiting")
    #expect(inbox.takeProblems().count == 1)
  }

  @Test func `what a sender elsewhere left is settled by any of a large team, though its first has no receiver`() throws
  {
    let fixture = try Fixture { $0.leaseSeconds = 0.3 }
    let others = (0..<40).map { "other\($0)" }
    for name in ["a", "b"] + others { try fixture.spool.register(Card(name: BotName(parsing: name))) }
    let path = try leave(fixture, to: ["a", "b"], by: Holder(host: "elsewhere", pid: 7, start: 7))
    let bot = try fixture.bot("b")
    var observations = LeaseObservations()
    // A round looks at a few of the others: by chance at the one in question, and from then on each time.
    let isSettled = try eventually {
      try fixture.spool.expireLeases(of: bot, &observations, lease: 0.3, attemptsMax: 5)
    }
    #expect(isSettled)
    #expect(!Plain.exists("\(fixture.path)/\(path)"))
    #expect(try fixture.drain("b") == ["x"])
  }

  @Test func `what was seen with a bot that is not looked at now is kept in mind, and no longer when it is gone`()
    throws
  {
    let fixture = try Fixture { $0.leaseSeconds = 60 }
    let others = (0..<40).map { "other\($0)" }
    for name in ["b"] + others { try fixture.spool.register(Card(name: BotName(parsing: name))) }
    let bot = try fixture.bot("b")
    var observations = LeaseObservations()
    func round() throws { try fixture.spool.expireLeases(of: bot, &observations, lease: 60, attemptsMax: 5) }
    func leave(with count: Int) throws -> [String] {
      let far = Holder(host: "elsewhere", pid: 7, start: 7)
      let paths = try others.prefix(count).map { try self.leave(fixture, to: [$0, "b"], by: far) }
      #expect(
        try eventually {
          try round()
          return observations.seen.count == count
        })
      return paths
    }
    // More than are looked at in one round.
    let paths = try leave(with: 20)
    let before = observations.seen
    for _ in 0..<20 { try round() }
    #expect(observations.seen == before)
    for path in paths { #expect(unlink("\(fixture.path)/\(path)") == 0) }
    #expect(
      try eventually {
        try round()
        return observations.seen.isEmpty
      })
    // With few it is noticed at once.
    for path in try leave(with: 1) { #expect(unlink("\(fixture.path)/\(path)") == 0) }
    try round()
    #expect(observations.seen.isEmpty)
  }
}
