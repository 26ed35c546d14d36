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

  @Test func `of a full inbox the names of plain messages past those that are kept are left out, and no others`() {
    func name(_ number: Int) -> String {
      "\(EntryName(urgency: 5, id: MessageID(time: Timestamp(microseconds: number), random: 0xabc)))"
    }
    func leavesOut(_ candidates: Candidates, _ name: String) -> Bool {
      var name = name
      return name.withUTF8 { candidates.leavesOut($0) }
    }
    let now = Timestamp(microseconds: 1_000_000_000_000)
    var candidates = Candidates()
    let last = 4 * Candidates.countMax
    #expect(!leavesOut(candidates, name(last)))
    for number in 0..<(3 * Candidates.countMax) { candidates.insert(EntryName(name(number))!, now: now) }
    #expect(candidates.isPartial)
    let plain = name(last)
    #expect(leavesOut(candidates, plain) && leavesOut(candidates, "6" + name(0).dropFirst()))
    #expect(!leavesOut(candidates, name(0)) && !leavesOut(candidates, "4" + plain.dropFirst()))
    let stem = String(plain.dropLast(5))
    for other in [
      stem + "~1.json", stem + ".jsonx", "\(stem.dropLast())g.json", "\(stem.dropLast())A.json", "z" + stem, "x.json",
    ] {
      #expect(!leavesOut(candidates, other), "\(other)")
    }
  }
}
