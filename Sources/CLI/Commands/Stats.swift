import CoordinatorPolicy
import Routing
import Spool
import SpoolFormat

extension Verb {
  static let stats = Verb(
    name: "stats", summary: "count messages and tasks, by bot, and how long they waited", usage: "[--since WHEN]",
    options: [.value("--since", "WHEN", "a time, or a duration such as 1d ago")],
    example: "spool stats --since 1d", exits: "0 done, 69 no spool",
    notes: """
      The mesh is excellent when everybody who ran answers, and their last actions were worth 0.9 or more on average; good when
      at most a tenth stopped answering, and it is 0.7; degraded with at most a third, and 0.5; else poor. The spread of work is
      Jain's index over the tasks that each bot did: 1 when all did as many, 1 ÷ n when one of n did all. The bots coordinator
      and hub don't count: what they end was put together from others' work.
      """
  ) { invocation in
    try invocation.expect(atMost: 0)
    let since = try invocation.moment("--since", sign: -1)
    let spool = try invocation.spool()
    let statistics = try Statistics(of: spool, since: since)
    var router = try Router(spool)
    try router.refresh()
    let health = TeamHealth(router.team)
    let registered = try spool.bots().count
    if invocation.isJSON {
      write(statistics, health, registered, invocation.output)
    } else {
      show(statistics, health, registered, invocation.output)
    }
    return .done
  }

  /// Over the bots that did tasks, or tried to.
  private static func fairness(_ statistics: Statistics) -> Double? {
    let workers = statistics.bots.filter { name, bot in
      // What the coordinator ends is put together from others' work.
      let isWorker = (try? BotName(parsing: name)).flatMap(Spool.refusal(ofTasksBy:)) == nil
      return isWorker && bot.tasksCompleted + bot.tasksFailed > 0
    }
    return Fairness.index(workers.values.map(\.tasksCompleted))
  }

  private static func show(_ statistics: Statistics, _ health: TeamHealth, _ registered: Int, _ output: Output) {
    func times(_ latency: Statistics.Percentiles?) -> [String] {
      guard let latency else { return ["", "", ""] }
      return [latency.p50, latency.p90, latency.p99].map { TimeText.short(microseconds: $0) }
    }
    let hasTasks = statistics.tasks.values.contains { $0 > 0 }
    let rows = statistics.bots.sorted { $0.key < $1.key }.map { name, bot in
      [Output.excerpt(name, 32), "\(bot.sent)", "\(bot.received)", "\(bot.acked)"]
        + [bot.waiting, bot.claimed, bot.dead].map { bot.isHidden ? "-" : "\($0)" }
        + (hasTasks ? ["\(bot.tasksInHand)", "\(bot.tasksCompleted)", "\(bot.tasksFailed)"] : []) + times(bot.latency)
    }
    let tasks = hasTasks ? ["TASKS", "DONE", "FAILED"] : []
    output.table(
      ["BOT", "SENT", "RECEIVED", "ACKED", "WAITING", "CLAIMED", "DEAD"] + tasks + ["P50", "P90", "P99"], rows)
    let types = statistics.types.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map {
      "\(Output.excerpt($0.key, 32)) \($0.value)"
    }
    output.line("")
    output.line(
      "\(Output.count(statistics.messages, "message")) in \(Output.count(statistics.conversations, "conversation"))"
        + (types.isEmpty ? "" : ": \(types.joined(separator: ", "))"))
    if hasTasks {
      let states = TaskState.allCases.filter { statistics.tasks[$0, default: 0] > 0 }
      let counts = states.map { "\(statistics.tasks[$0]!) \(TaskView.name($0))" }.joined(separator: ", ")
      output.line("\(Output.count(statistics.tasks.values.reduce(0, +), "task")): \(counts); FAILED: attempts that did")
      if let index = fairness(statistics) { output.line("spread of work: \(Output.decimals(index)) (Jain's index)") }
    }
    let mean =
      statistics.meanLatency.map { "; messages are taken after \(TimeText.short(microseconds: Int($0))) on average" }
      ?? ""
    output.line("bots: \(registered), active: \(health.active)\(mean)")
    output.line("mesh: \(health.grade.rawValue) (\(health.reason))")
    let (whole, part) = (statistics.logBytes * 10 / (1 << 20)).quotientAndRemainder(dividingBy: 10)
    output.line(
      "\(whole).\(part) MiB of log, \(statistics.quarantined) in quarantine; P50, P90, P99: from sending to claim")
  }

  private static func write(_ statistics: Statistics, _ health: TeamHealth, _ registered: Int, _ output: Output) {
    func latency(_ writer: inout JSONWriter, _ latency: Statistics.Percentiles?) {
      guard let latency else { return }
      writer.key("latency_us")
      writer.beginObject()
      writer.member("p50", latency.p50)
      writer.member("p90", latency.p90)
      writer.member("p99", latency.p99)
      writer.endObject()
    }
    output.object { writer in
      writer.member("messages", statistics.messages)
      writer.member("conversations", statistics.conversations)
      writer.member("quarantined", statistics.quarantined)
      writer.member("log_bytes", statistics.logBytes)
      latency(&writer, statistics.latency)
      writer.member("mean_latency_us", ifPresent: statistics.meanLatency.map { $0.rounded() })
      writer.member("registered_bots", registered)
      writer.member("active_bots", health.active)
      writer.member("stopped_bots", health.stopped)
      writer.member("mesh_health", health.grade.rawValue)
      writer.member("mesh_reason", health.reason)
      writer.member("mean_reward", ifPresent: health.reward.map(Output.rounded))
      writer.member("fairness", ifPresent: fairness(statistics).map(Output.rounded))
      writer.key("tasks")
      writer.beginObject()
      for state in TaskState.allCases {
        writer.key(state.rawValue)
        writer.int(statistics.tasks[state, default: 0])
      }
      writer.endObject()
      writer.key("types")
      writer.beginObject()
      for (type, count) in statistics.types.sorted(by: { $0.key < $1.key }) {
        writer.key(type)
        writer.int(count)
      }
      writer.endObject()
      writer.key("bots")
      writer.beginObject()
      for (name, bot) in statistics.bots.sorted(by: { $0.key < $1.key }) {
        writer.key(name)
        writer.beginObject()
        writer.member("sent", bot.sent)
        writer.member("received", bot.received)
        writer.member("acked", bot.acked)
        writer.member("waiting", ifPresent: bot.isHidden ? nil : bot.waiting)
        writer.member("claimed", ifPresent: bot.isHidden ? nil : bot.claimed)
        writer.member("dead", ifPresent: bot.isHidden ? nil : bot.dead)
        writer.member("tasks", bot.tasksInHand)
        writer.member("tasks_completed", bot.tasksCompleted)
        writer.member("attempts_failed", bot.tasksFailed)
        latency(&writer, bot.latency)
        writer.endObject()
      }
      writer.endObject()
    }
  }
}
