import Spool
import SpoolFormat

extension Verb {
  static let sendingOptions: [Option] = [
    .value("--from", "BOT", "the sender (else $SPOOL_BOT, else your user name, or human)"),
    .value("--file", "F", "send what is in the file; without TEXT, this, --data and --context: standard input"),
    .value("--type", "WORD", "request, broadcast, discussion, notification, handoff, status, error or another word"),
    .value("--priority", "N", "\(Priority.choices) (5)"),
    .value("--conversation", "NAME", "what it belongs to"),
    .value("--reply-to", "ID", "the message that it answers"),
    .value("--context", "JSON", "what the receiver should know"),
    .value("--data", "JSON", "what programs should read (- reads it from standard input)"),
    .value("--expires", "WHEN", "not handed out after: a time, or a duration from now"),
    .value("--not-before", "WHEN", "not handed out before: a time, or a duration from now"),
    .value("--key", "KEY", "idempotency: a second send with it delivers nothing, and prints the first's id"),
    .flag("--relaxed", "answer before the disk has it: quicker, and lost in a power cut"),
    .flag("--durable", "answer when the disk has it"),
  ]

  static let send = Verb(
    name: "send", summary: "send a message to a bot, several, the team, a topic, or whoever is best",
    usage: "TO[,TO…] TEXT|-|--file F",
    options: sendingOptions + [
      .value("--attention", "N", "of all who would get it, only the N that matter most for it")
    ] + routingOptions,
    example: """
      spool send coder "write a parser for RFC 3339"
      git diff | spool send reviewer,tester -
      spool send team "lunch"
      spool send 'any:skill=swift>=advanced' "write a parser" --explain
      """,
    exits:
      "0 kept (prints its id), 1 nobody subscribes, 65 bad JSON or name, 67 no such bot, 69 no spool, 75 no room, full, or nobody there",
    notes: """
      TO is a bot, team (all bots but the sender), '#builds' (who subscribes to that topic; quote the #), or any:…, or several
      of these with commas between them.
      \(routingNotes)
      """
  ) { invocation in
    try invocation.expect(atMost: 2)
    let to = try invocation.operand(0, "TO").split(separator: ",").map(String.init)
    return try send(invocation, to: to, textAt: 1)
  }

  static let publish = Verb(
    name: "publish", summary: "send to those who subscribe to a topic", usage: "TOPIC TEXT|-|--file F",
    options: sendingOptions, example: "spool publish builds \"main is green\"",
    exits:
      "0 kept (prints its id), 1 nobody subscribes, 65 bad name, 69 no spool, 75 no room, or an inbox is full: nothing was sent"
  ) { invocation in
    try invocation.expect(atMost: 2)
    let topic = try invocation.operand(0, "TOPIC")
    return try send(invocation, to: [topic.hasPrefix("#") ? topic : "#" + topic], textAt: 1)
  }

  private static func send(_ invocation: Invocation, to: [String], textAt index: Int) throws -> Exit {
    var message = try message(invocation)
    message.to = to
    let spool = try invocation.spool()
    message.from = try invocation.sender()
    // Wrong names are said before a text is waited for.
    let routes = try Routes(invocation, spool, to)
    for name in routes.named where name != "team" && !name.hasPrefix("#") { _ = try spool.bot(named: name) }
    try readContent(of: &message, invocation, textAt: index)
    if let part = invocation.value("--reply-to") {
      let original = try History(spool).identifier(part)
      message.inReplyTo = original.description
      if message.conversation == nil {
        message.conversation = try spool.message(original)?.message.conversationKey ?? original.description
      }
    }
    try routes.apply(to: &message)
    let id = try spool.send(message, durability: try durability(invocation))
    tellUndelivered(spool)
    if invocation.isJSON {
      invocation.output.object { writer in
        writer.member("id", id.description)
        routes.write(to: &writer)
      }
    } else {
      invocation.output.line("\(id)")
    }
    return invocation.output.finish(kept: id)
  }

  static func durability(_ invocation: Invocation) throws -> Durability? {
    if invocation.has("--relaxed"), invocation.has("--durable") { throw UsageError("--relaxed or --durable, not both") }
    return invocation.has("--relaxed") ? .relaxed : invocation.has("--durable") ? .durable : nil
  }

  /// What the options say of a message.
  static func message(_ invocation: Invocation) throws -> Message {
    var message = Message()
    message.type = try invocation.value("--type").map { try MessageType(parsing: $0) }
    message.priority = try invocation.value("--priority").map { try Priority(parsing: $0) }
    message.conversation = try invocation.label("--conversation")
    message.context = try json(invocation, "--context")
    if !readsData(invocation) { message.data = try json(invocation, "--data") }
    message.expiresAt = try invocation.moment("--expires", sign: 1)
    if let expiry = message.expiresAt, expiry <= TimeText.now() {
      throw SpoolError(
        .badData, "the message would have expired already, at \(expiry.rfc3339)",
        hint: "nothing was sent; give a later time to expire at")
    }
    message.notBefore = try invocation.moment("--not-before", sign: 1)
    message.idempotencyKey = try invocation.label("--key")
    return message
  }

  private static func readsData(_ invocation: Invocation) -> Bool { invocation.value("--data") == "-" }

  /// What it says, and its data where they come from standard input: after all else, as they may be long in coming.
  static func readContent(of message: inout Message, _ invocation: Invocation, textAt index: Int) throws {
    guard readsData(invocation) else {
      message.content = try invocation.content(operand: index)
      return
    }
    let isText = index < invocation.operands.count && invocation.isStandardInput(index)
    guard !isText, invocation.value("--file") != "-" else {
      throw UsageError("standard input can be the text or --data, not both")
    }
    message.content = try invocation.content(operand: index)
    do { message.data = try JSONText(validating: try Invocation.read("-")) } catch let error as JSONError {
      throw FormatError("standard input is not JSON: \(error)")
    }
  }

  /// Says what was kept and can't be delivered yet.
  static func tellUndelivered(_ spool: Spool) {
    for problem in spool.takeProblems() { Output.talk("spool: \(problem)") }
  }

  private static func json(_ invocation: Invocation, _ name: String) throws -> JSONText? {
    guard let text = invocation.value(name) else { return nil }
    do { return try JSONText(validating: text) } catch {
      throw FormatError("\(name) is not JSON: \(error); a plain text goes in quotes: '\"text\"'")
    }
  }
}
