import Glibc
import Linux
import Spool
import SpoolFormat
import TestSupport
import TestThreads
import Testing

@testable import Coordinator

@Suite(.waiting) struct CoordinatorTests {
  @Test func `a task goes to the bot of its field, and never more than it takes on`() throws {
    let stage = try Stage()
    let coder = try stage.bot("coder", domain: "development", capacity: 2)
    try stage.bot("writer", domain: "writing", capacity: 9)
    let tasks = try (0..<3).map { _ in try stage.add { $0.domain = "development" } }
    #expect(try stage.turns { try stage.spool.tasks(in: [.assigned]).count == 2 })
    #expect(try stage.spool.tasks(in: [.assigned]).allSatisfy { $0.bot == coder })
    try stage.work()
    #expect(try stage.turns { try stage.spool.tasks(in: [.assigned]).map(\.id) == [tasks[2].id] })
  }

  @Test func `a workflow ends when its first step fails, and goes on when that is brought back`() throws {
    let stage = try Stage()
    let bot = try stage.bot("coder")
    let file = """
      {"title": "all", "steps": [{"name": "a"}, {"name": "b", "depends_on": ["a"]}, {"name": "c", "depends_on": ["b"]}]}
      """
    let workflow = try Workflow(parsing: Array(file.utf8))
    let submitted = try stage.spool.submit(workflow, Workflow.Origin())
    func parent() throws -> TaskState? { try stage.spool.findTask(submitted.parent)?.state }
    #expect(try stage.turns { try !stage.spool.tasks(in: [.assigned]).isEmpty })
    let first = try #require(try stage.spool.tasks(in: [.assigned]).first)
    let started = try #require(try stage.spool.start(first, bot: bot, worker: nil))
    let failed = try #require(try stage.spool.fail(started, error: "no idea", isRetryable: false))
    #expect(try stage.turns { try parent() == .failed })
    _ = try stage.spool.retryWithRelatives(failed)
    #expect(
      try stage.turns {
        try stage.work()
        return try parent() == .completed
      })
    #expect(stage.problems.isEmpty, "\(stage.problems)")
  }

  @Test func `the steps that a dead submitter left out are added`() throws {
    let stage = try Stage()
    let workflow = try Workflow(parsing: Array(#"{"title": "all", "steps": [{"name": "a"}, {"name": "b"}]}"#.utf8))
    let submitted = try stage.spool.submit(workflow, Workflow.Origin())
    let parent = try #require(try stage.spool.task(submitted.parent))
    // As if nobody had ever heard of its steps: a spool that has its parent alone.
    let other = try Stage()
    try Plain.write("\(other.path)/\(parent.entry.path)", try Plain.read("\(stage.path)/\(parent.entry.path)"))
    let next = try other.restarted()
    #expect(try other.turns(next) { try other.spool.findTasks(Set(submitted.steps.map(\.id))).count == 2 })
  }

  @Test func `what a dead bot hadn't begun goes to another, and what it had begun as well`() throws {
    let stage = try Stage()
    let (one, two) = (try stage.bot("one", capacity: 2), try BotName(parsing: "two"))
    let begun = try stage.add("begun")
    let waiting = try stage.add("waiting")
    #expect(try stage.turns { try stage.spool.tasks(in: [.assigned]).count == 2 })
    let gone = Holder(host: stage.spool.host, pid: DeadProcess.pid, start: DeadProcess.start)
    let entry = try #require(try stage.spool.findTask(begun.id))
    _ = try stage.spool.start(entry, bot: one, worker: gone)
    TemporaryDirectory.removeTree("\(stage.path)/bots/one/presence")
    try stage.bot("two", capacity: 2)
    #expect(
      try stage.turns {
        let found = try stage.spool.findTasks([begun.id, waiting.id])
        return found[begun.id]?.bot == two && found[waiting.id]?.bot == two
      })
    #expect(try stage.spool.findTask(begun.id)?.attempt == 2)
    #expect(try stage.spool.findTask(waiting.id)?.attempt == 1)
  }

  @Test func `a bot that was unregistered is forgotten, and gets tasks when it comes back`() throws {
    let stage = try Stage()
    let bot = try stage.bot("coder")
    #expect(try stage.turns { stage.coordinator.scheduler.knows(bot) })
    TemporaryDirectory.removeTree("\(stage.path)/bots/coder/presence")
    try stage.spool.unregister(bot)
    #expect(try stage.turns { !stage.coordinator.scheduler.knows(bot) })
    let task = try stage.add()
    try stage.bot("coder")
    #expect(try stage.turns { try stage.spool.findTask(task.id)?.bot == bot })
  }

  @Test func `what a bot had that died while nobody coordinated goes to another`() throws {
    let stage = try Stage()
    try stage.bot("one")
    let task = try stage.add()
    #expect(try stage.turns { try stage.state(task) == .assigned })
    TemporaryDirectory.removeTree("\(stage.path)/bots/one/presence")
    let two = try stage.bot("two")
    let next = try stage.restarted()
    #expect(try stage.turns(next) { try stage.spool.findTask(task.id)?.bot == two })
  }

  @Test func `a task goes on with another than the bot that it was taken from`() throws {
    let stage = try Stage()
    let one = try stage.bot("one", domain: "development")
    let task = try stage.add { $0.domain = "development" }
    #expect(try stage.turns { try stage.spool.findTask(task.id)?.bot == one })
    try stage.bot("two")
    let gone = Holder(host: stage.spool.host, pid: DeadProcess.pid, start: DeadProcess.start)
    let entry = try #require(try stage.spool.findTask(task.id))
    // One is better, and is there again at once.
    _ = try stage.spool.start(entry, bot: one, worker: gone)
    let next = try stage.restarted()
    #expect(try stage.turns(next) { try stage.spool.findTask(task.id)?.bot?.description == "two" })
    #expect(try stage.spool.task(task.id)?.record.failures.map(\.bot) == ["one"])
  }

  @Test func `what can't be done at the moment is done later`() throws {
    let stage = try Stage()
    try stage.bot("coder", capacity: 9)
    let first = try stage.add("first")
    #expect(try stage.turns { try stage.state(first) == .assigned })
    let assigned = try #require(try stage.spool.findTask(first.id))
    let started = try #require(try stage.spool.start(assigned, bot: assigned.bot!, worker: nil))
    let second = try stage.add("second") { $0.dependsOn = [first.id] }
    #expect(try stage.turns { stage.coordinator.board.state(of: second.id) == .blocked })
    // Something is in the way of each of its moves.
    let places = ["pending/\(second.name)", "assigned/5-\(second.id)~1~coder.json"].map { "\(stage.path)/tasks/\($0)" }
    for place in places { #expect(mkdir(place, 0o755) == 0) }
    #expect(try stage.spool.complete(started, result: nil) != nil)
    #expect(try stage.turns { stage.problems.contains { $0.contains("cannot unblock \(second.id)") } })
    #expect(!stage.coordinator.toSettle.isEmpty)
    #expect(rmdir(places[0]) == 0)
    #expect(try stage.turns { stage.problems.contains { $0.contains("cannot assign \(second.id)") } })
    #expect(rmdir(places[1]) == 0)
    #expect(try stage.turns { try stage.state(second) == .assigned })
  }

  @Test func `the parts of what somebody moved to cancelled go with it`() throws {
    let stage = try Stage()
    let parent = try stage.add("all") { $0.isJoin = true }
    let part = try stage.add("part") { $0.parent = parent.id }
    let deep = try stage.add("part of it") { $0.parent = part.id }
    #expect(try stage.turns { stage.coordinator.board.state(of: deep.id) == .pending })
    let name = parent.name.description
    #expect(rename("\(stage.path)/tasks/blocked/\(name)", "\(stage.path)/tasks/cancelled/\(name)") == 0)
    #expect(
      try stage.turns { try stage.state(part) == .cancelled && stage.state(deep) == .cancelled })
  }

  @Test func `a task past its time is taken away, and its late result refused`() throws {
    let stage = try Stage()
    let coder = try stage.bot("coder")
    let task = try stage.add {
      $0.timeoutSeconds = 0.05
      $0.attemptsMax = 1
    }
    #expect(try stage.turns { try stage.state(task) == .assigned })
    let assigned = try #require(try stage.spool.findTask(task.id))
    let started = try #require(try stage.spool.start(assigned, bot: coder, worker: nil))
    #expect(try stage.turns { try stage.state(task) == .failed })
    #expect(try stage.spool.complete(started, result: nil) == nil)
  }

  @Test func `a worker has some seconds to end a task past its time by itself, then it is taken away`() throws {
    let stage = try Stage()
    let coder = try stage.bot("coder", capacity: 2)
    let tasks = try ["a worker's", "taken by hand"].map { title in
      try stage.add(title) {
        $0.timeoutSeconds = 0.05
        $0.attemptsMax = 1
      }
    }
    #expect(try stage.turns { try tasks.allSatisfy { try stage.state($0) == .assigned } })
    for (entry, worker) in zip(tasks, [stage.spool.holder, nil]) {
      _ = try stage.spool.start(try #require(try stage.spool.findTask(entry.id)), bot: coder, worker: worker)
      #expect(try stage.turns { stage.coordinator.board.state(of: entry.id) == .inProgress })
    }
    #expect(try stage.turns { try stage.state(tasks[1]) == .failed })
    #expect(try stage.state(tasks[0]) == .inProgress)
    #expect(try stage.turns { try stage.state(tasks[0]) == .failed })
  }

  @Test func `a move by hand is logged as somebody's, and acted on`() throws {
    let stage = try Stage()
    let first = try stage.add("first") { $0.requiredSkills = [Card.Skill(name: "flying", level: .expert)] }
    let second = try stage.add("second") {
      $0.dependsOn = [first.id]
      $0.onDependencyFailure = .cancel
    }
    #expect(try stage.turns { stage.coordinator.board.live.count == 2 })
    #expect(rename("\(stage.path)/\(first.path)", "\(stage.path)/tasks/cancelled/\(first.name)") == 0)
    #expect(try stage.turns { try stage.state(second) == .cancelled })
    #expect(try stage.turns { try !stage.events(.taskMoved).isEmpty })
    let event = try #require(try stage.events(.taskMoved).first)
    #expect(event.text("by") == "unknown" && event.text("from") == "pending" && event.text("state") == "cancelled")
    #expect(try stage.events(.taskMoved).count == 1 && stage.movedTitles == ["first"])
  }

  @Test func `a move by hand that no task can make is undone, and done work isn't done again`() throws {
    let stage = try Stage()
    try stage.bot("coder")
    let task = try stage.add()
    #expect(try stage.turns { try stage.state(task) == .assigned })
    try stage.work()
    #expect(try stage.turns { stage.coordinator.board.ended[task.id] == .completed })
    let done = try #require(try stage.spool.findTask(task.id))
    #expect(rename("\(stage.path)/\(done.path)", "\(stage.path)/tasks/pending/\(done.name)") == 0)
    #expect(try stage.turns { try stage.spool.findTask(task.id) == done })
    #expect(try stage.events(.taskAssigned).count == 1)
    #expect(try stage.events(.taskMoved).first?.text("reason")?.contains("put back") == true)
  }

  @Test func `work that is done isn't done again by way of another state`() throws {
    let stage = try Stage()
    try stage.bot("coder")
    let task = try stage.add()
    #expect(try stage.turns { try stage.state(task) == .assigned })
    try stage.work()
    #expect(try stage.turns { stage.coordinator.board.ended[task.id] == .completed })
    let done = try #require(try stage.spool.findTask(task.id))
    func move(_ from: String, _ to: String) {
      #expect(rename("\(stage.path)/tasks/\(from)/\(done.name)", "\(stage.path)/tasks/\(to)/\(done.name)") == 0)
    }
    move("completed", "pending")
    #expect(try stage.turns { stage.coordinator.board.live[task.id] != nil })
    move("pending", "cancelled")
    #expect(try stage.turns { stage.coordinator.board.ended[task.id] == .cancelled })
    move("cancelled", "pending")
    #expect(try stage.turns { try stage.spool.findTask(task.id) == done })
    #expect(try stage.events(.taskAssigned).count == 1)
  }

  @Test func `what programs moved isn't taken for a move by hand`() throws {
    let stage = try Stage()
    try stage.bot("coder", capacity: 50)
    for _ in 0..<30 { _ = try stage.add() }
    #expect(
      try stage.turns {
        try stage.work()
        return try stage.spool.tasks(in: [.completed]).count == 30
      })
    let until = Clock.sinceBoot() + 2 * HandMoves.patience
    #expect(try stage.turns { Clock.sinceBoot() > until })
    #expect(try stage.events(.taskMoved).isEmpty)
  }

  @Test func `whoever coordinates next goes on where the last one stopped`() throws {
    let stage = try Stage()
    let first = try stage.add("first")
    let second = try stage.add("second") { $0.dependsOn = [first.id] }
    try stage.bot("coder")
    // Done while nobody coordinates, and nobody told the dependent.
    let started = try #require(try stage.spool.start(first, bot: BotName(parsing: "coder"), worker: nil))
    _ = try stage.spool.complete(started, result: nil)
    let next = try stage.restarted()
    #expect(try stage.turns(next) { try stage.state(second) == .assigned })
  }

  @Test func `children that ended before a coordinator came are counted, though their parent never named them`() throws
  {
    let stage = try Stage()
    let parent = try stage.add("parent") { $0.isJoin = true }
    let children = try (0..<2).map { number in
      try stage.add("child \(number)") {
        $0.parent = parent.id
        $0.step = "child\(number)"
      }
    }
    func complete(_ entry: TaskEntry) throws {
      let started = try #require(try stage.spool.start(entry, bot: BotName(parsing: "coder"), worker: nil))
      _ = try stage.spool.complete(started, result: JSONText(string: "done"))
    }
    try complete(children[0])
    let next = try stage.restarted()
    try complete(children[1])
    #expect(try stage.turns(next) { try stage.state(parent) == .completed })
  }

  @Test func `a completed task that was made pending while nobody coordinated is put back`() throws {
    let stage = try Stage()
    try stage.bot("coder")
    let task = try stage.add()
    #expect(try stage.turns { try stage.state(task) == .assigned })
    try stage.work()
    let done = try #require(try stage.spool.findTask(task.id))
    #expect(rename("\(stage.path)/\(done.path)", "\(stage.path)/tasks/pending/\(done.name)") == 0)
    let next = try stage.restarted()
    #expect(try stage.turns(next) { try stage.spool.findTask(task.id) == done })
    #expect(try stage.events(.taskCompleted).count == 1)
  }

  @Test func `records are kept, and are the same when they are made again from the log`() throws {
    let stage = try Stage()
    try stage.bot("coder", domain: "development", capacity: 20)
    for number in 0..<10 { _ = try stage.add("\(number)") { $0.domain = "development" } }
    #expect(
      try stage.turns {
        try stage.work { Int($0.title)! % 3 == 0 ? nil : "done" }
        return stage.coordinator.outcomes.team.together.all.tried == 10
      })
    let team = stage.coordinator.outcomes.team
    #expect(team.together.all.succeeded == 6)
    stage.coordinator.outcomes.save(.max, isSettled: true)
    #expect(try stage.restarted().outcomes.team == team)
    #expect(unlink("\(stage.path)/records.json") == 0)
    let relearned = try stage.restarted()
    #expect(try stage.turns(relearned) { relearned.outcomes.isCurrent })
    #expect(relearned.outcomes.team == team)
  }

  @Test func `a task that failed for good is told to human, once`() throws {
    let stage = try Stage()
    try stage.bot("coder")
    try stage.spool.register(Card(name: Coordinator.human))
    let task = try stage.add { $0.attemptsMax = 1 }
    #expect(try stage.turns { try stage.state(task) == .assigned })
    try stage.work { _ in nil }
    #expect(try stage.turns { try stage.messages(to: "human").count == 1 })
    let message = try #require(try stage.messages(to: "human").first)
    #expect(message.type == .error && message.content?.contains("it can't be done") == true)
  }

  @Test func `a task that failed while nobody coordinated is told to human`() throws {
    let stage = try Stage()
    let coder = try stage.bot("coder")
    try stage.spool.register(Card(name: Coordinator.human))
    let task = try stage.add { $0.attemptsMax = 1 }
    let started = try #require(try stage.spool.start(task, bot: coder, worker: stage.spool.holder))
    #expect(try stage.spool.fail(started, error: "it can't be done") != nil)
    let next = try stage.restarted()
    #expect(try stage.turns(next) { try stage.messages(to: "human").count == 1 })
    // Whoever comes next reads it once more, and says it no more.
    let third = try stage.restarted()
    #expect(try stage.turns(third) { third.outcomes.isCurrent && third.toTell.isEmpty })
    #expect(try stage.messages(to: "human").count == 1)
  }

  @Test func `of many learnings the newest are kept`() throws {
    let stage = try Stage()
    let learnings = Learnings(stage.spool)
    for round in 0..<12 {
      var record = TaskRecord(title: "long")
      record.id = MessageID(time: Timestamp(microseconds: round), random: 1)
      record.learnings = (0..<150).map { "\(round).\($0) " + String(repeating: "x", count: 5000) }
      try learnings.keep(record, bot: nil, time: Timestamp(microseconds: round))
    }
    let size = try Plain.read("\(stage.path)/coordinator/learnings/general.jsonl").count
    #expect(1 << 20..<4 << 20 ~= size)
    #expect(try learnings.search(["11.99"]).map(\.text.utf8.count) == [4096])
    #expect(try learnings.search(["11.100"]).isEmpty && learnings.search(["2.55"]).isEmpty)
  }

  @Test func `learnings are kept by domain, found again, and each once`() throws {
    let stage = try Stage()
    try stage.bot("coder")
    let task = try stage.add { $0.domain = "development" }
    #expect(try stage.turns { try stage.state(task) == .assigned })
    let assigned = try #require(try stage.spool.findTask(task.id))
    let started = try #require(try stage.spool.start(assigned, bot: assigned.bot!, worker: nil))
    _ = try stage.spool.complete(started, result: nil, learnings: ["Pagination needs a cursor", "tests first"])
    let learnings = Learnings(stage.spool)
    #expect(try stage.turns { try learnings.search([]).count == 2 })
    let stored = try #require(try stage.spool.task(task.id))
    let event = try #require(try stage.events(.taskCompleted).first)
    try learnings.keep(stored.record, bot: "coder", time: event.time)
    #expect(try learnings.search([]).count == 2)
    #expect(try learnings.search(["pagination"], domains: ["development"]).map(\.text) == ["Pagination needs a cursor"])
    #expect(try learnings.search(["pagination"], domains: ["writing"]).isEmpty)
  }

  @Test func `a task that nobody can do is told of, and assigned when somebody comes who can`() throws {
    let stage = try Stage()
    let task = try stage.add { $0.requiredSkills = [Card.Skill(name: "flying", level: .expert)] }
    try stage.bot("walker", skills: ["walking:expert"])
    #expect(try stage.turns { stage.problems.contains { $0.contains("flying:expert") } })
    try stage.bot("pilot", skills: ["flying:expert"])
    #expect(try stage.turns { try stage.spool.findTask(task.id)?.bot?.description == "pilot" })
  }
}
