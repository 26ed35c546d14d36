import Glibc
import Linux
import SpoolFormat
import Synchronization
import TestSupport
import Testing

@testable import Spool

@Suite struct ClaimTests {
  @Test func `a claim that took long to make is renewed before it is handed out, and isn't when it was lost`() throws {
    let fixture = try Fixture("coder")
    try fixture.send("x")
    let claim = try #require(try fixture.inbox().claim())
    func modified() throws -> Int? { try fixture.spool.root.status(claim.path)?.modified }
    let before = try modified()
    let now = Clock.sinceBoot()
    #expect(try fixture.spool.confirm(claim, since: now, lease: 100) && modified() == before)
    #expect(try fixture.spool.confirm(claim, since: now - 26_000_000_000, lease: 100) && modified() != before)
    try fixture.spool.nack(claim.bot, claim.name, reason: "its lease ran out")
    #expect(try fixture.spool.confirm(claim, since: now - 26_000_000_000, lease: 100) == false)
  }

  @Test func `what took long to look at is renewed as well`() throws {
    let fixture = try Fixture("coder") { $0.leaseSeconds = 0.4 }
    let path = "\(fixture.box("inbox"))/5-\(try fixture.send("x")).json"
    func modified(_ path: String) throws -> Int? { try fixture.spool.root.status(path)?.modified }
    let before = try modified(String(path.dropFirst(fixture.path.count + 1)))
    let inbox = try fixture.inbox()
    inbox.wants = { _ in usleep(150_000) == 0 }
    #expect(try modified(#require(try inbox.claim()).path) != before)
  }

  @Test func `a claim moves the file, and its name says by whom and how often`() throws {
    let fixture = try Fixture("coder")
    let id = try fixture.send("hello")
    let inbox = try fixture.inbox()
    let claim = try #require(try inbox.claim())
    #expect(claim.attempt == 1)
    #expect(claim.message.content == "hello")
    #expect(claim.message.id == id)
    #expect(claim.name.holder == fixture.spool.holder)
    #expect(claim.name.holder?.pid == Int(getpid()))
    #expect(fixture.names("inbox").isEmpty)
    #expect(fixture.names("claimed") == ["\(claim.name)"])
    #expect(claim.token == "coder/\(claim.name)")
    #expect(Plain.exists("\(fixture.path)/\(claim.path)"))
    #expect(try inbox.claim() == nil)
    try fixture.spool.ack(claim.bot, claim.name, output: "done")
    #expect(fixture.names("claimed").isEmpty)
    #expect(try fixture.kinds(of: id) == [.messageSent, .messageClaimed, .messageAcked])
    #expect(try fixture.events(.messageAcked)[0].text("output") == "done")
  }

  @Test func `the most urgent comes first, and the oldest among equals`() throws {
    let fixture = try Fixture("coder")
    let priorities = [5, 1, 10, 5, 7, 10, 1, 5]
    for (place, value) in priorities.enumerated() {
      try fixture.send("\(value)-\(place)") { $0.priority = Priority(value: value) }
    }
    #expect(try fixture.drain() == ["10-2", "10-5", "7-4", "5-0", "5-3", "5-7", "1-1", "1-6"])
  }

  @Test func `what comes later and is more urgent is next, watched or not`() throws {
    for watches in [true, false] {
      let fixture = try Fixture("coder")
      let inbox = try fixture.inbox()
      if watches { try inbox.watch() }
      for number in 0..<5 { try fixture.send("normal \(number)") }
      #expect(try inbox.claim()?.message.content == "normal 0")
      try fixture.send("urgent") { $0.priority = Priority(value: 10) }
      let next = try inbox.claim()?.message.content
      // Without watching it is only seen when the inbox is looked at again, which is at intervals.
      #expect(watches ? next == "urgent" : ["urgent", "normal 1"].contains(next))
    }
  }

  @Test func `an inbox that was empty a moment ago is looked at again`() throws {
    let fixture = try Fixture("coder")
    let inbox = try fixture.inbox()
    for number in 0..<20 {
      #expect(try inbox.claim() == nil)
      try fixture.send("\(number)")
      #expect(try inbox.claim()?.message.content == "\(number)")
    }
  }

