import Glibc
import Linux
import SpoolFormat
import TestSupport
import Testing

@testable import Spool

@Suite struct TaskRecoveryTests {
  /// A task in every state, by state.
  private func tasksInAllStates(_ fixture: Fixture) throws -> [TaskState: TaskEntry] {
    let spool = fixture.spool
    let bot = try fixture.bot()
    func add(_ title: String) throws -> TaskEntry { try spool.addTask(TaskRecord(title: title)) }
    func start(_ title: String) throws -> TaskEntry {
      let entry = try add(title)
      return try #require(try spool.start(entry, bot: bot, worker: nil))
    }
    let (pending, inProgress) = (try add("pending"), try start("in progress"))
    let (one, two, three, four, five) = (
      try add("assigned"), try start("blocked"), try start("completed"), try start("failed"), try start("cancelled")
    )
    return [
      .pending: pending, .inProgress: inProgress,
      .assigned: try #require(try spool.assign(one, to: bot)),
      .blocked: try #require(try spool.block(two, reason: "a person is needed")),
      .completed: try #require(try spool.complete(three, result: JSONText(string: "42"))),
      .failed: try #require(try spool.fail(four, error: "broken", isRetryable: false)),
      .cancelled: try #require(try spool.cancel(five)),
    ]
  }

  private enum Damage: CaseIterable { case missing, empty, cut, other }

