/// What somebody wants done by a group that is still to be found.
public struct Announcement: Sendable, Hashable {
  public var text: String
  /// What it takes, each skill once, in lower case, by name.
  public var skills: [Card.Skill]
  /// All of it must be done by then.
  public var deadline: Timestamp
  /// Members, at least and at most.
  public var sizeMin = 1
  public var sizeMax = 5
  public var priority = Priority.normal
  public var ifUncovered = Uncovered.ask
  /// Any JSON that all members get.
  public var context: JSONText?
  /// The task of which it is a part.
  public var parent: MessageID?
  /// 1, and one more for each announcement that it is a part of.
  public var depth = 1
  public var from: String?

  /// What becomes of it when the offers don't cover every skill.
  public enum Uncovered: String, Sendable, CaseIterable {
    /// The bots are asked again until the time is over.
    case ask
    case fail
  }

  public static let skillsMax = 16
  public static let sizeLimit = 64
  public static let depthMax = 4
  /// Bytes of JSON of twice the text and the context, as they stand in each part's task. It leaves as much again, there
  /// and in the group's file, for results and for who does what.
  public static let bytesMax = 2 << 20

  public init(_ text: String, skills: [Card.Skill], deadline: Timestamp) {
    self.text = text
    let levels = Dictionary(skills.map { ($0.name.lowercased(), $0.level) }, uniquingKeysWith: max)
    self.skills = levels.sorted { $0.key < $1.key }.map { Card.Skill(name: $0.key, level: $0.value) }
    self.deadline = deadline
  }

  /// Whether something can come of it.
  public func check(now: Timestamp) throws(FormatError) {
    guard !text.isEmpty else { throw FormatError("an announcement has a text of 1 to \(Self.bytesMax / 2) bytes") }
    let bytes = 2 * JSONText(string: text).bytes.count + (context?.bytes.count ?? 0)
    guard bytes <= Self.bytesMax else {
      throw FormatError(
        "twice its text and its context have \(bytes) bytes as JSON, and may have \(Self.bytesMax):"
          + " put what is long into a file, and its name into the announcement")
    }
    if let context {
      // The parts' tasks have it in the "shared" of their context.
      do { try context.checkNesting(within: 2) } catch {
        throw FormatError("the context can't be handed on: \(error.reason)")
      }
    }
    try checkLimits()
    guard deadline > now else { throw FormatError("the deadline \(deadline.rfc3339) is past") }
  }

  /// What holds for one from a group's file as well, which anybody may have written: else it couldn't be reckoned with.
  func checkLimits() throws(FormatError) {
    guard 1...Self.skillsMax ~= skills.count else {
      throw FormatError("an announcement names 1 to \(Self.skillsMax) skills, and this one \(skills.count)")
    }
    guard 1...Self.sizeLimit ~= sizeMax, 1...sizeMax ~= sizeMin else {
      throw FormatError(
        "a group of \(sizeMin) to \(sizeMax) members: the least is 1 and the most \(Self.sizeLimit), in this order")
    }
    guard 1...Self.depthMax ~= depth else {
      throw FormatError(
        "parts of parts may be announced \(Self.depthMax) deep, and this would be \(depth): do it, or fail it")
    }
  }

  /// As the message that a hub claims.
  public var message: Message {
    var message = Message(content: text)
    message.from = from
    message.type = .taskAnnounce
    message.priority = priority
    message.context = context
    var writer = JSONWriter()
    writer.beginObject()
    writeMembers(to: &writer)
    writer.endObject()
    message.data = JSONText(trusted: writer.bytes)
    message.perform(.cfp, replyBy: deadline)
    return message
  }

  /// All but the text, the context and the priority.
  func writeMembers(to writer: inout JSONWriter) {
    writer.member("skills", skills.map { "\($0.name):\($0.level.rawValue)" })
    writer.member("deadline", moment: deadline)
    writer.member("min_group", sizeMin)
    writer.member("max_group", sizeMax)
    writer.member("if_uncovered", ifUncovered.rawValue)
    writer.member("parent", identifier: parent)
    if depth > 1 { writer.member("depth", depth) }
  }

  /// Reads a message, which anybody may have written.
  /// - Throws: `FormatError` that names the field.
  public init(_ message: Message) throws(FormatError) {
    guard let text = message.content, let value = message.data?.value else {
      throw FormatError("an announcement has \"content\", and \"data\" with \"skills\" and \"deadline\"")
    }
    try self.init(text, value, deadline: message.replyBy)
    priority = message.priority ?? .normal
    context = message.context
    from = message.from
  }

  init(_ text: String, _ value: JSONValue, deadline: Timestamp?) throws(FormatError) {
    var skills: [Card.Skill] = []
    for entry in value["skills"]?.array ?? [] {
      guard let name = entry.string else { throw FormatError("\"skills\" must be a list such as [\"swift:expert\"]") }
      skills.append(try Card.Skill(parsing: name))
    }
    guard let end = value["deadline"]?.string.flatMap(Timestamp.init(rfc3339:)) ?? deadline else {
      throw FormatError("\"deadline\" must be a time such as 2026-11-20T23:45:12Z")
    }
    self.init(text, skills: skills, deadline: end)
    sizeMin = value["min_group"]?.int ?? sizeMin
    sizeMax = value["max_group"]?.int ?? max(sizeMax, sizeMin)
    if let text = value["if_uncovered"]?.string {
      guard let uncovered = Uncovered(rawValue: text) else {
        throw FormatError("\"if_uncovered\" must be \"ask\" or \"fail\"")
      }
      ifUncovered = uncovered
    }
    parent = value["parent"]?.string.flatMap { MessageID($0) }
    depth = value["depth"]?.int ?? 1
  }
}
