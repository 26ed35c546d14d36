/// One thing that is wrong in a file that a person wrote, and how to put it right.
public struct FileProblem: Sendable, Hashable, CustomStringConvertible {
  /// 1-based.
  public let line: Int
  /// Where in the document, such as `steps[2].depends_on`; empty for the whole.
  public let field: String
  public let message: String
  /// What to do about it.
  public let cure: String?

  public init(line: Int, field: String, _ message: String, cure: String? = nil) {
    self.line = line
    self.field = field
    self.message = message
    self.cure = cure
  }

  /// `line 4: steps[1].depends_on: there is no step "desing": did you mean design?`
  public var description: String {
    let place = field.isEmpty ? "" : "\(field.escapedForTerminal()): "
    return "line \(line): \(place)\(message.escapedForTerminal())"
      + (cure.map { ": " + $0.escapedForTerminal() } ?? "")
  }
}

/// All that is wrong in a file: nothing of it was taken.
public struct FileProblems: Error, Sendable, CustomStringConvertible {
  /// In the order of their lines, one at least.
  public let problems: [FileProblem]

  public init(_ problems: [FileProblem]) {
    self.problems = problems.enumerated().sorted { ($0.element.line, $0.offset) < ($1.element.line, $1.offset) }
      .map(\.element)
  }

  public init(_ error: JSONError) {
    self.init([FileProblem(line: error.line, field: "", "not JSON: \(error.reason) in column \(error.column)")])
  }

  public var description: String { problems.map(\.description).joined(separator: "\n") }
}

/// Takes the members of a file's objects, and notes what is wrong instead of stopping at it.
public struct FileChecker: Sendable {
  public private(set) var problems: [FileProblem] = []
  /// Kept at most, so that a file that is wrong everywhere still gets a page one can read.
  public static let problemsMax = 50

  public init() {}

  public mutating func note(_ line: Int, _ field: String, _ message: String, cure: String? = nil) {
    let problem = FileProblem(line: line, field: field, message, cure: cure)
    if problems.count < Self.problemsMax, !problems.contains(problem) { problems.append(problem) }
  }

  public func finish() throws(FileProblems) { if !problems.isEmpty { throw FileProblems(problems) } }

  /// Notes members that are not among the known ones, with those that may have been meant.
  public mutating func onlyKnown(_ object: JSONNode, _ field: String, _ known: [String]) {
    for member in object.members where !known.contains(member.key) {
      note(
        member.line, Self.joined(field, member.key), "unknown field",
        cure: Self.nearest(member.key, among: known, all: "there are"))
    }
  }

  /// `did you mean design?`, or else what there is.
  public static func nearest(_ name: String, among all: [String], all lead: String) -> String {
    var names: [String] = []
    for other in all where !names.contains(other) { names.append(other) }
    let near = NearMatch.of(name, among: names)
    if !near.isEmpty { return "did you mean \(near.joined(separator: ", "))?" }
    return names.isEmpty ? "\(lead) none" : "\(lead) \(names.prefix(24).joined(separator: ", "))"
  }

  public static func joined(_ field: String, _ name: String) -> String { field.isEmpty ? name : "\(field).\(name)" }

  /// A member that isn't null.
  public func member(_ object: JSONNode, _ name: String) -> JSONNode? {
    object[name].flatMap { $0.isNull ? nil : $0 }
  }

  /// - Parameter bytesMax: of the text.
  public mutating func text(_ object: JSONNode, _ field: String, _ name: String, bytesMax: Int = 1 << 20) -> String? {
    guard let node = member(object, name) else { return nil }
    guard let text = node.string else {
      note(node.line, Self.joined(field, name), "\(node.kindName) where a text should be", cure: "put it in quotes")
      return nil
    }
    guard text.utf8.count <= bytesMax else {
      note(
        node.line, Self.joined(field, name), "\(text.utf8.count) bytes", cure: "use at most \(bytesMax)")
      return nil
    }
    return text
  }

  /// A list of texts with their lines; one alone may stand without the list.
  public mutating func texts(_ object: JSONNode, _ field: String, _ name: String) -> [(text: String, line: Int)] {
    guard let node = member(object, name) else { return [] }
    if let text = node.string { return [(text, node.line)] }
    guard node.kind == .array else {
      note(
        node.line, Self.joined(field, name), "\(node.kindName) where a list of texts should be", cure: "write [\"…\"]")
      return []
    }
    var texts: [(String, Int)] = []
    for (index, element) in node.elements.enumerated() {
      if let text = element.string {
        texts.append((text, element.line))
      } else {
        note(element.line, "\(Self.joined(field, name))[\(index)]", "\(element.kindName) where a text should be")
      }
    }
    return texts
  }

  public mutating func number(
    _ object: JSONNode, _ field: String, _ name: String, _ range: ClosedRange<Double>, wanted: String
  ) -> Double? {
    guard let node = member(object, name) else { return nil }
    guard let number = node.double, range.contains(number) else {
      note(node.line, Self.joined(field, name), "\(String(node.text.description.prefix(40))) won't do", cure: wanted)
      return nil
    }
    return number
  }

  /// A number of seconds, or a text such as `5m`.
  mutating func seconds(_ object: JSONNode, _ field: String, _ name: String, _ range: ClosedRange<Double>) -> Double? {
    guard let node = member(object, name) else { return nil }
    if let seconds = node.double ?? node.string.flatMap(DurationText.seconds), range.contains(seconds) {
      return seconds
    }
    let shown = String(node.text.description.prefix(40))
    note(
      node.line, Self.joined(field, name), "\(shown) is no such duration",
      cure: "write seconds, or a text such as \"90s\" or \"5m\"")
    return nil
  }

  public mutating func flag(_ object: JSONNode, _ field: String, _ name: String) -> Bool? {
    guard let node = member(object, name) else { return nil }
    if node.bool == nil {
      note(node.line, Self.joined(field, name), "\(node.kindName) won't do", cure: "write true or false")
    }
    return node.bool
  }

  /// The members of a list of objects, each with its field's name; what isn't an object is noted and left out.
  public mutating func objects(_ object: JSONNode, _ field: String, _ name: String) -> [(node: JSONNode, field: String)]
  {
    guard let node = member(object, name) else { return [] }
    guard node.kind == .array else {
      note(node.line, Self.joined(field, name), "\(node.kindName) where a list should be", cure: "write [{…}, {…}]")
      return []
    }
    var found: [(JSONNode, String)] = []
    for (index, element) in node.elements.enumerated() {
      let place = "\(Self.joined(field, name))[\(index)]"
      if element.kind == .object {
        found.append((element, place))
      } else {
        note(element.line, place, "\(element.kindName) where an object should be", cure: "write {…}")
      }
    }
    return found
  }
}
