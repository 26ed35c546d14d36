import Spool
import SpoolFormat

extension Verb {
  static let taskAdd = Verb(
    name: "task add", summary: "add a task", usage: "TITLE|-|--file F [--domain WORD] [--depends-on ID]…",
    options: [
      .value("--file", "F", "read it from a file (- from standard input): title, then description; or JSON"),
      .value("--description", "TEXT", "what is to be done"),
      .value("--domain", "WORD", "its field, such as development"),
      .value("--requirement", "TEXT", "what must hold in the end; may be given several times"),
      .value("--constraint", "TEXT", "what must not be done; likewise"),
      .value("--skill", "NAME:LEVEL", "what its bot must know; likewise"),
      .value("--priority", "N", "\(Priority.choices) (5)"),
      .value("--due", "WHEN", "a time, or a duration from now"),
      .value("--depends-on", "ID", "begins when that is completed; several, or ID,ID"),
      .value("--on-dependency-failure", "WORD", "block (default) or cancel"),
      .value("--parent", "ID", "the task that it is a part of"),
      .flag("--wait-for-children", "begins when its parts have ended, and gets their results"),
      .flag("--join", "nobody works on it: it ends with its parts, and their results are its own"),
      .value("--to", "BOT", "the only bot that is to do it"),
      .value("--max-attempts", "N", "before it has failed (3)"),
      .value("--timeout", "DURATION", "that one attempt may take"),
      .value("--retry-backoff", "DURATION", "before the second attempt, then doubled (1s)"),
      .value("--context", "JSON", "what its bot should know"),
      .value("--conversation", "NAME", "what it belongs to"),
      .value("--by", "NAME", "who adds it (else $SPOOL_BOT, else your user name, or human)"),
      .flag("--relaxed", "answer before the disk has it: quicker, and lost in a power cut"),
      .flag("--durable", "answer when the disk has it"),
    ],
    example: """
      spool task add "write the parser" --domain development --priority high --due 2h
      spool task add "test it" --depends-on 8f3a --to tester
      """,
    exits: "0 kept (prints its id), 1 no such task, 65 bad data or a cycle, 67 no such bot, 69 no spool, 75 no room"
  ) { invocation in
    try invocation.expect(atMost: 1)
    let durability = try durability(invocation)
    let spool = try invocation.taskSpool()
    var record = try firstRecord(invocation)
    try fill(&record, invocation)
    try relate(&record, invocation, spool)
    try record.check()
    if let id = record.id, try spool.findTask(id) != nil {
      throw SpoolError(.badData, "there is a task \(id) already", hint: "leave out its \"id\", and it gets a new one")
    }
    if let id = record.id, spool.isAhead(id) {
      throw SpoolError(
        .badData, "the id \(id) is of a time that is more than an hour ahead", hint: "leave it out, or set the clock")
    }
    let entry = try spool.addTask(record, by: try invocation.author(), durability: durability)
    if invocation.isJSON { TaskView.write(entry, to: invocation.output) } else { invocation.output.line("\(entry.id)") }
    return invocation.output.finish(kept: entry.id)
  }

  /// The title alone, or what a file says: the title on its first line and the description below, as with commits, or
  /// the task in JSON.
  private static func firstRecord(_ invocation: Invocation) throws -> TaskRecord {
    guard invocation.value("--file") != nil || invocation.operands.isEmpty || invocation.isStandardInput(0) else {
      return TaskRecord(title: invocation.operands[0])
    }
    let text = try invocation.text(operand: 0)
    if text.utf8.first(where: { $0 > 32 }) == UInt8(ascii: "{") { return try TaskRecord(parsing: Array(text.utf8)) }
    // "\r\n" is one character, and no "\n".
    let lines = text.split(maxSplits: 1, omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    var record = TaskRecord(title: String(lines[0]))
    let description = lines.count > 1 ? lines[1].drop(while: \.isNewline) : ""
    if !description.isEmpty { record.description = String(description) }
    return record
  }

  private static func fill(_ record: inout TaskRecord, _ invocation: Invocation) throws {
    if let text = invocation.value("--description") { record.description = text }
    if let word = invocation.value("--domain") { record.domain = word }
    record.requirements += invocation.all("--requirement")
    record.constraints += invocation.all("--constraint")
    record.requiredSkills += try invocation.all("--skill").map { try Card.Skill(parsing: $0) }
    if let text = invocation.value("--priority") { record.priority = try Priority(parsing: text) }
    record.dueAt = try invocation.moment("--due", sign: 1) ?? record.dueAt
    if let text = invocation.value("--on-dependency-failure") {
      guard let value = TaskRecord.DependencyFailure(rawValue: text) else {
        throw UsageError("--on-dependency-failure \(Output.excerpt(text, 20)) is neither block nor cancel")
      }
      record.onDependencyFailure = value
    }
    if invocation.has("--wait-for-children") { record.waitsForChildren = true }
    if invocation.has("--join") { record.isJoin = true }
    if let count = try invocation.number("--max-attempts", in: 1...EntryName.attemptMax) { record.attemptsMax = count }
    if let seconds = try invocation.duration("--timeout") {
      guard seconds >= 0.01 else { throw UsageError("--timeout must be 10ms at least") }
      record.timeoutSeconds = seconds
    }
    if let seconds = try invocation.duration("--retry-backoff") {
      guard seconds <= 1e6 else { throw UsageError("--retry-backoff must be 11 days at most") }
      record.retryBackoffSeconds = seconds
    }
    record.context = try invocation.json("--context") ?? record.context
    if let name = invocation.value("--conversation") { record.conversation = name }
    if let name = invocation.value("--by") { record.createdBy = name }
  }

  private static func relate(_ record: inout TaskRecord, _ invocation: Invocation, _ spool: Spool) throws {
    for text in invocation.all("--depends-on").flatMap({ $0.split(separator: ",") }) {
      let id = try spool.task(named: String(text)).id
      if !record.dependsOn.contains(id) { record.dependsOn.append(id) }
    }
    if let text = invocation.value("--parent") {
      let parent = try spool.task(named: text)
      if parent.state.isFinal {
        throw SpoolError(
          .badData, "\(parent.id) is \(parent.state.rawValue), and gets no more parts",
          hint: "see: spool task show \(TaskView.short(parent.id))")
      }
      record.parent = parent.id
    }
    if let name = invocation.value("--to") {
      let bot = try BotName(parsing: name)
      try spool.requireTaker(bot)
      record.assignTo = bot
    }
  }
}
