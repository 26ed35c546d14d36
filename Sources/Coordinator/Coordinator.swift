import CoordinatorPolicy
import Glibc
import Linux
import Spool
import SpoolFormat

/// The loop that applies decisions: it sees to it that tasks which are ready go to the bots that do them best, that what
/// waits goes on when it can, that nobody's death or silence leaves anything undone, and that requests are planned,
/// delegated and answered. It decides nothing itself (`CoordinatorPolicy` does), and keeps nothing that isn't in the spool:
/// killed at any point, the next one carries on.
public final class Coordinator {
  /// The bot that a coordinator is.
  public static let bot = try! BotName(parsing: "coordinator")
  /// Who is told of what needs a person.
  public static let human = try! BotName(parsing: "human")

  /// Requests to stop.
  public let stopRequests: SignalPipe
  let spool: Spool
  let options: CoordinatorOptions
  let report: (CoordinatorEvent) -> Void
  let leadership: Leadership

  var board = Board()
  var roster = Roster()
  var scheduler = Scheduler()
  var outcomes: Outcomes
  var handMoves = HandMoves()
  let requests: Requests
  var observations = TaskObservations()
  let watcher: TaskWatcher
  var poll = PollSet()

  /// Blocked tasks to look at again because something that they wait for was moved.
  private var toSettle: Set<MessageID> = []
  /// Pending tasks for one bot only.
  private var reserved: Set<MessageID> = []
  /// Goals that are this coordinator's to finish.
  private var toFinish: Set<MessageID> = []
  /// By the clock since boot, nanoseconds.
  private var nextListing = 0
  private var nextFullListing = 0
  private var nextLeaseRound = 0
  private var nextHandMoves = 0
  private var nextStranded = 0
  /// Tasks that nobody can do, and that somebody was told of.
  private var stranded: Set<MessageID> = []

  /// What lives is listed so often even though no event said so; what has ended, more seldom.
  private static let listingNanoseconds = 5_000_000_000
  private static let fullListingNanoseconds = 60_000_000_000
  /// The same where there are no events.
  private static let pollNanoseconds = 200_000_000
  private static let leaseRoundNanoseconds = 1_000_000_000
  /// How long a task may find nobody who can do it before somebody is told: bots may just be starting.
  private static let strandedNanoseconds = 5_000_000_000

  /// Registers the bot `coordinator`, if there is none.
  /// - Throws: `.tryAgain` and its like.
  public init(
    _ spool: Spool, _ options: CoordinatorOptions = CoordinatorOptions(), report: @escaping (CoordinatorEvent) -> Void
  )
    throws
  {
    self.spool = spool
    self.options = options
    self.report = report
    try Self.register(spool)
    leadership = Leadership(spool)
    outcomes = try Outcomes(spool)
    watcher = try TaskWatcher(spool)
    requests = try Requests(spool, options)
    do { stopRequests = try SignalPipe(catching: options.catchesSignals ? [SIGTERM, SIGINT] : []) } catch {
      throw SpoolError("cannot catch signals", error)
    }
    SignalPipe.ignoreBrokenPipes()
  }

  /// Makes the bot `coordinator`, so that it can be asked before it runs.
  public static func register(_ spool: Spool) throws {
    guard try !spool.exists(bot) else { return }
    var card = Card(name: bot)
    card.description = "plans, delegates, watches and answers: ask it with spool ask"
    // Each restart of a coordinator costs an attempt.
    card.attemptsMax = 1000
    card.capacity = 1000
    try spool.register(card)
  }

