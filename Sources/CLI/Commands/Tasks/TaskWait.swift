import Spool
import SpoolFormat

extension Verb {
  static let waitExits = "0 completed, 1 the wait ended first, 2 failed, cancelled or stuck, 65 an id of several"

  static let taskWait = Verb(
    name: "task wait", summary: "wait until tasks have ended, and print the result",
    usage: "ID… [--timeout DURATION]",
    options: [.value("--timeout", "DURATION", "wait so long at most (default: for ever)")],
    example: "spool task wait 8f3a --timeout 10m", exits: waitExits + ", 69 no spool",
    notes: """
      One that can't begin, because something that it depends on failed, counts as stuck. The result of one is printed
      as it is, of several a line each: ID, state, and the result as JSON; with --json each task as spool task list
      --json has it.
      """
  ) { invocation in
    guard !invocation.operands.isEmpty else { throw UsageError("ID is missing") }
    let timeout = try invocation.duration("--timeout")
    let spool = try invocation.taskSpool()
    var isOpen = false
    var ids: [MessageID] = []
    for part in invocation.operands {
      let entry = try spool.task(named: part)
      if !ids.contains(entry.id) { ids.append(entry.id) }
      if !entry.state.isFinal { isOpen = true }
    }
    if isOpen { tellIfNobodyWorks(spool) }
    let bars = ProgressBars()
    let tasks = try spool.waitForTasks(ids, seconds: timeout) { bars.show($0) }
    bars.finish()
    for task in tasks where invocation.isJSON { invocation.output.object { TaskView.write(task, to: &$0) } }
    if !invocation.isJSON { tell(tasks, spool, invocation.output) }
    return exit(tasks)
  }

  /// Says so when nobody is there who would do what is waited for; a hand may, all the same.
  static func tellIfNobodyWorks(_ spool: Spool) {
    var presences = PresenceObservations()
    // Who can't be looked at may well be there.
    let isAnybody =
      try? spool.coordinatorIsUp || !spool.tasks(in: [.inProgress]).isEmpty
      || spool.bots().contains { try presences.living($0, in: spool).contains { $0.takes == .tasks } }
    if isAnybody == false {
      Output.talk("nobody takes tasks now: start a worker (spool work BOT --tasks) or a coordinator (spool coordinate)")
    }
  }

  static func exit(_ tasks: [StoredTask]) -> Exit {
    if tasks.contains(where: { $0.hasEnded && $0.state != .completed }) { return .failed }
    return tasks.allSatisfy { $0.state == .completed } ? .done : .nothing
  }

  static func tell(_ tasks: [StoredTask], _ spool: Spool, _ output: Output) {
    for task in tasks where task.state != .completed {
      let why = TaskView.whyWaiting(task, spool)?.escapedForTerminal()
      let remark = [TaskView.remark(task), why ?? ""].filter { !$0.isEmpty }.joined(separator: "; ")
      Output.talk(
        "\(TaskView.short(task.id)) \(TaskView.standing(task.entry))\(remark.isEmpty ? "" : ": " + remark)")
    }
    if tasks.count == 1, let result = tasks[0].record.result, tasks[0].state == .completed {
      let text = TaskView.text(result)
      output.line(output.isTerminal ? text.escapedForTerminal(keepingLines: true) : text)
    } else if tasks.count > 1 {
      for task in tasks {
        let result = task.record.result.map { " \($0.value.text)" } ?? ""
        output.line("\(task.id) \(task.state.rawValue)\(output.isTerminal ? result.escapedForTerminal() : result)")
      }
    }
  }
}
