import Glibc
import Linux
import SpoolFormat

/// What `spool gc` is to remove of the log.
public struct CollectionWish: Sendable {
  /// Segments whose last line is older than so many seconds.
  public var olderThan: Double?
  /// The oldest, until all segments together have no more than so many bytes.
  public var keepBytes: Int?
  /// Only say what would be removed.
  public var isDryRun = false
  /// With `keepBytes` alone: what is younger than this stays, seconds; and always where several hosts write, whose clocks
  /// may differ.
  public var youngest = 3600.0
  /// What hosts noted of leases goes with what is as old, and not before this, seconds.
  public var youngestNotes = 86400.0

  public init() {}
}

/// What was removed, or would be, and what had to stay.
public struct CollectionReport: Sendable {
  public struct Segment: Sendable {
    /// Relative to the spool.
    public let path: String
    public let bytes: Int
    /// Why it stays though it was meant; nil for one that is removed.
    public let reason: String?
  }
  public internal(set) var removed: [Segment] = []
  public internal(set) var kept: [Segment] = []
  /// Idempotency keys that are forgotten.
  public internal(set) var keys = 0
  /// Of all segments, before and after.
  public internal(set) var bytesBefore = 0
  public var bytesRemoved: Int { removed.reduce(0) { $0 + $1.bytes } }
  /// Since when the log has everything; nil when it has nothing.
  public internal(set) var since: Timestamp?

  public init() {}
}

/// Removes old segments of the log that nobody needs any more, while everything runs. Needed are those with a line about a
/// message that waits, is in hand, dead, or on its way; about an unfinished task or group, its parents, children and
/// parts; the newest of each shared value that there is; and all from a host's checkpoint on.
///
/// Recovery would bring back what was sent in a segment that stays and acked in one that is removed. So it is written down
/// first how everything stood (`Forgotten`), and recovery believes that; then the segments go, the oldest first. Killed at
/// any moment, it has removed some of them.
struct LogCollection {
  let spool: Spool
  let files: LogFiles
  let wish: CollectionWish
  /// By host, up to where the records of bots have the log.
  let records: [String: LogFollower.Position]
  private var root: Directory { spool.root }

  /// An idempotency key is remembered at least this long, whatever becomes of the log; seconds.
  static let keySecondsMin = 7 * 86400.0
  /// Whoever took one sends within this time, or never does; seconds.
  private static let keySecondsUnused = 3600.0
  /// Nobody can append while these are removed.
  private static let keysAtOnceMax = 1000

  init(_ spool: Spool, _ wish: CollectionWish, records: [String: LogFollower.Position]) {
    self.spool = spool
    self.wish = wish
    self.records = records
    files = LogFiles(root: spool.root)
  }

  private struct Candidate {
    let segment: LogFiles.Segment
    let bytes: Int
    /// When the next one was begun.
    let end: Timestamp
  }

  func run() throws -> CollectionReport {
    let turn = try spool.takeCollectionTurn()
    defer { _ = try? turn.unlock() }
    if !wish.isDryRun { try noteCheckpoint() }
    var report = CollectionReport()
    var candidates = try candidates(&report)
    if !wish.isDryRun { try spool.clearLeaseNotes(olderThan: max(wish.olderThan ?? 0, wish.youngestNotes)) }
    guard !candidates.isEmpty else { return try finish(&report) }
    let old = try Forgotten(in: root)
    let needs = try LogNeeds(spool, files, old).gathered()
    keepWhatKeysMayNeed(&candidates, needs, &report)
    let chosen = try choose(candidates, needs, &report)
    let keys = expiredKeys(needs)
    report.keys = keys.count
    guard !wish.isDryRun, !chosen.isEmpty else { return try finish(&report) }
    // First: one under which nothing was sent would mean that it was, once its time is forgotten.
    report.keys = try remove(keys, unusedSince: needs.read)
    let until = candidates.map(\.end).max()!
    var forgotten = Forgotten()
    forgotten.read = needs.read
    forgotten.until = max(until, old.until ?? until)
    forgotten.needed = needs.ids.union(needs.idsForNobody)
    forgotten.removed = try stillNamed(old.removed.union(chosen.map(\.segment)), besides: Set(chosen.map(\.segment)))
    try write(forgotten)
    for candidate in chosen { try root.unlinkIfPresent(candidate.segment.path) }
    return try finish(&report)
  }

