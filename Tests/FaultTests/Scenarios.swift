import Foundation
import Spool
import SpoolFormat
import TestSupport
import Testing

/// A command that is killed, and whose calls fail, at every point of its life.
struct Scenario: Sendable, CustomTestStringConvertible {
  let name: String
  /// Fewer calls than this, and the test has missed the point.
  let callsMin: Int
  /// What the command ends with when nothing is in its way; 1 where it finds nothing for itself.
  var doneStatus = 0
  /// A dropped file is handed out even when the log can't take the line that says so.
  var mayGoUnlogged = false
  /// The command reopens the spool after a reboot: nobody may have had it open before.
  var isReboot = false
  let prepare: @Sendable () throws -> Stage
  /// What must be so after the command, whatever became of it, before anything was repaired.
  var afterwards: @Sendable (Stage, SpoolCommand.Outcome, SpoolReader) -> [String] = { _, _, _ in [] }
  /// What must be so when all is repaired; it may use the stage.
  var inTheEnd: @Sendable (Stage, SpoolCommand.Outcome, SpoolReader) throws -> [String] = { _, _, _ in [] }

  var testDescription: String { name }

  /// `SPOOL_SCENARIO=task` leaves only those whose names have that in them.
  static let all: [Scenario] = {
    let wanted = getenv("SPOOL_SCENARIO").map { String(cString: $0) }
    let all = sending + receiving + settling + expiring + recovering + sharing + tasks
    return all.filter { scenario in wanted.map { scenario.name.contains($0) } ?? true }
  }()
}

// MARK: Sending

extension Scenario {
  private static let sending = [
    send("send to one", callsMin: 18, bots: ["a"], ["send", "a", "payload"]),
    Scenario(name: "announce", callsMin: 18) {
      let stage = try Stage(bots: ["a", "hub"])
      stage.arguments = ["announce", "payload", "--skill", "ml", "--deadline", "1h", "--from", "a"]
      return stage
    } afterwards: { _, outcome, reader in
      sentOrNot(outcome, reader)
    } inTheEnd: { _, outcome, reader in
      allOrNothing(outcome, reader, ["hub"])
    },
    send("send to all", callsMin: 24, bots: ["a", "b", "c"], ["send", "team", "payload"]),
    send("send with a key", callsMin: 25, bots: ["a"], ["send", "a", "payload", "--key", "k"]) { stage, outcome, _ in
      // Sent again, as its sender would who had no answer.
      let again = try SpoolCommand.run(stage.arguments, in: stage.path)
      // What the disk once refused it may have lost, however often it is asked again.
      let isUnknown = [outcome, again].allSatisfy { $0.status == 74 && $0.error.contains("may or may not") }
      var found = again.isDone || isUnknown ? [] : ["sending again: \(again)"]
      let reader = stage.reader
      if outcome.isDone, again.line != outcome.line { found.append("two ids for one key") }
      if reader.entries(saying: "payload").count != 1 || reader.sent.count != 1 { found.append("sent twice, or never") }
      return found
    },
    send("send where little may wait", callsMin: 24, bots: ["a", "b"], ["send", "team", "payload"], limited: true),
    send("send that begins a segment", callsMin: 25, bots: ["a"], ["send", "a", "payload"], fill: true),
    Scenario(name: "publish", callsMin: 22) {
      let stage = try Stage(bots: ["a", "b"])
      for bot in ["a", "b"] { try stage.bystander.subscribe(BotName(parsing: bot), to: BotName(parsing: "news")) }
      stage.arguments = ["publish", "news", "payload", "--from", "tester"]
      return stage
    } afterwards: { _, outcome, reader in
      sentOrNot(outcome, reader)
    } inTheEnd: { _, outcome, reader in
      allOrNothing(outcome, reader, ["a", "b"])
    },
  ]

  private static func send(
    _ name: String, callsMin: Int, bots: [String], _ arguments: [String], fill: Bool = false,
    limited: Bool = false,
    andThen: @escaping @Sendable (Stage, SpoolCommand.Outcome, SpoolReader) throws -> [String] = { _, _, _ in [] }
  ) -> Scenario {
    Scenario(name: name, callsMin: callsMin) {
      let stage = try Stage(
        bots: bots + ["filler"],
        settings: fill
          ? ["segment_bytes_max": 4096] : limited ? ["inbox_messages_max": 3, "inbox_bytes_max": 9999] : [:])
      if fill { try stage.fillSegments() }
      stage.arguments = arguments + ["--from", "filler"]
      return stage
    } afterwards: { _, outcome, reader in
      sentOrNot(outcome, reader)
    } inTheEnd: { stage, outcome, reader in
      try allOrNothing(outcome, reader, bots) + andThen(stage, outcome, reader)
    }
  }

