import Glibc
import Linux
import SpoolFormat

/// A group as its path tells it: state, urgency, age, and how often a hub took it in hand.
public struct GroupEntry: Sendable, Hashable {
  public let state: GroupState
  public let name: EntryName

  public init(state: GroupState, name: EntryName) {
    self.state = state
    self.name = name
  }

  public var id: MessageID { name.id }
  /// Which hub's it is: each that takes it in hand counts one up, and the one before it finds its name gone.
  public var term: Int { name.attempt }
  /// Relative to the spool.
  public var path: String { Layout.group(state, name) }
}

/// A group and where it stands.
public struct StoredGroup: Sendable {
  public let entry: GroupEntry
  public var record: GroupRecord

  public init(entry: GroupEntry, record: GroupRecord) {
    self.entry = entry
    self.record = record
  }

  public var id: MessageID { entry.id }
  public var state: GroupState { entry.state }
}

extension LogEvent {
  /// Where the group that this event is about stood after it; nil for an event of another kind.
  public var group: GroupEntry? {
    guard kind.isOfGroup, let state = text("state").flatMap(GroupState.init(rawValue:)),
      let name = text("name").flatMap({ EntryName($0) })
    else { return nil }
    return GroupEntry(state: state, name: name)
  }

  /// The whole body that it bears, as its file has it (less the line feed).
  public var groupBytes: [UInt8]? { data.withSlice { slice in slice["group"].map { Array($0.bytes) } } }
}

extension History {
  /// The newest event about a group; nil when no log knows it.
  public func lastOfGroup(_ id: MessageID) throws -> LogEvent? {
    try last(of: id, GroupEntry.self)
  }
}

extension Spool {
  /// The groups in these states, by state, urgency and age. Reads names only.
  public func groups(in states: [GroupState] = GroupState.allCases) throws -> [GroupEntry] {
    try entries(in: states)
  }

  /// Where a group stands; nil when there is none with this id. Cost: a listing of each state's directory.
  public func findGroup(_ id: MessageID) throws -> GroupEntry? { try find([id])[id] }

  /// Whether a process is changing what its file says.
  public func groupIsMoving(_ id: MessageID) throws -> Bool {
    try doing("cannot look at the groups on the move") {
      try onTheMove(GroupEntry.self).contains { $0.move.entry.id == id }
    }
  }

  /// What a group's file says; nil when it is there no longer.
  /// - Throws: `.badData` when it can't be read as a group.
  public func record(of entry: GroupEntry) throws -> GroupRecord? { try contents(of: entry) }

  /// The group with this id and what it says; nil when there is none.
  public func group(_ id: MessageID) throws -> StoredGroup? {
    for _ in 0..<50 {
      guard let entry = try findGroup(id) else { return nil }
      if let record = try record(of: entry) { return StoredGroup(entry: entry, record: record) }
    }
    return nil
  }

  /// The group that a text on a command line means: an id, the name of its file, or an unambiguous part of either.
  /// - Throws: `.notFound`; `.badData` when there are several.
  public func group(named text: String) throws -> GroupEntry { try entry(named: text) }
}