  @Test func `more messages than are kept in mind at once are all handed out, in order`() throws {
    let fixture = try Fixture("coder")
    let count = Candidates.countMax + 500
    var random = SeededGenerator()
    var wanted: [EntryName] = []
    for number in 0..<count {
      let id = MessageID(time: Timestamp(microseconds: 1_700_000_000_000_000 + number), random: UInt64(number))
      let name = EntryName(urgency: Int.random(in: 0...9, using: &random), id: id)
      wanted.append(name)
      try Plain.write(fixture.box("inbox") + "/\(name)", #"{"content":"x"}"#)
    }
    wanted.sort()
    let inbox = try fixture.inbox()
    try inbox.watch()
    var taken: [EntryName] = []
    while let claim = try inbox.claim() {
      taken.append(EntryName(urgency: claim.name.urgency, id: claim.name.id))
      try fixture.spool.ack(claim.bot, claim.name)
    }
    #expect(taken == wanted, "seed \(random.seed)")
  }

  @Test func `of many claimers of one message one wins`() throws {
    let fixture = try Fixture("coder")
    let path = fixture.path
    for _ in 0..<10 {
      let id = try fixture.send("x")
      let wins = Mutex<[MessageID]>([])
      try Thread.run(
        (0..<8).map { _ in
          { @Sendable in
            guard let spool = try? Spool(at: path), let bot = try? BotName(parsing: "coder"),
              let claim = try? Inbox(spool, bot).claim()
            else { return }
            wins.withLock { $0.append(claim.name.id) }
          }
        })
      #expect(wins.withLock { $0 } == [id])
    }
  }

  @Test func `competing receivers share an inbox, each message once`() throws {
    let fixture = try Fixture("coder")
    for number in 0..<400 { try fixture.send("\(number)") }
    let spool = fixture.spool
    let bot = try fixture.bot()
    let taken = Mutex<[String]>([])
    try Thread.run(
      (0..<4).map { _ in
        { @Sendable in
          guard let inbox = try? Inbox(spool, bot) else { return }
          while let claim = try? inbox.claim() {
            taken.withLock { $0.append(claim.message.content ?? "") }
            _ = try? spool.ack(claim.bot, claim.name)
          }
        }
      })
    let all = taken.withLock { $0 }
    #expect(all.count == 400)
    #expect(Set(all).count == 400)
    #expect(fixture.names("claimed").isEmpty && fixture.names("inbox").isEmpty)
    #expect(try fixture.events(.messageAcked).count == 400)
  }

  @Test func `a second ack is refused and changes nothing`() throws {
    let fixture = try Fixture("coder")
    let id = try fixture.send("x")
    let claim = try #require(try fixture.inbox().claim())
    try fixture.spool.ack(claim.bot, claim.name)
    let before = try fixture.events().count
    #expect(code { try fixture.spool.ack(claim.bot, claim.name) } == .claimLost)
    #expect(code { try fixture.spool.nack(claim.bot, claim.name) } == .claimLost)
    #expect(code { try fixture.spool.extend(claim.bot, claim.name) } == .claimLost)
    #expect(code { try fixture.spool.bury(claim.bot, claim.name, reason: "x") } == .claimLost)
    #expect(error { try fixture.spool.ack(claim.bot, claim.name) }.contains("see: spool trace \(id)"))
    #expect(try fixture.events().count == before)
    #expect(fixture.names("inbox").isEmpty && fixture.names("dead").isEmpty && fixture.names("claimed").isEmpty)
  }

  @Test func `a late ack is refused, and the next holder is not disturbed`() throws {
    let fixture = try Fixture("coder")
    let id = try fixture.send("x")
    let inbox = try fixture.inbox()
    let first = try #require(try inbox.claim())
    try fixture.spool.nack(first.bot, first.name)
    let second = try #require(try inbox.claim())
    #expect(second.attempt == 2)
    #expect(code { try fixture.spool.ack(first.bot, first.name) } == .claimLost)
    #expect(code { try fixture.spool.nack(first.bot, first.name) } == .claimLost)
    #expect(code { try fixture.spool.bury(first.bot, first.name, reason: "x") } == .claimLost)
    #expect(code { try fixture.spool.extend(first.bot, first.name) } == .claimLost)
    #expect(fixture.names("claimed") == ["\(second.name)"])
    try fixture.spool.ack(second.bot, second.name)
    #expect(
      try fixture.kinds(of: id) == [
        .messageSent, .messageClaimed, .messageRequeued, .messageClaimed, .messageAcked,
      ])
  }

