import SpoolFormat

/// The messages that a user's bots ever took in hand, by what his own processes logged. However many are asked for, each
/// line of late is read once; for what is from before, the log is searched each time.
final class HadMessages {
  /// What is kept in memory of one of the user's parts of the log.
  private struct Part {
    /// Where it was read up to.
    var cursor: LogCursor
    /// And from where on; nil where the log was empty.
    var start: LogFollower.Position?
    /// When the first of that was logged.
    var since: Timestamp?
    var ids: [String: Set<MessageID>] = [:]
    var count = 0

    mutating func note(_ event: LogEvent) {
      guard HadMessages.isTaking(event), let id = MessageID(event.subject), let bot = event.text("bot"),
        ids[bot, default: []].insert(id).inserted
      else { return }
      count += 1
    }
  }

  private let files: LogFiles
  private let user: UInt32
  private let countMax: Int
  private var parts: [String: Part] = [:]

  /// How many are kept.
  var count: Int { parts.values.reduce(0) { $0 + $1.count } }

  /// - Parameter countMax: how many are kept about, so that a worker's memory has an end: a few megabytes.
  init(_ files: LogFiles, of user: UInt32, countMax: Int = 250_000) {
    self.files = files
    self.user = user
    self.countMax = countMax
  }

  /// Whether the bot had the message, as far as what is kept can tell; nil where only the rest of the log can. Reads back to
  /// a minute before that was made: little for what has just been sent.
  func contains(_ id: MessageID, _ bot: BotName) throws -> Bool? {
    let names = try files.hosts().filter { files.user(of: $0) == user }
    let share = countMax / max(1, names.count)
    var isKnown = true
    for name in names {
      // One with more begins anew.
      var part = try parts[name].flatMap { $0.count > share ? nil : $0 } ?? begin(name)
      parts[name] = nil
      while let (event, _) = try part.cursor.pop() { part.note(event) }
      // Half of it, lest each message that is taken has it begin anew.
      if try !readBack(&part, name, to: id.time.advanced(bySeconds: -60), keeping: share / 2) { isKnown = false }
      parts[name] = part
    }
    if parts.values.contains(where: { $0.ids[bot.description]?.contains(id) == true }) { return true }
    return isKnown ? false : nil
  }

  private func begin(_ name: String) throws -> Part {
    var cursor = try LogCursor(files, host: name)
    try cursor.skipToEnd()
    return Part(cursor: cursor, start: cursor.position)
  }

  /// False when it would take more than is to be kept.
  private func readBack(
    _ part: inout Part, _ name: String, to earliest: Timestamp, keeping share: Int
  ) throws -> Bool {
    func isEnough() -> Bool { part.since.map { $0 < earliest } ?? false }
    guard let end = part.start, !isEnough() else { return true }
    let searches = ["claimed", "acked"].map { TextSearch("\"message.\($0)\"") }
    for segment in try files.segments(of: name).reversed() where segment.start.compact <= end.segment {
      let limit = segment.start.compact == end.segment ? end.offset : nil
      if limit == 0 { continue }
      if part.count >= share { return false }
      try files.readBackwards(segment, before: limit) { lines, offset in
        for search in searches {
          _ = forEachMatch(of: search, in: lines) { line in
            if let event = LogEvent(line: line) { part.note(event) }
            return true
          }
        }
        _ = forEachLine(lines) { line in
          guard let event = LogEvent(line: line) else { return true }
          part.since = event.time
          return false
        }
        part.start = LogFollower.Position(segment: segment.start.compact, offset: offset)
        return !isEnough() && part.count < share
      }
      if isEnough() { return true }
      if part.count >= share { return false }
    }
    return true
  }

  /// Whether the bot had the message, by all that was logged since that was made. Nothing of it is kept.
  static func search(_ files: LogFiles, of user: UInt32, for id: MessageID, _ bot: BotName) throws -> Bool {
    try search(files, of: user, for: id) { event, _ in isTaking(event) && event.text("bot") == bot.description }
  }

  /// Whether the user's processes logged such an event about the message since that was made.
  static func search(
    _ files: LogFiles, of user: UInt32?, for id: MessageID, where isMeant: (LogEvent, LogCursor.Position) -> Bool
  ) throws -> Bool {
    for segment in try files.segments(since: id.time) where files.user(of: segment.host) == user {
      if try !files.forEachEvent(about: [id], in: segment, { !isMeant($0, $1) }) { return true }
    }
    return false
  }

  private static func isTaking(_ event: LogEvent) -> Bool {
    event.kind == .messageClaimed || event.kind == .messageAcked
  }
}
