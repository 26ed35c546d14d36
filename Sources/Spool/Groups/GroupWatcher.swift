import Glibc
import Linux
import SpoolFormat

/// Tells which groups were moved. Every event is a hint; the directories are the truth, and are to be listed at intervals.
public final class GroupWatcher {
  private let spool: Spool
  private let watcher: DirectoryWatcher
  private var isComplete = false

  public init(_ spool: Spool) throws {
    self.spool = spool
    watcher = try doing("cannot watch the groups") { try DirectoryWatcher(spool.root) }
    try watchAll()
  }

  private func watchAll() throws {
    try doing("cannot watch the groups") {
      try spool.makingTaskDirectories { () throws(SystemCallError) in
        isComplete = true
        for state in GroupState.allCases where try !watcher.watch(Layout.groups(state)) {
          isComplete = false
          throw SystemCallError("inotify_add_watch", Layout.groups(state), ENOENT)
        }
      }
    }
  }

  /// Readable when there is something to take; nil where there is no such thing.
  public var descriptor: CInt? { watcher.descriptor }

  /// Where groups were moved to; nil when only a listing of all directories can tell.
  public func takeMoves() throws -> [GroupEntry]? {
    let changes = try doing("cannot watch the groups") { try watcher.takeChanges() }
    if changes.watchAgain || !isComplete { try watchAll() }
    if changes.lookAgain || changes.watchAgain || watcher.descriptor == nil { return nil }
    var moves: [GroupEntry] = []
    for (directory, name) in zip(changes.directories, changes.names) {
      guard let state = GroupState(rawValue: String(directory.dropFirst(Layout.groups.utf8.count + 1))),
        let name = name.withUnsafeBufferPointer({ EntryName($0) })
      else { continue }
      moves.append(GroupEntry(state: state, name: name))
    }
    return moves
  }
}

extension Spool {
  /// Waits until a group has ended: completed and dissolved, failed, or cancelled.
  /// - Parameters:
  ///   - seconds: waits so long at most; nil waits for ever.
  ///   - body: called with how it stands, nil as long as no hub has taken it, at first and whenever that may be new.
  /// - Returns: how it stands in the end; nil when no hub has taken it.
  public func waitForGroup(
    _ id: MessageID, seconds: Double? = nil, _ body: (StoredGroup?) -> Void = { _ in }
  ) throws -> StoredGroup? {
    let watcher = try GroupWatcher(self)
    let end = seconds.map { Clock.sinceBoot() + Int(min($0, 1e9) * 1e9) } ?? .max
    var pace = LookPace()
    var last: GroupEntry?
    while true {
      let group = try group(id)
      if group?.entry != last { pace.noteChange() }
      last = group?.entry
      body(group)
      // One that is completed is dissolved in a moment, when all have heard of it.
      if let group, !group.state.isLive, group.state != .completed { return group }
      let step =
        Clock.sinceBoot()
        + (root.isRemote ? pace.interval() : watcher.descriptor == nil ? 200_000_000 : 2_000_000_000)
      wait: while true {
        let left = min(end, step) - Clock.sinceBoot()
        guard left > 0 else { break }
        let descriptors = [watcher.descriptor].compactMap { $0 }
        _ = try doing("cannot wait for a group") { try Poll.wait(descriptors, nanoseconds: left) }
        guard let moves = try watcher.takeMoves() else { break wait }
        if moves.contains(where: { $0.id == id }) { break wait }
      }
      if Clock.sinceBoot() >= end { return group }
    }
  }
}
