import Glibc
import Linux
import SpoolFormat
import TestSupport
import TestThreads
import Testing

@testable import Coordinator
@testable import Spool

/// Until it ends, opening the file fails with EAGAIN. C: fcntl(2), F_SETLEASE.
private struct Lease {
  private let descriptor: CInt

  init(on path: String) throws {
    descriptor = open(path, O_RDWR | O_CLOEXEC)
    let (setSignal, setLease) = (CInt(10), CInt(1024))
    // Whoever opens it would else raise SIGIO, which kills; this one is ignored.
    try #require(fcntl(descriptor, setSignal, SIGURG) == 0)
    try #require(fcntl(descriptor, setLease, CInt(F_WRLCK)) == 0)
  }

  func end() { close(descriptor) }
}

/// What a coordinator makes of files that come, go, come back, or can't be read.
@Suite(.waiting) struct LookingTests {
  @Test(arguments: [nil, "coder"] as [BotName?])
  func `a task that wasn't there when it was to be assigned is assigned when it is back`(assignTo: BotName?) throws {
    let stage = try Stage()
    try stage.spool.register(Card(name: "coder"))
    // Not before the coordinator has seen it, and its bot.
    let soon = Timestamp(microseconds: Clock.wall()).advanced(bySeconds: 3)
    let task = try stage.add { $0.assignTo = assignTo }
    let started = try #require(try stage.spool.start(task, bot: "other", worker: nil))
    let delayed = try #require(try stage.spool.release(started, notBefore: soon))
    let (there, away) = ("\(stage.path)/\(delayed.path)", stage.home("away"))
    #expect(try stage.turns { stage.coordinator.board.state(of: task.id) == .pending })
    let bot = try stage.bot("coder")
    #expect(try stage.turns { stage.coordinator.scheduler.knows(bot) })
    #expect(rename(there, away) == 0)
    let isDue = { stage.coordinator.scheduler.pendingCount + stage.coordinator.reserved.count == 0 }
    #expect(try stage.turns(until: isDue))
    #expect(rename(away, there) == 0)
    #expect(try stage.turns { try stage.spool.findTask(task.id)?.bot == bot })
  }

  @Test func `what one host's log says counts though another's can't be read for a moment`() throws {
    let stage = try Stage()
    let coder = try stage.bot("coder")
    try stage.spool.register(Card(name: Coordinator.human))
    // After this host's own by name.
    let other = "\(stage.path)/log/zzzz"
    #expect(mkdir(other, 0o755) == 0)
    let segment = "\(other)/20261123T110000.000000Z.jsonl"
    try Plain.write(segment, "")
    let next = try stage.restarted()
    #expect(try stage.turns(next) { next.outcomes.isCurrent })
    let task = try stage.add { $0.attemptsMax = 1 }
    let started = try #require(try stage.spool.start(task, bot: coder, worker: stage.spool.holder))
    #expect(try stage.spool.fail(started, error: "it can't be done") != nil)
    let lease = try Lease(on: segment)
    #expect(try stage.turns(next) { stage.problems.contains { $0.contains("cannot follow the log") } })
    lease.end()
    #expect(try stage.turns(next) { try stage.messages(to: "human").count == 1 })
    #expect(next.outcomes.team.together.all.tried == 1)
    #expect(try stage.events(.taskMoved).isEmpty)
  }

  @Test func `a task that can't be looked at for a moment keeps no other waiting`() throws {
    let stage = try Stage()
    try stage.bot("coder", capacity: 9)
    let (first, second) = (try stage.add("first"), try stage.add("second"))
    let lease = try Lease(on: "\(stage.path)/\(first.path)")
    let next = try stage.restarted()
    #expect(try stage.turns(next) { try stage.state(second) == .assigned })
    #expect(stage.problems.contains { $0.contains("cannot read \(first.path)") }, "\(stage.problems)")
    lease.end()
    next.nextListing = 0
    #expect(try stage.turns(next) { try stage.state(first) == .assigned })
  }

