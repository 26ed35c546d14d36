import Linux
import Spool
import SpoolFormat

/// How a spool does at the moment: what works, who is there, what is to be done, and how fast it is. Made from what anybody
/// can see, with or without a coordinator.
public struct StatusReport: Sendable {
  public struct Agent: Sendable {
    public enum State: String, Sendable { case working, idle, offline }
    public let name: String
    public let domain: String?
    public let state: State
    /// `tasks`, `messages`; empty when nobody runs it, and of `coordinator` and `hub`, which take no others' tasks.
    public let takes: [String]
    public let capacity: Int
    public let assigned: Int
    public let inProgress: Int
    /// Messages; nil when the bot is another user's.
    public let waiting: Int?
    public let claimed: Int?
  }

  public let agents: [Agent]
  /// Of those bots for whom something waits, the most first.
  public let backlogs: [Backlog]
  public let tasks: [TaskState: Int]
  public let groups: [GroupState: Int]
  /// Of the tasks that bots completed or failed, the part that was completed; nil when there are none. What only stands
  /// for others (the goal of a request, a join, the task of a group) is no bot's work.
  public let successRate: Double?
  /// Seconds that the oldest task has been ready and nobody's; nil when none is.
  public let queueAgeSeconds: Double?
  /// Microseconds from when a task could be given to when the coordinator gave it to a bot, of the last ones.
  public let assignmentLatency: Statistics.Percentiles?
  /// `inotify`, `dnotify` or `polling`.
  public let watching: String
  public let fileSystem: String
  /// Why the log can't be written; nil when it can.
  public let logProblem: String?
  /// Who coordinates; nil when nobody does.
  public let coordinator: String?

  /// How many assignments the latency is taken from.
  private static let assignmentsMax = 500
  /// Lines that are looked at for them: of most tasks there are four or five.
  private static let linesMax = 5 * assignmentsMax

  /// Cost: a listing of all tasks, a look at every bot, and the end of the log.
  public init(of spool: Spool) throws {
    var held: [BotName: (assigned: Int, inProgress: Int)] = [:]
    var oldest: Timestamp?
    let now = Timestamp(microseconds: Clock.wall())
    for entry in try spool.tasks(in: TaskState.live) {
      switch entry.state {
      case .assigned: if let bot = entry.bot { held[bot, default: (0, 0)].assigned += 1 }
      case .inProgress: if let bot = entry.bot { held[bot, default: (0, 0)].inProgress += 1 }
      case .pending:
        guard entry.notBefore.map({ $0 <= now }) ?? true else { continue }
        oldest = min(oldest ?? entry.id.time, entry.id.time)
      default: break
      }
    }
    var agents: [Agent] = []
    var backlogs: [Backlog] = []
    for bot in try spool.bots() {
      let backlog = try spool.backlog(of: bot)
      agents.append(try Self.agent(bot, held[bot] ?? (0, 0), backlog, spool))
      if backlog.total > 0 || backlog.isAbandoned { backlogs.append(backlog) }
    }
    self.agents = agents
    self.backlogs = backlogs.sorted { ($1.total, $0.bot) < ($0.total, $1.bot) }
    tasks = try spool.taskCounts()
    groups = Dictionary(try spool.groups().map { ($0.state, 1) }, uniquingKeysWith: +)
    successRate = try Self.successRate(spool)
    queueAgeSeconds = oldest.map { max(0, now.seconds(since: $0)) }
    assignmentLatency = try Self.assignmentLatency(spool)
    let system = try spool.fileSystem()
    fileSystem = system.name
    watching = try TaskWatcher(spool).mechanism.rawValue + (spool.isRemote ? " and polling" : "")
    logProblem = spool.logProblem
    coordinator = try spool.coordinator()?.description
  }

  private static func agent(
    _ bot: BotName, _ held: (assigned: Int, inProgress: Int), _ backlog: Backlog, _ spool: Spool
  ) throws -> Agent {
    let card = try? spool.card(of: bot)
    var takes: Set<String> = []
    for holder in try spool.presence(of: bot) { takes.insert(spool.takes(bot, holder).rawValue) }
    let isHere = !takes.isEmpty
    if Spool.refusal(ofTasksBy: bot) != nil { takes = [] }
    let isBusy = held.inProgress > 0 || backlog.claimed > backlog.lapsed
    return Agent(
      name: bot.description, domain: card?.domain, state: isBusy ? .working : isHere ? .idle : .offline,
      takes: takes.sorted(), capacity: card?.capacity ?? 1, assigned: held.assigned, inProgress: held.inProgress,
      waiting: spool.isOwn(bot) ? backlog.total : nil, claimed: spool.isOwn(bot) ? backlog.claimed : nil)
  }

