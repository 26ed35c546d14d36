import Glibc
import Synchronization
import TestSupport
import Testing

@testable import Linux

@Suite struct DescriptorTests {
  private let home: TemporaryDirectory

  init() throws { home = try TemporaryDirectory() }

  @Test func `what is written is read back, at any offset`() throws {
    let file = try Descriptor.open(home("a"), O_RDWR | O_CREAT | O_EXCL)
    let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    try file.write(bytes)
    #expect(try file.status().size == bytes.count)
    #expect(try file.read(at: 0, count: bytes.count) == bytes)
    #expect(try file.read(at: 99_990, count: 100) == Array(bytes[99_990...]))
    #expect(try file.read(at: 200_000, count: 100).isEmpty)
    try file.truncate(to: 10)
    #expect(try file.read(at: 0, count: 100) == Array(bytes[..<10]))
    try file.syncData()
    try file.close()
    #expect(try Plain.read(home("a")) == Array(bytes[..<10]))
  }

  @Test func `a descriptor that goes out of scope is closed`() throws {
    func openedNumber() throws -> CInt { try Descriptor.open(home.path, O_RDONLY | O_DIRECTORY).raw }
    let before = Plain.names("/proc/self/fd").count
    for _ in 0..<200 { _ = try openedNumber() }
    #expect(Plain.names("/proc/self/fd").count < before + 100)
  }

