import AgentRuntime
import Glibc
import Linux
import Spool
import SpoolFormat
import TestThreads
import Testing

@Suite(.waiting) struct StreamModeTests {
  private func stream(_ team: Team, _ script: String) -> WorkerOptions {
    var options = team.script(script)
    options.isStream = true
    return options
  }

  @Test func `one process answers one message after the other`() throws {
    let team = try Team()
    for number in 1...4 { try team.ask("\(number)") }
    let (summary, _) = try team.work(
      stream(
        team,
        #"while read -r line; do n=$((n + 1)); echo "{\"content\":\"answer $n of $$\",\"data\":[$n]}"; done"#))
    #expect(summary == WorkerSummary(claimed: 4, acked: 4, replied: 4))
    let answers = try team.answers()
    #expect(Set(answers.compactMap { $0.content?.split(separator: " ").last }).count == 1, "one process")
    #expect(answers.map { $0.data?.description } == ["[1]", "[2]", "[3]", "[4]"])
    #expect(answers.allSatisfy { $0.type == .response && $0.from == "coder" })
  }

  @Test func `blank lines before an answer are passed over, however many`() throws {
    let team = try Team()
    for number in 1...3 { try team.ask("\(number)") }
    let (summary, events) = try team.work(
      stream(
        team,
        #"while read -r line; do head -c 300000 /dev/zero | tr '\0' '\n'; echo '{"content":"yes"}'; done"#))
    #expect(summary == WorkerSummary(claimed: 3, acked: 3, replied: 3))
    #expect(events.restarts.isEmpty)
  }

  @Test func `messages that the program dies of don't keep it from the others`() throws {
    let team = try Team(attempts: 100)
    for _ in 1...3 { try team.ask("bad") }
    try team.ask("good")
    var options = stream(
      team, #"while read -r line; do case $line in *bad*) exit 1;; *) echo '{"content":"yes"}'; esac; done"#)
    // They are due again long before it is started again.
    options.backoff = Backoff(first: 0.5, maximum: 60)
    let worker = try RunningWorker(team, options)
    try require("the good one is answered", within: 20) { try team.answers().count == 1 }
    _ = try worker.stop()
  }

  @Test func `the program reads the message and knows its bot`() throws {
    let team = try Team()
    let id = try team.ask("two\nlines")
    try team.work(
      stream(
        team,
        #"read -r line; printf '{"content":"%s","data":%s}\n' "$SPOOL_BOT" "$line"; read -r line"#))
    let answer = try #require(try team.answers().first)
    #expect(answer.content == "coder")
    #expect(answer.data?.value["id"]?.string == id.description)
    #expect(answer.data?.value["content"]?.string == "two\nlines")
  }

  @Test(arguments: [
    ("{}", WorkerSummary(claimed: 1, acked: 1)), (#"{"ack":true}"#, WorkerSummary(claimed: 1, acked: 1)),
    (#"{"nack":"not now","delay":3600}"#, WorkerSummary(claimed: 1, requeued: 1)),
    (#"{"dead":"never"}"#, WorkerSummary(claimed: 1, dead: 1)),
    (#"{"content":"yes"}"#, WorkerSummary(claimed: 1, acked: 1, replied: 1)),
    (#"{"type":"status","data":{"at":1}}"#, WorkerSummary(claimed: 1, acked: 1, replied: 1)),
  ])
  func `an answer is a verdict`(line: String, expected: WorkerSummary) throws {
    let team = try Team()
    try team.ask("hello")
    let (summary, events) = try team.work(stream(team, "while read -r line; do echo; echo '\(line)'; done"))
    #expect(summary == expected)
    #expect(events.restarts.isEmpty)
    if expected.requeued == 1 {
      #expect(events.requeueReasons == ["not now"])
      let due = try #require(try team.spool.entries(of: team.coder).first?.name?.notBefore)
      #expect(due.seconds(since: Timestamp(microseconds: Clock.wall())) > 3000)
    }
    if expected.dead == 1 { #expect(try team.spool.deadLetters(of: team.coder).map(\.reason) == ["never"]) }
  }

  @Test func `an answer goes to whom it names`() throws {
    let team = try Team()
    let third = try BotName(parsing: "tester")
    try team.spool.register(Card(name: third))
    let id = try team.ask("hello")
    try team.work(
      stream(team, #"while read -r line; do echo '{"to":"tester","type":"handoff","content":"over"}'; done"#))
    #expect(try team.answers().isEmpty)
    let handoff = try #require(try team.spool.entries(of: third).first?.message)
    #expect(handoff.type == .handoff)
    #expect(handoff.from == "coder")
    #expect(handoff.conversation == id.description)
  }

  @Test func `an answer to a bot that isn't there gives the message up, and who asked is told`() throws {
    let team = try Team()
    try team.ask("hello")
    let (summary, events) = try team.work(
      stream(team, #"while read -r line; do echo '{"to":"testre","content":"the review"}'; done"#))
    #expect(summary == WorkerSummary(claimed: 1, dead: 1))
    #expect(events.deathReasons == ["its answer can't be sent: no bot named testre"])
    #expect(try team.answers().map(\.type) == [.error])
  }

  @Test func `the message itself, changed, is an answer to its sender`() throws {
    let team = try Team()
    let id = try team.ask("hello")
    let (summary, _) = try team.work(stream(team, "sed -u 's/hello/goodbye/'"))
    #expect(summary == WorkerSummary(claimed: 1, acked: 1, replied: 1))
    let answer = try #require(try team.answers().first)
    #expect(answer.content == "goodbye")
    #expect(answer.type == .response)
    #expect(answer.inReplyTo == id.description)
    #expect(answer.id != id)
  }

  @Test(arguments: [
    "hello", "[]", "{\"unknown\":1}", "{\"content\":1}", "{\"ack\":false}", "{} {}", "{\"nack\":3}",
    "{\"content\":\"x\",\"in_reply_to\":\"another\"}", "{\"delay\":5}",
  ])
  func `a line that is no answer puts the message back and starts the program again`(line: String) throws {
    let team = try Team()
    try team.ask("one")
    var options = stream(
      team, "while read -r line; do [ -e $DIR/second ] && echo '{}' || { touch $DIR/second; echo '\(line)'; }; done")
    options.messagesMax = 2
    let worker = try RunningWorker(team, options)
    #expect(try worker.finish() == WorkerSummary(claimed: 2, acked: 1, requeued: 1))
    #expect(worker.events.requeueReasons.first?.hasPrefix("its answer is no message (") == true)
    #expect(worker.events.restarts.count == 1)
    #expect(worker.events.attempts == [1, 2])
  }

  @Test func `a program that ends with a message in hand has it put back, and is started again`() throws {
    let team = try Team()
    try team.ask("one")
    var options = stream(
      team,
      """
      read -r line
      [ -e $DIR/second ] && { echo '{}'; read -r line; exit; }
      touch $DIR/second; echo oops >&2; exit 4
      """)
    options.messagesMax = 2
    let worker = try RunningWorker(team, options)
    #expect(try worker.finish() == WorkerSummary(claimed: 2, acked: 1, requeued: 1))
    #expect(worker.events.requeueReasons == ["it ended without an answer: exit status 4: oops"])
    #expect(worker.events.restarts.first == "exit status 4: oops")
  }

  @Test func `a program that ends after its answer costs the message no attempt that it hasn't read`() throws {
    let team = try Team(attempts: 1)
    for number in 1...6 { try team.ask("\(number)") }
    // It is given the next one while it is ending.
    let (summary, events) = try team.work(stream(team, "read -r line; echo '{}'; sleep 0.1"))
    #expect(summary.acked == 6 && summary.dead == 0 && summary.requeued > 0, "\(summary)")
    #expect(events.attempts.allSatisfy { $0 == 1 })
    #expect(try team.hasNothingLeft())
  }

  @Test func `a program that ends at once, again and again, is started ever more slowly`() throws {
    let team = try Team()
    var options = stream(team, "exit 1")
    options.backoff = Backoff(first: 0.01, maximum: 0.08)
    let worker = try RunningWorker(team, options)
    try require("it was started eight times") { worker.events.restarts.count >= 8 }
    let delays = worker.events.compactMap { if case .restarting(_, let delay) = $0 { delay } else { nil } }
    #expect(delays[0] == 0)
    #expect(delays[1] <= 0.01)
    #expect(delays[5] >= 0.04)
    #expect(try worker.stop() == WorkerSummary())
  }

  @Test(arguments: [2, 1000])
  func `a program that ends before it reads what failed before is started ever more slowly`(most: Int) throws {
    let team = try Team()
    try team.ask("hello")
    var options = stream(team, "[ -e $DIR/second ] && exit 1; touch $DIR/second; read -r line; exit 1")
    options.backoff = Backoff(first: 0.01, maximum: 0.08)
    options.messagesMax = most
    let worker = try RunningWorker(team, options)
    try require("it was started eight times") { worker.events.restarts.count >= 8 }
    let delays = worker.events.compactMap { if case .restarting(_, let delay) = $0 { delay } else { nil } }
    #expect(delays[7] >= 0.04, "\(delays)")
    #expect(worker.events.attempts.contains(2) && !worker.events.attempts.contains(3))
    _ = try worker.stop()
    #expect(try team.counts().waiting == 1)
  }

  @Test func `an idle program that ends is started again, and loses nothing`() throws {
    let team = try Team()
    let options = stream(team, "echo $$ > $DIR/pid; while read -r line; do echo '{\"content\":\"'$$'\"}'; done")
    let worker = try RunningWorker(team, options)
    try require("it runs") { team.text(of: "pid")?.hasSuffix("\n") == true }
    let first = try #require(team.text(of: "pid")?.dropLast())
    kill(try #require(pid_t(first)), SIGKILL)
    try require("it runs again") { team.text(of: "pid")?.dropLast() != first }
    try team.ask("hello")
    try require("it answers") { try team.answers().count == 1 }
    #expect(try worker.stop() == WorkerSummary(claimed: 1, acked: 1, replied: 1))
  }

  @Test func `what is printed without being asked for starts the program again, lest answers be mixed up`() throws {
    let team = try Team()
    for number in 1...2 { try team.ask("\(number)") }
    let (summary, events) = try team.work(
      stream(
        team,
        #"while read -r line; do [ -e $DIR/second ] && echo '{}' || { touch $DIR/second; printf '{}\n{"content":"stray"}\n'; }; done"#
      ))
    #expect(summary == WorkerSummary(claimed: 2, acked: 2))
    #expect(events.restarts.count == 1)
    #expect(try team.answers().isEmpty)
  }

  @Test func `three megabytes go in and come out of a program that reads and writes as it likes`() throws {
    let team = try Team()
    let text = String(repeating: "z", count: 3 << 20)
    try team.ask(text)
    try team.ask("small")
    let (summary, events) = try team.work(stream(team, "head -c 200000 /dev/zero | tr '\\0' ' '; exec cat"))
    #expect(summary == WorkerSummary(claimed: 2, acked: 2, replied: 2))
    #expect(Set(try team.answers().map(\.content)) == [text, "small"])
    #expect(events.restarts.isEmpty)
  }

  @Test func `a program that answers before it has read all of a message is started again for the next`() throws {
    let team = try Team()
    // More than a pipe holds: the rest would stand before the next message.
    try team.ask(String(repeating: "x", count: 300_000))
    try team.ask("second")
    let (summary, events) = try team.work(stream(team, "head -c 10 >/dev/null; echo '{}'; sleep 60"))
    #expect(summary.acked == 2)
    #expect(!events.restarts.isEmpty)
  }

  @Test func `a program that closes its input, or its output, doesn't hang the worker`() throws {
    for script in ["exec 0<&-; sleep 300", "read -r line; exec 1>&-; sleep 300"] {
      let team = try Team()
      try team.ask(String(repeating: "x", count: 1 << 18))
      var options = stream(team, script)
      options.messagesMax = 1
      #expect(try team.work(options).summary == WorkerSummary(claimed: 1, requeued: 1))
    }
  }

  @Test func `an answer that takes too long ends the program and all that it started`() throws {
    let team = try Team()
    try team.ask("hello")
    var options = stream(team, "sleep 300 & echo $! > $DIR/pid; wait")
    options.timeout = 3
    options.messagesMax = 1
    let (summary, events) = try team.work(options)
    #expect(summary == WorkerSummary(claimed: 1, requeued: 1))
    #expect(events.requeueReasons == ["timed out after 3 s"])
    let pid = try #require(team.text(of: "pid").flatMap { Int($0.dropLast()) })
    try require("the grandchild is gone") { !isRunning(pid) }
  }

  @Test func `at the end the program's input ends, and it has time to tidy up`() throws {
    let team = try Team()
    let worker = try RunningWorker(
      team, stream(team, "touch $DIR/begun; while read -r line; do echo '{}'; done; echo bye > $DIR/end"))
    try require("it has begun") { team.text(of: "begun") != nil }
    #expect(try worker.stop() == WorkerSummary())
    #expect(team.text(of: "end") == "bye\n")
  }

  @Test func `slots of a stream are processes of their own`() throws {
    let team = try Team()
    for number in 1...4 { try team.ask("\(number)") }
    // Each answers only when two of them have a message in hand.
    var options = stream(
      team,
      """
      while read -r line; do
        touch $DIR/here.$$; tries=0
        while [ "$(ls $DIR/here.* | wc -l)" -lt 2 ]; do tries=$((tries + 1)); [ $tries -lt 1000 ] || exit 1; sleep 0.01; done
        echo "{\\"content\\":\\"$$\\"}"
      done
      """)
    options.slots = 2
    #expect(try team.work(options).summary == WorkerSummary(claimed: 4, acked: 4, replied: 4))
    #expect(Set(try team.answers().map(\.content)).count == 2)
  }
}
