import Testing

@testable import SpoolFormat

@Suite struct CRC32Tests {
  private func checksum(_ text: String) -> UInt32 {
    [UInt8](text.utf8).withUnsafeBufferPointer { CRC32.checksum($0) }
  }

  @Test(arguments: [
    ("", "00000000"), ("a", "e8b7be43"), ("abc", "352441c2"), ("123456789", "cbf43926"),
    ("The quick brown fox jumps over the lazy dog", "414fa339"),
    (String(repeating: "\0", count: 32), "190a55ad"), (String(repeating: "a", count: 1_000_000), "dc25bfbc"),
  ])
  func `agrees with zlib`(text: String, expected: String) {
    #expect(checksum(text) == UInt32(expected, radix: 16))
  }

  @Test func `parts taken one after another give the checksum of the whole`() {
    let bytes = (0..<600).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ ($0 >> 3)) }
    // One bit at a time, straight from the definition.
    var value = ~UInt32(0)
    for byte in bytes {
      value ^= UInt32(byte)
      for _ in 0..<8 { value = value & 1 == 0 ? value >> 1 : (value >> 1) ^ 0xEDB8_8320 }
    }
    let expected = ~value
    bytes.withUnsafeBufferPointer { bytes in
      #expect(CRC32.checksum(bytes) == expected && CRC32.byTables(bytes, continuing: 0) == expected)
      for cut in 0...bytes.count {
        let start = CRC32.checksum(UnsafeBufferPointer(rebasing: bytes[..<cut]))
        #expect(CRC32.checksum(UnsafeBufferPointer(rebasing: bytes[cut...]), continuing: start) == expected)
      }
    }
  }

  @Test func `any flipped bit changes it`() {
    var bytes = [UInt8](#"{"type":"message.sent","data":{"content":"hello"}}"#.utf8)
    let original = bytes.withUnsafeBufferPointer { CRC32.checksum($0) }
    for bit in 0..<(bytes.count * 8) {
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(bytes.withUnsafeBufferPointer { CRC32.checksum($0) } != original)
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
    }
  }
}
