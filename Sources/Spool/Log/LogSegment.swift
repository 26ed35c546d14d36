import Glibc
import Linux
import SpoolFormat
import Synchronization

extension LogWriter {
  /// An open segment, kept open by those who wait for it to be synced.
  final class Segment: Sendable {
    private struct Syncs {
      /// What stands in the segment before this position is on the disk.
      var position: UInt64 = 0
      var isRefused = false
    }

    /// The page's count of it.
    let number: UInt64
    let start: Timestamp
    let file: Descriptor
    private let syncs = Mutex(Syncs())

    init(number: UInt64, start: Timestamp, file: consuming Descriptor) {
      self.number = number
      self.start = start
      self.file = file
    }

    /// Returns when what stands in the segment before `position` is on the disk; up to where it is. Linux tells once of what
    /// it could not write, and says yes to whoever asks next for the same open file. So one asks at a time, for all who
    /// wait for their turn meanwhile, and nobody after a no.
    func sync(upTo position: UInt64, of page: CommitPage) throws(SystemCallError) -> UInt64 {
      try syncs.withLock { syncs throws(SystemCallError) in
        if syncs.position >= position { return syncs.position }
        guard !syncs.isRefused else { throw SystemCallError("fdatasync", "", EIO) }
        syncs.isRefused = true
        let written = page.written
        let began = Clock.sinceBoot()
        try file.syncData()
        page.noteSyncTime(Clock.sinceBoot() - began)
        syncs.isRefused = false
        syncs.position = written
        return written
      }
    }
  }
}
