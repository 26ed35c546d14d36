import Linux
import Spool
import SpoolFormat

/// What a worker does with a task when it knows what should become of it.
extension Worker {
  /// Completes it; or puts it back for another attempt, or fails it for good.
  /// - Throws: `.claimLost`, with nothing changed; `.tryAgain` and its like, to be tried again.
  func carryOut(_ verdict: Verdict, of task: StoredTask, since started: Int) throws {
    switch verdict {
    case .done(let answer):
      var result = TaskAnswer()
      if case .result(let given) = answer { result = given }
      do {
        try complete(task, result, since: started)
      } catch let error as SpoolError where error.code == .badData {
        try fail(task, "its result can't be kept: \(error.message)", isRetryable: false, since: started)
      }
    case .retry(let reason, let after, let suggestion):
      try fail(task, reason, suggestion: suggestion, delay: after, since: started)
    case .putBackUnseen(let reason): try putBack(task, reason, isUnseen: true)
    case .giveUp(let reason, let suggestion):
      try fail(task, reason, suggestion: suggestion, isRetryable: false, since: started)
    }
  }

  private func complete(_ task: StoredTask, _ answer: TaskAnswer, since started: Int) throws {
    let done = try insist(task) {
      try spool.complete(
        task.entry, result: answer.result, confidence: answer.confidence, learnings: answer.learnings,
        startedAt: moment(started), by: bot.description)
    }
    summary.acked += 1
    report(.acked(.task(task), seconds: Double(Clock.sinceBoot() - started) / 1e9))
    settleOthers(after: done)
  }

  private func fail(
    _ task: StoredTask, _ reason: String, suggestion: String? = nil, isRetryable: Bool = true, delay: Double? = nil,
    since started: Int
  ) throws {
    let failed: TaskEntry
    do {
      failed = try insist(task) {
        try spool.fail(
          task.entry, error: reason, recoverySuggestion: suggestion, isRetryable: isRetryable, delay: delay,
          startedAt: moment(started), by: bot.description)
      }
    } catch let error as SpoolError where error.code == .badData {
      // Somebody spoiled its file. It is begun again when that has been mended.
      return try putBack(task, error.message)
    }
    note(failed, of: task, reason)
  }

  private func note(_ failed: TaskEntry, of task: StoredTask, _ reason: String) {
    guard failed.state.isFinal else {
      summary.requeued += 1
      let now = Timestamp(microseconds: Clock.wall())
      let wait = failed.notBefore.map { max(0, $0.seconds(since: now)) } ?? 0
      return report(.requeued(.task(task), reason: reason, delay: wait))
    }
    summary.dead += 1
    report(.dead(.task(task), reason: reason))
    settleOthers(after: failed)
  }

  /// Gives it back unfinished: to the bot that it was given to, unless there is somebody who decides that.
  func putBack(_ task: StoredTask, _ reason: String, isUnseen: Bool = false) throws {
    let released = try insist(task) {
      try spool.release(task.entry, reason: reason, by: bot.description, isUnseen: isUnseen)
    }
    summary.requeued += 1
    report(.requeued(.task(task), reason: reason, delay: 0))
    guard task.wasAssigned || options.work == .tasks(takesPending: false) else { return }
    try spool.assignBack(released, to: bot)
  }

  /// What waits for it may begin now.
  private func settleOthers(after entry: TaskEntry) {
    do { try spool.settleAfter(entry) } catch {
      report(.problem("cannot look after those that wait for \(entry.id): \(error)", delay: 0))
    }
  }

  /// Makes a transition. That somebody changes the task's content at the same moment (the program itself, with `spool
  /// task progress`) only delays it.
  /// - Throws: `.claimLost` when it was taken away.
  private func insist(_ task: StoredTask, _ transition: () throws -> TaskEntry?) throws -> TaskEntry {
    for _ in 0..<5 {
      do { if let entry = try transition() { return entry } } catch let error as SpoolError
        where error.code == .outcomeUnknown
      {
        // It was moved; only whether the disk has the line that says so can't be told.
        guard let entry = try spool.findTask(task.id), entry != task.entry else { throw error }
        report(.problem("\(error)", delay: 0))
        return entry
      }
      guard try spool.stands(task.entry) else {
        throw SpoolError(.claimLost, "\(task.id) was taken from \(bot)", hint: "see: spool trace \(task.id)")
      }
    }
    throw SpoolError(.tryAgain, "another process is changing \(task.id)")
  }

  /// Time that the machine slept since then is left out: how long the bot took is reckoned from it.
  private func moment(_ sinceBoot: Int) -> Timestamp {
    Timestamp(microseconds: Clock.wall() - (Clock.sinceBoot() - sinceBoot) / 1000)
  }
}
