import Glibc
import Linux
import Spool
import SpoolFormat
import TestSupport
import Testing

@testable import Coordinator

/// What is said of how a spool does, and what isn't work for anybody.
@Suite(.waiting) struct StatusTests {
  @Test func `how long tasks wait to be given is counted from when they could be, and without goals`() throws {
    let stage = try Stage()
    let bot = try stage.bot("coder")
    let first = try stage.add("first")
    let second = try stage.add("second") { $0.dependsOn = [first.id] }
    #expect(try stage.turns { try stage.state(first) == .assigned })
    let assigned = try #require(try stage.spool.findTask(first.id))
    let started = try #require(try stage.spool.start(assigned, bot: bot, worker: nil))
    usleep(400_000)
    _ = try stage.spool.complete(started, result: nil)
    #expect(try stage.turns { try stage.state(second) == .assigned })
    // By hand: not what the coordinator is asked about.
    let third = try stage.spool.addTask(TaskRecord(title: "third"))
    usleep(10_000)
    _ = try stage.spool.assign(third, to: bot, by: "human")
    func time(_ kind: LogEvent.Kind, _ id: MessageID) throws -> Int {
      try #require(try stage.events(kind).last { $0.subject == id.description }).time.microseconds
    }
    let wanted = [
      try time(.taskAssigned, first.id) - time(.taskAdded, first.id),
      try time(.taskAssigned, second.id) - time(.taskUnblocked, second.id),
    ].sorted()
    let latency = try #require(try StatusReport(of: stage.spool).assignmentLatency)
    #expect([latency.p50, latency.p99] == [wanted[1], wanted[1]])
  }

  @Test func `a request doesn't count as a success or failure beside its steps`() throws {
    let stage = try Stage()
    try stage.spool.register(Card(name: Coordinator.human))
    try stage.bot("coder")
    try stage.ask("Write a parser")
    #expect(
      try stage.turns {
        try stage.work { _ in nil }
        return try !stage.messages(to: "human").isEmpty
      })
    let other = try stage.add("one more")
    #expect(
      try stage.turns {
        try stage.work()
        return try stage.state(other) == .completed
      })
    let steps = try stage.spool.taskCounts()
    #expect(steps[.failed] == 2 && steps[.completed] == 1)
    let report = try StatusReport(of: stage.spool)
    #expect(report.successRate == 0.5)
    // That it failed has a time, as any end has.
    let goal = try #require(try stage.spool.tasks(in: [.failed]).first { $0.bot == Coordinator.bot })
    #expect(try stage.spool.record(of: goal)?.completedAt != nil)
  }

  @Test func `why a task waits is that nobody can do it, or that all who can are busy`() throws {
    let stage = try Stage()
    func why(_ skill: String) throws -> String? {
      var record = TaskRecord(title: "x")
      record.requiredSkills = [try Card.Skill(parsing: skill)]
      return try Ranking(stage.spool).whyWaiting(record)
    }
    let bots = try ["ada", "bea"].map { try stage.bot($0, skills: ["ml:expert"]) }
    #expect(try why("cobol") == "no bot that takes tasks can do it (cobol:intermediate)")
    #expect(try why("ml") == nil)
    for bot in bots { _ = try stage.spool.assign(try stage.add(), to: bot) }
    #expect(try why("ml") == "all 2 who can are busy")
    try stage.bot("cob", skills: ["cobol:expert"])
    _ = try stage.spool.assign(try stage.add(), to: "cob")
    #expect(try why("cobol") == "cob, the only one who can, is busy")
  }

  @Test func `the task of a group that failed has an end`() throws {
    let play = try Play(["ada": "ml:expert"])
    let id = try play.announce("ml") { $0.ifUncovered = .fail }
    try play.joins("ada", "ml")
    try play.require("its part is a task") { try play.spool.tasks(in: [.assigned]).contains { $0.bot == "ada" } }
    try play.stage.work { _ in nil }
    try play.require("it failed") { try play.state(id) == .failed }
    let whole = try #require(try play.spool.group(id)?.record.task)
    try play.require("its task failed") { try play.spool.findTask(whole)?.state == .failed }
    #expect(try play.spool.task(whole)?.record.completedAt != nil)
  }

  @Test func `a task that a hand gave to the coordinator, or to the hub, fails with the reason`() throws {
    let stage = try Stage()
    for (bot, why) in [(Coordinator.bot, "coordinator takes requests"), (Spool.hub, "hub takes announcements")] {
      let entry = try stage.add()
      _ = try stage.spool.assign(entry, to: bot)
      #expect(try stage.turns { try stage.state(entry) == .failed }, "\(bot)")
      let error = try stage.spool.task(entry.id)?.record.error
      #expect(error?.contains(why) == true, "\(error ?? "")")
    }
    #expect(throws: SpoolError.self) { try stage.add { $0.assignTo = Coordinator.bot } }
  }
}
