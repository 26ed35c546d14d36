import Glibc
import Spool
import SpoolFormat
import TestSupport
import TestThreads
import Testing

@Suite(.waiting) struct TaskCommandTests {
  @Test func `a task is added, claimed, told of and completed by hand, and its file's place says so`() throws {
    let stage = try TaskStage()
    let id = try stage.add("write the parser", "--domain", "development", "--priority", "high")
    #expect(stage.names("pending") == ["3-\(id).json"])
    let claim = try stage.done("task", "claim", id, "--as", "coder")
    #expect(claim == "3-\(id)~1~coder.json" && stage.names("in_progress") == [claim])
    try stage.done("task", "progress", claim, "40%", "the scanner is done")
    let half = try stage.json(id)
    #expect(half["progress"]?.int == 40 && half["state"]?.string == "in_progress" && half["holder"]?.string == "coder")
    try stage.done("task", "complete", claim, "in parser.swift", "--confidence", "0.9", "--learning", "use rename")
    #expect(stage.names("completed") == [claim] && stage.names("in_progress") == [])
    let end = try stage.json(id)
    #expect(end["result"]?.string == "in parser.swift" && end["confidence"]?.double == 0.9)
    #expect(end["started_at"]?.string != nil && end["completed_at"]?.string != nil && end["attempt"]?.int == 1)
    let page = try stage.done("task", "show", id)
    for part in ["write the parser", "completed by coder", "in parser.swift", "learned       use rename", "elapsed"] {
      #expect(page.contains(part), "\(page)")
    }
  }

  @Test func `a title of 10 kB, or none, is refused in one line, and nothing is added`() throws {
    let stage = try TaskStage()
    for title in [String(repeating: "t", count: 10_000), ""] {
      let outcome = try stage.run(["task", "add", title])
      #expect(outcome.status == 65 && outcome.error.contains("title"), "\(outcome)")
      #expect(SpoolMessage.isOneLine(outcome.error) && outcome.error.utf8.count < 300, "\(outcome)")
    }
    let long = String(repeating: "d", count: 10_000)
    let id = try stage.done("task", "add", "-", input: .text("short\n\n\(long)\n"))
    #expect(try stage.json(id)["description"]?.string == long)
    #expect(stage.names("pending").count == 1 && stage.names("tmp").isEmpty)
  }

  @Test func `a dependent waits until what it depends on is completed, with no coordinator`() throws {
    let stage = try TaskStage()
    let first = try stage.add("write")
    let second = try stage.add("test", "--depends-on", String(first.suffix(8)), "--to", "tester")
    #expect(try stage.state(second) == "blocked")
    let early = try stage.run(["task", "claim", second, "--as", "tester"])
    #expect(early.status == 65 && early.error.contains("it is blocked (see what it waits for"), "\(early)")
    try stage.finish(first)
    #expect(stage.names("assigned") == ["5-\(second)~1~tester.json"])
    let foreign = try stage.run(["task", "claim", second, "--as", "coder"])
    #expect(foreign.status == 65 && foreign.error.contains("is assigned to tester"), "\(foreign)")
    #expect(try stage.done("task", "claim", "--next", "--as", "tester").contains(second))
  }

  @Test func `what is blocked is not completed before anybody has begun it, unless it is a join`() throws {
    let stage = try TaskStage()
    let first = try stage.add("write")
    let second = try stage.add("test", "--depends-on", first)
    let early = try stage.run(["task", "complete", second, "done"])
    #expect(early.status == 65 && early.error.contains("it is blocked (allowed now: fail, block, "), "\(early)")
    #expect(try stage.state(second) == "blocked")
    let pending = try stage.run(["task", "complete", first, "done"])
    #expect(pending.status == 65 && pending.error.contains("(allowed now: assign, claim, fail, "), "\(pending)")
    let join = try stage.add("all", "--join")
    try stage.done("task", "complete", join, "done")
    #expect(try stage.state(join) == "completed")
  }

