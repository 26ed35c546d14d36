import SpoolFormat

/// Decides which lines of the log somebody asked for: first by a text that all of them must hold, at the speed of
/// memory, then by what the event says.
struct EventMatcher: Sendable {
  let filter: History.Filter
  private let search: TextSearch?
  let needle: String?
  private let phrases: [TextSearch]

  init(_ filter: History.Filter) {
    self.filter = filter
    // In the log a text stands with JSON's escapes.
    let texts = filter.phrases.map {
      String(decoding: JSONText(string: $0).bytes.dropFirst().dropLast(), as: UTF8.self)
    }
    phrases = texts.map { TextSearch($0) }
    // The longest is likely the rarest.
    let longest = (texts + [filter.conversation ?? ""]).max { $0.utf8.count < $1.utf8.count } ?? ""
    needle = longest.isEmpty ? (filter.bot ?? filter.from ?? filter.to) : longest
    search = needle.map { TextSearch($0) }
  }

  /// Whether a segment may hold events before `until`. That it may hold some after `since` shows only when it is read.
  func mayHold(_ segment: LogFiles.Segment) -> Bool {
    filter.until.map { segment.start <= $0.advanced(bySeconds: 60) } ?? true
  }

  func isTooOld(_ event: LogEvent) -> Bool { filter.since.map { event.time < $0 } ?? false }

  func forEachCandidate(in lines: UnsafeBufferPointer<UInt8>, _ body: (UnsafeBufferPointer<UInt8>) -> Bool) {
    if let search { _ = forEachMatch(of: search, in: lines, body) } else { _ = forEachLine(lines, body) }
  }

  func matches(_ event: LogEvent) -> Bool {
    if filter.sentOnly, event.kind != .messageSent { return false }
    if isTooOld(event) { return false }
    if let until = filter.until, event.time > until { return false }
    let needsMessage =
      filter.from != nil || filter.conversation != nil || filter.bot != nil || !phrases.isEmpty
      || filter.to != nil || (filter.type != nil && !filter.type!.contains("."))
    guard needsMessage else { return filter.type.map { $0 == event.kind.description } ?? true }
    if let type = filter.type, type.contains("."), type != event.kind.description { return false }
    return event.data.withSlice { data in
      let message = data["message"]
      if let bot = filter.bot, !concerns(bot, event, data, message) { return false }
      if let from = filter.from, message?["from"]?.string != from { return false }
      if let to = filter.to, !isAddressed(to, data, message) { return false }
      if let type = filter.type, !type.contains("."), message?["type"]?.string != type { return false }
      if let conversation = filter.conversation {
        let own = message?["conversation"]?.string ?? event.subject
        guard own == conversation else { return false }
      }
      return phrases.allSatisfy { says($0, message) }
    }
  }

  private func concerns(_ bot: String, _ event: LogEvent, _ data: JSONSlice, _ message: JSONSlice?) -> Bool {
    event.subject == bot || data["bot"]?.string == bot || message?["from"]?.string == bot
      || isAddressed(bot, data, message)
  }

  private func isAddressed(_ to: String, _ data: JSONSlice, _ message: JSONSlice?) -> Bool {
    var found = false
    data["recipients"]?.forEachElement { if $0.string == to { found = true } }
    if let target = message?["to"] {
      if target.string == to { found = true }
      target.forEachElement { if $0.string == to { found = true } }
    }
    return found
  }

  /// Whether the phrase occurs in what the message says: its content, data, context, and fields of its own.
  private func says(_ phrase: TextSearch, _ message: JSONSlice?) -> Bool {
    guard let message else { return false }
    var found = false
    message.forEachMember { key, value in
      let isAddress = ["id", "from", "to", "created_at", "in_reply_to", "conversation", "priority"]
        .contains { (name: StaticString) in key.equals(name) }
      if !found, !isAddress, phrase.firstMatch(in: value.bytes, from: 0) != nil { found = true }
    }
    return found
  }
}
