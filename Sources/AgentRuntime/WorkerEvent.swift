import Spool
import SpoolFormat

/// What a worker tells as it goes.
public enum WorkerEvent: Sendable {
  /// A message was claimed, or a task begun.
  case claimed(Work)
  /// Of a task: how far it is.
  case progressed(Work, Progress)
  /// The reply is sent; the ack follows.
  case replied(Work, MessageID)
  /// Done, and acked or completed, so many seconds after the claim.
  case acked(Work, seconds: Double)
  /// Back to waiting for so many seconds.
  case requeued(Work, reason: String, delay: Double)
  /// Dead-lettered, or failed for good.
  case dead(Work, reason: String)
  /// Its lease ran out, or somebody settled, cancelled or moved it: its processes were killed, and what they did counts
  /// for nothing.
  case lost(Work)
  /// The program wrote this to its standard error.
  case errorOutput([UInt8])
  /// A streaming program ended, and is started again after so many seconds.
  case restarting(reason: String, delay: Double)
  /// Something didn't go through and will be tried again after so many seconds.
  case problem(String, delay: Double)
  /// It agreed to work for a group, or heard that one is over.
  case negotiated(group: String, what: String)
  /// No more is claimed; so much is still in hand.
  case stopping(inHand: Int)
}

/// What a worker did.
public struct WorkerSummary: Sendable, Hashable {
  public var claimed: Int
  public var acked: Int
  public var replied: Int
  public var requeued: Int
  public var dead: Int
  public var lost: Int

  public init(
    claimed: Int = 0, acked: Int = 0, replied: Int = 0, requeued: Int = 0, dead: Int = 0, lost: Int = 0
  ) {
    self.claimed = claimed
    self.acked = acked
    self.replied = replied
    self.requeued = requeued
    self.dead = dead
    self.lost = lost
  }
}
