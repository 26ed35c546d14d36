#if DEBUG
  import Foundation
  import Glibc
  import Spool
  import SpoolFormat
  import TestSupport
  import TestThreads
  import Testing

  /// The wall clock is set forward and back by a year while processes run, in all of them at once: nothing runs out that
  /// shouldn't, nothing is stuck, and the log is read in the order in which it was written. What people ask for by the
  /// wall clock (`not_before`, `expires_at`, a nack's delay) goes by the wall clock.
  @Suite(.waiting) struct ClockTests {
    static let year = 366 * 86400

    /// A spool whose processes have a clock that can be set.
    private final class World {
      let scratch = try! Scratch(inMemory: true)
      let path: String
      private var clock: String { "\(scratch.path)/clock" }
      var environment: [String: String] { ["SPOOL_CLOCK_JUMP": clock] }

      init(_ settings: [String: Any]) throws { path = try scratch.makeSpool(bots: ["a", "b"], settings: settings) }

      /// Sets it to so many seconds from the truth.
      func jump(_ seconds: Int) throws {
        try Scratch.write("\(seconds)", to: clock + ".new")
        guard rename(clock + ".new", clock) == 0 else { throw Failure(errno) }
      }

      func run(_ arguments: String..., timeZone: String = "UTC") throws -> SpoolCommand.Outcome {
        try SpoolCommand.run(arguments, in: path, environment: environment.merging(["TZ": timeZone]) { $1 })
      }

      func start(_ arguments: String...) throws -> Running {
        try SpoolCommand.start(arguments, in: path, environment: environment)
      }
    }

    @Test(arguments: [year, -year])
    func `a claim stands for its lease and no longer, however the clock is set`(jump: Int) throws {
      let world = try World(["lease_seconds": 2])
      #expect(try world.run("send", "a", "payload").isDone)
      let began = monotonicSeconds()
      #expect(try world.run("receive", "a").isDone)
      #expect(try world.run("receive", "a").status == 1)
      try world.jump(jump)
      while monotonicSeconds() - began < 1 {
        let early = try world.run("receive", "a")
        #expect(early.status == 1 || monotonicSeconds() - began >= 2, "handed out again too early: \(early)")
        try world.jump(monotonicSeconds() - began < 0.5 ? jump : 0)
      }
      let again = try world.run("receive", "a", "--wait", "30s", "--ack")
      #expect(again.line == "payload" && again.error.contains("attempt 2"), "\(again)")
      #expect(monotonicSeconds() - began >= 1.9)
      #expect(SpoolReader(world.path).violations(settled: true).isEmpty)
    }

    @Test(arguments: [year, -year])
    func `a worker keeps what it works on, and those that wait are woken, however the clock is set`(jump: Int) throws {
      let world = try World(["lease_seconds": 3])
      let go = "\(world.path)/go"
      let script = "until [ -e '\(go)' ]; do sleep 0.05; done"
      let worker = try world.start("work", "a", "--", "/bin/sh", "-c", script)
      let waiting = try world.start("receive", "b", "--wait", "50s", "--ack")
      #expect(eventually { !Scratch.names("\(world.path)/bots/a/presence").isEmpty })
      let id = try world.run("send", "a", "long").line
      let isClaimed = eventually { SpoolReader(world.path).entries("a", "claimed").contains { $0.id == id } }
      #expect(isClaimed)
      try world.jump(jump)
      #expect(try world.run("send", "b", "short").isDone)
      let woken = try waiting.wait(seconds: 30)
      #expect(woken.line == "short", "\(woken)")
      let rival = try world.run("receive", "a", "--wait", "4s")
      try Plain.write(go, "")
      try world.jump(0)
      #expect(rival.status == 1, "\(rival)")
      #expect(eventually { SpoolReader(world.path).ackedAttempt(id, by: "a") == 1 })
      worker.kill()
      #expect(try worker.wait(seconds: 30).isKilled)
      #expect(SpoolReader(world.path).violations(settled: true).isEmpty)
    }

    @Test(arguments: [year, -year])
    func `the log goes on across a jump, over many segments, and a copy is healed by it`(jump: Int) throws {
      let world = try World(["segment_bytes_max": 4096, "lease_seconds": 0.1])
      var waiting: Set<String> = []
      for clock in [0, jump, 0, jump / 2] {
        try world.jump(clock)
        for number in 0..<12 {
          waiting.insert(try world.run("send", "a", "at \(clock), \(number)").line)
          if number % 3 == 0 {
            let got = try world.run("receive", "a", "--ack", "--json")
            let id = try #require(got.output.firstMatch(of: #/"id":"([^"]+)"/#)).output.1
            waiting.remove(String(id))
          }
        }
      }
      let logs = "\(world.path)/log"
      let segments = Scratch.names(logs).flatMap { Scratch.names("\(logs)/\($0)") }.filter { $0.hasSuffix(".jsonl") }
      #expect(segments.count >= 6)
      // In the order of their names nothing is acked before it was sent.
      #expect(SpoolReader(world.path).violations(settled: true).isEmpty)
      try shell("cp -a spool copy && rm -f copy/bots/a/inbox/*", in: world.scratch.path)
      let repaired = try SpoolCommand.run(
        ["doctor", "--repair"], in: "\(world.scratch.path)/copy", environment: world.environment)
      #expect(repaired.isDone, "\(repaired)")
      let copied = SpoolReader("\(world.scratch.path)/copy")
      #expect(Set(copied.entries("a", "inbox").compactMap(\.id)) == waiting)
      #expect(copied.violations(settled: true).isEmpty)
    }

    @Test func `who follows the log hears all of it, though the clock was set back`() throws {
      let world = try World(["segment_bytes_max": 4096])
      #expect(try world.run("send", "a", "the first").isDone)
      let output = "\(world.scratch.path)/followed"
      try Scratch.write("", to: output)
      let follower = try SpoolCommand.start(
        ["log", "--follow", "--json"], in: world.path, environment: world.environment, output: .file(output))
      defer {
        follower.kill()
        _ = try? follower.wait(seconds: 30)
      }
      func followed() -> Int { ((try? Plain.text(output)) ?? "").components(separatedBy: "message.sent").count - 1 }
      #expect(eventually { followed() == 1 })
      try world.jump(-Self.year)
      for number in 0..<30 { #expect(try world.run("send", "a", "later \(number)").isDone) }
      let heardAll = eventually { followed() == 31 }
      #expect(heardAll, "\(followed()) of 31")
    }

    @Test func `half a file is waited for though it seems a year old`() throws {
      let world = try World([:])
      try world.jump(Self.year)
      let waiting = try world.start("receive", "a", "--wait", "50s", "--ack")
      let path = "\(world.path)/bots/a/inbox/x.json"
      for part in ["{\"content\":", "\"in", " parts\"", "}"] {
        try Plain.write(path, part, append: true)
        usleep(20_000)
      }
      let got = try waiting.wait(seconds: 60)
      #expect(got.line == "in parts", "\(got)")
      #expect(SpoolReader(world.path).quarantined.isEmpty)
    }

    @Test func `time zones change nothing`() throws {
      let world = try World(["lease_seconds": 0.2])
      for (sending, receiving) in [
        ("Pacific/Kiritimati", "Etc/GMT+12"), ("Etc/GMT+12", "Pacific/Kiritimati"), ("Nowhere/Land", "UTC"),
      ] {
        let id = try world.run("send", "a", "payload", timeZone: sending)
        #expect(try world.run("inbox", "a", timeZone: receiving).output.contains("payload"))
        let got = try world.run("receive", "a", "--ack", timeZone: receiving)
        #expect(got.line == "payload", "\(got)")
        #expect(try world.run("log", "--since", "1h", "--json", timeZone: receiving).output.contains(id.line))
        #expect(try world.run("search", "payload", "--since", "1h", timeZone: receiving).isDone)
      }
      #expect(SpoolReader(world.path).violations(settled: true).isEmpty)
    }

    /// Seconds since 1970, beyond what a file system can keep at both ends.
    static let dates = [
      -9_000_000_000, -1, 0, 1, 4_102_444_800, 9_223_372_036, 9_223_372_037, 10_413_792_000, 15_032_385_535,
    ]

    @Test(arguments: dates)
    func `a file of any date is a message like any other, and its claim stands for its lease`(date: Int) throws {
      let world = try World(["lease_seconds": 1])
      func setDate(_ path: String) {
        let times = [timespec(tv_sec: date, tv_nsec: 999_999_999), timespec(tv_sec: date, tv_nsec: 999_999_999)]
        #expect(utimensat(AT_FDCWD, path, times, 0) == 0)
      }
      let inbox = "\(world.path)/bots/a/inbox"
      for name in ["dropped.json", "half.json", "5-20260101T000000.000000Z-00000000000000aa.json"] {
        try Plain.write("\(inbox)/.\(name)", name == "half.json" ? #"{"content":"# : #"{"content":"payload"}"#)
        setDate("\(inbox)/.\(name)")
        #expect(rename("\(inbox)/.\(name)", "\(inbox)/\(name)") == 0)
      }
      for directory in ["inbox", "claimed", "tmp", "dead"] { setDate("\(world.path)/bots/a/\(directory)") }
      for _ in 0..<2 { #expect(try world.run("receive", "a", "--wait", "20s", "--ack").line == "payload") }
      #expect(
        eventually {
          try! world.run("receive", "a", "--wait", "1s").status == 1 && SpoolReader(world.path).quarantined.count == 2
        })
      #expect(try world.run("send", "a", "claimed").isDone)
      #expect(try world.run("receive", "a").isDone)
      let claim = try #require(Scratch.names("\(world.path)/bots/a/claimed").first)
      setDate("\(world.path)/bots/a/claimed/\(claim)")
      let began = monotonicSeconds()
      let early = try world.run("receive", "a")
      #expect(early.status == 1 || monotonicSeconds() - began > 1, "\(early)")
      #expect(try world.run("receive", "a", "--wait", "30s", "--ack").line == "claimed")
      for verb in [["doctor", "--repair"], ["bots"], ["log"], ["stats"]] {
        #expect(try SpoolCommand.run(verb, in: world.path).isDone, "\(verb)")
      }
    }

    @Test(arguments: ["1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z", "2400-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
    func `a time in a message of any year is kept to, and holds nobody else up`(time: String) throws {
      let world = try World([:])
      let isPast = time.hasPrefix("1970")
      let inbox = "\(world.path)/bots/a/inbox"
      try Plain.write("\(inbox)/early.json", #"{"content":"not before","not_before":"\#(time)"}"#)
      try Plain.write("\(inbox)/made.json", #"{"content":"made then","created_at":"\#(time)"}"#)
      try Plain.write("\(inbox)/late.json", #"{"content":"expires","expires_at":"\#(time)"}"#)
      var received: Set<String> = []
      while true {
        let got = try world.run("receive", "a", "--wait", "1s", "--ack")
        if !got.isDone {
          #expect(got.status == 1, "\(got)")
          break
        }
        received.insert(got.line)
      }
      #expect(received == (isPast ? ["not before", "made then"] : ["expires", "made then"]))
      #expect(Scratch.names("\(world.path)/bots/a/dead").count == (isPast ? 2 : 0))
      let worker = try world.run("work", "a", "--until-empty", "--", "true")
      #expect(worker.isDone, "\(worker)")
    }
  }
#endif
