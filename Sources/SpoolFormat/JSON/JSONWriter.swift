/// Writes JSON into a byte array. Commas are its business; that what is begun is ended is the caller's.
public struct JSONWriter {
  public var bytes: [UInt8]
  private var needsComma = false

  public init(reserving capacity: Int = 512) {
    bytes = []
    bytes.reserveCapacity(capacity)
  }

  init(appendingTo bytes: [UInt8]) { self.bytes = bytes }

  public mutating func beginObject() { begin(UInt8(ascii: "{")) }
  public mutating func endObject() { end(UInt8(ascii: "}")) }
  public mutating func beginArray() { begin(UInt8(ascii: "[")) }
  public mutating func endArray() { end(UInt8(ascii: "]")) }

  /// A key of this program's own, in which nothing is to be escaped.
  public mutating func key(_ key: StaticString) {
    assert(JSONBytes.firstToEscape(key.utf8Start, from: 0, to: key.utf8CodeUnitCount) == key.utf8CodeUnitCount)
    plainLiteral(key.utf8Start, key.utf8CodeUnitCount, isKey: true)
  }

  public mutating func key(_ key: String) { literal(key, isKey: true) }
  public mutating func string(_ s: String) { literal(s, isKey: false) }

  @inlinable
  public mutating func int<I: FixedWidthInteger>(_ i: I) {
    if let value = Int64(exactly: i) { decimal(value) } else { raw(Array(String(i).utf8)) }
  }

  /// The shortest text that reads back as the same number; `null` for what JSON has no number for.
  public mutating func double(_ d: Double) {
    separate()
    bytes.append(contentsOf: d.isFinite ? d.description.utf8 : "null".utf8)
  }

  public mutating func bool(_ b: Bool) { word(b ? "true" : "false") }
  public mutating func null() { word("null") }

  /// Writes a value on one line, else as it is.
  public mutating func raw(_ text: JSONText) { raw(text.bytes) }

  /// Writes a valid value, which is not checked, on one line: it may become part of one of the log, and come from a file
  /// that somebody wrote with line breaks.
  public mutating func raw(_ value: UnsafeBufferPointer<UInt8>) {
    separate()
    // Without a way out of the loop the compiler looks at many bytes at a time.
    var breaks: UInt8 = 0
    for byte in value { breaks |= byte == 0x0A || byte == 0x0D ? 1 : 0 }
    if breaks != 0, (try? JSON.minify(value, into: &bytes)) != nil { return }
    bytes.append(contentsOf: value)
  }

  /// Writes a valid value, which is not checked, on one line.
  public mutating func raw(_ value: ArraySlice<UInt8>) { value.withUnsafeBufferPointer { raw($0) } }

  /// Writes a valid value, which is not checked, on one line.
  public mutating func raw(_ value: [UInt8]) { raw(value[...]) }

  private mutating func begin(_ bracket: UInt8) {
    separate()
    bytes.append(bracket)
    needsComma = false
  }

  private mutating func end(_ bracket: UInt8) {
    bytes.append(bracket)
    needsComma = true
  }

  @inline(__always)
  mutating func separate() {
    if needsComma { bytes.append(UInt8(ascii: ",")) }
    needsComma = true
  }

  private mutating func word(_ word: StaticString) {
    separate()
    bytes.append(contentsOf: UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
  }

  @usableFromInline
  mutating func decimal(_ value: Int64) {
    separate()
    append(atMost: TextCursor.decimalCountMax) { $0.put(value) }
  }
}

// MARK: - String literals

extension JSONWriter {
  private mutating func literal(_ text: String, isKey: Bool) {
    let isDone: Void? = text.utf8.withContiguousStorageIfAvailable { literal($0, isKey: isKey) }
    if isDone == nil {
      [UInt8](text.utf8).withUnsafeBufferPointer { literal($0, isKey: isKey) }
    }
  }

  private mutating func literal(_ text: UnsafeBufferPointer<UInt8>, isKey: Bool) {
    let count = text.count
    guard let base = text.baseAddress, JSONBytes.firstToEscape(base, from: 0, to: count) == count else {
      return escapedLiteral(text, isKey: isKey)
    }
    plainLiteral(base, count, isKey: isKey)
  }

  @inline(__always)
  private mutating func plainLiteral(_ base: UnsafePointer<UInt8>, _ count: Int, isKey: Bool) {
    let hasComma = needsComma
    needsComma = !isKey
    // One append, because each costs more than the copying of a short text.
    append(atMost: count &+ 4) { text in
      if hasComma { text.put(UInt8(ascii: ",")) }
      text.put(JSONBytes.quote)
      text.put(base, count)
      text.put(JSONBytes.quote)
      if isKey { text.put(UInt8(ascii: ":")) }
    }
  }

