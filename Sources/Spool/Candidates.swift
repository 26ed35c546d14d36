import Glibc
import SpoolFormat

/// The names in an inbox that are worth trying, in order. Of a very full inbox only the most urgent are kept, so that a
/// million waiting messages need no more memory than a few thousand.
struct Candidates {
  static let countMax = 32_768
  /// So many at the most for whoever goes through all of them: each look at a million names takes a second.
  private static let countMaxLater = 262_144
  private var kept = countMax

  private var waiting = Heap<Waiting>()
  private var delayed: [(name: EntryName, due: Timestamp)] = []
  private(set) var nextDue: Timestamp?
  /// Whether there were more than are kept.
  private(set) var isPartial = false

  /// Whether nothing can be tried now.
  var isEmpty: Bool { waiting.isEmpty }
  /// None of those that were left out comes before this one; nil while there are none.
  private var bound: Waiting? { didSet { boundText = bound.map { Array("\($0.name)".utf8.prefix(Self.orderCount)) } } }
  /// What of its name decides on the order.
  private var boundText: [UInt8]?
  /// `U-TIME-RAND`
  private static let orderCount = 2 + MessageID.textCount

  /// Whether there were more delayed ones than are kept: the others are found when the inbox is looked at again.
  private var isDelayedPartial = false

  /// A name less the holder, which none of these has: without a text in it a heap of them is moved about at the speed
  /// of memory.
  private struct Waiting: Comparable {
    let urgency: Int
    let id: MessageID
    let attempt: Int
    let due: Timestamp?

    init(_ name: EntryName) {
      urgency = name.urgency
      id = name.id
      attempt = name.attempt
      due = name.notBefore
    }

    var name: EntryName {
      EntryName(urgency: urgency, id: id, attempt: attempt, place: due.map { .waitingUntil($0) } ?? .waiting)
    }

    static func < (left: Waiting, right: Waiting) -> Bool {
      left.urgency != right.urgency ? left.urgency < right.urgency : left.id < right.id
    }
  }

  mutating func removeAll() {
    waiting.removeAll(keepingCapacity: true)
    delayed.removeAll(keepingCapacity: true)
    nextDue = nil
    isPartial = false
    bound = nil
    isDelayedPartial = false
  }

  /// All that were kept have been tried, and there were more: the next look keeps more of them.
  mutating func keepMore() { kept = min(4 * kept, Self.countMaxLater) }

  mutating func insert(_ name: EntryName, now: Timestamp) {
    if let due = name.notBefore, due > now { return wait(for: name, until: due) }
    let candidate = Waiting(name)
    // Of a million names most are past the last that is kept.
    if let bound, !(candidate < bound) { return }
    waiting.insert(candidate)
    guard waiting.count > 2 * kept else { return }
    bound = waiting.keepFirst(kept)
    isPartial = true
  }

  /// Whether a name in the inbox is that of a message which was never claimed, and comes after all that are kept. Most of a
  /// million are, and what they say in full takes longer to read than to find them.
  func leavesOut(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
    guard let boundText, name.count == Self.plainShape.count,
      memcmp(name.baseAddress!, boundText, Self.orderCount) > 0
    else { return false }
    for (place, shape) in Self.plainShape.enumerated() {
      let byte = name[place]
      let isRight =
        switch shape {
        case UInt8(ascii: "0"): 48...57 ~= byte
        case UInt8(ascii: "f"): 48...57 ~= byte || 97...102 ~= byte
        default: byte == shape
        }
      if !isRight { return false }
    }
    return true
  }
  private static let plainShape = Array("0-00000000T000000.000000Z-ffffffffffffffff.json".utf8)

  mutating func popFirst() -> EntryName? { waiting.popFirst()?.name }

  /// Keeps a message whose time hasn't come; of very many, those that come soonest.
  mutating func wait(for name: EntryName, until due: Timestamp) {
    delayed.append((name, due))
    nextDue = min(nextDue ?? due, due)
    guard delayed.count > 2 * Self.countMax else { return }
    delayed.sort { $0.due < $1.due }
    delayed.removeLast(delayed.count - Self.countMax)
    isDelayedPartial = true
  }

  /// Lets those try whose time has come.
  mutating func wake(at now: Timestamp) {
    guard let nextDue, nextDue <= now else { return }
    let firstDue = delayed.partition { $0.due <= now }
    for entry in delayed[firstDue...] { waiting.insert(Waiting(entry.name)) }
    delayed.removeSubrange(firstDue...)
    self.nextDue = delayed.lazy.map(\.due).min()
    if delayed.isEmpty, isDelayedPartial { isPartial = true }
  }
}
