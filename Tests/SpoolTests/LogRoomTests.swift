import Glibc
import Linux
import SpoolFormat
import Synchronization
import TestSupport
import Testing

@testable import Spool
@testable import TestProcess

/// The spaces that are written ahead of the lines while many are synced.
@Suite struct LogRoomTests {
  private static func send(_ spool: Spool, _ content: String, durable: Bool = true) throws {
    try spool.sendToCoder(content, durable: durable)
  }

  private func spaces(_ path: String) throws -> Int {
    let bytes = try Plain.read(path)
    return bytes.count - (bytes.lastIndex { $0 != 32 } ?? -1) - 1
  }

  private func contents(_ spool: Spool) throws -> [String] {
    var filter = History.Filter()
    filter.sentOnly = true
    let backwards = try History(spool).newest(filter, limit: .max).reversed().map { $0.message?.content ?? "" }
    var forwards: [String] = []
    try History(spool).forEach(filter) { event in
      forwards.append(event.message?.content ?? "")
      return true
    }
    #expect(forwards == backwards)
    return forwards
  }

  @Test func `room is for those who have sixteen lines synced within a second`() {
    var pace = LogWriter.Pace()
    let second = 1_000_000_000
    #expect(!pace.wantsRoom(at: 0))
    for time in 1...15 { pace.note(time, written: 0) }
    #expect(!pace.wantsRoom(at: 16))
    pace.note(16, written: 0)
    #expect(pace.wantsRoom(at: 17))
    #expect(!pace.wantsRoom(at: 16 + second))
    for time in 1...16 { pace.note(6 * second - time, written: 0) }
    pace.failed = 5 * second
    #expect(!pace.wantsRoom(at: 6 * second))
    #expect(pace.wantsRoom(at: 6 * second + 1))
  }

  @Test func `room is for a tenth of a second, within bounds`() {
    func room(bytesPerMillisecond: UInt64) -> Int {
      var pace = LogWriter.Pace()
      for time in 1...16 { pace.note(time * 1_000_000, written: UInt64(time) * bytesPerMillisecond) }
      return pace.roomBytes(at: 17_000_000, written: 17 * bytesPerMillisecond)
    }
    #expect(room(bytesPerMillisecond: 10_000) == 1_000_000)
    #expect(room(bytesPerMillisecond: 1) == LogWriter.roomBytesLeast)
    #expect(room(bytesPerMillisecond: 1 << 50) == LogWriter.roomBytesMost)
    // The page was made anew.
    var pace = LogWriter.Pace()
    for time in 1...16 { pace.note(time, written: .max) }
    #expect(pace.roomBytes(at: 16, written: 0) == LogWriter.roomBytesLeast)
  }

  @Test func `where there is more room already, less is not made; no reader sees the most there may be`() throws {
    let fixture = try Fixture("coder")
    let log = try fixture.spool.log
    try log.locked { state in
      let segment = try log.currentSegment(&state)
      try log.makeRoom(of: LogWriter.roomBytesMost, in: segment, &state)
      #expect(log.page.roomEnd - log.page.segmentEnd == LogWriter.roomBytesMost)
      try log.makeRoom(of: LogWriter.roomBytesLeast, in: segment, &state)
      #expect(log.page.roomEnd - log.page.segmentEnd == LogWriter.roomBytesMost)
    }
    try Self.send(fixture.spool, "in it", durable: false)
    #expect(try spaces(fixture.lastSegment()) > LogWriter.roomBytesMost - 4096)
    #expect(try contents(fixture.spool) == ["in it"])
    #expect(try Doctor(fixture.spool).examine(repairing: false).count == 0)
  }

