import Glibc
import Linux
import SpoolFormat
import Synchronization
import TestSupport
import Testing

@testable import Spool

@Suite struct AdmissionTests {
  @Test func `what would be one too many is refused, says what waits since when, and is in no log`() throws {
    let fixture = try Fixture { $0.inboxLimits.messages = 10 }
    try fixture.spool.register(Card(name: fixture.bot()))
    let first = try fixture.send("1")
    for number in 2...10 { try fixture.send("\(number)") }
    let text = error { try fixture.send("11") }
    #expect(text.contains("coder is full: 10 messages wait, and 10 may, the oldest since \(first.time.rfc3339)"))
    #expect(text.contains("spool work coder"))
    #expect(code { try fixture.send("11") } == .tryAgain)
    #expect(fixture.names("inbox").count == 10)
    #expect(fixture.names("tmp").allSatisfy { $0.hasPrefix(".credit.") })
    #expect(try fixture.events(.messageSent).count == 10)
    #expect(try fixture.drain().count == 10)
    #expect(eventually { code { try fixture.send("again") } == nil }, "there is room")
  }

  @Test func `a process that sends one message knows what others sent`() throws {
    let fixture = try Fixture { $0.inboxLimits.messages = 40 }
    try fixture.spool.register(Card(name: fixture.bot()))
    var sent = 0
    while code(of: {
      let spool = try fixture.reopened()
      var message = Message(content: "\(sent)")
      message.to = ["coder"]
      try spool.send(message)
    }) == nil { sent += 1 }
    #expect(sent == 40)
  }

  @Test func `the card says otherwise, for bytes too, and is read again when it changes`() throws {
    let fixture = try Fixture("coder") { $0.inboxLimits.messages = 2 }
    var card = Card(name: try fixture.bot())
    card.inboxLimits.messages = 5
    card.inboxLimits.bytes = 3000
    try fixture.spool.register(card)
    #expect(try fixture.spool.card(of: card.name).inboxLimits == card.inboxLimits)
    for number in 1...3 { try fixture.send("\(number)") }
    let text = error { try fixture.send(String(repeating: "x", count: 2500)) }
    #expect(text.contains("3 messages of"))
    #expect(text.contains("and 3000 bytes may"))
    #expect(code { try fixture.send(String(repeating: "x", count: 4000)) } == .badData)
    card.inboxLimits = InboxLimits()
    card.inboxLimits.messages = 100
    try fixture.spool.register(card)
    for number in 4...5 { try fixture.send("\(number)") }
    #expect(eventually { code { try fixture.send("6") } == nil }, "the new card counts")
    for number in 7...50 { try fixture.send("\(number)") }
    #expect(fixture.names("inbox").count == 50)
  }

  @Test func `a message to several of whom one is full is sent to nobody, and takes no room of theirs`() throws {
    let fixture = try Fixture("ann", "bea", "cyn") { $0.inboxLimits.messages = 8 }
    for number in 1...8 { try fixture.send("\(number)", to: "bea") }
    for _ in 1...20 {
      let text = error { try fixture.send("all", to: "team") }
      #expect(text.contains("1 of 3 inboxes is full, and nothing was sent to anybody: bea (8 messages wait"))
    }
    #expect(fixture.names("inbox", of: "ann").isEmpty)
    #expect(try fixture.events(.messageSent).count == 8)
    for number in 1...8 { try fixture.send("\(number)", to: "ann", "cyn") }
    #expect(code { try fixture.send("9", to: "ann") } == .tryAgain)
  }

