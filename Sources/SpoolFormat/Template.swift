/// Texts that stand for the results of earlier steps: `{{design.result}}` for the whole result of the step `design`,
/// `{{design.result.files.0}}` for a member of it.
///
/// Anything else between double braces is not touched here, because a text may well speak of such braces; a workflow's
/// file is checked for what looks like a template and is none.
public enum Template {
  /// What a template asks for.
  public struct Reference: Sendable, Hashable, CustomStringConvertible {
    public let step: String
    /// Members of objects, and places in lists from 0, from the outside in.
    public let path: [String]

    public var description: String { (["\(step).result"] + path).joined(separator: ".") }
  }

  /// Whether a step may bear the name: 1 to 64 letters, digits, `_` and `-` of ASCII, so that it can stand in one.
  public static func isStepName(_ name: String) -> Bool {
    1...64 ~= name.utf8.count
      && name.utf8.allSatisfy { 48...57 ~= $0 || 65...90 ~= $0 || 97...122 ~= $0 || $0 == 95 || $0 == 45 }
  }

  private enum Piece {
    case text(Substring)
    case reference(Reference)
    /// What stands between braces and is no template.
    case other(Substring)
  }

  private static func pieces(_ text: String) -> [Piece] {
    let (opening, closing) = ("{{".unicodeScalars, "}}".unicodeScalars)
    var pieces: [Piece] = []
    // By scalars: a brace with an accent that follows it is one character, and not a brace.
    var rest = text.unicodeScalars[...]
    while let open = rest.firstRange(of: opening) {
      guard let close = rest[open.upperBound...].firstRange(of: closing) else { break }
      // Of `{{{{a.result}}` the inner braces count.
      var inner = open
      while let next = rest[inner.upperBound..<close.lowerBound].firstRange(of: opening) { inner = next }
      if inner.lowerBound > rest.startIndex { pieces.append(.text(Substring(rest[..<inner.lowerBound]))) }
      let content = Substring(rest[inner.upperBound..<close.lowerBound])
      let whole = Substring(rest[inner.lowerBound..<close.upperBound])
      pieces.append(reference(content).map { .reference($0) } ?? .other(whole))
      rest = rest[close.upperBound...]
    }
    if !rest.isEmpty { pieces.append(.text(Substring(rest))) }
    return pieces
  }

  private static func reference(_ content: Substring) -> Reference? {
    let trimmed = content.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()
    let parts = String(trimmed).split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard parts.count >= 2, isStepName(parts[0]), parts[1] == "result", parts.allSatisfy({ !$0.isEmpty }) else {
      return nil
    }
    return Reference(step: parts[0], path: Array(parts[2...]))
  }

  /// What the templates of a text ask for, in their order.
  public static func references(in text: String) -> [Reference] {
    guard text.utf8.contains(UInt8(ascii: "{")) else { return [] }
    return pieces(text).compactMap { if case .reference(let reference) = $0 { reference } else { nil } }
  }

  /// What stands in double braces and is no template, such as `{{design}}`, with its braces.
  public static func mistakes(in text: String) -> [String] {
    guard text.utf8.contains(UInt8(ascii: "{")) else { return [] }
    return pieces(text).compactMap { if case .other(let text) = $0 { String(text) } else { nil } }
  }

  /// What the templates in the strings of a JSON value ask for, and what in them is none.
  public static func contents(of value: JSONValue) -> (references: [Reference], mistakes: [String]) {
    switch value {
    case .string(let text): return (references(in: text), mistakes(in: text))
    case .array(let elements):
      let found = elements.map { contents(of: $0) }
      return (found.flatMap(\.references), found.flatMap(\.mistakes))
    case .object(let object):
      let found = object.map { contents(of: $0.value) }
      return (found.flatMap(\.references), found.flatMap(\.mistakes))
    case .null, .bool, .number: return ([], [])
    }
  }

  /// The text with the results in the templates' places: a string as it is, anything else as JSON on one line.
  /// What a result brings is not expanded again, so that nobody's result can ask for another's.
  static func expand(_ text: String, _ values: TemplateValues) -> String {
    guard text.utf8.contains(UInt8(ascii: "{")) else { return text }
    var output = ""
    for piece in pieces(text) {
      switch piece {
      case .text(let text), .other(let text): output += text
      case .reference(let reference):
        let value = values[reference]
        output += value.string ?? value.text.description
      }
    }
    return output
  }

  /// A JSON value with the templates in its strings expanded. A string that is one template and nothing else becomes
  /// the result itself, whatever kind it is of. Keys stay.
  static func expand(_ value: JSONValue, _ values: TemplateValues) -> JSONValue {
    switch value {
    case .string(let text):
      let pieces = pieces(text)
      if pieces.count == 1, case .reference(let reference) = pieces[0] { return values[reference] }
      return .string(expand(text, values))
    case .array(let elements): return .array(elements.map { expand($0, values) })
    case .object(let object):
      var expanded = JSONObject()
      for member in object { expanded.append(key: member.key, value: expand(member.value, values)) }
      return .object(expanded)
    case .null, .bool, .number: return value
    }
  }
}

extension TaskRecord {
  /// The task as its worker gets it: the templates in its title, description, requirements, constraints and context
  /// expanded with the results of the steps that it names. One whose steps have no names is untouched.
  /// - Parameter result: of a task by its id; nil for one without.
  /// - Throws: `FormatError` that names a template without a result, or the one with which they bring in too much.
  public func expanded(_ result: (MessageID) -> JSONText?) throws(FormatError) -> TaskRecord {
    guard !stepNames.isEmpty else { return self }
    let context = context?.value
    let texts = [title] + (description.map { [$0] } ?? []) + requirements + constraints
    let references = texts.flatMap(Template.references) + (context.map { Template.contents(of: $0).references } ?? [])
    let values = try TemplateValues(of: references, in: stepNames.compactMapValues(result))
    var task = self
    task.title = Self.fitting(Template.expand(title, values))
    task.description = description.map { Template.expand($0, values) }
    task.requirements = requirements.map { Template.expand($0, values) }
    task.constraints = constraints.map { Template.expand($0, values) }
    if let context { task.context = Template.expand(context, values).text }
    return task
  }

  /// As much of a title as a task may have, in whole characters.
  private static func fitting(_ title: String) -> String {
    guard title.utf8.count > titleBytesMax else { return title }
    var bytes = 0
    let kept = title.prefix { character in
      bytes += character.utf8.count
      return bytes <= titleBytesMax - 3
    }
    return kept + "…"
  }
}
