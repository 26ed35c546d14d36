import SpoolFormat

/// The names in an inbox that are worth trying, in order. Of a very full inbox only the most urgent are kept, so that a
/// million waiting messages need no more memory than a few thousand.
struct Candidates {
  static let countMax = 8192

  /// The next one last.
  private var sorted: [EntryName] = []
  /// Came after the last sorting.
  private var unsorted: [EntryName] = []
  private var delayed: [EntryName] = []
  /// Whether there were more than are kept.
  private(set) var isPartial = false

  mutating func removeAll() {
    sorted.removeAll(keepingCapacity: true)
    unsorted.removeAll(keepingCapacity: true)
    delayed.removeAll(keepingCapacity: true)
    isPartial = false
  }

  mutating func insert(_ name: EntryName) {
    if case .waitingUntil = name.place {
      if delayed.count < Self.countMax { delayed.append(name) } else { isPartial = true }
      return
    }
    unsorted.append(name)
    if unsorted.count > Self.countMax { merge() }
  }

  mutating func popFirst() -> EntryName? {
    if unsorted.count == 1, sorted.last.map({ unsorted[0] < $0 }) ?? true { return unsorted.popLast() }
    if !unsorted.isEmpty { merge() }
    return sorted.popLast()
  }

  private mutating func merge() {
    sorted.append(contentsOf: unsorted)
    unsorted.removeAll(keepingCapacity: true)
    sorted.sort { $1 < $0 }
    if sorted.count > Self.countMax {
      sorted.removeFirst(sorted.count - Self.countMax)
      isPartial = true
    }
  }

  /// Keeps a message whose time hasn't come.
  mutating func wait(for name: EntryName, until due: Timestamp) {
    if delayed.count < Self.countMax { delayed.append(name) } else { isPartial = true }
  }

  /// Lets those try whose time has come.
  mutating func wake(at now: Timestamp) {
    guard let next = nextDue, next <= now else { return }
    let due = delayed.filter { $0.notBefore.map { $0 <= now } ?? true }
    delayed.removeAll { $0.notBefore.map { $0 <= now } ?? true }
    unsorted.append(contentsOf: due)
  }

  var nextDue: Timestamp? { delayed.lazy.compactMap(\.notBefore).min() }
}