  @Test func `what comes back, and what is dropped, is never refused, and counts`() throws {
    let fixture = try Fixture("coder") { $0.inboxLimits.messages = 4 }
    for number in 1...4 { try fixture.send("\(number)") }
    let inbox = try fixture.inbox()
    let claim = try #require(try inbox.claim())
    #expect(eventually { code { try fixture.send("5") } == nil }, "there is room for one")
    try fixture.spool.nack(claim.bot, claim.name)
    #expect(fixture.names("inbox").count == 5)
    for number in 1...4 { try Plain.write(fixture.box("inbox") + "/\(number).json", #"{"content":"dropped"}"#) }
    #expect(code { try fixture.send("6") } == .tryAgain)
    #expect(try fixture.drain().count == 9)
  }

  @Test func `a second send with a key is answered however full it is`() throws {
    let fixture = try Fixture("coder") { $0.inboxLimits.messages = 2 }
    let id = try fixture.send("1") { $0.idempotencyKey = "k" }
    try fixture.send("2")
    #expect(try fixture.send("1") { $0.idempotencyKey = "k" } == id)
    #expect(code { try fixture.send("3") { $0.idempotencyKey = "new" } } == .tryAgain)
    #expect(try fixture.drain() == ["1", "2"])
    #expect(eventually { code { try fixture.send("3") { $0.idempotencyKey = "new" } } == nil }, "there is room")
  }

  @Test func `one user's messages are counted apart from those of others`() throws {
    let fixture = try Fixture("coder") { $0.inboxLimits.senderMessages = 3 }
    for number in 1...3 { try fixture.send("\(number)") }
    #expect(error { try fixture.send("4") }.contains("3 messages of this user wait, and 3 may"))
    guard geteuid() == 0 else { return }
    let names = fixture.names("inbox")
    for name in names { #expect(chown(fixture.box("inbox") + "/" + name, 4711, 4711) == 0) }
    #expect(eventually { code { try fixture.send("4") } == nil }, "they are another's")
    var limits = InboxLimits()
    limits.senderBytes = 1
    let count = try fixture.spool.countInbox(of: fixture.bot(), user: geteuid(), upTo: 100)
    #expect(count.messages == 4 && count.ownMessages == 1 && count.ownBytes < count.bytes)
  }

  @Test func `senders at the same time pass a limit by no more than there are of them`() throws {
    let fixture = try Fixture("coder") { $0.inboxLimits.messages = 300 }
    let path = fixture.path
    let sent = Atomic(0)
    let send: @Sendable () -> Void = {
      guard let spool = try? Spool(at: path) else { return }
      var message = Message(content: "x")
      message.to = ["coder"]
      while (try? spool.send(message)) != nil { sent.add(1, ordering: .relaxed) }
    }
    try Linux.Thread.run([send, send, send, send])
    let waiting = fixture.names("inbox").count
    #expect(waiting == sent.load(ordering: .relaxed))
    #expect(300...304 ~= waiting)
  }

  @Test func `bytes of one user are limited, and a limit that was changed leaves no credit of before`() throws {
    let fixture = try Fixture("coder", "tester") {
      $0.inboxLimits.senderBytes = 2000
      $0.inboxLimits.messages = 1000
    }
    let first = String(repeating: "x", count: 1000)
    try fixture.send(first)
    #expect(error { try fixture.send(first) }.contains("bytes of this user wait, and 2000 may"))
    var card = try fixture.spool.card(of: fixture.bot("tester"))
    card.inboxLimits.senderBytes = 1 << 30
    try fixture.spool.register(card)
    try fixture.send("1", to: "tester")
    card.inboxLimits.messages = 2
    try fixture.spool.register(card)
    var message = Message(content: "2")
    message.to = ["tester"]
    try fixture.reopened().send(message)
    #expect(code { try fixture.reopened().send(message) } == .tryAgain)
  }

  @Test func `files of a length that can't be added up are too much, and no more`() throws {
    var count = InboxCount()
    for _ in 0..<3 {
      count.add(messages: 1, bytes: .max)
      count.addOwn(messages: 1, bytes: .max)
    }
    var limits = InboxLimits()
    limits.bytes = InboxLimits.range.upperBound
    limits.senderBytes = InboxLimits.range.upperBound
    #expect(count.messages == 3 && !limits.allow(count, Message.bytesMax))
    #expect(limits.free(count).bytes == 0 && limits.excess(count, 1).contains("3 messages of"))
    // A file system that has such files: those of others are long and cost nothing.
    let place = "/dev/shm/nanospool-test-\(getpid())-\(UInt32.random(in: .min ... .max))"
    defer { TemporaryDirectory.removeTree(place) }
    try Spool.create(at: place) { $0.inboxLimits.bytes = 1_000_000 }
    let spool = try Spool(at: place)
    try spool.register(Card(name: BotName(parsing: "coder")))
    for name in ["a.json", "b.json"] {
      try Plain.write("\(place)/bots/coder/inbox/\(name)", "")
      guard truncate("\(place)/bots/coder/inbox/\(name)", off_t.max) == 0 else { return }
    }
    var message = Message(content: "x")
    message.to = ["coder"]
    #expect(code { try spool.send(message) } == .tryAgain)
  }

  @Test func `who may not look into an inbox counts what he sent there, however much he sent since`() throws {
    let fixture = try Fixture("coder", sharedWith: "\(getegid())") { $0.inboxLimits.messages = 1_000_000 }
    var limits = InboxLimits()
    limits.senderMessages = 5
    for number in 1...4 { try fixture.send("\(number)") { $0.priority = Priority(value: 1) } }
    for _ in 0..<25 {
      try fixture.send("urgent")
      // One of its own, which has looked at no other before.
      let claim = try #require(try fixture.inbox().claim())
      #expect(claim.message.content == "urgent")
      try fixture.spool.ack(claim.bot, claim.name)
    }
    let count = try fixture.spool.countOwn(to: fixture.bot(), limits)
    #expect(count.messages == 4 && count.ownMessages == 4 && count.isPartial)
    // No more is looked at than is needed to refuse.
    limits.senderMessages = 1
    #expect(try !limits.allow(fixture.spool.countOwn(to: fixture.bot(), limits), 1))
  }

  @Test func `a limit of bytes counts more messages than anybody would look at one by one`() throws {
    let fixture = try Fixture("coder", sharedWith: "\(getegid())")
    var message = Message(content: "x")
    message.to = ["coder"]
    for _ in 0..<10_100 { try fixture.spool.send(message) }
    var limits = InboxLimits()
    limits.senderBytes = 1 << 30
    #expect(try fixture.spool.countOwn(to: fixture.bot(), limits).ownMessages == 10_100)
  }

  @Test func `where the page can't be had the limit holds all the same`() throws {
    let fixture = try Fixture("coder") { $0.inboxLimits.messages = 3 }
    let path = "\(fixture.path)/" + Layout.credit(try fixture.bot(), host: fixture.spool.host, user: geteuid())
    #expect(mkdir(path, 0o700) == 0)
    for number in 1...3 { try fixture.send("\(number)") }
    #expect(code { try fixture.send("4") } == .tryAgain)
    var message = Message(content: "4")
    message.to = ["coder"]
    #expect(code { try fixture.reopened().send(message) } == .tryAgain)
  }

  @Test func `a page of another time, and a damaged one, grants nothing`() throws {
    let fixture = try Fixture("coder") { $0.inboxLimits.messages = 2 }
    let path = "\(fixture.path)/" + Layout.credit(try fixture.bot(), host: fixture.spool.host, user: geteuid())
    try fixture.send("1")
    #expect(unlink(path) == 0)
    try Plain.write(path, String(repeating: "\u{7f}", count: 4096))
    let again = try fixture.reopened()
    var message = Message(content: "2")
    message.to = ["coder"]
    try again.send(message)
    #expect(code { try again.send(message) } == .tryAgain)
    // Numbers that can't be counted on, under limits that are the right ones.
    for number in [Int.max, .min, -1] {
      var page = Array(try Plain.read(path).prefix(8))
      for _ in 1..<512 { withUnsafeBytes(of: number) { page += $0 } }
      try Plain.write(path, page)
      #expect(code { try fixture.reopened().send(message) } == .tryAgain)
    }
    #expect(unlink(path) == 0)
    try Plain.write(path, "")
    #expect(code { try fixture.reopened().send(message) } == .tryAgain)
  }
}