  @inline(never)
  private mutating func escapedLiteral(_ text: UnsafeBufferPointer<UInt8>, isKey: Bool) {
    separate()
    bytes.append(JSONBytes.quote)
    escaped(text)
    bytes.append(JSONBytes.quote)
    if isKey { bytes.append(UInt8(ascii: ":")) }
    needsComma = !isKey
  }

  private mutating func escaped(_ text: UnsafeBufferPointer<UInt8>) {
    guard let base = text.baseAddress else { return }
    var position = 0
    while true {
      let runEnd = JSONBytes.firstToEscape(base, from: position, to: text.count)
      bytes.append(contentsOf: UnsafeBufferPointer(start: base + position, count: runEnd - position))
      guard runEnd < text.count else { return }
      escape(text[runEnd])
      position = runEnd + 1
    }
  }

  private mutating func escape(_ byte: UInt8) {
    bytes.append(JSONBytes.backslash)
    switch byte {
    case 0x08: bytes.append(UInt8(ascii: "b"))
    case 0x09: bytes.append(UInt8(ascii: "t"))
    case 0x0A: bytes.append(UInt8(ascii: "n"))
    case 0x0C: bytes.append(UInt8(ascii: "f"))
    case 0x0D: bytes.append(UInt8(ascii: "r"))
    case 0..<0x20:
      let digits: StaticString = "0123456789abcdef"
      bytes.append(contentsOf: "u00".utf8)
      bytes.append(digits.utf8Start[Int(byte >> 4)])
      bytes.append(digits.utf8Start[Int(byte & 15)])
    default: bytes.append(byte)
    }
  }

  mutating func canonicalKey(_ key: JSONSlice) {
    canonical(key)
    bytes.append(UInt8(ascii: ":"))
    needsComma = false
  }

  /// Writes a string, number or word as `JSON.minify` has it.
  mutating func canonical(_ value: JSONSlice) {
    guard value.hasEscapes else { return raw(value.bytes) }
    let decoded = [UInt8](unsafeUninitializedCapacity: value.bytes.count) { buffer, count in
      count = JSONEscapes.decode(value.content, into: buffer.baseAddress!)
    }
    decoded.withUnsafeBufferPointer { literal($0, isKey: false) }
  }
}

// MARK: - In one piece

extension JSONWriter {
  /// Appends what `write` writes, all at once; commas are its own business.
  /// - Parameter count: the most bytes that `write` writes.
  @inline(__always)
  mutating func append(atMost count: Int, _ write: (inout TextCursor) -> Void) {
    bytes.append(addingCapacity: count) { output in
      output.withUnsafeMutableBufferPointer { buffer, initializedCount in
        var cursor = TextCursor(buffer.baseAddress! + initializedCount)
        write(&cursor)
        initializedCount = cursor.end - buffer.baseAddress!
        assert(initializedCount <= buffer.count)
      }
    }
  }

  /// The text as it stands in a literal, between the quotes.
  static func escaped(_ text: String) -> String {
    let isPlain = text.utf8.withContiguousStorageIfAvailable { text in
      text.isEmpty || JSONBytes.firstToEscape(text.baseAddress!, from: 0, to: text.count) == text.count
    }
    if isPlain == true { return text }
    var writer = JSONWriter()
    Array(text.utf8).withUnsafeBufferPointer { writer.escaped($0) }
    return String(decoding: writer.bytes, as: UTF8.self)
  }
}

// MARK: - Members

extension JSONWriter {
  public mutating func member(_ key: StaticString, _ value: String) {
    self.key(key)
    string(value)
  }

  public mutating func member(_ key: StaticString, _ value: Int) {
    self.key(key)
    int(value)
  }

  public mutating func member(_ key: StaticString, _ value: Bool) {
    self.key(key)
    bool(value)
  }

  public mutating func member(_ key: StaticString, _ value: Double) {
    self.key(key)
    double(value)
  }

  public mutating func member(_ key: StaticString, _ value: JSONText) {
    self.key(key)
    raw(value)
  }

  public mutating func member(_ key: StaticString, _ value: [String]) {
    self.key(key)
    beginArray()
    for element in value { string(element) }
    endArray()
  }

  public mutating func member(_ key: StaticString, ifPresent value: String?) {
    if let value { member(key, value) }
  }

  public mutating func member(_ key: StaticString, ifPresent value: Int?) {
    if let value { member(key, value) }
  }

  public mutating func member(_ key: StaticString, ifPresent value: Double?) {
    if let value { member(key, value) }
  }

  public mutating func member(_ key: StaticString, ifPresent value: JSONText?) {
    if let value { member(key, value) }
  }
}
