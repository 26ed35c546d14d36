extension Timestamp {
  /// RFC 3339 text, or a number of seconds since 1970, as in a message.
  init?(_ value: JSONValue) {
    if let seconds = value.double {
      self = Timestamp(microseconds: 0).advanced(bySeconds: seconds)
    } else {
      guard let moment = value.string.flatMap(Timestamp.init(rfc3339:)) else { return nil }
      self = moment
    }
  }
}

/// Reading and writing a task's file.
extension TaskRecord {
  /// Reads a task, with an error that names the field. Fields that are null are as good as missing.
  public init(parsing bytes: [UInt8]) throws(FormatError) {
    let value: JSONValue
    do { value = try JSONValue(parsing: bytes) } catch { throw FormatError("not JSON: \(error)") }
    guard let object = value.object else { throw FormatError("a task is a JSON object, such as {\"title\": \"…\"}") }
    try self.init(object)
  }

  public init(_ object: JSONObject) throws(FormatError) {
    var fields = Fields(object)
    guard let title = try fields.text("title", bytesMax: Self.titleBytesMax), !title.isEmpty else {
      throw FormatError("a task needs a \"title\"")
    }
    self.init(title: title)
    id = try fields.identifier("id")
    description = try fields.text("description")
    domain = try fields.text("domain", bytesMax: Self.labelBytesMax)
    requirements = try fields.texts("requirements")
    constraints = try fields.texts("constraints")
    requiredSkills = try fields.skills("required_skills")
    if let value = fields.take("priority") { priority = try Self.priority(value) }
    dueAt = try fields.moment("due_at")
    parent = try fields.identifier("parent")
    dependsOn = try fields.identifiers("depends_on")
    if let text = try fields.text("on_dependency_failure") {
      guard let value = DependencyFailure(rawValue: text) else {
        throw FormatError("\"on_dependency_failure\" must be \"block\" or \"cancel\"")
      }
      onDependencyFailure = value
    }
    waitsForChildren = try fields.flag("waits_for_children")
    isJoin = try fields.flag("join")
    children = try fields.identifiers("children")
    assignTo = try fields.text("assign_to").map { (text) throws(FormatError) in try BotName(parsing: text) }
    createdBy = try fields.text("created_by", bytesMax: Self.labelBytesMax)
    createdAt = try fields.moment("created_at")
    conversation = try fields.text("conversation", bytesMax: Self.labelBytesMax)
    step = try fields.text("step", bytesMax: Self.labelBytesMax)
    stepNames = try fields.stepNames()
    if let count = try fields.number("max_attempts", 1...Double(EntryName.attemptMax)) { attemptsMax = Int(count) }
    timeoutSeconds = try fields.number("timeout", 0.01...1e9)
    if let seconds = try fields.number("retry_backoff", 0...1e6) { retryBackoffSeconds = seconds }
    context = fields.take("context")?.text
    progress = try fields.number("progress", 0...100).map { Int($0) }
    progressText = try fields.text("progress_text")
    result = fields.take("result")?.text
    confidence = try fields.number("confidence", 0...1)
    learnings = try fields.texts("learnings")
    error = try fields.text("error")
    recoverySuggestion = try fields.text("recovery_suggestion")
    blockedReason = try fields.text("blocked_reason")
    blockedBy = try fields.identifier("blocked_by")
    assignedAt = try fields.moment("assigned_at")
    startedAt = try fields.moment("started_at")
    completedAt = try fields.moment("completed_at")
    failures = try fields.failures("failures")
    extra = fields.rest.map { Message.Field(name: $0.key, value: $0.value.text) }
  }

  private static func priority(_ value: JSONValue) throws(FormatError) -> Priority {
    if let text = value.string { return try Priority(parsing: text) }
    guard let priority = value.int.flatMap(Priority.init(value:)) else {
      throw FormatError("\"priority\" must be \(Priority.choices)")
    }
    return priority
  }

  /// The task as one line of JSON, without a line feed; fields in their usual order, those that are missing left out.
  public var encoded: [UInt8] {
    var writer = JSONWriter(reserving: 768)
    write(to: &writer)
    return writer.bytes
  }

  public func write(to writer: inout JSONWriter) {
    writer.beginObject()
    writeMembers(to: &writer)
    writer.endObject()
  }

  /// Within an object that somebody else begins and ends.
  public func writeMembers(to writer: inout JSONWriter) {
    writePlan(to: &writer)
    writeOutcome(to: &writer)
    for field in extra {
      writer.key(field.name)
      writer.raw(field.value)
    }
  }

  private func writePlan(to writer: inout JSONWriter) {
    writer.member("id", identifier: id)
    writer.member("title", title)
    writer.member("description", ifPresent: description)
    writer.member("domain", ifPresent: domain)
    if !requirements.isEmpty { writer.member("requirements", requirements) }
    if !constraints.isEmpty { writer.member("constraints", constraints) }
    if !requiredSkills.isEmpty {
      writer.member("required_skills", requiredSkills.map { "\($0.name):\($0.level.rawValue)" })
    }
    writer.member("priority", priority.value)
    writer.member("due_at", moment: dueAt)
    writer.member("parent", identifier: parent)
    if !dependsOn.isEmpty { writer.member("depends_on", dependsOn.map(\.description)) }
    if onDependencyFailure != .block { writer.member("on_dependency_failure", onDependencyFailure.rawValue) }
    if waitsForChildren { writer.member("waits_for_children", true) }
    if isJoin { writer.member("join", true) }
    if !children.isEmpty { writer.member("children", children.map(\.description)) }
    writer.member("assign_to", ifPresent: assignTo?.description)
    writer.member("created_by", ifPresent: createdBy)
    writer.member("created_at", moment: createdAt)
    writer.member("conversation", ifPresent: conversation)
    writer.member("step", ifPresent: step)
    if !stepNames.isEmpty {
      writer.key("step_names")
      writer.beginObject()
      for (name, id) in stepNames.sorted(by: { $0.key < $1.key }) {
        writer.key(name)
        writer.identifier(id)
      }
      writer.endObject()
    }
    writer.member("max_attempts", attemptsMax)
    if let timeoutSeconds { writer.member("timeout", timeoutSeconds) }
    if retryBackoffSeconds != 1 { writer.member("retry_backoff", retryBackoffSeconds) }
    writer.member("context", ifPresent: context)
  }

