import SpoolFormat

/// How one attempt at a task ended: what bots are judged by.
public struct TaskOutcome: Sendable, Hashable {
  public let bot: BotName
  public let needs: TaskNeeds
  public let succeeded: Bool
  /// From its start to its end; counted only when it succeeded, because a failure may be quick or slow for any reason.
  public let microseconds: Int

  public init(bot: BotName, needs: TaskNeeds, succeeded: Bool, seconds: Double) {
    self.bot = bot
    self.needs = needs
    self.succeeded = succeeded
    microseconds = Int(min(max(seconds.isFinite ? seconds : 0, 0), 1e7) * 1e6)
  }
}

/// What a bot has shown that it can do: attempts counted by domain and by skill, from the outcomes in the log.
///
/// A sum of whole numbers, so that records of parts of the log, folded in any order and merged, are equal to the record
/// of all of it: it can be computed again at any time, and a copy is only there to save that. (Past `labelsMax` domains
/// or skills of one bot it depends on the order which of them are kept.)
public struct BotRecord: Sendable, Hashable {
  public struct Tally: Sendable, Hashable {
    public var tried = 0
    public var succeeded = 0
    /// That the successful ones took together.
    public var microseconds = 0

    public init() {}

    /// Seconds that a success took on average; nil before the first.
    public var meanSeconds: Double? { succeeded > 0 ? Double(microseconds) / 1e6 / Double(succeeded) : nil }

    public static func += (left: inout Tally, right: Tally) {
      left.tried += right.tried
      left.succeeded += right.succeeded
      left.microseconds = min(left.microseconds + right.microseconds, 1 << 60)
    }

    mutating func count(_ outcome: TaskOutcome) {
      tried += 1
      guard outcome.succeeded else { return }
      succeeded += 1
      microseconds = min(microseconds + outcome.microseconds, 1 << 60)
    }
  }

  public private(set) var all = Tally()
  public private(set) var domains: [String: Tally] = [:]
  public private(set) var skills: [String: Tally] = [:]

  /// Domains, and skills, that one record keeps: enough for any bot, and a bound for what hostile tasks can make of it.
  /// Those past it count only in `all`.
  public static let labelsMax = 256

  public init() {}

  public mutating func count(_ outcome: TaskOutcome) {
    all.count(outcome)
    if let domain = outcome.needs.domain, Self.hasRoom(domains, domain) {
      domains[domain, default: Tally()].count(outcome)
    }
    for skill in outcome.needs.skills where Self.hasRoom(skills, skill.name) {
      skills[skill.name, default: Tally()].count(outcome)
    }
  }

  private static func hasRoom(_ tallies: [String: Tally], _ label: String) -> Bool {
    tallies.count < labelsMax || tallies[label] != nil
  }

  public mutating func merge(_ other: BotRecord) {
    all += other.all
    for (label, tally) in other.domains.sorted(by: { $0.key < $1.key }) where Self.hasRoom(domains, label) {
      domains[label, default: Tally()] += tally
    }
    for (label, tally) in other.skills.sorted(by: { $0.key < $1.key }) where Self.hasRoom(skills, label) {
      skills[label, default: Tally()] += tally
    }
  }

  // MARK: - What follows from it

  /// How many successes raise a skill by a level, and the share of successes that it takes besides.
  public static let successesPerLevel = 20
  public static let shareForLevel = 0.8

  /// The level that a bot has by now in a skill that its card states: one more for every 20 successes, as long as
  /// four in five attempts succeed. A card is never lowered, and a skill that it doesn't state isn't gained.
  public func level(_ skill: String, stated: Card.Level) -> Card.Level {
    guard let tally = skills[skill], Double(tally.succeeded) >= Self.shareForLevel * Double(tally.tried) else {
      return stated
    }
    let all = Card.Level.allCases
    return all[min(all.count - 1, all.firstIndex(of: stated)! + tally.succeeded / Self.successesPerLevel)]
  }

  /// A new bot counts as one that has done 3 of 4 tasks: good enough to be tried, and not above one that is proven.
  public static let priorShare = 0.75
  public static let priorTasks = 4.0

