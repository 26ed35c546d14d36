import Glibc
import Linux
import SpoolFormat

/// The part of recovery that concerns tasks, or groups: each that the log knows has one file, in the state where it was
/// last, with content that can be read. A file that was moved to where the log never saw it was moved by a person, and
/// stays.
struct EntryRecovery<Entry: FiledEntry> {
  let root: Directory
  let host: String
  let part: String
  let log: LogWriter?
  let files: LogFiles
  let isCopy: Bool

  /// What the log says of one.
  private struct Known {
    var entry: Entry
    /// Of the last line about it.
    var time: Timestamp
    var position: LogCursor.Position
    /// The newest line that has all of it; nil when that is before the checkpoint.
    var body: LogCursor.Position?
    /// The number of that line among those about the task.
    var bodyNumber = 0
    var number = 0
    /// Where it stood before, and until which of these lines: a file that is still there is behind the log.
    var earlier: [Standing: Int] = [:]
    /// Between two lines, the second of which says that it stood elsewhere than the first: the attempts of which lines are
    /// missing, and the number of the line before.
    var gaps: [(attempts: ClosedRange<Int>, number: Int)] = []

    /// The same for a place; nil for one where it never was by the log. Attempts only ever become more, so a file of an
    /// earlier one is where it was when those lines were written.
    func stoodUntil(_ place: Entry) -> Int? {
      if let number = earlier[Standing(place)] { return number }
      guard place.name.attempt < entry.name.attempt else { return nil }
      return gaps.last { $0.attempts.contains(place.name.attempt) }?.number
    }
  }

  private struct Standing: Hashable {
    let state: Entry.State
    let attempt: Int

    init(state: Entry.State, attempt: Int) {
      self.state = state
      self.attempt = attempt
    }

    init(_ entry: Entry) { self.init(state: entry.state, attempt: entry.name.attempt) }
  }

  private var known: [MessageID: Known] = [:]
  private var removed: Set<MessageID> = []
  private var places: [MessageID: [Entry]] = [:]
  private var moves: [MessageID: [Move]] = [:]

  init(root: Directory, host: String, part: String, log: LogWriter?, isCopy: Bool) {
    self.root = root
    self.host = host
    self.part = part
    self.log = log
    self.isCopy = isCopy
    files = LogFiles(root: root)
  }

  mutating func apply(_ event: LogEvent, _ position: LogCursor.Position) {
    guard let id = MessageID(event.subject), let entry = Entry(event) else { return }
    if event.kind == Entry.removed {
      known[id] = nil
      removed.insert(id)
      return
    }
    removed.remove(id)
    var task = known[id] ?? Known(entry: entry, time: event.time, position: position)
    task.earlier[Standing(task.entry)] = task.number
    if let origin = Entry.origin(event) {
      let standing = Standing(state: origin.state, attempt: origin.attempt)
      let before = task.entry.name.attempt
      if standing != Standing(task.entry), before <= origin.attempt {
        task.gaps.append((before...origin.attempt, task.number))
      }
      task.earlier[standing] = task.number
    }
    task.earlier[Standing(entry)] = nil
    task.entry = entry
    task.time = event.time
    task.position = position
    task.number += 1
    if Entry.body(event) != nil {
      task.body = position
      task.bodyNumber = task.number
    }
    known[id] = task
  }

  /// Somebody has collected meanwhile: what was done with then may lack its last lines.
  mutating func forget(what since: Forgotten) {
    known = known.filter { !since.covers($0.key, $0.value.position, $0.value.time) }
  }

  /// Reads all that the log says of those whose files aren't as what was read of it has them, if it was only read from
  /// checkpoints on: what became of one may stand before that of another part than what brought it there. And of what a
  /// process that died was changing: its line may stand before the checkpoint, too. After `look`.
  mutating func complete(hasOtherParts: Bool) throws {
    let doubtful = known.filter { id, known in
      hasOtherParts && (places[id] != [known.entry] || isReadable(known.entry.path, id) != true)
    }
    let ids = Set(doubtful.keys).union(moves.keys)
    guard !ids.isEmpty else { return }
    for id in ids { known[id] = nil }
    removed.subtract(ids)
    let forgotten = try Forgotten(in: root)
    for (event, position) in try files.events(about: ids) {
      guard let id = MessageID(event.subject), !forgotten.covers(id, position, event.time) else { continue }
      apply(event, position)
    }
    forget(what: try Forgotten(in: root))
  }

