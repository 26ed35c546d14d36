/// How a hub forms groups, and how much it takes on.
public struct HubOptions: Sendable {
  /// Announcements that it has in hand at once; more wait for it, or for another hub, but no longer than `ageingSeconds`.
  public var announcementsMax = 1000
  /// Seconds after which a waiting announcement is taken though the hub has as many as it should.
  public var ageingSeconds = 10.0
  /// Seconds to find members in, or one in place of a member that left; less when the deadline comes before.
  public var groupSeconds = 60.0
  /// Seconds between two looks at all that it has in hand: late and dead members, deadlines, files moved by hand.
  public var maintenanceSeconds = 1.0
  /// Seconds that a bot has to answer.
  public var replySeconds = 2.0
  /// Parts of groups that one bot may have at once, whatever its card says; nil for as many as it agrees to.
  public var tasksPerBot: Int?
  /// From 0 (the fastest are chosen) to 1 (those are that have done least).
  public var fairness = 0.3
  /// Bots asked for each skill at first; each further time twice as many.
  public var askedPerSkill = 4

  public init() {}
}
