/// Many tasks to be given to bots at once, so that the total score is the greatest, and no bot gets more than it has
/// room for. One by one, the first task may take the bot that the second needed more.
public struct AssignmentProblem: Sendable {
  public let taskCount: Int
  public let botCount: Int
  /// By task, then by bot: what it is worth to give the one to the other; −infinity when that can't be.
  public private(set) var scores: [Double]
  /// By bot, then by how many tasks it has been given here already: what another one adds to its score. As many entries as
  /// it has room for, each no greater than the one before.
  public let room: [[Double]]
  /// Whether a task that can be given isn't left out for one that comes after it. Otherwise one is left out, which is worth
  /// nothing, wherever that makes the total greater.
  public let inOrder: Bool

  /// - Parameters:
  ///   - scores: `taskCount` × `room.count` of them.
  ///   - inOrder: whether the first tasks go before the others.
  public init(scores: [Double], room: [[Double]], inOrder: Bool = false) {
    botCount = room.count
    taskCount = room.isEmpty ? 0 : scores.count / room.count
    precondition(taskCount * botCount == scores.count, "a score for each task and bot")
    self.scores = scores
    self.room = room
    self.inOrder = inOrder
  }

  /// Bots that have room for so many tasks, whatever they have.
  public init(scores: [Double], capacities: [Int], inOrder: Bool = false) {
    self.init(scores: scores, room: capacities.map { Array(repeating: 0, count: max(0, $0)) }, inOrder: inOrder)
  }

  public func score(_ task: Int, _ bot: Int) -> Double { scores[task * botCount + bot] }

  /// Who gets which task, as some method has it.
  public struct Solution: Sendable, Equatable {
    /// By task; nil for one that nobody gets.
    public let bots: [Int?]
    /// The sum of the scores, and of what the room is worth, of those that were given.
    public let total: Double
  }

  func solution(_ bots: [Int?]) -> Solution {
    var given = Array(repeating: 0, count: botCount)
    var total = 0.0
    for (task, bot) in bots.enumerated() {
      guard let bot else { continue }
      total += score(task, bot) + room[bot][given[bot]]
      given[bot] += 1
    }
    return Solution(bots: bots, total: total)
  }

  /// How the work of a method grows with the problem, beside a bound on what may be waited for.
  public enum Method: String, Sendable, CaseIterable { case exact, annealed, greedy }

  /// Steps of the exact method, each about a nanosecond: for each task, each pair of bots.
  public var exactSteps: Int {
    let (pairs, isLarge) = botCount.multipliedReportingOverflow(by: botCount)
    let (steps, isLarger) = pairs.multipliedReportingOverflow(by: taskCount)
    return isLarge || isLarger ? .max : steps
  }

  /// What is used unless told: the exact one for up to 100,000,000 steps, some 50 ms; past that the greedy one.
  public static let exactStepsMax = 100_000_000
  public var method: Method { exactSteps <= Self.exactStepsMax ? .exact : .greedy }

  public func solve(_ method: Method) -> Solution {
    switch method {
    case .exact: exact()
    case .annealed: annealed()
    case .greedy: greedy()
    }
  }

  /// Each task in turn to the bot that is best for it and has room: what doing it one by one comes to.
  /// Cost: the number of tasks times that of bots.
  public func greedy() -> Solution {
    var given = Array(repeating: 0, count: botCount)
    let bots = (0..<taskCount).map { task -> Int? in
      var best: (bot: Int, score: Double)?
      for bot in 0..<botCount where given[bot] < room[bot].count {
        let score = score(task, bot) + room[bot][given[bot]]
        if score > best?.score ?? (inOrder ? -.infinity : 0) { best = (bot, score) }
      }
      if let best { given[best.bot] += 1 }
      return best?.bot
    }
    return solution(bots)
  }
}
