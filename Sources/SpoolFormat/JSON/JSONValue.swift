/// A JSON value as a tree, for cards, settings and output. Messages are read through `JSON.readObject` instead.
public enum JSONValue: Sendable, Hashable {
  case null
  case bool(Bool)
  /// The number's text, which may have more digits than any type holds.
  case number(String)
  case string(String)
  case array([JSONValue])
  case object(JSONObject)

  public init(parsing bytes: [UInt8]) throws(JSONError) {
    self = try JSONText(validating: bytes).value
  }

  init(_ slice: JSONSlice) {
    var walker = JSONWalker(slice.bytes, from: 0, to: slice.bytes.count)
    self = Self(next: &walker) ?? .null
  }

  /// Takes the walker's next value, in one pass over it; nil at the end of what holds it.
  /// The recursion is bounded, because the text was validated.
  private init?(next walker: inout JSONWalker) {
    switch walker.enter() {
    case UInt8(ascii: "["):
      var elements: [JSONValue] = []
      while let element = JSONValue(next: &walker) { elements.append(element) }
      walker.leave()
      self = .array(elements)
    case UInt8(ascii: "{"):
      var object = JSONObject()
      while let key = walker.next()?.string, let value = JSONValue(next: &walker) {
        object.append(key: key, value: value)
      }
      walker.leave()
      self = .object(object)
    default:
      guard let scalar = walker.next() else { return nil }
      switch scalar.kind {
      case .string: self = .string(scalar.string ?? "")
      case .number: self = .number(String(decoding: scalar.bytes, as: UTF8.self))
      case .true: self = .bool(true)
      case .false: self = .bool(false)
      default: self = .null
      }
    }
  }

  /// The member of an object that has this key.
  public subscript(key: String) -> JSONValue? {
    if case .object(let object) = self { object[key] } else { nil }
  }

  public var string: String? {
    if case .string(let string) = self { string } else { nil }
  }

  /// Nil unless it is written as an integer, without point and exponent, of `WholeNumber.max` at most on either side of 0.
  public var int: Int? {
    guard case .number(let text) = self, let value = Int(text) else { return nil }
    return -WholeNumber.max...WholeNumber.max ~= value ? value : nil
  }

  public var double: Double? {
    guard case .number(let text) = self, let value = Double(text) else { return nil }
    return value.isFinite ? value : nil
  }

  public var bool: Bool? {
    if case .bool(let bool) = self { bool } else { nil }
  }

  public var array: [JSONValue]? {
    if case .array(let array) = self { array } else { nil }
  }

  public var object: JSONObject? {
    if case .object(let object) = self { object } else { nil }
  }

  public func write(to writer: inout JSONWriter) {
    switch self {
    case .null: writer.null()
    case .bool(let bool): writer.bool(bool)
    case .number(let text): writer.raw(Array(text.utf8))
    case .string(let string): writer.string(string)
    case .array(let array):
      writer.beginArray()
      for element in array { element.write(to: &writer) }
      writer.endArray()
    case .object(let object):
      writer.beginObject()
      for member in object {
        writer.key(member.key)
        member.value.write(to: &writer)
      }
      writer.endObject()
    }
  }

  /// On one line, without white space.
  public var text: JSONText {
    var writer = JSONWriter()
    write(to: &writer)
    return JSONText(trusted: writer.bytes)
  }

  /// Indented by two spaces, for files that people read; without a line break at the end.
  public func prettyPrinted() -> String {
    var output = ""
    prettyPrint(into: &output, indentation: "")
    return output
  }

  private func prettyPrint(into output: inout String, indentation: String) {
    let inner = indentation + "  "
    switch self {
    case .array(let array) where !array.isEmpty:
      for (index, element) in array.enumerated() {
        output += (index == 0 ? "[\n" : ",\n") + inner
        element.prettyPrint(into: &output, indentation: inner)
      }
      output += "\n\(indentation)]"
    case .object(let object) where !object.isEmpty:
      for (index, member) in object.enumerated() {
        output += (index == 0 ? "{\n" : ",\n") + inner + JSONText(string: member.key).description + ": "
        member.value.prettyPrint(into: &output, indentation: inner)
      }
      output += "\n\(indentation)}"
    default:
      output += text.description
    }
  }
}

/// The members of an object, in their order, which counts when two are compared.
public struct JSONObject: Sendable, Hashable, RandomAccessCollection, ExpressibleByDictionaryLiteral {
  public struct Member: Sendable, Hashable {
    public let key: String
    public var value: JSONValue
  }

  private var members: [Member] = []

  public init() {}

  public init(dictionaryLiteral elements: (String, JSONValue)...) {
    for (key, value) in elements { self[key] = value }
  }

  public var startIndex: Int { members.startIndex }
  public var endIndex: Int { members.endIndex }
  public subscript(position: Int) -> Member { members[position] }

  /// Looks through all members. A new key goes to the end; nil takes the member out.
  public subscript(key: String) -> JSONValue? {
    get { members.first { $0.key == key }?.value }
    set {
      guard let index = members.firstIndex(where: { $0.key == key }) else {
        if let newValue { members.append(Member(key: key, value: newValue)) }
        return
      }
      if let newValue { members[index].value = newValue } else { members.remove(at: index) }
    }
  }

  /// For keys that are known to be new.
  mutating func append(key: String, value: JSONValue) { members.append(Member(key: key, value: value)) }
}
