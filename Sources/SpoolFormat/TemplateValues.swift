/// What the templates of one task stand for. Each result is parsed once, however often it is asked for, and no two are
/// held at a time.
struct TemplateValues {
  private var values: [Template.Reference: JSONValue] = [:]

  /// Bytes of JSON that the templates of a task may bring in together: four times a task's file, so that one that names
  /// a large result a thousand times doesn't fill the memory.
  static let bytesMax = 16 << 20

  /// - Parameter references: each as often as it is asked for.
  /// - Throws: `FormatError` that names what is missing, or too much.
  init(of references: [Template.Reference], in results: [String: JSONText]) throws(FormatError) {
    var counts: [Template.Reference: Int] = [:]
    var steps: [(name: String, references: [Template.Reference])] = []
    var places: [String: Int] = [:]
    for reference in references {
      counts[reference, default: 0] += 1
      guard counts[reference] == 1 else { continue }
      if places[reference.step] == nil {
        places[reference.step] = steps.count
        steps.append((reference.step, []))
      }
      steps[places[reference.step]!].references.append(reference)
    }
    var bytes = 0
    for step in steps {
      guard let result = results[step.name] else {
        throw FormatError("{{\(step.references[0])}}: there is no result of the step \"\(step.name)\"")
      }
      var members = Members(of: result.value)
      for reference in step.references {
        let value = try members.value(of: reference)
        bytes += value.text.bytes.count * counts[reference]!
        guard bytes <= Self.bytesMax else {
          throw FormatError("{{\(reference)}}: the task's templates bring in more than \(Self.bytesMax) bytes")
        }
        values[reference] = value
      }
    }
  }

  /// Of one that was asked for.
  subscript(reference: Template.Reference) -> JSONValue { values[reference]! }

  /// A result in which a great many members may be looked for.
  private struct Members {
    private let result: JSONValue
    /// Of the objects in it by where they are.
    private var objects: [[String]: [String: JSONValue]] = [:]

    init(of result: JSONValue) { self.result = result }

    mutating func value(of reference: Template.Reference) throws(FormatError) -> JSONValue {
      var value = result
      for (place, name) in reference.path.enumerated() {
        guard let next = member(name, of: value, at: reference.path[..<place]) else {
          let holder = (["\(reference.step).result"] + reference.path[..<place]).joined(separator: ".")
          throw FormatError("{{\(reference)}}: \(holder) \(Self.lack(of: name, in: value))")
        }
        value = next
      }
      return value
    }

    private mutating func member(_ name: String, of value: JSONValue, at path: ArraySlice<String>) -> JSONValue? {
      switch value {
      case .object(let object):
        let path = Array(path)
        if objects[path] == nil {
          objects[path] = Dictionary(object.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
        }
        return objects[path]![name]
      case .array(let elements): return Int(name).flatMap { elements.indices.contains($0) ? elements[$0] : nil }
      case .string, .number, .bool, .null: return nil
      }
    }

    private static func lack(of name: String, in value: JSONValue) -> String {
      let name = "\"\(String(name.prefix(64)).escapedForTerminal())\""
      switch value {
      case .object(let object):
        let keys = object.prefix(8).map { String($0.key.prefix(64)).escapedForTerminal() }
        return "has no \(name); it has \(keys.isEmpty ? "nothing" : keys.joined(separator: ", "))"
      case .array(let elements): return "has no \(name): it is a list of \(elements.count), counted from 0"
      case .string: return "has no \(name): it is a text; to give an object, its program prints {\"result\": {…}}"
      case .number, .bool, .null: return "has no \(name): it is no object"
      }
    }
  }
}
