/// A JSON value that knows the line it stands on, for files that people write: an error in them says where.
///
/// Every node shares the document's bytes, so that the tree costs memory for its shape alone.
public struct JSONNode: Sendable {
  /// 1-based: where the value begins.
  public let line: Int
  public let kind: JSONKind
  private let document: [UInt8]
  private let range: Range<Int>
  /// Of an object, in their order.
  public private(set) var members: [Member] = []
  /// Of an array.
  public private(set) var elements: [JSONNode] = []

  public struct Member: Sendable {
    public let key: String
    /// 1-based: where the key stands.
    public let line: Int
    public let value: JSONNode
  }

  /// Reads a document of any kind.
  public init(parsing bytes: [UInt8]) throws(JSONError) {
    _ = try JSONText(validating: bytes)
    self = bytes.withUnsafeBufferPointer { document in
      var reader = Reader(bytes: bytes, document: document)
      var walker = JSONWalker(document, from: 0, to: document.count)
      return reader.node(walker.next()!)
    }
  }

  fileprivate init(line: Int, kind: JSONKind, document: [UInt8], range: Range<Int>) {
    self.line = line
    self.kind = kind
    self.document = document
    self.range = range
  }

  /// Reads values in the document's order, so that lines are counted once.
  private struct Reader {
    let bytes: [UInt8]
    let document: UnsafeBufferPointer<UInt8>
    var position = 0
    var line = 1

    mutating func line(at slice: JSONSlice) -> Int {
      let offset = offset(of: slice)
      while position < offset {
        if document[position] == UInt8(ascii: "\n") { line += 1 }
        position += 1
      }
      return line
    }

    func offset(of slice: JSONSlice) -> Int { slice.bytes.baseAddress! - document.baseAddress! }

    /// The recursion is bounded, because the text was validated.
    mutating func node(_ slice: JSONSlice) -> JSONNode {
      let start = offset(of: slice)
      var node = JSONNode(
        line: line(at: slice), kind: slice.kind, document: bytes, range: start..<start + slice.bytes.count)
      slice.forEachElement { node.elements.append(self.node($0)) }
      slice.forEachMember { key, value in
        let line = line(at: key)
        node.members.append(Member(key: key.string ?? "", line: line, value: self.node(value)))
      }
      return node
    }
  }

  /// The member of an object that has this key.
  public subscript(key: String) -> JSONNode? { members.first { $0.key == key }?.value }

  public var text: JSONText { JSONText(trusted: [UInt8](document[range])) }
  public var value: JSONValue { text.value }
  public var string: String? { kind == .string ? value.string : nil }
  public var int: Int? { kind == .number ? value.int : nil }
  public var double: Double? { kind == .number ? value.double : nil }
  public var bool: Bool? { kind == .true ? true : kind == .false ? false : nil }
  public var isNull: Bool { kind == .null }

  /// What it is, for an error: `a text`, `a list`.
  public var kindName: String {
    switch kind {
    case .object: "an object"
    case .array: "a list"
    case .string: "a text"
    case .number: "a number"
    case .true, .false: "true or false"
    case .null: "null"
    }
  }
}
