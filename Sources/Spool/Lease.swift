import Glibc
import Linux
import SpoolFormat

/// How long each claim of a bot has stood unchanged, by this observer's own clock since boot. No jump of any wall
/// clock, here or on the host of the holder, can make a lease run out.
struct LeaseObservations {
  struct Seen: Equatable {
    /// The file's modification time, which a renewal changes; only ever compared for equality.
    let modified: Int
    /// When it was first seen so; nanoseconds since boot.
    let since: Int
    /// How often it could not be settled, and when to try again.
    fileprivate var failures = 0
    fileprivate var retryAt = 0

    init(modified: Int, since: Int) {
      self.modified = modified
      self.since = since
    }

    /// As if of the time since the last look, or since it is known, no more than `pause` had passed.
    fileprivate func countingNoMore(than pause: Int, since look: Int, now: Int) -> Seen {
      var other = Seen(modified: modified, since: since + max(0, now - max(since, look) - pause))
      (other.failures, other.retryAt) = (failures, retryAt)
      return other
    }
  }
  private(set) var seen: [String: Seen] = [:]
  private var fresh: [String: Seen] = [:]
  /// Whether there is something that a later observer would want to know.
  private(set) var hasChanged = false
  private var problems: [FileFailure] = []
  /// When somebody last looked; nanoseconds since boot.
  private var lookedAt: Int?

  /// Notes how a claim stands now.
  /// - Parameter limit: for how many nanoseconds it may stand so. Of the time since the last look no more than half of it
  ///   counts, and 15 s at least: an observer that didn't look for longer was stopped, and the holders perhaps with it
  ///   (a container that was paused, a machine without memory). They renew what they have before the next look.
  /// - Returns: for how many nanoseconds it has stood so.
  mutating func observe(_ name: String, modified: Int, now: Int, limit: Int) -> Int {
    let pause = max(Self.pauseNanosecondsMax, limit / 2)
    if let look = lookedAt, now - look > pause {
      seen = seen.mapValues { $0.countingNoMore(than: pause, since: look, now: now) }
      fresh = fresh.mapValues { $0.countingNoMore(than: pause, since: look, now: now) }
      hasChanged = true
    }
    lookedAt = now
    // What another clock wrote may be in the future.
    if let known = seen[name], known.modified == modified, known.since <= now {
      fresh[name] = known
      return now - known.since
    }
    fresh[name] = Seen(modified: modified, since: now)
    hasChanged = true
    return 0
  }

  /// Notes one that was made just now.
  mutating func add(_ name: String, modified: Int, now: Int) {
    seen[name] = Seen(modified: modified, since: now)
    hasChanged = true
  }

  /// Settles one that was observed in this round. What can't be settled is tried again later, less and less often: it
  /// stops nobody, and each try may take a look through all of the log.
  /// - Returns: nil when it could not be done, or isn't tried now.
  mutating func attempt<Result>(_ name: String, at path: String, _ settle: () throws -> Result) -> Result? {
    guard let known = fresh[name], known.retryAt <= Clock.sinceBoot() else { return nil }
    do { return try settle() } catch {
      if known.failures == 0 { problems.append(FileFailure(path: path, error: error)) }
      fresh[name]!.failures += 1
      let pause = min(Self.retryNanosecondsMax, Self.retryNanoseconds << min(known.failures, 20))
      fresh[name]!.retryAt = Clock.sinceBoot() + pause
      return nil
    }
  }

  /// Idle observers look so often.
  static let pauseNanosecondsMax = 15_000_000_000
  private static let retryNanoseconds = 1_000_000_000
  private static let retryNanosecondsMax = 60_000_000_000

  /// Takes what could not be settled, each as it was the first time.
  mutating func takeProblems() -> [FileFailure] {
    defer { problems = [] }
    return problems
  }

  /// The same, one at a time, for who has nothing else to tell.
  mutating func throwProblem() throws {
    guard !problems.isEmpty else { return }
    try problems.removeFirst().rethrow()
  }

  /// Whether it was there as it is now when somebody last looked.
  func has(_ name: String, modified: Int) -> Bool { seen[name]?.modified == modified }

  /// One that was observed in this round has been settled, and may come anew.
  mutating func forget(_ name: String) { fresh[name] = nil }

  /// Keeps those for which nobody looked in this round.
  mutating func keep(_ wasLeftOut: (String) -> Bool) {
    for (name, entry) in seen where fresh[name] == nil && wasLeftOut(name) { fresh[name] = entry }
  }

  /// After all claims that there are have been observed: forgets the others.
  mutating func endRound() {
    if fresh.count != seen.count { hasChanged = true }
    seen = fresh
    fresh = [:]
  }

  /// One line a claim, for one-shot commands, which can't wait to see: `BOOT`, then `NAME MODIFIED SINCE`.
  func encoded(boot: String) -> [UInt8] {
    var text = boot + "\n"
    for (name, entry) in seen.sorted(by: { $0.key < $1.key }) { text += "\(name) \(entry.modified) \(entry.since)\n" }
    return Array(text.utf8)
  }

  init() {}

  /// What an earlier observer of the same boot saw; nothing from a file that is damaged or of another boot.
  init(decoding bytes: [UInt8], boot: String) {
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    guard lines.first.map(String.init) == boot else { return }
    for line in lines.dropFirst() {
      let fields = line.split(separator: " ")
      guard fields.count == 3, let modified = Int(fields[1]), let since = WholeNumber.parse(fields[2]) else {
        continue
      }
      seen[String(fields[0])] = Seen(modified: modified, since: since)
    }
  }
}

