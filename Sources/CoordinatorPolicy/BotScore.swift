import SpoolFormat

/// A bot as others choose by it: its card, with its skills to be found by name, and what it has shown.
public struct BotProfile: Sendable {
  public let card: Card
  public var record: BotRecord { didSet { refresh() } }
  /// When it is looked at: what it has shown weighs less the older it is. Nil for when its last attempt ended.
  public var now: Timestamp? { didSet { if oldValue.map(Days.number) != now.map(Days.number) { refresh() } } }
  let domain: String?
  /// By skill, in lower case: the levels that it has by now.
  private var levels: [String: Card.Level] = [:]
  /// `Reputation.standing` in all tasks, and in those that required a skill.
  private var standing = 0.0
  private var standings: [String: Double] = [:]

  public init(card: Card, record: BotRecord = BotRecord(), now: Timestamp? = nil) {
    self.card = card
    self.record = record
    self.now = now
    domain = card.domain.flatMap { $0.isEmpty ? nil : $0.lowercased() }
    refresh()
  }

  private mutating func refresh() {
    let stated = Dictionary(card.skills.map { ($0.name.lowercased(), $0.level) }, uniquingKeysWith: max)
    let moment = now ?? record.all.lastAt ?? Timestamp(microseconds: 0)
    levels = stated.reduce(into: [:]) { $0[$1.key] = record.level($1.key, stated: $1.value, now: moment) }
    standing = record.reputation(now: moment).standing
    standings = record.skills.keys.reduce(into: [:]) {
      $0[$1] = record.reputation(skill: $1, now: moment).standing
    }
  }

  /// The level that it has by now; nil for a skill that its card doesn't state.
  public func level(_ skill: String) -> Card.Level? { levels[skill] }

  /// The share of such tasks that it will probably do, and a little more the less is known of it: half of it
  /// `BotRecord.expectedShare` in the domain, half its standing in the skills, the lowest of several.
  func success(_ needs: TaskNeeds) -> Double {
    let skilled = needs.skills.map { standings[$0.name] ?? standing }.min() ?? standing
    return (record.expectedShare(needs.domain) + skilled) / 2
  }
}

/// How well a bot fits a task, from 0 to 1, and why: the sum of five parts, each from 0 to 1 and with its weight.
///
/// - domain 0.30: its card's domain is the task's 1; it has a skill of that name 0.6 (novice) to 0.9 (expert); it has
///   done three such tasks or more, and half of those that it tried, 0.6; its card has no domain, so that it is for
///   everything, 0.4; another domain 0. Tasks without a domain 0.5.
/// - skills 0.15: for each that is required, 0.7 at the required level and 0.1 more for each level above; the mean.
///   Without requirements 0.5. **Who lacks a required skill, or has it at a lower level, can't do the task.**
/// - success 0.20: the share of such tasks that it will probably do, with its reputation in the skills (`Reputation`), which
///   fades with time, weighs hard tasks more, and is raised a little for bots that are new.
/// - speed 0.10: T ÷ (T + t), t the seconds that it takes and T those that the team takes on average: 0.5 for the
///   average, 0.67 for twice as fast. It counts as having done two tasks in average time beforehand.
/// - load 0.25: the share of its capacity that is free. Nearly as much as the domain, so that an idle bot for
///   everything is chosen before a specialist that has its hands full.
public struct BotScore: Sendable, Hashable {
  public let bot: BotName
  /// From 0 to 1; meaningless when `disqualification` is set.
  public let total: Double
  public let parts: [Part]
  /// Why it can't do the task at all.
  public let disqualification: String?
  /// Of another field than the task's: chosen only when no living bot is of it.
  public let isStranger: Bool

  public struct Part: Sendable, Hashable {
    public let name: String
    /// From 0 to 1.
    public let value: Double
    public let weight: Double
    public let reason: String
  }

  enum Weight {
    static let domain = 0.30
    static let skills = 0.15
    static let success = 0.20
    static let speed = 0.10
    static let load = 0.25
  }
  /// Taken off for a bot that has failed the task before.
  public static let failurePenalty = 0.5

  /// Those parts that don't change with the load; nil when the bot can't do the task.
  struct Fixed {
    let sum: Double
    let isStranger: Bool
  }

  static func fixed(_ bot: BotProfile, _ needs: TaskNeeds, teamSeconds: Double?) -> Fixed? {
    guard lack(bot, needs) == nil else { return nil }
    let domain = domain(bot, needs.domain)
    let sum =
      Weight.domain * domain + Weight.skills * skills(bot, needs)
      + Weight.success * bot.success(needs)
      + Weight.speed * speed(bot.record.tally(needs.domain), teamSeconds)
    return Fixed(sum: sum, isStranger: domain == 0)
  }

  /// The share of the capacity that is free.
  static func load(_ load: Int, of capacity: Int) -> Double { max(0, 1 - Double(load) / Double(max(1, capacity))) }

