import Testing

@testable import SpoolFormat

@Suite struct TextSearchTests {
  private static func folded(_ byte: UInt8) -> UInt8 {
    byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte + 32 : byte
  }

  private static func naive(_ needle: [UInt8], _ text: [UInt8], from start: Int) -> Int? {
    guard start <= text.count - needle.count else { return nil }
    return (start...(text.count - needle.count)).first { place in
      needle.indices.allSatisfy { folded(needle[$0]) == folded(text[place + $0]) }
    }
  }

  private static func first(_ needle: String, in text: String, from start: Int = 0) -> Int? {
    let search = TextSearch(needle)
    return [UInt8](text.utf8).withUnsafeBufferPointer { search.firstMatch(in: $0, from: start) }
  }

  @Test func `finds a text wherever it stands, at any length and alignment`() {
    let long = "a needle that is longer than the sixty-four bytes of one block, by some"
    for needle in ["x", "xy", "x-y", "Zebra fish", long] {
      for before in 0..<140 {
        for after in [0, 1, 15, 62, 63, 64, 65] {
          let text = String(repeating: ".", count: before) + needle.uppercased() + String(repeating: ".", count: after)
          #expect(Self.first(needle, in: text) == before)
          #expect(Self.first(needle, in: text, from: before) == before)
          #expect(Self.first(needle, in: text, from: before + 1) == nil)
          #expect(Self.first(needle, in: String(text.dropLast(after + 1))) == nil)
        }
      }
    }
  }

  @Test func `letters match in either case, and nothing else does`() {
    #expect(Self.first("ABC", in: "xxabcxx") == 2)
    #expect(Self.first("abc", in: "xxAbCxx") == 2)
    // Thirty-two apart as letters are.
    #expect(Self.first("@", in: "`") == nil)
    #expect(Self.first("[", in: "{") == nil)
    #expect(Self.first("{", in: "[{") == 1)
    #expect(Self.first("1", in: "\u{11}") == nil)
    #expect(Self.first("k", in: "\u{212A}k") == 3)
  }

  @Test(arguments: ["über", "grün", "éclair", "россия", "Ѓѕ", "ελλάδα", "ĺžÿ", "ώ", "ԱԲ"])
  func `so do letters of other alphabets`(word: String) {
    let text = "…, «\(word)»"
    let place = "…, «".utf8.count
    #expect(Self.first(word, in: text) == place)
    #expect(Self.first(word.lowercased(), in: "…, «\(word.uppercased())»") == place)
    #expect(Self.first(word.uppercased(), in: "…, «\(word.lowercased())»") == place)
  }

  @Test(arguments: [
    ("р", "\u{400}"), ("р", "\u{460}"), ("ĺ", "ĸ"), ("ß", "SS"), ("ß", "ÿ"), ("×", "÷"), ("ẞ", "ß"), ("й", "и"),
  ])
  func `and what only looks so in bytes does not`(needle: String, text: String) {
    #expect(Self.first(needle, in: text) == nil)
    #expect(Self.first(text, in: needle) == nil)
  }

  @Test func `an empty needle is found at once, and a start past the end finds nothing`() {
    #expect(Self.first("", in: "abc", from: 2) == 2)
    #expect(Self.first("", in: "") == 0)
    #expect(Self.first("", in: "abc", from: 4) == nil)
    #expect(Self.first("a", in: "") == nil)
    #expect(Self.first("a", in: "a", from: 1) == nil)
    #expect(Self.first("a", in: "a", from: -1) == nil)
  }

  @Test func `finds all that a naive search finds`() {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed of the random texts: \(seed)")
    var random = SeededRandom(state: seed)
    var found = 0
    let alphabets = [[UInt8]("ab".utf8), [UInt8]("abAB\"q{".utf8), [UInt8](0...255)]
    for round in 0..<1_500 {
      let alphabet = alphabets[round % alphabets.count]
      let text = (0..<Int.random(in: 0...200, using: &random)).map { _ in alphabet.randomElement(using: &random)! }
      var needle = (0..<Int.random(in: 1...6, using: &random)).map { _ in alphabet.randomElement(using: &random)! }
      if round % 2 == 0 && text.count > 8 {
        let start = Int.random(in: 0..<text.count - 6, using: &random)
        needle = Array(text[start..<start + needle.count])
      }
      // A search is for a text, so the bytes have to be one.
      guard let needleText = String(validating: needle, as: UTF8.self) else { continue }
      let hasLetters = needleText.unicodeScalars.contains {
        !$0.isASCII && $0.properties.lowercaseMapping != $0.properties.uppercaseMapping
      }
      if hasLetters { continue }
      let search = TextSearch(needleText)
      for start in stride(from: 0, through: text.count, by: 13) {
        let expected = Self.naive(needle, text, from: start)
        let match = text.withUnsafeBufferPointer { search.firstMatch(in: $0, from: start) }
        #expect(match == expected, "seed \(seed), round \(round): \(needle) in \(text) from \(start)")
        if match != nil { found += 1 }
      }
    }
    #expect(found > 500)
  }
}