  @Test func `a nacked message comes back at once, or after its delay and not before`() throws {
    let fixture = try Fixture("coder")
    let id = try fixture.send("x")
    let inbox = try fixture.inbox()
    var claim = try #require(try inbox.claim())
    try fixture.spool.nack(claim.bot, claim.name, reason: "busy")
    #expect(fixture.names("inbox") == ["5-\(id)~1.json"])
    claim = try #require(try inbox.claim())
    let due = Clock.wall() + 300_000
    try fixture.spool.nack(claim.bot, claim.name, delay: 0.3)
    #expect(EntryName(fixture.names("inbox")[0])?.notBefore != nil)
    #expect(try inbox.claim() == nil)
    claim = try #require(try inbox.receive(waiting: 20))
    #expect(Clock.wall() >= due)
    #expect(claim.attempt == 3)
    #expect(try fixture.events(.messageRequeued).map { $0.text("reason") } == ["busy", "nacked"])
  }

  @Test func `after its last attempt a message is dead, its reason beside it, until it is revived`() throws {
    let fixture = try Fixture("coder") { $0.attemptsMax = 3 }
    let id = try fixture.send("x")
    let inbox = try fixture.inbox()
    for attempt in 1...3 {
      let claim = try #require(try inbox.claim())
      #expect(claim.attempt == attempt)
      try fixture.spool.nack(claim.bot, claim.name, delay: attempt == 3 ? 60 : 0, reason: "no \(attempt)")
    }
    #expect(try inbox.claim() == nil)
    #expect(fixture.names("dead") == ["5-\(id)~3.json", "5-\(id)~3.json.reason"])
    let letter = try #require(try fixture.spool.deadLetters(of: fixture.bot()).first)
    #expect(letter.reason == "given up after 3 attempts; the last: no 3")
    #expect(try fixture.spool.message(of: letter)?.content == "x")
    let reason = try JSONValue(parsing: Plain.read(fixture.box("dead") + "/5-\(id)~3.json.reason"))
    #expect(reason["bot"]?.string == "coder")
    #expect(try fixture.spool.revive(letter))
    #expect(try !fixture.spool.revive(letter))
    #expect(fixture.names("dead").isEmpty)
    let claim = try #require(try inbox.claim())
    #expect(claim.attempt == 1)
    try fixture.spool.ack(claim.bot, claim.name)
    #expect(try fixture.kinds(of: id).suffix(4) == [.messageDead, .messageRevived, .messageClaimed, .messageAcked])
  }

  @Test func `a dead letter can be thrown away, and stays in the log`() throws {
    let fixture = try Fixture("coder")
    let id = try fixture.send("x")
    let claim = try #require(try fixture.inbox().claim())
    try fixture.spool.bury(claim.bot, claim.name, reason: "useless")
    let letter = try #require(try fixture.spool.deadLetters(of: fixture.bot()).first)
    #expect(letter.reason == "useless")
    #expect(try fixture.spool.discard(letter))
    #expect(try !fixture.spool.discard(letter))
    #expect(fixture.names("dead").isEmpty)
    #expect(try fixture.spool.message(id)?.message.content == "x")
    #expect(try fixture.kinds(of: id).last == .messageDiscarded)
  }

  @Test func `a card's own limits go before the spool's`() throws {
    let fixture = try Fixture("coder")
    var card = Card(name: try fixture.bot())
    card.attemptsMax = 1
    card.leaseSeconds = 5
    try fixture.spool.register(card)
    try fixture.send("x")
    let inbox = try fixture.inbox()
    #expect(inbox.attemptsMax == 1 && inbox.lease == 5)
    let claim = try #require(try inbox.claim())
    try fixture.spool.nack(claim.bot, claim.name)
    #expect(try fixture.spool.deadLetters(of: fixture.bot()).count == 1)
  }

  @Test func `a message is not handed out before its time`() throws {
    let fixture = try Fixture("coder")
    let due = Timestamp(microseconds: Clock.wall()).advanced(bySeconds: 2)
    try fixture.send("later") { $0.notBefore = due }
    try fixture.send("past") { $0.notBefore = Timestamp(microseconds: 5) }
    let inbox = try fixture.inbox()
    #expect(try inbox.claim()?.message.content == "past")
    #expect(try inbox.claim() == nil)
    let claim = try #require(try inbox.receive(waiting: 20))
    #expect(claim.message.content == "later")
    #expect(Clock.wall() >= due.microseconds)
    #expect(claim.attempt == 1)
  }

  @Test func `an expired message is dead, not delivered`() throws {
    let fixture = try Fixture("coder")
    let id = try fixture.send("late") { $0.expiresAt = Timestamp(microseconds: 1_700_000_000_000_000) }
    try fixture.send("good") { $0.expiresAt = Timestamp(microseconds: Clock.wall()).advanced(bySeconds: 3600) }
    #expect(try fixture.drain() == ["good"])
    let letters = try fixture.spool.deadLetters(of: fixture.bot())
    #expect(letters.map(\.name.id) == [id])
    #expect(letters[0].reason == "expired at 2023-11-14T22:13:20.000000Z")
  }

