import SpoolFormat
import TestSupport
import TestThreads
import Testing

/// A bot in one file, and what its program has of it.
@Suite(.waiting) struct SpecificationTests {
  private let scratch: Scratch
  private let spool: String

  init() throws {
    scratch = try Scratch(inMemory: true)
    spool = try scratch.makeSpool(bots: ["user"])
  }

  private func run(_ arguments: [String], input: SpoolCommand.Input = .empty) throws -> SpoolCommand.Outcome {
    try SpoolCommand.run(arguments, in: spool, input: input)
  }

  private static let coder = """
    {"name": "coder", "domain": "development", "skills": ["swift:expert"], "capacity": 2, "personality": "terse",
     "instructions": "One line.\\nNever guess.", "limits": {"attempts_max": 3, "timeout_seconds": "1m"}, "x-team": [1.0],
     "start": {"program": ["sh", "-c", "cat >&2; echo $SPOOL_PERSONALITY; echo \\"$SPOOL_INSTRUCTIONS\\"; cat $SPOOL_CARD"]}}
    """

  @Test func `what a file says of a bot is shown again, and registering what is shown changes nothing`() throws {
    #expect(try run(["register", "--file", "-"], input: .text(Self.coder)).isDone)
    let card = Scratch.text("\(spool)/bots/coder/card.json")
    #expect(try run(["bots", "show", "coder"]).output == card)
    let shown = try run(["bots", "show", "coder", "--json"]).line
    #expect(shown.contains(#""x-team":[1.0]"#) && shown.contains(#""timeout_seconds":60.0"#))
    for _ in 0..<2 { #expect(try run(["register", "--file", "-"], input: .text(shown)).isDone) }
    #expect(Scratch.text("\(spool)/bots/coder/card.json") == card)
    // What isn't named stays.
    #expect(try run(["register", "coder", "--capacity", "3"]).isDone)
    let changed = Scratch.text("\(spool)/bots/coder/card.json")
    #expect(changed == card.replacing("\"capacity\": 2", with: "\"capacity\": 3"))
  }

  @Test func `a file with mistakes is refused as a whole, each on a line, and nothing is changed`() throws {
    #expect(try run(["register", "--file", "-"], input: .text(Self.coder)).isDone)
    let before = Scratch.listing(spool)
    let bad = Self.coder.replacing("expert", with: "exprt").replacing("\"capacity\": 2", with: "\"capacity\": 0")
    let outcome = try run(["register", "--file", "-"], input: .text(bad))
    let lines = outcome.error.split(separator: "\n")
    #expect(outcome.status == 65 && outcome.output.isEmpty && lines.count == 2, "\(outcome)")
    #expect(
      lines.first == #"spool: standard input: line 1: skills[0]: there is no level "exprt": did you mean expert?"#)
    #expect(lines.last?.contains("capacity: 0 won't do") == true)
    #expect(try run(["register", "tester", "--file", "-"], input: .text(Self.coder)).status == 65)
    #expect(try run(["register", "--file", "-", "--domain", "x"], input: .text(Self.coder)).status == 64)
    #expect(try run(["register", "--file", "\(spool)/none"]).status == 65)
    #expect(try run(["bots", "show", "nobody"]).status == 67)
    #expect(try run(["work", "user", "--until-empty"]).status == 64)
    #expect(Scratch.listing(spool) == before)
  }

  @Test func `a bot is started as its card says, and its program has personality, instructions and the card`() throws {
    #expect(try run(["register", "--file", "-"], input: .text(Self.coder)).isDone)
    #expect(try run(["send", "coder", "hi", "--from", "user"]).isDone)
    let worker = try run(["work", "coder", "--until-empty", "--json"])
    #expect(worker.isDone && worker.output.contains(#""event":"acked""#), "\(worker)")
    let reply = try run(["receive", "user", "--ack"]).line
    #expect(reply == "terse\nOne line.\nNever guess.\n" + Scratch.text("\(spool)/bots/coder/card.json").dropLast())
    // A program that is given counts for more; one started by another bot has nothing of that one's.
    #expect(try run(["send", "user", "hi", "--from", "coder"]).isDone)
    let script = "echo \"<$SPOOL_PERSONALITY$SPOOL_INSTRUCTIONS>\""
    let other = try SpoolCommand.run(
      ["work", "user", "--until-empty", "--", "sh", "-c", script], in: spool,
      environment: ["SPOOL_PERSONALITY": "another's"])
    #expect(other.isDone, "\(other)")
    #expect(try run(["receive", "coder", "--ack"]).line == "<>")
  }

  @Test func `tasks are taken when the card says so`() throws {
    let card = #"{"name":"tester","start":{"program":["sh","-c","echo tested"],"takes":"tasks","pending":true}}"#
    #expect(try run(["register", "--file", "-"], input: .text(card)).isDone)
    let task = try run(["task", "add", "test it"]).line
    #expect(try run(["work", "tester", "--until-empty"]).isDone)
    #expect(try run(["task", "wait", task, "--timeout", "1s"]).line == "tested")
  }
}
