import SpoolFormat

/// The results of a plan put together, in its order, into one answer.
public struct Summary: Sendable {
  /// One step of the plan, as it ended.
  public struct Part: Sendable {
    public let step: String
    public let title: String
    public let bot: String?
    public let state: TaskState
    public let result: JSONText?
    /// Why it isn't done.
    public let problem: String?
    public let confidence: Double?

    public init(
      step: String, title: String, bot: String?, state: TaskState, result: JSONText?, problem: String?,
      confidence: Double? = nil
    ) {
      self.step = step
      self.title = title
      self.bot = bot
      self.state = state
      self.result = result
      self.problem = problem
      self.confidence = confidence
    }
  }

  public let request: String
  public let parts: [Part]

  public init(request: String, parts: [Part]) {
    self.request = request
    self.parts = parts
  }

  /// Whether every step was completed.
  public var isComplete: Bool { !parts.isEmpty && parts.allSatisfy { $0.state == .completed } }

  /// What kept it from being complete; nil when nothing did.
  public var problem: String? {
    guard !isComplete else { return nil }
    let open = parts.filter { $0.state != .completed }
    return open.isEmpty ? "there was nothing to do" : open.map(Self.problem).joined(separator: "; ")
  }

  private static func problem(_ part: Part) -> String {
    let why = part.problem.map { ": \($0)" } ?? ""
    return part.state == .blocked ? "\(part.step) could not begin\(why)" : "\(part.step) \(part.state.rawValue)\(why)"
  }

  /// What a person reads: of a plan of one step its result alone, else each under its title.
  public var text: String {
    if parts.count == 1, isComplete { return Self.says(parts[0].result) }
    var sections = parts.map { part -> String in
      let by = part.bot.map { " (\($0))" } ?? ""
      let says = part.state == .completed ? Self.says(part.result) : Self.problem(part)
      return "## \(part.title)\(by)\n\(says)"
    }
    if let problem { sections.insert("Not all of it could be done: \(problem)", at: 0) }
    return sections.joined(separator: "\n\n")
  }

  /// A result as text: strings as they are, other JSON laid out.
  static func says(_ result: JSONText?) -> String {
    guard let value = result?.value else { return "(no result)" }
    return value.string ?? value.prettyPrinted()
  }

  public func write(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.member("request", request)
    writer.member("complete", isComplete)
    writer.member("problem", ifPresent: problem)
    writer.key("steps")
    writer.beginArray()
    for part in parts {
      writer.beginObject()
      writer.member("step", part.step)
      writer.member("title", part.title)
      writer.member("bot", ifPresent: part.bot)
      writer.member("state", part.state.rawValue)
      writer.member("result", ifPresent: part.result)
      if let confidence = part.confidence { writer.member("confidence", confidence) }
      writer.member("problem", ifPresent: part.problem)
      writer.endObject()
    }
    writer.endArray()
    writer.endObject()
  }
}

/// What a person is told of a task that the bots could not do.
public enum Escalation {
  /// - Parameters:
  ///   - attempts: that were begun; 0 for what nobody works on.
  ///   - cure: what to do, as a command.
  public static func text(_ task: TaskRecord, id: MessageID, attempts: Int, cure: String) -> String {
    let after = attempts == 0 ? "" : " after \(attempts) \(attempts == 1 ? "attempt" : "attempts")"
    var lines = ["\(task.title): failed\(after)."]
    if let error = task.error { lines.append("Error: \(error)") }
    if let suggestion = task.recoverySuggestion { lines.append("Suggested: \(suggestion)") }
    let tried = task.failures.map { "attempt \($0.attempt)\($0.bot.map { " by \($0)" } ?? ""): \($0.error)" }
    if tried.count > 1 { lines.append(contentsOf: tried) }
    lines.append("See: spool task show \(id). Once more: \(cure)")
    return lines.joined(separator: "\n")
  }
}
