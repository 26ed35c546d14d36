import Glibc
import Linux
import SpoolFormat

/// The segments of all hosts' logs, and how they are read: in blocks of whole lines, forwards or backwards.
struct LogFiles: Sendable {
  struct Segment: Sendable, Hashable {
    let host: String
    let start: Timestamp
    var path: String { Layout.segment(of: host, start) }
  }

  let root: Directory

  /// No line is longer: a message or a task, the names of its recipients, and a little more. What is, is damage.
  static let lineBytesMax = 4 * Message.bytesMax

  /// Bytes read at a time: enough to make a call cheap, small enough for a core's cache.
  static let blockBytes = 256 << 10

  func hosts() throws(SystemCallError) -> [String] {
    try root.names(Layout.log).filter { LogPart.isName($0) }
  }

  /// Whose a part of the log is: what stands in it is worth what that user is. Nil where the spool isn't shared, and for
  /// one in which others can write.
  func user(of part: String) -> UInt32? {
    guard root.isShared, let status = (try? root.status(Layout.logs(of: part))) ?? nil, status.mode & 0o022 == 0
    else { return nil }
    return status.owner
  }

  /// In the order in which they were written. A FIFO or the like that somebody put there is none.
  func segments(of host: String) throws(SystemCallError) -> [Segment] {
    var found: [Segment] = []
    let user = user(of: host)
    for segment in try names(of: host) {
      guard let status = try root.statusAsKnown(segment.path), status.isRegular else { continue }
      // A file of somebody else's that was brought there says nothing.
      if root.isShared, status.owner != user || status.mode & 0o022 != 0 { continue }
      found.append(segment)
    }
    return found
  }

  /// What has the name of a segment, whatever it is, and no gap before the last: of two that are begun while ext4 lists
  /// the directory, it may show the second and not the first. Who lists once more sees all that one listing has shown, and
  /// all that was begun before.
  func names(of host: String) throws(SystemCallError) -> [Segment] {
    let first = try list(host)
    guard let last = first.last else { return [] }
    return try list(host).filter { $0.start <= last.start }
  }

  private func list(_ host: String) throws(SystemCallError) -> [Segment] {
    try root.names(Layout.logs(of: host)).compactMap { name in
      guard name.hasSuffix(".jsonl"), let start = Timestamp(compact: Array(name.utf8.dropLast(6))) else { return nil }
      return Segment(host: host, start: start)
    }
  }

  /// To be read. It mustn't be waited for, should it be a FIFO by now.
  func open(_ segment: Segment) throws(SystemCallError) -> Descriptor? {
    do { return try root.openIfPresent(segment.path, O_RDONLY | O_NONBLOCK) } catch {
      // Another user may keep his part to himself; the rest is read all the same.
      guard root.isShared, [EACCES, EPERM, ELOOP, EINVAL, ENXIO].contains(error.code) else { throw error }
      return nil
    }
  }

  /// The last segments that were there when this one was begun, as its first line has them; none for a host's first, for
  /// one that was begun on a full disk, and for those of older versions.
  func predecessors(of segment: Segment) throws -> [Segment] {
    guard let event = try event(at: LogCursor.Position(segment: segment, offset: 0)), event.kind == .logBegan,
      let after = event.text("after")
    else { return [] }
    return ([after] + event.texts("earlier")).compactMap { Timestamp(compact: Array($0.utf8)) }
      .map { Segment(host: segment.host, start: $0) }
  }

  func allSegments() throws(SystemCallError) -> [Segment] {
    var all: [Segment] = []
    for host in try hosts() { all += try segments(of: host) }
    return all
  }

  /// So far a host's clock may be behind that of another, seconds.
  static let clockSecondsMax = 3600.0

