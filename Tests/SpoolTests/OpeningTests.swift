import Glibc
import Linux
import SpoolFormat
import Synchronization
import TestSupport
import TestThreads
import Testing

@testable import Spool

/// Several hosts that are one machine (containers, say), and open a spool after a reboot.
@Suite(.waiting) struct OpeningTests {
  @Test(arguments: [false, true])
  func `of two that open a spool at once the second waits, and then leaves alone what the first has begun`(
    isShared: Bool
  ) throws {
    if isShared, geteuid() != 0 { return }
    let fixture = try Fixture("coder", sharedWith: isShared ? "\(getegid())" : nil)
    // On its way, once the first is through.
    var message = Message(content: "x")
    message.to = ["coder"]
    message.id = fixture.spool.newIdentifier()
    let parcel = try Parcel(message, [fixture.bot()], fixture.spool)
    let before = fixture.spool.now().advanced(bySeconds: -60)
    try fixture.spool.log.append(.messageSent, parcel.subject, time: before) { parcel.writeLogData(to: &$0) }
    fixture.setBoot(String(repeating: "0", count: 32))
    let lock = isShared ? Layout.recoveryLock(of: geteuid()) : Layout.log
    let first = try Directory(fixture.path).open(lock, O_RDONLY)
    try first.lock()

    let found = Mutex<Int?>(nil)
    let second = Atomic(false)
    try Linux.Thread.detach { [path = fixture.path] in
      let count = (try? Spool(at: path, machine: "container"))?.recovery?.count
      found.withLock { $0 = count }
      second.store(true, ordering: .releasing)
    }
    func isThrough() -> Bool { second.load(ordering: .acquiring) }
    // Its own lock is the last thing before.
    let page = "\(fixture.path)/log/\(LogPart.name(host: "container", user: isShared ? geteuid() : nil))/commit"
    #expect(eventually { isThrough() || (try? Descriptor.open(page, O_RDONLY).tryLock()) == false })
    usleep(100_000)
    #expect(!isThrough())
    fixture.setBoot(try Clock.bootIdentity())
    try first.unlock()
    try #require(eventually { isThrough() })
    #expect(found.withLock { $0 } == 0)
    #expect(fixture.names("inbox").isEmpty)
    // After a power cut nobody is at work, by any name.
    TemporaryDirectory.removeTree(fixture.path + "/log/" + page.split(separator: "/").dropLast().last!)
    #expect(try fixture.rebooted().recovery?.count == 1)
  }

  #if DEBUG
    @Test func `who waits for a process that was stopped while it recovered is told which, and goes on when it does`()
      throws
    {
      let fixture = try Fixture("coder")
      func recover(_ fault: String) throws -> Running {
        fixture.setBoot(String(repeating: "0", count: 32))
        let environment = ["SPOOL_FAULT_TRACE": fixture.home("trace"), "SPOOL_FAULT": fault]
        return try OwnProcess.start("open", [fixture.path], environment: environment)
      }
      #expect(try recover("").wait(seconds: SpoolCommand.secondsMax).isDone)
      // Its page's, and that of the whole spool.
      let locks = try Plain.text(fixture.home("trace")).split(separator: "\n").enumerated().filter { $1 == "flock" }
      let first = try recover("stop-before:\(try #require(locks.dropFirst().first).offset + 2)")
      #expect(eventually { first.isStoppedOrOver })
      for machine in [fixture.spool.host, "container"] {
        let error = #expect(throws: SpoolError.self) { try Spool(at: fixture.path, machine: machine) }
        #expect(error?.code == .tryAgain)
        #expect(error?.description.contains("process \(first.pid) was stopped") == true, "\(String(describing: error))")
      }
      first.kill(SIGCONT)
      #expect(try first.wait(seconds: SpoolCommand.secondsMax).isDone)
      #expect(try fixture.reopened().recovery == nil)
    }

    @Test func `a task that somebody moves while it is recovered is left where it is then`() throws {
      /// A task that a power cut left in two places, recovered by another process.
      func recover(_ fault: String) throws -> (Fixture, TaskEntry, String, Running) {
        let fixture = try Fixture("coder")
        let task = try fixture.spool.addTask(TaskRecord(title: "x"))
        let other = "\(fixture.path)/\(task.path)".replacing("/pending/", with: "/cancelled/")
        try Plain.write(other, try Plain.read("\(fixture.path)/\(task.path)"))
        fixture.setBoot(String(repeating: "0", count: 32))
        let environment = ["SPOOL_FAULT_TRACE": fixture.home("trace"), "SPOOL_FAULT": fault]
        return (fixture, task, other, try OwnProcess.start("open", [fixture.path], environment: environment))
      }
      func calls(_ fixture: Fixture) throws -> [Substring] {
        try Plain.text(fixture.home("trace")).split(separator: "\n")
      }
      for _ in 0..<20 {
        let (traced, task, _, child) = try recover("")
        #expect(try child.wait(seconds: SpoolCommand.secondsMax).output.hasSuffix(" 1\n"))
        #expect(try traced.spool.findTask(task.id) == task)
        let all = try calls(traced)
        let removal = try #require(all.firstIndex(of: "unlinkat"))
        // Both were listed, and neither was read.
        let first = removal - 5
        #expect(all[first...removal] == ["openat", "pread", "openat", "pread", "fstatat", "unlinkat"])

        let (fixture, entry, other, stopped) = try recover("stop-before:\(first + 1)")
        #expect(eventually { stopped.isStoppedOrOver })
        // On a busy machine it makes more calls before, or fewer.
        let isThere = try calls(fixture) == Array(all[...first])
        if isThere { #expect(rename("\(fixture.path)/\(entry.path)", other) == 0) }
        stopped.kill(SIGCONT)
        let outcome = try stopped.wait(seconds: SpoolCommand.secondsMax)
        guard isThere else { continue }
        #expect(outcome.output.hasSuffix(" 0\n"), "\(outcome)")
        #expect(try fixture.spool.findTask(entry.id)?.state == .cancelled)
        return
      }
      Issue.record("it was never stopped before it had read what it had listed")
    }
  #endif

  @Test func `links among the logs that lead nowhere keep nobody from opening the spool after a reboot`() throws {
    let fixture = try Fixture("coder")
    try fixture.send("x")
    for (name, target) in [("loop", "loop"), ("dangling", "none"), ("file", "../spool.json")] {
      #expect(symlink(target, "\(fixture.path)/log/\(name)") == 0)
    }
    let spool = try fixture.rebooted()
    #expect(spool.recovery?.count == 0)
    #expect(try Doctor(spool).examine(repairing: true).findings.isEmpty)
    #expect(try fixture.drain() == ["x"])
  }
}
