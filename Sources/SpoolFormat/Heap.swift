/// A binary heap: the smallest element first, and no element before its parent, which is at half its place.
public struct Heap<Element: Comparable & Sendable>: Sendable {
  /// In no order but that.
  @usableFromInline
  var storage: [Element] = []

  @inlinable
  public init() {}

  /// In linear time (Floyd, 1964).
  @inlinable
  public init(_ elements: [Element]) {
    storage = elements
    for index in stride(from: storage.count / 2 - 1, through: 0, by: -1) { sink(index) }
  }

  @inlinable
  public var elements: [Element] { storage }
  @inlinable
  public var first: Element? { storage.first }
  @inlinable
  public var count: Int { storage.count }
  @inlinable
  public var isEmpty: Bool { storage.isEmpty }

  @inlinable
  public mutating func insert(_ element: Element) {
    var index = storage.count
    storage.append(element)
    while index > 0 {
      let parent = (index - 1) / 2
      guard element < storage[parent] else { break }
      storage[index] = storage[parent]
      index = parent
    }
    storage[index] = element
  }

  @inlinable
  public mutating func popFirst() -> Element? {
    guard let last = storage.popLast() else { return nil }
    guard let first = storage.first else { return last }
    storage[0] = last
    sink(0)
    return first
  }

  /// Keeps the smallest, so many, and lets go of the others.
  /// - Returns: the greatest that is kept.
  @inlinable
  public mutating func keepFirst(_ count: Int) -> Element? {
    storage.sort()
    storage.removeLast(max(0, storage.count - count))
    return storage.last
  }

  @inlinable
  public mutating func removeAll(keepingCapacity: Bool) { storage.removeAll(keepingCapacity: keepingCapacity) }

  @inlinable
  mutating func sink(_ start: Int) {
    let element = storage[start]
    var index = start
    while true {
      var child = 2 * index + 1
      guard child < storage.count else { break }
      if child + 1 < storage.count, storage[child + 1] < storage[child] { child += 1 }
      guard storage[child] < element else { break }
      storage[index] = storage[child]
      index = child
    }
    storage[index] = element
  }
}
