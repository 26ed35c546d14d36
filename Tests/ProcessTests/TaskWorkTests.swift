import Glibc
import SpoolFormat
import TestSupport
import TestThreads
import Testing

/// `spool work --tasks` as real processes that run real programs.
@Suite(.waiting, .serialized) struct TaskWorkTests {
  /// A spool with the bot `coder`, and a directory for the programs' own files.
  private struct Stage {
    let scratch: Scratch
    let spool: String
    var files: String { scratch.path }

    init(settings: [String: Any] = [:]) throws {
      scratch = try Scratch()
      spool = try scratch.makeSpool(bots: ["coder", "tester"], settings: settings)
    }

    func add(_ arguments: String...) throws -> String {
      let outcome = try SpoolCommand.run(["task", "add"] + arguments, in: spool)
      try #require(outcome.isDone, "\(outcome)")
      return outcome.line
    }

    func work(_ script: String, _ arguments: [String] = [], bot: String = "coder") throws -> Running {
      try SpoolCommand.start(
        ["work", bot, "--tasks"] + arguments + ["--", "/bin/sh", "-c", script], in: spool,
        environment: ["FILES": files])
    }

    func state(_ id: String) -> String? {
      TaskState.allCases.map(\.rawValue).first { state in
        Scratch.names("\(spool)/tasks/\(state)").contains { $0.contains(id) }
      }
    }

    func text(_ name: String) -> String? {
      guard let file = fopen("\(files)/\(name)", "r") else { return nil }
      defer { fclose(file) }
      var buffer = [UInt8](repeating: 0, count: 4096)
      let count = fread(&buffer, 1, buffer.count, file)
      return String(decoding: buffer[..<count], as: UTF8.self)
    }

    func require(_ what: String, _ condition: () throws -> Bool) throws {
      try #require(try eventually(40, condition), "waited in vain until \(what)")
    }
  }

  @Test func `a worker says with --json what becomes of each task`() throws {
    let stage = try Stage()
    let good = try stage.add("good", "--to", "coder")
    let bad = try stage.add("bad", "--to", "coder", "--max-attempts", "2", "--retry-backoff", "10ms")
    let worker = try stage.work(
      """
      case $(cat) in *'"title":"bad"'*) echo no >&2; exit 3;; esac
      echo '40 half of it' >&3
      echo made
      """, ["--json"])
    try stage.require("both have ended") { stage.state(good) == "completed" && stage.state(bad) == "failed" }
    worker.kill(SIGTERM)
    let outcome = try worker.wait(seconds: SpoolCommand.secondsMax)
    #expect(outcome.isDone, "\(outcome)")
    let events = try outcome.output.split(separator: "\n").map { try JSONValue(parsing: Array($0.utf8)) }
    func names(_ id: String) -> [String] { events.filter { $0["id"]?.string == id }.compactMap { $0["event"]?.string } }
    #expect(names(good) == ["started", "progressed", "completed"])
    #expect(names(bad) == ["started", "retried", "started", "failed"])
    #expect(events.first { $0["event"]?.string == "progressed" }?["text"]?.string == "half of it")
    #expect(events.last { $0["event"]?.string == "failed" }?["reason"]?.string == "exit status 3: no")
    #expect(events.last { $0["event"]?.string == "failed" }?["attempt"]?.int == 2)
    #expect(events.last?["event"]?.string == "stopping")
  }

  @Test func `a program may tell its progress with spool task progress, and is asked for no id but SPOOL_TASK`() throws
  {
    let stage = try Stage()
    let id = try stage.add("build", "--to", "coder")
    let command = try SpoolCommand.path.get()
    let worker = try stage.work(
      """
      for number in 10 20 30; do
        "\(command)" task progress "$SPOOL_TASK" $number "step $number" || exit 65
      done
      touch $FILES/told; while [ ! -e $FILES/go ]; do sleep 0.02; done
      """)
    try stage.require("it is told") { stage.text("told") != nil }
    let shown = try SpoolCommand.run(["task", "show", id, "--json"], in: stage.spool)
    let task = try JSONValue(parsing: Array(shown.output.utf8))
    #expect(task["state"]?.string == "in_progress")
    #expect(task["progress"]?.int == 30 && task["progress_text"]?.string == "step 30")
    try shell("touch go", in: stage.files)
    try stage.require("it is completed") { stage.state(id) == "completed" }
    worker.kill(SIGTERM)
    #expect(try worker.wait(seconds: SpoolCommand.secondsMax).isDone)
  }

