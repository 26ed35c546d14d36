import Linux
import SpoolFormat
import Synchronization

/// What the log tells, of all hosts together.
public struct History: Sendable {
  let spool: Spool
  let files: LogFiles

  public init(_ spool: Spool) {
    self.spool = spool
    files = LogFiles(root: spool.root)
  }

  /// Which events to show; what is nil doesn't matter.
  public struct Filter: Sendable {
    /// Sent, received or otherwise had to do with it.
    public var bot: String?
    public var from: String?
    public var to: String?
    /// Of the message (`request`) or of the event (`message.acked`).
    public var type: String?
    public var conversation: String?
    public var since: Timestamp?
    public var until: Timestamp?
    /// Words and phrases that all must occur in what a message says, without regard to ASCII case.
    public var phrases: [String] = []
    /// Only messages, as they were sent.
    public var sentOnly = false
    /// Only what happened to tasks.
    public var tasksOnly = false
    /// With `sentOnly`: tasks, too, whenever something was said in them.
    public var withTasks = false

    public init() {}
  }

  // MARK: Finding

  /// The newest events that match, newest first, at most `limit`.
  /// Cost: reads backwards until it has enough; what a rare word needs is all of the log, once, at the speed of memory.
  /// - Throws: `.inputOutput` and its like.
  public func newest(_ filter: Filter, limit: Int) throws -> [LogEvent] {
    try doing("cannot read the log") {
      let matcher = EventMatcher(filter)
      var found: [LogEvent] = []
      let hosts = try files.hosts()
      for host in hosts {
        var segments = try files.segments(of: host).filter { matcher.mayHold($0) }
        if let since = filter.since { segments.removeFirst(segments.lastIndex { $0.start <= since } ?? 0) }
        found += try newest(in: Array(segments.reversed()), matcher, limit: limit)
      }
      if hosts.count > 1 { found.sort { $0.time > $1.time } }
      return Array(found.prefix(limit))
    }
  }

  /// Segments are searched by two threads, newest first; results are put together in that order.
  private func newest(in segments: [LogFiles.Segment], _ matcher: EventMatcher, limit: Int) throws -> [LogEvent] {
    struct State {
      var next = 0
      var found: [Int: [LogEvent]] = [:]
      var failure: (any Error)?
    }
    let state = Mutex(State())
    let files = files
    let work: @Sendable () -> Void = {
      while true {
        let turn = state.withLock { state -> Int? in
          // Enough once the segments before this one, all done, have it together.
          let done = (0..<state.next).prefix { state.found[$0] != nil }.reduce(0) { $0 + state.found[$1]!.count }
          guard state.failure == nil, state.next < segments.count, done < limit else { return nil }
          state.next += 1
          return state.next - 1
        }
        guard let turn else { return }
        do {
          let found = try Self.newest(in: segments[turn], files, matcher, limit: limit)
          state.withLock { $0.found[turn] = found }
        } catch { state.withLock { $0.failure = error } }
      }
    }
    if segments.count > 1, matcher.needle != nil { try Thread.run([work, work]) } else { work() }
    return try state.withLock { state in
      if let failure = state.failure { throw failure }
      return Array(state.found.sorted { $0.key < $1.key }.flatMap(\.value).prefix(limit))
    }
  }

  private static func newest(
    in segment: LogFiles.Segment, _ files: LogFiles, _ matcher: EventMatcher, limit: Int
  ) throws -> [LogEvent] {
    var found: [LogEvent] = []
    let user = files.user(of: segment.host)
    let first = try matcher.filter.since.map { since in
      try files.offset(in: segment, before: since.advanced(bySeconds: -LogFiles.lateSecondsMax))
    }
    try files.readBackwards(segment) { lines, offset in
      var inBlock: [LogEvent] = []
      var isBefore = false
      matcher.forEachCandidate(in: lines) { line in
        guard var event = LogEvent(line: line) else { return true }
        event.writtenBy = user
        if matcher.isTooOld(event) { isBefore = true } else if matcher.matches(event) { inBlock.append(event) }
        return true
      }
      found += inBlock.reversed()
      return found.count < limit && offset > first ?? 0 && !(isBefore && inBlock.isEmpty)
    }
    return found
  }

