import Glibc
import SpoolFormat
import TestSupport
import Testing

@testable import Spool

/// Ids that others made, by clocks that may be wrong.
@Suite struct IdentifierTests {
  @Test func `an id that is further ahead than clocks may be isn't used; whatever has one is found in the log`() throws
  {
    let fixture = try Fixture("coder") { $0.segmentBytesMax = 4096 }
    let spool = fixture.spool
    func drop(_ name: String, ahead seconds: Double) throws -> (given: MessageID, used: MessageID) {
      let id = MessageID(time: spool.now().advanced(bySeconds: seconds), random: 17)
      try Plain.write(fixture.box("inbox") + "/\(name).json", #"{"content":"x","id":"\#(id)"}"#)
      let claim = try #require(try fixture.inbox().claim())
      try spool.ack(claim.bot, claim.name)
      return (id, claim.name.id)
    }
    let (near, far) = (try drop("near", ahead: 3000), try drop("far", ahead: 7200))
    #expect(near.used == near.given && far.used != far.given)
    // As a clock made it that was set back since.
    let later = MessageID(time: spool.now().advanced(bySeconds: 86400), random: 18)
    var record = TaskRecord(title: "later")
    record.id = later
    try spool.addTask(record)
    for _ in 0..<12 { try fixture.send(String(repeating: "x", count: 1000)) }
    for id in [near.used, far.used] { #expect(try fixture.kinds(of: id).first == .messageSent) }
    #expect(try History(spool).lastOfTask(later)?.kind == .taskAdded)
  }
}
