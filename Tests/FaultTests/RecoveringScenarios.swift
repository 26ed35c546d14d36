import Foundation
import Glibc
import Spool
import SpoolFormat
import TestSupport
import Testing

// MARK: Expiring

/// What those who died have left, found by `spool receive`.
extension Scenario {
  static let expiring = [
    Scenario(name: "receive of what a dead process had", callsMin: 35) {
      let stage = try Stage(bots: ["a"], settings: ["lease_seconds": 0.1])
      stage.id = try stage.send("payload", to: "a")
      try stage.holdDead(stage.id, attempt: 1)
      stage.arguments = ["receive", "a", "--json"]
      return stage
    } afterwards: { stage, outcome, reader in
      let isNext = reader.places(stage.id, of: "a").allSatisfy { $0.box != "claimed" || $0.attempt == 2 }
      return received(stage, outcome, reader) + (outcome.isDone && !isNext ? ["it is the old attempt"] : [])
    } inTheEnd: { stage, _, reader in
      try comesAgain(stage, reader)
    },
    Scenario(name: "receive of what a dead process had for the last time", callsMin: 30, doneStatus: 1) {
      let stage = try Stage(bots: ["a"], settings: ["attempts_max": 3])
      stage.id = try stage.send("payload", to: "a")
      try stage.holdDead(stage.id, attempt: 3)
      stage.arguments = ["receive", "a", "--json"]
      return stage
    } afterwards: { stage, _, reader in
      let places = reader.places(stage.id, of: "a").map(\.box)
      return places == ["claimed"] || places == ["dead"] ? [] : ["it is in \(places)"]
    } inTheEnd: { stage, _, reader in
      let places = reader.places(stage.id, of: "a").map(\.box)
      return places == ["dead"] ? [] : ["it is in \(places), and not given up"]
    },
    Scenario(name: "receive of what stood for its lease", callsMin: 30) {
      let stage = try Stage(bots: ["a"], settings: ["lease_seconds": 0.1])
      stage.id = try stage.send("payload", to: "a")
      _ = try stage.claim("a")
      // Seen once, so that the lease is counted from here; the file of observations says so to the next.
      let inbox = try Inbox(stage.bystander, BotName(parsing: "a"), detached: true)
      _ = try inbox.receive()
      usleep(110_000)
      stage.arguments = ["receive", "a", "--json"]
      return stage
    } afterwards: { stage, outcome, reader in
      let isNext = reader.places(stage.id, of: "a").allSatisfy { $0.box != "claimed" || $0.attempt >= 2 }
      return received(stage, outcome, reader) + (outcome.isDone && !isNext ? ["it is the old attempt"] : [])
    } inTheEnd: { stage, _, reader in
      try comesAgain(stage, reader)
    },
    unfinishedSend("receive of what a dead sender had logged", callsMin: 40, isLogged: true),
    unfinishedSend("receive beside what a dead sender had not logged", callsMin: 30, isLogged: false),
    Scenario(name: "receive beside what was acked with mv", callsMin: 30, doneStatus: 1) {
      let stage = try Stage(bots: ["a"])
      stage.id = try stage.send("payload", to: "a")
      let name = try stage.claim("a").split(separator: "/")[1]
      try Scratch.makeDirectory("\(stage.path)/bots/a/done")
      try stage.move("bots/a/claimed/\(name)", to: "bots/a/done/\(name)")
      stage.arguments = ["receive", "a", "--json"]
      return stage
    } afterwards: { stage, _, reader in
      let isAcked = reader.ackedAttempt(stage.id, by: "a") != nil
      let places = reader.places(stage.id, of: "a").map(\.box)
      return places == ["done"] || (isAcked && places.isEmpty) ? [] : ["acked is \(isAcked), and it is in \(places)"]
    } inTheEnd: { stage, _, reader in
      reader.ackedAttempt(stage.id, by: "a") == 1 ? [] : ["the ack was forgotten"]
    },
  ]

