import Glibc
import Linux
import Spool
import SpoolFormat
import Synchronization

/// An inbox with very many files in it, which have come by hand: hard links of one, under proper names.
final class FullInbox {
  private let service: SpoolService
  private let bot: BotName
  /// More than there ever are: what is counted is the same with any.
  private static let limit = 100_000_000
  /// A file has no more links than that, on ext4.
  private static let linksMax = 60_000

  init(_ files: Int, in scratch: Scratch) throws {
    service = try SpoolService(.spool, in: scratch)
    bot = try BotName(parsing: "bot")
    var card = Card(name: bot)
    card.inboxLimits.messages = Self.limit
    try service.spool.register(card)
    do { try fill(files) } catch {
      service.stop()
      throw error
    }
  }

  private func fill(_ files: Int) throws {
    let inbox = "\(service.place)/bots/bot/inbox"
    let source = "\(service.place)/tmp/source"
    let start = Clock.wall() - files
    for number in 0..<files {
      if number % Self.linksMax == 0 {
        unlink(source)
        let file = try check(open(source, O_WRONLY | O_CREAT | O_EXCL, 0o644), "open", source)
        let text = #"{"content":"\#(SpoolService.content)"}"# + "\n"
        try Array(text.utf8).withUnsafeBytes { try writeAll($0, to: file, source) }
        close(file)
      }
      let id = MessageID(time: Timestamp(microseconds: start + number), random: UInt64(number) &* 0x9E37_79B9_7F4A_7C15)
      let path = "\(inbox)/5-\(id).json"
      try check(link(source, path), "link", path)
      if number % 10_000 == 0 { try Interruption.check() }
    }
    unlink(source)
  }

  /// Nanoseconds until another process, as it were, has the first one; it is put back.
  func firstTime() throws -> Int {
    let began = nanoseconds()
    let spool = try Spool(at: service.place)
    let inbox = try Inbox(spool, bot)
    guard let claim = try inbox.receive() else { throw BenchError("nothing was there") }
    let took = nanoseconds() - began
    try spool.ack(bot, claim.name)
    return took
  }

  /// Nanoseconds of a command that looks at the spool, and of one that lists the inbox.
  func lookTime(_ arguments: [String]) throws -> Int {
    try commandTime(SpoolCommand().path, arguments + ["--spool", service.place], times: 3)
  }

  func listTime() throws -> Int {
    guard let path = Processes.find("ls") else { throw BenchError("ls is not on the PATH") }
    return try commandTime(path, ["-f", "\(service.place)/bots/\(bot)/inbox"], times: 3)
  }

  /// MiB at the most, of a `spool receive`.
  func receiverMemory() throws -> Double {
    let command = try SpoolCommand()
    let pid = try Processes.spawn(command.path, ["receive", "--spool", service.place, "bot", "--ack", "--json"])
    var status: CInt = 0
    var usage = rusage()
    while wait4(pid, &status, 0, &usage) < 0 && errno == EINTR {}
    guard status == 0 else { throw BenchError("receive ended with \(status)") }
    return Double(usage.ru_maxrss) / 1024
  }

  /// Microseconds a send, the median of those of a process that sends many.
  func sendTime(_ times: Int) throws -> Double {
    var message = Message(content: SpoolService.content)
    message.from = "bench"
    message.to = ["bot"]
    var samples: [Int] = []
    for _ in 0..<times {
      let began = nanoseconds()
      try service.spool.send(message, durability: .relaxed)
      samples.append(nanoseconds() - began)
    }
    return Double(percentile(50, of: samples)) / 1000
  }

  /// Messages a second that 4 receivers take together, of so many, their first looks included.
  func drainRate(_ count: Int) throws -> Double {
    let began = nanoseconds()
    let place = service.place
    let bot = bot
    let failure = Mutex<String?>(nil)
    let drain: @Sendable () -> Void = {
      do {
        let spool = try Spool(at: place)
        let inbox = try Inbox(spool, bot)
        for _ in 0..<count / 4 {
          guard let claim = try inbox.receive(waiting: 0) else { throw BenchError("it ran dry") }
          try spool.ack(bot, claim.name)
        }
      } catch { failure.withLock { $0 = "\(error)" } }
    }
    try Linux.Thread.run([drain, drain, drain, drain])
    if let failure = failure.withLock({ $0 }) { throw BenchError(failure) }
    return Double(count / 4 * 4) / (Double(nanoseconds() - began) / 1e9)
  }

  func end() { service.stop() }
}
