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

  let spool: Spool
  private let options: CoordinatorOptions
  private let inbox: Inbox
  let discussions: Discussions
  private var intakes: [Intake] = []
  /// After a failure, not to spin.
  private var claimsAgainAt = 0

  /// Programs at work side by side.
  private static let intakesMax = 8
  private var hasRoom: Bool { intakes.count < Self.intakesMax }

  init(_ spool: Spool, _ options: CoordinatorOptions) throws {
    self.spool = spool
    self.options = options
    inbox = try Inbox(spool, Coordinator.bot)
    try inbox.watch()
    discussions = Discussions(spool, options)
  }

  /// Nothing is in hand, and nothing waits.
  var isIdle: Bool {
    guard intakes.isEmpty, discussions.isIdle, let count = try? spool.count(Coordinator.bot) else { return false }
    return count.waiting + count.claimed == 0
  }

  // MARK: The event loop

  func watch(_ poll: inout PollSet) {
    // While nothing is claimed, what comes is no reason to wake.
    if hasRoom, Clock.sinceBoot() >= claimsAgainAt, let descriptor = inbox.watchedDescriptor {
      _ = poll.add(descriptor)
    }
    for intake in intakes { intake.program?.watch(&poll) }
    discussions.watch(&poll)
  }

  func respond(to poll: PollSet) {
    for intake in intakes { intake.program?.respond(to: poll) }
    discussions.respond(to: poll)
  }

  var nextDue: Int {
    var next = discussions.nextDue
    if hasRoom { next = min(next, max(inbox.nextWake(), claimsAgainAt)) }
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
      for _ in 0..<64 where hasRoom {
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
      // An answer is never answered, or it would go on for ever.
      case .status where claim.message.inReplyTo == nil && claim.message.from != Coordinator.bot.description:
        try answerStatus(claim)
      case .broadcast where claim.message.to == [Coordinator.bot.description]: try passOn(claim)
      // Answers to a question of ours are read from the log, where they stay.
      default: try settle(claim)
      }
    } catch let error as SpoolError where Self.isHopeless(error) {
      fail(claim, error, coordinator)
    } catch let error as SpoolError where error.code == .claimLost {
    } catch {
      coordinator.tell(of: error)
      try putBack(claim, error)
    }
  }

  /// What can't be done at the moment is tried again, the more seldom the more often it was; the others go on.
  private func putBack(_ claim: Claim, _ error: any Error) throws {
    try spool.nack(claim.bot, claim.name, delay: Double(min(claim.attempt, 60)), reason: "\(error)")
  }

  private func settle(_ claim: Claim) throws {
    try spool.ack(claim.bot, claim.name)
    discussions.lookAgain()
  }

  // MARK: Requests

  private func begin(_ claim: Claim, _ coordinator: Coordinator) throws {
    // An earlier coordinator may have got as far as the goal.
    if let goal = try spool.task(Goal.id(for: claim.name.id)) {
      if !goal.state.isFinal { try complete(goal.record, coordinator) }
      return try spool.ack(claim.bot, claim.name)
    }
    let text = claim.message.content ?? ""
    var intake = Intake(claim: claim, stage: .analysing, renewAt: renewal)
    if options.analyzer.isEmpty {
      intake.analysis = RequestAnalysis.analyse(text, currentVocabulary(coordinator))
      try plan(&intake, coordinator)
    } else {
      intake.program = try run("the analyzer", options.analyzer, Array(text.utf8), claim)
    }
    if intake.program != nil { intakes.append(intake) }
  }

  private var renewal: Int { Clock.sinceBoot() + Int(inbox.lease / 4 * 1e9) }

  private func run(_ name: String, _ arguments: [String], _ input: [UInt8], _ claim: Claim) throws -> ProgramRun {
    do {
      return try ProgramRun(
        name, arguments,
        environment: [
          "SPOOL_DIR": spool.path, "SPOOL_BOT": Coordinator.bot.description, "SPOOL_ID": claim.name.id.description,
        ], input: input, timeout: options.programSeconds)
    } catch { throw SpoolError(.notFound, "cannot run \(name): \(error.reason.lowercased())", cause: error) }
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
    intake.stage = .planning
    intake.program = nil
    let hasTasks = analysis.approach != .teamDiscussion && analysis.approach != .directResponse
    let learnings = hasTasks ? learnings(for: analysis, coordinator) : []
    if hasTasks, !options.planner.isEmpty {
      intake.program = try run(
        "the planner", options.planner, Self.planningInput(text, analysis, learnings, coordinator), intake.claim)
      return
    }
    try delegate(
      intake, Decomposition.plan(text, analysis, currentVocabulary(coordinator), learnings: learnings), coordinator)
  }

  /// What tasks of the same fields taught, newest first.
  private func learnings(for analysis: Analysis, _ coordinator: Coordinator) -> [String] {
    let domains = analysis.domains.isEmpty ? [Learnings.general] : analysis.domains
    do { return try Learnings(spool).search([], domains: domains, limit: 20).map(\.text) } catch {
      coordinator.tell(of: error)
      return []
    }
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
          throw SpoolError(.badData, "the analyzer printed no analysis: \(error)")
        }
        try plan(&intake, coordinator)
      case .planning:
        let workflow: Workflow
        do { workflow = try Workflow(parsing: output) } catch {
          throw SpoolError(.badData, "the planner printed no workflow: \(error)")
        }
        try delegate(intake, workflow, coordinator)
      }
    } catch let error as SpoolError where Self.isHopeless(error) {
      fail(intake.claim, error, coordinator)
    } catch {
      coordinator.tell(of: error)
      coordinator.attempt { try putBack(intake.claim, error) }
    }
  }

  private static func isHopeless(_ error: SpoolError) -> Bool { error.code == .badData || error.code == .noSuchBot }

  /// Nothing can come of it: whoever asked is told, first of all.
  private func fail(_ claim: Claim, _ error: SpoolError, _ coordinator: Coordinator) {
    let why = error.message + (error.hint.map { " (\($0))" } ?? "")
    coordinator.report(.problem("request \(claim.name.id): \(why)"))
    do {
      try answer(claim.message, Message(content: why), type: .error, key: "error \(claim.name.id)")
      try spool.bury(claim.bot, claim.name, reason: error.message)
    } catch let error as SpoolError where error.code == .claimLost {
    } catch {
      coordinator.tell(of: error)
      coordinator.attempt { try putBack(claim, error) }
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
      // Each step bears the request.
      let size = workflow.encoded.count
      guard size <= Workflow.bytesMax else {
        throw SpoolError(
          .badData,
          "the request has \(text.utf8.count) bytes, and its plan would have \(size) of at most \(Workflow.bytesMax)",
          hint: "put what is long into a file, and its name into the request")
      }
      let goal = goalRecord(claim, text, analysis, workflow)
      // All that can be wrong is found before there is anything.
      try spool.requireBots(of: workflow)
      try Spool.requireRoom(for: [goal] + steps(of: goal))
      if let entry = try spool.addOnce(goal, by: Coordinator.bot.description) { try coordinator.noteMove(entry) }
      try complete(goal, coordinator)
    }
    try spool.ack(claim.bot, claim.name)
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
    // Whoever doesn't read its answers keeps nobody else's waiting.
    try spool.send(reply, evenIfFull: true)
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
    message.conversation = claim.message.conversationKey
    message.from = claim.message.from ?? Coordinator.bot.description
    message.idempotencyKey = "broadcast \(claim.name.id)"
    do { try spool.send(message) } catch let error as SpoolError where error.code == .notFound {}
    try spool.ack(claim.bot, claim.name)
  }
}
