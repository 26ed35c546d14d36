import Spool

/// Things to do something about, each until that is done: a trouble of the moment delays it, and loses nothing.
struct Agenda<Item: Hashable> {
  private(set) var items: Set<Item> = []
  /// Nanoseconds since boot.
  private var resumesAt = 0

  var isEmpty: Bool { items.isEmpty }
  /// When to go on; nanoseconds since boot.
  var nextDue: Int { items.isEmpty ? .max : resumesAt }

  mutating func insert(_ item: Item) { items.insert(item) }

  /// One that is to be done now.
  mutating func next(_ now: Int) -> Item? { now < resumesAt ? nil : items.popFirst() }

  mutating func insert(_ some: Set<Item>, notBefore moment: Int) {
    guard !some.isEmpty else { return }
    items.formUnion(some)
    resumesAt = moment
  }
}

extension Coordinator {
  /// Does something about each. What can't be done at the moment (a full disk, no descriptors left) is done a second
  /// later, and so are the others once that is so for many; what never can is told of, and left.
  func work<Item>(
    off agenda: ReferenceWritableKeyPath<Coordinator, Agenda<Item>>, _ now: Int, _ body: (Item) throws -> Void
  ) {
    var undone: Set<Item> = []
    while undone.count < Self.undoneMax, let item = self[keyPath: agenda].next(now) {
      do { try body(item) } catch {
        tell(of: error)
        if Self.mayPass(error) { undone.insert(item) }
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
