import AgentRuntime
import Glibc
import Linux
import Spool
import SpoolFormat

extension Verb {
  static let work = Verb(
    name: "work", summary: "run a program as a bot",
    usage: "BOT [--tasks [--pending]] [--slots N] [--stream] [--timeout DURATION] [OPTION…] [-- PROGRAM ARG…]",
    options: [
      .flag("--tasks", "take the tasks that the bot is given, in place of its messages"),
      .flag("--negotiate", "with its tasks: answer for the bot when groups are formed"),
      .value("--bid", "PROGRAM", "with --negotiate: what makes the offers: the announcement as JSON in, an offer out"),
      .flag("--pending", "with --tasks: pending ones that suit its card, too; for use without a coordinator"),
      .value("--slots", "N", "messages or tasks worked on side by side (1; of tasks as many as its capacity)"),
      .flag("--stream", "one process that stays up: a JSON line in, a JSON line out"),
      .value(
        "--timeout", "DURATION", "end the program and its process group after that long (never, or when its task says)"),
      .flag("--until-empty", "end when nothing can be claimed now (default: wait for more)"),
      .value("--max", "N", "end after N messages or tasks"),
      .flag("--no-reply", "keep what it prints in the log; don't send it back"),
    ],
    example: """
      spool work coder -- ./review.sh
      spool work coder --slots 4 --timeout 5m -- python3 coder.py
      spool work coder --tasks --pending -- ./build.sh
      spool work coder
      spool work coder --negotiate -- ./part.sh
      """,
    exits: "0 ended as told, 64 no such program, 67 no such bot, 69 no spool",
    notes: """
      The program reads the message, one line of JSON, from standard input; what it prints is the reply.
      It ends with 0: done; 65: give up at once; anything else (75): once more, after 1 s, 2 s, 4 s … up to
      5 min, until the bot's attempts are used up. Its environment has SPOOL_DIR, SPOOL_BOT, SPOOL_ID,
      SPOOL_ATTEMPT, SPOOL_FROM, SPOOL_CONVERSATION and SPOOL_CLAIM; and, of what the bot's card says, SPOOL_PERSONALITY,
      SPOOL_INSTRUCTIONS, and SPOOL_CARD: the card's path. Without a PROGRAM it is the one in the card's "start", and
      what that says of tasks, slots and streams counts; only --slots overrules it.
      It gets the answers to what it sent, too ("type": "response", "error" or "status"). What it prints for these goes
      to nobody; a program that itself sends something for each message must leave them out, or it never ends.
      With --stream it answers each line with one: a message such as {"content":"…"} is the reply, {} done,
      {"nack":"why","delay":5} once more, {"dead":"why"} given up.

      With --tasks it reads the task, with "state", "attempt" and "dependencies": the results of those that
      it waited for, as {STEP or ID: {"id", "title", "state", "result"}}. What it prints is the result: any
      text, or {"result":…,"confidence":0.9,"learnings":["…"]}; {"error":"…","recovery_suggestion":"…"} says
      that it failed. The statuses mean the same; the backoff and the attempts are the task's own. Its
      progress it tells in lines, on descriptor 3 or to the file $SPOOL_PROGRESS: 40, 40 half of it, or
      {"progress":40,"text":"half of it"}. It has SPOOL_TASK in place of SPOOL_ID, SPOOL_FROM and SPOOL_CLAIM.
      It is killed when its task is cancelled or taken away, and what it did then counts for nothing.

      With --negotiate it does tasks, too, and answers when spool announce looks for members: it offers the skills
      that its card states at the wanted level, unless it has as many tasks as its card's capacity, or takes more
      than 0.8 of the time that is left on average. Of a part of a group SPOOL_GROUP is the group, and the task's
      "context" has "group", "shared" and, when another had it before, "partial". A program given with --bid decides that instead: it reads
      {"group", "text", "skills", "deadline", "load", "capacity", "offer" or "refuse" …} and prints {"offer":
      {"skills":["swift:expert"],"price":1,"seconds":60}} or {"refuse":"why"}.

      SIGTERM (or Ctrl-C, or SIGHUP, when its terminal is closed) finishes what is in hand; a second one kills it and
      puts it back. When the worker is killed with -9 its program dies with it, and what that had started does not: it
      may still run when the next worker begins anew.
      """
  ) { invocation in
    try invocation.expect(atMost: 1)
    let name = try invocation.operand(0, "BOT")
    let spool = try invocation.spool()
    let bot = try spool.bot(named: name)
    let card = try? spool.card(of: bot)
    let start = invocation.program.isEmpty ? card?.start : nil
    guard let program = start?.program ?? (invocation.program.isEmpty ? nil : invocation.program) else {
      throw UsageError("the program is missing, and \(bot)'s card names none: spool work \(bot) -- PROGRAM ARG…")
    }
    var options = WorkerOptions(arguments: program)
    let slots = try invocation.number("--slots", in: 1...WorkerOptions.slotsMax) ?? start?.slots
    if let bidder = invocation.value("--bid") {
      guard invocation.has("--negotiate") else { throw UsageError("--bid goes with --negotiate") }
      options.negotiation = NegotiationOptions()
      options.negotiation?.bidder = ["/bin/sh", "-c", bidder]
    } else if invocation.has("--negotiate") {
      options.negotiation = NegotiationOptions()
    }
    if invocation.has("--tasks") || invocation.has("--negotiate") || start?.takes == .tasks {
      options.work = .tasks(takesPending: invocation.has("--pending") || start?.takesPending == true)
      if invocation.has("--no-reply") { throw UsageError("--no-reply is about messages, and --tasks takes none") }
    } else if invocation.has("--pending") {
      throw UsageError("--pending is about tasks: spool work \(Output.excerpt(name, 64)) --tasks --pending")
    }
    options.isStream = invocation.has("--stream") || start?.isStream == true
    options.timeout = try invocation.duration("--timeout") ?? card?.timeoutSeconds
    if let timeout = options.timeout, timeout <= 0 { throw UsageError("--timeout must be longer than nothing") }
    options.stopsWhenEmpty = invocation.has("--until-empty")
    options.messagesMax = try invocation.number("--max", in: 1...Int.max)
    options.repliesToSender = !invocation.has("--no-reply")
    options.catchesSignals = true

    options.slots = slots ?? (options.work == .messages ? 1 : card?.capacity ?? 1)
    let log = WorkLog(invocation)
    do {
      let worker = try Worker(spool, bot, options) { log.show($0) }
      log.begin(bot, options)
      log.end(try worker.run())
      withExtendedLifetime(worker) {
        // One more request to stop, now that it has stopped, must not make its end look like a failure.
        for number in SignalPipe.stopSignals { signal(number, SIG_IGN) }
      }
    } catch let error as SpoolError where error.code == .notFound {
      _ = log.finish()
      // 1 would say that nothing was waiting.
      Output.talk("spool: \(error)")
      return .usage
    } catch {
      _ = log.finish()
      throw error
    }
    return log.finish()
  }
}

