import Linux
import SpoolFormat

extension Spool {
  /// The bot that announcements go to: any coordinator that runs takes them from its inbox.
  public static let hub = try! BotName(parsing: "hub")
  /// Requests go to this bot.
  public static let coordinator = try! BotName(parsing: "coordinator")

  /// Why a bot takes no tasks from others, ever, and what it takes instead; nil for all but two.
  public static func refusal(ofTasksBy bot: BotName) -> SpoolError? {
    switch bot {
    case coordinator:
      SpoolError(.badData, "\(bot) takes requests, not tasks", hint: "give it one with: spool ask TEXT")
    case hub:
      SpoolError(
        .badData, "\(bot) takes announcements, not tasks", hint: "make one with: spool announce TEXT --skill SKILL")
    default: nil
    }
  }

  /// Refuses to give a task to a bot that isn't there, or that takes none.
  public func requireTaker(_ bot: BotName) throws {
    // Whether they are there or not.
    if let refusal = Self.refusal(ofTasksBy: bot) { throw refusal }
    try require(bot)
  }

  /// Where users share the spool, a bot belongs to who makes it: `hub` and `coordinator` to who coordinates, and not to
  /// who asks first.
  /// - Throws: `.noSuchBot` where nobody has coordinated yet.
  public func requireCoordinated(_ bot: BotName) throws {
    guard isShared, try !exists(bot) else { return }
    throw SpoolError(
      .noSuchBot, "nobody has coordinated this spool yet",
      hint: "one of its users runs spool coordinate, and from then on nobody else can")
  }

  /// Makes the bot `hub`, so that something can be announced before a coordinator runs.
  public func registerHub() throws {
    guard try !exists(Self.hub) else { return }
    var card = Card(name: Self.hub)
    card.description = "forms groups: announce to it with spool announce"
    // Each hub that dies costs an attempt.
    card.attemptsMax = 1000
    card.capacity = 1000
    try register(card)
  }

  /// Announces what is to be done by a group, and returns the id that message, group and conversation bear.
  /// Of a part of a part its parent says how deep it is.
  /// - Throws: `.badData` for what nothing can come of: no skill, a deadline that is past, a group larger than the team,
  ///   parts deeper than `Announcement.depthMax`, a parent that has ended; `.notFound` for a parent that isn't there; `.noSuchBot`, see
  ///   `requireCoordinated`; and the errors of `send`.
  @discardableResult
  public func announce(_ announcement: Announcement, durability: Durability? = nil) throws -> MessageID {
    var announcement = announcement
    if let parent = announcement.parent {
      guard let task = try task(parent) else {
        throw SpoolError(.notFound, "no task \(parent) that this could be a part of", hint: "see: spool task list")
      }
      guard !task.state.isFinal else {
        throw SpoolError(
          .badData, "\(parent) is \(task.state.rawValue), and gets no more parts",
          hint: "see: spool task show \(parent)")
      }
      announcement.depth = (GroupPart(task.record)?.depth ?? 0) + 1
    }
    do { try announcement.check(now: now()) } catch { throw SpoolError(.badData, error.description) }
    try requireCoordinated(Self.hub)
    try registerHub()
    let team = try bots().filter { $0 != Self.hub && $0 != Self.coordinator }
    guard announcement.sizeMin <= team.count else {
      throw SpoolError(
        .badData, "a group of \(announcement.sizeMin) at least, and the team has \(team.count)",
        hint: "see: spool bots")
    }
    var message = announcement.message
    message.to = [Self.hub.description]
    return try send(message, durability: durability)
  }
}
