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

  // MARK: Time

  /// Takes tasks from those that have had them for longer than the task allows.
  func expireLate(_ now: Int) throws {
    for task in board.live.values where task.entry.state == .inProgress {
      guard let timeout = task.record.timeoutSeconds, now - task.since >= Int(timeout * 1e9) else { continue }
      let reason = "timed out after \(timeout) s"
      if let entry = try spool.expire(task.entry, reason: reason, by: Self.bot.description) { try noteMove(entry) }
    }
  }

  // MARK: Waiting and assigning

  func settleWaiting() throws {
    while let id = toSettle.popFirst() {
      guard let task = board.live[id], task.entry.state == .blocked else { continue }
      guard let entry = try spool.settle(task.entry, standings: { self.board.standings($0) }) else { continue }
      try noteMove(entry, isChanged: true)
    }
  }

  func assign() throws {
    for decision in scheduler.decisions(now: Timestamp(microseconds: Clock.wall())) {
      defer { scheduler.setLoad(decision.bot, board.load(of: decision.bot)) }
      guard let task = board.live[decision.task] else { continue }
      let score = Self.reason(decision)
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

  /// Why a bot was given a task, in a few words.
  private static func reason(_ decision: Scheduler.Assignment) -> String {
    let score = "score \((decision.score * 100).rounded() / 100)"
    guard decision.batchCount > 1 else { return score }
    switch decision.method {
    case .exact, .annealed: return score + ", the best for \(decision.batchCount) tasks at once"
    case .greedy: return score + ", one by one: \(decision.batchCount) at once are too many to look at together"
    }
  }

  func finishGoals() throws {
    while let id = toFinish.popFirst() {
      guard let entry = board.live[id]?.entry, entry.state == .assigned, entry.bot == Self.bot else { continue }
      try requests.finish(entry, self)
    }
  }

  func updateScheduler(_ entry: TaskEntry, _ record: TaskRecord?, _ before: TaskEntry?) {
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
  func assignReserved() throws {
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
}