  /// Who ended a task is in its name; nobody is in that of a join, or of what failed before anybody had it.
  private static func successRate(_ spool: Spool) throws -> Double? {
    let counts = try spool.taskCounts(in: [.completed, .failed]) { entry in
      entry.bot.map { Spool.refusal(ofTasksBy: $0) == nil } ?? false
    }
    let (completed, failed) = (counts[.completed] ?? 0, counts[.failed] ?? 0)
    return completed + failed == 0 ? nil : Double(completed) / Double(completed + failed)
  }

  /// From the line that made a task ready to the one by which the coordinator gave it away. Of a first attempt that has
  /// waited since before the lines that are looked at it is counted from when it was made.
  private static func assignmentLatency(_ spool: Spool) throws -> Statistics.Percentiles? {
    var filter = History.Filter()
    filter.tasksOnly = true
    var ready: [String: Timestamp] = [:]
    var waits: [Int] = []
    for event in try History(spool).newest(filter, limit: linesMax).reversed() {
      switch event.kind {
      case .taskAdded, .taskUnblocked, .taskRetried, .taskReleased, .taskExpired:
        ready[event.subject] = max(event.time, event.entry?.notBefore ?? event.time)
      case .taskAssigned where event.text("by") == Coordinator.bot.description:
        guard let bot = event.entry?.bot, Spool.refusal(ofTasksBy: bot) == nil, let id = MessageID(event.subject),
          let since = ready[event.subject] ?? (event.number("attempt") == 1 ? id.time : nil)
        else { continue }
        waits.append(max(0, event.time.microseconds - since.microseconds))
      default: continue
      }
    }
    return Statistics.Percentiles(of: Array(waits.suffix(assignmentsMax)))
  }

  /// How many agents are in each state.
  public var agentCounts: [Agent.State: Int] {
    Dictionary(agents.map { ($0.state, 1) }, uniquingKeysWith: +)
  }

  /// In a sentence.
  public var summary: String {
    let agents = StatusCount.text(agentCounts.map { ($0.key.rawValue, $0.value) })
    let counts = StatusCount.text(TaskState.allCases.map { ($0.rawValue, tasks[$0] ?? 0) })
    return "agents: \(agents); tasks: \(counts); coordinator: \(coordinator ?? "none")"
  }

  private enum StatusCount {
    static func text(_ counts: [(String, Int)]) -> String {
      let some = counts.filter { $0.1 > 0 }.sorted { $0.0 < $1.0 }
      return some.isEmpty ? "none" : some.map { "\($0.1) \($0.0)" }.joined(separator: ", ")
    }
  }

  /// All states, those of which there are none as well.
  private func write<State: Hashable & CaseIterable & RawRepresentable<String>>(
    _ counts: [State: Int], to writer: inout JSONWriter
  ) {
    writer.beginObject()
    for state in State.allCases {
      writer.key(state.rawValue)
      writer.int(counts[state] ?? 0)
    }
    writer.endObject()
  }

  /// The members of a JSON object.
  public func write(to writer: inout JSONWriter) {
    writer.key("components")
    writer.beginObject()
    writer.member("watching", watching)
    writer.member("file_system", fileSystem)
    writer.member("log", logProblem ?? "ok")
    writer.key("coordinator")
    writer.beginObject()
    writer.member("up", coordinator != nil)
    writer.member("holder", ifPresent: coordinator)
    writer.endObject()
    writer.endObject()
    writer.key("tasks")
    write(tasks, to: &writer)
    writer.key("groups")
    write(groups, to: &writer)
    if let successRate { writer.member("success_rate", successRate) }
    if let queueAgeSeconds { writer.member("queue_age_seconds", queueAgeSeconds) }
    if let assignmentLatency {
      writer.key("assignment_us")
      writer.beginObject()
      writer.member("p50", assignmentLatency.p50)
      writer.member("p90", assignmentLatency.p90)
      writer.member("p99", assignmentLatency.p99)
      writer.endObject()
    }
    writer.key("backlogs")
    writer.beginArray()
    for backlog in backlogs {
      writer.beginObject()
      writer.member("bot", backlog.bot.description)
      backlog.write(to: &writer)
      writer.endObject()
    }
    writer.endArray()
    writer.key("agents")
    writer.beginArray()
    for agent in agents {
      writer.beginObject()
      writer.member("name", agent.name)
      writer.member("domain", ifPresent: agent.domain)
      writer.member("state", agent.state.rawValue)
      writer.member("takes", agent.takes)
      writer.member("capacity", agent.capacity)
      writer.member("assigned", agent.assigned)
      writer.member("in_progress", agent.inProgress)
      writer.member("waiting", ifPresent: agent.waiting)
      writer.member("claimed", ifPresent: agent.claimed)
      writer.endObject()
    }
    writer.endArray()
  }
}
