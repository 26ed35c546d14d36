/// The objects and arrays that are open while a document is scanned, with the keys seen so far in each object.
///
/// Memory: 16 bytes for each key of the objects that are open, and 8 more in an object of many keys.
struct JSONNesting: ~Copyable {
  struct Frame {
    /// Index of the object's first key among `keys`.
    var firstKey: Int32
    let isObject: Bool
    /// Whether the object has so many keys that the last of `indexes` is for them.
    var isIndexed = false
    /// A bit for each of 64 classes of keys: a key of a new class has no equal before it.
    var classesSeen: UInt64 = 0
  }

  struct Key {
    /// Offset in the document; for a key with escapes, the complement of the offset in `decoded`.
    let start: Int32
    let length: Int32
    var hash: UInt64
  }

  /// With more keys than this, comparing a key with each before it costs more than looking it up.
  private static let comparedKeysMax = 24

  let document: UnsafePointer<UInt8>
  private(set) var depth = 0
  private var frames: UnsafeMutablePointer<Frame>
  private var frameCapacity = 8
  private var keys: UnsafeMutablePointer<Key>
  private var keyCount = 0
  private var keyCapacity = 32
  private var decoded: UnsafeMutablePointer<UInt8>?
  private var decodedCount = 0
  private var decodedCapacity = 0
  private var indexes: [JSONKeyIndex] = []

  init(document: UnsafePointer<UInt8>) {
    self.document = document
    frames = .allocate(capacity: frameCapacity)
    keys = .allocate(capacity: keyCapacity)
  }

  deinit {
    frames.deallocate()
    keys.deallocate()
    decoded?.deallocate()
  }

  @inline(__always)
  var topIsObject: Bool { frames[depth &- 1].isObject }

  @inline(__always)
  mutating func push(isObject: Bool) {
    if depth == frameCapacity { growFrames() }
    (frames + depth).initialize(to: Frame(firstKey: Int32(truncatingIfNeeded: keyCount), isObject: isObject))
    depth &+= 1
  }

  @inline(__always)
  mutating func pop() {
    depth &-= 1
    keyCount = Int(frames[depth].firstKey)
    if frames[depth].isIndexed { indexes.removeLast() }
  }

  /// Notes a key of the innermost object.
  /// - Returns: false when the object has it already.
  @inline(__always)
  mutating func add(keyAt start: Int, length: Int, hasEscapes: Bool) -> Bool {
    if hasEscapes { return addDecoded(keyAt: start, length: length) }
    return add(
      Key(
        start: Int32(truncatingIfNeeded: start), length: Int32(truncatingIfNeeded: length),
        hash: Self.quickHash(document + start, length)))
  }

  @inline(never)
  private mutating func addDecoded(keyAt start: Int, length: Int) -> Bool {
    if decodedCount + length > decodedCapacity {
      decodedCapacity = max(256, 2 * decodedCapacity, decodedCount + length)
      decoded = Self.moved(decoded, count: decodedCount, toCapacity: decodedCapacity)
    }
    let target = decoded! + decodedCount
    let count = JSONEscapes.decode(UnsafeBufferPointer(start: document + start, count: length), into: target)
    defer { decodedCount += count }
    let key = Key(
      start: ~Int32(truncatingIfNeeded: decodedCount), length: Int32(truncatingIfNeeded: count),
      hash: Self.quickHash(target, count))
    return add(key)
  }

  @inline(__always)
  private mutating func add(_ key: Key) -> Bool {
    if keyCount == keyCapacity { growKeys() }
    let frame = frames + (depth &- 1)
    let bit = UInt64(1) &<< (key.hash &>> 58)
    (keys + keyCount).initialize(to: key)
    keyCount &+= 1
    if frame.pointee.classesSeen & bit == 0 && !frame.pointee.isIndexed {
      frame.pointee.classesSeen |= bit
      return true
    }
    return lastKeyIsNew(in: frame)
  }

  @inline(never)
  private mutating func lastKeyIsNew(in frame: UnsafeMutablePointer<Frame>) -> Bool {
    let first = Int(frame.pointee.firstKey)
    let last = keyCount - 1
    if last - first <= Self.comparedKeysMax {
      for other in first..<last where keys[other].hash == keys[last].hash && areEqual(other, last) { return false }
      return true
    }
    if !frame.pointee.isIndexed {
      frame.pointee.isIndexed = true
      indexes.append(JSONKeyIndex())
      for other in first..<last { _ = insertIntoIndex(other, first: first) }
    }
    return insertIntoIndex(last, first: first)
  }

