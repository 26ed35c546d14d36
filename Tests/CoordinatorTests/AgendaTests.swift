import Glibc
import Linux
import Spool
import SpoolFormat
import TestSupport
import TestThreads
import Testing

@testable import Coordinator

@Suite(.waiting) struct AgendaTests {
  @Test func `what could not be done waits behind all others`() {
    var agenda = Agenda<Int>()
    for item in 0..<1000 { agenda.insert(item) }
    agenda.insert(3)
    var undone: [Int] = []
    for _ in 0..<100 { undone.append(agenda.next(0)!) }
    #expect(undone == Array(0..<100))
    agenda.insert(undone, notBefore: 7)
    #expect(agenda.next(6) == nil && agenda.nextDue == 7)
    var rest: [Int] = []
    while let item = agenda.next(7) { rest.append(item) }
    #expect(rest == Array(100..<1000) + Array(0..<100))
    #expect(agenda.isEmpty && agenda.nextDue == .max)
  }

  @Test func `a person who doesn't read keeps nobody waiting, and is told of all`() throws {
    let stage = try Stage()
    try stage.bot("coder", capacity: 1000)
    try stage.bot("asker", takes: .messages)
    var card = Card(name: Coordinator.human)
    card.inboxLimits.messages = 1
    try stage.spool.register(card)
    let failing = 150
    for number in 0..<failing { _ = try stage.add("\(number)") { $0.attemptsMax = 1 } }
    #expect(
      try stage.turns {
        try stage.work { _ in nil }
        return try stage.spool.tasks(in: [.failed]).count == failing
      })
    #expect(try stage.turns { try stage.messages(to: "human").count == failing })
    let id = try stage.ask("Build and test a feature to track user engagement", from: "asker")
    #expect(try stage.turns { try stage.spool.findTask(Goal.id(for: id)) != nil })
    _ = try stage.spool.cancelWithChildren(try #require(try stage.spool.findTask(Goal.id(for: id))))
    #expect(try stage.turns { try stage.messages(to: "asker").contains { $0.inReplyTo == id.description } })
    let coordinator = stage.coordinator
    #expect(try stage.turns { coordinator.toTell.isEmpty && coordinator.outcomes.isCurrent })
    coordinator.saveOutcomes(.max)
    #expect(coordinator.outcomes.nextDue == .max)
  }

  @Test func `of the tasks of a bot that is gone those that can be released are, whatever is in the way of others`()
    throws
  {
    let stage = try Stage()
    try stage.bot("one", capacity: 20)
    let tasks = try (0..<10).map { try stage.add("\($0)") }
    #expect(try stage.turns { try stage.spool.tasks(in: [.assigned]).count == 10 })
    for task in tasks.prefix(5) { #expect(mkdir("\(stage.path)/tasks/pending/5-\(task.id).json", 0o755) == 0) }
    TemporaryDirectory.removeTree("\(stage.path)/bots/one/presence")
    let two = try stage.bot("two", capacity: 20)
    #expect(
      try stage.turns {
        try tasks.suffix(5).allSatisfy { try stage.spool.findTask($0.id)?.bot == two }
      })
  }

  @Test func `a damaged task keeps no other from being taken from who is late`() throws {
    let stage = try Stage()
    let coder = try stage.bot("coder", capacity: 20)
    let tasks = try (0..<10).map { number in
      try stage.add("\(number)") {
        $0.timeoutSeconds = 1
        $0.attemptsMax = 1
      }
    }
    #expect(try stage.turns { try stage.spool.tasks(in: [.assigned]).count == 10 })
    let started = try stage.spool.tasks(in: [.assigned]).map {
      try #require(try stage.spool.start($0, bot: coder, worker: nil))
    }
    let damaged = Set(tasks.prefix(5).map(\.id))
    #expect(
      try stage.turns { tasks.allSatisfy { stage.coordinator.board.state(of: $0.id) == .inProgress } })
    for entry in started where damaged.contains(entry.id) { try Plain.write("\(stage.path)/\(entry.path)", "{") }
    #expect(try stage.turns { try tasks.suffix(5).allSatisfy { try stage.state($0) == .failed } })
  }

  @Test func `moves that can't be put back yet are put back later, and the others at once`() throws {
    let stage = try Stage()
    try stage.bot("coder", capacity: 2)
    let tasks = try (0..<2).map { try stage.add("\($0)") }
    #expect(try stage.turns { try stage.spool.tasks(in: [.assigned]).count == 2 })
    try stage.work()
    #expect(try stage.turns { tasks.allSatisfy { stage.coordinator.board.ended[$0.id] == .completed } })
    let done = try tasks.map { try #require(try stage.spool.findTask($0.id)) }
    for entry in done {
      #expect(rename("\(stage.path)/\(entry.path)", "\(stage.path)/tasks/pending/\(entry.name)") == 0)
    }
    #expect(mkdir("\(stage.path)/\(done[0].path)", 0o755) == 0)
    #expect(try stage.turns { try stage.spool.findTask(done[1].id) == done[1] })
    #expect(try stage.turns { stage.problems.contains { $0.contains("cannot put \(done[0].id) back") } })
    #expect(rmdir("\(stage.path)/\(done[0].path)") == 0)
    #expect(try stage.turns { try stage.spool.findTask(done[0].id) == done[0] })
  }

  @Test func `who has stood by leads with the records as they are by then`() throws {
    let stage = try Stage()
    let standby = try Coordinator(Spool(at: stage.path)) { _ in }
    try stage.bot("coder", capacity: 20)
    for number in 0..<10 { _ = try stage.add("\(number)") }
    #expect(
      try stage.turns {
        try stage.work()
        return stage.coordinator.outcomes.team.together.all.tried == 10
      })
    stage.coordinator.outcomes.save(.max, isSettled: true)
    try standby.begin()
    #expect(standby.outcomes.team == stage.coordinator.outcomes.team)
  }
}
