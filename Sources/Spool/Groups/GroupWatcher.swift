import Linux
import SpoolFormat

/// Tells which groups were moved. Every event is a hint; the directories are the truth, and are to be listed at intervals.
public final class GroupWatcher {
  private let watcher: MoveWatcher<GroupEntry>

  public init(_ spool: Spool) throws { watcher = try MoveWatcher(spool) }

  /// Readable when there is something to take; nil where there is no such thing.
  public var descriptor: CInt? { watcher.descriptor }

  /// Where groups were moved to; nil when only a listing of all directories can tell.
  public func takeMoves() throws -> [GroupEntry]? { try watcher.takeMoves() }
}
