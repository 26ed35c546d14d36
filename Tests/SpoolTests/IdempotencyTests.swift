import Glibc
import Linux
import SpoolFormat
import Synchronization
import TestSupport
import Testing

@testable import Spool

@Suite struct IdempotencyTests {
  private func send(_ fixture: Fixture, _ key: String, to: [String] = ["coder"], from: String? = nil) throws
    -> MessageID
  {
    var message = Message(content: "once")
    message.to = to
    message.from = from
    message.idempotencyKey = key
    return try fixture.spool.send(message)
  }

  @Test(arguments: Durability.allCases)
  func `a second send with the same key is answered with the first's id and delivers nothing`(
    durability: Durability
  ) throws {
    let fixture = try Fixture("coder", "b") { $0.durability = durability }
    let first = try send(fixture, "k")
    #expect(try send(fixture, "k") == first)
    #expect(fixture.names("inbox").count == 1)
    #expect(try fixture.drain() == ["once"])
    // Also when the first was settled, and by another process.
    var message = Message(content: "once")
    message.to = ["coder"]
    message.idempotencyKey = "k"
    #expect(try fixture.reopened().send(message) == first)
    #expect(try fixture.drain() == [])
    #expect(fixture.names("tmp").isEmpty)
    #expect(try fixture.events(.messageSent).count == 1)
  }

  @Test func `who belongs to a team, or is the best for something, may change between two sends with a key`() throws {
    let fixture = try Fixture("coder", "b")
    let spool = fixture.spool
    func ask(_ bot: String) throws -> MessageID {
      var message = Message(content: "once")
      message.to = [bot]
      message.extra = [Message.Field(name: "asked_for", value: JSONText(string: "any:development"))]
      message.idempotencyKey = "any"
      return try spool.send(message)
    }
    let ids = [try send(fixture, "team", to: ["team"], from: "b"), try ask("coder")]
    try spool.register(Card(name: BotName(parsing: "c")))
    #expect(try [send(fixture, "team", to: ["team"], from: "b"), ask("b")] == ids)
    // As a power cut may leave them.
    for name in Plain.names("\(fixture.path)/keys") { unlink("\(fixture.path)/keys/\(name)") }
    try shell("cp -a spool copy", in: fixture.home.path)
    let copy = try Spool(at: fixture.home("copy"))
    #expect(Plain.names("\(copy.path)/keys").count == 2)
    var message = Message(content: "once")
    message.to = ["team"]
    message.from = "b"
    message.idempotencyKey = "team"
    #expect(try copy.send(message) == ids[0])
    #expect(fixture.names("inbox", of: "c").isEmpty && fixture.names("inbox", of: "b").isEmpty)
  }

  @Test func `a key has the name that spool-layout gives it`() {
    let key = IdempotencyKey(text: "build-42", from: "planner", to: ["coder"], askedFor: nil, user: nil)
    #expect(key.path == "keys/5dca7ae4ed88c2fd811ef0b8d2119d7f")
  }

