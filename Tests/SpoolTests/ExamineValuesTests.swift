import Glibc
import Linux
import SpoolFormat
import TestSupport
import Testing

@testable import Spool

@Suite struct ExamineValuesTests {
  /// As `jq .` prints them, and as an editor saves them.
  @Test func `a value with line breaks is one line of the log, and can't pass for several`() throws {
    let fixture = try Fixture("coder")
    let key = try StateKey(parsing: "light")
    func json(_ text: String) throws -> JSONText { try JSONText(validating: text) }
    let id = try fixture.send("hello")
    let forged = LogEvent.line(
      kind: .messageAcked, subject: "\(id)", source: "/elsewhere/1.1", number: 1, time: fixture.spool.now()
    ) { $0.raw(JSONText(trusted: Array(#"{"bot":"coder"}"#.utf8))) }
    try fixture.spool.setState(key, to: json("{\n  \"on\": true,\r\n  \"x\": [1,\n 2]\n}"))
    try fixture.spool.setState(key, to: json("[\n\(String(decoding: forged, as: UTF8.self))]"))
    try Plain.write("\(fixture.path)/state/light.json", "[\n\(String(decoding: forged, as: UTF8.self)),\n3]")
    #expect(try fixture.spool.state(key)?.version == 3)
    let logged = try History(fixture.spool).states(key)
    #expect(logged.map(\.version) == [1, 2, 3])
    #expect(logged.first?.value?.description == #"{"on":true,"x":[1,2]}"#)
    #expect(try fixture.kinds(of: id) == [.messageSent])
    #expect(try Doctor(fixture.spool).examine(repairing: false).count == 0)
    let file = String(decoding: try Plain.read("\(fixture.path)/state/light.json"), as: UTF8.self)
    #expect(file.split(separator: "\n").count == 1)
  }

  @Test func `what couldn't be read again is no value, by whom or how deep it may be`() throws {
    let fixture = try Fixture()
    func key(_ name: String = "light") throws -> StateKey { try StateKey(parsing: name) }
    func json(_ text: String) throws -> JSONText { try JSONText(validating: text) }
    let name = String(repeating: "b", count: Message.labelBytesMax)
    #expect(try fixture.spool.setState(key(), to: json("1"), by: name).by == name)
    #expect(code { try fixture.spool.setState(key(), to: json("2"), by: name + "b") } == .badData)
    #expect(code { try fixture.spool.deleteState(key(), by: name + "b") } == .badData)
    let deep = String(repeating: "[", count: JSON.depthMax) + String(repeating: "]", count: JSON.depthMax)
    try Plain.write("\(fixture.path)/state/deep.json", deep)
    #expect(code { _ = try fixture.spool.state(key("deep")) } == .badData)
    #expect(try Plain.text("\(fixture.path)/state/deep.json") == deep)
    try Plain.write("\(fixture.path)/state/deep.json", String(deep.dropFirst().dropLast()))
    #expect(try fixture.spool.state(key("deep"))?.version == 1)
  }

  @Test func `the doctor tells of values that can't be read`() throws {
    let fixture = try Fixture()
    try Plain.write("\(fixture.path)/state/bad.json", "{bad")
    #expect(try Doctor(fixture.spool).remarks().contains { $0.contains("bad.json is no value") })
  }

  @Test func `what a dead process never decided on is removed, what it decided is finished, and all else stays`() throws
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
    let wrong = Set([left, decided.path])
    #expect(try Set(Doctor(fixture.spool).examine(repairing: false).findings.map(\.path)) == wrong)
    #expect(try fixture.spool.state(key)?.version == 1)
    #expect(try Set(Doctor(fixture.spool).examine(repairing: true).findings.map(\.path)) == wrong)
    #expect(try fixture.spool.state(key)?.version == 2)
    #expect(Plain.names("\(fixture.path)/state/tmp").count == 1)
    #expect(try fixture.spool.setState(key, to: JSONText(validating: "3")).version == 3)
  }
}
