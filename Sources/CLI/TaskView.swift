import Coordinator
import Spool
import SpoolFormat

/// How tasks are shown.
enum TaskView {
  static func short(_ id: MessageID) -> String { MessageView.short(id.description) }

  static func name(_ state: TaskState) -> String { state == .inProgress ? "in progress" : state.rawValue }

  static func style(_ state: TaskState) -> Output.Style {
    switch state {
    case .completed: .green
    case .failed: .red
    case .inProgress, .assigned: .yellow
    case .blocked, .cancelled, .pending: .dim
    }
  }

  /// The file's content, and what its path says.
  static func write(_ task: StoredTask, _ times: TaskTimes? = nil, to writer: inout JSONWriter) {
    var record = task.record
    if let times {
      (record.assignedAt, record.startedAt, record.completedAt) = (times.assigned, times.started, times.ended)
    }
    // What a file says of its own state counts for nothing.
    record.extra.removeAll { pathMembers.contains($0.name) }
    record.writeMembers(to: &writer)
    write(task.entry, to: &writer)
    if let elapsed = times?.elapsedMicroseconds(TimeText.now()) {
      writer.member("elapsed_seconds", Double(elapsed) / 1e6)
    }
    if record.isOverdue(at: TimeText.now()), !task.state.isFinal { writer.member("overdue", true) }
  }

  private static let pathMembers: Set<String> = [
    "state", "attempt", "bot", "holder", "not_before", "path", "overdue", "problem", "elapsed_seconds",
  ]

  private static func write(_ entry: TaskEntry, to writer: inout JSONWriter) {
    writer.member("state", entry.state.rawValue)
    writer.member("attempt", entry.attempt)
    writer.member("bot", ifPresent: entry.bot?.description)
    if let bot = entry.bot { writer.member("holder", entry.worker.map { "\(bot)@\($0)" } ?? bot.description) }
    writer.member("not_before", moment: entry.notBefore)
    writer.member("path", entry.path)
  }

  /// A task that can't be read is shown all the same, with what is wrong.
  static func write(_ entry: TaskEntry, problem: String, to output: Output) {
    output.object { writer in
      writer.member("id", entry.id.description)
      write(entry, to: &writer)
      writer.member("problem", problem)
    }
  }

  /// What a verb did to a task, for programs.
  static func write(_ entry: TaskEntry, to output: Output) {
    output.object { writer in
      writer.member("id", entry.id.description)
      write(entry, to: &writer)
    }
  }

  /// Where a task stands, in a few words: `in progress by coder, attempt 2`.
  static func standing(_ entry: TaskEntry) -> String {
    switch entry.state {
    case .assigned: "assigned to \(entry.bot?.description ?? "nobody")"
    case .inProgress: "in progress by \(entry.bot?.description ?? "nobody"), attempt \(entry.attempt)"
    case .pending:
      if let due = entry.notBefore, due > TimeText.now() {
        "pending, to be tried again in \(span(from: TimeText.now(), to: due))"
      } else {
        "pending"
      }
    case .blocked, .completed, .failed, .cancelled: entry.state.rawValue
    }
  }

  static func span(from start: Timestamp, to end: Timestamp) -> String {
    TimeText.short(microseconds: max(0, end.microseconds - start.microseconds))
  }

  /// What somebody who looks at a list wants to know beside the title; empty for most.
  static func remark(_ task: StoredTask) -> String {
    let now = TimeText.now()
    var parts: [String] = []
    if let due = task.record.dueAt, !task.state.isFinal {
      parts.append(due < now ? "overdue by \(span(from: due, to: now))" : "due in \(span(from: now, to: due))")
    }
    switch task.state {
    case .pending:
      if let due = task.entry.notBefore, due > now { parts.append("again in \(span(from: now, to: due))") }
    case .inProgress: if let text = task.record.progressText { parts.append(text) }
    case .blocked:
      parts.append(
        task.record.blockedReason
          ?? (task.record.awaitsChildren ? "for its children" : waits(task)))
    case .failed: parts.append(task.record.error ?? "")
    case .assigned, .completed, .cancelled: break
    }
    return Output.excerpt(shortened(parts.filter { !$0.isEmpty }.joined(separator: "; ")), 60)
  }

