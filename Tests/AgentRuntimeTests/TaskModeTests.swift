import AgentRuntime
import Glibc
import Linux
import Spool
import SpoolFormat
import TestThreads
import Testing

@Suite(.waiting) struct TaskModeTests {
  @Test func `what a program prints is the result, less one line feed, and the task is completed`() throws {
    let team = try Team()
    let id = try team.give("build")
    let (summary, _) = try team.work(team.taskScript("echo one; echo two; echo"))
    #expect(summary == WorkerSummary(claimed: 1, acked: 1))
    let task = try #require(try team.spool.task(id))
    #expect(task.state == .completed)
    #expect(task.record.result == JSONText(string: "one\ntwo\n"))
    #expect(task.record.progress == 100)
    #expect(task.record.startedAt != nil && task.record.completedAt != nil)
    #expect(task.entry.attempt == 1 && task.entry.bot == team.coder)
  }

  @Test func `an error that is null is none`() throws {
    let team = try Team()
    let id = try team.give("build")
    let output = #"{"error":null,"rows":12,"ok":true}"#
    try team.work(team.taskScript("echo '\(output)'"))
    #expect(try team.spool.task(id)?.state == .completed)
    #expect(try team.spool.task(id)?.record.result == JSONText(string: output))
  }

  @Test func `exit status 65 gives up, whatever was printed`() throws {
    let team = try Team()
    let id = try team.give("build")
    try team.work(team.taskScript(#"echo '{"error":{"code":1}}'; exit 65"#))
    #expect(try team.spool.task(id)?.state == .failed)
  }

  @Test func `a result that is an object brings confidence and learnings with it`() throws {
    let team = try Team()
    let id = try team.give("build")
    try team.work(
      team.taskScript(#"echo '{"result": {"lines": 1.50}, "confidence": 0.8, "learnings": ["measure first"]}'"#))
    let record = try #require(try team.spool.task(id)).record
    #expect(record.result?.description == #"{"lines":1.50}"#)
    #expect(record.confidence == 0.8)
    #expect(record.learnings == ["measure first"])
  }

  @Test(arguments: [
    #"{"lines": 1}"#, #"{"result": 1} {"result": 2}"#, "[1]", "{not JSON}",
  ])
  func `whatever else is printed is a text`(output: String) throws {
    let team = try Team()
    let id = try team.give("build")
    try team.work(team.taskScript("printf '%s' '\(output)'"))
    #expect(try team.spool.task(id)?.record.result == JSONText(string: output))
  }

  @Test func `a program that prints nothing completes its task without a result`() throws {
    let team = try Team()
    let id = try team.give("build")
    try team.work(team.taskScript("true"))
    let task = try #require(try team.spool.task(id))
    #expect(task.state == .completed && task.record.result == nil)
  }

  @Test func `a program is given the task as one line, with where it stands, and variables that say the same`() throws {
    let team = try Team()
    let id = try team.give("two\nlines") {
      $0.description = "in full"
      $0.context = JSONText(trusted: Array(#"{"n":1.50}"#.utf8))
      $0.extra = try! TaskRecord(parsing: Array(#"{"title":"x","state":"a lie","odd":true}"#.utf8)).extra
      $0.conversation = "c1"
    }
    let script = #"cat; echo "$SPOOL_TASK $SPOOL_ATTEMPT $SPOOL_BOT $SPOOL_DIR $SPOOL_CONVERSATION""#
    try team.work(team.taskScript(script))
    let text = try #require(try team.result(of: id))
    let lines = text.split(separator: "\n")
    #expect(lines.count == 2)
    let task = try JSONValue(parsing: Array(lines[0].utf8))
    #expect(task["id"]?.string == id.description)
    #expect(task["title"]?.string == "two\nlines")
    #expect(task["description"]?.string == "in full")
    #expect(task["state"]?.string == "in_progress")
    #expect(task["odd"]?.bool == true)
    #expect(task["attempt"]?.int == 1)
    #expect(task["bot"]?.string == "coder")
    #expect(task["dependencies"]?.object?.isEmpty == true)
    #expect(lines[0].contains(#""context":{"n":1.50}"#))
    let path = try Executable.absolutePath(of: team.spool.path)
    #expect(lines[1] == "\(id) 1 coder \(path) c1")
  }

  @Test func `an attempt that failed waits for its backoff, and is made again with the reason kept`() throws {
    let team = try Team()
    let id = try team.give("build") { $0.retryBackoffSeconds = 0.2 }
    let worker = try RunningWorker(
      team,
      team.taskScript("[ $SPOOL_ATTEMPT = 2 ] && echo made && exit; echo first >&2; echo 'no network' >&2; exit 1"))
    try team.wait(for: id, .completed)
    #expect(try worker.stop() == WorkerSummary(claimed: 2, acked: 1, requeued: 1))
    let task = try #require(try team.spool.task(id))
    #expect(task.entry.attempt == 2)
    #expect(task.record.result == JSONText(string: "made"))
    #expect(task.record.error == nil)
    #expect(task.record.failures.map(\.error) == ["exit status 1: no network\nfirst\nno network"])
    let delays = worker.events.compactMap { if case .requeued(_, _, let delay) = $0 { delay } else { nil } }
    #expect(delays.count == 1 && (0.1...0.25).contains(delays[0]), "\(delays)")
  }

  @Test func `a task that fails every time has failed after its last attempt`() throws {
    let team = try Team()
    let id = try team.give("build") {
      $0.attemptsMax = 3
      $0.retryBackoffSeconds = 0.01
    }
    let worker = try RunningWorker(team, team.taskScript("exit 75"))
    try team.wait(for: id, .failed)
    #expect(try worker.stop() == WorkerSummary(claimed: 3, requeued: 2, dead: 1))
    let record = try #require(try team.spool.task(id)).record
    #expect(record.error == "exit status 75")
    #expect(record.failures.map(\.attempt) == [1, 2, 3])
  }

  @Test(arguments: [
    ("echo 'not for me' >&2; exit 65", "exit status 65: not for me", nil),
    ("echo 'no key'; echo; exit 65", "exit status 65: no key", nil),
    (#"echo '{"error":"no such file","recovery_suggestion":"make it"}'; exit 65"#, "no such file", "make it"),
  ])
  func `exit status 65 fails the task for good at once`(script: String, error: String, suggestion: String?) throws {
    let team = try Team()
    let id = try team.give("build")
    let (summary, _) = try team.work(team.taskScript(script))
    #expect(summary == WorkerSummary(claimed: 1, dead: 1))
    let task = try #require(try team.spool.task(id))
    #expect(task.state == .failed)
    #expect(task.record.error == error)
    #expect(task.record.recoverySuggestion == suggestion)
  }

  @Test(arguments: [
    (#"{"error":"no network","recovery_suggestion":"wait"}"#, "no network"),
    (#"{"result":1,"confidence":7}"#, #"its answer's "confidence" must be a number from 0 to 1"#),
    (#"{"result":1,"learnings":[1]}"#, #"its answer's "learnings" must be a list of texts"#),
  ])
  func `an answer that says an error, or that can't be taken, is an attempt that failed`(
    output: String, error: String
  ) throws {
    let team = try Team()
    let id = try team.give("build") { $0.attemptsMax = 1 }
    try team.work(team.taskScript("echo '\(output)'"))
    let task = try #require(try team.spool.task(id))
    #expect(task.state == .failed)
    #expect(task.record.error == error)
  }

  @Test(arguments: [(nil, 3), (3, nil), (60, 3), (3, 60)] as [(Double?, Double?)])
  func `the shorter of two timeouts kills the program and all it started`(worker: Double?, own: Double?) throws {
    let team = try Team()
    let id = try team.give("build") {
      $0.timeoutSeconds = own
      $0.attemptsMax = 1
    }
    var options = team.taskScript("sleep 300 & echo $! > $DIR/pid; wait")
    options.timeout = worker
    let (summary, _) = try team.work(options)
    #expect(summary == WorkerSummary(claimed: 1, dead: 1))
    #expect(try team.spool.task(id)?.record.error == "timed out after 3 s")
    let pid = try #require(team.text(of: "pid").flatMap { Int($0.dropLast()) })
    try require("its processes are gone") { !isRunning(pid) }
  }

  @Test func `more output than a task may hold fails it for good`() throws {
    let team = try Team()
    let (endless, large) = (try team.give("endless"), try team.give("large"))
    // The second fits as an answer, and no longer does with the task around it.
    try team.work(
      team.taskScript(
        """
        grep -q endless && exec yes
        head -c \(TaskRecord.bytesMax - 100) /dev/zero | tr '\\0' x
        """))
    let first = try #require(try team.spool.task(endless))
    #expect(first.state == .failed)
    #expect(first.record.error?.hasPrefix("printed more than the 4194304 bytes") == true)
    let second = try #require(try team.spool.task(large))
    #expect(second.state == .failed)
    #expect(second.record.error?.hasPrefix("its result can't be kept: ") == true, "\(second.record.error ?? "")")
  }

  @Test func `an error that is too long for its task is kept in part`() throws {
    let team = try Team()
    let id = try team.give("build") { $0.attemptsMax = 1 }
    try team.work(
      team.taskScript(#"printf '{"error":"it was '; yes é | head -n 1250000 | tr -d '\n'; printf '"}'"#))
    let task = try #require(try team.spool.task(id))
    #expect(task.state == .failed)
    let error = try #require(task.record.error)
    #expect(error.hasPrefix("it was ééé") && error.hasSuffix("éé… (2500007 bytes)") && error.utf8.count < 70_000)
    #expect(task.record.failures.map(\.error) == [error])
  }

  @Test func `a task that has no room for an error is put back, and fails, without one`() throws {
    let team = try Team()
    let id = try team.give("build") {
      $0.attemptsMax = 2
      $0.retryBackoffSeconds = 0.01
      // What is filled in as it is added still fits.
      $0.description = String(repeating: "x", count: TaskRecord.bytesMax - $0.encoded.count - 200)
    }
    let worker = try RunningWorker(team, team.taskScript("exit 75"))
    try team.wait(for: id, .failed)
    #expect(try worker.stop() == WorkerSummary(claimed: 2, requeued: 1, dead: 1))
    let task = try #require(try team.spool.task(id))
    #expect(task.entry.attempt == 2 && task.record.failures.isEmpty)
  }

  @Test func `a task whose file was spoiled while it was worked on is let go`() throws {
    let team = try Team()
    let id = try team.give("build")
    let (summary, events) = try team.work(
      team.taskScript(#"for file in "$SPOOL_DIR"/tasks/in_progress/*; do echo half >"$file"; done; echo made"#))
    #expect(summary == WorkerSummary(claimed: 1, requeued: 1))
    #expect(try team.spool.findTask(id)?.state == .assigned)
    #expect(events.requeueReasons.first?.contains(id.description) == true, "\(events.requeueReasons)")
  }

  // MARK: Progress

  @Test(
    arguments: [
      ("echo '40 half of it' >&3", 40, "half of it"), ("echo 40% >&3", 40, nil), ("echo 7.9 >&3", 7, nil),
      (#"echo '{"progress":40,"text":"half of it"}' >&3"#, 40, "half of it"),
      ("echo 'half of it' >> $SPOOL_PROGRESS", nil, "half of it"), ("echo 250 >> $SPOOL_PROGRESS", 100, nil),
      ("echo '3rd round' > $SPOOL_PROGRESS", nil, "3rd round"),
      ("exec 3>&-; echo 10 > $SPOOL_PROGRESS; echo 20 b >> $SPOOL_PROGRESS", 20, "b"),
      ("echo 10 a >&3; echo >&3; echo 20 >&3", 20, "a"),
    ] as [(String, Int?, String?)])
  func `progress is told through descriptor 3, and through a file`(script: String, percent: Int?, text: String?) throws
  {
    let team = try Team()
    let id = try team.give("build")
    let worker = try RunningWorker(
      team, team.taskScript(script + "\nwhile [ ! -e $DIR/go ]; do sleep 0.01; done; echo made"))
    try require("it is told") {
      guard let record = try team.spool.task(id)?.record else { return false }
      return record.progress == percent && record.progressText == text
    }
    try team.write("", to: "go")
    try team.wait(for: id, .completed)
    #expect(try worker.stop() == WorkerSummary(claimed: 1, acked: 1))
    #expect(try team.spool.task(id)?.record.progressText == text)
    #expect(try team.result(of: id) == "made")
  }

  @Test func `much progress is told a few times a second, and the last is kept`() throws {
    let team = try Team()
    let id = try team.give("build") { $0.attemptsMax = 1 }
    let began = Clock.sinceBoot()
    let (_, events) = try team.work(
      team.taskScript("i=0; while [ $i -lt 5000 ]; do i=$((i+1)); echo $((i / 100)) $i >&3; done; exit 1"))
    let seconds = Double(Clock.sinceBoot() - began) / 1e9
    let told = events.compactMap { if case .progressed(_, let progress) = $0 { progress } else { nil } }
    let record = try #require(try team.spool.task(id)).record
    #expect(record.progress == 50 && record.progressText == "5000")
    #expect(told.last?.text == "5000")
    #expect(Double(told.count) < 4 * seconds + 3, "\(told.count) times in \(seconds) s")
  }

  @Test func `a program that tells its progress by itself, all the time, keeps its task`() throws {
    // Long enough for a busy machine; and it is told of progress for longer than that.
    let team = try Team(lease: 2)
    let id = try team.give("build")
    let worker = try RunningWorker(team, team.taskScript("while [ ! -e $DIR/go ]; do echo 10 >&3; sleep 0.01; done"))
    try require("it has begun") { try team.spool.findTask(id)?.state == .inProgress }
    let end = Clock.sinceBoot() + 3_000_000_000
    var number = 0
    while number < 300 || Clock.sinceBoot() < end {
      number += 1
      let entry = try #require(try team.spool.findTask(id))
      try team.spool.progress(entry, percent: number % 100, text: "\(number)")
    }
    try team.write("", to: "go")
    try team.wait(for: id, .completed)
    #expect(try worker.stop() == WorkerSummary(claimed: 1, acked: 1))
  }

  // MARK: Streaming

  @Test func `a program that stays up takes a task a line, and answers with a line`() throws {
    let team = try Team()
    let ids = try (0..<4).map { number in
      try team.give("\(number)") {
        $0.attemptsMax = 2
        $0.retryBackoffSeconds = 0.01
      }
    }
    var options = team.taskScript(
      """
      echo run >> $DIR/runs
      while read -r task; do
        echo "50 at $(echo "$task" | sed 's/.*"title":"\\([^"]*\\)".*/\\1/')" >&3
        sleep 0.05
        case $task in
          *'"title":"1"'*'"state":"in_progress","attempt":1,'*) echo '{"nack":"not yet","delay":0.05}';;
          *'"title":"2"'*) echo '{"error":"no","recovery_suggestion":"never"}';;
          *'"title":"3"'*) echo '{}';;
          *) echo '{"result":"yes","confidence":1}';;
        esac
      done
      """)
    options.isStream = true
    let worker = try RunningWorker(team, options)
    try team.wait(for: ids[0], .completed)
    try team.wait(for: ids[1], .completed)
    try team.wait(for: ids[2], .failed)
    try team.wait(for: ids[3], .completed)
    #expect(try worker.stop() == WorkerSummary(claimed: 6, acked: 3, requeued: 2, dead: 1))
    #expect(team.text(of: "runs") == "run\n")
    #expect(try ids.map { try team.result(of: $0) } == ["yes", "yes", nil, nil])
    let records = try ids.map { try #require(try team.spool.task($0)).record }
    #expect(records[1].failures.map(\.error) == ["not yet"])
    #expect(records[2].recoverySuggestion == "never")
    #expect(records.map(\.progressText) == ["at 0", "at 1", "at 2", "at 3"])
  }

  @Test func `a line that is no result ends the program, and is an attempt`() throws {
    let team = try Team()
    let id = try team.give("build") { $0.attemptsMax = 1 }
    var options = team.taskScript(#"while read -r task; do echo '{"content":"a message"}'; done"#)
    options.isStream = true
    try team.work(options)
    let error = try #require(try team.spool.task(id)?.record.error)
    #expect(error.hasPrefix(#"its answer is no result (it has neither "result" nor "error")"#), "\(error)")
  }
}

extension Team {
  /// A task for `coder`.
  @discardableResult
  func give(_ title: String, _ adjust: (inout TaskRecord) -> Void = { _ in }) throws -> MessageID {
    var record = TaskRecord(title: title)
    record.assignTo = coder
    adjust(&record)
    return try spool.addTask(record, by: "asker", durability: .relaxed).id
  }

  func taskScript(_ text: String, takesPending: Bool = false) -> WorkerOptions {
    var options = script(text)
    options.work = .tasks(takesPending: takesPending)
    return options
  }

  /// The result, if it is a text.
  func result(of id: MessageID) throws -> String? { try spool.task(id)?.record.result?.value.string }

  func wait(for id: MessageID, _ state: TaskState) throws {
    try require("\(id) is \(state.rawValue)") { try spool.findTask(id)?.state == state }
  }
}
