import CoordinatorPolicy
import SpoolFormat
import TestSupport
import Testing

/// Random teams and random events, the same to the scheduler and to its slow model.
private struct Play {
  var random: SeededGenerator
  var scheduler: Scheduler
  var model: SchedulerModel
  var now = Timestamp(microseconds: 1_795_218_312_345_678)
  var taskCount = 0
  /// Tasks in hand, each with its bot and what it needs.
  var inHand: [(id: MessageID, bot: BotName, task: SchedulerModel.Task)] = []
  var decisionCount = 0
  /// Times that a task was kept from the bot that failed it, although that was free.
  var keptCount = 0

  static let domains = ["development", "quality", "design", nil]
  static let skills = ["swift", "sql", "css"]

  init(seed: UInt64) {
    random = SeededGenerator(seed: seed)
    let seconds = [0.0, 1, 60].randomElement(using: &random)!
    scheduler = Scheduler(secondsPerPriority: seconds)
    model = SchedulerModel(secondsPerPriority: seconds)
  }

  mutating func chance(_ n: Int) -> Bool { Int.random(in: 0..<n, using: &random) == 0 }

  mutating func setBot(_ number: Int) throws {
    var card = Card(name: try BotName(parsing: "bot\(number)"))
    card.domain = Self.domains.randomElement(using: &random)!
    card.capacity = Int.random(in: 1...3, using: &random)
    for skill in Self.skills where chance(2) {
      card.skills.append(Card.Skill(name: skill, level: Card.Level.allCases.randomElement(using: &random)!))
    }
    let load = inHand.count { $0.bot == card.name }
    let isAlive = !chance(6)
    scheduler.setBot(card, load: load, isAlive: isAlive)
    model.bots[card.name] = SchedulerModel.Bot(card: card, load: load, isAlive: isAlive)
  }

  mutating func addTask() {
    taskCount += 1
    let id = MessageID(time: now, random: UInt64(taskCount))
    var skills: [Card.Skill] = []
    if chance(3) {
      let level = Card.Level.allCases.randomElement(using: &random)!
      skills = [Card.Skill(name: Self.skills.randomElement(using: &random)!, level: level)]
    }
    let needs = TaskNeeds(domain: Self.domains.randomElement(using: &random)!, skills: skills)
    add(id, needs, since: now, notBefore: chance(4) ? now.advanced(bySeconds: 5) : nil, failed: [])
  }

  mutating func add(_ id: MessageID, _ needs: TaskNeeds, since: Timestamp, notBefore: Timestamp?, failed: [BotName]) {
    let priority = Priority(value: Int.random(in: 1...10, using: &random))!
    // Who isn't there when a task comes is forgotten.
    let failed = failed.filter { model.bots[$0] != nil }
    scheduler.add(id, needs, priority: priority, since: since, notBefore: notBefore, failed: failed)
    model.add(id, needs, priority, since: since, notBefore: notBefore, failed: failed)
  }

  /// Ends a task in hand, well or so that it is tried again.
  mutating func end(_ place: Int, fails: Bool) {
    let (id, bot, task) = inHand.remove(at: place)
    scheduler.release(bot)
    model.bots[bot]?.load -= 1
    guard fails else { return }
    add(id, task.needs, since: id.time, notBefore: nil, failed: task.failed + [bot])
  }

  mutating func event() throws {
    switch Int.random(in: 0..<12, using: &random) {
    case 0...4: addTask()
    case 5...7: if let place = inHand.indices.randomElement(using: &random) { end(place, fails: chance(3)) }
    case 8: try setBot(Int.random(in: 0..<6, using: &random))
    case 9:
      guard let name = model.bots.keys.sorted().randomElement(using: &random) else { return }
      let isAlive = chance(2)
      scheduler.setAlive(name, isAlive)
      model.bots[name]!.isAlive = isAlive
    case 10:
      guard let id = model.tasks.keys.sorted().randomElement(using: &random) else { return }
      scheduler.remove(id)
      model.tasks[id] = nil
    default:
      guard chance(4), let name = model.bots.keys.sorted().randomElement(using: &random) else { return }
      scheduler.removeBot(name)
      model.bots[name] = nil
      inHand.removeAll { $0.bot == name }
      // A bot that is gone keeps no task from anybody, and its name may come again.
      for (id, task) in model.tasks where task.failed.contains(name) {
        model.tasks[id] = SchedulerModel.Task(
          id: id, needs: task.needs, rank: task.rank, notBefore: task.notBefore,
          failed: task.failed.filter { $0 != name })
      }
    }
  }

  mutating func decide() {
    let before = model.tasks
    var checked = model
    let wanted = model.decisions(now: now)
    // One at a time, as the model decides; batches have tests of their own.
    var found: [Scheduler.Assignment] = []
    while let next = scheduler.decisions(now: now, limit: 1).first { found.append(next) }
    #expect(found.map { "\($0.task) \($0.bot)" } == wanted.map { "\($0.0) \($0.1)" }, "seed \(random.seed)")
    for assignment in found {
      let bot = checked.bots[assignment.bot]!
      #expect(bot.isAlive && bot.load < bot.card.capacity, "seed \(random.seed)")
      let task = before[assignment.task]!
      let score = checked.candidates(task)[assignment.bot]
      #expect(score.map { abs($0 - assignment.score) < 1e-9 } ?? false, "seed \(random.seed)")
      if let last = task.failed.last, last != assignment.bot, checked.bots[last]?.isFree ?? false { keptCount += 1 }
      checked.bots[assignment.bot]!.load += 1
      inHand.append((assignment.task, assignment.bot, task))
    }
    decisionCount += found.count
    #expect(scheduler.pendingCount == model.tasks.count, "seed \(random.seed)")
    let stranded = model.ready(now).filter { model.scores($0.needs).isEmpty }.map(\.id).sorted()
    #expect(scheduler.stranded == stranded, "seed \(random.seed)")
    let wake = model.tasks.values.compactMap(\.notBefore).filter { $0 > now }.min()
    #expect(scheduler.nextWake == wake, "seed \(random.seed)")
  }
}

