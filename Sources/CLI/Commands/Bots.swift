import Spool
import SpoolFormat

extension Verb {
  static let bots = Verb(
    name: "bots", summary: "list the bots, and what each has waiting and in hand", usage: "[BOT | show BOT]",
    example: "spool bots\nspool bots show coder > agent.json",
    exits: "0 done, 1 there are none, 67 no such bot, 69 no spool",
    notes: "spool bots show BOT prints its card as spool register --file takes it; with --json on one line."
  ) { invocation in
    // Of two words the first is what to do; one alone is a bot, even one with that name.
    if invocation.operands.count == 2, invocation.operands[0] == "show" { return try showCard(invocation) }
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
          writer.member("user", ifPresent: try? spool.ownerName(of: bot))
          writer.member("waiting", ifPresent: counts.isHidden ? nil : counts.waiting)
          writer.member("claimed", ifPresent: counts.isHidden ? nil : counts.claimed)
          writer.member("dead", ifPresent: counts.isHidden ? nil : counts.dead)
          writer.member("tasks", tasks[bot] ?? 0)
          writer.member("running", running.map(\.description))
          writer.key("card")
          card.write(to: &writer)
        }
      }
      func shown(_ count: Int) -> String { counts.isHidden ? "-" : "\(count)" }
      let user = (try? spool.ownerName(of: bot)) ?? ""
      rows.append(
        [bot.description] + (spool.isShared ? [user] : []) + [
          card.domain ?? "", shown(counts.waiting), shown(counts.claimed), shown(counts.dead),
          "\(tasks[bot] ?? 0)", running.isEmpty ? "no" : "\(running.count)",
          card.skills.map { "\($0.name):\($0.level)" }.joined(separator: " "),
        ])
    }
    if !invocation.isJSON, !rows.isEmpty {
      let shown = rows.map { $0.map { Output.excerpt($0, 64) } }
      invocation.output.table(
        ["BOT"] + (spool.isShared ? ["USER"] : []) + [
          "DOMAIN", "WAITING", "CLAIMED", "DEAD", "TASKS", "RUNNING", "SKILLS",
        ], shown)
    }
    if rows.isEmpty { Output.talk("no bots yet; make one with: spool register coder") }
    return rows.isEmpty ? .nothing : .done
  }

  private static func showCard(_ invocation: Invocation) throws -> Exit {
    let spool = try invocation.spool()
    let card = try spool.card(of: try spool.bot(named: invocation.operands[1]))
    var writer = JSONWriter()
    card.write(to: &writer)
    if invocation.isJSON {
      invocation.output.write(writer.bytes + [10])
    } else {
      invocation.output.line(writer.text.value.prettyPrinted())
    }
    return .done
  }
}
