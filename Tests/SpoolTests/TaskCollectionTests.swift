import Glibc
import Linux
import SpoolFormat
import Synchronization
import TestSupport
import Testing

@testable import Spool

/// `spool gc --tasks`: which files of tasks go, and that nothing that is unfinished misses them.
@Suite struct TaskCollectionTests {
  private func add(_ fixture: Fixture, _ title: String, _ edit: (inout TaskRecord) -> Void = { _ in }) throws
    -> MessageID
  {
    var record = TaskRecord(title: title)
    edit(&record)
    return try fixture.spool.addTask(record).id
  }

  private func end(_ fixture: Fixture, _ id: MessageID, failing: Bool = false) throws {
    let bot = try fixture.bot()
    let entry = try #require(try fixture.spool.findTask(id))
    let begun = try #require(try fixture.spool.start(entry, bot: bot, worker: nil))
    let ended =
      failing
      ? try fixture.spool.fail(begun, error: "no", isRetryable: false)
      : try fixture.spool.complete(begun, result: JSONText(validating: "\"result of \(id)\""))
    #expect(ended != nil)
    try fixture.spool.settleDependents(of: id)
  }

  private func ids(_ fixture: Fixture) throws -> Set<MessageID> { Set(try fixture.spool.tasks().map(\.id)) }

  private func copied(_ fixture: Fixture) throws -> Set<MessageID> {
    let name = "copy\(UInt32.random(in: .min ... .max))"
    try shell("cp -a spool \(name)", in: fixture.home.path)
    return Set(try Spool(at: fixture.home(name)).tasks().map(\.id))
  }