  private static func unfinishedSend(_ name: String, callsMin: Int, isLogged: Bool) -> Scenario {
    Scenario(name: name, callsMin: callsMin, doneStatus: isLogged ? 0 : 1) {
      let stage = try Stage(bots: ["a", "b"], settings: ["lease_seconds": 0.1])
      var message = Message(content: "payload")
      message.to = ["a", "b"]
      let held = isLogged ? "bots/a/tmp" : "bots/b/tmp"
      stage.id = isLogged ? try stage.bystander.send(message, durability: .relaxed).description : stage.otherID
      let file = "\(held)/5-\(stage.id)~0~\(stage.dead).json"
      if isLogged {
        // As the log has it, and no further.
        try stage.move("bots/a/inbox/5-\(stage.id).json", to: file)
        unlink("\(stage.path)/bots/b/inbox/5-\(stage.id).json")
      } else {
        try Scratch.write("{\"content\":\"payload\"}\n", to: "\(stage.path)/\(file)")
      }
      stage.arguments = ["receive", "a", "--json"]
      return stage
    } inTheEnd: { stage, _, reader in
      // What can't be read, or so it was said, is set aside.
      let aside = reader.quarantined.isEmpty ? 0 : 1
      let having = [reader.places(stage.id, of: "a").count + aside, reader.places(stage.id, of: "b").count]
      return having == (isLogged ? [1, 1] : [0, 0]) ? [] : ["a and b have \(having) of it"]
    }
  }
}

extension Stage {
  fileprivate var otherID: String { "20261121T023209.718105Z-10dcf6a1c42eee1d" }

  /// Moves a waiting message into the hands of a process that has died.
  fileprivate func holdDead(_ id: String, attempt: Int) throws {
    try move("bots/a/inbox/5-\(id).json", to: "bots/a/claimed/5-\(id)~\(attempt)~\(dead).json")
  }
}

// MARK: Recovering

extension Scenario {
  static let recovering = [
    recovery("the first command after a reboot", callsMin: 60, segmentBytes: 67_108_864),
    recovery("the first command after a reboot, from a checkpoint", callsMin: 60, segmentBytes: 4096),
    taskRecovery,
    collection,
    taskCollection,
  ]

  /// Two that ended, one of which another waits for, and one that failed.
  private static let taskCollection = Scenario(name: "gc --tasks", callsMin: 40) {
    let stage = try Stage(bots: ["a"])
    let spool = stage.bystander
    func add(_ title: String, after dependency: MessageID? = nil) throws -> TaskEntry {
      var record = TaskRecord(title: title)
      record.dependsOn = [dependency].compactMap { $0 }
      return try spool.addTask(record)
    }
    let bot = try BotName(parsing: "a")
    for (title, isFailing) in [("done", false), ("failed", true), ("needed", false)] {
      let entry = try add(title)
      if title == "needed" { _ = try add("waits", after: entry.id) }
      guard let begun = try spool.start(entry, bot: bot, worker: nil) else { throw Failure("it can't be begun") }
      if isFailing {
        try spool.fail(begun, error: "no", isRetryable: false)
      } else {
        try spool.complete(begun, result: nil)
      }
    }
    let deadline = Timestamp(microseconds: Int(Date().timeIntervalSince1970) * 1_000_000)
      .advanced(bySeconds: 60)
    let announcement = Announcement("x", skills: [Card.Skill(name: "ml", level: .novice)], deadline: deadline)
    for state in ["dissolved", "active"] {
      let group = try spool.addGroup(
        GroupRecord(id: MessageID(time: deadline, random: UInt64(state.count)), announcement), term: 1)
      _ = try spool.move(group, state == "dissolved" ? .dissolve : .form)
    }
    stage.arguments = ["gc", "--tasks", "0s"]
    return stage
  } afterwards: { stage, outcome, reader in
    let left = ["completed", "failed"].flatMap { Scratch.names("\(stage.path)/tasks/\($0)") }
    let groups = Scratch.names("\(stage.path)/groups/dissolved")
    return outcome.isDone && left.count + groups.count != 1 ? ["it left \(left) and \(groups)"] : []
  } inTheEnd: { stage, _, reader in
    let titles = try stage.bystander.tasks().compactMap { try stage.bystander.record(of: $0)?.title }
    let isThere = titles.contains("needed") && titles.contains("waits") && Set(titles).count == titles.count
    let moving = ["tasks", "groups"].flatMap { what in
      Scratch.names("\(stage.path)/\(what)/moving").flatMap { Scratch.names("\(stage.path)/\(what)/moving/\($0)") }
    }
    let isGone = reader.events.contains { $0.type == "group.removed" }
    let groups = try stage.bystander.groups().map(\.state)
    let isRight = groups == [.active] || (!isGone && Set(groups) == [.active, .dissolved])
    return (isThere ? [] : ["there are \(titles)"]) + (isRight ? [] : ["of the groups are \(groups)"])
      + (moving.isEmpty ? [] : ["on the move are \(moving)"])
  }

