import SpoolFormat

extension BotRecord {
  /// Attempts of one kind. Every part of it is a sum, an extreme, or the newest of a set, so that the order in which
  /// outcomes are counted makes no difference, nor into how many parts they were divided before.
  public struct Tally: Sendable, Hashable {
    public var tried = 0
    public var succeeded = 0
    /// That the successful ones took together, as far as it is known.
    public var microseconds = 0
    /// Of the same.
    public private(set) var times = Times()
    /// When the last one ended.
    public private(set) var lastAt: Timestamp?
    /// The newest `recentMax`, oldest first.
    private(set) var recent: [Attempt] = []
    /// Difficulties in quarters: of successes, and of failures, each of which counts as a plain one.
    private(set) var days = Days()

    struct Attempt: Sendable, Hashable, Comparable {
      let at: Int
      let succeeded: Bool
      static func < (left: Attempt, right: Attempt) -> Bool {
        left.at != right.at ? left.at < right.at : !left.succeeded && right.succeeded
      }
    }

    /// Attempts that a level is judged by.
    public static let recentMax = 20

    public init() {}

    /// Seconds that a success took on average; nil before the first.
    public var meanSeconds: Double? { times.count > 0 ? Double(microseconds) / 1e6 / Double(times.count) : nil }

    /// Seconds that nine in ten successes didn't exceed, to 1 part in 32; nil before the first.
    public var p90Seconds: Double? { times.quantile(0.9).map { Double($0) / 1e6 } }

    /// The share that succeeded; nil before the first.
    public var successRate: Double? { tried > 0 ? Double(succeeded) / Double(tried) : nil }

    public static func += (left: inout Tally, right: Tally) {
      left.tried = WholeNumber.sum(left.tried, right.tried)
      left.succeeded = WholeNumber.sum(left.succeeded, right.succeeded)
      left.microseconds = WholeNumber.sum(left.microseconds, right.microseconds)
      left.times += right.times
      left.lastAt = [left.lastAt, right.lastAt].compactMap { $0 }.max()
      left.recent = Array((left.recent + right.recent).sorted().suffix(recentMax))
      left.days += right.days
    }

    /// - Parameter difficulty: quarters, as `TaskOutcome.difficulty`.
    mutating func count(_ outcome: TaskOutcome, difficulty: Int) {
      tried += 1
      lastAt = max(lastAt ?? outcome.at, outcome.at)
      keep(Attempt(at: outcome.at.microseconds, succeeded: outcome.succeeded))
      days.add(outcome.succeeded ? difficulty : 0, outcome.succeeded ? 0 : 4, at: outcome.at)
      guard outcome.succeeded else { return }
      succeeded += 1
      guard let taken = outcome.microseconds else { return }
      microseconds = WholeNumber.sum(microseconds, taken)
      times.count(microseconds: taken)
    }

    private mutating func keep(_ attempt: Attempt) {
      var place = recent.count
      // Nearly always it is the newest.
      while place > 0, attempt < recent[place - 1] { place -= 1 }
      if recent.count == Self.recentMax {
        if place == 0 { return }
        recent.removeFirst()
        place -= 1
      }
      recent.insert(attempt, at: place)
    }
  }
}

extension BotRecord.Tally {
  /// What is derived (the rate, the times in seconds) is there for people, and not read.
  init(_ value: JSONValue, _ name: String) throws(FormatError) {
    guard let tried = value["tried"]?.int, let succeeded = value["succeeded"]?.int,
      let microseconds = value["microseconds"]?.int,
      0...WholeNumber.max ~= tried && 0...tried ~= succeeded && 0...WholeNumber.max ~= microseconds
    else { throw FormatError("\"\(name)\" is no tally: {\"tried\": 2, \"succeeded\": 1, \"microseconds\": 1500000}") }
    self.tried = tried
    self.succeeded = succeeded
    self.microseconds = microseconds
    times = Times(value["times_us"])
    lastAt = value["last_at"]?.string.flatMap(Timestamp.init(rfc3339:))
    recent = (value["recent"]?.array ?? []).suffix(Self.recentMax).compactMap { entry in
      // A failure's moment is below zero.
      entry.int.map { Attempt(at: Int($0.magnitude), succeeded: $0 > 0) }
    }
    recent.sort()
    days = Days(value["days"])
  }

  func write(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.member("tried", tried)
    writer.member("succeeded", succeeded)
    writer.member("success_rate", ifPresent: successRate.map { ($0 * 1e4).rounded() / 1e4 })
    writer.member("mean_seconds", ifPresent: meanSeconds.map { ($0 * 1e6).rounded() / 1e6 })
    writer.member("p90_seconds", ifPresent: p90Seconds)
    writer.member("last_at", moment: lastAt)
    writer.member("microseconds", microseconds)
    writer.key("times_us")
    times.write(to: &writer)
    writer.key("recent")
    writer.beginArray()
    for attempt in recent { writer.int(attempt.succeeded ? attempt.at : -attempt.at) }
    writer.endArray()
    writer.key("days")
    days.write(to: &writer)
    writer.endObject()
  }
}
