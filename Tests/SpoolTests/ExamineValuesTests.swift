import Glibc
import Linux
import SpoolFormat
import TestSupport
import Testing

@testable import Spool

@Suite struct ExamineValuesTests {
  @Test func `the doctor tells of values that can't be read`() throws {
    let fixture = try Fixture()
    try Plain.write("\(fixture.path)/state/bad.json", "{bad")
    #expect(try Doctor(fixture.spool).remarks().contains { $0.contains("bad.json is no value") })
  }

  @Test func `what a dead process never decided on is removed, and what was decided, or is being decided, stays`()
    throws
  {
    let fixture = try Fixture()
    let key = try StateKey(parsing: "light")
    try fixture.spool.setState(key, to: JSONText(validating: "1"))
    let dead = Holder(host: fixture.spool.host, pid: DeadProcess.pid, start: DeadProcess.start)
    func begun(_ version: Int, _ holder: Holder) throws -> (token: StateToken, path: String) {
      let token = StateToken(version: version, holder: holder, serial: UInt32(version))
      let path = Layout.undecided(key, token)
      try Plain.write("\(fixture.path)/\(path)", "{\"value\":\(version),\"version\":\(version)}\n")
      return (token, path)
    }
    let left = try begun(1, dead).path
    _ = try begun(2, fixture.spool.holder)
    let decided = try begun(2, dead)
    let versions = "\(fixture.path)/\(Layout.versions(key))"
    #expect(rename("\(versions)/\(Plain.names(versions)[0])", "\(versions)/\(decided.token)") == 0)
    #expect(try Doctor(fixture.spool).examine(repairing: false).findings.map(\.path) == [left])
    #expect(try Doctor(fixture.spool).examine(repairing: true).findings.map(\.path) == [left])
    #expect(Plain.names("\(fixture.path)/state/tmp").count == 2)
    #expect(try fixture.spool.setState(key, to: JSONText(validating: "3")).version == 3)
  }
}
