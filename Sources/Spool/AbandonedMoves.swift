import Glibc
import Linux
import SpoolFormat

extension History {
  /// The newest event about a task, or a group; nil when no log knows it.
  func last<Entry: FiledEntry>(of id: MessageID, _: Entry.Type) throws -> LogEvent? {
    var last: LogEvent?
    try forEachEvent(about: id) { event in
      if Entry(event) != nil, last.map({ $0.time <= event.time }) ?? true { last = event }
      return true
    }
    return last
  }
}

/// What processes were doing to tasks and groups when they died, or could not go on: what the log has is finished, and the
/// rest is taken back.
extension Spool {
  /// What lies below a `moving/`, whoever moves it, and where.
  func onTheMove<Entry: FiledEntry>(_: Entry.Type) throws(SystemCallError) -> [(path: String, move: StateMove<Entry>)] {
    var found: [(path: String, move: StateMove<Entry>)] = []
    for mover in try root.names(Entry.moving) {
      let directory = "\(Entry.moving)/\(mover)"
      for name in try root.names(directory) {
        if let move = StateMove<Entry>(name) { found.append(("\(directory)/\(name)", move)) }
      }
    }
    return found
  }

  /// - Returns: what is where it should be again.
  func settleMoves<Entry: FiledEntry>(
    of _: Entry.Type, _ observations: inout LeaseObservations
  ) throws(SystemCallError) -> [Entry] {
    let now = Clock.sinceBoot()
    var settled: [Entry] = []
    for mover in try root.names(Entry.moving).compactMap({ Holder($0) }) {
      let directory = "\(Entry.moving)/\(mover)"
      let isOurs = mover == holder
      let names = try root.names(directory).filter { !isOurs || isLeft("\(directory)/\($0)") }
      // Somebody else's content stands still for a moment only; each name is one step.
      var stood = names.isEmpty ? 0 : Int.max
      for name in names {
        stood = min(stood, observations.observe("\(mover)/\(name)", modified: 0, now: now, limit: leaseNanoseconds))
      }
      guard isOurs || isAbandoned(mover, stood) else { continue }
      let moves = Dictionary(grouping: names.compactMap { StateMove<Entry>($0) }, by: \.entry.id)
      for (id, moves) in moves.sorted(by: { $0.key < $1.key }) {
        let name = moves[0].fileName
        guard
          let entry = observations.attempt(
            "\(mover)/\(name)", at: "\(directory)/\(name)",
            { () throws in
              try settle(id, moves, in: directory)
            })
        else { continue }
        if let entry { settled.append(entry) }
        for move in moves { _ = takeLeft("\(directory)/\(move.fileName)") }
      }
      if !isOurs { _ = try? root.removeDirectory(directory) }
    }
    return settled
  }

  private func settle<Entry: FiledEntry>(
    _ id: MessageID, _ moves: [StateMove<Entry>], in directory: String
  ) throws -> Entry? {
    func path(_ move: StateMove<Entry>) -> String { "\(directory)/\(move.fileName)" }
    let old = moves.first { $0.side == .old }
    let new = moves.first { $0.side == .new }
    let last = try History(self).last(of: id, Entry.self)
    var settled: Entry?
    if let new, let last, try isLogged(path(new), of: new.entry, last),
      try old != nil || standing(id, Entry.self) == nil
    {
      if try root.renameIfPresent(path(new), to: new.entry.path) { settled = new.entry }
    } else {
      // The new one first: who was only stopped logs nothing when it is gone.
      if let new { try root.clear(path(new)) }
      // Collected, nobody needs it any more.
      let isRemoved = new == nil && last?.kind == Entry.removed && last.flatMap { Entry($0) } == old?.entry
      if let old, !isRemoved, try new != nil || standing(id, Entry.self) == nil {
        if try root.renameIfPresent(path(old), to: old.entry.path) { settled = old.entry }
      }
    }
    if let old { try root.clear(path(old)) }
    return settled
  }

  /// Whether the log has the content of a file on the move. Where it stands doesn't tell: it may have stood there before.
  private func isLogged<Entry: FiledEntry>(_ path: String, of entry: Entry, _ last: LogEvent) throws -> Bool {
    guard Entry(last) == entry else { return false }
    // Nothing leads away from there; a file that is damaged is made again from the log.
    if entry.isSettled { return true }
    do throws(SystemCallError) {
      guard let bytes = try root.readFile(path, maximum: TaskRecord.bytesMax) else { return false }
      return Entry.says(bytes, last)
    } catch {
      guard Self.isNoFile(error) else { throw error }
      return false
    }
  }

  /// Where one is among the states, whatever is on the move. Looked at twice: what moves from a directory that is still to
  /// come to one that was looked at before would be missed.
  private func standing<Entry: FiledEntry>(_ id: MessageID, _: Entry.Type) throws(SystemCallError) -> Entry? {
    for _ in 0..<2 {
      for state in Entry.State.allCases {
        var found: Entry?
        try root.list(Entry.directory(state)) {
          if let name = EntryName($0, of: Entry.kind), name.id == id { found = Entry(state: state, name: name) }
        }
        if let found { return found }
      }
    }
    return nil
  }

  /// Whether this process was stopped for so long that others took it for dead, and took back what it was about to log.
  /// - Parameter began: before it made the file at `path`; by `Clock.withSleep`.
  func wasTakenBack(_ path: String, since began: Int) throws -> Bool {
    try Clock.withSleep() - began >= leaseNanoseconds && root.status(path) == nil
  }

  /// Whether a change was undone by others, who took us for dead just before our line was in the log: that is the last
  /// about it, and its file is another, or nowhere.
  func isUndone<Entry: FiledEntry>(_ entry: Entry, _ body: [UInt8]) throws -> Bool {
    guard let last = try History(self).last(of: entry.id, Entry.self), Entry(last) == entry, Entry.says(body, last)
    else {
      return false
    }
    return try root.readFile(entry.path, maximum: Entry.bytesMax) != body
  }

  /// Makes a file again that others took away, who took us for dead before our line was in the log. After it, they put it in
  /// its place.
  /// - Parameters:
  ///   - directory: that of `temporary`, which they may have removed.
  ///   - isLost: whether it is in no place, and the log says that it should be in this.
  func bringBack(
    _ body: [UInt8], to path: String, through temporary: String, in directory: String, if isLost: () throws -> Bool
  ) throws {
    guard try isLost(), let file = try createInMoving(temporary, directory) else { return }
    do {
      try file.write(body)
      try file.close()
      // Not in the place of what somebody else has brought there.
      do { try root.link(temporary, to: path) } catch { if error.code != EEXIST { throw error } }
    } catch {
      discard(temporary)
      throw error
    }
    try root.unlinkIfPresent(temporary)
  }

  /// Removes what this process has begun and won't finish; what can't be removed is settled later.
  func discard(_ path: String) { do { try root.unlinkIfPresent(path) } catch { Self.leave(path) } }
}
