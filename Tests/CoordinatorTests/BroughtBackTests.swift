import Glibc
import Linux
import Spool
import SpoolFormat
import TestSupport
import TestThreads
import Testing

@testable import Coordinator

/// What somebody brings back, and what it waits for then.
@Suite(.waiting) struct BroughtBackTests {
  private func begin(_ stage: Stage, _ entry: TaskEntry) throws -> TaskEntry {
    try #require(try stage.spool.start(entry, bot: "coder", worker: nil))
  }

  private func complete(_ stage: Stage, _ started: TaskEntry) throws {
    try #require(try stage.spool.complete(started, result: JSONText(string: "done")) != nil)
  }

  @Test(arguments: [false, true])
  func `a parent that is brought back waits for all the children that it had`(isLate: Bool) throws {
    let stage = try Stage()
    let parent = try stage.add("all") { $0.waitsForChildren = true }
    func child(_ title: String) throws -> TaskEntry {
      try begin(stage, try stage.add(title) { $0.parent = parent.id })
    }
    let open = try child("open")
    try complete(stage, child("done"))
    #expect(try stage.turns { stage.coordinator.board.state(of: open.id) == .inProgress })
    let failed = try #require(try stage.spool.fail(parent, error: "no", isRetryable: false))
    #expect(try stage.turns { stage.coordinator.board.ended[parent.id] == .failed })
    let coordinator = try isLate ? stage.restarted() : stage.coordinator
    _ = try stage.spool.retryWithRelatives(failed)
    #expect(try stage.turns(coordinator) { coordinator.board.state(of: parent.id) == .blocked })
    let late = try child("late")
    try complete(stage, late)
    #expect(try stage.turns(coordinator) { coordinator.board.ended[late.id] == .completed })
    coordinator.turn(Clock.sinceBoot())
    #expect(try stage.state(parent) == .blocked)
    try complete(stage, open)
    #expect(try stage.turns(coordinator) { try stage.state(parent) == .pending })
  }

  @Test func `a parent that comes back with what it depends on needs no child to end once more`() throws {
    let stage = try Stage()
    let first = try stage.add("first")
    let parent = try stage.add("all") {
      $0.waitsForChildren = true
      $0.dependsOn = [first.id]
      $0.onDependencyFailure = .cancel
    }
    let child = try stage.add("part") { $0.parent = parent.id }
    try complete(stage, begin(stage, child))
    #expect(try stage.turns { stage.coordinator.board.ended[child.id] == .completed })
    let failed = try #require(try stage.spool.fail(begin(stage, first), error: "no", isRetryable: false))
    #expect(try stage.turns { stage.coordinator.board.ended[parent.id] == .cancelled })
    let back = try stage.spool.retryWithRelatives(failed)
    #expect(Set(back.map(\.id)) == [first.id, parent.id])
    try complete(stage, begin(stage, try #require(try stage.spool.findTask(first.id))))
    #expect(try stage.turns { try stage.state(parent) == .pending })
  }

  @Test func `a part that somebody brought back stays, whoever coordinates next, and what was forgotten goes`() throws {
    let stage = try Stage()
    let parents = [try stage.add("back"), try stage.add("forgotten")]
    let parts = try parents.map { parent in try stage.add("part") { $0.parent = parent.id } }
    _ = try stage.spool.cancelWithChildren(parents[0])
    #expect(try stage.turns { stage.coordinator.board.ended[parts[0].id] == .cancelled })
    let back = try stage.spool.retryWithRelatives(try #require(try stage.spool.findTask(parts[0].id)))
    #expect(back.map(\.state) == [.pending])
    // Cancelled alone, as by a process that was killed then; once the part had failed and was brought back before that.
    let failed = try #require(try stage.spool.fail(parts[1], error: "no", isRetryable: false))
    _ = try stage.spool.retry(failed)
    _ = try stage.spool.cancel(parents[1])
    let next = try stage.restarted()
    #expect(try stage.turns(next) { try stage.state(parts[1]) == .cancelled })
    #expect(next.toCancel.isEmpty)
    #expect(try stage.state(parts[0]) == .pending)
  }

  @Test func `a join that a hand made pending waits on, and nobody gets it`() throws {
    let stage = try Stage()
    try stage.bot("worker")
    try stage.spool.register(Card(name: "slow"))
    let file = #"{"title": "all", "steps": [{"name": "a", "assign_to": "slow"}]}"#
    let submitted = try stage.spool.submit(Workflow(parsing: Array(file.utf8)), Workflow.Origin())
    let parent = try #require(try stage.spool.findTask(submitted.parent))
    #expect(try stage.turns { stage.coordinator.board.state(of: parent.id) == .blocked })
    #expect(rename("\(stage.path)/\(parent.path)", "\(stage.path)/tasks/pending/\(parent.name)") == 0)
    func events() throws -> [LogEvent] { try History(stage.spool).trace(parent.id) }
    #expect(try stage.turns { try events().last?.kind == .taskBlocked })
    #expect(try stage.state(parent) == .blocked)
    #expect(try !events().contains { $0.kind == .taskAssigned })
    try stage.work()
    #expect(try stage.turns { try stage.state(parent) == .completed })
  }

  @Test func `who waits for it hears of each end, though nobody ever began it`() throws {
    let stage = try Stage()
    try stage.spool.register(Card(name: Coordinator.human))
    let goal = Goal.id(for: try stage.ask("Build a login system with security review"))
    let all = try stage.add("all") { $0.isJoin = true }
    func entry(_ id: MessageID) throws -> TaskEntry { try #require(try stage.spool.findTask(id)) }
    func told(_ text: String) throws -> [String] {
      try stage.messages(to: "human").compactMap(\.content).filter { $0.contains(text) }
    }
    for round in 1...2 {
      #expect(try stage.turns { [goal, all.id].allSatisfy { stage.coordinator.board.state(of: $0) == .blocked } })
      let ended = try #require(try stage.spool.cancelWithChildren(entry(goal)).first)
      let failed = try #require(try stage.spool.fail(entry(all.id), error: "round \(round)", isRetryable: false))
      #expect(try stage.turns { try told("was cancelled").count == round && told("round \(round)").count == 1 })
      // By whoever reads the log once more.
      let event = try #require(try stage.events(.taskFailed).last)
      try stage.coordinator.tellOfEnd(.init(entry: failed, at: event.time))
      #expect(try told("round \(round)").count == 1)
      for entry in [ended, failed] { _ = try stage.spool.retryWithRelatives(entry) }
    }
    #expect(try told("all: failed.").count == 2)
  }
}
