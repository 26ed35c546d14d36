/// What a bot offers to do of an announcement.
public struct SkillOffer: Sendable, Hashable {
  public let bot: BotName
  /// Those of the wanted skills that it has, with its own levels.
  public var skills: [Card.Skill]
  /// What it asks for it; 1 unless its program says otherwise.
  public var price = 1.0
  /// Seconds that it expects to take; nil when it can't tell.
  public var seconds: Double?
  /// Tasks that it has in hand or has agreed to, and how many it may have.
  public var load = 0
  public var capacity = 1

  public init(bot: BotName, skills: [Card.Skill]) {
    self.bot = bot
    self.skills = skills
  }

  public static let priceMax = 1e6

  public func write(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.member("bot", bot.description)
    writer.member("skills", skills.map { "\($0.name):\($0.level.rawValue)" })
    writer.member("price", price)
    writer.member("seconds", ifPresent: seconds)
    writer.member("load", load)
    writer.member("capacity", capacity)
    writer.endObject()
  }

  public init(bot: BotName, _ value: JSONValue) throws(FormatError) {
    var skills: [Card.Skill] = []
    for entry in value["skills"]?.array ?? [] {
      guard let name = entry.string else { throw FormatError("\"skills\" must be a list such as [\"swift:expert\"]") }
      let skill = try Card.Skill(parsing: name)
      skills.append(Card.Skill(name: skill.name.lowercased(), level: skill.level))
    }
    guard 1...256 ~= skills.count else { throw FormatError("an offer names at least one skill") }
    self.init(bot: bot, skills: skills)
    if let price = value["price"]?.double {
      guard 0...Self.priceMax ~= price else { throw FormatError("a price is from 0 to \(Int(Self.priceMax))") }
      self.price = price
    }
    if let seconds = value["seconds"]?.double {
      guard seconds >= 0 else { throw FormatError("\"seconds\" can't be less than nothing") }
      self.seconds = min(seconds, 1e9)
    }
    load = max(0, value["load"]?.int ?? 0)
    capacity = min(max(1, value["capacity"]?.int ?? 1), 1000)
  }

  public var json: JSONText {
    var writer = JSONWriter()
    write(to: &writer)
    return JSONText(trusted: writer.bytes)
  }
}
