import Spool
import SpoolFormat

extension Verb {
  static let holderOptions: [Option] = [
    .value("--as", "BOT", "refuse unless it is in this bot's hands (else $SPOOL_BOT)"),
    .value("--by", "NAME", "who does that, for the log"),
  ]

  static let lateExits = "1 no such task, 3 no longer in hand: nothing was changed, \(notAllowed), 69 no spool"

  static let taskProgress = Verb(
    name: "task progress", summary: "say how far a task is", usage: "CLAIM|ID PERCENT [TEXT]", options: holderOptions,
    example: "spool task progress 8f3a 40 \"the scanner is done\"", exits: "0 done, \(lateExits)"
  ) { invocation in
    try invocation.expect(atMost: 3)
    let part = try invocation.operand(0, "CLAIM")
    let number = try invocation.operand(1, "PERCENT")
    guard let percent = Int(number.hasSuffix("%") ? String(number.dropLast()) : number), 0...100 ~= percent else {
      throw UsageError("PERCENT \(Output.excerpt(number, 20)) is not a whole number from 0 to 100")
    }
    let text = invocation.operands.count > 2 ? invocation.operands[2] : nil
    let spool = try invocation.taskSpool()
    let entry = try spool.taskInHand(named: part, of: invocation.holdingBot(spool))
    let author = try invocation.author()
    let changed = try spool.holding(entry) { try spool.progress($0, percent: percent, text: text, by: author) }
    if invocation.isJSON { TaskView.write(changed, to: invocation.output) }
    return .done
  }
}
