import Spool
import SpoolFormat

extension Verb {
  static let reply = Verb(
    name: "reply", summary: "answer a message", usage: "ID|CLAIM TEXT|-|--file F [--ack]",
    options: [
      .value("--from", "BOT", "the sender (else $SPOOL_BOT, else who alone got the message, else as with send)")
    ] + sendingOptions.filter { !["--from", "--reply-to", "--conversation"].contains($0.name) } + [
      .flag("--ack", "settle the claim that was named, too")
    ],
    example: "spool reply 8f3a \"done: see branch rfc3339\"",
    exits:
      "0 kept (prints its id), 1 no such message, 3 the claim is lost: nothing was sent, 65 it has no sender, 67 the sender is no bot"
  ) { invocation in
    try invocation.expect(atMost: 2)
    let named = try invocation.operand(0, "ID")
    let spool = try invocation.spool()
    let asked = try History(spool).identifier(named)
    guard let (original, recipients) = try spool.message(asked) else {
      throw SpoolError(.notFound, "no message \(asked)", hint: "see: spool log")
    }
    var content = try message(invocation)
    let isOwn = invocation.value("--from") == nil && Invocation.environment("SPOOL_BOT") == nil && recipients.count == 1
    let sender = isOwn ? recipients[0] : try invocation.sender()
    try readContent(of: &content, invocation, textAt: 1)
    let answer = try spool.reply(to: original, from: sender, content)
    let durability = try durability(invocation)
    let claim = invocation.has("--ack") ? try spool.claim(named: named) : nil
    // Somebody else may be at work on it, if its lease ran out: then nothing is sent.
    if let claim { try spool.extend(claim.bot, claim.name) }
    let id = try spool.send(answer, durability: durability)
    // It is sent, and that is said, whatever comes of the ack.
    tellUndelivered(spool)
    if invocation.isJSON {
      invocation.output.object { $0.member("id", id.description) }
    } else {
      invocation.output.line("\(id)")
    }
    let exit = invocation.output.finish(kept: id)
    do { if let claim { try spool.ack(claim.bot, claim.name) } } catch let error as SpoolError {
      throw SpoolError(
        error.code, "the answer is sent, and the message isn't settled: \(error.message)",
        hint: "settle it with: spool ack \(named)", cause: error.cause)
    }
    return exit
  }

  static let request = Verb(
    name: "request", summary: "send a request and wait for its answer", usage: "TO TEXT|-|--file F [--wait DURATION]",
    options: [.value("--wait", "DURATION", "how long at most (30s)")]
      + sendingOptions.filter { $0.name != "--reply-to" } + routingOptions,
    example: """
      spool request coder "which Swift do we build with?" --wait 1m
      spool request any:research "what is new in parsing?"
      """,
    exits:
      "0 answered (prints the answer), 1 the wait ended, 2 the answer is an error, 67 no such bot, 69 no spool, 75 nobody is there",
    notes: routingNotes
  ) { invocation in
    try invocation.expect(atMost: 2)
    let to = try invocation.operand(0, "TO")
    let seconds = try invocation.duration("--wait") ?? 30
    var message = try message(invocation)
    let spool = try invocation.spool()
    guard !to.contains(","), to != "team", !to.hasPrefix("#") else {
      throw UsageError("a request goes to one bot; several are told with: spool send")
    }
    let routes = try Routes(invocation, spool, [to])
    message.to = try routes.named.map { try spool.bot(named: $0).description }
    try readContent(of: &message, invocation, textAt: 1)
    let sender = try BotName(parsing: try invocation.sender())
    message.from = sender.description
    message.type = message.type ?? .request
    try routes.apply(to: &message)
    // Last of all: what can't be sent makes no bot.
    try spool.check(message)
    if try !spool.exists(sender) {
      var card = Card(name: sender)
      card.description = "asks by spool request"
      try spool.register(card)
      Output.talk("registered \(sender), so that the answer has an inbox to come to")
    }
    let (id, answer) = try spool.request(
      message, waiting: seconds, settling: { try MessageView.show(answer: $0, invocation) })
    tellUndelivered(spool)
    guard let answer else {
      let waited = TimeText.short(microseconds: Int(seconds * 1e6))
      let standing = whereItStands(id, message, spool)
      Output.talk(
        "spool: no answer from \(message.to.joined()) after \(waited): \(standing); see: spool trace \(id)")
      return .nothing
    }
    return answer.type == .error ? .failed : .done
  }

  /// What becomes of a request that nobody waits for any more.
  private static func whereItStands(_ id: MessageID, _ message: Message, _ spool: Spool) -> String {
    let later = "an answer will come to the inbox of who asked"
    switch (try? History(spool).trace(id))?.last?.kind {
    case .messageClaimed?: return "it is in hand, and \(later)"
    case .messageAcked?: return "it was done, and nothing was answered"
    case .messageDead?: return "it was given up"
    default:
      if let end = message.expiresAt, end <= TimeText.now() { return "it has expired, and nobody gets it any more" }
      return "it waits still, and \(later)"
    }
  }
}
