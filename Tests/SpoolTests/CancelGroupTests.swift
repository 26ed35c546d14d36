import SpoolFormat
import TestSupport
import Testing

@testable import Spool

@Suite struct CancelGroupTests {
  @Test func `only an announcement is taken back, whatever else waits for the hub`() throws {
    let fixture = try Fixture("hub")
    let question = try fixture.send("a question", to: "hub")
    let cancelling = code { _ = try fixture.spool.cancelGroup(named: "\(question)", reason: nil, by: nil) }
    #expect(cancelling == .notFound)
    #expect(fixture.names("inbox", of: "hub").count == 1)
    let announcement = try fixture.send("a group", to: "hub") { $0.type = .taskAnnounce }
    // Both ids begin with the year.
    #expect(try fixture.spool.cancelGroup(named: "\(announcement)".prefix(4).description, reason: nil, by: nil) == nil)
    #expect(fixture.names("inbox", of: "hub") == ["5-\(question).json"])
    #expect(fixture.names("done", of: "hub") == ["5-\(announcement).json"])
  }
}
