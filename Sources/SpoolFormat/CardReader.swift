extension Card {
  /// Reads a file that specifies a bot, and checks the whole of it: nothing of a file with a mistake is taken.
  ///
  /// Fields: `name`, `description`, `domain`, `skills` (`"swift:expert"`, or objects of `name` and `level`), `capacity`,
  /// `personality`, `instructions`, `lease_seconds`, `attempts_max`, `timeout_seconds`, `inbox_messages_max`,
  /// `inbox_bytes_max`, `sender_messages_max`, `sender_bytes_max` (these also together in an object `limits`;
  /// durations in seconds, or texts such as `5m`), `start` (a list of the program and its arguments, or an object of
  /// `program`, `takes`, `pending`, `slots`, `stream`), `registered_at`; and any that begin with `x-`, which are kept as
  /// they are. What `card.json` holds, and what `spool bots show` prints, can be read so.
  /// - Parameter name: the bot's, when the file needn't say it; one that says another is a mistake.
  /// - Throws: all that is wrong, each with its line, its field and a cure.
  public init(specification bytes: [UInt8], name: BotName? = nil) throws(FileProblems) {
    guard bytes.count <= Self.bytesMax else {
      throw FileProblems([FileProblem(line: 1, field: "", "\(bytes.count) bytes", cure: "use at most \(Self.bytesMax)")]
      )
    }
    let document: JSONNode
    do { document = try JSONNode(parsing: bytes) } catch { throw FileProblems(error) }
    var reader = CardReader()
    self = try reader.read(document, name)
  }

  /// Bytes of each of the texts that reach a program in its environment: Linux takes 131,072 for one with its name.
  public static let instructionsBytesMax = 100_000
  public static let personalityBytesMax = 16_384
}

private struct CardReader {
  private var check = FileChecker()

  private static let startFields = ["program", "takes", "pending", "slots", "stream"]
  private static let limitFields = ["lease_seconds", "attempts_max", "timeout_seconds"] + InboxLimits.members
  private static let argumentsMax = 1000

  mutating func read(_ document: JSONNode, _ name: BotName?) throws(FileProblems) -> Card {
    guard document.kind == .object else {
      check.note(
        document.line, "", "\(document.kindName) where a bot should be",
        cure: "write {\"name\": \"coder\", \"domain\": \"development\"}")
      try check.finish()
      throw FileProblems([])
    }
    let own = document.members.map(\.key).filter { $0.hasPrefix("x-") }
    check.onlyKnown(document, "", Card.members + ["limits"] + own)
    let named = self.name(document, name)
    // Any name will do where none does: the file is refused.
    var card = Card(name: named ?? name ?? (try! BotName(parsing: "bot")))
    card.description = text(document, "", "description", bytesMax: 10_000)
    card.domain = text(document, "", "domain", bytesMax: TaskRecord.labelBytesMax)
    card.skills = skills(document)
    card.capacity = whole(document, "", "capacity", 1...1000) ?? 1
    card.personality = text(document, "", "personality", bytesMax: Card.personalityBytesMax)
    card.instructions = text(document, "", "instructions", bytesMax: Card.instructionsBytesMax)
    limits(document, "", &card)
    if let limits = object(document, "limits") {
      check.onlyKnown(limits, "limits", Self.limitFields)
      for field in Self.limitFields where check.member(document, field) != nil && check.member(limits, field) != nil {
        check.note(limits[field]!.line, "limits.\(field)", "stands outside of limits, too", cure: "say it once")
      }
      self.limits(limits, "limits", &card)
    }
    card.start = start(document)
    if let text = check.text(document, "", "registered_at") {
      card.registeredAt = Timestamp(rfc3339: text)
      if card.registeredAt == nil {
        note(document, "", "registered_at", "\"\(text.prefix(40))\" is no time", "leave it out")
      }
    }
    // None of them twice: that is no JSON.
    for member in document.members where member.key.hasPrefix("x-") {
      card.extra.append(key: member.key, value: member.value.value)
    }
    try check.finish()
    return card
  }

  private mutating func note(_ node: JSONNode, _ field: String, _ name: String, _ message: String, _ cure: String?) {
    check.note(node[name]?.line ?? node.line, FileChecker.joined(field, name), message, cure: cure)
  }

  private mutating func name(_ document: JSONNode, _ wanted: BotName?) -> BotName? {
    guard let text = check.text(document, "", "name") else {
      if wanted == nil, check.member(document, "name") == nil {
        check.note(document.line, "name", "a bot needs one", cure: "write \"name\": \"coder\"")
      }
      return nil
    }
    do {
      let name = try BotName(parsing: text)
      if let wanted, name != wanted {
        note(document, "", "name", "the file is of \(name), not \(wanted)", "leave one of them out")
      }
      return name
    } catch {
      note(document, "", "name", error.description, nil)
      return nil
    }
  }

  /// A text that can stand in an environment.
  private mutating func text(_ node: JSONNode, _ field: String, _ name: String, bytesMax: Int) -> String? {
    guard let text = check.text(node, field, name, bytesMax: bytesMax) else { return nil }
    if text.utf8.contains(0) { note(node, field, name, "has a NUL in it", "no program could be given that") }
    return text
  }

  private mutating func object(_ document: JSONNode, _ name: String) -> JSONNode? {
    guard let node = check.member(document, name) else { return nil }
    guard node.kind == .object else {
      check.note(node.line, name, "\(node.kindName) where an object should be", cure: "write {…}")
      return nil
    }
    return node
  }

