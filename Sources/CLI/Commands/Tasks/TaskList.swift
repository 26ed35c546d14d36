import Spool
import SpoolFormat

extension Verb {
  static let taskList = Verb(
    name: "task list", summary: "list tasks: those in hand first, then by urgency and age",
    usage: "[STATE…] [--bot BOT] [--overdue] [--all]",
    options: [
      .value(
        "--state", "STATE", "the same as STATE: pending, assigned, in_progress, blocked, completed, failed, cancelled"),
      .flag("--all", "those that have ended, too (default: those that haven't)"),
      .value("--bot", "BOT", "that has it, or is the only one that is to"),
      .value("--domain", "WORD", "of this field"),
      .flag("--overdue", "past the time that they were due"),
      .value("--parent", "ID", "parts of that task"),
      .value("--limit", "N", "at most so many (100)"),
    ],
    example: "spool task list --bot coder\nspool task list failed --json | jq -r .error",
    exits: "0 done, 1 there are none, 67 no such bot, 69 no spool"
  ) { invocation in
    let limit = try invocation.number("--limit", in: 1...10_000_000) ?? 100
    let spool = try invocation.taskSpool()
    let choice = try TaskChoice(invocation, spool)
    var rows: [[String]] = []
    var shown = 0
    var isMore = false
    for entry in try spool.tasks(in: choice.states).sorted(by: TaskChoice.isBefore) where choice.mayHold(entry) {
      let task: StoredTask
      do {
        guard let record = try spool.record(of: entry) else { continue }
        task = StoredTask(entry: entry, record: record)
      } catch let error as SpoolError {
        guard choice.isByStateAlone else { continue }
        if invocation.isJSON {
          TaskView.write(entry, problem: error.message, to: invocation.output)
        } else {
          rows.append([TaskView.short(entry.id), "unreadable", "", "", "", "", Output.excerpt(error.message, 90)])
        }
        shown += 1
        continue
      }
      guard choice.holds(task) else { continue }
      guard shown < limit else {
        isMore = true
        break
      }
      shown += 1
      if invocation.isJSON {
        invocation.output.object { TaskView.write(task, to: &$0) }
      } else {
        rows.append(row(task, invocation.output))
      }
    }
    if !rows.isEmpty { invocation.output.table(["ID", "STATE", "PRIO", "BOT", "DONE", "AGE", "TITLE"], rows) }
    invocation.output.flush()
    if isMore { Output.talk("and more; see: spool task list \(invocation.words(with: "--limit", limit * 10))") }
    if !invocation.isJSON { try tellRest(spool, choice, isEmpty: shown == 0) }
    return shown == 0 ? .nothing : .done
  }

  private static func row(_ task: StoredTask, _ output: Output) -> [String] {
    let remark = TaskView.remark(task)
    let age = TimeText.now().microseconds - task.id.time.microseconds
    return [
      TaskView.short(task.id), TaskView.name(task.state), "\(task.record.priority.value)",
      task.entry.bot?.description ?? task.record.assignTo.map { "(\($0))" } ?? "",
      task.record.progress.map { "\($0)%" } ?? "", TimeText.short(microseconds: max(0, age)),
      Output.excerpt(task.record.title, 60) + (remark.isEmpty ? "" : output.styled("  " + remark, .dim)),
    ]
  }

  /// What a list doesn't show, so that nobody thinks it lost.
  private static func tellRest(_ spool: Spool, _ choice: TaskChoice, isEmpty: Bool) throws {
    let moving = isEmpty ? try spool.tasksOnTheMove() : []
    if choice.isByDefault {
      let counts = try spool.taskCounts()
      let ended = TaskState.allCases.filter { $0.isFinal && counts[$0, default: 0] > 0 }
      let words = ended.map { "\(counts[$0]!) \($0.rawValue)" }.joined(separator: ", ")
      if !words.isEmpty {
        Output.talk("\(isEmpty ? "nothing to do; " : "")\(words): see spool task list --all")
      } else if isEmpty, moving.isEmpty {
        Output.talk("no tasks yet; add one with: spool task add TITLE")
      }
    } else if isEmpty {
      Output.talk("no such tasks")
    }
    if isEmpty, !moving.isEmpty {
      let what = Output.count(moving.count, "task") + (moving.count == 1 ? " is" : " are")
      Output.talk("\(what) just being changed: try again in a moment")
    }
  }
}

/// Which tasks are asked for.
private struct TaskChoice {
  let states: [TaskState]
  /// Nothing was asked for.
  let isByDefault: Bool
  /// What its path says is enough to tell whether a task is asked for.
  let isByStateAlone: Bool
  private let bot: BotName?
  private let domain: String?
  private let parent: MessageID?
  private let isOverdueOnly: Bool
  private let now = TimeText.now()

  init(_ invocation: Invocation, _ spool: Spool) throws {
    let given = try (invocation.operands + invocation.all("--state")).flatMap { $0.split(separator: ",") }
      .map { try TaskState(parsing: String($0)) }
    if !given.isEmpty, invocation.has("--all") { throw UsageError("a state or --all, not both") }
    bot = try invocation.value("--bot").map { try spool.bot(named: $0) }
    domain = invocation.value("--domain")?.lowercased()
    parent = try invocation.value("--parent").map { try spool.task(named: $0).id }
    isOverdueOnly = invocation.has("--overdue")
    isByStateAlone = bot == nil && domain == nil && parent == nil && !isOverdueOnly
    isByDefault = given.isEmpty && !invocation.has("--all") && isByStateAlone
    // All parts of a task are wanted, whether they have ended or not.
    let isWhole = invocation.has("--all") || parent != nil
    states = given.isEmpty ? (isWhole ? TaskState.allCases : TaskState.live) : given
  }

  /// As far as the path tells.
  func mayHold(_ entry: TaskEntry) -> Bool {
    guard let bot else { return true }
    return entry.bot == nil || entry.bot == bot
  }

  func holds(_ task: StoredTask) -> Bool {
    if let bot, task.entry.bot != bot, task.record.assignTo != bot { return false }
    if let domain, task.record.domain?.lowercased() != domain { return false }
    if let parent, task.record.parent != parent { return false }
    return !isOverdueOnly || (task.record.isOverdue(at: now) && !task.state.isFinal)
  }

  /// What somebody works on, what waits by urgency, and what has ended, the latest first.
  static func isBefore(_ left: TaskEntry, _ right: TaskEntry) -> Bool {
    let (first, second) = (rank(left.state), rank(right.state))
    if first != second { return first < second }
    return left.state.isFinal ? left.id > right.id : left.name < right.name
  }

  private static func rank(_ state: TaskState) -> Int {
    switch state {
    case .inProgress: 0
    case .assigned: 1
    case .pending: 2
    case .blocked: 3
    case .failed: 4
    case .completed: 5
    case .cancelled: 6
    }
  }
}
