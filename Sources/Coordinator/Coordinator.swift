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
  public static let bot = Spool.coordinator
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
  var handMoves: HandMoves
  let requests: Requests
  /// Leading or not.
  let hub: Hub?
  var observations = TaskObservations()
  let watcher: TaskWatcher
  /// When to look for what other hosts did.
  var pace = LookPace()
  var poll = PollSet()

  /// Whether it has taken up where things stood: what it finds since is new.
  private(set) var hasBegun = false
  /// What was found to be no task, and said.
  var unreadable: Set<TaskEntry> = []
  /// Blocked tasks to look at again because something that they wait for was moved.
  var toSettle = Agenda<MessageID>()
  /// Those that have to do with a file that can't be read: somebody may mend it, which nothing tells.
  var unsettled: Set<MessageID> = []
  /// Pending tasks for one bot only, whose time has not come.
  var reserved: Set<MessageID> = []
  /// Those whose time has come.
  var toAssign = Agenda<MessageID>()
  /// Pending tasks that weren't there when they were to be assigned.
  var missed: Set<MessageID> = []
  /// Tasks of bots that are gone, which go to others.
  var toRelease = Agenda<MessageID>()
  /// Goals that are this coordinator's to finish.
  var toFinish = Agenda<MessageID>()
  /// Tasks whose parent was cancelled, and that go with it.
  var toCancel = Agenda<MessageID>()
  /// Tasks that failed or were cancelled, which somebody may have to hear of.
  var toTell = Agenda<Ended>()
  /// Moves that nobody logged.
  var toAcknowledge = Agenda<HandMoves.Move>()
  /// What ended tasks taught, and isn't written down yet.
  var lessons: [(task: TaskRecord, bot: String?, at: Timestamp)] = []
  private var troubles = Troubles()
  /// By the clock since boot, nanoseconds.
  var nextListing = 0
  var nextFullListing = 0
  var nextLeaseRound = 0
  var nextHandMoves = 0
  var nextStranded = 0
  /// Tasks that nobody can do, and that somebody was told of.
  var stranded: Set<MessageID> = []

  /// What lives is listed so often even though no event said so; what has ended, more seldom.
  static let listingNanoseconds = 5_000_000_000
  static let fullListingNanoseconds = 60_000_000_000
  /// The same where there are no events.
  static let pollNanoseconds = 200_000_000
  static let leaseRoundNanoseconds = 1_000_000_000
  /// How long a task may find nobody who can do it, or its bot be away when a coordinator begins, before something is
  /// done: bots may just be starting.
  static let strandedNanoseconds = 5_000_000_000

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
    handMoves = HandMoves(isRemote: spool.isRemote)
    outcomes = try Outcomes(spool)
    watcher = try TaskWatcher(spool)
    requests = try Requests(spool, options)
    hub = try options.hub.map { try Hub(spool, $0, report: report) }
    do { stopRequests = try SignalPipe(catching: options.catchesSignals ? SignalPipe.stopSignals : []) } catch {
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
      spool.leaveMoving()
    }
    try presence.beat()
    guard try standBy(presence) else { return }
    report(.leading)
    try begin()
    defer { saveOutcomes(.max) }
    var beatsAt = 0
    while true {
      if stopRequests.take() > 0 { return stepDown() }
      let now = Clock.sinceBoot()
      guard try leads() else { return report(.replaced) }
      if now >= beatsAt {
        beatsAt = now + Int(leadership.renewalSeconds * 1e9)
        attempt { try presence.beat() }
        guard spool.isThere(at: spool.path) else { throw SpoolError(.notASpool, "the spool \(spool.path) is gone") }
      }
      turn(now)
      if options.stopsWhenIdle, isIdle { return stepDown() }
      try sleep(until: beatsAt)
    }
  }

  /// A trouble of the moment (no descriptors left, a server that doesn't answer) changes nothing for the length of a lease:
  /// so long nobody takes over.
  private func leads() throws -> Bool {
    do { return try leadership.hold() } catch {
      guard spool.isThere(at: spool.path), !leadership.isLeader || leadership.isWithinLease else { throw error }
      tell(of: error)
      return leadership.isLeader
    }
  }

  /// Whoever ended a task while this one led left what follows to it; from now on they see to that themselves.
  private func stepDown() {
    leadership.end()
    attempt { if !spool.coordinatorIsUp { try spool.settleOverlooked() } }
  }

  /// False when it was told to stop meanwhile.
  private func standBy(_ presence: Presence) throws -> Bool {
    var hasSaid = false
    while try !leads() {
      if stopRequests.take() > 0 { return false }
      if !hasSaid, let leader = try spool.coordinator() {
        hasSaid = true
        report(.standingBy(leader: leader.description))
      }
      attempt { try presence.beat() }
      try standBy()
    }
    return true
  }

  /// A quarter of a second between two looks at who leads, in which groups are seen to all the same.
  private func standBy() throws {
    let end = Clock.sinceBoot() + 250_000_000
    repeat {
      hub?.turn()
      poll.removeAll()
      let stop = poll.add(stopRequests.descriptor)
      hub?.watch(&poll)
      do { try poll.wait(until: min(end, hub?.nextDue ?? end)) } catch {
        throw SpoolError("cannot wait for events", error)
      }
      if poll.isReady(stop) { return }
    } while Clock.sinceBoot() < end
  }

  /// What a trouble of the moment (a full disk, no descriptors left) keeps from being done is done in a later round.
  func attempt(_ body: () throws -> Void) {
    do { try body() } catch { tell(of: error) }
  }

  /// The same trouble once a minute.
  func tell(of error: any Error) {
    let text = "\(error)"
    if troubles.isNews(text) { report(.problem(text)) }
  }

  var isIdle: Bool {
    requests.isIdle && (hub?.isIdle ?? true) && TaskState.live.allSatisfy { (board.inState[$0] ?? 0) == 0 }
  }

  // MARK: The loop

  /// For whoever has become the leader: takes up where things stand.
  func begin() throws {
    // Not as they were when it began to stand by.
    outcomes = try Outcomes(spool)
    scheduler.learn(outcomes.team)
    // First: who failed with a task is kept from it by what is known of the bots.
    attempt { try refreshRoster() }
    attempt { _ = try spool.expireTasks(&observations) }
    try listAll(includingEnded: true)
    let now = Clock.sinceBoot()
    (nextListing, nextFullListing) = (now + Self.listingNanoseconds, now + Self.fullListingNanoseconds)
    try findEndedChildren()
    // What nobody saw to while nobody coordinated: what waits for others, whose bot is away, whose parent was cancelled.
    var away: [MessageID] = []
    for task in board.live.values {
      if task.entry.state == .blocked { toSettle.insert(task.entry.id) }
      if task.entry.state == .assigned, let bot = task.entry.bot, roster.members[bot]?.takesTasks != true,
        wasGivenByCoordinator(task.entry.id)
      {
        away.append(task.entry.id)
      }
      if let parent = task.record.parent, board.state(of: parent) == .cancelled {
        attempt { if try !wasBroughtBack(task.entry.id, after: parent) { toCancel.insert(task.entry.id) } }
      }
    }
    toRelease.insert(away, notBefore: now + Self.strandedNanoseconds)
    hasBegun = true
  }

  /// Whether a coordinator gave it to the bot that has it. What somebody else gave to a bot that isn't there waits for it.
  private func wasGivenByCoordinator(_ id: MessageID) -> Bool {
    // Of which nothing is known goes to others.
    guard let last = (try? History(spool).lastOfTask(id)) ?? nil else { return true }
    return last.kind == .taskAssigned && last.text("by") == Self.bot.description
  }

  /// Whether somebody brought a part back after that which it is a part of was cancelled: so it is wanted all the same.
  private func wasBroughtBack(_ id: MessageID, after parent: MessageID) throws -> Bool {
    let history = History(spool)
    guard let end = try history.lastOfTask(parent), end.entry?.state == .cancelled else { return false }
    return try history.trace(id).contains { event in
      let from = event.text("from").flatMap(TaskState.init(rawValue:))
      return event.time > end.time && from?.isFinal == true && event.entry?.state.isFinal == false
    }
  }

  /// Children that a parent didn't name beforehand, and that have ended, are known by their files alone.
  private func findEndedChildren() throws {
    let parents = board.live.values.filter {
      $0.record.awaitsChildren && $0.record.children.isEmpty
    }
    guard let oldest = parents.map(\.entry.id.time).min() else { return }
    for entry in try spool.tasks(in: [.completed, .failed, .cancelled]) where entry.id.time >= oldest {
      attempt { board.addChild(entry.id, of: try readable(entry)?.parent) }
    }
  }

  /// Everything that can be done now.
  func turn(_ now: Int) {
    // First: who forms a group waits for each of its answers.
    hub?.turn()
    attempt { try look(now) }
    attempt { try readLog(now) }
    attempt { try refreshRoster() }
    respondToHands(now)
    if now >= nextLeaseRound {
      nextLeaseRound = now + Self.leaseRoundNanoseconds
      attempt { for entry in try spool.expireTasks(&observations) { try noteMove(entry) } }
      expireLate(now)
    }
    if now >= nextStranded {
      if nextStranded > 0 { noteStranded() }
      nextStranded = now + Self.strandedNanoseconds
    }
    cancelParts(now)
    releaseFromGone(now)
    settleWaiting(now)
    assignReserved(now)
    assign()
    finishGoals(now)
    work(off: \.toTell, now) { try tellOfEnd($0) }
    requests.turn(self)
  }

  /// Waits until something happens, or until then.
  func sleep(until beat: Int) throws {
    poll.removeAll()
    _ = poll.add(stopRequests.descriptor)
    if let descriptor = watcher.descriptor { _ = poll.add(descriptor) }
    requests.watch(&poll)
    hub?.watch(&poll)
    var deadline = min(
      beat, nextListing, nextLeaseRound, nextStranded, roster.nextDue, outcomes.nextDue, requests.nextDue,
      hub?.nextDue ?? .max)
    if let due = handMoves.nextDue { deadline = min(deadline, max(due, nextHandMoves)) }
    for due in [scheduler.nextWake, nextReserved].compactMap({ $0 }) {
      deadline = min(deadline, due.nextAsked)
    }
    deadline = min(
      deadline, toSettle.nextDue, toAssign.nextDue, toRelease.nextDue, toFinish.nextDue, toCancel.nextDue,
      toTell.nextDue, toAcknowledge.nextDue)
    do { try poll.wait(until: deadline) } catch { throw SpoolError("cannot wait for events", error) }
    requests.respond(to: poll)
  }

  var nextReserved: Timestamp? { reserved.compactMap { board.live[$0]?.entry.notBefore }.min() }

}
