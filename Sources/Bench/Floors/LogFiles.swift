import Glibc
import SpoolFormat

/// A log of many messages in the spool's lines, two rare words in three of them.
final class LogFiles {
  static let rareWord = "zygomorphic"
  /// As long, and in as many lines; so that neither side profits from what the other has just read.
  static let floorWord = "xenoblastic"
  static let rareLines = 3
  /// As large as a segment of the spool's log.
  static let segmentBytes = 64 << 20

  private(set) var files: [String] = []
  private let lines: Int

  init(lines: Int) { self.lines = max(lines, LogFiles.rareLines) }

  /// Writes the files, the first time.
  func make(in directory: String) throws {
    guard files.isEmpty else { return }
    try makeDirectories(directory)
    var line = LogLine()
    var block: [UInt8] = []
    var file: CInt = -1
    var written = 0
    defer { if file >= 0 { close(file) } }
    for number in 0..<lines {
      let rare = (0..<LogFiles.rareLines).contains { lines * (2 * $0 + 1) / (2 * LogFiles.rareLines) == number }
      line.append(number, rareWords: rare ? [LogFiles.rareWord, LogFiles.floorWord] : [], to: &block)
      guard block.count >= 1 << 20 || number == lines - 1 else { continue }
      if file < 0 || written >= LogFiles.segmentBytes {
        if file >= 0 { close(file) }
        let path = "\(directory)/20261120T2345\(10 + files.count).345678Z.jsonl"
        file = try check(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644), "open", path)
        files.append(path)
        written = 0
      }
      try block.withUnsafeBytes { try writeAll($0, to: file, directory) }
      written += block.count
      block.removeAll(keepingCapacity: true)
      try Interruption.check()
    }
  }
}

/// Lines of about 700 bytes, of words in an order that doesn't repeat.
private struct LogLine {
  private static let words = [
    "build", "failed", "password", "length", "server", "admin", "please", "review", "the", "plan", "and", "hand", "it",
    "to", "tester", "because", "coverage", "of", "branch", "main", "is", "lower", "than", "yesterday", "by", "twelve",
    "percent", "see", "report", "attached", "for", "details",
  ].map { Array("\($0) ".utf8) }
  // A linear congruential generator (Knuth's MMIX): the same lines in every run.
  private var random: UInt64 = 1

  private mutating func next() -> UInt64 {
    random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return random
  }

  mutating func append(_ number: Int, rareWords: [String], to block: inout [UInt8]) {
    let time = Timestamp(microseconds: 1_795_218_312_345_678 + number * 1_000)
    let id = MessageID(time: time, random: next())
    var content = rareWords.map { "\($0) " }.joined().utf8.map { $0 }
    while content.count < 330 { content += LogLine.words[Int(next() >> 59)] }
    var message = Message(content: String(decoding: content, as: UTF8.self))
    message.id = id
    message.from = "planner"
    message.to = ["coder"]
    message.type = .request
    message.createdAt = time
    block += LogEvent.sent(message, id, source: "/elsewhere/4711.5f3a", number: number + 1, time: time)
  }
}

extension LogEvent {
  /// The line that says that a message was sent, as the spool writes it.
  static func sent(_ message: Message, _ id: MessageID, source: String, number: Int, time: Timestamp) -> [UInt8] {
    line(
      kind: .messageSent, subject: "\(id)", source: source, number: number, time: time, reserving: 1_024
    ) { writer in
      writer.beginObject()
      writer.member("recipients", message.to)
      writer.member("name", "\(EntryName(urgency: 5, id: id))")
      writer.key("message")
      writer.raw(message.encoded)
      writer.endObject()
    }
  }
}