  private func writeOutcome(to writer: inout JSONWriter) {
    if let progress { writer.member("progress", progress) }
    writer.member("progress_text", ifPresent: progressText)
    writer.member("result", ifPresent: result)
    if let confidence { writer.member("confidence", confidence) }
    if !learnings.isEmpty { writer.member("learnings", learnings) }
    writer.member("error", ifPresent: error)
    writer.member("recovery_suggestion", ifPresent: recoverySuggestion)
    writer.member("blocked_reason", ifPresent: blockedReason)
    writer.member("blocked_by", identifier: blockedBy)
    writer.member("assigned_at", moment: assignedAt)
    writer.member("started_at", moment: startedAt)
    writer.member("completed_at", moment: completedAt)
    guard !failures.isEmpty else { return }
    writer.key("failures")
    writer.beginArray()
    for failure in failures {
      writer.beginObject()
      writer.member("attempt", failure.attempt)
      writer.member("bot", ifPresent: failure.bot)
      writer.member("at", moment: failure.at)
      writer.member("error", failure.error)
      writer.endObject()
    }
    writer.endArray()
  }

  /// The members of a task's file, each taken once; what is left is unknown.
  private struct Fields {
    private(set) var rest: [JSONObject.Member]

    init(_ object: JSONObject) { rest = object.filter { $0.value != .null } }

    mutating func take(_ name: String) -> JSONValue? {
      guard let index = rest.firstIndex(where: { $0.key == name }) else { return nil }
      return rest.remove(at: index).value
    }

    private func wrong(_ name: String, _ wanted: String) -> FormatError { FormatError("\"\(name)\" must be \(wanted)") }

    mutating func text(_ name: String, bytesMax: Int = .max) throws(FormatError) -> String? {
      guard let value = take(name) else { return nil }
      guard let text = value.string else { throw wrong(name, "a text") }
      guard text.utf8.count <= bytesMax else { throw wrong(name, "a text of at most \(bytesMax) bytes") }
      return text
    }

    mutating func flag(_ name: String) throws(FormatError) -> Bool {
      guard let value = take(name) else { return false }
      guard let flag = value.bool else { throw wrong(name, "true or false") }
      return flag
    }

    mutating func number(_ name: String, _ range: ClosedRange<Double>) throws(FormatError) -> Double? {
      guard let value = take(name) else { return nil }
      guard let number = value.double, range.contains(number) else {
        func text(_ bound: Double) -> String { bound == bound.rounded() ? "\(Int(bound))" : "\(bound)" }
        throw wrong(name, "a number from \(text(range.lowerBound)) to \(text(range.upperBound))")
      }
      return number
    }

    mutating func moment(_ name: String) throws(FormatError) -> Timestamp? {
      guard let value = take(name) else { return nil }
      guard let moment = Timestamp(value) else {
        throw wrong(name, "a time such as 2026-11-20T23:45:12Z")
      }
      return moment
    }

    mutating func identifier(_ name: String) throws(FormatError) -> MessageID? {
      guard let value = take(name) else { return nil }
      guard let id = value.string.flatMap({ MessageID($0) }) else { throw wrong(name, "a task's whole id") }
      return id
    }

    mutating func identifiers(_ name: String) throws(FormatError) -> [MessageID] {
      let texts = try texts(name)
      guard texts.count <= dependenciesMax else { throw wrong(name, "a list of at most \(dependenciesMax) ids") }
      var ids: [MessageID] = []
      for text in texts {
        guard let id = MessageID(text) else { throw wrong(name, "a list of whole ids") }
        if !ids.contains(id) { ids.append(id) }
      }
      return ids
    }

    /// A list of texts; one alone may stand without the list.
    mutating func texts(_ name: String) throws(FormatError) -> [String] {
      guard let value = take(name) else { return [] }
      if let text = value.string { return [text] }
      guard let array = value.array else { throw wrong(name, "a list of texts") }
      var texts: [String] = []
      for element in array {
        guard let text = element.string else { throw wrong(name, "a list of texts") }
        texts.append(text)
      }
      return texts
    }

    mutating func skills(_ name: String) throws(FormatError) -> [Card.Skill] {
      var skills: [Card.Skill] = []
      for text in try texts(name) { skills.append(try Card.Skill(parsing: text)) }
      return skills
    }

    mutating func stepNames() throws(FormatError) -> [String: MessageID] {
      var names: [String: MessageID] = [:]
      guard let value = take("step_names") else { return names }
      guard let object = value.object else { throw wrong("step_names", "an object of ids") }
      for member in object {
        guard let id = member.value.string.flatMap({ MessageID($0) }) else {
          throw wrong("step_names", "an object of ids")
        }
        names[member.key] = id
      }
      return names
    }

    mutating func failures(_ name: String) throws(FormatError) -> [Failure] {
      guard let value = take(name) else { return [] }
      guard let array = value.array else { throw wrong(name, "a list") }
      return array.suffix(failuresMax).map { entry in
        Failure(
          attempt: entry["attempt"]?.int ?? 0, bot: entry["bot"]?.string,
          at: entry["at"].flatMap { Timestamp($0) }, error: entry["error"]?.string ?? "")
      }
    }
  }
}
