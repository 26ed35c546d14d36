import Glibc
import Linux
import SpoolFormat
import Synchronization
import TestSupport
import TestThreads
import Testing

@testable import Spool

/// What people and programs do to get a file into an inbox, while a receiver waits there.
@Suite(.waiting) struct DroppedFileTests {
  /// A receiver on a thread of its own, which takes and acks everything until it is told to stop.
  final class Receiver: Sendable {
    private let taken = Mutex<[Claim]>([])
    private let bell: Pipe
    private let done: Pipe

    init(_ fixture: Fixture, _ bot: String = "coder", watching: DirectoryWatcher.Mechanism? = nil) throws {
      bell = try Pipe()
      done = try Pipe()
      let (spool, bot, stop, end) = (fixture.spool, try fixture.bot(bot), bell.readEnd.raw, done.writeEnd.raw)
      let waits = try Pipe()
      let ready = waits.writeEnd.raw
      try Thread.detach { [self] in
        do {
          let inbox = try Inbox(spool, bot, watching: watching)
          try inbox.watch()
          var byte: UInt8 = 1
          _ = Glibc.write(ready, &byte, 1)
          while try Poll.wait([stop], nanoseconds: 0) == [false] {
            guard let claim = try inbox.receive(waiting: 60, interruption: stop) else { continue }
            taken.withLock { $0.append(claim) }
            try spool.ack(claim.bot, claim.name)
          }
        } catch { Issue.record(error) }
        var byte: UInt8 = 1
        _ = Glibc.write(end, &byte, 1)
      }
      _ = try waits.readEnd.read(maximum: 1)
    }

    var contents: [String] { taken.withLock { $0.map { $0.message.content ?? "" } } }
    var claims: [Claim] { taken.withLock { $0 } }

    func stop() throws {
      try bell.writeEnd.write([1])
      _ = try done.readEnd.read(maximum: 1)
    }
  }

  #if DEBUG
    private static let id = "20261121T023209.718105Z-10dcf6a1c42eee1d"

