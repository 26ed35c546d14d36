import CLinux
import Glibc
import Synchronization

/// The real `spool` executable, as it was built beside these tests.
public enum SpoolCommand {
  /// How a process ended, and what it said.
  public struct Outcome: Sendable, CustomStringConvertible {
    /// The exit status; nil when a signal killed it.
    public let status: Int?
    public let signal: Int?
    public let output: String
    public let error: String

    public var isDone: Bool { status == 0 }
    public var isKilled: Bool { signal == Int(SIGKILL) }
    /// What it printed, without the line feed: an id, say.
    public var line: String { output.hasSuffix("\n") ? String(output.dropLast()) : output }
    public var description: String {
      let end = status.map { "status \($0)" } ?? "signal \(signal ?? 0)"
      return "\(end), output \(output.debugDescription), error \(error.debugDescription)"
    }
  }

  public struct Failure: Error, CustomStringConvertible {
    public let description: String
    public init(description: String) { self.description = description }
  }

  /// Found beside the program that runs the tests: `.build/…/debug/spool`.
  public static let path = built("spool")

  static func built(_ name: String) -> Result<String, Failure> {
    var running: [String] = []
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = readlink("/proc/self/exe", &buffer, buffer.count)
    if count > 0 { running.append(String(decoding: buffer.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self)) }
    running += CommandLine.arguments
    for program in running {
      guard let slash = program.lastIndex(of: "/") else { continue }
      let candidate = String(program[..<slash]) + "/" + name
      if access(candidate, X_OK) == 0 { return .success(candidate) }
    }
    return .failure(
      Failure(
        description: "no executable \(name) beside \(running.first ?? "the tests"): build it with swift build"))
  }

  /// The longest that a command may take, seconds: it is hung then.
  public static let secondsMax = 60.0

  /// Runs `spool` to its end.
  public static func run(
    _ arguments: [String], in spool: String? = nil, environment: [String: String] = [:], input: Input = .empty,
    output: Output = .captured, directory: String? = nil
  ) throws -> Outcome {
    try start(
      arguments, in: spool, environment: environment, input: input, output: output, directory: directory
    ).wait(seconds: secondsMax)
  }

  public enum Input: Sendable {
    case empty
    case bytes([UInt8])
    /// What is open already; it stays the caller's.
    case descriptor(CInt)
    public static func text(_ text: String) -> Input { .bytes(Array(text.utf8)) }
  }

  public enum Output: Sendable {
    case captured, closed
    /// What is open already; it stays the caller's.
    case descriptor(CInt)
    case file(String)
  }

  /// Starts `spool` (or another program), with an environment that has nothing of the spool's but what is given.
  public static func start(
    program: String? = nil, _ arguments: [String], in spool: String? = nil, environment: [String: String] = [:],
    input: Input = .empty, output: Output = .captured, directory: String? = nil
  ) throws -> Running {
    let executable = try program ?? path.get()
    // A shell changes the directory, where posix_spawn can't everywhere.
    let command = directory.map { ["/bin/sh", "-c", "cd \"$0\" && exec \"$@\"", $0, executable] } ?? [executable]
    let captured = try temporaryFile()
    let errors = try temporaryFile()
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    var given: CInt = -1
    defer { if given != -1 { close(given) } }
    switch input {
    case .empty: posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    case .bytes(let bytes):
      given = try temporaryFile()
      guard write(given, bytes, bytes.count) == bytes.count else {
        throw Failure(description: "cannot write the input")
      }
      lseek(given, 0, SEEK_SET)
      posix_spawn_file_actions_adddup2(&actions, given, 0)
    case .descriptor(let open): posix_spawn_file_actions_adddup2(&actions, open, 0)
    }
    posix_spawn_file_actions_adddup2(&actions, errors, 2)
    switch output {
    case .captured: posix_spawn_file_actions_adddup2(&actions, captured, 1)
    case .descriptor(let open): posix_spawn_file_actions_adddup2(&actions, open, 1)
    case .closed: posix_spawn_file_actions_addclose(&actions, 1)
    case .file(let path): posix_spawn_file_actions_addopen(&actions, 1, path, O_WRONLY, 0)
    }
    var variables = ["TZ": "UTC", "USER": "tester", "LC_ALL": "C"]
    variables["SPOOL_DIR"] = spool
    for (name, value) in environment { variables[name] = value }
    let argv = (command + arguments).map { strdup($0) } + [nil]
    let envp = environmentEntries(variables).map { strdup($0) } + [nil]
    defer { for pointer in argv + envp { free(pointer) } }
    var child: pid_t = 0
    let code = posix_spawn(&child, command[0], &actions, nil, argv, envp)
    guard code == 0 else {
      close(captured)
      close(errors)
      throw Failure(description: "cannot start \(command[0]): \(String(cString: strerror(code)))")
    }
    return Running(pid: child, output: captured, errors: errors, arguments: arguments)
  }

