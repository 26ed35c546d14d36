import AgentRuntime
import Glibc
import Linux
import Spool
import SpoolFormat
import TestSupport
import TestThreads
import Testing

/// Who has a task, and what becomes of it when it is taken from a worker, or the worker is stopped.
@Suite(.waiting) struct TaskHoldTests {
  private static let sleeper = "sleep 300 & echo $! > $DIR/pid; wait"

  /// The id of what the program started, when it has.
  private func sleeper(of team: Team) throws -> Int {
    try require("it runs") { team.text(of: "pid")?.hasSuffix("\n") == true }
    return try #require(team.text(of: "pid").flatMap { Int($0.dropLast()) })
  }

  @Test func `a task that is cancelled has its program killed within a second`() throws {
    let team = try Team()
    let id = try team.give("build")
    let worker = try RunningWorker(team, team.taskScript(Self.sleeper))
    let pid = try sleeper(of: team)
    let entry = try #require(try team.spool.findTask(id))
    let began = Clock.sinceBoot()
    try team.spool.cancel(entry, reason: "not wanted", by: "asker")
    try require("its processes are gone") { !isRunning(pid) }
    let took = Double(Clock.sinceBoot() - began) / 1e9
    #expect(took < 30, "the bell, and not the lease of 60 s, told of it: \(took) s")
    print("a cancelled task's program was gone after \(took) s")
    #expect(try worker.stop() == WorkerSummary(claimed: 1, lost: 1))
    #expect(try team.spool.findTask(id)?.state == .cancelled)
  }

