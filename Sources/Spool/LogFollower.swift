import Linux
import SpoolFormat

/// Reads the logs of all hosts as they grow, from where an earlier reader stopped. For a loop that has other things to do:
/// it never waits.
public struct LogFollower {
  /// How far each host's log was read.
  public struct Position: Sendable, Hashable {
    public let segment: String
    public let offset: Int

    public init(segment: String, offset: Int) {
      self.segment = segment
      self.offset = offset
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
    var left = limit
    for host in cursors.keys.sorted() {
      while left > 0, let (event, _) = try doing("cannot follow the log", { try cursors[host]!.pop() }) {
        left -= 1
        try body(event)
      }
    }
    return left == 0
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