  /// Coordinates until it is told to stop, or finds itself replaced. While another one leads, it stands by.
  /// - Throws: `.notASpool` when the spool is gone.
  public func run() throws {
    let presence = try spool.announce(Self.bot, program: "spool coordinate", takes: .tasks)
    defer {
      presence.end()
      leadership.end()
    }
    try presence.beat()
    guard try standBy(presence) else { return }
    report(.leading)
    try begin()
    defer { outcomes.save() }
    var beatsAt = 0
    while true {
      if stopRequests.take() > 0 { return }
      let now = Clock.sinceBoot()
      guard try leadership.hold() else { return report(.replaced) }
      if now >= beatsAt {
        beatsAt = now + Int(leadership.renewalSeconds * 1e9)
        attempt { try presence.beat() }
        guard spool.isThere() else { throw SpoolError(.notASpool, "the spool \(spool.path) is gone") }
      }
      turn(now)
      if options.stopsWhenIdle, isIdle { return }
      try sleep(until: beatsAt)
    }
  }

  /// False when it was told to stop meanwhile.
  private func standBy(_ presence: Presence) throws -> Bool {
    var hasSaid = false
    while try !leadership.hold() {
      if stopRequests.take() > 0 { return false }
      if !hasSaid, let leader = try spool.coordinator() {
        hasSaid = true
        report(.standingBy(leader: leader.description))
      }
      attempt { try presence.beat() }
      _ = try Poll.wait([stopRequests.descriptor], nanoseconds: 250_000_000)
    }
    return true
  }

  /// What a trouble of the moment (a full disk, no descriptors left) keeps from being done is done in a later round.
  func attempt(_ body: () throws -> Void) {
    do { try body() } catch { report(.problem("\(error)")) }
  }

  private var isIdle: Bool {
    requests.isIdle && TaskState.live.allSatisfy { (board.inState[$0] ?? 0) == 0 }
  }

  // MARK: The loop

  /// For whoever has become the leader: takes up where things stand.
  func begin() throws {
    scheduler.learn(outcomes.team)
    attempt { _ = try spool.expireTasks(&observations) }
    try listAll(includingEnded: true)
    let now = Clock.sinceBoot()
    (nextListing, nextFullListing) = (now + Self.listingNanoseconds, now + Self.fullListingNanoseconds)
    try findEndedChildren()
    // Whatever ended while nobody coordinated.
    toSettle = Set(board.live.values.filter { $0.entry.state == .blocked }.map(\.entry.id))
  }

  /// Children that a parent didn't name beforehand, and that have ended, are known by their files alone.
  private func findEndedChildren() throws {
    let parents = board.live.values.filter {
      ($0.record.waitsForChildren || $0.record.isJoin) && $0.record.children.isEmpty
    }
    guard let oldest = parents.map(\.entry.id).min() else { return }
    for entry in try spool.tasks(in: [.completed, .failed, .cancelled]) where entry.id > oldest {
      board.addChild(entry.id, of: try readable(entry)?.parent)
    }
  }

  /// Everything that can be done now.
  func turn(_ now: Int) {
    attempt { try look(now) }
    attempt { try readLog() }
    attempt { try refreshRoster() }
    attempt { try respondToHands(now) }
    if now >= nextLeaseRound {
      nextLeaseRound = now + Self.leaseRoundNanoseconds
      attempt { for entry in try spool.expireTasks(&observations) { try noteMove(entry) } }
      attempt { try expireLate(now) }
    }
    if now >= nextStranded {
      if nextStranded > 0 { noteStranded() }
      nextStranded = now + Self.strandedNanoseconds
    }
    attempt { try settleWaiting() }
    attempt { try assignReserved() }
    attempt { try assign() }
    attempt { try finishGoals() }
    requests.turn(self)
  }

