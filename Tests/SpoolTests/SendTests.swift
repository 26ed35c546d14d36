import Glibc
import Linux
import SpoolFormat
import Synchronization
import TestSupport
import Testing

@testable import Spool

@Suite struct SendTests {
  @Test func `a spool is made once, and only where nothing else is`() throws {
    let home = try TemporaryDirectory()
    let path = home("a/b/spool")
    #expect(try Spool.create(at: path) { $0.leaseSeconds = 7 })
    #expect(try !Spool.create(at: path) && !Spool.create(at: path) { $0.leaseSeconds = 7 })
    #expect(code { try Spool.create(at: path) { $0.leaseSeconds = 8 } } == .cannotCreate)
    let spool = try Spool(at: path)
    #expect(spool.settings.leaseSeconds == 7)
    #expect(spool.settings.identity.utf8.count == 32)
    #expect(Plain.names(path).contains("spool.json"))
    try Plain.write(home("other"), "x")
    #expect(code { try Spool.create(at: home.path) } == .cannotCreate)
    #expect(error { try Spool.create(at: home.path) }.contains("is not empty"))
    #expect(Plain.names(home.path) == ["a", "other"])
    #expect(code { try Spool.create(at: home("other")) } == .cannotCreate)
    #expect(code { try Spool.create(at: home("other/below")) } == .cannotCreate)
  }

