import Dispatch
import Glibc
import Linux
import SpoolFormat
import Synchronization
import TestSupport
import Testing

@testable import Spool

@Suite struct TaskTests {
  private func add(_ fixture: Fixture, _ title: String = "build", _ edit: (inout TaskRecord) -> Void = { _ in }) throws
    -> TaskEntry
  {
    var record = TaskRecord(title: title)
    edit(&record)
    return try fixture.spool.addTask(record, by: "test")
  }

  @Test func `threads that change a task at once while their directory comes and goes lose no more than the race`()
    throws
  {
    let fixture = try Fixture("coder")
    let spool = fixture.spool
    let assigned = try #require(try spool.assign(add(fixture), to: fixture.bot(), by: "test"))
    let started = try #require(try spool.start(assigned, bot: fixture.bot(), worker: spool.holder))
    let failures = Mutex<[String]>([])
    for _ in 0..<300 {
      spool.leaveMoving()
      DispatchQueue.concurrentPerform(iterations: 4) { number in
        do { _ = try spool.progress(started, percent: number, text: nil) } catch {
          failures.withLock { $0.append("\(error)") }
        }
      }
    }
    #expect(failures.withLock { $0 } == [])
    #expect(try spool.task(started.id)?.state == .inProgress)
  }

  @Test func `a task goes through its life by renames, and says its result in the end`() throws {
    let fixture = try Fixture("coder")
    let spool = fixture.spool
    let pending = try add(fixture)
    #expect(pending.state == .pending)
    let assigned = try #require(try spool.assign(pending, to: fixture.bot(), by: "test"))
    #expect(assigned.name.description.hasSuffix("~1~coder.json"))
    let started = try #require(try spool.start(assigned, bot: fixture.bot(), worker: spool.holder))
    #expect(started.worker == spool.holder)
    let told = try #require(try spool.progress(started, percent: 40, text: "half of it"))
    #expect(told == started)
    let done = try #require(try spool.complete(told, result: JSONText(string: "made"), confidence: 0.9))
    let stored = try #require(try spool.task(pending.id))
    #expect(stored.entry == done && stored.state == .completed)
    #expect(stored.record.result == JSONText(string: "made") && stored.record.progress == 100)
    #expect(stored.record.progressText == "half of it" && stored.record.completedAt != nil)
    #expect(
      Plain.names("\(fixture.path)/tasks/moving").flatMap { Plain.names("\(fixture.path)/tasks/moving/\($0)") } == [])
    #expect(
      try fixture.events().filter { $0.kind.isOfTask }.map(\.kind.description) == [
        "task.added", "task.assigned", "task.started", "task.progressed", "task.completed",
      ])
  }

  @Test func `whoever is second gets nil, and changes nothing`() throws {
    let fixture = try Fixture("coder", "tester")
    let spool = fixture.spool
    let pending = try add(fixture)
    let first = try #require(try spool.start(pending, bot: fixture.bot("coder"), worker: spool.holder))
    #expect(try spool.start(pending, bot: fixture.bot("tester"), worker: spool.holder) == nil)
    #expect(try spool.expire(first, reason: "a test") != nil)
    #expect(try spool.complete(first, result: nil) == nil)
    #expect(try spool.renew(first) == false)
    #expect(try spool.findTask(pending.id)?.state == .pending)
    #expect(try fixture.events(.taskCompleted).isEmpty)
  }

  @Test func `what has no way to its new place stays whole until it has`() throws {
    let fixture = try Fixture("coder")
    let spool = fixture.spool
    let started = try #require(try spool.start(try add(fixture), bot: fixture.bot(), worker: spool.holder))
    let done = try Spool.entry(after: .complete, started, notBefore: nil)
    try shell("mkdir -p '\(done.path)/in the way'", in: fixture.path)
    #expect(try spool.complete(started, result: JSONText(string: "made")) == done)
    #expect(try fixture.events(.taskCompleted).count == 1)
    #expect(Plain.names("\(fixture.path)/tasks/moving/\(spool.holder)").count == 2)
  }

  @Test func `a transition that isn't one is refused, and told what is allowed`() throws {
    let fixture = try Fixture("coder")
    let pending = try add(fixture)
    let error = #expect(throws: SpoolError.self) { try fixture.spool.complete(pending, result: nil) }
    #expect(error?.code == .notAllowed)
    #expect(error?.hint == "allowed now: assign, claim, fail, block, cancel")
  }

  @Test func `an attempt that failed waits with backoff, and the last one is final`() throws {
    let fixture = try Fixture("coder")
    let spool = fixture.spool
    let pending = try add(fixture) { $0.attemptsMax = 2 }
    let first = try #require(try spool.start(pending, bot: fixture.bot(), worker: nil))
    let again = try #require(try spool.fail(first, error: "no network"))
    #expect(again.state == .pending && again.attempt == 1 && again.notBefore != nil)
    let second = try #require(try spool.start(again, bot: fixture.bot(), worker: nil))
    #expect(second.attempt == 2)
    let over = try #require(try spool.fail(second, error: "no network still"))
    #expect(over.state == .failed)
    let record = try #require(try spool.task(pending.id)).record
    #expect(record.failures.map(\.error) == ["no network", "no network still"] && record.error == "no network still")
    #expect(try spool.retry(over)?.state == .pending)
  }

  @Test
  func `a dependent waits, begins when the last of its dependencies is completed, and is told of one that failed`()
    throws
  {
    let fixture = try Fixture("coder")
    let spool = fixture.spool
    func finish(_ entry: TaskEntry, _ ok: Bool) throws {
      let started = try #require(try spool.start(entry, bot: fixture.bot(), worker: nil))
      _ = ok ? try spool.complete(started, result: nil) : try spool.fail(started, error: "broken", isRetryable: false)
      try spool.settleDependents(of: entry.id)
    }
    let (one, two) = (try add(fixture, "one"), try add(fixture, "two"))
    let after = try add(fixture, "after") { $0.dependsOn = [one.id, two.id] }
    let last = try add(fixture, "last") {
      $0.dependsOn = [after.id]; $0.onDependencyFailure = .cancel
    }
    #expect(after.state == .blocked && last.state == .blocked)
    try finish(one, true)
    #expect(try spool.findTask(after.id)?.state == .blocked)
    try finish(two, false)
    let blocked = try #require(try spool.task(after.id))
    #expect(blocked.state == .blocked && blocked.record.blockedReason?.contains("failed") == true)
    #expect(try spool.findTask(last.id)?.state == .blocked)
    // Tried again, and done after all.
    let failed = try #require(try spool.findTask(two.id))
    try finish(try #require(try spool.retry(failed)), true)
    #expect(try spool.findTask(after.id)?.state == .pending)
    let entry = try #require(try spool.findTask(after.id))
    try finish(entry, false)
    #expect(try spool.findTask(last.id)?.state == .cancelled)
  }

  @Test func `a parent that joins its children ends with their results`() throws {
    let fixture = try Fixture("coder")
    let spool = fixture.spool
    let parent = try add(fixture, "all") { $0.isJoin = true }
    #expect(parent.state == .blocked)
    for step in ["one", "two"] {
      let child = try add(fixture, step) {
        $0.parent = parent.id; $0.step = step
      }
      let started = try #require(try spool.start(child, bot: fixture.bot(), worker: nil))
      if step == "one" { continue }
      _ = try spool.complete(started, result: JSONText(string: "2"))
      try spool.settleDependents(of: child.id)
      #expect(try spool.findTask(parent.id)?.state == .blocked)
      let first = try #require(try spool.tasks(in: [.inProgress]).first)
      _ = try spool.complete(first, result: JSONText(string: "1"))
      try spool.settleDependents(of: first.id)
    }
    let joined = try #require(try spool.task(parent.id))
    #expect(joined.state == .completed && joined.record.result?.description == #"{"one":"1","two":"2"}"#)
  }

  /// As if who ended them had been killed before it saw to what follows.
  @Test func `a worker sees to what nobody was told, though no coordinator runs, and once more each half minute`()
    throws
  {
    let fixture = try Fixture("coder")
    let spool = fixture.spool
    let (one, two) = (try add(fixture, "one"), try add(fixture, "two"))
    let after = try add(fixture, "after") { $0.dependsOn = [one.id] }
    let last = try add(fixture, "last") {
      $0.dependsOn = [after.id, two.id]; $0.onDependencyFailure = .cancel
    }
    let all = try add(fixture, "all") {
      $0.isJoin = true; $0.children = [one.id, two.id]
    }
    let inbox = try TaskInbox(spool, fixture.bot())
    _ = try inbox.takeWarning()
    #expect(try [after, last, all].allSatisfy { try spool.findTask($0.id)?.state == .blocked })
    _ = try spool.complete(#require(try spool.start(one, bot: fixture.bot(), worker: nil)), result: nil)
    _ = try spool.cancel(two, reason: nil, by: "test")
    #expect(Set(try spool.overlooked()) == Set([after, last, all]))
    _ = try inbox.takeWarning()
    #expect(try spool.findTask(after.id)?.state == .blocked)
    _ = try TaskInbox(spool, fixture.bot()).takeWarning()
    #expect(try spool.findTask(after.id)?.state == .pending)
    #expect(try spool.findTask(last.id)?.state == .cancelled)
    #expect(try spool.findTask(all.id)?.state == .failed)
    #expect(try spool.overlooked() == [])
  }

  /// As between two of its renames, while it tells how far it is.
  @Test func `a child whose file is being changed is neither forgotten by its join nor by who cancels them all`() throws
  {
    let fixture = try Fixture("coder")
    let spool = fixture.spool
    let parent = try add(fixture, "all") { $0.isJoin = true }
    let children = try ["one", "two"].map { step in
      try #require(
        try spool.start(
          add(fixture, step) {
            $0.parent = parent.id; $0.step = step
          }, bot: fixture.bot(), worker: nil))
    }
    _ = try spool.complete(children[0], result: JSONText(string: "1"))
    let there = "\(fixture.path)/\(children[1].path)"
    let moving = "\(fixture.path)/tasks/moving/\(Holder(host: "afar", pid: 17, start: 17))"
    #expect(mkdir(moving, 0o777) == 0)
    #expect(rename(there, "\(moving)/in_progress~\(children[1].name)") == 0)
    try spool.settleDependents(of: children[0].id)
    #expect(try spool.task(parent.id)?.state == .blocked)
    let blocked = try #require(try spool.findTask(parent.id))
    #expect(code { _ = try spool.cancelWithChildren(blocked) } == .tryAgain)
    #expect(rename("\(moving)/in_progress~\(children[1].name)", there) == 0)
    let cancelled = try #require(try spool.findTask(parent.id))
    #expect(try spool.cancelWithChildren(cancelled).map(\.id) == [children[1].id])
  }

  @Test func `a child of one that waits for it can't depend on it, however far round`() throws {
    let fixture = try Fixture("coder")
    let parent = try add(fixture, "all") { $0.waitsForChildren = true }
    let between = try add(fixture, "between") { $0.dependsOn = [parent.id] }
    let other = try add(fixture, "other") { $0.waitsForChildren = true }
    _ = try add(fixture, "of other") { ($0.parent, $0.dependsOn) = (other.id, [parent.id]) }
    for way in [between.id, other.id] {
      let error = #expect(throws: SpoolError.self) {
        try add(fixture, "child") { ($0.parent, $0.dependsOn) = (parent.id, [way]) }
      }
      #expect(error?.message.contains("cycle") == true && error?.message.contains("\(way)") == true)
    }
  }

  @Test func `what a dead process was changing is finished when the log has it, else put back`() throws {
    let fixture = try Fixture("coder")
    let spool = fixture.spool
    let gone = Holder(host: spool.host, pid: DeadProcess.pid, start: DeadProcess.start)
    let directory = "\(fixture.path)/tasks/moving/\(gone)"
    for isLogged in [true, false] {
      let pending = try add(fixture)
      let started = try #require(try spool.start(pending, bot: fixture.bot(), worker: gone))
      let kept = try Plain.read("\(fixture.path)/\(started.path)")
      let done = try #require(try spool.complete(started, result: JSONText(string: "made")))
      // As it was in the middle of that.
      mkdir(directory, 0o777)
      let new = TaskMove(.new, done).fileName
      #expect(rename("\(fixture.path)/\(done.path)", "\(directory)/\(new)") == 0)
      try Plain.write("\(directory)/\(TaskMove(.old, started).fileName)", kept)
      if !isLogged {
        spool.note(.taskStarted, started.id.description) { spool.writeEvent(started, by: nil, reason: nil, to: &$0) }
      }
      var observations = TaskObservations()
      let settled = try spool.settleMoves(&observations)
      #expect(settled == [isLogged ? done : started])
      #expect(try spool.findTask(started.id) == (isLogged ? done : started))
      #expect(Plain.names("\(fixture.path)/tasks/moving/\(gone)") == [])
    }
  }

  @Test(arguments: [true, false])
  func `what was completed is no bot's to take, though a hand put it among the pending`(takesPending: Bool) throws {
    let fixture = try Fixture("coder")
    let (spool, bot) = (fixture.spool, try fixture.bot())
    // The bot has failed it once, so that it takes it again by itself where nobody coordinates.
    let first = try #require(try spool.start(spool.addTask(TaskRecord(title: "x")), bot: bot, worker: nil))
    let again = try #require(try spool.fail(first, error: "oh", delay: 0))
    let inbox = try TaskInbox(spool, bot, takesPending: takesPending)
    let second = try #require(try inbox.next()).entry
    #expect(second.id == again.id && second.state == .inProgress)
    let done = try #require(try spool.complete(second, result: nil))
    #expect(rename("\(fixture.path)/\(done.path)", "\(fixture.path)/tasks/pending/\(done.name)") == 0)
    #expect(try TaskInbox(spool, bot, takesPending: takesPending).next() == nil)
  }

  @Test func `a task in the hands of a worker that died is given back, and after its last attempt has failed`() throws {
    let fixture = try Fixture("coder")
    let spool = fixture.spool
    let gone = Holder(host: spool.host, pid: DeadProcess.pid, start: DeadProcess.start)
    let pending = try add(fixture) { $0.attemptsMax = 2 }
    let started = try #require(try spool.start(pending, bot: fixture.bot(), worker: gone))
    var observations = TaskObservations()
    let back = try #require(try spool.expireTasks(&observations).first)
    #expect(back.state == .pending && back.attempt == 1 && back.id == started.id)
    _ = try spool.start(back, bot: fixture.bot(), worker: gone)
    #expect(try spool.expireTasks(&observations).first?.state == .failed)
  }

  @Test func `what a bot has in hand is counted whatever lies on the move, and nothing is read twice for that`() throws
  {
    let fixture = try Fixture("coder")
    let (spool, bot) = (fixture.spool, try fixture.bot())
    func started(_ assignTo: BotName?) throws -> TaskEntry {
      let entry = try add(fixture) { $0.assignTo = assignTo }
      return try #require(try spool.start(entry, bot: bot, worker: spool.holder))
    }
    var known: [EntryName: Bool] = [:]
    let again = try #require(try spool.fail(started(bot), error: "oh", delay: 0))
    _ = try #require(try spool.fail(started(nil), error: "oh", delay: 0))
    #expect(try spool.tasksInHand(of: bot, knowing: &known) == 1)
    #expect(known.count == 2 && known[again.name] == true)
    // On its way back to the bot, and damaged.
    let task = try started(bot)
    let dead = Holder(host: spool.host, pid: DeadProcess.pid, start: DeadProcess.start)
    try spool.root.makeDirectory(Layout.tasksMoving(by: dead))
    let back = try Spool.entry(after: .expire, task)
    for move in [TaskMove(.old, task), TaskMove(.new, back)] {
      try Plain.write("\(fixture.path)/\(Layout.taskMoving(by: dead, raw: move.fileName))", "damaged")
    }
    #expect(unlink("\(fixture.path)/\(task.path)") == 0)
    try Plain.write("\(fixture.path)/\(again.path)", "damaged")
    #expect(try spool.tasksInHand(of: bot, knowing: &known) == 2)
    #expect(unlink("\(fixture.path)/\(again.path)") == 0)
    #expect(try spool.tasksInHand(of: bot, knowing: &known) == 1)
    #expect(known[again.name] == nil)
  }

  @Test func `a task whose time is thousands of years away is waited for`() throws {
    let fixture = try Fixture("coder")
    let task = try add(fixture)
    let directory = "\(fixture.path)/tasks/pending"
    #expect(
      rename("\(fixture.path)/\(task.path)", "\(directory)/5-\(task.id)~0~99991231T000000.000000Z.json") == 0)
    let inbox = try TaskInbox(fixture.spool, fixture.bot(), takesPending: true)
    #expect(try inbox.next() == nil)
    #expect(inbox.nextWake(isWanted: true) - Clock.sinceBoot() <= 60_000_000_000)
  }

  @Test func `who waits for tasks looks seldom when nothing has happened for long, and at once when it is rung`() throws
  {
    let fixture = try Fixture("coder")
    let inbox = try TaskInbox(fixture.spool, fixture.bot())
    try inbox.watch()
    func seconds(inHand: Bool = false) throws -> Double {
      _ = try inbox.takeWarning()
      #expect(try inbox.next() == nil)
      return Double(inbox.nextWake(isWanted: true, hasInHand: inHand) - Clock.sinceBoot()) / 1e9
    }
    #expect(try 2...5 ~= seconds())
    inbox.idleNanoseconds = 0
    inbox.ring()
    inbox.idleNanoseconds = -1
    // Both rounds are begun anew, and at once.
    #expect(try eventually(10) { try 14...15 ~= seconds() })
    #expect(try 0...2 ~= seconds(inHand: true))
    inbox.idleNanoseconds = 60_000_000_000
    var record = TaskRecord(title: "t")
    record.assignTo = try fixture.bot()
    _ = try fixture.spool.addTask(record)
    #expect(inbox.watchedDescriptor.map { (try? Poll.wait([$0], nanoseconds: 5_000_000_000)) == [true] } == true)
    _ = try inbox.takeWarning()
    #expect(try inbox.next() != nil)
    #expect(inbox.nextWake(isWanted: true, hasInHand: false) - Clock.sinceBoot() < 5_000_000_000)
  }

  @Test(arguments: [true, false])
  func `a task that can't be read is told once, and taken when it has been mended`(isAssigned: Bool) throws {
    let fixture = try Fixture("coder")
    let bot = try fixture.bot()
    let task = try add(fixture) { if isAssigned { $0.assignTo = bot } }
    let path = "\(fixture.path)/\(task.path)"
    let bytes = try Plain.read(path)
    let inbox = try TaskInbox(fixture.spool, bot, takesPending: true)
    for damage in ["half of it", "or another half of it"] {
      try Plain.write(path, damage)
      for _ in 0..<3 {
        inbox.ring()
        #expect(try inbox.next() == nil)
      }
      #expect(inbox.takeProblems().count == 1)
    }
    try Plain.write(path, bytes)
    inbox.ring()
    #expect(try inbox.next()?.entry.id == task.id)
    #expect(inbox.takeProblems().isEmpty)
  }

  @Test func `a task that waits for somebody's word is added once`() throws {
    let fixture = try Fixture()
    var record = TaskRecord(title: "whole")
    record.id = fixture.spool.newIdentifier()
    for _ in 0..<2 { try fixture.spool.addTask(record, blockedFor: "its group works on it") }
    #expect(try fixture.events(.taskAdded).count == 1)
    #expect(try fixture.spool.findTask(record.id!)?.state == .blocked)
  }

  @Test func `a confidence that no file may have is refused, and changes nothing`() throws {
    let fixture = try Fixture("coder")
    let task = try fixture.spool.addTask(TaskRecord(title: "t"))
    let begun = try #require(try fixture.spool.start(task, bot: fixture.bot(), worker: nil))
    for confidence in [1.5, -0.1, .nan] {
      #expect(code { try fixture.spool.complete(begun, result: nil, confidence: confidence) } == .badData)
    }
    #expect(try fixture.spool.complete(begun, result: nil, confidence: 1) != nil)
  }
}