/// Shows what a worker does: what goes wrong always, the rest on a terminal; with `--json` all of it, on standard output.
private final class WorkLog {
  private let output = BackgroundWriter(1) { bytesDropped in
    WorkLog.line { writer in
      writer.member("event", "problem")
      writer.member("reason", BackgroundWriter.notShown(bytesDropped))
      writer.member("delay_seconds", 0.0)
    }
  }
  private let errors = BackgroundWriter(2) { Array("\(BackgroundWriter.notShown($0))\n".utf8) }
  private let isJSON: Bool
  private let isTerminal = isatty(2) == 1

  init(_ invocation: Invocation) { isJSON = invocation.isJSON }

  /// Waits a moment for what is still to be written.
  func finish() -> Exit { BackgroundWriter.finish(output, errors) }

  private func talk(_ text: String) { errors.write(Array((text + "\n").utf8)) }

  func begin(_ bot: BotName, _ options: WorkerOptions) {
    guard isTerminal, !isJSON else { return }
    let isForTasks = options.work != .messages
    let how = options.isStream ? "stays up" : "is run for each \(isForTasks ? "task" : "message")"
    let ends = options.stopsWhenEmpty ? "until there are no more" : "Ctrl-C ends it"
    talk("\(bot): \(Output.excerpt(options.arguments.map(\.quotedForShell).joined(separator: " "))) \(how); \(ends)")
  }

  func end(_ summary: WorkerSummary) {
    guard isTerminal, !isJSON else { return }
    talk(
      "\(summary.acked) done, \(summary.requeued) put back, \(summary.dead) given up"
        + (summary.lost > 0 ? ", \(summary.lost) lost to others" : ""))
  }

