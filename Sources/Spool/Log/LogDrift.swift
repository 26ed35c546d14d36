import Glibc
import Linux
import SpoolFormat

/// A page that doesn't fit its log: the disk was gone for a while within one boot, or a backup was put back into the same
/// directory. The kernel writes a mapped page when it likes, so that either may be the older one.
extension LogWriter {
  /// Asked by whoever opens the log. Cost: open(2), fstat(2), and where there is room pread(2).
  func isAdrift() throws -> Bool {
    // Again under the lock: somebody may just have written, and not noted it yet.
    try !fits() && locked { _ in try !fits() }
  }

  private func fits() throws(SystemCallError) -> Bool {
    let end = page.segmentEnd
    // A segment that isn't there is begun anew by whoever appends.
    guard let file = try root.openIfPresent(Layout.segment(of: part, page.segmentStart), O_RDONLY) else { return true }
    let size = try file.status().size
    guard page.hasRoom else { return size == end }
    guard size == page.roomEnd else { return false }
    return try file.read(at: end, count: 1) == [UInt8(ascii: " ")]
  }

  /// Has the page go on after the last whole line that there is.
  /// - Returns: how many bytes after that were torn.
  func resume() throws -> Int {
    try locked { state in
      state.segment = nil
      state.overwriting = nil
      guard let last = try LogFiles(root: root).segments(of: part).last else { return 0 }
      if last.start > page.segmentStart { page.beginSegment(last.start) }
      guard let found = try LogTail.mend(Layout.segment(of: part, page.segmentStart), after: 0, in: root) else {
        return 0
      }
      page.resume(at: found.end)
      return found.torn
    }
  }
}
