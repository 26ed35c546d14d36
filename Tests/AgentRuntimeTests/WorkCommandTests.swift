import Glibc
import Linux
import Spool
import SpoolFormat
import TestThreads
import Testing

/// `spool work` as a process of its own, for what only a process can go through.
@Suite(.waiting) struct WorkCommandTests {
  /// The built command, beside the built tests.
  private func command() throws -> String {
    let tests = try Executable.absolutePath(of: "/proc/self/exe")
    return tests[..<(try #require(tests.lastIndex(of: "/")))] + "/spool"
  }

  private func start(_ team: Team, by launcher: [String] = [], _ arguments: [String]) throws -> ChildProcess {
    let null = try Descriptor.open("/dev/null", O_RDWR)
    let talk = try Descriptor.open(team.file("talk"), O_WRONLY | O_CREAT | O_APPEND)
    return try ChildProcess(
      launcher + [command(), "work", "--spool", team.spool.path] + arguments, input: null.raw, output: null.raw,
      error: talk.raw)
  }

  private func start(_ team: Team, script: String) throws -> ChildProcess {
    try start(team, ["coder", "--", "/bin/sh", "-c", "DIR='\(team.path)'\n" + script])
  }

  private func end(of process: borrowing ChildProcess) throws -> ChildProcess.Ending? {
    let deadline = Clock.sinceBoot() + 30_000_000_000
    while Clock.sinceBoot() < deadline {
      if let ending = try process.reap() { return ending }
      _ = try Poll.wait([process.exit.raw], nanoseconds: deadline - Clock.sinceBoot())
    }
    process.signalGroup(SIGKILL)
    _ = try process.reap(waiting: true)
    return nil
  }

  /// SIGHUP comes when the terminal is closed that it runs in.
  @Test(arguments: [SIGTERM, SIGHUP])
  func `a signal finishes what is in hand, and leaves nothing claimed and nobody present`(signal: CInt) throws {
    let team = try Team()
    for number in 1...2 { try team.ask("\(number)") }
    let worker = try start(team, script: "touch $DIR/begun; while [ ! -e $DIR/go ]; do sleep 0.02; done; echo done")
    try require("it has begun") { team.text(of: "begun") != nil }
    kill(worker.pid, signal)
    try require("it says that it is finishing") { team.text(of: "talk")?.contains("finishing 1 in hand") == true }
    #expect(try team.counts().claimed == 1)
    try team.write("", to: "go")
    #expect(try end(of: worker) == .exited(0))
    #expect(try team.answers().map(\.content) == ["done"])
    #expect(try team.counts().claimed == 0)
    #expect(try team.counts().waiting == 1)
    #expect(try Directory(team.spool.path).names("bots/coder/presence").filter { Holder($0) != nil } == [])
  }

  @Test func `the environment is handed on as it is, UTF-8 or not`() throws {
    let team = try Team()
    try team.ask("hello")
    let launcher = ["/bin/sh", "-c", #"ODD=$(printf 'j\366rg') exec "$0" "$@""#]
    let shown = "printf %s \"$ODD\" | od -An -tx1 | tr -d ' \n'"
    #expect(
      try end(
        of: start(
          team, by: ["/usr/bin/env", "ODD="] + launcher, ["coder", "--max", "1", "--", "/bin/sh", "-c", shown]))
        == .exited(0))
    #expect(try team.answers().map(\.content) == ["6af67267"])
  }

  /// The kernel would reap the program itself then, and nobody could tell how it ended.
  @Test(arguments: ["echo done", "cat >/dev/null; sleep 0.2; echo done", "exit 65"])
  func `a worker that was started with SIGCHLD ignored knows how its program ended`(script: String) throws {
    let team = try Team()
    try team.ask("hello")
    let launcher = ["/usr/bin/env", "--ignore-signal=CHLD"]
    let arguments = ["coder", "--max", "1", "--", "/bin/sh", "-c", script]
    #expect(try end(of: start(team, by: launcher, arguments)) == .exited(0))
    #expect(try team.counts().waiting == 0)
    #expect(try team.spool.deadLetters(of: team.coder).map(\.reason) == (script == "exit 65" ? ["exit status 65"] : []))
    #expect(try team.answers().map(\.content).contains("done") == (script != "exit 65"))
  }

  @Test func `leases run out for workers that each end as soon as there is no more to do`() throws {
    let team = try Team(lease: 0.5)
    try team.ask("hello")
    // Claimed with mv, by who is no process.
    let name = try #require(try team.spool.entries(of: team.coder).first?.name)
    let held = "\(String(name.description.dropLast(5)))~1~\(team.spool.host).0.7f21a0c4.json"
    let box = "\(team.spool.path)/bots/coder"
    try #require(rename("\(box)/inbox/\(name)", "\(box)/claimed/\(held)") == 0)
    try require("it is taken from him", within: 20) {
      #expect(try end(of: start(team, ["coder", "--until-empty", "--", "cat"])) == .exited(0))
      return try team.answers().count == 1
    }
  }

  @Test func `a worker whose spool was moved away ends, before its program writes into another`() throws {
    let team = try Team(lease: 1)
    let worker = try start(team, script: "cat")
    try require("it is there") { try !team.spool.presence(of: team.coder).isEmpty }
    try #require(rename(team.spool.path, team.spool.path + "-moved") == 0)
    try Spool.create(at: team.spool.path)
    #expect(try end(of: worker) == .exited(69))
    #expect(team.text(of: "talk")?.contains("was moved or removed") == true)
  }

  @Test func `a second SIGINT kills, and puts the message back`() throws {
    let team = try Team()
    try team.ask("hello")
    let worker = try start(team, script: "trap '' INT TERM; echo $$ > $DIR/pid; sleep 300")
    try require("it runs") { team.text(of: "pid")?.hasSuffix("\n") == true }
    kill(worker.pid, SIGINT)
    kill(worker.pid, SIGINT)
    // Two at once may be one.
    try require("it says that it is finishing, or has ended") { team.text(of: "talk")?.isEmpty == false }
    kill(worker.pid, SIGINT)
    #expect(try end(of: worker) == .exited(0))
    #expect(try team.spool.entries(of: team.coder).map(\.name?.place) == [.waiting])
    let pid = try #require(team.text(of: "pid").flatMap { Int($0.dropLast()) })
    #expect(!isRunning(pid))
  }

  @Test(arguments: [false, true])
  func `a worker that is killed loses nothing: its program dies, the next one gets the message`(isStream: Bool) throws {
    let team = try Team()
    try team.ask("hello")
    let script = "echo $$ > $DIR/pid; \(isStream ? "read -r line; touch $DIR/read;" : "") exec sleep 300"
    let stream = isStream ? ["--stream"] : []
    let first = try start(team, ["coder"] + stream + ["--", "/bin/sh", "-c", "DIR='\(team.path)'\n" + script])
    try require("it runs") { try team.text(of: "pid")?.hasSuffix("\n") == true && team.counts().claimed == 1 }
    if isStream { try require("it has read the message") { team.text(of: "read") != nil } }
    let pid = try #require(team.text(of: "pid").flatMap { Int($0.dropLast()) })
    let began = Clock.sinceBoot()
    kill(first.pid, SIGKILL)
    #expect(try end(of: first) == .killed(signal: Int(SIGKILL)))
    try require("its program is gone") { !isRunning(pid) }
    let second = try start(team, script: "echo \"attempt $SPOOL_ATTEMPT\"")
    try require("the next one answers") { try team.answers().map(\.content) == ["attempt 2"] }
    #expect(Clock.sinceBoot() - began < 30_000_000_000, "long before the lease of 60 s is over")
    kill(second.pid, SIGTERM)
    #expect(try end(of: second) == .exited(0))
    #expect(try team.hasNothingLeft())
  }

  @Test(arguments: [
    (["coder", "--", "no-such-program-anywhere"], 64), (["coder"], 64), (["nobody", "--", "cat"], 67),
    (["coder", "--slots", "0", "--", "cat"], 64), (["coder", "--timeout", "soon", "--", "cat"], 64),
  ])
  func `what can't work is refused before anything is claimed`(arguments: [String], status: Int) throws {
    let team = try Team()
    try team.ask("hello")
    #expect(try end(of: start(team, arguments)) == .exited(status))
    #expect(team.text(of: "talk")?.split(separator: "\n").count == 1, "one line says why")
    #expect(try team.spool.entries(of: team.coder).map(\.name?.attempt) == [0])
  }

  @Test func `a command that is started without standard files writes nothing of its own into the log`() throws {
    let team = try Team()
    let null = try Descriptor.open("/dev/null", O_RDWR)
    let shell = try ChildProcess(
      ["/bin/sh", "-c", "exec <&- >&- 2>&-; exec \"$0\" send coder hello", command()],
      environment: ["SPOOL_DIR": team.spool.path], input: null.raw, output: null.raw, error: null.raw)
    #expect(try end(of: shell) == .exited(74), "the message is kept, but nobody saw its id")
    #expect(try team.counts().waiting == 1)
    let log = try Directory(team.spool.path + "/log/" + team.spool.host)
    let segments = try log.names(".").filter { $0.hasSuffix(".jsonl") }
    let lines = try segments.flatMap { name in
      try #require(try log.readFile(name, maximum: 1 << 20)).split(separator: UInt8(ascii: "\n"))
    }
    #expect(lines.count >= 3, "two bots and a message")
    #expect(lines.allSatisfy { $0.first == UInt8(ascii: "{") && $0.last == UInt8(ascii: "}") })
  }
}
