import CoordinatorPolicy
import Routing
import Spool
import SpoolFormat

extension Verb {
  static let reputation = Verb(
    name: "reputation", summary: "how far each bot can be trusted, in all and with each skill",
    usage: "[--explain BOT] [--recompute]",
    options: [.value("--explain", "BOT", "how that of one bot comes about"), recomputing],
    example: "spool reputation --explain coder", exits: "0 done, 1 there are no bots, 67 no such bot, 69 no spool",
    notes: """
      From 0 to 1: α ÷ (α + β). Each success adds to α: 1 for a plain task, 0.5 more for each level above novice that it
      requires, 0.25 more for each attempt that had failed before, up to 3.5; each failure adds 1 to β. What is 30 days old
      weighs half. Everybody begins as if three of four tasks had succeeded, and with a skill as in all. STANDING is what
      bots are chosen by: half a standard deviation more, so that new ones get their chance. ACTIONS are messages that were
      taken or given up, and attempts at tasks; REWARD is their mean. --json has the last 32 of them, one by one.
      """
  ) { invocation in
    try invocation.expect(atMost: 0)
    let spool = try invocation.spool()
    let explained = try invocation.value("--explain").map { try spool.bot(named: $0) }
    let bots = try explained.map { [$0] } ?? spool.bots()
    let book = try invocation.records(spool)
    let now = TimeText.now()
    var rows: [[String]] = []
    for bot in bots {
      let record = book.team.bots[bot] ?? BotRecord()
      if invocation.isJSON {
        invocation.output.object { write(bot, record, now, to: &$0) }
      } else if explained != nil {
        explain(bot, record, now, invocation.output)
      }
      rows.append([bot.description, "all"] + cells(record.reputation(now: now), record.all) + registry(record))
      for (skill, tally) in record.skills.sorted(by: { $0.key < $1.key }) {
        let cells = cells(record.reputation(skill: skill, now: now), tally)
        rows.append([bot.description, Output.excerpt(skill, 32)] + cells + ["", "", ""])
      }
    }
    if !invocation.isJSON, explained == nil, !rows.isEmpty {
      invocation.output.table(
        ["BOT", "SKILL", "REPUTATION", "STANDING", "TRIED", "DONE", "EVIDENCE", "ACTIONS", "REWARD", "LAST"], rows)
    }
    if rows.isEmpty { Output.talk("no bots yet; make one with: spool register coder") }
    return rows.isEmpty ? .nothing : .done
  }

  private static func cells(_ reputation: Reputation, _ tally: BotRecord.Tally) -> [String] {
    [
      Output.decimals(reputation.value), Output.decimals(reputation.standing), "\(tally.tried)", "\(tally.succeeded)",
      Output.decimals(reputation.evidence, 1),
    ]
  }

  /// What it did, tasks or not.
  private static func registry(_ record: BotRecord) -> [String] {
    [
      "\(record.actions)", record.meanReward.map { Output.decimals($0) } ?? "",
      record.lastSeen.map(TimeText.local) ?? "never",
    ]
  }

  private static func explain(_ bot: BotName, _ record: BotRecord, _ now: Timestamp, _ output: Output) {
    let all = record.reputation(now: now)
    output.line(output.styled("\(bot) \(Output.decimals(all.standing))", .bold))
    func line(_ name: String, _ reputation: Reputation, _ tally: BotRecord.Tally, _ prior: Double) {
      let p = Output.decimals(prior)
      output.line(
        "  \(name): \(tally.succeeded) of \(tally.tried) attempts succeeded; weighed by difficulty and age that is "
          + "α = 4 × \(p) + \(Output.decimals(reputation.alpha - 4 * prior)), "
          + "β = 4 × \(Output.decimals(1 - prior)) + \(Output.decimals(reputation.beta - 4 * (1 - prior)))")
      output.line(
        "    reputation α ÷ (α + β) = \(Output.decimals(reputation.value)), and "
          + "\(Output.decimals(reputation.bonus, 3)) because little is known: \(Output.decimals(reputation.standing))")
    }
    line("all", all, record.all, Reputation.priorShare)
    for (skill, tally) in record.skills.sorted(by: { $0.key < $1.key }) {
      line(Output.excerpt(skill, 32), record.reputation(skill: skill, now: now), tally, all.value)
    }
    output.line(
      "  reward: \(Output.decimals(record.expectedReward(now: now))) to be expected now; "
        + "\(record.meanReward.map { Output.decimals($0) } ?? "none") on average of \(record.actions) actions")
    for action in record.memory.suffix(5).reversed() {
      let latency = action.microseconds.map { ", \(TimeText.short(microseconds: $0))" } ?? ""
      let from = action.from.map { " of \(Output.excerpt($0, 32))" } ?? ""
      output.line(
        "    \(TimeText.local(action.at))  \(action.kind.rawValue)\(from)\(latency): "
          + Output.decimals(Double(action.reward) / 100, 1))
    }
  }

  private static func write(_ bot: BotName, _ record: BotRecord, _ now: Timestamp, to writer: inout JSONWriter) {
    func write(_ reputation: Reputation, _ tally: BotRecord.Tally) {
      writer.member("reputation", Output.rounded(reputation.value))
      writer.member("standing", Output.rounded(reputation.standing))
      writer.member("bonus", Output.rounded(reputation.bonus))
      writer.member("evidence", Output.rounded(reputation.evidence))
      writer.member("tried", tally.tried)
      writer.member("succeeded", tally.succeeded)
    }
    func moment(_ name: StaticString, _ moment: Timestamp?) {
      guard let moment else { return }
      writer.key(name)
      writer.moment(moment)
    }
    writer.member("bot", bot.description)
    write(record.reputation(now: now), record.all)
    writer.key("skills")
    writer.beginObject()
    for (skill, tally) in record.skills.sorted(by: { $0.key < $1.key }) {
      writer.key(skill)
      writer.beginObject()
      write(record.reputation(skill: skill, now: now), tally)
      writer.endObject()
    }
    writer.endObject()
    moment("first_seen", record.firstSeen)
    moment("last_seen", record.lastSeen)
    writer.member("actions", record.actions)
    writer.member("mean_reward", ifPresent: record.meanReward.map(Output.rounded))
    writer.member("expected_reward", Output.rounded(record.expectedReward(now: now)))
    writer.key("memory")
    writer.beginArray()
    for action in record.memory { action.write(to: &writer) }
    writer.endArray()
  }
}

extension Output {
  /// With so many decimals, always.
  static func decimals(_ value: Double, _ count: Int = 2) -> String {
    let factor = count == 1 ? 10.0 : count == 2 ? 100 : 1000
    let scaled = Int((min(max(value, -1e12), 1e12) * factor).rounded())
    let (whole, part) = scaled.magnitude.quotientAndRemainder(dividingBy: UInt(factor))
    let digits = String(part)
    return (scaled < 0 ? "-" : "") + "\(whole)." + String(repeating: "0", count: count - digits.count) + digits
  }
}
