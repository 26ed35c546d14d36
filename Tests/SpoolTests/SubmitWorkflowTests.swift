import Glibc
import SpoolFormat
import TestSupport
import Testing

@testable import Spool

@Suite struct SubmitWorkflowTests {
  @Test func `what a killed submit left out is left to who took that up after it was looked at`() throws {
    let fixture = try Fixture()
    let spool = fixture.spool
    let file = #"{"title": "all", "steps": [{"name": "a"}, {"name": "b", "depends_on": ["a"]}]}"#
    let submitted = try spool.submit(Workflow(parsing: Array(file.utf8)), Workflow.Origin())
    func parent() throws -> StoredTask { try #require(try spool.task(submitted.parent)) }
    func submitter() throws -> String? {
      try parent().record.extra.first { $0.name == "submitted_by" }?.value.value.string
    }
    func isTakenUp(by holder: String) throws {
      try spool.change(parent().entry, .block) { record in
        record.extra.removeAll { $0.name == "submitted_by" }
        record.extra.append(Message.Field(name: "submitted_by", value: JSONText(string: holder)))
      }
    }
    try isTakenUp(by: DeadProcess.holder(on: spool.host))
    let missing = try #require(try spool.findTask(submitted.steps[1].id))
    #expect(unlink("\(fixture.path)/\(missing.path)") == 0)
    let seen = try parent()
    #expect(try spool.stepsMissing(of: seen) == 1)
    try isTakenUp(by: "elsewhere.17.17")
    #expect(try spool.finishSubmitting(seen) == 0)
    #expect(try submitter() == "elsewhere.17.17")
    #expect(try spool.findTask(missing.id) == nil)
  }
}
