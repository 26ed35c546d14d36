import Glibc
import TestSupport
import TestThreads
import Testing

@testable import Linux

@Suite(.waiting) struct ProcessTests {
  private func start(_ script: String, environment: [String: String] = [:]) throws -> ChildProcess {
    let null = try Descriptor.open("/dev/null", O_RDWR)
    return try ChildProcess(
      ["/bin/sh", "-c", script], environment: environment, input: null.raw, output: null.raw, error: 2)
  }

  @Test func `this process is alive, and another of the same number is not`() {
    let current = ProcessIdentity.current()
    #expect(current.pid == Int(getpid()))
    #expect(current.started > 0)
    #expect(current.isAlive)
    #expect(!ProcessIdentity(pid: current.pid, started: current.started + 1).isAlive)
    #expect(!ProcessIdentity(pid: 0, started: 1).isAlive)
    #expect(!ProcessIdentity(pid: .max, started: 1).isAlive)
  }

  @Test func `a process is gone as soon as it has ended, reaped or not`() throws {
    let child = try start("exec sleep 1000")
    // What starts is the shell, whose time of starting stays that of the process.
    let stat = try Plain.text("/proc/\(child.pid)/stat")
    let started = stat.split(separator: ")").last!.split(separator: " ")[19]
    let identity = ProcessIdentity(pid: Int(child.pid), started: PIDNamespace.current.mark(UInt64(started)!))
    #expect(identity.isAlive)
    child.signalGroup(SIGKILL)
    #expect(try Poll.wait([child.exit.raw], nanoseconds: 20_000_000_000) == [true])
    #expect(!identity.isAlive)
    #expect(try child.reap(waiting: true) == .killed(signal: 9))
    #expect(!identity.isAlive)
  }

  @Test func `a process whose main thread has ended is alive as long as another runs`() throws {
    let home = try TemporaryDirectory()
    let program = """
      import ctypes, threading, time
      threading.Thread(target=time.sleep, args=(1000,)).start()
      open("\(home("started"))", "w")
      ctypes.CDLL(None).pthread_exit(None)
      """
    let process = try SpoolCommand.start(program: "/usr/bin/env", ["python3", "-c", program])
    defer { process.kill() }
    try #require(eventually { Plain.exists(home("started")) && isZombie(process.pid) })
    let started = try Plain.text("/proc/\(process.pid)/stat").split(separator: ")").last!.split(separator: " ")[19]
    let identity = ProcessIdentity(pid: Int(process.pid), started: PIDNamespace.current.mark(UInt64(started)!))
    #expect(identity.isAlive)
    process.kill()
    _ = try? process.wait(seconds: 20)
    #expect(!identity.isAlive)
  }

  /// In the session of a terminal, and in the background of it, it would be stopped as soon as it read from there.
  @Test func `a program is in a session and a process group of its own, which a signal reaches`() throws {
    let child = try start("sleep 1000")
    let fields = try Plain.text("/proc/\(child.pid)/stat").split(separator: ")").last!.split(separator: " ")
    // The process group, the session, and the terminal.
    #expect(fields[2...4].map { String($0) } == ["\(child.pid)", "\(child.pid)", "0"])
    child.signalGroup(SIGKILL)
    #expect(try child.reap(waiting: true) == .killed(signal: 9))
  }

  @Test func `of a process in another PID namespace nobody says that it is gone`() {
    let current = ProcessIdentity.current()
    #expect(current.isVisible)
    for number in [0xf000_0b15, 0xffff_ffff, 0] as [UInt32] where number != PIDNamespace.current.number {
      let other = PIDNamespace(number: number, isShown: true)
      let start = other.mark(current.started)
      #expect(other.has(start) && !PIDNamespace.current.has(start))
      for pid in [current.pid, DeadProcess.pid] {
        let stranger = ProcessIdentity(pid: pid, started: start)
        #expect(!stranger.isVisible && stranger.isAlive)
      }
    }
  }

