public enum JSONKind: UInt8, Sendable { case object, array, string, number, `true`, `false`, null }

/// A view of one valid value inside a document that is being read. It must not outlive the call that handed it out.
public struct JSONSlice {
  public let kind: JSONKind
  /// The value's text as it stands in the document, with a string's quotes.
  public let bytes: UnsafeBufferPointer<UInt8>
  @usableFromInline let hasEscapes: Bool

  init(kind: JSONKind, bytes: UnsafeBufferPointer<UInt8>, hasEscapes: Bool) {
    self.kind = kind
    self.bytes = bytes
    self.hasEscapes = hasEscapes
  }

  /// What stands between the quotes of a string.
  var content: UnsafeBufferPointer<UInt8> {
    UnsafeBufferPointer(rebasing: bytes.dropFirst().dropLast())
  }

  /// The string with its escapes decoded; nil unless it is a string.
  public var string: String? {
    guard kind == .string else { return nil }
    guard hasEscapes else { return String(decoding: content, as: UTF8.self) }
    return String(unsafeUninitializedCapacity: bytes.count) {
      JSONEscapes.decode(content, into: $0.baseAddress!)
    }
  }

  /// The moment that a string says, as RFC 3339 has it.
  var moment: Timestamp? {
    guard kind == .string, !hasEscapes else { return string.flatMap(Timestamp.init(rfc3339:)) }
    return Timestamp(rfc3339: content)
  }

  /// The id that a string is, exactly.
  var identifier: MessageID? {
    guard kind == .string, !hasEscapes else { return string.flatMap { MessageID($0) } }
    return MessageID(content)
  }

  /// Nil unless it is written as an integer, without point and exponent, of `WholeNumber.max` at most on either side of 0.
  public var int: Int? {
    guard kind == .number else { return nil }
    let isNegative = bytes.first == UInt8(ascii: "-")
    let digits = bytes.dropFirst(isNegative ? 1 : 0)
    // So many fit; and none of them leads with a zero.
    guard digits.count <= 19 else { return nil }
    var value: UInt = 0
    for byte in digits {
      guard UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte else { return nil }
      value = value * 10 + UInt(byte - UInt8(ascii: "0"))
    }
    guard value <= UInt(WholeNumber.max) else { return nil }
    return isNegative ? -Int(value) : Int(value)
  }

  /// The nearest number that a `Double` holds; nil when the number is too big, or when this is no number.
  public var double: Double? {
    guard kind == .number, let value = Double(String(decoding: bytes, as: UTF8.self)) else { return nil }
    return value.isFinite ? value : nil
  }

  public var bool: Bool? {
    switch kind {
    case .true: true
    case .false: false
    default: nil
    }
  }

  /// Whether this is a string (or a key) that reads like the text once its escapes are decoded.
  @inlinable
  public func equals(_ text: StaticString) -> Bool {
    // Most comparisons end here, and in the caller's own code: a key is compared with each known name in turn.
    guard hasEscapes || bytes.count &- 2 == text.utf8CodeUnitCount, kind == .string else { return false }
    return contentEquals(text)
  }

  @usableFromInline
  func contentEquals(_ text: StaticString) -> Bool {
    let length = text.utf8CodeUnitCount
    if !hasEscapes { return JSONBytes.areEqual(bytes.baseAddress! + 1, text.utf8Start, count: length) }
    return JSONDecodedBytes(content).elementsEqual(UnsafeBufferPointer(start: text.utf8Start, count: length))
  }

  /// Calls `body` with the elements of an array; not at all for other kinds.
  public func forEachElement(_ body: (JSONSlice) throws -> Void) rethrows {
    guard kind == .array else { return }
    var walker = JSONWalker(inside: bytes)
    while let element = walker.next() { try body(element) }
  }

  /// Calls `body` with the keys and values of an object; not at all for other kinds.
  public func forEachMember(_ body: (JSONSlice, JSONSlice) throws -> Void) rethrows {
    guard kind == .object else { return }
    var walker = JSONWalker(inside: bytes)
    while let key = walker.next(), let value = walker.next() { try body(key, value) }
  }

