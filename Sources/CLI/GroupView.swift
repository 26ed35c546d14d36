import Spool
import SpoolFormat

/// How groups are shown.
enum GroupView {
  static func row(_ group: StoredGroup) -> [String] {
    let members = group.record.members
    let age = max(0, TimeText.now().microseconds - (group.record.createdAt ?? group.id.time).microseconds)
    return [
      MessageView.short(group.id.description), group.state.rawValue,
      members.isEmpty ? "-" : Output.excerpt(members.map(\.description).joined(separator: ", "), 40),
      TimeText.short(microseconds: age), Output.excerpt(group.record.announcement.text), outcome(group),
    ]
  }

  /// What came of a group that has ended: where it stands doesn't tell one that is done from one that was cancelled.
  private static func outcome(_ group: StoredGroup) -> String {
    let record = group.record
    guard !group.state.isLive else { return "" }
    if let error = record.error { return Output.excerpt(error, 60) }
    let isDone = record.open.isEmpty && record.parts.allSatisfy { $0.outcome != .working }
    return isDone ? "done" : ""
  }

  /// What happened to a group, on a line.
  static func details(_ event: LogEvent) -> String {
    let by = event.text("by").map { " by \(Output.excerpt($0, 64))" } ?? ""
    let reason = event.text("reason").map { ": \(Output.excerpt($0))" } ?? ""
    let record = event.groupBytes.flatMap { try? GroupRecord(parsing: $0) }
    switch event.kind {
    case .groupAnnounced: return "\(record.map { Output.excerpt($0.announcement.text, 60) } ?? "")\(by)"
    case .groupFormed, .groupChanged, .groupReformed:
      let members = record?.members.map(\.description).joined(separator: ", ") ?? ""
      return "\(members.isEmpty ? "nobody" : Output.excerpt(members, 100))\(reason)"
    case .groupCompleted: return Output.excerpt(record?.results.description ?? "", 100)
    default:
      let states = [event.text("from"), event.text("state")].compactMap { $0 }.map { Output.excerpt($0, 20) }
      return "\(states.joined(separator: " → "))\(by)\(reason)"
    }
  }

  /// - Parameter tasks: those of its parts, by id.
  static func write(_ group: StoredGroup, _ tasks: [MessageID: StoredTask]?, to writer: inout JSONWriter) {
    group.record.writeMembers(to: &writer)
    writer.member("state", group.state.rawValue)
    writer.member("members", group.record.members.map(\.description))
    writer.member("results", group.record.results)
    guard let tasks else { return }
    writer.key("tasks")
    writer.beginObject()
    for part in group.record.parts {
      guard let task = tasks[part.task] else { continue }
      writer.key(part.task.description)
      writer.beginObject()
      writer.member("state", task.state.rawValue)
      writer.member("progress", ifPresent: task.record.progress)
      writer.endObject()
    }
    writer.endObject()
  }

  /// A group that can't be read is shown all the same, with what is wrong.
  static func write(_ entry: GroupEntry, problem: String, to output: Output) {
    output.object { writer in
      writer.member("id", entry.id.description)
      writer.member("state", entry.state.rawValue)
      writer.member("path", entry.path)
      writer.member("problem", problem)
    }
  }

  /// Of skills, which the file may call anything.
  static func names(_ skills: [String]) -> String {
    skills.map { $0.escapedForTerminal() }.joined(separator: ", ")
  }

  static func show(
    _ group: StoredGroup, _ tasks: [MessageID: StoredTask], explaining: Bool, on output: Output
  ) {
    let record = group.record
    let announcement = record.announcement
    output.line(output.styled(Output.excerpt(announcement.text, 200), .bold))
    output.line("id        \(group.id)")
    output.line("state     \(group.state.rawValue)")
    output.line("skills    \(names(announcement.skills.map { "\($0.name):\($0.level)" }))")
    output.line("members   \(announcement.sizeMin) to \(announcement.sizeMax)")
    output.line("deadline  \(TimeText.local(announcement.deadline))")
    if let from = announcement.from { output.line("from      \(Output.excerpt(from))") }
    if let task = record.task { output.line("task      \(task)") }
    if let error = record.error { output.line("error     \(Output.excerpt(error, 400))") }
    if !record.open.isEmpty, group.state.isLive {
      output.line("open      \(names(record.open.map(\.name)))")
    }
    if !record.parts.isEmpty {
      let rows = record.parts.map { part in
        let task = tasks[part.task]
        let progress = task?.record.progress.map { " \($0)%" } ?? ""
        let state = part.outcome == .left ? "left" : (task?.state.rawValue ?? part.outcome.rawValue) + progress
        let what = part.reason ?? (part.result ?? task?.record.result)?.description ?? ""
        return [
          part.bot.description, names(part.skills.map(\.name)), state,
          MessageView.short(part.task.description), Output.excerpt(what),
        ]
      }
      output.table(["BOT", "SKILLS", "STATE", "TASK", "RESULT"], rows)
    }
    guard explaining else { return }
    output.line(output.styled("why these", .bold))
    for line in record.explanation { output.line(Output.excerpt(line, 400)) }
    if record.explanation.isEmpty { output.line("nobody was chosen yet") }
  }
}
