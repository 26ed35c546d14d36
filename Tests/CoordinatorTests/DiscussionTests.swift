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

  @Test func `what can't be read at the deadline is looked at again a second later`() throws {
    var options = CoordinatorOptions()
    options.discussionSeconds = 2
    let stage = try Stage(options)
    try stage.bot("ada")
    let id = try stage.ask("Should we migrate to microservices?")
    #expect(try stage.turns { try !stage.spool.tasks(in: [.assigned]).isEmpty })
    let question = try #require(try stage.spool.tasks(in: [.assigned]).first { $0.bot != Coordinator.bot })
    try Plain.write("\(stage.path)/\(question.path)", "{")
    #expect(try stage.turns { stage.problems.contains { $0.contains(question.id.description) } })
    let end = Clock.sinceBoot() + 2_000_000_000
    var (turns, turnsDue) = (0, 0)
    while Clock.sinceBoot() < end {
      stage.coordinator.turn(Clock.sinceBoot())
      if stage.coordinator.requests.discussions.nextDue <= Clock.sinceBoot() { turnsDue += 1 }
      try stage.coordinator.sleep(until: end)
      turns += 1
    }
    #expect(turnsDue * 2 < turns)
    #expect(try stage.spool.findTask(Goal.id(for: id))?.state == .inProgress)
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
}
