import Spool
import SpoolFormat

extension Verb {
  static let taskFail = Verb(
    name: "task fail", summary: "say that an attempt failed: it is tried again, up to its limit",
    usage: "CLAIM|ID ERROR|-|--file F [--suggestion TEXT] [--final]",
    options: [
      .value("--file", "F", "the error is what is in the file"),
      .value("--suggestion", "TEXT", "what might put it right"),
      .value("--delay", "DURATION", "before it is tried again (default: its backoff)"),
      .flag("--final", "don't try again"),
    ] + holderOptions,
    example: "spool task fail 8f3a \"no network\" --suggestion \"try the mirror\"", exits: "0 done, \(lateExits)"
  ) { invocation in
    try invocation.expect(atMost: 2)
    let part = try invocation.operand(0, "CLAIM")
    let delay = try invocation.duration("--delay")
    if delay != nil, invocation.has("--final") { throw UsageError("--final or --delay, not both") }
    let spool = try invocation.taskSpool()
    let entry = try spool.taskInHand(named: part, of: invocation.holdingBot(spool))
    guard invocation.operands.count > 1 || invocation.value("--file") != nil else {
      throw UsageError("ERROR is missing: say why it failed")
    }
    let error = try invocation.text(operand: 1)
    let author = try invocation.author()
    let started = try spool.lastStart(of: entry)
    let failed = try spool.holding(entry) {
      try spool.fail(
        $0, error: error, recoverySuggestion: invocation.value("--suggestion"),
        isRetryable: !invocation.has("--final"), delay: delay, startedAt: started, by: author)
    }
    if failed.state == .failed { spool.settleAndTell([failed]) }
    invocation.report(
      failed,
      failed.state == .failed
        ? "failed for good, \(failed.attempt == 0 ? "before it was begun" : "in attempt \(failed.attempt)")"
        : "attempt \(failed.attempt) failed; now \(TaskView.standing(failed))")
    return .done
  }
}