  /// Waits until something happens, or until then.
  func sleep(until beat: Int) throws {
    poll.removeAll()
    _ = poll.add(stopRequests.descriptor)
    if let descriptor = watcher.descriptor { _ = poll.add(descriptor) }
    requests.watch(&poll)
    var deadline = min(
      beat, nextListing, nextLeaseRound, nextStranded, roster.nextDue, outcomes.nextDue, requests.nextDue)
    if let due = handMoves.nextDue { deadline = min(deadline, max(due, nextHandMoves)) }
    for due in [scheduler.nextWake, nextReserved].compactMap({ $0 }) {
      deadline = min(deadline, Clock.sinceBoot() + max(0, due.microseconds - Clock.wall()) * 1000)
    }
    if !outcomes.isCurrent || !toSettle.isEmpty { deadline = 0 }
    do { try poll.wait(until: deadline) } catch { throw SpoolError("cannot wait for events", error) }
    requests.respond(to: poll)
  }

  private var nextReserved: Timestamp? { reserved.compactMap { board.live[$0]?.entry.notBefore }.min() }

  // MARK: Looking

  private func look(_ now: Int) throws {
    if let moves = try watcher.takeMoves() {
      for entry in moves { try noteMove(entry, isChanged: true) }
    } else {
      nextListing = 0
    }
    guard now >= nextListing else { return }
    let isFull = now >= nextFullListing
    try listAll(includingEnded: isFull)
    let end = Clock.sinceBoot()
    let interval = watcher.mechanism == .polling ? Self.pollNanoseconds : Self.listingNanoseconds
    nextListing = end + max(interval, 20 * (end - now))
    if isFull { nextFullListing = end + max(Self.fullListingNanoseconds, 100 * (end - now)) }
  }

  private func listAll(includingEnded: Bool) throws {
    var seen: Set<MessageID> = []
    for entry in try spool.tasks(in: includingEnded ? TaskState.allCases : TaskState.live) {
      seen.insert(entry.id)
      try noteMove(entry)
    }
    // What isn't where it was, and not among the living: it has ended, is being changed, or was removed.
    let missing = Set(board.missing(from: seen))
    let found = try spool.findTasks(missing)
    for id in missing {
      if let entry = found[id] { try noteMove(entry) } else { forget(id) }
    }
    if includingEnded { try finishSubmits() }
  }

  /// Of workflows whose submitters died half-way, the steps that are missing.
  private func finishSubmits() throws {
    for parent in board.live.values where parent.entry.state == .blocked && parent.record.isJoin {
      guard parent.record.children.contains(where: { board.state(of: $0) == nil }),
        let stored = try spool.task(parent.entry.id)
      else { continue }
      attempt { try spool.finishSubmitting(stored) }
    }
  }

  private func forget(_ id: MessageID) {
    scheduler.remove(id)
    board.forget(id)
  }

  /// Takes up where a task stands now; nothing when that is known.
  /// - Parameter isChanged: what its file says may be new, though it stands where it stood: why it is blocked, say.
  func noteMove(_ entry: TaskEntry, isChanged: Bool = false) throws {
    let isKnown = board.isKnown(entry)
    guard !isKnown || (isChanged && entry.state == .blocked) else { return }
    let before = board.live[entry.id]
    var record: TaskRecord?
    if !entry.state.isFinal {
      // Assigning and starting leave the content as it is.
      let isSame = before != nil && (entry.state == .assigned || entry.state == .inProgress)
      record = isSame ? before!.record : try readable(entry)
      guard let record else { return }
      if isKnown, record.blockedBy == before?.record.blockedBy, record.blockedReason == before?.record.blockedReason {
        return
      }
    }
    // Of what has ended only the state is known; a move by hand leaves the name as it was.
    let from =
      try before?.entry ?? board.ended[entry.id].map { TaskEntry(state: $0, name: entry.name) }
      ?? completed(entry, record)
    var parent = (before?.record ?? record)?.parent
    if before == nil, entry.state.isFinal, outcomes.isCurrent, board.hasWaitingParents {
      parent = try readable(entry)?.parent
      board.addChild(entry.id, of: parent)
    }
    board.note(entry, record, now: Clock.sinceBoot())
    updateScheduler(entry, record, from)
    handMoves.notice(entry, from: from, now: Clock.sinceBoot())
    if entry.state == .blocked { toSettle.insert(entry.id) }
    if entry.state == .assigned, entry.bot == Self.bot { toFinish.insert(entry.id) }
    for waiting in board.waiting(for: entry.id, parent: parent) { toSettle.insert(waiting.id) }
    // What was there before this coordinator was isn't news.
    if before != nil, entry.state.isFinal { noteEnd(entry, before!.record) }
  }