  /// Those of all hosts that may hold something of what was made at a moment; all, when that isn't known.
  func segments(since moment: Timestamp?) throws(SystemCallError) -> [Segment] {
    // What is from the future was made by a clock that was wrong, or by hand, whenever that was.
    guard let moment, moment.microseconds <= Clock.wall() else { return try allSegments() }
    let earliest = moment.advanced(bySeconds: -Self.clockSecondsMax)
    var found: [Segment] = []
    for host in try hosts() {
      let segments = try segments(of: host)
      found += segments.dropFirst(segments.lastIndex { $0.start <= earliest } ?? 0)
    }
    return found
  }

  /// Everything sent before the last segment but one is on the disk, or done: recovery after a power cut may begin
  /// there. Called by whoever began a segment, once its message is delivered. C: syncfs(2).
  func noteCheckpoint(of host: String) throws(SystemCallError) {
    let segments = try segments(of: host)
    guard segments.count >= 2 else { return }
    let start = segments[segments.count - 2].start
    try root.syncFileSystem()
    let temporary = Layout.temporary("checkpoint-\(host)-\(getpid())")
    let bytes = Array("\(start.compact)\n".utf8)
    try root.replace(Layout.checkpoint(of: host), with: bytes, through: temporary, isSynced: true)
  }

  /// Where recovery of a host's log may begin; nil for its beginning, as where that can't be told: what a user closed to
  /// the others, or put there, keeps nobody from opening the spool.
  func checkpoint(of host: String) throws(SystemCallError) -> Timestamp? {
    do {
      guard let bytes = try root.readFile(Layout.checkpoint(of: host), maximum: 256) else { return nil }
      return Timestamp(compact: bytes.filter { $0 > 32 })
    } catch {
      guard error.code == ENOTDIR || Inbox.faultsOfFiles.contains(error.code) else { throw error }
      return nil
    }
  }

  /// The event whose line begins there; nil when it isn't there any more, or damaged.
  /// Reads no more than the line: there may be a hundred thousand of them to look at.
  func event(at position: LogCursor.Position) throws(SystemCallError) -> LogEvent? {
    guard let file = try open(position.segment) else { return nil }
    var count = 2048
    while true {
      let bytes = try file.read(at: position.offset, count: count)
      let feed = bytes.withUnsafeBufferPointer { $0.firstFeed() }
      if let feed {
        return bytes.withUnsafeBufferPointer { LogEvent(line: UnsafeBufferPointer(rebasing: $0[...feed])) }
      }
      if bytes.count < count || count == Self.lineBytesMax { return nil }
      count = min(count * 8, Self.lineBytesMax)
    }
  }

  /// The end of the last line there is at this moment, `offset` when there is none after it. What follows is not a line
  /// yet: half of one, or room for more.
  ///
  /// Asked before anything is read: lines are written into room in order, so what stands before a line feed once seen
  /// is whole. A read that runs beside the writer may see the end of a line and not its middle.
  private func linesEnd(
    _ file: borrowing Descriptor, after offset: Int, before limit: Int? = nil
  ) throws(SystemCallError) -> Int {
    var end: Int
    if let limit { end = limit } else { end = try file.status().size }
    // Mostly the last byte is a line feed.
    var count = 512
    while end > offset {
      let start = max(offset, end - count)
      let bytes = try file.read(at: start, count: end - start)
      let found = bytes.withUnsafeBufferPointer { $0.lastFeed(before: $0.count) }
      if let found { return start + found + 1 }
      // There may be very many of these that nobody wrote.
      end = bytes.first == 0 ? try file.dataEnd(from: offset, before: start) : start
      count = 64 << 10
    }
    return offset
  }

