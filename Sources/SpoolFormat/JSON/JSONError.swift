/// Why a document is not JSON, and where.
public struct JSONError: Error, Equatable, Sendable, CustomStringConvertible {
  /// One line, safe to show on a terminal, of bounded length.
  public let reason: String
  /// In bytes from the start of the document.
  public let offset: Int
  /// 1-based.
  public let line: Int
  /// 1-based, in bytes.
  public let column: Int
  /// True exactly when more bytes at the end could have made the document valid.
  public let isTruncation: Bool

  public init(reason: String, offset: Int, line: Int, column: Int, isTruncation: Bool = false) {
    self.reason = reason
    self.offset = offset
    self.line = line
    self.column = column
    self.isTruncation = isTruncation
  }

  public var description: String { "\(reason) at line \(line), column \(column)" }
}

/// What the scanner throws: small and without allocation, because the text, the line and the column
/// are wanted only once, at the edge of the codec.
struct JSONFault: Error {
  enum Reason {
    case empty
    /// The document ends inside the thing named.
    case ends(inside: StaticString)
    case other(StaticString)
    /// The character or word at the offset is not what may stand there.
    case unexpected(place: StaticString)
    case rawControl
    case unknownEscape
    case halfPair
    case duplicateKey(length: Int)
    case tooDeep(limit: Int)
    case notAnObject
  }
  let reason: Reason
  let offset: Int

  init(_ reason: Reason, at offset: Int) {
    self.reason = reason
    self.offset = offset
  }
}

extension JSONError {
  init(_ fault: JSONFault, in document: UnsafeBufferPointer<UInt8>) {
    var line = 1
    var lineStart = 0
    for offset in 0..<min(fault.offset, document.count) where document[offset] == UInt8(ascii: "\n") {
      line += 1
      lineStart = offset + 1
    }
    let isTruncation =
      switch fault.reason {
      case .empty, .ends: true
      default: false
      }
    self.init(
      reason: Self.text(for: fault, in: document), offset: fault.offset, line: line,
      column: fault.offset - lineStart + 1, isTruncation: isTruncation)
  }

  private static func text(for fault: JSONFault, in document: UnsafeBufferPointer<UInt8>) -> String {
    let found = document[min(fault.offset, document.count)...]
    switch fault.reason {
    case .empty:
      return "empty"
    case .ends(let inside):
      return "ends in the middle of \(inside)"
    case .other(let text):
      return "\(text)"
    case .tooDeep(let limit):
      return "nested deeper than \(limit)"
    case .unexpected(let place):
      return unexpected(found, place: "\(place)")
    case .rawControl:
      switch found.first {
      case UInt8(ascii: "\n"), UInt8(ascii: "\r"): return "a line break inside a string, where \\n should be"
      case UInt8(ascii: "\t"): return "a tab inside a string, where \\t should be"
      case let byte?: return byte == 0 ? "a NUL byte" : "control character \(hex(byte)) inside a string"
      case nil: return "ends in the middle of a string"
      }
    case .unknownEscape:
      return "unknown escape \(quoted(found.prefix(2)))"
    case .halfPair:
      return "half of a surrogate pair"
    case .duplicateKey(let length):
      let raw = UnsafeBufferPointer(rebasing: found.prefix(length))
      let key = JSONSlice(kind: .string, bytes: raw, hasEscapes: true).string ?? ""
      return "duplicate key \(quoted(key.utf8))"
    case .notAnObject:
      let place = "where an object should be"
      let word = found.prefix(24).prefix { isLetter($0) }
      // A text that begins like one of them is none.
      guard word.isEmpty || ["true", "false", "null"].contains(String(decoding: word, as: UTF8.self)) else {
        return unexpected(found, place: place)
      }
      return "\(kindName(found.first)) \(place)"
    }
  }

  private static func unexpected(_ found: Slice<UnsafeBufferPointer<UInt8>>, place: String) -> String {
    guard let first = found.first else { return "ends before \(place)" }
    switch first {
    case 0: return "a NUL byte"
    case UInt8(ascii: "/"), UInt8(ascii: "#"): return "a comment \(place)"
    case UInt8(ascii: "'"): return "a single quote \(place) (strings take double quotes)"
    default: break
    }
    let word = found.prefix(24).prefix { isLetter($0) }
    if !word.isEmpty { return "unexpected \(quoted(word)) \(place)" }
    let length = JSONBytes.characterLength(Array(found.prefix(4)))
    return length == 0
      ? "unexpected byte \(hex(first)) \(place)" : "unexpected \(quoted(found.prefix(length))) \(place)"
  }

  private static func kindName(_ first: UInt8?) -> String {
    switch first {
    case UInt8(ascii: "["): "an array"
    case UInt8(ascii: "\""): "a string"
    case UInt8(ascii: "t"), UInt8(ascii: "f"): "true or false"
    case UInt8(ascii: "n"): "null"
    default: "a number"
    }
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    let lower = byte | 0x20
    return lower >= UInt8(ascii: "a") && lower <= UInt8(ascii: "z")
  }

  private static func hex(_ byte: UInt8) -> String {
    "0x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
  }

  /// At most 40 characters of the text in quotes, with what a terminal would act on written as escapes.
  private static func quoted(_ text: some Sequence<UInt8>) -> String {
    // Of at most four bytes each: one more than is shown, to know whether there is more.
    let whole = String(decoding: Array(text.prefix(41 * 4)), as: UTF8.self).unicodeScalars
    var shown = "\""
    for scalar in whole.prefix(40) {
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned:
        shown += "\\u{" + String(scalar.value, radix: 16) + "}"
      default:
        shown.unicodeScalars.append(scalar)
      }
    }
    return shown + (whole.count > 40 ? "…\"" : "\"")
  }
}
