/// `spool.json`: what makes a directory a spool, and what holds for all of it.
public struct Settings: Sendable, Hashable {
  /// The format this program writes. A spool of a later one is refused.
  public static let formatVersion = 1
  public static let bytesMax = 64 << 10

  /// The spool's own id, which a copy of it keeps.
  public var identity: String
  public var durability = Durability.durable
  /// Seconds that a claim stands without being renewed. A minute: a worker renews four times in it, and
  /// what a dead one held comes back soon enough for a person who is watching.
  public var leaseSeconds = 60.0
  /// Claims of one message before it is dead-lettered.
  public var attemptsMax = 5
  /// What a lease may be, whoever wrote it: seconds that still fit a count of nanoseconds.
  static let leaseSecondsRange = 0.01...31_536_000.0
  static let attemptsRange = 1...EntryName.attemptMax
  /// Bytes of a log segment before the next is begun.
  public var segmentBytesMax = 64 << 20
  public var createdAt: Timestamp?

  public init(identity: String) { self.identity = identity }

  public init(parsing bytes: [UInt8]) throws(FormatError) {
    let value: JSONValue
    do { value = try JSONValue(parsing: bytes) } catch { throw FormatError("not JSON: \(error)") }
    guard let version = value["nanospool"]?.int, let identity = value["id"]?.string else {
      throw FormatError("has no \"nanospool\" version and \"id\": this is some other program's file")
    }
    guard version == Self.formatVersion else {
      throw FormatError("has format \(version), and this program knows \(Self.formatVersion): use a newer one")
    }
    self.init(identity: identity)
    if let text = value["durability"]?.string { durability = try Durability(parsing: text) }
    if let seconds = value["lease_seconds"]?.double { leaseSeconds = seconds.clamped(to: Self.leaseSecondsRange) }
    if let attempts = value["attempts_max"]?.int { attemptsMax = attempts.clamped(to: Self.attemptsRange) }
    if let bytes = value["segment_bytes_max"]?.int { segmentBytesMax = max(bytes, 4096) }
    createdAt = value["created_at"]?.string.flatMap(Timestamp.init(rfc3339:))
  }

  public func write(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.member("nanospool", Self.formatVersion)
    writer.member("id", identity)
    writer.member("durability", durability.rawValue)
    writer.member("lease_seconds", leaseSeconds)
    writer.member("attempts_max", attemptsMax)
    writer.member("segment_bytes_max", segmentBytesMax)
    if let createdAt {
      writer.key("created_at")
      writer.moment(createdAt)
    }
    writer.endObject()
  }
}

extension Comparable {
  func clamped(to range: ClosedRange<Self>) -> Self { min(max(self, range.lowerBound), range.upperBound) }
}

/// What a sender's yes is worth.
public enum Durability: String, Sendable, CaseIterable {
  /// Survives a crash of any process, not a power cut: nothing is synced.
  case relaxed
  /// Survives a power cut: the log line is synced before the answer.
  case durable

  public init(parsing text: String) throws(FormatError) {
    guard let value = Durability(rawValue: text) else {
      throw FormatError("durability \"\(String(text.prefix(20)).escapedForTerminal())\" is not relaxed or durable")
    }
    self = value
  }
}
