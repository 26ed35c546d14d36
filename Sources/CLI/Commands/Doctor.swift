import Spool
import SpoolFormat

extension Verb {
  static let doctor = Verb(
    name: "doctor", summary: "say what is wrong in a spool and what would be done about it; --repair does it",
    usage: "[--repair]", options: [.flag("--repair", "do it")],
    example: "spool doctor\nspool doctor --repair",
    exits: "0 nothing wrong, or repaired; 1 something is wrong; 69 no spool",
    notes: """
      On storage that several hosts share it measures whether that is fit for them, too, and says what to do where it isn't.
      """
  ) { invocation in
    try invocation.expect(atMost: 0)
    let spool = try invocation.spool()
    let doctor = Doctor(spool)
    let isRepairing = invocation.has("--repair")
    let report = try doctor.examine(repairing: isRepairing)
    let output = invocation.output
    for finding in report.findings {
      if invocation.isJSON {
        output.object { writer in
          writer.member("path", finding.path)
          writer.member("problem", finding.problem)
          writer.member("remedy", finding.remedy)
          writer.member("repaired", isRepairing)
        }
      } else {
        let path = finding.path.escapedForTerminal()
        let remedy = isRepairing ? finding.remedy : "would be " + finding.remedy
        output.line("\(output.styled(path, .bold)) \(finding.problem.escapedForTerminal()): \(remedy)")
      }
    }
    if report.count > report.findings.count { output.line("and \(report.count - report.findings.count) more") }
    let storage = try doctor.examineStorage()
    show(storage, output, isJSON: invocation.isJSON)
    let isFit = storage.allSatisfy { $0.cure == nil }
    if !invocation.isJSON {
      for remark in try doctor.remarks() { output.line(remark.escapedForTerminal()) }
      let checked = "looked at \(report.messagesLookedAt) messages"
      if report.count == 0 {
        output.line(output.styled("all is well", .green) + "; \(checked)")
      } else {
        output.line(
          isRepairing ? "repaired; \(checked)" : "\(report.count) things wrong; repair them with: spool doctor --repair"
        )
      }
    }
    return (report.count == 0 || isRepairing) && isFit ? .done : .nothing
  }

  private static func show(_ storage: [StorageCheck], _ output: Output, isJSON: Bool) {
    if storage.isEmpty { return }
    if isJSON {
      for check in storage {
        output.object { writer in
          writer.member("storage", check.name)
          writer.member("found", check.found)
          writer.member("fit", check.cure == nil)
          writer.member("cure", ifPresent: check.cure)
        }
      }
      return
    }
    output.table(
      ["STORAGE", "", "FOUND"],
      storage.map { [$0.name, $0.cure == nil ? "fit" : "unfit", $0.found.escapedForTerminal()] })
    for check in storage {
      if let cure = check.cure { output.line("\(output.styled(check.name, .bold)): \(cure.escapedForTerminal())") }
    }
    let bad = storage.count { $0.cure != nil }
    output.line(
      bad == 0
        ? output.styled("fit for several hosts", .green) : output.styled("not fit for several hosts", .bold))
  }
}
