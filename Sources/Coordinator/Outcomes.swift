import CoordinatorPolicy
import Linux
import Spool
import SpoolFormat

/// What the log teaches about bots: who tried what, with what success, and how long it took. Kept in
/// `coordinator/records.json` with the place in the log up to which it was read, and made again from the log without it.
struct Outcomes {
  private static let file = "records.json"
  /// Events read in one turn of the loop, so that a long log doesn't keep it from its work.
  private static let eventsPerTurn = 2000
  private static let saveNanoseconds = 30_000_000_000

  private let spool: Spool
  private var follower: LogFollower
  private(set) var team: TeamRecord
  /// When attempts began.
  private var started: [MessageID: Timestamp] = [:]
  private var savesAt = 0
  private var hasChanged = false
  private var looksForHostsAt = 0
  /// Whether it has caught up with the log once.
  private(set) var isCurrent = false

  init(_ spool: Spool) throws {
    self.spool = spool
    let saved = (try? spool.readCoordinatorFile(Self.file)).flatMap { $0 }.flatMap { try? JSONValue(parsing: $0) }
    var positions: [String: LogFollower.Position] = [:]
    for (host, value) in (saved?["positions"]?.object ?? JSONObject()).map({ ($0.key, $0.value) }) {
      guard let segment = value["segment"]?.string, let offset = value["offset"]?.int else { continue }
      positions[host] = LogFollower.Position(segment: segment, offset: offset)
    }
    // Without the one the other is worth nothing.
    if let bots = saved?["bots"], let read = try? TeamRecord(parsing: Array(bots.text.description.utf8)) {
      team = read
    } else {
      team = TeamRecord()
      positions = [:]
    }
    follower = try LogFollower(spool, from: positions)
  }

  /// Reads on.
  /// - Parameter body: called with each event about a task, and where that stands since.
  /// - Returns: how attempts ended, which `team` has taken in already.
  mutating func readOn(_ body: (LogEvent, TaskEntry) throws -> Void) throws -> [TaskOutcome] {
    let now = Clock.sinceBoot()
    if now >= looksForHostsAt {
      looksForHostsAt = now + 2_000_000_000
      try follower.addNewHosts()
    }
    var news: [TaskOutcome] = []
    var events: [LogEvent] = []
    let hasMore = try follower.take(limit: Self.eventsPerTurn) { if $0.kind.isOfTask { events.append($0) } }
    for event in events {
      guard let entry = event.entry else { continue }
      if let outcome = learn(event, entry) { news.append(outcome) }
      try body(event, entry)
    }
    if !hasMore { isCurrent = true }
    for outcome in news { team.count(outcome) }
    if !news.isEmpty { hasChanged = true }
    if hasChanged, now >= savesAt { save() }
    return news
  }

  private mutating func learn(_ event: LogEvent, _ entry: TaskEntry) -> TaskOutcome? {
    switch event.kind {
    case .taskStarted:
      started[entry.id] = event.time
      return nil
    case .taskCompleted, .taskFailed, .taskRetried, .taskExpired:
      let began = started.removeValue(forKey: entry.id)
      // Retried by hand, failed without having been tried: nobody's doing.
      guard event.text("from") == TaskState.inProgress.rawValue,
        let bot = event.text("bot").flatMap({ try? BotName(parsing: $0) })
      else { return nil }
      let record = event.taskBytes.flatMap { try? TaskRecord(parsing: $0) }
      guard let begin = began ?? record?.startedAt else { return nil }
      return TaskOutcome(
        bot: bot, needs: record.map { TaskNeeds($0) } ?? TaskNeeds(), succeeded: event.kind == .taskCompleted,
        seconds: event.time.seconds(since: begin))
    case .taskCancelled, .taskReleased, .taskBlocked:
      started[entry.id] = nil
      return nil
    default: return nil
    }
  }

  /// When there is something to save, when that is due; nanoseconds since boot.
  var nextDue: Int { hasChanged ? savesAt : .max }

  /// Losing it costs no more than reading the log again.
  mutating func save() {
    savesAt = Clock.sinceBoot() + Self.saveNanoseconds
    guard hasChanged else { return }
    hasChanged = false
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("positions")
    writer.beginObject()
    for (host, position) in follower.positions.sorted(by: { $0.key < $1.key }) {
      writer.key(host)
      writer.beginObject()
      writer.member("segment", position.segment)
      writer.member("offset", position.offset)
      writer.endObject()
    }
    writer.endObject()
    writer.key("bots")
    team.write(to: &writer)
    writer.endObject()
    _ = try? spool.writeCoordinatorFile(Self.file, Array(writer.text.value.prettyPrinted().utf8) + [10])
  }
}
