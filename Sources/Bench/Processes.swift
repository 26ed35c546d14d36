import Glibc

/// Starts programs, and copies of this one, and ends exactly those.
enum Processes {
  /// The descriptors on which a copy of this program waits for the start and tells its result.
  static let startDescriptor: CInt = 3
  static let resultDescriptor: CInt = 4

  /// Starts `path` with a plain environment, its standard input empty, its output thrown away unless a descriptor
  /// is given, and the given descriptors.
  static func spawn(
    _ path: String, _ arguments: [String], output: CInt? = nil, passing descriptors: [(from: CInt, to: CInt)] = []
  ) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    if let output {
      posix_spawn_file_actions_adddup2(&actions, output, 1)
    } else {
      posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
    }
    for (from, to) in descriptors { posix_spawn_file_actions_adddup2(&actions, from, to) }

    // An ignored signal stays ignored across exec, unlike one with a handler.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGPIPE)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))

    var argv = cStrings([path] + arguments)
    var environment = cStrings(["PATH=\(searchPath)", "LC_ALL=C"])
    defer { for string in argv + environment { free(string) } }
    var pid: pid_t = 0
    let number = posix_spawn(&pid, path, &actions, &attributes, &argv, &environment)
    guard number == 0 else { throw CallError(call: "posix_spawn", subject: path, number: number) }
    return pid
  }

  /// Waits for a child of ours to end, and returns its exit status, or 128 plus the signal's number.
  static func wait(for pid: pid_t) throws -> CInt {
    var status: CInt = 0
    while waitpid(pid, &status, 0) < 0 {
      guard errno == EINTR else { throw CallError(call: "waitpid", subject: "\(pid)", number: errno) }
    }
    return status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
  }

  /// True once a child of ours has ended. It is not reaped, so that its number stays its own.
  static func hasEnded(_ pid: pid_t) -> Bool {
    var information = siginfo_t()
    let result = waitid(P_PID, id_t(pid), &information, WEXITED | WNOHANG | WNOWAIT)
    return result < 0 || information.si_signo != 0
  }

  /// Asks a child of ours to end, kills it when it takes more than five seconds, and reaps it.
  static func stop(_ pid: pid_t) {
    kill(pid, SIGTERM)
    for _ in 0..<500 where !hasEnded(pid) { usleep(10_000) }
    kill(pid, SIGKILL)
    _ = try? wait(for: pid)
  }

  /// To be freed; a null pointer ends them.
  private static func cStrings(_ strings: [String]) -> [UnsafeMutablePointer<CChar>?] {
    strings.map { strdup($0) } + [nil]
  }

  private static var searchPath: String { getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin" }

  /// The program `name` as the shell would find it.
  static func find(_ name: String) -> String? {
    for directory in searchPath.split(separator: ":") {
      let path = "\(directory)/\(name)"
      if access(path, X_OK) == 0 { return path }
    }
    return nil
  }
}

/// Copies of this program that begin together and are all ended, whatever happens.
private struct Crew: ~Copyable {
  struct Member {
    let pid: pid_t
    let role: Role
    var result: CInt
    var text: [UInt8] = []
  }

  private(set) var members: [Member] = []
  /// The pipe on which all wait for the start.
  private let start: (read: CInt, write: CInt)

  init(start: (read: CInt, write: CInt)) { self.start = start }

  mutating func begin(_ role: Role, secondsMax: Int) throws {
    let (resultRead, resultWrite) = try makePipe()
    defer { close(resultWrite) }
    do {
      let pid = try Processes.spawn(
        "/proc/self/exe", [Role.flag, "\(secondsMax)"] + role.arguments, output: 2,
        passing: [(start.read, Processes.startDescriptor), (resultWrite, Processes.resultDescriptor)])
      members.append(Member(pid: pid, role: role, result: resultRead))
    } catch {
      close(resultRead)
      throw error
    }
  }

  deinit {
    close(start.read)
    close(start.write)
    for member in members where member.result >= 0 {
      kill(member.pid, SIGKILL)
      close(member.result)
      _ = try? Processes.wait(for: member.pid)
    }
  }

  /// Reads what the members have written until all of them have written something, or all have ended.
  mutating func collect(untilEnded: Bool, deadline: Int) throws {
    while true {
      let waiting = members.indices.filter { members[$0].result >= 0 && (untilEnded || members[$0].text.isEmpty) }
      if waiting.isEmpty { return }
      try Interruption.check()
      guard nanoseconds() < deadline else {
        throw BenchError("\(members[waiting[0]].role.job) did not finish in time")
      }
      var polled = waiting.map { pollfd(fd: members[$0].result, events: Int16(POLLIN), revents: 0) }
      if poll(&polled, nfds_t(polled.count), 200) < 0 && errno != EINTR {
        throw CallError(call: "poll", subject: "", number: errno)
      }
      for (index, entry) in zip(waiting, polled) where entry.revents != 0 { try readMore(of: index) }
    }
  }

  private mutating func readMore(of index: Int) throws {
    var block = [UInt8](repeating: 0, count: 65_536)
    let count = try check(read(members[index].result, &block, block.count), "read")
    members[index].text += block[..<count]
    guard count == 0 else { return }
    close(members[index].result)
    members[index].result = -1
    let status = try Processes.wait(for: members[index].pid)
    if status != 0 {
      let said = String(decoding: members[index].text.drop { $0 == Role.ready }, as: UTF8.self)
      throw BenchError("\(members[index].role.job): " + (said.isEmpty ? "ended with status \(status)" : said))
    }
  }

  func release() throws {
    let signal = [UInt8](repeating: Role.go, count: members.count)
    try signal.withUnsafeBytes { try writeAll($0, to: start.write, "start pipe") }
  }
}

/// Runs `roles`, each in a process of its own, begun together once all are ready; returns what
/// they report, in the same order. When one fails or `secondsMax` pass, all are killed.
func runTogether(_ roles: [Role], secondsMax: Int) throws -> [Report] {
  let deadline = nanoseconds() + secondsMax * 1_000_000_000
  var crew = Crew(start: try makePipe())
  for role in roles { try crew.begin(role, secondsMax: secondsMax) }
  try crew.collect(untilEnded: false, deadline: deadline)
  try crew.release()
  try crew.collect(untilEnded: true, deadline: deadline)
  return try crew.members.map { try Report(parsing: $0.text.dropFirst()) }
}
