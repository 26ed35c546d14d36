import Linux
import SpoolFormat

/// What waits for a bot, and for how long it has.
public struct Backlog: Sendable {
  /// Ages by which it is counted: younger than each, and at last what is older than all.
  public static let ages: [(name: String, seconds: Double)] = [
    ("1m", 60), ("5m", 300), ("15m", 900), ("1h", 3600), ("4h", 14400), ("1d", 86400), ("7d", 604_800),
  ]
  public static var ageNames: [String] { ages.map(\.name) + ["older"] }

  public let bot: BotName
  /// Messages that may be taken now, and how many of them are of each age.
  public private(set) var waiting = 0
  public private(set) var byAge = [Int](repeating: 0, count: ages.count + 1)
  /// Those whose time is still to come.
  public private(set) var delayed = 0
  /// When the time of the next one comes; nil when there is none.
  public private(set) var nextDue: Timestamp?
  /// Since when the oldest could have been taken; nil when none waits.
  public private(set) var oldest: Timestamp?
  public internal(set) var claimed = 0
  /// Of those claimed, how many nobody has in hand any more: their holder is dead, or no process stands behind them and
  /// their lease is over. They come back when somebody looks after the bot.
  public internal(set) var lapsed = 0
  public internal(set) var dead = 0
  public internal(set) var limits = InboxLimits()
  /// Living processes that take the bot's messages.
  public internal(set) var consumers = 0

  public var total: Int { waiting + delayed }
  /// More would be refused, as far as the number of messages tells.
  public var isFull: Bool { limits.messages.map { total >= $0 } ?? false }
  /// Something waits that nobody takes.
  public var isAbandoned: Bool { waiting + lapsed > 0 && consumers == 0 && claimed == lapsed }

  /// The command that takes it.
  public var taker: String {
    let isCoordinators = bot == Spool.hub || bot == Spool.coordinator
    return isCoordinators ? "spool coordinate" : "spool work \(bot) -- PROGRAM, or spool receive \(bot)"
  }

  init(_ bot: BotName) { self.bot = bot }

  mutating func add(since: Timestamp, now: Timestamp) {
    guard since <= now else {
      delayed += 1
      nextDue = min(nextDue ?? since, since)
      return
    }
    waiting += 1
    let age = now.seconds(since: since)
    byAge[Self.ages.firstIndex { age < $0.seconds } ?? Self.ages.count] += 1
    oldest = min(oldest ?? since, since)
  }
}

extension Backlog {
  /// The members of a JSON object, but for whose it is.
  public func write(to writer: inout JSONWriter) {
    writer.member("total", total)
    writer.member("waiting", waiting)
    writer.member("delayed", delayed)
    writer.key("by_age")
    writer.beginObject()
    for (name, count) in zip(Self.ageNames, byAge) {
      writer.key(name)
      writer.int(count)
    }
    writer.endObject()
    writer.member("oldest", moment: oldest)
    writer.member("consumers", consumers)
    writer.member("limit", ifPresent: limits.messages)
    writer.member("full", isFull)
  }
}

extension Spool {
  /// So many dropped files are asked when they were written; the others of an inbox count as just come.
  private static let datedFilesMax = 1000
  /// So many claims are looked at; the others count as in hand.
  private static let examinedClaimsMax = 1000

  /// What waits for a bot now. Cost: a listing of its inbox, its claims and its dead letters, whatever is in them, in
  /// memory that doesn't grow with it.
  public func backlog(of bot: BotName) throws -> Backlog {
    let now = now()
    return try doing("cannot look at \(bot)") {
      var backlog = Backlog(bot)
      var dated = 0
      try root.list(Layout.box(bot, .inbox)) { name in
        guard EntryName.isDropped(name) else { return }
        if let entry = EntryName(name) {
          return backlog.add(since: max(entry.notBefore ?? entry.id.time, entry.id.time), now: now)
        }
        var age = 0
        if dated < Self.datedFilesMax {
          dated += 1
          let path = Layout.entry(bot, .inbox, raw: String(decoding: name, as: UTF8.self))
          age = ((try? root.status(path)) ?? nil)?.age ?? 0
        }
        backlog.add(since: now.advanced(bySeconds: -Double(max(0, age)) / 1e9), now: now)
      }
      let lease = (try? card(of: bot))?.leaseSeconds ?? settings.leaseSeconds
      try root.list(Layout.box(bot, .claimed)) { name in
        guard EntryName.isDropped(name) else { return }
        backlog.claimed += 1
        if backlog.claimed <= Self.examinedClaimsMax, hasLapsed(bot, name, lease) { backlog.lapsed += 1 }
      }
      try root.list(Layout.box(bot, .dead)) { if EntryName($0) != nil { backlog.dead += 1 } }
      backlog.limits = inboxLimits(of: bot)
      backlog.consumers = try presence(of: bot).count { takes(bot, $0) == .messages }
      return backlog
    }
  }

  /// For people: by when the file was claimed or renewed as the clock on the wall has it. What is done about a lease goes by
  /// how long it was seen to stand.
  private func hasLapsed(_ bot: BotName, _ name: UnsafeBufferPointer<UInt8>, _ lease: Double) -> Bool {
    if let holder = EntryName(name)?.holder, holder.pid != 0 { return isGone(holder) }
    let path = Layout.entry(bot, .claimed, raw: String(decoding: name, as: UTF8.self))
    guard let status = (try? root.status(path)) ?? nil else { return false }
    return Double(Clock.wall() * 1000 &- status.changed) > lease * 1e9
  }
}
