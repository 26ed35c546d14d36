extension AssignmentProblem {
  /// The greatest total there is: a flow of least cost from the tasks through the bots, built by successive shortest
  /// paths with potentials (Edmonds and Karp 1972; Ahuja, Magnanti, Orlin, *Network Flows*, 9.7). Each task in turn
  /// gets a place, pushing others from one bot to the next where that is best for all.
  ///
  /// Cost: at most `exactSteps`, and after each task, for each bot on its path, the tasks that this one has times the
  /// bots. Memory: two numbers for each pair of bots.
  public func exact() -> Solution {
    var flow = LeastCostFlow(self)
    for task in 0..<taskCount { flow.place(task) }
    return solution(flow.bots)
  }
}

/// Costs are scores with the sign turned. Between bots, the cost of an edge is that of moving the task over for which
/// it is least.
private struct LeastCostFlow {
  private let problem: AssignmentProblem
  private let count: Int
  private(set) var bots: [Int?]
  /// By bot, its tasks.
  private var tasks: [[Int]]
  /// From bot × count + to bot: the least that moving one of its tasks over costs, and which task that is.
  private var moves: [Double]
  private var movers: [Int]
  private var potentials: [Double]

  init(_ problem: AssignmentProblem) {
    self.problem = problem
    count = problem.botCount
    bots = Array(repeating: nil, count: problem.taskCount)
    tasks = Array(repeating: [], count: count)
    moves = Array(repeating: .infinity, count: count * count)
    movers = Array(repeating: -1, count: count * count)
    potentials = Array(repeating: 0, count: count)
  }

  mutating func place(_ task: Int) {
    let (distances, parents) = shortestPaths(from: task)
    let end = end(distances)
    setPotentials(distances)
    guard let end else { return }
    if let left = end.left {
      tasks[end.bot].removeAll { $0 == left }
      bots[left] = nil
    }
    // From the end of the path to its beginning: each bot hands a task on, and the last one has a place for it.
    var to = end.bot
    var changed = [to]
    while parents[to] >= 0 {
      let from = parents[to]
      let moved = movers[from * count + to]
      tasks[from].removeAll { $0 == moved }
      give(moved, to)
      to = from
      changed.append(to)
    }
    give(task, to)
    for bot in changed { refreshMoves(bot) }
  }

  /// Where it costs least to end: at a bot that has room, or at one that leaves a task of its own to nobody; nil when it
  /// costs less to leave the new one.
  private func end(_ distances: [Double]) -> (bot: Int, left: Int?)? {
    var best: (bot: Int, left: Int?)?
    var least = problem.inOrder ? Double.infinity : 0
    for bot in 0..<count where distances[bot].isFinite {
      if tasks[bot].count < problem.room[bot].count, distances[bot] - problem.room[bot][tasks[bot].count] < least {
        least = distances[bot] - problem.room[bot][tasks[bot].count]
        best = (bot, nil)
      }
      guard !problem.inOrder else { continue }
      for task in tasks[bot] where distances[bot] + problem.scores[task * count + bot] < least {
        least = distances[bot] + problem.scores[task * count + bot]
        best = (bot, task)
      }
    }
    return best
  }

  private mutating func give(_ task: Int, _ bot: Int) {
    tasks[bot].append(task)
    bots[task] = bot
  }

  private mutating func refreshMoves(_ bot: Int) {
    let (tasks, count) = (tasks[bot], count)
    problem.scores.withUnsafeBufferPointer { scores in
      moves.withUnsafeMutableBufferPointer { moves in
        movers.withUnsafeMutableBufferPointer { movers in
          for to in 0..<count { moves[bot * count + to] = .infinity }
          for task in tasks {
            let own = scores[task * count + bot]
            for to in 0..<count where own - scores[task * count + to] < moves[bot * count + to] {
              moves[bot * count + to] = own - scores[task * count + to]
              movers[bot * count + to] = task
            }
          }
        }
      }
    }
  }

  /// Dijkstra's method over all bots, on costs that the potentials make no less than nothing.
  private func shortestPaths(from task: Int) -> (distances: [Double], parents: [Int]) {
    let count = count
    var reduced = (0..<count).map { -problem.scores[task * count + $0] - potentials[$0] }
    var parents = Array(repeating: -1, count: count)
    var isDone = Array(repeating: false, count: count)
    moves.withUnsafeBufferPointer { moves in
      potentials.withUnsafeBufferPointer { potentials in
        reduced.withUnsafeMutableBufferPointer { reduced in
          for _ in 0..<count {
            var nearest = -1
            for bot in 0..<count where !isDone[bot] && reduced[bot] < (nearest < 0 ? .infinity : reduced[nearest]) {
              nearest = bot
            }
            guard nearest >= 0 else { return }
            isDone[nearest] = true
            let base = reduced[nearest] + potentials[nearest]
            for to in 0..<count where !isDone[to] {
              // Rounding may make an edge a trifle less than nothing.
              let through = max(base + moves[nearest * count + to] - potentials[to], reduced[nearest])
              if through < reduced[to] {
                reduced[to] = through
                parents[to] = nearest
              }
            }
          }
        }
      }
    }
    return ((0..<count).map { reduced[$0] + potentials[$0] }, parents)
  }

  /// The distances become the potentials; bots that the path can't reach are raised all alike, so that no edge from
  /// them costs less than nothing either.
  private mutating func setPotentials(_ distances: [Double]) {
    var rise = 0.0
    for bot in 0..<count where distances[bot].isFinite { rise = max(rise, distances[bot] - potentials[bot]) }
    for bot in 0..<count { potentials[bot] = distances[bot].isFinite ? distances[bot] : potentials[bot] + rise }
  }
}
