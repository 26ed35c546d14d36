import Glibc
import Linux
import SpoolFormat
import Synchronization

/// Room: spaces that are written and synced ahead of the lines, which then overwrite them. A sync of a file that grows
/// has the file system commit its journal, with all files that were made meanwhile; one of bytes that were there
/// before writes these and nothing else, in less than half the time.
///
/// It is there only while some process has many lines synced; otherwise the log is a file that grows, as `tail` likes
/// it. Spaces, so that whoever reads the file finds no line in them, and grep and jq nothing that is no text.
extension LogWriter {
  /// When this process last waited for a sync, and how far the log was written then.
  struct Pace {
    private var waits = [(time: Int, written: UInt64)](repeating: (.min / 2, 0), count: Pace.count)
    private var next = 0

    /// One that syncs so many lines within a second is worth room.
    private static let count = 16
    private static let nanoseconds = 1_000_000_000

    mutating func note(_ time: Int, written: UInt64) {
      waits[next] = (time, written)
      next = (next + 1) % Pace.count
    }

    /// Another writer of this process is not to take it away.
    var hasMadeRoom = false
    /// Not tried again for a second after it could not be made.
    var failed = Int.min / 2

    /// Whether the last so many were all within the second before `now`.
    func wantsRoom(at now: Int) -> Bool {
      now - waits[next].time < Pace.nanoseconds && now - failed > Pace.nanoseconds
    }

    /// Bytes of room for what all who append to the log write in a tenth of a second: each room costs a commit of the
    /// journal.
    func roomBytes(at now: Int, written: UInt64) -> Int {
      let since = waits[next]
      let bytes = written > since.written ? Double(written - since.written) : 0
      let wanted = bytes * 1e8 / Double(max(now - since.time, 1))
      return Int(min(max(wanted, Double(LogWriter.roomBytesLeast)), Double(LogWriter.roomBytesMost)))
    }
  }

  /// Bytes that are made at a time: some hundred lines at least.
  static let roomBytesLeast = 256 << 10
  static let roomBytesMost = 2 << 20
  /// More is made when less than this is left.
  private static let roomLeftMin = 64 << 10
  /// Room that nobody used for so long is taken away by whoever looks.
  static let roomIdleNanoseconds = 1_000_000_000

  /// Called by the one who syncs for all, before the sync that covers the room as well. Where it can't be made (a full
  /// disk) there is none.
  func makeRoom(_ segment: Segment) {
    let now = Clock.sinceBoot()
    if page.roomEnd - page.segmentEnd >= Self.roomLeftMin {
      page.roomUsed = now
      return
    }
    let wanted = pace.withLock { $0.wantsRoom(at: now) ? $0.roomBytes(at: now, written: page.written) : 0 }
    let bytes = min(wanted, segmentBytesMax - page.segmentEnd)
    guard bytes >= Self.roomBytesLeast else { return }
    _ = try? locked { state in
      guard page.segment == segment.number, page.failedSegment != segment.number else { return }
      try makeRoom(of: bytes, in: currentSegment(&state), &state)
    }
  }

  func makeRoom(of bytes: Int, in segment: Segment, _ state: inout State) throws(SystemCallError) {
    let end = page.segmentEnd
    let start = max(page.roomEnd, end)
    // Bytes that the page doesn't know of are not to be overwritten. And on a network file system a reader may see the
    // pages of a file as they were at different times, so none may change that it has seen.
    guard try segment.file.status().size == start, !root.isRemote else {
      return pace.withLock { $0.failed = Clock.sinceBoot() }
    }
    // Another, who took the one that was syncing for dead, may have made more meanwhile.
    guard end + bytes > start else { return }
    let spaces = [UInt8](repeating: UInt8(ascii: " "), count: end + bytes - start)
    var written = 0
    do throws(SystemCallError) { written = try segment.file.writeOnce(spaces) } catch {}
    guard written == spaces.count else {
      pace.withLock { $0.failed = Clock.sinceBoot() }
      return cutBack(segment, &state)
    }
    pace.withLock { $0.hasMadeRoom = true }
    page.roomMaker = process
    page.roomUsed = Clock.sinceBoot()
    page.roomEnd = start + written
  }

  /// Makes the segment end with its last line again. With the lock in hand.
  func cutRoom() {
    guard page.hasRoom else { return }
    let path = Layout.segment(of: part, page.segmentStart)
    do throws(SystemCallError) {
      if let file = try root.openIfPresent(path, O_WRONLY) { try file.truncate(to: page.segmentEnd) }
      page.roomEnd = 0
    } catch {
      // It stays, and lines go on being written into it.
    }
  }

  /// On closing: whoever made it last takes it away.
  func leaveRoom() {
    guard pace.withLock({ $0.hasMadeRoom }), page.hasRoom, page.roomMaker == process else { return }
    _ = try? locked { _ in cutRoom() }
  }

  /// On opening, and when tidying up: whoever made it was killed, or has stopped sending.
  func cutAbandonedRoom() {
    guard page.hasRoom else { return }
    guard Clock.sinceBoot() - page.roomUsed > Self.roomIdleNanoseconds || !page.roomMaker.isAlive else { return }
    _ = try? locked { _ in cutRoom() }
  }
}
