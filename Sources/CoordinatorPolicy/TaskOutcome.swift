import SpoolFormat

/// How one attempt at a task ended: what bots are judged by.
public struct TaskOutcome: Sendable, Hashable {
  public let bot: BotName
  public let needs: TaskNeeds
  public let succeeded: Bool
  /// From its start to its end; counted only when it succeeded, because a failure may be quick or slow for any reason.
  /// Nil when nobody noted its start.
  public let microseconds: Int?
  /// When it ended.
  public let at: Timestamp
  /// Attempts at the same task that had failed before.
  public let failedBefore: Int
  /// Who wanted it done.
  public let requester: String?

  public init(
    bot: BotName, needs: TaskNeeds, succeeded: Bool, seconds: Double?, at: Timestamp = Timestamp(microseconds: 0),
    failedBefore: Int = 0, requester: String? = nil
  ) {
    self.bot = bot
    self.needs = needs
    self.succeeded = succeeded
    microseconds = seconds.map { Int(min(max($0.isFinite ? $0 : 0, 0), 1e7) * 1e6) }
    self.at = at
    self.failedBefore = max(0, failedBefore)
    self.requester = requester
  }

  /// How hard a task is, in quarters of a plain one's: 4, and 2 more for each level above novice of the highest level
  /// that it requires (of one skill, when that is what is judged), and 1 more for each attempt that had failed, 4 at most.
  /// So an expert's task that four have failed is worth 3.5 plain ones.
  static func difficulty(_ level: Card.Level?, failedBefore: Int) -> Int {
    4 + 2 * (level.map { Card.Level.allCases.firstIndex(of: $0)! } ?? 0) + min(failedBefore, 4)
  }

  /// The same for this task as a whole.
  var difficulty: Int { Self.difficulty(needs.skills.map(\.level).max(), failedBefore: failedBefore) }
}
