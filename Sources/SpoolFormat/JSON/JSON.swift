/// Strict RFC 8259 JSON in UTF-8. Refused beside what the grammar refuses: duplicate keys in an object, a byte order
/// mark, halves of surrogate pairs, and nesting past a bound.
///
/// Time is linear in the document's length; memory too, at most about ten times it (an object of a million short
/// keys), and next to nothing for a message.
public enum JSON {
  /// How deep objects and arrays may be nested: far more than any message needs, and few enough that a reader of the
  /// files in another language, which may well recurse, survives them.
  public static let depthMax = 128

  /// Reads a document that is an object, in one pass, calling `member` with each of its members in order, each as soon
  /// as it has been read whole. What comes after it may still turn out to be bad, so nothing may be made to depend on a
  /// member before this has returned.
  /// - Throws: `JSONError`, and what `member` throws.
  public static func readObject(
    _ bytes: UnsafeBufferPointer<UInt8>, depthMax: Int = JSON.depthMax,
    _ member: (_ key: JSONSlice, _ value: JSONSlice) throws -> Void
  ) throws {
    var scanner = JSONScanner(bytes, depthMax: depthMax)
    var visitor = JSONNoVisitor()
    do {
      try scanner.begin()
      var hasMember = try scanner.beginObject()
      while hasMember {
        let key = try scanner.key()
        let value = try scanner.value(&visitor)
        try member(key, value)
        hasMember = try scanner.nextMember()
      }
      try scanner.end()
    } catch let fault as JSONFault {
      throw JSONError(fault, in: bytes)
    }
  }

  public static func readObject(
    _ bytes: [UInt8], depthMax: Int = JSON.depthMax,
    _ member: (_ key: JSONSlice, _ value: JSONSlice) throws -> Void
  ) throws {
    try bytes.withUnsafeBufferPointer { try readObject($0, depthMax: depthMax, member) }
  }

  /// Checks a document that is a value of any kind.
  public static func validate(_ bytes: UnsafeBufferPointer<UInt8>) throws(JSONError) {
    var visitor = JSONNoVisitor()
    try visit(bytes, &visitor)
  }

  /// Appends the document in its canonical form of one line: without white space between tokens, and with only those
  /// escapes in strings that have to be. Numbers stay as they are written, members in their order.
  ///
  /// When it throws, `output` is as it was.
  public static func minify(_ bytes: UnsafeBufferPointer<UInt8>, into output: inout [UInt8]) throws(JSONError) {
    let countBefore = output.count
    var visitor = JSONMinifier(appendingTo: output)
    // Otherwise there are two owners of the storage, and the first append copies it.
    output = []
    defer { output = visitor.writer.bytes }
    do throws(JSONError) {
      try visit(bytes, &visitor)
    } catch {
      visitor.writer.bytes.removeSubrange(countBefore...)
      throw error
    }
  }

  static func visit(_ bytes: UnsafeBufferPointer<UInt8>, _ visitor: inout some JSONVisitor) throws(JSONError) {
    var scanner = JSONScanner(bytes, depthMax: depthMax)
    do throws(JSONFault) {
      try scanner.begin()
      _ = try scanner.value(&visitor)
      try scanner.end()
    } catch {
      throw JSONError(error, in: bytes)
    }
  }
}

private struct JSONMinifier: JSONVisitor {
  var writer: JSONWriter

  init(appendingTo output: [UInt8]) { writer = JSONWriter(appendingTo: output) }

  mutating func begin(_ kind: JSONKind) { kind == .object ? writer.beginObject() : writer.beginArray() }
  mutating func end(_ kind: JSONKind) { kind == .object ? writer.endObject() : writer.endArray() }
  mutating func key(_ key: JSONSlice) { writer.canonicalKey(key) }
  mutating func scalar(_ value: JSONSlice) { writer.canonical(value) }
}
