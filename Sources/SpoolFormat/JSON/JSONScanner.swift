/// Hears of each part of a document as the scanner passes it.
protocol JSONVisitor {
  /// - Parameter kind: object or array.
  mutating func begin(_ kind: JSONKind)
  mutating func end(_ kind: JSONKind)
  mutating func key(_ key: JSONSlice)
  /// A string, number, `true`, `false` or `null`.
  mutating func scalar(_ value: JSONSlice)
}

struct JSONNoVisitor: JSONVisitor {
  @inline(__always) mutating func begin(_ kind: JSONKind) {}
  @inline(__always) mutating func end(_ kind: JSONKind) {}
  @inline(__always) mutating func key(_ key: JSONSlice) {}
  @inline(__always) mutating func scalar(_ value: JSONSlice) {}
}

/// The grammar of RFC 8259, over a document in memory, in one pass and without recursion.
struct JSONScanner: ~Copyable {
  private let base: UnsafePointer<UInt8>
  private let count: Int
  private let depthMax: Int
  private var position = 0
  private var nesting: JSONNesting

  init(_ document: UnsafeBufferPointer<UInt8>, depthMax: Int) {
    // An empty document may come without an address; nothing is read from this one.
    base = document.baseAddress ?? UnsafePointer(bitPattern: 1)!
    count = document.count
    self.depthMax = depthMax
    nesting = JSONNesting(document: base)
  }

  /// What comes before the first value: sorts out what isn't UTF-8 text at all.
  mutating func begin() throws(JSONFault) {
    // Offsets are kept in 32 bits.
    guard count < Int(Int32.max) else { throw JSONFault(.other("longer than 2 GiB"), at: 0) }
    if count >= 2 {
      let second = base[1]
      switch base[0] {
      case 0xEF where second == 0xBB && (count < 3 || base[2] == 0xBF):
        throw JSONFault(.other("starts with a byte order mark; save it as UTF-8 without one"), at: 0)
      case 0xFE where second == 0xFF, 0xFF where second == 0xFE:
        let isWide = base[0] == 0xFF && count >= 4 && base[2] == 0 && base[3] == 0
        throw JSONFault(.other(isWide ? "looks like UTF-32" : "looks like UTF-16"), at: 0)
      case 0 where count >= 4 && second == 0 && base[2] | base[3] != 0:
        throw JSONFault(.other("looks like UTF-32"), at: 0)
      case 0 where second != 0:
        throw JSONFault(.other("looks like UTF-16"), at: 0)
      case 1... where second == 0:
        let isWide = count >= 4 && base[2] == 0 && base[3] == 0
        throw JSONFault(.other(isWide ? "looks like UTF-32" : "looks like UTF-16"), at: 0)
      default: break
      }
    }
    if skipSpace() == 0 && position == count { throw JSONFault(.empty, at: count) }
  }

  /// Nothing but white space may follow the value.
  mutating func end() throws(JSONFault) {
    _ = skipSpace()
    if position < count { throw JSONFault(.unexpected(place: "after the end of the document"), at: position) }
  }

  /// Steps into an object.
  /// - Returns: whether it has a member, at whose key the scanner then is.
  @inline(__always)
  mutating func beginObject() throws(JSONFault) -> Bool {
    guard base[position] == UInt8(ascii: "{") else {
      switch base[position] {
      case UInt8(ascii: "["), UInt8(ascii: "\""), UInt8(ascii: "t"), UInt8(ascii: "f"), UInt8(ascii: "n"),
        UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
        throw JSONFault(.notAnObject, at: position)
      default:
        throw JSONFault(.unexpected(place: "where an object should be"), at: position)
      }
    }
    try push(isObject: true)
    guard skipSpace() == UInt8(ascii: "}") else { return true }
    position &+= 1
    nesting.pop()
    return false
  }

  /// Goes from the end of a member's value to the key of the next, or out of the object.
  /// - Returns: whether there is another member.
  @inline(__always)
  mutating func nextMember() throws(JSONFault) -> Bool {
    switch skipSpace() {
    case UInt8(ascii: ","):
      position &+= 1
      if skipSpace() == UInt8(ascii: "}") { throw trailingComma() }
      return true
    case UInt8(ascii: "}"):
      position &+= 1
      nesting.pop()
      return false
    default:
      throw misplaced("where a comma or } should be", inside: "an object")
    }
  }

  /// Reads a key and the colon after it.
  @inline(__always)
  mutating func key() throws(JSONFault) -> JSONSlice {
    guard skipSpace() == JSONBytes.quote else { throw misplaced("where a key should be", inside: "an object") }
    let start = position
    let hasEscapes = try string()
    guard nesting.add(keyAt: start &+ 1, length: position &- start &- 2, hasEscapes: hasEscapes) else {
      throw JSONFault(.duplicateKey(length: position - start), at: start)
    }
    let key = slice(.string, from: start, hasEscapes: hasEscapes)
    guard skipSpace() == UInt8(ascii: ":") else { throw misplaced("where a colon should be", inside: "an object") }
    position &+= 1
    return key
  }

