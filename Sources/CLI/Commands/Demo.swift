import Glibc
import Linux
import Spool
import SpoolFormat

extension Verb {
  static let demo = Verb(
    name: "demo", summary: "watch three bots make a password, handing work on through a new spool", usage: "[REQUEST]",
    options: [
      .value("--wait", "DURATION", "how long at most (30s)"),
      .value("--role", "BOT", "be one of the bots, on the spool given (the demo starts these itself)"),
    ],
    example: "spool demo \"a memorable passphrase of 5 words for banking\"",
    exits:
      "0 made (prints it), 1 given up, 65 a request that contradicts itself, 73 a spool is there already, or can't be made"
  ) { invocation in
    try invocation.expect(atMost: 1)
    if let name = invocation.value("--role") {
      guard let role = DemoRole(rawValue: name) else { throw UsageError("--role is planner, implementer or tester") }
      try role.run(try invocation.spool())
      return .done
    }
    let request = invocation.operands.first ?? "Generate a 24-character password for server admin"
    let path = try invocation.value("--spool") ?? scratchDirectory()
    return try Demo(path, request, waiting: try invocation.duration("--wait") ?? 30, invocation).run()
  }

  private static func scratchDirectory() throws -> String {
    let template = (Invocation.environment("TMPDIR") ?? "/tmp") + "/nanospool-demo-XXXXXX"
    var path = Array(template.utf8CString)
    guard mkdtemp(&path) != nil else {
      throw SpoolError(.cannotCreate, "cannot make \(template): \(String(cString: strerror(errno)))")
    }
    return String(decoding: path.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}

/// One run of the demo: a spool, three processes, a request, and what came of it.
struct Demo {
  private let path: String
  private let request: String
  private let seconds: Double
  private let invocation: Invocation
  private let spool: Spool

  init(_ path: String, _ request: String, waiting seconds: Double, _ invocation: Invocation) throws {
    self.path = path
    self.request = request
    self.seconds = seconds
    self.invocation = invocation
    // Its bots would take the places, and the messages, of those that are there.
    guard try Spool.create(at: path) else {
      throw SpoolError(
        .cannotCreate, "\(path.escapedForTerminal()) is a spool already, and the demo needs one of its own",
        hint: "spool demo, or spool demo --spool DIR with a DIR that isn't there yet")
    }
    spool = try Spool(at: path)
  }

  func run() throws -> Exit {
    for role in DemoRole.allCases {
      var card = Card(name: try BotName(parsing: role.rawValue))
      card.skills = [role.skill]
      try spool.register(card)
    }
    try spool.register(Card(name: BotName(parsing: DemoRole.asker)))
    var bots: [DemoBot] = []
    defer { for bot in bots { bot.stop() } }
    for role in DemoRole.allCases { bots.append(try DemoBot(role, path)) }

    var message = Message(content: request)
    message.from = DemoRole.asker
    message.to = [DemoRole.planner.rawValue]
    message.type = .request
    let began = TimeText.now()
    let id = try spool.send(message)
    guard let answer = try waitForAnswer(bots) else {
      throw SpoolError(
        .tryAgain, "no result after \(TimeText.short(microseconds: Int(seconds * 1e6)))",
        hint: "see how far it got: spool thread \(id) --spool \(path.quotedForShell)")
    }
    let shared = try answer.context.map { try SharedContext($0) }
    if invocation.isJSON { writeJSON(answer, shared, id) } else { show(answer, shared, id, began) }
    guard answer.type == .error else { return .done }
    return shared?.tests.isEmpty == false ? .nothing : .badData
  }

  /// Waits for the tester's result; meanwhile the progress line says who has it, on a terminal only.
  private func waitForAnswer(_ bots: [DemoBot]) throws -> Message? {
    let inbox = try Inbox(spool, BotName(parsing: DemoRole.asker))
    let deadline = Clock.sinceBoot() + Int(seconds * 1e9)
    let progress = ProgressLine()
    defer { progress.clear() }
    var frame = 0
    while Clock.sinceBoot() < deadline {
      if let claim = try inbox.receive(waiting: 0.1) {
        try spool.ack(claim.bot, claim.name)
        return claim.message
      }
      for bot in bots { try bot.check() }
      guard progress.isShown else { continue }
      let holders = try DemoRole.allCases.filter { role in
        let counts = try spool.count(BotName(parsing: role.rawValue))
        return counts.waiting + counts.claimed > 0
      }
      frame += 1
      let dots = String(repeating: ".", count: frame % 4)
      progress.show("\(holders.first?.rawValue ?? "the bots") at work\(dots)")
    }
    return nil
  }

  private func show(_ answer: Message, _ shared: SharedContext?, _ id: MessageID, _ began: Timestamp) {
    let output = invocation.output
    output.line("\(output.styled("Request", .bold))   \(Output.excerpt(request, 200))")
    if let shared, !shared.history.isEmpty {
      output.line("")
      let rows = shared.history.map { step in
        let after = TimeText.short(microseconds: max(0, step.at.microseconds - began.microseconds))
        return [step.phase, step.bot, after, Output.excerpt(step.did, 160)]
      }
      output.table(["PHASE", "BOT", "AFTER", "DID"], rows)
      let handoffs = [DemoRole.asker] + shared.history.map(\.bot) + [DemoRole.asker]
      output.line("")
      output.line("\(output.styled("Handoffs", .bold))  \(handoffs.joined(separator: " → "))")
    }
    output.line("")
    if answer.type == .error {
      output.line("\(output.styled("Given up", .red))  \(Output.excerpt(answer.content ?? "", 300))")
    } else {
      output.line(
        "\(output.styled("Result", .bold))    \(output.styled(answer.content?.escapedForTerminal() ?? "", .green))")
      for finding in shared?.tests.last?.findings ?? [] { output.line("          \(finding.escapedForTerminal())") }
      output.line("          score \(shared?.tests.last?.score ?? 0) of 5: \(TestReport.scoreRule)")
    }
    output.line("")
    let warning = shared?.candidate == nil ? "" : " (the password is in there)"
    // As it was called: after a build it is on nobody's PATH.
    let program = CommandLine.arguments[0]
    output.line("\(output.styled("Look at what it left", .bold))\(warning):")
    output.line("  export SPOOL_DIR=\(path.quotedForShell)")
    let request = MessageView.short(id.description)
    let hints = [
      ("\(program) thread \(request)", "the talk between the bots"),
      ("\(program) trace \(request)", "what happened to the request"),
      ("\(program) stats", "who sent and received what"),
      ("ls -R \"$SPOOL_DIR\"", "all of it is files"),
      ("rm -r \"$SPOOL_DIR\"", "when you have seen enough"),
    ]
    let width = hints.map(\.0.count).max() ?? 0
    for (command, what) in hints {
      output.line("  \(command)\(String(repeating: " ", count: width - command.count))  # \(what)")
    }
  }

  private func writeJSON(_ answer: Message, _ shared: SharedContext?, _ id: MessageID) {
    invocation.output.object { writer in
      writer.member("spool", path)
      writer.member("id", id.description)
      writer.key("passed")
      writer.bool(answer.type != .error)
      writer.member(answer.type == .error ? "error" : "result", answer.content ?? "")
      if let shared { writer.member("context", shared.text) }
    }
  }
}

/// A process that plays one of the roles. It dies with the demo.
private final class DemoBot {
  private let role: DemoRole
  private let process: ChildProcess

  init(_ role: DemoRole, _ path: String) throws {
    self.role = role
    do {
      let nothing = try Descriptor.open("/dev/null", O_RDWR)
      process = try ChildProcess(
        ["/proc/self/exe", "demo", "--role", role.rawValue, "--spool", path], input: nothing.raw, output: nothing.raw,
        error: 2)
    } catch { throw SpoolError("cannot start the \(role)", error) }
  }

  /// - Throws: when the process has ended: nobody would ever answer.
  func check() throws {
    guard let ending = try? process.reap() else { return }
    throw SpoolError(.inputOutput, "the \(role) ended early: \(ending)")
  }

  func stop() {
    process.signalGroup(SIGTERM)
    _ = try? process.reap(waiting: true)
  }
}
