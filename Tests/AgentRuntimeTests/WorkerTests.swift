import AgentRuntime
import Glibc
import Linux
import SpoolFormat
import Synchronization
import TestThreads
import Testing

@testable import Spool

@Suite(.waiting) struct WorkerTests {
  @Test func `slots run side by side, and no more is claimed than there are slots`() throws {
    let team = try Team()
    for number in 1...6 { try team.ask("\(number)") }
    // Each of the first three waits until it sees the two others; alone it would wait in vain, and fail.
    var options = team.script(
      """
      touch "$DIR/here.$SPOOL_ID"
      tries=0
      while [ "$(ls "$DIR"/here.* | wc -l)" -lt 3 ]; do
        tries=$((tries + 1)); [ $tries -lt 1000 ] || exit 65; sleep 0.01
      done
      """)
    options.slots = 3
    options.stopsWhenEmpty = true
    var inHand = 0
    var most = 0
    let worker = try Worker(team.spool, team.coder, options) { event in
      switch event {
      case .claimed: inHand += 1
      case .acked, .requeued, .dead, .lost: inHand -= 1
      default: break
      }
      most = max(most, inHand)
    }
    #expect(try worker.run() == WorkerSummary(claimed: 6, acked: 6))
    #expect(most == 3)
  }

  @Test func `a lease is renewed for as long as the program runs`() throws {
    let team = try Team(lease: 2)
    try team.ask("long")
    let options = team.script("echo \"$SPOOL_ATTEMPT\" >> $DIR/attempts; while [ ! -e $DIR/go ]; do sleep 0.02; done")
    let worker = try RunningWorker(team, options)
    try require("it is claimed") { team.text(of: "attempts") != nil }
    // A second one watches the lease: it would take the message when that ran out.
    let other = try RunningWorker(team, options)
    let claimed = try #require(try team.spool.entries(of: team.coder).first { $0.isClaimed }?.path)
    var renewals: Set<Int> = []
    try require("the lease has been renewed for one and a half times its length") {
      renewals.insert(try Directory(team.spool.path).status(claimed)?.modified ?? 0)
      return renewals.count > 6
    }
    #expect(!renewals.contains(0), "the claim was never gone")
    try team.write("", to: "go")
    try require("it is done") { try team.hasNothingLeft() }
    #expect(try worker.stop().acked + other.stop().acked == 1)
    #expect(team.text(of: "attempts") == "1\n")
  }

  @Test func `a claim that is lost has its processes killed, and what they did counts for nothing`() throws {
    let team = try Team(lease: 0.4)
    try team.ask("hello")
    let worker = try RunningWorker(team, team.script("sleep 300 & echo $! > $DIR/pid; echo half; wait"))
    try require("it runs") { team.text(of: "pid")?.hasSuffix("\n") == true }
    let claimed = try #require(try team.spool.entries(of: team.coder).first?.path)
    #expect(rename(team.file("spool/" + claimed), team.file("stolen.json")) == 0)
    let pid = try #require(team.text(of: "pid").flatMap { Int($0.dropLast()) })
    try require("its processes are gone") { !isRunning(pid) }
    #expect(try worker.stop() == WorkerSummary(claimed: 1, lost: 1))
    #expect(try team.answers().isEmpty)
    #expect(try team.hasNothingLeft())
  }

  @Test func `an attempt that was cut off after its reply is not answered twice`() throws {
    let team = try Team()
    try team.ask("hello")
    let inbox = team.file("spool/bots/coder/inbox/")
    var options = team.script("echo answer $SPOOL_ATTEMPT")
    options.stopsWhenEmpty = true
    let worker = try Worker(team.spool, team.coder, options) { event in
      // Between the reply and the ack, the message goes back to waiting, as when its holder dies.
      guard case .replied(let claim, _) = event, claim.attempt == 1 else { return }
      var waiting = claim.name
      waiting.place = .waiting
      #expect(rename(team.file("spool/" + claim.path), inbox + waiting.description) == 0)
    }
    #expect(try worker.run() == WorkerSummary(claimed: 2, acked: 1, replied: 2, lost: 1))
    #expect(try team.answers().map(\.content) == ["answer 1"])
  }

