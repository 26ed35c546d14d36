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
  }
  private(set) var seen: [String: Seen] = [:]
  private var fresh: [String: Seen] = [:]
  /// Whether there is something that a later observer would want to know.
  private(set) var hasChanged = false

  /// Notes how a claim stands now; returns for how many nanoseconds it has stood so.
  mutating func observe(_ name: String, modified: Int, now: Int) -> Int {
    if let known = seen[name], known.modified == modified {
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
    isGone(holder) || stood >= Int(settings.leaseSeconds * 1e9)
  }

  /// What other processes left below a `moving/` and won't go on with: whose it is, and the names.
  func abandonedMoves(in directory: String, _ observations: inout LeaseObservations) throws(SystemCallError)
    -> [(mover: Holder, names: [String])]
  {
    let now = Clock.sinceBoot()
    var abandoned: [(mover: Holder, names: [String])] = []
    for mover in try root.names(directory).compactMap({ Holder($0) }) where mover != holder {
      let names = try root.names("\(directory)/\(mover)")
      // Somebody else's content stands still for a moment only; each name is one step.
      var stood = Int.max
      for name in names { stood = min(stood, observations.observe("\(mover)/\(name)", modified: 0, now: now)) }
      if isAbandoned(mover, names.isEmpty ? 0 : stood) { abandoned.append((mover, names)) }
    }
    return abandoned
  }
}

extension Spool {
  /// Puts back what dead holders had, and what stood unchanged for the lease's length; settles what dead senders
  /// left in `tmp/`. Returns whether anything was put back.
  /// Cost: at most eight directory listings when nothing is claimed, and one fstatat(2) a claim.
  @discardableResult
  func expireLeases(of bot: BotName, _ observations: inout LeaseObservations, lease: Double, attemptsMax: Int) throws
    -> Bool
  {
    let now = Clock.sinceBoot()
    let limit = Int(lease * 1e9)
    let patience = now + Self.settlingNanoseconds
    var gone: [Holder: Bool] = [:]
    var changed = false
    for box in [Layout.Box.claimed, .tmp] {
      var names: [EntryName] = []
      try root.list(Layout.box(bot, box)) { if let name = EntryName($0), name.holder != nil { names.append(name) } }
      for name in names {
        guard let holder = name.holder else { continue }
        if box == .tmp, holder == self.holder {
          if isLeft(name), Clock.sinceBoot() < patience { changed = settleLeft(bot, name) || changed }
          continue
        }
        guard let status = try root.status(Layout.entry(bot, box, name)) else { continue }
        let stood = observations.observe(name.description, modified: status.modified, now: now)
        let isDead = gone[holder] ?? isGone(holder)
        gone[holder] = isDead
        guard isDead || stood >= limit else { continue }
        let why = isDead ? "its holder \(holder) died" : "its lease of \(lease) s ran out"
        if box == .tmp {
          if Clock.sinceBoot() > patience { continue }
          changed = try settleUnfinishedSend(bot, name) || changed
        } else {
          changed = try expire(bot, name, why, attemptsMax: attemptsMax) || changed
        }
      }
    }
    changed = try settleSends(toOthersThan: bot, &observations, limit, until: patience) || changed
    observations.endRound()
    settleDone(bot)
    return changed
  }

  /// In one round, for what dead senders left: each may take a look through all of the log, and who has claims must renew
  /// them meanwhile.
  private static let settlingNanoseconds = 250_000_000

  /// How many other bots are looked at in a round: all of a small team, and of a large one each in its turn.
  private static let othersMax = 4

  /// A sender that died half-way through its recipients, or could not go on, left its file with the first of them, who may
  /// not be receiving now; the others must not wait for that.
  private func settleSends(
    toOthersThan bot: BotName, _ observations: inout LeaseObservations, _ limit: Int, until patience: Int
  ) throws -> Bool {
    var changed = false
    for other in try someBots(besides: bot) where isOwn(other) {
      var names: [EntryName] = []
      try root.list(Layout.box(other, .tmp)) { if let name = EntryName($0) { names.append(name) } }
      for name in names {
        guard let holder = name.holder else { continue }
        if Clock.sinceBoot() > patience { return changed }
        if holder == self.holder {
          if isLeft(name) { changed = settleLeft(other, name) || changed }
        } else if try isGone(holder) || hasStood(name, with: other, &observations, limit) {
          changed = try settleUnfinishedSend(other, name) || changed
        }
      }
    }
    return changed
  }

  private func hasStood(
    _ name: EntryName, with bot: BotName, _ observations: inout LeaseObservations, _ limit: Int
  ) throws -> Bool {
    guard let status = try root.status(Layout.entry(bot, .tmp, name)) else { return false }
    return observations.observe(name.description, modified: status.modified, now: Clock.sinceBoot()) >= limit
  }

  /// Each as likely as the others, without making a text of every name: there may be thousands, and as many who ask.
  private func someBots(besides bot: BotName) throws(SystemCallError) -> [BotName] {
    var chosen: [[UInt8]] = []
    var count: UInt64 = 0
    // A linear congruential generator (Knuth's MMIX): asking the kernel for each name takes longer than all the rest.
    var random = Random.bits()
    try root.list(Layout.bots) { name in
      guard !name.elementsEqual(bot.description.utf8) else { return }
      count += 1
      if chosen.count < Self.othersMax { return chosen.append(Array(name)) }
      random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let place = (random >> 33) % count
      if place < UInt64(Self.othersMax) { chosen[Int(place)] = Array(name) }
    }
    return chosen.compactMap { try? BotName(parsing: String(decoding: $0, as: UTF8.self)) }
  }

  /// What somebody moved into `done/` is acked that way: by a script that has no more than `mv`, or by hand.
  /// What can't be logged now (a full disk) stays there, as acked as before.
  private func settleDone(_ bot: BotName) {
    for fileName in (try? root.names(Layout.box(bot, .done))) ?? [] {
      // A file that never got its proper name is in no log, and stays here. Another receiver may be at this, too:
      // asking again leaves little time for the two to log the same.
      guard let name = EntryName(fileName), let log = try? log,
        (try? root.status(Layout.entry(bot, .done, name))) ?? nil != nil
      else { continue }
      do {
        try log.append(.messageAcked, name.id.description) { writer in
          settle(&writer, bot, name)
          writer.member("by", "mv")
          writer.endObject()
        }
        try root.clear(Layout.entry(bot, .done, name))
        forgetSender(of: name.id, to: bot)
      } catch { return }
    }
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