  func show(_ event: WorkerEvent) {
    if case .errorOutput(let bytes) = event { return errors.write(bytes) }
    if isJSON { output.write(json(event)) } else if let line = line(event) { talk(line) }
  }

  private func short(_ work: Work) -> String { MessageView.short(work.id.description) }

  private func line(_ event: WorkerEvent) -> String? {
    switch event {
    case .errorOutput, .replied: nil
    case .claimed(let work): isTerminal ? "\(short(work)) begins: \(Self.excerpt(work))" : nil
    case .negotiated(let group, let what): isTerminal ? "\(MessageView.short(group)) \(Output.excerpt(what))" : nil
    case .progressed(let work, let progress):
      isTerminal
        ? short(work) + (progress.percent.map { " \($0)%" } ?? "")
          + (progress.text.map { " " + Output.excerpt($0) } ?? "") : nil
    case .acked(let claim, let seconds):
      isTerminal ? "\(short(claim)) done in \(TimeText.short(microseconds: Int(seconds * 1e6)))" : nil
    case .requeued(let claim, let reason, let delay):
      "\(short(claim)) put back\(Self.after(delay)) (attempt \(claim.attempt)): \(Self.firstLine(reason))"
    case .dead(let claim, let reason): "\(short(claim)) given up: \(Self.firstLine(reason))"
    case .lost(.message(let claim)):
      "\(short(.message(claim))) is no longer ours: its lease ran out, or it was settled"
    case .lost(let task): "\(short(task)) is no longer ours: it was cancelled or moved, or its lease ran out"
    case .restarting(let reason, let delay):
      "the program ended (\(Self.firstLine(reason))); starting it again\(Self.after(delay))"
    case .problem(let text, let delay): delay > 0 ? "\(text); trying again\(Self.after(delay))" : text
    case .stopping(let count): count > 0 ? "finishing \(count) in hand; once more to kill" : nil
    }
  }

  private static func excerpt(_ work: Work) -> String {
    switch work {
    case .message(let claim): Output.excerpt(claim.message.content ?? "")
    case .task(let task): Output.excerpt(task.record.title)
    }
  }

  private static func firstLine(_ text: String) -> String { String(text.prefix { !$0.isNewline }).escapedForTerminal() }

  private static func after(_ delay: Double) -> String {
    delay > 0 ? " in \(TimeText.short(microseconds: Int(delay * 1e6)))" : ""
  }

  /// One JSON object on a line of its own.
  private static func line(_ build: (inout JSONWriter) -> Void) -> [UInt8] {
    var writer = JSONWriter()
    writer.beginObject()
    build(&writer)
    writer.endObject()
    return writer.bytes + [10]
  }

  private func json(_ event: WorkerEvent) -> [UInt8] {
    Self.line { writer in
      /// A task's events are called after its transitions.
      func begin(_ name: String, _ work: Work? = nil, task: String? = nil) {
        if case .task? = work { writer.member("event", task ?? name) } else { writer.member("event", name) }
        guard let work else { return }
        writer.member("id", work.id.description)
        writer.member("attempt", work.attempt)
      }
      switch event {
      case .errorOutput: break
      case .claimed(let work): begin("claimed", work, task: "started")
      case .progressed(let work, let progress):
        begin("progressed", work)
        writer.member("progress", ifPresent: progress.percent)
        writer.member("text", ifPresent: progress.text)
      case .replied(let work, let id):
        begin("replied", work)
        writer.member("reply", id.description)
      case .acked(let work, let seconds):
        begin("acked", work, task: "completed")
        writer.member("seconds", seconds)
      case .requeued(let work, let reason, let delay):
        begin("requeued", work, task: "retried")
        writer.member("reason", reason)
        writer.member("delay_seconds", delay)
      case .dead(let work, let reason):
        begin("dead", work, task: "failed")
        writer.member("reason", reason)
      case .lost(let work): begin("lost", work)
      case .restarting(let reason, let delay):
        begin("restarting")
        writer.member("reason", reason)
        writer.member("delay_seconds", delay)
      case .problem(let text, let delay):
        begin("problem")
        writer.member("reason", text)
        writer.member("delay_seconds", delay)
      case .negotiated(let group, let what):
        begin("negotiated")
        writer.member("group", group)
        writer.member("what", what)
      case .stopping(let count):
        begin("stopping")
        writer.member("in_hand", count)
      }
    }
  }
}