  @Test func `tasks that are cancelled keep a streaming program from no other`() throws {
    let team = try Team()
    var options = team.taskScript("while read -r line; do echo >> $DIR/begun; sleep 300; done")
    options.isStream = true
    let worker = try RunningWorker(team, options)
    for number in 1...4 {
      let id = try team.give("build")
      try require("task \(number) has begun") { team.text(of: "begun")?.count == number }
      try team.spool.cancel(try #require(try team.spool.findTask(id)), by: "asker")
      try require("it is started again") { worker.events.restarts.count == number }
    }
    let delays = worker.events.compactMap { if case .restarting(_, let delay) = $0 { delay } else { nil } }
    #expect(delays == [0, 0, 0, 0])
    #expect(try worker.stop() == WorkerSummary(claimed: 4, lost: 4))
  }

  @Test func `a person's mv to cancelled kills the program, too`() throws {
    let team = try Team()
    let id = try team.give("build")
    let worker = try RunningWorker(team, team.taskScript(Self.sleeper))
    let pid = try sleeper(of: team)
    let entry = try #require(try team.spool.findTask(id))
    let name = entry.name.description
    #expect(rename(team.file("spool/" + entry.path), team.file("spool/tasks/cancelled/\(name)")) == 0)
    try require("its processes are gone", within: 20) { !isRunning(pid) }
    #expect(try worker.stop() == WorkerSummary(claimed: 1, lost: 1))
  }

  @Test func `a result that comes after the task was taken away is refused, and said to be lost`() throws {
    let team = try Team()
    let id = try team.give("build")
    var options = team.taskScript("echo made")
    options.stopsWhenEmpty = true
    let worker = try Worker(team.spool, team.coder, options) { event in
      guard case .claimed(let work) = event, work.attempt == 1 else { return }
      // Before the worker can look: as when it slept, and its lease ran out.
      #expect(rename(team.file("spool/" + work.path), team.file("away")) == 0)
    }
    #expect(try worker.run() == WorkerSummary(claimed: 1, lost: 1))
    #expect(try team.spool.findTask(id) == nil)
  }

  @Test func `a task in hand is renewed for as long as its program runs, and nobody else takes it`() throws {
    let team = try Team(lease: 2)
    let id = try team.give("build")
    let script = "echo $SPOOL_ATTEMPT >> $DIR/attempts; while [ ! -e $DIR/go ]; do sleep 0.02; done"
    let workers = try (0..<2).map { _ in try RunningWorker(team, team.taskScript(script)) }
    try require("it has begun") { team.text(of: "attempts") != nil }
    let path = try #require(try team.spool.findTask(id)).path
    var renewals: Set<Int> = []
    try require("the lease has been renewed for one and a half times its length") {
      renewals.insert(try Directory(team.spool.path).status(path)?.modified ?? 0)
      return renewals.count > 6
    }
    #expect(!renewals.contains(0), "it was never gone")
    try team.write("", to: "go")
    try team.wait(for: id, .completed)
    #expect(try workers.map { try $0.stop().acked }.reduce(0, +) == 1)
    #expect(team.text(of: "attempts") == "1\n")
  }

  @Test func `what a worker that is dead or silent had goes on with the next one`() throws {
    let team = try Team(lease: 0.4)
    let id = try team.give("build")
    let entry = try #require(try team.spool.findTask(id))
    let silent = try #require(Holder("elsewhere.17.beef"))
    #expect(try team.spool.start(entry, bot: team.coder, worker: silent) != nil)
    let worker = try RunningWorker(team, team.taskScript("echo attempt $SPOOL_ATTEMPT"))
    try team.wait(for: id, .completed)
    #expect(try worker.stop() == WorkerSummary(claimed: 1, acked: 1))
    #expect(try team.result(of: id) == "attempt 2")
  }

  @Test func `what can't be taken from the dead keeps a worker from nothing else`() throws {
    let team = try Team(lease: 0.4)
    for _ in 0..<12 {
      let entry = try #require(try team.spool.findTask(team.give("stuck")))
      let dead = Holder(host: team.spool.host, pid: DeadProcess.pid, start: DeadProcess.start)
      let started = try #require(try team.spool.start(entry, bot: team.coder, worker: dead))
      // Where it is to go something else lies.
      mkdir(team.file("spool/tasks/moving/\(team.spool.holder)"), 0o777)
      #expect(mkdir(team.file("spool/tasks/moving/\(team.spool.holder)/in_progress~\(started.name)"), 0o777) == 0)
    }
    let worker = try RunningWorker(team, team.taskScript("true"))
    try require("all are told of") { worker.events.problems.count >= 12 }
    let id = try team.give("build")
    let began = Clock.sinceBoot()
    try team.wait(for: id, .completed)
    #expect(Double(Clock.sinceBoot() - began) / 1e9 < 8)
    _ = try worker.stop()
  }

  @Test func `the last attempt of a dead worker fails the task, and those that wait for it hear of it`() throws {
    let team = try Team(lease: 0.4)
    let id = try team.give("build") { $0.attemptsMax = 1 }
    let dependent = try team.give("test") {
      $0.dependsOn = [id]
      $0.onDependencyFailure = .cancel
    }
    let entry = try #require(try team.spool.findTask(id))
    #expect(try team.spool.start(entry, bot: team.coder, worker: Holder("elsewhere.17.beef")) != nil)
    let worker = try RunningWorker(team, team.taskScript("true"))
    try team.wait(for: dependent, .cancelled)
    #expect(try team.spool.findTask(id)?.state == .failed)
    #expect(try worker.stop() == WorkerSummary())
  }

  @Test func `a request to stop lets what is in hand finish, and leaves the rest with the bot`() throws {
    let team = try Team()
    let ids = try (1...3).map { try team.give("\($0)") }
    let worker = try RunningWorker(
      team, team.taskScript("touch $DIR/begun; while [ ! -e $DIR/go ]; do sleep 0.02; done; echo done"))
    try require("it has begun") { team.text(of: "begun") != nil }
    try worker.requestStop()
    try require("it stops taking more") { worker.events.contains { if case .stopping(1) = $0 { true } else { false } } }
    try team.write("", to: "go")
    #expect(try worker.finish() == WorkerSummary(claimed: 1, acked: 1))
    let entries = try ids.compactMap { try team.spool.findTask($0) }
    #expect(entries.map(\.state) == [.completed, .assigned, .assigned])
    #expect(entries.map(\.bot) == [team.coder, team.coder, team.coder])
  }

  @Test(arguments: [false, true])
  func `a second request to stop kills, and gives back what was in hand`(takesPending: Bool) throws {
    let team = try Team()
    let id = try team.give("build") { if takesPending { $0.assignTo = nil } }
    let worker = try RunningWorker(team, team.taskScript(Self.sleeper, takesPending: takesPending))
    let pid = try sleeper(of: team)
    try worker.requestStop()
    try worker.requestStop()
    #expect(try worker.finish() == WorkerSummary(claimed: 1, requeued: 1))
    #expect(worker.events.requeueReasons == ["worker stopped"])
    try require("its processes are gone") { !isRunning(pid) }
    let entry = try #require(try team.spool.findTask(id))
    // To the bot that was given it, and what was anybody's is anybody's again.
    #expect(entry.state == (takesPending ? .pending : .assigned))
    #expect(entry.bot == (takesPending ? nil : team.coder))
  }

  @Test func `what was given to a bot by hand is its own again after a stop, whether or not it suits its card`() throws
  {
    let team = try Team()
    let id = try team.give("build") {
      $0.assignTo = nil
      $0.requiredSkills = [Card.Skill(name: "cobol", level: .expert)]
    }
    try team.spool.assign(try #require(try team.spool.findTask(id)), to: team.coder)
    let worker = try RunningWorker(team, team.taskScript(Self.sleeper, takesPending: true))
    _ = try sleeper(of: team)
    try worker.requestStop()
    try worker.requestStop()
    #expect(try worker.finish() == WorkerSummary(claimed: 1, requeued: 1))
    let entry = try #require(try team.spool.findTask(id))
    #expect(entry.state == .assigned && entry.bot == team.coder)
  }

  @Test func `slots run side by side, the most urgent first, and no more is begun than there are slots`() throws {
    let team = try Team()
    let ids = try (1...6).map { number in try team.give("\(number)") { $0.priority = Priority(value: number)! } }
    var options = team.taskScript(
      """
      touch "$DIR/here.$SPOOL_TASK"
      tries=0
      while [ "$(ls "$DIR"/here.* | wc -l)" -lt 3 ]; do
        tries=$((tries + 1)); [ $tries -lt 1000 ] || exit 65; sleep 0.01
      done
      """)
    options.slots = 3
    options.stopsWhenEmpty = true
    var (begun, inHand, most) = ([MessageID](), 0, 0)
    let worker = try Worker(team.spool, team.coder, options) { event in
      switch event {
      case .claimed(let work):
        begun.append(work.id)
        inHand += 1
      case .acked, .requeued, .dead, .lost: inHand -= 1
      default: break
      }
      most = max(most, inHand)
    }
    #expect(try worker.run() == WorkerSummary(claimed: 6, acked: 6))
    #expect(most == 3)
    #expect(begun == ids.reversed())
  }

  @Test func `pending tasks are taken only when that is wanted, and only those that suit the card`() throws {
    let team = try Team()
    var card = try team.spool.card(of: team.coder)
    card.domain = "development"
    card.skills = [Card.Skill(name: "swift", level: .advanced)]
    try team.spool.register(card)
    let cases: [(title: String, domain: String?, skills: [String], bot: BotName?, isTaken: Bool)] = [
      ("anybody's", nil, [], nil, true), ("its field", "Development", [], nil, true),
      ("another field", "research", [], nil, false), ("its skill", nil, ["swift:advanced"], nil, true),
      ("more skill", nil, ["swift:expert"], nil, false), ("no such skill", nil, ["cobol"], nil, false),
    ]
    let ids = try cases.map { row in
      try team.give(row.title) {
        $0.domain = row.domain
        $0.requiredSkills = try! row.skills.map { try Card.Skill(parsing: $0) }
        $0.assignTo = nil
      }
    }
    #expect(try team.work(team.taskScript("true")).summary == WorkerSummary())
    #expect(try team.work(team.taskScript("true", takesPending: true)).summary == WorkerSummary(claimed: 3, acked: 3))
    for (row, id) in zip(cases, ids) {
      #expect(try team.spool.findTask(id)?.state == (row.isTaken ? .completed : .pending), "\(row.title)")
    }
  }

  @Test func `a pending task wakes a worker that takes them, and an assigned one wakes its bot's`() throws {
    let team = try Team()
    var options = team.taskScript("echo made", takesPending: true)
    options.slots = 2
    let worker = try RunningWorker(team, options)
    try require("it is there") { try !team.spool.presence(of: team.coder).isEmpty }
    let began = Clock.sinceBoot()
    for _ in 0..<3 {
      try team.wait(for: try team.give("pending") { $0.assignTo = nil }, .completed)
      try team.wait(for: try team.give("assigned"), .completed)
    }
    let took = Double(Clock.sinceBoot() - began) / 1e9
    // Looking every 5 s would take 15 s at least.
    #expect(took < 12, "\(took) s")
    #expect(try worker.stop() == WorkerSummary(claimed: 6, acked: 6))
  }

  @Test func `a task that can't be read stops nobody, and is told of once`() throws {
    let team = try Team()
    let (bad, good) = (try team.give("bad") { $0.priority = Priority(value: 9)! }, try team.give("good"))
    let entry = try #require(try team.spool.findTask(bad))
    try team.write("half a ta", to: "spool/" + entry.path)
    let worker = try RunningWorker(team, team.taskScript("true"))
    try team.wait(for: good, .completed)
    try team.wait(for: team.give("one more"), .completed)
    #expect(try worker.stop() == WorkerSummary(claimed: 2, acked: 2))
    #expect(try team.spool.findTask(bad) == entry)
    let events = worker.events
    #expect(events.problems.count == 1 && events.problems[0].contains(entry.path), "\(events.problems)")
  }

  @Test func `a program that disappears ends the worker, and costs no task an attempt`() throws {
    let team = try Team()
    let ids = try (1...2).map { try team.give("\($0)") }
    try team.write("#!/bin/sh\nrm \"$0\"\n", to: "program")
    #expect(chmod(team.file("program"), 0o755) == 0)
    var options = WorkerOptions(arguments: [team.file("program")])
    options.work = .tasks(takesPending: false)
    let worker = try RunningWorker(team, options)
    let error = #expect(throws: SpoolError.self) { try worker.finish() }
    #expect(error?.code == .notFound)
    #expect(try ids.map { try team.spool.findTask($0)?.state } == [.completed, .assigned])
    #expect(try team.spool.findTask(ids[1])?.attempt == 1, "the one to come")
    #expect(try team.spool.tasks(in: [.inProgress]).isEmpty)
  }

  @Test func `a worker says in its presence that it takes tasks`() throws {
    let team = try Team()
    let worker = try RunningWorker(team, team.taskScript("true"))
    try require("it is there") { try team.spool.presence(of: team.coder) == [team.spool.holder] }
    #expect(team.spool.takes(team.coder, team.spool.holder) == .tasks)
    _ = try worker.stop()
    #expect(try team.spool.presence(of: team.coder).isEmpty)
  }
}
