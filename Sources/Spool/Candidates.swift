import SpoolFormat

/// The names in an inbox that are worth trying, in order. Of a very full inbox only the most urgent are kept, so that a
/// million waiting messages need no more memory than a few thousand.
struct Candidates {
  static let countMax = 8192

  /// The next one last.
  private var sorted: [EntryName] = []
  /// Came after the last sorting.
  private var unsorted: [EntryName] = []
  private var delayed: [(name: EntryName, due: Timestamp)] = []
  private(set) var nextDue: Timestamp?
  /// Whether there were more than are kept.
  private(set) var isPartial = false

  mutating func removeAll() {
    sorted.removeAll(keepingCapacity: true)
    unsorted.removeAll(keepingCapacity: true)
    delayed.removeAll(keepingCapacity: true)
    nextDue = nil
    isPartial = false
  }

  mutating func insert(_ name: EntryName) {
    if let due = name.notBefore { return wait(for: name, until: due) }
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
    guard delayed.count < Self.countMax else { return isPartial = true }
    delayed.append((name, due))
    nextDue = min(nextDue ?? due, due)
  }

  /// Lets those try whose time has come.
  mutating func wake(at now: Timestamp) {
    guard let nextDue, nextDue <= now else { return }
    let firstDue = delayed.partition { $0.due <= now }
    unsorted.append(contentsOf: delayed[firstDue...].lazy.map(\.name))
    delayed.removeSubrange(firstDue...)
    self.nextDue = delayed.lazy.map(\.due).min()
  }
}
