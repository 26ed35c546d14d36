import AgentRuntime
import Glibc
import Linux
import Spool
import SpoolFormat
import TestThreads
import Testing

@Suite(.waiting) struct ProcessModeTests {
  @Test func `what a program prints is the reply, less one line feed, and the message is done`() throws {
    let team = try Team()
    let id = try team.ask("hello") { $0.priority = Priority(value: 8) }
    let (summary, _) = try team.work(team.script("echo one; echo two; echo"))
    #expect(summary == WorkerSummary(claimed: 1, acked: 1, replied: 1))
    let answer = try #require(try team.answers().first)
    #expect(answer.content == "one\ntwo\n")
    #expect(answer.from == "coder")
    #expect(answer.type == .response)
    #expect(answer.inReplyTo == id.description)
    #expect(answer.conversation == id.description)
    #expect(answer.priority?.value == 8)
    #expect(try team.hasNothingLeft())
    #expect(try team.spool.presence(of: team.coder).isEmpty)
  }

  @Test func `a program is given the whole message as one line, with id, time and recipient`() throws {
    let team = try Team()
    let name = "dropped.json"
    try team.write(#"{"content":"two\nlines","from":"asker","odd":[1.50]}"#, to: name)
    #expect(rename(team.file(name), team.file("spool/bots/coder/inbox/\(name)")) == 0)
    try team.work(team.script("cat; echo end"))
    let text = try #require(try team.answers().first?.content)
    let lines = text.split(separator: "\n")
    #expect(lines.count == 2 && lines[1] == "end")
    let message = try JSONValue(parsing: Array(lines[0].utf8))
    #expect(message["content"]?.string == "two\nlines")
    #expect(message["to"]?.string == "coder")
    #expect(message["id"]?.string.flatMap { MessageID($0) } != nil)
    #expect(message["created_at"]?.string.flatMap(Timestamp.init(rfc3339:)) != nil)
    #expect(lines[0].contains(#""odd":[1.50]"#))
  }

  @Test(arguments: [
    ("exit 75", "exit status 75"), ("echo no >&2; echo 'the last' >&2; echo >&2; exit 1", "exit status 1: the last"),
    ("exit 64", "exit status 64"), ("kill -9 $$", "killed by signal 9 (Killed)"),
    ("printf '\\033[31mred' >&2; exit 3", "exit status 3: \\u001b[31mred"),
    ("echo hello; echo Invalid API key; exit 1", "exit status 1: Invalid API key"),
    ("echo half an answer; echo no >&2; exit 1", "exit status 1: no"),
  ])
  func `a program that fails has its message put back with the reason`(script: String, reason: String) throws {
    let team = try Team()
    try team.ask("try")
    var options = team.script(script)
    options.messagesMax = 1
    options.backoff = Backoff()
    let (summary, events) = try team.work(options)
    #expect(summary == WorkerSummary(claimed: 1, requeued: 1))
    #expect(events.requeueReasons == [reason])
    let delays = events.compactMap { if case .requeued(_, _, let delay) = $0 { delay } else { nil } }
    #expect(delays.count == 1 && (0.5...1).contains(delays[0]))
    let waiting = try #require(try team.spool.entries(of: team.coder).first?.name)
    #expect(waiting.attempt == 1)
    #expect(waiting.notBefore != nil)
    #expect(try team.answers().isEmpty)
  }

  @Test func `exit status 65 gives the message up at once, and the asker is told why`() throws {
    let team = try Team()
    let id = try team.ask("nonsense")
    let (summary, _) = try team.work(team.script("echo 'not for me' >&2; exit 65"))
    #expect(summary == WorkerSummary(claimed: 1, dead: 1))
    #expect(try team.spool.deadLetters(of: team.coder).map(\.reason) == ["exit status 65: not for me"])
    let answer = try #require(try team.answers().first)
    #expect(answer.type == .error)
    #expect(answer.inReplyTo == id.description)
    #expect(answer.content?.contains("exit status 65: not for me") == true)
  }

  @Test func `a message that fails every time is given up after its last attempt, and the asker is told once`() throws {
    let team = try Team(attempts: 3)
    try team.ask("try")
    var options = team.script("echo \"$SPOOL_ATTEMPT\" >> $DIR/attempts; exit 1")
    options.messagesMax = 3
    let worker = try RunningWorker(team, options)
    #expect(try worker.finish() == WorkerSummary(claimed: 3, requeued: 2, dead: 1))
    #expect(team.text(of: "attempts") == "1\n2\n3\n")
    let letter = try #require(try team.spool.deadLetters(of: team.coder).first)
    #expect(letter.reason == "given up after 3 attempts; the last: exit status 1")
    #expect(try team.answers().map(\.type) == [.error])
  }

  @Test func `only the sender of a request is told that it was given up`() throws {
    let team = try Team()
    try team.ask("fyi") { $0.type = .notification }
    try team.ask("stranger", from: "nobody")
    try team.ask("anonymous", from: nil)
    let (summary, events) = try team.work(team.script("exit 65"))
    #expect(summary.dead == 3)
    #expect(try team.answers().isEmpty)
    #expect(events.problems.isEmpty)
  }

  @Test func `the environment tells of the spool, the bot and the message`() throws {
    let team = try Team()
    let id = try team.ask("hello") { $0.conversation = "talk 1" }
    let variables = ["DIR", "BOT", "ID", "ATTEMPT", "FROM", "CONVERSATION", "CLAIM"]
    try team.work(team.script(variables.map { "echo \"$SPOOL_\($0)\"" }.joined(separator: "\n")))
    let lines = try #require(try team.answers().first?.content).split(separator: "\n").map(String.init)
    let root = try Executable.absolutePath(of: team.spool.path)
    #expect(lines.dropLast() == [root, "coder", id.description, "1", "asker", "talk 1"])
    #expect(lines.last?.hasPrefix("coder/5-\(id)~1~") == true)
  }

  @Test func `what is printed is kept with the ack where there is nobody to reply to`() throws {
    let team = try Team()
    let ids = [
      try team.ask("anonymous", from: nil), try team.ask("stranger", from: "nobody"),
      try team.ask("an answer") { $0.type = .response }, try team.ask("an odd name", from: "../x"),
    ]
    let (summary, _) = try team.work(team.script("echo kept"))
    #expect(summary == WorkerSummary(claimed: 4, acked: 4))
    #expect(try team.answers().isEmpty)
    for id in ids {
      let acked = try #require(try History(team.spool).trace(id).first { $0.kind == .messageAcked })
      #expect(acked.text("output") == "kept")
    }
  }

  @Test func `without replies, what is printed is kept with the ack`() throws {
    let team = try Team()
    try team.ask("hello")
    var options = team.script("echo kept")
    options.repliesToSender = false
    #expect(try team.work(options).summary == WorkerSummary(claimed: 1, acked: 1))
    #expect(try team.answers().isEmpty)
  }

  @Test func `standard error passes through`() throws {
    let team = try Team()
    try team.ask("hello")
    let (summary, events) = try team.work(team.script("echo warning >&2; echo fine"))
    #expect(summary.acked == 1)
    #expect(events.errorOutput == "warning\n")
  }

  @Test func `three megabytes of output come back whole, and a program need not read its input`() throws {
    let team = try Team()
    try team.ask(String(repeating: "x", count: 3 << 20))
    try team.work(team.script("head -c 3145728 /dev/zero | tr '\\0' 'y'"))
    #expect(try team.answers().first?.content == String(repeating: "y", count: 3 << 20))
  }

  @Test func `a program that prints without end is killed, and its message given up`() throws {
    let team = try Team()
    try team.ask("hello")
    let (summary, _) = try team.work(team.script("echo $$ > $DIR/pid; exec yes"))
    #expect(summary == WorkerSummary(claimed: 1, dead: 1))
    let reason = try team.spool.deadLetters(of: team.coder).first?.reason
    #expect(reason == "printed more than the 4194304 bytes that a message may have")
    let pid = try #require(team.text(of: "pid").flatMap { Int($0.dropLast()) })
    #expect(!isRunning(pid))
  }

  @Test func `output that is too much for a message once it is written as JSON gives the message up`() throws {
    let team = try Team()
    try team.ask("hello")
    let (summary, events) = try team.work(team.script("head -c 800000 /dev/zero | tr '\\0' '\\001'"))
    #expect(summary == WorkerSummary(claimed: 1, dead: 1))
    #expect(events.deathReasons.first?.hasPrefix("its answer can't be sent: the message has ") == true)
  }

  @Test func `a process left behind with the output in hand doesn't hold the message up`() throws {
    let team = try Team()
    try team.ask("hello")
    let began = Clock.sinceBoot()
    try team.work(team.script("sleep 60 & echo $! > $DIR/pid; echo done"))
    #expect(Clock.sinceBoot() - began < 20_000_000_000)
    #expect(try team.answers().first?.content == "done")
    let pid = try #require(team.text(of: "pid").flatMap { Int($0.dropLast()) })
    #expect(isRunning(pid), "what a program starts for later is its own business")
    kill(pid_t(pid), SIGKILL)
  }

  @Test func `what a program printed before it ended is read to its end, however late`() throws {
    let team = try Team()
    let id = try team.give("build")
    var options = team.taskScript(
      """
      echo $$ > $DIR/pid
      # In a process of its own: this one's standard output stays the pipe meanwhile.
      (echo begun >&2)
      while [ ! -e $DIR/go ]; do sleep 0.01; done
      echo 50 >&3
      head -c 200000 /dev/zero | tr '\\0' x
      """)
    options.stopsWhenEmpty = true
    let worker = try RunningWorker(team, options) { event in
      switch event {
      case .errorOutput:
        // The worker stands still here until the program has printed all of it, and ended.
        #expect(throws: Never.self) {
          let pid = try #require(team.text(of: "pid").flatMap { Int($0.dropLast()) })
          let pipe = try Descriptor.open("/proc/\(pid)/fd/1", O_WRONLY)
          let setPipeSize: CInt = 1031
          try #require(fcntl(pipe.raw, setPipeSize, 1 << 20) == 1 << 20)
          try team.write("", to: "go")
          try require("it has ended") { !isRunning(pid) }
        }
      // And here for longer than it waits for those that a program left behind.
      case .progressed: usleep(700_000)
      default: break
      }
    }
    #expect(try worker.finish() == WorkerSummary(claimed: 1, acked: 1))
    #expect(worker.events.contains { if case .progressed = $0 { true } else { false } })
    #expect(try team.result(of: id)?.utf8.count == 200_000)
  }

  @Test(arguments: ["", "trap '' TERM;"])
  func `a program that takes too long is ended with all that it started`(manners: String) throws {
    let team = try Team()
    try team.ask("hello")
    var options = team.script("\(manners) sleep 300 & echo $! > $DIR/pid; wait; wait")
    options.timeout = 3
    options.messagesMax = 1
    let (summary, events) = try team.work(options)
    #expect(summary == WorkerSummary(claimed: 1, requeued: 1))
    #expect(events.requeueReasons == ["timed out after 3 s"])
    let pid = try #require(team.text(of: "pid").flatMap { Int($0.dropLast()) })
    try require("the grandchild is gone") { !isRunning(pid) }
  }
}
