import Glibc
import Linux
import SpoolFormat
import Synchronization
import TestSupport
import TestThreads
import Testing

@testable import Spool

@Suite(.waiting) struct LeaseTests {
  /// A claim by a holder of another host, of which nothing is known but that its file stands there.
  private func claimAfar(_ fixture: Fixture, attempt: Int = 1) throws -> EntryName {
    let inbox = try fixture.inbox()
    let claim = try #require(try inbox.claim())
    var afar = claim.name
    afar.attempt = attempt
    afar.place = .held(Holder(host: "afar", pid: 17, start: 17))
    #expect(rename("\(fixture.path)/\(claim.path)", fixture.box("claimed") + "/\(afar)") == 0)
    return afar
  }

  @Test func `a claim that stands unchanged for its lease is handed out again, to whoever watches`() throws {
    let fixture = try Fixture("coder") { $0.leaseSeconds = 0.2 }
    let id = try fixture.send("x")
    let first = try fixture.inbox()
    let claim = try #require(try first.claim())
    let second = try Inbox(fixture.reopened(), fixture.bot())
    #expect(try second.claim() == nil)
    let again = try #require(try second.receive(waiting: 20))
    #expect(again.attempt == 2)
    #expect(again.name.id == id)
    #expect(code { try fixture.spool.ack(claim.bot, claim.name) } == .claimLost)
    try fixture.spool.ack(again.bot, again.name)
    let requeued = try #require(try fixture.events(.messageRequeued).first)
    #expect(requeued.text("reason") == "its lease of 0.2 s ran out")
  }

  @Test func `a claim that is renewed stays its holder's`() throws {
    let fixture = try Fixture("coder") { $0.leaseSeconds = 2 }
    try fixture.send("x")
    let claim = try #require(try fixture.inbox().claim())
    let second = try fixture.inbox()
    let start = Clock.sinceBoot()
    // Two leases long, and more.
    while Clock.sinceBoot() - start < 4_500_000_000 {
      try fixture.spool.extend(claim.bot, claim.name)
      #expect(try second.receive(waiting: 0.02) == nil)
    }
    try fixture.spool.ack(claim.bot, claim.name)
    #expect(try fixture.events(.messageRequeued).isEmpty)
  }

  @Test func `a claim of a command that has ended stands for its lease, and no longer, for the next command`() throws {
    let fixture = try Fixture("coder") { $0.leaseSeconds = 1 }
    try fixture.send("x")
    func receive() throws -> Claim? { try Inbox(fixture.reopened(), fixture.bot(), detached: true).receive() }
    let start = Clock.sinceBoot()
    let claim = try #require(try receive())
    let claimed = Clock.sinceBoot()
    // Counted from the claim on, not from when the next one has seen it.
    usleep(300_000)
    let early = try receive()
    #expect(early == nil || Clock.sinceBoot() - start >= 1_000_000_000)
    usleep(UInt32(max(0, 1_000_000 - (Clock.sinceBoot() - claimed) / 1000)) + 20_000)
    #expect(try (early ?? receive())?.name.id == claim.name.id)
  }

  @Test func `a lease is counted by the observer's own clock, whatever the file's time says`() throws {
    let fixture = try Fixture("coder") { $0.leaseSeconds = 0.2 }
    try fixture.send("x")
    let afar = try claimAfar(fixture)
    let path = fixture.box("claimed") + "/\(afar)"
    let observer = try fixture.inbox()
    for year in [1_000_000_000, 4_000_000_000] {
      var times = [timespec(tv_sec: year, tv_nsec: 0), timespec(tv_sec: year, tv_nsec: 0)]
      #expect(utimensat(AT_FDCWD, path, &times, 0) == 0)
      // However old or young it looks, it has only just been seen so.
      #expect(try observer.claim() == nil)
      #expect(Plain.exists(path))
    }
    #expect(try observer.receive(waiting: 20)?.attempt == 2)
  }