  /// Where a task was completed that somebody made pending again while nobody coordinated; nil for all others.
  private func completed(_ entry: TaskEntry, _ record: TaskRecord?) throws -> TaskEntry? {
    guard entry.state == .pending, record?.completedAt != nil, record?.error == nil else { return nil }
    let last = try History(spool).lastOfTask(entry.id)?.entry
    return last?.state == .completed ? last : nil
  }

  /// What a task says; nil when it was moved on, or can't be read, which is left to a person.
  private func readable(_ entry: TaskEntry) throws -> TaskRecord? {
    do { return try spool.record(of: entry) } catch let error as SpoolError where error.code == .badData {
      report(.problem("\(error)"))
      return nil
    }
  }

  private func noteEnd(_ entry: TaskEntry, _ record: TaskRecord) {
    report(.ended(task: entry.id.description, title: record.title, state: entry.state.rawValue))
    if entry.state == .failed { attempt { try escalate(entry, record) } }
  }

  // MARK: The log

  private func readLog() throws {
    let now = Clock.sinceBoot()
    let news = try outcomes.readOn { event, entry in
      handMoves.noteLogged(entry, now: now)
      guard event.kind == .taskCompleted, let bytes = event.taskBytes, let record = try? TaskRecord(parsing: bytes),
        !record.learnings.isEmpty
      else { return }
      try Learnings(spool).keep(record, bot: event.text("bot"), time: event.time)
    }
    for outcome in news { scheduler.learn(outcome) }
  }

  // MARK: Bots

  private func refreshRoster() throws {
    for change in try roster.refresh(spool) {
      switch change {
      case .available(let card) where card.name != Self.bot:
        scheduler.setBot(card, load: board.load(of: card.name), isAlive: true)
      case .available: break
      case .gone(let bot):
        scheduler.setAlive(bot, false)
        // What it hadn't begun goes to others; what it had begun has a lease of its own.
        for task in board.live.values where task.entry.state == .assigned && task.entry.bot == bot {
          guard task.record.assignTo != bot else { continue }
          if let entry = try spool.release(task.entry, reason: "\(bot) is gone", by: Self.bot.description) {
            try noteMove(entry)
          }
        }
      }
    }
  }

  // MARK: Moves by hand

  private func respondToHands(_ now: Int) throws {
    guard now >= nextHandMoves, let due = handMoves.nextDue, now >= due, outcomes.isCurrent else { return }
    nextHandMoves = now + HandMoves.patience / 4
    for move in handMoves.take(now: now) {
      guard board.isKnown(move.entry), let from = move.from else { continue }
      guard let stands = try spool.acknowledgeMove(move.entry, from: from) else { continue }
      let title = board.live[move.entry.id]?.record.title ?? ""
      report(
        .movedByHand(
          task: move.entry.id.description, title: title, to: stands.state.rawValue, wasPutBack: stands != move.entry))
      try noteMove(stands)
    }
  }

  // MARK: Time

  /// Takes tasks from those that have had them for longer than the task allows.
  private func expireLate(_ now: Int) throws {
    for task in board.live.values where task.entry.state == .inProgress {
      guard let timeout = task.record.timeoutSeconds, now - task.since >= Int(timeout * 1e9) else { continue }
      let reason = "timed out after \(timeout) s"
      if let entry = try spool.expire(task.entry, reason: reason, by: Self.bot.description) { try noteMove(entry) }
    }
  }

  // MARK: Waiting and assigning

