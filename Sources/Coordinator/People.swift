import CoordinatorPolicy
import Linux
import Spool
import SpoolFormat

/// What people do to tasks by hand, and what they are told of.
extension Coordinator {
  func respondToHands(_ now: Int) {
    if now >= nextHandMoves, let due = handMoves.nextDue, now >= due {
      nextHandMoves = now + HandMoves.patience / 4
      for move in handMoves.take(readSince: outcomes.wholeSince) { toAcknowledge.insert(move) }
    }
    work(off: \.toAcknowledge, now) { move in
      guard board.isKnown(move.entry), let from = move.from else { return }
      guard let stands = try spool.acknowledgeMove(move.entry, from: from) else { return }
      let title = try (board.live[move.entry.id]?.record ?? readable(stands))?.title ?? ""
      report(
        .movedByHand(
          task: move.entry.id.description, title: title, to: stands.state.rawValue, wasPutBack: stands != move.entry))
      try noteMove(stands)
    }
  }

  // MARK: People

  /// Says which tasks no bot that is there can do, each once; of very many some in each round.
  func noteStranded() {
    let all = Set(scheduler.stranded)
    stranded.formIntersection(all)
    for id in all.subtracting(stranded).sorted().prefix(20) {
      stranded.insert(id)
      guard let task = board.live[id] else { continue }
      let remark = TaskNeeds(task.record).remark
      report(.problem("no bot that takes tasks can do \(id) \(task.record.title.prefix(60))\(remark)"))
    }
  }

  /// A task that failed or was cancelled, and when, as the log has it.
  struct Ended: Hashable {
    let entry: TaskEntry
    let at: Timestamp
  }

  /// Who waits for a task that failed or was cancelled hears of it: of a request whoever asked, of any other that failed
  /// a person, if there is one. Told twice, it is kept once.
  func tellOfEnd(_ ended: Ended) throws {
    let entry = ended.entry
    // It was moved on, or brought back.
    guard let record = try readable(entry) else { return }
    if let goal = Goal(record) { return try requests.tellOfEnd(goal, record, ended) }
    guard entry.state == .failed, record.assignTo != Self.bot, try !isVote(record) else { return }
    try escalate(record, ended)
  }

  /// What a bot was asked in a discussion, which ends without it as well.
  private func isVote(_ record: TaskRecord) throws -> Bool {
    guard let parent = try record.parent.flatMap({ try spool.findTask($0) }) else { return false }
    return try readable(parent).flatMap { Goal($0) }?.isDiscussion == true
  }

  /// Tells a person of a failed task, whatever waits in that inbox: nothing waits for somebody to read it, and nothing is
  /// left to be told when a coordinator ends.
  private func escalate(_ record: TaskRecord, _ ended: Ended) throws {
    let entry = ended.entry
    guard try spool.exists(Self.human) else { return }
    // A group that has ended is not brought back by its task.
    let cure = Spool.groupAsWhole(record) == nil ? "spool task retry \(entry.id)" : "spool announce"
    var message = Message(content: Escalation.text(record, id: entry.id, attempts: entry.attempt, cure: cure))
    message.from = Self.bot.description
    message.to = [Self.human.description]
    message.type = .error
    message.conversation = record.conversation
    message.idempotencyKey = "escalation \(entry.id) \(ended.at)"
    try spool.send(message, evenIfFull: true)
    report(.escalated(task: entry.id.description, title: record.title))
  }
}
