import SpoolFormat

/// Who gets which task next. A value that is told what happens, and asked for decisions.
///
/// **Which task.** The one with the smallest *rank* of those that some free bot can do: the moment since which it waits
/// less its priority × `secondsPerPriority`. So a task gains one step of priority for every such span that it waits, and
/// the order of two tasks never changes while they wait: no list is ever sorted anew.
///
/// **Which bot.** Of the free ones that can do it (`TaskClass`) the one with the best score (`BotScore`), and of equals
/// the first by name; and when several tasks can be given at once, those that make the sum of their scores greatest
/// (`Batch.swift`). The bot that failed this task last isn't given it again while another lives that can do it, busy
/// or not.
///
/// **Nothing starves.** After `decisions` there is no ready task together with a free bot that is to do it; and a bot
/// is never given a task while one of smaller rank waits that it is to do as well. Hence a task that a living bot B is
/// to do is assigned at the latest when those of smaller rank are: the ones that were waiting when it came, and the ones
/// that come after it within (10 − its priority) × `secondsPerPriority`, 9 minutes at most by default. When there are N
/// of these for B, B works on at most C at once, and each takes it S seconds at most, that is at most
/// ⌈(N + 1) ÷ C⌉ × S seconds after it became ready. The bound holds for every living bot that is to do it, so that the
/// quickest counts.
///
/// **What it costs.** Adding a task or taking one off: the logarithm of those that wait in its class. A decision: the
/// classes that can be served now, and the bots that are free now, each a few nanoseconds. A bot that becomes free, full
/// or dead: the classes that there are. No event looks at the tasks that wait. A class that is new: the score of each
/// bot, once. Memory: some 200 bytes for a task, 9 for a bot and a class.
public struct Scheduler: Sendable {
  /// Seconds of waiting that are worth a step of priority.
  private let step: Int

  struct Bot: Sendable {
    var profile: BotProfile
    /// Attempts that its record had when it was scored.
    var scoredAt = 0
    var load: Int
    var isAlive: Bool
    /// Place in `free`; nil when it isn't.
    var freePlace: Int?
    var name: BotName { profile.card.name }
  }

  struct Pending: Sendable {
    let taskClass: Int
    let key: QueueKey
    /// Until when it waits for its time.
    let notBefore: Timestamp?
    /// Those that have failed with it, the last of all at the end.
    let failed: [Int]
    /// In its class's queue; else it waits for its time.
    var isReady: Bool
    var avoided: Int? { failed.last }
  }

  struct Delayed: Sendable, Comparable {
    let until: Int
    let key: QueueKey
    static func < (left: Delayed, right: Delayed) -> Bool {
      left.until != right.until ? left.until < right.until : left.key < right.key
    }
  }

  var bots: [Bot?] = []
  var placeOfBot: [BotName: Int] = [:]
  private var vacantBots: [Int] = []
  /// Those alive and with room, in no order.
  private(set) var free: [Int] = []
  /// By a bot's place, the load part of its score, weighted.
  private(set) var loadParts: [Double] = []
  var classes: [TaskClass?] = []
  private var placeOfClass: [TaskNeeds: Int] = [:]
  private var vacantClasses: [Int] = []
  /// Classes that have a ready task and a free bot.
  var servable: [Int] = []
  var pending: [MessageID: Pending] = [:]
  var delayed = Heap<Delayed>()
  private var addedCount = 0
  public private(set) var team = TeamRecord()
  /// The present, as far as scores depend on it: to the day.
  private var today: Timestamp?

  /// Classes without a task that are kept for the next one of them.
  static let idleClassesMax = 256

  public init(secondsPerPriority: Double = 60) {
    step = Int(min(max(secondsPerPriority, 0), 1e6) * 1e6)
  }

  /// A decision. The scheduler has counted the task to the bot's load, and forgotten it: when it can't be carried out,
  /// say so with `release`, and `add` the task again if it is still pending.
  public struct Assignment: Sendable, Hashable {
    public let task: MessageID
    public let bot: BotName
    /// As `BotScore.total`.
    public let score: Double
    /// How many were decided together, and how: `.exact` when their total score is the greatest there is.
    public let batchCount: Int
    public let method: AssignmentProblem.Method
  }

