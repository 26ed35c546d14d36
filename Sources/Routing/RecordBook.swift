import CoordinatorPolicy
import Linux
import Spool
import SpoolFormat

/// What the log taught of every bot, kept beside their cards and caught up by whoever needs it: no process has to run for
/// it. `BotRecord` says what is kept.
///
/// Each `bots/BOT/record.json` says up to where the logs of all hosts are in it, and `records.json` up to where they were
/// read for all, with the number of lines that each bot's record had then. A record that is older than that, because two
/// caught up at once and the slower wrote last, has fewer, and is caught up from its own place. So every file is right by
/// itself whoever writes it when, and losing any of them costs no more than reading the log again.
public struct RecordBook {
  public typealias Positions = [String: LogFollower.Position]

  private let spool: Spool
  private var follower: LogFollower
  public private(set) var team = TeamRecord()
  /// Up to where the log is in each bot's record, where that isn't `base`.
  private var own: [BotName: Positions] = [:]
  /// Up to where it is in those of all others.
  private var base: Positions
  private var changed: Set<BotName> = []
  /// Lessons that were counted before of names that are no bots now: should one of them come back, all of the log is read
  /// for it.
  private var carried: [BotName: Int] = [:]
  /// Whether everything was read to the end at least once.
  public private(set) var isCurrent = false
  /// Whether everything was when it was last read: only then is `base` up to where the records are.
  private var isAtEnd = false

  /// Opens the records as they are kept; `catchUp` brings them up to the present.
  /// Cost: the record of each bot is read.
  /// - Parameters:
  ///   - anew: as if nothing were kept: all of the log is read.
  ///   - positions: of a caller that reads the log along with the records: from where it does at the latest.
  public init(_ spool: Spool, anew: Bool = false, readingFrom positions: Positions? = nil) throws {
    self.spool = spool
    base = [:]
    let kept = anew ? nil : Kept(try spool.readRecordsPosition())
    follower = try LogFollower(spool, from: [:])
    // The log was cut since, by a power cut, or is another's: what was read of it may be no more.
    let isOfThisLog = try kept?.marks.allSatisfy { host, mark in
      try kept!.positions[host].map { try follower.mark(at: $0, of: host) == mark } ?? false
    }
    if let kept, isOfThisLog == true {
      base = kept.positions
      savedBase = base
      for bot in try spool.bots() { try open(bot, kept) }
      for (name, count) in kept.counts where count > 0 {
        if let bot = try? BotName(parsing: name), team.bots[bot] == nil, own[bot] == nil { carried[bot] = count }
      }
    } else {
      // What is there from before is replaced, also of bots of which nothing is known.
      for bot in try spool.bots() where try spool.readRecord(of: bot) != nil { changed.insert(bot) }
    }
    var start: Positions? = base
    for positions in own.values.map({ $0 }) + [positions].compactMap({ $0 }) {
      start = start.map { Self.earlier($0, positions) }
    }
    follower = try LogFollower(spool, from: start ?? [:])
  }

  private mutating func open(_ bot: BotName, _ kept: Kept) throws {
    let expected = kept.counts[bot.description] ?? 0
    guard let bytes = try spool.readRecord(of: bot), let value = try? JSONValue(parsing: bytes),
      let record = try? BotRecord(value)
    else {
      // Nothing of it was read, or all of it is to be read again.
      if expected > 0 { own[bot] = [:] }
      return
    }
    let positions = RecordBook.positions(value["read"])
    team.merge(record, of: bot)
    if record.lessons != expected || !positions.allSatisfy({ host, place in base[host].map { place <= $0 } ?? false }) {
      own[bot] = positions
    }
  }

  /// The earlier of each host's; none where either has none.
  private static func earlier(_ left: Positions, _ right: Positions) -> Positions {
    left.reduce(into: [:]) { both, entry in
      if let other = right[entry.key] { both[entry.key] = min(entry.value, other) }
    }
  }

  private static func later(_ left: Positions, _ right: Positions) -> Positions { left.merging(right) { max($0, $1) } }

  // MARK: - Reading on

  /// Reads the log to its end, and keeps what is new, if that can be written; what was read counts in any case.
  public mutating func catchUp() throws {
    try follower.addNewHosts()
    // In parts, because each returns what it learned.
    while try readOn(limit: 10_000, { _, _, _, _ in }) {}
    try? save()
  }

