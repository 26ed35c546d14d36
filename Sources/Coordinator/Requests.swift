import AgentRuntime
import CoordinatorPolicy
import Linux
import Spool
import SpoolFormat

/// The coordinator's own inbox: requests are analysed, planned and turned into tasks; the rest is answered or passed on.
final class Requests {
  /// A request between its claim and its tasks: somebody's program may be at work on it.
  private struct Intake {
    let claim: Claim
    var analysis: Analysis?
    var program: ProgramRun?
    var stage: Stage
    var renewAt: Int
  }

  private enum Stage { case analysing, planning }

  private let spool: Spool
  private let options: CoordinatorOptions
  private let inbox: Inbox
  private let discussions: Discussions
  private var intakes: [Intake] = []
  /// After a failure, not to spin.
  private var claimsAgainAt = 0

  /// Programs at work side by side.
  private static let intakesMax = 8

  init(_ spool: Spool, _ options: CoordinatorOptions) throws {
    self.spool = spool
    self.options = options
    inbox = try Inbox(spool, Coordinator.bot)
    try inbox.watch()
    discussions = Discussions(spool, options)
  }

  var isIdle: Bool { intakes.isEmpty && discussions.isIdle && claimsAgainAt == 0 }

  // MARK: The event loop

  func watch(_ poll: inout PollSet) {
    if let descriptor = inbox.watchedDescriptor { _ = poll.add(descriptor) }
    for intake in intakes { intake.program?.watch(&poll) }
    discussions.watch(&poll)
  }

  func respond(to poll: PollSet) {
    for intake in intakes { intake.program?.respond(to: poll) }
    discussions.respond(to: poll)
  }

  var nextDue: Int {
    var next = min(max(inbox.nextWake(), claimsAgainAt), discussions.nextDue)
    for intake in intakes { next = min(next, intake.renewAt, intake.program?.nextDeadline ?? 0) }
    return next
  }

  func turn(_ coordinator: Coordinator) {
    coordinator.attempt { try self.claim(coordinator) }
    for index in intakes.indices { advance(&intakes[index], coordinator) }
    intakes.removeAll { $0.program == nil }
    discussions.turn(coordinator)
  }

  private func claim(_ coordinator: Coordinator) throws {
    let now = Clock.sinceBoot()
    guard now >= claimsAgainAt else { return }
    do {
      // A bounded number in a turn: tasks must not wait for a flood of messages.
      for _ in 0..<64 where intakes.count < Self.intakesMax {
        guard let claim = try inbox.claim() else { break }
        try handle(claim, coordinator)
      }
      claimsAgainAt = 0
    } catch {
      claimsAgainAt = now + 1_000_000_000
      throw error
    }
  }

  private func handle(_ claim: Claim, _ coordinator: Coordinator) throws {
    do {
      switch claim.message.type ?? .request {
      case .request: try begin(claim, coordinator)
      case .status: try answerStatus(claim)
      case .broadcast where claim.message.to == [Coordinator.bot.description]: try passOn(claim)
      // Answers to a question of ours are read from the log, where they stay.
      default: try settle(claim)
      }
    } catch let error as SpoolError where error.code == .badData {
      try spool.bury(claim.bot, claim.name, reason: error.message)
      coordinator.report(.problem("request \(claim.name.id): \(error.message)"))
    } catch let error as SpoolError where error.code == .claimLost {
    } catch {
      _ = try? spool.nack(claim.bot, claim.name, delay: 1, reason: "\(error)")
      throw error
    }
  }

  private func settle(_ claim: Claim) throws {
    try spool.ack(claim.bot, claim.name)
    discussions.lookAgain()
  }

  // MARK: Requests

  private func begin(_ claim: Claim, _ coordinator: Coordinator) throws {
    // An earlier coordinator may have got as far as the goal.
    if let goal = try spool.task(Goal.id(for: claim.name.id)) {
      try complete(goal.record, claim, coordinator)
      return try spool.ack(claim.bot, claim.name)
    }
    let text = claim.message.content ?? ""
    var intake = Intake(claim: claim, stage: .analysing, renewAt: renewal)
    if options.analyzer.isEmpty {
      intake.analysis = RequestAnalysis.analyse(text, currentVocabulary(coordinator))
      try plan(&intake, coordinator)
    } else {
      intake.program = try run(options.analyzer, Array(text.utf8), claim)
    }
    if intake.program != nil { intakes.append(intake) }
  }

  private var renewal: Int { Clock.sinceBoot() + Int(inbox.lease / 4 * 1e9) }

  private func run(_ arguments: [String], _ input: [UInt8], _ claim: Claim) throws -> ProgramRun {
    do {
      return try ProgramRun(
        arguments,
        environment: [
          "SPOOL_DIR": spool.path, "SPOOL_BOT": Coordinator.bot.description, "SPOOL_ID": claim.name.id.description,
        ], input: input, timeout: options.programSeconds)
    } catch { throw SpoolError(.notFound, "cannot run \(arguments[0]): \(error.reason.lowercased())", cause: error) }
  }