  // MARK: - Bots

  public var botNames: [BotName] { placeOfBot.keys.sorted() }
  public func knows(_ bot: BotName) -> Bool { placeOfBot[bot] != nil }

  /// Adds a bot, or changes its card, and sets its load and whether it lives. What is known of its record stays.
  public mutating func setBot(_ card: Card, load: Int, isAlive: Bool) {
    let place: Int
    if let known = placeOfBot[card.name] {
      place = known
      setCounted(place, false)
      bots[place]!.profile = BotProfile(card: card, record: bots[place]!.profile.record, now: present)
    } else {
      place = vacantBots.popLast() ?? bots.count
      let bot = Bot(
        profile: BotProfile(card: card, record: team.bots[card.name] ?? BotRecord(), now: present), load: 0,
        isAlive: false)
      if place == bots.count {
        bots.append(bot)
        loadParts.append(0)
      } else {
        bots[place] = bot
      }
      placeOfBot[card.name] = place
    }
    bots[place]!.load = max(0, load)
    bots[place]!.isAlive = isAlive
    rescore(place)
    setCounted(place, true)
  }

  /// Forgets a bot. Its tasks are the caller's to add again.
  public mutating func removeBot(_ name: BotName) {
    guard let place = placeOfBot.removeValue(forKey: name) else { return }
    setCounted(place, false)
    for index in classes.indices { classes[index]?.set(place, nil) }
    // A task that was kept from it is kept from nobody: its place may soon be another bot's.
    for (id, task) in pending where task.failed.contains(place) { move(id, without: place) }
    bots[place] = nil
    vacantBots.append(place)
  }

  private mutating func move(_ id: MessageID, without bot: Int) {
    guard let task = pending[id] else { return }
    takeOut(id, task)
    // A number of its own, so that what is left of the old entry isn't taken for the new one.
    addedCount += 1
    insert(
      Pending(
        taskClass: task.taskClass, key: QueueKey(rank: task.key.rank, id: id, number: addedCount),
        notBefore: task.notBefore, failed: task.failed.filter { $0 != bot }, isReady: task.isReady))
  }

  /// What bots have shown weighs less the older it is.
  mutating func note(_ now: Timestamp) {
    guard today.map(Days.number) != Days.number(now) else { return }
    today = now
    for place in placeOfBot.values.sorted() {
      setCounted(place, false)
      bots[place]!.profile.now = now
      rescore(place)
      setCounted(place, true)
    }
  }

  private var present: Timestamp? { [today, team.lastAt].compactMap { $0 }.max() }

  public mutating func setAlive(_ name: BotName, _ isAlive: Bool) { update(name) { $0.isAlive = isAlive } }

  /// The number of tasks that it has, which only the files know for certain.
  public mutating func setLoad(_ name: BotName, _ load: Int) { update(name) { $0.load = max(0, load) } }

  /// A task of it has ended, or was taken from it.
  public mutating func release(_ name: BotName) { update(name) { $0.load = max(0, $0.load - 1) } }

  /// Somebody else gave it a task.
  public mutating func occupy(_ name: BotName) { update(name) { $0.load += 1 } }

  public func load(_ name: BotName) -> Int? { placeOfBot[name].map { bots[$0]!.load } }

  private mutating func update(_ name: BotName, _ change: (inout Bot) -> Void) {
    guard let place = placeOfBot[name] else { return }
    let before = bots[place]!
    change(&bots[place]!)
    let after = bots[place]!
    if before.isAlive != after.isAlive {
      for index in classes.indices where classes[index] != nil {
        classes[index]!.count(place, living: after.isAlive ? 1 : -1)
        refreshServable(index)
      }
    }
    refreshFree(place)
  }

