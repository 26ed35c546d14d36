import SpoolFormat

/// What is asked of the scheduler: who gets what now, and what is shown of it.
extension Scheduler {
  /// When `decisions` may have more to say although nothing was told: when the next task's time comes.
  public var nextWake: Timestamp? { delayed.first.map { Timestamp(microseconds: $0.until) } }

  /// All that can be assigned now, the most urgent first.
  /// - Parameter limit: decisions at most, for callers who want to carry some out before they ask for more.
  public mutating func decisions(now: Timestamp, limit: Int = .max) -> [Assignment] {
    note(now)
    while let first = delayed.first, first.until <= now.microseconds {
      _ = delayed.popFirst()
      guard var task = pending[first.key.id], task.key == first.key else { continue }
      task.isReady = true
      classes[task.taskClass]!.delayedCount -= 1
      insert(task)
    }
    compactDelayed()
    var batch: [Decision] = []
    while batch.count < limit, let (key, avoided) = next() {
      guard let task = pending[key.id], let bot = bestBot(task, avoiding: avoided) else { break }
      batch.append(Decision(task: task, avoided: avoided, bot: bot, score: score(bot, task)))
      takeOut(key.id, task)
      occupy(bots[bot]!.name)
    }
    let method = improve(&batch, limit: limit)
    return batch.compactMap { decision in
      guard let bot = decision.bot else { return nil }
      return Assignment(
        task: decision.task.key.id, bot: bots[bot]!.name, score: decision.score, batchCount: batch.count,
        method: method)
    }
  }

  /// The first in rank of the tasks that a free bot can do, and the bot that it mustn't be given to.
  private func next() -> (QueueKey, Int?)? {
    var best: QueueKey?
    for index in servable {
      // Those that a bot has failed with wait for another one, unless there is none. With two that are free there is.
      let keptFrom = classes[index]!.freeCount == 1 && classes[index]!.livingCount > 1 ? onlyFree(index) : nil
      if let first = classes[index]!.queue.first(exceptAvoiding: keptFrom), best.map({ first < $0 }) ?? true {
        best = first
      }
    }
    guard let best, let task = pending[best.id] else { return nil }
    return (best, classes[task.taskClass]!.livingCount > 1 ? task.avoided : nil)
  }

  private func onlyFree(_ index: Int) -> Int? { free.first { classes[index]!.includes($0) } }

  private func score(_ bot: Int, _ task: Pending) -> Double { worth(bot, task) + loadParts[bot] }

  /// The score less the part that the bot's load changes.
  func worth(_ bot: Int, _ task: Pending) -> Double {
    classes[task.taskClass]!.fixed[bot] - (task.failed.contains(bot) ? BotScore.failurePenalty : 0)
  }

  private func bestBot(_ task: Pending, avoiding avoided: Int?) -> Int? {
    var best: (bot: Int, score: Double)?
    for bot in free where bot != avoided && classes[task.taskClass]!.includes(bot) {
      let score = score(bot, task)
      if let known = best, score < known.score || (score == known.score && bots[bot]!.name > bots[known.bot]!.name) {
        continue
      }
      best = (bot, score)
    }
    return best?.bot
  }

  // MARK: - To be shown

  /// All bots for a task, the best first, those that can't at the end. For people: it looks at every bot.
  public func scores(_ needs: TaskNeeds, failed: [BotName] = []) -> [BotScore] {
    let seconds = team.meanSeconds(needs.domain)
    let all = bots.compactMap { $0 }.map { bot in
      BotScore(
        bot.profile, for: needs, load: bot.load, teamSeconds: seconds, hasFailed: failed.contains(bot.name))
    }
    return all.sorted { left, right in
      if (left.disqualification == nil) != (right.disqualification == nil) { return left.disqualification == nil }
      if left.isStranger != right.isStranger { return right.isStranger }
      return left.total != right.total ? left.total > right.total : left.bot < right.bot
    }
  }

  /// Tasks that no living bot can do, oldest first, to be told to somebody. Looks at every class, and at the tasks of
  /// those that nobody can do.
  public var stranded: [MessageID] {
    var found: [MessageID] = []
    for index in classes.indices where classes[index].map({ $0.livingCount == 0 }) ?? false {
      found += classes[index]!.queue.keys { pending[$0.id]?.key == $0 }.map(\.id)
    }
    return found.sorted()
  }
}
