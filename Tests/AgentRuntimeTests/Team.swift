import AgentRuntime
import Glibc
import Linux
import Spool
import SpoolFormat
import Synchronization
import Testing

/// A spool of its own with two bots: `coder`, who runs a program, and `asker`, who sends to it.
final class Team: Sendable {
  let path: String
  let spool: Spool
  let coder: BotName
  let asker: BotName

  init(lease: Double? = nil, attempts: Int? = nil) throws {
    var template = Array("\(getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp")/team.XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw SystemCallError("mkdtemp", "", errno) }
    path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    // A bot's card tells the lease of messages, the spool that of tasks.
    try Spool.create(at: path + "/spool") { if let lease { $0.leaseSeconds = lease } }
    spool = try Spool(at: path + "/spool")
    coder = try BotName(parsing: "coder")
    asker = try BotName(parsing: "asker")
    var card = Card(name: coder)
    card.leaseSeconds = lease
    card.attemptsMax = attempts
    try spool.register(card)
    try spool.register(Card(name: asker))
  }

  deinit {
    guard let null = try? Descriptor.open("/dev/null", O_RDWR),
      let remover = try? ChildProcess(["rm", "-rf", path], input: null.raw, output: null.raw, error: null.raw)
    else { return }
    _ = try? remover.reap(waiting: true)
  }

  /// A request from `asker` to `coder`.
  @discardableResult
  func ask(_ content: String, from: String? = "asker", _ adjust: (inout Message) -> Void = { _ in }) throws -> MessageID
  {
    var message = Message(content: content)
    message.from = from
    message.to = ["coder"]
    message.type = .request
    adjust(&message)
    return try spool.send(message, durability: .relaxed)
  }

  /// What `asker` was sent, oldest first.
  func answers() throws -> [Message] {
    try spool.entries(of: asker).compactMap(\.message).sorted { $0.id! < $1.id! }
  }

  func counts() throws -> Spool.BoxCounts { try spool.count(coder) }

  /// Whether `coder` has nothing waiting, claimed or dead.
  func hasNothingLeft() throws -> Bool {
    let counts = try counts()
    return counts.waiting + counts.claimed + counts.dead == 0
  }

  /// Path of a file outside of the spool.
  func file(_ name: String) -> String { "\(path)/\(name)" }

  func text(of name: String) -> String? {
    guard let file = try? Descriptor.open(file(name), O_RDONLY), let bytes = try? file.read(maximum: 1 << 16) else {
      return nil
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  func write(_ text: String, to name: String, mode: mode_t = 0o644) throws {
    let opened = try Descriptor.open(file(name), O_WRONLY | O_CREAT | O_TRUNC, mode: mode)
    try opened.write(Array(text.utf8))
    try opened.close()
  }

  /// A shell script as the program; `$DIR` in it is the directory for files of its own.
  func script(_ text: String) -> WorkerOptions {
    var options = WorkerOptions(arguments: ["/bin/sh", "-c", "DIR='\(path)'\n" + text])
    options.backoff = Backoff(first: 0.02, maximum: 0.1)
    return options
  }

  /// Works until nothing can be claimed.
  @discardableResult
  func work(_ options: WorkerOptions) throws -> (summary: WorkerSummary, events: [WorkerEvent]) {
    var options = options
    options.stopsWhenEmpty = true
    let worker = try RunningWorker(self, options)
    return (try worker.finish(), worker.events)
  }
}

/// A worker on a thread of its own.
final class RunningWorker: Sendable {
  private struct State {
    var stopRequests: SignalPipe?
    var events: [WorkerEvent] = []
    var result: Result<WorkerSummary, any Error>?
  }
  private let state = Mutex(State())

  init(_ team: Team, _ options: WorkerOptions, tap: @escaping @Sendable (WorkerEvent) -> Void = { _ in }) throws {
    try Thread.detach { [self] in
      let result = Result {
        let worker = try Worker(team.spool, team.coder, options) { event in
          self.state.withLock { $0.events.append(event) }
          tap(event)
        }
        state.withLock { $0.stopRequests = worker.stopRequests }
        return try worker.run()
      }
      state.withLock { $0.result = result }
    }
  }

  var events: [WorkerEvent] { state.withLock { $0.events } }

  func requestStop() throws {
    try require("the worker starts") { self.state.withLock { $0.stopRequests != nil } }
    state.withLock { $0.stopRequests }?.raise()
  }

  /// Waits for its end.
  @discardableResult
  func finish() throws -> WorkerSummary {
    // Long, because megabytes take their time in a debug build on a busy machine.
    try require("the worker ends", within: 120) { self.state.withLock { $0.result != nil } }
    return try state.withLock { $0.result! }.get()
  }

  func stop() throws -> WorkerSummary {
    try requestStop()
    return try finish()
  }
}

struct Overdue: Error, CustomStringConvertible {
  let description: String
}

/// Waits for a condition, for so many seconds at most.
func require(_ what: String, within seconds: Double = 30, _ condition: () throws -> Bool) throws {
  let deadline = Clock.sinceBoot() + Int(seconds * 1e9)
  while try !condition() {
    guard Clock.sinceBoot() < deadline else { throw Overdue(description: "waited \(seconds) s in vain until \(what)") }
    usleep(2000)
  }
}

/// Whether there is such a process, other than as a zombie.
func isRunning(_ pid: Int) -> Bool {
  guard let file = try? Descriptor.open("/proc/\(pid)/stat", O_RDONLY), let bytes = try? file.read(maximum: 1024),
    let end = bytes.lastIndex(of: UInt8(ascii: ")")), end + 2 < bytes.count
  else { return false }
  return bytes[end + 2] != UInt8(ascii: "Z")
}

extension [WorkerEvent] {
  var requeueReasons: [String] { compactMap { if case .requeued(_, let reason, _) = $0 { reason } else { nil } } }
  var deathReasons: [String] { compactMap { if case .dead(_, let reason) = $0 { reason } else { nil } } }
  var problems: [String] { compactMap { if case .problem(let text, _) = $0 { text } else { nil } } }
  var restarts: [String] { compactMap { if case .restarting(let reason, _) = $0 { reason } else { nil } } }
  var attempts: [Int] { compactMap { if case .claimed(let claim) = $0 { claim.attempt } else { nil } } }
  var errorOutput: String {
    let chunks = compactMap { event -> [UInt8]? in if case .errorOutput(let bytes) = event { bytes } else { nil } }
    return String(decoding: chunks.joined(), as: UTF8.self)
  }
}
