import SpoolFormat

/// Tasks that can be given at once are given so that the sum of their scores is the greatest, and not one by one.
///
/// **Which tasks** these are is decided by rank: one by one as long as a free bot can do the next; and then those that can
/// be given when tasks of the batch go to other free bots, the first in rank before the others. A task that was chosen is
/// not left out for one that comes after it. So what `Scheduler` says of starving holds: of the tasks of a bot, one leaves
/// for each place that becomes free, and the first in rank first.
extension Scheduler {
  /// A task that is to be given to a bot, by its place.
  struct Decision {
    let task: Pending
    /// A bot that it isn't to be given to.
    let avoided: Int?
    /// Nil until a bot is found by moving others.
    var bot: Int?
    var score: Double
  }

  /// Tasks that are tried at most for the places that are left, in one batch.
  private static let extraMax = 64

  /// Gives the tasks of a batch, which have been counted to their bots, to those that are best for all together, and
  /// adds tasks for which there is room then.
  /// - Returns: how that was done: `.greedy` when it was left, because the exact solution would take too long.
  mutating func improve(_ batch: inout [Decision], limit: Int) -> AssignmentProblem.Method {
    guard !batch.isEmpty else { return .exact }
    let extra = takeExtra(batch, limit: limit - batch.count)
    defer {
      for decision in extra where !batch.contains(where: { $0.task.key == decision.task.key }) { insert(decision.task) }
    }
    guard batch.count + extra.count > 1 else { return .exact }
    let tasks = batch + extra
    let places = places(for: tasks)
    let pairs = places.count * places.count
    guard tasks.count <= AssignmentProblem.exactStepsMax / max(1, pairs) else { return .greedy }
    let (problem, best) = solve(tasks, places, batch)
    let isBetter =
      best.bots.count { $0 != nil } > batch.count || best.total > batch.reduce(0) { $0 + $1.score } + 1e-9
    guard isBetter else { return .exact }
    for decision in batch { if let bot = decision.bot { release(bots[bot]!.name) } }
    var given = Array(repeating: 0, count: places.count)
    batch = []
    for (row, column) in best.bots.enumerated() {
      guard let column else { continue }
      var decision = tasks[row]
      decision.bot = places[column]
      decision.score = problem.score(row, column) + problem.room[column][given[column]]
      given[column] += 1
      occupy(bots[places[column]]!.name)
      batch.append(decision)
    }
    return .exact
  }

  private func solve(
    _ tasks: [Decision], _ places: [Int], _ batch: [Decision]
  ) -> (AssignmentProblem, AssignmentProblem.Solution) {
    var counts: [Int: Int] = [:]
    for decision in batch { if let bot = decision.bot { counts[bot, default: 0] += 1 } }
    let room = places.map { place -> [Double] in
      let capacity = bots[place]!.profile.card.capacity
      let before = bots[place]!.load - counts[place, default: 0]
      return (0..<min(max(0, capacity - before), tasks.count)).map {
        BotScore.Weight.load * BotScore.load(before + $0, of: capacity)
      }
    }
    var scores: [Double] = []
    scores.reserveCapacity(tasks.count * places.count)
    for decision in tasks {
      for place in places {
        scores.append(isAble(place, decision) ? worth(place, decision.task) : -.infinity)
      }
    }
    let problem = AssignmentProblem(scores: scores, room: room, inOrder: true)
    return (problem, problem.exact())
  }

  private func isAble(_ place: Int, _ decision: Decision) -> Bool {
    place != decision.avoided && classes[decision.task.taskClass]!.includes(place)
  }

  /// The bots that count, by name so that the same tasks are given to the same ones: of N tasks each needs no more than
  /// the N that are best for it, because the others take N − 1 of these at most.
  private func places(for tasks: [Decision]) -> [Int] {
    let used = Set(tasks.compactMap(\.bot))
    let all = used.union(free)
    var chosen = used
    if tasks.count * tasks.count >= all.count {
      chosen = all
    } else {
      for decision in tasks {
        let able = all.filter { isAble($0, decision) }.map {
          (place: $0, score: worth($0, decision.task) + loadParts[$0])
        }
        chosen.formUnion(able.sorted { $0.score > $1.score }.prefix(tasks.count).map(\.place))
      }
    }
    return chosen.sorted { bots[$0]!.name < bots[$1]!.name }
  }

  /// Takes out waiting tasks whose bots were all given others just now, if some of these might go elsewhere.
  private mutating func takeExtra(_ batch: [Decision], limit: Int) -> [Decision] {
    guard limit > 0, !free.isEmpty else { return [] }
    let used = Set(batch.compactMap(\.bot))
    let given = Set(batch.map(\.task.taskClass))
    guard given.contains(where: { index in free.contains { classes[index]!.includes($0) } }) else { return [] }
    let room = free.reduce(0) { $0 + bots[$1]!.profile.card.capacity - bots[$1]!.load }
    var extra: [Decision] = []
    for index in classes.indices {
      guard let waiting = classes[index], waiting.queue.count > 0, used.contains(where: { waiting.includes($0) }) else {
        continue
      }
      for _ in 0..<min(room, limit, waiting.queue.count) where extra.count < Self.extraMax {
        guard let key = classes[index]!.queue.first(exceptAvoiding: nil), let task = pending[key.id] else { break }
        takeOut(key.id, task)
        let avoided = classes[index]!.livingCount > 1 ? task.avoided : nil
        extra.append(Decision(task: task, avoided: avoided, bot: nil, score: 0))
      }
    }
    return Array(extra.sorted { $0.task.key < $1.task.key })
  }
}