  /// Reads one value of any kind, whole.
  @inline(__always)
  mutating func value(_ visitor: inout some JSONVisitor) throws(JSONFault) -> JSONSlice {
    let first = skipSpace()
    let start = position
    guard first == UInt8(ascii: "{") || first == UInt8(ascii: "[") else {
      let value = try scalar(first)
      visitor.scalar(value)
      return value
    }
    try container(&visitor)
    return slice(first == UInt8(ascii: "{") ? .object : .array, from: start)
  }

  private mutating func container(_ visitor: inout some JSONVisitor) throws(JSONFault) {
    let floor = nesting.depth
    while true {
      // A value starts here.
      switch skipSpace() {
      case UInt8(ascii: "{"):
        visitor.begin(.object)
        if try beginObject() {
          visitor.key(try key())
          continue
        }
        visitor.end(.object)
      case UInt8(ascii: "["):
        visitor.begin(.array)
        try push(isObject: false)
        guard skipSpace() == UInt8(ascii: "]") else { continue }
        position &+= 1
        nesting.pop()
        visitor.end(.array)
      case let first:
        visitor.scalar(try scalar(first))
      }
      // A value ended here, and perhaps the objects and arrays that it is the last of.
      while nesting.depth > floor {
        if nesting.topIsObject {
          if try nextMember() {
            visitor.key(try key())
            break
          }
          visitor.end(.object)
        } else {
          if try nextElement() { break }
          visitor.end(.array)
        }
      }
      if nesting.depth == floor { return }
    }
  }

  @inline(__always)
  private mutating func nextElement() throws(JSONFault) -> Bool {
    switch skipSpace() {
    case UInt8(ascii: ","):
      position &+= 1
      if skipSpace() == UInt8(ascii: "]") { throw trailingComma() }
      return true
    case UInt8(ascii: "]"):
      position &+= 1
      nesting.pop()
      return false
    default:
      throw misplaced("where a comma or ] should be", inside: "an array")
    }
  }

  @inline(__always)
  private mutating func push(isObject: Bool) throws(JSONFault) {
    guard nesting.depth < depthMax else { throw JSONFault(.tooDeep(limit: depthMax), at: position) }
    nesting.push(isObject: isObject)
    position &+= 1
  }

  @inline(__always)
  private mutating func scalar(_ first: UInt8) throws(JSONFault) -> JSONSlice {
    let start = position
    switch first {
    case JSONBytes.quote:
      let hasEscapes = try string()
      return slice(.string, from: start, hasEscapes: hasEscapes)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      try number()
      return slice(.number, from: start)
    case UInt8(ascii: "t"):
      try word("true")
      return slice(.true, from: start)
    case UInt8(ascii: "f"):
      try word("false")
      return slice(.false, from: start)
    case UInt8(ascii: "n"):
      try word("null")
      return slice(.null, from: start)
    default:
      let isInObject = nesting.depth > 0 && nesting.topIsObject
      throw misplaced("where a value should be", inside: isInObject ? "an object" : "an array")
    }
  }

  private mutating func word(_ word: StaticString) throws(JSONFault) {
    let length = word.utf8CodeUnitCount
    let here = min(length, count - position)
    guard JSONBytes.areEqual(base + position, word.utf8Start, count: here) else {
      throw JSONFault(.unexpected(place: "where a value should be"), at: position)
    }
    guard here == length else { throw JSONFault(.ends(inside: word), at: count) }
    position &+= length
  }

  private mutating func number() throws(JSONFault) {
    if base[position] == UInt8(ascii: "-") {
      position &+= 1
      if !isDigit(peek()) { throw badNumber("a minus sign without a number") }
    }
    if base[position] == UInt8(ascii: "0") {
      position &+= 1
      if isDigit(peek()) { throw JSONFault(.other("a number with a leading zero"), at: position) }
    } else {
      skipDigits()
    }
    if peek() == UInt8(ascii: ".") {
      position &+= 1
      if !isDigit(peek()) { throw badNumber("a number without digits after its point") }
      skipDigits()
    }
    if peek() | 0x20 == UInt8(ascii: "e") {
      position &+= 1
      if peek() == UInt8(ascii: "+") || peek() == UInt8(ascii: "-") { position &+= 1 }
      if !isDigit(peek()) { throw badNumber("a number without digits in its exponent") }
      skipDigits()
    }
  }

  @inline(__always)
  private mutating func skipDigits() {
    while isDigit(peek()) { position &+= 1 }
  }

  @inline(__always)
  private func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

  private func badNumber(_ text: StaticString) -> JSONFault {
    position == count ? JSONFault(.ends(inside: "a number"), at: count) : JSONFault(.other(text), at: position)
  }

  /// The byte here; 0, which is valid nowhere, at the end of the document.
  @inline(__always)
  private func peek() -> UInt8 { position < count ? base[position] : 0 }

