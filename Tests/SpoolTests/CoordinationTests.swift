import Glibc
import Linux
import SpoolFormat
import TestSupport
import TestThreads
import Testing

@testable import Spool

/// What a coordinator is built on: one leader, watched tasks, a log that can be followed across restarts.
@Suite(.waiting) struct CoordinationTests {
  private func leader(_ fixture: Fixture) -> [String] { Plain.names("\(fixture.path)/coordinator/leader") }

  @Test func `the first leads, the second stands by, and takes over when the first steps down`() throws {
    let fixture = try Fixture()
    let (first, second) = (Leadership(fixture.spool), Leadership(fixture.spool))
    #expect(try first.hold())
    #expect(fixture.spool.coordinatorIsUp)
    // The same process may hold it twice over only by the rename, as anybody else.
    #expect(leader(fixture) == ["1~\(fixture.spool.holder)"])
    first.end()
    #expect(leader(fixture) == ["1"] && !fixture.spool.coordinatorIsUp)
    #expect(try second.hold() && second.isLeader)
    #expect(leader(fixture) == ["2~\(fixture.spool.holder)"])
  }

  @Test func `a dead leader of this host is replaced at once`() throws {
    let fixture = try Fixture()
    let gone = Holder(host: fixture.spool.host, pid: DeadProcess.pid, start: DeadProcess.start)
    mkdir("\(fixture.path)/coordinator/leader", 0o777)
    try Plain.write("\(fixture.path)/coordinator/leader/7~\(gone)", "")
    #expect(!fixture.spool.coordinatorIsUp)
    #expect(try Leadership(fixture.spool).hold())
    #expect(leader(fixture) == ["8~\(fixture.spool.holder)"])
  }

  @Test func `a term with a number that none can follow is none`() throws {
    let fixture = try Fixture()
    mkdir("\(fixture.path)/coordinator/leader", 0o777)
    try Plain.write("\(fixture.path)/coordinator/leader/\(Int.max)", "")
    #expect(try Leadership(fixture.spool).hold())
    #expect(leader(fixture).contains("1~\(fixture.spool.holder)"))
  }

  @Test func `a leader of another host is replaced when its lease has run out by this one's clock`() throws {
    let fixture = try Fixture { $0.leaseSeconds = 0.05 }
    let afar = Holder(host: "afar", pid: 17, start: 17)
    mkdir("\(fixture.path)/coordinator/leader", 0o777)
    try Plain.write("\(fixture.path)/coordinator/leader/3~\(afar)", "")
    let leadership = Leadership(fixture.spool)
    #expect(try !leadership.hold())
    #expect(try eventually { try leadership.hold() })
    #expect(leader(fixture) == ["4~\(fixture.spool.holder)"])
  }

  @Test func `one that was replaced while it slept finds that out before it acts`() throws {
    let fixture = try Fixture { $0.leaseSeconds = 0.05 }
    let leadership = Leadership(fixture.spool)
    #expect(try leadership.hold())
    let afar = Holder(host: "afar", pid: 17, start: 17)
    let directory = "\(fixture.path)/coordinator/leader"
    #expect(rename("\(directory)/1~\(fixture.spool.holder)", "\(directory)/2~\(afar)") == 0)
    #expect(try eventually { try !leadership.hold() })
    #expect(!leadership.isLeader)
  }

  @Test func `of many that begin at once one leads`() throws {
    let fixture = try Fixture()
    for _ in 0..<20 {
      TemporaryDirectory.removeTree("\(fixture.path)/coordinator")
      mkdir("\(fixture.path)/coordinator", 0o777)
      let spools = try (0..<4).map { try Spool(at: fixture.path, machine: "host\($0)") }
      let leaders = spools.map { Leadership($0) }
      var held: [Bool] = []
      for leadership in leaders { held.append(try leadership.hold()) }
      #expect(held.count { $0 } == 1 && leader(fixture).count == 1)
    }
  }

  @Test func `moves of tasks are told with their directories, those by hand as well`() throws {
    let fixture = try Fixture("coder")
    let watcher = try TaskWatcher(fixture.spool)
    #expect(try watcher.takeMoves() == [])
    let pending = try fixture.spool.addTask(TaskRecord(title: "x"))
    #expect(try watcher.takeMoves() == [pending])
    let cancelled = TaskEntry(state: .cancelled, name: pending.name)
    #expect(rename("\(fixture.path)/\(pending.path)", "\(fixture.path)/\(cancelled.path)") == 0)
    #expect(try watcher.takeMoves() == [cancelled])
  }

  @Test func `the log is followed from where an earlier reader stopped, across segments, and nothing twice`() throws {
    let fixture = try Fixture("coder") { $0.segmentBytesMax = 4096 }
    var follower = try LogFollower(fixture.spool, from: nil)
    var seen: [String] = []
    var sent: [String] = []
    for round in 0..<8 {
      for number in 0..<10 { sent.append(try fixture.send("\(round) \(number)").description) }
      if round % 2 == 1 { follower = try LogFollower(fixture.spool, from: follower.positions) }
      // Stops in the middle of a block now and then.
      while try follower.take(
        limit: round % 3 == 0 ? 3 : .max, { if $0.kind == .messageSent { seen.append($0.subject) } })
      {}
    }
    #expect(seen == sent)
    #expect(Plain.names("\(fixture.path)/log/\(fixture.spool.host)").count { $0.hasSuffix(".jsonl") } > 3)
  }

  @Test func `what follows a line that a full disk cut short is a line by itself`() throws {
    let fixture = try Fixture()
    let spool = fixture.spool
    try spool.appendToCoordinatorFile("learnings", "x", Array("one\ntw".utf8), keepingLast: 1000)
    try spool.appendToCoordinatorFile("learnings", "x", Array("three\n".utf8), keepingLast: 1000)
    #expect(try Plain.text("\(fixture.path)/coordinator/learnings/x") == "one\ntw\nthree\n")
  }

  @Test func `what a process takes on is asked again when its file couldn't be read`() throws {
    let fixture = try Fixture("coder")
    let spool = fixture.spool
    let presence = try spool.announce(fixture.bot(), program: String(repeating: "p", count: 4096), takes: .tasks)
    try presence.beat()
    defer { presence.end() }
    let path = "\(fixture.path)/\(try Layout.presence(fixture.bot(), spool.holder))"
    #expect(rename(path, "\(fixture.path)/aside") == 0 && mkdir(path, 0o777) == 0)
    var presences = PresenceObservations()
    #expect(try presences.living(fixture.bot(), in: spool).map(\.takes) == [.messages])
    #expect(rmdir(path) == 0 && rename("\(fixture.path)/aside", path) == 0)
    #expect(try presences.living(fixture.bot(), in: spool).map(\.takes) == [.tasks])
  }
}
