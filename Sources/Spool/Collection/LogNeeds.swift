import Glibc
import Linux
import SpoolFormat

/// What is still needed of the log: found by reading all of it, and by looking at the files.
struct LogNeeds {
  struct Key {
    /// Relative to the spool.
    let path: String
    /// Whoever took it has ended.
    let isAbandoned: Bool
    /// Its line was removed before.
    let wasForgotten: Bool
    var isLogged = false
  }

  private let spool: Spool
  private let files: LogFiles
  private let old: Forgotten
  /// Messages, tasks and groups.
  private(set) var ids: Set<MessageID> = []
  /// Messages for bots whose directory somebody removed: their lines keep nothing, and count where they are left.
  private(set) var idsForNobody: Set<MessageID> = []
  /// How far the log was read.
  private(set) var read: [String: LogFollower.Position] = [:]
  private(set) var keys: [MessageID: Key] = [:]
  /// Where the newest version of each shared value stands.
  private var values: [StateKey: (version: Int, isDeleted: Bool, segment: LogFiles.Segment)] = [:]

  init(_ spool: Spool, _ files: LogFiles, _ old: Forgotten) {
    self.spool = spool
    self.files = files
    self.old = old
  }

  /// The files, then the log, then the files again: what was settled in between is in neither, and what is under way is in
  /// one of them.
  func gathered() throws -> LogNeeds {
    var needs = self
    try needs.gatherKeys()
    try needs.gatherFiles()
    try needs.gatherLog()
    try needs.gatherFiles()
    return needs
  }

  // MARK: Files

  private mutating func gatherFiles() throws(SystemCallError) {
    let root = spool.root
    var found: [MessageID] = []
    for bot in try root.names(Layout.bots).compactMap({ try? BotName(parsing: $0) }) {
      for box in Layout.Box.allCases where box != .presence {
        try root.list(Layout.box(bot, box)) { if let name = EntryName($0) { found.append(name.id) } }
      }
    }
    ids.formUnion(found)
    try gatherTasks()
    try gatherGroups()
  }

  private mutating func gatherTasks() throws(SystemCallError) {
    let root = spool.root
    for state in TaskState.live {
      for name in try root.names(Layout.tasks(state)) {
        guard let entry = EntryName(name, of: .task) else { continue }
        ids.insert(entry.id)
        let path = Layout.task(state, entry)
        guard let bytes = (try? root.readFile(path, maximum: TaskRecord.bytesMax)) ?? nil,
          let record = try? TaskRecord(parsing: bytes)
        else { continue }
        ids.formUnion(record.dependsOn)
        ids.formUnion(record.children)
        if let parent = record.parent { ids.insert(parent) }
      }
    }
    for name in try root.names(Layout.tasksTemporary) { if let entry = EntryName(name) { ids.insert(entry.id) } }
    ids.formUnion(try spool.onTheMove(TaskEntry.self).map(\.move.entry.id))
  }

  private mutating func gatherGroups() throws(SystemCallError) {
    let root = spool.root
    for state in GroupState.allCases where state == .forming || state == .active {
      for name in try root.names(Layout.groups(state)) {
        guard let entry = EntryName(name) else { continue }
        ids.insert(entry.id)
        guard let bytes = (try? root.readFile(Layout.group(state, entry), maximum: TaskRecord.bytesMax)) ?? nil,
          let group = try? GroupRecord(parsing: bytes)
        else { continue }
        ids.formUnion(group.parts.map(\.task))
        if let task = group.task { ids.insert(task) }
      }
    }
    for mover in try root.names(Layout.groupsMoving) {
      for name in try root.names("\(Layout.groupsMoving)/\(mover)") {
        if let move = GroupMove(name) { ids.insert(move.entry.id) }
      }
    }
  }

