import Glibc
import SpoolFormat
import TestSupport
import TestThreads
import Testing

@Suite(.waiting) struct WorkflowCommandTests {
  private static let file = """
    {"title": "Release 1.0", "steps": [
      {"name": "test", "depends_on": ["build", "docs"], "title": "test it", "assign_to": "tester"},
      {"name": "design", "title": "design it", "domain": "development"},
      {"name": "build", "title": "build it", "description": "as in {{design.result}}", "depends_on": ["design"]},
      {"name": "docs", "title": "write it up", "depends_on": ["design"], "priority": "low"}
    ]}
    """

  private func submit(_ stage: TaskStage, _ options: String...) throws -> String {
    let outcome = try stage.run(["workflow", "submit", "-"] + options, input: .text(Self.file))
    #expect(outcome.isDone, "\(outcome)")
    return outcome.line
  }

  /// The steps' states by their names.
  private func steps(_ stage: TaskStage, _ id: String) throws -> [String: String] {
    let shown = try JSONValue(parsing: Array(try stage.done("workflow", "show", id, "--json").utf8))
    var states: [String: String] = [:]
    for task in shown["tasks"]?.array ?? [] { states[task["step"]?.string ?? ""] = task["state"]?.string }
    return states
  }

  @Test func `a workflow runs from its file to the results of its steps, by hand and without a coordinator`() throws {
    let stage = try TaskStage()
    let id = try submit(stage)
    #expect(try steps(stage, id) == ["design": "pending", "build": "blocked", "docs": "blocked", "test": "blocked"])
    let waiting = try SpoolCommand.start(["workflow", "wait", id, "--timeout", "1m"], in: stage.spool)
    for (bot, step) in [("coder", "design"), ("coder", "build"), ("coder", "docs"), ("tester", "test")] {
      let claim = try stage.done("task", "claim", "--next", "--as", bot)
      #expect(try stage.json(claim)["step"]?.string == step)
      try stage.done("task", "complete", claim, "\(step) done")
    }
    let done = try waiting.wait(seconds: SpoolCommand.secondsMax)
    // Nobody may have had it in hand yet.
    #expect(done.isDone && (done.error.isEmpty || done.error.hasPrefix("nobody takes tasks now")), "\(done)")
    let result = try JSONValue(parsing: Array(done.output.utf8)).object
    #expect(result?.map(\.key) == ["design", "build", "docs", "test"])
    #expect(result?["test"]?.string == "test done")
    let page = try stage.done("workflow", "show", id)
    #expect(page.contains("Release 1.0  completed  4 of 4 completed") && page.contains("██████████ 100%"), "\(page)")
  }

