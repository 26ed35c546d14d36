import Coordinator
import Glibc
import Linux
import Spool
import SpoolFormat

extension Verb {
  static let coordinate = Verb(
    name: "coordinate", summary: "plan, delegate, watch, retry and answer: the bot named coordinator", usage: "",
    options: [
      .value("--analyzer", "PROGRAM", "analyses requests: text in, the JSON of spool analyze out"),
      .value("--planner", "PROGRAM", "plans: request and analysis as JSON in, a workflow out"),
      .value("--synthesizer", "PROGRAM", "puts the answers of a discussion together: JSON in, text out"),
      .value("--discussion", "DURATION", "how long a discussion is open (30s)"),
      .value("--program-timeout", "DURATION", "how long each of these programs may take (2m)"),
      .value("--announcements", "N", "groups that it forms and looks after at once (1000); more wait"),
      .value("--ageing", "DURATION", "after which a waiting announcement is taken all the same (10s)"),
      .value("--group-timeout", "DURATION", "how long members are looked for (1m)"),
      .value("--reply-timeout", "DURATION", "how long a bot has to answer (2s)"),
      .value("--maintenance", "DURATION", "between two looks at all groups in hand (1s)"),
      .value("--tasks-per-bot", "N", "parts of groups that one bot may have at once (as many as its card says)"),
      .value("--fairness", "F", "0 chooses the fastest, 1 who has done least (0.3)"),
      .flag("--until-idle", "end when no task lives and no request waits"),
    ],
    example: "spool coordinate\nspool coordinate --planner ./plan.sh",
    exits: "0 stopped, or replaced by another, 69 no spool",
    notes: """
      Give tasks to bots that run with spool work BOT --tasks, and ask it with spool ask. A second one stands by, and takes
      over when the first dies. Programs are given to sh -c. The words that requests are analysed by may be changed in
      coordinator/vocabulary.json: spool analyze --vocabulary prints those that are built in.
      """
  ) { invocation in
    try invocation.expect(atMost: 0)
    var options = CoordinatorOptions()
    func program(_ name: String) -> [String] { invocation.value(name).map { ["/bin/sh", "-c", $0] } ?? [] }
    options.analyzer = program("--analyzer")
    options.planner = program("--planner")
    options.synthesizer = program("--synthesizer")
    options.discussionSeconds = try invocation.duration("--discussion") ?? options.discussionSeconds
    options.programSeconds = try invocation.duration("--program-timeout") ?? options.programSeconds
    options.stopsWhenIdle = invocation.has("--until-idle")
    options.catchesSignals = true
    options.hub = try hub(invocation)
    let spool = try invocation.spool()
    let log = CoordinatorLog(invocation)
    let coordinator = try Coordinator(spool, options) { log.show($0) }
    do { try coordinator.run() } catch {
      _ = log.finish()
      throw error
    }
    return log.finish()
  }

  private static func hub(_ invocation: Invocation) throws -> HubOptions {
    var options = HubOptions()
    options.announcementsMax = try invocation.number("--announcements", in: 1...1_000_000) ?? options.announcementsMax
    options.ageingSeconds = try invocation.duration("--ageing") ?? options.ageingSeconds
    options.groupSeconds = try invocation.duration("--group-timeout") ?? options.groupSeconds
    options.replySeconds = try invocation.duration("--reply-timeout") ?? options.replySeconds
    options.maintenanceSeconds = max(0.05, try invocation.duration("--maintenance") ?? options.maintenanceSeconds)
    options.tasksPerBot = try invocation.number("--tasks-per-bot", in: 1...1000)
    if let text = invocation.value("--fairness") {
      guard let fairness = Double(text), 0...1 ~= fairness else {
        throw UsageError("--fairness \(text.escapedForTerminal()) is not a number from 0 to 1")
      }
      options.fairness = fairness
    }
    return options
  }
}

/// What a coordinator does, a line each: on a terminal all of it, else what goes wrong; with `--json` on standard output.
private final class CoordinatorLog {
  private let output = BackgroundWriter(1) { CoordinatorLog.json(.problem(BackgroundWriter.notShown($0))) }
  private let errors = BackgroundWriter(2) { Array("\(BackgroundWriter.notShown($0))\n".utf8) }
  private let isJSON: Bool
  private let isTerminal = isatty(2) == 1

  init(_ invocation: Invocation) { isJSON = invocation.isJSON }

  func show(_ event: CoordinatorEvent) {
    if isJSON {
      output.write(Self.json(event))
    } else if let line = line(event) {
      errors.write(Array((line + "\n").utf8))
    }
  }

  /// Waits a moment for what is still to be written.
  func finish() -> Exit { BackgroundWriter.finish(output, errors) }

  private func short(_ id: String) -> String { MessageView.short(id) }

  private func line(_ event: CoordinatorEvent) -> String? {
    switch event {
    case .problem(let text): return text
    case .replaced: return "another coordinator took over; this one stops"
    case .standingBy(let leader): return "standing by: \(leader) coordinates"
    case .escalated(let task, let title): return "\(short(task)) \(Output.excerpt(title)): told human"
    case .movedByHand(let task, let title, let to, let wasPutBack):
      return "\(short(task)) \(Output.excerpt(title)): moved by hand, \(wasPutBack ? "put back to" : "now") \(to)"
    default: break
    }
    guard isTerminal else { return nil }
    switch event {
    case .leading: return "coordinating; Ctrl-C ends it"
    case .assigned(let task, let title, let bot, let why):
      return "\(short(task)) \(Output.excerpt(title)) → \(bot) (\(why))"
    case .ended(let task, let title, let state): return "\(short(task)) \(Output.excerpt(title)): \(state)"
    case .request(let id, let approach, let tasks): return "\(short(id)) \(approach), \(tasks) to do"
    case .answered(let id): return "\(short(id)) answered"
    case .group(let id, let text, let what): return "\(short(id)) \(Output.excerpt(text)): \(Output.excerpt(what))"
    default: return nil
    }
  }

  /// One JSON object on a line of its own.
  private static func json(_ event: CoordinatorEvent) -> [UInt8] {
    var writer = JSONWriter()
    writer.beginObject()
    func begin(_ name: String, _ members: KeyValuePairs<StaticString, String>) {
      writer.member("event", name)
      for (key, value) in members { writer.member(key, value) }
    }
    switch event {
    case .leading: begin("leading", [:])
    case .standingBy(let leader): begin("standing_by", ["leader": leader])
    case .replaced: begin("replaced", [:])
    case .assigned(let task, let title, let bot, let why):
      begin("assigned", ["task": task, "title": title, "bot": bot, "why": why])
    case .ended(let task, let title, let state): begin("ended", ["task": task, "title": title, "state": state])
    case .movedByHand(let task, let title, let to, let wasPutBack):
      begin("moved_by_hand", ["task": task, "title": title, "state": to])
      writer.member("was_put_back", wasPutBack)
    case .request(let id, let approach, let tasks):
      begin("request", ["id": id, "approach": approach])
      writer.member("tasks", tasks)
    case .answered(let id): begin("answered", ["id": id])
    case .escalated(let task, let title): begin("escalated", ["task": task, "title": title])
    case .group(let id, let text, let what): begin("group", ["id": id, "text": text, "what": what])
    case .problem(let text): begin("problem", ["reason": text])
    }
    writer.endObject()
    return writer.bytes + [10]
  }
}
