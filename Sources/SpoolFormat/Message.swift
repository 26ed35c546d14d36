/// What one bot says to others. Every field may be missing from a file that was written by hand.
public struct Message: Sendable, Hashable {
  public var id: MessageID?
  /// Who sent it, as the sender says; a name written by hand need not be a bot's.
  public var from: String?
  /// As it was asked for: names of bots, `team`, `#topic`.
  public var to: [String] = []
  public var type: MessageType?
  public var content: String?
  /// Any JSON; this program never looks into it.
  public var data: JSONText?
  /// What the sender and those before it want the receiver to know: any JSON.
  public var context: JSONText?
  /// What it belongs to; a message without one begins a conversation that bears its id.
  public var conversation: String?
  public var inReplyTo: String?
  public var priority: Priority?
  public var createdAt: Timestamp?
  /// Not handed out before.
  public var notBefore: Timestamp?
  /// Not handed out after; dead-lettered instead.
  public var expiresAt: Timestamp?
  public var idempotencyKey: String?
  /// Fields that this program doesn't know, untouched, in their order. An `id` that is none of ours is one of them,
  /// and written as `original_id` beside our own.
  public var extra: [Field] = []

  public struct Field: Sendable, Hashable {
    public let name: String
    public let value: JSONText

    public init(name: String, value: JSONText) {
      self.name = name
      self.value = value
    }
  }

  public init(content: String? = nil) { self.content = content }

  /// Bytes of a message's file at most. Larger things belong in a file of their own that a message names.
  public static let bytesMax = 4 << 20
  /// Names in `to` at most.
  public static let recipientsMax = 10_000
  /// Bytes of a conversation, an idempotency key, a sender at most.
  public static let labelBytesMax = 512

  /// What a message without a conversation of its own belongs to.
  public var conversationKey: String? { conversation ?? id?.description }
}

/// What a message is for. The set is open: other words of the form `[a-z][a-z0-9_.-]{0,63}` pass untouched.
public struct MessageType: Sendable, Hashable, CustomStringConvertible {
  public let description: String

  public init(parsing text: String) throws(FormatError) {
    let isWord =
      text.utf8.first.map { 97...122 ~= $0 } == true && text.utf8.count <= 64
      && text.utf8.allSatisfy { 97...122 ~= $0 || 48...57 ~= $0 || $0 == 95 || $0 == 46 || $0 == 45 }
    guard isWord else {
      let shown = String(text.prefix(40)).escapedForTerminal()
      throw FormatError("type \"\(shown)\" won't do: use a word such as request (a-z, 0-9, . _ -, at most 64)")
    }
    description = text
  }

  init(known text: String) { description = text }

  /// Asks for an answer.
  public static let request = MessageType(known: "request")
  /// Answers a request.
  public static let response = MessageType(known: "response")
  /// To many at once.
  public static let broadcast = MessageType(known: "broadcast")
  /// One voice of several in a conversation.
  public static let discussion = MessageType(known: "discussion")
  /// Tells, and expects no answer.
  public static let notification = MessageType(known: "notification")
  /// Passes work on, with its context.
  public static let handoff = MessageType(known: "handoff")
  /// How things stand.
  public static let status = MessageType(known: "status")
  /// What went wrong.
  public static let error = MessageType(known: "error")

  /// Types that are themselves an answer or a report. A program's output is never sent back to one of
  /// these, or two bots would talk to each other for ever.
  public var endsExchange: Bool { self == .response || self == .error || self == .status }
}

extension Message {
  /// Reads a message's file: strict JSON, an object, with something to say.
  /// - Throws: `FormatError` that names the field, or the place in the text, and the cure.
  public init(parsing bytes: [UInt8]) throws {
    guard bytes.count <= Self.bytesMax else {
      throw FormatError("\(bytes.count) bytes: a message may have \(Self.bytesMax); put more into a file and name it")
    }
    self.init()
    var unknown: String?
    var badAliases: [BadAlias] = []
    do {
      try JSON.readObject(bytes) { key, value in
        if try !take(key, value, &badAliases) {
          let name = key.string ?? ""
          if unknown == nil { unknown = name }
          extra.append(Field(name: name, value: value.text))
        }
      }
    } catch let error as JSONError {
      throw FormatError("not JSON: \(error)")
    }
    if let bad = badAliases.first(where: { !$0.isThere(self) }) { throw bad.error }
    if content == nil, data == nil, context == nil, type == nil {
      let hint = unknown.map { "; it has \"\(String($0.prefix(40)).escapedForTerminal())\"" } ?? ""
      throw FormatError("says nothing: give it \"content\" or \"data\"\(hint)")
    }
  }

