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
}