  @Test func `what a reader would set aside isn't sent`() throws {
    let fixture = try Fixture("coder")
    let long = String(repeating: "x", count: 513)
    let changes: [(inout Message) -> Void] = [
      { $0.from = long }, { $0.conversation = long }, { $0.inReplyTo = long },
    ]
    for change in changes { #expect(code { try fixture.send("x", change) } == .badData) }
    #expect(fixture.names("inbox").isEmpty)
  }

  @Test func `another key, sender or recipient is another message`() throws {
    let fixture = try Fixture("coder", "b")
    let ids = [
      try send(fixture, "k"), try send(fixture, "l"), try send(fixture, "k", from: "ann"),
      try send(fixture, "k", to: ["b"]),
      try send(fixture, "k", to: ["coder", "b"]),
    ]
    #expect(Set(ids).count == 5)
    #expect(try fixture.drain().count == 4)
    #expect(try fixture.drain("b").count == 2)
    // Names in another order are the same recipients.
    #expect(try send(fixture, "k", to: ["b", "coder"]) == ids[4])
  }

  @Test func `an empty or a giant key is refused, a strange one is not`() throws {
    let fixture = try Fixture("coder")
    #expect(code { _ = try send(fixture, "") } == .badData)
    #expect(code { _ = try send(fixture, String(repeating: "x", count: 513)) } == .badData)
    for key in ["../../x", "a/b", "\u{1b}[2J\0", " ", String(repeating: "\u{e9}", count: 256)] {
      #expect(try send(fixture, key) == send(fixture, key))
    }
    #expect(try fixture.drain().count == 5)
    #expect(Plain.names(fixture.path).contains("x") == false)
  }

  @Test func `eight threads with one key deliver once, and all get the same answer`() throws {
    let fixture = try Fixture("coder") { $0.durability = .durable }
    let path = fixture.path
    let answers = Mutex<[String]>([])
    for round in 0..<10 {
      try Thread.run(
        (0..<8).map { thread in
          { @Sendable in
            let answer: String
            do {
              // Half of them as other processes would, half of them sharing a spool.
              let spool = thread % 2 == 0 ? fixture.spool : try Spool(at: path)
              var message = Message(content: "\(round)")
              message.to = ["coder"]
              message.idempotencyKey = "key \(round)"
              answer = try spool.send(message).description
            } catch { answer = "\(error)" }
            answers.withLock { $0.append(answer) }
          }
        })
    }
    let all = answers.withLock { $0 }
    #expect(all.count == 80)
    #expect(Set(all).count == 10, "\(Set(all))")
    #expect(try fixture.drain().sorted() == (0..<10).map { "\($0)" })
    #expect(fixture.names("tmp").isEmpty)
  }

  @Test func `eight processes with one key deliver once`() throws {
    let fixture = try Fixture("coder") { $0.durability = .durable }
    let senders = try (0..<8).map { _ in try OwnProcess.start("send with keys, five times", [fixture.path]) }
    let outcomes = try senders.map { try $0.wait(seconds: SpoolCommand.secondsMax) }
    for outcome in outcomes { #expect(outcome.isDone, "\(outcome)") }
    let lines = outcomes.flatMap { $0.output.split(separator: "\n") }
    #expect(lines.count == 40)
    #expect(Set(lines).count == 5)
    #expect(try fixture.drain().sorted() == (0..<5).map { "\($0)" })
  }

  @Test func `a key whose sender died at any call before the log is still good for one delivery`() throws {
    let fixture = try Fixture("coder")
    let (path, trace) = (fixture.path, fixture.home("trace"))
    func attempt(_ key: String, fault: String?) throws {
      let environment = fault.map { ["SPOOL_FAULT": $0] } ?? ["SPOOL_FAULT_TRACE": trace]
      let outcome = try OwnProcess.run("send", [path, key, key, "coder"], environment: environment)
      #expect(fault == nil ? outcome.isDone : outcome.isKilled, "\(outcome)")
    }
    try attempt("traced", fault: nil)
    let calls = try Plain.text(trace).split(separator: "\n").count
    #expect(calls > 15)
    for number in stride(from: 6, through: calls, by: 1) {
      let key = "key \(number)"
      try attempt(key, fault: "kill-before:\(number)")
      var message = Message(content: key)
      message.to = ["coder"]
      message.idempotencyKey = key
      let id = try fixture.spool.send(message)
      #expect(try fixture.spool.send(message) == id)
      #expect(
        try fixture.drain() == (number == 6 ? ["traced", key] : [key]), "killed before call \(number) of \(calls)")
    }
  }

  @Test func `of two that take a dead sender's key over, the second finds the first one's line, and delivers nothing`()
    throws
  {
    let fixture = try Fixture("coder")
    let coder = try BotName(parsing: "coder")
    var message = Message(content: "once")
    message.to = ["coder"]
    message.id = MessageID(time: fixture.spool.now(), random: 1)
    message.createdAt = message.id!.time
    // Both have looked into the log before either wrote.
    let isSent = { try fixture.spool.hasSent(message.id!) }
    #expect(try fixture.spool.send(message, [coder], .relaxed, unless: isSent) == message.id)
    #expect(try fixture.drain() == ["once"])
    #expect(try fixture.spool.send(message, [coder], .relaxed, unless: isSent) == nil)
    #expect(try fixture.drain() == [])
    #expect(try fixture.events(.messageSent).count == 1)
    #expect(fixture.names("tmp").isEmpty)
  }

  #if DEBUG
    @Test func `of two that find a key empty after a power cut, the second doesn't take away the first one's`() throws {
      func start(_ fixture: Fixture, _ fault: String) throws -> Running {
        _ = try send(fixture, "k")
        _ = try fixture.drain()
        try Plain.write("\(fixture.path)/keys/" + Plain.names("\(fixture.path)/keys")[0], "")
        return try OwnProcess.start(
          "send", [fixture.path, "second", "k", "coder"],
          environment: ["SPOOL_FAULT_TRACE": fixture.home("trace"), "SPOOL_FAULT": fault])
      }
      /// The calls before it has read the key, which is there already, and found it empty.
      func untilRead(_ fixture: Fixture) throws -> (count: Int, isLast: Bool) {
        let calls = try Plain.text(fixture.home("trace")).split(separator: "\n")
        let taken = calls.firstIndex(of: "linkat") ?? calls.endIndex
        let read = calls[taken...].firstIndex(of: "fstat") ?? calls.endIndex
        return (read + 1, read + 2 == calls.count)
      }
      let traced = try Fixture("coder")
      #expect(try start(traced, "").wait(seconds: SpoolCommand.secondsMax).isDone)
      var number = try untilRead(traced).count + 1
      for _ in 0..<20 {
        let fixture = try Fixture("coder")
        let second = try start(fixture, "stop-before:\(number)")
        #expect(eventually { second.isStoppedOrOver })
        // On a busy machine it makes more calls before, or fewer: then the next one is stopped where this one should be.
        let isThere = try untilRead(fixture).isLast
        let first = isThere ? try send(fixture, "k") : nil
        second.kill(SIGCONT)
        let outcome = try second.wait(seconds: SpoolCommand.secondsMax)
        guard let first else {
          number = try untilRead(fixture).count + 1
          continue
        }
        #expect(outcome.line == first.description, "\(outcome)")
        #expect(try fixture.drain().count == 1)
        return
      }
      Issue.record("it was never stopped after it had read the key")
    }
  #endif

  @Test func `a key under which nothing could be sent is free again at once`() throws {
    let fixture = try Fixture("coder")
    #expect(throws: SpoolError.self) { try send(fixture, "k", to: ["later"]) }
    #expect(Plain.names("\(fixture.path)/keys") == [])
    try fixture.spool.register(Card(name: BotName(parsing: "later")))
    _ = try send(fixture, "k", to: ["later"])
    #expect(Plain.names("\(fixture.path)/keys").count == 1)
  }

  #if DEBUG
    @Test func `who was stopped with the key in hand until another host took it over delivers nothing`() throws {
      let fixture = try Fixture("coder") { $0.leaseSeconds = 1 }
      let clock = fixture.home("clock")
      func start(_ host: String, fault: String = "") throws -> Running {
        try OwnProcess.start(
          "send", [fixture.path, "once", "k", "coder"],
          environment: ["SPOOL_HOST": host, "SPOOL_CLOCK_JUMP": clock, "SPOOL_FAULT": fault])
      }
      // The first file that it removes is the one that it took the key with.
      let first = try start("one", fault: "stop-before:unlinkat#1")
      #expect(eventually { first.isStoppedOrOver })
      #expect(Plain.names("\(fixture.path)/keys").count == 1)
      #expect(try fixture.events(.messageSent).isEmpty)
      try Plain.write(clock, "12")
      let second = try start("two").wait(seconds: SpoolCommand.secondsMax)
      #expect(second.isDone, "\(second)")
      #expect(try fixture.drain() == ["once"])
      first.kill(SIGCONT)
      #expect(try first.wait(seconds: SpoolCommand.secondsMax).line == second.line)
      #expect(try fixture.drain() == [])
      #expect(try fixture.events(.messageSent).count == 1)
      #expect(fixture.names("tmp").isEmpty)
    }
  #endif

  /// As a sender takes it who dies before the log has the message.
  private func leaveKey(_ text: String, in fixture: Fixture, hoursAgo: Double) throws -> MessageID {
    let time = Timestamp(microseconds: Clock.wall()).advanced(bySeconds: -3600 * hoursAgo)
    let id = MessageID(time: time, random: UInt64.random(in: 0...0xffff_ffff))
    let key = IdempotencyKey(text: text, from: nil, to: ["coder"], askedFor: nil, user: nil)
    let gone = Holder(host: fixture.spool.host, pid: DeadProcess.pid, start: DeadProcess.start)
    #expect(try key.take(for: id, by: gone, in: fixture.spool.root))
    return id
  }

  @Test func `a key under which somebody sends meanwhile stays`() throws {
    let fixture = try Fixture("coder")
    let ids = try ["used", "unused"].map { try leaveKey($0, in: fixture, hoursAgo: 2) }
    let collection = LogCollection(fixture.spool, CollectionWish(), records: [:])
    let needs = try LogNeeds(fixture.spool, collection.files, Forgotten()).gathered()
    let keys = collection.expiredKeys(needs)
    #expect(Set(keys.keys) == Set(ids))
    func send() throws -> MessageID { try fixture.send("once", to: "coder") { $0.idempotencyKey = "used" } }
    #expect(try send() == ids[0])
    #expect(try collection.remove(keys, unusedSince: needs.read) == 1)
    #expect(try send() == ids[0])
    #expect(fixture.names("inbox").count == 1 && Plain.names("\(fixture.path)/keys").count == 1)
  }

  @Test func `who takes over a key that is collected meanwhile takes it anew`() throws {
    let fixture = try Fixture("coder")
    let old = try leaveKey("k", in: fixture, hoursAgo: 2)
    let spool = fixture.spool
    let sent = Mutex<[MessageID]>([])
    let key = "\(fixture.path)/keys/\(Plain.names("\(fixture.path)/keys")[0])"
    @Sendable func send() throws {
      var message = Message(content: "once")
      message.to = ["coder"]
      message.idempotencyKey = "k"
      let id = try spool.send(message)
      sent.withLock { $0.append(id) }
    }
    try spool.log.locked { _ in
      try Linux.Thread.detach { try? send() }
      // Its file is written, and its line waits.
      #expect(eventually { !fixture.names("tmp").isEmpty })
      #expect(unlink(key) == 0)
    }
    #expect(eventually { sent.withLock { $0.count } == 1 })
    try send()
    let ids = sent.withLock { $0 }
    #expect(ids.count == 2 && Set(ids).count == 1 && ids[0] != old)
    #expect(try fixture.drain() == ["once"])
  }
}
