import Foundation
import Glibc
import TestSupport
import TestThreads
import Testing

/// What commands read and write, whatever stands behind their descriptors.
@Suite(.waiting) struct StandardStreamsTests {
  private func pair() throws -> (mine: CInt, theirs: CInt) {
    var ends: [CInt] = [-1, -1]
    try #require(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0, &ends) == 0)
    return (ends[0], ends[1])
  }

  private func put(_ text: String, _ descriptor: CInt) throws {
    try #require(Glibc.write(descriptor, text, text.utf8.count) == text.utf8.count)
  }

  // MARK: Standard input

  @Test func `a text is read from a socket`() throws {
    let scratch = try Scratch(inMemory: true)
    let spool = try scratch.makeSpool(bots: ["coder"])
    let (mine, theirs) = try pair()
    defer { close(theirs) }
    try put("through a socket\n", mine)
    close(mine)
    let sent = try SpoolCommand.run(["send", "coder", "-"], in: spool, input: .descriptor(theirs))
    #expect(sent.isDone, "\(sent)")
    #expect(try SpoolCommand.run(["receive", "coder"], in: spool).line == "through a socket")
  }

  @Test func `a text that is slow to come through a descriptor that doesn't block is waited for`() throws {
    let scratch = try Scratch(inMemory: true)
    let spool = try scratch.makeSpool(bots: ["coder"])
    let (mine, theirs) = try pair()
    defer { close(theirs) }
    try #require(fcntl(theirs, F_SETFL, O_NONBLOCK) == 0)
    let sending = try SpoolCommand.start(["send", "coder", "-"], in: spool, input: .descriptor(theirs))
    usleep(300_000)
    try put("late", mine)
    close(mine)
    #expect(try sending.wait(seconds: 30).isDone)
    #expect(try SpoolCommand.run(["receive", "coder"], in: spool).line == "late")
  }

  @Test func `of a file that somebody has begun to read the rest is read`() throws {
    let scratch = try Scratch(inMemory: true)
    let spool = try scratch.makeSpool(bots: ["coder"])
    try Scratch.write("header\nthe rest", to: "\(scratch.path)/text")
    let script = #"{ read -r first; exec "$0" send coder; } <"$1""#
    let sent = try SpoolCommand.start(
      program: "/bin/sh", ["-c", script, try SpoolCommand.path.get(), "\(scratch.path)/text"], in: spool
    ).wait(seconds: SpoolCommand.secondsMax)
    #expect(sent.isDone, "\(sent)")
    #expect(try SpoolCommand.run(["receive", "coder"], in: spool).line == "the rest")
  }

