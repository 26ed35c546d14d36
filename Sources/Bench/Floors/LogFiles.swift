import Glibc

/// A log of many messages in lines like the spool's, a rare word in three of them.
final class LogFiles {
  static let rareWord = "zygomorphic"
  static let rareLines = 3
  /// As large as a segment of the spool's log.
  static let segmentBytes = 64 << 20

  let directory: String
  private(set) var files: [String] = []
  private let lines: Int

  init(in scratch: Scratch, lines: Int) throws {
    directory = "\(scratch.path)/log/host"
    self.lines = max(lines, LogFiles.rareLines)
  }

  /// Writes the files, the first time.
  func make() throws {
    guard files.isEmpty else { return }
    try makeDirectories(directory)
    var line = LogLine()
    var block: [UInt8] = []
    var file: CInt = -1
    var written = 0
    defer { if file >= 0 { close(file) } }
    for number in 0..<lines {
      let rare = (0..<LogFiles.rareLines).contains { lines * (2 * $0 + 1) / (2 * LogFiles.rareLines) == number }
      line.append(number, rareWord: rare ? LogFiles.rareWord : nil, to: &block)
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

  func remove() {
    removeTree(directory)
    files = []
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

  mutating func append(_ number: Int, rareWord: String?, to block: inout [UInt8]) {
    let id = "20261120T234512.\(100_000 + number % 900_000)Z-\(String(next() | 1 << 63, radix: 16))"
    block.append(#"{"specversion":"1.0","type":"message.sent","source":"host","id":"\#(id)","subject":"coder","#)
    block.append(#""time":"2026-11-20T23:45:12.345678Z","data":{"to":["coder"],"message":{"id":"\#(id)","#)
    block.append(#""from":"planner","type":"request","conversation":"\#(id)","content":""#)
    if let rareWord { block.append("\(rareWord) ") }
    let end = block.count + 330
    while block.count < end { block += LogLine.words[Int(next() >> 59)] }
    block.append("\"}},\"crc32c\":\"\(String(UInt32(truncatingIfNeeded: next() >> 32) | 1 << 31, radix: 16))\"}\n")
  }
}
