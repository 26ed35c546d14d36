/// SplitMix64: the same numbers from the same seed, so that a failure can be had again.
struct SeededRandom: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }
}

/// Makes random valid documents, with the spellings that JSON leaves open.
struct RandomJSON {
  var random: SeededRandom

  mutating func chance(_ oneIn: Int) -> Bool { Int.random(in: 0..<oneIn, using: &random) == 0 }

  mutating func space() -> String { chance(4) ? [" ", "\n", "\t", "\r\n", "  "].randomElement(using: &random)! : "" }

  mutating func document() -> String { space() + value(depth: 0) + space() }

  mutating func object(depth: Int = 0) -> String {
    var keys = Set<[UInt8]>()
    var members: [String] = []
    for _ in 0..<Int.random(in: 0...(chance(20) ? 60 : 5), using: &random) {
      let key = text()
      // Foundation compares the keys as `String` does, so none may be canonically equivalent either.
      guard keys.insert([UInt8](key.utf8)).inserted, key.utf8.allSatisfy({ $0 < 0x80 }) else { continue }
      members.append(space() + literal(key) + space() + ":" + space() + value(depth: depth + 1) + space())
    }
    return "{" + (members.isEmpty ? space() : members.joined(separator: ",")) + "}"
  }

  mutating func value(depth: Int) -> String {
    switch Int.random(in: depth > 4 ? 2...7 : 0...7, using: &random) {
    case 0: return object(depth: depth)
    case 1:
      let elements = (0..<Int.random(in: 0...5, using: &random)).map { _ in space() + value(depth: depth + 1) + space()
      }
      return "[" + (elements.isEmpty ? space() : elements.joined(separator: ",")) + "]"
    case 2, 3: return literal(text())
    case 4, 5: return number()
    default: return ["true", "false", "null"].randomElement(using: &random)!
    }
  }

  mutating func number() -> String {
    var text = chance(2) ? "-" : ""
    text +=
      chance(4)
      ? "0" : String(UInt64.random(in: 1...UInt64.max >> UInt64.random(in: 0...63, using: &random), using: &random))
    if chance(3) { text += "." + String(Int.random(in: 0...99_999, using: &random)) }
    if chance(4) {
      text += ["e", "E"].randomElement(using: &random)! + ["", "+", "-"].randomElement(using: &random)! + "12"
    }
    return text
  }

  mutating func text() -> String {
    let plain = Array("abcdefghij klmnopqrstuvwxyz0123456789")
    let odd = Array("\"\\/\u{8}\u{c}\n\r\t\u{0}\u{1b}\u{1f}\u{7f}éßЖ你\u{2028}\u{ffff}😀\u{10ffff}")
    let isOdd = chance(2)
    return String(
      (0..<Int.random(in: 0...(chance(10) ? 90 : 12), using: &random)).map { _ in
        isOdd && chance(3) ? odd.randomElement(using: &random)! : plain.randomElement(using: &random)!
      })
  }

  mutating func literal(_ text: String) -> String {
    var literal = "\""
    for scalar in text.unicodeScalars {
      let mustEscape = scalar.value < 0x20 || scalar == "\"" || scalar == "\\"
      if !mustEscape && !chance(8) {
        literal.unicodeScalars.append(scalar)
      } else if let letter = ["\"": "\"", "\\": "\\", "/": "/", "\n": "n", "\t": "t"][String(scalar)], chance(2) {
        literal += "\\" + letter
      } else {
        for unit in String(scalar).utf16 {
          let digits = String(unit, radix: 16, uppercase: chance(2))
          literal += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }
      }
    }
    return literal + "\""
  }
}
