import Spool
import SpoolFormat

/// What a program is given of a task: the task itself with where it stands, and what those gave that it waited for.
struct TaskInput {
  let line: [UInt8]

  /// Bytes that the results of others may have together.
  static let resultsBytesMax = 256 << 20

  /// - Throws: `.badData` when it can't be put together, now or ever.
  init(_ task: StoredTask, _ spool: Spool) throws {
    let others = try Self.others(of: task, spool)
    var record = task.record
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
    for (name, other) in others {
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

  /// What it depends on and, if it waited for them, its children; by the name of the step where there is one.
  private static func others(of task: StoredTask, _ spool: Spool) throws -> [(name: String, task: StoredTask)] {
    let record = task.record
    let given = Dictionary(record.stepNames.map { ($1, $0) }) { min($0, $1) }
    var names: Set<String> = []
    var ids: Set<MessageID> = []
    var others: [(String, StoredTask)] = []
    var bytes = 0
    func add(_ other: StoredTask) throws {
      guard ids.insert(other.id).inserted else { return }
      bytes += other.record.result?.bytes.count ?? 0
      guard bytes <= resultsBytesMax else {
        throw SpoolError(.badData, "the results that it waited for have more than \(resultsBytesMax) bytes together")
      }
      let wanted = given[other.id] ?? other.record.step
      let name = wanted.flatMap { names.contains($0) ? nil : $0 } ?? other.id.description
      names.insert(name)
      others.append((name, other))
    }
    let found = try spool.findTasks(Set(record.dependsOn))
    for id in record.dependsOn {
      guard let entry = found[id], let body = try spool.record(of: entry) else { continue }
      try add(StoredTask(entry: entry, record: body))
    }
    if record.waitsForChildren { for child in try spool.children(of: record) { try add(child) } }
    return others
  }
}
