/// Finds a text in bytes, without regard to the case of letters, about as quickly as memory can be read. Letters whose
/// other case is longer or shorter in UTF-8, or several letters (ß, İ), have only their own; and of those with a third
/// form the two that are each other's cases: Σ finds σ and not ς, Ǆ finds ǆ and not ǅ.
///
/// It looks for two bytes of the text at their distance, sixteen places at a time, and compares the rest only where both
/// are found; the two are those that are rarest in log lines.
/// Time is linear in the bytes searched, save for a text of which nearly the whole is found in very many places.
public struct TextSearch: Sendable {
  /// With all bits set in which a letter's cases differ.
  private let needle: [UInt8]
  /// For each byte of the needle, these bits; none where it is no letter's.
  private let caseBits: [UInt8]
  /// The letters whose cases differ in several bits: some of those are neither.
  private let letters: [Letter]
  private let rarest: Int
  private let secondRarest: Int

  /// - Parameter needle: an empty one is found everywhere.
  public init(_ needle: String) {
    var bytes: [UInt8] = []
    var caseBits: [UInt8] = []
    var letters: [Letter] = []
    for scalar in needle.unicodeScalars {
      let (upper, lower) = Self.cases(of: scalar)
      let bits = zip(upper, lower).map { $0 ^ $1 }
      if bits.reduce(0, { $0 + $1.nonzeroBitCount }) > 1 {
        letters.append(Letter(offset: bytes.count, upper: Array(upper), lower: Array(lower)))
      }
      bytes += zip(upper, lower).map { $0 | $1 }
      caseBits += bits
    }
    self.needle = bytes
    self.caseBits = caseBits
    self.letters = letters
    let first = bytes.indices.min { Self.frequency(of: bytes[$0]) < Self.frequency(of: bytes[$1]) } ?? 0
    // Neighbours say little of each other (what follows a q?), and the same byte again says less than another one.
    func cost(_ index: Int) -> Int {
      let isNear = abs(index - first) <= 1
      return Self.frequency(of: bytes[index]) + (isNear ? 60 : 0) + (bytes[index] == bytes[first] ? 120 : 0)
    }
    rarest = first
    secondRarest = bytes.indices.filter { $0 != first }.min { cost($0) < cost($1) } ?? first
  }

  /// The offset of the first occurrence that begins at `start` or later.
  public func firstMatch(in text: UnsafeBufferPointer<UInt8>, from start: Int) -> Int? {
    let last = text.count - needle.count
    guard start >= 0 && start <= last else { return nil }
    guard let base = text.baseAddress, !needle.isEmpty else { return start }
    return needle.withUnsafeBufferPointer { needle in
      caseBits.withUnsafeBufferPointer { caseBits in
        let pattern = Pattern(needle: needle.baseAddress!, caseBits: caseBits.baseAddress!, count: needle.count)
        var start = start
        while let match = firstMatch(of: pattern, base, from: start, through: last) {
          if letters.allSatisfy({ $0.stands(at: base + match) }) { return match }
          start = match + 1
        }
        return nil
      }
    }
  }

  private func firstMatch(
    of pattern: Pattern, _ base: UnsafePointer<UInt8>, from start: Int, through last: Int
  ) -> Int? {
    let one = PackedByte(needle[rarest], caseBits[rarest])
    let two = PackedByte(needle[secondRarest], caseBits[secondRarest])
    let ones = UnsafeRawPointer(base + rarest)
    let twos = UnsafeRawPointer(base + secondRarest)
    var position = start
    // Places are tried in blocks that lie wholly at or before `last`, so that no byte past the end is read.
    while position &+ 63 <= last {
      let unequal = topBitsUnlessEqual(one, ones, two, twos, position)
      if let match = pattern.firstMatch(where: unequal, base, position) { return match }
      position &+= 64
    }
    if position <= last, last &- start >= 63 {
      // The rest once more with what stands before it, where nothing is known to be.
      let unequal = topBitsUnlessEqual(one, ones, two, twos, last &- 63)
      return pattern.firstMatch(where: unequal, base, last &- 63)
    }
    while position <= last {
      if pattern.matches(base + position) { return position }
      position &+= 1
    }
    return nil
  }

  /// Both cases in UTF-8, of one length.
  private static func cases(of scalar: Unicode.Scalar) -> (upper: String.UTF8View, lower: String.UTF8View) {
    let (own, properties) = (String(scalar), scalar.properties)
    let (upper, lower) = (properties.uppercaseMapping, properties.lowercaseMapping)
    guard own == upper || own == lower, upper.unicodeScalars.count == 1, lower.unicodeScalars.count == 1,
      upper.utf8.count == lower.utf8.count
    else { return (own.utf8, own.utf8) }
    return (upper.utf8, lower.utf8)
  }

