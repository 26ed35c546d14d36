import Foundation
import Glibc
import TestSupport
import TestThreads
import Testing

/// What a command line means.
@Suite(.waiting) struct CommandLineTests {
  // MARK: What follows --

  @Test func `what follows -- is an operand like those before it`() throws {
    let scratch = try Scratch(inMemory: true)
    let spool = try scratch.makeSpool(bots: ["coder"])
    func claim(_ text: String) throws -> String {
      _ = try SpoolCommand.run(["send", "coder", text], in: spool)
      let got = try SpoolCommand.run(["receive", "coder", "--json"], in: spool)
      return String(try #require(got.output.firstMatch(of: #/"claim":"([^"]+)"/#)).output.1)
    }
    let (first, second) = (try claim("one"), try claim("two"))
    #expect(try SpoolCommand.run(["ack", first, "--", second], in: spool).isDone)
    #expect(Scratch.names("\(spool)/bots/coder/claimed").isEmpty)
    #expect(try SpoolCommand.run(["send", "coder", "a -dashed word"], in: spool).isDone)
    #expect(try SpoolCommand.run(["search", "--", "-dashed"], in: spool).output.contains("-dashed word"))
    for extra in [
      ["send", "coder", "hello", "--", "world"], ["state", "set", "k", "5", "--", "6"], ["log", "--", "foo"],
      ["receive", "coder", "--", "planner"],
    ] {
      let outcome = try SpoolCommand.run(extra, in: spool)
      #expect(outcome.status == 64 && outcome.error.contains("one word too many"), "\(extra): \(outcome)")
    }
    #expect(Scratch.names("\(spool)/bots/coder/inbox").count == 1)
  }

  @Test func `a text after -- needs no quotes, and is one even when it is a dash`() throws {
    let stage = try TaskStage()
    for (words, text) in [(["-v", "is", "an", "option"], "-v is an option"), (["-"], "-")] {
      try stage.done("send", "coder", "--", words[0])
      #expect(try stage.done("receive", "coder", "--ack") == words[0])
      #expect(try stage.run(["send", "coder", "--"] + words).isDone)
      #expect(try stage.done("receive", "coder", "--ack") == text)
    }
    let id = try stage.done("task", "add", "--", "write", "-all-", "of", "it")
    #expect(try stage.json(id)["title"]?.string == "write -all- of it")
    try stage.done("task", "block", id, "--", "-later-")
    #expect(try stage.json(id)["blocked_reason"]?.string == "-later-")
  }

  @Test func `what stands behind -- is first of all what is named, and then the text`() throws {
    let stage = try TaskStage()
    try stage.done("send", "--", "coder", "-v", "please")
    #expect(try stage.done("receive", "coder", "--ack") == "-v please")
    try stage.done("state", "set", "--", "number", "-1")
    #expect(try stage.done("state", "get", "number") == "-1")
  }

  @Test func `what can't be a name in a message isn't sent`() throws {
    let stage = try TaskStage()
    let long = String(repeating: "x", count: 513)
    for verb in [["send", "coder"], ["ask"]] {
      let refused = try stage.run(verb + ["hello", "--conversation", long])
      #expect(refused.status == 64 && refused.error.contains("513 bytes"), "\(refused)")
    }
  }

  // MARK: Several that are named

  @Test func `one that won't do keeps none of the others from being done`() throws {
    let stage = try TaskStage()
    let (done, open) = (try stage.add("done"), try stage.add("open"))
    try stage.finish(done)
    let cancelled = try stage.run(["task", "cancel", done, open])
    #expect(cancelled.status == 65 && cancelled.error.contains(done), "\(cancelled)")
    #expect(try stage.state(open) == "cancelled")
    let retried = try stage.run(["task", "retry", done, open])
    #expect(retried.status == 65 && retried.error.contains(done), "\(retried)")
    #expect(try stage.state(open) == "pending")
    let groups = try ["one", "two"].map { try stage.done("announce", $0, "--skill", "ml") }
    let ended = try stage.run(["group", "cancel", "cafecafe"] + groups)
    #expect(ended.status == 1 && ended.error.split(separator: "\n").count == 3, "\(ended)")
  }

  @Test func `a name that stands for several claims keeps no other from being settled`() throws {
    let stage = try TaskStage()
    for text in ["one", "two", "three"] { try stage.done("send", text == "three" ? "tester" : "coder", text) }
    for bot in ["coder", "coder", "tester"] { try stage.done("receive", bot) }
    let claim = Scratch.names("\(stage.spool)/bots/tester/claimed")[0]
    let outcome = try stage.run(["ack", "json", claim])
    #expect(outcome.status == 65 && outcome.error.contains("stands for 3"), "\(outcome)")
    #expect(Scratch.names("\(stage.spool)/bots/tester/claimed").isEmpty)
  }

  // MARK: Claims and dead letters

  @Test func `a reply that would settle a lost claim is not sent`() throws {
    let scratch = try Scratch(inMemory: true)
    let spool = try scratch.makeSpool(bots: ["coder", "planner"])
    let id = try SpoolCommand.run(["send", "coder", "hi", "--from", "planner"], in: spool).line
    let got = try SpoolCommand.run(["receive", "coder", "--json"], in: spool)
    let claim = String(try #require(got.output.firstMatch(of: #/"claim":"([^"]+)"/#)).output.1)
    #expect(try SpoolCommand.run(["nack", claim], in: spool).isDone)
    for named in [claim, id] {
      let outcome = try SpoolCommand.run(["reply", named, "done", "--ack"], in: spool)
      #expect(outcome.status == 3 && SpoolMessage.isOneLine(outcome.error), "\(outcome)")
      #expect(Scratch.names("\(spool)/bots/planner/inbox").isEmpty)
    }
    _ = try SpoolCommand.run(["receive", "coder"], in: spool)
    #expect(try SpoolCommand.run(["reply", id, "done", "--ack"], in: spool).isDone)
    #expect(Scratch.names("\(spool)/bots/planner/inbox").count == 1)
    #expect(Scratch.names("\(spool)/bots/coder/claimed").isEmpty)
  }

  @Test func `no dead letter is meant by less than four characters, or by a part of its file's name`() throws {
    let scratch = try Scratch(inMemory: true)
    let spool = try scratch.makeSpool(bots: ["coder"])
    let id = try SpoolCommand.run(["send", "coder", "hi"], in: spool).line
    _ = try SpoolCommand.run(["receive", "coder"], in: spool)
    let claim = Scratch.names("\(spool)/bots/coder/claimed")[0]
    #expect(try SpoolCommand.run(["nack", claim, "--dead"], in: spool).isDone)
    for (part, status) in [("", 65), ("202", 65), (".json", 1), ("~1.json", 1)] {
      for option in ["--discard", "--retry", "--show"] {
        let outcome = try SpoolCommand.run(["dead", "coder", option, part], in: spool)
        #expect(outcome.status == status && SpoolMessage.isOneLine(outcome.error), "\(option) \(part): \(outcome)")
      }
    }
    let both = try SpoolCommand.run(["dead", "coder", "--show", id, "--discard", id], in: spool)
    #expect(both.status == 64 && both.error.contains("not both"), "\(both)")
    #expect(Scratch.names("\(spool)/bots/coder/dead").contains { $0.contains(id) })
    // The name of its file stands for it as a whole.
    #expect(try SpoolCommand.run(["dead", "coder", "--discard", "5-\(id)~1.json"], in: spool).isDone)
  }

  @Test func `a bot that was registered by mistake can be removed, and what keeps it is told with the cure`() throws {
    let scratch = try Scratch(inMemory: true)
    let spool = try scratch.makeSpool(bots: ["coder", "codre"])
    for _ in 0..<2 {
      _ = try SpoolCommand.run(["send", "codre", "hi"], in: spool)
      _ = try SpoolCommand.run(["receive", "codre"], in: spool)
    }
    let kept = try SpoolCommand.run(["unregister", "codre"], in: spool)
    #expect(kept.status == 75 && SpoolMessage.isOneLine(kept.error), "\(kept)")
    #expect(kept.error.contains("messages in hand (2)") && kept.error.contains("spool inbox codre"), "\(kept)")
    for claim in Scratch.names("\(spool)/bots/codre/claimed") {
      #expect(try SpoolCommand.run(["nack", claim, "--dead"], in: spool).isDone)
    }
    #expect(try SpoolCommand.run(["unregister", "codre"], in: spool).error.contains("dead letters (2)"))
    let thrown = try SpoolCommand.run(["dead", "codre", "--discard-all"], in: spool)
    #expect(thrown.isDone && thrown.error == "threw away 2\n", "\(thrown)")
    #expect(try SpoolCommand.run(["dead", "codre", "--discard-all"], in: spool).status == 1)
    let removed = try SpoolCommand.run(["unregister", "codre"], in: spool)
    #expect(removed.isDone && removed.output.isEmpty && removed.error.isEmpty, "\(removed)")
    #expect(Scratch.names("\(spool)/bots") == ["coder"])
    #expect(try SpoolCommand.run(["unregister", "codre"], in: spool).status == 67)
    let doctor = try SpoolCommand.run(["doctor"], in: spool)
    #expect(!doctor.output.contains("codre"), "\(doctor)")
  }

  @Test func `a nack that gives a message up says so`() throws {
    let scratch = try Scratch(inMemory: true)
    let spool = try scratch.makeSpool(bots: ["coder"], settings: ["attempts_max": 1])
    _ = try SpoolCommand.run(["send", "coder", "hi"], in: spool)
    _ = try SpoolCommand.run(["receive", "coder"], in: spool)
    let claim = Scratch.names("\(spool)/bots/coder/claimed")[0]
    let outcome = try SpoolCommand.run(["nack", claim, "--delay", "5m"], in: spool)
    #expect(outcome.isDone && outcome.error.contains("given up"), "\(outcome)")
  }

  @Test func `what was cleared from an inbox is told to programs, too`() throws {
    let scratch = try Scratch(inMemory: true)
    let spool = try scratch.makeSpool(bots: ["coder"])
    for text in ["one", "two"] { _ = try SpoolCommand.run(["send", "coder", text], in: spool) }
    let both = try SpoolCommand.run(["inbox", "coder", "--clear", "--limit", "1"], in: spool)
    #expect(both.status == 64 && both.error.contains("not both"), "\(both)")
    let cleared = try SpoolCommand.run(["inbox", "coder", "--clear", "--json"], in: spool)
    #expect(cleared.output == #"{"bot":"coder","cleared":2,"delayed":0}"# + "\n", "\(cleared)")
    _ = try SpoolCommand.run(["send", "coder", "later", "--not-before", "1h"], in: spool)
    let none = try SpoolCommand.run(["receive", "coder"], in: spool)
    #expect(none.status == 1 && none.error.contains("1 will, from "), "\(none)")
    let kept = try SpoolCommand.run(["inbox", "coder", "--clear"], in: spool)
    #expect(kept.status == 1 && kept.error.contains("--clear --delayed"), "\(kept)")
    let all = try SpoolCommand.run(["inbox", "coder", "--clear", "--delayed", "--json"], in: spool)
    #expect(all.output == #"{"bot":"coder","cleared":1,"delayed":0}"# + "\n", "\(all)")
  }

  @Test func `a text that was forgotten is no empty message`() throws {
    let scratch = try Scratch(inMemory: true)
    let spool = try scratch.makeSpool(bots: ["coder"])
    for arguments in [["send", "coder"], ["publish", "builds"], ["ask", "--no-wait"], ["request", "coder"]] {
      let outcome = try SpoolCommand.run(arguments, in: spool, input: .text(""))
      #expect(outcome.status == 64 && outcome.error.contains("the text is missing"), "\(arguments): \(outcome)")
    }
    for arguments in [["send", "coder", ""], ["send", "coder", "-"], ["send", "coder", "--data", "1"]] {
      #expect(try SpoolCommand.run(arguments, in: spool, input: .text("")).isDone, "\(arguments)")
    }
  }

  @Test func `a request that says nothing is refused, and leaves nothing`() throws {
    let scratch = try Scratch(inMemory: true)
    let spool = try scratch.makeSpool(bots: [])
    for text in ["", " \n\t"] {
      let outcome = try SpoolCommand.run(["ask", text, "--no-wait"], in: spool)
      #expect(outcome.status == 65 && outcome.error.contains("a request has a text"), "\(outcome)")
      #expect(SpoolMessage.isOneLine(outcome.error) && Scratch.names("\(spool)/bots").isEmpty, "\(outcome)")
    }
  }

  @Test func `what a program printed for nobody is shown by trace`() throws {
    let scratch = try Scratch(inMemory: true)
    let spool = try scratch.makeSpool(bots: ["coder"])
    let id = try SpoolCommand.run(["send", "coder", "job", "--from", "cron"], in: spool).line
    #expect(try SpoolCommand.run(["work", "coder", "--until-empty", "--", "echo", "42 done"], in: spool).isDone)
    #expect(try SpoolCommand.run(["trace", id], in: spool).output.contains("its output: 42 done"))
  }

  @Test(arguments: [
    (["ask", "x", "--wait", "1s"], "did you mean --timeout?"),
    (["request", "coder", "x", "--timeout", "1s"], "--wait?"),
    (["log", "coder"], "what it takes: spool log"), (["send", "coder", "a", "b"], "quote texts"),
  ])
  func `what goes for another verb is named where it doesn't here`(arguments: [String], cure: String) throws {
    let scratch = try Scratch(inMemory: true)
    let outcome = try SpoolCommand.run(arguments, in: scratch.makeSpool(bots: ["coder"]))
    #expect(outcome.status == 64 && outcome.error.contains(cure), "\(outcome)")
  }

  // MARK: Times

  @Test func `a time as lists show it is one of this machine's time zone`() throws {
    let scratch = try Scratch(inMemory: true)
    let spool = try scratch.makeSpool(bots: ["coder"])
    let zone = ["TZ": "XYZ5"]
    func due(_ text: String) throws -> String {
      let id = try SpoolCommand.run(["send", "coder", "hi", "--not-before", text], in: spool, environment: zone)
      #expect(id.isDone, "\(text): \(id)")
      let waiting = try SpoolCommand.run(["inbox", "coder", "--json"], in: spool).output.split(separator: "\n")
      let entry = waiting.first { $0.contains(id.line) }.map(String.init) ?? ""
      return try #require(entry.firstMatch(of: #/"not_before":"([^"]+)"/#), "\(entry)").output.1.description
    }
    for text in ["2099-01-01 10:00:00.250", "2099-01-01T10:00:00.25", "2099-01-01T17:00:00.25+02:00"] {
      #expect(try due(text) == "2099-01-01T15:00:00.250000Z")
    }
    #expect(try due("2099-01-01T10:00:00Z") == "2099-01-01T10:00:00.000000Z")
    #expect(try due("2099-01-01") == "2099-01-01T05:00:00.000000Z")
    // A time alone is the next such one: a minute ago is tomorrow's.
    func written(_ date: Date, _ hours: Int, _ format: String) -> String {
      let formatter = DateFormatter()
      formatter.timeZone = TimeZone(secondsFromGMT: hours * 3600)
      formatter.dateFormat = format
      return formatter.string(from: date)
    }
    let past = Date(timeIntervalSinceNow: -60)
    let told = try due(written(past, -5, "HH:mm"))
    #expect(told.hasPrefix(written(past + 86_400, 0, "yyyy-MM-dd'T'HH:mm:00")), "\(told)")
    // What the log shows of today has no date.
    let log = try SpoolCommand.run(["log"], in: spool, environment: zone).output
    let last = try #require(log.split(separator: "\n").last?.split(separator: " ").first.map(String.init))
    let since = try SpoolCommand.run(["log", "--since", last], in: spool, environment: zone)
    #expect(since.isDone && since.output.split(separator: "\n").count < log.split(separator: "\n").count, "\(since)")
  }

  @Test func `a duration of the past may say ago, and one to come may not`() throws {
    let scratch = try Scratch(inMemory: true)
    let spool = try scratch.makeSpool(bots: ["coder"])
    let id = try SpoolCommand.run(["send", "coder", "hi"], in: spool).line
    #expect(try SpoolCommand.run(["log", "--since", "10m ago", "--json"], in: spool).output.contains(id))
    #expect(try SpoolCommand.run(["send", "coder", "hi", "--expires", "10m ago"], in: spool).status == 64)
  }

  // MARK: What is shown

  @Test func `lines may end as on Windows`() throws {
    let stage = try TaskStage()
    let id = try stage.done("task", "add", "-", input: .text("the title\r\n\r\nthe description\r\nof it\r\n"))
    #expect(try stage.json(id)["title"]?.string == "the title")
    #expect(try stage.json(id)["description"]?.string == "the description\r\nof it")
    let sent = try stage.done("send", "coder", "-", input: .text("one\r\ntwo\r\n"))
    let shown = try stage.done("thread", sent)
    #expect(shown.hasSuffix("\n  one\n  two"), "\(shown.debugDescription)")
  }

  @Test func `a part of several ids is said to be that by thread, too`() throws {
    let scratch = try Scratch(inMemory: true)
    let spool = try scratch.makeSpool(bots: ["coder"])
    for text in ["one", "two"] { _ = try SpoolCommand.run(["send", "coder", text], in: spool) }
    let year = String(Scratch.names("\(spool)/bots/coder/inbox")[0].dropFirst(2).prefix(4))
    let outcome = try SpoolCommand.run(["thread", year], in: spool)
    #expect(outcome.status == 65 && outcome.error.contains("stands for 2"), "\(outcome)")
    let none = try SpoolCommand.run(["thread", "no such talk"], in: spool)
    #expect(none.status == 1 && none.error.contains("no conversation"), "\(none)")
  }

  @Test func `analyze refuses a spool that is named and is none, and prints its words on one line`() throws {
    let scratch = try Scratch(inMemory: true)
    let nowhere = "\(scratch.path)/nowhere"
    #expect(try SpoolCommand.run(["analyze", "build it", "--spool", nowhere]).status == 69)
    #expect(try SpoolCommand.run(["analyze", "build it"], in: nowhere).status == 69)
    #expect(try SpoolCommand.run(["analyze", "build it"], directory: scratch.path).isDone)
    let words = try SpoolCommand.run(["analyze", "--vocabulary", "--json"])
    #expect(words.isDone && words.output.split(separator: "\n").count == 1, "\(words.output.prefix(80))")
    #expect(words.output.hasPrefix("{"))
    // What explains it is one member more.
    let plain = try SpoolCommand.run(["analyze", "build it", "--json"])
    let spool = try scratch.makeSpool(bots: ["coder"])
    let explained = try SpoolCommand.run(["analyze", "build it", "--json", "--explain"], in: spool)
    #expect(explained.output.hasPrefix(plain.output.dropLast(2)), "\(explained.output.prefix(300))")
    #expect(explained.output.contains(#""bots":"#))
  }

  @Test func `a group that can't be read is in the list for programs, too`() throws {
    let scratch = try Scratch(inMemory: true)
    let spool = try scratch.makeSpool(bots: ["coder"])
    let id = "20261120T234512.345678Z-0123456789abcdef"
    try Scratch.makeDirectory("\(spool)/groups/forming")
    try Scratch.write("{", to: "\(spool)/groups/forming/5-\(id)~1.json")
    let list = try SpoolCommand.run(["group", "list", "--json"], in: spool)
    #expect(list.isDone && list.output.contains(#""id":"\#(id)","state":"forming""#), "\(list)")
    #expect(list.output.contains(#""problem":"#), "\(list)")
  }

  @Test func `of several tasks that were waited for each has a line with its result`() throws {
    let stage = try TaskStage()
    let (first, second) = (try stage.add("one"), try stage.add("two"))
    try stage.finish(first, "in\nparser.swift")
    try stage.finish(second, "fine")
    let waited = try stage.run(["task", "wait", first, second])
    #expect(waited.output == "\(first) completed \"in\\nparser.swift\"\n\(second) completed \"fine\"\n", "\(waited)")
  }

  @Test func `doctor tells programs one object a line, and says of what it leaves that it isn't repaired`() throws {
    let scratch = try Scratch(inMemory: true)
    let spool = try scratch.makeSpool(bots: ["coder"])
    try Scratch.write("{", to: "\(spool)/bots/coder/card.json")
    let one = try SpoolCommand.run(["doctor", "--repair"], in: spool)
    #expect(one.status == 1 && one.output.contains("1 thing is wrong; for you to mend"), "\(one)")
    try Scratch.makeDirectory("\(spool)/bots/coder/dead")
    for number in 1...1001 {
      let path = "\(spool)/bots/coder/dead/\(number).reason"
      try Scratch.write("{}", to: path)
      // Its letter might follow, were it new.
      #expect(utimensat(AT_FDCWD, path, [timespec(), timespec()], 0) == 0)
    }
    let looked = try SpoolCommand.run(["doctor", "--json"], in: spool)
    let lines = looked.output.split(separator: "\n")
    #expect(looked.status == 1 && lines.allSatisfy { $0.hasPrefix("{") } && lines.contains(#"{"more":2}"#))
    let repaired = try SpoolCommand.run(["doctor", "--repair", "--json"], in: spool).output.split(separator: "\n")
    let card = repaired.filter { $0.contains("card.json") }
    #expect(card.count == 1 && card[0].contains(#""repaired":false"#), "\(card)")
    #expect(repaired.count { $0.contains(#""repaired":true"#) } == 999)
    try Scratch.write("{}", to: "\(spool)/bots/coder/card.json")
    #expect(try SpoolCommand.run(["doctor", "--repair"], in: spool).isDone)
  }

  @Test func `names of steps and what a program said last drive no terminal`() throws {
    let stage = try TaskStage()
    let flow = #"{"title":"both","steps":[{"name":"a"},{"name":"b","depends_on":["a"]}]}"#
    let id = try stage.done("workflow", "submit", "-", input: .text(flow))
    let blocked = "\(stage.spool)/tasks/blocked/\(stage.names("blocked").first { !$0.contains(id) } ?? "")"
    let text = Scratch.text(blocked)
    try Scratch.write(text.replacing(#""step_names":{"a""#, with: #""step_names":{"a\u001b[2J""#), to: blocked)
    let shown = try stage.done("workflow", "show", id)
    #expect(shown.contains(#"after a\u001b[2J"#) && !shown.contains("\u{1b}"), "\(shown.debugDescription)")
    let other = try TaskStage()
    for (attempts, end) in [("1", "given up"), ("2", "put back")] {
      _ = try other.add("do it", "--to", "coder", "--max-attempts", attempts)
      let answer = #"{"error":"no \u001b[2Jnetwork"}"#
      let worked = try other.run(["work", "coder", "--tasks", "--pending", "--max", "1", "--", "echo", answer])
      let told = worked.error.split(separator: "\n").filter { $0.contains(end) }
      #expect(told.count == 1 && told[0].hasSuffix(#"no \u001b[2Jnetwork"#), "\(worked)")
    }
  }

  @Test func `a request that gets no answer in time says whether somebody has it in hand`() throws {
    let scratch = try Scratch(inMemory: true)
    let spool = try scratch.makeSpool(bots: ["coder", "ann"])
    func asked(_ seconds: String) throws -> SpoolCommand.Outcome {
      try SpoolCommand.run(["request", "coder", "hi", "--from", "ann", "--wait", seconds], in: spool)
    }
    let early = try asked("10ms")
    #expect(early.status == 1 && early.error.contains("it waits still"), "\(early)")
    #expect(early.error.contains("come to the inbox of who asked"), "\(early)")
    #expect(try SpoolCommand.run(["receive", "coder", "--ack"], in: spool).isDone)
    let worker = try SpoolCommand.start(["work", "coder", "--", "sleep", "60"], in: spool)
    #expect(eventually { !Scratch.names("\(spool)/bots/coder/presence").isEmpty })
    let late = try asked("5s")
    #expect(late.status == 1 && late.error.contains("it is in hand"), "\(late)")
    worker.kill(SIGTERM)
    worker.kill(SIGINT)
    _ = try worker.wait(seconds: 20)
  }
}