  /// Calls `body` with every event that matches, oldest first, until it returns false.
  /// - Throws: what `body` throws; `.inputOutput` and its like.
  public func forEach(_ filter: Filter, _ body: (LogEvent) throws -> Bool) throws {
    let matcher = EventMatcher(filter)
    try doing("cannot read the log") {
      var merge = try LogMerge(files) { _ in filter.since }
      while let (event, _) = try merge.next() {
        if matcher.matches(event), try !body(event) { return }
      }
    }
  }

  /// How far the logs of all hosts went at a moment.
  public struct End {
    let merge: LogMerge
  }

  /// How far they go now.
  /// - Throws: `.inputOutput` and its like.
  public func end() throws -> End {
    try doing("cannot follow the log") { End(merge: try LogMerge(files, fromEnd: true)) }
  }

  /// Whether something was written about an id since.
  func hasNews(of id: MessageID, since end: End) throws -> Bool {
    let subject = id.description
    return try doing("cannot read the log") {
      var merge = end.merge
      try merge.addNewHosts()
      while let (event, _) = try merge.next() { if event.subject == subject { return true } }
      return false
    }
  }

  /// As `forEach`, for what is written from now on (or from `end` on), until `body` returns false, or the filter's `until`.
  /// `interruption` ends it when it becomes readable. Looks every 0.1 s; on a network file system more and more
  /// seldom, at last every second.
  /// - Throws: as `forEach`.
  public func follow(
    _ filter: Filter, from end: End? = nil, interruption: CInt? = nil, _ body: (LogEvent) throws -> Bool
  ) throws {
    let matcher = EventMatcher(filter)
    try doing("cannot follow the log") {
      var merge = try (end ?? self.end()).merge
      var pace = LookPace(atMost: LookPace.readerNanosecondsMax)
      while true {
        while let (event, _) = try merge.next() {
          pace.noteChange()
          if matcher.matches(event), try !body(event) { return }
        }
        if let until = filter.until, Timestamp(microseconds: Clock.wall()) > until { return }
        // A tenth of a second is soon for a reader, and a look at a few file lengths costs next to nothing, unless each
        // is a question to a server.
        let step = files.root.isRemote ? pace.interval() : LookPace.busyNanoseconds
        let ready = try Poll.wait([interruption].compactMap { $0 }, nanoseconds: step)
        if ready.contains(true) { return }
        try merge.addNewHosts()
      }
    }
  }

  // MARK: One message

  /// The `message.sent` of an id; nil when no log has it.
  /// - Parameter user: in whose part of the log it must stand, where users share the spool.
  /// - Throws: `.inputOutput` and its like.
  public func sent(_ id: MessageID, by user: UInt32? = nil) throws -> LogEvent? {
    var found: LogEvent?
    try forEachEvent(about: id) { event in
      guard event.kind == .messageSent, user == nil || event.writtenBy == user else { return true }
      // Where users share the spool, one may say that he sent another's message.
      let isRight = user != nil || spool.isFromItsBot(event)
      if found == nil || isRight { found = event }
      return !isRight
    }
    return found
  }

  /// Everything that happened to a message, oldest first; nothing when no log has it.
  /// - Throws: `.inputOutput` and its like.
  public func trace(_ id: MessageID) throws -> [LogEvent] {
    var found: [LogEvent] = []
    try forEachEvent(about: id) { event in
      found.append(event)
      return true
    }
    return found.sorted { $0.time < $1.time }
  }

  /// Events whose subject is the id. What was logged before it was made is not looked at.
  func forEachEvent(about id: MessageID, _ body: (LogEvent) throws -> Bool) throws {
    // Clocks of other hosts may be behind the one that made the id. One from the future may stand anywhere.
    let isAhead = id.time.microseconds > Clock.wall()
    let earliest = isAhead ? nil : id.time.advanced(bySeconds: -LogFiles.clockSecondsMax)
    try doing("cannot read the log") {
      let beginning = try files.beginning(of: id)
      for host in try files.hosts() {
        let segments = try files.segments(of: host)
        let isFirst = beginning?.segment.host == host
        let start = isFirst ? beginning!.segment.start : earliest
        let first = start.flatMap { start in segments.lastIndex { $0.start <= start } } ?? 0
        for segment in segments.dropFirst(first) {
          let offset = isFirst && segment == beginning!.segment ? beginning!.offset : 0
          guard try files.forEachEvent(about: [id], in: segment, from: offset, { event, _ in try body(event) }) else {
            return
          }
        }
      }
    }
  }

