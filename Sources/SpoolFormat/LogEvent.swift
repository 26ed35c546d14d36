/// One line of the log: a CloudEvents 1.0 object in JSON that ends with a checksum of itself.
/// `{"specversion":"1.0","id":"17","source":"/pi/1234.5f3a","type":"message.sent","subject":ID,
/// "time":"…","data":{…},"crc32":"0a1b2c3d"}` and a line feed.
public struct LogEvent: Sendable {
  public let id: String
  /// `/HOST/PID.START` of the process that wrote it; with `id`, unique.
  public let source: String
  public let kind: Kind
  /// The id of the message, or the name of the bot, that it is about.
  public let subject: String
  public let time: Timestamp
  public let data: JSONText
  /// The user in whose part of the log it stands, and who can make it up; nil where the spool isn't shared.
  public var writtenBy: UInt32?

  /// What happened: a noun and a past participle. The set is open.
  public struct Kind: Sendable, Hashable, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }

    /// Whether it is about a task.
    public var isOfTask: Bool { description.hasPrefix("task.") }

    /// Whether it is about a group.
    public var isOfGroup: Bool { description.hasPrefix("group.") }
    /// Whether it is about a shared value.
    public var isOfState: Bool { description.hasPrefix("state.") }

    public static let messageSent = Kind("message.sent")
    public static let messageClaimed = Kind("message.claimed")
    public static let messageAcked = Kind("message.acked")
    /// A late ack that changed nothing; overrules the `message.acked` before it.
    public static let messageAckRefused = Kind("message.ack_refused")
    /// Back to waiting: nacked, or its lease ran out.
    public static let messageRequeued = Kind("message.requeued")
    public static let messageDead = Kind("message.dead")
    /// Put back from the dead letters.
    public static let messageRevived = Kind("message.revived")
    public static let messageQuarantined = Kind("message.quarantined")
    /// Made again from the log.
    public static let messageRestored = Kind("message.restored")
    /// A dead letter that somebody threw away.
    public static let messageDiscarded = Kind("message.discarded")
    public static let taskAdded = Kind("task.added")
    public static let taskAssigned = Kind("task.assigned")
    public static let taskStarted = Kind("task.started")
    public static let taskProgressed = Kind("task.progressed")
    public static let taskCompleted = Kind("task.completed")
    public static let taskFailed = Kind("task.failed")
    public static let taskBlocked = Kind("task.blocked")
    public static let taskUnblocked = Kind("task.unblocked")
    public static let taskCancelled = Kind("task.cancelled")
    /// Waits for another attempt.
    public static let taskRetried = Kind("task.retried")
    /// Given back by its holder.
    public static let taskReleased = Kind("task.released")
    /// Taken from its holder.
    public static let taskExpired = Kind("task.expired")
    /// Somebody moved its file by hand.
    public static let taskMoved = Kind("task.moved")
    public static let taskRestored = Kind("task.restored")
    /// It had ended, and its file was removed.
    public static let taskRemoved = Kind("task.removed")
    public static let groupAnnounced = Kind("group.announced")
    public static let groupFormed = Kind("group.formed")
    public static let groupChanged = Kind("group.changed")
    public static let groupReformed = Kind("group.reformed")
    public static let groupCompleted = Kind("group.completed")
    public static let groupFailed = Kind("group.failed")
    public static let groupDissolved = Kind("group.dissolved")
    public static let groupRetried = Kind("group.retried")
    /// Another hub has it in hand.
    public static let groupTaken = Kind("group.taken")
    /// Somebody moved its file by hand.
    public static let groupMoved = Kind("group.moved")
    public static let groupRestored = Kind("group.restored")
    /// It had ended, and its file was removed.
    public static let groupRemoved = Kind("group.removed")
    public static let botRegistered = Kind("bot.registered")
    public static let botUnregistered = Kind("bot.unregistered")
    public static let stateSet = Kind("state.set")
    public static let stateDeleted = Kind("state.deleted")
    /// The first line of a segment that follows another, which its data names.
    public static let logBegan = Kind("log.began")
    public static let topicSubscribed = Kind("topic.subscribed")
    public static let topicUnsubscribed = Kind("topic.unsubscribed")
  }

  /// `,"crc32":"` before, eight digits, `"}` and the line feed after.
  private static let mark: StaticString = ",\"crc32\":\""
  private static let tailCount = 10 + 8 + 3
  /// Of what stands before the data, without source, kind and subject.
  private static let headCountMax = 128

  /// Builds a line, line feed included. `data` writes one JSON value.
  public static func line(
    kind: Kind, subject: String, source: String, number: Int, time: Timestamp, reserving capacity: Int = 384,
    data: (inout JSONWriter) -> Void
  ) -> [UInt8] {
    var writer = JSONWriter(reserving: capacity)
    let (kind, source, subject) = (
      JSONWriter.escaped(kind.description), JSONWriter.escaped(source), JSONWriter.escaped(subject)
    )
    writer.append(atMost: headCountMax + source.utf8.count + kind.utf8.count + subject.utf8.count) { text in
      text.put("{\"specversion\":\"1.0\",\"id\":\"")
      text.put(Int64(number))
      text.put("\",\"source\":\"")
      text.put(source)
      text.put("\",\"type\":\"")
      text.put(kind)
      text.put("\",\"subject\":\"")
      text.put(subject)
      text.put("\",\"time\":\"")
      text.put(time, punctuated: true)
      text.put("\",\"data\":")
    }
    data(&writer)
    let checksum = writer.bytes.withUnsafeBufferPointer { CRC32.checksum($0) }
    writer.append(atMost: tailCount) { text in
      text.put(mark)
      text.putHexadecimal(checksum)
      text.put("\"}\n")
    }
    return writer.bytes
  }

  /// Whether a line (line feed included) is whole: it ends as it should and its checksum is right.
  public static func isWhole(_ line: UnsafeBufferPointer<UInt8>) -> Bool {
    guard line.count > tailCount, line[line.count - 1] == UInt8(ascii: "\n"),
      line[line.count - 2] == UInt8(ascii: "}"), line[line.count - 3] == UInt8(ascii: "\"")
    else { return false }
    let body = line.count - tailCount
    let isMarked = mark.withUTF8Buffer { line[body..<(body + $0.count)].elementsEqual($0) }
    guard isMarked, let written = hexadecimal(line[(body + 10)..<(body + 18)]) else { return false }
    return CRC32.checksum(UnsafeBufferPointer(rebasing: line[..<body])) == UInt32(written)
  }

  private static let beginning = TextSearch("{\"specversion\":\"1.0\",")
  /// So many are tried: each costs the checksum of all that follows, and there may be a million.
  private static let startsMax = 64

  /// Where a whole line begins in what ends with this line feed: 0, but for one whose neighbour before it lost its own
  /// line feed to damage, or was never written to its end. Nil when there is none.
  public static func wholeStart(in line: UnsafeBufferPointer<UInt8>) -> Int? {
    if isWhole(line) { return 0 }
    var starts: [Int] = []
    while let found = beginning.firstMatch(in: line, from: (starts.last ?? 0) + 1) { starts.append(found) }
    // Most often it is the last; the others are events in what a message says.
    return starts.suffix(startsMax).last { isWhole(UnsafeBufferPointer(rebasing: line[$0...])) }
  }

  /// Reads a line; nil when there is none that is whole, and of this shape.
  public init?(line: UnsafeBufferPointer<UInt8>) {
    guard let start = Self.wholeStart(in: line),
      let event = LogEvent(json: UnsafeBufferPointer(rebasing: line[start...].dropLast()))
    else { return nil }
    self = event
  }

  private init?(json: UnsafeBufferPointer<UInt8>) {
    var id: String?
    var source: String?
    var kind: String?
    var subject: String?
    var time: Timestamp?
    var data: JSONText?
    do {
      try JSON.readObject(json, depthMax: JSON.depthMax + 2) { key, value in
        if key.equals("id") { id = value.string }
        if key.equals("source") { source = value.string }
        if key.equals("type") { kind = value.string }
        if key.equals("subject") { subject = value.string }
        if key.equals("time") { time = value.moment }
        if key.equals("data") { data = value.text }
      }
    } catch { return nil }
    guard let id, let source, let kind, let subject, let time, let data else { return nil }
    self.id = id
    self.source = source
    self.kind = Kind(kind)
    self.subject = subject
    self.time = time
    self.data = data
  }

  /// The message in a `message.sent`.
  public var message: Message? {
    data.withSlice { slice in
      guard let body = slice["message"] else { return nil }
      return try? Message(parsing: Array(body.bytes))
    }
  }

  /// The bytes of the message in a `message.sent`, as they stand in its file (less the line feed).
  public var messageBytes: [UInt8]? { data.withSlice { slice in slice["message"].map { Array($0.bytes) } } }

  /// A text in the data, such as `bot` or `reason`.
  public func text(_ name: StaticString) -> String? { data.withSlice { $0[name]?.string } }

  public func number(_ name: StaticString) -> Int? { data.withSlice { $0[name]?.int } }

  public func texts(_ name: StaticString) -> [String] {
    data.withSlice { slice in
      var texts: [String] = []
      slice[name]?.forEachElement { if let text = $0.string { texts.append(text) } }
      return texts
    }
  }
}
