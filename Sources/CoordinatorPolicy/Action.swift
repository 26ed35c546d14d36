import SpoolFormat

extension BotRecord {
  /// One thing that a bot did, as it is remembered.
  public struct Action: Sendable, Hashable, Comparable {
    public enum Kind: String, Sendable { case message, task, givenUp = "given_up" }

    public let kind: Kind
    /// Whose message or task it was.
    public let from: String?
    /// Hundredths, as `Reward`.
    public let reward: Int
    /// From sending to claim of a message, from start to end of a task; nil when that says nothing.
    public let microseconds: Int?
    public let at: Timestamp

    /// By time; what is equal in all is the same.
    public static func < (left: Action, right: Action) -> Bool {
      if left.at != right.at { return left.at < right.at }
      if left.kind != right.kind { return left.kind.rawValue < right.kind.rawValue }
      if left.reward != right.reward { return left.reward < right.reward }
      if left.microseconds != right.microseconds { return left.microseconds ?? -1 < right.microseconds ?? -1 }
      return left.from ?? "" < right.from ?? ""
    }

    init(kind: Kind, from: String?, reward: Int, microseconds: Int?, at: Timestamp) {
      self.kind = kind
      self.from = from
      self.reward = reward
      self.microseconds = microseconds
      self.at = at
    }

    init?(_ value: JSONValue) {
      guard let kind = value["action"]?.string.flatMap(Kind.init(rawValue:)), let reward = value["reward"]?.double,
        0...1 ~= reward, let at = value["at"]?.string.flatMap(Timestamp.init(rfc3339:))
      else { return nil }
      self.init(
        kind: kind, from: value["from"]?.string, reward: Int((reward * 100).rounded()),
        microseconds: value["latency_us"]?.int, at: at)
    }

    public func write(to writer: inout JSONWriter) {
      writer.beginObject()
      writer.member("at", moment: at)
      writer.member("action", kind.rawValue)
      writer.member("from", ifPresent: from)
      writer.member("latency_us", ifPresent: microseconds)
      writer.member("reward", Double(reward) / 100)
      writer.endObject()
    }
  }

  /// What passed from one sender to the bot.
  public struct Path: Sendable, Hashable {
    /// Messages that it took or gave up, and attempts at tasks.
    public private(set) var count = 0
    /// Hundredths.
    public private(set) var rewards = 0
    /// Messages that it took, and how long they had waited.
    public private(set) var deliveries = 0
    public private(set) var waitedMicroseconds = 0
    public private(set) var lastAt: Timestamp?
    /// Actions, and hundredths of reward.
    private(set) var days = Days()

    public init() {}

    mutating func count(_ action: Action) {
      count += 1
      rewards += action.reward
      if action.kind == .message {
        deliveries += 1
        waitedMicroseconds = WholeNumber.sum(waitedMicroseconds, action.microseconds ?? 0)
      }
      lastAt = max(lastAt ?? action.at, action.at)
      days.add(1, action.reward, at: action.at)
    }

    static func += (left: inout Path, right: Path) {
      left.count = WholeNumber.sum(left.count, right.count)
      left.rewards = WholeNumber.sum(left.rewards, right.rewards)
      left.deliveries = WholeNumber.sum(left.deliveries, right.deliveries)
      left.waitedMicroseconds = WholeNumber.sum(left.waitedMicroseconds, right.waitedMicroseconds)
      left.lastAt = [left.lastAt, right.lastAt].compactMap { $0 }.max()
      left.days += right.days
    }

    init(_ value: JSONValue) throws(FormatError) {
      guard let count = value["count"]?.int, let rewards = value["rewards"]?.int,
        let deliveries = value["deliveries"]?.int, let waited = value["waited_us"]?.int,
        [count, rewards, deliveries, waited].allSatisfy({ 0...WholeNumber.max ~= $0 })
      else { throw FormatError("a path is {\"count\": 1, \"rewards\": 100, \"deliveries\": 1, \"waited_us\": 50}") }
      (self.count, self.rewards, self.deliveries, waitedMicroseconds) = (count, rewards, deliveries, waited)
      lastAt = value["last_at"]?.string.flatMap(Timestamp.init(rfc3339:))
      days = Days(value["days"])
    }

    func write(to writer: inout JSONWriter) {
      writer.beginObject()
      writer.member("count", count)
      writer.member("rewards", rewards)
      writer.member("deliveries", deliveries)
      writer.member("waited_us", waitedMicroseconds)
      writer.member("last_at", moment: lastAt)
      writer.key("days")
      days.write(to: &writer)
      writer.endObject()
    }
  }
}
