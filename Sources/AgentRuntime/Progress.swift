import SpoolFormat

/// How far a program says it is with its task.
public struct Progress: Sendable, Hashable {
  /// 0 to 100; nil when it didn't say.
  public var percent: Int?
  public var text: String?

  /// Characters of the text that are kept.
  static let textMax = 1000

  init(percent: Int? = nil, text: String? = nil) {
    self.percent = percent
    self.text = text.map { String($0.prefix(Self.textMax)) }
  }

  /// Reads `40`, `40%`, `40 half of it`, `half of it`, or `{"progress": 40, "text": "half of it"}`.
  /// Nil for a line that says nothing.
  init?(line: some Collection<UInt8>) {
    let line = String(decoding: line, as: UTF8.self)[...].trimmed
    guard !line.isEmpty else { return nil }
    if line.hasPrefix("{"), let value = try? JSONValue(parsing: Array(line.utf8)) {
      self.init(percent: value["progress"]?.double.map(Self.bounded), text: value["text"]?.string)
      guard percent != nil || text != nil else { return nil }
      return
    }
    let number = line.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
    var rest = line[number.endIndex...]
    if rest.hasPrefix("%") { rest.removeFirst() }
    // "3rd round" is a text, and so is "1.2.3".
    guard let percent = Double(number), rest.isEmpty || rest.first!.isWhitespace else {
      self.init(text: String(line))
      return
    }
    let text = rest.trimmed
    self.init(percent: Self.bounded(percent), text: text.isEmpty ? nil : String(text))
  }

  private static func bounded(_ percent: Double) -> Int { Int(min(max(percent, 0), 100)) }

  /// What was said before and isn't taken back by this.
  func after(_ earlier: Progress?) -> Progress {
    Progress(percent: percent ?? earlier?.percent, text: text ?? earlier?.text)
  }
}

/// Puts together what comes through a pipe, and keeps the last that was said.
struct ProgressLines {
  private var unfinished: [UInt8] = []
  private var last: Progress?
  /// Of a line; what is longer is no progress.
  private static let lineBytesMax = 64 << 10

  mutating func append(_ chunk: [UInt8]) {
    unfinished += chunk
    guard let end = unfinished.lastIndex(of: UInt8(ascii: "\n")) else {
      if unfinished.count > Self.lineBytesMax { unfinished = [] }
      return
    }
    for line in unfinished[..<end].split(separator: UInt8(ascii: "\n")) { note(line) }
    unfinished.removeFirst(end + 1)
  }

  /// No more comes: what has no line feed is a line, too.
  mutating func end() {
    note(unfinished[...])
    unfinished = []
  }

  private mutating func note(_ line: ArraySlice<UInt8>) {
    if let progress = Progress(line: line) { last = progress.after(last) }
  }

  mutating func take() -> Progress? {
    defer { last = nil }
    return last
  }
}

extension Substring {
  fileprivate var trimmed: Substring {
    var text = drop(while: \.isWhitespace)
    while text.last?.isWhitespace == true { text.removeLast() }
    return text
  }
}
