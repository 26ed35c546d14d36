import Glibc
import Linux
import Spool
import SpoolFormat

extension Work {
  /// Tasks a second through add, assign, start and complete; the floor is the same calls with no JSON, log or decision.
  static func tasks(_ bench: Bench, _ name: String, _ durability: Durability, atLeast: Double) -> Work {
    let count = bench.count(10_000)
    return Work(
      name: name, unit: "tasks/s", targets: [.above(atLeast)],
      ours: Contender(SpoolService.name) {
        let team = try TaskTeam(durability, in: bench.scratch)
        return Session(
          measure: { Double(count) / (Double(try team.pass(count, secondsMax: bench.secondsMax)) / 1e9) },
          stop: { team.end() })
      },
      floor: Contender("bare renames") { try BareTasks(in: bench.scratch).rate(count) })
  }

  /// From being added to being assigned, p99, with 10,000 others pending that nobody can do.
  static func assignment(_ bench: Bench, _ name: String) -> Work {
    Work(
      name: name, unit: "ms", targets: [.below(10)],
      ours: Contender(SpoolService.name) {
        let team = try TaskTeam(.relaxed, in: bench.scratch)
        try team.addImpossible(bench.count(10_000))
        return Session(
          measure: { milliseconds(percentile(99, of: try team.assignmentTimes(bench.count(1000)))) },
          stop: { team.end() })
      })
  }

  /// How much dearer a task is when 100,000 have been completed than when 1,000 have: a ratio of times.
  static func taskGrowth(_ bench: Bench, _ name: String) -> Work {
    let count = bench.count(5000)
    func contender(_ label: String, _ completed: Int) -> Contender {
      Contender(label) {
        let team = try TaskTeam(.relaxed, in: bench.scratch)
        try makeTasks(in: team.spool.path, state: .completed, count: bench.count(completed))
        return Session(
          measure: { milliseconds(try team.pass(count, secondsMax: bench.secondsMax)) * 1000 / Double(count) },
          stop: { team.end() })
      }
    }
    return Work(
      name: name, unit: "us/task", targets: [.atMost(1.5, of: Target.floor)],
      ours: contender(SpoolService.name, 100_000), floor: contender("with 1,000", 1000))
  }

  /// A coordinator of its own over 100,000 tasks, of which 10,000 live: what `read` says of it.
  private static func coordinator(
    _ bench: Bench, _ name: String, _ unit: String, _ target: Target,
    _ read: @escaping (_ pid: pid_t, _ startSeconds: Double) throws -> Double
  ) -> Work {
    Work(
      name: name, unit: unit, targets: [target],
      ours: Contender(SpoolService.name) {
        let command = try SpoolCommand()
        try command.require("coordinate")
        let path = try bench.scratch.directory("coordinated")
        try Spool.create(at: path) { $0.durability = .relaxed }
        let spool = try Spool(at: path)
        try makeTasks(in: path, state: .completed, count: bench.count(90_000))
        try makeTasks(in: path, state: .pending, count: bench.count(10_000))
        let worker = Card(name: try BotName(parsing: "worker"))
        try spool.register(worker)
        try spool.announce(worker.name, program: "spool-bench", takes: .tasks).beat()
        return Session(
          measure: {
            let began = nanoseconds()
            var probe = TaskRecord(title: "the first to be assigned")
            probe.priority = Priority(value: 10)!
            try spool.addTask(probe)
            let pid = try Processes.spawn(command.path, ["coordinate", "--spool", path])
            defer { Processes.stop(pid) }
            while try spool.tasks(in: [.assigned]).isEmpty {
              guard nanoseconds() - began < 60_000_000_000 else { throw BenchError("nothing was assigned in 60 s") }
              usleep(5000)
            }
            let seconds = Double(nanoseconds() - began) / 1e9
            defer { for entry in (try? spool.tasks(in: [.assigned])) ?? [] { _ = try? spool.cancel(entry) } }
            return try read(pid, seconds)
          }, stop: { bench.scratch.discard(path) })
      })
  }

  static func coordinatorMemory(_ bench: Bench, _ name: String) -> Work {
    coordinator(bench, name, "MiB", .below(150)) { pid, _ in try residentMemory(of: pid) }
  }

  static func coordinatorStart(_ bench: Bench, _ name: String) -> Work {
    coordinator(bench, name, "s", .below(3)) { _, seconds in seconds }
  }

  static func coordinatorIdle(_ bench: Bench, _ name: String) -> Work {
    coordinator(bench, name, "% of a core", .below(1)) { pid, _ in
      // What it does at first is not idling.
      sleep(3)
      let (before, began) = (try processorTime(of: pid), nanoseconds())
      sleep(10)
      return (try processorTime(of: pid) - before) * 100 / (Double(nanoseconds() - began) / 1e9)
    }
  }
}

/// Files of tasks as they lie in a spool; the log doesn't know of them.
private func makeTasks(in path: String, state: TaskState, count: Int) throws {
  let root = try openDirectory("\(path)/tasks/\(state.rawValue)")
  defer { close(root) }
  let first = Timestamp(rfc3339: "2026-01-01T00:00:00Z")!
  for number in 0..<count {
    let kind = UInt64(state == .pending ? 1 : 0)
    let id = MessageID(time: first.advanced(bySeconds: Double(number)), random: UInt64(number) << 1 | kind)
    var record = TaskRecord(title: "one of many")
    record.id = id
    record.domain = "development"
    record.description = SpoolService.content
    if state == .pending { record.requiredSkills = [Card.Skill(name: "flying", level: .expert)] }
    let file = try check(openat(root, "5-\(id).json", O_WRONLY | O_CREAT | O_CLOEXEC, 0o644), "openat", path)
    defer { close(file) }
    try (record.encoded + [10]).withUnsafeBytes { try writeAll($0, to: file, path) }
  }
}

/// Seconds of processor time that a process has used. See proc_pid_stat(5).
private func processorTime(of pid: pid_t) throws -> Double {
  let text = try readFile("/proc/\(pid)/stat")
  guard let end = text.lastIndex(of: ")") else { throw BenchError("/proc/\(pid)/stat can't be read") }
  let fields = text[text.index(after: end)...].split(separator: " ")
  guard fields.count > 13, let user = Double(fields[11]), let system = Double(fields[12]) else {
    throw BenchError("/proc/\(pid)/stat can't be read")
  }
  return (user + system) / Double(sysconf(CInt(_SC_CLK_TCK)))
}
