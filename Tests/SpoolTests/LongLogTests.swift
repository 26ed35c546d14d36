import Glibc
import Linux
import SpoolFormat
import TestSupport
import Testing

@testable import Spool

/// Asking a long log for what is recent reads a part of it; that part must be the right one.
@Suite struct LongLogTests {
  /// Segments of another host's log with lines at these seconds, in this order; returns the ids of what was sent.
  private func write(_ fixture: Fixture, _ segments: [[Double]], host: String? = nil) throws -> [MessageID] {
    let host = host ?? fixture.spool.host
    var ids: [MessageID] = []
    #expect(mkdir("\(fixture.path)/log/\(host)", 0o755) == 0 || errno == EEXIST)
    for seconds in segments {
      var bytes: [UInt8] = []
      for second in seconds {
        let time = Timestamp(microseconds: 1_700_000_000_000_000).advanced(bySeconds: second)
        var message = Message(content: String(repeating: "x", count: 2000))
        message.id = MessageID(time: time, random: Random.bits())
        message.to = ["coder"]
        ids.append(message.id!)
        bytes += LogEvent.line(
          kind: .messageSent, subject: "\(message.id!)", source: "/\(host)/1.1", number: ids.count, time: time
        ) { writer in
          writer.beginObject()
          writer.member("recipients", message.to)
          writer.key("message")
          writer.raw(message.encoded)
          writer.endObject()
        }
      }
      let start = Timestamp(microseconds: 1_700_000_000_000_000).advanced(bySeconds: seconds[0])
      try Plain.write("\(fixture.path)/log/\(host)/\(start.compact).jsonl", String(decoding: bytes, as: UTF8.self))
    }
    return ids
  }

  private func check(_ fixture: Fixture, _ ids: [MessageID]) throws {
    let history = History(fixture.spool)
    for id in ids {
      #expect(try history.sent(id)?.subject == id.description)
      #expect(try history.trace(id).count == 1)
      #expect(try history.thread(id.description).map(\.subject) == [id.description])
      #expect(try history.identifier(String(id.description.suffix(16).prefix(8))) == id)
    }
  }

  @Test func `each message of a long log is found, and read from where its time says`() throws {
    let fixture = try Fixture("coder")
    // Of 2 KB each: many times the block that is read at once.
    let ids = try write(fixture, (0..<3).map { segment in (0..<700).map { Double(segment * 700 + $0) } })
    try check(fixture, ids.enumerated().filter { $0.offset % 97 == 0 }.map(\.element))
    let files = LogFiles(root: fixture.spool.root)
    let segment = try files.segments(of: fixture.spool.host)[1]
    let moment = segment.start.advanced(bySeconds: 600)
    let offset = try files.offset(in: segment, before: moment)
    let event = try #require(try files.event(at: .init(segment: segment, offset: offset)))
    #expect(event.time < moment && moment.seconds(since: event.time) < 140)
    #expect(try files.offset(in: segment, before: segment.start) == 0)
  }

  @Test func `a clock that was set forward and back hides nothing`() throws {
    let fixture = try Fixture("coder")
    let year = 31_536_000.0
    let jump = (0..<200).map { Double($0) } + (200..<400).map { year + Double($0) } + (400..<600).map { Double($0) }
    let ids = try write(fixture, [jump, (0..<300).map { year + 1000 + Double($0) }])
    let history = History(fixture.spool)
    for id in ids.enumerated().filter({ $0.offset % 61 == 0 }).map(\.element) {
      #expect(try history.sent(id)?.subject == id.description)
    }
  }

  @Test func `what another host logged with a clock that is behind is part of the story`() throws {
    let fixture = try Fixture("coder")
    let ids = try write(fixture, [(5000..<5400).map { Double($0) }])
    let id = ids[200]
    let time = id.time.advanced(bySeconds: -1800)
    let line = LogEvent.line(kind: .messageAcked, subject: "\(id)", source: "/afar/1.1", number: 1, time: time) {
      $0.beginObject()
      $0.member("bot", "coder")
      $0.endObject()
    }
    #expect(mkdir("\(fixture.path)/log/afar", 0o755) == 0)
    let start = time.advanced(bySeconds: -60)
    try Plain.write("\(fixture.path)/log/afar/\(start.compact).jsonl", String(decoding: line, as: UTF8.self))
    #expect(try Set(History(fixture.spool).trace(id).map(\.kind)) == [.messageSent, .messageAcked])
  }

  @Test func `an inbox is listed in order, as far as asked`() throws {
    let fixture = try Fixture("coder")
    var names: [String] = []
    for _ in 0..<3000 {
      let name =
        "\(Int.random(in: 0...9))-\(MessageID(time: Timestamp(microseconds: Clock.wall()), random: Random.bits())).json"
      try Plain.write(fixture.box("inbox") + "/\(name)", #"{"content":"x"}"#)
      names.append(name)
    }
    names.sort()
    for limit in [1, 10, 500, 2999, 3000, 5000] {
      #expect(try fixture.spool.root.firstNames("bots/coder/inbox", limit) == Array(names.prefix(limit)))
    }
    #expect(try fixture.spool.entries(of: fixture.bot(), limit: 7).map(\.fileName) == Array(names.prefix(7)))
  }
}
