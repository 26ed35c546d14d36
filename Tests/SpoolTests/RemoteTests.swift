import Glibc
import Linux
import SpoolFormat
import TestSupport
import TestThreads
import Testing

@testable import Spool

/// What differs where several hosts share the storage; forced on storage that is this host's own. Real hosts are tried in
/// Tests/TwoHosts.
@Suite(.waiting) struct RemoteTests {
  private static let environment = ["SPOOL_STORAGE": "shared"]

  @Test func `looks are a tenth of a second apart while things happen, and at last four seconds`() {
    let pace = LookPace()
    let now = Clock.sinceBoot()
    func interval(after seconds: Double) -> Double { Double(pace.interval(now: now + Int(seconds * 1e9))) / 1e9 }
    for _ in 0..<100 {
      #expect(0.08...0.12 ~= interval(after: 0.2))
      #expect(0.9...1.13 ~= interval(after: 16.1))
      #expect(3.5...4.4 ~= interval(after: 1000))
    }
    #expect(Set((0..<100).map { _ in interval(after: 1000) }).count > 50, "all would look at once")
  }

  @Test func `a look that took long, for whatever reason, keeps nobody from the next one for long`() {
    let second = 1_000_000_000
    #expect(LookPace.rest(after: second / 100) == second / 5)
    #expect(LookPace.rest(after: second / 100, times: 200) == 2 * second)
    #expect(LookPace.rest(after: second) == 5 * second)
    #expect(LookPace.rest(after: 3 * second, times: 200) == 5 * second)
    #expect(LookPace.rest(after: 20 * second) == 20 * second)
    #expect(LookPace.rest(after: 36_000 * second) == 60 * second)
  }

  @Test func `who was quiet looks often again when something is found that wasn't there before`() {
    var pace = LookPace(atMost: 60_000_000_000, since: Clock.sinceBoot() - 100_000_000_000)
    #expect(pace.interval() > 5_000_000_000)
    pace.note(LookPace.Signature())
    #expect(pace.interval() > 5_000_000_000)
    var signature = LookPace.Signature()
    signature.add("one")
    pace.note(signature)
    #expect(pace.interval() < 1_000_000_000)
    #expect(pace.interval(now: Clock.sinceBoot() + 100_000_000_000) > 5_000_000_000)
    var other = LookPace.Signature()
    other.add("two")
    other.add("one")
    var same = LookPace.Signature()
    same.add("one")
    same.add("two")
    #expect(other.value == same.value && other.value != signature.value)
  }

  @Test func `a receiver that no event tells of anything finds what comes, by looking`() throws {
    let fixture = try Fixture("coder")
    let outcome = try OwnProcess.run("wait for ten", [fixture.path, "polling"], environment: Self.environment)
    #expect(outcome.isDone, "\(outcome)")
  }

  @Test func `a machine whose name another has goes by one of its own, and the doctor says so`() throws {
    let fixture = try Fixture("coder")
    let environment = ["SPOOL_STORAGE": "shared", "SPOOL_HOST": "twin"]
    func run(_ arguments: String...) throws -> SpoolCommand.Outcome {
      try SpoolCommand.run(arguments, in: fixture.path, environment: environment)
    }
    #expect(try run("send", "coder", "one").isDone)
    #expect(Plain.names("\(fixture.path)/log").contains("twin"))
    #expect(try run("doctor").output.contains("fit for several hosts"))
    // As if another machine had come first.
    try Plain.write("\(fixture.path)/log/twin/machine", String(repeating: "a", count: 32) + "\n")
    #expect(try run("send", "coder", "two").isDone)
    let parts = Plain.names("\(fixture.path)/log").filter { $0.hasPrefix("twin-") }
    #expect(parts.count == 1)
    let said = try run("doctor")
    #expect(said.status == 1 && said.output.contains("SPOOL_HOST") && said.output.contains(parts[0]), "\(said)")
    #expect(try run("receive", "coder", "--ack").line == "one")
    #expect(try run("receive", "coder", "--ack").line == "two")
    #expect(try run("log").output.contains("two"))
    // As a power cut may leave it.
    try Plain.write("\(fixture.path)/log/twin/machine", "")
    #expect(try run("send", "coder", "three").isDone)
    #expect(try Plain.text("\(fixture.path)/log/twin/machine").count == 33)
  }

  @Test func `the doctor measures storage that is shared, and says nothing of it otherwise`() throws {
    let fixture = try Fixture("coder")
    let checks = try SpoolCommand.run(["doctor", "--json"], in: fixture.path, environment: Self.environment)
    #expect(checks.isDone, "\(checks)")
    for name in ["mount", "names", "rename", "links", "visibility", "clock", "locks"] {
      #expect(checks.output.contains("\"storage\":\"\(name)\""), "\(checks)")
    }
    #expect(!checks.output.contains("\"fit\":false"))
    #expect(try SpoolCommand.run(["doctor", "--json"], in: fixture.path).output == "")
    #expect(Plain.names("\(fixture.path)/tmp").isEmpty)
  }

  @Test func `a mount whose options don't go with several hosts is known by them`() throws {
    func cures(_ type: String, _ options: String) -> [String] {
      let line = "36 35 0:44 / /mnt/s rw,relatime shared:1 - \(type) server:/export rw,\(options)\n"
      let table = MountTable(line)
      #expect(table.entries.count == 1 && table.entries[0].device == 44 && table.entries[0].place == "/mnt/s")
      return table.entries[0].cures
    }
    #expect(cures("nfs4", "vers=4.2,hard,proto=tcp,local_lock=none,addr=10.0.0.1").isEmpty)
    for option in ["nolock", "local_lock=all", "local_lock=flock", "nocto", "soft", "softerr"] {
      #expect(cures("nfs", "vers=3,\(option),proto=tcp").count == 1, "\(option)")
    }
    #expect(cures("cifs", "cache=loose,nobrl").count == 2)
    #expect(cures("fuse.sshfs", "user_id=0").count == 1)
    #expect(cures("fuse.glusterfs", "user_id=0").isEmpty)
  }

  @Test func `an agreement is as old as the file system's clock says, whatever this host's does`() throws {
    let fixture = try Fixture("coder")
    let clock = fixture.home("clock")
    let outcome = try OwnProcess.run(
      "agree, and set the clock forward", [fixture.path, clock],
      environment: ["SPOOL_STORAGE": "shared", "SPOOL_CLOCK_JUMP": clock])
    #expect(outcome.line == "1", "\(outcome)")
  }
}
