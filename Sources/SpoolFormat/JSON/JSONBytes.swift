/// What the scanner, the slices and the writer do to the bytes of strings.
enum JSONBytes {
  static let quote = UInt8(ascii: "\"")
  static let backslash = UInt8(ascii: "\\")

  /// The first byte from `start` on that is a quote, a backslash, a control character or not ASCII; else `end`.
  @inline(__always)
  static func firstSpecial(_ base: UnsafePointer<UInt8>, from start: Int, to end: Int) -> Int {
    let raw = UnsafeRawPointer(base)
    var position = start
    while position &+ 16 <= end {
      let (low, high) = words(raw + position)
      if let index = firstClear(topBitsIfPlain(low) & ~low, topBitsIfPlain(high) & ~high) { return position &+ index }
      position &+= 16
    }
    while position < end {
      let byte = base[position]
      if byte < 0x20 || byte >= 0x80 || byte == quote || byte == backslash { return position }
      position &+= 1
    }
    return end
  }

  /// The first byte from `start` on that a string literal can't hold as it is; else `end`.
  @inline(__always)
  static func firstToEscape(_ base: UnsafePointer<UInt8>, from start: Int, to end: Int) -> Int {
    let raw = UnsafeRawPointer(base)
    var position = start
    while position &+ 16 <= end {
      let (low, high) = words(raw + position)
      if let index = firstClear(topBitsIfPlain(low) | low, topBitsIfPlain(high) | high) { return position &+ index }
      position &+= 16
    }
    if position < end, end &- start >= 16 {
      // The rest once more with what stands before it, which is known to be plain.
      let (low, high) = words(raw + (end &- 16))
      return end &- 16 &+ (firstClear(topBitsIfPlain(low) | low, topBitsIfPlain(high) | high) ?? 16)
    }
    while position < end {
      let byte = base[position]
      if byte < 0x20 || byte == quote || byte == backslash { return position }
      position &+= 1
    }
    return end
  }

  /// Sixteen bytes, the first one lowest. Not as a vector: that is a quarter faster where it is compiled to one, which
  /// is nothing beside a system call, and seventy times slower where it isn't, as in all that the tests run.
  @inline(__always)
  private static func words(_ bytes: UnsafeRawPointer) -> (UInt64, UInt64) {
    (
      UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self)),
      UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    )
  }

  private static let topBits: UInt64 = 0x8080_8080_8080_8080

  /// Sets the top bit of each ASCII byte that is no quote, backslash or control character; what is set for other bytes
  /// means nothing. No sum is carried from one byte to the next, because without its top bit none is above 0x7F.
  @inline(__always)
  private static func topBitsIfPlain(_ word: UInt64) -> UInt64 {
    let each: UInt64 = 0x0101_0101_0101_0101
    let ascii = word & ~topBits
    let isNoQuote = (ascii ^ (each &* UInt64(quote))) &+ ~topBits
    let isNoBackslash = (ascii ^ (each &* UInt64(backslash))) &+ ~topBits
    let isNoControl = ascii &+ each &* (0x80 - 0x20)
    return isNoQuote & isNoBackslash & isNoControl
  }

  /// The index of the first of sixteen bytes whose top bit is clear.
  @inline(__always)
  private static func firstClear(_ low: UInt64, _ high: UInt64) -> Int? {
    if low & high & topBits == topBits { return nil }
    let first = ~low & topBits
    return first != 0 ? first.trailingZeroBitCount &>> 3 : 8 &+ (~high & topBits).trailingZeroBitCount &>> 3
  }

  @inline(__always)
  static func areEqual(_ left: UnsafePointer<UInt8>, _ right: UnsafePointer<UInt8>, count: Int) -> Bool {
    let left = UnsafeRawPointer(left)
    let right = UnsafeRawPointer(right)
    var position = 0
    while position &+ 8 <= count {
      let one = left.loadUnaligned(fromByteOffset: position, as: UInt64.self)
      if one != right.loadUnaligned(fromByteOffset: position, as: UInt64.self) { return false }
      position &+= 8
    }
    while position < count {
      if left.load(fromByteOffset: position, as: UInt8.self) != right.load(fromByteOffset: position, as: UInt8.self) {
        return false
      }
      position &+= 1
    }
    return true
  }

  /// The length of the UTF-8 character at the start of the bytes; 0 when there is no whole and valid one.
  static func characterLength(_ bytes: [UInt8]) -> Int {
    guard let first = bytes.first else { return 0 }
    if first < 0x80 { return 1 }
    guard let (length, low, high) = sequence(from: first), bytes.count >= length,
      bytes[1] >= low, bytes[1] <= high, bytes[2..<length].allSatisfy({ $0 & 0xC0 == 0x80 })
    else { return 0 }
    return length
  }

  /// What a first byte that isn't ASCII promises: the length, and the bounds of the second byte, which
  /// are what shuts out overlong forms, surrogates and characters past U+10FFFF.
  @inline(__always)
  static func sequence(from first: UInt8) -> (length: Int, low: UInt8, high: UInt8)? {
    switch first {
    case 0xC2...0xDF: (2, 0x80, 0xBF)
    case 0xE0: (3, 0xA0, 0xBF)
    case 0xED: (3, 0x80, 0x9F)
    case 0xE1...0xEF: (3, 0x80, 0xBF)
    case 0xF0: (4, 0x90, 0xBF)
    case 0xF1...0xF3: (4, 0x80, 0xBF)
    case 0xF4: (4, 0x80, 0x8F)
    default: nil
    }
  }

  static func hexDigit(_ byte: UInt8) -> UInt32? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte &- UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte &- UInt8(ascii: "a") &+ 10)
    case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte &- UInt8(ascii: "A") &+ 10)
    default: nil
    }
  }
}
