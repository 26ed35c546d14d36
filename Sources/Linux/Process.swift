import CLinux
import Glibc

/// A process of this host, told apart from a later one that got the same number by when it started.
public struct ProcessIdentity: Sendable, Hashable {
  public let pid: Int
  /// Clock ticks since boot at its start, from `/proc/PID/stat`. Of a process in another PID namespace than the
  /// machine's first, such as a sandbox's, the lower 32 bits are, and the upper ones are the namespace's number.
  public let started: UInt64

  public init(pid: Int, started: UInt64) {
    self.pid = pid
    self.started = started
  }

  /// The calling process.
  public static func current() -> ProcessIdentity {
    let view = PIDNamespace.current
    guard case .started(let start, _) = state(of: "self", number: getpid()) else {
      return ProcessIdentity(pid: Int(getpid()), started: view.mark(0))
    }
    return ProcessIdentity(pid: Int(getpid()), started: view.mark(start))
  }

  /// Whether its end can be seen from here: it is in the caller's PID namespace. In another one, its number is some
  /// other process's, or nobody's.
  public var isVisible: Bool {
    let view = PIDNamespace.current
    return view.isShown && view.has(started)
  }

  /// Whether it is still there. A zombie counts as gone, unless only its main thread has ended: it will never act again.
  /// One that can't be looked at (in another PID namespace, no descriptors left, `/proc` hidden from other users) counts
  /// as alive: taking the living for dead does more harm.
  public var isAlive: Bool {
    guard isVisible else { return true }
    guard 1...Int(Int32.max) ~= pid else { return false }
    return switch Self.state(of: "\(pid)", number: pid_t(pid)) {
    case .gone: false
    case .started(let start, _): PIDNamespace.current.mark(start) == started
    case .unknown: kill(pid_t(pid), 0) == 0 || errno != ESRCH
    }
  }

  /// What `/proc` calls the calling process, which may be its number in an outer PID namespace.
  public static var numberInProc: Int { PIDNamespace.current.shownNumber ?? Int(getpid()) }

  /// Whether the process or thread with this number was stopped, by a signal or a debugger.
  public static func isStopped(_ number: Int) -> Bool {
    guard 1...Int(Int32.max) ~= number, PIDNamespace.current.isShown else { return false }
    guard case .started(_, let isStopped) = state(of: "\(number)", number: pid_t(number)) else { return false }
    return isStopped
  }

  private enum State {
    case started(UInt64, isStopped: Bool)
    case gone
    case unknown
  }

  /// Fields 3, 20 and 22 of proc_pid_stat(5), of what has this name in `/proc`.
  private static func state(of name: String, number: pid_t) -> State {
    let text: [UInt8]
    do throws(SystemCallError) {
      text = try Descriptor.open("/proc/\(name)/stat", O_RDONLY).read(maximum: 1024) ?? []
    } catch {
      // Hidden processes are not there either, as far as open(2) tells.
      return error.code == ESRCH || (error.code == ENOENT && kill(number, 0) == -1 && errno == ESRCH)
        ? .gone : .unknown
    }
    guard let end = text.lastIndex(of: UInt8(ascii: ")")) else { return .unknown }
    let fields = text[(end + 1)...].split(separator: UInt8(ascii: " "))
    guard fields.count > 19, let start = UInt64(String(decoding: fields[19], as: UTF8.self)) else { return .unknown }
    return switch fields[0].first {
    // A zombie with other threads has only ended its main one.
    case UInt8(ascii: "Z") where Int(String(decoding: fields[17], as: UTF8.self)) ?? 1 <= 1: .gone
    case UInt8(ascii: "T"), UInt8(ascii: "t"): .started(start, isStopped: true)
    default: .started(start, isStopped: false)
    }
  }
}

/// The PID namespace of the calling process: which processes its numbers tell of. Linux: pid_namespaces(7).
struct PIDNamespace: Sendable {
  /// 0 for the machine's first one, and where the kernel doesn't tell.
  let number: UInt32
  /// Whether `/proc` shows this namespace, and not an outer one's processes under their numbers.
  let isShown: Bool
  /// What it calls the calling process, if it is there.
  var shownNumber: Int?

  static let current: PIDNamespace = {
    var status = stat()
    let number = stat("/proc/self/ns/pid", &status) == 0 ? UInt32(truncatingIfNeeded: status.st_ino) : 0
    var link = [UInt8](repeating: 0, count: 16)
    let length = readlink("/proc/self", &link, link.count)
    let shown = Int(String(decoding: link.prefix(max(0, length)), as: UTF8.self))
    return PIDNamespace(
      number: number < least ? 0 : number, isShown: shown == Int(getpid()), shownNumber: shown)
  }()

  /// The kernel numbers them from here on (`PROC_DYNAMIC_FIRST`), but for the machine's first one, which has a smaller
  /// number on every machine (`PROC_PID_INIT_INO`). Ticks since boot never get there.
  private static let least: UInt32 = 0xf000_0000

  /// The start of one of its processes, marked as such.
  func mark(_ ticks: UInt64) -> UInt64 { number == 0 ? ticks : UInt64(number) << 32 | ticks & 0xffff_ffff }

  /// Whether a start is marked as one of this namespace.
  func has(_ start: UInt64) -> Bool {
    let mark = UInt32(start >> 32)
    return (mark < Self.least ? 0 : mark) == number
  }
}

/// A program that was started in a session and process group of its own, without a terminal, and dies when its parent does.
public struct ChildProcess: ~Copyable, Sendable {
  public let pid: pid_t
  /// Becomes readable when the process ends. C: pidfd_open(2).
  public let exit: Descriptor

  /// How a process ended.
  public enum Ending: Sendable, Equatable {
    case exited(Int)
    case killed(signal: Int)
    /// Something else in this process has reaped it.
    case unknown
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
    // Inherited where who started this one ignores it, also past exec(2): the kernel would reap the child itself, and
    // nobody could tell how it ended.
    if clinux_signal_is_ignored(SIGCHLD) { signal(SIGCHLD, SIG_DFL) }
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
    let reaped: pid_t
    do { reaped = try systemCall("waitpid") { waitpid(pid, &status, waiting ? 0 : WNOHANG) } } catch {
      guard error.code == ECHILD else { throw error }
      return .unknown
    }
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
