import TestSupport
import Testing

@testable import SpoolFormat

@Suite struct TextCursorTests {
  private func text(_ write: (inout TextCursor) -> Void) -> String {
    String(unsafeUninitializedCapacity: 64) { buffer in
      var cursor = TextCursor(buffer.baseAddress!)
      write(&cursor)
      return cursor.end - buffer.baseAddress!
    }
  }

  @Test func `numbers of every length`() {
    var numbers: [Int64] = [0, .max, .min]
    var power: Int64 = 1
    for _ in 0..<19 {
      numbers += [power - 1, power, -power, 7 * (power / 10)]
      power = power.multipliedReportingOverflow(by: 10).partialValue
    }
    for number in numbers { #expect(text { $0.put(number) } == String(number)) }
  }

  @Test func `hexadecimal digits, with the zeros before them`() {
    var random = SeededGenerator()
    for shift in UInt64(0)..<64 {
      let number = UInt64.random(in: 0 ... .max, using: &random) >> shift
      let digits = String(number, radix: 16)
      let zeros = String(repeating: "0", count: 16 - digits.count)
      #expect(text { $0.putHexadecimal(number) } == zeros + digits, "seed \(random.seed)")
    }
    #expect(text { $0.putHexadecimal(UInt32(0x0901_9AFA)) } == "09019afa")
  }

  @Test(arguments: [
    "", "a", "a text that is too long to stand within a String itself", "é", "\u{1F600} and more of it",
  ])
  func `texts of every kind`(words: String) {
    #expect(text { $0.put(words) } == words)
    #expect(
      text {
        $0.put("<"); $0.put(words)
      } == "<" + words)
  }
}