  @Test func `next is the most urgent that suits the bot, or was assigned to it`() throws {
    let stage = try TaskStage()
    _ = try stage.add("for testers", "--domain", "quality", "--priority", "urgent")
    _ = try stage.add("too hard", "--skill", "rust:novice", "--priority", "urgent")
    let join = try stage.add("nobody's", "--join", "--priority", "urgent")
    #expect(try stage.state(join) == "blocked")
    let any = try stage.add("anybody's")
    let own = try stage.add("swift", "--skill", "swift:advanced", "--to", "coder", "--priority", "high")
    for id in [own, any] { #expect(try stage.done("task", "claim", "--next", "--as", "coder").contains(id)) }
    let none = try stage.run(["task", "claim", "--next", "--as", "coder"])
    #expect(none.status == 1 && none.output.isEmpty, "\(none)")
  }

  @Test func `a late result is refused with 3, and changes nothing`() throws {
    let stage = try TaskStage()
    let id = try stage.add("write")
    let claim = try stage.done("task", "claim", id, "--as", "coder")
    let path = "\(stage.spool)/tasks"
    // A person takes it away, and gives it to another.
    #expect(rename("\(path)/in_progress/\(claim)", "\(path)/pending/5-\(id)~1.json") == 0)
    let second = try stage.done("task", "claim", id, "--as", "tester")
    #expect(second == "5-\(id)~2~tester.json")
    let before = Scratch.listing(path)
    for arguments in [
      ["complete", claim, "late"], ["complete", "\(id)~1", "late"], ["complete", id, "late", "--as", "coder"],
      ["progress", claim, "50"],
    ] {
      let outcome = try stage.run(["task"] + arguments)
      #expect(outcome.status == 3 && SpoolMessage.isOneLine(outcome.error), "\(arguments): \(outcome)")
      #expect(outcome.error.contains("nothing was changed") && outcome.error.contains("tester"), "\(outcome)")
      #expect(Scratch.listing(path) == before)
    }
    let inEnvironment = try stage.run(["task", "complete", id, "late"], as: "coder")
    #expect(inEnvironment.status == 3, "\(inEnvironment)")
    try stage.done("task", "complete", second, "in time")
  }

  @Test func `what a hand gives to nobody the doctor puts back, with no attempt lost or counted`() throws {
    let stage = try TaskStage()
    let tasks = "\(stage.spool)/tasks"
    let ids = [try stage.add("never begun"), try stage.add("given")]
    for id in ids { #expect(rename("\(tasks)/pending/5-\(id).json", "\(tasks)/assigned/5-\(id).json") == 0) }
    let page = try stage.done("task", "show", ids[0])
    #expect(page.contains("assigned to nobody") && page.contains("attempts      0 of 3"), "\(page)")
    try stage.done("task", "assign", ids[1], "coder")
    #expect(stage.names("assigned").contains("5-\(ids[1])~1~coder.json"))
    let said = try stage.run(["doctor"])
    #expect(said.status == 1 && said.output.contains("assigned/5-\(ids[0]).json is assigned to nobody"), "\(said)")
    try stage.done("doctor", "--repair")
    #expect(stage.names("pending") == ["5-\(ids[0]).json"] && stage.names("assigned").count == 1)
  }

  @Test func `of several files of one task the name of a claim is its own, and the doctor names all`() throws {
    let stage = try TaskStage()
    let id = try stage.add("write")
    let claim = try stage.done("task", "claim", id, "--as", "coder")
    let (own, copy) = ("tasks/in_progress/\(claim)", "tasks/pending/5-\(id).json")
    try Scratch.write(Scratch.text("\(stage.spool)/\(own)"), to: "\(stage.spool)/\(copy)")
    #expect(try stage.done("doctor").contains("\(id) has 2 files: \(copy) and \(own); remove by hand"))
    let unclear = try stage.run(["task", "show", String(id.suffix(8))])
    #expect(unclear.status == 65 && unclear.error.contains("2 files of one task: \(copy) and \(own)"), "\(unclear)")
    try stage.done("task", "complete", claim, "done")
    #expect(stage.names("completed") == [claim] && stage.names("in_progress") == [])
  }

  @Test func `a result may be a text, a file, a pipe or JSON`() throws {
    let stage = try TaskStage()
    try Scratch.write("from a file\n", to: "\(stage.scratch.path)/result")
    let cases: [([String], String, SpoolCommand.Input)] = [
      (["a text"], #""a text""#, .empty),
      (["-"], #""from a pipe\nof two lines""#, .text("from a pipe\nof two lines\n")),
      (["--file", "\(stage.scratch.path)/result"], #""from a file""#, .empty),
      (["--data", #"{"n":1.50}"#], #"{"n":1.50}"#, .empty),
      (["--data", "-"], #"[1,2]"#, .text(" [1,2]\n")),
    ]
    for (arguments, result, input) in cases {
      let id = try stage.add("write")
      try stage.done("task", "claim", id, "--as", "coder")
      let outcome = try stage.run(["task", "complete", id] + arguments, input: input)
      #expect(outcome.isDone, "\(outcome)")
      #expect(try stage.json(id)["result"]?.text.description == result)
    }
    let id = try stage.add("write")
    try stage.done("task", "claim", id, "--as", "coder")
    let bad = try stage.run(["task", "complete", id, "--data", "{'a':1}"])
    #expect(bad.status == 65 && bad.error.contains("--data is not JSON"), "\(bad)")
    #expect(try stage.state(id) == "in_progress")
  }

  @Test func `the list shows what hasn't ended, an object a line for programs, and what can't be read`() throws {
    let stage = try TaskStage()
    let empty = try stage.run(["task", "list"])
    #expect(empty.status == 1 && empty.error.contains("spool task add"), "\(empty)")
    let ids = try (1...3).map { try stage.add("task \($0)", "--due", $0 == 1 ? "0s" : "1h") }
    try stage.finish(ids[2])
    try Scratch.write("{", to: "\(stage.spool)/tasks/pending/5-20261121T000000.000000Z-0123456789abcdef.json")
    let table = try stage.run(["task", "list"])
    let lines = table.output.split(separator: "\n")
    #expect(lines.count == 4 && lines[0].hasPrefix("ID") && table.error.contains("1 completed"), "\(table)")
    #expect(lines.contains { $0.contains("unreadable") && $0.contains("not JSON") }, "\(table)")
    #expect(lines.contains { $0.contains("task 1") && $0.contains("overdue") }, "\(table)")
    func listed(_ options: String...) throws -> [String] {
      try stage.run(["task", "list", "--json"] + options).output.split(separator: "\n").map {
        try JSONValue(parsing: Array($0.utf8))["id"]?.string ?? ""
      }
    }
    #expect(try listed("--overdue") == [ids[0]])
    #expect(try listed("--state", "completed,in-progress") == [ids[2]])
    #expect(try listed("completed") == [ids[2]])
    #expect(try listed("--all").count == 4)
    #expect(try listed("--limit", "1").count == 1)
    #expect(try listed("--bot", "coder", "--all") == [ids[2]])
  }

  @Test func `an attempt that failed is tried again after its backoff, and the last is final`() throws {
    let stage = try TaskStage()
    let id = try stage.add("write", "--max-attempts", "2", "--retry-backoff", "1h")
    try stage.done("task", "claim", id, "--as", "coder")
    let again = try stage.run(["task", "fail", id, "no network", "--suggestion", "try the mirror"])
    #expect(again.isDone && again.error.contains("to be tried again in"), "\(again)")
    #expect(try stage.run(["task", "claim", "--next", "--as", "coder"]).status == 1)
    // By its id a person may take it all the same.
    try stage.done("task", "claim", id, "--as", "coder")
    let last = try stage.run(["task", "fail", id, "no network still"])
    #expect(last.isDone && last.error.contains("for good"), "\(last)")
    let page = try stage.done("task", "show", id)
    for part in ["failure 1     no network (coder)", "failure 2     no network still", "attempts      2 of 2"] {
      #expect(page.contains(part), "\(page)")
    }
    try stage.done("task", "retry", id)
    #expect(try stage.state(id) == "pending")
  }

  @Test func `blocking, unblocking, assigning, releasing and cancelling are told and done`() throws {
    let stage = try TaskStage()
    let id = try stage.add("write")
    let part = String(id.suffix(8))
    for (arguments, says, state) in [
      (["assign", part, "coder"], "assigned to coder", "assigned"),
      (["assign", part, "coder"], "assigned to coder", "assigned"),
      (["assign", part, "tester"], "assigned to tester", "assigned"),
      (["release", part], "now pending", "pending"),
      (["block", part, "no licence"], "spool task unblock", "blocked"),
      (["unblock", part], "now pending", "pending"),
      (["claim", part, "--as", "coder"], "in hand", "in_progress"),
      (["release", "\(id)~1", "--delay", "1h"], "to be tried again in", "pending"),
      (["cancel", part, "--reason", "done by hand"], "cancelled", "cancelled"),
      (["retry", part], "brought back", "pending"),
    ] {
      let outcome = try stage.run(["task"] + arguments)
      #expect(outcome.isDone && outcome.error.contains(says), "\(arguments): \(outcome)")
      #expect(try stage.state(id) == state, "\(arguments)")
    }
  }

  @Test func `a transition that isn't allowed is refused with 65, and told what is`() throws {
    let stage = try TaskStage()
    let id = try stage.add("write")
    try stage.finish(id)
    let open = try stage.add("test")
    for (arguments, says) in [
      (["complete", id, "again"], "nothing can be done"), (["cancel", id], "nothing can be done"),
      (["claim", id, "--as", "coder"], "it is completed"), (["release", open], "allowed now: assign, claim"),
      (["complete", open, "early"], "allowed now: assign, claim"), (["progress", open, "3"], "allowed now"),
      (["fail", id, "late"], "nothing can be done"), (["retry", open], "neither failed nor was cancelled"),
      (["unblock", open], "allowed now"), (["block", id, "why"], "nothing can be done"),
      (["assign", id, "coder"], "nothing can be done"),
    ] {
      let before = Scratch.listing(stage.spool)
      let outcome = try stage.run(["task"] + arguments)
      #expect(outcome.status == 65 && outcome.error.contains(says), "\(arguments): \(outcome)")
      #expect(SpoolMessage.isOneLine(outcome.error) && outcome.error.utf8.count < 400, "\(outcome)")
      #expect(Scratch.listing(stage.spool) == before, "\(arguments) changed something")
    }
  }

  @Test func `cancel and retry say how many came with it, and the tree shows them`() throws {
    let stage = try TaskStage()
    let all = try stage.add("release", "--join")
    let design = try stage.add("design", "--parent", all)
    let build = try stage.add("build", "--parent", all, "--depends-on", design)
    _ = try stage.add("test", "--parent", all, "--depends-on", "\(design),\(build)")
    let tree = try stage.done("task", "tree")
    let lines = tree.split(separator: "\n").map(String.init)
    try #require(lines.count == 4, "\(tree)")
    #expect(lines[0].hasPrefix("release  ") && lines[0].hasSuffix("◌ blocked  0 of 3"), "\(tree)")
    #expect(lines[1].hasPrefix("└─ design  ") && lines[1].hasSuffix("○ pending"), "\(tree)")
    #expect(lines[2].hasPrefix("   └→ build  ") && lines[3].hasPrefix("      └→ test  "), "\(tree)")
    #expect(lines[3].hasSuffix("also after design"), "\(tree)")
    #expect(!tree.utf8.contains(27), "colours where there is no terminal")
    try stage.done("task", "claim", design, "--as", "coder")
    #expect(try stage.done("task", "tree").contains("by coder"))
    let cancelled = try stage.run(["task", "cancel", all])
    #expect(cancelled.isDone && cancelled.error.contains("and 3 more with it"), "\(cancelled)")
    #expect(stage.names("cancelled").count == 4)
    #expect(try stage.run(["task", "tree"]).status == 1)
    let left = try stage.done("task", "tree", "--all")
    #expect(left.split(separator: "\n").count == 4 && !left.contains("by coder"), "\(left)")
    let back = try stage.run(["task", "retry", all, "--json"])
    #expect(back.isDone && back.output.split(separator: "\n").count == 4, "\(back)")
    #expect(try stage.done("task", "tree") == tree)
  }

  @Test func `a task that says much the same again and again hides nothing else from a search`() throws {
    let stage = try TaskStage()
    try stage.done("send", "coder", "the needle")
    let noisy = try stage.add("another needle")
    for percent in 1...12 {
      try stage.done("task", "block", noisy, "\(percent)")
      try stage.done("task", "unblock", noisy)
    }
    #expect(try stage.done("search", "needle", "--limit", "2").split(separator: "\n").count == 2)
  }

  @Test func `following the log until a moment ends then`() throws {
    let stage = try TaskStage()
    try stage.done("send", "coder", "hi")
    #expect(try stage.done("log", "--follow", "--until", "1h").isEmpty)
  }

  @Test func `several are cancelled and brought back at once`() throws {
    let stage = try TaskStage()
    let ids = try ["one", "two"].map { try stage.add($0) }
    try stage.done("task", "cancel", ids[0], ids[1])
    #expect(stage.names("cancelled").count == 2)
    let typo = try stage.run(["task", "retry", ids[0], "cafecafe"])
    #expect(typo.status == 1 && stage.names("cancelled").count == 2, "\(typo)")
    try stage.done("task", "retry", ids[0], ids[1])
    #expect(stage.names("pending").count == 2)
  }

  @Test func `a cycle is refused at add, naming it`() throws {
    let stage = try TaskStage()
    let all = try stage.add("all", "--wait-for-children")
    let between = try stage.add("between", "--depends-on", all)
    let outcome = try stage.run(["task", "add", "part", "--parent", all, "--depends-on", between])
    #expect(outcome.status == 65 && outcome.error.contains("cycle") && outcome.error.contains(between), "\(outcome)")
    #expect(stage.names("blocked").count == 2)
  }

  @Test func `a wait ends with 0, 1 or 2, and prints the result alone`() throws {
    let stage = try TaskStage()
    let ids = try ["write", "test"].map { try stage.add($0) }
    let early = try stage.run(["task", "wait", ids[0], "--timeout", "10ms"])
    #expect(early.status == 1 && early.output.isEmpty, "\(early)")
    #expect(early.error.contains("nobody takes tasks now"), "\(early)")
    try stage.done("task", "claim", ids[0], "--as", "coder")
    let waiting = try SpoolCommand.start(["task", "wait", ids[0], "--timeout", "1m"], in: stage.spool)
    try stage.done("task", "complete", ids[0], "two\nlines", "--as", "coder")
    let done = try waiting.wait(seconds: SpoolCommand.secondsMax)
    #expect(done.isDone && done.output == "two\nlines\n" && done.error.isEmpty, "\(done)")
    try stage.done("task", "cancel", ids[1])
    let failed = try stage.run(["task", "wait", ids[0], ids[1]])
    #expect(
      failed.status == 2 && failed.output == "\(ids[0]) completed \"two\\nlines\"\n\(ids[1]) cancelled\n", "\(failed)")
    let stuck = try stage.add("after", "--depends-on", ids[1])
    let never = try stage.run(["task", "wait", stuck, "--timeout", "1m"])
    #expect(never.status == 2 && never.error.contains("was cancelled"), "\(never)")
  }

  @Test(arguments: [
    (["task", "compleet", "x"], 64, "did you mean complete"), (["task", "ls"], 64, "did you mean list"),
    (["task", "complete", "5"], 1, "three characters"),
    (["task", "add"], 65, "title"), (["task", "add", "a", "b"], 64, "one word too many"),
    (["task", "add", "a", "--depends-on", "cafe"], 1, "no task cafe"),
    (["task", "add", "a", "--parent", "cafe"], 1, "no task cafe"),
    (["task", "add", "a", "--to", "codre"], 67, "did you mean coder"),
    (["task", "add", "a", "--on-dependency-failure", "explode"], 64, "neither block nor cancel"),
    (["task", "add", "a", "--priority", "11"], 65, "priority"),
    (["task", "add", "a", "--due", "tomorrow"], 64, "is no time"),
    (["task", "add", "a", "--context", "{"], 65, "--context is not JSON"),
    (["task", "add", "a", "--skill", "swift:godlike"], 65, "godlike"),
    (["task", "list", "--state", "finished"], 65, "completed"), (["task", "list", "finished"], 65, "completed"),
    (["task", "list", "--state", "failed", "--all"], 64, "not both"),
    (["task", "show", "cafecafe"], 1, "no task cafecafe"), (["task", "show", "a\u{1b}[2J"], 1, "no task"),
    (["task", "claim", "cafecafe", "--as", "coder"], 1, "no task"),
    (["task", "claim", "cafecafe"], 64, "--as BOT is missing"),
    (["task", "claim", "--as", "coder"], 64, "--next"),
    (["task", "claim", "--next", "--as", "codre"], 67, "did you mean coder"),
    (["task", "progress", "cafecafe"], 64, "PERCENT is missing"),
    (["task", "progress", "cafecafe", "110"], 64, "from 0 to 100"),
    (["task", "complete", "cafecafe~x"], 1, "no task"), (["task", "fail", "cafecafe", "why"], 1, "no task"),
    (["task", "fail", "cafecafe"], 1, "no task"), (["task", "block", "cafecafe"], 64, "REASON is missing"),
    (["task", "assign", "cafecafe", "codre"], 67, "did you mean coder"),
    (["task", "assign", "cafe"], 64, "BOT is missing"),
    (["task", "cancel", "cafecafe"], 1, "no task"), (["task", "retry"], 64, "ID is missing"),
    (["task", "tree", "cafecafe"], 1, "no task"), (["task", "wait"], 64, "ID is missing"),
    (["task", "wait", "cafecafe"], 1, "no task"), (["task", "wait", "cafe", "--timeout", "soon"], 64, "no duration"),
    (["task", "complete", "cafecafe", "--confidence", "2"], 64, "from 0 to 1"),
  ])
  func `mistakes are refused in one line with the cure, and change nothing`(
    arguments: [String], status: Int, says: String
  ) throws {
    let stage = try TaskStage()
    _ = try stage.add("one that must stay")
    let before = Scratch.listing(stage.spool)
    let outcome = try stage.run(arguments)
    #expect(outcome.status == status && outcome.error.contains(says), "\(arguments): \(outcome)")
    #expect(SpoolMessage.isOneLine(outcome.error), "\(arguments): \(outcome)")
    #expect(outcome.error.utf8.allSatisfy { $0 == 10 || $0 >= 32 }, "\(arguments): \(outcome)")
    #expect(Scratch.listing(stage.spool) == before, "\(arguments) changed something")
  }

  @Test
  func `all tasks are listed as often for a parent of twenty children, and twenty dependencies, as for one of two`()
    throws
  {
    let stage = try TaskStage()
    let spool = try Spool(at: stage.spool)
    func listings(_ count: Int) throws -> Int {
      let others = try (0..<count).map { try spool.addTask(TaskRecord(title: "part \($0)")).id }
      var parent = TaskRecord(title: "all")
      (parent.waitsForChildren, parent.children, parent.dependsOn) = (true, others, others)
      let trace = "\(stage.scratch.path)/trace \(count)"
      let shown = try SpoolCommand.run(
        ["task", "show", "\(spool.addTask(parent).id)"], in: stage.spool, environment: ["SPOOL_FAULT_TRACE": trace])
      #expect(shown.isDone && shown.output.contains("part 1"), "\(shown)")
      return Scratch.text(trace).split(separator: "\n").count { $0 == "getdents64" }
    }
    let few = try listings(2)
    #expect(try few > 0 && listings(20) == few)
  }
}
