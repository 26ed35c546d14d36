import Glibc
import Linux
import SpoolFormat

/// Where in a log something must be, by its time: segments are named by theirs, and in each the lines stand in order, as far
/// as the clock went forward.
extension LogFiles {
  /// So long a line may come after the moment that it tells of: its writer waited for the lock. Seconds.
  static let lateSecondsMax = 5.0
  /// The same, but in rare cases; whoever relies on it looks further when nothing is found. Seconds.
  static let lateSeconds = 0.5

  /// The beginning of a line before which no line is from `moment` or later: in less than 256 KiB of the first that is.
  /// Cost: a few reads, however long the segment is.
  func offset(in segment: Segment, before moment: Timestamp) throws(SystemCallError) -> Int {
    guard let file = try open(segment) else { return 0 }
    var low = 0
    var high = try file.status().size
    while high - low > Self.blockBytes {
      let middle = low + (high - low) / 2
      if let (start, time) = try firstLine(file, after: middle, before: high), time < moment {
        low = start
      } else {
        high = middle
      }
    }
    return low
  }

  /// The first whole line that begins after `offset`, and its time.
  private func firstLine(
    _ file: borrowing Descriptor, after offset: Int, before limit: Int
  ) throws(SystemCallError) -> (start: Int, time: Timestamp)? {
    var count = 16 << 10
    while true {
      let bytes = try file.read(at: offset, count: min(count, limit - offset))
      let found = bytes.withUnsafeBufferPointer { bytes -> (start: Int, time: Timestamp)? in
        guard var start = bytes.firstFeed().map({ $0 + 1 }) else { return nil }
        while let feed = bytes.firstFeed(from: start) {
          let line = UnsafeBufferPointer(rebasing: bytes[start...feed])
          if let event = LogEvent(line: line) { return (offset + start, event.time) }
          start = feed + 1
        }
        return nil
      }
      if let found { return found }
      if bytes.count < count || count >= Self.lineBytesMax { return nil }
      count *= 8
    }
  }

  /// From where a host's log is to be read for all from a moment on; nil when it has nothing.
  func place(of host: String, at moment: Timestamp) throws(SystemCallError) -> LogCursor.Position? {
    let segments = try segments(of: host)
    guard let first = segments.last(where: { $0.start <= moment }) ?? segments.first else { return nil }
    return LogCursor.Position(segment: first, offset: try offset(in: first, before: moment))
  }

  /// The line with which something began, where its id says that it must be; nil when it isn't there: then some clock was
  /// wrong, or it was named by hand.
  func beginning(of id: MessageID) throws -> LogCursor.Position? {
    guard id.time.microseconds <= Clock.wall() else { return nil }
    let search = TextSearch("\"subject\":\"\(id)\"")
    let last = id.time.advanced(bySeconds: Self.lateSecondsMax)
    for host in try hosts() {
      guard let place = try place(of: host, at: id.time.advanced(bySeconds: -Self.lateSeconds)) else { continue }
      var found: LogCursor.Position?
      for segment in try segments(of: host) where segment.start >= place.segment.start && segment.start <= last {
        var isPast = false
        let from = segment == place.segment ? place.offset : 0
        try readForwards(segment, from: from) { lines, offset in
          _ = forEachMatch(of: search, in: lines) { line in
            guard let event = LogEvent(line: line), event.kind.isBeginning, event.subject == id.description else {
              return true
            }
            let inBlock = UnsafeRawPointer(line.baseAddress!) - UnsafeRawPointer(lines.baseAddress!)
            found = LogCursor.Position(segment: segment, offset: offset + inBlock)
            return false
          }
          isPast = Self.lastTime(lines).map { $0 > last } ?? false
          return found == nil && !isPast
        }
        if found != nil || isPast { break }
      }
      if let found { return found }
    }
    return nil
  }

  /// Of a block's last line.
  private static func lastTime(_ lines: UnsafeBufferPointer<UInt8>) -> Timestamp? {
    let start = lines.lastFeed(before: lines.count - 1).map { $0 + 1 } ?? 0
    return LogEvent(line: UnsafeBufferPointer(rebasing: lines[start...]))?.time
  }
}

extension LogEvent.Kind {
  /// Whether what it is about wasn't there before.
  var isBeginning: Bool { [.messageSent, .taskAdded, .groupAnnounced].contains(self) }
}
