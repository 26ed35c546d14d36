import Glibc
import Linux
import SpoolFormat

/// Reads the logs of all hosts as they grow, from where an earlier reader stopped. For a loop that has other things to do:
/// it never waits.
public struct LogFollower {
  /// How far each host's log was read. Of one log they are in the order of their lines.
  public struct Position: Sendable, Hashable, Comparable {
    public let segment: String
    public let offset: Int

    public init(segment: String, offset: Int) {
      self.segment = segment
      self.offset = offset
    }

    public static func < (left: Position, right: Position) -> Bool {
      left.segment != right.segment ? left.segment < right.segment : left.offset < right.offset
    }
  }

  private let files: LogFiles
  private var cursors: [String: LogCursor] = [:]

  /// From these positions, by host; hosts without one are read from their beginning, and nil from the end of all.
  public init(_ spool: Spool, from positions: [String: Position]?) throws {
    files = LogFiles(root: spool.root)
    try doing("cannot follow the log") {
      for host in try files.hosts() {
        var cursor = try LogCursor(files, host: host)
        if let positions {
          if let position = positions[host] { try cursor.skip(to: position) }
        } else {
          try cursor.skipToEnd()
        }
        cursors[host] = cursor
      }
    }
  }

  /// Calls `body` with each event that is new since the last call, at most `limit`; each host's in their order.
  /// - Returns: whether there may be more.
  public mutating func take(limit: Int = .max, _ body: (LogEvent) throws -> Void) throws -> Bool {
    try take(limit: limit) { event, _, _ in try body(event) }
  }

  /// As `take`, with the host in whose log each event stands, and where its line begins.
  /// - Throws: that a host's log can't be read, after those of all others were.
  public mutating func take(
    limit: Int = .max, withPlaces body: (LogEvent, _ host: String, _ place: Position) throws -> Void
  ) throws -> Bool {
    var left = limit
    var trouble: (any Error)?
    for host in cursors.keys.sorted() {
      while left > 0 {
        let next: (event: LogEvent, position: LogCursor.Position)?
        do { next = try doing("cannot follow the log") { try cursors[host]!.pop() } } catch {
          trouble = trouble ?? error
          break
        }
        guard let (event, place) = next else { break }
        left -= 1
        try body(event, host, Position(segment: place.segment.start.compact, offset: place.offset))
      }
    }
    if let trouble { throw trouble }
    return left == 0
  }

  /// What the line that ends at a position ends with: its checksum, so that a log which was cut or written anew since is
  /// known by it. Nil where no line ends.
  public func mark(at position: Position, of host: String) throws -> String? {
    guard position.offset > 0, let start = Timestamp(compact: Array(position.segment.utf8)) else { return nil }
    return try doing("cannot read the log") {
      guard let file = try files.open(LogFiles.Segment(host: host, start: start)) else { return nil }
      let count = min(position.offset, 11)
      let end = try file.read(at: position.offset - count, count: count)
      // The eight digits, `"}` and the line feed.
      guard end.count == 11, end.last == 10 else { return nil }
      return String(decoding: end.prefix(8), as: UTF8.self)
    }
  }

  /// Looks for hosts that have begun to write since.
  public mutating func addNewHosts() throws {
    try doing("cannot follow the log") {
      for host in try files.hosts() where cursors[host] == nil { cursors[host] = try LogCursor(files, host: host) }
    }
  }

  /// Where to go on another time.
  public var positions: [String: Position] { cursors.compactMapValues(\.position) }
}
