import Glibc
import Linux
import SpoolFormat
import Synchronization
import TestSupport
import Testing

@testable import Spool
@testable import TestProcess

@Suite struct LogTests {
  private func segments(_ fixture: Fixture) throws -> [LogFiles.Segment] {
    try LogFiles(root: Directory(fixture.path)).segments(of: fixture.spool.host)
  }

  /// Every line of the log of this host, as it stands.
  private func lines(_ fixture: Fixture) throws -> [[UInt8]] {
    try segments(fixture).flatMap { segment in
      try Plain.read(fixture.path + "/" + segment.path).split(separator: 10).map { Array($0) + [10] }
    }
  }

  private func isWhole(_ line: [UInt8]) -> Bool { line.withUnsafeBufferPointer { LogEvent.isWhole($0) } }

  private static func append(_ spool: Spool, _ subject: String, padding: Int = 0) throws {
    try spool.log.appendPadding(subject, padding)
  }

  @Test func `threads and processes append whole lines, each once, over many segments`() throws {
    let fixture = try Fixture { $0.segmentBytesMax = 4096 }
    let writers = try (0..<3).map { try OwnProcess.start("append", [fixture.path, "\($0)"]) }
    for writer in writers {
      let outcome = try writer.wait(seconds: SpoolCommand.secondsMax)
      #expect(outcome.isDone && outcome.output.isEmpty, "\(outcome)")
    }
    let lines = try lines(fixture)
    #expect(lines.allSatisfy(isWhole))
    let events = try fixture.events(.messageSent)
    #expect(events.count == 540)
    #expect(Set(events.map(\.subject)).count == 540)
    #expect(Set(events.map { $0.source + " " + $0.id }).count == 540)
    #expect(try segments(fixture).count > 30)
    for segment in try segments(fixture) { #expect(Plain.size(fixture.path + "/" + segment.path)! <= 4096) }
    // Of one thread, in order.
    let one = events.map(\.subject).filter { $0.hasPrefix("1-1-") }
    #expect(one == (0..<60).map { "1-1-\($0)" })
  }

  @Test func `a line longer than a segment has one to itself`() throws {
    let fixture = try Fixture { $0.segmentBytesMax = 4096 }
    for number in 0..<3 { try Self.append(fixture.spool, "\(number)", padding: 300_000) }
    #expect(try segments(fixture).count >= 3)
    #expect(try fixture.events(.messageSent).map(\.subject) == ["0", "1", "2"])
    let newest = try History(fixture.spool).newest(History.Filter(), limit: 9).filter { $0.kind == .messageSent }
    #expect(newest.map(\.subject) == ["2", "1", "0"])
  }

  @Test func `half a line of a writer that died is cut, and kept aside`() throws {
    let fixture = try Fixture("coder")
    let (path, trace) = (fixture.path, fixture.home("trace"))
    try fixture.send("before")
    func send(_ content: String, _ plan: String) throws {
      let environment = plan.isEmpty ? ["SPOOL_FAULT_TRACE": trace] : ["SPOOL_FAULT": plan]
      let outcome = try OwnProcess.run("send", [path, content, "", "coder"], environment: environment)
      #expect(plan.isEmpty ? outcome.isDone : outcome.isKilled, "\(outcome)")
    }
    try send("traced", "")
    let calls = try Plain.text(trace).split(separator: "\n").map(String.init)
    let write = try #require(calls.lastIndex(of: "write")) + 1
    // With the lock in hand and the whole line written, but not yet counted: it counts.
    try send("whole", "kill-after:\(write)")
    // The next one is not to find the log's lock in a dead hand, which would cost it more calls.
    try fixture.send("between")
    // With the lock in hand and half a line written, which a killed process leaves when the write itself is interrupted.
    try send("half", "kill-before:\(write + 1)")
    let last = try #require(try segments(fixture).last).path
    try Plain.write(fixture.path + "/" + last, #"{"specversion":"1.0","id":"99","so"#, append: true)
    let before = try lines(fixture).filter(isWhole).count
    #expect(try lines(fixture).count == before + 1)
    #expect(try OwnProcess.run("die with the lock", [path]).isKilled)
    try fixture.send("after")
    let lines = try lines(fixture)
    #expect(lines.allSatisfy(isWhole))
    #expect(lines.count == before + 1)
    let aside = try #require(Plain.names(fixture.path + "/quarantine").first { $0.hasPrefix("torn-") })
    #expect(try Plain.text(fixture.path + "/quarantine/" + aside) == #"{"specversion":"1.0","id":"99","so"#)
    #expect(try fixture.drain().sorted() == ["after", "before", "between", "half", "traced", "whole"])
  }

  @Test func `a tail that could not be mended at first is mended by the next`() throws {
    let fixture = try Fixture("coder")
    try fixture.send("before")
    let last = fixture.path + "/" + (try #require(try segments(fixture).last).path)
    let half = #"{"specversion":"1.0","half"#
    #expect(try OwnProcess.run("die with the lock", [fixture.path, last, half]).isKilled)
    // Out of descriptors just when it is to be mended: this send fails, and must not leave the next a torn line.
    #expect(try OwnProcess.run("append without descriptors", [fixture.path]).output == "refused\n")
    try fixture.send("after")
    #expect(try lines(fixture).allSatisfy(isWhole))
    #expect(try fixture.events(.messageSent).compactMap { $0.message?.content } == ["before", "after"])
  }

  @Test func `of a full segment whose successor nobody lived to tell of, no line is cut`() throws {
    let fixture = try Fixture("coder")
    for number in 0..<20 { try Self.append(fixture.spool, "\(number)", padding: 1 << 20) }
    #expect(try OwnProcess.run("die with the lock", [fixture.path]).isKilled)
    // The end of the next one, and still the name of this one.
    let page = open("\(fixture.path)/log/\(fixture.spool.host)/commit", O_WRONLY)
    #expect(pwrite(page, [UInt8](repeating: 0, count: 8), 8, 144) == 8)
    close(page)
    try Self.append(fixture.spool, "after")
    #expect(try fixture.events(.messageSent).map(\.subject) == (0..<20).map { "\($0)" } + ["after"])
    #expect(try lines(fixture).allSatisfy(isWhole))
  }

  @Test(arguments: [136, 144, 168])
  func `a number in the shared page that nobody wrote stops nobody`(offset: Int) throws {
    let fixture = try Fixture("coder")
    try fixture.send("before")
    let page = open("\(fixture.path)/log/\(fixture.spool.host)/commit", O_WRONLY)
    #expect(pwrite(page, [UInt8](repeating: 255, count: 8), 8, offset) == 8)
    close(page)
    let spool = try Spool(at: fixture.path)
    var message = Message(content: "after")
    message.to = ["coder"]
    try spool.send(message)
    #expect(try fixture.drain() == ["before", "after"])
    #expect(try lines(fixture).allSatisfy(isWhole))
  }

  #if DEBUG
    @Test(arguments: ["kill-before", "kill-after", "\(EIO)", "\(EMFILE)"])
    func `who follows misses nothing when a segment was begun by halves`(fault: String) throws {
      var (number, calls) = (0, 0)
      while number <= calls {
        let fixture = try Fixture("coder") { $0.segmentBytesMax = 4096 }
        try Self.append(fixture.spool, "first", padding: 3000)
        var followed = try LogMerge(LogFiles(root: Directory(fixture.path)))
        var seen: [String] = []
        func follow() throws { while let (event, _) = try followed.next() { seen.append(event.subject) } }
        try follow()
        let trace = fixture.home("trace")
        let outcome = try OwnProcess.run(
          "append one", number == 0 ? [fixture.path, trace] : [fixture.path],
          environment: number == 0 ? ["SPOOL_FAULT_TRACE": trace] : ["SPOOL_FAULT": "\(fault):\(number)"])
        #expect(number == 0 || !fault.hasPrefix("kill") ? outcome.isDone : outcome.isKilled, "\(outcome)")
        try follow()
        for (name, padding) in [("small", 0), ("long", 3500), ("small again", 0)] {
          try Self.append(fixture.spool, name, padding: padding)
          try follow()
          #expect(seen.last == name, "\(fault):\(number)")
        }
        #expect(try lines(fixture).allSatisfy(isWhole))
        if number == 0 {
          // Opening is tried elsewhere.
          let names = try Plain.text(trace).split(separator: "\n")
          number = try #require(names.firstIndex(of: "opened"))
          calls = names.count - 1
          #expect(calls > number + 5)
        }
        number += 1
      }
    }

    @Test func `a sync that failed after the segment's end is a no for all, whoever asks and however often`() throws {
      func sync(_ environment: (String) -> [String: String]) throws -> (said: String, trace: String) {
        let fixture = try Fixture("coder") { $0.segmentBytesMax = 4096 }
        let trace = fixture.home("trace")
        let outcome = try OwnProcess.run("sync what has ended", [fixture.path, trace], environment: environment(trace))
        #expect(outcome.isDone, "\(outcome)")
        return (outcome.output, try Plain.text(trace))
      }
      let traced = try sync { ["SPOOL_FAULT_TRACE": $0] }
      #expect(traced.said == "yes\nyes\nyes\n")
      // Of two who wait for the same the first asks the disk.
      let calls = traced.trace.split(separator: "\n")
      let (first, last) = (try #require(calls.firstIndex(of: "syncs")), try #require(calls.firstIndex(of: "synced")))
      #expect(calls[first..<last].count { $0 == "fdatasync" } == 1)
      // The kernel tells of it once: another sync of that file would be a yes.
      let number = try #require(traced.trace.split(separator: "\n").firstIndex(of: "syncs")) + 1
      let no = "outcomeUnknown\n"
      #expect(try sync { _ in ["SPOOL_FAULT": "\(EIO):\(number)"] }.said == no + no + no)
    }
  #endif

  @Test func `a segment whose name is taken gets the next one`() throws {
    let fixture = try Fixture("coder")
    let log = try fixture.spool.log
    let future = Timestamp(microseconds: Clock.wall() + 3_600_000_000)
    try log.locked { _ in log.page.beginSegment(future) }
    let taken = Layout.segment(of: fixture.spool.host, Timestamp(microseconds: future.microseconds + 1))
    try Plain.write("\(fixture.path)/\(taken)", "")
    try Self.append(fixture.spool, "x")
    #expect(log.page.segmentStart.microseconds == future.microseconds + 2)
    #expect(try fixture.events(.messageSent).map(\.subject) == ["x"])
  }

  @Test func `a short write on a full disk is taken back, and the next line is whole`() throws {
    let fixture = try Fixture("coder")
    try fixture.send("before")
    let (path, trace) = (fixture.path, fixture.home("trace"))
    for plan in ["", "short-write", "28"] {
      var environment = ["SPOOL_FAULT_TRACE": trace]
      if !plan.isEmpty {
        let calls = try Plain.text(trace).split(separator: "\n").map(String.init)
        environment = ["SPOOL_FAULT": "\(plan):\(try #require(calls.lastIndex(of: "write")) + 1)"]
      }
      let outcome = try OwnProcess.run("send", [path, "x\(plan)", "", "coder"], environment: environment)
      #expect(plan.isEmpty ? outcome.isDone : outcome.line == "tryAgain", "\(outcome)")
      #expect(fixture.names("tmp").isEmpty)
    }
    try fixture.send("after")
    #expect(try lines(fixture).allSatisfy(isWhole))
    #expect(try fixture.drain() == ["before", "x", "after"])
  }

  @Test func `a log that somebody removed is begun anew`() throws {
    let fixture = try Fixture("coder")
    try fixture.send("before")
    for segment in try segments(fixture) { unlink(fixture.path + "/" + segment.path) }
    // It is noticed within a second.
    #expect(
      try eventually {
        try fixture.send("after")
        return try segments(fixture).count == 1
      })
    #expect(try fixture.events(.messageSent).contains { $0.message?.content == "after" })
  }

  @Test func `blocks of whole lines are read forwards and backwards, whatever their length`() throws {
    let fixture = try Fixture { $0.segmentBytesMax = 64 << 20 }
    var random = SeededGenerator()
    var subjects: [String] = []
    for number in 0..<300 {
      let padding = number % 50 == 0 ? LogFiles.blockBytes * 2 : Int.random(in: 0..<4000, using: &random)
      try Self.append(fixture.spool, "\(number)", padding: padding)
      subjects.append("\(number)")
    }
    let files = LogFiles(root: try Directory(fixture.path))
    let segment = try #require(try segments(fixture).first)
    try Plain.write(fixture.path + "/" + segment.path, "half a line", append: true)
    func subject(_ line: UnsafeBufferPointer<UInt8>) -> String { LogEvent(line: line)?.subject ?? "bad" }
    var forwards: [String] = []
    var next = 0
    let end = try files.readForwards(segment) { lines, start in
      #expect(start == next)
      next = start + lines.count
      _ = forEachLine(lines) {
        forwards.append(subject($0))
        return true
      }
      return true
    }
    #expect(forwards == subjects, "seed \(random.seed)")
    #expect(end == Plain.size(fixture.path + "/" + segment.path)! - 11)
    var backwards: [String] = []
    try files.readBackwards(segment) { lines, _ in
      var block: [String] = []
      _ = forEachLine(lines) {
        block.append(subject($0))
        return true
      }
      backwards += block.reversed()
      return true
    }
    #expect(backwards == subjects.reversed(), "seed \(random.seed)")
  }

  @Test func `who follows sees every event once, while segments come and go`() throws {
    let fixture = try Fixture { $0.segmentBytesMax = 4096 }
    let spool = fixture.spool
    try Self.append(spool, "before")
    let seen = Mutex<[String]>([])
    let ready = try Pipe()
    let done = try Pipe()
    let (tell, end) = (ready.writeEnd.raw, done.writeEnd.raw)
    try Thread.detach {
      var filter = History.Filter()
      filter.type = "message.sent"
      do {
        var byte: UInt8 = 1
        _ = Glibc.write(tell, &byte, 1)
        try History(spool).follow(filter) { event in
          if event.subject != "start" { seen.withLock { $0.append(event.subject) } }
          return event.subject != "end"
        }
      } catch { Issue.record(error) }
      var byte: UInt8 = 1
      _ = Glibc.write(end, &byte, 1)
    }
    _ = try ready.readEnd.read(maximum: 1)
    // Until it has begun to follow, which nothing tells.
    try #require(
      eventually {
        try Self.append(spool, "begun")
        usleep(20_000)
        return seen.withLock { !$0.isEmpty }
      })
    let failures = Mutex<[String]>([])
    try Thread.run(
      (0..<4).map { thread in
        { @Sendable in
          do { for number in 0..<500 { try Self.append(spool, "\(thread)-\(number)", padding: 1000) } } catch {
            failures.withLock { $0.append("\(error)") }
          }
        }
      })
    try Self.append(spool, "end")
    _ = try done.readEnd.read(maximum: 1)
    #expect(failures.withLock { $0 } == [])
    let subjects = seen.withLock { $0.filter { $0 != "begun" && $0 != "end" } }
    #expect(subjects.count == 2000)
    #expect(Set(subjects).count == 2000)
    #expect(try segments(fixture).count > 400)
  }

  @Test func `no segment is passed over while others are begun`() throws {
    let fixture = try Fixture()
    let first = fixture.spool.now()
    let starts = (0..<2000).map { first.advanced(bySeconds: Double($0)) }
    let isOver = Atomic(false)
    let found = Mutex<[String]>([])
    try fixture.spool.root.makeDirectory(Layout.logs(of: "other"))
    try Thread.run([
      { @Sendable in
        for start in starts {
          let path = "\(fixture.path)/\(LogFiles.Segment(host: "other", start: start).path)"
          close(open(path, O_WRONLY | O_CREAT, 0o644))
        }
        isOver.store(true, ordering: .relaxed)
      },
      { @Sendable in
        let files = LogFiles(root: fixture.spool.root)
        while !isOver.load(ordering: .relaxed) {
          do {
            let listed = try files.names(of: "other").map(\.start)
            if listed != Array(starts.prefix(listed.count)) { found.withLock { $0.append("\(listed.count)") } }
          } catch { found.withLock { $0.append("\(error)") } }
        }
      },
    ])
    #expect(found.withLock { $0 } == [])
    #expect(try LogFiles(root: fixture.spool.root).names(of: "other").count == starts.count)
  }

  @Test func `a follower notices a new host, and a ring ends it`() throws {
    let fixture = try Fixture()
    let spool = fixture.spool
    let seen = Mutex<[String]>([])
    let bell = try Pipe()
    let done = try Pipe()
    let (stop, end) = (bell.readEnd.raw, done.writeEnd.raw)
    try Thread.detach {
      do {
        try History(spool).follow(History.Filter(), interruption: stop) { event in
          seen.withLock { $0.append(event.subject) }
          return true
        }
      } catch { Issue.record(error) }
      var byte: UInt8 = 1
      _ = Glibc.write(end, &byte, 1)
    }
    try #require(
      eventually {
        try Self.append(spool, "begun")
        usleep(20_000)
        return seen.withLock { !$0.isEmpty }
      })
    let line = LogEvent.line(
      kind: .messageSent, subject: "afar", source: "/afar/1.1", number: 1, time: Timestamp(microseconds: Clock.wall())
    ) { $0.int(1) }
    #expect(mkdir(fixture.path + "/log/afar", 0o755) == 0)
    try Plain.write(fixture.path + "/log/afar/20261120T234512.345678Z.jsonl", line)
    #expect(eventually { seen.withLock { $0.contains("afar") } })
    try bell.writeEnd.write([1])
    _ = try done.readEnd.read(maximum: 1)
    #expect(seen.withLock { $0.filter { $0 == "afar" }.count } == 1)
  }
}
