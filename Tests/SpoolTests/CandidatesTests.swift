import Glibc
import SpoolFormat
import TestSupport
import Testing

@testable import Spool

@Suite struct CandidatesTests {
  @Test func `a claim that was moved back by hand under its holder's name is handed out again`() throws {
    let fixture = try Fixture("coder")
    try fixture.send("again", to: "coder")
    let claim = try #require(try fixture.inbox(detached: true).claim())
    #expect(rename(fixture.box("claimed") + "/\(claim.name)", fixture.box("inbox") + "/\(claim.name)") == 0)
    let second = try #require(try fixture.inbox().claim(), "it stays in the inbox for ever")
    #expect(second.message.content == "again")
    #expect(second.attempt == 2)
  }

  @Test func `what is due is handed out though more than are kept wait for their time`() throws {
    let now = Timestamp(microseconds: 1_000_000_000_000)
    var candidates = Candidates()
    func name(_ random: Int, dueIn seconds: Double) -> EntryName {
      let id = MessageID(time: Timestamp(microseconds: random), random: UInt64(random))
      return EntryName(urgency: 5, id: id, attempt: 1, place: .waitingUntil(now.advanced(bySeconds: seconds)))
    }
    for number in 0..<(3 * Candidates.countMax) {
      candidates.insert(name(number, dueIn: 1000 + Double(number)), now: now)
    }
    let (due, soon) = (name(-1 + 4 * Candidates.countMax, dueIn: -1), name(5 * Candidates.countMax, dueIn: 1))
    candidates.insert(due, now: now)
    candidates.insert(soon, now: now)
    #expect(candidates.popFirst() == due)
    #expect(candidates.popFirst() == nil)
    #expect(candidates.nextDue == soon.notBefore)
    candidates.wake(at: now.advanced(bySeconds: 2))
    #expect(candidates.popFirst() == soon)
  }
}