  /// Whether a text can be a part of an id: four printable characters of ASCII at least, and no space.
  public static func isPart(_ text: String) -> Bool {
    text.utf8.count >= 4 && text.utf8.allSatisfy { $0 > 32 && $0 < 127 }
  }

  /// The id that a part of one, or the name of a file, stands for. The log is read backwards: all of it, or since the
  /// time that the part begins with; for eight characters or more with no time in them, until they are found.
  /// - Throws: `.notFound`; `.badData` when it stands for several, or has fewer than four characters.
  public func identifier(_ part: String) throws -> MessageID {
    if let id = MessageID(part) { return id }
    let last = part.split(separator: "/").last.map(String.init) ?? part
    if let name = EntryName(last) ?? EntryName(last, of: .task) { return name.id }
    guard Self.isPart(part) else {
      throw SpoolError(
        .badData, "\"\(part.escapedForTerminal())\" is no id", hint: "give at least four of its characters")
    }
    var found: Set<MessageID> = []
    let search = TextSearch(part)
    // Eight digits are what lists show. Of ten million messages one in 400 shares them with an older one: then the newer
    // is meant, and the whole log needn't be read to know that.
    let earliest = Self.earliest(part)
    let isLong = earliest == nil && part.utf8.count >= Self.partCountLong && !part.contains("T")
    try doing("cannot read the log") {
      for segment in try files.segments(since: earliest).sorted(by: { $0.start > $1.start }) {
        if isLong, !found.isEmpty { break }
        try files.readBackwards(segment) { lines, _ in
          _ = forEachMatch(of: search, in: lines) { line in
            guard let event = LogEvent(line: line), let id = MessageID(event.subject) else { return true }
            if event.subject.contains(part) { found.insert(id) }
            return true
          }
          return found.isEmpty || !isLong
        }
      }
    }
    if let only = found.first, found.count == 1 { return only }
    guard !found.isEmpty else {
      throw SpoolError(.notFound, "no message or task has \(part) in its id", hint: "see: spool log")
    }
    let shown = found.sorted().prefix(3).map(\.description).joined(separator: ", ")
    throw SpoolError(.badData, "\(part) stands for \(found.count) messages: \(shown)", hint: "give more of the id")
  }

  private static let partCountLong = 8

  /// When the first message may have been made whose id begins so; nil for what is no time.
  private static func earliest(_ part: String) -> Timestamp? {
    let whole = "20000101T000000.000000Z"
    guard part.utf8.count >= 8, part.utf8.prefix(8).allSatisfy({ 48...57 ~= $0 }) else { return nil }
    return Timestamp(compact: Array((part.prefix(whole.count) + whole.dropFirst(part.count)).utf8))
  }

  /// So far a host's clock may be set back in the midst of a conversation, seconds.
  private static let clockStepSeconds = 60.0

  /// The messages of a conversation, oldest first. One that is named by its first message's id is only looked for since
  /// that was sent; of any other all of the log is read.
  /// - Parameter id: of a message in it: those that may have been sent after that one, by whatever clock.
  /// - Throws: `.inputOutput` and its like.
  public func thread(_ conversation: String, since id: MessageID? = nil) throws -> [LogEvent] {
    var filter = Filter()
    filter.conversation = conversation
    filter.sentOnly = true
    if let first = (id ?? MessageID(conversation))?.time, first.microseconds <= Clock.wall() {
      let isAlone = try doing("cannot read the log") { try files.hosts().count == 1 }
      filter.since = first.advanced(bySeconds: isAlone ? -Self.clockStepSeconds : -LogFiles.clockSecondsMax)
    }
    return try newest(filter, limit: .max).reversed()
  }
}

/// Calls `body` with each line that holds the text, until it returns false. All hold an empty one.
func forEachMatch(
  of search: TextSearch, in lines: UnsafeBufferPointer<UInt8>, _ body: (UnsafeBufferPointer<UInt8>) throws -> Bool
) rethrows -> Bool {
  var position = 0
  while position < lines.count, let match = search.firstMatch(in: lines, from: position) {
    let start = lines.lastFeed(before: match).map { $0 + 1 } ?? 0
    let end = lines.firstFeed(from: match).map { $0 + 1 } ?? lines.count
    guard try body(UnsafeBufferPointer(rebasing: lines[start..<end])) else { return false }
    position = end
  }
  return true
}