  @Test func `a worker that is killed loses nothing: its program dies, and the next one takes its task`() throws {
    let stage = try Stage()
    let id = try stage.add("build", "--to", "coder")
    let first = try stage.work("echo $$ > $FILES/pid; exec sleep 300")
    try stage.require("it runs") { stage.text("pid")?.hasSuffix("\n") == true }
    let pid = try #require(stage.text("pid").flatMap { pid_t($0.dropLast()) })
    let began = monotonicSeconds()
    first.kill()
    #expect(try first.wait(seconds: SpoolCommand.secondsMax).isKilled)
    try stage.require("its program is gone") { kill(pid, 0) == -1 }
    let second = try stage.work("echo attempt $SPOOL_ATTEMPT")
    try stage.require("it is completed") { stage.state(id) == "completed" }
    let took = monotonicSeconds() - began
    #expect(took < 30, "long before the lease of 60 s is over: \(took) s")
    print("a killed worker's task was completed by the next one after \(took) s")
    second.kill(SIGTERM)
    #expect(try second.wait(seconds: SpoolCommand.secondsMax).isDone)
    let history = SpoolReader(stage.spool).histories[id]?.map(\.type) ?? []
    #expect(
      history == [
        "task.added", "task.started", "task.expired", "task.assigned", "task.started", "task.completed",
      ])
    #expect(try SpoolCommand.run(["task", "show", id], in: stage.spool).output.contains("attempt 2"))
  }

  @Test func `SIGTERM finishes what is in hand, and leaves nothing in progress and nobody present`() throws {
    let stage = try Stage()
    let ids = [try stage.add("first", "--to", "coder"), try stage.add("second", "--to", "coder")]
    let worker = try stage.work("touch $FILES/begun; while [ ! -e $FILES/go ]; do sleep 0.02; done; echo done")
    try stage.require("it has begun") { stage.text("begun") != nil }
    worker.kill(SIGTERM)
    try shell("sleep 0.1; touch go", in: stage.files)
    let outcome = try worker.wait(seconds: SpoolCommand.secondsMax)
    #expect(outcome.isDone && outcome.error.contains("finishing 1 in hand"), "\(outcome)")
    #expect(ids.map(stage.state) == ["completed", "assigned"])
    #expect(Scratch.names("\(stage.spool)/bots/coder/presence") == [])
    #expect(Scratch.names("\(stage.spool)/tasks/in_progress") == [])
    #expect(
      Scratch.names("\(stage.spool)/tasks/moving").flatMap { Scratch.names("\(stage.spool)/tasks/moving/\($0)") } == [])
  }

  @Test(arguments: [
    (["--tasks", "--", "no-such-program-anywhere"], 64), (["--tasks", "--no-reply", "--", "cat"], 64),
    (["--pending", "--", "cat"], 64), (["--tasks", "--slots", "0", "--", "cat"], 64),
  ])
  func `what can't work is refused before anything is begun`(arguments: [String], status: Int) throws {
    let stage = try Stage()
    let id = try stage.add("build", "--to", "coder")
    let outcome = try SpoolCommand.run(["work", "coder"] + arguments, in: stage.spool)
    #expect(outcome.status == status, "\(outcome)")
    #expect(outcome.error.split(separator: "\n").count == 1)
    #expect(stage.state(id) == "assigned")
  }

  @Test func `20 workers that die at random complete each of 200 tasks once`() throws {
    var random = SeededGenerator()
    print("seed \(random.seed)")
    let stage = try Stage(settings: ["durability": "relaxed"])
    var ids: [String] = []
    for number in 0..<200 {
      // A third goes to one bot, a third to another, and whoever comes takes the rest.
      let to = number % 3 == 0 ? [] : ["--to", number % 3 == 1 ? "coder" : "tester"]
      let arguments = ["task", "add", "task \(number)", "--max-attempts", "100", "--retry-backoff", "50ms"] + to
      let outcome = try SpoolCommand.run(arguments, in: stage.spool)
      try #require(outcome.isDone, "\(outcome)")
      ids.append(outcome.line)
    }
    let script = "echo '50 half' >&3; sleep 0.05; echo $SPOOL_TASK by $SPOOL_BOT"
    func start(_ number: Int) throws -> Running {
      try stage.work(script, ["--pending", "--slots", "2"], bot: number % 2 == 0 ? "coder" : "tester")
    }
    var workers = try (0..<20).map(start)
    var killed = 0
    func completed() -> Int { Scratch.names("\(stage.spool)/tasks/completed").count }
    let deadline = monotonicSeconds() + 120
    while completed() < ids.count, monotonicSeconds() < deadline {
      usleep(UInt32.random(in: 20_000...150_000, using: &random))
      guard killed < 30 else { continue }
      let place = Int.random(in: workers.indices, using: &random)
      workers[place].kill()
      _ = try workers[place].wait(seconds: SpoolCommand.secondsMax)
      killed += 1
      workers[place] = try start(place)
    }
    for worker in workers { worker.kill(SIGTERM) }
    for worker in workers { #expect(try worker.wait(seconds: SpoolCommand.secondsMax).isDone) }
    #expect(completed() == 200)
    let reader = SpoolReader(stage.spool)
    var again = 0
    for id in ids {
      let history = reader.histories[id] ?? []
      #expect(history.filter { $0.type == "task.completed" }.count == 1, "\(id): \(history.map(\.type))")
      if history.filter({ $0.type == "task.started" }).count > 1 { again += 1 }
    }
    #expect(killed >= 3)
    print("200 tasks, 20 workers, \(killed) of them killed, \(again) tasks begun again")
  }
}
