import SpoolFormat
import TestSupport
import Testing

@testable import CoordinatorPolicy

@Suite struct AssignmentTests {
  private typealias Problem = AssignmentProblem

  private static func random(
    _ generator: inout SeededGenerator, tasks: Int, bots: Int, roomMax: Int, inOrder: Bool = false
  ) -> Problem {
    let scores = (0..<tasks * bots).map { _ in
      Int.random(in: 0..<6, using: &generator) == 0 ? -Double.infinity : Double.random(in: 0...1, using: &generator)
    }
    let room = (0..<bots).map { _ in
      (0..<Int.random(in: 0...roomMax, using: &generator)).map { _ in Double.random(in: 0...0.3, using: &generator) }
        .sorted(by: >)
    }
    return Problem(scores: scores, room: room, inOrder: inOrder)
  }

  /// All ways there are. In order, a task that is given counts for more than all that come after it.
  private static func bruteForce(_ problem: Problem) -> Double {
    var given = Array(repeating: 0, count: problem.botCount)
    func best(_ task: Int) -> Double {
      guard task < problem.taskCount else { return 0 }
      var greatest = best(task + 1)
      for bot in 0..<problem.botCount where given[bot] < problem.room[bot].count {
        let score = problem.score(task, bot)
        guard score.isFinite else { continue }
        let worth = score + problem.room[bot][given[bot]] + bonus(task, problem)
        given[bot] += 1
        greatest = max(greatest, worth + best(task + 1))
        given[bot] -= 1
      }
      return greatest
    }
    return best(0)
  }

  private static func bonus(_ task: Int, _ problem: Problem) -> Double {
    problem.inOrder ? 100 * Double(1 << (problem.taskCount - task)) : 0
  }

  private static func isAllowed(_ solution: Problem.Solution, _ problem: Problem) -> Bool {
    var given = Array(repeating: 0, count: problem.botCount)
    for (task, bot) in solution.bots.enumerated() {
      guard let bot else { continue }
      given[bot] += 1
      if given[bot] > problem.room[bot].count || !problem.score(task, bot).isFinite { return false }
    }
    return solution.bots.count == problem.taskCount
  }

  @Test func `the exact solution is the best of all that there are`() {
    var generator = SeededGenerator()
    var beaten = 0
    for round in 0..<400 {
      let problem = Self.random(
        &generator, tasks: Int.random(in: 0...5, using: &generator), bots: Int.random(in: 1...4, using: &generator),
        roomMax: 3, inOrder: round % 2 == 1)
      let solution = problem.exact()
      #expect(Self.isAllowed(solution, problem))
      let given = solution.bots.indices.filter { solution.bots[$0] != nil }
      let total = given.reduce(solution.total) { $0 + Self.bonus($1, problem) }
      #expect(abs(total - Self.bruteForce(problem)) < 1e-6, "seed \(generator.seed), round \(round)")
      if problem.greedy().total < solution.total - 1e-9 { beaten += 1 }
    }
    #expect(beaten > 20, "greedy was as good in all but \(beaten)")
  }

  @Test func `in order, no task is left out for a later one, and others move to make room`() {
    // Greedy would leave the second out: the only bot for it is taken.
    let problem = Problem(scores: [1, 0.9, 1, -.infinity], capacities: [1, 1], inOrder: true)
    #expect(problem.greedy().bots == [0, nil] && problem.exact().bots == [1, 0])
    #expect(Problem(scores: [0.4, 0.5], capacities: [1]).exact().bots == [nil, 0])
    #expect(Problem(scores: [0.4, 0.5], capacities: [1], inOrder: true).exact().bots == [0, nil])
    #expect(Problem(scores: [], capacities: []).exact().bots == [])
  }

  @Test func `annealing comes within 2 per cent of the exact total, and gives no bot too much`() {
    var generator = SeededGenerator()
    for (tasks, bots) in [(40, 10), (120, 30), (60, 5)] {
      let problem = Self.random(&generator, tasks: tasks, bots: bots, roomMax: 8)
      let (exact, annealed) = (problem.exact().total, problem.annealed(sweeps: 600))
      #expect(Self.isAllowed(annealed, problem))
      #expect(
        annealed.total <= exact + 1e-6 && annealed.total >= 0.98 * exact,
        "seed \(generator.seed): \(annealed.total) of \(exact)")
      #expect(problem.annealed(sweeps: 50) == problem.annealed(sweeps: 50))
    }
  }

  @Test func `the exact method is used for as much as it can do in a moment`() {
    #expect(
      Problem(scores: Array(repeating: 0, count: 500 * 200), capacities: Array(repeating: 5, count: 200)).method
        == .exact)
    #expect(
      Problem(scores: Array(repeating: 0, count: 1000 * 620), capacities: Array(repeating: 5, count: 620)).method
        == .greedy)
  }
}

/// Batches, as the scheduler decides on them.
@Suite struct BatchTests {
  private func bot(_ name: String, _ levels: [String: Card.Level], capacity: Int = 1) throws -> Card {
    var card = Card(name: try BotName(parsing: name))
    card.skills = levels.map { Card.Skill(name: $0.key, level: $0.value) }
    card.capacity = capacity
    return card
  }

  private func needs(_ skill: String, _ level: Card.Level = .novice) -> TaskNeeds {
    TaskNeeds(skills: [Card.Skill(name: skill, level: level)])
  }

  private func id(_ number: Int) -> MessageID {
    MessageID(time: Timestamp(microseconds: 1_000_000 * number), random: UInt64(number))
  }

