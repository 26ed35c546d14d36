import Spool
import SpoolFormat

extension Verb {
  static let inbox = Verb(
    name: "inbox", summary: "show what waits in a bot's inbox, and what is in hand; takes nothing",
    usage: "BOT [--limit N | --clear [--delayed]]",
    options: [
      .value("--limit", "N", "at most so many of each (100)"),
      .flag("--clear", "ack everything that waits, unread"),
      .flag("--delayed", "with --clear: what waits for its time, too"),
    ],
    example: "spool inbox coder", exits: "0 done, 1 it is empty, 67 no such bot, 69 no spool"
  ) { invocation in
    try invocation.expect(atMost: 1)
    let name = try invocation.operand(0, "BOT")
    if invocation.has("--clear"), invocation.has("--limit") { throw UsageError("--clear or --limit, not both") }
    guard invocation.has("--clear") || !invocation.has("--delayed") else {
      throw UsageError("--delayed goes with --clear")
    }
    let limit = try invocation.number("--limit", in: 1...limitMax) ?? 100
    let spool = try invocation.spool()
    let bot = try spool.bot(named: name)
    if invocation.has("--clear") { return try clear(spool, bot, invocation) }
    let entries = try spool.entries(of: bot, limit: limit)
    if invocation.isJSON {
      for entry in entries { write(entry, invocation.output) }
    } else if !entries.isEmpty {
      invocation.output.table(["ID", "STATE", "PRIORITY", "TRY", "AGE", "FROM", "SAYS"], entries.map(row))
    }
    if entries.count >= limit {
      let counts = try spool.count(bot)
      let hidden = counts.waiting + counts.claimed - entries.count
      if hidden > 0, limit < limitMax {
        Output.talk(
          "and \(hidden) more; see: spool inbox \(bot) --limit \(min(counts.waiting + counts.claimed, limitMax))")
      }
    }
    if entries.isEmpty { Output.talk("nothing waits for \(bot)") }
    return entries.isEmpty ? .nothing : .done
  }

  private static let limitMax = 1_000_000

  private static func clear(_ spool: Spool, _ bot: BotName, _ invocation: Invocation) throws -> Exit {
    let inbox = try Inbox(spool, bot)
    var count = 0
    while let claim = try inbox.claim() {
      try spool.ack(bot, claim.name, output: "cleared unread")
      count += 1
    }
    if invocation.has("--delayed") { count += try spool.ackDelayed(bot) }
    let delayed = try spool.backlog(of: bot).delayed
    if invocation.isJSON {
      invocation.output.object { writer in
        writer.member("bot", bot.description)
        writer.member("cleared", count)
        writer.member("delayed", delayed)
      }
    } else {
      let left = delayed > 0 ? "; \(delayed) whose time is yet to come left: spool inbox \(bot) --clear --delayed" : ""
      Output.talk(
        "cleared \(Output.count(count, "message")); the log keeps them: spool log --bot \(bot)\(left)")
    }
    return count == 0 ? .nothing : .done
  }

  private static func state(_ entry: Entry) -> String {
    if entry.problem != nil { return "unreadable" }
    if entry.isClaimed { return "claimed" }
    if let due = entry.name?.notBefore, due > TimeText.now() { return "delayed" }
    if let expiry = entry.message?.expiresAt, expiry <= TimeText.now() { return "expired" }
    return entry.name == nil ? "dropped" : "waiting"
  }

  private static func row(_ entry: Entry) -> [String] {
    let age = entry.name.map { TimeText.now().microseconds - $0.id.time.microseconds }
    let priority = entry.name.map { 10 - $0.urgency } ?? entry.message?.priority?.value ?? 5
    let says = entry.problem ?? MessageView.summary(entry.message, 56)
    return [
      entry.name.map { MessageView.short($0.id.description) } ?? Output.excerpt(entry.fileName, 24), state(entry),
      "\(priority)", "\(entry.name?.attempt ?? 0)", age.map { TimeText.short(microseconds: max(0, $0)) } ?? "",
      Output.excerpt(entry.message?.from ?? "", 24) + MessageView.mark(entry.sender), Output.excerpt(says, 56),
    ]
  }

  private static func write(_ entry: Entry, _ output: Output) {
    output.object { writer in
      writer.member("name", entry.fileName)
      writer.member("id", ifPresent: entry.name?.id.description)
      writer.member("state", state(entry))
      writer.member("attempt", entry.name?.attempt ?? 0)
      writer.member("holder", ifPresent: entry.name?.holder?.description)
      if let due = entry.name?.notBefore {
        writer.member("not_before", moment: due)
      }
      writer.member("path", entry.path)
      writer.member("problem", ifPresent: entry.problem)
      MessageView.write(entry.sender, to: &writer)
      if let message = entry.message { MessageView.write(message, to: &writer) }
    }
  }
}
