/// What is measured: one work, done by us, by the bare system calls, and by other systems.
///
/// Our side is one more `Contender`; nothing else of a work changes when it is there.
struct Work {
  let name: String
  let unit: String
  let targets: [Target]
  var ours: Contender?
  var floor: Contender?
  var peers: [Contender] = []
  /// Measured in the same rounds for the reader's sake; no ratio is made of them.
  var beside: [Contender] = []

  var contenders: [Contender] { [ours, floor].compactMap { $0 } + peers + beside }
}

/// One way to do a work.
struct Contender {
  let name: String
  /// Starts what all rounds share, such as a server.
  let start: () throws -> Session

  init(_ name: String, start: @escaping () throws -> Session) {
    self.name = name
    self.start = start
  }

  /// A contender that needs nothing between rounds.
  init(_ name: String, measure: @escaping () throws -> Double) {
    self.init(name) { Session(measure: measure, stop: {}) }
  }
}

/// A started contender.
struct Session {
  /// Does the work once and returns its measure in the work's unit.
  let measure: () throws -> Double
  let stop: () -> Void
}

/// What a work is to reach, beside something measured in the same rounds or as a plain number.
enum Target {
  case atLeast(Double, of: String)
  case atMost(Double, of: String)
  case below(Double)
  case above(Double)

  /// The name that stands for `Work.floor`.
  static let floor = "floor"
}

/// The medians of all rounds.
struct Outcome {
  let work: Work
  var medians: [String: Double] = [:]
  /// One line for each contender that could not do the work.
  var failures: [String] = []

  var value: Double? { work.ours.flatMap { medians[$0.name] } }
  var floor: Double? { work.floor.flatMap { medians[$0.name] } }
  var ratio: Double? { quotient(value, floor) }

  /// A target's wording, what was measured of it, and whether that is enough; nil when it could not be.
  func verdict(_ target: Target) -> (wording: String, measured: Double?, met: Bool?) {
    switch target {
    case .atLeast(let bound, let other):
      let measured = quotient(value, reference(other))
      return (">= \(short(bound)) x \(other)", measured, measured.map { $0 >= bound })
    case .atMost(let bound, let other):
      let measured = quotient(value, reference(other))
      return ("<= \(short(bound)) x \(other)", measured, measured.map { $0 <= bound })
    case .above(let bound):
      return (">= \(short(bound)) \(work.unit)", value, value.map { $0 >= bound })
    case .below(let bound):
      return ("<= \(short(bound)) \(work.unit)", value, value.map { $0 <= bound })
    }
  }

  private func reference(_ name: String) -> Double? { name == Target.floor ? floor : medians[name] }
}

private func quotient(_ value: Double?, _ other: Double?) -> Double? {
  guard let value, let other, other > 0 else { return nil }
  return value / other
}

/// Measures `work` in `rounds` rounds. In each round every contender has its turn, so that whatever
/// else the machine does falls on all of them; who begins changes from round to round.
func measure(_ work: Work, rounds: Int, scratch: Scratch) throws -> Outcome {
  var outcome = Outcome(work: work)
  var running: [(name: String, session: Session, samples: [Double])] = []
  defer { for contender in running { contender.session.stop() } }
  for contender in work.contenders {
    do {
      running.append((contender.name, try contender.start(), []))
    } catch {
      outcome.failures.append("\(work.name): \(contender.name): \(error)")
      try Interruption.check()
    }
  }
  var failed: Set<String> = []
  for round in 0..<rounds {
    for turn in running.indices {
      let index = (turn + round) % running.count
      let name = running[index].name
      if failed.contains(name) { continue }
      do {
        try scratch.settle()
        running[index].samples.append(try running[index].session.measure())
      } catch {
        outcome.failures.append("\(work.name): \(name): \(error)")
        failed.insert(name)
      }
      try Interruption.check()
    }
  }
  for contender in running where !failed.contains(contender.name) {
    outcome.medians[contender.name] = median(contender.samples)
  }
  return outcome
}

/// The middle value, or the mean of the two in the middle. NaN of nothing.
func median(_ values: [Double]) -> Double {
  guard !values.isEmpty else { return .nan }
  let sorted = values.sorted()
  let middle = sorted.count / 2
  return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/// The smallest value that at least `percent` of all do not exceed (nearest rank).
func percentile(_ percent: Double, of values: [Int]) -> Int {
  precondition(!values.isEmpty)
  let sorted = values.sorted()
  let rank = Int((percent / 100 * Double(sorted.count)).rounded(.up))
  return sorted[min(max(rank, 1), sorted.count) - 1]
}
