import Glibc
import SpoolFormat
import TestSupport
import TestThreads
import Testing

/// `any:` and what the log teaches, as commands.
@Suite(.waiting) struct RoutingCommandTests {
  private let scratch: Scratch
  private let spool: String

  init() throws {
    scratch = try Scratch(inMemory: true)
    spool = try scratch.makeSpool(bots: [])
    try done("register", "ann", "--domain", "development", "--skill", "swift:expert")
    try done("register", "bob", "--domain", "development", "--skill", "swift:novice")
    try done("register", "tess", "--domain", "quality")
    try done("register", "user")
  }

  @discardableResult
  private func done(_ arguments: String...) throws -> String {
    let outcome = try SpoolCommand.run(arguments, in: spool)
    try #require(outcome.isDone, "\(arguments): \(outcome)")
    return outcome.line
  }

  private func json(_ arguments: String...) throws -> JSONValue {
    let outcome = try SpoolCommand.run(arguments + ["--json"], in: spool)
    try #require(outcome.isDone, "\(arguments): \(outcome)")
    return try JSONValue(parsing: Array(outcome.line.utf8))
  }

  private func work(_ bot: String, _ script: String) throws -> Running {
    let worker = try SpoolCommand.start(["work", bot, "--", "/bin/sh", "-c", script], in: spool)
    try #require(
      eventually {
        Scratch.names("\(spool)/bots/\(bot)/presence").contains { $0.contains(".\(worker.pid).") }
      }, "\(bot) never came up")
    return worker
  }

  @Test func `a message to any goes to whoever can, and says what was asked for`() throws {
    let sent = try json("send", "any:skill=swift>=expert", "hi", "--from", "user", "--seed", "1", "--explain")
    #expect(sent["to"]?.array == [.string("ann")])
    let route = try #require(sent["routes"]?.array?.first)
    #expect(route["bot"]?.string == "ann" && route["candidates"]?.array?.count == 3)
    #expect(route["candidates"]?.array?[1]["passed_over"]?.string?.hasPrefix("can't: it ") == true)
    let message = try json("receive", "ann", "--ack")["message"]
    #expect(message?["asked_for"]?.string == "any:skill=swift>=expert" && message?["to"]?.string == "ann")
    #expect(message?["type"]?.string == "request")
    // Several, and a bot by name.
    let both = try json("send", "user,any:quality", "hi", "--from", "ann")
    #expect(both["to"]?.array == [.string("user"), .string("tess")])
    // The same seed makes the same choice.
    let choices = try Set((0..<3).map { _ in try json("send", "any", "hi", "--from", "user", "--seed", "42")["to"] })
    #expect(choices.count <= 2)
    // A bot that is called any is meant by its name.
    try done("register", "any")
    #expect(try json("send", "any", "hi", "--from", "user")["to"] == nil)
    #expect(try done("receive", "any", "--ack") == "hi")
  }

  @Test func `what can't be meant, and what nobody can do, is refused in one line, and nothing is sent`() throws {
    try done("send", "ann", "one that stays", "--from", "user")
    let cases: [([String], Int, String)] = [
      (["any:develpment"], 67, "did you mean development?"),
      (["any:cooking"], 67, "the domains are development, quality"),
      (["any:skill=sql"], 67, "the skills are swift"), (["any:skill=swft"], 67, "did you mean swift?"),
      (["any:quality/skill=swift"], 67, "nobody has all of that"),
      (["any:skill=swift>=guru"], 65, "novice, intermediate"), (["any:"], 65, "empty term"),
      (["any:a/b"], 65, "two domains"),
      (["any:skill=swift>=expert"], 67, "nobody but the sender itself"),
      (["any:skill<3"], 65, "neither a domain nor a skill"),
      (["any", "--explore", "2"], 64, "share"), (["any", "--threshold", "x"], 64, "share"),
      (["any", "--seed", "-1"], 64, "seed"),
      (["ann", "--explore", "0"], 64, "is about any:"), (["ann", "--explain"], 64, "is about any:"),
      (["any", "--attention", "2"], 64, "any: is one already"), (["team", "--attention", "0"], 64, "attention"),
      (["any:development", "--threshold", "1"], 75, "its reward is below 1"),
      (["any:skill=\u{1b}[2J"], 67, "no bot"),
    ]
    _ = try SpoolCommand.run(["skills"], in: spool)
    for (arguments, status, says) in cases {
      let before = Scratch.listing(spool).filter { !$0.hasPrefix("records.json") && !$0.contains("/record.json") }
      let outcome = try SpoolCommand.run(["send"] + arguments + ["hi", "--from", "ann"], in: spool)
      #expect(outcome.status == status && outcome.error.contains(says), "\(arguments): \(outcome)")
      #expect(SpoolMessage.isOneLine(outcome.error) && outcome.output.isEmpty, "\(arguments): \(outcome)")
      #expect(!outcome.error.utf8.contains(27), "\(arguments)")
      let after = Scratch.listing(spool).filter { !$0.hasPrefix("records.json") && !$0.contains("/record.json") }
      #expect(after == before, "\(arguments) changed something")
    }
  }

  @Test func `who answers is preferred, who died is passed over, and comes back with its process`() throws {
    let ann = try work("ann", "cat >/dev/null; echo ann")
    #expect(try done("request", "any:development", "hi", "--from", "user", "--explore", "0", "--wait", "20s") == "ann")
    let bob = try work("bob", "cat >/dev/null; echo bob")
    // New, and so tried before the one that is proven.
    #expect(try done("request", "any:development", "hi", "--from", "user", "--explore", "0", "--wait", "20s") == "bob")
    bob.kill()
    _ = try bob.wait(seconds: 20)
    for _ in 0..<3 {
      #expect(
        try done("request", "any:development", "hi", "--from", "user", "--explore", "0", "--wait", "20s") == "ann")
    }
    ann.kill()
    _ = try ann.wait(seconds: 20)
    let outcome = try SpoolCommand.run(["send", "any:development", "hi", "--from", "user"], in: spool)
    #expect(outcome.status == 75 && outcome.error.contains("doesn't answer; tried again from"), "\(outcome)")
    let again = try work("bob", "cat >/dev/null; echo bob")
    #expect(try done("request", "any:development", "hi", "--from", "user", "--explore", "0", "--wait", "20s") == "bob")
    again.kill(SIGTERM)
    _ = try again.wait(seconds: 20)
  }

  @Test func `attention picks those that matter most, and says who was left out`() throws {
    let outcome = try SpoolCommand.run(
      ["send", "team", "who tests the quality of swift?", "--from", "user", "--attention", "2", "--json"], in: spool)
    let sent = try JSONValue(parsing: Array(outcome.line.utf8))
    #expect(sent["to"]?.array == [.string("ann"), .string("tess")] && sent["left_out"]?.array == [.string("bob")])
    #expect(outcome.error.contains("left out: bob"))
    let message = try json("receive", "tess", "--ack")["message"]
    #expect(message?["asked_for"]?.string == "team" && message?["type"]?.string == "broadcast")
    #expect(try SpoolCommand.run(["receive", "bob"], in: spool).status == 1)
    try done("send", "team", "all of you", "--from", "user", "--attention", "9")
    #expect(try done("receive", "bob", "--ack") == "all of you")
  }

  @Test func `skills and reputation are shown from the log, and the same when it is read anew`() throws {
    for number in 0..<4 {
      let task = try done("task", "add", "t\(number)", "--skill", "swift:expert", "--to", "ann", "--by", "user")
      try done("task", "claim", task, "--as", "ann")
      if number == 0 {
        try done("task", "fail", task, "no", "--final", "--as", "ann")
      } else {
        try done("task", "complete", task, "done", "--as", "ann")
      }
    }
    let skill = try json("skills", "ann")
    #expect(skill["tried"]?.int == 4 && skill["succeeded"]?.int == 3 && skill["success_rate"]?.double == 0.75)
    #expect(skill["level"]?.string == "expert" && skill["p90_seconds"]?.double ?? 0 > 0 && skill["last_used"] != nil)
    let kept = Scratch.text("\(spool)/bots/ann/record.json")
    try done("skills", "--recompute")
    #expect(Scratch.text("\(spool)/bots/ann/record.json") == kept)
    let reputation = try json("reputation", "--explain", "ann")
    // 4 × 0.75 + 3 × 2.5 of that and 1 + 1.
    #expect(reputation["reputation"]?.double == 0.84 && reputation["skills"]?["swift"]?["tried"]?.int == 4)
    #expect(reputation["actions"]?.int == 4 && reputation["mean_reward"]?.double == 0.75)
    let text = try done("reputation", "--explain", "ann")
    #expect(text.contains("all: 3 of 4 attempts succeeded") && text.contains("α ÷ (α + β) = 0.84"))
    #expect(try SpoolCommand.run(["reputation", "--explain", "annn"], in: spool).status == 67)
    #expect(try SpoolCommand.run(["skills", "tess"], in: spool).status == 1)
    #expect(try done("skills").split(separator: "\n").count == 3)
  }

  @Test func `the mesh, and how the team does, are told`() throws {
    let empty = try SpoolCommand.run(["mesh"], in: spool)
    #expect(empty.status == 1 && empty.output.isEmpty && empty.error.contains("nobody has talked"))
    try done("send", "ann", "hi", "--from", "bob")
    try done("receive", "ann", "--ack")
    for bot in ["ann", "ann", "ann", "bob"] {
      let task = try done("task", "add", "t", "--to", bot, "--by", "user")
      try done("task", "claim", task, "--as", bot)
      try done("task", "complete", task, "done", "--as", bot)
    }
    #expect(try done("mesh", "--bot", "bob", "--json").split(separator: "\n").count == 2)
    let lines = try done("mesh", "--json").split(separator: "\n")
    let first = try JSONValue(parsing: Array(lines[0].utf8))
    #expect(
      lines.count == 3 && first["from"]?.string == "user" && first["count"]?.int == 3 && first["weight"]?.double == 0.6)
    #expect(try done("mesh", "--dot").contains(#""bob" -> "ann" [label="1, "#))
    #expect(try done("mesh").hasPrefix("FROM  TO   COUNT  BACK  WAIT"))
    #expect(try SpoolCommand.run(["mesh", "--bot", "nobody"], in: spool).status == 67)
    let stats = try json("stats")
    #expect(stats["registered_bots"]?.int == 4 && stats["active_bots"]?.int == 2 && stats["fairness"]?.double == 0.8)
    #expect(stats["mesh_health"]?.string == "excellent" && stats["mean_latency_us"]?.double ?? 0 > 0)
    #expect(try done("stats").contains("spread of work: 0.80 (Jain's index)"))
  }
}
