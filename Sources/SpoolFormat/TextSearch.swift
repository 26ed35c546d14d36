/// Finds a text in bytes, without regard to the case of ASCII letters, about as quickly as memory can be read.
///
/// It looks for two bytes of the text at their distance, sixteen places at a time, and compares the rest only where both
/// are found; the two are those that are rarest in log lines.
/// Time is linear in the bytes searched, save for a text of which nearly the whole is found in very many places.
public struct TextSearch: Sendable {
  /// With ASCII letters in lower case.
  private let needle: [UInt8]
  /// For each byte of the needle, the bit that tells lower case from upper when it is a letter, else 0.
  private let caseBits: [UInt8]
  private let rarest: Int
  private let secondRarest: Int

  /// - Parameter needle: an empty one is found everywhere.
  public init(_ needle: String) {
    let bytes = needle.utf8.map { Self.isUpperCase($0) ? $0 | 0x20 : $0 }
    self.needle = bytes
    caseBits = bytes.map { Self.isUpperCase($0 & ~0x20) && $0 & 0x20 != 0 ? 0x20 : 0 }
    // A second place for the same byte says less than another byte, and neighbours say less than bytes further apart.
    let byRarity = bytes.indices.sorted { (Self.frequency(of: bytes[$0]), $0) < (Self.frequency(of: bytes[$1]), $1) }
    let first = byRarity.first ?? 0
    rarest = first
    secondRarest = byRarity.first { bytes[$0] != bytes[first] } ?? byRarity.last ?? 0
  }

  /// The offset of the first occurrence that begins at `start` or later.
  public func firstMatch(in text: UnsafeBufferPointer<UInt8>, from start: Int) -> Int? {
    let last = text.count - needle.count
    guard start >= 0 && start <= last else { return nil }
    guard let base = text.baseAddress, !needle.isEmpty else { return start }
    return needle.withUnsafeBufferPointer { needle in
      caseBits.withUnsafeBufferPointer { caseBits in
        let pattern = Pattern(needle: needle.baseAddress!, caseBits: caseBits.baseAddress!, count: needle.count)
        return firstMatch(of: pattern, base, from: start, through: last)
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
    // Places are tried in blocks that all lie at or before `last`, so that no byte past the end is read.
    while position &+ 63 <= last {
      let first = one.matches(ones, position) .& two.matches(twos, position)
      let second = one.matches(ones, position &+ 16) .& two.matches(twos, position &+ 16)
      let third = one.matches(ones, position &+ 32) .& two.matches(twos, position &+ 32)
      let fourth = one.matches(ones, position &+ 48) .& two.matches(twos, position &+ 48)
      if isAnySet(first .| second .| (third .| fourth)) {
        if let match = pattern.firstMatch(among: first, base, position)
          ?? pattern.firstMatch(among: second, base, position &+ 16)
          ?? pattern.firstMatch(among: third, base, position &+ 32)
          ?? pattern.firstMatch(among: fourth, base, position &+ 48)
        {
          return match
        }
      }
      position &+= 64
    }
    while position &+ 15 <= last {
      let candidates = one.matches(ones, position) .& two.matches(twos, position)
      if let match = pattern.firstMatch(among: candidates, base, position) { return match }
      position &+= 16
    }
    while position <= last {
      if pattern.matches(base + position) { return position }
      position &+= 1
    }
    return nil
  }

  private static func isUpperCase(_ byte: UInt8) -> Bool {
    byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z")
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
      UInt8(ascii: "r"): 225
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

/// A byte in each lane, and how to compare it.
private struct PackedByte {
  let byte: SIMD16<UInt8>
  let caseBit: SIMD16<UInt8>

  init(_ byte: UInt8, _ caseBit: UInt8) {
    self.byte = SIMD16(repeating: byte)
    self.caseBit = SIMD16(repeating: caseBit)
  }

  @inline(__always)
  func matches(_ text: UnsafeRawPointer, _ offset: Int) -> SIMDMask<SIMD16<Int8>> {
    text.loadUnaligned(fromByteOffset: offset, as: SIMD16<UInt8>.self) | caseBit .== byte
  }
}

@inline(__always)
private func isAnySet(_ mask: SIMDMask<SIMD16<Int8>>) -> Bool {
  let halves = unsafeBitCast(mask, to: SIMD2<UInt64>.self)
  return halves.x | halves.y != 0
}

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

  @inline(never)
  func firstMatch(
    among candidates: SIMDMask<SIMD16<Int8>>, _ base: UnsafePointer<UInt8>, _ position: Int
  ) -> Int? {
    let halves = unsafeBitCast(candidates, to: SIMD2<UInt64>.self)
    for (half, offset) in [(halves.x, 0), (halves.y, 8)] {
      var rest = UInt64(littleEndian: half)
      while rest != 0 {
        let lane = rest.trailingZeroBitCount &>> 3
        let place = position &+ offset &+ lane
        if matches(base + place) { return place }
        rest &= ~(0xFF &<< UInt64(lane &* 8))
      }
    }
    return nil
  }
}
