import Spool

/// Things to do something about, each until that is done: a trouble of the moment delays it, and loses nothing.
struct Agenda<Item: Hashable> {
  /// Each once, oldest first.
  private var queue: ArraySlice<Item> = []
  private var items: Set<Item> = []
  /// Nanoseconds since boot.
  private var resumesAt = 0

  var isEmpty: Bool { queue.isEmpty }
  /// When to go on; nanoseconds since boot.
  var nextDue: Int { queue.isEmpty ? .max : resumesAt }

  mutating func insert(_ item: Item) { if items.insert(item).inserted { queue.append(item) } }

  /// One that is to be done now.
  mutating func next(_ now: Int) -> Item? {
    guard now >= resumesAt, let item = queue.popFirst() else { return nil }
    items.remove(item)
    return item
  }

  /// Behind all others, of which none is done before that moment either.
  mutating func insert(_ some: [Item], notBefore moment: Int) {
    guard !some.isEmpty else { return }
    for item in some { insert(item) }
    resumesAt = moment
  }
}

extension Coordinator {
  /// Does something about each. What can't be done at the moment (a full disk, no descriptors left) is done a second
  /// later, and so are the others once that is so for many; what never can is told of, and left.
  func work<Item>(
    off agenda: ReferenceWritableKeyPath<Coordinator, Agenda<Item>>, _ now: Int, _ body: (Item) throws -> Void
  ) {
    var undone: [Item] = []
    while undone.count < Self.undoneMax, let item = self[keyPath: agenda].next(now) {
      do { try body(item) } catch {
        tell(of: error)
        if Self.mayPass(error) { undone.append(item) }
      }
    }
    self[keyPath: agenda].insert(undone, notBefore: now + Self.pauseNanoseconds)
  }

  private static let undoneMax = 100

  /// After a trouble, not to spin.
  static let pauseNanoseconds = 1_000_000_000

  private static func mayPass(_ error: any Error) -> Bool {
    switch (error as? SpoolError)?.code {
    case .tryAgain, .inputOutput, .outcomeUnknown, .cannotCreate: true
    default: false
    }
  }
}
