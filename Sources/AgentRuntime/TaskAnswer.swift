import SpoolFormat

/// What a program says of a task that it worked on: one JSON object with a `result` or an `error`, or else any text,
/// which is the result.
struct TaskAnswer {
  var result: JSONText?
  var confidence: Double?
  var learnings: [String] = []
  /// Why it isn't done.
  var error: String?
  var recoverySuggestion: String?

  init() {}

  /// - Parameter output: all that it printed.
  /// - Throws: `FormatError` for an object whose members can't be taken.
  init(output: [UInt8]) throws(FormatError) {
    let text = output.last == UInt8(ascii: "\n") ? output.dropLast() : output[...]
    self.init()
    guard !text.isEmpty else { return }
    if let first = text.first(where: { $0 > 32 }), first == UInt8(ascii: "{"),
      let object = (try? JSONValue(parsing: Array(text)))?.object, Self.isOne(object)
    {
      self = try TaskAnswer(object)
    } else {
      result = JSONText(string: String(decoding: text, as: UTF8.self))
    }
  }

  /// Whether it says what became of the task. Many programs print an `error` that is null when all went well.
  static func isOne(_ object: JSONObject) -> Bool {
    object["result"] != nil || object["error"].map { $0 != .null } ?? false
  }

  /// - Throws: `FormatError`, which names the member.
  init(_ object: JSONObject) throws(FormatError) {
    func member(_ name: String) -> JSONValue? { object[name].flatMap { $0 == .null ? nil : $0 } }
    func text(_ name: String) throws(FormatError) -> String? {
      guard let value = member(name) else { return nil }
      guard let text = value.string else { throw FormatError("its answer's \"\(name)\" must be a text") }
      return text
    }
    result = object["result"]?.text
    if let value = member("confidence") {
      guard let number = value.double, 0...1 ~= number else {
        throw FormatError("its answer's \"confidence\" must be a number from 0 to 1")
      }
      confidence = number
    }
    if let value = member("learnings") {
      let texts = value.string.map { [$0] } ?? value.array?.compactMap(\.string)
      guard let texts, value.array == nil || texts.count == value.array!.count else {
        throw FormatError("its answer's \"learnings\" must be a list of texts")
      }
      learnings = texts
    }
    error = try text("error")
    recoverySuggestion = try text("recovery_suggestion")
  }
}
