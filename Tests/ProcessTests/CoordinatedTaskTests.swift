import Glibc
import Spool
import SpoolFormat
import TestSupport
import TestThreads
import Testing

/// What people are told of tasks and requests, with the coordinator as a process, or only its bot.
@Suite(.waiting) struct CoordinatedTaskTests {
  @Test func `who takes no tasks is given none, and isn't said to take them`() throws {
    let stage = try TaskStage()
    try stage.done("register", "coordinator")
    try stage.done("register", "hub")
    let id = try stage.add("write")
    let plan = #"{"name":"p","steps":[{"name":"a","assign_to":"hub"}]}"#
    try Scratch.write(plan, to: "\(stage.scratch.path)/plan.json")
    for (arguments, cure) in [
      (["task", "add", "x", "--to", "coordinator"], "coordinator takes requests, not tasks"),
      (["task", "add", "x", "--to", "hub"], "hub takes announcements, not tasks"),
      (["task", "assign", id, "coordinator"], "spool ask"),
      (["workflow", "submit", "\(stage.scratch.path)/plan.json"], "step a: hub takes announcements, not tasks"),
    ] {
      let refused = try stage.run(arguments)
      #expect(refused.status == 65 && refused.error.contains(cure), "\(arguments): \(refused)")
    }
    #expect(stage.names("pending").count == 1 && stage.names("assigned").isEmpty)
  }

  @Test func `a person who asks why a task waits, or what a request came to, is told`() throws {
    let stage = try TaskStage()
    let spool = try Spool(at: stage.spool)
    let processes = [
      try SpoolCommand.start(["coordinate"], in: stage.spool),
      try SpoolCommand.start(["work", "coder", "--tasks", "--", "sh", "-c", "exit 65"], in: stage.spool),
    ]
    defer { for process in processes { process.kill(SIGTERM) } }
    try #require(eventually { spool.coordinatorIsUp })
    let id = try stage.add("needs cobol", "--skill", "cobol")
    try #require(
      eventually { (try? stage.done("task", "show", id))?.contains("why") == true })
    let why = "no bot that takes tasks can do it (cobol:intermediate)"
    #expect(try stage.done("task", "show", id).contains("why           \(why)"))
    let waited = try stage.run(["task", "wait", id, "--timeout", "0.2s"])
    #expect(waited.status == 1 && waited.error.contains(why), "\(waited)")

    let asked = try stage.run(["ask", "Build and test a parser", "--from", "user", "--timeout", "60s"])
    #expect(asked.status == 2 && !asked.output.isEmpty, "\(asked)")
    let early = try stage.run(["ask", "Analyse the cobol data", "--from", "user", "--timeout", "0.01s"])
    #expect(early.status == 1, "\(early)")
    // The coordinator's own goal is no work of a bot's.
    let status = try JSONValue(parsing: Array(try stage.done("status", "--json").utf8))
    let agents = status["agents"]?.array ?? []
    for name in ["coordinator", "hub"] {
      let agent = try #require(agents.first { $0["name"]?.string == name })
      #expect(agent["takes"]?.array?.isEmpty == true, "\(agent)")
      if name == "coordinator" { #expect(agent["state"]?.string != "offline", "\(agent)") }
    }
  }

  @Test func `the mean of work is of bots, and storage that is shared is polled`() throws {
    let stage = try TaskStage()
    let spool = try Spool(at: stage.spool)
    try stage.done("register", "coordinator")
    for (bot, count) in [("coder", 2), ("tester", 2), ("coordinator", 9)] {
      for _ in 0..<count {
        let entry = try spool.addTask(TaskRecord(title: "x"))
        let started = try #require(try spool.start(entry, bot: try BotName(parsing: bot), worker: nil))
        _ = try spool.complete(started, result: nil)
      }
    }
    let stats = try JSONValue(parsing: Array(try stage.done("stats", "--json").utf8))
    #expect(stats["fairness"]?.double == 1)
    let status = try SpoolCommand.run(["status"], in: stage.spool, environment: ["SPOOL_STORAGE": "shared"])
    #expect(status.output.contains("and polling on"), "\(status)")
  }

  @Test func `what failed has an end, and a time that doesn't grow`() throws {
    let stage = try TaskStage()
    let id = try stage.add("write", "--max-attempts", "1")
    try stage.done("task", "claim", id, "--as", "coder")
    let spool = try Spool(at: stage.spool)
    let entry = try #require(try spool.findTask(MessageID(id)!))
    let running = try stage.json(id)
    #expect(running["started_at"]?.string != nil && running["elapsed_seconds"]?.double != nil)
    let failed = try #require(try spool.expire(entry, reason: "took too long"))
    #expect(try spool.record(of: failed)?.completedAt != nil)
    let page = try stage.done("task", "show", id)
    #expect(page.contains("ended") && page.contains("given up after 1 attempt; the last: took too long"), "\(page)")
    let ended = try stage.json(id)
    #expect(ended["completed_at"]?.string != nil)
    let elapsed = try #require(ended["elapsed_seconds"]?.double)
    #expect(try stage.json(id)["elapsed_seconds"]?.double == elapsed)
    // Its file had no room to say when.
    let moved = try stage.add("review")
    try stage.done("task", "assign", moved, "coder")
    #expect(try stage.json(moved)["assigned_at"]?.string != nil)
  }
}
