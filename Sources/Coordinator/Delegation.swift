import CoordinatorPolicy
import Linux
import Spool
import SpoolFormat

/// Who works for whom: bots that come and go, tasks whose time has come or is over.
extension Coordinator {
  func refreshRoster() throws {
    for change in try roster.refresh(spool) {
      switch change {
      case .available(let card) where card.name != Self.bot:
        let isNew = !scheduler.knows(card.name)
        scheduler.setBot(card, load: board.load(of: card.name), isAlive: true)
        if isNew { noteFailures(of: card.name) }
      case .available: break
      case .gone(let bot):
        scheduler.setAlive(bot, false)
        for task in board.live.values where task.entry.state == .assigned && task.entry.bot == bot {
          toRelease.insert(task.entry.id)
        }
      case .removed(let bot): scheduler.removeBot(bot)
      }
    }
  }

  /// Tasks that a bot failed with before it was there.
  private func noteFailures(of bot: BotName) {
    for task in board.live.values where task.entry.state == .pending && task.record.assignTo == nil {
      guard task.record.failures.contains(where: { $0.bot == bot.description }) else { continue }
      scheduler.add(task.record, id: task.entry.id, notBefore: task.entry.notBefore)
    }
  }

  /// What a bot that is gone hadn't begun goes to others; what it had begun has a lease of its own.
  func releaseFromGone(_ now: Int) {
    work(off: \.toRelease, now) { id in
      guard let task = board.live[id], task.entry.state == .assigned else { return }
      let bot = task.entry.bot
      if let bot {
        guard roster.members[bot]?.takesTasks != true, bot != Self.bot, task.record.assignTo != bot else { return }
      }
      let reason = bot.map { "\($0) is gone" } ?? "it was given to nobody"
      if let entry = try spool.release(task.entry, reason: reason, by: Self.bot.description) { try noteMove(entry) }
    }
  }

  // MARK: Time

  /// A worker ends its program by itself when the time is over, which may take it some seconds, and fails the task with
  /// its backoff. What it hasn't ended then is taken from it.
  static let workerSecondsMax = 5.0

  /// Takes tasks from those that have had them for longer than the task allows.
  func expireLate(_ now: Int) {
    for task in board.live.values where task.entry.state == .inProgress {
      guard let timeout = task.record.timeoutSeconds else { continue }
      let limit = timeout + (task.entry.worker == nil ? 0 : Self.workerSecondsMax)
      guard now - task.since >= Int(limit * 1e9) else { continue }
      let reason = "timed out after \(timeout) s"
      // One that can't be read keeps no other from being taken away.
      attempt {
        if let entry = try spool.expire(task.entry, reason: reason, by: Self.bot.description) { try noteMove(entry) }
      }
    }
  }

  // MARK: Waiting and assigning

  func settleWaiting(_ now: Int) {
    work(off: \.toSettle, now) { id in
      guard let task = board.live[id] else { return }
      if task.entry.state == .pending, task.record.isJoin {
        if let entry = try spool.blockJoin(task.entry, by: Self.bot.description) { try noteMove(entry) }
        return
      }
      guard task.entry.state == .blocked else { return }
      do {
        guard let entry = try spool.settle(task.entry, standings: { self.board.standings($0) }) else { return }
        try noteMove(entry, isChanged: true)
      } catch let error as SpoolError where error.code == .badData {
        unsettled.insert(id)
        throw error
      }
    }
  }

  /// The parts of what somebody cancelled go with it, whichever way that was done.
  func cancelParts(_ now: Int) {
    work(off: \.toCancel, now) { id in
      guard let task = board.live[id], let parent = task.record.parent, board.state(of: parent) == .cancelled else {
        return
      }
      let reason = "\(parent), which it was a part of, was cancelled"
      if let entry = try spool.cancel(task.entry, reason: reason, by: Self.bot.description) { try noteMove(entry) }
    }
  }

  func assign() {
    for decision in scheduler.decisions(now: Timestamp(microseconds: Clock.wall())) {
      defer { scheduler.setLoad(decision.bot, board.load(of: decision.bot)) }
      guard let task = board.live[decision.task] else { continue }
      let score = Self.reason(decision)
      do {
        let assigned = try spool.assign(task.entry, to: decision.bot, by: Self.bot.description, reason: score)
        guard let assigned else {
          // Somebody was first. Where it went, an event tells, or the next listing; it may come back, too.
          missed.insert(decision.task)
          continue
        }
        try noteMove(assigned)
        report(
          .assigned(
            task: assigned.id.description, title: task.record.title, bot: decision.bot.description, why: score))
      } catch {
        // Once more later, from the listing.
        forget(decision.task)
        nextListing = min(nextListing, Clock.sinceBoot() + Self.pauseNanoseconds)
        tell(of: error)
      }
    }
  }

  /// Why a bot was given a task, in a few words.
  private static func reason(_ decision: Scheduler.Assignment) -> String {
    let score = "score \((decision.score * 100).rounded() / 100)"
    guard decision.batchCount > 1 else { return score }
    switch decision.method {
    case .exact, .annealed: return score + ", the best for \(decision.batchCount) tasks at once"
    case .greedy: return score + ", one by one: \(decision.batchCount) at once are too many to look at together"
    }
  }

  func finishGoals(_ now: Int) {
    work(off: \.toFinish, now) { id in
      guard let entry = board.live[id]?.entry, entry.state == .assigned else { return }
      try requests.finish(entry, self)
    }
  }

  func updateScheduler(_ entry: TaskEntry, _ record: TaskRecord?, _ before: TaskEntry?) {
    for bot in Set([before?.bot, entry.bot].compactMap { $0 }) { scheduler.setLoad(bot, board.load(of: bot)) }
    // What was done isn't done again because somebody moved it; that move is going to be undone.
    guard entry.state == .pending, before?.state != .completed, let record, !record.isJoin else {
      return scheduler.remove(entry.id)
    }
    if record.assignTo == nil {
      scheduler.add(record, id: entry.id, notBefore: entry.notBefore)
    } else {
      reserved.insert(entry.id)
    }
  }

  /// Those that only one bot may do go to that one, when their time has come.
  func assignReserved(_ now: Int) {
    let moment = Timestamp(microseconds: Clock.wall())
    for id in reserved where board.live[id]?.entry.notBefore.map({ $0 <= moment }) ?? true {
      reserved.remove(id)
      toAssign.insert(id)
    }
    work(off: \.toAssign, now) { id in
      guard let task = board.live[id], task.entry.state == .pending, let bot = task.record.assignTo else { return }
      guard let assigned = try spool.assign(task.entry, to: bot, by: Self.bot.description) else {
        missed.insert(id)
        return
      }
      try noteMove(assigned)
    }
  }
}
