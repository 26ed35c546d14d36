import Glibc
import Linux
import SpoolFormat

/// Says that this process runs a bot: a file in `presence/` whose modification time is the heartbeat.
/// Its name is the holder's; it holds one JSON line with `pid`, `host`, `started`, `program` and `takes`.
public final class Presence: Sendable {
  private let spool: Spool
  private let bot: BotName
  private let path: String
  private let content: [UInt8]

  /// Seconds between two beats at most; who looks for the living takes a file several times older for a dead one's.
  public static let secondsMax = 15.0

  /// What a process that runs a bot takes on.
  public enum Takes: String, Sendable { case messages, tasks }

  /// What a process does for its bot.
  public struct Role: Sendable, Hashable {
    public var takes = Takes.messages
    /// It answers when groups are formed.
    public var negotiates = false
  }

  fileprivate init(_ spool: Spool, _ bot: BotName, program: String, takes: Takes, negotiates: Bool) {
    self.spool = spool
    self.bot = bot
    path = Layout.presence(bot, spool.holder)
    var writer = JSONWriter()
    writer.beginObject()
    writer.member("pid", spool.process.pid)
    writer.member("host", spool.host)
    writer.member("started", moment: spool.now())
    writer.member("program", program)
    writer.member("takes", takes.rawValue)
    if negotiates { writer.member("negotiates", true) }
    writer.endObject()
    content = writer.bytes + [10]
  }

  private func write() throws {
    try doing("cannot say that \(bot) is running") {
      try spool.root.makeDirectory(Layout.box(bot, .presence))
      try spool.replace(path, with: content)
    }
  }

  /// Renews the heartbeat; makes the file when there is none, the first time or because somebody took it away.
  /// C: utimensat(2).
  /// - Throws: `.noSuchBot` when the bot itself is gone; `.tryAgain` (no room), which is no reason not to work.
  public func beat() throws {
    if case .granted(let log) = spool.logAccess { log.tidy() }
    let isThere = try doing("cannot renew the heartbeat of \(bot)") { try spool.root.touch(path) }
    if isThere { return }
    try spool.require(bot)
    try write()
  }

  /// The process no longer runs the bot.
  public func end() { _ = try? spool.root.unlinkIfPresent(path) }
}

extension Spool {
  /// For a process that is going to run a bot: its heartbeat, which begins with the first `beat`. Takes away those that
  /// others left, dead or silent: who is only late makes his again.
  /// - Throws: `.noSuchBot`.
  public func announce(
    _ bot: BotName, program: String, takes: Presence.Takes = .messages, negotiates: Bool = false
  ) throws -> Presence {
    try require(bot)
    try requireOwn(bot, to: "run")
    for name in (try? root.names(Layout.box(bot, .presence))) ?? [] {
      guard let holder = Holder(name), (try? hasStopped(bot, holder)) == true else { continue }
      _ = try? root.unlinkIfPresent(Layout.presence(bot, holder))
    }
    return Presence(self, bot, program: program, takes: takes, negotiates: negotiates)
  }

  /// What a process that runs a bot takes on; messages, unless its file says otherwise.
  public func takes(_ bot: BotName, _ holder: Holder) -> Presence.Takes { (role(bot, holder) ?? Presence.Role()).takes }

  /// The same, with what else it does for it; nil when its file can't be read now.
  func role(_ bot: BotName, _ holder: Holder) -> Presence.Role? {
    // As long as its program's path may be.
    guard let bytes = (try? root.readFile(Layout.presence(bot, holder), maximum: 64 << 10)) ?? nil else { return nil }
    guard let value = try? JSONValue(parsing: bytes) else { return Presence.Role() }
    return Presence.Role(
      takes: value["takes"]?.string.flatMap(Presence.Takes.init(rawValue:)) ?? .messages,
      negotiates: value["negotiates"]?.bool ?? false)
  }

  /// Whether the directory that was opened still holds a spool, and is what others find at `path`: they would put their
  /// messages into another one. One that can't be looked at may well be there.
  public func isThere(at path: String) -> Bool {
    do {
      guard try root.status(Layout.settings) != nil else { return false }
      let (found, own) = (try Directory(path).status(), try root.status())
      return found.inode == own.inode && found.device == own.device
    } catch { return error.code != ENOENT }
  }
}

/// When each heartbeat of processes that can't be seen from here was last seen to change, by this observer's own clock.
/// For whoever stays up.
public struct PresenceObservations {
  private var beats = LeaseObservations()

  public init() {}

  /// What each process takes on, read once: it doesn't change while the process lives.
  private var known: [String: Presence.Role] = [:]

  /// The processes that run a bot, and what they take on.
  public mutating func living(
    _ bot: BotName, in spool: Spool
  ) throws -> [(holder: Holder, takes: Presence.Takes, negotiates: Bool)] {
    let now = Clock.sinceBoot()
    var living: [(holder: Holder, takes: Presence.Takes, negotiates: Bool)] = []
    let names = try doing("cannot look at \(bot)") { try spool.root.names(Layout.box(bot, .presence)) }
    for holder in names.compactMap({ Holder($0) }) {
      let path = Layout.presence(bot, holder)
      if spool.canSee(holder) {
        if spool.isGone(holder) { continue }
      } else {
        guard let status = try doing("cannot look at \(bot)", { try spool.root.status(path) }) else { continue }
        let limit = Self.silenceNanosecondsMax
        if beats.observe(path, modified: status.modified, now: now, limit: limit) > limit { continue }
      }
      let read = known[path] ?? spool.role(bot, holder)
      known[path] = read
      let role = read ?? Presence.Role()
      living.append((holder, role.takes, role.negotiates))
    }
    return living
  }

  /// After all bots were looked at: forgets those that are gone.
  public mutating func endRound() {
    beats.endRound()
    if known.count > 10_000 { known = [:] }
  }

  /// Four beats.
  private static let silenceNanosecondsMax = Int(Presence.secondsMax * 4e9)
}

extension Spool {
  /// Tells a bot's card apart from an earlier one; nil when it has none.
  public func cardVersion(of bot: BotName) throws -> Int? {
    try doing("cannot look at \(bot)") { try root.status(Layout.card(bot))?.modified }
  }
}
