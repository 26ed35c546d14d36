import Linux
import Spool
import SpoolFormat

extension Verb {
  static let filterOptions: [Option] = [
    .value("--from", "BOT", "sent by it"),
    .value("--to", "BOT", "sent to it"),
    .value("--type", "WORD", "of the message (request) or of the event (message.acked)"),
    .value("--conversation", "NAME", "that it belongs to"),
    .value("--since", "WHEN", "a time, or a duration such as 10m ago"),
    .value("--until", "WHEN", "likewise"),
    .value("--limit", "N", "the newest so many"),
  ]

  static func filter(_ invocation: Invocation) throws -> History.Filter {
    // Nobody is called that: most likely a variable isn't set.
    for name in ["--bot", "--from", "--to", "--type", "--conversation"] where invocation.value(name) == "" {
      throw UsageError("\(name) is empty")
    }
    var filter = History.Filter()
    filter.bot = invocation.value("--bot")
    filter.from = invocation.value("--from")
    filter.to = invocation.value("--to")
    filter.type = invocation.value("--type")
    filter.conversation = invocation.value("--conversation")
    filter.since = try invocation.moment("--since", sign: -1)
    filter.until = try invocation.moment("--until", sign: -1)
    return filter
  }

  /// Names in a filter that no bot has: where nothing was found, most likely mistakes. A bot that was removed is in the
  /// log still, so they are none before.
  private static func unknownBots(_ filter: History.Filter, _ spool: Spool) -> String {
    let names = [filter.bot, filter.from, filter.to].compactMap { $0 }
    return names.compactMap { name -> String? in
      guard name != "team", !name.hasPrefix("#") else { return nil }
      do { _ = try spool.bot(named: name) } catch let error as SpoolError where error.code == .noSuchBot {
        let near = NearMatch.of(name, among: ((try? spool.bots()) ?? []).map(\.description))
        return "; \(error.message)" + (near.isEmpty ? "" : ": did you mean \(near.joined(separator: ", "))?")
      } catch {}
      return nil
    }.joined()
  }

  static let log = Verb(
    name: "log", summary: "show what happened, oldest first", usage: "[--follow] [--since WHEN] [--bot BOT]",
    options: [
      .flag("--follow", "go on with what happens from now"),
      .value("--bot", "BOT", "that had to do with it"),
    ]
      + filterOptions.map {
        $0.name == "--limit" ? .value("--limit", "N", "the newest so many (100; all with --since)") : $0
      },
    example: "spool log --since 1h --bot coder\nspool log --follow --json | jq .type",
    exits: "0 done, 1 nothing there, 69 no spool"
  ) { invocation in
    try invocation.expect(atMost: 0)
    let filter = try filter(invocation)
    let limit = try invocation.number("--limit", in: 1...1_000_000_000)
    let spool = try invocation.spool()
    let history = History(spool)
    let output = invocation.output
    func show(_ event: LogEvent) {
      if invocation.isJSON { MessageView.write(event, to: output) } else { output.line(MessageView.line(event)) }
    }
    var count = 0
    // Taken before anything is shown: what is written while a slow reader reads is followed from here.
    let end = invocation.has("--follow") ? try history.end() : nil
    let recent = TimeText.now().advanced(bySeconds: -60)
    var shown: Set<String> = []
    func note(_ event: LogEvent) { if end != nil, event.time > recent { shown.insert("\(event.source) \(event.id)") } }
    if filter.since != nil, limit == nil {
      try history.forEach(filter) { event in
        show(event)
        note(event)
        count += 1
        return true
      }
    } else {
      let events = try history.newest(filter, limit: limit ?? 100)
      for event in events.reversed() {
        show(event)
        note(event)
      }
      count = events.count
    }
    if let end {
      guard output.flush() else { return .done }
      let reader = ReaderWatch(of: 1)
      try history.follow(filter, from: end, interruption: reader?.descriptor) { event in
        if shown.remove("\(event.source) \(event.id)") != nil { return true }
        show(event)
        return output.flush()
      }
      return .done
    }
    if count == 0 { Output.talk("nothing in the log that matches\(unknownBots(filter, spool))") }
    return count == 0 ? .nothing : .done
  }

  static let search = Verb(
    name: "search", summary: "find messages and tasks by what they say, newest first",
    usage: "WORD… [--from BOT] [--since WHEN]",
    options: filterOptions.map { $0.name == "--limit" ? .value("--limit", "N", "at most so many (20)") : $0 },
    example: "spool search parser '\"race condition\"' --from tester", exits: "0 found, 1 none, 69 no spool"
  ) { invocation in
    guard !invocation.operands.isEmpty else { throw UsageError("WORD is missing") }
    var filter = try filter(invocation)
    filter.sentOnly = true
    filter.withTasks = true
    filter.phrases = invocation.operands.flatMap(phrases)
    guard !filter.phrases.isEmpty else { throw UsageError("there is no word to search for") }
    let limit = try invocation.number("--limit", in: 1...1_000_000_000) ?? 20
    let spool = try invocation.spool()
    let found = try newestOfEach(History(spool), filter, limit: limit)
    for event in found {
      if invocation.isJSON {
        MessageView.write(event, to: invocation.output)
      } else {
        invocation.output.line(MessageView.line(event))
      }
    }
    if found.isEmpty { Output.talk("nothing says that\(unknownBots(filter, spool))") }
    return found.isEmpty ? .nothing : .done
  }

  /// Whatever changes a task says all of it again: the newest is enough.
  private static func newestOfEach(_ history: History, _ filter: History.Filter, limit: Int) throws -> [LogEvent] {
    var looked = limit
    while true {
      looked *= 4
      let events = try history.newest(filter, limit: looked)
      var tasks: Set<String> = []
      let found = events.filter { !$0.kind.isOfTask || tasks.insert($0.subject).inserted }.prefix(limit)
      if found.count == limit || events.count < looked { return Array(found) }
    }
  }

  /// Words, and phrases in double quotes.
  static func phrases(_ text: String) -> [String] {
    var phrases: [String] = []
    for (index, part) in text.split(separator: "\"", omittingEmptySubsequences: false).enumerated() {
      if index % 2 == 1 { phrases.append(String(part)) } else { phrases += part.split(separator: " ").map(String.init) }
    }
    return phrases.filter { !$0.isEmpty }
  }
}
