import CoordinatorPolicy
import Linux
import Routing
import Spool
import SpoolFormat

extension Verb {
  static let recomputing = Option.flag("--recompute", "read all of the log anew, whatever was kept of it")

  static let skills = Verb(
    name: "skills", summary: "the skills of bots: level, tries, successes, times, as the log shows them",
    usage: "[BOT] [--recompute]", options: [recomputing], example: "spool skills coder",
    exits: "0 done, 1 there are none, 67 no such bot, 69 no spool",
    notes: """
      STATED is what the card says, NOW what follows from the last 20 attempts at tasks that required the skill: a level
      more for every 20 successes while four in five succeed; one less when fewer than half do and 6 have failed, two
      when fewer than a quarter do and 10 have failed. P90: nine in ten took no longer.
      """
  ) { invocation in
    try invocation.expect(atMost: 1)
    let spool = try invocation.spool()
    let bots = try invocation.operands.isEmpty ? spool.bots() : [spool.bot(named: invocation.operands[0])]
    let book = try invocation.records(spool)
    var rows: [[String]] = []
    for bot in bots {
      let card = (try? spool.card(of: bot)) ?? Card(name: bot)
      for skill in SkillShown.all(card, book.team.bots[bot] ?? BotRecord()) {
        if invocation.isJSON { invocation.output.object { skill.write(bot, to: &$0) } }
        rows.append([bot.description] + skill.cells)
      }
    }
    if !invocation.isJSON, !rows.isEmpty {
      invocation.output.table(
        ["BOT", "SKILL", "STATED", "NOW", "TRIED", "DONE", "RATE", "MEAN", "P90", "LAST"], rows)
    }
    if rows.isEmpty { Output.talk("no skills yet; state one with: spool register coder --skill swift:expert") }
    return rows.isEmpty ? .nothing : .done
  }
}

/// A skill that a card states, or that the bot has been tried with.
private struct SkillShown {
  let name: String
  let stated: Card.Level?
  let now: Card.Level?
  let tally: BotRecord.Tally

  static func all(_ card: Card, _ record: BotRecord) -> [SkillShown] {
    let now = Timestamp(microseconds: Clock.wall())
    let stated = Dictionary(card.skills.map { ($0.name.lowercased(), $0.level) }, uniquingKeysWith: max)
    return Set(stated.keys).union(record.skills.keys).sorted().map { name in
      SkillShown(
        name: name, stated: stated[name], now: stated[name].map { record.level(name, stated: $0, now: now) },
        tally: record.skills[name] ?? BotRecord.Tally())
    }
  }

  var cells: [String] {
    func time(_ seconds: Double?) -> String { seconds.map { TimeText.short(microseconds: Int($0 * 1e6)) } ?? "" }
    let rate = tally.successRate.map { "\(Int(($0 * 100).rounded()))%" } ?? ""
    return [
      Output.excerpt(name, 32), stated?.rawValue ?? "no", now?.rawValue ?? "no", "\(tally.tried)", "\(tally.succeeded)",
      rate, time(tally.meanSeconds), time(tally.p90Seconds), tally.lastAt.map(TimeText.local) ?? "never",
    ]
  }

  func write(_ bot: BotName, to writer: inout JSONWriter) {
    writer.member("bot", bot.description)
    writer.member("skill", name)
    writer.member("stated", ifPresent: stated?.rawValue)
    writer.member("level", ifPresent: now?.rawValue)
    writer.member("tried", tally.tried)
    writer.member("succeeded", tally.succeeded)
    writer.member("success_rate", ifPresent: tally.successRate.map(Output.rounded))
    writer.member("mean_seconds", ifPresent: tally.meanSeconds.map(Output.rounded))
    writer.member("p90_seconds", ifPresent: tally.p90Seconds)
    if let lastAt = tally.lastAt {
      writer.member("last_used", moment: lastAt)
    }
  }
}

extension Output {
  /// To six decimals.
  static func rounded(_ value: Double) -> Double { (value * 1e6).rounded() / 1e6 }
}

extension Invocation {
  /// The records, caught up with the log; read anew with `--recompute`.
  func records(_ spool: Spool) throws -> RecordBook {
    var book = try RecordBook(spool, anew: has("--recompute"))
    try book.catchUp()
    // Who only looks may do so on a full or read-only disk.
    if has("--recompute") { try book.save() }
    return book
  }
}
