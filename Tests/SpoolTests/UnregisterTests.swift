import Dispatch
import Glibc
import Linux
import SpoolFormat
import Synchronization
import TestSupport
import TestThreads
import Testing

@testable import Spool

@Suite(.waiting) struct UnregisterTests {
  @Test func `a bot without anything left is removed, with its subscriptions, and can be registered anew`() throws {
    let fixture = try Fixture("coder", "tester")
    let (spool, coder) = (fixture.spool, try fixture.bot())
    try spool.subscribe(coder, to: BotName(parsing: "builds"))
    try spool.subscribe(fixture.bot("tester"), to: BotName(parsing: "builds"))
    let id = try fixture.send("x", to: "coder")
    #expect(try fixture.drain() == ["x"])
    // What else is kept there.
    try spool.announce(coder, program: "p").beat()
    try spool.reserve(coder, for: id)
    try Plain.write(fixture.box("tmp") + "/.credit.here.0", "")
    try Plain.write(fixture.box("inbox") + "/.tasks", "")
    try Plain.write(fixture.box("dead") + "/5-\(id)~1.json.reason", "{}")
    try Plain.write("\(fixture.path)/bots/coder/record.json", "{}")
    #expect(code { try spool.unregister(coder) } == .tryAgain)  // It runs.
    for name in fixture.names("presence") { try spool.root.unlink("bots/coder/presence/\(name)") }
    let dead = Holder(host: spool.host, pid: DeadProcess.pid, start: DeadProcess.start)
    try Plain.write(fixture.box("presence") + "/\(dead)", "{}")

    try spool.unregister(coder)
    #expect(Plain.names("\(fixture.path)/bots") == ["tester"])
    #expect(try spool.subscribers(of: BotName(parsing: "builds")).map(\.description) == ["tester"])
    #expect(code { try spool.unregister(coder) } == .noSuchBot)
    #expect(code { try fixture.send("y", to: "coder") } == .noSuchBot)
    #expect(try fixture.events(.botUnregistered).map(\.subject) == ["coder"])
    #expect(try Doctor(spool).examine(repairing: false).findings.isEmpty)
    #expect(try fixture.kinds(of: id).contains(.messageAcked))

    try spool.register(Card(name: coder))
    try fixture.send("z", to: "coder")
    #expect(try fixture.drain() == ["z"])
  }

