#if DEBUG
  import Foundation
  import Glibc
  import TestSupport
  import Testing

  /// A spool in which things are done while all changes of its files are recorded, and what was answered with yes.
  private final class RecordedSpool {
    let scratch: Scratch
    let path: String
    private(set) var cut: PowerCut
    /// What was sent durably, and after how many changes the answer came.
    private(set) var sent: [(id: String, recipients: [String], content: String, after: Int)] = []
    /// What was acked or thrown away, and after how many changes that was begun.
    private(set) var settled: [(id: String, bot: String, began: Int)] = []
    /// What was durably said of tasks: that they were added, or ended, and how.
    private(set) var tasks: [(id: String, state: String?, result: String?, after: Int)] = []
    private(set) var keys: [(key: String, to: String, content: String, id: String, after: Int)] = []

    init(bots: [String], settings: [String: Any] = [:]) throws {
      scratch = try Scratch(inMemory: true)
      path = try scratch.makeSpool(bots: bots, settings: settings)
      cut = PowerCut(of: path)
    }

    /// As it is without any power cut.
    private lazy var whole = SpoolReader(path)

    /// All until now is on the disk, and not recorded.
    func begin() { cut = PowerCut(of: path) }

    @discardableResult
    func run(_ arguments: [String]) throws -> SpoolCommand.Outcome {
      let environment = ["SPOOL_RECORDING": "\(scratch.path)/recording"]
      let outcome = try SpoolCommand.run(arguments, in: path, environment: environment)
      try #require(outcome.isDone, "\(arguments): \(outcome)")
      cut.read("\(scratch.path)/recording", root: path)
      return outcome
    }

    @discardableResult
    func send(_ to: String, _ content: String, key: String? = nil) throws -> String {
      let id = try run(["send", to, content, "--from", "tester"] + (key.map { ["--key", $0] } ?? [])).line
      let recipients = to == "team" ? Scratch.names("\(path)/bots") : [to]
      sent.append((id, recipients, content, cut.changes.count))
      if let key { keys.append((key, to, content, id, cut.changes.count)) }
      return id
    }

    func receive(_ bot: String) throws -> String {
      let outcome = try run(["receive", bot, "--json"])
      return String(try #require(outcome.output.firstMatch(of: #/"claim":"([^"]+)"/#)).output.1)
    }

    func settle(_ bot: String, _ arguments: [String]) throws {
      let text = arguments.last!
      let id = String(try #require(text.firstMatch(of: #/\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{16}/#)).output)
      settled.append((id, bot, cut.changes.count))
      try run(arguments)
    }

    @discardableResult
    func addTask(_ title: String, _ options: String...) throws -> String {
      let id = try run(["task", "add", title, "--by", "tester"] + options).line
      tasks.append((id, nil, nil, cut.changes.count))
      return id
    }

    func claimTask(_ id: String) throws -> String { try run(["task", "claim", id, "--as", "a"]).line }

    /// Ends a task; from the answer on it is so.
    func endTask(_ id: String, _ state: String, result: String? = nil, _ arguments: [String]) throws {
      try run(arguments)
      tasks.append((id, state, result, cut.changes.count))
    }

    // MARK: Judging

    /// Makes a state as it would be found after the next start of the machine. The page of the log is as it is now, of
    /// another boot, or what the disk may have of it.
    func make(_ state: PowerCut.State, at root: String) throws {
      try Scratch.makeDirectory(root)
      for directory in state.directories.sorted() { try Scratch.makeDirectory("\(root)/\(directory)") }
      for (name, bytes) in state.files {
        var bytes = bytes
        if name.hasSuffix("/commit"), !bytes.isEmpty {
          let page = FileManager.default.contents(atPath: "\(path)/\(name)").map { Array($0) } ?? []
          var status = stat()
          lstat(root, &status)
          // Were it all zeros, the spool would be taken for a copy, and all of the log be read.
          if page.count == 4096 { bytes = page }
          bytes.replaceSubrange(16..<48, with: Array(repeating: UInt8(ascii: "0"), count: 32))
          for (offset, value) in [(48, UInt64(status.st_ino)), (56, UInt64(status.st_dev))] {
            for byte in 0..<8 { bytes[offset + byte] = UInt8(truncatingIfNeeded: value >> (8 * byte)) }
          }
        }
        try Scratch.write(Data(bytes), to: "\(root)/\(name)")
      }
    }

    /// What must not be, in a spool that was recovered after a cut.
    func violations(of root: String, after count: Int) -> [String] {
      let reader = SpoolReader(root)
      // Lines that the disk had not got whole, before others that it had, were promised to nobody; nor were reasons.
      var found = reader.violations(settled: true).filter {
        !["is damaged", "has no reason", "was left by", "is no key", "of half a line"].contains(where: $0.contains)
      }
      for host in Scratch.names("\(root)/log") {
        let last = Scratch.names("\(root)/log/\(host)").last { $0.hasSuffix(".jsonl") }
        let bytes = last.flatMap { FileManager.default.contents(atPath: "\(root)/log/\(host)/\($0)") } ?? Data()
        // An earlier segment may end with half a line that nobody was told of: nothing is written there any more.
        if let end = bytes.last, end != 10 { found.append("half a line at the end of the log") }
      }
      // An ack whose line was lost and whose unlink wasn't: done, and nothing is missing.
      for message in settled where message.began < count {
        found.removeAll { $0.hasPrefix("\(message.id) was sent to \(message.bot), is not acked, and is in 0 ") }
      }
      for message in sent where message.after <= count {
        for bot in message.recipients {
          let places = reader.places(message.id, of: bot)
          let isRight = places.count == 1 && places[0].message?["content"] as? String == message.content
          let mayBeGone = settled.contains { $0.id == message.id && $0.bot == bot && $0.began < count }
          if !isRight, !places.isEmpty || !mayBeGone {
            found.append("\(message.id) of \(bot), which was acknowledged, is in \(places.map(\.path))")
          }
        }
      }
      found.removeAll { text in
        ["and by the log", "is not what the log has"].contains { text.contains($0) }
          && tasks.contains { text.contains($0.id) && isAhead($0.id, reader) }
      }
      found += taskViolations(reader, after: count)
      // Where the line that put it back is lost, an ack of the same attempt may count or not.
      let isUnclear: (String) -> Bool = { id in
        (reader.histories[id] ?? []).contains { $0.type == "message.dead" }
          && reader.histories[id]!.contains { $0.type == "message.revived" } == false
      }
      found.removeAll { text in
        text.contains("was acked by") && sent.contains { text.contains($0.id) && isUnclear($0.id) }
      }
      for event in reader.events where event.type == "message.acked" && !isUnclear(event.subject) {
        guard let bot = event.bot, reader.ackedAttempt(event.subject, by: bot) != nil else { continue }
        let places = reader.places(event.subject, of: bot)
        if !places.isEmpty { found.append("\(event.subject) is acked in the log, and in \(places.map(\.path))") }
      }
      return found
    }

    /// Of each task that was added, the last that was promised of it.
    private func taskViolations(_ reader: SpoolReader, after count: Int) -> [String] {
      var found: [String] = []
      for promise in tasks where promise.after <= count {
        let files = reader.tasks(promise.id)
        guard files.count == 1, let file = files.first else {
          found.append("task \(promise.id), which was acknowledged, is in \(files.map(\.path))")
          continue
        }
        if promise.state == "completed", file.state != "completed" { found.append("\(file.path) was completed") }
        if let result = promise.result, file.content?["result"] as? String != result {
          found.append("\(file.path) has lost its result")
        }
      }
      return found
    }

    /// Whether a task's file is further than what is left of the log: lines that nobody had been promised are lost.
    private func isAhead(_ id: String, _ reader: SpoolReader) -> Bool {
      guard let file = reader.tasks(id).first, reader.tasks(id).count == 1, var content = file.content else {
        return false
      }
      let history = (whole.histories[id] ?? []).filter { $0.data["state"] is String }
      let left = Set((reader.histories[id] ?? []).map(\.identity))
      guard let last = history.lastIndex(where: { left.contains($0.identity) }) else { return false }
      let stands = history[last...].contains {
        $0.data["state"] as? String == file.state && $0.data["name"] as? String == file.fileName
      }
      let newest = history[...last].lastIndex { $0.data["task"] != nil } ?? 0
      for name in ["progress", "progress_text"] { content[name] = nil }
      let isKnown = history[newest...].contains {
        guard var body = $0.data["task"] as? [String: Any] else { return false }
        for name in ["progress", "progress_text"] { body[name] = nil }
        return SpoolReader.text(body) == SpoolReader.text(content)
      }
      return stands && isKnown
    }

    /// Recovers, judges, recovers once more: nothing may change then.
    func judge(_ state: PowerCut.State, after count: Int, at root: String) throws -> [String] {
      try make(state, at: root)
      defer { TemporaryDirectory.removeTree(root) }
      let first = try SpoolCommand.run(["bots"], in: root)
      guard first.isDone else { return ["recovery: \(first)"] }
      var found = violations(of: root, after: count).filter { !$0.contains("on its way") }
      let before = Scratch.listing(root)
      try Self.reboot(root)
      let again = try SpoolCommand.run(["bots"], in: root)
      if !again.isDone { found.append("recovery again: \(again)") }
      let after = Scratch.listing(root)
      let changed = Set(before).symmetricDifference(after)
      if !changed.isEmpty { found.append("recovery again changed \(changed.sorted())") }
      for key in keys where key.after <= count {
        let sent = try SpoolCommand.run(
          ["send", key.to, key.content, "--from", "tester", "--key", key.key], in: root)
        if sent.line != key.id { found.append("the key \(key.key) was forgotten: \(sent)") }
      }
      let repair = try SpoolCommand.run(["doctor", "--repair"], in: root)
      if !repair.isDone { found.append("doctor: \(repair)") }
      return found + violations(of: root, after: count)
    }

    static func reboot(_ root: String) throws {
      for host in Scratch.names("\(root)/log") {
        let raw = open("\(root)/log/\(host)/commit", O_WRONLY)
        defer { close(raw) }
        guard raw != -1 else { continue }
        try #require(pwrite(raw, String(repeating: "1", count: 32), 32, 16) == 32)
      }
    }
  }

  /// The power fails while a spool is in use. Files that are not synced may be lost, empty or half there; names that are
  /// not synced may be missing.
  @Suite struct PowerTests {
    /// What is recorded: each ends with things that are synced and things that aren't.
    struct Story: Sendable, CustomTestStringConvertible {
      let testDescription: String
      let bots: [String]
      var settings: [String: Int] = [:]
      /// Of all states that there may be, those that a usual run goes through; nil for all.
      var sampleCount: Int? = 150
      var orders = PowerCut.Order.allCases
      fileprivate var before: @Sendable (RecordedSpool) throws -> Void = { _ in }
      fileprivate let tell: @Sendable (RecordedSpool) throws -> Void

      static let all = [
        Story(testDescription: "the first message", bots: ["a"], sampleCount: 150) { try $0.send("a", "one") },
        Story(testDescription: "a message", bots: ["a"], sampleCount: nil) {
          try $0.run(["send", "a", "zero"])
        } tell: {
          try $0.send("a", "one")
        },
        Story(testDescription: "to all, received and acked", bots: ["a", "b", "c"]) { spool in
          try spool.send("team", "to all")
          try spool.settle("b", ["ack", try spool.receive("b")])
          let claim = try spool.receive("a")
          try spool.send("c", "two")
          try spool.settle("a", ["ack", claim])
          try spool.send("a", "three")
        },
        Story(testDescription: "keys, dead letters and what comes back", bots: ["a"]) { spool in
          try spool.send("a", "one", key: "k")
          try spool.send("a", "two")
          try spool.run(["nack", "--dead", try spool.receive("a")])
          try spool.run(["nack", try spool.receive("a")])
          try spool.run(["dead", "a", "--retry", spool.sent[0].id])
          try spool.settle("a", ["ack", try spool.receive("a")])
          try spool.send("a", "three", key: "l")
        },
        Story(testDescription: "tasks", bots: ["a"]) { spool in
          let one = try spool.addTask("one")
          let two = try spool.addTask("two", "--depends-on", one)
          let claim = try spool.claimTask(one)
          try spool.run(["task", "progress", claim, "40", "half"])
          try spool.endTask(one, "completed", result: "42", ["task", "complete", claim, "42", "--by", "a"])
          try spool.run(["task", "fail", try spool.claimTask(two), "oh", "--delay", "0s"])
          try spool.endTask(two, "failed", ["task", "fail", try spool.claimTask(two), "oh again", "--final"])
          let three = try spool.addTask("three", "--to", "a")
          try spool.run(["task", "retry", two])
          try spool.run(["task", "block", try spool.claimTask(two), "for a reason"])
          try spool.endTask(three, "completed", result: "43", ["task", "complete", try spool.claimTask(three), "43"])
          try spool.run(["task", "cancel", two])
        },
        // From a checkpoint on it is relied upon that a rename is done or not done; the doctor doesn't.
        Story(
          testDescription: "segments that end, and checkpoints", bots: ["a"], settings: ["segment_bytes_max": 4096],
          orders: [.journal, .anyWhole]
        ) { spool in
          for number in 0..<16 {
            try spool.send("a", "\(number) " + String(repeating: "x", count: 300))
            if number % 3 == 1 { try spool.settle("a", ["ack", try spool.receive("a")]) }
          }
        },
      ]
    }

    @Test(arguments: Story.all)
    func `a power cut at any moment loses nothing that was acknowledged, and brings back nothing that was acked`(
      story: Story
    ) throws {
      let spool = try RecordedSpool(bots: story.bots, settings: story.settings)
      try story.before(spool)
      spool.begin()
      let recording = "\(spool.scratch.path)/recording"
      unlink(recording)
      try story.tell(spool)
      let total = spool.cut.changes.count
      var sample = Sample("power cuts: \(story.testDescription)")
      var seen: Set<PowerCut.State> = []
      var cuts: Set<Int> = []
      func judge(_ state: PowerCut.State, _ count: Int, _ order: PowerCut.Order) throws {
        guard seen.insert(state).inserted else { return }
        cuts.insert(count)
        let found = try spool.judge(state, after: count, at: "\(spool.scratch.path)/after")
        let files = state.files.map { "\($0.key) \($0.value.count)" }.sorted().joined(separator: ", ")
        #expect(
          found.isEmpty,
          "\(story.testDescription), \(order), cut after \(count) of \(total): \(found); left were \(files)")
      }
      if story.sampleCount == nil {
        for count in 0...total {
          for order in story.orders {
            var chooser = Chooser()
            repeat { try judge(spool.cut.state(after: count, order, &chooser), count, order) } while chooser.advance()
          }
        }
      } else {
        let wanted = story.sampleCount! * (Sample.isWhole ? 30 : 1)
        for _ in 0..<wanted * 3 where seen.count < wanted {
          let count = Int.random(in: 0...total, using: &sample.random)
          let order = story.orders.randomElement(using: &sample.random)!
          var chooser = Chooser(SeededGenerator(seed: sample.random.next()))
          try judge(spool.cut.state(after: count, order, &chooser), count, order)
        }
      }
      print(
        "\(story.testDescription): \(total) changes recorded, cut at \(cuts.count) moments, \(seen.count) states recovered twice"
      )
      #expect(seen.count >= (story.sampleCount ?? 20) / 2 && cuts.count > total / 3)
    }

    @Test
    func `a recovery that is killed at any call, or in which the power fails, ends the same when it is run again`()
      throws
    {
      let story = Story.all[2]
      let spool = try RecordedSpool(bots: story.bots)
      try story.tell(spool)
      var sample = Sample("power cuts in recoveries")
      let root = "\(spool.scratch.path)/after"
      func bots() -> [String] { Scratch.listing("\(root)/bots") }
      var (kills, cuts) = (0, 0)
      for _ in 0..<(Sample.isWhole ? 20 : 2) {
        let total = spool.cut.changes.count
        var chooser = Chooser(SeededGenerator(seed: sample.random.next()))
        let state = spool.cut.state(after: total, .any, &chooser)
        try spool.make(state, at: root)
        let recorded = "\(spool.scratch.path)/recovery"
        unlink(recorded)
        var second = PowerCut(of: root)
        #expect(try SpoolCommand.run(["bots"], in: root, environment: ["SPOOL_RECORDING": recorded]).isDone)
        second.read(recorded, root: root)
        let expected = bots()
        TemporaryDirectory.removeTree(root)
        var number = 1
        while true {
          try spool.make(state, at: root)
          let outcome = try SpoolCommand.run(["bots"], in: root, environment: ["SPOOL_FAULT": "kill-before:\(number)"])
          try RecordedSpool.reboot(root)
          #expect(try SpoolCommand.run(["bots"], in: root).isDone)
          #expect(bots() == expected, "killed before call \(number)")
          let found = spool.violations(of: root, after: total)
          #expect(found.isEmpty, "killed before call \(number): \(found)")
          TemporaryDirectory.removeTree(root)
          guard outcome.isKilled else { break }
          kills += 1
          number += sample.takes(oneOf: 1) ? 1 : 2
        }
        for _ in 0..<(Sample.isWhole ? 500 : 40) {
          let count = Int.random(in: 0...second.changes.count, using: &sample.random)
          let order = PowerCut.Order.allCases.randomElement(using: &sample.random)!
          var chooser = Chooser(SeededGenerator(seed: sample.random.next()))
          let found = try spool.judge(second.state(after: count, order, &chooser), after: total, at: root)
          #expect(found.isEmpty, "cut after \(count) changes of a recovery, \(order): \(found)")
          cuts += 1
        }
      }
      print("recoveries: killed at \(kills) calls, the power cut \(cuts) times")
      #expect(kills > 80 && cuts >= 80)
    }
  }
#endif