  /// Counts a bot into all that is counted, or out of it.
  private mutating func setCounted(_ place: Int, _ isCounted: Bool) {
    if bots[place]!.isAlive {
      for index in classes.indices where classes[index] != nil {
        classes[index]!.count(place, living: isCounted ? 1 : -1)
        refreshServable(index)
      }
    }
    if isCounted { refreshFree(place) } else { setFree(place, false) }
  }

  private mutating func refreshFree(_ place: Int) {
    let bot = bots[place]!
    loadParts[place] = BotScore.Weight.load * BotScore.load(bot.load, of: bot.profile.card.capacity)
    setFree(place, bot.isAlive && bot.load < bot.profile.card.capacity)
  }

  private mutating func setFree(_ place: Int, _ isFree: Bool) {
    guard isFree != (bots[place]!.freePlace != nil) else { return }
    if let at = bots[place]!.freePlace {
      let last = free.removeLast()
      if last != place {
        free[at] = last
        bots[last]!.freePlace = at
      }
      bots[place]!.freePlace = nil
    } else {
      bots[place]!.freePlace = free.count
      free.append(place)
    }
    for index in classes.indices where classes[index] != nil {
      classes[index]!.count(place, free: isFree ? 1 : -1)
      refreshServable(index)
    }
  }

  // MARK: - What bots have shown

  /// Takes in records that were computed before.
  public mutating func learn(_ records: TeamRecord) {
    team.merge(records)
    for (name, record) in team.bots {
      if let place = placeOfBot[name] {
        bots[place]!.profile = BotProfile(card: bots[place]!.profile.card, record: record, now: present)
      }
    }
    for index in classes.indices where classes[index] != nil { rescoreClass(index) }
  }

  /// Takes in how an attempt ended. The bot's scores follow each of its first eight attempts, and then when it has made
  /// an eighth more; those of the others, which are measured against the team's mean, when that has changed by a tenth.
  public mutating func learn(_ outcome: TaskOutcome) {
    team.count(outcome)
    for index in classes.indices where classes[index] != nil {
      let mean = team.meanSeconds(classes[index]!.needs.domain)
      let before = classes[index]!.teamSeconds
      let isNear = if let mean, let before { abs(mean - before) <= before / 10 } else { mean == before }
      if !isNear { rescoreClass(index) }
    }
    guard let place = placeOfBot[outcome.bot] else { return }
    let tried = team.bots[outcome.bot]!.all.tried
    guard tried > bots[place]!.scoredAt + bots[place]!.scoredAt / 8 else { return }
    bots[place]!.profile = BotProfile(
      card: bots[place]!.profile.card, record: team.bots[outcome.bot]!, now: present)
    setCounted(place, false)
    rescore(place)
    setCounted(place, true)
  }

  private mutating func rescore(_ place: Int) {
    bots[place]!.scoredAt = bots[place]!.profile.record.all.tried
    for index in classes.indices {
      guard let needs = classes[index]?.needs else { continue }
      let score = BotScore.fixed(bots[place]!.profile, needs, teamSeconds: classes[index]!.teamSeconds)
      classes[index]!.set(place, score)
    }
  }

  private mutating func rescoreClass(_ index: Int) {
    var fresh = TaskClass(classes[index]!.needs)
    fresh.teamSeconds = team.meanSeconds(fresh.needs.domain)
    fresh.queue = classes[index]!.queue
    fresh.delayedCount = classes[index]!.delayedCount
    fresh.servablePlace = classes[index]!.servablePlace
    for place in bots.indices {
      guard let bot = bots[place] else {
        fresh.set(place, nil)
        continue
      }
      fresh.set(place, BotScore.fixed(bot.profile, fresh.needs, teamSeconds: fresh.teamSeconds))
      if bot.isAlive { fresh.count(place, living: 1) }
      if bot.freePlace != nil { fresh.count(place, free: 1) }
    }
    classes[index] = fresh
    refreshServable(index)
  }

  // MARK: - Tasks

  public var pendingCount: Int { pending.count }

  /// Classes of needs that are kept, with tasks or for the next one.
  public var classCount: Int { placeOfClass.count }

