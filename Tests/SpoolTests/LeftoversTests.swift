import Glibc
import SpoolFormat
import TestSupport
import Testing

@testable import Spool

@Suite struct LeftoversTests {
  @Test func `what waits, and was never moved, costs recovery no more than a hundred and sixty bytes a message`() throws
  {
    let fixture = try Fixture("coder")
    let count = 40_000
    for number in 0..<count {
      let id = MessageID(time: Timestamp(microseconds: 1_700_000_000_000_000 + number), random: UInt64(number))
      let raw = creat("\(fixture.box("inbox"))/\(EntryName(urgency: 5, id: id))", 0o644)
      #expect(raw != -1)
      close(raw)
    }
    let outcome = try OwnProcess.run("look for leftovers", [fixture.path])
    let bytes = try #require(Int(outcome.line), "\(outcome)") / count
    #expect(bytes <= 160)
    print("leftovers: \(bytes) bytes a message")
  }

  @Test func `what hosts that are gone noted of leases is collected, and is kept for a day`() throws {
    let fixture = try Fixture("coder")
    let notes = ["gone.leases", "box-17.leases"]
    for name in notes + ["x.1.1"] { try Plain.write(fixture.box("presence") + "/\(name)", "") }
    var wish = CollectionWish()
    wish.olderThan = 0
    _ = try fixture.spool.collect(wish, records: [:])
    wish.youngestNotes = 0
    wish.isDryRun = true
    _ = try fixture.spool.collect(wish, records: [:])
    #expect(Set(fixture.names("presence")).isSuperset(of: notes))
    wish.isDryRun = false
    _ = try fixture.spool.collect(wish, records: [:])
    #expect(fixture.names("presence") == ["x.1.1"])
  }
}
