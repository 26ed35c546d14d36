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
  /// Bytes of a log segment before the next is begun.
  public var segmentBytesMax = 64 << 20
  /// How much may wait in an inbox whose bot says nothing else; nothing is limited unless somebody says so.
  public var inboxLimits = InboxLimits()
  public var createdAt: Timestamp?
  /// The group whose members share the spool, as it was called when that was decided. Nil where one user has it alone.
  /// Which group it is, the directory says.
  public var sharedWith: String?

  public init(identity: String) { self.identity = identity }

  /// Seconds that a lease may last: from what the clock of a busy machine can tell to four months.
  public static let leaseSecondsRange = 0.01...1e7

  /// A lease that somebody wrote into a file, brought into its range; nil when it is none.
  static func lease(_ value: JSONValue?) -> Double? {
    guard let seconds = value?.double, seconds > 0 else { return nil }
    return min(max(seconds, leaseSecondsRange.lowerBound), leaseSecondsRange.upperBound)
  }

  static func attempts(_ value: JSONValue?) -> Int? {
    value?.int.map { min(max($0, 1), EntryName.attemptMax) }
  }

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
    leaseSeconds = Self.lease(value["lease_seconds"]) ?? leaseSeconds
    attemptsMax = Self.attempts(value["attempts_max"]) ?? attemptsMax
    if let bytes = value["segment_bytes_max"]?.int { segmentBytesMax = max(bytes, 4096) }
    inboxLimits = InboxLimits(value)
    sharedWith = value["shared_with"]?.string
    createdAt = value["created_at"]?.string.flatMap(Timestamp.init(rfc3339:))
  }

  /// What in a file that can be read as settings is counted as if it weren't there, or brought into its range: a line each.
  public static func problems(in bytes: [UInt8]) -> [String] {
    guard let settings = try? Settings(parsing: bytes), let given = (try? JSONValue(parsing: bytes))?.object else {
      return []
    }
    var writer = JSONWriter()
    settings.write(to: &writer)
    let taken = (try? JSONValue(parsing: writer.bytes))?.object ?? [:]
    return given.compactMap { member in
      let name = member.key.escapedForTerminal()
      guard let value = taken.first(where: { $0.key == member.key })?.value else {
        if InboxLimits.members.contains(member.key) { return "\"\(name)\" won't do, and is not counted" }
        let near = NearMatch.of(member.key, among: taken.map(\.key) + InboxLimits.members)
        return near.isEmpty ? nil : "\"\(name)\" means nothing here; did you mean \(near.joined(separator: ", "))?"
      }
      if value == member.value || (value.double != nil && value.double == member.value.double) { return nil }
      if let moment = member.value.string.flatMap(Timestamp.init(rfc3339:)), moment == settings.createdAt { return nil }
      var shown = JSONWriter()
      value.write(to: &shown)
      return "\"\(name)\" won't do as it is; \(String(decoding: shown.bytes, as: UTF8.self)) is taken"
    }
  }

  public func write(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.member("nanospool", Self.formatVersion)
    writer.member("id", identity)
    writer.member("durability", durability.rawValue)
    writer.member("lease_seconds", leaseSeconds)
    writer.member("attempts_max", attemptsMax)
    writer.member("segment_bytes_max", segmentBytesMax)
    inboxLimits.write(to: &writer)
    writer.member("shared_with", ifPresent: sharedWith)
    writer.member("created_at", moment: createdAt)
    writer.endObject()
  }
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
