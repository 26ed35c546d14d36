/// What a bot's files say of whether it answers.
public struct BotStanding: Sendable, Hashable {
  /// Messages in its inbox that may be taken now, and that are in hand.
  public var waiting = 0
  public var claimed = 0
  /// Since when the one waits that has waited longest, and the one that came last, of those never taken before.
  public var oldest: Timestamp?
  public var newest: Timestamp?
  /// A living process takes its messages; its tasks.
  public var takesMessages = false
  public var takesTasks = false
  /// A process ran it, died, and left its presence behind.
  public var hasDied = false

  public init() {}
}