  @Test func `a step for a bot that never takes tasks is told of by check, without a spool`() throws {
    let scratch = try Scratch(inMemory: true)
    let text = Self.file.replacing(#""assign_to": "tester""#, with: #""assign_to": "hub""#)
    let checked = try SpoolCommand.run(["workflow", "check", "-"], input: .text(text), directory: scratch.path)
    #expect(checked.status == 65 && checked.error.contains("step test: hub takes announcements"), "\(checked)")
  }

  @Test func `who waits for a workflow without a terminal reads none of its steps`() throws {
    let stage = try TaskStage()
    let id = try submit(stage)
    for name in stage.names("pending") { try Scratch.write("no task", to: "\(stage.spool)/tasks/pending/\(name)") }
    try stage.done("task", "cancel", id)
    let waited = try stage.run(["workflow", "wait", id])
    #expect(waited.status == 2 && waited.error.contains("cancelled"), "\(waited)")
  }

  @Test func `whoever claims a step by hand reads what its templates stand for`() throws {
    let stage = try TaskStage()
    _ = try submit(stage)
    let first = try stage.done("task", "claim", "--next", "--as", "coder")
    try stage.done("task", "complete", first, "the plan")
    let claim = try stage.run(["task", "claim", "--next", "--as", "coder", "--json"])
    let task = try JSONValue(parsing: Array(claim.output.utf8))["task"]
    #expect(task?["description"]?.string == "as in the plan", "\(claim)")
  }

  @Test func `a workflow whose step failed says so with 2, and is brought back by retrying the step`() throws {
    let stage = try TaskStage()
    let id = try submit(stage)
    let claim = try stage.done("task", "claim", "--next", "--as", "coder")
    try stage.done("task", "fail", claim, "no idea", "--final")
    let failed = try stage.run(["workflow", "wait", id])
    #expect(failed.status == 2 && failed.error.contains("design failed: no idea"), "\(failed)")
    try stage.done("task", "retry", claim)
    #expect(try stage.state(id) == "blocked")
    #expect(try steps(stage, id) == ["design": "pending", "build": "blocked", "docs": "blocked", "test": "blocked"])
  }

  @Test func `all that is wrong in a file is said at once, with line and field, and nothing is added`() throws {
    let stage = try TaskStage()
    let before = Scratch.listing(stage.spool)
    let bad = """
      {"title": "x", "steps": [
        {"name": "a", "depends_on": ["biuld"], "titel": "t"},
        {"name": "build", "title": "{{a.result}}", "priority": 12}
      ]}
      """
    for verb in ["submit", "check"] {
      let outcome = try stage.run(["workflow", verb, "-"], input: .text(bad))
      #expect(outcome.status == 65 && outcome.output.isEmpty, "\(outcome)")
      let lines = outcome.error.split(separator: "\n")
      #expect(lines.count == 4 && lines.allSatisfy { $0.hasPrefix("spool: standard input: line ") }, "\(outcome)")
      #expect(lines[0].contains("line 2: steps[0].") && outcome.error.contains("did you mean build?"), "\(outcome)")
    }
    let cases: [([String], String, Int, String)] = [
      (["submit", "-"], "{", 65, "not JSON"), (["submit", "-"], "", 65, "not JSON"),
      (["submit", "/nonexistent"], "", 65, "cannot read"), (["submit"], "", 64, "FILE is missing"),
      (["submit", "-"], Self.file.replacing("tester", with: "testre"), 67, "did you mean tester"),
      (["show", "cafecafe"], "", 1, "no task"), (["wait", "cafecafe"], "", 1, "no task"),
    ]
    for (arguments, input, status, says) in cases {
      let outcome = try stage.run(["workflow"] + arguments, input: .text(input))
      #expect(outcome.status == status && outcome.error.contains(says), "\(arguments): \(outcome)")
      #expect(SpoolMessage.isOneLine(outcome.error), "\(arguments): \(outcome)")
    }
    #expect(Scratch.listing(stage.spool) == before)
    let id = try stage.add("no workflow")
    let plain = try stage.run(["workflow", "show", id])
    #expect(plain.status == 65 && plain.error.contains("spool task show"), "\(plain)")
  }

  @Test func `a second submit with a key adds nothing`() throws {
    let stage = try TaskStage()
    let first = try submit(stage, "--key", "release")
    let again = try stage.run(["workflow", "submit", "-", "--key", "release"], input: .text(Self.file))
    #expect(again.isDone && again.line == first && again.error.contains("before"), "\(again)")
    #expect(try submit(stage, "--key", "another") != first)
    #expect(try submit(stage) != first)
    #expect(stage.names("blocked").count == 12 && stage.names("pending").count == 3)
  }

  @Test func `submit killed at any system call leaves nothing or all, and a second one with its key ends it`() throws {
    let stage = try TaskStage()
    let trace = "\(stage.scratch.path)/trace"
    let whole = try SpoolCommand.run(
      ["workflow", "submit", "-"], in: stage.spool, environment: ["SPOOL_FAULT_TRACE": trace], input: .text(Self.file))
    #expect(whole.isDone)
    let count = Scratch.text(trace).split(separator: "\n").count
    #expect(count > 30, "no fault points")
    for number in 1...count {
      for moment in number == count ? ["before", "after"] : ["before"] {
        let key = "\(moment)-\(number)"
        _ = try SpoolCommand.run(
          ["workflow", "submit", "-", "--key", key], in: stage.spool,
          environment: ["SPOOL_FAULT": "kill-\(moment):\(number)"], input: .text(Self.file))
        let id = try submit(stage, "--key", key)
        #expect(try steps(stage, id).count == 4, "killed \(moment) \(number)")
        let all = Scratch.text("\(stage.spool)/tasks/blocked/5-\(id).json")
        #expect(all.contains("Release 1.0"), "killed \(moment) \(number)")
        try stage.done("task", "cancel", id)
      }
    }
    // No task is in two places, and none is left on the way.
    let ids = ["pending", "assigned", "in_progress", "blocked", "completed", "failed", "cancelled"]
      .flatMap { stage.names($0) }.map { $0.dropFirst(2).prefix(MessageID.textCount) }
    #expect(Set(ids).count == ids.count && stage.names("tmp").isEmpty && stage.names("moving").isEmpty)
  }

  @Test func `what a killed submit left out is added by whoever shows it`() throws {
    let stage = try TaskStage()
    let id = try submit(stage)
    let children = try stage.json(id)["children"]?.array?.compactMap(\.string) ?? []
    // As if it had died after the parent: neither files nor log know of the steps.
    let fresh = try TaskStage()
    let name = "5-\(id).json"
    try Scratch.makeDirectory("\(fresh.spool)/tasks")
    try fresh.done("task", "cancel", try fresh.add("makes the directories"))
    try Scratch.write(Scratch.text("\(stage.spool)/tasks/blocked/\(name)"), to: "\(fresh.spool)/tasks/blocked/\(name)")
    let shown = try fresh.run(["workflow", "show", id])
    #expect(shown.isDone && shown.error.contains("4 of its steps"), "\(shown)")
    #expect(try steps(fresh, id).count == 4)
    #expect(fresh.names("pending") == ["5-\(children[0]).json"] && fresh.names("blocked").count == 4)
  }

  @Test func `what came along with another of those that are named isn't refused`() throws {
    let stage = try TaskStage()
    let id = try submit(stage)
    let children = try stage.json(id)["children"]?.array?.compactMap(\.string) ?? []
    try stage.done("task", "cancel", id, children[0])
    #expect(stage.names("cancelled").count == 5)
    try stage.done("task", "retry", children[0], id)
    #expect(stage.names("cancelled").isEmpty)
  }

  @Test func `a step that can't be read is named, and the others are shown`() throws {
    let stage = try TaskStage()
    let id = try submit(stage)
    let name = try #require(stage.names("pending").first)
    try Scratch.write("no task", to: "\(stage.spool)/tasks/pending/\(name)")
    let shown = try stage.run(["workflow", "show", id])
    #expect(shown.isDone && shown.output.contains("0 of 4 completed") && shown.output.contains("docs"), "\(shown)")
    #expect(shown.error.contains(name) && !shown.error.contains("being added"), "\(shown)")
    #expect(try steps(stage, id).count == 3)
    let page = try stage.done("task", "show", id)
    #expect(page.contains("can't be read") && page.contains("write it up"), "\(page)")
    let step = try #require(stage.names("blocked").first { $0.hasPrefix("7-") || $0.hasPrefix("8-") })
    #expect(try stage.done("task", "show", step).contains("can't be read"))
  }
}
