import Glibc
import Linux
import SpoolFormat

/// What the log has forgotten: `log/.gc`, which says which segments were removed as nobody needed them, and how it stood
/// then. Lines that were kept may speak of messages whose end stood in a segment that is gone; they are settled unless
/// they are named here. Written before anything is removed.
struct Forgotten: Equatable {
  /// By host, up to where its log was read; lines before that, from before `until`, are of settled things or of `needed`.
  var read: [String: LogFollower.Position] = [:]
  var until: Timestamp?
  /// Messages, tasks and groups that weren't done then.
  var needed: Set<MessageID> = []
  /// Segments that others name, and that are not lost but removed.
  var removed: Set<LogFiles.Segment> = []

  init() {}

  private static let bytesMax = 1 << 30
  private static let header = "nanospool-gc 1"

  /// Nothing, where nothing was ever removed.
  init(in root: Directory) throws(SystemCallError) {
    self.init(parsing: try Self.bytes(in: root))
  }

  private static func bytes(in root: Directory) throws(SystemCallError) -> [UInt8] {
    guard let file = try open(in: root) else { return [] }
    let size = try file.status().size
    guard size <= bytesMax else { throw SystemCallError("read", Layout.forgotten, EFBIG) }
    return try file.read(at: 0, count: size)
  }

  /// Nil where there is none to be believed. Any user of a shared spool could otherwise say that others' messages are done:
  /// it must be root's, or whoever's the spool is, and have been nobody else's to write, or to move here from where many
  /// may write.
  private static func open(in root: Directory) throws(SystemCallError) -> Descriptor? {
    let file: Descriptor
    do throws(SystemCallError) {
      guard let opened = try root.openIfPresent(Layout.forgotten, O_RDONLY | O_NONBLOCK) else { return nil }
      file = opened
    } catch {
      guard root.isShared, Inbox.faultsOfFiles.contains(error.code) else { throw error }
      return nil
    }
    let status = try file.status()
    guard status.isRegular else { return nil }
    guard root.isShared else { return file }
    guard status.mode & 0o022 == 0, status.links == 1 else { return nil }
    let owner = try root.status().owner
    guard status.owner == 0 || status.owner == owner else { return nil }
    return file
  }

  /// The same less what it can be long with.
  static func until(in root: Directory) throws(SystemCallError) -> Timestamp? {
    guard let file = try open(in: root) else { return nil }
    return Forgotten(parsing: try file.read(at: 0, count: 256)).until
  }

  /// Whether something wasn't done then; a look at the text, as there may be a million.
  static func needs(_ id: MessageID, in root: Directory) throws(SystemCallError) -> Bool {
    let line = TextSearch("\nneeded \(id)\n")
    return try bytes(in: root).withUnsafeBufferPointer { line.firstMatch(in: $0, from: 0) != nil }
  }

  /// A file of another kind counts as none.
  init(parsing bytes: [UInt8]) {
    self.init()
    var isFirst = true
    for line in bytes.split(separator: 10) {
      if isFirst {
        guard line.elementsEqual(Self.header.utf8) else { return }
        isFirst = false
        continue
      }
      let parts = String(decoding: line, as: UTF8.self).split(separator: " ").map(String.init)
      switch (parts.first, parts.count) {
      case ("until", 2): until = Timestamp(compact: Array(parts[1].utf8))
      case ("read", 4):
        if let offset = WholeNumber.parse(parts[3]) {
          read[parts[1]] = LogFollower.Position(segment: parts[2], offset: offset)
        }
      case ("removed", 3):
        if let start = Timestamp(compact: Array(parts[2].utf8)) {
          removed.insert(LogFiles.Segment(host: parts[1], start: start))
        }
      case ("needed", 2): if let id = MessageID(parts[1]) { needed.insert(id) }
      default: break
      }
    }
  }

  var encoded: [UInt8] {
    var lines = [Self.header]
    if let until { lines.append("until \(until.compact)") }
    for (host, place) in read.sorted(by: { $0.key < $1.key }) {
      lines.append("read \(host) \(place.segment) \(place.offset)")
    }
    for segment in removed.sorted(by: { ($0.host, $0.start) < ($1.host, $1.start) }) {
      lines.append("removed \(segment.host) \(segment.start.compact)")
    }
    var bytes = Array(lines.joined(separator: "\n").utf8) + [10]
    bytes.reserveCapacity(bytes.count + needed.count * 48)
    // There may be a million.
    for id in needed.sorted() {
      bytes += "needed ".utf8
      bytes += id.description.utf8
      bytes.append(10)
    }
    return bytes
  }

  /// Whether a line is of something that was done when the log was last read for this. In the segment that was the last
  /// then, the time as well: after a power cut other lines may stand where those were.
  func covers(_ id: MessageID, _ position: LogCursor.Position, _ time: Timestamp) -> Bool {
    guard let until, let end = read[position.segment.host], !needed.contains(id) else { return false }
    let segment = position.segment.start.compact
    return segment < end.segment || (segment == end.segment && position.offset < end.offset && time < until)
  }
}