extension Spool {
  /// Whether somebody won't go on with what he left half done.
  /// - Parameter stood: for how many nanoseconds an observer has seen it unchanged.
  func isAbandoned(_ holder: Holder, _ stood: Int) -> Bool {
    isGone(holder) || stood >= leaseNanoseconds
  }

  var leaseNanoseconds: Int { Int(settings.leaseSeconds * 1e9) }
}

extension Spool {
  /// Puts back what dead holders had, and what stood unchanged for the lease's length; settles what dead senders
  /// left in `tmp/`. Returns whether anything was put back. What can't be is for `takeProblems` to tell.
  /// Cost: at most eight directory listings when nothing is claimed, and one fstatat(2) a claim.
  @discardableResult
  func expireLeases(of bot: BotName, _ observations: inout LeaseObservations, lease: Double, attemptsMax: Int) throws
    -> Bool
  {
    let limit = Int(lease * 1e9)
    var changed = try expireClaims(of: bot, &observations, lease: lease, limit, attemptsMax: attemptsMax)
    changed = try settleSends(lookingFrom: bot, &observations, limit) || changed
    settleDone(bot, &observations, limit)
    observations.endRound()
    return changed
  }

  private func expireClaims(
    of bot: BotName, _ observations: inout LeaseObservations, lease: Double, _ limit: Int, attemptsMax: Int
  ) throws -> Bool {
    let now = Clock.sinceBoot()
    var gone: [Holder: Bool] = [:]
    var changed = false
    var names: [EntryName] = []
    try root.list(Layout.box(bot, .claimed)) { if let name = EntryName($0), name.holder != nil { names.append(name) } }
    for name in names {
      let path = Layout.entry(bot, .claimed, name)
      guard let holder = name.holder, let status = try root.status(path) else { continue }
      let stood = observations.observe(name.description, modified: status.modified, now: now, limit: limit)
      let isDead = gone[holder] ?? isGone(holder)
      gone[holder] = isDead
      guard isDead || stood >= limit else { continue }
      let why = isDead ? "its holder \(holder) died" : "its lease of \(lease) s ran out"
      let isExpired = observations.attempt(name.description, at: path) {
        try expire(bot, name, why, attemptsMax: attemptsMax)
      }
      changed = isExpired == true || changed
    }
    return changed
  }

  /// What somebody moved into `done/` is acked that way: by a script that has no more than `mv`, or by hand.
  /// What can't be logged now (a full disk) stays there, as acked as before; what can't be removed is logged once.
  func settleDone(_ bot: BotName, _ observations: inout LeaseObservations, _ limit: Int) {
    for fileName in (try? root.names(Layout.box(bot, .done))) ?? [] {
      // A file that never got its proper name is in no log, and stays here. Another receiver may be at this, too:
      // asking again leaves little time for the two to log the same.
      guard let name = EntryName(fileName), let log = try? log else { continue }
      let path = Layout.entry(bot, .done, name)
      guard let status = (try? root.status(path)) ?? nil else { continue }
      let seen = "done:\(name)"
      do {
        if !observations.has(seen, modified: status.modified) {
          try log.append(.messageAcked, name.id.description) { writer in
            settle(&writer, bot, name)
            writer.member("by", "mv")
            writer.endObject()
          }
        }
      } catch { return }
      // What is observed here is in the log.
      _ = observations.observe(seen, modified: status.modified, now: Clock.sinceBoot(), limit: limit)
      guard observations.attempt(seen, at: path, { try root.clear(path) }) == true else { continue }
      observations.forget(seen)
      forgetSender(of: name.id, to: bot)
    }
  }

  /// The same for one who looks once.
  func settleDone(_ bot: BotName) {
    var observations = loadObservations(of: bot)
    settleDone(bot, &observations, leaseNanoseconds)
  }

  /// Acks, unread, what waits for its time: as who moves it into `done/` does.
  /// - Returns: how many there were.
  public func ackDelayed(_ bot: BotName) throws -> Int {
    try requireOwn(bot, to: "clear the inbox of")
    let now = now()
    var count = 0
    try doing("cannot clear the inbox of \(bot)") {
      try root.makeDirectory(Layout.box(bot, .done))
      for fileName in try root.names(Layout.box(bot, .inbox)) {
        guard let name = EntryName(fileName), let due = name.notBefore, due > now else { continue }
        if try root.renameIfPresent(Layout.entry(bot, .inbox, name), to: Layout.entry(bot, .done, name)) { count += 1 }
      }
    }
    settleDone(bot)
    return count
  }

  private func expire(_ bot: BotName, _ name: EntryName, _ why: String, attemptsMax: Int) throws -> Bool {
    // Somebody died while giving a dropped file its name.
    if name.attempt == 0 { return try putBackAsDropped(bot, name) != nil }
    do {
      try requeue(bot, name, delay: 0, reason: why, attemptsMax: attemptsMax)
      return true
    } catch let error as SpoolError where error.code == .claimLost {
      return false
    }
  }

  func loadObservations(of bot: BotName) -> LeaseObservations {
    guard let boot = try? Clock.bootIdentity(),
      let bytes = try? root.readFile(Layout.leases(bot, host: host), maximum: 64 << 20)
    else { return LeaseObservations() }
    return LeaseObservations(decoding: bytes, boot: boot)
  }

  /// So that the next one-shot command knows since when. Losing it only makes a lease longer.
  func saveObservations(_ observations: LeaseObservations, of bot: BotName) {
    guard observations.hasChanged, let boot = try? Clock.bootIdentity() else { return }
    _ = try? root.makeDirectory(Layout.box(bot, .presence))
    _ = try? replace(Layout.leases(bot, host: host), with: observations.encoded(boot: boot))
  }
}