  // MARK: Files

  private struct Move {
    let path: String
    let move: StateMove<Entry>
    let isOurs: Bool
  }

  /// Looks where everything lies. Before the log is read to its end: a line comes before its file goes.
  mutating func look() throws(SystemCallError) {
    moves = try allMoves()
    places = [:]
    for state in Entry.State.allCases {
      try root.list(Entry.directory(state)) {
        if let name = EntryName($0, of: Entry.kind) {
          places[name.id, default: []].append(Entry(state: state, name: name))
        }
      }
    }
  }

  /// After `look`.
  /// - Parameter live: others of this host may be at work.
  mutating func mend(mending: Bool, live: Bool, _ report: inout RecoveryReport) throws {
    for id in Set(known.keys).union(moves.keys).sorted() {
      try mend(id, places[id] ?? [], moves[id] ?? [], mending: mending, live: live, &report)
    }
    guard mending, !live else { return }
    for mover in try root.names(Entry.moving).compactMap({ Holder($0) }) where isCopy || mover.host == host {
      _ = try? root.removeDirectory("\(Entry.moving)/\(mover)")
    }
    guard let temporary = Entry.temporary else { return }
    for name in try root.names(temporary) {
      guard let entry = EntryName(name), isCopy || entry.holder?.host == host else { continue }
      try root.clear("\(temporary)/\(entry)")
    }
  }

  private func allMoves() throws(SystemCallError) -> [MessageID: [Move]] {
    var moves: [MessageID: [Move]] = [:]
    for mover in try root.names(Entry.moving).compactMap({ Holder($0) }) {
      for name in try root.names("\(Entry.moving)/\(mover)") {
        guard let move = StateMove<Entry>(name) else { continue }
        moves[move.entry.id, default: []].append(
          Move(path: "\(Entry.moving)/\(mover)/\(name)", move: move, isOurs: isCopy || mover.host == host))
      }
    }
    return moves
  }

  private func mend(
    _ id: MessageID, _ places: [Entry], _ moves: [Move], mending: Bool, live: Bool,
    _ report: inout RecoveryReport
  ) throws {
    // Somebody is at it, here or elsewhere.
    if live, !moves.isEmpty || places.count > 1 { return }
    if places.isEmpty, moves.contains(where: { !$0.isOurs }) { return }
    if places.isEmpty, removed.contains(id) { return try clear(moves, mending: mending, live: live) }
    if places.isEmpty, moves.isEmpty, try isUnderWay(id, live: live) { return }
    switch places.count {
    case 0: try restore(id, moves, mending: mending, &report)
    case 1: try check(places[0], known[id], mending: mending, live: live, &report)
    default: try unite(id, places, mending: mending, &report)
    }
    try clear(moves, mending: mending, live: live)
  }

  private func clear(_ moves: [Move], mending: Bool, live: Bool) throws(SystemCallError) {
    guard mending, !live else { return }
    for move in moves where move.isOurs { try root.clear(move.path) }
  }

  /// Whether one that isn't in its place may be on its way there.
  private func isUnderWay(_ id: MessageID, live: Bool) throws -> Bool {
    guard let known = known[id] else { return true }
    if !isCopy, root.isRemote, known.position.segment.host != part || log == nil,
      abs(Timestamp(microseconds: Clock.wall()).seconds(since: known.time)) < Recovery.inFlightSeconds
    {
      return true
    }
    guard live else { return false }
    // It may have moved on while the directories were read, one after the other.
    var isThere = false
    let states = Entry.State.allCases.map { Entry.directory($0) }
    // From the one into the other, and back.
    for directories in [[Entry.temporary].compactMap({ $0 }), try moverDirectories(), states, try moverDirectories()] {
      for directory in directories { try root.list(directory) { if Self.bears($0, id) { isThere = true } } }
    }
    return isThere
  }

  private func moverDirectories() throws -> [String] {
    try root.names(Entry.moving).map { "\(Entry.moving)/\($0)" }
  }

  private static func bears(_ name: UnsafeBufferPointer<UInt8>, _ id: MessageID) -> Bool {
    String(decoding: name, as: UTF8.self).contains(id.description)
  }