  /// On a full disk, where it is wanted most that something goes, an older one does as well.
  private func noteCheckpoint() throws(SystemCallError) {
    do { try files.noteCheckpoint(of: spool.part) } catch {
      guard error.isForLackOfRoom, try files.checkpoint(of: spool.part) != nil else { throw error }
    }
  }

  private func write(_ forgotten: Forgotten) throws {
    let bytes = forgotten.encoded
    do throws(SystemCallError) {
      try root.replace(
        Layout.forgotten, with: bytes, through: Layout.temporary("gc-\(spool.holder)"), isSynced: true)
    } catch {
      guard error.isForLackOfRoom else { throw error }
      throw SpoolError(
        .tryAgain, "cannot write down in \(Layout.forgotten) what is to go, and no segment was removed: \(error)",
        hint: "make room for \(bytes.count) bytes on the disk, with spool gc --quarantine 1h, say", cause: error)
    }
    // Its name must be on the disk before what it speaks of is gone.
    try root.open(Layout.log, O_RDONLY | O_DIRECTORY).syncData()
  }

  private func finish(_ report: inout CollectionReport) throws(SystemCallError) -> CollectionReport {
    let gone = Set(report.removed.map(\.path))
    let held = Set(report.kept.map(\.path))
    let left = try files.allSegments().filter { !gone.contains($0.path) }
    report.since = left.filter { !held.contains($0.path) }.map(\.start).min() ?? left.map(\.start).min()
    return report
  }

  // MARK: Which

  /// Those that are old enough, oldest first, whoever needs them.
  private func candidates(_ report: inout CollectionReport) throws -> [Candidate] {
    let hosts = try files.hosts()
    let writers = try hosts.filter { try !files.segments(of: $0).isEmpty }
    let youngest = writers.count > 1 ? max(wish.youngest, wish.olderThan ?? 0) : wish.olderThan ?? wish.youngest
    let now = spool.now()
    var all: [Candidate] = []
    for host in hosts {
      let segments = try files.segments(of: host)
      let sizes = try segments.map { try root.status($0.path)?.size ?? 0 }
      report.bytesBefore += sizes.reduce(0, +)
      guard let first = try firstInUse(segments.last?.start, host) else { continue }
      for (index, segment) in segments.enumerated() where segment.start < first && index + 2 < segments.count {
        all.append(Candidate(segment: segment, bytes: sizes[index], end: segments[index + 1].start))
      }
    }
    all.sort { ($0.end, $0.segment.host) < ($1.end, $1.segment.host) }
    var excess = wish.keepBytes.map { report.bytesBefore - $0 } ?? 0
    return all.filter { candidate in
      let age = now.seconds(since: candidate.end)
      let isOld = wish.olderThan.map { age >= max($0, youngest) } ?? false
      guard isOld || (excess > 0 && age >= min(youngest, wish.youngest)) else { return false }
      excess -= candidate.bytes
      return true
    }
  }

  /// From here on recovery reads, or the records of bots do; nil where that can't be told, and nothing may go.
  private func firstInUse(_ last: Timestamp?, _ host: String) throws -> Timestamp? {
    // What would be noted is the last but one, which stays anyway.
    let isToBeNoted = wish.isDryRun && host == spool.part
    guard let checkpoint = try isToBeNoted ? last : files.checkpoint(of: host),
      let place = records[host], let read = Timestamp(compact: Array(place.segment.utf8))
    else { return nil }
    return min(checkpoint, read)
  }

  /// Those that nobody needs.
  private func choose(_ candidates: [Candidate], _ needs: LogNeeds, _ report: inout CollectionReport) throws
    -> [Candidate]
  {
    var chosen: [Candidate] = []
    for candidate in candidates {
      let reason = try needs.reason(toKeep: candidate.segment)
      let told = CollectionReport.Segment(path: candidate.segment.path, bytes: candidate.bytes, reason: reason)
      if reason == nil {
        chosen.append(candidate)
        report.removed.append(told)
      } else {
        report.kept.append(told)
      }
    }
    return chosen
  }

