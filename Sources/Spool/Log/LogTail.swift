import Glibc
import Linux
import SpoolFormat

/// The end of a log whose writer died, or whose machine did.
enum LogTail {
  /// A line, and the room after it.
  private static let bytesMax = LogFiles.lineBytesMax + LogWriter.roomBytesMost

  /// Cuts what follows the last whole line of a segment, and keeps it aside. Where none ends in the last `bytesMax`, it
  /// isn't a line that was torn, and stays; what comes next begins a line.
  /// - Parameter start: where a line ends, or the first begins.
  /// - Returns: where the segment ends now, and how much was torn; nil when it isn't there.
  static func mend(
    _ path: String, after start: Int, in root: Directory
  ) throws(SystemCallError) -> (end: Int, torn: Int)? {
    guard let file = try root.openIfPresent(path, O_RDWR) else { return nil }
    let size = try file.status().size
    let from = max(start, size - bytesMax)
    guard from < size else { return (size, 0) }
    let bytes = try file.read(at: from, count: size - from)
    let end = from + lastWholeEnd(bytes)
    if end == size { return (size, 0) }
    if end == from, from > start {
      if bytes.last != UInt8(ascii: "\n") { _ = try? file.writeOnce([UInt8(ascii: "\n")], at: size) }
      return (try file.status().size, 0)
    }
    let torn = setAside(bytes[(end - from)...], of: path, at: end, in: root)
    try file.truncate(to: end)
    return (end, torn)
  }

  /// The end of the last whole line; 0 when there is none.
  static func lastWholeEnd(_ bytes: [UInt8]) -> Int {
    bytes.withUnsafeBufferPointer { buffer in
      var end = buffer.count
      while end > 0 {
        guard let feed = buffer.lastFeed(before: end) else { return 0 }
        let start = buffer.lastFeed(before: feed).map { $0 + 1 } ?? 0
        if LogEvent.wholeStart(in: UnsafeBufferPointer(rebasing: buffer[start...feed])) != nil { return feed + 1 }
        end = feed
      }
      return 0
    }
  }

  /// Less the room after it.
  static func withoutRoom(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    bytes[...(bytes.lastIndex { $0 != UInt8(ascii: " ") } ?? bytes.startIndex - 1)]
  }

  /// Keeps what is about to be cut off, if the disk has a place for it: nobody was told that it is kept.
  /// Returns how much that was; room is nothing.
  @discardableResult
  static func setAside(_ tail: ArraySlice<UInt8>, of path: String, at offset: Int, in root: Directory) -> Int {
    let bytes = Array(withoutRoom(tail))
    if bytes.isEmpty { return 0 }
    let name = "torn-" + path.split(separator: "/").dropFirst().joined(separator: "-") + "-\(offset)"
    if let file = try? root.open(Layout.quarantined(name), O_WRONLY | O_CREAT | O_TRUNC) { _ = try? file.write(bytes) }
    return bytes.count
  }
}
