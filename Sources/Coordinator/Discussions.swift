import AgentRuntime
import CoordinatorPolicy
import Linux
import Spool
import SpoolFormat

/// Questions to the team: who is there is asked, answers are gathered until all have come or the time is over, and put
/// together. Bots that answer messages get the question as one of type `discussion`; those that only do tasks get a task.
/// What was answered is read from the log and the tasks, so that whoever coordinates next goes on with it.
final class Discussions {
  private struct Discussion {
    let goal: Goal
    let record: TaskRecord
    var entry: TaskEntry
    /// Nanoseconds since boot.
    let deadline: Int
    var renewAt: Int
    var looksAt = 0
    /// What the synthesizer is at work on.
    var program: ProgramRun?
    var consensus: Consensus?
  }

  private let spool: Spool
  private let options: CoordinatorOptions
  private var discussions: [MessageID: Discussion] = [:]

  private static let lookNanoseconds = 1_000_000_000

  init(_ spool: Spool, _ options: CoordinatorOptions) {
    self.spool = spool
    self.options = options
  }

  var isIdle: Bool { discussions.isEmpty }

  /// An answer may have come.
  func lookAgain() { for id in discussions.keys { discussions[id]!.looksAt = 0 } }

  // MARK: Asking

  /// Puts a question to all that are there, and makes the goal that its answer is gathered under.
  func begin(_ claim: Claim, _ text: String, _ coordinator: Coordinator) throws {
    let id = claim.name.id
    // Who is there now, not who was half a second ago.
    coordinator.roster.refreshSoon()
    try coordinator.refreshRoster()
    let members = coordinator.roster.members.filter {
      $0.key != Coordinator.bot && $0.key.description != claim.message.from
    }
    let here = members.filter { $0.value.takesMessages || $0.value.takesTasks }
    guard !here.isEmpty else {
      throw SpoolError(
        .badData, "nobody is there to discuss it", hint: "start bots with spool work BOT -- PROGRAM")
    }
    let byMessage = here.filter(\.value.takesMessages).keys.sorted()
    let byTask = here.keys.filter { !byMessage.contains($0) }.sorted()
    let deadline = Timestamp(microseconds: Clock.wall()).advanced(bySeconds: options.discussionSeconds)
    var goal = TaskRecord(title: Requests.title(text))
    goal.id = Goal.id(for: id)
    goal.assignTo = Coordinator.bot
    goal.attemptsMax = 1000
    goal.dueAt = deadline
    goal.createdBy = claim.message.from
    goal.conversation = claim.message.conversationKey ?? id.description
    goal.children = byTask.map { Goal.id(ofStep: $0.description, for: id) }
    let question = try ask(byMessage, text, deadline, goal, id)
    goal.extra = [
      Goal(
        request: id, from: claim.message.from, text: text, approach: Analysis.Approach.teamDiscussion.rawValue,
        asked: (byMessage + byTask).map(\.description), question: question
      ).field
    ]
    for bot in byTask { if let entry = try addQuestion(to: bot, text, goal, id) { try coordinator.noteMove(entry) } }
    if let entry = try spool.addOnce(goal, by: Coordinator.bot.description) { try coordinator.noteMove(entry) }
    coordinator.report(
      .request(
        id: id.description, approach: Analysis.Approach.teamDiscussion.rawValue, tasks: byMessage.count + byTask.count))
  }

  private static let how =
    "Answer with your position first (such as yes, no, or what you are for), then why; or with a \"position\" field in data."

  /// - Returns: the question's id, which is the same when it was put before.
  private func ask(
    _ bots: [BotName], _ text: String, _ deadline: Timestamp, _ goal: TaskRecord, _ request: MessageID
  ) throws -> MessageID? {
    guard !bots.isEmpty else { return nil }
    var message = Message(content: text)
    message.from = Coordinator.bot.description
    message.to = bots.map(\.description)
    message.type = .discussion
    message.conversation = goal.conversation
    message.idempotencyKey = "question \(request)"
    var writer = JSONWriter()
    writer.beginObject()
    writer.member("how", Self.how)
    writer.member("deadline", moment: deadline)
    writer.endObject()
    message.context = writer.text
    do { return try spool.send(message) } catch let error as SpoolError where error.code == .tryAgain {
      // Who is full can't be asked, and counts as silent.
      let free = try bots.filter { try !spool.backlog(of: $0).isFull }
      guard !free.isEmpty, free.count < bots.count else { throw error }
      message.to = free.map(\.description)
      return try spool.send(message)
    }
  }

  private func addQuestion(to bot: BotName, _ text: String, _ goal: TaskRecord, _ request: MessageID) throws
    -> TaskEntry?
  {
    var record = TaskRecord(title: Requests.title(text))
    record.id = Goal.id(ofStep: bot.description, for: request)
    record.description = "\(text)\n\n\(Self.how)"
    record.assignTo = bot
    record.parent = goal.id
    record.conversation = goal.conversation
    record.step = bot.description
    record.attemptsMax = 1
    record.timeoutSeconds = options.discussionSeconds
    record.createdBy = Coordinator.bot.description
    return try spool.addOnce(record)
  }

  // MARK: Gathering

  /// Takes up a discussion that was begun, by this coordinator or an earlier one.
  func take(_ entry: TaskEntry, _ record: TaskRecord, _ goal: Goal, _ coordinator: Coordinator) throws {
    guard let started = try spool.start(entry, bot: Coordinator.bot, worker: spool.holder) else { return }
    try coordinator.noteMove(started)
    let left = record.dueAt.map { $0.seconds(since: Timestamp(microseconds: Clock.wall())) } ?? 0
    let now = Clock.sinceBoot()
    // Whatever the wall clock says: no longer than a discussion may be.
    discussions[entry.id] = Discussion(
      goal: goal, record: record, entry: started,
      deadline: now + Int(min(max(left, 0), options.discussionSeconds) * 1e9), renewAt: now + renewNanoseconds)
  }

