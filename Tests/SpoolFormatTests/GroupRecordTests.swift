import SpoolFormat
import Testing

@Suite struct GroupRecordTests {
  @Test func `a result that is nested too deep to stand in the group's file is left with its task`() throws {
    let id = MessageID(time: Timestamp(microseconds: 1), random: 1)
    let skill = Card.Skill(name: "ml", level: .novice)
    var record = GroupRecord(id: id, Announcement("x", skills: [skill], deadline: Timestamp(microseconds: 2)))
    record.parts = [GroupRecord.Part(bot: try BotName(parsing: "mia"), skills: [skill], task: id)]
    func result(_ depth: Int) throws -> JSONText {
      try JSONText(
        validating: Array(String(repeating: "[", count: depth).utf8) + Array(String(repeating: "]", count: depth).utf8))
    }
    for depth in [1, 100, JSON.depthMax - 3, JSON.depthMax - 2, JSON.depthMax] {
      let kept = record.kept(try result(depth), of: record.parts[0])
      #expect((kept == (try result(depth))) == (depth <= JSON.depthMax - 3), "\(depth)")
      record.parts[0].result = kept
      #expect(throws: Never.self) { try GroupRecord(parsing: record.encoded) }
      record.parts[0].result = nil
    }
  }
}
