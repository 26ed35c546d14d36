#if DEBUG
  import Foundation
  import TestSupport
  import TestThreads
  import Testing

  /// Where the server refuses what was logged: it may be kept or not, and what is in the log is so.
  @Suite(.waiting) struct UnknownOutcomeTests {
    private static let environment = ["SPOOL_STORAGE": "shared"]
    private let scratch: Scratch
    private let path: String

    init() throws {
      scratch = try Scratch(inMemory: true)
      path = "\(scratch.path)/spool"
      try done("init", path)
      try done("register", "coder")
      try done("state", "set", "light", "1")
    }

    private func run(_ arguments: [String], refused: Bool = false) throws -> SpoolCommand.Outcome {
      var environment = Self.environment
      if refused { environment["SPOOL_FAULT"] = "5:sync_file_range#1" }
      return try SpoolCommand.run(arguments, in: arguments[0] == "init" ? scratch.path : path, environment: environment)
    }

    @discardableResult
    private func done(_ arguments: String...) throws -> String {
      let outcome = try run(arguments)
      #expect(outcome.isDone, "\(arguments): \(outcome)")
      return outcome.output
    }

    private func isUnknown(_ arguments: String...) throws {
      let outcome = try run(arguments, refused: true)
      #expect(outcome.status == 74 && outcome.error.contains("may or may not be kept"), "\(arguments): \(outcome)")
    }

    @Test func `a value is what the log says`() throws {
      try isUnknown("state", "set", "light", "2")
      #expect(try done("state", "get", "light", "--json").contains(#""value":2,"version":2"#))
      #expect(try done("doctor").contains("all is well"))
      try isUnknown("state", "delete", "light")
      #expect(try run(["state", "get", "light"]).status == 1)
      #expect(try done("state", "set", "light", "4", "--json").contains(#""version":4"#))
    }

    @Test func `a message is delivered by whoever looks next`() throws {
      try isUnknown("send", "coder", "hi", "--relaxed")
      #expect(try done("receive", "coder", "--wait", "20s", "--ack").contains("hi"))
    }

    @Test func `a task is there when somebody has looked`() throws {
      try isUnknown("task", "add", "write")
      try done("doctor", "--repair")
      #expect(try done("task", "list").contains("write"))
    }
  }
#endif
