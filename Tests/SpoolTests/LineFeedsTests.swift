import TestSupport
import Testing

@testable import Spool

@Suite struct LineFeedsTests {
  /// What differs from a line feed by one, or in its top bit, and what an addition might make of it.
  private static let neighbours: [UInt8] = [0x0A, 0x0B, 0x09, 0x8A, 0x8B, 0x00, 0x80, 0xFF, 0x20]

  @Test func `line feeds are found as looking at each byte finds them`() {
    var random = SeededGenerator()
    for _ in 0..<2000 {
      let kinds = Int.random(in: 1...Self.neighbours.count, using: &random)
      let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in
        Self.neighbours.dropFirst(Bool.random(using: &random) ? 1 : 0).prefix(kinds).randomElement(using: &random)!
      }
      let place = Int.random(in: 0...bytes.count, using: &random)
      bytes.withUnsafeBufferPointer { text in
        #expect(text.firstFeed(from: place) == bytes[place...].firstIndex(of: 10), "\(bytes), \(place)")
        #expect(text.lastFeed(before: place) == bytes[..<place].lastIndex(of: 10), "\(bytes), \(place)")
      }
    }
  }

  @Test func `each line is handed out with its line feed, and half a line isn't`() {
    var lines: [String] = []
    Array("one\n\nthree\nhalf".utf8).withUnsafeBufferPointer { block in
      let isWhole = forEachLine(block) { line in
        lines.append(String(decoding: line, as: UTF8.self))
        return true
      }
      #expect(isWhole)
      #expect(!forEachLine(block) { _ in false })
    }
    #expect(lines == ["one\n", "\n", "three\n"])
  }
}
