import Spool
import SpoolFormat

extension Verb {
  static let trace = Verb(
    name: "trace", summary: "show everything that ever happened to a message or a task", usage: "ID",
    example: "spool trace 8f3a", exits: "0 done, 1 no such message or task, 65 an id of several, 69 no spool"
  ) { invocation in
    try invocation.expect(atMost: 1)
    let part = try invocation.operand(0, "ID")
    let spool = try invocation.spool()
    let id = try History(spool).identifier(part)
    let events = try History(spool).trace(id)
    guard !events.isEmpty else { throw SpoolError(.notFound, "nothing is known of \(id)", hint: "see: spool log") }
    for event in events {
      if invocation.isJSON {
        MessageView.write(event, to: invocation.output)
      } else {
        invocation.output.line(MessageView.line(event))
      }
    }
    let isTask = events.contains { $0.kind.isOfTask }
    if invocation.isJSON { return .done }
    if isTask, try spool.findTask(id) == nil, try showFromLog(id, events, spool, invocation.output) { return .done }
    Output.talk(
      "the whole \(isTask ? "task: spool task" : "message: spool") show \(MessageView.short(id.description))")
    return .done
  }

  /// Shows a task whose file is gone as the log has it last.
  /// - Returns: false when the log doesn't have it, or somebody has brought it back.
  private static func showFromLog(
    _ id: MessageID, _ events: [LogEvent], _ spool: Spool, _ output: Output
  ) throws -> Bool {
    for event in events.reversed() {
      guard let entry = event.entry, var record = event.taskBytes.flatMap({ try? TaskRecord(parsing: $0) }) else {
        continue
      }
      record.id = id
      output.line("\nits file is gone; as the log has it last:\n")
      try TaskPage(StoredTask(entry: entry, record: record), spool).write(to: output)
      return true
    }
    return false
  }

  static let show = Verb(
    name: "show", summary: "show a whole message, wherever it is", usage: "ID",
    example: "spool show 8f3a", exits: "0 done, 1 no such message, 65 an id of several, 69 no spool"
  ) { invocation in
    try invocation.expect(atMost: 1)
    let part = try invocation.operand(0, "ID")
    let spool = try invocation.spool()
    let id = try History(spool).identifier(part)
    guard let (message, recipients) = try spool.message(id) else {
      let isTask = try spool.findTask(id) != nil
      throw SpoolError(
        .notFound, "no message \(id)", hint: isTask ? "it is a task: spool task show \(id)" : "see: spool log")
    }
    if invocation.isJSON {
      invocation.output.write(message.encoded + [10])
    } else {
      let files = try spool.files(of: id, recipients: recipients)
      invocation.output.write(MessageView.full(message, recipients: recipients, files: files, invocation.output))
      if files.isEmpty {
        Output.talk("no file of it is left; what became of it: spool trace \(MessageView.short(id.description))")
      }
    }
    return .done
  }
}
