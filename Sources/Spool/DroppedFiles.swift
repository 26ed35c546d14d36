import Linux
import SpoolFormat

/// The dropped files of an inbox that a receiver has in mind. Of very many some at a time: those that are no messages yet
/// are passed over in the looks that follow, until all have had their turn.
struct DroppedFiles {
  /// By name, byte for byte: two names may be the same text to a `String`.
  private var files: [[UInt8]: DroppedFile] = [:]
  /// There are more than are kept.
  private(set) var areMore = false
  private var passedOver = 0
  private var seen = 0

  /// Of a million no more are kept in mind, nor looked at for longer before the first is handed out.
  var countMax = 32_768
  private static let adoptNanosecondsMax = 100_000_000
  /// One that isn't complete yet is looked at this often; one that can't be taken, less and less often.
  private static let lookNanoseconds = 200_000_000
  private static let lookNanosecondsMax = 60_000_000_000

  /// Of those that can't be taken, one at a time: there may be many, all for the same reason.
  private var problem: FileFailure?

  var isEmpty: Bool { files.isEmpty }

  /// When one of them is to be looked at again; nanoseconds since boot, nil when there are none.
  var nextLook: Int? {
    files.values.lazy.map(\.examineAt).min().map { max($0, Clock.sinceBoot() + Self.lookNanoseconds) }
  }

  mutating func takeProblems() -> [FileFailure] {
    defer { problem = nil }
    return problem.map { [$0] } ?? []
  }

  mutating func throwProblem() throws { for problem in takeProblems() { try problem.rethrow() } }

  /// The inbox is being listed.
  mutating func beginLook() {
    if areMore {
      let count = files.count
      files = files.filter { $0.value.examineAt == 0 }
      passedOver = passedOver < 0 ? 0 : passedOver + count - files.count
    }
    areMore = false
    seen = 0
  }

  mutating func endLook() {
    guard !areMore, passedOver > 0 else { return }
    // From the first again.
    passedOver = -1
    areMore = true
  }

  /// Found in the listing.
  mutating func see(_ name: UnsafeBufferPointer<UInt8>) {
    seen += 1
    if seen <= passedOver { return }
    guard files.count < countMax else {
      areMore = true
      return
    }
    let name = Array(name)
    if files[name] == nil { files[name] = DroppedFile(name: name) }
  }

  /// Something happened to it: perhaps it is complete now.
  mutating func note(_ name: [UInt8]) {
    if files[name] == nil { files[name] = DroppedFile(name: name) }
    files[name]!.examineAt = 0
  }

  /// Gives those that are messages their proper names, until it has taken long enough for the first.
  /// - Returns: whether the inbox is to be looked at again, as there is room for more of them now.
  mutating func adopt(_ spool: Spool, _ bot: BotName, into candidates: inout Candidates) -> Bool {
    let now = Clock.sinceBoot()
    let before = files.count
    for (key, file) in files where file.examineAt <= now {
      // The rest when these have been taken.
      if !candidates.isEmpty, Clock.sinceBoot() - now > Self.adoptNanosecondsMax { return false }
      var file = file
      let verdict: DroppedFile.Verdict
      // What can be neither read nor set aside (it isn't ours to move, the disk is full) must not keep its neighbours.
      do { verdict = try file.examine(spool, bot) } catch {
        if file.failures == 0, problem == nil {
          let path = Layout.entry(bot, .inbox, raw: String(decoding: file.name, as: UTF8.self))
          problem = FileFailure(verb: "take", path: path, error: error)
        }
        file.failures += 1
        verdict = .incomplete
      }
      switch verdict {
      case .incomplete:
        let pause = min(Self.lookNanoseconds << min(file.failures, 10), Self.lookNanosecondsMax)
        file.examineAt = Clock.sinceBoot() + pause
        files[key] = file
      case .gone: files[key] = nil
      case .adopted(let name):
        files[key] = nil
        candidates.insert(name, now: spool.now())
      }
    }
    return areMore && files.count < before
  }
}