  /// Of the segments that are gone, those that some other's first line names.
  private func stillNamed(
    _ removed: Set<LogFiles.Segment>, besides going: Set<LogFiles.Segment>
  ) throws -> Set<LogFiles.Segment> {
    var named = going
    for segment in try files.allSegments() {
      named.formUnion(try files.predecessors(of: segment).filter(removed.contains))
    }
    return named
  }

  /// Keys whose messages the log no longer vouches for: those old enough to be forgotten, and those under which nothing was
  /// ever sent. The others keep meaning that it was.
  func expiredKeys(_ needs: LogNeeds) -> [MessageID: LogNeeds.Key] {
    let now = spool.now()
    return needs.keys.filter { id, key in
      guard !key.isLogged, !needs.ids.contains(id) else { return false }
      let age = now.seconds(since: id.time)
      return age >= Self.keySecondsMin || (age >= Self.keySecondsUnused && !key.wasForgotten && key.isAbandoned)
    }
  }

  /// Removes keys, but those under which somebody has sent since the log was read: with the lock of the log, with which who
  /// takes over a dead sender's looks whether it is still there.
  /// - Returns: how many.
  func remove(
    _ keys: [MessageID: LogNeeds.Key], unusedSince read: [String: LogFollower.Position]
  ) throws -> Int {
    var follower = try LogFollower(spool, from: read)
    var used: Set<MessageID> = []
    func readOn() throws {
      _ = try follower.take { event in if let id = MessageID(event.subject), keys[id] != nil { used.insert(id) } }
    }
    var count = 0
    var left = Array(keys)[...]
    while !left.isEmpty {
      // Most of what was logged meanwhile without it.
      try readOn()
      try spool.log.locked { _ in
        try readOn()
        for (id, key) in left.prefix(Self.keysAtOnceMax) where !used.contains(id) {
          if try root.unlinkIfPresent(key.path) { count += 1 }
        }
      }
      left = left.dropFirst(Self.keysAtOnceMax)
    }
    return count
  }

  /// A key from a time that is forgotten stands for a message that was sent. So what is as young as one under which nothing
  /// has been sent yet stays, until that was done or the key has expired.
  private func keepWhatKeysMayNeed(
    _ candidates: inout [Candidate], _ needs: LogNeeds, _ report: inout CollectionReport
  ) {
    let (now, expired) = (spool.now(), expiredKeys(needs))
    let unused = needs.keys.filter { id, key in
      !key.isLogged && !key.wasForgotten && expired[id] == nil && now.seconds(since: id.time) < Self.keySecondsMin
    }
    guard let first = unused.keys.map(\.time).min() else { return }
    for candidate in candidates where candidate.end > first {
      report.kept.append(
        CollectionReport.Segment(
          path: candidate.segment.path, bytes: candidate.bytes,
          reason: "is of the time of a key under which nothing was sent yet"))
    }
    candidates.removeAll { $0.end > first }
  }
}

extension Spool {
  /// One collects at a time: each writes down all of what is forgotten. The turn lasts as long as the descriptor.
  func takeCollectionTurn() throws -> Descriptor {
    if isShared, geteuid() != 0 {
      throw SpoolError(
        .notPermitted, "several users share this spool, and what they have in it only root can see",
        hint: "sudo spool gc --spool \(path)")
    }
    let turn = try openCollectionLock()
    guard try turn.tryLock() else {
      throw SpoolError(.tryAgain, "somebody else is collecting", hint: "try again when that has ended")
    }
    return turn
  }

  /// Where users share the spool, whoever can open it could hold it for ever: it is this user's alone.
  private func openCollectionLock() throws(SystemCallError) -> Descriptor {
    guard isShared else { return try root.open(Layout.forgottenLock, O_RDWR | O_CREAT) }
    if let status = try root.status(Layout.forgottenLock),
      !status.isRegular || status.owner != geteuid() || status.mode & 0o077 != 0
    {
      try root.clear(Layout.forgottenLock)
    }
    return try root.open(Layout.forgottenLock, O_RDWR | O_CREAT, mode: Permissions.privateFile)
  }
}
