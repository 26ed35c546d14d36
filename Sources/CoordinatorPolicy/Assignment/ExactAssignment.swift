extension AssignmentProblem {
  /// The greatest total there is: a flow of least cost from the tasks through the bots, built by successive shortest
  /// paths with potentials (Edmonds and Karp 1972; Ahuja, Magnanti, Orlin, *Network Flows*, 9.7). Each task in turn
  /// gets a place, pushing others from one bot to the next where that is best for all.
  ///
  /// Cost: at most `exactSteps`, most often far less, because a search ends at the first place that it comes to; and
  /// after each task, for each bot on its path, the tasks that this one has times the bots. Memory: two numbers for each
  /// pair of bots.
  public func exact() -> Solution {
    var flow = LeastCostFlow(self)
    for task in 0..<taskCount { flow.place(task) }
    return solution(flow.bots)
  }
}

/// Costs are scores with the sign turned. Nodes are the bots, and the end, which a path reaches from a bot that has room, or,
/// unless tasks are taken in order, from one that leaves a task to nobody. The edge between two bots is the task that
/// costs least to move over.
private struct LeastCostFlow {
  private let problem: AssignmentProblem
  private let count: Int
  private(set) var bots: [Int?]
  /// By bot, its tasks.
  private var tasks: [[Int]]
  /// From bot × count + to bot: the least that moving one of its tasks over costs, and which task that is.
  private var moves: [Double]
  private var movers: [Int]
  /// By bot, the task that is worth least there.
  private var least: [Int?]
  /// With these every edge that there is costs nothing or more.
  private var potentials: [Double]
  private var endPotential: Double

  private struct Path {
    var distances: [Double]
    /// The bot before; −1 for the task itself.
    var parents: [Int]
    var end = Double.infinity
    /// The last bot; nil when the task is best left to nobody.
    var last: Int?
    /// The task that the last bot leaves to nobody; nil when that has room.
    var left: Int?
  }

  init(_ problem: AssignmentProblem) {
    self.problem = problem
    count = problem.botCount
    bots = Array(repeating: nil, count: problem.taskCount)
    tasks = Array(repeating: [], count: count)
    moves = Array(repeating: .infinity, count: count * count)
    movers = Array(repeating: -1, count: count * count)
    least = Array(repeating: nil, count: count)
    potentials = Array(repeating: 0, count: count)
    endPotential = -(problem.room.compactMap(\.first).max() ?? 0)
  }

  mutating func place(_ task: Int) {
    let path = shortestPath(from: task)
    guard path.end.isFinite else { return }
    for bot in 0..<count { potentials[bot] += min(path.distances[bot], path.end) }
    endPotential += path.end
    guard var to = path.last else { return }
    if let left = path.left {
      tasks[to].removeAll { $0 == left }
      bots[left] = nil
    }
    // From the end of the path to its beginning each bot hands a task on.
    var changed = [to]
    while path.parents[to] >= 0 {
      let from = path.parents[to]
      let moved = movers[from * count + to]
      tasks[from].removeAll { $0 == moved }
      give(moved, to)
      to = from
      changed.append(to)
    }
    give(task, to)
    for bot in changed { refreshEdges(of: bot) }
  }

  private mutating func give(_ task: Int, _ bot: Int) {
    tasks[bot].append(task)
    bots[task] = bot
  }

  private mutating func refreshEdges(of bot: Int) {
    let (tasks, count) = (tasks[bot], count)
    least[bot] = tasks.min { problem.score($0, bot) < problem.score($1, bot) }
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

  /// Dijkstra's method from a task to the end, on costs that the potentials make no less than nothing; what rounding makes
  /// a trifle less counts as nothing.
  private func shortestPath(from task: Int) -> Path {
    let row = task * count
    // The task's own potential: the least with which its edges cost nothing or more.
    var own = problem.inOrder ? -Double.infinity : endPotential
    for bot in 0..<count { own = max(own, potentials[bot] + problem.scores[row + bot]) }
    var path = Path(distances: [], parents: Array(repeating: -1, count: count))
    guard own.isFinite else { return path }
    path.distances = (0..<count).map { max(0, own - problem.scores[row + $0] - potentials[$0]) }
    if !problem.inOrder { path.end = max(0, own - endPotential) }
    var isDone = Array(repeating: false, count: count)
    while true {
      var nearest = -1
      var distance = path.end
      for bot in 0..<count where path.distances[bot] < distance && !isDone[bot] {
        (nearest, distance) = (bot, path.distances[bot])
      }
      guard nearest >= 0 else { return path }
      isDone[nearest] = true
      lookForEnd(nearest, &path)
      let base = distance + potentials[nearest]
      for to in 0..<count where !isDone[to] {
        let through = max(base + moves[nearest * count + to] - potentials[to], distance)
        if through < path.distances[to] {
          path.distances[to] = through
          path.parents[to] = nearest
        }
      }
    }
  }

  private func lookForEnd(_ bot: Int, _ path: inout Path) {
    let base = path.distances[bot] + potentials[bot] - endPotential
    if tasks[bot].count < problem.room[bot].count {
      let end = max(base - problem.room[bot][tasks[bot].count], path.distances[bot])
      if end < path.end { (path.end, path.last, path.left) = (end, bot, nil) }
    }
    if !problem.inOrder, let task = least[bot] {
      // What its place is worth goes to the task that comes.
      let end = max(base + problem.score(task, bot), path.distances[bot])
      if end < path.end { (path.end, path.last, path.left) = (end, bot, task) }
    }
  }
}
