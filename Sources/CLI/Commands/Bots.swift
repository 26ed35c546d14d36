import Spool
import SpoolFormat

extension Verb {
  static let bots = Verb(
    name: "bots", summary: "list the bots, and what each has waiting and in hand", usage: "[BOT]",
    example: "spool bots", exits: "0 done, 1 there are none, 67 no such bot, 69 no spool"
  ) { invocation in
    try invocation.expect(atMost: 1)
    let spool = try invocation.spool()
    let bots = try invocation.operands.isEmpty ? spool.bots() : [spool.bot(named: invocation.operands[0])]
    var rows: [[String]] = []
    let tasks = try spool.tasksInHand()
    for bot in bots {
      let counts = try spool.count(bot)
      let running = try spool.presence(of: bot)
      // A damaged card is the doctor's business; the bot is there all the same.
      let card = (try? spool.card(of: bot)) ?? Card(name: bot)
      if invocation.isJSON {
        invocation.output.object { writer in
          writer.member("name", bot.description)
          writer.member("waiting", counts.waiting)
          writer.member("claimed", counts.claimed)
          writer.member("dead", counts.dead)
          writer.member("tasks", tasks[bot] ?? 0)
          writer.member("running", running.map(\.description))
          writer.key("card")
          card.write(to: &writer)
        }
      }
      rows.append([
        bot.description, card.domain ?? "", "\(counts.waiting)", "\(counts.claimed)", "\(counts.dead)",
        "\(tasks[bot] ?? 0)", running.isEmpty ? "no" : "\(running.count)",
        card.skills.map { "\($0.name):\($0.level)" }.joined(separator: " "),
      ])
    }
    if !invocation.isJSON, !rows.isEmpty {
      let shown = rows.map { $0.map { Output.excerpt($0, 64) } }
      invocation.output.table(["BOT", "DOMAIN", "WAITING", "CLAIMED", "DEAD", "TASKS", "RUNNING", "SKILLS"], shown)
    }
    if rows.isEmpty { Output.talk("no bots yet; make one with: spool register coder") }
    return rows.isEmpty ? .nothing : .done
  }
}