  @Test func `what a dead process of this host had is taken at once`() throws {
    let fixture = try Fixture("coder")
    try fixture.send("x")
    #expect(try OwnProcess.run("claim and die", [fixture.path, "coder"]).isKilled)
    #expect(fixture.names("claimed").count == 1)
    // The lease is a minute; a look is enough.
    let claim = try #require(try fixture.inbox().claim())
    #expect(claim.attempt == 2)
    #expect(try fixture.events(.messageRequeued).first?.text("reason")?.contains("died") == true)
  }

  @Test func `a waiting receiver notices that a holder died`() throws {
    let fixture = try Fixture("coder")
    let receiver = try DroppedFileTests.Receiver(fixture)
    #expect(try OwnProcess.run("leave a claim and die", [fixture.path, "coder"]).isKilled)
    #expect(eventually { receiver.contents == ["x"] })
    try receiver.stop()
  }

  @Test func `a claim of a sandbox with process numbers of its own stands for its lease, whoever has its number here`()
    throws
  {
    let fixture = try Fixture("coder") { $0.leaseSeconds = 1.5 }
    for pid in [2, DeadProcess.pid] {
      try fixture.send("x")
      let claim = try #require(try fixture.inbox().claim())
      var sandboxed = claim.name
      sandboxed.place = .held(Holder(host: fixture.spool.host, pid: pid, start: 0xf7ff_0b15_0000_0001))
      let path = fixture.box("claimed") + "/\(sandboxed)"
      #expect(rename("\(fixture.path)/\(claim.path)", path) == 0)
      let observer = try fixture.inbox()
      #expect(try observer.claim() == nil)
      _ = try Doctor(fixture.spool).examine(repairing: true)
      #expect(Plain.exists(path))
      let again = try #require(try observer.receive(waiting: 20))
      #expect(again.attempt == 2)
      try fixture.spool.ack(again.bot, again.name)
    }
  }

  @Test func `a process that has the number of a dead one is not taken for it`() throws {
    let fixture = try Fixture("coder")
    try fixture.send("x")
    let claim = try #require(try fixture.inbox().claim())
    let holder = try #require(claim.name.holder)
    var earlier = claim.name
    earlier.place = .held(Holder(host: holder.host, pid: holder.pid, start: holder.start - 1))
    #expect(rename("\(fixture.path)/\(claim.path)", fixture.box("claimed") + "/\(earlier)") == 0)
    #expect(try fixture.inbox().claim()?.attempt == 2)
  }

