import Spool
import SpoolFormat

extension Verb {
  static let doctor = Verb(
    name: "doctor", summary: "say what is wrong in a spool and what would be done about it; --repair does it",
    usage: "[--repair] [--hosts N [--wait DURATION]]",
    options: [
      .flag("--repair", "do it"),
      .value("--hosts", "N", "measure with N - 1 other hosts, where the same is run at the same time"),
      .value("--wait", "DURATION", "how long each of them is waited for (default: 30s)"),
    ],
    example: "spool doctor\nspool doctor --repair\nspool doctor --hosts 2          # on both, within half a minute",
    exits: "0 nothing wrong, or all repaired; 1 something is wrong, or nobody came; 69 no spool",
    notes: """
      On storage that several hosts share it measures whether that is fit for them, too, and says what to do where it isn't.
      With --hosts it measures what holds between them: how soon one sees what the other changes, that a file which both
      rename at once is one's, that neither gets a lock of the other's, how far their clocks are apart, and their names.
      With --json these are objects with "storage", what is wrong has "path" (past a thousand "more" counts the rest), and
      what waits for too long "backlog": the bot.
      """
  ) { invocation in
    try invocation.expect(atMost: 0)
    let hosts = try invocation.number("--hosts", in: 2...1000)
    let wait = try invocation.duration("--wait") ?? 30
    guard hosts != nil || !invocation.has("--wait") else { throw UsageError("--wait goes with --hosts") }
    let spool = try invocation.spool()
    guard hosts == nil || spool.isRemote else {
      throw UsageError(
        "--hosts: \(spool.path) is on this host's own \(try spool.fileSystem().name); "
          + "if others use it, too, set SPOOL_STORAGE=shared")
    }
    let doctor = Doctor(spool)
    let output = invocation.output
    // First, while the others wait: what follows may take long.
    let line = ProgressLine()
    let together = try hosts.map { try doctor.examineHosts($0, waiting: wait) { line.show($0) } } ?? []
    line.clear()
    let isRepairing = invocation.has("--repair")
    let report = try doctor.examine(repairing: isRepairing)
    for finding in report.findings {
      if invocation.isJSON {
        output.object { writer in
          writer.member("path", finding.path)
          writer.member("problem", finding.problem)
          writer.member("remedy", finding.remedy)
          writer.member("repaired", isRepairing && !finding.isLeft)
        }
      } else {
        let path = finding.path.escapedForTerminal()
        let remedy = isRepairing || finding.isLeft ? finding.remedy : "would be " + finding.remedy
        output.line("\(output.styled(path, .bold)) \(finding.problem.escapedForTerminal()): \(remedy)")
      }
    }
    let hidden = report.count - report.findings.count
    if hidden > 0 {
      invocation.isJSON ? output.object { $0.member("more", hidden) } : output.line("and \(hidden) more")
    }
    let left = report.leftCount
    let storage = try doctor.examineStorage() + together
    show(storage, output, isJSON: invocation.isJSON, isTogether: hosts != nil)
    let isFit = storage.allSatisfy { $0.cure == nil }
    if invocation.isJSON {
      for backlog in try doctor.backlogs() {
        output.object { writer in
          writer.member("backlog", backlog.bot.description)
          backlog.write(to: &writer)
          writer.member("abandoned", backlog.isAbandoned)
        }
      }
    } else {
      for line in try doctor.surroundings() { output.line(line.escapedForTerminal()) }
      let remarks = try doctor.remarks()
      for remark in remarks { output.line(remark.escapedForTerminal()) }
      let checked = "looked at \(Output.count(report.messagesLookedAt, "message"))"
      if report.count == 0, spool.logProblem != nil {
        output.line("nothing is wrong as far as can be seen without writing; \(checked)")
      } else if report.count == 0, !remarks.isEmpty {
        output.line("nothing to repair, and \(Output.count(remarks.count, "thing")) to look at; \(checked)")
      } else if report.count == 0 {
        output.line(output.styled("all is well", .green) + "; \(checked)")
      } else if isRepairing, left == 0 {
        output.line("repaired; \(checked)")
      } else {
        let isForPeople = isRepairing || left == report.count
        let count = isForPeople ? left : report.count
        let (things, them) = count == 1 ? ("thing is", "it") : ("things are", "them")
        let cure = isForPeople ? "for you to mend" : "repair \(them) with: spool doctor --repair"
        output.line("\(count) \(things) wrong; \(cure)")
      }
    }
    return (isRepairing ? left : report.count) == 0 && isFit ? .done : .nothing
  }

  private static func show(_ storage: [StorageCheck], _ output: Output, isJSON: Bool, isTogether: Bool) {
    if storage.isEmpty { return }
    if isJSON {
      for check in storage {
        output.object { writer in
          writer.member("storage", check.name)
          writer.member("with", ifPresent: check.peer)
          writer.member("found", check.found)
          writer.member("fit", check.cure == nil)
          writer.member("cure", ifPresent: check.cure)
        }
      }
      return
    }
    func name(_ check: StorageCheck) -> String {
      check.peer.map { "\(check.name), \($0.escapedForTerminal())" } ?? check.name
    }
    output.table(
      ["STORAGE", "", "FOUND"],
      storage.map { [name($0), $0.cure == nil ? "fit" : "unfit", $0.found.escapedForTerminal()] })
    for check in storage {
      if let cure = check.cure { output.line("\(output.styled(name(check), .bold)): \(cure.escapedForTerminal())") }
    }
    let bad = storage.count { $0.cure != nil }
    output.line(
      bad == 0
        ? output.styled("fit for several hosts", .green) : output.styled("not fit for several hosts", .bold))
    if !isTogether { output.line("what holds between two hosts: spool doctor --hosts 2, on both at the same time") }
  }
}