  /// With a message that waits in the first segment, and others sent there whose acks are in those that go.
  private static let collection = Scenario(name: "gc", callsMin: 60) {
    let stage = try Stage(bots: ["a", "b", "filler"], settings: ["segment_bytes_max": 4096])
    stage.id = try stage.send("payload", to: "a")
    for number in 0..<3 { try stage.send("done \(number)", to: "b") }
    let tokens = try (0..<3).map { _ in try stage.claim("b") }
    let inbox = try Inbox(stage.bystander, BotName(parsing: "filler"))
    func segments() -> Int {
      Scratch.names("\(stage.path)/log/\(stage.bystander.host)").count { $0.hasSuffix(".jsonl") }
    }
    func fill(_ count: Int) throws {
      while segments() < count {
        try stage.send(String(repeating: "x", count: 500), to: "filler")
        while let claim = try inbox.claim() { try stage.bystander.ack(claim.bot, claim.name) }
      }
    }
    try fill(2)
    for token in tokens {
      let claim = try stage.bystander.claim(named: token)
      try stage.bystander.ack(claim.bot, claim.name)
    }
    try fill(6)
    stage.arguments = ["gc", "--older-than", "0s"]
    return stage
  } afterwards: { stage, outcome, reader in
    let segments = Scratch.names("\(stage.path)/log/\(stage.bystander.host)").count { $0.hasSuffix(".jsonl") }
    return outcome.isDone && segments != 3 ? ["it left \(segments) segments"] : []
  } inTheEnd: { stage, _, reader in
    // All of the log is read there, and what has no file and no ack is made again.
    var found = reader.entries(saying: "payload").map(\.path).count == 1 ? [] : ["the message that waited is not there"]
    if (0..<3).contains(where: { !reader.entries(saying: "done \($0)").isEmpty }) {
      found.append("what was acked came back")
    }
    return try found + comesAgain(stage, reader)
  }