  /// What won't do, under another name of a member: no harm where the member itself is there, before it or after it.
  private struct BadAlias {
    let isThere: (Message) -> Bool
    let error: any Error
  }

  private mutating func takeAlias(
    _ bad: inout [BadAlias], unless isThere: @escaping (Message) -> Bool, _ take: (inout Message) throws -> Bool
  ) -> Bool {
    if isThere(self) { return false }
    do { return try take(&self) } catch {
      bad.append(BadAlias(isThere: isThere, error: error))
      return false
    }
  }

  /// Takes a field that is known under this name; false for one that isn't. Names that other systems
  /// of this family write are known as well.
  private mutating func take(_ key: JSONSlice, _ value: JSONSlice, _ bad: inout [BadAlias]) throws -> Bool {
    if value.kind == .null { return isKnown(key) }
    switch key.hasEscapes ? key.string?.utf8.count : key.bytes.count - 2 {
    case 2:
      if key.equals("id") {
        id = value.identifier
        return id != nil
      }
      if key.equals("to") {
        to = try Self.recipients(value)
        return true
      }
    case 4:
      if key.equals("from") { return try Self.set(&from, value, "from") }
      if key.equals("type") { return try setType(value, "type") }
      if key.equals("data") {
        data = value.text
        return true
      }
    case 5 where key.equals("agent"):
      return takeAlias(&bad, unless: { $0.from != nil }) { try Self.set(&$0.from, value, "agent") }
    case 6 where key.equals("action"):
      return takeAlias(&bad, unless: { $0.type != nil }) { try $0.setType(value, "action") }
    case 7:
      if key.equals("content") {
        guard let text = value.string else { throw Self.wrong("content", "a text; put structures under \"data\"") }
        content = text
        return true
      }
      if key.equals("context") {
        context = value.text
        return true
      }
    case 8 where key.equals("priority"):
      return try setPriority(value)
    case 9:
      if key.equals("sender_id") {
        return takeAlias(&bad, unless: { $0.from != nil }) { try Self.set(&$0.from, value, "sender_id") }
      }
      if key.equals("timestamp") {
        return takeAlias(&bad, unless: { $0.createdAt != nil }) { try Self.set(&$0.createdAt, value, "timestamp") }
      }
    case 10:
      if key.equals("created_at") { return try Self.set(&createdAt, value, "created_at") }
      if key.equals("not_before") { return try Self.set(&notBefore, value, "not_before") }
      if key.equals("expires_at") { return try Self.set(&expiresAt, value, "expires_at") }
    case 11 where key.equals("in_reply_to"):
      return try Self.set(&inReplyTo, value, "in_reply_to")
    case 12:
      if key.equals("conversation") { return try Self.set(&conversation, value, "conversation") }
      if key.equals("message_type") {
        return takeAlias(&bad, unless: { $0.type != nil }) { try $0.setType(value, "message_type") }
      }
      if key.equals("recipient_id") {
        return takeAlias(&bad, unless: { !$0.to.isEmpty }) {
          $0.to = try Self.recipients(value)
          return true
        }
      }
    case 14 where key.equals("response_to_id"):
      return takeAlias(&bad, unless: { $0.inReplyTo != nil }) { try Self.set(&$0.inReplyTo, value, "response_to_id") }
    case 15:
      if key.equals("idempotency_key") { return try Self.set(&idempotencyKey, value, "idempotency_key") }
      if key.equals("conversation_id") {
        return takeAlias(&bad, unless: { $0.conversation != nil }) {
          try Self.set(&$0.conversation, value, "conversation_id")
        }
      }
    default: break
    }
    return false
  }

  /// A known field that is null is as good as missing.
  private func isKnown(_ key: JSONSlice) -> Bool {
    let names: [StaticString] = [
      "id", "from", "to", "type", "content", "data", "context", "conversation", "in_reply_to", "priority",
      "created_at", "not_before", "expires_at", "idempotency_key",
    ]
    return names.contains { key.equals($0) }
  }

  private static func set(_ field: inout String?, _ value: JSONSlice, _ name: String) throws -> Bool {
    guard let text = value.string, text.utf8.count <= labelBytesMax else {
      throw wrong(name, "a text of at most \(labelBytesMax) bytes")
    }
    field = text
    return true
  }