  /// Reads on, without keeping it yet.
  /// - Parameter body: called with every event, its host, where its line begins, and what of it is new to the records. Also
  ///   when this throws then: nothing is read twice.
  /// - Returns: whether there may be more.
  public mutating func readOn(
    limit: Int = .max, _ body: (LogEvent, _ host: String, _ place: LogFollower.Position, Lesson?) throws -> Void
  ) throws -> Bool {
    // Out of here while they are changed, so that nothing of them is copied.
    var (follower, team, changed) = (self.follower, self.team, self.changed)
    (self.team, self.changed) = (TeamRecord(), [])
    defer { (self.follower, self.team, self.changed) = (follower, team, changed) }
    let (own, base) = (own, base)
    isAtEnd = false
    let now = Timestamp(microseconds: Clock.wall())
    let isCredible = spool.credible()
    let hasMore = try follower.take(
      limit: limit,
      withPlaces: { event, host, place in
        var news: Lesson?
        if let lesson = Lesson(event, now: now), isCredible(event),
          (own[lesson.bot] ?? base)[host].map({ place >= $0 }) ?? true
        {
          team.count(lesson)
          changed.insert(lesson.bot)
          news = lesson
        }
        try body(event, host, place, news)
      })
    if !hasMore {
      (isCurrent, isAtEnd) = (true, true)
      // Everybody's is read up to here.
      self.base = Self.later(base, follower.positions)
      self.own = [:]
    }
    return hasMore
  }

  /// Looks for hosts that have begun to write since.
  public mutating func addNewHosts() throws { try follower.addNewHosts() }

  /// Up to where the log was read.
  public var positions: Positions { follower.positions }

  // MARK: - Keeping

  public var hasChanged: Bool { !changed.isEmpty }

  /// Writes the records that have changed, and then how far the log was read. Nothing when it wasn't read to its end.
  public mutating func save() throws {
    guard isAtEnd, own.isEmpty, hasChanged || base != savedBase else { return }
    let positions = base
    for bot in changed.sorted() where carried[bot] == nil {
      let record = team.bots[bot] ?? BotRecord()
      var writer = JSONWriter()
      writer.beginObject()
      writer.member("bot", bot.description)
      record.writeMembers(to: &writer)
      writer.key("read")
      RecordBook.write(positions, to: &writer)
      writer.endObject()
      try spool.writeRecord(of: bot, Array(writer.text.value.prettyPrinted().utf8) + [10])
    }
    try spool.writeRecordsPosition(try Kept.encoded(positions, counts, follower))  // commit: read up to here
    changed = []
    savedBase = positions
  }
  private var savedBase: Positions?

  private var counts: [BotName: Int] { carried.merging(team.bots.mapValues(\.lessons), uniquingKeysWith: +) }
}

extension RecordBook {
  /// Positions as `write` wrote them, by host.
  public static func positions(_ value: JSONValue?) -> Positions {
    var positions: Positions = [:]
    for member in value?.object ?? [:] {
      guard let segment = member.value["segment"]?.string, let offset = member.value["offset"]?.int,
        offset >= 0
      else { continue }
      positions[member.key] = LogFollower.Position(segment: segment, offset: offset)
    }
    return positions
  }

  /// Writes positions as an object by host.
  public static func write(_ positions: Positions, to writer: inout JSONWriter) {
    writer.beginObject()
    for (host, position) in positions.sorted(by: { $0.key < $1.key }) {
      writer.key(host)
      writer.beginObject()
      writer.member("segment", position.segment)
      writer.member("offset", position.offset)
      writer.endObject()
    }
    writer.endObject()
  }
}

/// What `records.json` says.
private struct Kept {
  let positions: RecordBook.Positions
  /// By host, what the last line that was read ends with.
  let marks: [String: String]
  /// Lessons in each bot's record, by its name.
  let counts: [String: Int]

  /// Nil for a file that can't be read as one.
  init?(_ bytes: [UInt8]?) {
    guard let bytes, let value = try? JSONValue(parsing: bytes), value["read"] != nil,
      let counts = value["lessons"]?.object
    else { return nil }
    positions = RecordBook.positions(value["read"])
    var marks: [String: String] = [:]
    for member in value["marks"]?.object ?? [:] { marks[member.key] = member.value.string }
    self.marks = marks
    self.counts = counts.reduce(into: [:]) { $0[$1.key] = $1.value.int }
  }

  static func encoded(
    _ positions: RecordBook.Positions, _ counts: [BotName: Int], _ follower: LogFollower
  ) throws -> [UInt8] {
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("read")
    RecordBook.write(positions, to: &writer)
    writer.key("marks")
    writer.beginObject()
    for (host, position) in positions.sorted(by: { $0.key < $1.key }) {
      guard let mark = try follower.mark(at: position, of: host) else { continue }
      writer.key(host)
      writer.string(mark)
    }
    writer.endObject()
    writer.key("lessons")
    writer.beginObject()
    for (bot, count) in counts.sorted(by: { $0.key < $1.key }) where count > 0 {
      writer.key(bot.description)
      writer.int(count)
    }
    writer.endObject()
    writer.endObject()
    return Array(writer.text.value.prettyPrinted().utf8) + [10]
  }
}
