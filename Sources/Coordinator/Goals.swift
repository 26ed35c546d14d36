import CoordinatorPolicy
import Linux
import Spool
import SpoolFormat

/// Requests that became tasks: a goal, whose children are the plan, from its making to its answer.
extension Requests {
  // MARK: Planned

  func goalRecord(_ claim: Claim, _ text: String, _ analysis: Analysis, _ workflow: Workflow) -> TaskRecord {
    let id = claim.name.id
    let workflow = workflow.sorted
    var record = TaskRecord(title: Self.title(text))
    record.id = Goal.id(for: id)
    record.waitsForChildren = true
    record.assignTo = Coordinator.bot
    record.attemptsMax = 1000
    record.createdBy = claim.message.from
    record.conversation = claim.message.conversationKey ?? id.description
    record.priority = claim.message.priority ?? .normal
    record.domain = analysis.domains.first
    record.children = workflow.steps.map { Goal.id(ofStep: $0.name, for: id) }
    record.extra = [
      Goal(
        request: id, from: claim.message.from, text: text, approach: analysis.approach.rawValue,
        plan: try? JSONText(validating: workflow.encoded)
      ).field
    ]
    return record
  }

  /// The first line of a request, as a task's title.
  static func title(_ text: String) -> String {
    let line = text.split(whereSeparator: \.isNewline).first.map(String.init) ?? "(an empty request)"
    guard line.count > 100 || line.utf8.count > TaskRecord.titleBytesMax else { return line }
    var title = line.prefix(99) + "…"
    // A character may have any number of bytes.
    while title.utf8.count > TaskRecord.titleBytesMax { title = title.dropLast(2) + "…" }
    return String(title)
  }

  /// The children of a goal, as it was planned.
  func steps(of record: TaskRecord) throws -> [TaskRecord] {
    guard let goal = Goal(record), let plan = goal.plan, let parent = record.id else { return [] }
    let workflow: Workflow
    do { workflow = try Workflow(parsing: plan.bytes) } catch {
      throw SpoolError(.badData, "the plan of \(parent) can't be read: \(error)")
    }
    let origin = Workflow.Origin(
      createdBy: Coordinator.bot.description, createdAt: record.createdAt, conversation: record.conversation,
      priority: record.priority)
    return workflow.records(
      ids: workflow.steps.map { Goal.id(ofStep: $0.name, for: goal.request) }, parent: parent, origin: origin)
  }

  /// Adds the children of a goal that aren't there yet: an earlier coordinator, or one that was taken for dead, may have
  /// added some, which may even have ended.
  func complete(_ record: TaskRecord, _ coordinator: Coordinator) throws {
    guard let goal = Goal(record) else { return }
    let steps = try steps(of: record)
    let present = try spool.findTasks(Set(steps.map { $0.id! }))
    for step in steps where present[step.id!] == nil {
      if let entry = try spool.addOnce(step) { try coordinator.noteMove(entry) }
    }
    coordinator.report(.request(id: goal.request.description, approach: goal.approach, tasks: steps.count))
  }

  // MARK: Ended

  /// A goal whose children have ended is the coordinator's to finish.
  func finish(_ entry: TaskEntry, _ coordinator: Coordinator) throws {
    guard let bot = entry.bot, let record = try spool.record(of: entry) else { return }
    guard bot == Coordinator.bot, let goal = Goal(record) else { return try refuse(entry, bot, record, coordinator) }
    if goal.isDiscussion {
      return try discussions.take(entry, record, goal, coordinator)
    }
    // Before it is started: what keeps it from being read now doesn't cost an attempt.
    let summary = Summary(request: goal.text, parts: try parts(of: record))
    guard let started = try spool.start(entry, bot: Coordinator.bot, worker: spool.holder) else { return }
    try coordinator.noteMove(started)
    var writer = JSONWriter()
    summary.write(to: &writer)
    let ended = try Self.shortening(entry, summary.text, writer.text) { text, result in
      try end(started, goal, record, summary.problem, text, result)
    }
    if let ended { try coordinator.noteMove(ended) }
    coordinator.report(.answered(id: goal.request.description))
  }