  @Test func `what ended long enough ago goes, is in the log, and doesn't come back`() throws {
    let fixture = try Fixture("coder")
    let ids = try (0..<4).map { try add(fixture, "task \($0)") }
    try end(fixture, ids[0])
    try end(fixture, ids[1], failing: true)
    _ = try fixture.spool.cancel(#require(try fixture.spool.findTask(ids[2])))
    #expect(try fixture.spool.collectTasks(olderThan: 3600) == 0)
    #expect(try fixture.spool.collectTasks(olderThan: 0, dryRun: true) == 3)
    #expect(try self.ids(fixture) == Set(ids))
    #expect(try fixture.spool.collectTasks(olderThan: 0) == 3)
    #expect(try self.ids(fixture) == [ids[3]])
    let trace = try History(fixture.spool).trace(ids[0])
    #expect(trace.last?.kind == .taskRemoved && trace.contains { $0.taskBytes != nil })
    #expect(trace.last?.taskBytes == nil, "the log has it already")
    #expect(Plain.names("\(fixture.path)/tasks/moving").isEmpty)
    #expect(try Doctor(fixture.spool).examine(repairing: true).findings.isEmpty)
    #expect(try copied(fixture) == [ids[3]])
    #expect(try self.ids(fixture) == [ids[3]])
  }

  @Test func `what belongs to something unfinished stays, however far away that is`() throws {
    let fixture = try Fixture("coder")
    let first = try add(fixture, "first")
    let second = try add(fixture, "second") { $0.dependsOn = [first] }
    let third = try add(fixture, "third") { $0.dependsOn = [second] }
    let parent = try add(fixture, "parent") { $0.waitsForChildren = true }
    let child = try add(fixture, "child") { $0.parent = parent }
    let other = try add(fixture, "other") { $0.parent = parent }
    for id in [first, second, child] { try end(fixture, id) }
    #expect(try fixture.spool.collectTasks(olderThan: 0) == 0)
    try end(fixture, third)
    #expect(try fixture.spool.collectTasks(olderThan: 0) == 3)
    try end(fixture, other, failing: true)
    #expect(try ids(fixture) == [parent, child, other])
    #expect(try fixture.spool.collectTasks(olderThan: 0) == 0, "the parent is ready, and not done")
    try end(fixture, parent)
    #expect(try fixture.spool.collectTasks(olderThan: 0) == 3)
    #expect(try ids(fixture).isEmpty)
  }

  @Test func `what can't be read, lies there twice, or is being added keeps what it may belong to`() throws {
    let fixture = try Fixture("coder")
    let done = try add(fixture, "done")
    try end(fixture, done)
    let id = fixture.spool.newIdentifier()
    let waiting = EntryName(urgency: 5, id: id, place: .held(fixture.spool.detachedHolder()))
    let path = "\(fixture.path)/\(Layout.taskTemporary(waiting))"
    try Plain.write(path, #"{"title":"new","depends_on":["\#(done)"]}"#)
    #expect(try fixture.spool.collectTasks(olderThan: 0) == 0)
    #expect(unlink(path) == 0)
    let entry = try #require(try fixture.spool.findTask(done))
    let twin = "\(fixture.path)/tasks/cancelled/\(entry.name)"
    try shell("cp \(fixture.path)/\(entry.path) \(twin)", in: fixture.path)
    #expect(try fixture.spool.collectTasks(olderThan: 0) == 0)
    try Plain.write(twin, "{")
    #expect(try fixture.spool.collectTasks(olderThan: 0) == 0)
    #expect(unlink(twin) == 0)
    try Plain.write("\(fixture.path)/tasks/completed/5-\(fixture.spool.newIdentifier()).json", "{")
    #expect(try fixture.spool.collectTasks(olderThan: 0) == 1)
    #expect(Plain.names("\(fixture.path)/tasks/completed").count == 1)
  }

  @Test func `what a damaged task waits for stays, by what the log says of it, and else all does`() throws {
    let fixture = try Fixture("coder")
    let (done, open) = (try add(fixture, "done"), try add(fixture, "open"))
    let waiting = try add(fixture, "waiting") { $0.dependsOn = [done, open] }
    let other = try add(fixture, "other")
    for id in [done, other] { try end(fixture, id) }
    let path = "\(fixture.path)/\(try #require(try fixture.spool.findTask(waiting)).path)"
    try Plain.write(path, "{")
    #expect(try fixture.spool.collectTasks(olderThan: 0) == 1)
    #expect(try ids(fixture) == [done, open, waiting])
    try Plain.write("\(fixture.path)/tasks/blocked/5-\(fixture.spool.newIdentifier()).json", "{")
    let last = try add(fixture, "last")
    try end(fixture, last)
    #expect(code { _ = try fixture.spool.collectTasks(olderThan: 0) } == .badData)
    #expect(try ids(fixture).isSuperset(of: [done, last]))
  }

  @Test func `a goal stays while its request isn't answered`() throws {
    let fixture = try Fixture("coder", "coordinator")
    let request = try fixture.send("build it", to: "coordinator")
    let goal = try add(fixture, "goal") {
      let text = #"{"request":"\#(request)","text":"build it","approach":"plan"}"#
      $0.extra.append(Message.Field(name: "goal", value: try! JSONText(validating: text)))
    }
    let claim = try #require(try fixture.inbox("coordinator").claim())
    try end(fixture, goal)
    #expect(try fixture.spool.collectTasks(olderThan: 0) == 0)
    try fixture.spool.ack(claim.bot, claim.name)
    #expect(try fixture.spool.collectTasks(olderThan: 0) == 1)
  }

  @Test func `what the log had forgotten it has again`() throws {
    let fixture = try Fixture("coder") { $0.segmentBytesMax = 4096 }
    let id = try add(fixture, "old")
    try end(fixture, id)
    for number in 0..<40 {
      try fixture.send(String(repeating: "x", count: 300) + "\(number)")
      _ = try fixture.drain()
    }
    var wish = CollectionWish()
    wish.olderThan = 0
    let files = LogFiles(root: fixture.spool.root)
    let last = try #require(try files.segments(of: fixture.spool.host).last)
    let place = LogFollower.Position(segment: last.start.compact, offset: 0)
    #expect(try fixture.spool.collect(wish, records: [fixture.spool.host: place]).removed.count > 1)
    #expect(try History(fixture.spool).trace(id).isEmpty)
    #expect(try fixture.spool.collectTasks(olderThan: 0) == 1)
    let event = try #require(try History(fixture.spool).trace(id).first)
    let record = try TaskRecord(parsing: #require(event.taskBytes))
    #expect(record.title == "old" && record.result?.description == "\"result of \(id)\"")
    #expect(try copied(fixture).isEmpty)
  }

  @Test func `one that is brought back meanwhile is brought back whole`() throws {
    let fixture = try Fixture("coder")
    var families: [(parent: MessageID, children: [MessageID])] = []
    for number in 0..<40 {
      let parent = try add(fixture, "parent \(number)") { $0.isJoin = true }
      let children = try (0..<2).map { child in try add(fixture, "child \(child)") { $0.parent = parent } }
      try end(fixture, children[0])
      try end(fixture, children[1], failing: true)
      families.append((parent, children))
    }
    #expect(try fixture.spool.tasks(in: [.failed]).count == 80)
    let path = fixture.path
    let all = families
    let removed = Atomic(0)
    try Linux.Thread.run([
      {
        guard let spool = try? Spool(at: path) else { return }
        for family in all.shuffled() {
          if let entry = try? spool.findTask(family.parent) { _ = try? spool.retryWithRelatives(entry) }
        }
      },
      {
        guard let spool = try? Spool(at: path) else { return }
        for _ in 0..<5 { removed.add((try? spool.collectTasks(olderThan: 0)) ?? 0, ordering: .relaxed) }
      },
    ])
    let left = try ids(fixture)
    for family in families {
      let members = [family.parent] + family.children
      let there = members.filter(left.contains)
      #expect(there.isEmpty || there.count == 3, "\(there) of \(members)")
    }
    #expect(removed.load(ordering: .relaxed) + left.count == 120)
    #expect(try copied(fixture) == left)
    print("\(removed.load(ordering: .relaxed)) of 120 were removed")
  }
}
