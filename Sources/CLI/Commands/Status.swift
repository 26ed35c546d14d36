import Coordinator
import Spool
import SpoolFormat

extension Verb {
  static let status = Verb(
    name: "status", summary: "how the spool does: who is there, what is to be done, and what works", usage: "",
    example: "spool status", exits: "0 done, 69 no spool"
  ) { invocation in
    try invocation.expect(atMost: 0)
    let status = try StatusReport(of: try invocation.spool())
    if invocation.isJSON {
      invocation.output.object { status.write(to: &$0) }
    } else {
      show(status, invocation.output)
    }
    return .done
  }

  private static func show(_ status: StatusReport, _ output: Output) {
    output.line("coordinator  \(status.coordinator ?? "none is running: spool coordinate")")
    output.line("watching     \(status.watching) on \(status.fileSystem)")
    output.line("log          \(status.logProblem.map { Output.excerpt($0) } ?? "ok")")
    output.line("tasks        \(shown(TaskState.allCases.map { ($0.rawValue, status.tasks[$0]) }) ?? "none")")
    if let groups = shown(GroupState.allCases.map { ($0.rawValue, status.groups[$0]) }) {
      output.line("groups       \(groups)")
    }
    if let rate = status.successRate { output.line("success      \(Int((rate * 100).rounded())) %") }
    if let age = status.queueAgeSeconds {
      output.line("queue        the oldest has been ready for \(TimeText.short(microseconds: Int(age * 1e6)))")
    }
    if let latency = status.assignmentLatency {
      let times = [latency.p50, latency.p90, latency.p99].map { TimeText.short(microseconds: $0) }
      output.line("assignment   p50 \(times[0]), p90 \(times[1]), p99 \(times[2])")
    }
    guard !status.agents.isEmpty else { return }
    output.line("")
    output.table(
      ["BOT", "STATE", "TAKES", "TASKS", "MESSAGES", "DOMAIN"],
      status.agents.map { agent in
        [
          agent.name, agent.state.rawValue, agent.takes.joined(separator: "+"),
          tasks(of: agent),
          agent.waiting.map { "\($0 + (agent.claimed ?? 0))" } ?? "-",
          Output.excerpt(agent.domain ?? "", 30),
        ]
      })
    show(status.backlogs, output)
  }

  /// How many it has of how many it may have; nothing of those that nobody can give one.
  private static func tasks(of agent: StatusReport.Agent) -> String {
    let isTaker = (try? BotName(parsing: agent.name)).flatMap(Spool.refusal(ofTasksBy:)) == nil
    return isTaker ? "\(agent.assigned + agent.inProgress) of \(agent.capacity)" : "-"
  }

  /// Such as `2 pending, 1 failed`; nil when there are none.
  private static func shown(_ counts: [(state: String, count: Int?)]) -> String? {
    let some = counts.compactMap { state, count in count.flatMap { $0 > 0 ? "\($0) \(state)" : nil } }
    return some.isEmpty ? nil : some.joined(separator: ", ")
  }

  /// Bots whose backlog is shown, each on a line.
  private static let backlogsShownMax = 40

  /// As Postfix's qshape shows a queue: a row for each bot, a column for each age, the sums on top.
  private static func show(_ backlogs: [Backlog], _ output: Output) {
    guard !backlogs.isEmpty else { return }
    func row(_ name: String, _ some: [Backlog], _ last: [String]) -> [String] {
      let ages = Backlog.ageNames.indices.map { index in some.reduce(0) { $0 + $1.byAge[index] } }
      let counts = [some.reduce(0) { $0 + $1.total }] + ages + [some.reduce(0) { $0 + $1.delayed }]
      return [name] + counts.map { $0 == 0 ? "." : "\($0)" } + last
    }
    func since(_ moment: Timestamp?) -> String {
      moment.map { TimeText.short(microseconds: max(0, TimeText.now().microseconds - $0.microseconds)) } ?? ""
    }
    let waiting = backlogs.filter { $0.total > 0 }
    let rows = waiting.prefix(backlogsShownMax).map { backlog in
      let limit = backlog.limits.messages.map { "\($0)\(backlog.isFull ? ", full" : "")" } ?? ""
      return row(backlog.bot.description, [backlog], [since(backlog.oldest), "\(backlog.consumers)", limit])
    }
    output.line("")
    if !rows.isEmpty {
      let sums = row("all", waiting, [since(waiting.compactMap(\.oldest).min()), "", ""])
      let ages = Backlog.ages.map { "<" + $0.name } + ["OLDER"]
      output.table(["BACKLOG", "TOTAL"] + ages + ["LATER", "OLDEST", "TAKERS", "LIMIT"], [sums] + rows)
    }
    if waiting.count > rows.count { output.line("and \(waiting.count - rows.count) more bots: spool status --json") }
    let abandoned = backlogs.filter(\.isAbandoned)
    if !abandoned.isEmpty {
      let names = abandoned.prefix(8).map(\.bot.description).joined(separator: ", ")
      let more = abandoned.count > 8 ? " and \(abandoned.count - 8) more" : ""
      let cure = abandoned.count == 1 ? abandoned[0].taker : "spool doctor says who would"
      output.line(output.styled("nobody takes the messages of \(names)\(more): \(cure)", .yellow))
    }
  }

  static let learnings = Verb(
    name: "learnings", summary: "what ended tasks taught, newest first", usage: "[WORD…]",
    options: [
      .value("--domain", "DOMAIN", "of this field only"), .value("--limit", "N", "how many at most (20)"),
    ],
    example: "spool learnings pagination --domain development", exits: "0 found some, 1 none, 69 no spool"
  ) { invocation in
    let found = try Learnings(try invocation.spool()).search(
      invocation.operands, domains: invocation.all("--domain"),
      limit: invocation.number("--limit", in: 1...1_000_000) ?? 20)
    for learning in found {
      if invocation.isJSON {
        invocation.output.object { writer in
          writer.member("domain", learning.domain)
          writer.member("time", learning.time)
          writer.member("task", learning.task)
          writer.member("bot", ifPresent: learning.bot)
          writer.member("text", learning.text)
        }
      } else {
        let who = learning.bot.map { " \($0)" } ?? ""
        invocation.output.line("\(learning.domain)\(who): \(learning.text.escapedForTerminal())")
      }
    }
    if found.isEmpty { Output.talk("nothing found; what tasks taught is gathered by: spool coordinate") }
    return found.isEmpty ? .nothing : .done
  }
}
