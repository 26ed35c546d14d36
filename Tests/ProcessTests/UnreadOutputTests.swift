import Glibc
import TestSupport
import TestThreads
import Testing

/// Who stays up, and whose output nobody reads.
@Suite(.waiting) struct UnreadOutputTests {
  private final class Pipe {
    let path: String
    /// Open at both ends, so that it can be opened to write, and has no end.
    let descriptor: CInt

    init(in scratch: Scratch) throws {
      path = "\(scratch.path)/pipe"
      try #require(mkfifo(path, 0o600) == 0)
      descriptor = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC)
      try #require(descriptor != -1)
    }

    func fill() {
      let bytes = [UInt8](repeating: UInt8(ascii: "x"), count: 4096)
      while write(descriptor, bytes, bytes.count) > 0 {}
    }

    func read() -> String {
      var bytes = [UInt8](repeating: 0, count: 1 << 16)
      let count = Glibc.read(descriptor, &bytes, bytes.count)
      return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }

    deinit { close(descriptor) }
  }

  private func start(_ arguments: String, _ pipe: Pipe, in spool: String) throws -> Running {
    try SpoolCommand.start(
      program: "/bin/sh", ["-c", "exec \"$0\" work noisy \(arguments)", try SpoolCommand.path.get(), pipe.path],
      in: spool)
  }

  @Test(arguments: [1, 2])
  func `a worker goes on, and ends when it is told to`(descriptor: Int) throws {
    let scratch = try Scratch(inMemory: true)
    let spool = try scratch.makeSpool(bots: ["noisy"])
    let pipe = try Pipe(in: scratch)
    pipe.fill()
    let ids = try (1...2).map { _ in try SpoolCommand.run(["send", "noisy", "hi"], in: spool).line }
    let json = descriptor == 1 ? "--json" : ""
    let worker = try start("\(json) -- sh -c 'echo something >&2' \(descriptor)>\"$1\"", pipe, in: spool)
    #expect(eventually { ids.allSatisfy { SpoolReader(spool).ackedAttempt($0, by: "noisy") == 1 } })
    worker.kill(SIGTERM)
    #expect(try worker.wait(seconds: 20).isDone)
  }

  @Test func `a coordinator ends when it is told to`() throws {
    let scratch = try Scratch(inMemory: true)
    let spool = try scratch.makeSpool(bots: [])
    let pipe = try Pipe(in: scratch)
    pipe.fill()
    let coordinator = try SpoolCommand.start(
      program: "/bin/sh", ["-c", "exec \"$0\" coordinate --json 1>\"$1\"", try SpoolCommand.path.get(), pipe.path],
      in: spool)
    #expect(
      eventually { Scratch.names("\(spool)/coordinator/leader").contains { $0.contains(".\(coordinator.pid).") } })
    try coordinator.coordinatesStillAndEnds(in: spool)
  }

  @Test(arguments: ["log --follow --bot nobody", "state watch", "receive noisy --wait 1h"])
  func `who waits for something to print ends when its reader has gone`(command: String) throws {
    let scratch = try Scratch(inMemory: true)
    let spool = try scratch.makeSpool(bots: ["noisy"])
    // The shell waits for both.
    let script = "\"$0\" \(command) | sleep 0.3"
    let both = try SpoolCommand.start(program: "/bin/sh", ["-c", script, try SpoolCommand.path.get()], in: spool)
    #expect(try both.wait(seconds: 30).status == 0)
    #expect(try SpoolCommand.run(["send", "noisy", "hi"], in: spool).isDone)
    #expect(SpoolReader(spool).entries("noisy", "inbox").count == 1)
  }

  @Test func `what nobody read in time is dropped, and it is said how much`() throws {
    let scratch = try Scratch(inMemory: true)
    let spool = try scratch.makeSpool(bots: ["noisy"])
    let pipe = try Pipe(in: scratch)
    let id = try SpoolCommand.run(["send", "noisy", "hi"], in: spool).line
    let worker = try start("-- sh -c 'head -c 2000000 /dev/zero | tr \"\\0\" x >&2' 2>\"$1\"", pipe, in: spool)
    #expect(eventually { SpoolReader(spool).ackedAttempt(id, by: "noisy") == 1 })
    var text = ""
    #expect(
      eventually {
        text += pipe.read()
        // A note follows what was shown, on whose line it stands.
        let notes = text.split(separator: "\n").filter { $0.hasSuffix("not shown: nobody read them") }
        let told = notes.compactMap { Int($0.drop { $0 == "x" }.prefix { $0 != " " }) }
        return told.count > 0 && told.reduce(text.count { $0 == "x" }, +) == 2_000_000
      })
    worker.kill(SIGTERM)
    #expect(try worker.wait(seconds: 20).isDone)
  }
}
