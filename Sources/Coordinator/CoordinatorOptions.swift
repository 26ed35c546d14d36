/// How a coordinator works.
public struct CoordinatorOptions: Sendable {
  /// A program that analyses requests in place of the built-in rules: the request on its standard input, the analysis as
  /// JSON on its standard output.
  public var analyzer: [String] = []
  /// A program that plans: the request and its analysis as JSON in, a workflow out.
  public var planner: [String] = []
  /// A program that puts the answers of a discussion together: JSON in, text or JSON out.
  public var synthesizer: [String] = []
  /// Seconds that each of these may take.
  public var programSeconds = 120.0
  /// Seconds that a discussion is open.
  public var discussionSeconds = 30.0
  /// SIGTERM, SIGINT and SIGHUP stop it. For a process that does nothing else.
  public var catchesSignals = false
  /// Ends when there is nothing to do any more: for tests.
  public var stopsWhenIdle = false
  /// How groups are formed; nil: this coordinator is no hub.
  public var hub: HubOptions? = HubOptions()

  public init() {}
}

/// What a coordinator tells whoever runs it.
public enum CoordinatorEvent: Sendable {
  case leading
  case standingBy(leader: String)
  case replaced
  case assigned(task: String, title: String, bot: String, why: String)
  case ended(task: String, title: String, state: String)
  case movedByHand(task: String, title: String, to: String, wasPutBack: Bool)
  case request(id: String, approach: String, tasks: Int)
  case answered(id: String)
  case escalated(task: String, title: String)
  /// What became of a group that this process has in hand.
  case group(id: String, text: String, what: String)
  case problem(String)
}
