import Glibc
import Linux
import SpoolFormat
import TestSupport
import Testing

@testable import Spool

/// What is alike of tasks and groups: how they are named on a command line, and what is said of files that are none.
@Suite struct FiledEntriesTests {
  /// Something else in the place of a file.
  private func make(_ what: String, _ fixture: Fixture, _ path: String) throws {
    let path = "\(fixture.path)/\(path)"
    switch what {
    case "FIFO": #expect(mkfifo(path, 0o600) == 0)
    case "link": #expect(symlink("/etc/hostname", path) == 0)
    default:
      try Plain.write(path, "")
      #expect(truncate(path, 1 << 30) == 0)
    }
  }

  @Test(arguments: [
    ("FIFO", "not a regular file"), ("link", "a symbolic link, where a NOUN should be (links are not followed)"),
    ("long", "more bytes than the MAX that a NOUN may have"),
  ])
  func `what is wrong with a file is said in the same words of a task, a group and a value`(
    what: String, reason: String
  ) throws {
    let fixture = try Fixture("coder")
    let spool = fixture.spool
    let name = EntryName(urgency: 5, id: spool.newIdentifier())
    let (task, group) = (TaskEntry(state: .pending, name: name), GroupEntry(state: .active, name: name))
    for directory in ["groups", "groups/active", "state"] { try spool.root.makeDirectory(directory) }
    for path in [task.path, group.path, "state/light.json"] { try make(what, fixture, path) }
    func said(_ noun: String, _ bytesMax: Int) -> String {
      reason.replacing("NOUN", with: noun).replacing("MAX", with: "\(bytesMax)")
    }
    #expect(code { _ = try spool.record(of: task) } == .badData && code { _ = try spool.record(of: group) } == .badData)
    let cure = " (move it away by hand, or mend it)"
    #expect(error { _ = try spool.record(of: task) } == "\(task.path): \(said("task", TaskRecord.bytesMax))\(cure)")
    #expect(error { _ = try spool.record(of: group) } == "\(group.path): \(said("group", GroupRecord.bytesMax))\(cure)")
    let value = error { _ = try spool.state(StateKey(parsing: "light")) }
    #expect(value.hasPrefix("state/light.json is no value: \(said("value", StateValue.fileBytesMax)) ("), "\(value)")
    // The doctor tells of both, and names the path once.
    let findings = try Doctor(spool).examine(repairing: false).findings.filter(\.isLeft)
    #expect(
      Set(findings.map { "\($0.path) \($0.problem)" }) == [
        "\(task.path) is no task: \(said("task", TaskRecord.bytesMax))",
        "\(group.path) is no group: \(said("group", GroupRecord.bytesMax))",
      ])
  }

  @Test func `the doctor names what lies among the groups and is none`() throws {
    let fixture = try Fixture("coder")
    for directory in ["groups", "groups/active"] { try fixture.spool.root.makeDirectory(directory) }
    let before = try Doctor(fixture.spool).remarks()
    try Plain.write("\(fixture.path)/groups/active/junk", "{}")
    #expect(
      try Doctor(fixture.spool).remarks().filter { !before.contains($0) } == [
        "groups/active/ has 1 that nobody looks at: junk; groups form for what spool announce says"
      ])
  }

  @Test func `too short a part of an id is told as that`() throws {
    let spool = try Fixture("coder").spool
    let hint = "(give three characters of its id, at least)"
    #expect(error { _ = try spool.group(named: "77") } == "no group 77 \(hint)")
    #expect(error { _ = try spool.task(named: "77") } == "no task 77 \(hint)")
    #expect(error { _ = try spool.group(named: "777") } == "no group 777 (see: spool group list --all)")
  }

  @Test func `what is no file in the hub's inbox keeps nobody from asking what is announced`() throws {
    let fixture = try Fixture("hub")
    let path = "bots/hub/inbox/5-\(fixture.spool.newIdentifier()).json"
    for what in ["FIFO", "link", "long"] {
      try make(what, fixture, path)
      #expect(try !fixture.spool.isAnnounced(fixture.spool.newIdentifier()))
      #expect(unlink("\(fixture.path)/\(path)") == 0)
    }
    // What is announced again has another id than its group.
    let group = fixture.spool.newIdentifier()
    try make("FIFO", fixture, path)
    try fixture.send("again", to: "hub") {
      $0.type = .taskAnnounce
      $0.conversation = "\(group)"
    }
    #expect(try fixture.spool.isAnnounced(group))
  }
}