  private static func environmentEntries(_ variables: [String: String]) -> [String] {
    var entries: [String] = []
    var next = clinux_environ()
    while let entry = next?.pointee {
      let text = String(cString: entry)
      let name = String(text.prefix { $0 != "=" })
      if variables[name] == nil, !name.hasPrefix("SPOOL_") { entries.append(text) }
      next = next?.successor()
    }
    return entries + variables.map { "\($0.key)=\($0.value)" }
  }

  /// Open, and without a name.
  private static func temporaryFile() throws -> CInt {
    let file = clinux_memfd_create("nanospool-io")
    guard file != -1 else { throw Failure(description: "cannot make a file in memory") }
    return file
  }
}

/// A process that was started. `wait` must be called.
public final class Running: Sendable {
  public let pid: pid_t
  private let output: CInt
  private let errors: CInt
  private let arguments: [String]
  /// Once it was waited for, its number and its files' may be another's.
  private let ended = Mutex<Result<SpoolCommand.Outcome, SpoolCommand.Failure>?>(nil)

  fileprivate init(pid: pid_t, output: CInt, errors: CInt, arguments: [String]) {
    self.pid = pid
    self.output = output
    self.errors = errors
    self.arguments = arguments
  }

  public func kill(_ signal: CInt = SIGKILL) { if ended.withLock({ $0 == nil }) { Glibc.kill(pid, signal) } }

  public var isStoppedOrOver: Bool { isStopped || isInState("Z") }

  /// False when it ended without being stopped.
  public func waitUntilStopped() -> Bool { eventually { isStoppedOrOver } && isStopped }

  private var isStopped: Bool { isInState("T") }

  private func isInState(_ letter: Character) -> Bool {
    ((try? Plain.text("/proc/\(pid)/stat")) ?? "").contains(") \(letter) ")
  }

  /// How it ended; a process that takes longer than that is killed, and is a failure. Waiting again says the same.
  public func wait(seconds: Double) throws -> SpoolCommand.Outcome {
    if let known = ended.withLock({ $0 }) { return try known.get() }
    let handle = clinux_pidfd_open(pid)
    var entry = pollfd(fd: handle, events: Int16(POLLIN), revents: 0)
    let isOver = clinux_poll(&entry, 1, Int64(seconds * 1e9)) != 0
    if !isOver { kill() }
    var status: CInt = 0
    while waitpid(pid, &status, 0) == -1, errno == EINTR {}
    let signal = Int(status & 0x7f)
    let outcome = SpoolCommand.Outcome(
      status: signal == 0 ? Int(status >> 8) & 0xff : nil, signal: signal == 0 ? nil : signal,
      output: Self.text(output), error: Self.text(errors))
    for descriptor in [handle, output, errors] { close(descriptor) }
    let hung = SpoolCommand.Failure(description: "spool \(arguments.joined(separator: " ")) hung: \(outcome)")
    let result: Result<SpoolCommand.Outcome, SpoolCommand.Failure> = isOver ? .success(outcome) : .failure(hung)
    ended.withLock { $0 = result }
    return try result.get()
  }

  private static func text(_ file: CInt) -> String {
    let size = Int(lseek(file, 0, SEEK_END))
    let bytes = [UInt8](unsafeUninitializedCapacity: max(1, size)) { buffer, count in
      count = max(0, pread(file, buffer.baseAddress, size, 0))
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// What a test does in a process of its own, because that is to die, or to have a fault or limits that the test's own
/// must not have: one of the deeds of `TestProcess`.
public enum OwnProcess {
  private static let path = SpoolCommand.built("TestProcess")

  public static func run(_ deed: String, _ arguments: [String], environment: [String: String] = [:]) throws
    -> SpoolCommand.Outcome
  {
    try start(deed, arguments, environment: environment).wait(seconds: SpoolCommand.secondsMax)
  }

  public static func start(_ deed: String, _ arguments: [String], environment: [String: String] = [:]) throws -> Running
  {
    try SpoolCommand.start(program: path.get(), [deed] + arguments, environment: environment)
  }
}

public func monotonicSeconds() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// What `spool` says on standard error when it refuses.
public enum SpoolMessage {
  public static func isOneLine(_ text: String) -> Bool {
    text.hasPrefix("spool: ") && text.hasSuffix("\n") && text.dropLast().allSatisfy { !$0.isNewline }
  }
}
