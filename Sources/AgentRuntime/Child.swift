import Glibc
import Linux
import SpoolFormat

/// A running program, and what passes through its pipes. Nothing here waits.
final class Child {
  private let process: ChildProcess
  /// Of a streaming program; one that works on a single message has a file in memory instead.
  private var input: PipeEnd?
  private var unwritten: [UInt8] = []
  /// Bytes of the last line, which stay what they are when all of it was.
  private var written = 0
  private var output: PipeEnd?
  private var errorOutput: PipeEnd?
  /// Where it tells how far it is: its descriptor 3, and the name in SPOOL_PROGRESS. Both ends are kept open, so that
  /// it may be opened and closed as often as anybody likes.
  private let progress: (reading: PipeEnd, writing: PipeEnd)?
  private var progressLines = ProgressLines()
  /// Where each is in the poll set of this turn.
  private var places: (input: Int?, output: Int?, error: Int?, exit: Int?, progress: Int?) = (nil, nil, nil, nil, nil)

  /// What it wrote to standard output and nobody has taken yet.
  private(set) var received: [UInt8] = []
  /// How much of that is known to have no line feed in it.
  private var scanned = 0
  private(set) var errorTail = ErrorTail()
  private(set) var ending: ChildProcess.Ending?
  /// It no longer reads what it is given.
  private(set) var refusesInput = false
  /// It ended of itself, and had read nothing of the last line that it was given.
  private(set) var endedUnread = false
  /// Whether it has not taken all of the line it was given, or never will.
  var hasUnreadInput: Bool { refusesInput || written < unwritten.count }
  /// It will print no more.
  var hasClosedOutput: Bool { output == nil }

  /// What comes next in making it end, and when; nanoseconds since boot.
  private enum Escalation { case terminate, kill }
  private var next: (step: Escalation, at: Int)?
  private var isCondemned = false
  private var wasSignalled = false
  /// When to stop waiting for what those it left behind may still print.
  private var outputDeadline = Int.max

  /// What a program is told of its work. Empty where there is nothing to tell: what another worker, above this one, told its
  /// own program is nothing to this one.
  private static let told = [
    "SPOOL_ATTEMPT", "SPOOL_ID", "SPOOL_FROM", "SPOOL_FROM_VERIFIED", "SPOOL_FROM_USER", "SPOOL_CONVERSATION",
    "SPOOL_CLAIM", "SPOOL_TASK", "SPOOL_GROUP", "SPOOL_PROGRESS",
  ]

  /// Between asking to end and making it.
  private static let graceNanoseconds = 2_000_000_000
  /// A program that has ended may have left others its standard output (`>(tee log)` in bash): they have so long to
  /// finish, and are left alone after that.
  private static let lingerNanoseconds = 500_000_000
  private static let chunkBytes = 64 << 10

  /// Starts it with `message` as its standard input, or with a pipe to write lines into when that is nil.
  /// - Parameter tellsProgress: it gets something to tell its progress through.
  /// - Throws: the errors of execvp(3), pipe(2), fork(2).
  init(
    _ arguments: [String], environment: [String: String], message: [UInt8]?, tellsProgress: Bool = false
  ) throws(SystemCallError) {
    let output = try PipeEnd.pair()
    let error = try PipeEnd.pair()
    try output.reading.setNonBlocking()
    try error.reading.setNonBlocking()
    var environment = environment.merging(Self.told.map { ($0, "") }) { given, _ in given }
    let progress = tellsProgress ? try PipeEnd.pair() : nil
    if let progress {
      try progress.reading.setNonBlocking()
      // Opening that name gives another way into the same pipe.
      environment["SPOOL_PROGRESS"] = "/proc/\(ProcessIdentity.numberInProc)/fd/\(progress.writing.descriptor.raw)"
    }
    self.progress = progress
    let third = progress?.writing.descriptor.raw
    if let message {
      let file = try Descriptor.memory("message", message)
      process = try ChildProcess(
        arguments, environment: environment, input: file.raw, output: output.writing.descriptor.raw,
        error: error.writing.descriptor.raw, third: third)
    } else {
      let lines = try PipeEnd.pair()
      try lines.writing.setNonBlocking()
      process = try ChildProcess(
        arguments, environment: environment, input: lines.reading.descriptor.raw,
        output: output.writing.descriptor.raw, error: error.writing.descriptor.raw, third: third)
      input = lines.writing
    }
    self.output = output.reading
    errorOutput = error.reading
  }

  // MARK: Passing data

  /// Gives a streaming program a line; it goes out as fast as it is read.
  func give(_ line: [UInt8]) {
    unwritten = line
    written = 0
    errorTail.clear()
    writeMore()
  }

  /// Takes everything that was received.
  func takeOutput() -> [UInt8] {
    defer { received = [] }
    return received
  }

  /// Takes the first line that isn't blank, without its line feed; nil until there is a whole one.
  func takeLine() -> [UInt8]? {
    var start = 0
    // All at once: what follows is moved each time.
    defer { received.removeFirst(start) }
    while let end = received[max(start, scanned)...].firstIndex(of: UInt8(ascii: "\n")) {
      let line = received[start..<end]
      start = end + 1
      guard line.contains(where: { $0 > 32 }) else { continue }
      scanned = 0
      return Array(line)
    }
    scanned = received.count - start
    return nil
  }

  /// Takes what it has told of its progress since the last time; nil for nothing.
  func takeProgress() -> Progress? { progressLines.take() }