  /// A hand, or a plan, gave a task to who takes none: nobody would ever begin it.
  private func refuse(_ entry: TaskEntry, _ bot: BotName, _ record: TaskRecord, _ coordinator: Coordinator) throws {
    guard let refusal = Spool.refusal(ofTasksBy: bot) else { return }
    // What stands for a group is its hub's, wherever a hand put it, as long as there is one.
    if let group = GroupPart(record)?.group, let state = try spool.findGroup(group)?.state,
      state.isLive || state == .completed
    {
      return
    }
    let failed = try spool.fail(
      entry, error: refusal.message, recoverySuggestion: refusal.hint, isRetryable: false,
      by: Coordinator.bot.description)
    if let failed { try coordinator.noteMove(failed) }
  }

  /// Ends a goal with what came of it or, where that is too long for one message, with where it is to be found.
  static func shortening<Ended>(
    _ goal: TaskEntry, _ text: String, _ result: JSONText, _ end: (String, JSONText) throws -> Ended
  ) throws -> Ended {
    do { return try end(text, result) } catch let error as SpoolError where error.code == .badData {
      let why = "what came of it is too long for one message; see each part: spool task tree \(goal.id)"
      return try end(why, JSONText(string: why))
    }
  }

  /// Answers a request, and then ends its goal: an answer that was given twice is kept once.
  /// - Parameter problem: why not all of it could be done; nil when it was.
  private func end(
    _ entry: TaskEntry, _ goal: Goal, _ record: TaskRecord, _ problem: String?, _ text: String, _ result: JSONText
  ) throws -> TaskEntry? {
    var content = Message(content: text)
    content.data = result
    try answer(goal, record, content, isComplete: problem == nil)
    guard let problem else { return try spool.complete(entry, result: result, by: Coordinator.bot.description) }
    var goal = goal
    // What comes of it when it is tried again is another answer.
    goal.answered += 1
    // Each part says all of what went wrong with it.
    let error = String(decoding: problem.utf8.prefix(Self.problemBytesMax), as: UTF8.self)
    return try spool.change(entry, .fail, by: Coordinator.bot.description, reason: error) { record in
      record.error = error
      record.result = result
      record.end(nil, Timestamp(microseconds: Clock.wall()))
      goal.write(to: &record)
    }
  }

  private static let problemBytesMax = 65_536

  /// A goal was cancelled, or failed without its coordinator's doing: whoever asked waits for nothing.
  func tellOfEnd(_ goal: Goal, _ record: TaskRecord, _ ended: Coordinator.Ended) throws {
    let entry = ended.entry
    // One with a result was answered before it was ended.
    guard entry.state == .cancelled || record.result == nil else { return }
    let why = record.error.map { ": \($0)" } ?? ""
    let what = entry.state == .cancelled ? "was cancelled" : "failed"
    // Under a key of its own: what comes of it when it is brought back is an answer, too.
    let key = "end \(goal.request) \(ended.at)"
    try answer(goal, record, Message(content: "The request \(what)\(why)"), isComplete: false, key: key)
  }

  /// What came of each step. One whose file can't be read has failed for whoever waits for an answer.
  private func parts(of record: TaskRecord) throws -> [Summary.Part] {
    var unreadable: [Summary.Part] = []
    let children = try spool.children(of: record) { entry, error in
      let name = entry.id.description
      unreadable.append(
        Summary.Part(
          step: name, title: name, bot: entry.bot?.description, state: .failed, result: nil, problem: error.message))
    }
    return children.map(Self.part) + unreadable
  }

  private static func part(_ task: StoredTask) -> Summary.Part {
    Summary.Part(
      step: task.record.step ?? task.record.title, title: task.record.title, bot: task.entry.bot?.description,
      state: task.state, result: task.state == .completed ? task.record.result : nil,
      problem: task.state == .blocked ? task.record.blockedReason : task.record.error,
      confidence: task.record.confidence)
  }

  func answer(
    _ goal: Goal, _ record: TaskRecord, _ content: Message, isComplete: Bool, key: String? = nil
  ) throws {
    var request = Message(content: goal.text)
    request.id = goal.request
    request.from = goal.from
    request.conversation = record.conversation
    let which = goal.answered > 0 ? " \(goal.answered)" : ""
    try answer(
      request, content, type: isComplete ? .response : .error, key: key ?? "answer \(goal.request)\(which)")
  }
}
