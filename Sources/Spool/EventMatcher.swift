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
    func logged(_ text: String) -> String {
      String(decoding: JSONText(string: text).bytes.dropFirst().dropLast(), as: UTF8.self)
    }
    let texts = filter.phrases.map(logged)
    phrases = texts.map { TextSearch($0) }
    // The longest is likely the rarest.
    let longest = (texts + [logged(filter.conversation ?? "")]).max { $0.utf8.count < $1.utf8.count } ?? ""
    needle = longest.isEmpty ? (filter.bot ?? filter.from ?? filter.to).map(logged) : longest
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
    if filter.sentOnly, event.kind != .messageSent, !(filter.withTasks && event.kind.isOfTask) { return false }
    if filter.tasksOnly, !event.kind.isOfTask { return false }
    if isTooOld(event) { return false }
    if let until = filter.until, event.time > until { return false }
    let isOfKind = filter.type.map { $0 == event.kind.description } ?? true
    // A message's type may have a dot, too.
    if !isOfKind, filter.type!.contains("."), event.kind != .messageSent { return false }
    let needsMessage =
      filter.from != nil || filter.conversation != nil || filter.bot != nil || !phrases.isEmpty
      || filter.to != nil || !isOfKind
    guard needsMessage else { return true }
    return event.data.withSlice { data in
      // A task's body is read as a message's.
      let message = data["message"] ?? data["task"]
      if let bot = filter.bot, !concerns(bot, event, data, message) { return false }
      if let from = filter.from, message?.sender != from { return false }
      if let to = filter.to, !isAddressed(to, data, message) { return false }
      if !isOfKind, message?.messageType != filter.type { return false }
      if let conversation = filter.conversation {
        let own = message?.conversation ?? event.subject
        guard own == conversation else { return false }
      }
      return phrases.allSatisfy { says($0, message) }
    }
  }

  private func concerns(_ bot: String, _ event: LogEvent, _ data: JSONSlice, _ message: JSONSlice?) -> Bool {
    event.subject == bot || data["bot"]?.string == bot || data["by"]?.string == bot || message?.sender == bot
      || isAddressed(bot, data, message)
  }

  private func isAddressed(_ to: String, _ data: JSONSlice, _ message: JSONSlice?) -> Bool {
    var found = false
    data["recipients"]?.forEachElement { if $0.string == to { found = true } }
    if let target = message?.first(of: ["to", "recipient_id", "assign_to"]) {
      if target.string == to { found = true }
      target.forEachElement { if $0.string == to { found = true } }
    }
    return found
  }

  private static let addresses: [StaticString] = [
    "id", "from", "to", "created_at", "in_reply_to", "conversation", "priority", "sender_id", "recipient_id",
    "timestamp", "response_to_id", "conversation_id", "created_by", "parent", "depends_on", "children", "submitted_by",
  ]

  /// Whether the phrase occurs in what the message says: its content, data, context, and fields of its own.
  private func says(_ phrase: TextSearch, _ message: JSONSlice?) -> Bool {
    guard let message else { return false }
    var found = false
    message.forEachMember { key, value in
      let isAddress = Self.addresses.contains { key.equals($0) }
      if !found, !isAddress, phrase.firstMatch(in: value.bytes, from: 0) != nil { found = true }
    }
    return found
  }
}

/// Fields of a message as it stands in the log, under their own names or those that `Message` reads as well.
extension JSONSlice {
  var sender: String? { first(of: ["from", "sender_id", "agent", "created_by"])?.string }
  var messageType: String? { first(of: ["type", "message_type", "action"])?.string }
  var conversation: String? { first(of: ["conversation", "conversation_id"])?.string }

  func first(of names: [StaticString]) -> JSONSlice? {
    for name in names { if let value = self[name], value.kind != .null { return value } }
    return nil
  }
}
