import Glibc
import Linux
import Spool
import SpoolFormat
import TestSupport
import TestThreads
import Testing

@testable import Coordinator

@Suite(.waiting) struct DiscussionTests {
  private func stage() throws -> Stage {
    var options = CoordinatorOptions()
    options.discussionSeconds = 20
    let stage = try Stage(options)
    try stage.spool.register(Card(name: Coordinator.human))
    return stage
  }

  @Test(arguments: ["a reply", "a message", "an answer after a restart"])
  func `a second question in a conversation is answered with its own answers`(what: String) throws {
    let stage = try stage()
    // Of another host the clock may be behind, and more of the log is read.
    if what == "a message" { #expect(mkdir("\(stage.path)/log/elsewhere", 0o755) == 0) }
    var coordinator = stage.coordinator
    try stage.bot("ada", takes: .messages)
    func question(_ text: String) throws -> Message {
      #expect(
        try stage.turns(coordinator) { try stage.messages(to: "ada").contains { $0.content?.hasPrefix(text) == true } })
      return try #require(try stage.messages(to: "ada").first { $0.content?.hasPrefix(text) == true })
    }
    func answer(to id: MessageID) throws -> Message? {
      try stage.messages(to: "human").first { $0.inReplyTo == id.description }
    }
    let first = try stage.ask("Should we migrate to microservices?", conversation: "r1")
    let old = try question("Should we migrate")
    func say(_ text: String, to question: Message) throws {
      var reply = try stage.spool.reply(to: question, from: "ada", Message(content: text))
      if what == "a message" { reply.inReplyTo = nil }
      try stage.spool.send(reply)
    }
    try say("Yes, they scale.", to: old)
    #expect(try stage.turns { try answer(to: first) != nil })

    let second = try stage.ask("Should we hire?", conversation: "r1")
    let new = try question("Should we hire")
    // This one was for the first, whoever sent it when.
    try stage.spool.send(stage.spool.reply(to: old, from: "ada", Message(content: "Yes, once more.")))
    if what == "an answer after a restart" { coordinator = try stage.restarted() }
    #expect(try stage.turns(coordinator) { try stage.spool.findTask(Goal.id(for: second))?.state == .inProgress })
    coordinator.requests.discussions.lookAgain()
    coordinator.turn(Clock.sinceBoot())
    #expect(try stage.spool.findTask(Goal.id(for: second))?.state == .inProgress)

    try say("Not this year.", to: new)
    #expect(try stage.turns(coordinator) { try answer(to: second) != nil })
    let text = try #require(try answer(to: second)?.content)
    #expect(text.contains("Not this year") && !text.contains("Yes"))
  }

  @Test func `who can't be asked, and whose answer can't be read, keeps nobody from the rest`() throws {
    var options = CoordinatorOptions()
    options.discussionSeconds = 3
    let stage = try Stage(options)
    try stage.spool.register(Card(name: Coordinator.human))
    for name in ["ada", "full"] { try stage.bot(name, takes: .messages) }
    try stage.bot("torn")
    var card = try stage.spool.card(of: BotName(parsing: "full"))
    card.inboxLimits.messages = 1
    try stage.spool.register(card)
    var message = Message(content: "it waits")
    (message.from, message.to) = ("human", ["full"])
    try stage.spool.send(message)
    let id = try stage.ask("Should we migrate to microservices?")
    #expect(try stage.turns { try !stage.messages(to: "ada").isEmpty })
    let question = try #require(try stage.messages(to: "ada").first)
    try stage.spool.send(stage.spool.reply(to: question, from: "ada", Message(content: "Yes, they scale.")))
    let part = try #require(try stage.spool.tasks(in: [.assigned]).first { $0.bot == "torn" })
    let started = try #require(try stage.spool.start(part, bot: "torn", worker: stage.spool.holder))
    let done = try #require(try stage.spool.complete(started, result: JSONText(string: "No.")))
    try Plain.write("\(stage.path)/\(done.path)", "{")
    func answer() throws -> Message? { try stage.messages(to: "human").first { $0.inReplyTo == id.description } }
    #expect(try stage.turns { try answer() != nil })
    #expect(try #require(try answer()?.content).contains("they scale"))
    #expect(try stage.messages(to: "full").count == 1)
  }

  @Test func `an outcome that is too long for a message is answered with where it is`() throws {
    let stage = try stage()
    for name in ["ada", "bob", "cyd"] { try stage.bot(name) }
    let id = try stage.ask("Should we migrate to microservices?")
    let long = "Yes. " + String(repeating: "x", count: 2 << 20)
    #expect(
      try stage.turns {
        try stage.work { _ in long }
        return try stage.spool.findTask(Goal.id(for: id))?.state == .completed
      })
    let answer = try #require(try stage.messages(to: "human").first)
    #expect(answer.type == .response && answer.inReplyTo == id.description)
    #expect(answer.content?.contains("spool task tree \(Goal.id(for: id))") == true)
  }

  @Test func `a discussion that was cancelled isn't answered, and once more it is`() throws {
    let stage = try stage()
    try stage.bot("ada", takes: .messages)
    let id = Goal.id(for: try stage.ask("Should we migrate to microservices?"))
    #expect(try stage.turns { try stage.spool.findTask(id)?.state == .inProgress })
    let question = try #require(try stage.messages(to: "ada").first)
    _ = try stage.spool.cancel(try #require(try stage.spool.findTask(id)))
    try stage.spool.send(stage.spool.reply(to: question, from: "ada", Message(content: "Yes, they scale.")))
    stage.coordinator.requests.discussions.lookAgain()
    #expect(try stage.turns { try !stage.messages(to: "human").isEmpty && stage.coordinator.requests.isIdle })
    #expect(try stage.messages(to: "human").map(\.content) == ["The request was cancelled"])
    _ = try stage.spool.retryWithRelatives(try #require(try stage.spool.findTask(id)))
    #expect(try stage.turns { try stage.spool.findTask(id)?.state == .completed })
    #expect(try stage.messages(to: "human").last?.content?.contains("they scale") == true)
  }

  @Test func `a person isn't asked to vote once more for a bot whose vote failed`() throws {
    var options = CoordinatorOptions()
    options.discussionSeconds = 2
    let stage = try Stage(options)
    try stage.spool.register(Card(name: Coordinator.human))
    try stage.bot("torn")
    let id = Goal.id(for: try stage.ask("Should we migrate to microservices?"))
    #expect(try stage.turns { try stage.spool.tasks(in: [.assigned]).contains { $0.bot == "torn" } })
    try stage.work { _ in nil }
    #expect(try stage.turns { try stage.spool.findTask(id)?.state == .completed })
    #expect(try stage.turns { stage.coordinator.outcomes.isCurrent && stage.coordinator.toTell.isEmpty })
    #expect(try stage.events(.taskFailed).count == 1)
    #expect(try stage.messages(to: "human").map(\.type) == [.response])
  }
}
