import Spool
import SpoolFormat

/// What a program (or whoever claims it by hand) is given of a task: the task itself, its templates expanded, with where it stands, and what those gave
/// that it waited for.
public struct TaskInput {
  /// A JSON object on a line, line feed included.
  public let line: [UInt8]

  /// Bytes that the results of others may have together.
  static let resultsBytesMax = 256 << 20

  /// - Throws: `.badData` when it can't be put together, now or ever.
  public init(_ task: StoredTask, _ spool: Spool) throws {
    let others = try Self.others(of: task, spool)
    var results: [MessageID: JSONText] = [:]
    for other in others.all { results[other.id] = other.record.result }
    var record: TaskRecord
    do { record = try task.record.expanded { results[$0] } } catch {
      throw SpoolError(.badData, "a template of it can't be filled in: \(error)")
    }
    // The file must not contradict its path, nor its own results.
    record.extra.removeAll { ["state", "attempt", "bot", "dependencies"].contains($0.name) }
    var writer = JSONWriter(reserving: 4096)
    writer.beginObject()
    record.writeMembers(to: &writer)
    writer.member("state", task.state.rawValue)
    writer.member("attempt", task.entry.attempt)
    writer.member("bot", ifPresent: task.entry.bot?.description)
    writer.key("dependencies")
    writer.beginObject()
    for (name, other) in others.named {
      writer.key(name)
      writer.beginObject()
      writer.member("id", other.id.description)
      writer.member("title", other.record.title)
      writer.member("state", other.state.rawValue)
      if let result = other.record.result { writer.member("result", result) }
      writer.member("error", ifPresent: other.record.error)
      writer.endObject()
    }
    writer.endObject()
    writer.endObject()
    line = writer.bytes + [10]
  }

  /// What it waited for: what it depends on and its children if it waited for them, by the name of the step where there
  /// is one. And with these all that its templates may name.
  private static func others(
    of task: StoredTask, _ spool: Spool
  ) throws -> (named: [(name: String, task: StoredTask)], all: [StoredTask]) {
    let record = task.record
    let given = Dictionary(record.stepNames.map { ($1, $0) }) { min($0, $1) }
    let wanted = record.dependsOn + record.stepNames.values.filter { !record.dependsOn.contains($0) }.sorted()
    var all: [StoredTask] = []
    let found = try spool.findTasks(Set(wanted))
    for id in wanted {
      guard let entry = found[id], let body = try spool.record(of: entry) else { continue }
      all.append(StoredTask(entry: entry, record: body))
    }
    if record.waitsForChildren {
      for child in try spool.children(of: record) where found[child.id] == nil { all.append(child) }
    }
    guard all.reduce(0, { $0 + ($1.record.result?.bytes.count ?? 0) }) <= resultsBytesMax else {
      throw SpoolError(.badData, "the results that it waited for have more than \(resultsBytesMax) bytes together")
    }
    var names: Set<String> = []
    var named: [(name: String, task: StoredTask)] = []
    for other in all where record.dependsOn.contains(other.id) || other.record.parent == task.id {
      let step = given[other.id] ?? other.record.step
      let name = step.flatMap { names.contains($0) ? nil : $0 } ?? other.id.description
      names.insert(name)
      named.append((name, other))
    }
    return (named, all)
  }
}