  @Test func `lines are written into room, no reader sees it, and closing takes it away`() throws {
    let fixture = try Fixture("coder")
    let path = fixture.path
    var sent = ["first"]
    do {
      let spool = try Spool(at: path)
      try spool.makeRoom()
      let segment = try fixture.lastSegment()
      let size = try #require(Plain.size(segment))
      #expect(try spaces(segment) > 200_000)
      // Synced and not, by others, and longer than the room.
      for number in 0..<20 {
        sent.append("\(number)")
        try Self.send(number % 3 == 0 ? fixture.spool : spool, "\(number)", durable: number % 2 == 0)
      }
      #expect(Plain.size(segment) == size)
      #expect(try OwnProcess.run("send durably", [path, "from another process"]).isDone)
      #expect(Plain.size(segment) == size)
      sent.append("from another process")
      #expect(try contents(spool) == sent)
      sent.append(String(repeating: "x", count: 300_000))
      try Self.send(spool, sent.last!)
      try spool.makeRoom("again")
      sent.append("again")
      #expect(try spaces(segment) > 200_000)
      #expect(try contents(spool) == sent)
      #expect(try Doctor(spool).examine(repairing: false).count == 0)
    }
    #expect(try spaces(try fixture.lastSegment()) == 0)
    #expect(try contents(fixture.spool) == sent)
    #expect(try fixture.drain() == sent)
    #expect(try fixture.rebooted().recovery?.tornBytes == 0)
    #expect(Plain.names(path + "/quarantine").isEmpty)
  }

