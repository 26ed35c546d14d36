/// Where text is written, piece after piece, into memory that is known to be enough for all of it. Names, paths and lines
/// of the log are made of some ten pieces each, and many times for each message.
struct TextCursor {
  /// After the last byte that was written.
  private(set) var end: UnsafeMutablePointer<UInt8>

  init(_ start: UnsafeMutablePointer<UInt8>) { end = start }

  @inline(__always)
  mutating func put(_ text: StaticString) { put(text.utf8Start, text.utf8CodeUnitCount) }

  @inline(__always)
  mutating func put(_ byte: UInt8) {
    end[0] = byte
    end += 1
  }

  /// In less than half the time that `withUTF8` takes, which wants a copy that can be changed.
  mutating func put(_ text: String) {
    let isDone: Void? = text.utf8.withContiguousStorageIfAvailable { bytes in
      if let base = bytes.baseAddress { put(base, bytes.count) }
    }
    if isDone == nil { for byte in text.utf8 { put(byte) } }
  }

  @inline(__always)
  mutating func put(_ base: UnsafePointer<UInt8>, _ count: Int) {
    end.update(from: base, count: count)
    end += count
  }

  /// A sign, and nineteen digits.
  static let decimalCountMax = 20

  mutating func put(_ value: Int64) {
    var count = 1
    var power: UInt64 = 10
    let magnitude = value.magnitude
    if value < 0 { put(UInt8(ascii: "-")) }
    while count < 19, magnitude >= power {
      count += 1
      power &*= 10
    }
    var rest = magnitude
    for place in stride(from: count - 1, through: 0, by: -1) {
      let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
      end[place] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: digit)
      rest = quotient
    }
    end += count
  }

  /// Sixteen lower-case hexadecimal digits.
  mutating func putHexadecimal(_ value: UInt64) {
    putHexadecimal(UInt32(truncatingIfNeeded: value &>> 32))
    putHexadecimal(UInt32(truncatingIfNeeded: value))
  }

  /// Eight of them, made at once: each half byte is moved to a byte of its own.
  mutating func putHexadecimal(_ value: UInt32) {
    var digits = UInt64(value)
    digits = (digits &<< 16 | digits) & 0x0000_FFFF_0000_FFFF
    digits = (digits &<< 8 | digits) & 0x00FF_00FF_00FF_00FF
    digits = (digits &<< 4 | digits) & 0x0F0F_0F0F_0F0F_0F0F
    let isLetter = (digits &+ 0x0606_0606_0606_0606) &>> 4 & 0x0101_0101_0101_0101
    let text = digits &+ 0x3030_3030_3030_3030 &+ isLetter &* UInt64(UInt8(ascii: "a") - 10 - UInt8(ascii: "0"))
    UnsafeMutableRawPointer(end).storeBytes(of: text.bigEndian, as: UInt64.self)
    end += 8
  }

  mutating func put(_ id: MessageID) {
    id.write(to: end)
    end += MessageID.textCount
  }

  /// `20261120T234512.345678Z`, or `2026-11-20T23:45:12.345678Z`.
  mutating func put(_ moment: Timestamp, punctuated: Bool) { end += moment.write(to: end, punctuated: punctuated) }
}
