import Glibc
import Linux
import SpoolFormat
import TestSupport
import Testing

@testable import Spool

@Suite struct GroupRecoveryTests {
  private func group(_ spool: Spool, to state: GroupState) throws -> GroupEntry {
    let deadline = Timestamp(microseconds: Clock.wall()).advanced(bySeconds: 60)
    let announcement = Announcement("x", skills: [Card.Skill(name: "ml", level: .novice)], deadline: deadline)
    var record = GroupRecord(id: spool.newIdentifier(), announcement)
    var entry = try spool.addGroup(record, term: 1)
    func change(_ event: GroupEvent) throws {
      record.explanation.append(event.rawValue)
      entry = try #require(try spool.change(entry, event, to: record))
    }
    switch state {
    case .forming: break
    case .active: try change(.form)
    case .completed:
      try change(.form)
      try change(.complete)
    case .failed: try change(.fail)
    case .dissolved: entry = try #require(try spool.move(entry, .dissolve))
    }
    return entry
  }

  @Test func `what ended long enough ago goes with its tasks, is in the log, and doesn't come back`() throws {
    let fixture = try Fixture("coder")
    let spool = fixture.spool
    let entries = try [GroupState.forming, .active, .completed, .failed, .dissolved].map { try group(spool, to: $0) }
    let task = try spool.addTask(TaskRecord(title: "of the whole"))
    let last = entries[4]
    var record = try #require(try spool.record(of: last))
    record.task = task.id
    try Plain.write("\(fixture.path)/\(last.path)", record.encoded + [10])
    func left() throws -> Set<MessageID> { Set(try spool.groups().map(\.id)) }
    #expect(try spool.collectGroups(olderThan: 3600) == 0)
    #expect(try spool.collectGroups(olderThan: 0, dryRun: true) == 1 && left().count == 5)
    #expect(try spool.collectGroups(olderThan: 0) == 1)
    #expect(try left() == Set(entries.map(\.id)).subtracting([entries[3].id]))
    try spool.root.unlink(task.path)
    // Its hub died before it had acked the announcement.
    try spool.registerHub()
    let announced = "\(fixture.path)/bots/hub/inbox/5-\(last.id).json"
    try Plain.write(announced, #"{"content":"x"}"#)
    #expect(try spool.collectGroups(olderThan: 0) == 0)
    #expect(unlink(announced) == 0)
    #expect(try spool.collectGroups(olderThan: 0) == 1)
    #expect(try left() == Set(entries.prefix(3).map(\.id)))
    #expect(try History(spool).lastOfGroup(last.id)?.kind == .groupRemoved)
    #expect(Plain.names("\(fixture.path)/groups/moving").isEmpty)
    try shell("cp -a spool copy", in: fixture.home.path)
    #expect(Set(try Spool(at: fixture.home("copy")).groups().map(\.id)) == Set(entries.prefix(3).map(\.id)))
    // As when its remover died before it was gone.
    let dead = Holder(host: spool.host, pid: DeadProcess.pid, start: DeadProcess.start)
    let directory = "\(fixture.path)/\(Layout.groupsMoving(by: dead))"
    #expect(mkdir(directory, 0o777) == 0)
    try Plain.write("\(directory)/\(GroupMove(.old, last).fileName)", record.encoded + [10])
    var observations = GroupObservations()
    try spool.settleGroupMoves(&observations)
    #expect(try !left().contains(last.id) && access(directory, F_OK) != 0)
  }

  private enum Damage: CaseIterable { case missing, empty, cut, behind, behindUnseen }

  @Test(arguments: GroupState.allCases)
  func `a group whose file a power cut took or damaged is made again where it was`(state: GroupState) throws {
    for damage in Damage.allCases {
      let fixture = try Fixture("coder")
      let entry = try group(fixture.spool, to: state)
      let file = "\(fixture.path)/\(entry.path)"
      let before = fixture.files("groups")
      switch damage {
      case .missing: #expect(unlink(file) == 0)
      case .empty: try Plain.write(file, "")
      case .cut: try Plain.write(file, try Plain.read(file).dropLast(20))
      case .behind, .behindUnseen:
        guard state == .active else { continue }
        // The power cut took the last rename, and the file is as it was.
        let record = try #require(try fixture.spool.record(of: entry))
        try Plain.write("\(fixture.path)/\(GroupEntry(state: .forming, name: entry.name).path)", record.encoded)
        #expect(unlink(file) == 0)
        guard damage == .behindUnseen else { break }
        // Nor does the log know any more that it was there, but for the line that says from where it went.
        let segment = try fixture.lastSegment()
        try Plain.write(segment, try Plain.text(segment).replacing("group.announced", with: "group.anXounced"))
      }
      let spool = try fixture.rebooted()
      #expect(fixture.files("groups") == before, "\(state) \(damage)")
      if damage == .behindUnseen { continue }
      #expect(spool.recovery?.count == 1)
      #expect(try fixture.rebooted().recovery?.count == 0)
    }
  }

  @Test func `what a process left half done is finished when the log has it, and else taken back`() throws {
    for isLogged in [true, false] {
      let fixture = try Fixture("coder")
      let spool = fixture.spool
      let entry = try group(spool, to: .forming)
      let dead = Holder(host: spool.host, pid: DeadProcess.pid, start: DeadProcess.start)
      let changed = GroupEntry(state: .active, name: entry.name)
      #expect(mkdir("\(fixture.path)/\(Layout.groupsMoving(by: dead))", 0o777) == 0)
      func moving(_ move: GroupMove) -> String {
        "\(fixture.path)/\(Layout.groupMoving(by: dead, raw: move.fileName))"
      }
      let record = try #require(try spool.record(of: entry))
      try Plain.write(moving(GroupMove(.new, changed)), record.encoded + [10])
      #expect(rename("\(fixture.path)/\(entry.path)", moving(GroupMove(.old, entry))) == 0)
      if isLogged {
        spool.note(.groupFormed, entry.id.description) { writer in
          writer.beginObject()
          writer.member("state", "active")
          writer.member("name", entry.name.description)
          writer.key("group")
          writer.raw(record.encoded)
          writer.endObject()
        }
      }
      var observations = GroupObservations()
      try spool.settleGroupMoves(&observations)
      #expect(try spool.findGroup(entry.id) == (isLogged ? changed : entry))
      #expect(try !spool.root.names(Layout.groupsMoving).contains(dead.description))
    }
  }

  @Test func `a change that the log doesn't have is taken back, though the group would stand where it stood`() throws {
    let fixture = try Fixture("coder")
    let spool = fixture.spool
    let entry = try group(spool, to: .active)
    let before = try #require(try spool.record(of: entry))
    var after = before
    after.error = "half done"
    let dead = Holder(host: spool.host, pid: DeadProcess.pid, start: DeadProcess.start)
    let directory = "\(fixture.path)/\(Layout.groupsMoving(by: dead))"
    #expect(mkdir(directory, 0o777) == 0)
    try Plain.write("\(directory)/\(GroupMove(.new, entry).fileName)", after.encoded + [10])
    #expect(rename("\(fixture.path)/\(entry.path)", "\(directory)/\(GroupMove(.old, entry).fileName)") == 0)
    let left = try Doctor(spool).examine(repairing: false).findings.map(\.path)
    #expect(left.filter { $0.hasPrefix("groups/moving") }.count == 2, "\(left)")
    _ = try Doctor(spool).examine(repairing: true)
    #expect(try spool.record(of: entry) == before)
    #expect(try Doctor(spool).examine(repairing: false).findings.isEmpty)
  }

  @Test func `what another host's process left counts as given up when it has stood for a lease's length`() throws {
    let fixture = try Fixture("coder") { $0.leaseSeconds = 0.2 }
    let entry = try group(fixture.spool, to: .active)
    let far = Holder(host: "elsewhere", pid: 7, start: 7)
    let directory = "\(fixture.path)/\(Layout.groupsMoving(by: far))"
    #expect(mkdir(directory, 0o777) == 0)
    let moving = "\(fixture.path)/\(Layout.groupMoving(by: far, raw: GroupMove(.old, entry).fileName))"
    #expect(rename("\(fixture.path)/\(entry.path)", moving) == 0)
    var observations = GroupObservations()
    try fixture.spool.settleGroupMoves(&observations)
    #expect(access(moving, F_OK) == 0, "it may be at it")
    #expect(
      try eventually {
        try fixture.spool.settleGroupMoves(&observations)
        return access(moving, F_OK) != 0
      })
    #expect(try fixture.spool.findGroup(entry.id) == entry)
    #expect(access(directory, F_OK) != 0)
  }

  @Test func `of two who move a group one wins, and each transition that can't be is refused`() throws {
    let fixture = try Fixture("coder")
    let spool = fixture.spool
    let entry = try group(spool, to: .forming)
    let taken = try #require(try spool.take(entry, term: 2))
    #expect(taken.term == 2)
    #expect(try spool.move(entry, .dissolve) == nil)
    let record = try #require(try spool.record(of: taken))
    #expect(try spool.change(entry, .form, to: record) == nil)
    #expect(throws: SpoolError.self) { try spool.move(taken, .complete) }
    #expect(try spool.move(taken, .dissolve)?.state == .dissolved)
    #expect(try spool.root.names("groups/moving").allSatisfy { try spool.root.names("groups/moving/\($0)").isEmpty })
  }
}