  @Test(arguments: ["", #"{"specversion":"1.0","id":"99","so"#])
  func `room of a process that was killed is taken away, and half a line in it kept aside`(torn: String) throws {
    let fixture = try Fixture("coder")
    #expect(try OwnProcess.run("die with room", [fixture.path, torn]).isKilled)
    let segment = try fixture.lastSegment()
    #expect(try spaces(segment) > 200_000)
    #expect(try contents(fixture.spool) == ["first"])
    let opened = try fixture.reopened()
    #expect(try spaces(segment) == 0)
    #expect(try Plain.read(segment).last == 10)
    try Self.send(opened, "second")
    #expect(try contents(opened) == ["first", "second"])
    let aside = Plain.names(fixture.path + "/quarantine").filter { $0.hasPrefix("torn-") }
    #expect(try aside.map { try Plain.text(fixture.path + "/quarantine/" + $0) } == (torn.isEmpty ? [] : [torn]))
  }

  @Test func `a whole line in room that its writer didn't live to count is counted`() throws {
    let fixture = try Fixture("coder")
    #expect(try OwnProcess.run("die with a line in room that isn't counted", [fixture.path]).isKilled)
    try fixture.send("second")
    #expect(try fixture.events(.botRegistered).map(\.subject) == ["coder", "b"])
    #expect(try fixture.events(.messageSent).count == 2)
    #expect(try spaces(try fixture.lastSegment()) == 0)
  }

  @Test(arguments: ["", #"{"specversion":"1.0","half"#, "gap"])
  func `room that a power cut left is taken away, and what was torn in it kept aside`(torn: String) throws {
    let fixture = try Fixture("coder")
    try fixture.spool.makeRoom()
    try Self.send(fixture.spool, "second")
    let segment = try fixture.lastSegment()
    var bytes = try Plain.read(segment)
    let end = try fixture.spool.log.page.segmentEnd
    let last = bytes[..<(end - 1)].lastIndex(of: 10)! + 1
    if torn == "gap" {
      // The last line but one of its blocks came to the disk, and the one before it did not.
      let line = Array(bytes[last..<end])
      bytes.replaceSubrange((end + 100)..<(end + 100 + line.count), with: line)
      for index in last..<(last + 60) { bytes[index] = 32 }
    } else {
      bytes.replaceSubrange(end..<(end + torn.utf8.count), with: Array(torn.utf8))
    }
    try Plain.write(segment, bytes)
    let spool = try fixture.rebooted()
    #expect(try spaces(segment) == 0)
    #expect(spool.recovery?.tornBytes == (torn == "gap" ? 0 : torn.utf8.count))
    try Self.send(spool, "third")
    #expect(try contents(spool) == ["first", "second", "third"])
  }

  @Test func `a copy that was made while there was room has every line, and no room`() throws {
    let fixture = try Fixture("coder")
    try fixture.spool.makeRoom()
    try Self.send(fixture.spool, "second")
    try shell("cp -a spool copy; cp -a spool torn; rm copy/bots/coder/inbox/*", in: fixture.home.path)
    #expect(try spaces(try fixture.lastSegment()) > 200_000)
    for name in ["copy", "torn"] {
      let copy = fixture.home(name)
      let segment = copy + (try fixture.lastSegment().dropFirst(fixture.path.count))
      let spool = try Spool(at: copy)
      #expect(spool.recovery?.tornBytes == 0)
      #expect(try spaces(segment) == 0)
      try Self.send(spool, "third")
      #expect(try contents(spool) == ["first", "second", "third"])
      #expect(try spool.entries(of: fixture.bot()).count == 3)
    }
  }

  @Test func `a segment that ends has no room left, nor has one that nobody uses`() throws {
    let fixture = try Fixture("coder") { $0.segmentBytesMax = 600_000 }
    let spool = fixture.spool
    var rooms = 0
    for number in 0..<12 {
      try spool.log.hurry()
      try Self.send(spool, String(repeating: "\(number % 10)", count: 90_000), durable: number % 2 == 0)
      if try spool.log.page.hasRoom { rooms += 1 }
    }
    #expect(rooms > 1)
    let segments = try LogFiles(root: Directory(fixture.path)).allSegments()
    #expect(segments.count > 1)
    for segment in segments.dropLast() { #expect(try spaces(fixture.path + "/" + segment.path) == 0) }
    repeat {
      try spool.log.hurry()
      try Self.send(spool, "room")
    } while try !spool.log.page.hasRoom
    let last = try fixture.lastSegment()
    _ = try fixture.reopened()
    #expect(try spaces(last) > 0)
    try spool.log.page.roomUsed = Clock.sinceBoot() - 2_000_000_000
    _ = try fixture.reopened()
    #expect(try spaces(last) == 0)
    #expect(try contents(spool).filter { $0.count == 90_000 }.count == 12)
  }

  /// How often this process has a file open.
  private func timesOpen(_ path: String) throws -> Int {
    try Plain.names("/proc/self/fd").filter { name in
      var status = stat()
      var wanted = stat()
      try #require(stat(path, &wanted) == 0)
      return stat("/proc/self/fd/\(name)", &status) == 0 && status.st_ino == wanted.st_ino
        && status.st_dev == wanted.st_dev
    }.count
  }

  @Test func `who waits lets go of a segment that has ended, so that removing it makes room on the disk`() throws {
    let fixture = try Fixture("coder") { $0.segmentBytesMax = 600_000 }
    let inbox = try fixture.inbox()
    let presence = try fixture.spool.announce(fixture.bot(), program: "test")
    for wait in [{ while try inbox.claim() != nil {} }, { try presence.beat() }] {
      try fixture.spool.makeRoom()
      try Self.send(fixture.spool, "in it", durable: false)
      let segment = try fixture.lastSegment()
      #expect(try timesOpen(segment) == 2)
      try wait()
      #expect(try timesOpen(segment) == 2)
      do {
        let other = try fixture.reopened()
        while try fixture.lastSegment() == segment { try other.log.appendPadding("x", 100_000) }
      }
      try wait()
      #expect(try timesOpen(segment) == 0)
    }
  }

  @Test func `where the disk has no place for room the lines are appended as ever`() throws {
    let fixture = try Fixture("coder")
    try fixture.send("before")
    let outcome = try OwnProcess.run("send where no file may be long", [fixture.path])
    #expect(outcome.isDone, "\(outcome)")
    #expect(try spaces(try fixture.lastSegment()) == 0)
    #expect(try contents(fixture.spool) == ["before"] + (0..<20).map { "\($0)" })
  }

  #if DEBUG
    @Test(arguments: ["kill-before", "kill-after", "short-write", "5", "28"])
    func `what was answered with yes is kept, whatever happens while there is room`(fault: String) throws {
      let home = try TemporaryDirectory()
      var calls = 0
      var number = 0
      while number <= calls {
        let path = home("spool\(number)")
        try Spool.create(at: path)
        try Spool(at: path).register(Card(name: BotName(parsing: "coder")))
        let trace = home("trace")
        let plan = number == 0 ? "" : "\(fault):\(number)"
        let outcome = try OwnProcess.run(
          "send three in a hurry", plan.isEmpty ? [path, trace] : [path],
          environment: plan.isEmpty ? ["SPOOL_FAULT_TRACE": trace] : ["SPOOL_FAULT": plan])
        #expect(number == 0 || !fault.hasPrefix("kill") ? outcome.isDone : outcome.isKilled, "\(outcome)")
        if number == 0 {
          let names = try Plain.text(trace).split(separator: "\n")
          #expect(names.contains("pwrite"))
          // Opening is tried elsewhere.
          number = try #require(names.firstIndex(of: "opened")) + 1
          calls = names.count - 1
          #expect(calls > number + 15)
          continue
        }
        let spool = try Spool(at: path)
        try Self.send(spool, "after")
        let contents = try contents(spool)
        let kept = outcome.output.split(separator: "\n").map(String.init)
        #expect(Set(kept).isSubset(of: contents), "\(plan)")
        #expect(Set(contents).count == contents.count, "\(plan)")
        let segments = try LogFiles(root: Directory(path)).allSegments()
        for segment in segments { #expect(try spaces("\(path)/\(segment.path)") == 0, "\(plan)") }
        var merge = try LogMerge(LogFiles(root: Directory(path)))
        while try merge.next() != nil {}
        #expect(merge.badLines.isEmpty, "\(plan)")
        number += 1
      }
    }
  #endif

  @Test func `who follows or reads beside the writers finds every line once, and none damaged`() throws {
    let fixture = try Fixture("coder") { $0.segmentBytesMax = 3 << 20 }
    let spool = fixture.spool
    let isOver = Atomic<Bool>(false)
    let failures = Mutex<[String]>([])
    let seen = Mutex<[String]>([])
    let rooms = Atomic<Int>(0)
    let left = Atomic<Int>(3)
    let end = try History(spool).end()
    var followed = end.merge
    let writers = (0..<3).map { writer in
      { @Sendable in
        do {
          for number in 0..<600 {
            if number % 50 == 0 { try spool.log.hurry() }
            // Over several pages of memory, so that a reader beside it sees the one and not yet the other.
            let padding = String(repeating: "x", count: number * 7 % 9000)
            let receipt = try spool.log.append(.botRegistered, "\(writer)-\(number)") { $0.string(padding) }
            if number % 8 == 0 { try spool.log.waitUntilSynced(receipt!) }
            if try spool.log.page.hasRoom { rooms.add(1, ordering: .relaxed) }
          }
        } catch { failures.withLock { $0.append("\(error)") } }
        if left.subtract(1, ordering: .sequentiallyConsistent).newValue == 0 {
          isOver.store(true, ordering: .sequentiallyConsistent)
        }
      }
    }
    let reader: @Sendable () -> Void = {
      do {
        repeat {
          let wasOver = isOver.load(ordering: .sequentiallyConsistent)
          var merge = try LogMerge(LogFiles(root: Directory(fixture.path)))
          var count = 0
          while let (event, _) = try merge.next() { count += event.kind == .botRegistered ? 1 : 0 }
          if !merge.badLines.isEmpty { failures.withLock { $0.append("damaged: \(merge.badLines)") } }
          if wasOver { return seen.withLock { $0.append("\(count)") } }
        } while true
      } catch { failures.withLock { $0.append("\(error)") } }
    }
    try Thread.run(writers + [reader])
    #expect(failures.withLock { $0 } == [])
    #expect(rooms.load(ordering: .relaxed) > 0)
    #expect(seen.withLock { $0 } == ["1801"])
    var subjects: [String] = []
    while let (event, _) = try followed.next() {
      if event.kind == .botRegistered { subjects.append(event.subject) }
    }
    #expect(subjects.count == 1800 && Set(subjects).count == 1800)
  }
}
