import Glibc
import Linux
import Spool
import SpoolFormat

/// Runs a program as a bot: claims messages or begins tasks, gives them to the program, and does with them what its exit status, or its
/// answer, says. One thread and one poll(2) serve all slots; an idle worker does next to nothing.
///
/// The lease of what is in hand is renewed four times in its length. What it does is told to `report`.
public final class Worker {
  /// Requests to stop: the first ends claiming and lets what is in hand finish; the second kills it and puts it back.
  public let stopRequests: SignalPipe
  let spool: Spool
  let bot: BotName
  let options: WorkerOptions
  let report: (WorkerEvent) -> Void
  var summary = WorkerSummary()

  let source: any WorkSource
  let spoolPath: String
  let slots: [Slot]
  let negotiator: Negotiator?
  /// Bells that the tasks have heard of.
  private var bells = 0
  var poll = PollSet()
  var stops = 0
  /// Why no more can be done; thrown when what is in hand is finished.
  var fatal: SpoolError?
  private var isDry = false
  /// Nothing more will be claimed; what still runs is being ended.
  private var isClosing = false
  var claimsAgainAt = 0
  var claimFailures = 0
  private var beatsAt = 0

  /// Pauses after claims, spawns and settlements that failed: long enough not to spin, short enough for a person who
  /// has just made room on the disk.
  static let troubleBackoff = Backoff(first: 0.5, maximum: 15)

  /// - Throws: `.noSuchBot`; `.notFound` when there is no such program, or it can't be run; `.badData` for options that
  ///   won't do; `.tryAgain` when the process may not open enough files for so many slots.
  public init(
    _ spool: Spool, _ bot: BotName, _ options: WorkerOptions, report: @escaping (WorkerEvent) -> Void
  ) throws {
    guard let program = options.arguments.first else { throw SpoolError(.badData, "no program to run is given") }
    guard 1...WorkerOptions.slotsMax ~= options.slots else {
      throw SpoolError(.badData, "\(options.slots) slots: a worker has 1 to \(WorkerOptions.slotsMax)")
    }
    let bids = options.negotiation?.bidder.isEmpty == false ? Negotiator.bidsMax : 0
    let filesNeeded = options.slots * (options.work == .messages ? 4 : 6) + bids * 4 + 32
    guard filesNeeded <= openFilesMax() else {
      throw SpoolError(
        .tryAgain, "\(options.slots) slots need \(filesNeeded) open files, and this process may have \(openFilesMax())",
        hint: "raise it with: ulimit -n \(filesNeeded)")
    }
    do { _ = try Executable.locate(program) } catch { throw Self.cannotRun(program, error) }
    switch options.work {
    case .messages:
      guard options.negotiation == nil else { throw SpoolError(.badData, "who negotiates takes tasks, not messages") }
      source = try Inbox(spool, bot)
      negotiator = nil
    case .tasks(let takesPending):
      let tasks = try TaskInbox(spool, bot, takesPending: takesPending)
      negotiator = try options.negotiation.map { try Negotiator(spool, bot, $0, report: report) }
      // One watcher does for both: a user may have 128 of them.
      if negotiator != nil { tasks.isRung = false }
      source = tasks
    }
    spoolPath = try spool.absolutePath()
    do {
      stopRequests = try SignalPipe(catching: options.catchesSignals ? SignalPipe.stopSignals : [])
    } catch { throw SpoolError("cannot catch signals", error) }
    SignalPipe.ignoreBrokenPipes()
    self.spool = spool
    self.bot = bot
    self.options = options
    self.report = report
    slots = (0..<options.slots).map { _ in Slot() }
  }

  static func cannotRun(_ program: String, _ error: SystemCallError) -> SpoolError {
    let shown = program.escapedForTerminal()
    let hint =
      switch error.code {
      case ENOENT:
        program.contains("/") ? "check the path" : "no directory of PATH has it; give its path, such as ./\(shown)"
      case EACCES: "make it executable: chmod +x \(shown)"
      default: "give a program"
      }
    return SpoolError(.notFound, "cannot run \(shown): \(error.reason.lowercased())", hint: hint, cause: error)
  }

  /// Works until it is told to stop, or until there is no more to do if the options say so.
  /// When this returns or throws, nothing is claimed and no process is left.
  /// - Throws: `.notFound` when the program disappeared; `.notASpool`, `.noSuchBot` when what it works on did.
  public func run() throws -> WorkerSummary {
    let presence = try spool.announce(
      bot, program: options.arguments[0], takes: options.work == .messages ? .messages : .tasks,
      negotiates: negotiator != nil)
    defer {
      presence.end()
      source.leaveObservations()
      spool.leaveMoving()
    }
    do {
      try negotiator?.inbox.watch()
      if let tasks = source as? TaskInbox, let inbox = negotiator?.inbox { tasks.isRung = inbox.hasEvents }
      try source.watch()
      while try turn(presence) {}
    } catch {
      abandon("the worker failed: \(error)")
      throw error
    }
    if let fatal { throw fatal }
    return summary
  }

