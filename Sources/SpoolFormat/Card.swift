/// Who a bot is: what others choose it by, and how much it takes on.
public struct Card: Sendable, Hashable {
  public var name: BotName
  /// What it is about, in a sentence.
  public var description: String?
  /// Its field: research, development, design, quality, operations, writing, data, or any other word.
  public var domain: String?
  public var skills: [Skill] = []
  /// Messages it takes on at once, 1 to 1,000.
  public var capacity = 1
  /// Seconds that a claim stands without being renewed; nil for the spool's own setting.
  public var leaseSeconds: Double?
  /// Claims of one message before it is dead-lettered; nil for the spool's own setting.
  public var attemptsMax: Int?
  /// How much may wait in its inbox; what is nil is as the spool's own settings have it.
  public var inboxLimits = InboxLimits()
  /// How it speaks and decides, for programs that can take that up: a language model's, say.
  public var personality: String?
  /// What it is to do and to leave alone, for its program.
  public var instructions: String?
  /// Seconds that its program may take for one message or task; nil for as long as it likes.
  public var timeoutSeconds: Double?
  /// How its program is started; nil when somebody says so each time.
  public var start: Start?
  public var registeredAt: Timestamp?
  /// Members that this program doesn't know, in their order.
  public var extra = JSONObject()

  /// How a bot's program is started: what `spool work BOT` does without being told.
  public struct Start: Sendable, Hashable {
    /// The program, looked for along PATH, and what it is given; one at least.
    public var program: [String]
    public var takes = Takes.messages
    /// With tasks: pending ones that suit its card, too.
    public var takesPending = false
    /// Messages or tasks side by side, 1 to 1,000; nil for one message, or as many tasks as its capacity.
    public var slots: Int?
    /// One process that stays up: a line of JSON in, a line out.
    public var isStream = false

    public enum Takes: String, Sendable, CaseIterable { case messages, tasks }

    public init(program: [String]) { self.program = program }
  }

  public struct Skill: Sendable, Hashable {
    public let name: String
    public let level: Level
    public init(name: String, level: Level) {
      self.name = name
      self.level = level
    }

    /// `swift`, or `swift:expert`.
    public init(parsing text: String) throws(FormatError) {
      let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      // With = or > it would be a slip, or can't be asked for: any:skill=swift>=advanced.
      guard !parts[0].isEmpty, parts[0].utf8.count <= 64, !parts[0].contains(where: { "=<>,".contains($0) }),
        parts[0] == parts[0].escapedForTerminal()
      else {
        throw FormatError("a skill is NAME or NAME:LEVEL, such as swift:expert")
      }
      name = parts[0]
      level = parts.count == 1 ? .intermediate : try Level(parsing: parts[1])
    }
  }

  public enum Level: String, Sendable, CaseIterable, Comparable {
    case novice, intermediate, advanced, expert

    public init(parsing text: String) throws(FormatError) {
      guard let level = Level(rawValue: text.lowercased()) else {
        throw FormatError(
          "level \"\(String(text.prefix(20)).escapedForTerminal())\" is not novice, intermediate, advanced or expert")
      }
      self = level
    }

    public static func < (left: Level, right: Level) -> Bool {
      allCases.firstIndex(of: left)! < allCases.firstIndex(of: right)!
    }
  }

  public init(name: BotName) { self.name = name }

  public static let bytesMax = 256 << 10

  /// Reads `card.json`; the name is the directory's, whatever the file says.
  public init(name: BotName, parsing bytes: [UInt8]) throws(FormatError) {
    self.init(name: name)
    let value: JSONValue
    do { value = try JSONValue(parsing: bytes) } catch { throw FormatError("not JSON: \(error)") }
    description = value["description"]?.string
    domain = value["domain"]?.string
    capacity = min(max(value["capacity"]?.int ?? 1, 1), 1000)
    leaseSeconds = Settings.lease(value["lease_seconds"])
    attemptsMax = Settings.attempts(value["attempts_max"])
    inboxLimits = InboxLimits(value)
    registeredAt = value["registered_at"]?.string.flatMap(Timestamp.init(rfc3339:))
    personality = value["personality"]?.string
    instructions = value["instructions"]?.string
    timeoutSeconds = value["timeout_seconds"]?.double.flatMap { Self.timeoutRange.contains($0) ? $0 : nil }
    start = Self.start(value["start"])
    for member in value.object ?? JSONObject() where !Self.members.contains(member.key) {
      extra.append(key: member.key, value: member.value)
    }
    for entry in value["skills"]?.array ?? [] {
      if let text = entry.string {
        skills.append(try Skill(parsing: text))
      } else if let name = entry["name"]?.string {
        skills.append(Skill(name: name, level: try Level(parsing: entry["level"]?.string ?? "intermediate")))
      }
    }
  }

  /// Those that a card has, in the order in which they are written.
  static let members =
    [
      "name", "description", "domain", "skills", "capacity", "lease_seconds", "attempts_max", "timeout_seconds",
      "personality", "instructions", "start", "registered_at",
    ] + InboxLimits.members
  static let timeoutRange = 0.01...1e9

  /// What a card written by hand says; nil for what can't be meant.
  private static func start(_ value: JSONValue?) -> Start? {
    let program = (value?["program"] ?? value)?.array?.compactMap(\.string) ?? []
    guard !program.isEmpty else { return nil }
    var start = Start(program: program)
    start.takes = value?["takes"]?.string.flatMap(Start.Takes.init(rawValue:)) ?? .messages
    start.takesPending = value?["pending"]?.bool ?? false
    start.slots = value?["slots"]?.int.map { min(max($0, 1), 1000) }
    start.isStream = value?["stream"]?.bool ?? false
    return start
  }

  public func write(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.member("name", name.description)
    writer.member("description", ifPresent: description)
    writer.member("domain", ifPresent: domain)
    writer.key("skills")
    writer.beginArray()
    for skill in skills {
      writer.beginObject()
      writer.member("name", skill.name)
      writer.member("level", skill.level.rawValue)
      writer.endObject()
    }
    writer.endArray()
    writer.member("capacity", capacity)
    if let leaseSeconds { writer.member("lease_seconds", leaseSeconds) }
    if let attemptsMax { writer.member("attempts_max", attemptsMax) }
    writer.member("timeout_seconds", ifPresent: timeoutSeconds)
    inboxLimits.write(to: &writer)
    writer.member("personality", ifPresent: personality)
    writer.member("instructions", ifPresent: instructions)
    if let start {
      writer.key("start")
      start.write(to: &writer)
    }
    writer.member("registered_at", moment: registeredAt)
    for member in extra {
      writer.key(member.key)
      member.value.write(to: &writer)
    }
    writer.endObject()
  }
}

extension Card.Start {
  func write(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.member("program", program)
    if takes != .messages { writer.member("takes", takes.rawValue) }
    if takesPending { writer.member("pending", true) }
    writer.member("slots", ifPresent: slots)
    if isStream { writer.member("stream", true) }
    writer.endObject()
  }
}
