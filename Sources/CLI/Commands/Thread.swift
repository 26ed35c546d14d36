import Spool
import SpoolFormat

extension Verb {
  static let thread = Verb(
    name: "thread", summary: "show a conversation, or list the latest ones", usage: "[ID|CONVERSATION]",
    options: [.value("--limit", "N", "list at most so many (20)")],
    example: "spool thread\nspool thread 8f3a",
    exits: "0 done, 1 no such conversation, 65 an id of several, 69 no spool"
  ) { invocation in
    try invocation.expect(atMost: 1)
    let limit = try invocation.number("--limit", in: 1...1_000_000) ?? 20
    let spool = try invocation.spool()
    guard let name = invocation.operands.first else { return try list(spool, limit, invocation) }
    var events = try History(spool).thread(name)
    if events.isEmpty, History.isPart(name) {
      do {
        let id = try History(spool).identifier(name)
        let key = try spool.message(id)?.message.conversationKey ?? id.description
        events = try History(spool).thread(key)
      } catch let error as SpoolError where error.code == .notFound {}
    }
    guard !events.isEmpty else {
      throw SpoolError(.notFound, "no conversation \(name.escapedForTerminal())", hint: "list them with: spool thread")
    }
    for event in events {
      if invocation.isJSON {
        MessageView.write(event, to: invocation.output)
      } else {
        show(event, invocation.output)
      }
    }
    return .done
  }

  private static func show(_ event: LogEvent, _ output: Output) {
    let message = event.message
    let whom = message.map { $0.to.isEmpty ? event.texts("recipients") : $0.to }?.joined(separator: ", ") ?? ""
    let type = message?.type.map { " [\($0)]" } ?? ""
    let head =
      "\(TimeText.local(event.time))  \(Output.excerpt(message?.from ?? "?", 64)) → \(Output.excerpt(whom, 200))\(type)"
    output.line(output.styled(head, .bold) + "  " + output.styled(MessageView.short(event.subject), .dim))
    for line in (message?.says ?? "").split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
      output.line("  \(String(line).escapedForTerminal())")
    }
  }

  /// Conversations among the latest messages: counting all of them would mean reading all of the log.
  private static func list(_ spool: Spool, _ limit: Int, _ invocation: Invocation) throws -> Exit {
    struct Summary {
      var count = 0
      var last: LogEvent
      var bots: Set<String> = []
    }
    var filter = History.Filter()
    filter.sentOnly = true
    var order: [String] = []
    var summaries: [String: Summary] = [:]
    for event in try History(spool).newest(filter, limit: 10_000) {
      guard let message = event.message else { continue }
      let key = message.conversation ?? event.subject
      if summaries[key] == nil {
        guard order.count < limit else { continue }
        order.append(key)
        summaries[key] = Summary(last: event)
      }
      summaries[key]!.count += 1
      summaries[key]!.bots.formUnion([message.from ?? "?"] + event.texts("recipients"))
    }
    if invocation.isJSON {
      for key in order {
        invocation.output.object { writer in
          writer.member("conversation", key)
          writer.member("messages", summaries[key]!.count)
          writer.member("bots", summaries[key]!.bots.sorted())
          writer.member("last", moment: summaries[key]!.last.time)
        }
      }
    } else if !order.isEmpty {
      let rows = order.map { key -> [String] in
        let summary = summaries[key]!
        let shown = MessageID(key) == nil ? Output.excerpt(key, 32) : MessageView.short(key)
        return [
          shown, "\(summary.count)", TimeText.local(summary.last.time),
          Output.excerpt(summary.bots.sorted().joined(separator: " "), 40),
          MessageView.summary(summary.last.message, 48),
        ]
      }
      invocation.output.table(["CONVERSATION", "MESSAGES", "LAST", "BOTS", "LAST SAID"], rows)
    }
    if order.isEmpty { Output.talk("no conversations yet") }
    return order.isEmpty ? .nothing : .done
  }
}
