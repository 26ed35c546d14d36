import AgentRuntime
import Linux
import Spool
import SpoolFormat

extension Verb {
  static let taskClaim = Verb(
    name: "task claim", summary: "begin a task by hand", usage: "ID|--next --as BOT",
    options: [
      .flag("--next", "the most urgent that was assigned to the bot, or that suits its card"),
      .value("--as", "BOT", "whose it is then (else $SPOOL_BOT)"),
      .value("--by", "NAME", "who does that, for the log (else the bot)"),
    ],
    example: "claim=$(spool task claim --next --as coder)",
    exits: "0 begun (prints the claim), 1 none, 3 others were first, \(notAllowed), 67 no such bot, 69 no spool",
    notes: """
      The claim is the name of the task's file, and bears its attempt: progress, complete and fail that are
      given it, and not only the id, are refused when that attempt is over. It has no lease: it stands until
      you say how it ended, release it, or somebody takes it away. With --json it comes with the task as
      spool work --tasks gives it to a program: with the results that it waited for.
      """
  ) { invocation in
    try invocation.expect(atMost: 1)
    let isNext = invocation.has("--next")
    if isNext == !invocation.operands.isEmpty { throw UsageError("give an ID, or --next") }
    let spool = try invocation.taskSpool()
    guard let bot = try invocation.holdingBot(spool) else { throw UsageError("--as BOT is missing") }
    // What those had in hand that died is there to be taken.
    var observations = TaskObservations()
    let given = try spool.expireTasks(&observations)
    spool.settleAndTell(given.filter(\.state.isFinal))
    // A claim that nobody saw has no lease to end it: whatever goes wrong from here on, it is given back.
    SignalPipe.ignoreBrokenPipes()
    let named = isNext ? nil : try spool.task(named: invocation.operands[0])
    let by = invocation.value("--by")
    guard
      let entry = try named.map({ try spool.claimTask($0, for: bot, by: by) }) ?? spool.claimNextTask(for: bot, by: by)
    else {
      Output.talk("nothing waits that is for \(bot), or suits it")
      return .nothing
    }
    do {
      try show(entry, bot, spool, invocation)
      guard invocation.output.finish(.done, isNeeded: true) == .done else {
        try giveBack(entry, bot, spool)
        return .inputOutput
      }
    } catch {
      try giveBack(entry, bot, spool)
      throw error
    }
    return .done
  }

  private static func show(_ entry: TaskEntry, _ bot: BotName, _ spool: Spool, _ invocation: Invocation) throws {
    let task = try spool.record(of: entry).map { StoredTask(entry: entry, record: $0) }
    if invocation.isJSON {
      invocation.output.object { writer in
        writer.member("claim", entry.name.description)
        writer.member("attempt", entry.attempt)
        writer.member("path", "\(spool.path)/\(entry.path)")
        guard let task else { return }
        writer.key("task")
        writer.raw(input(task, spool))
      }
    } else {
      let short = TaskView.short(entry.id)
      Output.talk("\(bot) has \(short) in hand: \(Output.excerpt(task?.record.title ?? "", 100))")
      Output.talk("read it with: spool task show \(short); end it with: spool task complete \(short) RESULT")
      invocation.output.line(entry.name.description)
    }
  }

  /// As it was, for it alone if it was given to it.
  private static func giveBack(_ entry: TaskEntry, _ bot: BotName, _ spool: Spool) throws {
    let wasAssigned = try spool.record(of: entry)?.assignTo == bot
    guard let back = try spool.release(entry, reason: "could not be shown", by: bot.description, isUnseen: true) else {
      return
    }
    if wasAssigned { try spool.assignBack(back, to: bot) }
  }

  /// As a program gets it: with the results that it waited for. That a template in it can't be filled in is said.
  private static func input(_ task: StoredTask, _ spool: Spool) -> JSONText {
    do { return JSONText(trusted: try TaskInput(task, spool).line.dropLast()) } catch {
      Output.talk("spool: \(error)")
      return JSONText(trusted: task.record.encoded)
    }
  }
}