  @Test func `a start says which namespace it is of, however long the machine has been up`() {
    let (first, sandbox) = (PIDNamespace(number: 0, isShown: true), PIDNamespace(number: 0xf000_0b15, isShown: true))
    let years = UInt64(30 * 365) * 86400 * 100
    for ticks in [0, 1, 0xffff_ffff, years] {
      #expect(first.mark(ticks) == ticks)
      #expect(first.has(ticks) && !sandbox.has(ticks))
      #expect(sandbox.mark(ticks) == 0xf000_0b15_0000_0000 + ticks % (1 << 32))
    }
  }

  @Test func `how a program ends is told`() throws {
    #expect(try start("exit 0").reap(waiting: true) == .exited(0))
    #expect(try start("exit 75").reap(waiting: true) == .exited(75))
    #expect(try start("kill -TERM $$").reap(waiting: true) == .killed(signal: 15))
    #expect(
      try start("[ \"$GREETING\" = hello ]", environment: ["GREETING": "hello"]).reap(waiting: true) == .exited(0))
    let error = #expect(throws: SystemCallError.self) {
      _ = try ChildProcess(["/nowhere/program"], input: 0, output: 1, error: 2)
    }
    #expect(error?.code == ENOENT)
  }

  @Test func `a running program has not ended, and its whole group can be ended`() throws {
    let output = try Pipe()
    let null = try Descriptor.open("/dev/null", O_RDWR)
    let child = try ChildProcess(
      ["/bin/sh", "-c", "sleep 1000 & echo $!; wait"], input: null.raw, output: output.writeEnd.raw, error: 2)
    let text = String(decoding: try output.readEnd.read(maximum: 100) ?? [], as: UTF8.self)
    let grandchild = try #require(pid_t(text.filter(\.isNumber)))
    #expect(try child.reap() == nil)
    #expect(kill(grandchild, 0) == 0)
    child.signalGroup(SIGKILL)
    #expect(try child.reap(waiting: true) == .killed(signal: 9))
    #expect(eventually { kill(grandchild, 0) == -1 || isZombie(grandchild) })
  }

  private func isZombie(_ pid: pid_t) -> Bool { (try? Plain.text("/proc/\(pid)/stat").contains(") Z ")) ?? true }

  @Test func `a program dies with the process that started it`() throws {
    let home = try TemporaryDirectory()
    let file = home("pid")
    #expect(try OwnProcess.run("die with a child", [file]).isKilled)
    let pid = try #require(pid_t(Plain.text(file).filter(\.isNumber)))
    #expect(eventually { kill(pid, 0) == -1 || isZombie(pid) })
  }

  @Test func `a call can be made to fail, and the process to die at it`() throws {
    let home = try TemporaryDirectory()
    let path = home.path
    let outcome = try OwnProcess.run(
      "make directories", [path, "a", "b", "c"],
      environment: ["SPOOL_FAULT": "5:3", "SPOOL_FAULT_TRACE": path + "/trace"])
    #expect(outcome.isDone && outcome.line == "b \(EIO)", "\(outcome)")
    #expect(Plain.names(path) == ["a", "c", "trace"])
    #expect(try Plain.text(home("trace")) == "open\nmkdirat\nmkdirat\nmkdirat\n")
    for (plan, made) in [("kill-before:2", []), ("kill-after:2", ["x"]), ("kill-before:3", ["x"])] {
      let inner = home("inner-\(plan)")
      #expect(mkdir(inner, 0o700) == 0)
      #expect(try OwnProcess.run("make directories", [inner, "x", "y"], environment: ["SPOOL_FAULT": plan]).isKilled)
      #expect(Plain.names(inner) == made, "\(plan)")
    }
    let short = try OwnProcess.run(
      "write ten bytes", [path + "/short"], environment: ["SPOOL_FAULT": "short-write:2"])
    #expect(short.line == "5", "\(short)")
  }
}
