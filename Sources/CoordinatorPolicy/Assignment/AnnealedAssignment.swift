extension AssignmentProblem {
  /// The problem as a QUBO (quadratic unconstrained binary optimisation), solved by simulated annealing; for comparison,
  /// and for a machine that is built for these.
  ///
  /// A bit x(t,b) says that task t goes to bot b. Least is to be
  /// −Σ score(t,b) x(t,b) + P Σ_t (1 − Σ_b x(t,b))² + P Σ_b (room(b) − Σ_t x(t,b) − slack(b))², P 1.1 times the
  /// greatest score, so that too much for a bot never pays (Lucas, *Ising formulations of many NP problems*, 2014, sections 3 and 7). Steps change two bits of a task
  /// at once, or four of two tasks, so that the first penalty is always nothing; the slack's bits are always those
  /// that are best. Steps that make it worse by d are taken with probability exp(−d ÷ T), while T sinks, with the third
  /// power of what is left to do, from a tenth of the greatest score to a five-thousandth of it (Kirkpatrick, Gelatt, Vecchi 1983).
  ///
  /// Whatever `inOrder` says, a task is left out where that makes the total greater.
  ///
  /// A small problem is solved several times, and the best taken: there one task in a bad place is much of the total.
  ///
  /// Cost: `sweeps` × the number of tasks (256 at least, or eight times as many) steps of some 30 ns. The same seed gives
  /// the same solution.
  public func annealed(sweeps: Int = 2000, seed: UInt64 = 1) -> Solution {
    guard taskCount > 0, botCount > 0 else { return solution(Array(repeating: nil, count: taskCount)) }
    let solutions = (0..<min(max(256 / taskCount, 1), 8)).map { run in
      var annealer = Annealer(self, seed: seed &+ UInt64(run) &* 0x9e37_79b9_7f4a_7c15)
      annealer.run(sweeps: sweeps)
      return solution(annealer.feasible())
    }
    return solutions.max { $0.total < $1.total }!
  }
}

private struct Annealer {
  private let problem: AssignmentProblem
  private let penalty: Double
  private let greatest: Double
  /// By task, the bots that are best for it: to look at all of them would take the time in which to try many.
  private let candidates: [[Int]]
  /// By task; −1 for nobody.
  private var bots: [Int]
  private var given: [Int]
  private var random: Random

  private static let candidatesMax = 24

  /// xorshift64* (Vigna 2016): quick, and good enough to choose steps by.
  private struct Random {
    var state: UInt64
    mutating func next() -> UInt64 {
      state ^= state >> 12
      state ^= state << 25
      state ^= state >> 27
      return state &* 0x2545_F491_4F6C_DD1D
    }
    mutating func below(_ bound: Int) -> Int { Int(((next() >> 32) * UInt64(bound)) >> 32) }
    mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }
  }

  init(_ problem: AssignmentProblem, seed: UInt64) {
    self.problem = problem
    let score = problem.scores.reduce(1e-9) { $1.isFinite ? max($0, abs($1)) : $0 }
    greatest = score + (problem.room.compactMap(\.first).max() ?? 0)
    penalty = 1.1 * greatest
    candidates = (0..<problem.taskCount).map { task in
      let able = (0..<problem.botCount).filter { problem.score(task, $0).isFinite && !problem.room[$0].isEmpty }
      return Array(able.sorted { problem.score(task, $0) > problem.score(task, $1) }.prefix(Self.candidatesMax))
    }
    bots = problem.greedy().bots.map { $0 ?? -1 }
    given = Array(repeating: 0, count: problem.botCount)
    for bot in bots where bot >= 0 { given[bot] += 1 }
    random = Random(state: seed | 1)
  }

  mutating func run(sweeps: Int) {
    for sweep in 0..<sweeps {
      let left = 1 - Double(sweep) / Double(sweeps)
      let temperature = greatest * max(0.1 * left * left * left, 2e-4)
      for _ in 0..<problem.taskCount { step(temperature) }
    }
  }

  private mutating func step(_ temperature: Double) {
    let task = random.below(problem.taskCount)
    if random.next() & 1 == 0 { shift(task, temperature) } else { swap(task, temperature) }
  }

  /// What bot's room is worth with so many tasks in it, less the penalty for those that it has no room for.
  private func roomWorth(_ bot: Int, after count: Int) -> Double {
    let room = problem.room[bot]
    if count < room.count { return room[count] }
    // The difference of two squares.
    return -penalty * Double(2 * (count - room.count) + 1)
  }

  private func worth(_ task: Int, _ bot: Int) -> Double {
    bot < 0 ? 0 : problem.scores[task * problem.botCount + bot]
  }

  private mutating func shift(_ task: Int, _ temperature: Double) {
    let choice = random.below(candidates[task].count + 1)
    let (from, to) = (bots[task], choice < candidates[task].count ? candidates[task][choice] : -1)
    guard from != to else { return }
    var gain = worth(task, to) - worth(task, from)
    if to >= 0 { gain += roomWorth(to, after: given[to]) }
    if from >= 0 { gain -= roomWorth(from, after: given[from] - 1) }
    guard isTaken(gain, temperature) else { return }
    bots[task] = to
    if to >= 0 { given[to] += 1 }
    if from >= 0 { given[from] -= 1 }
  }

  /// With a task of the bot that this one would rather have, or with any.
  private mutating func swap(_ task: Int, _ temperature: Double) {
    let other = random.below(problem.taskCount)
    let (own, its) = (bots[task], bots[other])
    guard own != its else { return }
    let gain = worth(task, its) + worth(other, own) - worth(task, own) - worth(other, its)
    guard gain.isFinite, isTaken(gain, temperature) else { return }
    bots[task] = its
    bots[other] = own
  }

  private mutating func isTaken(_ gain: Double, _ temperature: Double) -> Bool {
    if gain >= 0 { return true }
    guard gain > -20 * temperature else { return false }
    let loss = -gain / temperature
    // e to the power of −loss, by the first terms of the series of its inverse.
    return random.unit() * (1 + loss * (1 + loss * (0.5 + loss * (1.0 / 6 + loss / 24)))) < 1
  }

  /// What is too much for a bot goes to the best that have room, or to nobody.
  func feasible() -> [Int?] {
    var result: [Int?] = bots.map { $0 < 0 ? nil : $0 }
    var given = given
    for task in result.indices {
      guard let bot = result[task], given[bot] > problem.room[bot].count else { continue }
      given[bot] -= 1
      let able = candidates[task].filter { given[$0] < problem.room[$0].count }
      result[task] = able.first
      if let new = able.first { given[new] += 1 }
    }
    return result
  }
}
