import SpoolFormat

/// The messages that a user's bots ever took in hand, by what his own processes logged. However many are asked for, each
/// line is read once.
final class HadMessages {
  private struct Part {
    /// Where it was read up to.
    var cursor: LogCursor
    /// And from where on; nil where the log was empty.
    var start: LogFollower.Position?
    /// When the first of that was logged.
    var since: Timestamp?
  }

  private let files: LogFiles
  private let user: UInt32
  private var parts: [String: Part] = [:]
  private var ids: [String: Set<MessageID>] = [:]
  private var count = 0

  /// With more than this it begins anew, so that a worker's memory has an end: a few megabytes.
  private static let countMax = 250_000

  init(_ files: LogFiles, of user: UInt32) {
    self.files = files
    self.user = user
  }

  /// Whether the bot had the message. Reads back to a minute before that was made: little for what has just been sent.
  func contains(_ id: MessageID, _ bot: BotName) throws -> Bool {
    if count > Self.countMax { (parts, ids, count) = ([:], [:], 0) }
    for name in try files.hosts() where files.user(of: name) == user {
      var part = try parts[name] ?? begin(name)
      while let (event, _) = try part.cursor.pop() { note(event) }
      try readBack(&part, name, to: id.time.advanced(bySeconds: -60))
      parts[name] = part
    }
    return ids[bot.description]?.contains(id) == true
  }

  private func begin(_ name: String) throws -> Part {
    var cursor = try LogCursor(files, host: name)
    try cursor.skipToEnd()
    return Part(cursor: cursor, start: cursor.position)
  }

  private func note(_ event: LogEvent) {
    guard event.kind == .messageClaimed || event.kind == .messageAcked, let id = MessageID(event.subject),
      let bot = event.text("bot"), ids[bot, default: []].insert(id).inserted
    else { return }
    count += 1
  }

  private func readBack(_ part: inout Part, _ name: String, to earliest: Timestamp) throws {
    func isEnough() -> Bool { part.since.map { $0 < earliest } ?? false }
    guard let end = part.start, !isEnough() else { return }
    let searches = ["claimed", "acked"].map { TextSearch("\"message.\($0)\"") }
    for segment in try files.segments(of: name).reversed() where segment.start.compact <= end.segment {
      let limit = segment.start.compact == end.segment ? end.offset : nil
      try files.readBackwards(segment, before: limit) { lines, offset in
        for search in searches {
          _ = forEachMatch(of: search, in: lines) { line in
            if let event = LogEvent(line: line) { note(event) }
            return true
          }
        }
        _ = forEachLine(lines) { line in
          guard let event = LogEvent(line: line) else { return true }
          part.since = event.time
          return false
        }
        part.start = LogFollower.Position(segment: segment.start.compact, offset: offset)
        return !isEnough()
      }
      if isEnough() { return }
    }
  }
}