  /// The member of an object that has this key.
  public subscript(key: StaticString) -> JSONSlice? {
    guard kind == .object else { return nil }
    var walker = JSONWalker(inside: bytes)
    while let name = walker.next(), let value = walker.next() {
      if name.equals(key) { return value }
    }
    return nil
  }

  /// An owned copy.
  public var text: JSONText { JSONText(trusted: [UInt8](bytes)) }
}

/// Steps over the values in an object or array that is known to be valid. Were it not, the walk would end early,
/// and never leave the bytes.
struct JSONWalker {
  private let base: UnsafePointer<UInt8>
  private let end: Int
  private var position: Int

  /// - Parameter container: from bracket to bracket.
  init(inside container: UnsafeBufferPointer<UInt8>) {
    self.init(container, from: 1, to: container.count - 1)
  }

  init(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int, to end: Int) {
    base = bytes.baseAddress ?? UnsafePointer(bitPattern: 1)!
    position = start
    self.end = end
  }

  /// Steps into the object or array that comes next, so that `next` gives what is in it, and nil at its end.
  /// - Returns: its bracket; nil, and nothing has changed, when something else is next.
  mutating func enter() -> UInt8? {
    skipBetweenValues()
    guard position < end, base[position] == UInt8(ascii: "{") || base[position] == UInt8(ascii: "[") else { return nil }
    position &+= 1
    return base[position &- 1]
  }

  /// Steps out of the object or array at whose end the walker is.
  mutating func leave() { position = min(position &+ 1, end) }

  private mutating func skipBetweenValues() {
    while position < end && Self.isBetweenValues(base[position]) { position &+= 1 }
  }

  /// The next key or value, whole.
  mutating func next() -> JSONSlice? {
    skipBetweenValues()
    guard position < end else { return nil }
    let start = position
    var hasEscapes = false
    let kind: JSONKind
    switch base[start] {
    case UInt8(ascii: "{"):
      kind = .object
      skipContainer()
    case UInt8(ascii: "["):
      kind = .array
      skipContainer()
    case JSONBytes.quote:
      kind = .string
      hasEscapes = skipString()
    case let first:
      kind =
        switch first {
        case UInt8(ascii: "t"): .true
        case UInt8(ascii: "f"): .false
        case UInt8(ascii: "n"): .null
        default: .number
        }
      while position < end && !Self.endsScalar(base[position]) { position &+= 1 }
    }
    // Only bytes that were wrongly trusted make no progress.
    guard position > start, kind != .string || position >= start + 2 else { return nil }
    return JSONSlice(
      kind: kind, bytes: UnsafeBufferPointer(start: base + start, count: position - start), hasEscapes: hasEscapes)
  }

  private static func isBetweenValues(_ byte: UInt8) -> Bool {
    byte <= 0x20 || byte == UInt8(ascii: ",") || byte == UInt8(ascii: ":")
  }

  private static func endsScalar(_ byte: UInt8) -> Bool {
    isBetweenValues(byte) || byte == UInt8(ascii: "]") || byte == UInt8(ascii: "}")
  }

  /// - Returns: whether it has escapes.
  private mutating func skipString() -> Bool {
    var hasEscapes = false
    position &+= 1
    while true {
      position = JSONBytes.firstToEscape(base, from: position, to: end)
      guard position < end else { return hasEscapes }
      if base[position] == JSONBytes.quote {
        position &+= 1
        return hasEscapes
      }
      hasEscapes = true
      position = min(position &+ 2, end)
    }
  }

  private mutating func skipContainer() {
    var depth = 0
    while position < end {
      switch base[position] {
      case JSONBytes.quote:
        _ = skipString()
        continue
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        depth &+= 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        depth &-= 1
        if depth == 0 {
          position &+= 1
          return
        }
      default: break
      }
      position &+= 1
    }
  }
}
