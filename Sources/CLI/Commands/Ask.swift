import Coordinator
import CoordinatorPolicy
import Glibc
import Linux
import Spool
import SpoolFormat

extension Verb {
  static let ask = Verb(
    name: "ask", summary: "give the coordinator a request, and wait for the answer", usage: "TEXT|-|--file F",
    options: [
      .value("--from", "BOT", "who asks, and gets the answer (else $SPOOL_BOT, else you)"),
      .value("--priority", "P", Priority.choices),
      .value("--conversation", "ID", "what it belongs to"),
      .value("--timeout", "DURATION", "how long to wait at most (1h)"),
      .flag("--no-wait", "don't wait: print the request's id"),
      .value("--file", "F", "take the text from a file"),
    ],
    example: "spool ask \"Build and test a feature to track user engagement\"",
    exits: "0 answered (prints the answer), 1 the wait ended first, 2 it could not be done (prints why), 69 no spool"
  ) { invocation in
    try invocation.expect(atMost: 1)
    let spool = try invocation.spool()
    let text = try invocation.spokenText(operand: 0)
    guard text.contains(where: { !$0.isWhitespace }) else {
      throw FormatError("a request has a text that says what is to be done, and this one is blank")
    }
    var message = Message(content: text)
    message.to = [Coordinator.bot.description]
    message.type = .request
    message.conversation = try invocation.label("--conversation")
    message.priority = try invocation.value("--priority").map { try Priority(parsing: $0) }
    let sender = try BotName(parsing: try invocation.sender())
    message.from = sender.description
    let seconds = try invocation.duration("--timeout") ?? 3600
    try spool.requireCoordinated(Coordinator.bot)
    try Coordinator.register(spool)
    if try !spool.exists(sender) {
      var card = Card(name: sender)
      card.description = "asks by spool ask"
      try spool.register(card)
    }
    // One that was started just now has a second to begin, while there is time to wait anyway.
    let patience = Clock.sinceBoot() + (invocation.has("--no-wait") ? 0 : 1_000_000_000)
    while !spool.coordinatorIsUp, Clock.sinceBoot() < patience { usleep(20_000) }
    if !spool.coordinatorIsUp { Output.talk("no coordinator is running; the request waits for one: spool coordinate") }
    if invocation.has("--no-wait") {
      let id = try spool.send(message)
      if invocation.isJSON {
        invocation.output.object { writer in
          writer.member("id", id.description)
          writer.member("goal", Goal.id(for: id).description)
        }
      } else {
        invocation.output.line("\(id)")
      }
      return invocation.output.finish(kept: id)
    }
    let progress = GoalProgress(spool)
    let (id, answer) = try spool.request(message, waiting: seconds, meanwhile: { progress.show($0) }) {
      progress.clear()
      try MessageView.show(answer: $0, invocation)
    }
    progress.clear()
    guard let answer else {
      let goal = Goal.id(for: id)
      let isPlanned = (try? spool.findTask(goal)) ?? nil != nil
      Output.talk("spool: no answer yet; the request stands: spool \(isPlanned ? "task tree \(goal)" : "trace \(id)")")
      return .nothing
    }
    return answer.type == .error ? .failed : .done
  }
}

/// How far a request is, on one line of a terminal that is drawn again and again; and, anywhere, what nobody is there for.
private final class GoalProgress {
  private let spool: Spool
  private let progress = ProgressLine()
  private var nextLook = Clock.sinceBoot() + lookNanoseconds
  /// Those that had been given to nobody at the last look.
  private var waiting: Set<MessageID> = []
  private var told: Set<MessageID> = []

  private static let lookNanoseconds = 3_000_000_000

  init(_ spool: Spool) { self.spool = spool }

  func show(_ request: MessageID) {
    let isDue = Clock.sinceBoot() >= nextLook
    guard progress.isShown || isDue else { return }
    if isDue { nextLook = Clock.sinceBoot() + Self.lookNanoseconds }
    // What can't be looked at now will be later.
    guard let goal = try? spool.task(Goal.id(for: request)) else {
      return progress.show("waiting for the coordinator…")
    }
    guard let children = try? spool.children(of: goal.record) else { return }
    if isDue { try? tellOfStranded(children) }
    progress.show(line(children))
  }

  func clear() { progress.clear() }

  /// Says of each part, once, that nobody is there who could do it.
  private func tellOfStranded(_ children: [StoredTask]) throws {
    let pending = children.filter { $0.state == .pending && !told.contains($0.id) }
    // The others may just be on their way to somebody.
    let left = pending.filter { waiting.contains($0.id) }
    waiting = Set(pending.map(\.id))
    guard !left.isEmpty, spool.coordinatorIsUp else { return }
    let ranking = try Ranking(spool)
    for task in left where !ranking.canBeDone(task.record) {
      told.insert(task.id)
      let title = Output.excerpt(task.record.title, 60)
      let remark = TaskNeeds(task.record).remark.escapedForTerminal()
      progress.clear()
      Output.talk("no bot that takes tasks can do \(title)\(remark); it waits for one that can: spool work BOT --tasks")
    }
  }

  private func line(_ children: [StoredTask]) -> String {
    guard !children.isEmpty else { return "waiting for answers…" }
    let done = children.count { $0.state.isFinal }
    let width = 20
    let filled = done * width / children.count
    let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
    let busy = children.filter { $0.state == .inProgress }.map { child in
      let percent = child.record.progress.map { " \($0)%" } ?? ""
      return "\(child.entry.bot?.description ?? "?"): \(child.record.step ?? child.record.title)\(percent)"
    }
    return "\(bar) \(done)/\(children.count)  \(busy.joined(separator: ", "))"
  }
}
