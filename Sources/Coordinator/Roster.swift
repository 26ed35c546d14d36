import Linux
import Spool
import SpoolFormat

/// The bots, what they can do, and which of them have a process that works for them now.
struct Roster {
  struct Member {
    var card: Card
    var cardVersion: Int?
    /// A process takes the tasks that are assigned to it.
    var takesTasks = false
    /// A process answers its messages.
    var takesMessages = false
    /// A process answers for it when groups are formed.
    var negotiates = false
  }

  private(set) var members: [BotName: Member] = [:]
  private var presences = PresenceObservations()
  private var nextRound = 0
  /// Changes that nobody was told of yet, of a round that could not be ended.
  private var changes: [Change] = []
  /// When the last look began; nanoseconds since boot.
  private(set) var lookedAt = Int.min

  /// What became of a bot as far as tasks are concerned.
  enum Change {
    /// It is there, or its card has changed.
    case available(Card)
    case gone(BotName)
    /// It was unregistered.
    case removed(BotName)
  }

  /// Looks at all bots, if it is time to; the more there are the more seldom, and every five seconds or so at least.
  mutating func refresh(_ spool: Spool) throws -> [Change] {
    let began = Clock.sinceBoot()
    guard began >= nextRound else { return [] }
    // Should it fail, not at once again.
    nextRound = began + Self.roundNanoseconds
    var seen: Set<BotName> = []
    for bot in try spool.bots() {
      seen.insert(bot)
      let before = members[bot]
      var member = before ?? Member(card: Card(name: bot))
      let version = try spool.cardVersion(of: bot)
      // A card that can't be read leaves what was known of the bot.
      if before == nil || version != member.cardVersion, let card = try? spool.card(of: bot) {
        member.card = card
        member.cardVersion = version
      }
      let living = try presences.living(bot, in: spool)
      member.takesTasks = living.contains { $0.takes == .tasks }
      member.takesMessages = living.contains { $0.takes == .messages }
      member.negotiates = living.contains { $0.negotiates }
      members[bot] = member
      if member.takesTasks, before?.takesTasks != true || before?.cardVersion != member.cardVersion {
        changes.append(.available(member.card))
      } else if !member.takesTasks, before?.takesTasks == true {
        changes.append(.gone(bot))
      }
    }
    presences.endRound()
    for bot in members.keys where !seen.contains(bot) {
      if members[bot]!.takesTasks { changes.append(.gone(bot)) }
      changes.append(.removed(bot))
      members[bot] = nil
    }
    let end = Clock.sinceBoot()
    lookedAt = began
    nextRound = end + max(Self.roundNanoseconds, LookPace.rest(after: end - began, times: 200))
    defer { changes = [] }
    return changes
  }

  /// Look at once.
  mutating func refreshSoon() { nextRound = 0 }

  var nextDue: Int { nextRound }

  /// Half a second: somebody who has just started a bot, or killed one, is watching.
  private static let roundNanoseconds = 500_000_000
}
