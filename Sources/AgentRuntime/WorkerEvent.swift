import Spool
import SpoolFormat

/// What a worker tells as it goes.
public enum WorkerEvent: Sendable {
  case claimed(Claim)
  /// The reply is sent; the ack follows.
  case replied(Claim, MessageID)
  /// Done and acked, so many seconds after the claim.
  case acked(Claim, seconds: Double)
  /// Back to waiting for so many seconds.
  case requeued(Claim, reason: String, delay: Double)
  case dead(Claim, reason: String)
  /// Its lease ran out, or somebody settled it: its processes were killed, and what they did counts for nothing.
  case lost(Claim)
  /// The program wrote this to its standard error.
  case errorOutput([UInt8])
  /// A streaming program ended, and is started again after so many seconds.
  case restarting(reason: String, delay: Double)
  /// Something didn't go through and will be tried again after so many seconds.
  case problem(String, delay: Double)
  /// No more is claimed; so many messages are still in hand.
  case stopping(inHand: Int)
}

/// What a worker did.
public struct WorkerSummary: Sendable, Hashable {
  public var claimed = 0
  public var acked = 0
  public var replied = 0
  public var requeued = 0
  public var dead = 0
  public var lost = 0

  public init() {}
}
