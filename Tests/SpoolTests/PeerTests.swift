import Glibc
import Linux
import SpoolFormat
import TestSupport
import TestThreads
import Testing

@testable import Spool

/// Doctors of several hosts that measure together; on storage of this host's own, under several names. Real hosts, and
/// mounts that are unfit, are tried in Tests/TwoHosts.
@Suite(.waiting) struct PeerTests {
  private static func start(_ host: String, in fixture: Fixture, _ arguments: String...) throws -> Running {
    try SpoolCommand.start(
      ["doctor", "--json"] + arguments, in: fixture.path,
      environment: ["SPOOL_STORAGE": "shared", "SPOOL_HOST": host])
  }

  private static let measured = [
    "names", "new-file", "renamed-file", "grown-file", "replaced-file", "clocks", "renames", "links", "locks",
  ]

  @Test(arguments: [2, 3]) func `doctors that are run at once measure with each other, and leave nothing`(
    count: Int
  ) throws {
    let fixture = try Fixture("coder")
    let hosts = ["one", "two", "three"].prefix(count)
    let running = try hosts.map { try Self.start($0, in: fixture, "--hosts", "\(count)") }
    for (host, process) in zip(hosts, running) {
      let outcome = try process.wait(seconds: 60)
      #expect(outcome.isDone, "\(host): \(outcome)")
      for other in hosts where other != host {
        for name in Self.measured {
          #expect(
            outcome.output.contains("{\"storage\":\"\(name)\",\"with\":\"\(other)\",\"found\":"),
            "\(host) has no \(name) with \(other): \(outcome)")
        }
      }
      #expect(!outcome.output.contains("\"fit\":false"))
      #expect(outcome.error.isEmpty)
    }
    #expect(Plain.names("\(fixture.path)/tmp").isEmpty)
  }

  @Test func `a doctor to whom nobody comes says so, and how to have one come`() throws {
    let fixture = try Fixture("coder")
    // One on this very host is nobody.
    let running = try (0..<2).map { _ in try Self.start("one", in: fixture, "--hosts", "2", "--wait", "300ms") }
    for process in running {
      let outcome = try process.wait(seconds: 60)
      #expect(outcome.status == 1)
      #expect(outcome.output.contains("nobody came"), "\(outcome)")
      #expect(outcome.output.contains("spool doctor --hosts 2"), "\(outcome)")
    }
    #expect(Plain.names("\(fixture.path)/tmp").isEmpty)
  }

  @Test func `storage of this host's own isn't measured between hosts, and shared storage tells how to`() throws {
    let fixture = try Fixture("coder")
    let refused = try SpoolCommand.run(["doctor", "--hosts", "2"], in: fixture.path)
    #expect(refused.status == 64 && refused.error.contains("SPOOL_STORAGE=shared"), "\(refused)")
    let told = try SpoolCommand.run(["doctor"], in: fixture.path, environment: ["SPOOL_STORAGE": "shared"])
    #expect(told.isDone && told.output.contains("spool doctor --hosts 2"), "\(told)")
    let alone = try SpoolCommand.run(["doctor"], in: fixture.path)
    #expect(!alone.output.contains("--hosts"))
  }

  @Test func `a doctor that is killed while it waits is passed over, and its file is removed`() throws {
    let fixture = try Fixture("coder")
    let killed = try Self.start("one", in: fixture, "--hosts", "2", "--wait", "1m")
    #expect(eventually { !Plain.names("\(fixture.path)/tmp").filter { $0.hasSuffix("~hello") }.isEmpty })
    killed.kill()
    #expect(try killed.wait(seconds: 20).isKilled)
    let hello = try #require(Plain.names("\(fixture.path)/tmp").first { $0.hasSuffix("~hello") })
    // As when it dies between two of its calls.
    try Plain.write("\(fixture.path)/tmp/\(hello.dropLast(5))anew", "")
    // One of another name may try to talk to it first; one of the same host knows that it is dead.
    let later = try ["one", "two"].map { try Self.start($0, in: fixture, "--hosts", "2", "--wait", "40s") }
    for process in later {
      let outcome = try process.wait(seconds: 60)
      #expect(outcome.isDone, "\(outcome)")
    }
    #expect(Plain.names("\(fixture.path)/tmp").isEmpty)
  }

  @Test func `a doctor whose peer is killed while they measure says so, and cleans up`() throws {
    let fixture = try Fixture("coder")
    let killed = try Self.start("one", in: fixture, "--hosts", "2")
    let left = try Self.start("two", in: fixture, "--hosts", "2")
    #expect(eventually { Plain.names("\(fixture.path)/tmp").contains { $0.contains("~new-3") } })
    killed.kill()
    #expect(try killed.wait(seconds: 20).isKilled)
    let outcome = try left.wait(seconds: 60)
    #expect(outcome.status == 1 && outcome.output.contains("one stopped answering"), "\(outcome)")
    // The dead one's word that it is there stays until its own host's doctor comes by.
    #expect(Plain.names("\(fixture.path)/tmp").filter { !$0.hasSuffix("~hello") }.isEmpty)
  }

  // MARK: What follows from what was measured

  private static func peer(_ host: String, wanted: String? = nil, machine: String = "m", boot: String = "b")
    -> PeerSearch.Peer
  {
    PeerSearch.Peer(
      tag: "0123456789abcdef", host: host, wanted: wanted ?? host, machine: machine, boot: boot, holder: "\(host).1.1")
  }

  @Test func `what a doctor says of itself is read again, and nothing else is`() {
    let peer = Self.peer("hostb", machine: "0f", boot: "ff")
    #expect(PeerSearch.Peer(tag: peer.tag, parsing: Array(peer.text.utf8)) == peer)
    for text in ["", "\n\n\n\n\n\n", peer.text + "more", String(peer.text.dropLast()), "nanospool-doctor 2\n"] {
      #expect(PeerSearch.Peer(tag: peer.tag, parsing: Array(text.utf8)) == nil, "\(text.debugDescription)")
    }
  }

  @Test func `two machines of one name are known when they meet`() {
    let host = Self.peer("host")
    #expect(PeerVerdict.names(own: host, peer: Self.peer("other", machine: "n", boot: "c")).cure == nil)
    let suffixed = PeerVerdict.names(
      own: host, peer: Self.peer("host-123456", wanted: "host", machine: "n", boot: "c"))
    #expect(suffixed.cure?.contains("SPOOL_HOST") == true)
    // Cloned, with its machine-id: taken for the same host by everything else.
    let cloned = Self.peer("host", boot: "c")
    #expect(!cloned.isSameHost(as: host) && host.isSameHost(as: host))
    #expect(PeerVerdict.names(own: host, peer: cloned).cure?.contains("machine-id") == true)
  }

  @Test func `what is seen late, or only by who changes something itself, is unfit`() {
    func cure(
      _ milliseconds: [Int], here: Int = 0, there: Int = 0, of change: PeerExamination.Change = .new
    ) -> String? {
      PeerVerdict.visibility(
        change,
        PeerVerdict.RoundTrips(
          nanoseconds: milliseconds.map { $0 * 1_000_000 }, overlookedHere: here, overlookedThere: there),
        peer: "hostb"
      ).cure
    }
    let quick = Array(repeating: 10, count: 19)
    #expect(cure(quick + [9000]) == nil, "one in twenty may be the machine")
    #expect(cure(Array(repeating: 10, count: 17) + [1900, 1900, 1900])?.contains("slow") == true)
    #expect(cure(quick, here: 1)?.contains("on this host by NFSv4 and without nocto") == true)
    #expect(cure(quick, there: 2)?.contains("on hostb by NFSv4 and without nocto") == true)
    #expect(cure(quick, here: 1, there: 2)?.contains("this host and hostb") == true)
    // A sound mount does that now and then.
    let once = Array(repeating: 240, count: 6) + [2010]
    #expect(cure(once, here: 1, of: .replaced) == nil && cure(once, here: 1, of: .renamed) != nil)
    #expect(cure([2010, 2010], here: 2, of: .replaced)?.contains("on this host by NFSv4") == true)
    #expect(cure([240, 240, 2010, 2010], of: .replaced)?.contains("slow") == true)
  }

  @Test func `a race with two winners or with none, and one that was lost after all, is unfit`() {
    func cure(_ own: [Int], _ peer: [Int], isAsSaid: Bool = true) -> String? {
      let race = PeerVerdict.Race(count: 4, own: Set(own), peer: Set(peer))
      let (renames, links) = (
        PeerVerdict.renames(race, isAsSaid: isAsSaid, peer: "hostb"),
        PeerVerdict.links(race, isAsSaid: isAsSaid, peer: "hostb")
      )
      #expect((renames.cure == nil) == (links.cure == nil))
      return renames.cure.map { "\(renames.found) \($0)" }
    }
    #expect(cure([0, 3], [1, 2]) == nil)
    #expect(cure([0, 1, 2, 3], []) == nil)
    #expect(cure([0, 1, 3], [1, 2])?.contains("1 were won by both") == true)
    #expect(cure([0], [1, 2])?.contains("1 by none") == true)
    #expect(cure([0, 3], [1, 2], isAsSaid: false) != nil)
  }

  @Test func `a lock that both hosts have is found, whichever has it of its own`() {
    typealias Trial = PeerVerdict.LockTrial
    func cure(_ trials: Trial...) -> String? { PeerVerdict.locks(trials).cure }
    let good = Trial(holding: .taken, whileHeld: .refused, whenFree: .taken)
    #expect(cure(good, good) == nil)
    #expect(cure(good, Trial(holding: .taken, whileHeld: .taken, whenFree: .taken))?.contains("local_lock") == true)
    #expect(cure(Trial(holding: .taken, whileHeld: .refused, whenFree: .refused), good) != nil)
    #expect(
      cure(good, Trial(holding: .failed("No locks"), whileHeld: .taken, whenFree: .taken))?.contains("statd") == true)
  }

  @Test func `clocks are compared by the quickest round trip, and judged less what that leaves open`() {
    var sample = PeerVerdict.ClockSample()
    #expect(PeerVerdict.clocks(sample, peer: "hostb").cure != nil, "nothing was measured")
    // Five seconds there and back, of which the way back took nearly all.
    sample.add(mine: 100_000_000, theirs: 100_100_000, nanoseconds: 5_000_000_000)
    #expect(PeerVerdict.clocks(sample, peer: "hostb").cure == nil)
    sample.add(mine: 200_000_000, theirs: 198_505_000, nanoseconds: 10_000_000)
    let check = PeerVerdict.clocks(sample, peer: "hostb")
    #expect(check.found == "hostb's is 1.5 s behind (give or take 0.005 s)" && check.cure != nil)
    sample.add(mine: 300_000_000, theirs: 300_000_000, nanoseconds: 11_000_000)
    #expect(sample.aheadMicroseconds == -1_500_000, "a slower one changes nothing")
  }

  @Test func `a time that a peer can't mean is none, so that clocks are compared all the same`() throws {
    let good = try #require(PeerExamination.lastChange(Array("3-a 1\n4-a 1763942400000000\n5-a 17".utf8)))
    #expect(good.label == "4-a" && good.wall == 1_763_942_400_000_000)
    for number in ["\(Int.min)", "\(Int.max)", "-1", "soon"] {
      let bad = try #require(PeerExamination.lastChange(Array("4-a \(number)\n".utf8)))
      #expect(bad.label == "4-a" && bad.wall == nil)
    }
  }
}
