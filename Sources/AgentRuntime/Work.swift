import Spool
import SpoolFormat

/// What a worker has in hand.
public enum Work: Sendable {
  case message(Claim)
  case task(StoredTask)

  /// The name of its file: who has it, and which attempt this is.
  public var name: EntryName {
    switch self {
    case .message(let claim): claim.name
    case .task(let task): task.entry.name
    }
  }

  public var id: MessageID { name.id }
  public var attempt: Int { name.attempt }

  /// Relative to the spool.
  public var path: String {
    switch self {
    case .message(let claim): claim.path
    case .task(let task): task.entry.path
    }
  }
}

/// Where a worker's work comes from.
protocol WorkSource: AnyObject {
  /// Seconds that what is in hand stays so without being renewed.
  var lease: Double { get }
  func watch() throws
  /// Takes the most urgent that there is; nil when there is nothing.
  func next() throws -> Work?
  /// Takes up what has happened, whether or not more is wanted. True when what is in hand should be looked at, because
  /// somebody may have taken it away.
  func takeWarning() throws -> Bool
  /// What to sleep on, and until when, nanoseconds since boot.
  func wake(isWanted: Bool, hasInHand: Bool) -> (descriptor: CInt?, at: Int)
  /// What was found that stops nobody, but should be told; a sentence each.
  func takeProblems() -> [String]
  /// Keeps for the next process how long what others have in hand has stood.
  func leaveObservations()
}

extension Inbox: WorkSource {
  func next() throws -> Work? { try claim().map { .message($0) } }

  /// A claim that is lost is noticed when it is renewed.
  func takeWarning() -> Bool { false }

  func wake(isWanted: Bool, hasInHand: Bool) -> (descriptor: CInt?, at: Int) {
    isWanted ? (watchedDescriptor, nextWake()) : (nil, .max)
  }
}

extension TaskInbox: WorkSource {
  /// Those of tasks are kept by whoever stays up: a worker, or a coordinator.
  func leaveObservations() {}

  func next() throws -> Work? { try next().map { .task($0) } }

  func wake(isWanted: Bool, hasInHand: Bool) -> (descriptor: CInt?, at: Int) {
    (watchedDescriptor, nextWake(isWanted: isWanted, hasInHand: hasInHand))
  }
}
