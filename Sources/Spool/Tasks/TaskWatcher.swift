import Linux
import SpoolFormat

/// Tells which tasks were moved. Every event is a hint; the directories are the truth, and are to be listed at intervals.
public final class TaskWatcher {
  private let spool: Spool
  private let watcher: DirectoryWatcher
  private var isComplete = false

  public init(_ spool: Spool) throws {
    self.spool = spool
    watcher = try doing("cannot watch the tasks") { try DirectoryWatcher(spool.root) }
    try watchAll()
  }

  private func watchAll() throws {
    try doing("cannot watch the tasks") {
      try spool.makingTaskDirectories { () throws(SystemCallError) in
        isComplete = true
        for state in TaskState.allCases where try !watcher.watch(Layout.tasks(state)) {
          isComplete = false
          throw SystemCallError("inotify_add_watch", Layout.tasks(state), 2)
        }
      }
    }
  }

  /// `inotify`, `dnotify` or `polling`; on a network file system events tell of this host's changes only.
  public var mechanism: DirectoryWatcher.Mechanism { watcher.mechanism }

  /// Readable when there is something to take; nil where there is no such thing.
  public var descriptor: CInt? { watcher.descriptor }

  /// Where tasks were moved to; nil when only a listing of all directories can tell.
  public func takeMoves() throws -> [TaskEntry]? {
    let changes = try doing("cannot watch the tasks") { try watcher.takeChanges() }
    if changes.watchAgain || !isComplete { try watchAll() }
    if changes.lookAgain || changes.watchAgain || watcher.descriptor == nil { return nil }
    var moves: [TaskEntry] = []
    for (directory, name) in zip(changes.directories, changes.names) {
      guard let state = TaskState(rawValue: String(directory.dropFirst(Layout.tasks.utf8.count + 1))),
        let name = name.withUnsafeBufferPointer({ EntryName($0, of: .task) })
      else { continue }
      moves.append(TaskEntry(state: state, name: name))
    }
    return moves
  }
}
