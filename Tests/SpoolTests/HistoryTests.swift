import Glibc
import Linux
import SpoolFormat
import TestSupport
import Testing

@testable import Spool

@Suite struct HistoryTests {
  @Test func `every line holds an empty text, once`() {
    for text in ["one\ntwo\nthree", "one\ntwo\nthree\n"] {
      var count = 0
      Array(text.utf8).withUnsafeBufferPointer { lines in
        _ = forEachMatch(of: TextSearch(""), in: lines) { _ in
          count += 1
          return count < 10
        }
      }
      #expect(count == 3)
    }
  }

  /// A log of another host, written by hand: one message a line.
  private func writeAfar(
    _ fixture: Fixture, host: String = "afar", start: Timestamp, _ messages: [(Timestamp, Message)]
  ) throws {
    mkdir(fixture.path + "/log/\(host)", 0o755)
    var bytes: [UInt8] = []
    for (number, entry) in messages.enumerated() {
      var message = entry.1
      let id = message.id ?? MessageID(time: entry.0, random: UInt64(number) + 0xafa0)
      message.id = id
      bytes += LogEvent.line(
        kind: .messageSent, subject: id.description, source: "/\(host)/1.1", number: number, time: entry.0
      ) { writer in
        writer.beginObject()
        writer.member("recipients", message.to)
        writer.key("message")
        message.write(to: &writer)
        writer.endObject()
      }
    }
    try Plain.write(fixture.path + "/log/\(host)/\(start.compact).jsonl", bytes)
  }

  private func contents(_ events: [LogEvent]) -> [String] { events.map { $0.message?.content ?? $0.kind.description } }

  private func find(_ fixture: Fixture, limit: Int = 1000, _ change: (inout History.Filter) -> Void) throws -> [String]
  {
    var filter = History.Filter()
    filter.sentOnly = true
    change(&filter)
    return contents(try History(fixture.spool).newest(filter, limit: limit))
  }

  @Test func `logs of hosts are read as one, by time, though one goes on when it seemed to be over`() throws {
    let fixture = try Fixture("coder")
    func moment(_ second: Int) -> Timestamp { Timestamp(microseconds: 1_700_000_000_000_000 + second * 1_000_000) }
    func messages(_ seconds: some Sequence<Int>) -> [(Timestamp, Message)] {
      seconds.map { (moment($0), Message(content: "\($0)")) }
    }
    try writeAfar(fixture, host: "even", start: moment(0), messages(stride(from: 0, to: 4000, by: 2)))
    try writeAfar(fixture, host: "odd", start: moment(0), messages(stride(from: 1, to: 41, by: 2)))
    var merge = try LogMerge(LogFiles(root: fixture.spool.root))
    var seconds: [Int] = []
    while let (event, _) = try merge.next() {
      guard let second = (event.message?.content).flatMap({ Int($0) }) else { continue }
      seconds.append(second)
      if second == 100 {
        try writeAfar(fixture, host: "odd", start: moment(3500), messages(stride(from: 3501, to: 3541, by: 2)))
      }
    }
    let expected =
      Array(0..<41) + stride(from: 42, to: 3500, by: 2) + Array(3500..<3541) + stride(from: 3542, to: 4000, by: 2)
    #expect(seconds == expected)
    #expect(try merge.next() == nil)
    try writeAfar(fixture, host: "odd", start: moment(5000), messages([5001]))
    #expect(try merge.next()?.event.message?.content == "5001")
  }

  @Test func `who follows until a moment is through with it then`() throws {
    let fixture = try Fixture("coder")
    try fixture.send("x")
    var filter = History.Filter()
    filter.until = Timestamp(microseconds: Clock.wall()).advanced(bySeconds: 0.2)
    var count = 0
    try History(fixture.spool).follow(filter) { _ in
      count += 1
      return true
    }
    #expect(count == 0)
  }

