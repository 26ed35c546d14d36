import Spool
import SpoolFormat

/// How much may wait, as options of those verbs that set it.
extension Verb {
  static let limitOptions: [Option] = [
    .value("--inbox-max", "N", "so many messages may wait in an inbox; more are refused (75). 0: none of its own"),
    .value("--inbox-bytes", "SIZE", "so many bytes of them, such as 64M"),
    .value("--sender-max", "N", "so many messages of one sender (a Unix user) may wait in an inbox"),
    .value("--sender-bytes", "SIZE", "so many bytes of one sender's"),
  ]
}

extension Invocation {
  /// Changes what is named on the command line.
  func readLimits(into limits: inout InboxLimits) throws(UsageError) {
    let whole = 0...InboxLimits.range.upperBound
    if let count = try number("--inbox-max", in: whole) { limits.messages = count == 0 ? nil : count }
    if let bytes = try size("--inbox-bytes") { limits.bytes = bytes == 0 ? nil : bytes }
    if let count = try number("--sender-max", in: whole) { limits.senderMessages = count == 0 ? nil : count }
    if let bytes = try size("--sender-bytes") { limits.senderBytes = bytes == 0 ? nil : bytes }
  }

  /// Bytes.
  func size(_ name: String) throws(UsageError) -> Int? {
    guard let text = value(name) else { return nil }
    guard let size = SizeText.bytes(text) else {
      throw UsageError("\(name) \(text.escapedForTerminal()) is no size: write a number of bytes, or 64K, 10M, 2G, 1T")
    }
    return size
  }
}

/// Sizes as people write and read them, by powers of 1024.
enum SizeText {
  private static let units: [(letter: Character, shift: Int)] = [("K", 10), ("M", 20), ("G", 30), ("T", 40)]

  /// `500`, `64K`, `10M`, `2G`, `1T`; nil for anything else.
  static func bytes(_ text: String) -> Int? {
    let last = text.last.map { Character($0.uppercased()) }
    let unit = units.first { $0.letter == last }
    let digits = unit == nil ? text[...] : text.dropLast()
    guard digits.utf8.allSatisfy({ 48...57 ~= $0 }), let number = Int(digits), number <= (1 << 52) >> (unit?.shift ?? 0)
    else { return nil }
    return number << (unit?.shift ?? 0)
  }

  /// `812 B`, `1.4 MiB`.
  static func short(_ bytes: Int) -> String {
    guard let unit = units.last(where: { bytes >= 1 << $0.shift }) else { return "\(bytes) B" }
    let tenths = (bytes * 10 + (1 << (unit.shift - 1))) >> unit.shift
    return "\(tenths / 10).\(tenths % 10) \(unit.letter)iB"
  }
}
