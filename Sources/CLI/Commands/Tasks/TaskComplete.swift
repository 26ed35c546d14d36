import Spool
import SpoolFormat

extension Verb {
  static let taskComplete = Verb(
    name: "task complete", summary: "end a task in hand, with its result",
    usage: "CLAIM|ID [RESULT|-|--file F|--data JSON] [--confidence X]",
    options: [
      .value("--file", "F", "the result is what is in the file"),
      .value("--data", "JSON", "the result as JSON (- reads it from standard input)"),
      .value("--confidence", "X", "from 0 to 1"),
      .value("--learning", "TEXT", "worth knowing next time; may be given several times"),
    ] + holderOptions,
    example: "spool task complete 8f3a \"in parser.swift\" --confidence 0.9\n./build.sh | spool task complete 8f3a -",
    exits: "0 done, \(lateExits)"
  ) { invocation in
    try invocation.expect(atMost: 2)
    let part = try invocation.operand(0, "CLAIM")
    let confidence = try invocation.value("--confidence").map { text in
      guard let number = Double(text), 0...1 ~= number else {
        throw UsageError("--confidence \(Output.excerpt(text, 20)) is not a number from 0 to 1")
      }
      return number
    }
    let spool = try invocation.taskSpool()
    // Asked before the result is read, which may be long in coming.
    let entry = try spool.taskInHand(named: part, of: invocation.holdingBot(spool))
    try spool.requireBegun(entry)
    let result = try result(invocation)
    let author = try invocation.author()
    let started = try spool.lastStart(of: entry)
    let done = try spool.holding(entry) {
      try spool.complete(
        $0, result: result, confidence: confidence, learnings: invocation.all("--learning"), startedAt: started,
        by: author)
    }
    spool.settleAndTell([done])
    if invocation.isJSON { TaskView.write(done, to: invocation.output) }
    return .done
  }

  private static func result(_ invocation: Invocation) throws -> JSONText? {
    if invocation.value("--data") != nil {
      guard invocation.operands.count < 2, invocation.value("--file") == nil else {
        throw UsageError("a RESULT or --data, not both")
      }
      guard invocation.value("--data") == "-" else { return try invocation.json("--data") }
      do { return try JSONText(validating: try Invocation.read("-")) } catch let error as JSONError {
        throw FormatError("standard input is not JSON: \(error)")
      }
    }
    // One without a result is done all the same.
    guard invocation.operands.count > 1 || invocation.value("--file") != nil else { return nil }
    return JSONText(string: try invocation.text(operand: 1))
  }
}