  @Test func `one-shot receivers remember between them since when a claim stands`() throws {
    let fixture = try Fixture("coder") { $0.leaseSeconds = 1.5 }
    try fixture.send("x")
    let claim = try #require(try fixture.inbox(detached: true).receive())
    #expect(claim.name.holder?.pid == 0)
    // Each look is a new observer, as a command in a script would be.
    var looks = 0
    var again: Claim?
    #expect(
      try eventually {
        looks += 1
        again = try fixture.inbox(detached: true).receive()
        return again != nil
      })
    #expect(looks > 1)
    #expect(again?.attempt == 2)
    #expect(again?.name.holder != claim.name.holder)
    #expect(Plain.names(fixture.box("presence")).contains { $0.hasSuffix(".leases") })
    #expect(code { try fixture.spool.ack(claim.bot, claim.name) } == .claimLost)
  }

  @Test func `the doctor remembers, too, since when a claim stands`() throws {
    let fixture = try Fixture("coder") { $0.leaseSeconds = 1.5 }
    try fixture.send("x")
    _ = try #require(try fixture.inbox(detached: true).claim())
    _ = try Doctor(fixture.reopened()).examine(repairing: true)
    #expect(fixture.names("claimed").count == 1)
    usleep(1_550_000)
    _ = try Doctor(fixture.reopened()).examine(repairing: true)
    #expect(fixture.names("claimed").isEmpty && fixture.names("inbox").count == 1)
  }

  @Test(arguments: [(60, 40), (4, 25)])
  func `an observer that was stopped gives those who were stopped with it time to renew`(limit: Int, expected: Int) {
    let second = 1_000_000_000
    var observations = LeaseObservations()
    func stood(at seconds: Int) -> Int {
      defer { observations.endRound() }
      return observations.observe("a", modified: 5, now: seconds * second, limit: limit * second) / second
    }
    #expect(stood(at: 1000) == 0)
    #expect(stood(at: 1010) == 10)
    // A quarter of an hour for which nobody looked.
    #expect(stood(at: 1910) == expected)
    #expect(stood(at: 1915) == expected + 5)
    // What was claimed after it.
    observations.add("a", modified: 6, now: 3000 * second)
    #expect(observations.observe("a", modified: 6, now: 3010 * second, limit: limit * second) == 10 * second)
  }

  @Test func `what is remembered of another boot, or damaged, counts for nothing`() throws {
    var observations = LeaseObservations()
    #expect(observations.observe("a", modified: 5, now: 100, limit: 1000) == 0)
    observations.endRound()
    #expect(observations.observe("a", modified: 5, now: 150, limit: 1000) == 50)
    #expect(observations.observe("b", modified: 6, now: 150, limit: 1000) == 0)
    observations.endRound()
    let bytes = observations.encoded(boot: "boot")
    var again = LeaseObservations(decoding: bytes, boot: "boot")
    #expect(again.seen == observations.seen)
    #expect(!again.hasChanged)
    #expect(again.observe("a", modified: 5, now: 200, limit: 1000) == 100)
    #expect(again.observe("b", modified: 7, now: 200, limit: 1000) == 0)
    // By a clock that was ahead.
    #expect(LeaseObservations(decoding: bytes, boot: "boot").seen["b"]?.since == 150)
    var earlier = LeaseObservations(decoding: bytes, boot: "boot")
    #expect(earlier.observe("b", modified: 6, now: 120, limit: 1000) == 0)
    earlier.endRound()
    #expect(earlier.observe("b", modified: 6, now: 130, limit: 1000) == 10)
    again.endRound()
    #expect(LeaseObservations(decoding: bytes, boot: "another").seen.isEmpty)
    #expect(LeaseObservations(decoding: [], boot: "boot").seen.isEmpty)
    #expect(
      LeaseObservations(decoding: Array("boot\na 1 \(Int.min)\nb 1 \(Int.max)\n".utf8), boot: "boot").seen.isEmpty)
    #expect(LeaseObservations(decoding: Array("boot\na b c\na 1\n\0\u{1b} 1 2 3\n".utf8), boot: "boot").seen.isEmpty)
    // What is no longer there is forgotten.
    again.endRound()
    #expect(again.seen.isEmpty)
  }

  @Test func `after its last attempt an expired claim is dead`() throws {
    let fixture = try Fixture("coder") {
      $0.leaseSeconds = 0.2
      $0.attemptsMax = 2
    }
    try fixture.send("x")
    let observer = try fixture.inbox()
    for attempt in 1...2 { #expect(try observer.receive(waiting: 20)?.attempt == attempt) }
    #expect(try observer.receive(waiting: 0.1) == nil)
    #expect(
      try eventually {
        _ = try observer.claim()
        return try !fixture.spool.deadLetters(of: fixture.bot()).isEmpty
      })
    let letter = try #require(try fixture.spool.deadLetters(of: fixture.bot()).first)
    #expect(letter.reason == "given up after 2 attempts; the last: its lease of 0.2 s ran out")
    #expect(letter.name.attempt == 2)
  }

  @Test func `a dead letter keeps its reason, however many give it up at once`() throws {
    let fixture = try Fixture("coder") { $0.attemptsMax = 1 }
    let gone = Holder(host: fixture.spool.host, pid: DeadProcess.pid, start: DeadProcess.start)
    for number in 0..<150 {
      let id = MessageID(time: Timestamp(microseconds: 1_700_000_000_000_000), random: UInt64(number))
      let name = EntryName(urgency: 5, id: id, attempt: 1, place: .held(gone))
      try Plain.write(fixture.box("claimed") + "/\(name)", #"{"content":"x"}"#)
    }
    let spool = fixture.spool
    let bot = try fixture.bot()
    try Thread.run((0..<6).map { _ in { @Sendable in _ = try? Inbox(spool, bot).claim() } })
    let letters = try fixture.spool.deadLetters(of: bot)
    #expect(letters.count == 150)
    #expect(letters.allSatisfy { $0.reason.contains("died") })
    #expect(fixture.names("dead").count == 300)
    #expect(try fixture.events(.messageDead).count == 150)
  }

  #if DEBUG
    @Test func `what a process could not deliver comes when there is room, also to that very process`() throws {
      func receive(_ faults: [Int]) throws -> (said: String, calls: [String]) {
        let fixture = try Fixture("coder")
        let trace = fixture.home("trace")
        let plan = faults.map { "\(ENOSPC):\($0)" }.joined(separator: ",")
        let outcome = try OwnProcess.run(
          "receive what was sent", [fixture.path, trace],
          environment: ["SPOOL_FAULT_TRACE": trace, "SPOOL_FAULT": plan])
        #expect(outcome.isDone, "\(outcome)")
        return (outcome.line, try Plain.text(trace).split(separator: "\n").map(String.init))
      }
      func place(_ call: String, _ calls: [String], after start: Int) throws -> Int {
        try #require(calls[start...].firstIndex(of: call))
      }
      // The line that says so is counted, too, but comes before all that is looked for.
      let calls = try receive([]).calls
      let opened = try place("opened", calls, after: 0)
      let renamed = try place("renameat", calls, after: opened)
      #expect(try renamed < place("sent", calls, after: 0))
      #expect(try receive([renamed]).said == "x")
    }

    @Test func `where two files can't be swapped, a claim isn't copied again and again to be renewed`() throws {
      func renew(_ faults: String) throws -> [String] {
        let fixture = try Fixture("a", "b")
        try fixture.send("x", to: "a", "b")
        let trace = fixture.home("trace")
        let outcome = try OwnProcess.run(
          "renew twice", [fixture.path, trace], environment: ["SPOOL_FAULT_TRACE": trace, "SPOOL_FAULT": faults])
        #expect(outcome.isDone, "\(outcome)")
        return try Plain.text(trace).split(separator: "\n").map(String.init)
      }
      let calls = try renew("")
      let claimed = try #require(calls.firstIndex(of: "claimed"))
      let swap = try #require(calls[claimed...].firstIndex(of: "renameat2"))
      // The line that says that it is claimed is counted, too.
      let after = try renew("\(EINVAL):\(swap)")
      #expect(after[claimed...].count { $0 == "renameat2" } == 1)
      #expect(after[claimed...].count { $0 == "utimensat" } == 2)
    }

    @Test(arguments: [true, false])
    func `what a settler found too early for the log is delivered by its sender, or for it`(isSoon: Bool) throws {
      let fixture = try Fixture("coder")
      let (path, trace) = (fixture.path, fixture.home("trace"))
      /// What comes right before the line in the log.
      func closed() throws -> Int {
        let calls = try Plain.text(trace).split(separator: "\n").map(String.init)
        let logged = try #require(calls.lastIndex(of: "write"))
        return try #require(calls[..<logged].lastIndex(of: "close")) + 1
      }
      let traced = try OwnProcess.run(
        "send", [path, "traced", "", "coder"], environment: ["SPOOL_FAULT_TRACE": trace])
      #expect(traced.isDone)
      #expect(try fixture.drain() == ["traced"])
      for _ in 0..<20 {
        let number = try closed()
        #expect(unlink(trace) == 0)
        let count = try fixture.events(.messageSent).count
        let sender = try OwnProcess.start(
          "send", [path, "late", "", "coder"],
          environment: ["SPOOL_FAULT_TRACE": trace, "SPOOL_FAULT": "stop-before:\(number)"])
        #expect(eventually { sender.isStoppedOrOver })
        // On a busy machine it makes more calls before, or fewer: then the next one is stopped where this one should be.
        let found = fixture.names("tmp").compactMap { EntryName($0) }.first
        guard var name = found, try fixture.events(.messageSent).count == count else {
          sender.kill(SIGCONT)
          _ = try sender.wait(seconds: SpoolCommand.secondsMax)
          _ = try fixture.drain()
          continue
        }
        let old = fixture.box("tmp") + "/\(name)"
        (name.attempt, name.place) = (5001, .held(fixture.spool.holder))
        let ours = fixture.box("tmp") + "/\(name)"
        #expect(rename(old, ours) == 0)
        sender.kill(SIGCONT)
        #expect(try eventually { try fixture.events(.messageSent).count == count + 1 })
        if isSoon { #expect(unlink(ours) == 0) }
        #expect(try sender.wait(seconds: SpoolCommand.secondsMax).isDone)
        if !isSoon { #expect(unlink(ours) == 0) }
        #expect(try fixture.drain() == ["late"])
        #expect(fixture.names("tmp").isEmpty)
        return
      }
      Issue.record("it was never stopped before its line was in the log")
    }
  #endif

  @Test func `who got the same message is not renewed with another's claim`() throws {
    let fixture = try Fixture("a", "b")
    try fixture.send("x", to: "a", "b")
    let claims = try ["a", "b"].map { try #require(try fixture.inbox($0).claim()) }
    func inode(_ claim: Claim) -> UInt64? { (try? fixture.spool.root.status(claim.path))??.inode }
    #expect(inode(claims[0]) == inode(claims[1]))
    let before = try #require(try fixture.spool.root.status(claims[1].path)).modified
    usleep(20_000)
    for _ in 0..<2 { try fixture.spool.extend(claims[0].bot, claims[0].name) }
    #expect(try fixture.spool.root.status(claims[1].path)?.modified == before)
    #expect(try fixture.spool.root.status(claims[0].path)?.modified != before)
    let bytes = try claims.map { try Plain.read("\(fixture.path)/\($0.path)") }
    #expect(bytes[0] == bytes[1])
    #expect(Plain.names("\(fixture.path)/tmp").isEmpty)
    // A lost claim doesn't come back.
    #expect(unlink("\(fixture.path)/\(claims[0].path)") == 0)
    #expect(code { try fixture.spool.extend(claims[0].bot, claims[0].name) } == .claimLost)
    #expect(fixture.names("claimed", of: "a").isEmpty)
  }

  @Test func `what a dead sender left is delivered when the log has it, and removed when not`() throws {
    let fixture = try Fixture("coder", "b")
    let (path, trace) = (fixture.path, fixture.home("trace"))
    func send(_ content: String, fault: String) throws {
      let environment = fault.isEmpty ? ["SPOOL_FAULT_TRACE": trace] : ["SPOOL_FAULT": fault]
      let outcome = try OwnProcess.run("send", [path, content, "", "b", "coder"], environment: environment)
      #expect(fault.isEmpty ? outcome.isDone : outcome.isKilled, "\(outcome)")
    }
    try send("traced", fault: "")
    let calls = try Plain.text(trace).split(separator: "\n").map(String.init)
    let logged = try #require(calls.lastIndex(of: "write")) + 1
    #expect(try fixture.drain() == ["traced"])
    #expect(try fixture.drain("b") == ["traced"])
    var (kept, removed) = (0, 0)
    for number in max(1, logged - 4)...calls.count {
      try send("\(number)", fault: "kill-before:\(number)")
      let isSent = try fixture.events(.messageSent).contains { $0.message?.content == "\(number)" }
      #expect(isSent == (number > logged))
      if isSent { kept += 1 } else { removed += 1 }
      // Whoever looks first, in whichever inbox the file in tmp/ is.
      #expect(try fixture.drain("b") == (isSent ? ["\(number)"] : []))
      #expect(try fixture.drain() == (isSent ? ["\(number)"] : []))
      #expect(fixture.names("tmp").isEmpty && fixture.names("tmp", of: "b").isEmpty)
      // The next one is not to find the log's lock in a dead hand, which would cost it more calls.
      try fixture.send("between")
      #expect(try fixture.drain() == ["between"])
    }
    #expect(kept >= 2 && removed >= 2)
  }
}
