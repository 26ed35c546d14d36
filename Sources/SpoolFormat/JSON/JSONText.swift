/// An owned, valid JSON value, kept as its text: numbers and unknown fields survive untouched.
public struct JSONText: Sendable, Hashable, CustomStringConvertible {
  /// Without white space at either end.
  public let bytes: [UInt8]

  public init(validating bytes: [UInt8]) throws(JSONError) {
    let fault = bytes.withUnsafeBufferPointer { document -> JSONError? in
      do throws(JSONError) {
        try JSON.validate(document)
        return nil
      } catch { return error }
    }
    if let fault { throw fault }
    let isSpace = { (byte: UInt8) in byte <= 0x20 }
    let start = bytes.firstIndex { !isSpace($0) }!
    let end = bytes.lastIndex { !isSpace($0) }! + 1
    self.bytes = end - start == bytes.count ? bytes : [UInt8](bytes[start..<end])
  }

  public init(validating text: String) throws(JSONError) {
    try self.init(validating: [UInt8](text.utf8))
  }

  /// The string as a JSON literal.
  public init(string: String) {
    var writer = JSONWriter(reserving: string.utf8.count + 2)
    writer.string(string)
    bytes = writer.bytes
  }

  /// - Parameter bytes: one valid value without white space around it, which is not checked again.
  public init(trusted bytes: [UInt8]) { self.bytes = bytes }

  /// Whether it can be read where it stands within so many objects.
  /// - Throws: `JSONError` when all together would be nested deeper than `JSON.depthMax`.
  public func checkNesting(within levels: Int) throws(JSONError) {
    // What is shorter has fewer brackets.
    guard bytes.count > 2 * (JSON.depthMax - levels), kind == .object || kind == .array else { return }
    func brackets(_ bracket: Character) -> [UInt8] { Array(repeating: bracket.asciiValue!, count: levels) }
    _ = try JSONText(validating: brackets("[") + bytes + brackets("]"))
  }

  public var kind: JSONKind { withSlice { $0.kind } }

  public func withSlice<R>(_ body: (JSONSlice) throws -> R) rethrows -> R {
    try bytes.withUnsafeBufferPointer { buffer in
      var walker = JSONWalker(buffer, from: 0, to: buffer.count)
      guard let slice = walker.next() else { preconditionFailure("JSONText(trusted:) was given what is not JSON") }
      return try body(slice)
    }
  }

  public var value: JSONValue { withSlice { JSONValue($0) } }

  public var description: String { String(decoding: bytes, as: UTF8.self) }
}
