/// Reading the escapes of string literals that are known to be valid. Bytes that aren't give a wrong text,
/// never an access out of bounds.
enum JSONEscapes {
  /// The character that the escape at `position` stands for, and the escape's length.
  static func read(_ raw: UnsafeBufferPointer<UInt8>, at position: Int) -> (character: UInt32, length: Int) {
    guard position + 1 < raw.count else { return (UInt32(JSONBytes.backslash), 1) }
    switch raw[position + 1] {
    case UInt8(ascii: "b"): return (0x08, 2)
    case UInt8(ascii: "f"): return (0x0C, 2)
    case UInt8(ascii: "n"): return (0x0A, 2)
    case UInt8(ascii: "r"): return (0x0D, 2)
    case UInt8(ascii: "t"): return (0x09, 2)
    case UInt8(ascii: "u"): break
    case let itself: return (UInt32(itself), 2)
    }
    let unit = self.unit(raw, at: position + 2)
    guard unit & 0xFC00 == 0xD800 else { return (unit, min(6, raw.count - position)) }
    let second = self.unit(raw, at: position + 8)
    return (0x10000 + (unit & 0x3FF) << 10 + second & 0x3FF, min(12, raw.count - position))
  }

  private static func unit(_ raw: UnsafeBufferPointer<UInt8>, at position: Int) -> UInt32 {
    guard position + 4 <= raw.count else { return 0xFFFD }
    return (0..<4).reduce(0) { $0 << 4 | (JSONBytes.hexDigit(raw[position + $1]) ?? 0) }
  }

  /// The character in UTF-8, the first byte lowest.
  static func encode(_ character: UInt32) -> (bytes: UInt32, count: Int) {
    let tail = { (shift: UInt32) in 0x80 | character >> shift & 0x3F }
    switch character {
    case 0..<0x80:
      return (character, 1)
    case 0x80..<0x800:
      return (0xC0 | character >> 6 | tail(0) << 8, 2)
    case 0x800..<0x10000:
      return (0xE0 | character >> 12 | tail(6) << 8 | tail(0) << 16, 3)
    default:
      let firstTwo = 0xF0 | character >> 18 | tail(12) << 8
      return (firstTwo | tail(6) << 16 | tail(0) << 24, 4)
    }
  }

  /// Decodes what stands between the quotes of a literal; it never gets longer.
  /// - Returns: the number of bytes written to `output`, which has room for `raw.count`.
  static func decode(_ raw: UnsafeBufferPointer<UInt8>, into output: UnsafeMutablePointer<UInt8>) -> Int {
    guard let base = raw.baseAddress else { return 0 }
    var position = 0
    var written = 0
    while position < raw.count {
      let runEnd = JSONBytes.firstToEscape(base, from: position, to: raw.count)
      (output + written).update(from: base + position, count: runEnd - position)
      written += runEnd - position
      position = runEnd
      guard position < raw.count else { break }
      guard raw[position] == JSONBytes.backslash else {
        output[written] = raw[position]
        written += 1
        position += 1
        continue
      }
      let (character, length) = read(raw, at: position)
      var (bytes, count) = encode(character)
      position += length
      while count > 0 {
        output[written] = UInt8(truncatingIfNeeded: bytes)
        written += 1
        bytes >>= 8
        count -= 1
      }
    }
    return written
  }
}

/// The decoded bytes of what stands between the quotes of a valid literal, one at a time: for comparing without
/// allocating.
struct JSONDecodedBytes: Sequence, IteratorProtocol {
  private let raw: UnsafeBufferPointer<UInt8>
  private var position = 0
  private var pending: (bytes: UInt32, count: Int) = (0, 0)

  init(_ raw: UnsafeBufferPointer<UInt8>) { self.raw = raw }

  mutating func next() -> UInt8? {
    if pending.count == 0 {
      guard position < raw.count else { return nil }
      if raw[position] != JSONBytes.backslash {
        position += 1
        return raw[position - 1]
      }
      let (character, length) = JSONEscapes.read(raw, at: position)
      position += length
      pending = JSONEscapes.encode(character)
    }
    defer { pending = (pending.bytes >> 8, pending.count - 1) }
    return UInt8(truncatingIfNeeded: pending.bytes)
  }
}
