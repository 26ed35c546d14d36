import Linux
import SpoolFormat

extension Spool {
  /// Of an inbox with more than this, the rest makes no difference to who is chosen.
  private static let namesMax = 100_000

  /// How a bot stands now. Cost: a listing of its inbox, of `namesMax` names at most, of its claims, and of its processes.
  /// - Throws: `.inputOutput` and its like; a bot that is gone stands with nothing.
  public func standing(of bot: BotName) throws -> BotStanding {
    let now = now()
    return try doing("cannot look at \(bot)") {
      var standing = BotStanding()
      var names = 0
      try root.scan(Layout.box(bot, .inbox)) { name in
        names += 1
        guard names <= Self.namesMax else { return false }
        guard let entry = EntryName(name) else {
          if EntryName.isDropped(name) { standing.waiting += 1 }
          return true
        }
        if let due = entry.notBefore, due > now { return true }
        standing.waiting += 1
        guard entry.attempt == 0 else { return true }
        let since = max(entry.notBefore ?? entry.id.time, entry.id.time)
        standing.oldest = min(standing.oldest ?? since, since)
        standing.newest = max(standing.newest ?? since, since)
        return true
      }
      try root.list(Layout.box(bot, .claimed)) { if EntryName.isDropped($0) { standing.claimed += 1 } }
      for name in try root.names(Layout.box(bot, .presence)) {
        guard let holder = Holder(name) else { continue }
        if try hasStopped(bot, holder) {
          standing.hasDied = true
        } else {
          let takes = takes(bot, holder)
          standing.takesMessages = standing.takesMessages || takes == .messages
          standing.takesTasks = standing.takesTasks || takes == .tasks
        }
      }
      return standing
    }
  }
}