  /// A yes is never a lie; nor is a no.
  private static func sentOrNot(_ outcome: SpoolCommand.Outcome, _ reader: SpoolReader) -> [String] {
    let sent = reader.sent.filter { $0.message?["content"] as? String == "payload" }
    if outcome.isDone {
      return sent.map(\.subject) == [outcome.line]
        ? [] : ["it said \(outcome.line), and the log has \(sent.map(\.subject))"]
    }
    let isUnknown = outcome.error.contains("may or may not")
    if !outcome.isKilled, !isUnknown, !sent.isEmpty { return ["it said no, and the log has it"] }
    let left = reader.entries.filter { $0.box == "tmp" && $0.message?["content"] as? String == "payload" }
    if !outcome.isKilled, !isUnknown, !left.isEmpty { return ["it said no, and left \(left.map(\.path))"] }
    if sent.isEmpty, !reader.entries(saying: "payload").isEmpty { return ["delivered, and not in the log"] }
    return []
  }

  private static func allOrNothing(_ outcome: SpoolCommand.Outcome, _ reader: SpoolReader, _ bots: [String]) -> [String]
  {
    let having = bots.filter { bot in reader.entries(saying: "payload").contains { $0.bot == bot } }
    if having.count != 0, having.count != bots.count { return ["only \(having) of \(bots) have it"] }
    return outcome.isDone && having.isEmpty ? ["it said yes, and nobody has it"] : []
  }
}

// MARK: Receiving

