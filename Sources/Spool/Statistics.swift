import Linux
import SpoolFormat

/// What a spool has seen, counted from its log and its directories.
public struct Statistics: Sendable {
  public struct PerBot: Sendable {
    public var sent = 0
    /// Deliveries to it.
    public var received = 0
    public var acked = 0
    public var waiting = 0
    public var claimed = 0
    public var dead = 0
    /// What waits, is claimed or dead isn't known: the bot is another user's.
    public var isHidden = false
    public var tasksCompleted = 0
    /// Attempts at tasks that failed, for good or not, or ran out.
    public var tasksFailed = 0
    /// Tasks that it has, begun or not, now.
    public var tasksInHand = 0
    /// From sending to the first claim, microseconds; nil when it never claimed.
    public var latency: Percentiles?
  }

  public struct Percentiles: Sendable, Hashable {
    public let p50: Int
    public let p90: Int
    public let p99: Int

    /// Nil of nothing.
    public init?(of values: [Int]) {
      guard !values.isEmpty else { return nil }
      let sorted = values.sorted()
      func at(_ share: Double) -> Int { sorted[min(sorted.count - 1, Int(share * Double(sorted.count)))] }
      (p50, p90, p99) = (at(0.5), at(0.9), at(0.99))
    }
  }

  public private(set) var bots: [String: PerBot] = [:]
  public private(set) var types: [String: Int] = [:]
  public private(set) var messages = 0
  public private(set) var conversations = 0
  public private(set) var quarantined = 0
  /// Tasks now, by state.
  public private(set) var tasks: [TaskState: Int] = [:]
  public private(set) var logBytes = 0
  public private(set) var latency: Percentiles?
  /// From sending to the first claim on average, microseconds; nil when nothing was claimed.
  public var meanLatency: Double? { waitCount > 0 ? Double(waitSum) / Double(waitCount) : nil }
  private var waitSum = 0
  private var waitCount = 0

  /// Latencies kept a bot: past that, a sample of them, each with the same chance (Vitter's algorithm R).
  private static let sampleMax = 10_000

  /// Counts all of the log, or what is in it since a moment, and what the directories hold now.
  public init(of spool: Spool, since: Timestamp? = nil) throws {
    var samples: [String: (values: [Int], seen: Int)] = [:]
    var keys: Set<Int> = []
    var filter = History.Filter()
    filter.since = since
    try History(spool).forEach(filter) { event in
      count(event, &keys, &samples)
      return true
    }
    conversations = keys.count
    for (bot, sample) in samples { bots[bot, default: PerBot()].latency = Percentiles(of: sample.values) }
    latency = Percentiles(of: samples.values.flatMap(\.values))
    for bot in try spool.bots() {
      let counts = try spool.count(bot)
      var known = bots[bot.description] ?? PerBot()
      (known.waiting, known.claimed, known.dead) = (counts.waiting, counts.claimed, counts.dead)
      known.isHidden = counts.isHidden
      bots[bot.description] = known
    }
    for (bot, count) in try spool.tasksInHand() { bots[bot.description, default: PerBot()].tasksInHand = count }
    tasks = try spool.taskCounts()
    quarantined = try spool.quarantinedNames().count
    try doing("cannot look at the log") {
      for segment in try LogFiles(root: spool.root).allSegments() {
        logBytes += try spool.root.status(segment.path)?.size ?? 0
      }
    }
  }

  private mutating func count(
    _ event: LogEvent, _ keys: inout Set<Int>, _ samples: inout [String: (values: [Int], seen: Int)]
  ) {
    switch event.kind {
    case .messageSent:
      messages += 1
      event.data.withSlice { data in
        let message = data["message"]
        if let from = message?.sender { bots[from, default: PerBot()].sent += 1 }
        types[message?.messageType ?? "none", default: 0] += 1
        keys.insert((message?.conversation ?? event.subject).hashValue)
        data["recipients"]?.forEachElement { if let bot = $0.string { bots[bot, default: PerBot()].received += 1 } }
      }
    case .messageClaimed:
      guard let bot = event.text("bot"), event.number("attempt") == 1, let waited = event.number("waited_us") else {
        return
      }
      waitSum = min(waitSum + max(0, waited), WholeNumber.max)
      waitCount += 1
      var sample = samples[bot] ?? ([], 0)
      sample.seen += 1
      if sample.values.count < Self.sampleMax {
        sample.values.append(waited)
      } else {
        let place = Int.random(in: 0..<sample.seen)
        if place < Self.sampleMax { sample.values[place] = waited }
      }
      samples[bot] = sample
    case .messageAcked:
      if let bot = event.text("bot") { bots[bot, default: PerBot()].acked += 1 }
    case .taskCompleted:
      if let bot = event.text("bot") { bots[bot, default: PerBot()].tasksCompleted += 1 }
    case .taskFailed, .taskRetried, .taskExpired:
      // Somebody's retry of one that had failed is no failure.
      guard let bot = event.text("bot"), event.text("from") == TaskState.inProgress.rawValue else { return }
      bots[bot, default: PerBot()].tasksFailed += 1
    default: break
    }
  }
}
