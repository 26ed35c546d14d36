import Glibc
import Linux
import SpoolFormat
import TestSupport
import Testing

@testable import Spool

@Suite struct ConversationTests {
  @Test func `a reply goes to the sender, in the conversation, with the id it answers`() throws {
    let fixture = try Fixture("coder", "ann")
    let id = try fixture.send("question", to: "coder", from: "ann") { $0.priority = Priority(value: 8) }
    let claim = try #require(try fixture.inbox().claim())
    let reply = try fixture.spool.reply(to: claim.message, from: "coder", Message(content: "answer"))
    #expect(reply.to == ["ann"])
    #expect(reply.inReplyTo == id.description)
    #expect(reply.conversation == id.description)
    #expect(reply.type == .response)
    #expect(reply.priority?.value == 8)
    try fixture.spool.send(reply)
    let received = try #require(try fixture.inbox("ann").claim())
    let back = try fixture.spool.reply(to: received.message, from: "ann", Message(content: "thanks"))
    #expect(back.conversation == id.description)
    try fixture.spool.send(back)
    let thread = try History(fixture.spool).thread(id.description)
    #expect(thread.compactMap { $0.message?.content } == ["question", "answer", "thanks"])
    #expect(code { _ = try fixture.spool.reply(to: Message(content: "x"), from: "coder", Message()) } == .badData)
  }

  /// Answers what comes to `coder`, on a thread of its own.
  private func answer(_ fixture: Fixture, count: Int, _ make: @escaping @Sendable (Spool, Claim) throws -> Void) throws
  {
    let spool = fixture.spool
    let bot = try fixture.bot()
    try Thread.detach {
      do {
        let inbox = try Inbox(spool, bot)
        for _ in 0..<count {
          guard let claim = try inbox.receive(waiting: 30) else { return }
          try make(spool, claim)
          try spool.ack(claim.bot, claim.name)
        }
      } catch { Issue.record(error) }
    }
  }

  @Test func `a request gets its own answer, and leaves other messages where they are`() throws {
    let fixture = try Fixture("coder", "ann")
    try answer(fixture, count: 2) { spool, claim in
      var stranger = Message(content: "by the way")
      stranger.to = ["ann"]
      try spool.send(stranger)
      let text = "answer to \(claim.message.content ?? "")"
      try spool.send(spool.reply(to: claim.message, from: "coder", Message(content: text)))
    }
    for question in ["one", "two"] {
      var message = Message(content: question)
      message.to = ["coder"]
      message.from = "ann"
      let result = try fixture.spool.request(message, waiting: 30)
      #expect(result.answer?.content == "answer to \(question)")
      #expect(result.answer?.inReplyTo == result.id.description)
    }
    #expect(try fixture.drain("ann") == ["by the way", "by the way"])
    #expect(fixture.names("claimed", of: "ann").isEmpty)
  }

