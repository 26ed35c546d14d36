import SpoolFormat

extension LogFiles {
  private static let subject = "\"subject\":\""
  private static let anySubject = TextSearch(subject)

  /// Calls `body` with each event of a segment that is about one of these, and its place, until it returns false. What a
  /// line quotes, in a message's data or a task's result, says nothing of what the line is about.
  /// - Returns: whether all of the segment was read.
  @discardableResult
  func forEachEvent(
    about ids: Set<MessageID>, in segment: Segment, from offset: Int = 0,
    _ body: (LogEvent, LogCursor.Position) throws -> Bool
  ) throws -> Bool {
    // One id is found faster than all that are none of several.
    let only = ids.count == 1 ? ids.first : nil
    let search = only.map { TextSearch("\(Self.subject)\($0)\"") } ?? Self.anySubject
    let user = user(of: segment.host)
    var goesOn = true
    try readForwards(segment, from: offset) { lines, offset in
      goesOn = try forEachMatch(of: search, in: lines) { line in
        guard only != nil || Self.beginsAbout(ids, line), var event = LogEvent(line: line),
          let id = MessageID(event.subject), ids.contains(id)
        else { return true }
        event.writtenBy = user
        let inBlock = UnsafeRawPointer(line.baseAddress!) - UnsafeRawPointer(lines.baseAddress!)
        return try body(event, LogCursor.Position(segment: segment, offset: offset + inBlock))
      }
      return goesOn
    }
    return goesOn
  }

  /// All that the logs say of these, in the order in which it counts: by time, but what one part says as it stands there,
  /// whatever its clock did.
  func events(about ids: Set<MessageID>) throws -> [(event: LogEvent, position: LogCursor.Position)] {
    var found: [(event: LogEvent, position: LogCursor.Position, time: Timestamp)] = []
    for segment in try segments(since: ids.map(\.time).min()) {
      try forEachEvent(about: ids, in: segment) { event, position in
        let before = found.last.flatMap { $0.position.segment.host == segment.host ? $0.time : nil }
        found.append((event, position, max(event.time, before ?? event.time)))
        return true
      }
    }
    let order = found.indices.sorted { (found[$0].time, $0) < (found[$1].time, $1) }
    return order.map { (found[$0].event, found[$0].position) }
  }

  /// Whether the first subject in a line, its own, is one of these: most are not, and needn't be read any further.
  private static func beginsAbout(_ ids: Set<MessageID>, _ line: UnsafeBufferPointer<UInt8>) -> Bool {
    guard let match = anySubject.firstMatch(in: line, from: 0) else { return false }
    let start = match + subject.utf8.count
    guard start + MessageID.textCount <= line.count else { return false }
    return MessageID(line[start..<start + MessageID.textCount]).map(ids.contains) ?? false
  }
}
