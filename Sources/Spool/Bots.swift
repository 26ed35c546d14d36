import Glibc
import Linux
import SpoolFormat

extension Spool {
  /// Registers a bot, or writes a new card for one that is there. A bot is a directory with an `inbox/` in it:
  /// one made by hand counts.
  /// - Throws: `.notPermitted` for another user's bot; `.tryAgain` (no room, or others are making or removing it).
  public func register(_ card: Card) throws {
    var card = card
    card.registeredAt = card.registeredAt ?? now()
    let isNew = try !exists(card.name)
    try requireOwn(card.name, to: "write a card for")
    var writer = JSONWriter()
    card.write(to: &writer)
    let text = Array(writer.text.value.prettyPrinted().utf8) + [10]
    try doing("cannot register \(card.name)") {
      while true {
        try root.makeDirectory(Layout.bot(card.name))
        do {
          try alone(with: card.name) {
            // Before its inbox, which makes it a bot: what the card says counts from the first message on.
            try replace(Layout.card(card.name), with: text)
            try reopen(card.name)
          }
          break
        } catch let error as SpoolError where error.code == .noSuchBot {}  // Just removed: make it again.
      }
    }
    if isNew { note(.botRegistered, card.name.description) { card.write(to: &$0) } }
  }

  func makeBoxes(of bot: BotName) throws(SystemCallError) {
    try root.makeDirectory(Layout.bot(bot))
    if sharing != nil { try root.makeDirectory(Layout.senders(bot)) }
    // A bot is there when its inbox is; and who sends, begins in tmp/.
    for box in [.presence, .dead, .done, .claimed, .inbox, .tmp] as [Layout.Box] {
      try root.makeDirectory(Layout.box(bot, box))
    }
  }

  /// Whether there is such a bot.
  public func exists(_ bot: BotName) throws -> Bool {
    try doing("cannot look for \(bot)") { try root.status(Layout.box(bot, .inbox))?.isDirectory ?? false }
  }

  /// All bots, by name. Directories whose names won't do for a bot are left out.
  public func bots() throws -> [BotName] {
    try doing("cannot list the bots of \(path)") {
      try root.names(Layout.bots).compactMap { name in
        guard let bot = try? BotName(parsing: name), try root.status(Layout.box(bot, .inbox)) != nil else { return nil }
        return bot
      }
    }
  }

  /// A bot's card; one with nothing but the name for a bot that has none.
  /// - Throws: `.noSuchBot`; `.badData` when the file can't be read as one.
  public func card(of bot: BotName) throws -> Card {
    try require(bot)
    let file = Layout.card(bot)
    let bytes = try doing("cannot read \(file)") { try root.readFile(file, maximum: Card.bytesMax) }
    guard let bytes else { return Card(name: bot) }
    do { return try Card(name: bot, parsing: bytes) } catch { throw SpoolError(.badData, "\(file): \(error)") }
  }

  /// Where a bot's card is, relative to the spool.
  public func cardPath(of bot: BotName) -> String { Layout.card(bot) }

  /// The name of a bot that is there.
  /// - Throws: `.badData` for a name that won't do; `.noSuchBot`, with those that look like it.
  public func bot(named text: String) throws -> BotName {
    let bot: BotName
    do { bot = try BotName(parsing: text) } catch { throw SpoolError(.badData, error.description) }
    try require(bot)
    return bot
  }

  func require(_ bot: BotName) throws {
    if try exists(bot) { return }
    throw noSuchBot(bot.description)
  }

  func noSuchBot(_ name: String) -> SpoolError {
    let all = (try? bots()) ?? []
    let near = NearMatch.of(name, among: all.map(\.description))
    let hint =
      if !near.isEmpty {
        "did you mean \(near.joined(separator: ", "))?"
      } else if all.isEmpty {
        "there is no bot yet; make it with: spool register \(name)"
      } else {
        "make it with: spool register \(name); there are: \(all.prefix(8).map(\.description).joined(separator: ", "))"
      }
    return SpoolError(.noSuchBot, "no bot named \(name)", hint: hint)
  }

  /// How many files a box of a bot holds, by what their names say.
  public func count(_ bot: BotName) throws -> BoxCounts {
    try doing("cannot look at \(bot)") {
      var counts = BoxCounts()
      counts.isHidden = !isOwn(bot)
      if counts.isHidden { return counts }
      try root.list(Layout.box(bot, .inbox)) { if EntryName.isDropped($0) { counts.waiting += 1 } }
      try root.list(Layout.box(bot, .claimed)) { if EntryName.isDropped($0) { counts.claimed += 1 } }
      // What has no proper name was never given up: nothing can be done with it by its id.
      try root.list(Layout.box(bot, .dead)) { if EntryName($0) != nil { counts.dead += 1 } }
      return counts
    }
  }

  public struct BoxCounts: Sendable, Hashable {
    public var waiting = 0
    public var claimed = 0
    public var dead = 0
    /// Nothing is known: the bot is another user's.
    public var isHidden = false
  }

  /// The processes that run a bot: those that can be seen from here and are alive, and others by their heartbeat.
  public func presence(of bot: BotName) throws -> [Holder] {
    try doing("cannot look at \(bot)") {
      try root.names(Layout.box(bot, .presence)).compactMap { Holder($0) }.filter { !(try hasStopped(bot, $0)) }
    }
  }

  /// Whether a process that ran a bot has ended, or can't be seen from here and is silent.
  func hasStopped(_ bot: BotName, _ holder: Holder) throws(SystemCallError) -> Bool {
    if canSee(holder) { return isGone(holder) }
    guard let status = try root.status(Layout.presence(bot, holder)) else { return true }
    return Double(try ageByRemoteClock(status)) >= Self.silenceSecondsMax * 1e9
  }

  /// A process that can't be seen from here, and hasn't been heard of for so long, isn't shown as running: several beats.
  static let silenceSecondsMax = 120.0

  /// Whether the holder's end is noticed at once: it is a process of this host, and not in another PID namespace, as a
  /// sandbox is. Of all others nothing is known but for how long they have been silent.
  func canSee(_ holder: Holder) -> Bool {
    holder.host == host && holder.pid != 0 && ProcessIdentity(pid: holder.pid, started: holder.start).isVisible
  }

  /// Whether the holder is a process that can be seen from here, and has ended.
  func isGone(_ holder: Holder) -> Bool {
    canSee(holder) && !ProcessIdentity(pid: holder.pid, started: holder.start).isAlive
  }
}
