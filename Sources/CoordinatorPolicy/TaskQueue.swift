import SpoolFormat

/// A pending task's place in the order of all.
struct QueueKey: Sendable, Hashable, Comparable {
  /// When it began to wait, less what its priority is worth, in microseconds: smaller is sooner.
  let rank: Int
  let id: MessageID
  /// Which of the times that it was added this is, so that an entry that is out of date is known.
  let number: Int

  static func < (left: QueueKey, right: QueueKey) -> Bool {
    if left.rank != right.rank { return left.rank < right.rank }
    if left.id != right.id { return left.id < right.id }
    return left.number < right.number
  }
}

/// The pending tasks of one class that are ready, in groups by the bot that each is to be kept from.
///
/// The groups are looked through one by one: there is one, and one more for each bot that failed with a task of the
/// class that is waiting.
struct TaskQueue: Sendable {
  struct Group: Sendable {
    /// The bot's place; nil for tasks that nobody has failed with.
    let avoided: Int?
    var heap = Heap<QueueKey>()
    /// Entries of `heap` that still count.
    var count = 0
  }

  private(set) var groups: [Group] = []
  private(set) var count = 0

  mutating func insert(_ key: QueueKey, avoiding bot: Int?) {
    let index = place(of: bot) ?? groups.count
    if index == groups.count { groups.append(Group(avoided: bot)) }
    groups[index].heap.insert(key)
    groups[index].count += 1
    count += 1
  }

  /// Notes that an entry counts no more. It stays in the heap until it is first, or until such are the most.
  mutating func forget(avoiding bot: Int?, _ isCurrent: (QueueKey) -> Bool) {
    guard let index = place(of: bot) else { return }
    groups[index].count -= 1
    count -= 1
    if groups[index].count == 0 {
      groups.swapAt(index, groups.count - 1)
      groups.removeLast()
    } else if groups[index].heap.count > 2 * groups[index].count + 64 {
      groups[index].heap = Heap(groups[index].heap.elements.filter(isCurrent))
    } else {
      while let first = groups[index].heap.first, !isCurrent(first) { _ = groups[index].heap.popFirst() }
    }
  }

  /// The first that may be given to another bot than `bot`.
  func first(exceptAvoiding bot: Int?) -> QueueKey? {
    var best: QueueKey?
    for group in groups where bot == nil || group.avoided != bot {
      if let first = group.heap.first, best.map({ first < $0 }) ?? true { best = first }
    }
    return best
  }

  private func place(of bot: Int?) -> Int? { groups.firstIndex { $0.avoided == bot } }

  /// Every entry that counts, in no order.
  func keys(_ isCurrent: (QueueKey) -> Bool) -> [QueueKey] { groups.flatMap { $0.heap.elements.filter(isCurrent) } }
}