  /// The share of tasks in a domain that it will probably do: (succeeded + p·4) ÷ (tried + 4). For a domain p is its
  /// own share in all domains, so that who does well elsewhere is trusted here; for all of them it is 3 in 4.
  public func expectedShare(_ domain: String?) -> Double {
    func share(_ tally: Tally, _ prior: Double) -> Double {
      (Double(tally.succeeded) + prior * Self.priorTasks) / (Double(tally.tried) + Self.priorTasks)
    }
    let overall = share(all, Self.priorShare)
    return domain.map { share(domains[$0] ?? Tally(), overall) } ?? overall
  }

  /// Of the tasks in a domain, or all.
  public func tally(_ domain: String?) -> Tally { domain.map { domains[$0] ?? Tally() } ?? all }
}

extension BotRecord {
  /// Reads what `write` wrote. A number that can't be is an error, because the record can be computed again.
  public init(_ value: JSONValue) throws(FormatError) {
    guard value.object != nil else { throw FormatError("a bot's record is an object") }
    all = try Self.tally(value["all"] ?? .null, "all")
    domains = try Self.tallies(value, "domains")
    skills = try Self.tallies(value, "skills")
  }

  private static func tallies(_ value: JSONValue, _ name: String) throws(FormatError) -> [String: Tally] {
    var tallies: [String: Tally] = [:]
    for member in value[name]?.object ?? [:] where tallies.count < labelsMax {
      tallies[member.key] = try tally(member.value, "\(name).\(member.key)")
    }
    return tallies
  }

  private static func tally(_ value: JSONValue, _ name: String) throws(FormatError) -> Tally {
    var tally = Tally()
    let bound = 1 << 60
    guard let tried = value["tried"]?.int, let succeeded = value["succeeded"]?.int,
      let microseconds = value["microseconds"]?.int,
      0...tried ~= succeeded && tried <= bound && 0...bound ~= microseconds
    else { throw FormatError("\"\(name)\" is no tally: {\"tried\": 2, \"succeeded\": 1, \"microseconds\": 1500000}") }
    tally.tried = tried
    tally.succeeded = succeeded
    tally.microseconds = microseconds
    return tally
  }

  public func write(to writer: inout JSONWriter) {
    func write(_ tally: Tally) {
      writer.beginObject()
      writer.member("tried", tally.tried)
      writer.member("succeeded", tally.succeeded)
      writer.member("microseconds", tally.microseconds)
      writer.endObject()
    }
    func write(_ tallies: [String: Tally]) {
      writer.beginObject()
      for (label, tally) in tallies.sorted(by: { $0.key < $1.key }) {
        writer.key(label)
        write(tally)
      }
      writer.endObject()
    }
    writer.beginObject()
    writer.key("all")
    write(all)
    writer.key("domains")
    write(domains)
    writer.key("skills")
    write(skills)
    writer.endObject()
  }
}

/// The records of all bots.
public struct TeamRecord: Sendable, Hashable {
  public private(set) var bots: [BotName: BotRecord] = [:]
  /// All of them together.
  public private(set) var together = BotRecord()

  public init() {}

  public mutating func count(_ outcome: TaskOutcome) {
    bots[outcome.bot, default: BotRecord()].count(outcome)
    together.count(outcome)
  }

  public mutating func merge(_ other: TeamRecord) {
    for (bot, record) in other.bots { bots[bot, default: BotRecord()].merge(record) }
    together.merge(other.together)
  }

  public mutating func merge(_ record: BotRecord, of bot: BotName) {
    bots[bot, default: BotRecord()].merge(record)
    together.merge(record)
  }

  /// Seconds that a task of the domain takes the team on average; nil before the first success.
  public func meanSeconds(_ domain: String?) -> Double? { together.tally(domain).meanSeconds }

  /// An object of the bots' records by name.
  public init(parsing bytes: [UInt8]) throws(FormatError) {
    let value: JSONValue
    do { value = try JSONValue(parsing: bytes) } catch { throw FormatError("not JSON: \(error)") }
    guard let object = value.object else { throw FormatError("a team's record is an object of its bots' records") }
    for member in object {
      let record = try BotRecord(member.value)
      bots[try BotName(parsing: member.key)] = record
      together.merge(record)
    }
  }

  public func write(to writer: inout JSONWriter) {
    writer.beginObject()
    for (bot, record) in bots.sorted(by: { $0.key < $1.key }) {
      writer.key(bot.description)
      record.write(to: &writer)
    }
    writer.endObject()
  }
}
