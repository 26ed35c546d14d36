/// A group as its file says it. Its state is not in here: it is the file's path.
public struct GroupRecord: Sendable, Hashable {
  /// That of the message that announced it, and of the conversation.
  public var id: MessageID
  public var announcement: Announcement
  /// Who does what, those that left included, in the order in which they came.
  public var parts: [Part] = []
  /// The offers that choices were made among, of each bot the last.
  public var offers: [SkillOffer] = []
  /// Why it was chosen so, line by line.
  public var explanation: [String] = []
  /// Times that bots were asked.
  public var rounds = 0
  /// The task that stands for all of it, whose children are the parts.
  public var task: MessageID?
  public var error: String?
  public var createdAt: Timestamp?
  public var formedAt: Timestamp?
  public var endedAt: Timestamp?

  /// What one member does.
  public struct Part: Sendable, Hashable {
    public var bot: BotName
    public var skills: [Card.Skill]
    public var task: MessageID
    public var outcome: Outcome
    /// Of one that left: why.
    public var reason: String?
    public var result: JSONText?
    /// What was there of it when its member left.
    public var partial: JSONText?

    public init(bot: BotName, skills: [Card.Skill], task: MessageID) {
      self.bot = bot
      self.skills = skills
      self.task = task
      outcome = .working
    }
  }

  public enum Outcome: String, Sendable { case working, completed, left }

  public static let bytesMax = 4 << 20
  public static let partsMax = 1000
  public static let explanationLinesMax = 200
  /// Bytes of the results that it keeps, each counted as often as the message that ends the group says it: with its part,
  /// and under each of its skills. So much leaves room for the rest, there and in the file.
  public static let resultsBytesMax = 1 << 20

  public init(id: MessageID, _ announcement: Announcement) {
    self.id = id
    self.announcement = announcement
  }

  /// The skills that nobody is at, or has done.
  public var open: [Card.Skill] {
    let covered = Set(parts.filter { $0.outcome != .left }.flatMap { $0.skills.map(\.name) })
    return announcement.skills.filter { !covered.contains($0.name) }
  }

  /// Those that belong to it now, each once.
  public var members: [BotName] {
    var seen: Set<BotName> = []
    return parts.filter { $0.outcome != .left && seen.insert($0.bot).inserted }.map(\.bot)
  }

  /// What is kept of a part's result, or of what was there of it: where it lies, if all together would be too much, or it
  /// is nested too deep to stand in the group's file, and in the message that ends the group.
  public func kept(_ result: JSONText?, of part: Part) -> JSONText? {
    func told(_ text: JSONText?, _ part: Part) -> Int { (text?.bytes.count ?? 0) * (1 + part.skills.count) }
    let others = parts.reduce(0) { $0 + told($1.result, $1) + told($1.partial, $1) }
    let isTooDeep = result.map { (try? $0.checkNesting(within: 3)) == nil } ?? false
    guard isTooDeep || others + told(result, part) > Self.resultsBytesMax else { return result }
    return JSONText(
      string: "left with its task, being too \(isTooDeep ? "deep" : "long"): spool task show \(part.task) --json")
  }

  /// The results by skill, those of a part that covers several under each of them.
  public var results: JSONText {
    var writer = JSONWriter()
    writer.beginObject()
    for skill in announcement.skills {
      guard
        let part = parts.last(where: { $0.outcome == .completed && $0.skills.contains { $0.name == skill.name } })
      else { continue }
      writer.key(skill.name)
      if let result = part.result { writer.raw(result) } else { writer.null() }
    }
    writer.endObject()
    return JSONText(trusted: writer.bytes)
  }
}

extension GroupRecord {
  public init(parsing bytes: [UInt8]) throws(FormatError) {
    let value: JSONValue
    do { value = try JSONValue(parsing: bytes) } catch { throw FormatError("not JSON: \(error)") }
    try self.init(value)
  }