extension Scenario {
  private static let receiving = [
    Scenario(name: "receive", callsMin: 30) {
      // A short lease, so that what the command took and nobody heard of comes back soon.
      let stage = try Stage(bots: ["a"], settings: ["lease_seconds": 0.1])
      stage.id = try stage.send("payload", to: "a")
      stage.arguments = ["receive", "a", "--json"]
      return stage
    } afterwards: { stage, outcome, reader in
      received(stage, outcome, reader)
    } inTheEnd: { stage, _, reader in
      try comesAgain(stage, reader)
    },
    Scenario(name: "receive of a dropped file", callsMin: 40, mayGoUnlogged: true) {
      let stage = try Stage(bots: ["a"], settings: ["lease_seconds": 0.1])
      try Scratch.write(#"{"content":"payload","priority":7,"from":"hand"}"#, to: "\(stage.path)/bots/a/inbox/x.json")
      stage.arguments = ["receive", "a", "--json"]
      return stage
    } afterwards: { stage, outcome, reader in
      received(stage, outcome, reader)
    } inTheEnd: { stage, _, reader in
      try comesAgain(stage, reader)
    },
  ]

  static func received(_ stage: Stage, _ outcome: SpoolCommand.Outcome, _ reader: SpoolReader) -> [String] {
    let copies = reader.entries(saying: "payload")
    if copies.count + (reader.quarantined.isEmpty ? 0 : 1) != 1 { return ["it is in \(copies.map(\.path))"] }
    guard outcome.isDone else { return [] }
    return copies.contains { $0.box == "claimed" && outcome.output.contains("\"claim\":\"a/\($0.fileName)\"") }
      ? [] : ["it printed a claim that isn't there: \(outcome.output)"]
  }

  /// Whoever got the message has gone: it is handed out again, the same.
  static func comesAgain(_ stage: Stage, _ reader: SpoolReader) throws -> [String] {
    if !reader.quarantined.isEmpty {
      return reader.events.contains { $0.type == "message.quarantined" } ? [] : ["set aside unsaid"]
    }
    let inbox = try Inbox(stage.bystander, BotName(parsing: "a"))
    guard let claim = try inbox.receive(waiting: 20) else { return ["it never came again"] }
    guard claim.message.content == "payload", stage.id.isEmpty || claim.message.id?.description == stage.id else {
      return ["another came: \(claim)"]
    }
    try stage.bystander.ack(claim.bot, claim.name)
    return []
  }
}

// MARK: Settling

extension Scenario {
  private static let settling = [
    settle("ack", callsMin: 15, ["ack"]) { stage, outcome, reader in
      let isGone = reader.places(stage.id, of: "a").isEmpty
      let isAcked = reader.ackedAttempt(stage.id, by: "a") != nil
      return outcome.isDone && !(isGone && isAcked) ? ["it said done, and gone is \(isGone), acked is \(isAcked)"] : []
    },
    settle("extend", callsMin: 12, ["extend"]) { stage, outcome, reader in isIn("claimed", stage, outcome, reader) },
    settle("nack", callsMin: 15, ["nack"]) { stage, outcome, reader in isIn("inbox", stage, outcome, reader) },
    settle("nack with a delay", callsMin: 15, ["nack", "--delay", "1h"]) { stage, outcome, reader in
      let isDelayed = reader.places(stage.id, of: "a").allSatisfy { $0.third != nil }
      return isIn("inbox", stage, outcome, reader) + (outcome.isDone && !isDelayed ? ["it is not delayed"] : [])
    },
    settle("nack --dead", callsMin: 20, ["nack", "--dead"]) { stage, outcome, reader in
      isIn("dead", stage, outcome, reader)
    },
    Scenario(name: "reply", callsMin: 30) {
      let stage = try Stage(bots: ["a", "asker"])
      stage.id = try stage.send("question", to: "a", from: "asker")
      stage.arguments = ["reply", try stage.claim("a"), "answer", "--ack"]
      return stage
    } afterwards: { stage, outcome, reader in
      let isAcked = reader.ackedAttempt(stage.id, by: "a") != nil
      let isAnswered = reader.sent.contains { $0.message?["in_reply_to"] as? String == stage.id }
      if isAcked, !isAnswered { return ["acked, and no answer"] }
      return outcome.isDone && !(isAcked && isAnswered) ? ["done, and acked is \(isAcked), answered \(isAnswered)"] : []
    } inTheEnd: { stage, _, reader in
      let isAnswered = reader.sent.contains { $0.message?["in_reply_to"] as? String == stage.id }
      return isAnswered == reader.entries(saying: "answer").contains { $0.bot == "asker" }
        ? [] : ["the answer has no file"]
    },
    Scenario(name: "dead --retry", callsMin: 15) {
      let stage = try Stage(bots: ["a"])
      stage.id = try stage.send("payload", to: "a")
      let claim = try stage.bystander.claim(named: stage.claim("a"))
      try stage.bystander.bury(claim.bot, claim.name, reason: "given up")
      stage.arguments = ["dead", "a", "--retry", stage.id]
      return stage
    } afterwards: { stage, outcome, reader in
      isIn("inbox", stage, outcome, reader, otherwise: "dead")
    },
    Scenario(name: "dead --discard", callsMin: 15) {
      let stage = try Stage(bots: ["a"])
      stage.id = try stage.send("payload", to: "a")
      let claim = try stage.bystander.claim(named: stage.claim("a"))
      try stage.bystander.bury(claim.bot, claim.name, reason: "given up")
      stage.arguments = ["dead", "a", "--discard", stage.id]
      return stage
    } afterwards: { stage, outcome, reader in
      let isGone = reader.places(stage.id, of: "a").isEmpty
      let isLogged = reader.events.contains { $0.type == "message.discarded" }
      if isGone, !isLogged { return ["it is gone, and the log doesn't say that it was thrown away"] }
      return outcome.isDone && !isGone ? ["it said done, and it is there"] : []
    },
  ]

  private static func settle(
    _ name: String, callsMin: Int, _ arguments: [String],
    _ afterwards: @escaping @Sendable (Stage, SpoolCommand.Outcome, SpoolReader) -> [String]
  ) -> Scenario {
    Scenario(name: name, callsMin: callsMin) {
      let stage = try Stage(bots: ["a"])
      stage.id = try stage.send("payload", to: "a")
      stage.arguments = [arguments[0], try stage.claim("a")] + arguments.dropFirst()
      return stage
    } afterwards: { stage, outcome, reader in
      afterwards(stage, outcome, reader)
    } inTheEnd: { stage, outcome, reader in
      // Done again, as one would who had no answer: it is done, or it was.
      if outcome.isDone { return [] }
      let again = try stage.run()
      guard again.status == 0 || again.status == 3 else { return ["again: \(again)"] }
      if arguments[0] == "extend" { return [] }
      let isStillClaimed = stage.reader.places(stage.id, of: "a").contains { $0.box == "claimed" }
      return isStillClaimed ? ["it is still claimed"] : []
    }
  }

  private static func isIn(
    _ box: String, _ stage: Stage, _ outcome: SpoolCommand.Outcome, _ reader: SpoolReader, otherwise: String = "claimed"
  ) -> [String] {
    let places = reader.places(stage.id, of: "a").map(\.box)
    if outcome.isDone { return places == [box] ? [] : ["it said done, and it is in \(places)"] }
    return places == [box] || places == [otherwise] ? [] : ["it is in \(places)"]
  }
}