  @Test func `a reply to the sender comes whatever waits there, and one to others waits for room`() throws {
    let team = try Team()
    var card = try team.spool.card(of: team.asker)
    card.inboxLimits.messages = 1
    try team.spool.register(card)
    try team.ask("first")
    try team.ask("second")
    try team.work(team.script("echo done"))
    #expect(try team.answers().map(\.content) == ["done", "done"])
    func naming(_ recipients: String) -> WorkerOptions {
      var options = team.script(#"while read -r line; do echo '{"to":\#(recipients),"content":"named"}'; done"#)
      options.isStream = true
      return options
    }
    try team.ask("third")
    try team.work(naming(#""asker""#))
    #expect(try team.answers().map(\.content) == ["done", "done", "named"])
    try team.ask("fourth")
    let options = naming(#"["asker","coder"]"#)
    let worker = try RunningWorker(team, options)
    try require("it is refused") { worker.events.problems.contains { $0.contains("1 of 2 inboxes is full") } }
    try _ = worker.stop()
    #expect(try team.answers().count == 3)
    #expect(try team.counts().waiting == 1)
  }

  @Test func `a reply that the disk didn't confirm is sent again, and the message is done`() throws {
    let team = try Team()
    let id = try team.ask("hello")
    var reply = Message(content: "answer")
    reply.from = "coder"
    reply.to = ["asker"]
    reply.idempotencyKey = "reply \(id) coder"
    try team.spool.send(reply)
    // As when a worker died that had heard it.
    guard case .granted(let log) = team.spool.logAccess else { throw Overdue(description: "there is no log") }
    log.page.noteRefusal(of: id.time)
    let (summary, events) = try team.work(team.script("echo answer"))
    #expect(summary == WorkerSummary(claimed: 1, acked: 1, replied: 1))
    #expect(events.problems.count == 1 && events.problems[0].contains("may or may not be kept"))
    #expect(try team.answers().map(\.content) == ["answer", "answer"])
  }

  @Test func `a program that isn't there is refused before anything is claimed`() throws {
    let team = try Team()
    try team.ask("hello")
    try team.write("#!/bin/sh\n", to: "not-executable")
    for program in ["no-such-program-anywhere", team.file("missing"), team.file("not-executable"), team.path, ""] {
      let error = #expect(throws: SpoolError.self) {
        try Worker(team.spool, team.coder, WorkerOptions(arguments: [program])) { _ in }
      }
      #expect(error?.code == .notFound, "\(program)")
      #expect(error?.message.hasPrefix("cannot run \(program): ") == true)
    }
    #expect(throws: SpoolError.self) { try Worker(team.spool, team.coder, WorkerOptions(arguments: [])) { _ in } }
    let stranger = try BotName(parsing: "stranger")
    let noBot = #expect(throws: SpoolError.self) {
      try Worker(team.spool, stranger, WorkerOptions(arguments: ["true"])) { _ in }
    }
    #expect(noBot?.code == .noSuchBot)
    #expect(try team.spool.entries(of: team.coder).map(\.name?.attempt) == [0])
  }

  @Test func `a program that disappears ends the worker, and costs no message an attempt`() throws {
    let team = try Team()
    for number in 1...3 { try team.ask("\(number)") }
    try team.write("#!/bin/sh\nrm \"$0\"\n", to: "program")
    #expect(chmod(team.file("program"), 0o755) == 0)
    let worker = try RunningWorker(team, WorkerOptions(arguments: [team.file("program")]))
    let error = #expect(throws: SpoolError.self) { try worker.finish() }
    #expect(error?.code == .notFound)
    #expect(try team.counts().claimed == 0)
    #expect(try team.spool.entries(of: team.coder).compactMap(\.name?.attempt) == [0, 0])
    #expect(worker.events.requeueReasons.first?.contains("no such file") == true)
  }

  @Test func `a request to stop lets what is in hand finish, and leaves the rest waiting`() throws {
    let team = try Team()
    for number in 1...3 { try team.ask("\(number)") }
    let worker = try RunningWorker(
      team, team.script("touch $DIR/begun; while [ ! -e $DIR/go ]; do sleep 0.02; done; echo done"))
    try require("it has begun") { team.text(of: "begun") != nil }
    try worker.requestStop()
    try require("it stops claiming") { worker.events.contains { if case .stopping(1) = $0 { true } else { false } } }
    #expect(try team.counts().claimed == 1, "it is still in hand")
    try team.write("", to: "go")
    #expect(try worker.finish() == WorkerSummary(claimed: 1, acked: 1, replied: 1))
    #expect(try team.counts().waiting == 2)
    #expect(try team.counts().claimed == 0)
  }

  @Test func `the timeout holds while stopping`() throws {
    let team = try Team()
    try team.ask("hello")
    var options = team.script("touch $DIR/begun; sleep 300")
    options.timeout = 3
    let worker = try RunningWorker(team, options)
    try require("it has begun") { team.text(of: "begun") != nil }
    #expect(try worker.stop() == WorkerSummary(claimed: 1, requeued: 1))
  }

  @Test(arguments: [1, 5])
  func `a second request to stop kills, and puts back what was in hand`(attempts: Int) throws {
    let team = try Team(attempts: attempts)
    try team.ask("hello")
    let worker = try RunningWorker(team, team.script("trap '' TERM; sleep 300 & echo $! > $DIR/pid; wait; wait"))
    try require("it runs") { team.text(of: "pid")?.hasSuffix("\n") == true }
    try worker.requestStop()
    try worker.requestStop()
    #expect(try worker.finish() == WorkerSummary(claimed: 1, requeued: 1))
    #expect(worker.events.requeueReasons == ["worker stopped"])
    #expect(try team.spool.entries(of: team.coder).map(\.name?.place) == [.waiting], "without delay")
    let pid = try #require(team.text(of: "pid").flatMap { Int($0.dropLast()) })
    try require("its processes are gone") { !isRunning(pid) }
    #expect(try team.work(team.script("echo done")).summary == WorkerSummary(claimed: 1, acked: 1, replied: 1))
  }

  @Test func `a worker tells that it is there, and no longer when it has ended`() throws {
    let team = try Team(lease: 0.4)
    let worker = try RunningWorker(team, team.script("true"))
    try require("it is there") { try team.spool.presence(of: team.coder) == [team.spool.holder] }
    let path = "bots/coder/presence/\(team.spool.holder)"
    let root = try Directory(team.spool.path)
    let content = try JSONValue(parsing: try #require(try root.readFile(path, maximum: 4096)))
    #expect(content["pid"]?.int == Int(getpid()))
    #expect(content["host"]?.string == team.spool.host)
    #expect(content["program"]?.string == "/bin/sh")
    #expect(content["started"]?.string.flatMap(Timestamp.init(rfc3339:)) != nil)
    let first = try #require(try root.status(path)).modified
    try require("its heart beats") { try root.status(path)?.modified ?? first > first }
    try root.unlink(path)
    try require("it says so again when somebody took the file away") { try root.status(path) != nil }
    _ = try worker.stop()
    #expect(try root.status(path) == nil)
  }

  @Test func `a bot that is removed ends its worker with an error`() throws {
    let team = try Team(lease: 0.4)
    let worker = try RunningWorker(team, team.script("true"))
    try require("it is there") { try !team.spool.presence(of: team.coder).isEmpty }
    #expect(rename(team.file("spool/bots/coder"), team.file("coder")) == 0)
    let error = #expect(throws: SpoolError.self) { try worker.finish() }
    #expect(error?.code == .noSuchBot)
  }

  @Test func `a message that comes while the worker waits is done`() throws {
    let team = try Team()
    let worker = try RunningWorker(team, team.script("echo done"))
    try require("it is there") { try !team.spool.presence(of: team.coder).isEmpty }
    for round in 1...3 {
      try team.ask("\(round)")
      try require("round \(round) is answered") { try team.answers().count == round }
    }
    #expect(try worker.stop().acked == 3)
  }

  @Test func `until empty doesn't wait for what waits for its time`() throws {
    let team = try Team()
    try team.ask("now")
    try team.ask("in an hour") { $0.notBefore = Timestamp(microseconds: Clock.wall()).advanced(bySeconds: 3600) }
    #expect(try team.work(team.script("echo done")).summary.acked == 1)
    #expect(try team.counts().waiting == 1)
  }

  @Test func `no more messages are claimed than were asked for`() throws {
    let team = try Team()
    for number in 1...5 { try team.ask("\(number)") }
    var options = team.script("echo done")
    options.messagesMax = 3
    options.slots = 2
    let worker = try RunningWorker(team, options)
    #expect(try worker.finish() == WorkerSummary(claimed: 3, acked: 3, replied: 3))
    #expect(try team.counts().waiting == 2)
  }

  @Test func `a reply that can't be sent now is kept and sent later, and the program runs once`() throws {
    let team = try Team()
    try team.ask("hello")
    let box = team.file("spool/bots/asker/tmp")
    // Where a file takes the place of the directory, no message can be written.
    #expect(rename(box, team.file("aside")) == 0)
    try team.write("", to: "spool/bots/asker/tmp")
    let worker = try RunningWorker(team, team.script("echo run >> $DIR/runs; echo done"))
    try require("it has tried") { !worker.events.problems.isEmpty }
    #expect(try team.counts().claimed == 1, "it keeps the message")
    #expect(unlink(box) == 0)
    #expect(rename(team.file("aside"), box) == 0)
    try require("it is answered") { try team.answers().map(\.content) == ["done"] }
    #expect(try worker.stop() == WorkerSummary(claimed: 1, acked: 1, replied: 1))
    #expect(team.text(of: "runs") == "run\n")
  }

  @Test func `a worker that can't reply and is told to stop puts the message back`() throws {
    let team = try Team(attempts: 1)
    try team.ask("hello")
    #expect(rename(team.file("spool/bots/asker/tmp"), team.file("aside")) == 0)
    try team.write("", to: "spool/bots/asker/tmp")
    let worker = try RunningWorker(team, team.script("echo done"))
    try require("it has tried") { !worker.events.problems.isEmpty }
    #expect(try worker.stop() == WorkerSummary(claimed: 1, requeued: 1))
    #expect(try team.counts().waiting == 1)
  }

  @Test func `waits double up to their bound, and differ`() {
    let backoff = Backoff(first: 1, maximum: 300)
    for (failures, full) in [(1, 1.0), (2, 2), (3, 4), (9, 256), (10, 300), (9999, 300)] {
      let delays = (0..<50).map { _ in backoff.delay(after: failures) }
      #expect(delays.allSatisfy { (full / 2...full).contains($0) }, "after \(failures)")
      #expect(Set(delays).count > 1)
    }
  }
}