  /// Calls `body` with blocks of whole lines from `offset` on, until it returns false. What follows the last
  /// line feed is not a line yet, and left out. Returns the offset after the last whole line.
  /// - Parameter skipped: hears of what is too long for a line, and is passed over.
  @discardableResult
  func readForwards(
    _ segment: Segment, from offset: Int = 0, skipped: (_ offset: Int, _ count: Int) -> Void = { _, _ in },
    _ body: (_ lines: UnsafeBufferPointer<UInt8>, _ offset: Int) throws -> Bool
  ) throws -> Int {
    guard let file = try open(segment) else { return offset }
    var position = offset
    var limit = try linesEnd(file, after: offset)
    guard limit > offset else { return offset }
    var buffer = BlockBuffer()
    while position < limit {
      let wanted = min(buffer.capacity, limit - position)
      try buffer.fill(file, at: position, count: wanted)
      guard let end = buffer.lastLineEnd else {
        // A line that is longer than the buffer; or somebody cut the file meanwhile.
        if wanted < buffer.capacity { return position }
        if buffer.capacity < Self.lineBytesMax {
          buffer.grow()
        } else {
          let end = try firstLineEnd(file, after: position, before: limit)
          skipped(position, end - position)
          position = end
        }
        continue
      }
      guard try body(buffer.prefix(end), position) else { return position + end }
      position += end
      if position >= limit { limit = try linesEnd(file, after: position) }
    }
    return position
  }

  /// The end of the first line, which is too long to be kept.
  private func firstLineEnd(
    _ file: borrowing Descriptor, after offset: Int, before limit: Int
  ) throws(SystemCallError) -> Int {
    var place = offset
    while place < limit {
      let bytes = try file.read(at: place, count: min(Self.blockBytes, limit - place))
      // Somebody cut it meanwhile.
      if bytes.isEmpty { break }
      if let feed = bytes.withUnsafeBufferPointer({ $0.firstFeed() }) { return place + feed + 1 }
      place += bytes.count
      if bytes.first == 0 { place = try file.dataStart(from: place, before: limit) }
    }
    return limit
  }

  /// As `readForwards`, from the end to the beginning.
  func readBackwards(
    _ segment: Segment, before limit: Int? = nil,
    _ body: (_ lines: UnsafeBufferPointer<UInt8>, _ offset: Int) throws -> Bool
  ) throws {
    guard let file = try open(segment) else { return }
    var end = try limit ?? linesEnd(file, after: 0)
    var buffer = BlockBuffer()
    while end > 0 {
      let start = max(0, end - buffer.capacity)
      try buffer.fill(file, at: start, count: end - start)
      // A block that doesn't begin the file begins in the middle of a line, which is left for the next one.
      let first = start == 0 ? 0 : buffer.firstLineEnd
      guard let first, let last = buffer.lastLineEnd, first < last || start == 0 else {
        if start == 0 { return }
        if buffer.capacity < Self.lineBytesMax {
          buffer.grow()
        } else {
          end = try linesEnd(file, after: 0, before: end - 1)
        }
        continue
      }
      if last > first, try !body(buffer.slice(first, last), start + first) { return }
      end = start + first
    }
  }
}

/// Memory that is read into again and again.
private struct BlockBuffer: ~Copyable {
  private var memory: UnsafeMutableBufferPointer<UInt8>
  private var count = 0

  init() { memory = .allocate(capacity: LogFiles.blockBytes) }
  deinit { memory.deallocate() }

  var capacity: Int { memory.count }

  mutating func grow() {
    let larger = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: memory.count * 4)
    memory.deallocate()
    memory = larger
  }

  mutating func fill(_ file: borrowing Descriptor, at offset: Int, count wanted: Int) throws(SystemCallError) {
    count = try file.read(at: offset, into: UnsafeMutableBufferPointer(rebasing: memory[..<wanted]))
  }

  var lastLineEnd: Int? { prefix(count).lastFeed(before: count).map { $0 + 1 } }
  var firstLineEnd: Int? { prefix(count).firstFeed().map { $0 + 1 } }
  func prefix(_ end: Int) -> UnsafeBufferPointer<UInt8> { slice(0, end) }
  func slice(_ start: Int, _ end: Int) -> UnsafeBufferPointer<UInt8> {
    UnsafeBufferPointer(rebasing: memory[start..<end])
  }
}
