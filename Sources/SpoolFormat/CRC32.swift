import CChecksum

/// The CRC-32 of zlib, gzip and IEEE 802.3, so that `zlib.crc32` in any language agrees.
public enum CRC32 {
  private static let polynomial: UInt32 = 0xEDB8_8320

  /// What a byte does to the checksum.
  private static let table: [UInt32] = {
    [UInt32](unsafeUninitializedCapacity: 256) { table, count in
      // It is linear: the powers of two, from the highest bit down, give the other entries.
      table[0] = 0
      var value: UInt32 = 1
      var power = 128
      while power > 0 {
        value = value & 1 == 0 ? value >> 1 : value >> 1 ^ polynomial
        for multiple in stride(from: 0, to: 256, by: 2 * power) { table[multiple + power] = table[multiple] ^ value }
        power >>= 1
      }
      count = 256
    }
  }()

  /// Sixteen tables of 256: the entry `[k * 256 + b]` is what byte `b` does to the checksum when `k` bytes follow it.
  /// Made at the first use, in 25,000 instructions: not worth it for the few bytes that folding leaves.
  private static let tables: [UInt32] = {
    [UInt32](unsafeUninitializedCapacity: 16 * 256) { tables, count in
      for index in 0..<256 { tables[index] = table[index] }
      for index in 256..<(16 * 256) {
        let before = tables[index - 256]
        tables[index] = before >> 8 ^ tables[Int(before & 0xFF)]
      }
      count = 16 * 256
    }
  }()

  private static let canFold = cchecksum_can_fold() != 0
  /// Fewer bytes than this have no need of the processor's own instructions.
  private static let foldedBytesMin = 64

  /// - Parameter continuing: the checksum of the bytes before these, so that parts can be taken one after another.
  public static func checksum(_ bytes: UnsafeBufferPointer<UInt8>, continuing: UInt32 = 0) -> UInt32 {
    guard let base = bytes.baseAddress else { return continuing }
    guard canFold, bytes.count >= foldedBytesMin else { return byTables(bytes, continuing: continuing) }
    let folded = bytes.count & ~15
    var value = cchecksum_fold(~continuing, base, folded)
    table.withUnsafeBufferPointer { table in
      for position in folded..<bytes.count { value = value &>> 8 ^ table[Int((value ^ UInt32(base[position])) & 0xFF)] }
    }
    return ~value
  }

  /// The same, with nothing that not every processor has.
  static func byTables(_ bytes: UnsafeBufferPointer<UInt8>, continuing: UInt32) -> UInt32 {
    guard let base = bytes.baseAddress else { return continuing }
    return tables.withUnsafeBufferPointer { tables in
      let table = tables.baseAddress!
      let raw = UnsafeRawPointer(base)
      var value = ~continuing
      var position = 0
      while position &+ 16 <= bytes.count {
        // Sixteen lookups that don't wait for each other; only the four bytes of the checksum so far are mixed in.
        let first = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: position, as: UInt64.self)) ^ UInt64(value)
        let second = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: position &+ 8, as: UInt64.self))
        value = Self.eight(first, table + 8 * 256) ^ Self.eight(second, table)
        position &+= 16
      }
      while position < bytes.count {
        value = value &>> 8 ^ table[Int((value ^ UInt32(base[position])) & 0xFF)]
        position &+= 1
      }
      return ~value
    }
  }

  @inline(__always)
  private static func eight(_ bytes: UInt64, _ table: UnsafePointer<UInt32>) -> UInt32 {
    let low =
      table[7 * 256 + Int(bytes & 0xFF)] ^ table[6 * 256 + Int(bytes &>> 8 & 0xFF)]
      ^ table[5 * 256 + Int(bytes &>> 16 & 0xFF)] ^ table[4 * 256 + Int(bytes &>> 24 & 0xFF)]
    let high =
      table[3 * 256 + Int(bytes &>> 32 & 0xFF)] ^ table[2 * 256 + Int(bytes &>> 40 & 0xFF)]
      ^ table[256 + Int(bytes &>> 48 & 0xFF)] ^ table[Int(bytes &>> 56)]
    return low ^ high
  }
}