  /// The score of a bot for a task, with its parts.
  /// - Parameters:
  ///   - load: tasks that it has already.
  ///   - teamSeconds: `TeamRecord.meanSeconds` of the task's domain.
  ///   - hasFailed: whether it has failed this very task before.
  public init(
    _ bot: BotProfile, for needs: TaskNeeds, load: Int, teamSeconds: Double? = nil, hasFailed: Bool = false
  ) {
    self.bot = bot.card.name
    let domain = Self.domain(bot, needs.domain)
    isStranger = domain == 0
    disqualification = Self.lack(bot, needs)
    let tally = bot.record.tally(needs.domain)
    var parts = [
      Part(name: "domain", value: domain, weight: Weight.domain, reason: Self.domainReason(bot, needs.domain, domain)),
      Part(
        name: "skills", value: disqualification == nil ? Self.skills(bot, needs) : 0, weight: Weight.skills,
        reason: disqualification ?? (needs.skills.isEmpty ? "none are required" : "has all that are required")),
      Part(
        name: "success", value: bot.success(needs), weight: Weight.success,
        reason: tally.tried == 0 ? "hasn't tried any such task" : "did \(tally.succeeded) of \(tally.tried) such tasks"),
      Part(
        name: "speed", value: Self.speed(tally, teamSeconds), weight: Weight.speed,
        reason: Self.speedReason(tally, teamSeconds)),
      Part(
        name: "load", value: Self.load(load, of: bot.card.capacity), weight: Weight.load,
        reason: "has \(load) of at most \(bot.card.capacity)"),
    ]
    if hasFailed {
      parts.append(Part(name: "failure", value: -1, weight: Self.failurePenalty, reason: "has failed this task before"))
    }
    self.parts = parts
    total = parts.reduce(0) { $0 + $1.weight * $1.value }
  }

  // MARK: - Parts

  /// Tasks of a domain that a bot must have done to be of it without saying so.
  static let provenTasks = 3

  static func domain(_ bot: BotProfile, _ domain: String?) -> Double {
    guard let domain else { return 0.5 }
    if bot.domain == domain { return 1 }
    if let level = bot.level(domain) { return 0.6 + 0.1 * Double(Card.Level.allCases.firstIndex(of: level)!) }
    if let tally = bot.record.domains[domain], tally.succeeded >= provenTasks, tally.succeeded * 2 >= tally.tried {
      return 0.6
    }
    return bot.domain == nil ? 0.4 : 0
  }

  private static func domainReason(_ bot: BotProfile, _ domain: String?, _ value: Double) -> String {
    guard let domain else { return "the task names none" }
    if bot.domain == domain { return "its domain is \(domain)" }
    if let level = bot.level(domain) { return "has the skill \(domain) as \(level.rawValue)" }
    if value == 0.6 { return "has shown that it can do \(domain)" }
    return bot.domain.map { "its domain is \($0), not \(domain)" } ?? "has no domain of its own"
  }

  /// What it lacks of the required skills.
  private static func lack(_ bot: BotProfile, _ needs: TaskNeeds) -> String? {
    for skill in needs.skills {
      guard let level = bot.level(skill.name) else { return "lacks the required skill \(skill.name)" }
      if level < skill.level {
        return "has \(skill.name) as \(level.rawValue), and \(skill.level.rawValue) is required"
      }
    }
    return nil
  }

  private static func skills(_ bot: BotProfile, _ needs: TaskNeeds) -> Double {
    guard !needs.skills.isEmpty else { return 0.5 }
    let all = Card.Level.allCases
    let sum = needs.skills.reduce(0.0) { sum, skill in
      let above = all.firstIndex(of: bot.level(skill.name) ?? skill.level)! - all.firstIndex(of: skill.level)!
      return sum + 0.7 + 0.1 * Double(max(0, above))
    }
    return sum / Double(needs.skills.count)
  }

  private static func speed(_ tally: BotRecord.Tally, _ teamSeconds: Double?) -> Double {
    guard let teamSeconds, teamSeconds > 0 else { return 0.5 }
    let own = (Double(tally.microseconds) / 1e6 + 2 * teamSeconds) / Double(tally.times.count + 2)
    return teamSeconds / (teamSeconds + own)
  }

  private static func speedReason(_ tally: BotRecord.Tally, _ teamSeconds: Double?) -> String {
    guard let own = tally.meanSeconds else { return "hasn't done any such task" }
    return "takes \(short(own)) s" + (teamSeconds.map { ", the team \(short($0)) s" } ?? "")
  }

  /// Three digits or so.
  static func short(_ value: Double) -> String {
    let factor = value < 10 ? 100.0 : value < 100 ? 10 : 1
    let rounded = (value * factor).rounded() / factor
    return rounded == rounded.rounded() && abs(rounded) < 1e15 ? "\(Int(rounded))" : "\(rounded)"
  }

  /// `coder 0.81: domain 1 × 0.3 (its domain is development), …`
  public var explanation: String {
    if let disqualification { return "\(bot) can't: it \(disqualification)" }
    let text = parts.map { "\($0.name) \(Self.short($0.value)) × \(Self.short($0.weight)) (\($0.reason))" }
    return "\(bot) \(Self.short(total)): \(text.joined(separator: ", "))"
  }

  public func write(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.member("bot", bot.description)
    writer.member("score", (total * 10_000).rounded() / 10_000)
    writer.member("disqualified", ifPresent: disqualification)
    if isStranger { writer.member("stranger", true) }
    writer.key("parts")
    writer.beginArray()
    for part in parts {
      writer.beginObject()
      writer.member("name", part.name)
      writer.member("value", (part.value * 10_000).rounded() / 10_000)
      writer.member("weight", part.weight)
      writer.member("reason", part.reason)
      writer.endObject()
    }
    writer.endArray()
    writer.endObject()
  }
}
