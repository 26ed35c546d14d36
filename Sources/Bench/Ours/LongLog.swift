import Glibc
import Linux
import Spool
import SpoolFormat

/// A spool with a log of very many messages, all done: two lines each, written as the spool writes them, a thousand
/// messages a second, the last of them now.
final class LongLog {
  enum Question: String {
    case tail, thread, trace, message, part, command, open, search
  }

  private let service: SpoolService
  private let host: String
  private var newest: [MessageID] = []

  /// In one message of some thousands.
  static let rarePhrase = "branch 9972 is done"
  private static let branches = 9973
  private let messages: Int
  var rareMessages: Int { messages / Self.branches }

  private static let messagesPerMillisecond = 1
  private static let segmentBytes = 64 << 20

  init(_ messages: Int, in scratch: Scratch) throws {
    service = try SpoolService(.spool, in: scratch)
    host = service.spool.host
    self.messages = messages
    do {
      try service.makeInbox("bot")
      try write(messages)
      // Opened once, so that what is measured is not how it is opened after a reboot.
      _ = try Spool(at: service.place)
    } catch {
      service.stop()
      throw error
    }
  }

  /// The lines stand in segments that begin before those that the spool itself has written, and are this host's.
  private func write(_ messages: Int) throws {
    let directory = "\(service.place)/log/\(host)"
    let start = Clock.wall() - messages * 1000 / Self.messagesPerMillisecond - 60_000_000
    var block: [UInt8] = []
    var file: CInt = -1
    var written = 0
    var before: String?
    defer { if file >= 0 { close(file) } }
    for number in 0..<messages {
      let time = Timestamp(microseconds: start + number * 1000 / Self.messagesPerMillisecond)
      if file < 0 || written >= Self.segmentBytes {
        if file >= 0 { close(file) }
        let path = "\(directory)/\(time.compact).jsonl"
        file = try check(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644), "open", path)
        written = 0
        if let before {
          block += LogEvent.line(
            kind: .logBegan, subject: host, source: "/\(host)/4711.5f3a", number: number, time: time
          ) { writer in
            writer.beginObject()
            writer.member("after", before)
            writer.endObject()
          }
        }
        before = time.compact
      }
      let id = MessageID(time: time, random: UInt64(number) &* 0x9E37_79B9_7F4A_7C15)
      append(id, time, number, to: &block)
      if number >= messages - 1000 { newest.append(id) }
      guard block.count >= 1 << 20 || number == messages - 1 else { continue }
      try block.withUnsafeBytes { try writeAll($0, to: file, directory) }
      written += block.count
      block.removeAll(keepingCapacity: true)
      try Interruption.check()
    }
    if let before {
      let path = "\(directory)/checkpoint"
      let file = try check(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644), "open", path)
      try Array("\(before)\n".utf8).withUnsafeBytes { try writeAll($0, to: file, path) }
      close(file)
    }
  }

  private func append(_ id: MessageID, _ time: Timestamp, _ number: Int, to block: inout [UInt8]) {
    var message = Message(content: "the build of branch \(number % Self.branches) is done, see the report")
    message.id = id
    message.from = "planner"
    message.to = ["bot"]
    message.type = .request
    message.createdAt = time
    let source = "/\(host)/4711.5f3a"
    block += LogEvent.sent(message, id, source: source, number: 2 * number, time: time)
    block += LogEvent.line(
      kind: .messageAcked, subject: "\(id)", source: source, number: 2 * number + 1, time: time
    ) { writer in
      writer.beginObject()
      writer.member("bot", "bot")
      writer.member("attempt", 1)
      writer.endObject()
    }
  }

  /// Nanoseconds until the answer is there.
  func time(_ question: Question) throws -> Int {
    let history = History(service.spool)
    guard let id = newest.randomElement() else { throw BenchError("there are no messages") }
    let part = String(id.description.suffix(16).prefix(8))
    let began = nanoseconds()
    let count: Int
    switch question {
    case .tail: count = try history.newest(History.Filter(), limit: 20).count / 20
    case .thread: count = try history.thread(id.description).count
    case .trace: count = try history.trace(id).count / 2
    case .message: count = try service.spool.message(id) == nil ? 0 : 1
    case .part: count = try history.identifier(part) == id ? 1 : 0
    case .command: count = try command(["trace", part])
    case .open: count = try reopen()
    case .search:
      var filter = History.Filter()
      filter.phrases = [Self.rarePhrase]
      count = try history.newest(filter, limit: .max).count == rareMessages ? 1 : 0
    }
    let took = nanoseconds() - began
    guard count == 1 else { throw BenchError("\(question.rawValue): found \(count) of \(id)") }
    return took
  }

  /// The segments' paths.
  func files() throws -> [String] {
    let directory = "\(service.place)/log/\(host)"
    return try Directory(directory).names(".").filter { $0.hasSuffix(".jsonl") }.map { "\(directory)/\($0)" }
  }

  private func command(_ arguments: [String]) throws -> Int {
    let status = try Processes.wait(
      for: try Processes.spawn(SpoolCommand().path, [arguments[0], "--spool", service.place] + arguments.dropFirst()))
    return status == 0 ? 1 : 0
  }

  /// As after a reboot: the page says that it was made in another boot.
  private func reopen() throws -> Int {
    let path = "\(service.place)/log/\(host)/commit"
    let file = try check(open(path, O_WRONLY | O_CLOEXEC), "open", path)
    defer { close(file) }
    let other = [UInt8](repeating: UInt8(ascii: "0"), count: 32)
    try check(pwrite(file, other, other.count, 16), "pwrite", path)
    return try Spool(at: service.place).recovery == nil ? 0 : 1
  }
}