  /// - Returns: false when an equal key is there already.
  private mutating func insertIntoIndex(_ position: Int, first: Int) -> Bool {
    // Seeded per process, so nobody can choose keys that collide.
    var hasher = Hasher()
    hasher.combine(bytes: UnsafeRawBufferPointer(start: bytes(of: position), count: Int(keys[position].length)))
    keys[position].hash = UInt64(truncatingIfNeeded: hasher.finalize())
    let top = indexes.count - 1
    let known = keys + first
    indexes[top].reserveOne { known[$0].hash }
    var slot = indexes[top].slot(for: keys[position].hash)
    while let other = indexes[top].key(in: slot) {
      if known[other].hash == keys[position].hash && areEqual(first + other, position) { return false }
      slot = indexes[top].slot(after: slot)
    }
    indexes[top].put(position - first, in: slot)
    return true
  }

  private func bytes(of position: Int) -> UnsafePointer<UInt8> {
    let start = Int(keys[position].start)
    return start >= 0 ? document + start : UnsafePointer(decoded! + ~start)
  }

  private func areEqual(_ left: Int, _ right: Int) -> Bool {
    guard keys[left].length == keys[right].length else { return false }
    return JSONBytes.areEqual(bytes(of: left), bytes(of: right), count: Int(keys[left].length))
  }

  /// Good enough to tell the few keys of a message apart; a document of many keys gets a seeded hash instead.
  @inline(__always)
  private static func quickHash(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> UInt64 {
    let raw = UnsafeRawPointer(bytes)
    var mixed = UInt64(truncatingIfNeeded: count)
    if count >= 8 {
      mixed ^= raw.loadUnaligned(as: UInt64.self)
      mixed &+= raw.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self) &* 0xFF51_AFD7_ED55_8CCD
    } else if count >= 4 {
      let low = UInt64(raw.loadUnaligned(as: UInt32.self))
      let high = UInt64(raw.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self))
      mixed ^= low ^ high &<< 32
    } else if count > 0 {
      let low = UInt64(bytes[0]) | UInt64(bytes[count &>> 1]) &<< 8
      mixed ^= (low | UInt64(bytes[count &- 1]) &<< 16) &<< 8
    }
    return mixed &* 0x9E37_79B9_7F4A_7C15
  }

  @inline(never)
  private mutating func growFrames() {
    frameCapacity *= 2
    frames = Self.moved(frames, count: depth, toCapacity: frameCapacity)
  }

  @inline(never)
  private mutating func growKeys() {
    keyCapacity *= 2
    keys = Self.moved(keys, count: keyCount, toCapacity: keyCapacity)
  }

  private static func moved<Element>(
    _ elements: UnsafeMutablePointer<Element>?, count: Int, toCapacity capacity: Int
  ) -> UnsafeMutablePointer<Element> {
    let result = UnsafeMutablePointer<Element>.allocate(capacity: capacity)
    if let elements {
      result.moveInitialize(from: elements, count: count)
      elements.deallocate()
    }
    return result
  }
}

/// A hash table of the keys of one big object, by their number within it: open addressing, at most half full.
struct JSONKeyIndex {
  /// The number plus one; 0 is an empty slot.
  private var slots = [UInt32](repeating: 0, count: 128)
  private var count = 0

  /// Makes room for one more key.
  mutating func reserveOne(hash: (Int) -> UInt64) {
    count += 1
    guard count * 2 > slots.count else { return }
    let old = slots
    slots = [UInt32](repeating: 0, count: old.count * 2)
    for entry in old where entry != 0 {
      var slot = self.slot(for: hash(Int(entry) - 1))
      while slots[slot] != 0 { slot = self.slot(after: slot) }
      slots[slot] = entry
    }
  }

  func slot(for hash: UInt64) -> Int { Int(truncatingIfNeeded: hash) & (slots.count - 1) }
  func slot(after slot: Int) -> Int { (slot + 1) & (slots.count - 1) }
  func key(in slot: Int) -> Int? { slots[slot] == 0 ? nil : Int(slots[slot]) - 1 }
  mutating func put(_ key: Int, in slot: Int) { slots[slot] = UInt32(key + 1) }
}
