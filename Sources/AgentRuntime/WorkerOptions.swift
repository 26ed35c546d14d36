import SpoolFormat

/// How a program is run as a bot.
public struct WorkerOptions: Sendable {
  /// The program, looked for along PATH, and what it is given.
  public var arguments: [String]
  public var work = Kind.messages
  /// Messages or tasks worked on side by side, each by a process of its own; 1 to `slotsMax`.
  public var slots = 1
  /// The program stays up: a line of JSON in for each message or task, a line out. Else it is started for each.
  public var isStream = false
  /// Seconds that one may take, or less if a task says so; nil for as long as it likes.
  public var timeout: Double?
  /// Ends when nothing can be claimed now and nothing is in hand; what waits for its time doesn't count.
  public var stopsWhenEmpty = false
  /// Ends when so many have been claimed and are done.
  public var messagesMax: Int?
  /// What the program prints goes back to the sender; else it is kept in the log, with the ack.
  public var repliesToSender = true
  /// SIGTERM, SIGINT and SIGHUP stop the worker. For a process that does nothing else.
  public var catchesSignals = false
  /// How long a message waits after a failure that isn't final.
  public var backoff = Backoff()
  /// With tasks: it answers for the bot when groups are formed, too. Nil: it doesn't.
  public var negotiation: NegotiationOptions?

  public init(arguments: [String]) { self.arguments = arguments }

  public enum Kind: Sendable, Hashable {
    case messages
    /// Those that the bot was given and, if wanted, pending ones that suit it.
    case tasks(takesPending: Bool)
  }

  /// Each slot costs up to six descriptors and a process.
  public static let slotsMax = 1000
}

/// Waits that double with each failure, up to a bound, each of them a random part (half to whole) of that, so that what
/// failed together doesn't come back together.
public struct Backoff: Sendable {
  /// Seconds after the first failure, at most.
  public var first: Double
  /// Seconds, however many failures.
  public var maximum: Double

  public init(first: Double = 1, maximum: Double = 300) {
    self.first = first
    self.maximum = maximum
  }

  /// Seconds to wait after so many failures in a row (1 or more).
  public func delay(after failures: Int) -> Double {
    var full = first
    for _ in 1..<max(2, failures) where failures > 1 && full < maximum { full *= 2 }
    return min(full, maximum) * Double.random(in: 0.5...1)
  }
}