  /// It has no file in any state.
  private func restore(_ id: MessageID, _ moves: [Move], mending: Bool, _ report: inout RecoveryReport) throws {
    let old = moves.first { $0.move.side == .old }
    if let entry = known[id]?.entry, let body = try body(id) {
      report.add(entry.path, "is missing", "made again from the log")
      if mending { try write(body, entry) }
    } else if let old, isReadable(old.path, id) == true {
      report.add(old.path, "was left by a process that died", "put back")
      if mending { _ = try root.renameIfPresent(old.path, to: old.move.entry.path) }
    } else if let old, let body = try body(id) {
      report.add(old.path, "is damaged", "made again from the log")
      if mending { try write(body, old.move.entry) }
    }
  }

  private func check(
    _ entry: Entry, _ known: Known?, mending: Bool, live: Bool, _ report: inout RecoveryReport
  ) throws {
    let stoodUntil = known?.stoodUntil(entry)
    guard let isReadable = isReadable(entry.path, entry.id) else { return }
    // Where the lines between are damaged, the log may not have seen it there.
    let wasSeen = stoodUntil != nil || known?.entry.isSettled == true || !isReadable
    let isBehind = !live && known != nil && known?.entry != entry && wasSeen
    let target = isBehind ? known!.entry : entry
    if !isReadable {
      guard let body = try body(entry.id) else { return }
      report.add(entry.path, "is not what was written", "made again from the log")
      guard mending else { return }
      try write(body, target)
    } else if isBehind {
      report.add(entry.path, "is \(target.state.rawValue) by the log", "moved there")
      guard mending else { return }
      // What it became since then is in the log alone.
      if known!.bodyNumber > stoodUntil ?? 0, let body = try body(entry.id) {
        try write(body, target)
      } else {
        _ = try root.renameIfPresent(entry.path, to: target.path)
        return
      }
    } else {
      return
    }
    if target != entry { try root.clear(entry.path) }
  }

  /// A move may leave both names behind when the power fails.
  private func unite(_ id: MessageID, _ places: [Entry], mending: Bool, _ report: inout RecoveryReport) throws {
    let known = known[id]
    let readable = places.filter { isReadable($0.path, id) == true }
    // Damaged, it is made again where the log has it: another name may be older, though the log has lost it.
    let logged = try places.first { $0 == known?.entry }.flatMap { entry throws -> Entry? in
      try readable.contains(entry) || body(id) != nil ? entry : nil
    }
    func stoodUntil(_ entry: Entry) -> Int { known?.stoodUntil(entry) ?? .max }
    let kept = logged ?? readable.max { stoodUntil($0) < stoodUntil($1) } ?? places[0]
    // A script that knows of no recovery may have moved it just now.
    guard try root.status(kept.path) != nil else { return }
    for place in places where place != kept {
      report.add(place.path, "is there twice", "removed: it is \(kept.state.rawValue)")
      if mending { try root.clear(place.path) }
    }
    try check(kept, known, mending: mending, live: false, &report)
  }

  /// Nil when it isn't there any more.
  private func isReadable(_ path: String, _ id: MessageID) -> Bool? {
    let bytes: [UInt8]?
    // What can't be read now may be readable for others.
    do { bytes = try root.readFile(path, maximum: TaskRecord.bytesMax) } catch { return true }
    guard let bytes else { return nil }
    return Entry.isReadable(bytes, id)
  }

  /// The newest content that the log has.
  private func body(_ id: MessageID) throws -> [UInt8]? {
    if let position = known[id]?.body, let event = try files.event(at: position) { return Entry.body(event) }
    var newest: (time: Timestamp, body: [UInt8])?
    for segment in try files.segments(since: id.time) {
      try files.forEachEvent(about: [id], in: segment) { event, _ in
        if let body = Entry.body(event), newest.map({ $0.time <= event.time }) ?? true { newest = (event.time, body) }
        return true
      }
    }
    return newest?.body
  }

  private func write(_ body: [UInt8], _ entry: Entry) throws {
    try root.makeTop()
    let temporary = Layout.temporary("recovery-\(getpid())-\(UInt32.random(in: .min ... .max))")
    try root.replace(entry.path, with: body + [10], through: temporary)
    try log?.append(Entry.restored, entry.id.description) { writer in
      writer.beginObject()
      writer.member("state", entry.state.rawValue)
      writer.member("attempt", entry.name.attempt)
      writer.member("name", entry.name.description)
      writer.endObject()
    }
  }
}
