import Glibc
import Linux
import SpoolFormat

/// Tells which tasks, or groups, were moved. Every event is a hint; the directories are the truth, and are to be listed
/// at intervals.
final class MoveWatcher<Entry: FiledEntry> {
  private let spool: Spool
  private let watcher: DirectoryWatcher
  private let states = Dictionary(uniqueKeysWithValues: Entry.State.allCases.map { (Entry.directory($0), $0) })
  private var isComplete = false

  init(_ spool: Spool) throws {
    self.spool = spool
    watcher = try doing("cannot watch the \(Entry.noun)s") { try DirectoryWatcher(spool.root) }
    try watchAll()
  }

  private func watchAll() throws {
    try doing("cannot watch the \(Entry.noun)s") {
      try spool.makingTaskDirectories { () throws(SystemCallError) in
        isComplete = true
        for state in Entry.State.allCases where try !watcher.watch(Entry.directory(state)) {
          isComplete = false
          throw SystemCallError("inotify_add_watch", Entry.directory(state), ENOENT)
        }
      }
    }
  }

  var mechanism: DirectoryWatcher.Mechanism { watcher.mechanism }

  /// Readable when there is something to take; nil where there is no such thing.
  var descriptor: CInt? { watcher.descriptor }

  /// Where they were moved to; nil when only a listing of all directories can tell.
  func takeMoves() throws -> [Entry]? {
    let changes = try doing("cannot watch the \(Entry.noun)s") { try watcher.takeChanges() }
    if changes.watchAgain || !isComplete { try watchAll() }
    if changes.lookAgain || changes.watchAgain || watcher.descriptor == nil { return nil }
    return zip(changes.directories, changes.names).compactMap { directory, bytes in
      guard let state = states[directory],
        let name = bytes.withUnsafeBufferPointer({ EntryName($0, of: Entry.kind) }), Entry.isName(name)
      else { return nil }
      return Entry(state: state, name: name)
    }
  }
}