  @Test func `the newest come first, at most as many as asked for, from any number of segments`() throws {
    let fixture = try Fixture("coder") { $0.segmentBytesMax = 4096 }
    for number in 0..<60 { try fixture.send("\(number) " + String(repeating: "x", count: 200)) }
    let all = try find(fixture) { _ in }.map { String($0.prefix { $0 != " " }) }
    #expect(all == (0..<60).reversed().map { "\($0)" })
    #expect(try LogFiles(root: Directory(fixture.path)).allSegments().count > 5)
    for limit in [0, 1, 7, 60, 100] {
      #expect(try find(fixture, limit: limit) { _ in }.count == min(limit, 60))
      #expect(try find(fixture, limit: limit) { $0.phrases = ["xxxx"] }.count == min(limit, 60))
    }
    #expect(
      try find(fixture, limit: 3) { $0.phrases = ["x"] }.map { String($0.prefix { $0 != " " }) } == ["59", "58", "57"])
    var forwards: [String] = []
    var filter = History.Filter()
    filter.sentOnly = true
    try History(fixture.spool).forEach(filter) { event in
      forwards.append(String((event.message?.content ?? "").prefix { $0 != " " }))
      return forwards.count < 30
    }
    #expect(forwards == (0..<30).map { "\($0)" })
  }

  @Test func `words and phrases are found in what a message says, whatever their case, and nowhere else`() throws {
    let fixture = try Fixture("coder", "rare")
    try fixture.send("The QUICK brown fox\nsaid \"caf\u{e9}\" \\ \u{1f600}", from: "ann")
    try fixture.send("slow") {
      $0.data = try? JSONText(validating: #"{"quick":"Inner \u0041 text"}"#)
      $0.context = try? JSONText(validating: #"["Deep"]"#)
    }
    try fixture.send("to another", to: "rare", from: "quicksilver")
    try Plain.write(
      fixture.box("inbox") + "/a.json", #"{"content":"dropped by h\u0061nd, caf\u00e9","mine":"extra field"}"#)
    _ = try fixture.drain()
    #expect(try find(fixture) { $0.phrases = ["quick"] }.count == 2)
    #expect(try find(fixture) { $0.phrases = ["QUICK BROWN"] }.count == 1)
    #expect(try find(fixture) { $0.phrases = ["brown", "fox", "the"] }.count == 1)
    #expect(try find(fixture) { $0.phrases = ["brown", "slow"] }.isEmpty)
    #expect(try find(fixture) { $0.phrases = ["fox\nsaid \"caf\u{e9}\" \\"] }.count == 1)
    #expect(try find(fixture) { $0.phrases = ["caf\u{e9}"] }.count == 2)
    #expect(try find(fixture) { $0.phrases = ["\u{1f600}"] }.count == 1)
    #expect(try find(fixture) { $0.phrases = ["inner a text"] } == ["slow"])
    #expect(try find(fixture) { $0.phrases = ["deep"] } == ["slow"])
    #expect(try find(fixture) { $0.phrases = ["by hand"] }.count == 1)
    #expect(try find(fixture) { $0.phrases = ["extra field"] }.count == 1)
    // However it was laid out, it is one line in the log.
    try fixture.send("pretty") {
      $0.data = try? JSONText(validating: "{\n  \"a\" : \"two\\u0020words\",\r\n  \"n\": 1.50\n}")
    }
    #expect(try find(fixture) { $0.phrases = ["two words"] } == ["pretty"])
    #expect(try find(fixture) { $0.phrases = ["1.50"] } == ["pretty"])
    _ = try fixture.drain()
    // Not in names of bots, types of events and the like.
    #expect(try find(fixture) { $0.phrases = ["rare"] }.isEmpty)
    #expect(try find(fixture) { $0.phrases = ["message.sent"] }.isEmpty)
    #expect(try find(fixture) { $0.phrases = ["specversion"] }.isEmpty)
    #expect(try find(fixture) { $0.phrases = ["nothing like it"] }.isEmpty)
    #expect(try find(fixture) { $0.phrases = [""] }.count == 5)
  }

  @Test func `messages of a type with a dot are found, as events are`() throws {
    let fixture = try Fixture("coder")
    try fixture.send("built") { $0.type = try! MessageType(parsing: "build.done") }
    try fixture.send("request")
    #expect(try find(fixture) { $0.type = "build.done" } == ["built"])
    #expect(try find(fixture) { $0.type = "message.sent" } == ["request", "built"])
    #expect(try find(fixture) { ($0.type, $0.to) = ("message.acked", "coder") } == [])
  }

  @Test func `messages are found by sender, recipient, type and conversation`() throws {
    let fixture = try Fixture("a", "b", "c")
    try fixture.send("1", to: "a", from: "b") { $0.type = .handoff }
    try fixture.send("2", to: "a", "c", from: "b") { $0.conversation = "talk \"1\" / \u{e9}" }
    try fixture.send("3", to: "team", from: "a")
    #expect(try find(fixture) { $0.from = "b" } == ["2", "1"])
    #expect(try find(fixture) { $0.to = "a" } == ["2", "1"])
    #expect(try find(fixture) { $0.to = "c" } == ["3", "2"])
    #expect(try find(fixture) { $0.to = "team" } == ["3"])
    #expect(try find(fixture) { $0.bot = "b" } == ["3", "2", "1"])
    #expect(try find(fixture) { $0.bot = "c" } == ["3", "2"])
    #expect(try find(fixture) { $0.type = "handoff" } == ["1"])
    #expect(try find(fixture) { $0.type = "broadcast" } == ["3", "2"])
    #expect(try find(fixture) { $0.conversation = "talk \"1\" / \u{e9}" } == ["2"])
    #expect(try contents(History(fixture.spool).thread("talk \"1\" / \u{e9}")) == ["2"])
    #expect(try find(fixture) { ($0.from, $0.to) = ("b", "c") } == ["2"])
    #expect(try find(fixture) { $0.from = "nobody" } == [])
    _ = try fixture.drain("a")
    var filter = History.Filter()
    filter.type = "message.acked"
    #expect(try History(fixture.spool).newest(filter, limit: 9).count == 2)
    filter.bot = "a"
    #expect(try History(fixture.spool).newest(filter, limit: 9).count == 2)
    filter.bot = "b"
    #expect(try History(fixture.spool).newest(filter, limit: 9).isEmpty)
    filter = History.Filter()
    filter.bot = "a"
    // Registered; three messages; two of them claimed and acked.
    #expect(try History(fixture.spool).newest(filter, limit: 99).count == 8)
  }

  @Test func `messages that other systems' names were used for are found like any other`() throws {
    let fixture = try Fixture("coder")
    try Plain.write(
      fixture.box("inbox") + "/a.json",
      #"{"sender_id":"ann","recipient_id":"coder","message_type":"handoff","conversation_id":"talk","content":"alias"}"#
    )
    _ = try fixture.drain()
    #expect(try find(fixture) { $0.from = "ann" } == ["alias"])
    #expect(try find(fixture) { $0.type = "handoff" } == ["alias"])
    #expect(try find(fixture) { $0.conversation = "talk" } == ["alias"])
    #expect(try find(fixture) { $0.bot = "ann" } == ["alias"])
    #expect(try find(fixture) { $0.phrases = ["talk"] } == [])
    let statistics = try Statistics(of: fixture.spool)
    #expect(statistics.bots["ann"]?.sent == 1)
    #expect(statistics.types == ["handoff": 1])
  }

  @Test func `logs of several hosts are one history, by time`() throws {
    let fixture = try Fixture("coder")
    let now = Timestamp(microseconds: Clock.wall())
    func message(_ text: String) -> Message {
      var message = Message(content: text)
      message.to = ["coder"]
      message.conversation = "talk"
      return message
    }
    try fixture.send("here 1") { $0.conversation = "talk" }
    let between = Timestamp(microseconds: Clock.wall())
    try fixture.send("here 2") { $0.conversation = "talk" }
    try writeAfar(
      fixture, start: now.advanced(bySeconds: -100),
      [
        (now.advanced(bySeconds: -50), message("afar 0")), (between, message("afar 1")),
        (between.advanced(bySeconds: 50), message("afar 2")),
      ])
    try writeAfar(
      fixture, host: "third.host", start: now.advanced(bySeconds: -10),
      [(now.advanced(bySeconds: -9), message("third"))])
    let wanted = ["afar 0", "third", "here 1", "afar 1", "here 2", "afar 2"]
    #expect(try contents(History(fixture.spool).thread("talk")) == wanted)
    #expect(try contents(fixture.events(.messageSent)) == wanted)
    #expect(try find(fixture, limit: 2) { _ in } == ["afar 2", "here 2"])
    #expect(try find(fixture) { $0.since = between } == ["afar 2", "here 2", "afar 1"])
    #expect(try find(fixture) { $0.until = between } == ["afar 1", "here 1", "third", "afar 0"])
    #expect(
      try find(fixture) { ($0.since, $0.until) = (now.advanced(bySeconds: -20), between) } == [
        "afar 1", "here 1", "third",
      ])
    var since = History.Filter()
    since.since = between
    since.sentOnly = true
    var forwards: [LogEvent] = []
    try History(fixture.spool).forEach(since) {
      forwards.append($0)
      return true
    }
    #expect(contents(forwards) == ["afar 1", "here 2", "afar 2"])
  }

  @Test func `since and until hold across segments`() throws {
    let fixture = try Fixture("coder") { $0.segmentBytesMax = 4096 }
    var times: [Timestamp] = []
    for number in 0..<40 {
      try fixture.send("\(number)") { $0.data = JSONText(string: String(repeating: "x", count: 200)) }
      times.append(try #require(try History(fixture.spool).newest(History.Filter(), limit: 1).first).time)
    }
    #expect(try LogFiles(root: Directory(fixture.path)).allSegments().count > 3)
    for (first, last) in [(0, 39), (10, 30), (17, 17), (39, 39), (0, 0)] {
      let found = try find(fixture) { ($0.since, $0.until) = (times[first], times[last]) }
      #expect(found == (first...last).reversed().map { "\($0)" })
      #expect(try find(fixture, limit: 1) { $0.until = times[last] } == ["\(last)"])
    }
    #expect(try find(fixture) { $0.since = times[39].advanced(bySeconds: 1) } == [])
    #expect(try find(fixture) { $0.until = times[0].advanced(bySeconds: -1) } == [])
  }

  @Test func `an id is known by any part that is its alone`() throws {
    let fixture = try Fixture("coder") { $0.segmentBytesMax = 4096 }
    let ids = try (0..<30).map { try fixture.send("\($0)") }
    let history = History(fixture.spool)
    for id in ids {
      #expect(try history.identifier(id.description) == id)
      #expect(try history.identifier(String(id.description.suffix(10))) == id)
      #expect(try history.identifier("5-\(id).json") == id)
      #expect(try history.identifier("bots/coder/inbox/5-\(id)~2.json") == id)
    }
    #expect(code { _ = try history.identifier("2026") } != nil)
    #expect(code { _ = try history.identifier(String(ids[0].description.prefix(8))) } == .badData)
    #expect(
      error { _ = try history.identifier(String(ids[0].description.prefix(8))) }.contains("stands for 30 messages"))
    #expect(code { _ = try history.identifier("ffffffffffffffff") } == .notFound)
    for text in ["", "abc", "\u{1b}[2J", "a b c d", "\u{e9}\u{e9}\u{e9}"] {
      #expect(code { _ = try history.identifier(text) } == .badData, "\(text)")
      #expect(!error { _ = try history.identifier(text) }.contains("\u{1b}"))
    }
  }

  @Test func `a trace tells everything that happened to one message, on all hosts`() throws {
    let fixture = try Fixture("coder") { $0.segmentBytesMax = 4096 }
    let id = try fixture.send("traced")
    for number in 0..<20 { try fixture.send("other \(number)") }
    let inbox = try fixture.inbox()
    let claim = try #require(try inbox.claim())
    #expect(claim.name.id == id)
    try fixture.spool.nack(claim.bot, claim.name)
    for number in 0..<20 { try fixture.send("other \(number)") }
    mkdir(fixture.path + "/log/afar", 0o755)
    let line = LogEvent.line(
      kind: .messageClaimed, subject: id.description, source: "/afar/1.1", number: 1,
      time: Timestamp(microseconds: Clock.wall())
    ) { writer in
      writer.beginObject()
      writer.member("bot", "coder")
      writer.endObject()
    }
    try Plain.write(fixture.path + "/log/afar/\(Timestamp(microseconds: Clock.wall()).compact).jsonl", line)
    let trace = try History(fixture.spool).trace(id)
    #expect(trace.map(\.kind) == [.messageSent, .messageClaimed, .messageRequeued, .messageClaimed])
    #expect(trace.last?.source == "/afar/1.1")
    #expect(try History(fixture.spool).sent(id)?.message?.content == "traced")
    #expect(try History(fixture.spool).sent(MessageID(time: id.time, random: 1)) == nil)
    #expect(try fixture.spool.message(id)?.recipients == ["coder"])
    #expect(try History(fixture.spool).trace(MessageID(time: id.time, random: 1)).isEmpty)
  }

  @Test func `damaged lines are passed over, and those around them found`() throws {
    let fixture = try Fixture("coder")
    for number in 0..<10 { try fixture.send("\(number) marker") }
    let segment = try #require(try LogFiles(root: Directory(fixture.path)).allSegments().first)
    var bytes = try Plain.read(fixture.path + "/" + segment.path)
    let text = Array("4 marker".utf8)
    let place = try #require(bytes.indices.first { bytes[$0...].starts(with: text) })
    bytes[place] ^= 1
    let raw = open(fixture.path + "/" + segment.path, O_WRONLY)
    #expect(pwrite(raw, bytes, bytes.count, 0) == bytes.count)
    close(raw)
    let wanted = (0..<10).filter { $0 != 4 }.map { "\($0) marker" }
    #expect(try find(fixture) { $0.phrases = ["marker"] } == wanted.reversed())
    #expect(try contents(fixture.events(.messageSent)) == wanted)
  }

  @Test func `statistics agree with a count by hand`() throws {
    let fixture = try Fixture("a", "b", "c") { $0.segmentBytesMax = 4096 }
    for number in 0..<10 { try fixture.send("\(number)", to: "a", from: "b") { $0.conversation = "one" } }
    for number in 0..<5 { try fixture.send("\(number)", to: "team", from: "a") }
    try fixture.send("x", to: "c", from: "a") { $0.type = .handoff }
    _ = try fixture.drain("b")
    let inbox = try fixture.inbox("a")
    for _ in 0..<3 {
      let claim = try #require(try inbox.claim())
      try fixture.spool.ack(claim.bot, claim.name)
    }
    let claim = try #require(try inbox.claim())
    try fixture.spool.bury(claim.bot, claim.name, reason: "x")
    _ = try #require(try inbox.claim())
    try Plain.write(fixture.box("inbox", of: "c") + "/bad.json", "{}")
    _ = try fixture.inbox("c").claim()
    let statistics = try Statistics(of: fixture.spool)
    #expect(statistics.messages == 16)
    #expect(statistics.types == ["request": 10, "broadcast": 5, "handoff": 1])
    // One that is named, and each of the six others begins its own.
    #expect(statistics.conversations == 7)
    #expect(statistics.quarantined == 1)
    func numbers(_ bot: String) -> [Int] {
      let one = statistics.bots[bot] ?? Statistics.PerBot()
      return [one.sent, one.received, one.acked, one.waiting, one.claimed, one.dead]
    }
    #expect(numbers("a") == [6, 10, 3, 5, 1, 1])
    #expect(numbers("b") == [10, 5, 5, 0, 0, 0])
    #expect(numbers("c") == [0, 6, 0, 5, 1, 0])
    #expect(statistics.latency != nil)
    #expect(statistics.bots["b"]?.latency.map { $0.p50 <= $0.p90 && $0.p90 <= $0.p99 } == true)
    let bytes = try LogFiles(root: Directory(fixture.path)).allSegments().map {
      Plain.size(fixture.path + "/" + $0.path)!
    }
    #expect(statistics.logBytes == bytes.reduce(0, +))
    let none = try Statistics(of: fixture.spool, since: Timestamp(microseconds: .max))
    #expect(none.messages == 0 && none.bots["a"]?.dead == 1)
    #expect(Statistics.Percentiles(of: []) == nil)
    #expect(Statistics.Percentiles(of: Array(1...100).shuffled())?.p50 == 51)
    #expect(Statistics.Percentiles(of: Array(1...100))?.p99 == 100)
    #expect(Statistics.Percentiles(of: [7])?.p90 == 7)
  }

  @Test func `what was written about an id since a moment is seen, of hosts that began since as well`() throws {
    let fixture = try Fixture("coder")
    let before = try fixture.send("before")
    let end = try History(fixture.spool).end()
    let after = try fixture.send("after")
    var message = Message(content: "elsewhere")
    message.to = ["coder"]
    let elsewhere = try Spool(at: fixture.path, machine: "elsewhere").send(message)
    for (id, isNew) in [(before, false), (after, true), (elsewhere, true)] {
      #expect(try History(fixture.spool).hasNews(of: id, since: end) == isNew)
    }
  }
}
