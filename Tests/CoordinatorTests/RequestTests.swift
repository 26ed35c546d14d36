import Glibc
import Linux
import Spool
import SpoolFormat
import TestSupport
import TestThreads
import Testing

@testable import Coordinator

@Suite(.waiting) struct RequestTests {
  private func stage(_ options: CoordinatorOptions = CoordinatorOptions()) throws -> Stage {
    let stage = try Stage(options)
    try stage.spool.register(Card(name: Coordinator.human))
    return stage
  }

  @Test func `a request becomes tasks, and their results an answer in its conversation`() throws {
    let stage = try stage()
    for domain in ["development", "design", "quality", "operations", "research", "writing", "data"] {
      try stage.bot("\(domain)-bot", domain: domain)
    }
    let id = try stage.ask("Build and launch a mobile app for fitness tracking")
    #expect(
      try stage.turns {
        try stage.work()
        return try !stage.messages(to: "human").isEmpty
      })
    let answer = try #require(try stage.messages(to: "human").first)
    #expect(answer.inReplyTo == id.description && answer.type == .response && answer.conversation == id.description)
    #expect(try stage.turns { try stage.spool.findTask(Goal.id(for: id))?.state == .completed })
    let goal = try #require(try stage.spool.task(Goal.id(for: id)))
    #expect(goal.record.children.count >= 3)
    for child in try stage.spool.children(of: goal.record) {
      #expect(child.state == .completed)
      #expect(answer.content?.contains(child.record.result!.value.string!) == true)
    }
    #expect(try stage.turns { try stage.spool.entries(of: Coordinator.bot).isEmpty })
  }

  @Test func `a request whose coordinator died before its plan was whole is planned to the end, and nothing twice`()
    throws
  {
    let stage = try stage()
    for domain in ["development", "quality"] { try stage.bot("\(domain)-bot", domain: domain, capacity: 9) }
    let id = try stage.ask("Build a login system with security review")
    #expect(try stage.turns { try stage.spool.findTask(Goal.id(for: id)) != nil })
    let goal = try #require(try stage.spool.task(Goal.id(for: id)))
    // As though it had died before its last step: the request isn't acked, and a child isn't there yet.
    let child = try #require(goal.record.children.last)
    let last = try #require(try stage.spool.findTask(child))
    #expect(unlink("\(stage.path)/\(last.path)") == 0)
    let sent = try #require(try History(stage.spool).sent(id)?.messageBytes)
    try Plain.write("\(stage.path)/bots/coordinator/inbox/5-\(id)~1.json", sent + [10])
    let next = try stage.restarted()
    #expect(
      try stage.turns(next) {
        try stage.work()
        return try stage.messages(to: "human").count == 1 && stage.spool.entries(of: Coordinator.bot).isEmpty
      })
    #expect(try stage.turns(next) { try stage.spool.tasks(in: TaskState.live).isEmpty })
    #expect(try stage.messages(to: "human").count == 1)
    #expect(try stage.spool.tasks().count == goal.record.children.count + 1)
    #expect(try stage.events(.taskCompleted).count == goal.record.children.count + 1)
  }

  @Test func `what can't be done is answered with what was done and why the rest wasn't`() throws {
    let stage = try stage()
    try stage.bot("coder", capacity: 100)
    let id = try stage.ask("Build and test a feature to track user engagement")
    var isFirst = true
    #expect(
      try stage.turns {
        try stage.work { task in
          defer { isFirst = false }
          return isFirst ? "the first part: \(task.step ?? "")" : nil
        }
        return try stage.messages(to: "human").contains { $0.inReplyTo == id.description }
      })
    let answer = try #require(try stage.messages(to: "human").first { $0.inReplyTo == id.description })
    #expect(answer.type == .error && answer.content?.contains("it can't be done") == true)
    #expect(answer.content?.contains("the first part") == true)
    #expect(try stage.turns { try stage.spool.findTask(Goal.id(for: id))?.state == .failed })
  }

  @Test func `a greeting is answered directly`() throws {
    let stage = try stage()
    try stage.ask("Hello!")
    #expect(try stage.turns { try stage.messages(to: "human").first?.content?.hasPrefix("Hello") == true })
    #expect(try stage.spool.tasks().isEmpty)
  }

  @Test func `a question is put to who answers messages and who does tasks, and ends in a tally`() throws {
    var options = CoordinatorOptions()
    options.discussionSeconds = 20
    let stage = try stage(options)
    try stage.bot("ada", takes: .messages)
    try stage.bot("bob", takes: .messages)
    try stage.bot("cyd", takes: .tasks)
    let id = try stage.ask("Should we migrate to microservices?")
    #expect(try stage.turns { try !stage.messages(to: "ada").isEmpty })
    for (bot, says) in [("ada", "No: we are three people."), ("bob", "Yes, it scales.")] {
      let question = try #require(try stage.messages(to: bot).first)
      #expect(question.type == .discussion && question.content?.contains("microservices") == true)
      try stage.spool.send(stage.spool.reply(to: question, from: bot, Message(content: says)))
    }
    #expect(
      try stage.turns {
        try stage.work { _ in "no, not now" }
        return try !stage.messages(to: "human").isEmpty
      })
    let answer = try #require(try stage.messages(to: "human").first)
    #expect(answer.inReplyTo == id.description)
    for name in ["ada", "bob", "cyd"] { #expect(answer.content?.contains(name) == true) }
    #expect(try stage.turns { try stage.spool.findTask(Goal.id(for: id))?.state == .completed })
  }

  @Test func `a discussion ends at its deadline, and names who was silent`() throws {
    var options = CoordinatorOptions()
    options.discussionSeconds = 0.3
    let stage = try stage(options)
    try stage.bot("ada", takes: .messages)
    try stage.bot("mute", takes: .tasks)
    try stage.ask("Should we migrate to microservices?")
    #expect(try stage.turns { try !stage.messages(to: "ada").isEmpty })
    let question = try #require(try stage.messages(to: "ada").first)
    try stage.spool.send(stage.spool.reply(to: question, from: "ada", Message(content: "Yes.")))
    #expect(try stage.turns { try !stage.messages(to: "human").isEmpty })
    #expect(try stage.messages(to: "human").first?.content?.contains("mute") == true)
    #expect(try stage.turns { try stage.spool.tasks(in: TaskState.live).isEmpty })
  }

  private func shell(_ text: String) -> [String] { ["/bin/sh", "-c", text] }

  @Test func `programs analyse and plan in place of the built-in rules`() throws {
    var options = CoordinatorOptions()
    options.analyzer = shell(
      #"cat >/dev/null; echo '{"complexity":"low","domains":["data"],"requires_team":false,"#
        + #""recommended_approach":"route_to_specialist","reasons":["it says so"]}'"#)
    options.planner = shell(
      #"cat >/dev/null; echo '{"title":"t","steps":[{"name":"only","title":"the only step","domain":"data"}]}'"#)
    let stage = try stage(options)
    try stage.bot("dora", domain: "data")
    let id = try stage.ask("whatever")
    #expect(
      try stage.turns {
        try stage.work()
        return try !stage.messages(to: "human").isEmpty
      })
    let goal = try #require(try stage.spool.task(Goal.id(for: id)))
    #expect(try stage.spool.children(of: goal.record).map(\.record.title) == ["the only step"])
  }

  @Test(arguments: ["exit 3", "echo nonsense", "echo '{\"steps\":[]}'", "sleep 60"])
  func `a planner that fails, or prints what is no plan, is an error to whoever asked`(program: String) throws {
    var options = CoordinatorOptions()
    options.planner = shell(program)
    options.programSeconds = 1
    let stage = try stage(options)
    try stage.bot("coder")
    let id = try stage.ask("Build a login system with security review")
    #expect(try stage.turns { try !stage.messages(to: "human").isEmpty })
    let answer = try #require(try stage.messages(to: "human").first)
    #expect(answer.type == .error && answer.inReplyTo == id.description)
    #expect(try stage.spool.tasks().isEmpty)
    #expect(try stage.spool.count(Coordinator.bot).dead == 1)
  }

  @Test func `a status message is answered, and a broadcast passed on to all`() throws {
    let stage = try stage()
    try stage.bot("coder", takes: .messages)
    var message = Message(content: "how are you?")
    message.from = "human"
    message.to = ["coordinator"]
    message.type = .status
    try stage.spool.send(message)
    #expect(try stage.turns { try !stage.messages(to: "human").isEmpty })
    let status = try #require(try stage.messages(to: "human").first?.data?.value)
    #expect(status["tasks"]?["pending"]?.int == 0 && status["components"]?["watching"]?.string != nil)
    message.type = .broadcast
    message.content = "lunch"
    try stage.spool.send(message)
    #expect(try stage.turns { try stage.messages(to: "coder").contains { $0.content == "lunch" } })
  }
}