  private mutating func whole(_ node: JSONNode, _ field: String, _ name: String, _ range: ClosedRange<Int>) -> Int? {
    guard let value = check.member(node, name) else { return nil }
    guard let number = value.int, range ~= number else {
      let shown = String(value.text.description.prefix(40))
      let cure = "write a whole number from \(range.lowerBound) to \(range.upperBound)"
      note(node, field, name, "\(shown) won't do", cure)
      return nil
    }
    return number
  }

  private mutating func limits(_ node: JSONNode, _ field: String, _ card: inout Card) {
    card.leaseSeconds = check.seconds(node, field, "lease_seconds", 0.1...1e7) ?? card.leaseSeconds
    card.attemptsMax = whole(node, field, "attempts_max", 1...EntryName.attemptMax) ?? card.attemptsMax
    card.timeoutSeconds = check.seconds(node, field, "timeout_seconds", Card.timeoutRange) ?? card.timeoutSeconds
    card.inboxLimits = InboxLimits { whole(node, field, $0, InboxLimits.range) }.overruling(card.inboxLimits)
  }

  private mutating func skills(_ document: JSONNode) -> [Card.Skill] {
    guard let node = check.member(document, "skills") else { return [] }
    guard node.kind == .array else {
      check.note(
        node.line, "skills", "\(node.kindName) where a list of skills should be", cure: "write [\"swift:expert\"]")
      return []
    }
    var skills: [Card.Skill] = []
    for (index, element) in node.elements.enumerated() {
      let field = "skills[\(index)]"
      guard let skill = skill(element, field) else { continue }
      if skills.contains(where: { $0.name.lowercased() == skill.name.lowercased() }) {
        check.note(element.line, field, "\"\(skill.name)\" stands here twice", cure: "name each skill once")
      }
      skills.append(skill)
    }
    return skills
  }

  private mutating func skill(_ element: JSONNode, _ field: String) -> Card.Skill? {
    let name: String
    var level: String?
    if let text = element.string {
      let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      name = parts[0]
      level = parts.count > 1 ? parts[1] : nil
    } else if element.kind == .object {
      check.onlyKnown(element, field, ["name", "level"])
      guard let text = check.text(element, field, "name") else {
        if check.member(element, "name") == nil {
          check.note(element.line, "\(field).name", "a skill needs one", cure: "write \"name\": \"swift\"")
        }
        return nil
      }
      name = text
      level = check.text(element, field, "level")
    } else {
      check.note(element.line, field, "\(element.kindName) where a skill should be", cure: "write \"swift:expert\"")
      return nil
    }
    guard let plain = try? Card.Skill(parsing: name), plain.name == name else {
      check.note(
        element.line, field, "\"\(name.prefix(64))\" is no skill's name", cure: "use 1 to 64 bytes without : = < > ,")
      return nil
    }
    guard let level else { return plain }
    guard let known = try? Card.Level(parsing: level) else {
      let all = Card.Level.allCases.map(\.rawValue)
      let cure = FileChecker.nearest(level.lowercased(), among: all, all: "the levels are")
      check.note(element.line, field, "there is no level \"\(level.prefix(40))\"", cure: cure)
      return nil
    }
    return Card.Skill(name: name, level: known)
  }

  private mutating func start(_ document: JSONNode) -> Card.Start? {
    guard let node = check.member(document, "start") else { return nil }
    let cure = "write [\"python3\", \"coder.py\"], or {\"program\": […], \"takes\": \"tasks\"}"
    if node.kind == .array { return arguments(document, "", "start").map { Card.Start(program: $0) } }
    guard node.kind == .object else {
      check.note(node.line, "start", "\(node.kindName) where a program should be", cure: cure)
      return nil
    }
    check.onlyKnown(node, "start", Self.startFields)
    guard check.member(node, "program") != nil else {
      check.note(node.line, "start.program", "a start needs one", cure: cure)
      return nil
    }
    guard let program = arguments(node, "start", "program") else { return nil }
    var start = Card.Start(program: program)
    if let text = check.text(node, "start", "takes") {
      if let takes = Card.Start.Takes(rawValue: text) {
        start.takes = takes
      } else {
        note(node, "start", "takes", "\"\(text.prefix(40))\" won't do", "write \"messages\" or \"tasks\"")
      }
    }
    start.takesPending = check.flag(node, "start", "pending") ?? false
    if start.takesPending, start.takes != .tasks {
      note(node, "start", "pending", "is about tasks", "write \"takes\": \"tasks\", too")
    }
    start.slots = whole(node, "start", "slots", 1...1000)
    start.isStream = check.flag(node, "start", "stream") ?? false
    return start
  }

  private mutating func arguments(_ node: JSONNode, _ field: String, _ name: String) -> [String]? {
    let count = check.problems.count
    let texts = check.texts(node, field, name).map(\.text)
    guard check.problems.count == count else { return nil }
    guard let first = texts.first, !first.isEmpty else {
      note(node, field, name, "names no program", "write [\"python3\", \"coder.py\"]")
      return nil
    }
    guard texts.count <= Self.argumentsMax, !texts.contains(where: { $0.utf8.contains(0) }) else {
      note(node, field, name, "can't be given to a program", "use at most \(Self.argumentsMax) texts without NUL")
      return nil
    }
    return texts
  }
}
