import Spool
import SpoolFormat

extension Verb {
  static let unregister = Verb(
    name: "unregister", summary: "remove a bot for which nothing is left to do", usage: "BOT",
    example: "spool unregister coder",
    exits: "0 done, 67 no such bot, 69 no spool, 75 it has messages or tasks left, or runs; 77 it is another user's",
    notes: """
      Its subscriptions end. What it said and did stays in the log, and counts for a bot of that name which is registered
      later on. Unread messages go with spool inbox BOT --clear, dead letters with spool dead BOT --discard-all.
      """
  ) { invocation in
    try invocation.expect(atMost: 1)
    let name = try invocation.operand(0, "BOT")
    let spool = try invocation.spool()
    try spool.unregister(BotName(parsing: name))
    return .done
  }

  static let register = Verb(
    name: "register", summary: "make a bot, or change its card",
    usage: "BOT [--domain WORD] [--skill NAME:LEVEL]… | --file F",
    options: [
      .value(
        "--file", "F", "all of it in one file (- for standard input), checked as a whole; in place of other options"),
      .value("--domain", "WORD", "its field, such as development"),
      .value("--skill", "NAME:LEVEL", "novice, intermediate, advanced or expert; may be given several times"),
      .value("--capacity", "N", "messages it takes on at once (1)"),
      .value("--about", "TEXT", "what it is for"),
      .value("--lease", "DURATION", "how long its claims stand without being renewed"),
      .value("--attempts", "N", "claims of one of its messages before that is dead-lettered"),
    ] + limitOptions,
    example: """
      spool register coder --domain development --skill swift:expert --capacity 4
      spool register --file agent.json
      """,
    exits: "0 done, 65 a name or level that won't do, or mistakes in the file: each on a line, 69 no spool",
    notes: """
      The file is JSON, and becomes the bot's card; spool bots show BOT gives it back:
      {"name": "coder", "description": "…", "domain": "development", "skills": ["swift:expert", "sql"], "capacity": 2,
      "personality": "terse", "instructions": "…", "limits": {"lease_seconds": 60, "attempts_max": 3,
      "timeout_seconds": "5m", "inbox_messages_max": 1000}, "start": {"program": ["python3", "coder.py"], "takes": "tasks", "slots": 2}}
      All but the name may be missing. Of start there are also "stream" and "pending"; a list alone is the program.
      What begins with "x-" is kept as it is. spool work BOT starts it so.
      """
  ) { invocation in
    try invocation.expect(atMost: 1)
    if let file = invocation.value("--file") { return try register(file, invocation) }
    let name = try BotName(parsing: try invocation.operand(0, "BOT"))
    let skills = try invocation.all("--skill").map { try Card.Skill(parsing: $0) }
    let spool = try invocation.spool()
    // A bot that is there keeps what isn't named now.
    var card = try spool.exists(name) ? spool.card(of: name) : Card(name: name)
    if let domain = invocation.value("--domain") { card.domain = domain }
    if let about = invocation.value("--about") { card.description = about }
    if let capacity = try invocation.number("--capacity", in: 1...1000) { card.capacity = capacity }
    if let lease = try invocation.duration("--lease") {
      if lease < 0.1 { throw UsageError("--lease is at least 100ms") }
      card.leaseSeconds = lease
    }
    if let attempts = try invocation.number("--attempts", in: 1...EntryName.attemptMax) { card.attemptsMax = attempts }
    try invocation.readLimits(into: &card.inboxLimits)
    for skill in skills {
      card.skills.removeAll { $0.name == skill.name }
      card.skills.append(skill)
    }
    try spool.register(card)
    if invocation.isJSON { invocation.output.write(encoded(card) + [10]) }
    return .done
  }

  /// All of a bot from one file; nothing of one with a mistake.
  private static func register(_ file: String, _ invocation: Invocation) throws -> Exit {
    let others = ["--domain", "--skill", "--capacity", "--about", "--lease", "--attempts"] + limitOptions.map(\.name)
    for option in others where invocation.has(option) {
      throw UsageError("\(option) is what the file says: --file stands alone")
    }
    let name = try invocation.operands.first.map { try BotName(parsing: $0) }
    let text = try Invocation.read(file)
    var card: Card
    do { card = try Card(specification: Array(text.utf8), name: name) } catch {
      let shown = file == "-" ? "standard input" : Output.excerpt(file, 80)
      for problem in error.problems { Output.talk("spool: \(shown): \(problem)") }
      return .badData
    }
    let spool = try invocation.spool()
    // Since when a bot is there isn't changed by saying anew what it is.
    if try spool.exists(card.name), let before = try? spool.card(of: card.name) {
      card.registeredAt = before.registeredAt ?? card.registeredAt
    }
    try spool.register(card)
    if invocation.isJSON { invocation.output.write(encoded(card) + [10]) }
    return .done
  }

  static func encoded(_ card: Card) -> [UInt8] {
    var writer = JSONWriter()
    card.write(to: &writer)
    return writer.bytes
  }
}