extension [Double] {
  /// Takes out an end that has come.
  fileprivate mutating func removeFirstIfDone(by clock: Double) -> Bool {
    guard let place = firstIndex(where: { $0 <= clock }) else { return false }
    remove(at: place)
    return true
  }
}

@Suite struct SchedulerRandomTests {
  @Test func `it decides as a model that looks at everything each time`() throws {
    var decisions = 0
    var kept = 0
    for _ in 0..<60 {
      var play = Play(seed: .random(in: .min ... .max))
      for number in 0..<4 { try play.setBot(number) }
      for _ in 0..<150 {
        try play.event()
        play.now = play.now.advanced(bySeconds: Double.random(in: 0...2, using: &play.random))
        if play.chance(3) { play.decide() }
      }
      play.decide()
      decisions += play.decisionCount
      kept += play.keptCount
    }
    #expect(decisions > 1000)
    #expect(kept > 5)
  }

  /// One bot is kept busy by a stream of urgent tasks while one of the lowest priority waits. By the stated bound it is
  /// given out once those of smaller rank are: what waited, and what came within nine steps of priority.
  @Test func `nothing starves: the least urgent task is assigned within the stated bound`() throws {
    var random = SeededGenerator()
    let start = Timestamp(microseconds: 1_795_218_312_345_678)
    var longest = 0.0
    for round in 0..<20 {
      var scheduler = Scheduler(secondsPerPriority: 60)
      var card = Card(name: try BotName(parsing: "worker"))
      card.capacity = Int.random(in: 1...4, using: &random)
      scheduler.setBot(card, load: 0, isAlive: true)
      // More comes than can be done: one a second, where each takes `seconds` on one of the bot's places.
      let seconds = Double(card.capacity) * Double.random(in: 1.1...2, using: &random)
      let victim = MessageID(time: start, random: 0)
      scheduler.add(victim, TaskNeeds(), priority: Priority(value: 1)!, since: start)
      let ahead = Int.random(in: 0...50, using: &random)
      for number in 1...(ahead + 1) {
        let id = MessageID(time: start, random: UInt64(number))
        scheduler.add(id, TaskNeeds(), priority: Priority(value: 10)!, since: start)
      }
      var ends: [Double] = []
      var assignedAt: Double?
      var clock = 0.0
      var number = 1000
      while assignedAt == nil, clock < 10_000 {
        let now = start.advanced(bySeconds: clock)
        for _ in ends where ends.removeFirstIfDone(by: clock) { scheduler.release(card.name) }
        number += 1
        scheduler.add(
          MessageID(time: now, random: UInt64(number)), TaskNeeds(), priority: Priority(value: 10)!, since: now)
        for assignment in scheduler.decisions(now: now) {
          ends.append(clock + seconds)
          if assignment.task == victim { assignedAt = clock }
        }
        clock += 1
      }
      let before = ahead + 1 + 9 * 60 + 1
      let bound = (Double(before + 1) / Double(card.capacity)).rounded(.up) * (seconds + 1)
      #expect((assignedAt ?? .infinity) <= bound, "seed \(random.seed), round \(round)")
      longest = max(longest, assignedAt ?? .infinity)
    }
    // It did have to wait, or nothing was shown.
    #expect(longest > 540)
  }

  @Test func `bots that are alike share the work evenly, each by its capacity`() throws {
    var scheduler = Scheduler()
    let start = Timestamp(microseconds: 1_795_218_312_345_678)
    for number in 0..<10 {
      var card = Card(name: try BotName(parsing: "b\(number)"))
      card.domain = "data"
      card.capacity = number < 5 ? 10 : 20
      scheduler.setBot(card, load: 0, isAlive: true)
    }
    for number in 0..<75 {
      let id = MessageID(time: start, random: UInt64(number))
      scheduler.add(id, TaskNeeds(domain: "data"), priority: .normal, since: start)
    }
    #expect(scheduler.decisions(now: start).count == 75)
    for name in scheduler.botNames {
      let capacity = Double(name.description < "b5" ? 10 : 20)
      #expect(abs(Double(scheduler.load(name)!) / capacity - 0.5) <= 0.1)
    }
  }

  @Test func `of a thousand classes that came and went no more are kept than are needed`() throws {
    var scheduler = Scheduler()
    let start = Timestamp(microseconds: 1_795_218_312_345_678)
    var card = Card(name: try BotName(parsing: "one"))
    card.capacity = 1000
    scheduler.setBot(card, load: 0, isAlive: true)
    for number in 0..<5000 {
      let id = MessageID(time: start, random: UInt64(number))
      scheduler.add(id, TaskNeeds(domain: "d\(number)"), priority: .normal, since: start)
      #expect(scheduler.decisions(now: start).map(\.task) == [id])
      scheduler.release(card.name)
    }
    #expect(scheduler.classCount <= 1024)
  }
}