  @Test func `a call that a signal interrupts is tried again`() throws {
    let pipe = try Pipe()
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { _ in }
    sigaction(SIGUSR2, &action, nil)
    let reader = Atomic<UInt>(0)
    let isDone = Atomic<Bool>(false)
    let outcome = Mutex<String>("")
    let (reading, writing) = (pipe.readEnd.raw, pipe.writeEnd.raw)
    try Thread.run([
      { @Sendable in
        // Threads of a pool, and those that they start, have all signals blocked.
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGUSR2)
        pthread_sigmask(SIG_UNBLOCK, &signals, nil)
        reader.store(UInt(pthread_self()), ordering: .releasing)
        do {
          let bytes = try Descriptor(raw: dup(reading), path: "pipe").read(maximum: 10)
          outcome.withLock { $0 = String(decoding: bytes ?? [], as: UTF8.self) }
        } catch { outcome.withLock { $0 = "\(error)" } }
        isDone.store(true, ordering: .releasing)
      },
      { @Sendable in
        while reader.load(ordering: .acquiring) == 0 { usleep(1000) }
        // Twenty, for some may come before it sleeps.
        for _ in 0..<20 where !isDone.load(ordering: .acquiring) {
          pthread_kill(pthread_t(reader.load(ordering: .acquiring)), SIGUSR2)
          usleep(5000)
        }
        _ = Glibc.write(writing, "hello", 5)
      },
    ])
    #expect(outcome.withLock { $0 } == "hello")
  }

  @Test func `an error names the call, the path and the reason`() throws {
    let error = #expect(throws: SystemCallError.self) { _ = try Descriptor.open(home("missing"), O_RDONLY) }
    #expect(error?.code == ENOENT)
    #expect(error?.description == "open \(home("missing")): No such file or directory")
    let directory = try Directory(home.path)
    let second = #expect(throws: SystemCallError.self) { try directory.unlink("missing") }
    #expect(second?.description == "unlinkat missing: No such file or directory")
  }

  @Test func `each kind of file is told from the others`() throws {
    let directory = try Directory(home.path)
    try Plain.write(home("file"), "x")
    #expect(mkfifo(home("fifo"), 0o600) == 0)
    #expect(symlink("file", home("link")) == 0)
    #expect(mkdir(home("directory"), 0o700) == 0)
    let kinds = try ["file", "fifo", "link", "directory"].map { try directory.status($0)?.kind }
    #expect(kinds == ["file", "FIFO", "symbolic link", "directory"])
    #expect(try directory.status("file")?.isRegular == true)
    #expect(try directory.status("link")?.isRegular == false)
    #expect(try directory.status("directory")?.isDirectory == true)
    #expect(try Directory("/dev").status("null")?.kind == "device")
    #expect(try directory.status("none") == nil)
    #expect(try directory.status("file/below") == nil)
    #expect(link(home("file"), home("second")) == 0)
    #expect(try directory.status("file")?.links == 2)
  }

  @Test func `a writer is noticed while it has the file open, and no longer`() throws {
    let writer = try Descriptor.open(home("a"), O_WRONLY | O_CREAT)
    let reader = try Descriptor.open(home("a"), O_RDONLY)
    // Nil where the file system can't tell: then there is nothing to test.
    guard let hasWriters = reader.hasWriters() else { return }
    #expect(hasWriters)
    try writer.close()
    #expect(reader.hasWriters() == false)
    let again = try Descriptor.open(home("a"), O_WRONLY | O_NONBLOCK)
    #expect(reader.hasWriters() == true)
    try again.close()
  }

  @Test func `a writer in another process is noticed`() throws {
    let go = try Pipe()
    let ready = try Pipe()
    let child = try ChildProcess(
      ["/bin/sh", "-c", "exec 3>\"$FILE\"; echo; read line"], environment: ["FILE": home("a")],
      input: go.readEnd.raw, output: ready.writeEnd.raw, error: 2)
    _ = try ready.readEnd.read(maximum: 1)
    let reader = try Descriptor.open(home("a"), O_RDONLY)
    guard let hasWriters = reader.hasWriters() else { return }
    #expect(hasWriters)
    try go.writeEnd.write([10])
    #expect(try child.reap(waiting: true) == .exited(0))
    #expect(reader.hasWriters() == false)
  }

  @Test func `a lock keeps the others out until it is given back`() throws {
    let one = try Descriptor.open(home("lock"), O_RDWR | O_CREAT)
    try one.lock()
    let entered = try Pipe(nonBlocking: true)
    let write = entered.writeEnd.raw
    let path = home("lock")
    try Thread.detach {
      guard let two = try? Descriptor.open(path, O_RDWR) else { return }
      _ = try? two.lock()
      var byte: UInt8 = 1
      _ = Glibc.write(write, &byte, 1)
    }
    #expect(try Poll.wait([entered.readEnd.raw], nanoseconds: 50_000_000) == [false])
    try one.unlock()
    #expect(try Poll.wait([entered.readEnd.raw], nanoseconds: 20_000_000_000) == [true])
  }

  @Test func `memory looks like a file that stands at its beginning`() throws {
    let memory = try Descriptor.memory("note", Array("hello".utf8))
    #expect(try memory.read(maximum: 100) == Array("hello".utf8))
    #expect(try memory.read(maximum: 100) == [])
    #expect(try memory.status().isRegular)
  }

  @Test func `a pipe that would block gives nil, and an ended one nothing`() throws {
    let pipe = try Pipe(nonBlocking: true)
    #expect(try pipe.readEnd.read(maximum: 10) == nil)
    try pipe.writeEnd.write([1, 2])
    #expect(try pipe.readEnd.read(maximum: 10) == [1, 2])
    #expect(try Poll.wait([pipe.readEnd.raw], nanoseconds: 0) == [false])
  }

  @Test func `clocks run forward, and a boot has one name`() throws {
    let first = Clock.sinceBoot()
    let wall = Clock.wall()
    #expect(Clock.sinceBoot() >= first)
    #expect(wall > 1_700_000_000_000_000)
    let boot = try Clock.bootIdentity()
    #expect(boot.utf8.count == 32)
    #expect(boot.utf8.allSatisfy { 48...57 ~= $0 || 97...102 ~= $0 })
    #expect(try Clock.bootIdentity() == boot)
  }

  @Test func `randomness is as long as was asked for, and never the same`() throws {
    #expect(try Random.bytes(0).isEmpty)
    #expect(try Random.bytes(1000).count == 1000)
    #expect(try Random.bytes(16) != Random.bytes(16))
    #expect(Set((0..<1000).map { _ in Random.bits() }).count == 1000)
  }

  @Test func `threads are waited for, all of them`() throws {
    let pipe = try Pipe(nonBlocking: true)
    let write = pipe.writeEnd.raw
    try Thread.run(
      (0..<20).map { _ in
        { @Sendable in
          usleep(1000)
          var byte: UInt8 = 1
          _ = Glibc.write(write, &byte, 1)
        }
      })
    #expect(try pipe.readEnd.read(maximum: 100)?.count == 20)
    try Thread.run([])
  }
}
