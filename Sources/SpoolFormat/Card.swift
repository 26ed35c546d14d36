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
  public var registeredAt: Timestamp?

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
      guard !parts[0].isEmpty, parts[0].utf8.count <= 64 else {
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
    registeredAt = value["registered_at"]?.string.flatMap(Timestamp.init(rfc3339:))
    for entry in value["skills"]?.array ?? [] {
      if let text = entry.string {
        skills.append(try Skill(parsing: text))
      } else if let name = entry["name"]?.string {
        skills.append(Skill(name: name, level: try Level(parsing: entry["level"]?.string ?? "intermediate")))
      }
    }
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
    if let registeredAt {
      writer.key("registered_at")
      writer.moment(registeredAt)
    }
    writer.endObject()
  }
}
