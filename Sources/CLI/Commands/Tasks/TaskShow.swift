import Spool
import SpoolFormat

extension Verb {
  static let taskShow = Verb(
    name: "task show", summary: "show all about a task", usage: "ID",
    example: "spool task show 8f3a\nspool task show 8f3a --json | jq .result",
    exits: "0 done, \(notThere), 69 no spool"
  ) { invocation in
    try invocation.expect(atMost: 1)
    let part = try invocation.operand(0, "ID")
    let spool = try invocation.taskSpool()
    let found = try spool.task(named: part)
    guard let task = try spool.task(found.id) else {
      throw SpoolError(.notFound, "\(found.id) is gone", hint: "see: spool trace \(found.id)")
    }
    if invocation.isJSON {
      let times = TaskTimes(task, try History(spool).trace(task.id))
      invocation.output.object { TaskView.write(task, times, to: &$0) }
    } else {
      try TaskPage(task, spool).write(to: invocation.output)
    }
    return .done
  }
}

/// When a task was given away, begun and ended: of what its file doesn't say, the log does.
struct TaskTimes {
  let assigned: Timestamp?
  /// Of one that was tried again, only a start of this attempt counts.
  let started: Timestamp?
  let ended: Timestamp?

  init(_ task: StoredTask, _ events: [LogEvent]) {
    func last(_ kinds: LogEvent.Kind...) -> Timestamp? { events.last { kinds.contains($0.kind) }?.time }
    let isFinal = task.state.isFinal
    assigned = task.record.assignedAt ?? last(.taskAssigned)
    started = isFinal || task.state == .inProgress ? task.record.startedAt ?? last(.taskStarted) : nil
    ended =
      switch task.state {
      case .completed: task.record.completedAt
      case .failed: task.record.completedAt ?? last(.taskFailed, .taskExpired)
      // It may have failed before.
      case .cancelled: last(.taskCancelled) ?? task.record.completedAt
      case .pending, .assigned, .inProgress, .blocked: nil
      }
  }

  /// From its start to its end; to now, while it is in progress.
  func elapsedMicroseconds(_ now: Timestamp) -> Int? {
    started.map { max(0, (ended ?? now).microseconds - $0.microseconds) }
  }
}

/// All about a task, for a person.
struct TaskPage {
  private let task: StoredTask
  private let spool: Spool
  private let events: [LogEvent]
  private let now = TimeText.now()

  init(_ task: StoredTask, _ spool: Spool) throws {
    var task = task
    // Of a step, what its templates stand for as soon as that is there.
    if !task.record.stepNames.isEmpty {
      var results: [MessageID: JSONText] = [:]
      for (id, entry) in try spool.findTasks(Set(task.record.stepNames.values)) {
        results[id] = try? spool.record(of: entry)?.result
      }
      task.record = (try? task.record.expanded { results[$0] }) ?? task.record
    }
    self.task = task
    self.spool = spool
    events = try History(spool).trace(task.id)
  }

  private var record: TaskRecord { task.record }

