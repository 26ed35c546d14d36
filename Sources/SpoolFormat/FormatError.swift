/// Text or bytes that are not what they should be: what is wrong, and how to put it right.
public struct FormatError: Error, Sendable, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}

extension String {
  /// The text with control characters shown as escapes, so that nobody's data can drive a terminal.
  /// Line feeds and tabs stay when `keepingLines`.
  public func escapedForTerminal(keepingLines: Bool = false) -> String {
    let needsEscaping = unicodeScalars.contains { Self.isControl($0) && !(keepingLines && ($0 == "\n" || $0 == "\t")) }
    guard needsEscaping else { return self }
    var result = ""
    for scalar in unicodeScalars {
      if keepingLines, scalar == "\n" || scalar == "\t" {
        result.unicodeScalars.append(scalar)
      } else if scalar == "\n" {
        result += "\\n"
      } else if Self.isControl(scalar) {
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// C0, DEL, C1, and the marks that reorder text (which can make it show what it doesn't say).
  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7f..<0xa0, 0x200e...0x200f, 0x202a...0x202e, 0x2066...0x2069: true
    default: false
    }
  }
}