  @Test func `while something is left for it, nothing is removed, and what is left is named`() throws {
    let fixture = try Fixture("coder")
    let (spool, coder) = (fixture.spool, try fixture.bot())
    func left(_ what: String, _ hint: String) throws {
      let thrown = #expect(throws: SpoolError.self) { try spool.unregister(coder) }
      #expect(thrown?.code == .tryAgain)
      #expect(thrown?.message.contains(what) == true, "\(thrown?.message ?? "")")
      #expect(thrown?.hint?.contains(hint) == true, "\(thrown?.hint ?? "")")
      #expect(try spool.exists(coder))
      #expect(Plain.exists("\(fixture.path)/bots/coder/card.json"))
    }
    try fixture.send("x")
    try left("messages that wait (1)", "spool inbox coder")
    let claim = try #require(try fixture.inbox().claim())
    try left("messages in hand (1)", "spool inbox coder")
    try spool.bury(coder, claim.name, reason: "no")
    try left("dead letters (1)", "spool dead coder")
    for letter in try spool.deadLetters(of: coder) { #expect(try spool.discard(letter)) }
    var task = TaskRecord(title: "t")
    task.assignTo = coder
    let entry = try spool.addTask(task)
    try left("unfinished tasks (1)", "spool task list --bot coder")
    _ = try spool.cancel(entry)
    try Plain.write(fixture.box("inbox") + "/.x.swp", "half")
    try left(".x.swp", "doctor")
    try spool.root.unlink("bots/coder/inbox/.x.swp")
    try Plain.write(fixture.box("tmp") + "/half", "")
    try left("bots/coder/tmp has half in it", "doctor")
    try spool.root.unlink("bots/coder/tmp/half")
    try Plain.write("\(fixture.path)/bots/coder/notes.txt", "people's")
    try spool.unregister(coder)
    #expect(Plain.names("\(fixture.path)/bots/coder") == ["notes.txt"])
    #expect(try spool.bots().isEmpty)
  }

  @Test func `a bot that is kept elsewhere is removed with the link to it`() throws {
    let fixture = try Fixture("coder")
    let elsewhere = fixture.home("elsewhere")
    #expect(rename("\(fixture.path)/bots/coder", elsewhere) == 0)
    #expect(symlink(elsewhere, "\(fixture.path)/bots/coder") == 0)
    try fixture.spool.register(Card(name: fixture.bot()))
    try fixture.spool.unregister(fixture.bot())
    #expect(Plain.names("\(fixture.path)/bots").isEmpty && Plain.names(elsewhere).isEmpty)
  }

  /// How far it had come.
  enum Step: CaseIterable, Sendable { case closed, withoutInbox, withoutCard }
  enum Cure: CaseIterable, Sendable { case repair, register, unregister }

  @Test(arguments: Step.allCases, Cure.allCases)
  func `one whose removal was killed half-way is made whole, or removed`(step: Step, cure: Cure) throws {
    let fixture = try Fixture("coder")
    let (spool, coder) = (fixture.spool, try fixture.bot())
    #expect(rmdir(fixture.box("tmp")) == 0)
    try Plain.write(fixture.box("tmp"), "")
    if step != .closed { for box in ["inbox", "claimed", "done", "dead"] { #expect(rmdir(fixture.box(box)) == 0) } }
    if step == .withoutCard { #expect(unlink("\(fixture.path)/bots/coder/card.json") == 0) }
    #expect(try spool.exists(coder) == (step == .closed))
    let thrown = #expect(throws: SpoolError.self) { try fixture.send("x") }
    if step == .closed {
      #expect(thrown?.code == .tryAgain && thrown?.hint?.contains("doctor --repair") == true, "\(thrown!)")
    } else {
      #expect(thrown?.code == .noSuchBot)
    }
    let found = try Doctor(spool).examine(repairing: cure == .repair).findings.map { "\($0.path) \($0.problem)" }
    #expect(found.contains("bots/coder was being removed by somebody who died"), "\(found)")
    switch cure {
    case .repair: break
    case .register: try spool.register(Card(name: coder))
    case .unregister:
      try spool.unregister(coder)
      #expect(Plain.names("\(fixture.path)/bots") == [])
      return
    }
    try fixture.send("x")
    #expect(try fixture.drain() == ["x"])
    #expect(try Doctor(spool).examine(repairing: false).findings.isEmpty)
  }

  @Test func `what is acked with mv is settled first, and a task of no bot is told of`() throws {
    let fixture = try Fixture("coder", "tester")
    let (spool, coder) = (fixture.spool, try fixture.bot())
    let id = try fixture.send("x")
    let claim = try #require(try fixture.inbox().claim())
    #expect(rename("\(fixture.path)/\(claim.path)", fixture.box("done") + "/\(claim.name)") == 0)
    try spool.unregister(coder)
    #expect(try fixture.kinds(of: id).last == .messageAcked)
    var task = TaskRecord(title: "t")
    task.assignTo = try fixture.bot("tester")
    let entry = try spool.addTask(task)
    TemporaryDirectory.removeTree("\(fixture.path)/bots/tester")
    let found = try Doctor(spool).examine(repairing: false).findings
    #expect(found.map(\.path) == [entry.path] && found[0].problem.contains("tester, which is no bot"), "\(found)")
  }

  @Test(arguments: [false, true])
  func `of many who remove and make a bot at once, each does all of it or nothing`(isShared: Bool) throws {
    let fixture = try Fixture("coder", sharedWith: isShared ? "\(getegid())" : nil)
    let coder = try fixture.bot()
    let problems = Mutex<[String]>([])
    let removals = Atomic(0)
    DispatchQueue.concurrentPerform(iterations: 4) { number in
      do {
        let spool = try fixture.reopened()
        for _ in 0..<60 {
          do {
            if number == 0 {
              var card = Card(name: coder)
              card.domain = "development"
              try spool.register(card)
              continue
            }
            try spool.unregister(coder)
            removals.add(1, ordering: .relaxed)
            _ = try Doctor(spool).examine(repairing: true)
          } catch let error as SpoolError where error.code == .noSuchBot || error.code == .tryAgain {}
        }
      } catch { problems.withLock { $0.append("\(error)") } }
    }
    #expect(problems.withLock { $0 } == [])
    #expect(removals.load(ordering: .relaxed) > 0)
    if try fixture.spool.exists(coder) { #expect(try fixture.spool.card(of: coder).domain == "development") }
    #expect(try Doctor(fixture.spool).examine(repairing: false).findings.isEmpty)
  }

  @Test func `what is sent while a bot comes and goes is handed out, or refused`() throws {
    let fixture = try Fixture("coder")
    let coder = try fixture.bot()
    let isOver = Atomic(false)
    let sent = Mutex<[MessageID]>([])
    let problems = Mutex<[String]>([])
    let removals = Atomic(0)

    @Sendable func send(from spool: Spool) throws {
      usleep(.random(in: 1_000..<5_000))
      var message = Message(content: "x")
      message.to = ["coder"]
      do {
        let id = try spool.send(message)
        sent.withLock { $0.append(id) }
      } catch let error as SpoolError where error.code == .noSuchBot || error.code == .tryAgain {}
    }
    @Sendable func remove() throws {
      _ = try fixture.drain()
      do {
        try fixture.spool.unregister(coder)
        removals.add(1, ordering: .relaxed)
        try fixture.spool.register(Card(name: coder))
      } catch let error as SpoolError where error.code == .tryAgain {}
    }
    DispatchQueue.concurrentPerform(iterations: 4) { number in
      do {
        let spool = try fixture.reopened()
        let start = Clock.sinceBoot()
        while number == 0 || !isOver.load(ordering: .relaxed) {
          if number > 0 { try send(from: spool) } else { try remove() }
          if number == 0, removals.load(ordering: .relaxed) == 50 || Clock.sinceBoot() - start > 20_000_000_000 {
            break
          }
        }
      } catch { problems.withLock { $0.append("\(error)") } }
      if number == 0 { isOver.store(true, ordering: .relaxed) }
    }
    #expect(problems.withLock { $0 } == [])
    _ = try fixture.drain()
    #expect(removals.load(ordering: .relaxed) > 0)
    let settled = Set(
      try fixture.events().filter { $0.kind == .messageAcked || $0.kind == .messageDiscarded }.map(\.subject))
    let lost = sent.withLock { $0.filter { !settled.contains($0.description) } }
    #expect(lost.isEmpty, "\(lost.count) of \(sent.withLock(\.count))")
  }
}