  @Test func `a task is given that can be when another of the batch goes to another bot`() throws {
    // One by one `ace` would get the first, and the second, which `base` can't do, would wait.
    var scheduler = Scheduler()
    scheduler.setBot(try bot("ace", ["swift": .expert, "tests": .expert]), load: 0, isAlive: true)
    scheduler.setBot(try bot("base", ["swift": .advanced]), load: 0, isAlive: true)
    for number in 1...4 {
      scheduler.add(id(number), needs(number == 1 ? "swift" : "tests"), priority: .normal, since: id(number).time)
    }
    let decided = scheduler.decisions(now: id(5).time)
    #expect(decided.map(\.task) == [id(1), id(2)] && decided.map(\.bot.description) == ["base", "ace"])
    #expect(scheduler.pendingCount == 2 && scheduler.decisions(now: id(6).time).isEmpty)
    scheduler.release(try BotName(parsing: "ace"))
    #expect(scheduler.decisions(now: id(7).time).map(\.task) == [id(3)])
  }

  @Test func `of two tasks at once each gets the bot that makes the sum of the scores greatest`() throws {
    var scheduler = Scheduler()
    scheduler.setBot(try bot("ace", ["swift": .expert, "tests": .expert]), load: 0, isAlive: true)
    scheduler.setBot(try bot("base", ["swift": .expert, "tests": .novice]), load: 0, isAlive: true)
    // For the first both are as good, and `ace` is the first by name.
    scheduler.add(id(1), needs("swift"), priority: .normal, since: id(1).time)
    scheduler.add(id(2), needs("tests"), priority: .normal, since: id(2).time)
    let decided = scheduler.decisions(now: id(3).time)
    #expect(decided.map(\.bot.description) == ["base", "ace"])
    #expect(decided.map(\.batchCount) == [2, 2] && decided.allSatisfy { $0.method == .exact })
    #expect(try ["ace", "base"].map { scheduler.load(try BotName(parsing: $0)) } == [1, 1])
  }

  @Test func `the bot that failed a task doesn't get it in a batch either`() throws {
    var scheduler = Scheduler()
    let (ace, base) = (try BotName(parsing: "ace"), try BotName(parsing: "base"))
    scheduler.setBot(try bot("ace", ["swift": .expert]), load: 0, isAlive: true)
    scheduler.setBot(try bot("base", ["swift": .novice]), load: 0, isAlive: true)
    scheduler.add(id(1), needs("swift"), priority: .normal, since: id(1).time, failed: [ace])
    scheduler.add(id(2), needs("swift"), priority: .normal, since: id(2).time)
    let decided = scheduler.decisions(now: id(3).time)
    #expect(decided.map(\.bot) == [base, ace])
  }
}

@Suite struct RandomBatchTests {
  /// A team and tasks, told to each of so many schedulers.
  private func schedulers(_ count: Int, _ random: inout SeededGenerator) throws -> ([Scheduler], Int) {
    var schedulers = Array(repeating: Scheduler(secondsPerPriority: 1), count: count)
    let skills = ["swift", "sql", "css"]
    var room = 0
    for number in 0..<Int.random(in: 1...12, using: &random) {
      var card = Card(name: try BotName(parsing: "bot\(number)"))
      card.capacity = Int.random(in: 1...3, using: &random)
      for skill in skills where Bool.random(using: &random) {
        card.skills.append(Card.Skill(name: skill, level: Card.Level.allCases.randomElement(using: &random)!))
      }
      let load = Int.random(in: 0...card.capacity, using: &random)
      room += card.capacity - load
      for index in schedulers.indices { schedulers[index].setBot(card, load: load, isAlive: true) }
    }
    for number in 1...Int.random(in: 1...25, using: &random) {
      let id = MessageID(time: Timestamp(microseconds: 1_000_000 * number), random: 1)
      let needs = TaskNeeds(skills: [Card.Skill(name: skills.randomElement(using: &random)!, level: .novice)])
      for index in schedulers.indices { schedulers[index].add(id, needs, priority: .normal, since: id.time) }
    }
    return (schedulers, room)
  }

  @Test func `a batch is never worth less than one by one, leaves nobody out for it, and fills no bot beyond its room`()
    throws
  {
    var random = SeededGenerator()
    var (better, more) = (0, 0)
    for _ in 0..<300 {
      let (made, room) = try schedulers(2, &random)
      var (together, single) = (made[0], made[1])
      let now = Timestamp(microseconds: 1_000_000_000)
      var alone: [Scheduler.Assignment] = []
      while let next = single.decisions(now: now, limit: 1).first { alone.append(next) }
      let batch = together.decisions(now: now)
      #expect(together.decisions(now: now).isEmpty, "seed \(random.seed)")
      #expect(Set(batch.map(\.task)).isSuperset(of: alone.map(\.task)), "seed \(random.seed)")
      #expect(batch.count <= room && Set(batch.map(\.task)).count == batch.count)
      #expect(together.pendingCount == single.pendingCount + alone.count - batch.count)
      for name in together.botNames {
        let gained = batch.count { $0.bot == name }
        #expect(together.load(name)! - made[0].load(name)! == gained, "seed \(random.seed)")
      }
      if batch.count > alone.count { more += 1 }
      guard batch.count == alone.count else { continue }
      let (sum, other) = (batch.reduce(0) { $0 + $1.score }, alone.reduce(0) { $0 + $1.score })
      #expect(sum >= other - 1e-9, "seed \(random.seed)")
      if sum > other + 1e-6 { better += 1 }
    }
    #expect(better > 10 && more > 0, "better \(better) times, more \(more)")
  }
}
