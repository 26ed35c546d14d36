import Glibc
import Linux
import SpoolFormat
import TestSupport
import Testing

@testable import Spool
@testable import TestProcess

/// Segments that are gone, and what lies in their place; and how the doctor tells the age of a file.
@Suite struct LostSegmentTests {
  /// A spool whose log has several segments, and their paths.
  private func segmented(_ count: Int = 6) throws -> (fixture: Fixture, segments: [String]) {
    let fixture = try Fixture("coder") { $0.segmentBytesMax = 4096 }
    var segments: [String] = []
    while segments.count < count {
      try fixture.send(String(repeating: "x", count: 300))
      segments = try Self.segments(fixture)
    }
    return (fixture, segments)
  }

  private static func segments(_ fixture: Fixture) throws -> [String] {
    try LogFiles(root: Directory(fixture.path)).segments(of: fixture.spool.host).map { "\(fixture.path)/\($0.path)" }
  }

  private func problems(_ fixture: Fixture, repairing: Bool = false) throws -> [String] {
    try Doctor(fixture.spool).examine(repairing: repairing).findings.map { "\(fixture.path)/\($0.path) \($0.problem)" }
  }

  @Test(arguments: ["the first", "one in the middle", "two", "all but the last", "the last", "that of the checkpoint"])
  func `a segment that somebody removed is missed by the doctor, once noted no more`(which: String) throws {
    let (fixture, segments) = try segmented()
    #expect(try problems(fixture) == [])
    let checkpoint = try Plain.text("\(fixture.path)/log/\(fixture.spool.host)/checkpoint").dropLast()
    let removed: [String] =
      switch which {
      case "the first": [segments[0]]
      case "one in the middle": [segments[2]]
      case "two": [segments[1], segments[2]]
      case "all but the last": segments.dropLast()
      case "the last": [segments.last!]
      default: segments.filter { $0.contains(checkpoint) }
      }
    for segment in removed { #expect(unlink(segment) == 0) }
    let lost = try problems(fixture).filter { $0.contains("is missing: what was logged") }
    #expect(lost.count == removed.count, "\(lost), removed \(removed)")
    for segment in removed { #expect(lost.contains { $0.hasPrefix(segment) }, "\(lost), removed \(removed)") }
    #expect(try problems(fixture, repairing: true).filter { $0.contains("what was logged") } == lost)
    #expect(try problems(fixture).filter { $0.contains("what was logged") } == [])
    try fixture.send("after")
    #expect(try fixture.drain().contains("after"))
    #expect(try fixture.rebooted().recovery != nil)
  }

  @Test func `segments that name none before them, as those of earlier versions, are read, and none is missed`() throws
  {
    let (fixture, segments) = try segmented()
    let count = try fixture.events(.messageSent).count
    for segment in segments {
      let lines = try Plain.text(segment).split(separator: "\n")
      let kept = lines.filter { !$0.contains("\"log.began\"") }
      try Plain.write(segment, kept.joined(separator: "\n") + "\n")
    }
    let spool = try fixture.rebooted()
    #expect(try Doctor(spool).examine(repairing: false).count == 0)
    #expect(try fixture.events(.messageSent).count == count)
    #expect(unlink(segments[2]) == 0)
    #expect(try Doctor(spool).examine(repairing: false).findings.allSatisfy { !$0.problem.contains("what was logged") })
  }

  @Test(
    arguments: ["FIFO", "directory", "link to a device", "socket"],
    ["20200101T000000.000000Z", "21000101T000000.000000Z"])
  func `what is no file in the place of a segment stops no reader and no writer, and the doctor tells`(
    kind: String, time: String
  ) throws {
    let (fixture, _) = try segmented(3)
    let count = try fixture.events().count
    let path = "\(fixture.path)/log/\(fixture.spool.host)/\(time).jsonl"
    switch kind {
    case "FIFO": #expect(mkfifo(path, 0o644) == 0)
    case "directory": #expect(mkdir(path, 0o755) == 0)
    case "socket": try Hostile.files.first { $0.description == "socket" }!.make(path)
    default: #expect(symlink("/dev/zero", path) == 0)
    }
    #expect(try fixture.events().count == count)
    try fixture.send("after")
    let spool = try fixture.rebooted()
    #expect(try fixture.drain().contains("after"))
    try fixture.send("again")
    #expect(try History(spool).newest(History.Filter(), limit: 1).first?.message?.content == "again")
    let findings = try Doctor(spool).examine(repairing: true).findings
    #expect(findings.contains { path.hasSuffix($0.path) && $0.problem.contains("no regular file") }, "\(findings)")
    #expect(Plain.exists(path))
  }

  @Test(arguments: [false, true], ["first", "last"])
  func `a segment of 10 GB with nothing in it takes neither time nor memory`(hasLine: Bool, place: String) throws {
    let (fixture, segments) = try segmented(3)
    let count = try fixture.events().count
    let name = place == "first" ? "20200101T000000.000000Z" : "21000101T000000.000000Z"
    let path = "\(fixture.path)/log/\(fixture.spool.host)/\(name).jsonl"
    try Plain.write(path, "")
    #expect(truncate(path, 10 << 30) == 0)
    if hasLine {
      let lines = try Plain.text(segments[0]).split(separator: "\n")
      try Plain.write(path, "\n\(lines[1])\n", append: true)
    }
    let outcome = try OwnProcess.run("read the log", [fixture.path])
    let said = outcome.line.split(separator: " ").compactMap { Int($0) }
    try #require(said.count == 2, "\(outcome)")
    #expect(said[0] == count + (hasLine ? 1 : 0))
    #expect(said[1] < 200 << 20, "\(said[1]) bytes")
    let report = try Doctor(fixture.spool).examine(repairing: false)
    #expect(!hasLine || report.findings.contains { $0.problem.contains("no event, or damaged") }, "\(report.findings)")
    try fixture.send("after")
    let spool = try fixture.rebooted()
    try fixture.send("again")
    #expect(try fixture.drain().suffix(2) == ["after", "again"])
    #expect(spool.recovery != nil)
  }

  @Test func `a damaged line is told of once, with the path of its segment`() throws {
    let (fixture, segments) = try segmented(3)
    let text = try Plain.text(segments[1])
    let first = try #require(text.firstIndex(of: "\n"))
    let start = text.utf8.distance(from: text.startIndex, to: first) + 1
    var bytes = Array(text.utf8)
    bytes[start + 40] ^= 1
    try Plain.write(segments[1], bytes)
    let end = try #require(bytes[start...].firstIndex(of: 10)) + 1
    let told = "has \(end - start) bytes from byte \(start) on that are no event, or damaged"
    let path = segments[1].replacing("\(fixture.path)/", with: "")
    for repairing in [false, true] {
      let findings = try Doctor(fixture.spool).examine(repairing: repairing).findings
      #expect(findings.map { "\($0.path) \($0.problem) \($0.isLeft)" } == ["\(path) \(told) false"])
    }
    #expect(try problems(fixture) == [] && fixture.rebooted().recovery?.count == 0)
    // The next is told, too.
    bytes[bytes.count - 40] ^= 1
    try Plain.write(segments[1], bytes)
    #expect(try problems(fixture, repairing: true).count == 1)
    #expect(try problems(fixture) == [])
  }

  @Test func `what can't be noted as lost is left`() throws {
    let (fixture, segments) = try segmented(3)
    #expect(unlink(segments[1]) == 0)
    #expect(mkdir("\(fixture.path)/\(Layout.lost(of: fixture.spool.host))", 0o777) == 0)
    let report = try Doctor(fixture.spool).examine(repairing: true)
    #expect(report.findings.map(\.isLeft) == [true] && report.leftCount == 1, "\(report.findings)")
  }

  @Test func `a file in tmp is old when it has stood for an hour by the clock since boot, whatever its date`() throws {
    let fixture = try Fixture("coder")
    for (name, year) in [("old", 1), ("new", 4_000_000_000)] {
      let path = "\(fixture.path)/tmp/\(name)"
      try Plain.write(path, "x")
      var times = [timespec(tv_sec: year, tv_nsec: 0), timespec(tv_sec: year, tv_nsec: 0)]
      #expect(utimensat(AT_FDCWD, path, &times, 0) == 0)
    }
    #expect(try problems(fixture, repairing: true) == [])
    try fixture.seen("new", secondsAgo: 3601)
    try fixture.seen("old", secondsAgo: 3500)
    #expect(try problems(fixture).map { $0.split(separator: "/").last! } == ["new was left by a command that died"])
    #expect(Plain.names("\(fixture.path)/tmp") == ["new", "old"])
    #expect(try problems(fixture, repairing: true).count == 1)
    #expect(Plain.names("\(fixture.path)/tmp") == ["old"])
  }
}

extension Fixture {
  /// As though this host had first seen a file in `tmp/` so long ago.
  func seen(_ name: String, secondsAgo: Int) throws {
    let file = "\(path)/\(Layout.temporariesSeen(by: spool.host))"
    var status = stat()
    #expect(lstat("\(path)/tmp/\(name)", &status) == 0)
    let modified = status.st_mtim.tv_sec * 1_000_000_000 + status.st_mtim.tv_nsec
    let lines = (try? Plain.text(file))?.split(separator: "\n").dropFirst().filter { !$0.hasPrefix("\(name) ") } ?? []
    let since = Clock.sinceBoot() - secondsAgo * 1_000_000_000
    let all = [try Clock.bootIdentity()] + lines.map(String.init) + ["\(name) \(modified) \(since)"]
    try Plain.write(file, all.map { $0 + "\n" }.joined())
  }
}
