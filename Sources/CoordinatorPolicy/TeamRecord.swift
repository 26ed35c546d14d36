import SpoolFormat

/// The records of all bots.
public struct TeamRecord: Sendable, Hashable {
  public private(set) var bots: [BotName: BotRecord] = [:]
  /// The tallies of all of them together.
  public private(set) var together = BotRecord()

  public init() {}

  public mutating func count(_ outcome: TaskOutcome) {
    bots[outcome.bot, default: BotRecord()].count(outcome)
    together.countTally(outcome)
  }

  public mutating func count(_ lesson: Lesson) {
    bots[lesson.bot, default: BotRecord()].count(lesson)
    if case .outcome(let outcome) = lesson.what { together.countTally(outcome) }
  }

  /// When the last attempt of anybody ended: the present, as far as these records know one.
  public var lastAt: Timestamp? { together.all.lastAt }

  public mutating func merge(_ other: TeamRecord) {
    for (bot, record) in other.bots { bots[bot, default: BotRecord()].merge(record) }
    together.mergeTallies(other.together)
  }

  public mutating func merge(_ record: BotRecord, of bot: BotName) {
    bots[bot, default: BotRecord()].merge(record)
    together.mergeTallies(record)
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
      together.mergeTallies(record)
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