  @Test(arguments: TaskState.allCases)
  func `a task whose file a power cut took or damaged is made again where it was, with its result`(state: TaskState)
    throws
  {
    for damage in Damage.allCases {
      let fixture = try Fixture("coder")
      let entry = try #require(try tasksInAllStates(fixture)[state])
      let file = "\(fixture.path)/\(entry.path)"
      let before = fixture.files("tasks")
      switch damage {
      case .missing: #expect(unlink(file) == 0)
      case .empty: try Plain.write(file, "")
      case .cut: try Plain.write(file, try Plain.read(file).dropLast(20))
      case .other: try Plain.write(file, #"{"id":"20261120T234512.345678Z-0123456789abcdef","title":"other"}"#)
      }
      let spool = try fixture.rebooted()
      #expect(fixture.files("tasks") == before, "\(state) \(damage)")
      #expect(spool.recovery?.count == 1)
      #expect(try fixture.rebooted().recovery?.count == 0)
    }
  }

  @Test func `a file that is moved to where the log has it gets the content that the log has of it, too`() throws {
    let fixture = try Fixture("coder")
    let (spool, bot) = (fixture.spool, try fixture.bot())
    let added = try spool.addTask(TaskRecord(title: "x"))
    let begun = try #require(try spool.start(added, bot: bot, worker: nil))
    let before = try Plain.read("\(fixture.path)/\(begun.path)")
    let waiting = try #require(try spool.fail(begun, error: "oh", delay: 0))
    let again = try #require(try spool.start(waiting, bot: bot, worker: nil))
    // The renames since then didn't come to the disk.
    #expect(unlink("\(fixture.path)/\(again.path)") == 0)
    try Plain.write("\(fixture.path)/\(begun.path)", before)
    let recovered = try fixture.rebooted()
    #expect(try recovered.findTask(again.id) == again)
    #expect(try recovered.record(of: again)?.failures.map(\.error) == ["oh"])
  }

  @Test(arguments: [true, false])
  func `what was completed is so again, though the log lost when it was begun`(isReadable: Bool) throws {
    let fixture = try Fixture("coder")
    let (spool, bot) = (fixture.spool, try fixture.bot())
    let added = try spool.addTask(TaskRecord(title: "x"))
    let begun = try #require(try spool.start(added, bot: bot, worker: nil))
    let bytes = try Plain.read("\(fixture.path)/\(begun.path)")
    let done = try #require(try spool.complete(begun, result: JSONText(string: "42")))
    let segment = try fixture.lastSegment()
    let log = try Plain.text(segment)
    try Plain.write(segment, log.replacing("task.started", with: "task.sXarted"))
    #expect(unlink("\(fixture.path)/\(done.path)") == 0)
    try Plain.write("\(fixture.path)/\(begun.path)", isReadable ? bytes : [])
    let recovered = try fixture.rebooted()
    #expect(try recovered.findTask(done.id) == done && recovered.record(of: done)?.result == JSONText(string: "42"))
  }

  /// By hand the attempt in the name stays what it is; the log's last line has a later one.
  @Test func `a file of an attempt whose lines the log lost is behind it`() throws {
    let fixture = try Fixture("coder")
    let (spool, bot) = (fixture.spool, try fixture.bot())
    let added = try spool.addTask(TaskRecord(title: "x"))
    let begun = try #require(try spool.start(added, bot: bot, worker: nil))
    let before = try Plain.read("\(fixture.path)/\(begun.path)")
    let waiting = try #require(try spool.fail(begun, error: "oh", delay: 0))
    let again = try #require(try spool.start(waiting, bot: bot, worker: nil))
    let failed = try #require(try spool.fail(again, error: "oh again", isRetryable: false))
    let segment = try fixture.lastSegment()
    let log = try Plain.text(segment)
    try Plain.write(
      segment, log.replacing("task.started", with: "task.sXarted").replacing("task.retried", with: "task.rXtried"))
    #expect(unlink("\(fixture.path)/\(failed.path)") == 0)
    try Plain.write("\(fixture.path)/\(begun.path)", before)
    let recovered = try fixture.rebooted()
    #expect(try recovered.findTask(failed.id) == failed)
    #expect(try recovered.record(of: failed)?.failures.map(\.error) == ["oh", "oh again"])
    // One of the same attempt was moved by somebody, and stays.
    let moved = "tasks/pending/\(failed.name)"
    #expect(rename("\(fixture.path)/\(failed.path)", "\(fixture.path)/\(moved)") == 0)
    _ = try fixture.rebooted()
    #expect(fixture.files("tasks").keys.contains(moved))
  }

  @Test func `a file that is behind the log is moved on, and one that a person moved stays`() throws {
    let fixture = try Fixture("coder")
    let entries = try tasksInAllStates(fixture)
    let done = try #require(entries[.completed])
    let before = fixture.files("tasks")
    // The power cut took the rename, and what was renamed: the old file is where it was.
    var old = try #require(try fixture.spool.task(done.id)).record
    old.result = nil
    let earlier = TaskEntry(
      state: .inProgress,
      name: EntryName(urgency: 5, id: done.id, attempt: 1, place: .bot(try fixture.bot(), nil)))
    try Plain.write("\(fixture.path)/\(earlier.path)", old.encoded)
    #expect(unlink("\(fixture.path)/\(done.path)") == 0)
    // Moved by hand to where the log never saw it.
    let pending = try #require(entries[.pending])
    let moved = "tasks/cancelled/\(pending.name)"
    #expect(rename("\(fixture.path)/\(pending.path)", "\(fixture.path)/\(moved)") == 0)
    _ = try fixture.rebooted()
    var expected = before
    expected[moved] = expected.removeValue(forKey: pending.path)
    #expect(fixture.files("tasks") == expected)
  }

  @Test func `both names of a move that the power cut in two become one`() throws {
    let fixture = try Fixture("coder")
    let done = try #require(try tasksInAllStates(fixture)[.completed])
    let before = fixture.files("tasks")
    let old = TaskRecord(title: "completed")
    try Plain.write("\(fixture.path)/tasks/in_progress/5-\(done.id)~1~coder.json", old.encoded)
    _ = try fixture.rebooted()
    #expect(fixture.files("tasks") == before)
  }

  @Test(arguments: [true, false])
  func `what the log has last counts, though its file is damaged or gone and an older one is whole that the log lost`(
    isGone: Bool
  ) throws {
    let fixture = try Fixture("coder")
    let (spool, bot) = (fixture.spool, try fixture.bot())
    let added = try spool.addTask(TaskRecord(title: "x"))
    let begun = try #require(try spool.start(added, bot: bot, worker: nil))
    let bytes = try Plain.read("\(fixture.path)/\(begun.path)")
    let blocked = try #require(try spool.block(begun, reason: "a person is needed"))
    let before = fixture.files("tasks")
    let segment = try fixture.lastSegment()
    try Plain.write(segment, try Plain.text(segment).replacing("task.started", with: "task.sXarted"))
    if isGone {
      unlink("\(fixture.path)/\(blocked.path)")
    } else {
      try Plain.write("\(fixture.path)/\(blocked.path)", "")
    }
    for path in isGone ? [added.path, begun.path] : [begun.path] { try Plain.write("\(fixture.path)/\(path)", bytes) }
    _ = try fixture.rebooted()
    #expect(fixture.files("tasks") == before)
  }

  @Test func `what was on the move or half added when the power failed is settled`() throws {
    let fixture = try Fixture("coder")
    let spool = fixture.spool
    let gone = Holder(host: spool.host, pid: DeadProcess.pid, start: DeadProcess.start)
    let pending = try spool.addTask(TaskRecord(title: "half done"))
    let started = try #require(try spool.start(pending, bot: fixture.bot(), worker: gone))
    let before = fixture.files("tasks")
    let directory = "\(fixture.path)/tasks/moving/\(gone)"
    mkdir(directory, 0o777)
    #expect(
      rename("\(fixture.path)/\(started.path)", "\(directory)/\(TaskMove(.old, started).fileName)") == 0)
    let end = TaskEntry(state: .completed, name: started.name)
    try Plain.write("\(directory)/\(TaskMove(.new, end).fileName)", "")
    try Plain.write(
      "\(fixture.path)/tasks/tmp/5-20261120T234512.345678Z-0123456789abcdef~0~\(gone).json", #"{"title":"never"}"#)
    _ = try fixture.rebooted()
    #expect(fixture.files("tasks") == before)
    #expect(Plain.names("\(fixture.path)/tasks/moving") == [])
  }

  @Test func `a copy of a live spool has every task`() throws {
    let fixture = try Fixture("coder")
    let entries = try tasksInAllStates(fixture)
    let copy = fixture.home("copy")
    try shell("cp -a spool copy", in: fixture.home.path)
    for (state, entry) in entries where state != .pending { #expect(unlink("\(copy)/\(entry.path)") == 0) }
    let opened = try Spool(at: copy)
    #expect(try Set(opened.tasks()) == Set(entries.values))
  }

  @Test func `the doctor mends tasks of a spool in use, and leaves alone what somebody is changing`() throws {
    let fixture = try Fixture("coder")
    let spool = fixture.spool
    let entries = try tasksInAllStates(fixture)
    let done = try #require(entries[.completed])
    try Plain.write("\(fixture.path)/\(done.path)", "")
    let busy = try #require(entries[.inProgress])
    let mine = "\(fixture.path)/tasks/moving/\(spool.holder)"
    #expect(rename("\(fixture.path)/\(busy.path)", "\(mine)/\(TaskMove(.old, busy).fileName)") == 0)
    let report = try Doctor(spool).examine(repairing: true)
    #expect(report.findings.map(\.path) == [done.path])
    #expect(try spool.task(done.id)?.record.result == JSONText(string: "42"))
    #expect(Plain.exists("\(mine)/\(TaskMove(.old, busy).fileName)"))
  }
}
