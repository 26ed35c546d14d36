import Spool
import SpoolFormat

extension Verb {
  static let doctor = Verb(
    name: "doctor", summary: "say what is wrong in a spool and what would be done about it; --repair does it",
    usage: "[--repair]", options: [.flag("--repair", "do it")],
    example: "spool doctor\nspool doctor --repair",
    exits: "0 nothing wrong, or repaired; 1 something is wrong; 69 no spool"
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
    return report.count == 0 || isRepairing ? .done : .nothing
  }
}
