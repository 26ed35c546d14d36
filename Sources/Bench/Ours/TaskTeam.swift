import Coordinator
import Glibc
import Linux
import Spool
import SpoolFormat
import Synchronization

/// A spool with 620 bots, of which 50 work, all in this process: a coordinator on a thread of its own, one that watches
/// for what is assigned, and one for each worker.
final class TaskTeam: Sendable {
  static let bots = 620
  static let workers = 50
  /// Threads that add tasks, so that a durable one doesn't wait for each sync alone.
  private static let adders = 8

  let spool: Spool
  private let scratch: Scratch
  private let stopCoordinator = Mutex<SignalPipe?>(nil)
  /// Tasks that were assigned, for whichever worker is free; a byte in the pipe for each.
  private let assigned = Mutex<[TaskEntry]>([])
  private let bell: (read: CInt, write: CInt)
  private let isWatching = Atomic<Bool>(false)
  private let isEnding = Atomic<Bool>(false)
  private let completed = Atomic<Int>(0)
  private let running = Atomic<Int>(0)
  private let failure = Mutex<String?>(nil)

  init(_ durability: Durability, in scratch: Scratch) throws {
    self.scratch = scratch
    let path = try scratch.directory("team-\(UInt32.random(in: 0 ... .max))")
    try Spool.create(at: path) { $0.durability = durability }
    spool = try Spool(at: path)
    for number in 0..<Self.bots {
      var card = Card(name: try BotName(parsing: "bot\(number)"))
      card.domain = number < Self.workers ? "development" : "research"
      card.capacity = 4
      try spool.register(card)
      if number < Self.workers { try spool.announce(card.name, program: "spool-bench", takes: .tasks).beat() }
    }
    bell = try makePipe()
    try start {
      let coordinator = try Coordinator(self.spool) { _ in }
      self.stopCoordinator.withLock { $0 = coordinator.stopRequests }
      try coordinator.run()
    }
    // What is assigned before somebody watches would be nobody's.
    try start {
      let watcher = try TaskWatcher(self.spool)
      self.isWatching.store(true, ordering: .relaxed)
      try self.watch(watcher)
    }
    while !self.isWatching.load(ordering: .relaxed) || stopCoordinator.withLock({ $0 == nil }) {
      if let failure = failure.withLock({ $0 }) { throw BenchError(failure) }
      usleep(1000)
    }
    for _ in 0..<Self.workers { try start { try self.work() } }
  }

  private func start(_ body: @escaping @Sendable () throws -> Void) throws {
    running.add(1, ordering: .relaxed)
    try Linux.Thread.detach {
      do { try body() } catch { self.failure.withLock { $0 = $0 ?? "\(error)" } }
      self.running.subtract(1, ordering: .relaxed)
    }
  }

  private func watch(_ watcher: TaskWatcher) throws {
    while !isEnding.load(ordering: .relaxed) {
      _ = try Poll.wait([watcher.descriptor].compactMap { $0 }, nanoseconds: 100_000_000)
      guard let moves = try watcher.takeMoves() ?? nil else {
        throw BenchError("more tasks than the queue of events holds")
      }
      let new = moves.filter { $0.state == .assigned }
      guard !new.isEmpty else { continue }
      assigned.withLock { $0 += new }
      try Array(repeating: UInt8(1), count: new.count).withUnsafeBytes { try writeAll($0, to: bell.write, "bell") }
    }
  }

  private func work() throws {
    var byte: UInt8 = 0
    while read(bell.read, &byte, 1) == 1, !isEnding.load(ordering: .relaxed) {
      guard let entry = assigned.withLock({ $0.popLast() }), let bot = entry.bot,
        let started = try spool.start(entry, bot: bot, worker: spool.holder),
        try spool.complete(started, result: JSONText(string: "done"), startedAt: entry.id.time) != nil
      else { throw BenchError("a task was lost to somebody else") }
      completed.add(1, ordering: .relaxed)
    }
  }

  /// Adds so many tasks, and returns after how many nanoseconds all were completed.
  func pass(_ count: Int, secondsMax: Int) throws -> Int {
    let first = completed.load(ordering: .relaxed)
    let began = nanoseconds()
    for adder in 0..<Self.adders {
      try start {
        for _ in stride(from: adder, to: count, by: Self.adders) { try self.spool.addTask(Self.task()) }
      }
    }
    while completed.load(ordering: .relaxed) < first + count {
      if let failure = failure.withLock({ $0 }) { throw BenchError(failure) }
      guard nanoseconds() - began < secondsMax * 1_000_000_000 else {
        throw BenchError("\(completed.load(ordering: .relaxed) - first) of \(count) tasks were completed in time")
      }
      try Interruption.check()
      usleep(1000)
    }
    return nanoseconds() - began
  }

  private static func task() -> TaskRecord {
    var task = TaskRecord(title: "one of many")
    task.domain = "development"
    task.description = SpoolService.content
    return task
  }

  /// Nanoseconds from before a task is added until it is assigned, of each of so many, one after the other.
  func assignmentTimes(_ count: Int) throws -> [Int] {
    let watcher = try TaskWatcher(spool)
    return try (0..<count).map { _ in
      let began = nanoseconds()
      let added = try spool.addTask(Self.task())
      while true {
        _ = try Poll.wait([watcher.descriptor].compactMap { $0 }, nanoseconds: 1_000_000_000)
        let moves = try watcher.takeMoves() ?? []
        if moves.contains(where: { $0.id == added.id && $0.state == .assigned }) { return nanoseconds() - began }
        guard nanoseconds() - began < 10_000_000_000 else { throw BenchError("a task was not assigned in 10 s") }
      }
    }
  }

  /// Tasks that no bot can do.
  func addImpossible(_ count: Int) throws {
    for _ in 0..<count {
      var task = Self.task()
      task.requiredSkills = [Card.Skill(name: "flying", level: .expert)]
      try spool.addTask(task, durability: .relaxed)
    }
  }

  func end() {
    isEnding.store(true, ordering: .relaxed)
    stopCoordinator.withLock { $0?.raise() }
    _ = try? Array(repeating: UInt8(0), count: Self.workers).withUnsafeBytes {
      try writeAll($0, to: bell.write, "bell")
    }
    for _ in 0..<500 where running.load(ordering: .relaxed) > 0 { usleep(10_000) }
    scratch.discard(spool.path)
  }
}
