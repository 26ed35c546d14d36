import CoordinatorPolicy
import Linux
import Routing
import Spool
import SpoolFormat

/// What the log teaches: about bots, through the records that are kept beside their cards, and about tasks, to a coordinator
/// that reads on from where the last one stopped (`coordinator/position.json`).
struct Outcomes {
  private static let file = "position.json"
  /// Events read in one turn of the loop, so that a long log doesn't keep it from its work.
  private static let eventsPerTurn = 2000
  private static let saveNanoseconds = 30_000_000_000

  private let spool: Spool
  private var book: RecordBook
  /// Up to where coordinators have read before.
  private var seen: RecordBook.Positions
  private var savesAt = 0
  private var hasChanged = false
  private var looksForHostsAt = 0

  var team: TeamRecord { book.team }
  /// Whether it has caught up with the log once.
  var isCurrent: Bool { book.isCurrent }

  init(_ spool: Spool) throws {
    self.spool = spool
    let saved = (try? spool.readCoordinatorFile(Self.file)).flatMap { $0 }.flatMap { try? JSONValue(parsing: $0) }
    seen = RecordBook.positions(saved?["read"])
    book = try RecordBook(spool, readingFrom: seen)
  }

  /// Reads on.
  /// - Parameter body: called with each event about a task, and where that stands since.
  /// - Returns: how attempts ended, which `team` has taken in already.
  mutating func readOn(_ body: (LogEvent, TaskEntry) -> Void) throws -> [TaskOutcome] {
    let now = Clock.sinceBoot()
    if now >= looksForHostsAt {
      looksForHostsAt = now + 2_000_000_000
      try book.addNewHosts()
    }
    var events: [(LogEvent, TaskEntry)] = []
    let seen = seen
    let (lessons, _) = try book.readOn(limit: Self.eventsPerTurn) { event, host, place in
      guard event.kind.isOfTask, seen[host].map({ place >= $0 }) ?? true, let entry = event.entry else { return }
      events.append((event, entry))
    }
    for (event, entry) in events { body(event, entry) }
    if book.hasChanged || !events.isEmpty { hasChanged = true }
    return lessons.compactMap { if case .outcome(let outcome) = $0.what { outcome } else { nil } }
  }

  /// When there is something to save, when that is due; nanoseconds since boot.
  var nextDue: Int { hasChanged ? savesAt : .max }

  /// Saves it, if it is time to. Losing it costs no more than reading the log again.
  /// - Parameter isSettled: whether what was read was acted on; if not, it is saved later.
  mutating func save(_ now: Int, isSettled: Bool) {
    guard now >= savesAt else { return }
    savesAt = Clock.sinceBoot() + (isSettled ? Self.saveNanoseconds : Coordinator.pauseNanoseconds)
    guard hasChanged, isCurrent, isSettled else { return }
    hasChanged = false
    try? book.save()
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("read")
    RecordBook.write(book.positions, to: &writer)
    writer.endObject()
    _ = try? spool.writeCoordinatorFile(Self.file, Array(writer.text.value.prettyPrinted().utf8) + [10])
  }
}
