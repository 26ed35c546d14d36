import CoordinatorPolicy
import Linux
import Spool
import SpoolFormat

/// How a coordinator comes to know what there is: from events, from listings, and from the log.
extension Coordinator {
  func look(_ now: Int) throws {
    if let moves = try watcher.takeMoves() {
      for entry in moves { attempt { try noteMove(entry, isChanged: true) } }
    } else {
      nextListing = 0
    }
    guard now >= nextListing else { return }
    // Should it fail, not at once again.
    nextListing = now + Self.pauseNanoseconds
    let isFull = now >= nextFullListing
    try listAll(includingEnded: isFull)
    let end = Clock.sinceBoot()
    let interval =
      spool.isRemote
      ? pace.interval(now: end) : watcher.mechanism == .polling ? Self.pollNanoseconds : Self.listingNanoseconds
    nextListing = end + max(interval, LookPace.rest(after: end - now))
    if isFull { nextFullListing = end + Self.fullListingNanoseconds + LookPace.rest(after: end - now, times: 100) }
  }

  func listAll(includingEnded: Bool) throws {
    var seen: Set<MessageID> = []
    for entry in try spool.tasks(in: includingEnded ? TaskState.allCases : TaskState.live) {
      seen.insert(entry.id)
      // One that can't be read for a moment keeps no other from being seen; the next listing tries it again.
      attempt { try noteMove(entry) }
    }
    // What isn't where it was, and not among the living: it has ended, is being changed, or was removed.
    let missing = Set(board.missing(from: seen))
    let found = try spool.findTasks(missing)
    for id in missing {
      if let entry = found[id] { attempt { try noteMove(entry) } } else { forget(id) }
    }
    if includingEnded {
      board.forgetEnded(but: seen.union(found.keys))
      for id in unsettled { toSettle.insert(id) }
      unsettled = []
      try finishSubmits()
    }
  }

  /// Of workflows whose submitters died half-way, the steps that are missing.
  func finishSubmits() throws {
    for parent in board.live.values where parent.entry.state == .blocked && parent.record.isJoin {
      guard parent.record.children.contains(where: { board.state(of: $0) == nil }),
        let stored = try spool.task(parent.entry.id)
      else { continue }
      attempt { try spool.finishSubmitting(stored) }
    }
  }

  func forget(_ id: MessageID) {
    scheduler.remove(id)
    missed.remove(id)
    board.forget(id)
  }

  /// Takes up where a task stands now; nothing when that is known.
  /// - Parameter isChanged: what its file says may be new, though it stands where it stood: why it is blocked, say.
  func noteMove(_ entry: TaskEntry, isChanged: Bool = false) throws {
    let isKnown = board.isKnown(entry)
    // It is back where it was.
    if missed.remove(entry.id) != nil, isKnown, let task = board.live[entry.id] {
      updateScheduler(entry, task.record, entry)
    }
    guard !isKnown || (isChanged && entry.state == .blocked) else { return }
    if !isKnown { pace.noteChange() }
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
      try completed(entry, record) ?? before?.entry
      ?? board.ended[entry.id].map { TaskEntry(state: $0, name: entry.name) }
    var parent = (before?.record ?? record)?.parent
    if before == nil, entry.state.isFinal, hasBegun, board.hasWaitingParents {
      parent = try readable(entry)?.parent
      board.addChild(entry.id, of: parent)
    }
    // Of what was cancelled before, `begin` looks at each part.
    if entry.state == .cancelled, hasBegun { for part in board.parts(of: entry.id) { toCancel.insert(part) } }
    // Brought back: of what has ended it isn't kept which children it has.
    var children: [StoredTask] = []
    if board.ended[entry.id] != nil, let record, record.awaitsChildren, record.children.isEmpty {
      children = try spool.children(of: record)
    }
    board.note(entry, record, now: Clock.sinceBoot())
    for child in children { board.addChild(child.id, of: entry.id) }
    updateScheduler(entry, record, from)
    handMoves.notice(entry, from: from, now: Clock.sinceBoot())
    if entry.state == .blocked || (entry.state == .pending && record?.isJoin == true && from?.state != .completed) {
      toSettle.insert(entry.id)
    }
    if entry.state == .assigned, entry.bot == Self.bot || entry.bot == Spool.hub { toFinish.insert(entry.id) }
    // Given to nobody. From where that was done is known of most: those are put back.
    if entry.state == .assigned, entry.bot == nil, from == nil { toRelease.insert(entry.id) }
    for waiting in board.waiting(for: entry.id, parent: parent) { toSettle.insert(waiting.id) }
    // What was there before this coordinator was isn't news.
    if let before, entry.state.isFinal {
      report(.ended(task: entry.id.description, title: before.record.title, state: entry.state.rawValue))
    }
  }

  /// Where a task was completed that somebody made pending again, while nobody coordinated or by way of another state; nil
  /// for all others.
  func completed(_ entry: TaskEntry, _ record: TaskRecord?) throws -> TaskEntry? {
    guard entry.state == .pending, record?.wasCompleted == true else { return nil }
    // Nothing that a program does comes after that.
    return try History(spool).trace(entry.id).last { $0.kind == .taskCompleted }?.entry
  }

  /// What a task says; nil when it was moved on, or can't be read, which is left to a person.
  func readable(_ entry: TaskEntry) throws -> TaskRecord? {
    do { return try spool.record(of: entry) } catch let error as SpoolError
      where error.code == .badData || error.code == .notPermitted
    {
      if unreadable.insert(entry).inserted { report(.problem("\(error)")) }
      return nil
    }
  }

  // MARK: The log

  func readLog(_ now: Int) throws {
    let wall = Clock.wall()
    defer { saveOutcomes(now) }
    // What could be read counts, even when another host's log can't be.
    attempt {
      let isWhole = handMoves.nextDue.map { now >= $0 } ?? false
      try outcomes.readOn(isWhole: isWhole, learn: { scheduler.learn($0) }) { event, entry in
        handMoves.noteLogged(entry, now: now)
        switch event.kind {
        case .taskCompleted:
          guard let bytes = event.taskBytes, let record = try? TaskRecord(parsing: bytes) else { return }
          if !record.learnings.isEmpty { lessons.append((record, event.text("bot"), event.time)) }
        case .taskFailed, .taskCancelled, .taskMoved:
          let isNews = wall - event.time.microseconds < Self.newsMicroseconds
          if isNews, entry.state == .failed || entry.state == .cancelled {
            toTell.insert(Ended(entry: entry, at: event.time))
          }
        default: break
        }
      }
    }
    // One that can never be kept (its file is a directory) keeps no other from it: the log has them all.
    lessons = lessons.filter { lesson in
      do { try Learnings(spool).keep(lesson.task, bot: lesson.bot, time: lesson.at) } catch {
        tell(of: error)
        return (error as? SpoolError)?.code == .tryAgain
      }
      return false
    }
  }

  /// What ended while nobody coordinated is told of all the same, but not what nobody can be waiting for any more.
  private static let newsMicroseconds = 86_400_000_000

  /// As far as all that follows from it was done: the next coordinator reads on from there.
  func saveOutcomes(_ now: Int) {
    outcomes.save(now, isSettled: lessons.isEmpty && toTell.isEmpty)
  }
}
