/// How much may wait in an inbox before more is refused; what is nil is not limited.
public struct InboxLimits: Sendable, Hashable {
  /// Messages, from whomever.
  public var messages: Int?
  /// Bytes of these.
  public var bytes: Int?
  /// Messages of one sender: of one Unix user, to whom their files belong.
  public var senderMessages: Int?
  /// Bytes of these.
  public var senderBytes: Int?

  public init() {}

  public static let range = 1...(1 << 53)

  /// Under these names they stand in `spool.json`, for all bots, and in a bot's card, for its inbox.
  public static let members = ["inbox_messages_max", "inbox_bytes_max", "sender_messages_max", "sender_bytes_max"]

  public var isEmpty: Bool { self == InboxLimits() }
  /// Whether whose the files are, or how long, must be known.
  public var needsFiles: Bool { bytes != nil || senderMessages != nil || senderBytes != nil }

  /// Each as it is here, else as there.
  public func overruling(_ defaults: InboxLimits) -> InboxLimits {
    var result = defaults
    result.messages = messages ?? defaults.messages
    result.bytes = bytes ?? defaults.bytes
    result.senderMessages = senderMessages ?? defaults.senderMessages
    result.senderBytes = senderBytes ?? defaults.senderBytes
    return result
  }

  /// From what stands under their names.
  init(_ value: (_ member: String) -> Int?) {
    messages = value("inbox_messages_max")
    bytes = value("inbox_bytes_max")
    senderMessages = value("sender_messages_max")
    senderBytes = value("sender_bytes_max")
  }

  /// As somebody wrote them by hand: what is no whole number above 0 is not there.
  init(_ value: JSONValue) {
    self.init { value[$0]?.int.flatMap { $0 > 0 ? min($0, Self.range.upperBound) : nil } }
  }

  func write(to writer: inout JSONWriter) {
    writer.member("inbox_messages_max", ifPresent: messages)
    writer.member("inbox_bytes_max", ifPresent: bytes)
    writer.member("sender_messages_max", ifPresent: senderMessages)
    writer.member("sender_bytes_max", ifPresent: senderBytes)
  }
}