  /// How often a byte is met in lines of JSON, both cases taken together: higher is more often.
  private static func frequency(of byte: UInt8) -> Int {
    switch byte {
    case UInt8(ascii: "\""): 255
    case UInt8(ascii: "0")...UInt8(ascii: "9"): 220
    // The hex digits of ids, all of which are frequent letters of English as well.
    case UInt8(ascii: "e"), UInt8(ascii: "a"): 235
    case UInt8(ascii: "d"), UInt8(ascii: "c"): 215
    case UInt8(ascii: "b"), UInt8(ascii: "f"): 195
    case UInt8(ascii: " "), UInt8(ascii: ","), UInt8(ascii: ":"): 230
    case UInt8(ascii: "t"), UInt8(ascii: "o"), UInt8(ascii: "i"), UInt8(ascii: "n"), UInt8(ascii: "s"),
      UInt8(ascii: "r"):
      225
    case UInt8(ascii: "l"), UInt8(ascii: "m"), UInt8(ascii: "p"), UInt8(ascii: "u"), UInt8(ascii: "g"): 190
    case UInt8(ascii: "h"), UInt8(ascii: "y"): 180
    case UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."): 170
    case UInt8(ascii: "v"), UInt8(ascii: "w"), UInt8(ascii: "k"): 140
    case UInt8(ascii: "{"), UInt8(ascii: "}"), UInt8(ascii: "\\"), UInt8(ascii: "/"): 120
    case UInt8(ascii: "x"), UInt8(ascii: "j"), UInt8(ascii: "z"), UInt8(ascii: "q"): 60
    case 0x80...: 50
    case 0x21..<0x7F: 40
    default: 10
    }
  }
}

private struct Letter {
  /// From the beginning of the needle.
  let offset: Int
  let upper: [UInt8]
  let lower: [UInt8]

  func stands(at match: UnsafePointer<UInt8>) -> Bool {
    let text = UnsafeBufferPointer(start: match + offset, count: upper.count)
    return text.elementsEqual(upper) || text.elementsEqual(lower)
  }
}

/// 64 bytes. As words, because the fewer lanes there are the less it costs where this isn't compiled to vectors.
private typealias PackedBytes = SIMD8<UInt64>

extension PackedBytes {
  @inline(__always)
  fileprivate init(each byte: UInt8) { self.init(repeating: UInt64(byte) &* 0x0101_0101_0101_0101) }
}

/// A byte of what is sought, and how to compare it.
private struct PackedByte {
  let byte: PackedBytes
  let caseBit: PackedBytes

  init(_ byte: UInt8, _ caseBit: UInt8) {
    self.byte = PackedBytes(each: byte)
    self.caseBit = PackedBytes(each: caseBit)
  }

  /// Zero where the text has the byte.
  @inline(__always)
  func difference(_ text: UnsafeRawPointer, _ offset: Int) -> PackedBytes {
    (text.loadUnaligned(fromByteOffset: offset, as: PackedBytes.self) | caseBit) ^ byte
  }
}

/// Clears the top bit of the bytes where both are found.
@inline(__always)
private func topBitsUnlessEqual(
  _ one: PackedByte, _ ones: UnsafeRawPointer, _ two: PackedByte, _ twos: UnsafeRawPointer, _ offset: Int
) -> PackedBytes {
  let difference: PackedBytes = one.difference(ones, offset) | two.difference(twos, offset)
  let allButTops = PackedBytes(each: 0x7F)
  // Without the top bits no sum is carried from one byte to the next.
  return ((difference & allButTops) &+ allButTops) | difference
}

private let topBits: UInt64 = 0x8080_8080_8080_8080

private struct Pattern {
  let needle: UnsafePointer<UInt8>
  let caseBits: UnsafePointer<UInt8>
  let count: Int

  @inline(__always)
  func matches(_ text: UnsafePointer<UInt8>) -> Bool {
    var index = 0
    while index < count {
      if text[index] | caseBits[index] != needle[index] { return false }
      index &+= 1
    }
    return true
  }

  /// The first of the 64 places whose top bit is clear that is a match.
  @inline(__always)
  func firstMatch(where unequal: PackedBytes, _ base: UnsafePointer<UInt8>, _ position: Int) -> Int? {
    let halves: SIMD4<UInt64> = unequal.lowHalf & unequal.highHalf
    let quarters: SIMD2<UInt64> = halves.lowHalf & halves.highHalf
    if quarters.x & quarters.y & topBits == topBits { return nil }
    for word in 0..<8 {
      var candidates = ~UInt64(littleEndian: unequal[word]) & topBits
      while candidates != 0 {
        let place = position &+ 8 &* word &+ candidates.trailingZeroBitCount &>> 3
        if matches(base + place) { return place }
        candidates &= candidates &- 1
      }
    }
    return nil
  }
}
