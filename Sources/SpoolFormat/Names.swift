/// The name of a bot or a topic: `[a-z0-9][a-z0-9._-]{0,63}`, so that it is safe as a directory, in a
/// shell and in a URL.
public struct BotName: Sendable, Hashable, Comparable, CustomStringConvertible {
  public let description: String

  public static let bytesMax = 64

  public init(parsing text: String) throws(FormatError) {
    guard text != "team" else { throw FormatError("the name team is taken: it means every bot") }
    try checkName(text, example: "coder")
    description = text
  }

  public static func < (left: BotName, right: BotName) -> Bool { left.description < right.description }
}

/// The name of a shared value: as a bot's, so that it is safe as a file.
public struct StateKey: Sendable, Hashable, Comparable, CustomStringConvertible {
  public let description: String

  public init(parsing text: String) throws(FormatError) {
    try checkName(text, example: "build-status")
    description = text
  }

  public static func < (left: StateKey, right: StateKey) -> Bool { left.description < right.description }
}

/// Throws unless a text is `[a-z0-9][a-z0-9._-]{0,63}`.
private func checkName(_ text: String, example: String) throws(FormatError) {
  var shown: String { String(text.prefix(80)).escapedForTerminal() }
  guard !text.isEmpty else { throw FormatError("an empty name: give one such as \(example)") }
  guard text.utf8.count <= BotName.bytesMax else {
    throw FormatError("the name \(shown)… is \(text.utf8.count) bytes long: use at most \(BotName.bytesMax)")
  }
  var isFirst = true
  for byte in text.utf8 {
    let isWord = 97...122 ~= byte || 48...57 ~= byte
    let isMark = byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
    guard isWord || (isMark && !isFirst) else {
      throw FormatError("the name \"\(shown)\" won't do: use a-z, 0-9 and, after the first, . _ -")
    }
    isFirst = false
  }
}

/// What tells one message (or task) from every other: when it was made, and 64 random bits.
/// `20261120T234512.345678Z-0123456789abcdef`; ids sort by time.
public struct MessageID: Sendable, Hashable, Comparable, CustomStringConvertible {
  public let time: Timestamp
  public let random: UInt64

  public init(time: Timestamp, random: UInt64) {
    self.time = time
    self.random = random
  }

  /// The length of its text in bytes.
  public static let textCount = Timestamp.compactCount + 1 + 16

  /// Reads an id, exactly.
  public init?(_ bytes: some RandomAccessCollection<UInt8>) {
    guard bytes.count == Self.textCount else { return nil }
    let dash = bytes.index(bytes.startIndex, offsetBy: Timestamp.compactCount)
    guard bytes[dash] == UInt8(ascii: "-"), let time = Timestamp(compact: bytes[..<dash]),
      let random = hexadecimal(bytes[bytes.index(after: dash)...])
    else { return nil }
    self.init(time: time, random: random)
  }

  public init?(_ text: String) { self.init(Array(text.utf8)) }

  public static func < (left: MessageID, right: MessageID) -> Bool {
    (left.time.microseconds, left.random) < (right.time.microseconds, right.random)
  }

  public var description: String {
    String(unsafeUninitializedCapacity: Self.textCount) { text in
      write(to: text.baseAddress!)
      return Self.textCount
    }
  }

  /// Writes `textCount` bytes.
  func write(to text: UnsafeMutablePointer<UInt8>) {
    var cursor = TextCursor(text)
    cursor.put(time, punctuated: false)
    cursor.put(UInt8(ascii: "-"))
    cursor.putHexadecimal(random)
  }
}

extension MessageID {
  /// An id for something that follows from what another stands for: the same whoever makes it, and however often.
  public static func derived(_ name: String, from other: MessageID) -> MessageID {
    var hash = FNV1a()
    hash.add("\(name) \(other)".utf8)
    return MessageID(time: other.time, random: hash.value)
  }
}

/// Who has a message in hand: `host.pid.start`. For a claim that no running process stands behind
/// (`spool receive` in a script), the pid is 0 and the last part is random.
public struct Holder: Sendable, Hashable, CustomStringConvertible {
  public let pid: Int
  /// When the process started, in the host's own ticks, hexadecimal: a pid that was used again is somebody else.
  public let start: UInt64
  /// Kept as text because it is written into names and log lines far more often than its parts are asked for.
  public let description: String

  public init(host: String, pid: Int, start: UInt64) {
    self.pid = pid
    self.start = start
    description = "\(host).\(pid).\(String(start, radix: 16))"
  }

  public var host: String {
    let end = description.lastIndex(of: ".").flatMap { description[..<$0].lastIndex(of: ".") }
    return String(description[..<(end ?? description.endIndex)])
  }

  public init?(_ text: some StringProtocol) {
    guard let last = text.lastIndex(of: "."), let middle = text[..<last].lastIndex(of: "."),
      let pid = Int(text[text.index(after: middle)..<last]), pid >= 0,
      let start = hexadecimal(Array(text[text.index(after: last)...].utf8))
    else { return nil }
    let host = String(text[..<middle])
    self.init(host: host, pid: pid, start: start)
    guard !host.isEmpty, Self.hostName(host) == host, description == text else { return nil }
  }

  /// A machine's name as far as it can stand in a file name.
  public static func hostName(_ text: String) -> String {
    let isName = text.utf8.first.map { $0 != UInt8(ascii: ".") } ?? false
    let kept = ((isName ? "" : "host") + text).utf8.prefix(64).map { byte -> UInt8 in
      let isWord = 97...122 ~= byte || 48...57 ~= byte || 65...90 ~= byte
      return isWord || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_") ? byte : UInt8(ascii: "-")
    }
    return String(decoding: kept, as: UTF8.self)
  }
}

func hexadecimal(_ bytes: some Collection<UInt8>) -> UInt64? {
  guard 1...16 ~= bytes.count else { return nil }
  var value: UInt64 = 0
  for byte in bytes {
    switch byte {
    case 48...57: value = value << 4 | UInt64(byte - 48)
    case 97...102: value = value << 4 | UInt64(byte - 87)
    default: return nil
    }
  }
  return value
}

/// From 1 to 10; 5 unless told. In names it stands as urgency, 10 − priority, so that `ls` lists the
/// most urgent first.
public struct Priority: Sendable, Hashable {
  public let value: Int
  public static let normal = Priority(value: 5)!
  /// What a person may write.
  public static let choices = "1 to 10, or low, normal, high, urgent, critical"

  public init?(value: Int) {
    guard 1...10 ~= value else { return nil }
    self.value = value
  }

  /// A number, or `low` 3, `normal` or `medium` 5, `high` 7, `urgent` 9, `critical` 10, in any case.
  public init(parsing text: String) throws(FormatError) {
    let named = ["low": 3, "normal": 5, "medium": 5, "high": 7, "urgent": 9, "critical": 10][text.lowercased()]
    guard let priority = (named ?? Int(text)).flatMap(Priority.init(value:)) else {
      throw FormatError("priority \(text.prefix(20).description.escapedForTerminal()) is not \(Self.choices)")
    }
    self = priority
  }

  public var urgency: Int { 10 - value }
}