  /// One that can't be read is told of, and the built-in words are used.
  private func currentVocabulary(_ coordinator: Coordinator) -> Vocabulary {
    do { return try VocabularyFile.read(spool) } catch {
      coordinator.report(.problem("\(error); the built-in words are used"))
      return .builtIn
    }
  }

  private func plan(_ intake: inout Intake, _ coordinator: Coordinator) throws {
    let analysis = intake.analysis!
    let text = intake.claim.message.content ?? ""
    let learnings = try Learnings(spool).search([], domains: analysis.domains, limit: 20).map(\.text)
    intake.stage = .planning
    if !options.planner.isEmpty, analysis.approach != .teamDiscussion, analysis.approach != .directResponse {
      intake.program = try run(
        options.planner, Self.planningInput(text, analysis, learnings, coordinator), intake.claim)
      return
    }
    intake.program = nil
    try delegate(
      intake, Decomposition.plan(text, analysis, currentVocabulary(coordinator), learnings: learnings), coordinator)
  }

  /// What a planner gets: the request, its analysis, who there is, and what such tasks taught.
  private static func planningInput(
    _ text: String, _ analysis: Analysis, _ learnings: [String], _ coordinator: Coordinator
  ) -> [UInt8] {
    var writer = JSONWriter()
    writer.beginObject()
    writer.member("request", text)
    writer.key("analysis")
    analysis.write(to: &writer)
    writer.member("learnings", learnings)
    writer.key("bots")
    writer.beginArray()
    for (_, member) in coordinator.roster.members.sorted(by: { $0.key < $1.key }) where member.takesTasks {
      member.card.write(to: &writer)
    }
    writer.endArray()
    writer.endObject()
    return writer.bytes + [10]
  }

  private func advance(_ intake: inout Intake, _ coordinator: Coordinator) {
    guard let program = intake.program else { return }
    if Clock.sinceBoot() >= intake.renewAt {
      intake.renewAt = renewal
      coordinator.attempt { try spool.extend(intake.claim.bot, intake.claim.name) }
    }
    guard let outcome = program.outcome else { return }
    intake.program = nil
    do {
      guard case .done(let output) = outcome else {
        guard case .failed(let why) = outcome else { return }
        throw SpoolError(.badData, why)
      }
      switch intake.stage {
      case .analysing:
        do { intake.analysis = try Analysis(parsing: output) } catch {
          throw SpoolError(.badData, "\(options.analyzer[0]) printed no analysis: \(error)")
        }
        try plan(&intake, coordinator)
      case .planning:
        let workflow: Workflow
        do { workflow = try Workflow(parsing: output) } catch {
          throw SpoolError(.badData, "\(options.planner[0]) printed no workflow: \(error)")
        }
        try delegate(intake, workflow, coordinator)
      }
    } catch let error as SpoolError where error.code == .badData {
      fail(intake.claim, error.message, coordinator)
    } catch {
      coordinator.attempt { try spool.nack(intake.claim.bot, intake.claim.name, delay: 1, reason: "\(error)") }
    }
  }

  /// Nothing can come of it: whoever asked is told.
  private func fail(_ claim: Claim, _ why: String, _ coordinator: Coordinator) {
    coordinator.report(.problem("request \(claim.name.id): \(why)"))
    coordinator.attempt {
      try spool.bury(claim.bot, claim.name, reason: why)
      try answer(claim.message, Message(content: why), type: .error, key: "error \(claim.name.id)")
    }
  }

  // MARK: Delegating

  private func delegate(_ intake: Intake, _ workflow: Workflow, _ coordinator: Coordinator) throws {
    let claim = intake.claim
    let analysis = intake.analysis!
    let id = claim.name.id
    let text = claim.message.content ?? ""
    switch analysis.approach {
    case .directResponse:
      try answer(claim.message, Message(content: direct(coordinator)), type: .response, key: "answer \(id)")
      coordinator.report(.request(id: id.description, approach: analysis.approach.rawValue, tasks: 0))
    case .teamDiscussion:
      try discussions.begin(claim, text, coordinator)
    default:
      let goal = goalRecord(claim, text, analysis, workflow)
      let entry = try spool.addTask(goal, by: Coordinator.bot.description)
      try coordinator.noteMove(entry)
      try complete(goal, claim, coordinator)
    }
    try spool.ack(claim.bot, claim.name)
  }

  private func goalRecord(_ claim: Claim, _ text: String, _ analysis: Analysis, _ workflow: Workflow) -> TaskRecord {
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
    return line.count > 100 ? line.prefix(99) + "…" : line
  }