  private func settleWaiting() throws {
    while let id = toSettle.popFirst() {
      guard let task = board.live[id], task.entry.state == .blocked else { continue }
      guard let entry = try spool.settle(task.entry, standings: { self.board.standings($0) }) else { continue }
      try noteMove(entry, isChanged: true)
    }
  }

  private func assign() throws {
    for decision in scheduler.decisions(now: Timestamp(microseconds: Clock.wall())) {
      defer { scheduler.setLoad(decision.bot, board.load(of: decision.bot)) }
      guard let task = board.live[decision.task] else { continue }
      let score = "score \((decision.score * 100).rounded() / 100)"
      do {
        // Nil: somebody was first; where it went, an event tells, or the next listing.
        let assigned = try spool.assign(task.entry, to: decision.bot, by: Self.bot.description, reason: score)
        guard let assigned else { continue }
        try noteMove(assigned)
        report(
          .assigned(
            task: assigned.id.description, title: task.record.title, bot: decision.bot.description, why: score))
      } catch {
        // Once more later, from the listing.
        forget(decision.task)
        nextListing = min(nextListing, Clock.sinceBoot() + 1_000_000_000)
        throw error
      }
    }
  }

  private func finishGoals() throws {
    while let id = toFinish.popFirst() {
      guard let entry = board.live[id]?.entry, entry.state == .assigned, entry.bot == Self.bot else { continue }
      try requests.finish(entry, self)
    }
  }

  private func updateScheduler(_ entry: TaskEntry, _ record: TaskRecord?, _ before: TaskEntry?) {
    for bot in Set([before?.bot, entry.bot].compactMap { $0 }) { scheduler.setLoad(bot, board.load(of: bot)) }
    // What was done isn't done again because somebody moved it; that move is going to be undone.
    guard entry.state == .pending, before?.state != .completed, let record else { return scheduler.remove(entry.id) }
    if record.assignTo == nil {
      scheduler.add(record, id: entry.id, notBefore: entry.notBefore)
    } else {
      reserved.insert(entry.id)
    }
  }

  /// Those that only one bot may do go to that one, when their time has come.
  private func assignReserved() throws {
    let now = Timestamp(microseconds: Clock.wall())
    for id in reserved {
      guard let task = board.live[id], task.entry.state == .pending, let bot = task.record.assignTo else {
        reserved.remove(id)
        continue
      }
      guard task.entry.notBefore.map({ $0 <= now }) ?? true else { continue }
      reserved.remove(id)
      if let assigned = try spool.assign(task.entry, to: bot, by: Self.bot.description) { try noteMove(assigned) }
    }
  }

  // MARK: People

  /// Says which tasks no bot that is there can do, each once.
  private func noteStranded() {
    let all = Set(scheduler.stranded)
    for id in all.subtracting(stranded).sorted().prefix(20) {
      guard let task = board.live[id] else { continue }
      let needs = ([task.record.domain].compactMap { $0 } + task.record.requiredSkills.map { "\($0.name):\($0.level)" })
      report(
        .problem(
          "no bot that takes tasks can do \(id) \(task.record.title.prefix(60))"
            + (needs.isEmpty ? "" : " (\(needs.joined(separator: ", ")))")))
    }
    stranded = all
  }

  /// Tells a person, if there is one, of a task that nobody could do.
  private func escalate(_ entry: TaskEntry, _ record: TaskRecord) throws {
    guard record.assignTo != Self.bot, try spool.exists(Self.human), let failed = try spool.record(of: entry) else {
      return
    }
    var message = Message(content: Escalation.text(failed, id: entry.id, attempts: entry.attempt))
    message.from = Self.bot.description
    message.to = [Self.human.description]
    message.type = .error
    message.conversation = record.conversation
    message.idempotencyKey = "escalation \(entry.id) \(entry.attempt)"
    try spool.send(message)
    report(.escalated(task: entry.id.description, title: record.title))
  }
}
