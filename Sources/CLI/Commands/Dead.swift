import Spool
import SpoolFormat

extension Verb {
  static let dead = Verb(
    name: "dead", summary: "list a bot's dead letters; show one, put it back, or throw it away",
    usage: "BOT [--show ID | --retry ID | --retry-all | --discard ID | --discard-all]",
    options: [
      .value("--show", "ID", "the whole message, and why it was given up"),
      .value("--retry", "ID", "put it back into the inbox, its attempts counted anew"),
      .flag("--retry-all", "put all of them back"),
      .value("--discard", "ID", "throw it away; the log keeps what it said"),
      .flag("--discard-all", "throw all of them away"),
    ],
    example: "spool dead coder\nspool dead coder --retry 8f3a",
    exits: "0 done, 1 none, 65 an id of several, 67 no such bot"
  ) { invocation in
    try invocation.expect(atMost: 1)
    let name = try invocation.operand(0, "BOT")
    let chosen = ["--show", "--retry", "--retry-all", "--discard", "--discard-all"].filter(invocation.has)
    if chosen.count > 1 { throw UsageError("\(chosen[0]) or \(chosen[1]), not both") }
    let spool = try invocation.spool()
    let bot = try spool.bot(named: name)
    let letters = try spool.deadLetters(of: bot)
    if invocation.has("--retry-all") {
      let count = try letters.filter { try spool.revive($0) }.count
      Output.talk("put back \(count)")
      return count == 0 ? .nothing : .done
    }
    if invocation.has("--discard-all") {
      let count = try letters.filter { try spool.discard($0) }.count
      Output.talk("threw away \(count)")
      return count == 0 ? .nothing : .done
    }
    if let id = invocation.value("--retry") { return try spool.revive(find(id, letters, bot)) ? .done : .nothing }
    if let id = invocation.value("--discard") { return try spool.discard(find(id, letters, bot)) ? .done : .nothing }
    if let id = invocation.value("--show") {
      let letter = try find(id, letters, bot)
      try show(letter, spool, invocation)
      return .done
    }
    if invocation.isJSON {
      for letter in letters { try show(letter, spool, invocation) }
    } else if !letters.isEmpty {
      let rows = letters.map { letter in
        let message = try? spool.message(of: letter)
        return [
          MessageView.short(letter.name.id.description), "\(letter.name.attempt)",
          Output.excerpt(message?.from ?? "", 24),
          MessageView.summary(message, 40), Output.excerpt(letter.reason, 72),
        ]
      }
      invocation.output.table(["ID", "TRIES", "FROM", "SAYS", "WHY"], rows)
    }
    if letters.isEmpty { Output.talk("\(bot) has no dead letters") }
    return letters.isEmpty ? .nothing : .done
  }

  private static func find(_ id: String, _ letters: [DeadLetter], _ bot: BotName) throws -> DeadLetter {
    // Less than that may be a part of any, and an empty variable of all.
    guard id.utf8.count >= 4 else {
      throw SpoolError(
        .badData, "\"\(id.escapedForTerminal())\" is no id", hint: "give at least four of its characters")
    }
    let part = EntryName(id)?.id.description ?? id
    let found = letters.filter { $0.name.id.description.contains(part) }
    if found.count == 1 { return found[0] }
    let shown = id.escapedForTerminal()
    if found.isEmpty {
      throw SpoolError(.notFound, "\(bot) has no dead letter \(shown)", hint: "see: spool dead \(bot)")
    }
    throw SpoolError(.badData, "\(shown) stands for \(found.count) dead letters", hint: "give more of the id")
  }

  private static func show(_ letter: DeadLetter, _ spool: Spool, _ invocation: Invocation) throws {
    let message = try? spool.message(of: letter)
    if invocation.isJSON {
      invocation.output.object { writer in
        writer.member("id", letter.name.id.description)
        writer.member("bot", letter.bot.description)
        writer.member("attempt", letter.name.attempt)
        writer.member("reason", letter.reason)
        if let message { MessageView.write(message, to: &writer) }
      }
    } else {
      invocation.output.line("\(invocation.output.styled("given up      ", .dim))\(letter.reason.escapedForTerminal())")
      if let message { invocation.output.write(MessageView.full(message, invocation.output)) }
    }
  }
}
