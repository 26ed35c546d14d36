import CoordinatorPolicy
import SpoolFormat

/// The scheduler's rules, carried out the slow and plain way: every decision looks at every task and every bot.
struct SchedulerModel {
  struct Bot {
    var card: Card
    var load: Int
    var isAlive: Bool
    var isFree: Bool { isAlive && load < card.capacity }
  }

  struct Task {
    let id: MessageID
    let needs: TaskNeeds
    let rank: Int
    let notBefore: Timestamp?
    let failed: [BotName]
  }

  var bots: [BotName: Bot] = [:]
  var tasks: [MessageID: Task] = [:]
  let secondsPerPriority: Double

  mutating func add(
    _ id: MessageID, _ needs: TaskNeeds, _ priority: Priority, since: Timestamp, notBefore: Timestamp?,
    failed: [BotName]
  ) {
    let rank = since.microseconds - priority.value * Int(secondsPerPriority * 1e6)
    tasks[id] = Task(id: id, needs: needs, rank: rank, notBefore: notBefore, failed: failed)
  }

  /// The living bots that are to do tasks of these needs, with their scores.
  func scores(_ needs: TaskNeeds, failed: [BotName] = []) -> [BotName: Double] {
    let all = bots.values.filter(\.isAlive).map { bot in
      BotScore(
        BotProfile(card: bot.card), for: needs, load: bot.load, hasFailed: failed.contains(bot.card.name))
    }.filter { $0.disqualification == nil }
    let own = all.filter { !$0.isStranger }
    return Dictionary(uniqueKeysWithValues: (own.isEmpty ? all : own).map { ($0.bot, $0.total) })
  }

  /// Who may be given a task now.
  func candidates(_ task: Task) -> [BotName: Double] {
    var found = scores(task.needs, failed: task.failed)
    if found.count > 1, let last = task.failed.last { found[last] = nil }
    return found.filter { bots[$0.key]!.isFree }
  }

  func ready(_ now: Timestamp) -> [Task] {
    tasks.values.filter { ($0.notBefore ?? now) <= now }.sorted { ($0.rank, $0.id) < ($1.rank, $1.id) }
  }

  private func first(_ now: Timestamp) -> (Task, [BotName: Double])? {
    for task in ready(now) {
      let found = candidates(task)
      if !found.isEmpty { return (task, found) }
    }
    return nil
  }

  mutating func decisions(now: Timestamp) -> [(MessageID, BotName)] {
    var decided: [(MessageID, BotName)] = []
    while let (task, found) = first(now) {
      let best = found.min { ($1.value, $0.key) < ($0.value, $1.key) }!.key
      decided.append((task.id, best))
      tasks[task.id] = nil
      bots[best]!.load += 1
    }
    return decided
  }
}
