/// A task as its file says it. Its state, holder and attempt are not in here: they are the file's path.
public struct TaskRecord: Sendable, Hashable {
  public var id: MessageID?
  public var title: String
  public var description: String?
  /// Its field, which bots are chosen by: research, development, design, … or any other word.
  public var domain: String?
  public var requirements: [String] = []
  public var constraints: [String] = []
  public var requiredSkills: [Card.Skill] = []
  public var priority = Priority.normal
  public var dueAt: Timestamp?
  public var parent: MessageID?
  public var dependsOn: [MessageID] = []
  /// What becomes of it when something that it depends on fails or is cancelled.
  public var onDependencyFailure = DependencyFailure.block
  /// It waits until all its children have ended, and there is one at least; then it gets their results together.
  public var waitsForChildren = false
  /// Ends by itself when its children have: nobody works on it.
  public var isJoin = false
  /// Those of its children that are known beforehand, in the order in which their results are wanted.
  public var children: [MessageID] = []
  /// The only bot that is to do it; it is assigned to that one as soon as it is ready.
  public var assignTo: BotName?
  public var createdBy: String?
  public var createdAt: Timestamp?
  public var conversation: String?
  /// The workflow's name for it, by which templates of later steps mean its result.
  public var step: String?
  /// What those that `dependsOn` names are called in templates.
  public var stepNames: [String: MessageID] = [:]
  /// Attempts before it has failed for good.
  public var attemptsMax = 3
  /// Seconds that one attempt may take; nil for no limit.
  public var timeoutSeconds: Double?
  /// Seconds before the second attempt; doubled for each one after.
  public var retryBackoffSeconds = 1.0
  /// Any JSON that whoever made it wants the worker to have.
  public var context: JSONText?

  /// 0 to 100.
  public var progress: Int?
  public var progressText: String?
  public var result: JSONText?
  /// 0 to 1.
  public var confidence: Double?
  public var learnings: [String] = []
  public var error: String?
  public var recoverySuggestion: String?
  /// Why it is blocked; counts while it is.
  public var blockedReason: String?
  /// The dependency that failed, when that is why: it is unblocked when that one is completed after all.
  public var blockedBy: MessageID?
  public var assignedAt: Timestamp?
  public var startedAt: Timestamp?
  public var completedAt: Timestamp?
  /// The attempts that failed.
  public var failures: [Failure] = []
  /// Fields that this program doesn't know, untouched, in their order.
  public var extra: [Message.Field] = []

  public struct Failure: Sendable, Hashable {
    public let attempt: Int
    public let bot: String?
    public let at: Timestamp?
    public let error: String

    public init(attempt: Int, bot: String?, at: Timestamp?, error: String) {
      self.attempt = attempt
      self.bot = bot
      self.at = at
      self.error = error
    }
  }

  public enum DependencyFailure: String, Sendable, CaseIterable { case block, cancel }

  /// Whether it goes on, or ends, only when its children have ended.
  public var awaitsChildren: Bool { waitsForChildren || isJoin }

  /// Whether its last attempt ended well: wherever its file lies, nothing is to be done any more.
  public var wasCompleted: Bool { completedAt != nil && error == nil }

  public init(title: String) { self.title = title }

  /// Bytes of a task's file at most.
  public static let bytesMax = 4 << 20
  public static let titleBytesMax = 1024
  public static let dependenciesMax = 1000
  /// Names, domains and their like, in bytes.
  public static let labelBytesMax = 512
  /// Failures that are kept: the last ones.
  public static let failuresMax = 20

  /// Whether its file could be read again: what is said of a task on a command line, or in a program, may be too long.
  public func check() throws(FormatError) {
    guard !title.isEmpty else { throw FormatError("a task needs a title") }
    let labels: [(String, String?, Int)] = [
      ("title", title, Self.titleBytesMax), ("domain", domain, Self.labelBytesMax),
      ("created_by", createdBy, Self.labelBytesMax), ("conversation", conversation, Self.labelBytesMax),
      ("step", step, Self.labelBytesMax),
    ]
    for (name, text, bytesMax) in labels {
      guard let count = text?.utf8.count, count > bytesMax else { continue }
      let hint = name == "title" ? "; what is long goes into the description" : ""
      throw FormatError("the \(name) has \(count) bytes, and may have \(bytesMax)\(hint)")
    }
    for (name, ids) in [("depends_on", dependsOn), ("children", children)] where ids.count > Self.dependenciesMax {
      throw FormatError("\(name) has \(ids.count) ids, and may have \(Self.dependenciesMax)")
    }
    if let confidence, !(0...1).contains(confidence) {
      throw FormatError("the confidence is \(confidence), and may be from 0 to 1")
    }
    // The object that they stand in is one level more.
    for (name, text) in [("context", context), ("result", result)] + extra.map({ ($0.name, $0.value) }) {
      do { try text?.checkNesting(within: 1) } catch {
        throw FormatError("the \(name) can't be kept: \(error.reason)")
      }
    }
  }

  public func isOverdue(at now: Timestamp) -> Bool { dueAt.map { $0 < now } ?? false }

  /// Seconds to wait before an attempt is made after `attempt` failed ones: exponential, with a jitter of a quarter
  /// either way so that what failed together doesn't come back together. At most an hour.
  /// - Parameter random: from 0 to 1.
  public func backoffSeconds(after attempt: Int, random: Double) -> Double {
    var seconds = retryBackoffSeconds
    for _ in 1..<max(1, attempt) where seconds < 3600 { seconds *= 2 }
    return min(seconds * (0.75 + 0.5 * random), 3600)
  }
}
