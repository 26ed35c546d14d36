import Linux
import SpoolFormat

extension LogEvent {
  /// Where the task that this event is about stood after it; nil for an event of another kind.
  public var entry: TaskEntry? {
    guard kind.isOfTask, let state = text("state").flatMap(TaskState.init(rawValue:)),
      let name = text("name").flatMap({ EntryName($0, of: .task) })
    else { return nil }
    return TaskEntry(state: state, name: name)
  }

  /// The whole body that it bears, as its file has it (less the line feed); only events that changed it have one.
  public var taskBytes: [UInt8]? { data.withSlice { slice in slice["task"].map { Array($0.bytes) } } }
}

extension History {
  /// The newest event about a task; nil when no log knows it.
  public func lastOfTask(_ id: MessageID) throws -> LogEvent? {
    try last(of: id, TaskEntry.self)
  }
}
