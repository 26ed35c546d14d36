import Glibc
import Linux
import Spool
import SpoolFormat

/// Many `spool work` processes, each of a bot of its own, which wait for messages.
final class WorkerCrowd {
  private let service: SpoolService
  private var workers: [pid_t] = []

  init(_ count: Int, in scratch: Scratch) throws {
    let command = try SpoolCommand()
    try command.require("work")
    service = try SpoolService(.spool, in: scratch)
    do {
      for number in 0..<count { try service.makeInbox("bot\(number)") }
      for number in 0..<count {
        workers.append(
          try Processes.spawn(command.path, ["work", "--spool", service.place, "bot\(number)", "--", "/bin/true"]))
      }
      try wait(seconds: 120) {
        try (0..<count).allSatisfy { try !service.spool.presence(of: BotName(parsing: "bot\($0)")).isEmpty }
      }
      // What is started at once beats at once; they drift apart.
      try rest(seconds: 3)
    } catch {
      end()
      throw error
    }
  }

  /// Nanoseconds from the send of a message to all until the last of them has it in hand, by the log.
  func broadcast(secondsMax: Int) throws -> Int {
    var follower = try LogWatcher(service.spool)
    var message = Message(content: SpoolService.content)
    message.from = "bench"
    message.type = .broadcast
    message.to = ["team"]
    let began = nanoseconds()
    let id = try service.spool.send(message, durability: .relaxed)
    var last = began
    try wait(seconds: secondsMax) {
      let count = try follower.count(of: .messageClaimed, about: id)
      last = nanoseconds()
      return count == workers.count
    }
    try wait(seconds: secondsMax) { try follower.count(of: .messageAcked, about: id) == workers.count }
    return last - began
  }

  /// What they use of a core, all together.
  func busyPercent(seconds: Int) throws -> Double {
    let before = try processorTime()
    let began = nanoseconds()
    try rest(seconds: seconds)
    return Double(try processorTime() - before) / Double(nanoseconds() - began) * 100
  }

  /// Nanoseconds on a processor; the first field of schedstat is exact where utime counts ticks.
  private func processorTime() throws -> Int {
    try workers.reduce(0) { sum, pid in
      sum + (Int(try readFile("/proc/\(pid)/schedstat").split(separator: " ").first ?? "") ?? 0)
    }
  }

  /// MiB that belong to one alone, on average.
  func privateMemory() throws -> Double {
    var kibibytes = 0
    for pid in workers {
      for line in try readFile("/proc/\(pid)/smaps_rollup").split(separator: "\n") where line.hasPrefix("Private_") {
        kibibytes += line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
      }
    }
    return Double(kibibytes) / 1024 / Double(max(1, workers.count))
  }

  func rest(seconds: Int) throws {
    let end = nanoseconds() + seconds * 1_000_000_000
    while nanoseconds() < end {
      try Interruption.check()
      usleep(50_000)
    }
  }

  private func wait(seconds: Int, _ condition: () throws -> Bool) throws {
    let deadline = nanoseconds() + seconds * 1_000_000_000
    while try !condition() {
      try Interruption.check()
      guard nanoseconds() < deadline else { throw BenchError("the workers did not get so far in \(seconds) s") }
      usleep(5000)
    }
  }

  func end() {
    for pid in workers { kill(pid, SIGTERM) }
    for pid in workers { Processes.stop(pid) }
    workers = []
    service.stop()
  }
}

/// Counts lines as they come.
private struct LogWatcher {
  private var follower: LogFollower
  private var counts: [LogEvent.Kind: [String: Int]] = [:]

  init(_ spool: Spool) throws { follower = try LogFollower(spool, from: nil) }

  mutating func count(of kind: LogEvent.Kind, about id: MessageID) throws -> Int {
    var counts = counts
    _ = try follower.take { event in counts[event.kind, default: [:]][event.subject, default: 0] += 1 }
    self.counts = counts
    return counts[kind]?[id.description] ?? 0
  }
}
