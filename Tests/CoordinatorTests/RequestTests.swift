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

  @Test func `a request with a part that can't be read is answered with an error`() throws {
    let stage = try stage()
    for domain in ["development", "quality"] { try stage.bot("\(domain)-bot", domain: domain, capacity: 9) }
    let id = try stage.ask("Build a login system with security review")
    var damaged: TaskEntry?
    #expect(
      try stage.turns {
        try stage.work()
        // The first that is done, while others aren't.
        if damaged == nil, let done = try stage.spool.tasks(in: [.completed]).first {
          damaged = done
          try Plain.write("\(stage.path)/\(done.path)", "{")
        }
        return try !stage.messages(to: "human").isEmpty
      })
    let answer = try #require(try stage.messages(to: "human").first)
    #expect(answer.type == .error && answer.inReplyTo == id.description)
    #expect(answer.content?.contains(try #require(damaged).path) == true, "\(answer.content ?? "")")
    #expect(try stage.turns { try stage.spool.findTask(Goal.id(for: id))?.state == .failed })
  }

  @Test(arguments: ["~1", ""])
  func `a request whose coordinator died before its plan was whole is planned to the end, and nothing twice`(
    attempt: String
  ) throws {
    let planned = try self.stage()
    let id = try planned.ask("Build a login system with security review")
    #expect(try planned.turns { try planned.spool.findTask(Goal.id(for: id)) != nil })
    let goal = try #require(try planned.spool.task(Goal.id(for: id)))
    let children = try planned.spool.children(of: goal.record)
    // As though it had died after its first step, which was done meanwhile: the request isn't acked.
    let stage = try stage()
    for domain in ["development", "quality"] { try stage.bot("\(domain)-bot", domain: domain, capacity: 9) }
    let sent = try #require(try History(planned.spool).sent(id)?.messageBytes)
    try Plain.write("\(stage.path)/bots/coordinator/inbox/5-\(id)\(attempt).json", sent + [10])
    try #require(try stage.spool.addOnce(goal.record) != nil)
    let first = try #require(try stage.spool.addOnce(children[0].record))
    let started = try #require(try stage.spool.start(first, bot: BotName(parsing: "quality-bot"), worker: nil))
    try #require(try stage.spool.complete(started, result: JSONText(string: "done")) != nil)
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

  @Test func `a request that failed is answered again when a part of it is tried again`() throws {
    let stage = try stage()
    try stage.bot("coder", capacity: 100)
    let id = try stage.ask("Build and test a feature to track user engagement")
    #expect(
      try stage.turns {
        try stage.work { _ in nil }
        return try stage.spool.findTask(Goal.id(for: id))?.state == .failed
      })
    func answers() throws -> [MessageType?] {
      try stage.messages(to: "human").filter { $0.inReplyTo == id.description }.map(\.type)
    }
    #expect(try answers() == [.error])
    let goal = try #require(try stage.spool.task(Goal.id(for: id)))
    let failed = try #require(try stage.spool.children(of: goal.record).first { $0.state == .failed })
    _ = try stage.spool.retryWithRelatives(failed.entry)
    #expect(
      try stage.turns {
        try stage.work()
        return try stage.spool.findTask(Goal.id(for: id))?.state == .completed
      })
    #expect(try answers() == [.error, .response])
  }

  @Test func `a request that was cancelled and brought back is answered once more, with what came of it`() throws {
    let stage = try Stage()
    try stage.bot("coder", domain: "development")
    try stage.spool.register(Card(name: Coordinator.human))
    let id = try stage.ask("Build and test a parser")
    #expect(try stage.turns { try stage.spool.findTask(Goal.id(for: id)) != nil })
    func answers(_ type: MessageType) throws -> [Message] {
      try stage.messages(to: "human").filter { $0.inReplyTo == id.description && $0.type == type }
    }
    _ = try stage.spool.cancelWithChildren(try #require(try stage.spool.findTask(Goal.id(for: id))))
    #expect(try stage.turns { try answers(.error).count == 1 })
    _ = try stage.spool.retryWithRelatives(try #require(try stage.spool.findTask(Goal.id(for: id))))
    #expect(
      try stage.turns {
        try stage.work()
        return try answers(.response).count == 1
      })
    #expect(try answers(.error).count == 1)
  }

  @Test(arguments: ["cancel", "mv"])
  func `a request that somebody cancelled is answered, and its parts with it`(how: String) throws {
    let stage = try stage()
    let id = try stage.ask("Build and test a feature to track user engagement")
    #expect(
      try stage.turns {
        try stage.spool.findTask(Goal.id(for: id)) != nil && stage.spool.entries(of: Coordinator.bot).isEmpty
      })
    let goal = try #require(try stage.spool.task(Goal.id(for: id)))
    #expect(try stage.spool.descendants(of: goal.id).count == goal.record.children.count)
    if how == "cancel" {
      #expect(try stage.spool.cancelWithChildren(goal.entry).count == goal.record.children.count + 1)
    } else {
      let name = goal.entry.name.description
      #expect(rename("\(stage.path)/tasks/blocked/\(name)", "\(stage.path)/tasks/cancelled/\(name)") == 0)
    }
    #expect(
      try stage.turns { try stage.messages(to: "human").count == 1 && stage.spool.tasks(in: TaskState.live).isEmpty })
    let answer = try #require(try stage.messages(to: "human").first)
    #expect(
      answer.type == .error && answer.inReplyTo == id.description && answer.content?.contains("cancelled") == true)
    #expect(try stage.spool.tasks(in: [.cancelled]).count == goal.record.children.count + 1)
  }

  @Test func `results that are too long together are answered with where they are`() throws {
    let stage = try stage()
    try stage.bot("coder", capacity: 100)
    let id = try stage.ask("Build and test a feature to track user engagement")
    let long = String(repeating: "x", count: 2 << 20)
    #expect(
      try stage.turns {
        try stage.work { _ in long }
        return try stage.spool.findTask(Goal.id(for: id))?.state == .completed
      })
    let answer = try #require(try stage.messages(to: "human").first)
    #expect(answer.type == .response && answer.content?.contains("spool task tree \(Goal.id(for: id))") == true)
  }

  @Test(arguments: [
    ("Should we migrate to microservices?", "nobody is there"),
    ("Build and test a feature " + String(repeating: "x", count: 900_000), "bytes"),
  ])
  func `a request that nothing can come of is answered at once`(text: String, why: String) throws {
    let stage = try stage()
    let id = try stage.ask(text)
    #expect(try stage.turns { try !stage.messages(to: "human").isEmpty })
    let answer = try #require(try stage.messages(to: "human").first)
    #expect(answer.type == .error && answer.inReplyTo == id.description && answer.content?.contains(why) == true)
    #expect(try stage.turns { try stage.spool.count(Coordinator.bot).dead == 1 })
    #expect(try stage.spool.tasks().isEmpty)
  }

  @Test func `a title is a line, and short, whatever characters it has`() {
    #expect(Requests.title("one\ntwo") == "one")
    #expect(Requests.title(String(repeating: "x", count: 101)) == String(repeating: "x", count: 99) + "…")
    let families = Requests.title(String(repeating: "👨‍👩‍👧‍👦", count: 100))
    #expect(families.utf8.count <= TaskRecord.titleBytesMax && families.hasSuffix("👨‍👩‍👧‍👦…"))
    #expect(Requests.title("e" + String(repeating: "\u{301}", count: 2000)) == "…")
  }

  @Test func `a greeting is answered directly`() throws {
    let stage = try stage()
    try stage.ask("Hello!")
    #expect(try stage.turns { try stage.messages(to: "human").first?.content?.hasPrefix("Hello") == true })
    #expect(try stage.spool.tasks().isEmpty)
  }

  @Test func `a short question of no field is a task, and no small talk`() throws {
    let stage = try stage()
    try stage.bot("clerk")
    try stage.ask("What is the capital of France?")
    #expect(
      try stage.turns {
        try stage.work { _ in "Paris" }
        return try stage.messages(to: "human").first?.content == "Paris"
      })
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

  @Test(arguments: [
    ("exit 3", "the planner: exit status 3"), ("echo nonsense", "the planner printed no workflow"),
    ("echo '{\"steps\":[]}'", "the planner printed no workflow"), ("sleep 60", "the planner took too long"),
    (
      #"echo '{"title":"t","steps":[{"name":"a","title":"a"},{"name":"b","title":"b","assign_to":"nobody"}]}'"#,
      "nobody"
    ),
  ])
  func `a planner that fails, or prints what is no plan, is an error to whoever asked`(
    program: String, why: String
  ) throws {
    var options = CoordinatorOptions()
    options.planner = shell(program)
    options.programSeconds = 1
    let stage = try stage(options)
    try stage.bot("coder")
    let id = try stage.ask("Build a login system with security review")
    #expect(try stage.turns { try !stage.messages(to: "human").isEmpty })
    let answer = try #require(try stage.messages(to: "human").first)
    #expect(answer.type == .error && answer.inReplyTo == id.description)
    #expect(answer.content?.contains(why) == true, "\(answer.content ?? "")")
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

  @Test func `a request whose plan would be too long is answered with the cause and the cure`() throws {
    let stage = try stage()
    try stage.bot("coder", domain: "development")
    try stage.ask(String(repeating: "build ", count: 300_000))
    #expect(try stage.turns { try !stage.messages(to: "human").isEmpty })
    let answer = try #require(try stage.messages(to: "human").first)
    #expect(answer.type == .error)
    #expect(
      answer.content?.hasPrefix("the request has 1800000 bytes, and its plan would have ") == true
        && answer.content?.contains("file") == true, "\(answer.content ?? "")")
  }
}
