import SpoolFormat
import TestSupport
import Testing

/// A spool with two bots, and tasks made by the command.
struct TaskStage {
  let scratch: Scratch
  let spool: String

  init() throws {
    scratch = try Scratch(inMemory: true)
    spool = try scratch.makeSpool(bots: [])
    try done("register", "coder", "--domain", "development", "--skill", "swift:expert")
    try done("register", "tester", "--domain", "quality")
  }

  @discardableResult
  func run(
    _ arguments: [String], input: SpoolCommand.Input = .empty, as bot: String? = nil
  ) throws -> SpoolCommand.Outcome {
    try SpoolCommand.run(arguments, in: spool, environment: bot.map { ["SPOOL_BOT": $0] } ?? [:], input: input)
  }

  /// What a command prints that must go well.
  @discardableResult
  func done(_ arguments: String..., input: SpoolCommand.Input = .empty) throws -> String {
    let outcome = try run(arguments, input: input)
    #expect(outcome.isDone, "\(arguments): \(outcome)")
    return outcome.line
  }

  func add(_ title: String, _ options: String...) throws -> String {
    let outcome = try run(["task", "add", title] + options)
    #expect(outcome.isDone && MessageID(outcome.line) != nil, "\(outcome)")
    return outcome.line
  }

  /// A task that is completed with a result.
  func finish(_ id: String, _ result: String = "fine", as bot: String = "coder") throws {
    try done("task", "claim", id, "--as", bot)
    try done("task", "complete", id, result, "--as", bot)
  }

  func json(_ id: String) throws -> JSONValue {
    try JSONValue(parsing: Array(try done("task", "show", id, "--json").utf8))
  }

  func state(_ id: String) throws -> String { try json(id)["state"]?.string ?? "none" }

  func names(_ state: String) -> [String] { Scratch.names("\(spool)/tasks/\(state)") }
}