  public init(_ value: JSONValue) throws(FormatError) {
    guard let id = value["id"]?.string.flatMap({ MessageID($0) }), let text = value["text"]?.string else {
      throw FormatError("a group has an \"id\" and a \"text\"")
    }
    var announcement = try Announcement(text, value, deadline: nil)
    try announcement.checkLimits()
    announcement.from = value["from"]?.string
    announcement.priority = value["priority"]?.int.flatMap(Priority.init(value:)) ?? .normal
    announcement.context = value["context"]?.text
    self.init(id: id, announcement)
    for entry in (value["parts"]?.array ?? []).prefix(Self.partsMax) { parts.append(try Self.part(entry)) }
    for entry in value["offers"]?.array ?? [] {
      guard let bot = entry["bot"]?.string else { continue }
      offers.append(try SkillOffer(bot: BotName(parsing: bot), entry))
    }
    explanation = (value["explanation"]?.array ?? []).compactMap(\.string)
    rounds = value["rounds"]?.int ?? 0
    task = value["task"]?.string.flatMap { MessageID($0) }
    error = value["error"]?.string
    createdAt = value["created_at"]?.string.flatMap(Timestamp.init(rfc3339:))
    formedAt = value["formed_at"]?.string.flatMap(Timestamp.init(rfc3339:))
    endedAt = value["ended_at"]?.string.flatMap(Timestamp.init(rfc3339:))
  }

  private static func part(_ value: JSONValue) throws(FormatError) -> Part {
    guard let bot = value["bot"]?.string, let task = value["task"]?.string.flatMap({ MessageID($0) }),
      let outcome = value["outcome"]?.string.flatMap(Outcome.init(rawValue:))
    else { throw FormatError("a part has \"bot\", \"task\" and \"outcome\"") }
    var skills: [Card.Skill] = []
    for text in (value["skills"]?.array ?? []).compactMap(\.string) { skills.append(try Card.Skill(parsing: text)) }
    var part = Part(bot: try BotName(parsing: bot), skills: skills, task: task)
    part.outcome = outcome
    part.reason = value["reason"]?.string
    part.result = value["result"]?.text
    part.partial = value["partial"]?.text
    return part
  }

  public func writeMembers(to writer: inout JSONWriter) {
    writer.member("id", identifier: id)
    writer.member("text", announcement.text)
    writer.member("from", ifPresent: announcement.from)
    writer.member("priority", announcement.priority.value)
    announcement.writeMembers(to: &writer)
    writer.member("context", ifPresent: announcement.context)
    if !parts.isEmpty {
      writer.key("parts")
      writer.beginArray()
      for part in parts { part.write(to: &writer) }
      writer.endArray()
    }
    if !offers.isEmpty {
      writer.key("offers")
      writer.beginArray()
      for offer in offers { offer.write(to: &writer) }
      writer.endArray()
    }
    if !explanation.isEmpty { writer.member("explanation", explanation) }
    if rounds > 0 { writer.member("rounds", rounds) }
    writer.member("task", identifier: task)
    writer.member("error", ifPresent: error)
    writer.member("created_at", moment: createdAt)
    writer.member("formed_at", moment: formedAt)
    writer.member("ended_at", moment: endedAt)
  }

  /// One line of JSON, without a line feed.
  public var encoded: [UInt8] {
    var writer = JSONWriter(reserving: 2048)
    writer.beginObject()
    writeMembers(to: &writer)
    writer.endObject()
    return writer.bytes
  }
}

extension GroupRecord.Part {
  public func write(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.member("bot", bot.description)
    writer.member("skills", skills.map { "\($0.name):\($0.level.rawValue)" })
    writer.member("task", identifier: task)
    writer.member("outcome", outcome.rawValue)
    writer.member("reason", ifPresent: reason)
    writer.member("result", ifPresent: result)
    writer.member("partial", ifPresent: partial)
    writer.endObject()
  }
}

/// Which group a task is a part of: a field `group` of the task.
public struct GroupPart: Sendable, Hashable {
  public let group: MessageID
  /// Of the group's announcement.
  public let depth: Int

  public init(group: MessageID, depth: Int) {
    self.group = group
    self.depth = depth
  }

  private static let field = "group"

  /// Nil for a task that is no part of a group.
  public init?(_ record: TaskRecord) {
    guard let value = record.extra.first(where: { $0.name == Self.field })?.value.value,
      let group = value["id"]?.string.flatMap({ MessageID($0) })
    else { return nil }
    self.init(group: group, depth: value["depth"]?.int ?? 1)
  }

  public var field: Message.Field {
    var writer = JSONWriter()
    writer.beginObject()
    writer.member("id", identifier: group)
    writer.member("depth", depth)
    writer.endObject()
    return Message.Field(name: Self.field, value: JSONText(trusted: writer.bytes))
  }
}