  @Test func `an answer that nobody could see stays in the inbox`() throws {
    let fixture = try Fixture("coder", "ann")
    try answer(fixture, count: 1) { spool, claim in
      try spool.send(spool.reply(to: claim.message, from: "coder", Message(content: "lost?")))
    }
    var message = Message(content: "question")
    message.to = ["coder"]
    message.from = "ann"
    let problem = SpoolError(.inputOutput, "not shown")
    #expect(
      code { _ = try fixture.spool.request(message, waiting: 30, settling: { _ in throw problem }) } == .inputOutput)
    #expect(try fixture.drain("ann") == ["lost?"])
  }

  @Test func `an answer that is dropped by hand is an answer, and is kept in the log`() throws {
    let fixture = try Fixture("coder", "ann")
    let inbox = fixture.box("inbox", of: "ann")
    try answer(fixture, count: 1) { _, claim in
      let id = claim.message.id?.description ?? ""
      try shell(
        "printf '{\"content\":\"by hand\",\"response_to_id\":\"%s\"}' \(id) > half; mv half \(inbox)/answer.json",
        in: fixture.home.path)
    }
    var message = Message(content: "question")
    message.to = ["coder"]
    message.from = "ann"
    let result = try fixture.spool.request(message, waiting: 30)
    #expect(result.answer?.content == "by hand")
    let sent = try fixture.events(.messageSent)
    #expect(sent.compactMap { $0.message?.content } == ["question", "by hand"])
    #expect(try fixture.kinds(of: try #require(result.answer?.id)) == [.messageSent, .messageClaimed, .messageAcked])
  }

  @Test func `a request without an answer ends after its time, with its id`() throws {
    let fixture = try Fixture("coder", "ann")
    var message = Message(content: "question")
    message.to = ["coder"]
    message.from = "ann"
    let result = try fixture.spool.request(message, waiting: 0.05)
    #expect(result.answer == nil)
    #expect(fixture.names("inbox") == ["5-\(result.id).json"])
    message.from = nil
    #expect(code { _ = try fixture.spool.request(message, waiting: 0) } == .badData)
    message.from = "nobody"
    #expect(code { _ = try fixture.spool.request(message, waiting: 0) } == .noSuchBot)
  }

  @Test func `an answer that a worker of the one who asked took is an answer all the same`() throws {
    let fixture = try Fixture("coder", "ann")
    let (coder, worker) = (try fixture.inbox(), try fixture.inbox("ann"))
    var message = Message(content: "question")
    message.to = ["coder"]
    message.from = "ann"
    var shown: [String?] = []
    // Taken before who asked looks again, and not settled yet.
    func answer() throws {
      guard let claim = try coder.claim() else { return }
      try fixture.spool.send(fixture.spool.reply(to: claim.message, from: "coder", Message(content: "taken")))
      _ = try #require(try worker.claim())
    }
    let result = try fixture.spool.request(
      message, waiting: 20, meanwhile: { _ in #expect(throws: Never.self) { try answer() } },
      settling: { shown.append($0.content) })
    #expect(result.answer?.content == "taken" && shown == ["taken"])
    #expect(result.answer?.from == "coder" && result.answer?.id != nil)
    // It stays whose it is.
    #expect(fixture.names("claimed", of: "ann").count == 1 && fixture.names("inbox", of: "ann").isEmpty)
  }

  @Test func `an answer is handed out neither before its time nor after it`() throws {
    let fixture = try Fixture("coder", "ann")
    let spool = fixture.spool
    try answer(fixture, count: 1) { spool, claim in
      func send(_ content: String, _ change: (inout Message) -> Void) throws {
        var reply = try spool.reply(to: claim.message, from: "coder", Message(content: content))
        change(&reply)
        try spool.send(reply)
      }
      try send("over") { $0.expiresAt = spool.now().advanced(bySeconds: -1) }
      try send("later") { $0.notBefore = spool.now().advanced(bySeconds: 0.4) }
    }
    var message = Message(content: "question")
    message.to = ["coder"]
    message.from = "ann"
    let result = try spool.request(message, waiting: 20)
    #expect(result.answer?.content == "later")
    #expect(try #require(result.answer?.notBefore) <= spool.now())
    let claimed = try #require(try fixture.events(.messageClaimed).last)
    #expect(claimed.subject == result.answer?.id?.description)
    #expect(try #require(claimed.number("waited_us")) < 10_000_000)
    #expect(fixture.names("inbox", of: "ann").count == 1)
  }

  @Test func `near matches are the nearest, three at most`() {
    #expect(NearMatch.of("codr", among: ["coder", "tester", "cod"]) == ["cod", "coder"])
    #expect(NearMatch.of("cdoer", among: ["coder"]) == ["coder"])
    #expect(NearMatch.of("expires-in", among: ["expires", "explain", "json"]) == ["expires"])
    #expect(NearMatch.of("test", among: ["tester-long-name", "zebra"]) == ["tester-long-name"])
    #expect(NearMatch.of("x", among: (0..<10).map { "x\($0)" }).count == 3)
    #expect(NearMatch.of("", among: ["abc"]) == [])
    #expect(NearMatch.distance("", "abc") == 3)
    #expect(NearMatch.distance("kitten", "sitting") == 3)
    #expect(NearMatch.distance("ab", "ba") == 1)
  }
}