  @Test func `--file - is standard input, for every verb`() throws {
    let stage = try TaskStage()
    let id = try stage.done("task", "add", "--file", "-", input: .text("the title\n\nthe description\n"))
    #expect(try stage.json(id)["title"]?.string == "the title")
    #expect(try stage.json(id)["description"]?.string == "the description")
    try stage.done("send", "tester", "--file", "-", input: .text("hello"))
    #expect(try stage.done("receive", "tester", "--ack") == "hello")
    try stage.done("register", "--file", "-", input: .text(#"{"name":"third"}"#))
    try stage.done("task", "claim", id, "--as", "coder")
    try stage.done("task", "complete", id, "--data", "-", input: .text(#"{"ok":true}"#))
    #expect(try stage.json(id)["result"]?["ok"]?.bool == true)
  }

  @Test func `what says all of it in data leaves standard input alone, and its data is shown`() throws {
    let scratch = try Scratch(inMemory: true)
    let spool = try scratch.makeSpool(bots: ["coder", "planner"])
    let script = #"printf '1\n2\n3\n' | while read -r line; do "$0" send coder --data "$line" || exit 9; done"#
    let loop = try SpoolCommand.start(program: "/bin/sh", ["-c", script, try SpoolCommand.path.get()], in: spool)
      .wait(seconds: SpoolCommand.secondsMax)
    #expect(loop.isDone, "\(loop)")
    let messages = SpoolReader(spool).entries("coder", "inbox").compactMap(\.message)
    #expect(messages.count == 3 && messages.allSatisfy { $0["content"] == nil }, "\(messages)")
    for number in 1...3 {
      #expect(try SpoolCommand.run(["receive", "coder", "--ack"], in: spool).line == "\(number)")
    }
    let context = try SpoolCommand.run(
      ["send", "coder", "--context", #"{"branch":"main"}"#], in: spool, input: .text("not this"))
    #expect(context.isDone)
    #expect(try SpoolCommand.run(["receive", "coder", "--ack"], in: spool).line == #"{"branch":"main"}"#)
  }

  @Test func `an empty text counts as none wherever a message is shown`() throws {
    let scratch = try Scratch(inMemory: true)
    let spool = try scratch.makeSpool(bots: ["coder"])
    #expect(try SpoolCommand.run(["send", "coder", "", "--data", #"{"at":"f00"}"#], in: spool).isDone)
    for verb in [["inbox", "coder"], ["log"], ["thread"], ["thread", Scratch.names("\(spool)/bots/coder/inbox")[0]]] {
      let shown = try SpoolCommand.run(verb, in: spool)
      #expect(shown.output.contains("f00"), "\(verb): \(shown)")
    }
    #expect(try SpoolCommand.run(["receive", "coder"], in: spool).line == #"{"at":"f00"}"#)
  }

  // MARK: Standard output

  @Test func `a message that could not be shown has had no attempt`() throws {
    let scratch = try Scratch(inMemory: true)
    let spool = try scratch.makeSpool(bots: ["coder"], settings: ["attempts_max": 2, "lease_seconds": 3600])
    let id = try SpoolCommand.run(["send", "coder", "hi"], in: spool).line
    for _ in 1...5 {
      let outcome = try SpoolCommand.run(["receive", "coder"], in: spool, output: .file("/dev/full"))
      #expect(outcome.status == 74 && !outcome.error.contains("settle it"), "\(outcome)")
      #expect(Scratch.names("\(spool)/bots/coder/inbox") == ["5-\(id).json"])
    }
    let got = try SpoolCommand.run(["receive", "coder", "--json", "--ack"], in: spool)
    #expect(got.isDone && got.output.contains(#""attempt":1"#), "\(got)")
    // Its ack counts: recovery doesn't bring it back.
    #expect(try SpoolCommand.run(["doctor", "--repair"], in: spool).isDone)
    #expect(SpoolReader(spool).ackedAttempt(id, by: "coder") == 1)
    #expect(SpoolReader(spool).violations(settled: true).isEmpty)
  }

  @Test func `a task whose claim could not be shown is given back`() throws {
    let stage = try TaskStage()
    let id = try stage.add("write it")
    let large = try stage.add("write more", "--description", String(repeating: "x", count: 90_000))
    let claims = [
      ["task", "claim", id, "--as", "coder"], ["task", "claim", "--next", "--as", "coder", "--json"],
      ["task", "claim", large, "--as", "coder", "--json"],
    ]
    // Nobody reads there.
    let (reader, writer) = try pair()
    close(reader)
    defer { close(writer) }
    for arguments in claims {
      for output in [SpoolCommand.Output.file("/dev/full"), .descriptor(writer)] {
        let outcome = try SpoolCommand.run(arguments, in: stage.spool, output: output)
        #expect(outcome.status == 74, "\(outcome)")
        #expect(stage.names("pending").count == 2)
      }
    }
    // No program was told of it: no attempt.
    #expect(stage.names("pending").allSatisfy { !$0.contains("~") })
    try stage.done("task", "claim", id, "--as", "coder")
  }

  @Test func `what was sent and could not be shown is told on standard error`() throws {
    let stage = try TaskStage()
    let verbs = [
      ["send", "coder", "hi"], ["send", "coder", "hi", "--json"], ["task", "add", "a title"],
      ["announce", "predict", "--skill", "ml"],
    ]
    for arguments in verbs {
      let outcome = try SpoolCommand.run(arguments, in: stage.spool, output: .file("/dev/full"))
      let id = outcome.error.firstMatch(of: #/kept all the same: (\S+)/#).map { String($0.output.1) }
      #expect(outcome.status == 74 && id != nil, "\(arguments): \(outcome)")
      #expect(try SpoolCommand.run(["trace", id ?? "none"], in: stage.spool).isDone)
    }
  }

  @Test func `what goes on without end ends when its output is gone`() throws {
    let scratch = try Scratch(inMemory: true)
    let spool = try scratch.makeSpool(bots: ["coder"])
    #expect(try SpoolCommand.run(["state", "set", "k", "1"], in: spool).isDone)
    for arguments in [
      ["log", "--follow"], ["log", "--follow", "--type", "message.sent"], ["state", "watch", "--current"],
    ] {
      let running = try SpoolCommand.start(arguments, in: spool, output: .file("/dev/full"))
      defer { running.kill() }
      let isOver = try eventually(20) {
        _ = try SpoolCommand.run(["send", "coder", "hi"], in: spool)
        return running.isStoppedOrOver
      }
      try #require(isOver, "\(arguments) goes on")
      let outcome = try running.wait(seconds: 5)
      #expect(outcome.status == 74 && outcome.error.contains("cannot write to standard output"), "\(outcome)")
    }
  }

  @Test func `all is written to an output that doesn't block`() throws {
    let scratch = try Scratch(inMemory: true)
    let spool = try scratch.makeSpool(bots: ["coder"])
    let text = String(repeating: "x", count: 1_000_000)
    #expect(try SpoolCommand.run(["send", "coder", "-"], in: spool, input: .text(text)).isDone)
    let (mine, theirs) = try pair()
    defer { close(mine) }
    try #require(fcntl(theirs, F_SETFL, O_NONBLOCK) == 0)
    let running = try SpoolCommand.start(["receive", "coder"], in: spool, output: .descriptor(theirs))
    close(theirs)
    usleep(300_000)
    var count = 0
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while case let part = read(mine, &buffer, buffer.count), part > 0 { count += part }
    let outcome = try running.wait(seconds: 30)
    #expect(outcome.isDone && count == text.utf8.count + 1, "\(count) bytes; \(outcome)")
  }

  @Test func `a program isn't told what the worker above its own was told`() throws {
    let scratch = try Scratch(inMemory: true)
    let spool = try scratch.makeSpool(bots: ["coder"])
    #expect(try SpoolCommand.run(["send", "coder", "hi"], in: spool).isDone)
    let outer = [
      "SPOOL_TASK": "outer", "SPOOL_GROUP": "outer", "SPOOL_PROGRESS": "outer", "SPOOL_ID": "outer",
      "SPOOL_FROM": "outer", "SPOOL_CLAIM": "outer", "SPOOL_FROM_USER": "outer",
    ]
    func told(_ arguments: [String]) throws -> String {
      let file = "\(scratch.path)/told"
      let work = ["work", "coder", "--until-empty"] + arguments + ["--", "/bin/sh", "-c", "env >'\(file)'"]
      let outcome = try SpoolCommand.run(work, in: spool, environment: outer)
      #expect(outcome.isDone, "\(outcome)")
      return Scratch.text(file)
    }
    let ofMessage = try told([])
    #expect(!ofMessage.contains("=outer") && ofMessage.contains("SPOOL_TASK=\n"), "\(ofMessage)")
    let task = try SpoolCommand.run(["task", "add", "do it", "--to", "coder"], in: spool).line
    let ofTask = try told(["--tasks", "--pending"])
    #expect(!ofTask.contains("=outer") && ofTask.contains("SPOOL_TASK=\(task)\n"), "\(ofTask)")
  }

  // MARK: Terminals

  @Test func `on a terminal a worker says what it begins`() throws {
    let scratch = try Scratch(inMemory: true)
    let spool = try scratch.makeSpool(bots: ["coder"])
    let terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)
    defer { close(terminal) }
    // As unlockpt(3) and ptsname(3) do: TIOCSPTLCK and TIOCGPTN.
    var (isLocked, number) = (CInt(0), CInt(0))
    try #require(
      terminal != -1 && ioctl(terminal, 0x4004_5431, &isLocked) == 0 && ioctl(terminal, 0x8004_5430, &number) == 0)
    #expect(try SpoolCommand.run(["send", "coder", "count the stars"], in: spool).isDone)
    let worker = try SpoolCommand.start(
      program: "/bin/sh",
      ["-c", "exec \"$0\" work coder --max 1 -- sh -c : 2>\"$1\"", try SpoolCommand.path.get(), "/dev/pts/\(number)"],
      in: spool)
    var text = ""
    #expect(
      eventually {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = read(terminal, &bytes, bytes.count)
        text += String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
        return text.contains("begins: count the stars") && text.contains("1 done")
      }, "\(text)")
    #expect(try worker.wait(seconds: 20).isDone)
  }
}
