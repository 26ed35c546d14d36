import SpoolFormat

/// What a file is whose directory is its state: a task, or a group. So much of it is alike.
protocol FiledEntry: Hashable, Sendable {
  associatedtype State: RawRepresentable<String>, CaseIterable, Hashable, Sendable
  associatedtype Record
  init(state: State, name: EntryName)
  /// Where it stood after an event; nil when the event is about something else.
  init?(_ event: LogEvent)
  /// Where it stood before an event, as far as that tells: the line of what had brought it there may be lost.
  static func origin(_ event: LogEvent) -> (state: State, attempt: Int)?
  var state: State { get }
  var name: EntryName { get }
  /// Relative to the spool.
  var path: String { get }

  /// What it is called.
  static var noun: String { get }
  /// How its names are read.
  static var kind: EntryName.Kind { get }
  /// Whether a file of such a name is one.
  static func isName(_ name: EntryName) -> Bool
  /// The most that a file may have, bytes.
  static var bytesMax: Int { get }
  /// What its file says, with what its name says better.
  func record(parsing bytes: [UInt8]) throws -> Record
  static func directory(_ state: State) -> String
  /// Where processes keep what they are changing, and what they are adding, if that is elsewhere.
  static var moving: String { get }
  static var temporary: String? { get }
  static var restored: LogEvent.Kind { get }
  /// Of one whose file was removed, as nobody needed it any more.
  static var removed: LogEvent.Kind { get }
  /// The whole content that an event bears.
  static func body(_ event: LogEvent) -> [UInt8]?
  /// Whether a file has the content that an event tells.
  static func says(_ file: [UInt8], _ event: LogEvent) -> Bool
  static func isReadable(_ bytes: [UInt8], _ id: MessageID) -> Bool
  /// Whether nobody, and no hand, takes it out of the state that it is in.
  var isSettled: Bool { get }
}

extension FiledEntry {
  var id: MessageID { name.id }

  static func isName(_ name: EntryName) -> Bool { true }

  static func says(_ file: [UInt8], _ event: LogEvent) -> Bool {
    body(event).map { file.dropLast() == $0[...] } ?? false
  }
}

extension TaskEntry: FiledEntry {
  init?(_ event: LogEvent) {
    guard let entry = event.entry else { return nil }
    self = entry
  }

  static func origin(_ event: LogEvent) -> (state: TaskState, attempt: Int)? {
    guard let entry = event.entry, let state = event.text("from").flatMap(TaskState.init(rawValue:)) else { return nil }
    // The other way round than `Spool.entry(after:)` counts.
    let isTaken = [.assigned, .inProgress].contains(entry.state)
    switch state {
    case .pending where isTaken: return (state, entry.attempt - 1)
    case .assigned where !isTaken: return (state, entry.attempt + 1)
    default: return (state, entry.attempt)
    }
  }

  static var noun: String { "task" }
  static var kind: EntryName.Kind { .task }
  static var bytesMax: Int { TaskRecord.bytesMax }
  func record(parsing bytes: [UInt8]) throws -> TaskRecord {
    var record = try TaskRecord(parsing: bytes)
    record.id = id
    record.createdAt = record.createdAt ?? id.time
    record.priority = Priority(value: 10 - name.urgency) ?? record.priority
    return record
  }
  var isSettled: Bool { state == .completed }
  static func directory(_ state: TaskState) -> String { Layout.tasks(state) }
  static var moving: String { Layout.tasksMoving }
  static var temporary: String? { Layout.tasksTemporary }
  static var restored: LogEvent.Kind { .taskRestored }
  static var removed: LogEvent.Kind { .taskRemoved }
  static func body(_ event: LogEvent) -> [UInt8]? { event.taskBytes }
  static func says(_ file: [UInt8], _ event: LogEvent) -> Bool {
    if let body = body(event) { return file.dropLast() == body[...] }
    guard event.kind == .taskProgressed, let record = try? TaskRecord(parsing: file) else { return false }
    return record.progress == event.number("progress") && record.progressText == event.text("text")
  }
  static func isReadable(_ bytes: [UInt8], _ id: MessageID) -> Bool {
    guard let record = try? TaskRecord(parsing: bytes) else { return false }
    return record.id == nil || record.id == id
  }
}

extension GroupEntry: FiledEntry {
  init?(_ event: LogEvent) {
    guard let entry = event.group else { return nil }
    self = entry
  }

  static func origin(_ event: LogEvent) -> (state: GroupState, attempt: Int)? {
    guard let entry = event.group, let state = event.text("from").flatMap(GroupState.init(rawValue:)) else {
      return nil
    }
    return (state, entry.name.attempt)
  }

  /// What a hand brings back from there is active again.
  var isSettled: Bool { false }
  static var noun: String { "group" }
  static var kind: EntryName.Kind { .message }
  static func isName(_ name: EntryName) -> Bool { name.place == .waiting }
  static var bytesMax: Int { GroupRecord.bytesMax }
  func record(parsing bytes: [UInt8]) throws -> GroupRecord {
    var record = try GroupRecord(parsing: bytes)
    record.id = id
    record.announcement.priority = Priority(value: 10 - name.urgency) ?? record.announcement.priority
    return record
  }
  static func directory(_ state: GroupState) -> String { Layout.groups(state) }
  static var moving: String { Layout.groupsMoving }
  static var temporary: String? { nil }
  static var restored: LogEvent.Kind { .groupRestored }
  static var removed: LogEvent.Kind { .groupRemoved }
  static func body(_ event: LogEvent) -> [UInt8]? { event.groupBytes }
  static func isReadable(_ bytes: [UInt8], _ id: MessageID) -> Bool { (try? GroupRecord(parsing: bytes))?.id == id }
}

/// The name of a file in a directory below `moving/`: `STATE~NAME` for the old one, `STATE+NAME` for the new.
struct StateMove<Entry: FiledEntry>: Hashable {
  let side: MoveSide
  let entry: Entry

  init(_ side: MoveSide, _ entry: Entry) {
    self.side = side
    self.entry = entry
  }

  init?(_ fileName: String) {
    guard let mark = fileName.firstIndex(where: { $0 == "~" || $0 == "+" }),
      let side = MoveSide(rawValue: fileName[mark]), let state = Entry.State(rawValue: String(fileName[..<mark])),
      let name = EntryName(String(fileName[fileName.index(after: mark)...]), of: Entry.kind)
    else { return nil }
    self.init(side, Entry(state: state, name: name))
  }

  var fileName: String { "\(entry.state.rawValue)\(side.rawValue)\(entry.name)" }
}

enum MoveSide: Character { case old = "~", new = "+" }

typealias TaskMove = StateMove<TaskEntry>
typealias GroupMove = StateMove<GroupEntry>
