import CoordinatorPolicy
import SpoolFormat

/// Assigning 1,000 tasks to 200 bots at once.
extension Work {
  /// By the method that is used unless told.
  static func assignExact(_ bench: Bench, _ name: String) -> Work {
    Work(
      name: name, unit: "ms", targets: [.below(200)],
      ours: time(SpoolService.name, bench, .exact),
      beside: AssignmentProblem.Method.allCases.filter { $0 != .exact }.map { time($0.rawValue, bench, $0) })
  }

  /// How much of the greatest total a method comes to.
  static func assignQuality(_ bench: Bench, _ name: String, _ method: AssignmentProblem.Method) -> Work {
    Work(
      name: name, unit: "score", targets: method == .greedy ? [] : [.atLeast(0.98, of: Target.floor)],
      ours: total(SpoolService.name, bench, method), floor: total("exact", bench, .exact))
  }

  private static func time(_ name: String, _ bench: Bench, _ method: AssignmentProblem.Method) -> Contender {
    var problems = RandomProblems(bench)
    return Contender(name) {
      let problem = problems.next()
      let began = nanoseconds()
      guard problem.solve(method).total > 0 else { throw BenchError("nothing was assigned") }
      return Double(nanoseconds() - began) / 1e6
    }
  }

  private static func total(_ name: String, _ bench: Bench, _ method: AssignmentProblem.Method) -> Contender {
    var problems = RandomProblems(bench)
    return Contender(name) { problems.next().solve(method).total }
  }
}

/// The same problems for each that asks: bots with room for 3 to 7 tasks, a task in ten that a bot can't do.
private struct RandomProblems {
  private let tasks: Int
  private let bots = 200
  private var state: UInt64 = 0x9e37_79b9_7f4a_7c15

  init(_ bench: Bench) { tasks = bench.count(1000) }

  /// xorshift64 (Marsaglia 2003), from 0 to 1.
  private mutating func unit() -> Double {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return Double(state >> 11) * 0x1p-53
  }

  mutating func next() -> AssignmentProblem {
    let scores = (0..<tasks * bots).map { _ in unit() < 0.1 ? -Double.infinity : unit() }
    return AssignmentProblem(scores: scores, capacities: (0..<bots).map { _ in 3 + Int(unit() * 5) })
  }
}

/// An assignment problem from a file, solved by each method, so that others can be compared with.
enum GivenProblem {
  /// `{"scores": [[…], …], "capacities": […]}`: by task, by bot; null where the bot can't do the task.
  static func solve(_ bytes: [UInt8]) throws -> String {
    let value = try JSONValue(parsing: bytes)
    guard let rows = value["scores"]?.array, let capacities = value["capacities"]?.array?.map(\.int),
      !capacities.contains(nil), !capacities.isEmpty
    else { throw BenchError("no assignment problem: {\"scores\": [[0.5, null], …], \"capacities\": [1, 3]}") }
    var scores: [Double] = []
    for row in rows {
      guard let row = row.array, row.count == capacities.count else {
        throw BenchError("a row of scores is needed for each task, with one score for each of the bots")
      }
      scores += row.map { $0 == .null ? -.infinity : $0.double ?? .nan }
    }
    guard !scores.contains(where: \.isNaN) else { throw BenchError("a score is no number") }
    let problem = AssignmentProblem(scores: scores, capacities: capacities.compactMap { $0 })
    var writer = JSONWriter()
    writer.beginObject()
    for method in AssignmentProblem.Method.allCases {
      let solution = problem.solve(method)
      writer.key(method.rawValue)
      writer.beginObject()
      writer.member("total", solution.total)
      writer.key("bots")
      writer.beginArray()
      for bot in solution.bots { if let bot { writer.int(bot) } else { writer.null() } }
      writer.endArray()
      writer.endObject()
    }
    writer.member("default", problem.method.rawValue)
    writer.endObject()
    return String(decoding: writer.bytes, as: UTF8.self)
  }
}