  func write(to output: Output) throws {
    func field(_ name: String, _ value: String?) {
      guard let value, !value.isEmpty else { return }
      let label = name + String(repeating: " ", count: max(0, 14 - name.count))
      output.line("\(output.styled(label, .dim))\(value)")
    }
    func text(_ name: String, _ value: String?) { field(name, value?.escapedForTerminal()) }
    output.line(output.styled(record.title.escapedForTerminal(), .bold))
    field("id", task.id.description)
    field("state", output.styled(standing, TaskView.style(task.state)))
    field("progress", progress)
    text("why", task.state == .blocked ? record.blockedReason : TaskView.whyWaiting(task, spool))
    text("error", record.error)
    text("suggestion", record.recoverySuggestion)
    text("domain", record.domain)
    field("priority", "\(record.priority.value)")
    for requirement in record.requirements { text("requirement", requirement) }
    for constraint in record.constraints { text("constraint", constraint) }
    text("skills", record.requiredSkills.map { "\($0.name):\($0.level.rawValue)" }.joined(separator: " "))
    field("only for", record.assignTo?.description)
    text("added by", record.createdBy)
    writeTimes(field)
    field("attempts", attempts)
    text("step", record.step)
    text("conversation", record.conversation)
    text("context", record.context?.description)
    try writeRelatives(field)
    for failure in record.failures {
      let when = failure.at.map { " \(TimeText.local($0))" } ?? ""
      let who = failure.bot.map { " (\($0))" } ?? ""
      text("failure \(failure.attempt)", "\(failure.error)\(who)\(when)")
    }
    text("confidence", record.confidence.map { "\($0)" })
    for learning in record.learnings { text("learned", learning) }
    for extra in record.extra { text(extra.name, extra.value.description) }
    if let description = record.description { output.line("\n\(description.escapedForTerminal(keepingLines: true))") }
    if let result = record.result {
      output.line("\n\(output.styled("result", .dim))")
      output.line(TaskView.text(result).escapedForTerminal(keepingLines: true))
    }
  }

  private var standing: String {
    var text = TaskView.standing(task.entry)
    if let worker = task.entry.worker { text += " (process \(worker.pid) on \(worker.host))" }
    if let bot = task.entry.bot, task.state == .completed { text += " by \(bot)" }
    if record.isOverdue(at: now), !task.state.isFinal { text += ", overdue" }
    return text
  }

  private var progress: String? {
    guard let percent = record.progress else { return record.progressText?.escapedForTerminal() }
    let text = record.progressText.map { "  \($0.escapedForTerminal())" } ?? ""
    return "\(TaskView.bar(percent)) \(percent)%\(text)"
  }

  private var attempts: String {
    let count = task.state == .assigned ? max(0, task.entry.attempt - 1) : task.entry.attempt
    let timeout = record.timeoutSeconds.map { ", each of at most \(TimeText.short(microseconds: Int($0 * 1e6)))" } ?? ""
    return "\(count) of \(record.attemptsMax)\(timeout)"
  }

  private func writeTimes(_ field: (String, String?) -> Void) {
    let times = TaskTimes(task, events)
    field("added", record.createdAt.map(TimeText.local))
    field("due", record.dueAt.map(TimeText.local))
    field("assigned", times.assigned.map(TimeText.local))
    field("started", times.started.map(TimeText.local))
    field(task.state == .completed ? "completed" : "ended", times.ended.map(TimeText.local))
    field("elapsed", times.elapsedMicroseconds(now).map { TimeText.short(microseconds: $0) })
    if let due = record.dueAt, record.isOverdue(at: times.ended ?? now) {
      field("overdue by", TaskView.span(from: due, to: times.ended ?? now))
    }
  }

  private func writeRelatives(_ field: (String, String?) -> Void) throws {
    func line(_ task: StoredTask) -> String {
      "\(TaskView.short(task.id))  \(TaskView.name(task.state))  \(Output.excerpt(task.record.title, 60))"
    }
    func unreadable(_ id: MessageID) -> String { "\(TaskView.short(id))  can't be read: spool task show \(id)" }
    func line(_ id: MessageID, _ found: [MessageID: TaskEntry]) throws -> String {
      do { return try found[id].flatMap { try spool.task($0) }.map(line) ?? "\(id), which is gone" } catch let error
        as SpoolError where error.code == .badData
      { return unreadable(id) }
    }
    let found = try spool.findTasks(Set(record.dependsOn + [record.parent].compactMap { $0 }))
    if let parent = record.parent { field("part of", try line(parent, found)) }
    for id in record.dependsOn { field("depends on", try line(id, found)) }
    for child in try spool.children(of: record, unreadable: { entry, _ in field("part", unreadable(entry.id)) }) {
      field("part", line(child))
    }
  }
}
