import CLinux
import Glibc

/// A process of this host, told apart from a later one that got the same number by when it started.
public struct ProcessIdentity: Sendable, Hashable {
  public let pid: Int
  /// Clock ticks since boot at its start, from `/proc/PID/stat`.
  public let started: UInt64

  public init(pid: Int, started: UInt64) {
    self.pid = pid
    self.started = started
  }

  /// The calling process.
  public static func current() -> ProcessIdentity {
    let pid = Int(getpid())
    return ProcessIdentity(pid: pid, started: startTime(of: pid) ?? 0)
  }

  /// Whether it is still there. A zombie counts as gone: it will never act again. One that can't be looked at (no
  /// descriptors left, `/proc` hidden from other users) counts as alive: taking the living for dead does more harm.
  public var isAlive: Bool {
    switch Self.state(of: pid) {
    case .gone: false
    case .started(let start, _): start == started
    case .unknown: kill(pid_t(pid), 0) == 0 || errno != ESRCH
    }
  }

  /// Whether the process or thread with this number was stopped, by a signal or a debugger.
  public static func isStopped(_ number: Int) -> Bool {
    if case .started(_, let isStopped) = state(of: number) { isStopped } else { false }
  }

  private enum State {
    case started(UInt64, isStopped: Bool)
    case gone
    case unknown
  }

  private static func startTime(of pid: Int) -> UInt64? {
    if case .started(let start, _) = state(of: pid) { start } else { nil }
  }

  /// Fields 3 and 22 of proc_pid_stat(5).
  private static func state(of pid: Int) -> State {
    guard 1...Int(Int32.max) ~= pid else { return .gone }
    let text: [UInt8]
    do throws(SystemCallError) {
      text = try Descriptor.open("/proc/\(pid)/stat", O_RDONLY).read(maximum: 1024) ?? []
    } catch {
      // Hidden processes are not there either, as far as open(2) tells.
      return error.code == ESRCH || (error.code == ENOENT && kill(pid_t(pid), 0) == -1 && errno == ESRCH)
        ? .gone : .unknown
    }
    guard let end = text.lastIndex(of: UInt8(ascii: ")")) else { return .unknown }
    let fields = text[(end + 1)...].split(separator: UInt8(ascii: " "))
    guard fields.count > 19, let start = UInt64(String(decoding: fields[19], as: UTF8.self)) else { return .unknown }
    return switch fields[0].first {
    case UInt8(ascii: "Z"): .gone
    case UInt8(ascii: "T"), UInt8(ascii: "t"): .started(start, isStopped: true)
    default: .started(start, isStopped: false)
    }
  }
}

/// A program that was started in a process group of its own, and dies when its parent does.
public struct ChildProcess: ~Copyable, Sendable {
  public let pid: pid_t
  /// Becomes readable when the process ends. C: pidfd_open(2).
  public let exit: Descriptor

  /// How a process ended.
  public enum Ending: Sendable, Equatable {
    case exited(Int)
    case killed(signal: Int)
  }

  /// Starts `arguments[0]`, looked for along PATH.
  /// - Parameter third: what it gets as descriptor 3; nil for nothing.
  /// - Throws: the error of execvp(3), such as ENOENT for a program that isn't there.
  public init(
    _ arguments: [String], environment: [String: String] = [:],
    input: CInt, output: CInt, error errorOutput: CInt, third: CInt? = nil
  ) throws(SystemCallError) {
    let argv = arguments.map { strdup($0) } + [nil]
    let added = environment.map { strdup("\($0.key)=\($0.value)") }
    defer { for pointer in argv + added { free(pointer) } }
    // What this process was given is handed on byte for byte, whether it is UTF-8 or not.
    var envp = added
    var next = clinux_environ()
    while let entry = next?.pointee {
      let name = UnsafeRawBufferPointer(start: entry, count: strcspn(entry, "="))
      if environment[String(decoding: name, as: UTF8.self)] == nil { envp.append(entry) }
      next = next?.successor()
    }
    envp.append(nil)
    let child = try systemCall("execvp", arguments[0]) {
      clinux_spawn(argv, envp, input, output, errorOutput, third ?? -1)
    }
    do {
      exit = Descriptor(raw: try systemCall("pidfd_open") { clinux_pidfd_open(child) }, path: "pidfd")
    } catch {
      // Nobody would be told of its end: it must not run unwatched.
      kill(-child, SIGKILL)
      waitpid(child, nil, 0)
      throw error
    }
    pid = child
  }

  /// Sends a signal to the whole process group; one that is gone is fine. C: kill(2).
  public borrowing func signalGroup(_ number: CInt) { _ = kill(-pid, number) }

  /// How it ended; nil while it still runs, unless told to wait. C: waitpid(2).
  public borrowing func reap(waiting: Bool = false) throws(SystemCallError) -> Ending? {
    var status: CInt = 0
    let pid = pid
    let reaped = try systemCall("waitpid") { waitpid(pid, &status, waiting ? 0 : WNOHANG) }
    if reaped == 0 { return nil }
    let signal = Int(status & 0x7f)
    return signal == 0 ? .exited(Int(status >> 8) & 0xff) : .killed(signal: signal)
  }
}

/// The name of this machine. C: gethostname(2).
public func hostName() -> String {
  var buffer = [CChar](repeating: 0, count: 256)
  guard gethostname(&buffer, 255) == 0 else { return "localhost" }
  return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}
