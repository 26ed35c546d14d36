import Linux
import SpoolFormat

/// What the doctor looks for among tasks and groups, besides what the log knows better.
extension Doctor {
  func examineTasks(_ repairing: Bool, _ report: inout RecoveryReport) throws {
    try examineMoves(of: TaskEntry.self, &report)
    try examineAdds(&report)
    var observations = TaskObservations()
    // From here on a task that was nowhere is somewhere.
    if repairing { tell(&report) { try spool.settleMoves(&observations) } }
    for entry in try spool.tasks(in: [.inProgress]) {
      guard let worker = entry.worker, spool.isGone(worker) else { continue }
      report.add(entry.path, "is in the hands of a process that has died", "given back")
    }
    if repairing { tell(&report) { try spool.expireTasks(&observations) } }
    try examineFiles(of: TaskEntry.self, &report)
    // Of what follows a coordinator does all that can be done.
    if !spool.coordinatorIsUp { try examineBlocked(repairing, &report) }
    try examineAssigned(repairing, &report)
  }

  /// What is for a bot that was removed, with `rm` perhaps, or for none.
  private func examineAssigned(_ repairing: Bool, _ report: inout RecoveryReport) throws {
    for entry in try spool.tasks(in: [.assigned]) {
      if entry.isGivenToNobody {
        if spool.coordinatorIsUp { continue }
        report.add(entry.path, "is assigned to nobody: its name doesn't end in ~BOT.json", "put back to pending")
        if repairing { try spool.release(entry, reason: "it was assigned to nobody", by: "doctor") }
        continue
      }
      guard let bot = entry.bot, try !spool.exists(bot) else { continue }
      report.add(
        entry.path, "is given to \(bot), which is no bot",
        left: "give it to another with spool task assign, or register \(bot)")
    }
  }

  private func tell(_ report: inout RecoveryReport, _ settle: () throws -> [TaskEntry]) {
    do { _ = try settle() } catch { report.add(Layout.tasks, "\(error)", left: "whoever looks next tries again") }
  }

  /// What is no task, or no group, and can't be made one from the log.
  private func examineFiles<Entry: FiledEntry>(of _: Entry.Type, _ report: inout RecoveryReport) throws {
    let entries: [Entry] = try spool.entries(in: Array(Entry.State.allCases))
    for entry in entries {
      do { _ = try spool.contents(of: entry) } catch let error as SpoolError
        where error.code == .badData || error.code == .notPermitted
      {
        guard try History(spool).last(of: entry.id, Entry.self) == nil || error.cause != nil else { continue }
        let problem = error.message.replacing("\(entry.path): ", with: "")
        report.add(entry.path, "is no \(Entry.noun): \(problem)", left: "move it away by hand, or mend it")
      }
    }
  }

  func examineGroups(_ repairing: Bool, _ report: inout RecoveryReport) throws {
    try examineMoves(of: GroupEntry.self, &report)
    var observations = GroupObservations()
    do { if repairing { try spool.settleGroupMoves(&observations) } } catch {
      report.add(Layout.groupsMoving, "\(error)", left: "whoever looks next tries again")
    }
    try examineFiles(of: GroupEntry.self, &report)
  }

  private func examineMoves<Entry: FiledEntry>(of _: Entry.Type, _ report: inout RecoveryReport) throws {
    for mover in try spool.root.names(Entry.moving).compactMap({ Holder($0) }) where spool.isGone(mover) {
      let directory = "\(Entry.moving)/\(mover)"
      for name in try spool.root.names(directory) {
        report.add(
          "\(directory)/\(name)", "was being changed by a process that has died",
          "finished if the log has it, else put back")
      }
    }
  }

  private func examineAdds(_ report: inout RecoveryReport) throws {
    for name in try spool.root.names(Layout.tasksTemporary).compactMap({ EntryName($0) }) {
      guard let holder = name.holder, spool.isGone(holder) else { continue }
      let isLogged = try History(spool).lastOfTask(name.id) != nil
      report.add(
        Layout.taskTemporary(name), "was left by a process that died adding it",
        isLogged ? "put in its place: the log has it" : "removed: it was never added")
    }
  }

  /// Who ended a task may have died before it told those that wait for it, and who submitted a workflow before it had
  /// added all of it. Once more as long as that lets others go on.
  private func examineBlocked(_ repairing: Bool, _ report: inout RecoveryReport) throws {
    for entry in try spool.tasks(in: [.blocked]) {
      guard let record = try? spool.record(of: entry) else { continue }
      let missing = (try? spool.stepsMissing(of: StoredTask(entry: entry, record: record))) ?? 0
      guard missing > 0 else { continue }
      report.add(entry.path, "lacks \(missing) of its steps, whose submitter has died", "added")
      if repairing { try spool.finishSubmitting(StoredTask(entry: entry, record: record)) }
    }
    var changed = true
    var rounds = 0
    while changed, rounds < (repairing ? TaskRecord.dependenciesMax : 1) {
      changed = false
      rounds += 1
      for entry in try spool.overlooked() {
        report.add(
          entry.path, "was not told what became of those that it waits for", "let go on, or given up, with them")
        if repairing { changed = try spool.settle(entry) != nil || changed }
      }
    }
  }

  /// Of what has several files only a person knows which is the one.
  func copyRemarks<Entry: FiledEntry>(of _: Entry.Type) throws -> [String] {
    try spool.copies(of: Entry.self).map { copies in
      let paths = copies.map(\.path).joined(separator: " and ")
      return "\(Entry.noun) \(copies[0].id) has \(copies.count) files: \(paths); remove by hand what is a copy"
    }
  }
}
