import Spool
import SpoolFormat

extension Verb {
  static let taskCancel = Verb(
    name: "task cancel", summary: "end a task that nobody wants any more, with its children",
    usage: "ID… [--reason TEXT]",
    options: [
      .value("--reason", "TEXT", "why; the log keeps it"), .value("--by", "NAME", "who does that, for the log"),
    ],
    example: "spool task cancel 8f3a --reason \"done by hand\"",
    exits: "0 done, \(notThere), \(notAllowed), 69 no spool",
    notes:
      "Who works on one of them is told, and what it brings later is refused. Bring them back with: spool task retry."
  ) { invocation in
    _ = try invocation.operand(0, "ID")
    let spool = try invocation.taskSpool()
    let author = try invocation.author()
    var moved: Set<MessageID> = []
    return try Invocation.forEach(invocation.operands.map { try spool.task(named: $0) }) { entry in
      // Another of them may have taken it along.
      guard !moved.contains(entry.id) else { return }
      let cancelled = try spool.cancelWithChildren(entry, reason: invocation.value("--reason"), by: author)
      moved.formUnion(cancelled.map(\.id))
      spool.settleAndTell(cancelled)
      tell(cancelled, entry, "cancelled", invocation)
    }
  }

  static let taskRetry = Verb(
    name: "task retry", summary: "once more a task that failed or was cancelled, and what failed with it",
    usage: "ID…", options: [.value("--by", "NAME", "who does that, for the log")],
    example: "spool task retry 8f3a", exits: "0 done, \(notThere), \(notAllowed), 69 no spool",
    notes: """
      With it come back the children of a join, the joins that failed because of it, and what was cancelled because
      it depends on it. It gets one more attempt at least.
      """
  ) { invocation in
    _ = try invocation.operand(0, "ID")
    let spool = try invocation.taskSpool()
    let author = try invocation.author()
    var moved: Set<MessageID> = []
    return try Invocation.forEach(invocation.operands.map { try spool.task(named: $0) }) { entry in
      guard !moved.contains(entry.id) else { return }
      let back = try spool.retryWithRelatives(entry, by: author)
      moved.formUnion(back.map(\.id))
      tell(back, entry, "brought back", invocation)
    }
  }

  /// The task alone, or how many came with it.
  private static func tell(_ moved: [TaskEntry], _ entry: TaskEntry, _ word: String, _ invocation: Invocation) {
    if invocation.isJSON {
      for entry in moved { TaskView.write(entry, to: invocation.output) }
      return
    }
    let others = moved.filter { $0.id != entry.id }
    let itself = others.count < moved.count ? "\(word)" : "\(word) before"
    switch others.count {
    case 0: Output.talk(itself)
    case 1: Output.talk("\(itself), and one more with it: \(TaskView.short(others[0].id))")
    default:
      Output.talk("\(itself), and \(others.count) more with it; see: spool task tree \(TaskView.short(entry.id))")
    }
  }
}