  /// - Returns: what `peek` then says.
  @inline(__always)
  private mutating func skipSpace() -> UInt8 {
    while position < count {
      let byte = base[position]
      if byte > 0x20 || (byte != 0x20 && byte != 0x0A && byte != 0x0D && byte != 0x09) { return byte }
      position &+= 1
    }
    return 0
  }

  @inline(__always)
  private func slice(_ kind: JSONKind, from start: Int, hasEscapes: Bool = false) -> JSONSlice {
    JSONSlice(
      kind: kind, bytes: UnsafeBufferPointer(start: base + start, count: position &- start), hasEscapes: hasEscapes)
  }

  @inline(never)
  private func misplaced(_ place: StaticString, inside: StaticString) -> JSONFault {
    position == count ? JSONFault(.ends(inside: inside), at: count) : JSONFault(.unexpected(place: place), at: position)
  }

  @inline(never)
  private func trailingComma() -> JSONFault {
    var comma = position
    while comma > 0 && base[comma] != UInt8(ascii: ",") { comma -= 1 }
    return JSONFault(.other("trailing comma"), at: comma)
  }
}

// MARK: - Strings

extension JSONScanner {
  /// Reads a string literal, from quote to quote.
  /// - Returns: whether it has escapes.
  @inline(__always)
  private mutating func string() throws(JSONFault) -> Bool {
    position = JSONBytes.firstSpecial(base, from: position &+ 1, to: count)
    if position < count && base[position] == JSONBytes.quote {
      position &+= 1
      return false
    }
    return try restOfString()
  }

  /// Reads on from the first byte that isn't plain.
  @inline(never)
  private mutating func restOfString() throws(JSONFault) -> Bool {
    var hasEscapes = false
    while position < count {
      switch base[position] {
      case JSONBytes.quote:
        position &+= 1
        return hasEscapes
      case JSONBytes.backslash:
        hasEscapes = true
        try escape()
      case 0x80...:
        try characters()
      default:
        throw JSONFault(.rawControl, at: position)
      }
      position = JSONBytes.firstSpecial(base, from: position, to: count)
    }
    throw JSONFault(.ends(inside: "a string"), at: count)
  }

  /// Reads a run of characters that are not ASCII.
  private mutating func characters() throws(JSONFault) {
    while position < count && base[position] >= 0x80 {
      guard let (length, low, high) = JSONBytes.sequence(from: base[position]) else {
        throw JSONFault(.other("invalid UTF-8"), at: position)
      }
      for index in 1..<length {
        guard position &+ index < count else { throw JSONFault(.ends(inside: "a string"), at: count) }
        let byte = base[position &+ index]
        guard index == 1 ? byte >= low && byte <= high : byte & 0xC0 == 0x80 else {
          throw JSONFault(.other("invalid UTF-8"), at: position)
        }
      }
      position &+= length
    }
  }

  private mutating func escape() throws(JSONFault) {
    guard position + 1 < count else { throw JSONFault(.ends(inside: "a string"), at: count) }
    switch base[position + 1] {
    case JSONBytes.quote, JSONBytes.backslash, UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
      UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
      position &+= 2
    case UInt8(ascii: "u"):
      let start = position
      let unit = try unit(of: start, isSecond: false)
      if unit & 0xFC00 == 0xD800 { try secondHalf(of: start) }
    default:
      throw JSONFault(.unknownEscape, at: position)
    }
  }

  /// Reads the second escape of a surrogate pair.
  private mutating func secondHalf(of escape: Int) throws(JSONFault) {
    guard position < count else { throw JSONFault(.ends(inside: "a string"), at: count) }
    guard base[position] == JSONBytes.backslash else { throw JSONFault(.halfPair, at: escape) }
    guard position + 1 < count else { throw JSONFault(.ends(inside: "a string"), at: count) }
    guard base[position + 1] == UInt8(ascii: "u") else { throw JSONFault(.halfPair, at: escape) }
    _ = try unit(of: escape, isSecond: true)
  }

  /// Reads a `\uXXXX`, of which the backslash and the letter have been looked at. Each digit is judged as it comes, so
  /// that a document which ends here is called truncated only when it could go on.
  private mutating func unit(of escape: Int, isSecond: Bool) throws(JSONFault) -> UInt32 {
    position &+= 2
    var unit: UInt32 = 0
    for index in 0..<4 {
      guard position < count else { throw JSONFault(.ends(inside: "a string"), at: count) }
      guard let digit = JSONBytes.hexDigit(base[position]) else {
        throw JSONFault(.other("\\u without four hex digits"), at: escape)
      }
      position &+= 1
      unit = unit << 4 | digit
      // Second halves are D C..F x x, and stand after first halves only.
      if isSecond && index == 0 && unit != 0xD { throw JSONFault(.halfPair, at: escape) }
      if index == 1 && (unit & 0xFC == 0xDC) != isSecond { throw JSONFault(.halfPair, at: escape) }
    }
    return unit
  }
}
