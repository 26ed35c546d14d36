import Linux
import Spool
import SpoolFormat

extension Message {
  /// What there is to be read in it: its text, else its data, else its context.
  var says: String {
    if let content, !content.isEmpty { return content }
    return data?.description ?? context?.description ?? ""
  }
}

/// How messages and events are shown.
enum MessageView {
  /// What a message says, on one line.
  static func summary(_ message: Message?, _ count: Int = 72) -> String {
    Output.excerpt(message?.says ?? "", count)
  }

  /// The last characters of an id's random part are enough to name it, and short enough to type.
  static func short(_ id: String) -> String { String(id.suffix(16).prefix(8)) }

  static func write(_ message: Message, to writer: inout JSONWriter) {
    writer.key("message")
    message.write(to: &writer)
  }

  /// Prints the answer to a request.
  /// - Throws: when nobody can have seen it; such an answer must not be settled.
  static func show(answer: Message, _ invocation: Invocation) throws {
    let output = invocation.output
    if invocation.isJSON {
      output.object { writer in
        writer.member("id", ifPresent: answer.inReplyTo)
        write(answer, to: &writer)
      }
    } else {
      output.line(output.isTerminal ? answer.says.escapedForTerminal(keepingLines: true) : answer.says)
    }
    guard output.finish(.done) == .done else {
      let bot = answer.to.first ?? "BOT"
      throw SpoolError(.inputOutput, "the answer could not be shown, and waits", hint: "spool receive \(bot)")
    }
  }

  /// Who sent it by what the file system says; nothing where the spool isn't shared.
  static func write(_ sender: Sender?, to writer: inout JSONWriter) {
    guard let sender else { return }
    writer.member("from_verified", sender.isVerified)
    writer.member("from_user", ifPresent: sender.user == nil ? nil : sender.name)
    writer.member("from_problem", ifPresent: sender.problem)
  }

  /// The same, to be put behind the name of who says that it is from him.
  static func words(_ sender: Sender?) -> String {
    guard let sender else { return "" }
    return sender.problem.map { " (user \(sender.name), NOT VERIFIED: \($0))" } ?? " (user \(sender.name), verified)"
  }

  static func mark(_ sender: Sender?) -> String {
    sender.map { $0.isVerified ? " (\($0.name))" : " (?\($0.name))" } ?? ""
  }

  /// The event as JSON, as it stands in the log but for the envelope's constants.
  static func write(_ event: LogEvent, to output: Output) {
    output.object { writer in
      writer.member("time", moment: event.time)
      writer.member("type", event.kind.description)
      writer.member("subject", event.subject)
      writer.member("source", event.source)
      writer.member("user", ifPresent: event.writtenBy.map { Accounts.shown(user: $0) })
      writer.member("data", event.data)
    }
  }

  /// As long as `unregistered`, the longest of them.
  private static let verbWidth = 12
  /// Of most. The longest of those that are to come isn't known.
  private static let userWidth = 8

  private static func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }

  /// An event on one line: when, what, who, and what it says.
  static func line(_ event: LogEvent) -> String {
    let verb = Output.excerpt(event.kind.description.split(separator: ".").last.map(String.init) ?? "?", 24)
    let isMessage = MessageID(event.subject) != nil
    let id = isMessage ? short(event.subject) : ""
    let user = event.writtenBy.map { padded(Accounts.shown(user: $0), userWidth) + "  " } ?? ""
    return
      "\(TimeText.local(event.time))  \(user)\(padded(verb, verbWidth))  \(id.isEmpty ? "" : id + "  ")\(details(event))"
  }

  private static func details(_ event: LogEvent) -> String {
    switch event.kind {
    case .messageSent:
      let message = event.message
      let to = message?.to.joined(separator: ", ") ?? ""
      let recipients = event.texts("recipients")
      let whom = to.isEmpty ? recipients.joined(separator: ", ") : to
      let count = recipients.count > 1 ? " (\(recipients.count))" : ""
      let type = message?.type.map { " [\($0)]" } ?? ""
      return
        "\(Output.excerpt(message?.from ?? "?", 64)) → \(Output.excerpt(whom, 64))\(count)\(type) \(summary(message, 60))"
    case .messageClaimed:
      let waited = event.number("waited_us").map { ", after \(TimeText.short(microseconds: $0))" } ?? ""
      return "by \(bot(event)), attempt \(event.number("attempt") ?? 0)\(waited)"
    case .messageAcked, .messageRequeued, .messageDead, .messageRevived, .messageRestored, .messageQuarantined,
      .messageDiscarded, .messageAckRefused:
      // What a program printed that nobody was to get, and so stands nowhere else.
      let output = event.text("output").map { "; its output: \(Output.excerpt($0))" } ?? ""
      let reason = event.text("reason").map { ": \(Output.excerpt($0))" } ?? output
      let subject = event.kind == .messageQuarantined ? "\(Output.excerpt(event.subject, 60)) " : ""
      return "\(subject)by \(bot(event))\(reason)"
    case .topicSubscribed, .topicUnsubscribed:
      return "\(Output.excerpt(event.subject, 64)) #\(Output.excerpt(event.text("topic") ?? "", 64))"
    case .stateSet, .stateDeleted:
      guard
        let value = (try? StateKey(parsing: event.subject)).flatMap({ StateValue(parsing: event.data.bytes, key: $0) })
      else {
        return Output.excerpt(event.subject, 64)
      }
      let text = value.value.map { Output.excerpt($0.description, 60) } ?? "(deleted)"
      return "\(value.key) \(text) by \(Output.excerpt(value.by ?? "?", 64)), version \(value.version)"
    case let kind where kind.isOfGroup: return GroupView.details(event)
    default: return event.kind.isOfTask ? TaskView.details(event) : Output.excerpt(event.subject, 64)
    }
  }

  private static func bot(_ event: LogEvent) -> String { Output.excerpt(event.text("bot") ?? "?", 64) }

  private static let filesMax = 10

  /// A whole message, for a person, and where its files lie.
  static func full(_ message: Message, recipients: [String] = [], files: [String] = [], _ output: Output) -> String {
    func field(_ name: String, _ value: String?) -> String {
      guard let value, !value.isEmpty else { return "" }
      let label = name + String(repeating: " ", count: max(0, 14 - name.count))
      return "\(output.styled(label, .dim))\(value.escapedForTerminal())\n"
    }
    var text = field("id", message.id?.description) + field("from", message.from)
    text += field("to", message.to.isEmpty ? recipients.joined(separator: ", ") : message.to.joined(separator: ", "))
    text += field("type", message.type?.description) + field("priority", message.priority.map { "\($0.value)" })
    text += field("conversation", message.conversation) + field("in reply to", message.inReplyTo)
    text +=
      field("sent", message.createdAt.map(TimeText.local)) + field("not before", message.notBefore.map(TimeText.local))
    text += field("expires", message.expiresAt.map(TimeText.local)) + field("key", message.idempotencyKey)
    for file in files.prefix(filesMax) { text += field("file", file) }
    if files.count > filesMax { text += field("", "and \(files.count - filesMax) more") }
    text += field("context", message.context?.description) + field("data", message.data?.description)
    for extra in message.extra { text += field(extra.name, extra.value.description) }
    if let content = message.content, !content.isEmpty {
      text += "\n\(content.escapedForTerminal(keepingLines: true))\n"
    }
    return text
  }
}
