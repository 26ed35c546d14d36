import Glibc
import Linux
import SpoolFormat

/// Reads the lines of one host's log in order, and goes on where it stopped when more have been written.
struct LogCursor {
  struct Position: Sendable, Hashable {
    var segment: LogFiles.Segment
    var offset: Int
  }

  let host: String
  private let files: LogFiles
  private let user: UInt32?
  private var segments: [LogFiles.Segment]
  private var current = 0
  private var offset = 0
  private var block: [UInt8] = []
  private var blockStart = 0
  private var next = 0
  /// The event that `pop` will return; kept so that several logs can be merged by time.
  private(set) var head: (event: LogEvent, position: Position)?
  /// Stretches that are no events: where, and how long.
  private(set) var badLines: [(position: Position, count: Int)] = []

  /// From the first segment that may hold something at or after `since`.
  init(_ files: LogFiles, host: String, since: Timestamp? = nil) throws(SystemCallError) {
    self.files = files
    self.host = host
    user = files.user(of: host)
    let all = try files.segments(of: host)
    let first = since.flatMap { since in all.lastIndex { $0.start <= since } } ?? 0
    segments = Array(all.dropFirst(first))
  }

  /// Moves to the end: only what is written from now on is read.
  mutating func skipToEnd() throws {
    guard let last = segments.last else { return }
    current = segments.count - 1
    try files.readBackwards(last) { lines, start in
      offset = start + lines.count
      return false
    }
  }

  /// Goes on where another stopped; from the beginning of what is left when that segment is gone.
  mutating func skip(to position: LogFollower.Position) throws {
    guard let start = Timestamp(compact: Array(position.segment.utf8)) else { return }
    if let index = segments.firstIndex(where: { $0.start == start }) {
      current = index
      offset = position.offset
    } else {
      guard let next = segments.firstIndex(where: { $0.start > start }) else { return try skipToEnd() }
      current = next
    }
  }

  /// After the last event that was taken; nil when there is no segment yet.
  var position: LogFollower.Position? {
    if let head {
      return LogFollower.Position(segment: head.position.segment.start.compact, offset: head.position.offset)
    }
    guard current < segments.count else { return nil }
    return LogFollower.Position(
      segment: segments[current].start.compact, offset: block.isEmpty ? offset : blockStart + next)
  }

  /// Fills `head`; nil at the end of what has been written so far.
  mutating func peek() throws -> (event: LogEvent, position: Position)? {
    if let head { return head }
    while true {
      while next < block.count {
        let start = next
        let position = Position(segment: segments[current], offset: blockStart + start)
        let (event, isWhole, end) = block.withUnsafeBufferPointer { block in
          let end = block.firstFeed(from: start).map { $0 + 1 } ?? block.count
          let line = UnsafeBufferPointer(rebasing: block[start..<end])
          let event = LogEvent(line: line)
          return (event, event != nil && LogEvent.isWhole(line), end)
        }
        next = end
        if !isWhole { noteBad(position, end - start) }
        if var event {
          event.writtenBy = user
          head = (event, position)
          return head
        }
      }
      guard try readBlock() else { return nil }
    }
  }

  mutating func pop() throws -> (event: LogEvent, position: Position)? {
    let event = try peek()
    head = nil
    return event
  }

  private mutating func readBlock() throws -> Bool {
    while true {
      guard current < segments.count else {
        segments = try files.segments(of: host)
        if segments.isEmpty { return false }
        continue
      }
      var found: [UInt8]?
      let segment = segments[current]
      var tooLong: [(position: Position, count: Int)] = []
      defer { for line in tooLong { noteBad(line.position, line.count) } }
      try files.readForwards(
        segment, from: offset,
        skipped: { tooLong.append((Position(segment: segment, offset: $0), $1)) }
      ) { lines, start in
        found = Array(lines)
        blockStart = start
        return false
      }
      if let found {
        block = found
        next = 0
        offset = blockStart + found.count
        return true
      }
      if current + 1 == segments.count {
        let last = segments[current]
        let newer = try files.segments(of: host).filter { $0.start > last.start }
        if newer.isEmpty { return false }
        segments += newer
        // Lines may have been added to the last one after it was read; now that there is another, no more will be.
        continue
      }
      try noteTail(of: segments[current], from: offset)
      current += 1
      offset = 0
      block = []
      next = 0
    }
  }

  /// What stands after the last line of a segment that has ended, and is no room, will never be one.
  private mutating func noteTail(of segment: LogFiles.Segment, from end: Int) throws {
    guard let file = try files.open(segment) else { return }
    let size = try file.status().size
    guard size > end else { return }
    // Room is shorter than this.
    let tail = try file.read(at: end, count: min(size - end, 2 << 20))
    if tail.contains(where: { $0 != UInt8(ascii: " ") }) {
      noteBad(Position(segment: segment, offset: end), size - end)
    }
  }

  /// Neighbours are one: a segment may be nothing but line feeds.
  private mutating func noteBad(_ position: Position, _ count: Int) {
    if let last = badLines.last, last.position.segment == position.segment,
      last.position.offset + last.count == position.offset
    {
      badLines[badLines.count - 1].count += count
    } else {
      badLines.append((position, count))
    }
  }
}

/// Reads the logs of all hosts as one, merged by time.
struct LogMerge {
  private var cursors: [LogCursor]
  /// When each one's next event was; nil where there was none when it was last looked for.
  private var times: [Timestamp?]
  /// The one whose event was taken last.
  private var taken: Int?
  /// So many more events before those at their end are looked at again: that costs system calls, and a spool may have the
  /// logs of many hosts that are gone.
  private var untilLook = 0
  private let files: LogFiles

  private static let eventsUntilLook = 1024

  /// - Parameter since: from where on a host's log is wanted; nil for its beginning.
  init(_ files: LogFiles, fromEnd: Bool = false, since: (_ host: String) throws -> Timestamp? = { _ in nil }) throws {
    self.files = files
    cursors = try files.hosts().map { try LogCursor(files, host: $0, since: try since($0)) }
    times = Array(repeating: nil, count: cursors.count)
    if fromEnd { for index in cursors.indices { try cursors[index].skipToEnd() } }
  }

  var badLines: [(position: LogCursor.Position, count: Int)] { cursors.flatMap(\.badLines) }

  mutating func next() throws -> (event: LogEvent, position: LogCursor.Position)? {
    if let index = taken { times[index] = try cursors[index].peek()?.event.time }
    taken = nil
    var first = untilLook > 0 ? earliest() : nil
    if first == nil {
      for index in cursors.indices where times[index] == nil { times[index] = try cursors[index].peek()?.event.time }
      untilLook = Self.eventsUntilLook
      first = earliest()
    }
    guard let first else { return nil }
    untilLook -= 1
    taken = first
    return try cursors[first].pop()
  }

  private func earliest() -> Int? {
    var first: (index: Int, time: Timestamp)?
    for (index, time) in times.enumerated() {
      if let time, first.map({ time < $0.time }) ?? true { first = (index, time) }
    }
    return first?.index
  }

  /// Looks for hosts that have begun to write since.
  mutating func addNewHosts() throws {
    for host in try files.hosts() where !cursors.contains(where: { $0.host == host }) {
      cursors.append(try LogCursor(files, host: host))
      times.append(nil)
      untilLook = 0
    }
  }
}