  /// Why a coordinator that is there gives a task that is ready to nobody; nil when it may do so at any moment.
  static func whyWaiting(_ task: StoredTask, _ spool: Spool) -> String? {
    let isReady = task.state == .pending && task.record.assignTo == nil
    guard isReady, task.entry.notBefore.map({ $0 <= TimeText.now() }) ?? true, spool.coordinatorIsUp else { return nil }
    return try? Ranking(spool).whyWaiting(task.record)
  }

  /// A text with the ids in it as short as lists have them.
  static func shortened(_ text: String) -> String {
    text.split(separator: " ", omittingEmptySubsequences: false).map { word in
      let bare = word.last == "," || word.last == ":" ? word.dropLast() : word
      guard bare.utf8.count == MessageID.textCount, let id = MessageID(String(bare)) else { return String(word) }
      return short(id) + word.dropFirst(bare.count)
    }.joined(separator: " ")
  }

  private static func waits(_ task: StoredTask) -> String {
    "after " + task.record.dependsOn.prefix(3).map(short).joined(separator: ", ")
      + (task.record.dependsOn.count > 3 ? ", …" : "")
  }

  /// Ten characters that show how far it is.
  static func bar(_ percent: Int, width: Int = 10) -> String {
    let full = min(max(percent, 0), 100) * width / 100
    return String(repeating: "█", count: full) + String(repeating: "░", count: width - full)
  }

  /// A result as a person reads it: a text as it is, anything else as JSON.
  static func text(_ result: JSONText) -> String {
    result.value.string ?? result.value.prettyPrinted()
  }

  // MARK: Events

  /// What an event of the log says of a task, less when and which.
  static func details(_ event: LogEvent) -> String {
    let bot = event.text("bot").map { Output.excerpt($0, 64) }
    let by = event.text("by").map { Output.excerpt($0, 64) }
    let author = by.map { $0 == bot ? "" : " by \($0)" } ?? ""
    let reason = event.text("reason").map { ": \(Output.excerpt(shortened($0)))" } ?? ""
    let attempt = event.number("attempt") ?? 0
    let record = event.taskBytes.flatMap { try? TaskRecord(parsing: $0) }
    let title = record.map { Output.excerpt($0.title, 60) } ?? ""
    switch event.kind {
    case .taskAdded: return "\(title)\(author)\(state(event, unless: .pending))"
    case .taskAssigned: return "to \(bot ?? "?")\(author)\(reason)"
    case .taskStarted: return "by \(bot ?? "?"), attempt \(attempt)"
    case .taskProgressed:
      let says = event.text("text").map { " " + Output.excerpt($0) } ?? ""
      return "\(event.number("progress").map { "\($0)%" } ?? "")\(says) by \(bot ?? "?")"
    case .taskCompleted:
      let result = record?.result.map { ": " + Output.excerpt($0.value.string ?? $0.description) } ?? ""
      return "\(title) by \(bot ?? by ?? "?")\(result)"
    case .taskFailed:
      let error = record?.error.map { ": \(Output.excerpt(shortened($0)))" } ?? reason
      return "\(title) by \(bot ?? by ?? "?")\(attempt > 0 ? ", attempt \(attempt)" : "")\(error)"
    case .taskRetried:
      return "attempt \(attempt)\(bot.map { " of \($0)" } ?? "")\(author)\(reason)\(state(event, unless: .pending))"
    case .taskExpired, .taskReleased: return "from \(bot ?? "nobody")\(author)\(reason)"
    case .taskMoved, .taskRestored:
      let from = event.text("from").map { " from \(Output.excerpt($0, 20))" } ?? ""
      return "to \(event.text("state").map { Output.excerpt($0, 20) } ?? "?")\(from)\(author)\(reason)"
    default:
      let why =
        event.kind == .taskBlocked && reason.isEmpty ? record?.blockedReason.map { ": \(Output.excerpt($0))" } : nil
      return "\(event.text("by").map { "by \(Output.excerpt($0, 64))" } ?? "")\(why ?? reason)"
    }
  }

  private static func state(_ event: LogEvent, unless usual: TaskState) -> String {
    guard let entry = event.entry, entry.state != usual else { return "" }
    return ", \(standing(entry))"
  }
}