  @Test(arguments: [true, false])
  func `a task that somebody moved to those assigned, with no bot in its name, is pending again`(
    isWatched: Bool
  ) throws {
    let stage = try Stage()
    let task = try stage.add()
    if isWatched { #expect(try stage.turns { stage.coordinator.board.state(of: task.id) == .pending }) }
    #expect(rename("\(stage.path)/\(task.path)", "\(stage.path)/tasks/assigned/\(task.name)") == 0)
    let coordinator = isWatched ? stage.coordinator : try stage.restarted()
    #expect(try stage.turns(coordinator) { try stage.spool.findTask(task.id) == task })
    if isWatched {
      #expect(try stage.events(.taskMoved).map { $0.text("reason")?.contains("~BOT") } == [true])
    } else {
      #expect(try stage.events(.taskReleased).map { $0.text("reason") } == ["it was given to nobody"])
    }
    let bot = try stage.bot("coder")
    #expect(try stage.turns(coordinator) { try stage.spool.findTask(task.id)?.bot == bot })
  }

  /// By a bot that nobody knows.
  private func complete(_ task: TaskEntry, _ stage: Stage) throws {
    let started = try #require(try stage.spool.start(task, bot: "coder", worker: nil))
    #expect(try stage.spool.complete(started, result: nil) != nil)
  }

  @Test func `a child that begins and ends right after the start counts for the parent that never named it`() throws {
    let stage = try Stage()
    let parent = try stage.add("parent") { $0.isJoin = true }
    let next = try stage.restarted()
    try complete(try stage.add("child") { $0.parent = parent.id }, stage)
    #expect(try stage.turns(next) { try stage.state(parent) == .completed })
  }

  @Test func `a parent that was away for a while still waits for the children that it never named`() throws {
    let stage = try Stage()
    let parent = try stage.add("parent") { $0.isJoin = true }
    let child = try stage.add("child") { $0.parent = parent.id }
    #expect(try stage.turns { stage.coordinator.board.state(of: child.id) == .pending })
    let (there, away) = ("\(stage.path)/\(parent.path)", stage.home("away"))
    #expect(rename(there, away) == 0)
    stage.coordinator.nextListing = 0
    #expect(try stage.turns { stage.coordinator.board.state(of: parent.id) == nil })
    #expect(rename(away, there) == 0)
    #expect(try stage.turns { stage.coordinator.board.state(of: parent.id) == .blocked })
    try complete(child, stage)
    #expect(try stage.turns { try stage.state(parent) == .completed })
  }

  @Test func `what a person gave to a bot that isn't there stays its, and what a coordinator gave goes to others`()
    throws
  {
    let stage = try Stage()
    try stage.spool.register(Card(name: "alice"))
    let tasks = try ["human", "coordinator"].map { giver in
      let task = try stage.add("given by \(giver)")
      return try #require(try stage.spool.assign(task, to: "alice", by: giver))
    }
    let next = try stage.restarted()
    #expect(try stage.turns(next) { try stage.state(tasks[1]) == .pending })
    #expect(try stage.spool.findTask(tasks[0].id) == tasks[0])
  }

  @Test func `of many tasks that nobody can do each is told of, once`() throws {
    let stage = try Stage()
    for number in 0..<50 {
      _ = try stage.add("\(number)") { $0.requiredSkills = [Card.Skill(name: "flying", level: .expert)] }
    }
    func told() -> [String] { stage.problems.filter { $0.contains("flying:expert") } }
    #expect(
      try stage.turns {
        stage.coordinator.nextStranded = 1
        return told().count >= 50
      })
    stage.coordinator.noteStranded()
    #expect(told().count == 50 && Set(told()).count == 50)
  }

  @Test func `what a host does that has only just begun its log isn't taken for a move by hand`() throws {
    let stage = try Stage()
    let coder = try stage.bot("coder", capacity: 50)
    for number in 0..<4 {
      let task = try stage.add()
      #expect(try stage.turns { try stage.state(task) == .assigned })
      let other = try Spool(at: stage.path, machine: "other\(number)")
      let started = try #require(try other.start(other.findTask(task.id)!, bot: coder, worker: other.holder))
      _ = try other.complete(started, result: nil)
      let until = Clock.sinceBoot() + HandMoves.patience + 300_000_000
      #expect(try stage.turns { Clock.sinceBoot() > until })
    }
    #expect(try stage.events(.taskMoved).isEmpty)
  }

  @Test func `a trouble that lasts is told once in a while, by whoever has it`() throws {
    let stage = try Stage()
    let directory = "\(stage.path)/tasks/completed"
    #expect(rename(directory, stage.home("away")) == 0)
    try Plain.write(directory, "")
    let until = Clock.sinceBoot() + 2_000_000_000
    #expect(try stage.turns { Clock.sinceBoot() > until })
    #expect(1...2 ~= stage.problems.count { $0.hasPrefix("cannot watch the tasks") })
    #expect(unlink(directory) == 0 && rename(stage.home("away"), directory) == 0)
    let bot = try stage.bot("coder")
    let task = try stage.add()
    #expect(try stage.turns { try stage.spool.findTask(task.id)?.bot == bot })
  }

  @Test func `a field whose file can't be written keeps no other from learning`() throws {
    let stage = try Stage()
    try stage.bot("coder", capacity: 3)
    try Scratch.makeDirectory("\(stage.path)/coordinator/learnings/bad.jsonl")
    for domain in ["bad", "good"] {
      let task = try stage.add { $0.domain = domain }
      let started = try #require(try stage.spool.start(task, bot: BotName(parsing: "coder"), worker: nil))
      _ = try stage.spool.complete(started, result: nil, learnings: ["of \(domain)"])
    }
    #expect(try stage.turns { Scratch.text("\(stage.path)/coordinator/learnings/good.jsonl").contains("of good") })
    #expect(try stage.turns { stage.coordinator.lessons.isEmpty })
    #expect(stage.problems.contains { $0.contains("bad.jsonl") })
  }

  @Test func `a workflow with a step that can't be read goes on when somebody has mended it`() throws {
    let stage = try Stage()
    try stage.bot("coder", capacity: 9)
    let file = #"{"title": "all", "steps": [{"name": "a"}, {"name": "b"}]}"#
    let submitted = try stage.spool.submit(Workflow(parsing: Array(file.utf8)), Workflow.Origin())
    #expect(try stage.turns { try stage.spool.tasks(in: [.assigned]).count == 2 })
    try stage.work { $0.step == "a" ? "done" : nil }
    let done = try #require(try stage.spool.tasks(in: [.completed]).first)
    let path = "\(stage.path)/\(done.path)"
    let whole = try Plain.read(path)
    try Plain.write(path, "{")
    #expect(try stage.turns { !stage.problems.isEmpty })
    #expect(try stage.spool.findTask(submitted.parent)?.state == .blocked)
    try Plain.write(path, whole)
    // As in a minute.
    (stage.coordinator.nextListing, stage.coordinator.nextFullListing) = (0, 0)
    #expect(try stage.turns { try stage.spool.findTask(submitted.parent)?.state == .failed })
    #expect(try stage.spool.task(submitted.parent)?.record.error?.hasPrefix("b failed") == true)
  }
}
