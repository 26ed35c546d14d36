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
  private var readsAt = 0
  /// Whether the last reading came to the end of all that it knew of.
  private var isAtEnd = false
  /// When a reading began that came to the end of the logs of all hosts there are; nanoseconds since boot.
  private(set) var wholeSince = Int.min

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
  /// - Parameters:
  ///   - isWhole: new hosts are looked for in any case.
  ///   - learn: called with how each attempt ended, which `team` takes in, too.
  ///   - body: called with each event about a task, and where that stands since.
  /// - Throws: that a host's log can't be read, after those of all others were.
  mutating func readOn(isWhole: Bool, learn: (TaskOutcome) -> Void, _ body: (LogEvent, TaskEntry) -> Void) throws {
    let now = Clock.sinceBoot()
    // Should it fail, not at once again.
    readsAt = now + Coordinator.pauseNanoseconds
    isAtEnd = false
    let looksForHosts = isWhole || now >= looksForHostsAt
    if looksForHosts {
      looksForHostsAt = now + 2_000_000_000
      try book.addNewHosts()
    }
    let seen = seen
    var hasRead = false
    defer { if book.hasChanged || hasRead { hasChanged = true } }
    let hasMore = try book.readOn(limit: Self.eventsPerTurn) { event, host, place, lesson in
      if case .outcome(let outcome) = lesson?.what { learn(outcome) }
      guard event.kind.isOfTask, seen[host].map({ place >= $0 }) ?? true, let entry = event.entry else { return }
      hasRead = true
      body(event, entry)
    }
    readsAt = 0
    isAtEnd = !hasMore
    if isAtEnd, looksForHosts { wholeSince = now }
  }

  /// When to read on at the latest, or to save what there is; nanoseconds since boot.
  var nextDue: Int { isAtEnd ? hasChanged ? savesAt : .max : readsAt }

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
