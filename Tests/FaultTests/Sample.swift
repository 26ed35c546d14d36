import Glibc
import TestSupport

/// Which of very many cases a run of the tests goes through: all of them with `SPOOL_FAULTS=all` in the environment,
/// else some, chosen at random by a seed that is printed; `SPOOL_SEED` chooses the same again.
struct Sample {
  static let isWhole = getenv("SPOOL_FAULTS").map { String(cString: $0) } == "all"

  var random: SeededGenerator
  /// How many cases were gone through; whoever uses it counts.
  var count = 0

  init(_ what: String) {
    let seed = getenv("SPOOL_SEED").flatMap { UInt64(String(cString: $0)) }
    random = seed.map { SeededGenerator(seed: $0) } ?? SeededGenerator()
    if !Self.isWhole || seed != nil { print("\(what): seed \(random.seed)") }
  }

  mutating func takes(oneOf number: Int) -> Bool { Self.isWhole || Int.random(in: 0..<number, using: &random) == 0 }
}
