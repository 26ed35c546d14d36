import Glibc
import Spool
import SpoolFormat
import TestSupport
import TestThreads
import Testing

/// Which of several coordinators acts, as processes.
@Suite(.waiting) struct CoordinateTests {
  private func leaders(_ spool: String) -> [String] { Scratch.names("\(spool)/coordinator/leader") }

  @Test func `a coordinator that finds itself replaced stops, and whoever stands by takes over from the dead`() throws {
    let scratch = try Scratch(inMemory: true)
    let path = try scratch.makeSpool(bots: [], settings: ["lease_seconds": 0.5])
    let first = try SpoolCommand.start(["coordinate"], in: path)
    try #require(eventually { leaders(path).contains { $0.contains(".\(first.pid).") } })
    let output = "\(scratch.path)/second"
    try Scratch.write("", to: output)
    let second = try SpoolCommand.start(["coordinate", "--json"], in: path, output: .file(output))
    // Its presence says that it is there.
    #expect(eventually { Scratch.names("\(path)/bots/coordinator/presence").count { !$0.hasSuffix("leases") } == 2 })
    #expect(leaders(path).contains { $0.contains(".\(first.pid).") })
    first.kill()
    _ = try first.wait(seconds: 20)
    // Only from then on does it stop: replaced before, it had never begun, and stands by.
    try #require(eventually { Scratch.text(output).contains("\"leading\"") })
    // As when it was stopped for longer than its lease, and somebody of another host took over.
    let name = try #require(leaders(path).first)
    let term = try #require(name.split(separator: "~").first.flatMap { Int($0) })
    let directory = "\(path)/coordinator/leader"
    #expect(rename("\(directory)/\(name)", "\(directory)/\(term + 1)~afar.1.1") == 0)
    let outcome = try second.wait(seconds: 20)
    #expect(outcome.isDone, "\(outcome)")
    #expect(leaders(path) == ["\(term + 1)~afar.1.1"])
  }

  @Test func `a coordinator goes on when it couldn't see for a moment who coordinates`() throws {
    let scratch = try Scratch(inMemory: true)
    let path = try scratch.makeSpool(bots: [], settings: ["lease_seconds": 8])
    let told = "\(scratch.path)/told"
    try Scratch.write("", to: told)
    let script = "exec \"$0\" coordinate 2>\"$1\""
    let process = try SpoolCommand.start(
      program: "/bin/sh", ["-c", script, try SpoolCommand.path.get(), told], in: path)
    try #require(eventually { leaders(path).contains { $0.contains(".\(process.pid).") } })
    let directory = "\(path)/coordinator/leader"
    #expect(rename(directory, "\(directory).away") == 0)
    try Scratch.write("", to: directory)
    #expect(eventually { Scratch.text(told).contains("cannot see who coordinates") })
    #expect(unlink(directory) == 0 && rename("\(directory).away", directory) == 0)
    try process.coordinatesStillAndEnds(in: path)
  }

  @Test func `who asks what no bot there can do is told, once, and gets it when one comes that can`() throws {
    let scratch = try Scratch(inMemory: true)
    let path = try scratch.makeSpool(bots: [])
    let spool = try Spool(at: path)
    let coordinator = try SpoolCommand.start(["coordinate"], in: path)
    try #require(eventually { spool.coordinatorIsUp })
    let told = "\(scratch.path)/told"
    try Scratch.write("", to: told)
    let script = "exec \"$0\" ask 'Build and test a parser' --from user --timeout 50s 2>\"$1\""
    let asker = try SpoolCommand.start(program: "/bin/sh", ["-c", script, try SpoolCommand.path.get(), told], in: path)
    try #require(
      eventually(40) {
        Scratch.text(told).contains(
          "no bot that takes tasks can do Build this: Build and test a parser (development); it")
      })
    #expect(try SpoolCommand.run(["register", "all"], in: path).isDone)
    let worker = try SpoolCommand.start(["work", "all", "--tasks", "--", "echo", "made"], in: path)
    let outcome = try asker.wait(seconds: 60)
    #expect(outcome.isDone && outcome.output.contains("made"), "\(outcome)")
    #expect(Scratch.text(told).split(separator: "(development); it waits").count == 2)
    for process in [worker, coordinator] {
      process.kill(SIGTERM)
      _ = try process.wait(seconds: 20)
    }
  }

  /// It is told to stop before it has looked at what a worker, who leaves that to it, has ended.
  @Test(arguments: [SIGTERM, SIGHUP])
  func `what ended while a coordinator led isn't forgotten when it is told to stop`(signal: CInt) throws {
    let scratch = try Scratch(inMemory: true)
    let path = try scratch.makeSpool(bots: ["coder"])
    let spool = try Spool(at: path)
    let bot = try BotName(parsing: "coder")
    let coordinator = try SpoolCommand.start(["coordinate"], in: path)
    try #require(eventually { spool.coordinatorIsUp })
    let started = try spool.start(spool.addTask(TaskRecord(title: "first")), bot: bot, worker: nil)
    let first = try #require(started)
    var record = TaskRecord(title: "after")
    record.dependsOn = [first.id]
    let after = try spool.addTask(record)
    #expect(after.state == .blocked)
    coordinator.kill(SIGSTOP)
    try #require(eventually { coordinator.isStoppedOrOver })
    let ended = try #require(try spool.complete(first, result: nil))
    try spool.settleAfter(ended)
    #expect(try spool.findTask(after.id)?.state == .blocked)
    coordinator.kill(signal)
    coordinator.kill(SIGCONT)
    let outcome = try coordinator.wait(seconds: 20)
    #expect(outcome.isDone, "\(outcome)")
    #expect(try spool.findTask(after.id)?.state == .pending)
  }
}

extension Running {
  /// Expects that a coordinator does what follows from a task's end, and ends when it is told to.
  func coordinatesStillAndEnds(in spool: String) throws {
    let task = try SpoolCommand.run(["task", "add", "first"], in: spool).line
    let next = try SpoolCommand.run(["task", "add", "then", "--depends-on", task], in: spool).line
    #expect(try SpoolCommand.run(["task", "cancel", task], in: spool).isDone)
    #expect(
      eventually {
        let shown = try? SpoolCommand.run(["task", "show", next], in: spool)
        return shown?.output.contains("was cancelled") == true
      })
    kill(SIGTERM)
    #expect(try wait(seconds: 20).isDone)
  }
}