  private mutating func gatherKeys() throws(SystemCallError) {
    for path in try keyPaths(Layout.keys) {
      // Nobody knows what else lies there, and it stops nobody.
      guard let bytes = (try? spool.root.readFile(path, maximum: 4096)) ?? nil else { continue }
      let parts = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace).map(String.init)
      guard let id = parts.first.flatMap({ MessageID($0) }) else { continue }
      let holder = parts.count > 1 ? Holder(parts[1]) : nil
      keys[id] = Key(
        path: path, isAbandoned: holder.map { spool.isGone($0) || !spool.canSee($0) } ?? true,
        wasForgotten: old.until.map { id.time < $0 } ?? false)
    }
  }

  /// Where users share the spool, each has a directory of keys.
  private func keyPaths(_ directory: String) throws(SystemCallError) -> [String] {
    var paths: [String] = []
    for name in try spool.root.names(directory) {
      let path = "\(directory)/\(name)"
      guard let status = try spool.root.status(path) else { continue }
      if status.isRegular { paths.append(path) }
      if status.isDirectory, directory == Layout.keys { paths += try keyPaths(path) }
    }
    return paths
  }

  // MARK: The log

  /// What was sent and isn't settled by the log, whatever the files say: one that a power cut took is still to be made
  /// again.
  private mutating func gatherLog() throws {
    // Of all users' messages, and as in a copy, where nothing is on its way: what is needs its lines, too.
    let recovery = Recovery(
      root: spool.root, host: spool.host, part: spool.part, user: nil, log: nil, isCopy: true)
    var credibility = Credibility(root: spool.root)
    var outstanding: [MessageID: Recovery.Outstanding] = [:]
    var ackedBefore: Set<MessageID> = []
    var overruled: Set<MessageID> = []
    var unfinished: Set<MessageID> = []
    var merge = try LogMerge(files)
    while let (event, position) = try merge.next() {
      read[position.segment.host] = LogFollower.Position(
        segment: position.segment.start.compact, offset: position.offset + 1)
      if event.kind.isOfState, let key = try? StateKey(parsing: event.subject),
        let value = StateValue(parsing: event.data.bytes, key: key), value.version >= values[key]?.version ?? 0
      {
        values[key] = (value.version, value.value == nil, position.segment)
      }
      guard let id = MessageID(event.subject), credibility.holds(event) else { continue }
      if keys[id] != nil, event.kind == .messageSent || event.kind.isOfTask { keys[id]!.isLogged = true }
      if old.covers(id, position, event.time) { continue }
      if event.kind.isOfTask || event.kind.isOfGroup {
        if isUnfinished(event) { unfinished.insert(id) } else { unfinished.remove(id) }
        continue
      }
      if event.kind == .messageSent {
        if ackedBefore.contains(id) {
          overruled.insert(id)
        } else {
          recovery.begin(event, id, position, &outstanding, &credibility)
        }
      } else if outstanding[id] != nil {
        outstanding[id]!.apply(event)
        if outstanding[id]!.isDone { outstanding[id] = nil }
      } else if event.kind == .messageAcked {
        ackedBefore.insert(id)
      } else if event.kind != .messageRestored {
        overruled.insert(id)
      }
    }
    if !overruled.isEmpty {
      try recovery.resurrect(overruled, files, &outstanding, &credibility)
      for id in overruled where outstanding[id]?.isDone == true { outstanding[id] = nil }
    }
    // Recovery makes no bots again, nor what was sent to those that are gone. Where one of several was done with it, the
    // line that says so would have to stay for as long as it is due for another: so that counts as done.
    let isGone = departures()
    let left = outstanding.filter { $0.value.due.keys.allSatisfy(isGone) }
    for id in left.keys { outstanding[id] = nil }
    idsForNobody = Set(left.filter { $0.value.isUntouched }.keys)
    ids.formUnion(outstanding.keys)
    ids.formUnion(unfinished)
    values = try values.filter { try !$1.isDeleted || !isKnownAsDeleted($0, $1.version) }
  }

  /// Tells whether a bot is gone, and asks once for each. Only "no such directory" says so: it may be that this process
  /// can't look.
  private func departures() -> (_ bot: String) -> Bool {
    var known: [String: Bool] = [:]
    return { bot in
      if let known = known[bot] { return known }
      var isGone = false
      if let name = try? BotName(parsing: bot) {
        do { isGone = try spool.root.openIfPresent(Layout.bot(name), O_RDONLY | O_DIRECTORY) == nil } catch {}
      }
      known[bot] = isGone
      return isGone
    }
  }

  /// Whether the files say without the log that a key has no value any more, for as long as there are older lines of it.
  private func isKnownAsDeleted(_ key: StateKey, _ version: Int) throws -> Bool {
    let tokens = try spool.root.names(Layout.versions(key)).compactMap { StateToken($0) }
    guard tokens.count == 1, tokens[0].isDeleted, tokens[0].version >= version else { return false }
    return try spool.root.status(Layout.value(key)) == nil
      && spool.root.status(Layout.undecided(key, tokens[0])) == nil
  }

  /// Of a task or group, as it stood after the event.
  private func isUnfinished(_ event: LogEvent) -> Bool {
    if let state = event.entry?.state { return TaskState.live.contains(state) }
    if let state = event.group?.state { return state == .forming || state == .active }
    return false
  }

  // MARK: Asking

  /// Why a segment is needed; nil when it isn't. Reads it as far as its first line that is.
  func reason(toKeep segment: LogFiles.Segment) throws -> String? {
    if let key = values.first(where: { $0.value.segment == segment })?.key { return "has the value of \(key)" }
    if ids.isEmpty { return nil }
    var found: MessageID?
    try files.forEachEvent(about: ids, in: segment) { event, _ in
      found = MessageID(event.subject)
      return false
    }
    return found.map { "has lines about \($0), which isn't done" }
  }
}

extension Spool {
  /// Removes old segments of the log, of all hosts, that nobody needs, while everything runs. What is left of history is
  /// what stands in the others; records of bots that are made anew know no more.
  /// Cost: reads the log once, and the old part of it twice.
  /// - Parameter records: by host, up to where the log was read for the records of bots: what follows stays.
  /// - Throws: `.tryAgain` when somebody else is at it.
  public func collect(
    _ wish: CollectionWish, records: [String: LogFollower.Position]
  ) throws -> CollectionReport {
    _ = try log
    return try doing("cannot collect what is old of \(path)") { try LogCollection(self, wish, records: records).run() }
  }

  /// Whether the log had something about an id, or may have had before that was removed.
  func hasForgotten(_ id: MessageID) throws -> Bool {
    try doing("cannot read \(Layout.forgotten)") { try Forgotten.until(in: root).map { id.time < $0 } ?? false }
  }
}