  private var renewNanoseconds: Int { Int(spool.settings.leaseSeconds / 4 * 1e9) }

  func watch(_ poll: inout PollSet) { for discussion in discussions.values { discussion.program?.watch(&poll) } }
  func respond(to poll: PollSet) { for discussion in discussions.values { discussion.program?.respond(to: poll) } }

  var nextDue: Int {
    discussions.values.map { discussion in
      min(discussion.renewAt, discussion.program?.nextDeadline ?? discussion.looksAt)
    }.min() ?? .max
  }

  func turn(_ coordinator: Coordinator) {
    for id in discussions.keys.sorted() { coordinator.attempt { try advance(id, coordinator) } }
  }

  private func advance(_ id: MessageID, _ coordinator: Coordinator) throws {
    guard var discussion = discussions[id] else { return }
    defer { if discussions[id] != nil { discussions[id] = discussion } }
    let now = Clock.sinceBoot()
    if now >= discussion.renewAt {
      discussion.renewAt = now + renewNanoseconds
      // Somebody cancelled it.
      guard try spool.renew(discussion.entry) else { return discussions[id] = nil }
    }
    if let program = discussion.program {
      guard let outcome = program.outcome else { return }
      discussion.program = nil
      return try finish(discussion, outcome, coordinator)
    }
    guard now >= discussion.looksAt else { return }
    // After the deadline it is looked at again only when something went wrong.
    discussion.looksAt = now + Self.lookNanoseconds
    if now < discussion.deadline { discussion.looksAt = min(discussion.looksAt, discussion.deadline) }
    guard try isWanted(discussion) else { return }
    let answers = try answers(discussion)
    let silent = discussion.goal.asked.filter { bot in !answers.contains { $0.bot == bot } }
    guard silent.isEmpty || now >= discussion.deadline else { return }
    let consensus = Consensus(question: discussion.goal.text, answers: answers, silent: silent)
    discussion.consensus = consensus
    guard !options.synthesizer.isEmpty else { return try finish(discussion, nil, coordinator) }
    do {
      var writer = JSONWriter()
      consensus.write(to: &writer)
      discussion.program = try ProgramRun(
        "the synthesizer", options.synthesizer,
        environment: ["SPOOL_DIR": spool.path, "SPOOL_BOT": Coordinator.bot.description],
        input: writer.bytes + [10], timeout: options.programSeconds)
    } catch {
      coordinator.report(.problem("cannot run the synthesizer: \(error.reason)"))
      try finish(discussion, nil, coordinator)
    }
  }

  /// Whether its goal is where it was; one that somebody cancelled is let go.
  private func isWanted(_ discussion: Discussion) throws -> Bool {
    let stands = try spool.stands(discussion.entry)
    if !stands { discussions[discussion.entry.id] = nil }
    return stands
  }

  /// The first answer of each that was asked: a reply to the question or, where a bot didn't say what it replies to, what
  /// it said after that.
  private func answers(_ discussion: Discussion) throws -> [Consensus.Answer] {
    var answers: [Consensus.Answer] = []
    func add(_ bot: String, _ text: String, _ data: JSONText?) {
      guard discussion.goal.asked.contains(bot), !answers.contains(where: { $0.bot == bot }) else { return }
      answers.append(Consensus.Answer(bot: bot, text: text, data: data))
    }
    let conversation = discussion.record.conversation ?? discussion.goal.request.description
    let question = discussion.goal.question ?? discussion.goal.request
    for event in try History(spool).thread(conversation, since: question) {
      guard let message = event.message, let from = message.from, message.to.contains(Coordinator.bot.description),
        message.inReplyTo.map({ $0 == question.description }) ?? (event.time > question.time),
        spool.isFromItsBot(event)
      else {
        continue
      }
      add(from, message.content ?? "", message.data)
    }
    // One whose file can't be read is silent.
    for child in try spool.children(of: discussion.record, unreadable: { _, _ in }) where child.state == .completed {
      let result = child.record.result?.value
      add(child.record.step ?? "", result?.string ?? child.record.result?.description ?? "", child.record.result)
    }
    return answers
  }

  private func finish(_ discussion: Discussion, _ synthesis: ProgramRun.Outcome?, _ coordinator: Coordinator) throws {
    guard let consensus = discussion.consensus, try isWanted(discussion) else { return }
    discussions[discussion.entry.id] = nil
    var text = consensus.text
    switch synthesis {
    case .done(let output): text = String(decoding: output, as: UTF8.self)
    case .failed(let why): coordinator.report(.problem(why))
    case nil: break
    }
    var writer = JSONWriter()
    consensus.write(to: &writer)
    let ended = try Requests.shortening(discussion.entry, text, writer.text) { text, result in
      var content = Message(content: text)
      content.data = result
      try coordinator.requests.answer(discussion.goal, discussion.record, content, isComplete: true)
      // Those who never answered needn't any more.
      for child in try spool.children(of: discussion.record, unreadable: { _, _ in }) where !child.state.isFinal {
        if let entry = try spool.cancel(child.entry, reason: "the discussion is over", by: Coordinator.bot.description)
        {
          try coordinator.noteMove(entry)
        }
      }
      return try spool.complete(discussion.entry, result: result, by: Coordinator.bot.description)
    }
    if let ended { try coordinator.noteMove(ended) }
    coordinator.report(.answered(id: discussion.goal.request.description))
  }
}