  /// Of files that are missing, empty, cut off, and half a line.
  private static func recovery(_ name: String, callsMin: Int, segmentBytes: Int) -> Scenario {
    Scenario(name: name, callsMin: callsMin, isReboot: true) {
      let stage = try Stage(bots: ["a", "b", "filler"], settings: ["segment_bytes_max": segmentBytes])
      if segmentBytes == 4096 { try stage.fillSegments() }
      var ids: [String] = []
      for text in ["one", "two", "three", "four", "five"] { ids.append(try stage.send(text, to: "a")) }
      let claims = try (0..<2).map { _ in try stage.bystander.claim(named: stage.claim("a")) }
      try stage.bystander.ack(claims[0].bot, claims[0].name)
      try stage.bystander.bury(claims[1].bot, claims[1].name, reason: "given up")
      let inbox = "\(stage.path)/bots/a/inbox"
      unlink("\(inbox)/5-\(ids[2]).json")
      truncate("\(inbox)/5-\(ids[3]).json", 0)
      truncate("\(inbox)/5-\(ids[4]).json", 20)
      for name in Scratch.names("\(stage.path)/bots/a/dead") { unlink("\(stage.path)/bots/a/dead/\(name)") }
      let host = try #require(Scratch.names("\(stage.path)/log").first)
      let segment = try #require(Scratch.names("\(stage.path)/log/\(host)").last { $0.hasSuffix(".jsonl") })
      try stage.tear("log/\(host)/\(segment)")
      stage.id = ids.joined(separator: " ")
      stage.arguments = ["bots"]
      try stage.reboot()
      return stage
    } inTheEnd: { stage, _, reader in
      let ids = stage.id.split(separator: " ").map(String.init)
      var found = ids[2...].filter { reader.places($0, of: "a").map(\.box) != ["inbox"] }.map { "\($0) does not wait" }
      if reader.places(ids[1], of: "a").map(\.box) != ["dead"] { found.append("the dead letter is not there") }
      if !reader.places(ids[0], of: "a").isEmpty { found.append("what was acked came back") }
      if reader.quarantined.filter({ $0.hasPrefix("torn-") }).count > 1 { found.append("the torn tail is kept twice") }
      return found
    }
  }
}

extension Scenario {
  /// Of tasks that are missing, empty, behind the log, or on the move.
  private static let taskRecovery = Scenario(
    name: "the first command after a reboot, with tasks", callsMin: 60, isReboot: true
  ) {
    let stage = try Stage(bots: ["a"])
    let ids = try (0..<6).map { try stage.addTask(titled: "task \($0)") }
    let bot = try BotName(parsing: "a")
    for id in ids[2...] { _ = try stage.bystander.claimTask(stage.entry(id), for: bot) }
    let begun = try ids.map { try stage.entry($0) }
    let contents = begun.map { Scratch.text("\(stage.path)/\($0.path)") }
    let result = try JSONText(validating: "42")
    for id in ids[3...] { _ = try stage.bystander.complete(stage.entry(id), result: result) }
    let done = try ids.map { try stage.entry($0) }
    unlink("\(stage.path)/\(begun[0].path)")
    truncate("\(stage.path)/\(begun[1].path)", 5)
    let moving = "\(stage.path)/tasks/moving/\(stage.dead)"
    try Scratch.makeDirectory(moving)
    try stage.move(begun[2].path, to: "tasks/moving/\(stage.dead)/in_progress~\(begun[2].name)")
    try Scratch.write("{", to: "\(moving)/completed+5-\(ids[2])~1~a.json")
    truncate("\(stage.path)/\(done[3].path)", 0)
    // The renames that completed it are lost.
    unlink("\(stage.path)/\(done[4].path)")
    try Scratch.write(contents[4], to: "\(stage.path)/\(begun[4].path)")
    // One of the two is.
    try Scratch.write(contents[5], to: "\(stage.path)/\(begun[5].path)")
    stage.id = ids.joined(separator: " ")
    stage.arguments = ["bots"]
    try stage.reboot()
    return stage
  } inTheEnd: { stage, _, reader in
    let states = stage.id.split(separator: " ").map { id in reader.tasks(String(id)).map(\.state) }
    let expected = ["pending", "pending", "in_progress", "completed", "completed", "completed"]
    return states == expected.map { [$0] } ? [] : ["they are \(states)"]
  }
}

extension Stage {
  /// Half a line after the last one, where the next would begin.
  fileprivate func tear(_ segment: String) throws {
    let raw = open("\(path)/\(segment)", O_RDWR)
    defer { close(raw) }
    let bytes = try #require(FileManager.default.contents(atPath: "\(path)/\(segment)"))
    let end = bytes.lastIndex(of: 10).map { $0 + 1 } ?? 0
    let half = #"{"specversion":"1.0","id":"1","source":"/x"#
    try #require(pwrite(raw, half, half.utf8.count, off_t(end)) == half.utf8.count)
  }
}
