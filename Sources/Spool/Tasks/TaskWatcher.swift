import Linux
import SpoolFormat

/// Tells which tasks were moved. Every event is a hint; the directories are the truth, and are to be listed at intervals.
public final class TaskWatcher {
  private let watcher: MoveWatcher<TaskEntry>

  public init(_ spool: Spool) throws { watcher = try MoveWatcher(spool) }

  /// `inotify`, `dnotify` or `polling`; on a network file system events tell of this host's changes only.
  public var mechanism: DirectoryWatcher.Mechanism { watcher.mechanism }

  /// Readable when there is something to take; nil where there is no such thing.
  public var descriptor: CInt? { watcher.descriptor }

  /// Where tasks were moved to; nil when only a listing of all directories can tell.
  public func takeMoves() throws -> [TaskEntry]? { try watcher.takeMoves() }
}