  /// Whether something other than white space was printed that nobody asked for.
  var hasStrayOutput: Bool { received.contains { $0 > 32 } }

  private func writeMore() {
    guard let input, written < unwritten.count else { return }
    do throws(SystemCallError) {
      while written < unwritten.count { written += try input.descriptor.writeOnce(unwritten, from: written) }
      unwritten = []
    } catch {
      guard error.code != EAGAIN else { return }
      refusesInput = true
      unwritten = []
    }
  }

  /// Whether all that was written of the last line is still in the pipe.
  private var isUnread: Bool {
    guard let unread = try? input?.unread() else { return false }
    return unread >= written
  }

  private func read(_ end: inout PipeEnd?, _ take: ([UInt8]) -> Void) {
    guard let pipe = end else { return }
    do throws(SystemCallError) {
      guard let chunk = try pipe.descriptor.read(maximum: Self.chunkBytes) else { return }
      if chunk.isEmpty { end = nil } else { take(chunk) }
    } catch {
      end = nil
    }
  }

  // MARK: The event loop

  func watch(_ set: inout PollSet) {
    let wantsToWrite = written < unwritten.count
    places.input = wantsToWrite ? input.map { set.add($0.descriptor.raw, forWriting: true) } : nil
    places.output = output.map { set.add($0.descriptor.raw) }
    places.error = errorOutput.map { set.add($0.descriptor.raw) }
    places.exit = ending == nil ? set.add(process.exit.raw) : nil
    places.progress = progress.map { set.add($0.reading.descriptor.raw) }
  }

  /// Takes up what the poll set says. What was written to standard error is handed to `showError`.
  func respond(to set: PollSet, showError: ([UInt8]) -> Void) {
    if set.isReady(places.input) { writeMore() }
    if set.isReady(places.output) { read(&output) { received.append(contentsOf: $0) } }
    if set.isReady(places.error) { readErrors(showError) }
    if set.isReady(places.progress) { readProgress() }
    if set.isReady(places.exit) { noteExit(showError) }
    places = (nil, nil, nil, nil, nil)
    if ending != nil, output != nil, Clock.sinceBoot() >= outputDeadline { readRest() }
  }

  /// What is in the pipe by now, and no more. Somebody may go on writing into it: up to what is too much anyway.
  private func readRest() {
    var isThereMore = true
    while isThereMore, received.count <= Message.bytesMax + 1 {
      isThereMore = false
      read(&output) {
        received.append(contentsOf: $0)
        isThereMore = true
      }
    }
    output = nil
  }

  /// At most what a pipe holds.
  private func readProgress() {
    guard let progress else { return }
    if let chunk = try? progress.reading.descriptor.read(maximum: Self.chunkBytes) { progressLines.append(chunk) }
  }

  private func readErrors(_ show: ([UInt8]) -> Void) {
    read(&errorOutput) { chunk in
      errorTail.append(chunk)
      show(chunk)
    }
  }

  private func noteExit(_ showError: ([UInt8]) -> Void) {
    // Before it is reaped: until then nobody else can get its number.
    if isCondemned { process.signalGroup(SIGKILL) }
    ending = (try? process.reap(waiting: true)) ?? .unknown
    next = nil
    endedUnread = !wasSignalled && isUnread
    input = nil
    readErrors(showError)
    readProgress()
    progressLines.end()
    outputDeadline = Clock.sinceBoot() + (isCondemned ? 0 : Self.lingerNanoseconds)
  }

  /// Whether it has ended and all it printed was received.
  var isFinished: Bool { ending != nil && output == nil }

  // MARK: Ending it

  /// No more messages come: its standard input ends. SIGTERM and SIGKILL follow if it doesn't.
  func close() {
    guard ending == nil, !isCondemned else { return }
    input = nil
    expectEnd()
  }

  /// It can answer no more, most often because it is just ending. SIGTERM and SIGKILL follow if it doesn't.
  func expectEnd() {
    guard ending == nil, !isCondemned else { return }
    isCondemned = true
    next = (.terminate, Clock.sinceBoot() + Self.graceNanoseconds)
  }

  /// SIGTERM to its process group now, SIGKILL after the grace.
  func terminate() {
    guard ending == nil else { return }
    isCondemned = true
    wasSignalled = true
    process.signalGroup(SIGTERM)
    next = (.kill, Clock.sinceBoot() + Self.graceNanoseconds)
  }

  /// SIGKILL to its process group.
  func kill() {
    guard ending == nil else { return }
    isCondemned = true
    wasSignalled = true
    process.signalGroup(SIGKILL)
    next = nil
  }

  /// Kills and waits until it is gone.
  func killAndWait() {
    guard ending == nil else { return }
    kill()
    ending = (try? process.reap(waiting: true)) ?? .unknown
  }

  /// Takes the next step of ending it when its time has come.
  func step(_ now: Int) {
    guard let due = next, due.at <= now, ending == nil else { return }
    switch due.step {
    case .terminate: terminate()
    case .kill: kill()
    }
  }

  /// When `step` or `respond` has something to say though nothing happens; nanoseconds since boot.
  var nextDeadline: Int {
    if refusesInput, !isEnding { return 0 }
    return min(next?.at ?? .max, output == nil ? .max : outputDeadline)
  }

  /// Whether it is being made to end.
  var isEnding: Bool { isCondemned || ending != nil }
}