  private static func set(_ field: inout Timestamp?, _ value: JSONSlice, _ name: String) throws -> Bool {
    if let seconds = value.double {
      field = Timestamp(microseconds: 0).advanced(bySeconds: seconds)
    } else if let moment = value.moment {
      field = moment
    } else {
      throw wrong(name, "a time such as 2026-11-20T23:45:12Z")
    }
    return true
  }

  private mutating func setType(_ value: JSONSlice, _ name: String) throws -> Bool {
    guard let text = value.string else { throw Self.wrong(name, "a word such as \"request\"") }
    type = try MessageType(parsing: text)
    return true
  }

  private mutating func setPriority(_ value: JSONSlice) throws -> Bool {
    if let text = value.string {
      priority = try Priority(parsing: text)
    } else if let number = value.int, let parsed = Priority(value: number) {
      priority = parsed
    } else {
      throw Self.wrong("priority", "a whole number from 1 to 10")
    }
    return true
  }

  private static func recipients(_ value: JSONSlice) throws -> [String] {
    var names: [String] = []
    func add(_ value: JSONSlice) throws {
      guard let name = value.string, name.utf8.count <= labelBytesMax else {
        throw wrong("to", "a name, or a list of names")
      }
      guard names.count < recipientsMax else { throw wrong("to", "at most \(recipientsMax) names; use a topic") }
      names.append(name)
    }
    if value.kind == .array { try value.forEachElement(add) } else { try add(value) }
    return names
  }

  private static func wrong(_ field: String, _ wanted: String) -> FormatError {
    FormatError("\"\(field)\" must be \(wanted)")
  }

  /// Appends it as one line of JSON, fields in their usual order, those that are missing left out.
  public func write(to writer: inout JSONWriter) {
    func moment(_ name: StaticString, _ value: Timestamp?) {
      guard let value else { return }
      writer.key(name)
      writer.moment(value)
    }
    writer.beginObject()
    writer.member("id", identifier: id)
    writer.member("from", ifPresent: from)
    if to.count == 1 { writer.member("to", to[0]) } else if !to.isEmpty { writer.member("to", to) }
    writer.member("type", ifPresent: type?.description)
    writer.member("content", ifPresent: content)
    if let data {
      writer.key("data")
      writer.raw(data)
    }
    if let context {
      writer.key("context")
      writer.raw(context)
    }
    writer.member("conversation", ifPresent: conversation)
    writer.member("in_reply_to", ifPresent: inReplyTo)
    if let priority { writer.member("priority", priority.value) }
    moment("created_at", createdAt)
    moment("not_before", notBefore)
    moment("expires_at", expiresAt)
    writer.member("idempotency_key", ifPresent: idempotencyKey)
    for field in extra {
      // An id that is none of ours was kept as a field of its own; no object has the same field twice.
      if field.name == "id", id != nil {
        if extra.contains(where: { $0.name == "original_id" }) { continue }
        writer.key("original_id")
      } else {
        writer.key(field.name)
      }
      writer.raw(field.value)
    }
    writer.endObject()
  }

  /// Whether what is made of it can be read again: what stands in it is nested one level deeper than it was alone.
  public func check() throws(FormatError) {
    func check(_ name: String, _ text: JSONText?) throws(FormatError) {
      do { try text?.checkNesting(within: 1) } catch {
        throw FormatError("the \(name.escapedForTerminal()) can't be kept: \(error.reason)")
      }
    }
    try check("data", data)
    try check("context", context)
    for field in extra { try check(field.name, field.value) }
  }

  /// Brings what came as JSON into its canonical form: on one line, and its texts so that a search finds them.
  /// Numbers keep their text.
  public mutating func makeCanonical() {
    func canonical(_ text: JSONText) -> JSONText {
      guard text.bytes.contains(where: { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\\") }) else { return text }
      var bytes: [UInt8] = []
      do { try text.bytes.withUnsafeBufferPointer { try JSON.minify($0, into: &bytes) } } catch { return text }
      return JSONText(trusted: bytes)
    }
    data = data.map(canonical)
    context = context.map(canonical)
    for index in extra.indices { extra[index] = Field(name: extra[index].name, value: canonical(extra[index].value)) }
  }

  /// The message as one line of JSON, without a line feed.
  public var encoded: [UInt8] {
    var writer = JSONWriter(reserving: 512)
    write(to: &writer)
    return writer.bytes
  }
}