    @Test func `of two files with one id, adopted by two at once, neither takes the other's place`() throws {
      func drop(_ content: String, _ fixture: Fixture) throws {
        try Plain.write(fixture.box("inbox") + "/\(content).json", #"{"content":"\#(content)","id":"\#(Self.id)"}"#)
      }
      func start(_ fixture: Fixture, _ fault: String) throws -> Running {
        try drop("x", fixture)
        return try OwnProcess.start(
          "claim and die", [fixture.path, "coder"],
          environment: ["SPOOL_FAULT_TRACE": fixture.home("trace"), "SPOOL_FAULT": fault])
      }
      let traced = try Fixture("coder")
      #expect(try start(traced, "").wait(seconds: SpoolCommand.secondsMax).isKilled)
      // Into `claimed/`, and then to its proper name.
      let renames = try Plain.text(traced.home("trace")).split(separator: "\n").filter { $0.hasPrefix("renameat") }
      let number = renames.prefix(2).count { $0 == renames[1] }
      let fixture = try Fixture("coder")
      let adopter = try start(fixture, "stop-before:\(renames[1])#\(number)")
      #expect(eventually { adopter.isStoppedOrOver })
      #expect(fixture.names("claimed").count == 1)
      try drop("y", fixture)
      var other = DroppedFile(name: Array("y.json".utf8))
      _ = try other.examine(fixture.spool, fixture.bot())
      #expect(fixture.names("inbox") == ["5-\(Self.id).json"])
      adopter.kill(SIGCONT)
      _ = try adopter.wait(seconds: SpoolCommand.secondsMax)
      #expect(try fixture.drain().sorted() == ["x", "y"])
      #expect(try Set(fixture.events(.messageAcked).map(\.subject)).count == 2)
    }
  #endif

  /// Runs the script in the inbox while somebody waits there; what comes must be `wanted`, and nothing may be set aside.
  private func drop(_ script: String, delivers wanted: [String], _ comment: Comment? = nil) throws {
    let fixture = try Fixture("coder")
    let receiver = try Receiver(fixture)
    try shell(script, in: fixture.box("inbox"))
    #expect(eventually { receiver.contents.count >= wanted.count }, comment)
    // The inbox is empty of messages when all have been handed out.
    #expect(eventually { fixture.names("inbox").allSatisfy { !$0.hasSuffix(".json") } }, comment)
    try receiver.stop()
    #expect(receiver.contents.sorted() == wanted.sorted(), comment)
    #expect(try fixture.spool.quarantined().map(\.reason) == [], comment)
    #expect(fixture.names("claimed").isEmpty, comment)
    let sent = try fixture.events(.messageSent)
    #expect(sent.compactMap { $0.message?.content }.sorted() == wanted.sorted(), comment)
  }

  @Test(arguments: [
    #"echo '{"content":"x"}' > a.json"#,
    #"printf '{"content":"x"}' > ../half; cp ../half a.json"#,
    #"printf '{"content":"x"}' > ../half; cp -p ../half a.json; touch -d 2001-01-01 ../half"#,
    #"printf '{"content":"x"}' > ../half; mv ../half a.json"#,
    #"printf '{"content":"x"}' > ../half; ln ../half a.json"#,
    #"printf '{"content":"x"}' > ../half; dd if=../half of=a.json bs=1 2>/dev/null"#,
    // An editor's save: a file beside it, then over it; or a swap file, a backup and the file itself, cut and written.
    #"printf '{"content":"x"}' > .a.json.tmp; mv .a.json.tmp a.json"#,
    #"printf '{"con' > .a.json.swp; printf '{"content":"old"}' > a.json~; printf '{"content":"x"}' > a.json; rm .a.json.swp a.json~"#,
    // rsync.
    #"printf '{"conte' > .a.json.Xy12Zw; printf 'nt":"x"}' >> .a.json.Xy12Zw; mv .a.json.Xy12Zw a.json"#,
    // Characters that need care.
    #"echo '{"content":"x"}' > 'a b'"'"'c $(d) "e" *.json'"#,
    #"echo '{"content":"x"}' > -rf.json 2>/dev/null || echo '{"content":"x"}' > ./-rf.json"#,
  ])
  func `one file put there by a person is delivered once, whole`(script: String) throws {
    try drop(script, delivers: ["x"], Comment(rawValue: script))
  }

  @Test func `a slow writer is waited for, however long its pauses`() throws {
    try drop(
      #"{ printf '{"cont'; sleep 0.9; printf 'ent":"'; sleep 0.9; printf 'slow'; sleep 0.9; printf '"}'; } > a.json"#,
      delivers: ["slow"])
  }

  @Test func `a file that is written in several goes is waited for between them`() throws {
    try drop(
      #"printf '{"cont' > a.json; sleep 0.05; printf 'ent":"go' >> a.json; sleep 0.05; printf 'es"}' >> a.json"#,
      delivers: ["goes"])
  }

  @Test func `a file that is cut and written again while it is looked at is delivered as it ends`() throws {
    try drop(
      #"printf '{"content":"old' > a.json; sleep 0.05; printf '{"content":"new' > a.json; sleep 0.05; printf '"}' >> a.json"#,
      delivers: ["new"])
  }

  @Test func `many files at once are each delivered once`() throws {
    try drop(
      #"for i in 0 1 2 3 4 5 6 7 8 9; do for j in 0 1 2 3 4; do echo "{\"content\":\"$i$j\"}" > $i$j.json; done; done"#,
      delivers: (0..<10).flatMap { i in (0..<5).map { "\(i)\($0)" } })
  }

  @Test func `names that look the same, and names that are no text, are all seen`() throws {
    // The same letter composed and decomposed.
    try drop(
      #"printf '{"content":"1"}' > "$(printf 'caf\303\251').json"; printf '{"content":"2"}' > "$(printf 'cafe\314\201').json""#,
      delivers: ["1", "2"])
  }

  @Test func `a file with a proper name that is copied in slowly is delivered whole`() throws {
    let id = "20261120T234512.345678Z-0123456789abcdef"
    try drop(
      #"{ printf '{"content":"'; sleep 0.7; printf 'x"}'; } > 5-\#(id).json"#, delivers: ["x"])
  }

  @Test func `a dead letter that is copied back is delivered each time`() throws {
    let fixture = try Fixture("coder")
    for number in 0..<30 { try fixture.send("\(number)") }
    let inbox = try fixture.inbox()
    while let claim = try inbox.claim() { try fixture.spool.bury(claim.bot, claim.name, reason: "x") }
    let receiver = try Receiver(fixture)
    try shell("cp dead/*.json inbox/", in: fixture.box("."))
    #expect(eventually { receiver.contents.count >= 30 })
    try receiver.stop()
    #expect(receiver.contents.sorted() == (0..<30).map { "\($0)" }.sorted())
    #expect(try fixture.spool.quarantined().map(\.reason) == [])
  }

  @Test func `of two files with one id that are being adopted neither takes the other's place when both adopters die`()
    throws
  {
    let fixture = try Fixture("coder")
    let id = MessageID(time: Timestamp(microseconds: 1_700_000_000_000_000), random: 1)
    for number in 1...3 {
      let gone = Holder(host: fixture.spool.host, pid: DeadProcess.pid + number, start: DeadProcess.start)
      let held = EntryName(urgency: 5, id: id, place: .held(gone))
      try Plain.write(fixture.box("claimed") + "/\(held)", #"{"content":"\#(number)"}"#)
    }
    #expect(try fixture.drain().sorted() == ["1", "2", "3"])
  }

  @Test func `a file that is copied in under a proper name takes no dropped one's place`() throws {
    let fixture = try Fixture("coder")
    let id = MessageID(time: Timestamp(microseconds: 1_700_000_000_000_000), random: 1)
    let names = ["\(EntryName(urgency: 5, id: id))", "\(id).json"]
    let files = names.map { open(fixture.box("inbox") + "/\($0)", O_WRONLY | O_CREAT, 0o644) }
    defer { for file in files { close(file) } }
    func write(_ text: String, to file: CInt) { #expect(Glibc.write(file, text, text.utf8.count) == text.utf8.count) }
    for file in files { write(#"{"content":"#, to: file) }
    let inbox = try fixture.inbox()
    #expect(try inbox.claim() == nil)
    #expect(fixture.names("inbox").count == 2)
    for (number, file) in files.enumerated() { write("\"\(number)\"}", to: file) }
    var contents: [String] = []
    #expect(
      try eventually {
        while let claim = try inbox.claim() { contents.append(claim.message.content ?? "") }
        return contents.count == 2
      })
    #expect(contents.sorted() == ["0", "1"])
  }

  @Test func `a dropped message gets its proper name, its urgency and its place in the log`() throws {
    let fixture = try Fixture("coder")
    try Plain.write(
      fixture.box("inbox") + "/task one.json", "{ \"priority\" : 9, \"content\" : \"caf\\u00e9\", \"n\": 1.50 }\n")
    let claim = try #require(try fixture.inbox().claim())
    #expect(claim.name.urgency == 1)
    #expect(claim.attempt == 1)
    #expect(claim.message.content == "caf\u{e9}")
    let sent = try #require(try fixture.events(.messageSent).first)
    #expect(sent.text("dropped_as") == "task one.json")
    #expect(sent.texts("recipients") == ["coder"])
    #expect(sent.subject == claim.name.id.description)
    #expect(
      sent.messageBytes.map { String(decoding: $0, as: UTF8.self) }
        == "{\"priority\":9,\"content\":\"caf\u{e9}\",\"n\":1.50}")
    // The file itself stays as it was written.
    #expect(try Plain.text("\(fixture.path)/\(claim.path)").hasPrefix("{ \"priority\" : 9"))
  }

  @Test func `a dropped message keeps its own id, and one that is taken gives way`() throws {
    let fixture = try Fixture("coder")
    let id = "20200101T000000.000000Z-00000000000000aa"
    for name in ["a", "b"] {
      try Plain.write(fixture.box("inbox") + "/\(name).json", #"{"id":"\#(id)","content":"x"}"#)
    }
    let inbox = try fixture.inbox()
    var ids: [String] = []
    while let claim = try inbox.claim() { ids.append(claim.name.id.description) }
    #expect(ids.count == 2)
    // Both are in hand now.
    try Plain.write(fixture.box("inbox") + "/c.json", #"{"id":"\#(id)","content":"x"}"#)
    while let claim = try inbox.claim() { ids.append(claim.name.id.description) }
    #expect(Set(ids).count == 3 && fixture.names("claimed").count == 3)
    #expect(ids.contains(id))
  }

  @Test func `a dropped message waits for its time, and expires`() throws {
    let fixture = try Fixture("coder")
    let later = Timestamp(microseconds: Clock.wall()).advanced(bySeconds: 3600).rfc3339
    try Plain.write(fixture.box("inbox") + "/later.json", #"{"content":"later","not_before":"\#(later)"}"#)
    try Plain.write(fixture.box("inbox") + "/old.json", #"{"content":"old","expires_at":"2001-01-01"}"#)
    let inbox = try fixture.inbox()
    #expect(try inbox.claim() == nil)
    #expect(fixture.names("inbox").compactMap { EntryName($0)?.notBefore }.count == 1)
    #expect(
      try fixture.spool.deadLetters(of: fixture.bot()).map(\.reason) == ["expired at 2001-01-01T00:00:00.000000Z"])
  }

  @Test func `a message that somebody moves to another bot is delivered there`() throws {
    let fixture = try Fixture("coder", "b")
    try fixture.send("moved")
    let receiver = try Receiver(fixture, "b")
    try shell("mv coder/inbox/*.json b/inbox/", in: fixture.path + "/bots")
    #expect(eventually { receiver.contents == ["moved"] })
    try receiver.stop()
    #expect(try fixture.drain() == [])
  }

  @Test func `one of two receivers adopts a dropped file`() throws {
    let fixture = try Fixture("coder")
    let receivers = try [Receiver(fixture), Receiver(fixture)]
    for number in 0..<60 { try Plain.write(fixture.box("inbox") + "/\(number).json", #"{"content":"\#(number)"}"#) }
    #expect(eventually { receivers.map(\.contents.count).reduce(0, +) >= 60 })
    for receiver in receivers { try receiver.stop() }
    let all = receivers.flatMap(\.contents)
    #expect(all.sorted() == (0..<60).map { "\($0)" }.sorted())
    #expect(try fixture.events(.messageSent).count == 60)
  }

  @Test func `a file that can be neither taken nor set aside is told, once, and keeps no other waiting`() throws {
    let fixture = try Fixture("coder")
    let quarantine = fixture.path + "/quarantine"
    TemporaryDirectory.removeTree(quarantine)
    try Plain.write(quarantine, "in the way")
    for name in ["a", "b"] { try Plain.write(fixture.box("inbox") + "/\(name).json", "no message") }
    #expect(throws: SpoolError.self) { try fixture.inbox(detached: true).receive() }
    let inbox = try fixture.inbox()
    #expect(try inbox.claim() == nil)
    #expect(inbox.takeProblems().count == 1)
    // Less and less often.
    usleep(450_000)
    #expect(try inbox.claim() == nil)
    #expect(inbox.takeProblems().isEmpty)
    try Plain.write(fixture.box("inbox") + "/c.json", #"{"content":"hi"}"#)
    #expect(try fixture.drain() == ["hi"])
  }

  @Test func `an adopter that dies half-way leaves a dropped file behind`() throws {
    let fixture = try Fixture("coder")
    let (path, trace) = (fixture.path, fixture.home("trace"))
    func run(fault: String) throws {
      let environment = fault.isEmpty ? ["SPOOL_FAULT_TRACE": trace] : ["SPOOL_FAULT": fault]
      let outcome = try OwnProcess.run("take and ack", [path, "coder"], environment: environment)
      #expect(fault.isEmpty ? outcome.isDone : outcome.isKilled, "\(outcome)")
    }
    func drop(_ content: String) throws {
      try Plain.write(fixture.box("inbox") + "/a.json", #"{"content":"\#(content)"}"#)
    }
    try drop("traced")
    try run(fault: "")
    let calls = try Plain.text(trace).split(separator: "\n").count
    #expect(calls > 20)
    var deaths = 0
    for number in 10...calls {
      try drop("\(number)")
      try run(fault: "kill-before:\(number)")
      deaths += 1
      let left = try fixture.drain()
      // Before its ack was logged it comes again; afterwards it may.
      #expect(left == ["\(number)"] || (left == [] && number == calls), "killed before call \(number) of \(calls)")
      #expect(fixture.names("inbox").isEmpty && fixture.names("claimed").isEmpty && fixture.names("tmp").isEmpty)
    }
    #expect(deaths > 10)
    #expect(try fixture.spool.quarantined().isEmpty)
  }

  @Test func `of very many the first is handed out soon, and in the end all are, beside some that never are complete`()
    throws
  {
    let fixture = try Fixture("coder")
    for number in 0..<5000 { try Plain.write(fixture.box("inbox") + "/\(number).json", #"{"content":"x"}"#) }
    let inbox = try fixture.inbox()
    #expect(try inbox.claim() != nil)
    let left = fixture.names("inbox").count { EntryName($0) == nil }
    #expect(left > 500, "\(left) are still to be looked at")
    try shell("rm -f inbox/*", in: fixture.path + "/bots/coder")
    // More of them are being written than are kept in mind.
    var written: [CInt] = []
    defer { for raw in written { close(raw) } }
    for number in 0..<150 {
      written.append(open(fixture.box("inbox") + "/w\(number).json", O_WRONLY | O_CREAT | O_CLOEXEC, 0o644))
      if number < 60 { try Plain.write(fixture.box("inbox") + "/\(number).json", #"{"content":"x"}"#) }
    }
    let other = try fixture.inbox()
    other.dropped.countMax = 20
    var taken = 0
    let areAll = try eventually(30) {
      while let claim = try other.claim() {
        try fixture.spool.ack(claim.bot, claim.name)
        taken += 1
      }
      return taken == 60
    }
    #expect(areAll, "\(taken)")
    #expect(fixture.names("inbox").filter { $0.hasPrefix("w") }.count == 150)
  }

  #if DEBUG
    @Test func `an adopter that was stopped until its message was done doesn't begin that anew in the log`() throws {
      func start(_ fixture: Fixture, _ fault: String) throws -> Running {
        try Plain.write(fixture.box("inbox") + "/a.json", #"{"content":"x"}"#)
        return try OwnProcess.start(
          "take and ack", [fixture.path, "coder"],
          environment: ["SPOOL_FAULT_TRACE": fixture.home("trace"), "SPOOL_FAULT": fault])
      }
      /// The first that follows after it has taken the file.
      func nextCall(_ fixture: Fixture) throws -> Int {
        let calls = try Plain.text(fixture.home("trace")).split(separator: "\n")
        return try #require(calls.firstIndex(of: "renameat")) + 2
      }
      let traced = try Fixture("coder")
      #expect(try start(traced, "").wait(seconds: SpoolCommand.secondsMax).isDone)
      var number = try nextCall(traced)
      for _ in 0..<20 {
        let fixture = try Fixture("coder")
        let adopter = try start(fixture, "stop-before:\(number)")
        #expect(eventually { adopter.isStoppedOrOver })
        let held = fixture.names("claimed").first.flatMap { EntryName($0) }
        // On a busy machine it makes more calls before, or fewer.
        guard let held, held.attempt == 0, try fixture.events(.messageSent).isEmpty else {
          adopter.kill(SIGCONT)
          _ = try adopter.wait(seconds: SpoolCommand.secondsMax)
          number = try nextCall(fixture)
          continue
        }
        // As who takes it for dead.
        #expect(try fixture.spool.putBackAsDropped(fixture.bot(), held) != nil)
        #expect(try fixture.drain() == ["x"])
        adopter.kill(SIGCONT)
        _ = try adopter.wait(seconds: SpoolCommand.secondsMax)
        #expect(try fixture.events(.messageSent).count == 1)
        _ = try fixture.rebooted()
        #expect(fixture.names("inbox").isEmpty)
        return
      }
      Issue.record("it was never stopped after it had taken the file")
    }
  #endif
}
