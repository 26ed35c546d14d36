import Linux
import Spool
import SpoolFormat

/// The three bots of the demo. Each is a process of its own, and knows the others only by their names in the spool.
enum DemoRole: String, CaseIterable {
  case planner, implementer, tester

  /// Who is asked, and who gets the result.
  static let asker = "you"

  /// What a bot makes of what it was handed: what it says, to whom, and what it hands on.
  struct Handoff {
    var to: String
    var type = MessageType.handoff
    var says: String
    var context: SharedContext
  }

  var skill: Card.Skill {
    switch self {
    case .planner: Card.Skill(name: "planning", level: .expert)
    case .implementer: Card.Skill(name: "passwords", level: .expert)
    case .tester: Card.Skill(name: "testing", level: .expert)
    }
  }

  /// Works off the bot's inbox until the process is ended.
  func run(_ spool: Spool) throws {
    let inbox = try Inbox(spool, BotName(parsing: rawValue))
    while let claim = try inbox.receive(waiting: nil) {
      let handoff: Handoff
      do { handoff = try answer(to: claim.message) } catch {
        // A request that can't be understood is the asker's to put right.
        let context = SharedContext(request: claim.message.content ?? "")
        handoff = Handoff(to: Self.asker, type: .error, says: "\(error)", context: context)
      }
      var message = Message(content: handoff.says)
      message.from = rawValue
      message.to = [handoff.to]
      message.type = handoff.type
      message.context = handoff.context.text
      message.conversation = claim.message.conversationKey
      message.inReplyTo = claim.message.id?.description
      // Should this process die before the ack, whoever repeats the work doesn't hand it on twice.
      message.idempotencyKey = "\(rawValue) \(claim.name.id)"
      try spool.send(message)
      try spool.ack(claim.bot, claim.name)
    }
  }

  func answer(to message: Message) throws -> Handoff {
    let context = try message.context.map { text throws(FormatError) in try SharedContext(text) }
    var shared = context ?? SharedContext(request: message.content ?? "")
    switch self {
    case .planner: return try plan(&shared)
    case .implementer: return try implement(&shared)
    case .tester: return try test(&shared)
    }
  }

  private func plan(_ shared: inout SharedContext) throws -> Handoff {
    let plan = try PasswordPlan(reading: shared.request)
    shared.plan = plan.fields.map { (name: $0.0, value: $0.1) }
    let classes = plan.classes.map(\.rawValue).joined(separator: ", ")
    let what = plan.kind == .passphrase ? "" : " from \(classes)"
    note(
      "plan", "\(plan.kind.rawValue) of \(plan.length) \(plan.unit)\(what), at least \(plan.minimumBits) bits", &shared)
    return Handoff(to: Self.implementer.rawValue, says: plan.notes.joined(separator: "\n"), context: shared)
  }

  private func implement(_ shared: inout SharedContext) throws -> Handoff {
    let plan = try PasswordPlan(fields: shared.plan.map { ($0.name, $0.value) })
    var maker = PasswordMaker(plan: plan) { try Random.bytes($0) }
    shared.candidate = try maker.candidate(avoiding: shared.complaints)
    let heeded = shared.complaints.isEmpty ? "" : ", heeding \(shared.complaints.count) complaints"
    let did = "candidate \(shared.tests.count + 1) from the kernel's randomness\(heeded)"
    note("implement", did, &shared)
    return Handoff(to: Self.tester.rawValue, says: did, context: shared)
  }

  private func test(_ shared: inout SharedContext) throws -> Handoff {
    guard let candidate = shared.candidate else { throw FormatError("nothing to test was handed on") }
    let plan = try PasswordPlan(fields: shared.plan.map { ($0.name, $0.value) })
    let report = PasswordTester(plan: plan).report(on: candidate)
    shared.tests.append(
      SharedContext.Test(
        verdict: report.verdict, score: report.score, findings: report.findings.map(\.text),
        complaints: report.complaints))
    let wrong = report.complaints.map(\.text).joined(separator: "; ")
    note("test", "\(report.verdict), \(report.score) of 5\(wrong.isEmpty ? "" : ": \(wrong)")", &shared)
    if report.passed { return Handoff(to: Self.asker, type: .response, says: candidate, context: shared) }
    let failed = shared.tests.count { $0.verdict == report.verdict }
    guard failed > SharedContext.returnsMax else {
      return Handoff(to: Self.implementer.rawValue, says: "FAIL: \(wrong)", context: shared)
    }
    let says = "given up: \(failed) candidates failed the test; the last: \(wrong)"
    return Handoff(to: Self.asker, type: .error, says: says, context: shared)
  }

  private func note(_ phase: String, _ did: String, _ shared: inout SharedContext) {
    shared.history.append(SharedContext.Step(bot: rawValue, phase: phase, did: did, at: TimeText.now()))
  }
}
