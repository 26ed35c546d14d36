import Spool
import SpoolFormat

extension Verb {
  static let taskBlock = Verb(
    name: "task block", summary: "say that nobody can go on with a task until somebody unblocks it",
    usage: "CLAIM|ID REASON",
    options: [
      .value("--as", "BOT", "refuse unless it is in this bot's hands"),
      .value("--by", "NAME", "who does that, for the log"),
    ],
    example: "spool task block 8f3a \"waits for the licence\"",
    exits: "0 done, 1 no such task, 3 no longer in hand, \(notAllowed), 69 no spool"
  ) { invocation in
    try invocation.expect(atMost: 2)
    let part = try invocation.operand(0, "ID")
    let reason = try invocation.operand(1, "REASON")
    let spool = try invocation.taskSpool()
    let entry = try invocation.task(part, spool)
    let author = try invocation.author()
    let blocked = try spool.persisting(entry) { try spool.block($0, reason: reason, by: author) }
    invocation.report(blocked, "blocked; go on with: spool task unblock \(TaskView.short(blocked.id))")
    return .done
  }

  static let taskUnblock = Verb(
    name: "task unblock", summary: "let a blocked task go on", usage: "ID [--force]",
    options: [
      .flag("--force", "whatever it waits for"), .value("--by", "NAME", "who does that, for the log"),
    ],
    example: "spool task unblock 8f3a",
    exits: "0 done, \(notThere), \(notAllowed), 69 no spool"
  ) { invocation in
    try invocation.expect(atMost: 1)
    let part = try invocation.operand(0, "ID")
    let spool = try invocation.taskSpool()
    let entry = try spool.task(named: part)
    let moved = try spool.unblockTask(entry, isForced: invocation.has("--force"), by: try invocation.author())
    invocation.report(
      moved, moved.state == .blocked ? "its reason is taken away; it still waits" : "now \(TaskView.standing(moved))")
    return .done
  }

  static let taskRelease = Verb(
    name: "task release", summary: "give a task back, or take it from its bot: it is pending again",
    usage: "CLAIM|ID [--delay DURATION] [--reason TEXT]",
    options: [
      .value("--delay", "DURATION", "not to be begun again before that"),
      .value("--reason", "TEXT", "why; the log keeps it"),
      .value("--as", "BOT", "refuse unless it is in this bot's hands"),
      .value("--by", "NAME", "who does that, for the log"),
    ],
    example: "spool task release 8f3a",
    exits: "0 done, 1 no such task, 3 no longer in hand, \(notAllowed), 69 no spool",
    notes: "A task that was begun has used up an attempt; one that was only assigned hasn't."
  ) { invocation in
    try invocation.expect(atMost: 1)
    let part = try invocation.operand(0, "ID")
    let delay = try invocation.duration("--delay") ?? 0
    let spool = try invocation.taskSpool()
    let entry = try invocation.task(part, spool)
    let author = try invocation.author()
    let due = delay > 0 ? TimeText.now().advanced(bySeconds: delay) : nil
    let released = try spool.persisting(entry) {
      try spool.release($0, reason: invocation.value("--reason"), notBefore: due, by: author)
    }
    invocation.report(released, "now \(TaskView.standing(released))")
    return .done
  }

  static let taskAssign = Verb(
    name: "task assign", summary: "give a task to a bot, which may begin it then", usage: "ID BOT",
    options: [.value("--by", "NAME", "who does that, for the log")],
    example: "spool task assign 8f3a coder",
    exits: "0 done, \(notThere), \(notAllowed), 67 no such bot, 69 no spool"
  ) { invocation in
    try invocation.expect(atMost: 2)
    let part = try invocation.operand(0, "ID")
    let name = try invocation.operand(1, "BOT")
    let spool = try invocation.taskSpool()
    let bot = try BotName(parsing: name)
    try spool.requireTaker(bot)
    let entry = try spool.task(named: part)
    let author = try invocation.author()
    let assigned = try spool.persisting(entry) { entry in
      if entry.state == .assigned, entry.bot == bot { return entry }
      return try spool.assign(entry, to: bot, by: author)
    }
    invocation.report(assigned, "assigned to \(bot)")
    return .done
  }
}