  /// Adds the children of a goal that aren't there yet.
  private func complete(_ record: TaskRecord, _ claim: Claim, _ coordinator: Coordinator) throws {
    guard let goal = Goal(record), let plan = goal.plan, let parent = record.id else { return }
    let workflow: Workflow
    do { workflow = try Workflow(parsing: Array(plan.description.utf8)) } catch {
      throw SpoolError(.badData, "the plan of \(parent) can't be read: \(error)")
    }
    let ids = workflow.steps.map { Goal.id(ofStep: $0.name, for: goal.request) }
    let present = claim.attempt > 1 ? try spool.findTasks(Set(ids)) : [:]
    var known = present.mapValues(\.state)
    known[parent] = .blocked
    let origin = Workflow.Origin(
      createdBy: Coordinator.bot.description, createdAt: record.createdAt, conversation: record.conversation,
      priority: record.priority)
    for child in workflow.records(ids: ids, parent: parent, origin: origin) where known[child.id!] == nil {
      let entry = try spool.addTask(child, by: Coordinator.bot.description, knowing: known)
      known[entry.id] = entry.state
      try coordinator.noteMove(entry)
    }
    coordinator.report(
      .request(id: goal.request.description, approach: goal.approach, tasks: workflow.steps.count))
  }

  // MARK: Answers

  private func direct(_ coordinator: Coordinator) -> String {
    let members = coordinator.roster.members.values.filter { $0.takesTasks && $0.card.name != Coordinator.bot }
    let names = members.map { member in
      member.card.domain.map { "\(member.card.name) (\($0))" } ?? "\(member.card.name)"
    }
    return "Hello. I pass requests on to bots and put their results together. "
      + (names.isEmpty
        ? "No bot takes tasks at the moment: start one with spool work BOT --tasks -- PROGRAM."
        : "Here now: \(names.sorted().joined(separator: ", ")).")
  }

  /// To whoever asked; to nobody when that is no bot.
  func answer(_ request: Message, _ content: Message, type: MessageType, key: String) throws {
    guard let from = request.from, let name = try? BotName(parsing: from), try spool.exists(name) else { return }
    var reply = try spool.reply(to: request, from: Coordinator.bot.description, content)
    reply.type = type
    reply.idempotencyKey = key
    try spool.send(reply)
  }

  private func answerStatus(_ claim: Claim) throws {
    let status = try StatusReport(of: spool)
    var writer = JSONWriter()
    writer.beginObject()
    status.write(to: &writer)
    writer.endObject()
    var content = Message(content: status.summary)
    content.data = writer.text
    try answer(claim.message, content, type: .status, key: "status \(claim.name.id)")
    try spool.ack(claim.bot, claim.name)
  }

  /// Says to all what somebody asked the coordinator to say to all.
  private func passOn(_ claim: Claim) throws {
    var message = claim.message
    message.to = ["team"]
    message.context = claim.message.context
    message.conversation = claim.message.conversationKey
    message.from = claim.message.from ?? Coordinator.bot.description
    message.idempotencyKey = "broadcast \(claim.name.id)"
    do { try spool.send(message) } catch let error as SpoolError where error.code == .notFound {}
    try spool.ack(claim.bot, claim.name)
  }

  // MARK: Goals

  /// A goal whose children have ended is the coordinator's to finish.
  func finish(_ entry: TaskEntry, _ coordinator: Coordinator) throws {
    guard let record = try spool.record(of: entry), let goal = Goal(record) else { return }
    if goal.approach == Analysis.Approach.teamDiscussion.rawValue {
      return try discussions.take(entry, record, goal, coordinator)
    }
    guard let started = try spool.start(entry, bot: Coordinator.bot, worker: spool.holder) else { return }
    try coordinator.noteMove(started)
    let summary = Summary(request: goal.text, parts: try spool.children(of: record).map(Self.part))
    var writer = JSONWriter()
    summary.write(to: &writer)
    var content = Message(content: summary.text)
    content.data = writer.text
    try answer(goal, record, content, isComplete: summary.isComplete)
    let result = writer.text
    let ended =
      summary.isComplete
      ? try spool.complete(started, result: result, by: Coordinator.bot.description)
      : try spool.change(started, .fail, by: Coordinator.bot.description, reason: summary.problem) { record in
        record.error = summary.problem
        record.result = result
      }
    if let ended { try coordinator.noteMove(ended) }
    coordinator.report(.answered(id: goal.request.description))
  }

  private static func part(_ task: StoredTask) -> Summary.Part {
    Summary.Part(
      step: task.record.step ?? task.record.title, title: task.record.title, bot: task.entry.bot?.description,
      state: task.state, result: task.state == .completed ? task.record.result : nil,
      problem: task.state == .blocked ? task.record.blockedReason : task.record.error,
      confidence: task.record.confidence)
  }

  func answer(_ goal: Goal, _ record: TaskRecord, _ content: Message, isComplete: Bool) throws {
    var request = Message(content: goal.text)
    request.id = goal.request
    request.from = goal.from
    request.conversation = record.conversation
    try answer(request, content, type: isComplete ? .response : .error, key: "answer \(goal.request)")
  }
}