  @Test func `what waits and what is claimed can be seen without taking it`() throws {
    let fixture = try Fixture("coder")
    let id = try fixture.send("in hand") { $0.priority = Priority(value: 10) }
    try fixture.send("waiting")
    try Plain.write(fixture.box("inbox") + "/dropped.json", #"{"content":"by hand"}"#)
    try Plain.write(fixture.box("inbox") + "/bad.json", "{")
    let claim = try #require(try fixture.inbox().claim())
    #expect(claim.name.id == id)
    let entries = try fixture.spool.entries(of: fixture.bot())
    #expect(entries.map(\.isClaimed).filter { $0 }.count == 1)
    let contents = Set(entries.compactMap(\.message).compactMap(\.content))
    #expect(contents.isSuperset(of: ["in hand", "waiting", "by hand"]))
    let counts = try fixture.spool.count(fixture.bot())
    #expect(counts.claimed == 1)
    #expect(counts.waiting == entries.count - 1)
    #expect(try fixture.spool.entries(of: fixture.bot()).map(\.fileName) == entries.map(\.fileName))
    #expect(try fixture.spool.entries(of: fixture.bot(), limit: 1).count == 2)
  }

  @Test func `a claim is named by its token, its path, its file, or part of its id`() throws {
    let fixture = try Fixture("coder", "b")
    try fixture.send("x")
    try fixture.send("y", to: "b")
    let claim = try #require(try fixture.inbox().claim())
    let other = try #require(try fixture.inbox("b").claim())
    let random = claim.name.id.description.suffix(16)
    for text in [claim.token, claim.path, "/somewhere/" + claim.path, "\(claim.name)", "\(claim.name.id)", "\(random)"]
    {
      let found = try fixture.spool.claim(named: text)
      #expect(found.bot == claim.bot && found.name == claim.name, "\(text)")
    }
    #expect(code { _ = try fixture.spool.claim(named: "5-20") } == .badData)
    try fixture.spool.ack(claim.bot, claim.name)
    try fixture.spool.ack(other.bot, other.name)
    for text in ["\(claim.name)", "\(random)", "nothing", "a/b", "\u{1b}[2J"] {
      #expect([.claimLost, .noSuchBot].contains(code { _ = try fixture.spool.claim(named: text) }), "\(text)")
      #expect(!error { _ = try fixture.spool.claim(named: text) }.contains("\u{1b}"))
    }
    #expect(code { _ = try fixture.spool.claim(named: "") } == .badData)
  }

  @Test func `what was moved into done by hand is acked in the log, and then removed`() throws {
    let fixture = try Fixture("coder")
    let id = try fixture.send("hello")
    let claim = try #require(try fixture.inbox(detached: true).claim())
    #expect(rename("\(fixture.path)/\(claim.path)", "\(fixture.box("done"))/\(claim.name)") == 0)
    #expect(try fixture.inbox().claim() == nil)
    #expect(fixture.names("done").isEmpty)
    let acked = try fixture.events(.messageAcked)
    #expect(acked.map(\.subject) == [id.description] && acked.first?.text("by") == "mv")
  }

  @Test func `what was moved into done and can't be removed is acked once, and goes when it can`() throws {
    let fixture = try Fixture("coder")
    try fixture.send("hello")
    let name = try #require(fixture.names("inbox").first)
    unlink("\(fixture.box("inbox"))/\(name)")
    // Neither to be removed nor to be set aside.
    mkdir("\(fixture.box("done"))/\(name)", 0o755)
    let quarantine = "\(fixture.path)/quarantine"
    #expect(rmdir(quarantine) == 0)
    try Plain.write(quarantine, "in the way")
    for _ in 0..<3 { #expect(try fixture.inbox(detached: true).receive() == nil) }
    #expect(try fixture.events(.messageAcked).count == 1)
    #expect(unlink(quarantine) == 0 && mkdir(quarantine, 0o755) == 0)
    #expect(try fixture.inbox(detached: true).receive() == nil)
    #expect(fixture.names("done").isEmpty)
    #expect(try fixture.events(.messageAcked).count == 1)
    // What comes under that name later is another matter.
    mkdir("\(fixture.box("done"))/\(name)", 0o755)
    #expect(try fixture.inbox(detached: true).receive() == nil)
    #expect(try fixture.events(.messageAcked).count == 2)
  }
}
