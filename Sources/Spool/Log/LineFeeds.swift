import Glibc

/// Where lines of the log end.
extension UnsafeBufferPointer<UInt8> {
  /// The first line feed at `start` or after it.
  func firstFeed(from start: Int = 0) -> Int? {
    guard start < count, let base = baseAddress, let found = memchr(base + start, 10, count - start) else { return nil }
    return UnsafeRawPointer(found) - UnsafeRawPointer(base)
  }

  /// The last line feed before `end`. Of what lies before it no more than a word is looked at.
  func lastFeed(before end: Int) -> Int? {
    guard let base = baseAddress else { return nil }
    let raw = UnsafeRawPointer(base)
    var place = end
    while place >= 8 {
      // Not zero just when a byte of the difference is, which is a line feed (Warren, Hacker's Delight, 6-1).
      let difference = raw.loadUnaligned(fromByteOffset: place - 8, as: UInt64.self) ^ 0x0A0A_0A0A_0A0A_0A0A
      guard (difference &- 0x0101_0101_0101_0101) & ~difference & 0x8080_8080_8080_8080 == 0 else { break }
      place -= 8
    }
    while place > 0 {
      place -= 1
      if base[place] == 10 { return place }
    }
    return nil
  }
}

/// Calls `body` with each line of a block, line feed included, until it returns false.
func forEachLine(
  _ block: UnsafeBufferPointer<UInt8>, _ body: (UnsafeBufferPointer<UInt8>) throws -> Bool
) rethrows -> Bool {
  var start = 0
  while let feed = block.firstFeed(from: start) {
    guard try body(UnsafeBufferPointer(rebasing: block[start...feed])) else { return false }
    start = feed + 1
  }
  return true
}