  @Test func `what is no spool is refused, and stays as it is`() throws {
    let home = try TemporaryDirectory()
    #expect(code { _ = try Spool(at: home("missing")) } == .notASpool)
    #expect(error { _ = try Spool(at: home("missing")) }.contains("spool init"))
    #expect(code { _ = try Spool(at: home.path) } == .notASpool)
    try Plain.write(home("file"), "x")
    #expect(error { _ = try Spool(at: home("file")) }.contains("is not a directory"))
    try Plain.write(home("spool.json"), #"{"nanospool":99,"id":"x"}"#)
    #expect(error { _ = try Spool(at: home.path) }.contains("has format 99"))
    try Plain.write(home("spool.json"), "not json")
    #expect(code { _ = try Spool(at: home.path) } == .notASpool)
    #expect(Plain.names(home.path) == ["file", "spool.json"])
  }

  @Test func `what could not be read again is refused, and nothing is sent`() throws {
    let fixture = try Fixture("coder")
    let nested = try JSONText(
      validating: String(repeating: "[", count: JSON.depthMax) + String(repeating: "]", count: JSON.depthMax))
    #expect(code { try fixture.send("x") { $0.data = nested } } == .badData)
    #expect(code { try fixture.spool.setState(StateKey(parsing: "k"), to: nested) } == .badData)
    #expect(fixture.names("inbox").isEmpty && fixture.names("tmp").isEmpty)
    #expect(try fixture.spool.state(StateKey(parsing: "k")) == nil)
  }

  @Test func `a bot whose card could not be written is none, and is told of when it is made`() throws {
    let fixture = try Fixture()
    let tmp = fixture.path + "/tmp"
    try #require(rename(tmp, tmp + "-away") == 0)
    var card = Card(name: try fixture.bot())
    card.inboxLimits.messages = 5
    #expect(throws: SpoolError.self) { try fixture.spool.register(card) }
    #expect(try fixture.spool.bots().isEmpty)
    try #require(rename(tmp + "-away", tmp) == 0)
    try fixture.spool.register(card)
    #expect(try fixture.events(.botRegistered).count == 1)
  }

  @Test func `a sent message is a file in the inbox, one line in the log, and nothing else`() throws {
    let fixture = try Fixture("coder", "ann")
    let id = try fixture.send("hello", to: "coder", from: "ann")
    #expect(fixture.names("inbox") == ["5-\(id).json"])
    #expect(fixture.names("tmp").isEmpty)
    let bytes = try Plain.read(fixture.box("inbox") + "/5-\(id).json")
    let message = try Message(parsing: bytes)
    #expect(message.id == id)
    #expect(message.from == "ann")
    #expect(message.to == ["coder"])
    #expect(message.type == .request)
    #expect(message.createdAt != nil)
    #expect(bytes.last == 10)
    let sent = try fixture.events(.messageSent)
    #expect(sent.count == 1)
    #expect(sent[0].subject == id.description)
    #expect(sent[0].texts("recipients") == ["coder"])
    #expect(sent[0].messageBytes == Array(bytes.dropLast()))
    #expect(sent[0].text("name") == "5-\(id).json")
  }

  @Test(arguments: Durability.allCases)
  func `each durability delivers`(durability: Durability) throws {
    let fixture = try Fixture("coder") { $0.durability = durability }
    for number in 0..<20 { try fixture.send("\(number)") }
    #expect(try fixture.drain() == (0..<20).map { "\($0)" })
  }

  @Test func `one message to several bots is one file with as many names`() throws {
    let fixture = try Fixture("a", "b", "c")
    let id = try fixture.send("hello", to: "a", "b", "a", "c")
    var inodes: Set<UInt64> = []
    for bot in ["a", "b", "c"] {
      #expect(fixture.names("inbox", of: bot) == ["5-\(id).json"])
      let status = try Directory(fixture.box("inbox", of: bot)).status("5-\(id).json")
      inodes.insert(try #require(status).inode)
    }
    #expect(inodes.count == 1)
    #expect(try fixture.events(.messageSent).count == 1)
    #expect(try fixture.events(.messageSent)[0].texts("recipients") == ["a", "b", "c"])
    // Each has a copy of its own to settle.
    #expect(try fixture.drain("b") == ["hello"])
    #expect(fixture.names("inbox", of: "a").count == 1)
    #expect(try fixture.drain("a") == ["hello"])
    #expect(try fixture.drain("c") == ["hello"])
  }

  @Test func `a broadcast reaches the team but not its sender`() throws {
    let fixture = try Fixture("a", "b", "c")
    try fixture.send("hello", to: "team", from: "b")
    #expect(try ["a", "b", "c"].map { try fixture.drain($0).count } == [1, 0, 1])
    #expect(try fixture.events(.messageSent)[0].message?.type == .broadcast)
    try fixture.send("again", to: "team")
    #expect(try ["a", "b", "c"].map { try fixture.drain($0).count } == [1, 1, 1])
    let alone = try Fixture("a")
    #expect(code { try alone.send("x", to: "team", from: "a") } == .notFound)
    #expect(try alone.events(.messageSent).isEmpty)
  }

  @Test func `a topic reaches its subscribers, a file each, whoever made it`() throws {
    let fixture = try Fixture("a", "b", "c", "d")
    let topic = try BotName(parsing: "builds")
    try fixture.spool.subscribe(fixture.bot("a"), to: topic)
    try fixture.spool.subscribe(fixture.bot("b"), to: topic)
    try fixture.spool.subscribe(fixture.bot("b"), to: topic)
    try Plain.write(fixture.path + "/topics/builds/c", "")
    try fixture.send("one", to: "#builds", from: "a")
    #expect(try ["a", "b", "c", "d"].map { try fixture.drain($0) } == [[], ["one"], ["one"], []])
    #expect(try fixture.spool.unsubscribe(fixture.bot("b"), from: topic))
    #expect(try !fixture.spool.unsubscribe(fixture.bot("b"), from: topic))
    try fixture.send("two", to: "#builds", "d")
    #expect(try ["a", "b", "c", "d"].map { try fixture.drain($0) } == [["two"], [], ["two"], ["two"]])
    #expect(try fixture.spool.topics() == [topic])
    #expect(try fixture.spool.subscribers(of: topic).map(\.description) == ["a", "c"])
    #expect(code { try fixture.send("x", to: "#nobody") } == .notFound)
    #expect(code { try fixture.send("x", to: "#Bad Name") } == .badData)
    #expect(code { try fixture.spool.subscribe(fixture.bot("missing"), to: topic) } == .noSuchBot)
  }

  @Test func `a subscriber that is no bot any more does not stop the others`() throws {
    let fixture = try Fixture("a", "b")
    let topic = try BotName(parsing: "builds")
    try fixture.spool.subscribe(fixture.bot("a"), to: topic)
    try fixture.spool.subscribe(fixture.bot("b"), to: topic)
    try Plain.write(fixture.path + "/topics/builds/notes.txt", "about this topic")
    TemporaryDirectory.removeTree(fixture.path + "/bots/b")
    try fixture.send("one", to: "#builds")
    #expect(try fixture.drain("a") == ["one"])
  }

  @Test func `an unknown bot is an error that names those that look like it`() throws {
    let fixture = try Fixture("coder", "tester")
    #expect(error { try fixture.send("x", to: "codr") }.contains("did you mean coder?"))
    #expect(error { try fixture.send("x", to: "tseter") }.contains("did you mean tester?"))
    #expect(error { try fixture.send("x", to: "zzzzzzzz") }.contains("there are: coder, tester"))
    #expect(code { try fixture.send("x", to: "codr") } == .noSuchBot)
    #expect(code { try fixture.send("x", to: "coder", "codr") } == .noSuchBot)
    #expect(code { try fixture.send("x", to: "../coder") } == .badData)
    #expect(code { try fixture.send("x", to: "-rf") } == .badData)
    #expect(code { try fixture.spool.send(Message(content: "x")) } == .badData)
    #expect(code { _ = try Inbox(fixture.spool, fixture.bot("codr")) } == .noSuchBot)
    #expect(code { _ = try fixture.spool.bot(named: "codr") } == .noSuchBot)
    // Nothing was sent to anybody.
    #expect(fixture.names("inbox").isEmpty && fixture.names("tmp").isEmpty)
    #expect(try fixture.events(.messageSent).isEmpty)
  }

  @Test func `a bot made by hand is a bot`() throws {
    let fixture = try Fixture()
    try shell("mkdir -p bots/hand/inbox", in: fixture.path)
    #expect(try fixture.spool.bots().map(\.description) == ["hand"])
    try fixture.send("hello", to: "hand")
    let inbox = try fixture.inbox("hand")
    let claim = try #require(try inbox.claim())
    #expect(claim.message.content == "hello")
    try fixture.spool.nack(claim.bot, claim.name)
    let again = try #require(try inbox.claim())
    try fixture.spool.bury(again.bot, again.name, reason: "enough")
    #expect(try fixture.spool.deadLetters(of: fixture.bot("hand")).map(\.reason) == ["enough"])
  }

  @Test func `a message that is too large is refused whole, and one that just fits is sent`() throws {
    let fixture = try Fixture("coder")
    let large = String(repeating: "x", count: Message.bytesMax)
    #expect(code { try fixture.send(large) } == .badData)
    #expect(fixture.names("tmp").isEmpty && fixture.names("inbox").isEmpty)
    #expect(try fixture.events(.messageSent).isEmpty)
    // The file ends with a line feed, which counts.
    try fixture.send("")
    let overhead = try #require(Plain.size(fixture.box("inbox") + "/" + fixture.names("inbox")[0]))
    #expect(try fixture.drain() == [""])
    let largest = Message.bytesMax - overhead
    #expect(code { try fixture.send(String(repeating: "x", count: largest + 1)) } == .badData)
    try fixture.send(String(repeating: "x", count: largest))
    #expect(Plain.size(fixture.box("inbox") + "/" + fixture.names("inbox")[0]) == Message.bytesMax)
    #expect(try fixture.drain().map(\.utf8.count) == [largest])
  }

  @Test func `many senders at once deliver every message once`() throws {
    let fixture = try Fixture("coder") { $0.segmentBytesMax = 65536 }
    let spool = fixture.spool
    let failures = Mutex<[String]>([])
    try Thread.run(
      (0..<8).map { sender in
        { @Sendable in
          do {
            for number in 0..<50 {
              var message = Message(content: "\(sender)-\(number)")
              message.to = ["coder"]
              try spool.send(message, durability: number % 2 == 0 ? .durable : .relaxed)
            }
          } catch { failures.withLock { $0.append("\(error)") } }
        }
      })
    #expect(failures.withLock { $0 } == [])
    let contents = try fixture.drain()
    #expect(contents.count == 400)
    #expect(Set(contents).count == 400)
    #expect(try fixture.events(.messageSent).count == 400)
  }

  @Test(arguments: [("renameat", ["coder"]), ("renameat", ["b", "coder"]), ("linkat", ["b", "coder"])])
  func `a sender whose file was taken from under it still delivers what it says yes to`(
    call: String, recipients: [String]
  ) throws {
    // As when it was stopped for longer than a lease, and its file in tmp/ was taken for a dead sender's.
    let fixture = try Fixture("coder", "b")
    let (path, trace) = (fixture.path, fixture.home("trace"))
    func run(fault: String) throws {
      let environment = fault.isEmpty ? ["SPOOL_FAULT_TRACE": trace] : ["SPOOL_FAULT": fault]
      let outcome = try OwnProcess.run("send", [path, fault, ""] + recipients, environment: environment)
      #expect(outcome.isDone, "\(outcome)")
    }
    try run(fault: "")
    let calls = try Plain.text(trace).split(separator: "\n").map(String.init)
    let place = try #require(calls.lastIndex(of: call)) + 1
    #expect(place > 10)
    #expect(try recipients.map { try fixture.drain($0) } == recipients.map { _ in [""] })
    try run(fault: "\(ENOENT):\(place)")
    let fault = "\(ENOENT):\(place)"
    #expect(recipients.map { fixture.names("inbox", of: $0).count } == recipients.map { _ in 1 })
    #expect(try recipients.map { try fixture.drain($0) } == recipients.map { _ in [fault] })
  }

  @Test func `what is in bots and has no inbox gets nothing, keeps nobody from it, and is no bot after recovery`()
    throws
  {
    let fixture = try Fixture("b", "c", "d")
    for name in ["a", "bb", "z"] { #expect(mkdir(fixture.path + "/bots/\(name)", 0o755) == 0) }
    try Plain.write(fixture.path + "/bots/notes", "x")
    let id = try fixture.send("all", to: "team", from: "d")
    #expect(fixture.names("inbox", of: "b") == ["5-\(id).json"] && fixture.names("inbox", of: "c") == ["5-\(id).json"])
    #expect(fixture.names("inbox", of: "d").isEmpty && fixture.names("tmp", of: "b").isEmpty)
    #expect(try fixture.rebooted().recovery?.count == 0)
    #expect(try fixture.spool.bots().map(\.description) == ["b", "c", "d"])
    for name in ["b", "c"] { TemporaryDirectory.removeTree(fixture.path + "/bots/\(name)") }
    #expect(code { try fixture.send("nobody", to: "team", from: "d") } == .notFound)
  }
}