  /// A task is pending. One that is known already is taken off first.
  /// - Parameters:
  ///   - since: since when it waits, for its ageing: when it was made, whatever happened to it since.
  ///   - notBefore: it is backing off until then.
  ///   - failed: those that have failed with it, in order.
  public mutating func add(
    _ id: MessageID, _ needs: TaskNeeds, priority: Priority, since: Timestamp, notBefore: Timestamp? = nil,
    failed: [BotName] = []
  ) {
    remove(id)
    addedCount += 1
    let key = QueueKey(rank: since.microseconds - priority.value * step, id: id, number: addedCount)
    insert(
      Pending(
        taskClass: place(of: needs), key: key, notBefore: notBefore,
        failed: failed.compactMap { placeOfBot[$0] }, isReady: notBefore == nil))
  }

  /// The task as its record has it.
  public mutating func add(_ task: TaskRecord, id: MessageID, notBefore: Timestamp? = nil) {
    add(
      id, TaskNeeds(task), priority: task.priority, since: task.createdAt ?? id.time, notBefore: notBefore,
      failed: task.failures.compactMap { failure in failure.bot.flatMap { try? BotName(parsing: $0) } })
  }

  /// A task is no longer pending, or nobody's to be given.
  public mutating func remove(_ id: MessageID) {
    if let task = pending[id] { takeOut(id, task) }
  }

  mutating func insert(_ task: Pending) {
    pending[task.key.id] = task
    if task.isReady {
      classes[task.taskClass]!.queue.insert(task.key, avoiding: task.avoided)
      refreshServable(task.taskClass)
    } else {
      classes[task.taskClass]!.delayedCount += 1
      delayed.insert(Delayed(until: task.notBefore?.microseconds ?? 0, key: task.key))
    }
  }

  mutating func takeOut(_ id: MessageID, _ task: Pending) {
    pending[id] = nil
    if task.isReady {
      let pending = pending
      classes[task.taskClass]!.queue.forget(avoiding: task.avoided) { pending[$0.id]?.key == $0 }
      refreshServable(task.taskClass)
    } else {
      classes[task.taskClass]!.delayedCount -= 1
      compactDelayed()
    }
  }

  mutating func compactDelayed() {
    while let first = delayed.first, pending[first.key.id]?.key != first.key { _ = delayed.popFirst() }
    // More than twice those that wait at all: most of them are out of date.
    guard delayed.count > 2 * pending.count + 64 else { return }
    delayed = Heap(delayed.elements.filter { pending[$0.key.id]?.key == $0.key })
  }

  private mutating func place(of needs: TaskNeeds) -> Int {
    if let known = placeOfClass[needs] { return known }
    dropIdleClasses()
    let place = vacantClasses.popLast() ?? classes.count
    if place == classes.count { classes.append(nil) }
    classes[place] = TaskClass(needs)
    placeOfClass[needs] = place
    rescoreClass(place)
    return place
  }

  private mutating func dropIdleClasses() {
    guard placeOfClass.count >= Self.idleClassesMax, placeOfClass.count >= nextDrop else { return }
    for index in classes.indices where classes[index]?.isIdle == true {
      placeOfClass[classes[index]!.needs] = nil
      classes[index] = nil
      vacantClasses.append(index)
    }
    // Not again before as many have come, so that it costs little for each.
    nextDrop = placeOfClass.count + Self.idleClassesMax
  }
  private var nextDrop = 0

  private mutating func refreshServable(_ index: Int) {
    let isServable = classes[index]!.queue.count > 0 && classes[index]!.freeCount > 0
    guard isServable != (classes[index]!.servablePlace != nil) else { return }
    if let at = classes[index]!.servablePlace {
      let last = servable.removeLast()
      if last != index {
        servable[at] = last
        classes[last]!.servablePlace = at
      }
      classes[index]!.servablePlace = nil
    } else {
      classes[index]!.servablePlace = servable.count
      servable.append(index)
    }
  }
}