  /// One round of the event loop; false when all is done.
  private func turn(_ presence: Presence) throws -> Bool {
    noteStopRequests()
    if stops >= 2 {
      abandon("worker stopped")
      return false
    }
    let now = Clock.sinceBoot()
    beat(presence, now)
    negotiate()
    heedWarnings()
    for slot in slots { step(slot, now) }
    claim(now)
    if hasNothingToDo {
      isClosing = true
      for slot in slots { slot.child?.close() }
      if slots.allSatisfy({ $0.child == nil }) { return false }
    }
    try sleep()
    negotiator?.respond(to: poll)
    for slot in slots { respond(slot) }
    return true
  }

  /// The negotiator's inbox is that in which tasks are rung for.
  private func negotiate() {
    guard let negotiator else { return }
    negotiator.isStopping = !claimsAreWanted
    negotiator.turn()
    guard negotiator.inbox.bells != bells else { return }
    bells = negotiator.inbox.bells
    (source as? TaskInbox)?.ring()
  }

  private func sleep() throws {
    poll.removeAll()
    let stopPlace = poll.add(stopRequests.descriptor)
    var deadline = beatsAt
    let isWanted = claimsAreWanted && slots.contains(where: isFree)
    let isPausing = claimsAgainAt > Clock.sinceBoot()
    if isWanted, isPausing { deadline = min(deadline, claimsAgainAt) }
    let wake = source.wake(isWanted: isWanted && !isPausing, hasInHand: slots.contains { $0.job != nil })
    deadline = min(deadline, wake.at)
    if let descriptor = wake.descriptor { _ = poll.add(descriptor) }
    if let negotiator {
      deadline = min(deadline, negotiator.nextDue)
      negotiator.watch(&poll)
    }
    for slot in slots {
      deadline = min(deadline, slot.nextDeadline(startsProgram: options.isStream && claimsAreWanted))
      slot.child?.watch(&poll)
    }
    do { try poll.wait(until: deadline) } catch { throw SpoolError("cannot wait for events", error) }
    stopsArePending = poll.isReady(stopPlace)
  }

  var stopsArePending = true

  private func noteStopRequests() {
    guard stopsArePending else { return }
    stopsArePending = false
    let count = stopRequests.take()
    if count > 0, stops == 0 { report(.stopping(inHand: slots.count { $0.job != nil })) }
    stops += count
  }

  private func beat(_ presence: Presence, _ now: Int) {
    let pause = Int(min(source.lease / 4, Presence.secondsMax) * 1e9)
    // Who is awake beats soon enough that it needn't wake up for that alone.
    guard now >= beatsAt - pause / 4 else { return }
    beatsAt = now + pause
    checkSpool()
    do { try presence.beat() } catch {
      checkSpool()
      if let error = error as? SpoolError, error.code == .noSuchBot { return fail(error) }
      report(.problem("\(error)", delay: min(source.lease / 4, Presence.secondsMax)))
    }
  }

  private func heedWarnings() {
    do {
      if try source.takeWarning() { for slot in slots { check(slot) } }
    } catch {
      // What others left and can't be settled keeps nobody from work.
      report(.problem("\(error)", delay: 0))
      checkSpool()
    }
  }

  // MARK: Claiming

  var claimsAreWanted: Bool {
    stops == 0 && fatal == nil && !isClosing && summary.claimed < options.messagesMax ?? .max
  }

  /// Whether no message will be claimed any more and none is in hand.
  private var hasNothingToDo: Bool {
    guard slots.allSatisfy({ $0.job == nil }), negotiator?.isIdle ?? true else { return false }
    return !claimsAreWanted || (options.stopsWhenEmpty && isDry)
  }

  private func isFree(_ slot: Slot) -> Bool {
    guard slot.job == nil else { return false }
    return options.isStream ? slot.child.map { !$0.isEnding } ?? false : slot.child == nil
  }

  private func claim(_ now: Int) {
    isDry = false
    for slot in slots where isFree(slot) {
      guard claimsAreWanted, claimsAgainAt <= now else { return }
      do {
        let next = try source.next()
        for problem in source.takeProblems() { report(.problem(problem, delay: 0)) }
        guard let work = next else {
          isDry = true
          return
        }
        summary.claimed += 1
        report(.claimed(work))
        begin(work, in: slot)
      } catch let error as SpoolError where error.code == .notPermitted && summary.claimed == 0 {
        // It never could, and waiting changes nothing about that.
        return fail(error)
      } catch {
        pauseClaims("\(error)")
        checkSpool()
        return
      }
    }
  }

  func pauseClaims(_ problem: String) {
    claimFailures += 1
    let delay = Self.troubleBackoff.delay(after: claimFailures)
    claimsAgainAt = Clock.sinceBoot() + Int(delay * 1e9)
    report(.problem(problem, delay: delay))
  }

  func fail(_ error: SpoolError) {
    fatal = fatal ?? error
    // An offer that can't be sent would be tried again for ever.
    negotiator?.abandon()
  }

  func checkSpool() {
    guard !spool.isThere(at: spoolPath) else { return }
    fail(SpoolError(.notASpool, "the spool \(spoolPath) is gone", hint: "it was moved or removed while the worker ran"))
  }
}

extension Spool {
  /// Its path from the root.
  func absolutePath() throws -> String {
    do { return try Executable.absolutePath(of: path) } catch { throw SpoolError("cannot find the spool", error) }
  }
}
