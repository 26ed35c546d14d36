import Glibc
import Linux
import SpoolFormat

/// What was on the move in an observer's rounds, so that it counts as abandoned by the observer's own clock.
public struct GroupObservations {
  var moves = LeaseObservations()
  public init() {}
}

/// What can be done to a group's file, by the rules of tasks: what leaves the content as it is, is one rename from the
/// exact old name and then a line in the log; new content goes through a directory of the process below `groups/moving/`,
/// and its line in the log is the commit.
extension Spool {
  /// Makes a group that is being formed.
  /// - Throws: `.tryAgain` (no room); `.outcomeUnknown`.
  public func addGroup(_ record: GroupRecord, term: Int, by: String? = nil) throws -> GroupEntry {
    let name = EntryName(urgency: record.announcement.priority.urgency, id: record.id, attempt: term)
    let entry = GroupEntry(state: .forming, name: name)
    let body = try Self.file(of: record)
    let path = Layout.groupMoving(by: holder, raw: GroupMove(.new, entry).fileName)
    let began = Clock.withSleep()
    do {
      guard let file = try createInMoving(path, Layout.groupsMoving(by: holder)) else {
        throw SpoolError(.tryAgain, "this process is making \(record.id) already")
      }
      do {
        try file.write(body)
        try file.close()
        let receipt = try log.append(  // commit
          .groupAnnounced, record.id.description, reserving: body.count + 512,
          unless: { try self.wasTakenBack(path, since: began) }
        ) { writer in self.writeEvent(entry, from: nil, by: by, reason: nil, body: body, to: &writer) }
        if receipt == nil { throw Self.takenForDead }
      } catch {
        if error.isUnknownOutcome { Self.leave(path) } else { discard(path) }
        throw error
      }
      // From the log on it is so: what can't be done now is done by whoever settles our directory.
      do {
        if try !root.renameIfPresent(path, to: entry.path) {  // visible
          try bringBack(body, to: entry.path, through: path, in: Layout.groupsMoving(by: holder)) {
            try findGroup(record.id) == nil
          }
        }
      } catch { Self.leave(path) }
      return entry
    } catch let error as SystemCallError { throw SpoolError("cannot make the group, and nothing was made", error) }
  }

  /// A group's bytes, with the line feed that ends its file.
  static func file(of record: GroupRecord) throws -> [UInt8] {
    let body = record.encoded + [10]
    guard body.count <= GroupRecord.bytesMax else {
      throw SpoolError(
        .badData, "the group has \(body.count) bytes, and may have \(GroupRecord.bytesMax)",
        hint: "put what is long into files, and their names into the results")
    }
    return body
  }

  /// Makes a transition that changes what the group's file says.
  /// - Parameter durability: of its line in the log; where the group ends the spool's own unless told.
  /// - Returns: where it stands then; nil when somebody else moved it first, and nothing was changed.
  /// - Throws: `.notAllowed`; `.badData`; `.tryAgain` (no room), with nothing changed; `.outcomeUnknown`.
  public func change(
    _ entry: GroupEntry, _ event: GroupEvent, to record: GroupRecord, by: String? = nil, reason: String? = nil,
    durability: Durability? = nil
  ) throws -> GroupEntry? {
    let changed = GroupEntry(state: try Self.state(after: event, entry), name: entry.name)
    let body = try Self.file(of: record)
    do {
      let directory = Layout.groupsMoving(by: holder)
      let receipt = try replace(
        entry.path, with: changed.path,
        moving: (
          old: Layout.groupMoving(by: holder, raw: GroupMove(.old, entry).fileName),
          new: Layout.groupMoving(by: holder, raw: GroupMove(.new, changed).fileName)
        ), in: directory, body, isUndone: { try self.isUndone(changed, body) },
        { isTakenBack throws in
          try self.log.append(
            event.kind, entry.id.description, reserving: body.count + 512, unless: isTakenBack
          ) { writer in self.writeEvent(changed, from: entry, by: by, reason: reason, body: body, to: &writer) }
        })
      guard let receipt else { return nil }
      let isEnd = event == .complete || event == .fail
      if (durability ?? (isEnd ? settings.durability : .relaxed)) == .durable { try log.waitUntilSynced(receipt) }
      return changed
    } catch let error as SystemCallError {
      throw SpoolError("cannot \(event.rawValue) the group \(entry.id), and nothing was changed", error)
    }
  }

  /// Makes a transition that leaves the content as it is.
  /// - Returns: nil when somebody else moved it first.
  public func move(_ entry: GroupEntry, _ event: GroupEvent, by: String? = nil, reason: String? = nil) throws
    -> GroupEntry?
  {
    let moved = GroupEntry(state: try Self.state(after: event, entry), name: entry.name)
    return try rename(entry, to: moved, event.kind, by: by, reason: reason)
  }

  /// Takes a group in hand: whoever had it finds its name gone.
  public func take(_ entry: GroupEntry, term: Int, by: String? = nil) throws -> GroupEntry? {
    var name = entry.name
    name.attempt = min(max(term, entry.term + 1), EntryName.attemptMax)
    return try rename(entry, to: GroupEntry(state: entry.state, name: name), .groupTaken, by: by, reason: nil)
  }

  private func rename(
    _ entry: GroupEntry, to moved: GroupEntry, _ kind: LogEvent.Kind, by: String?, reason: String?
  ) throws -> GroupEntry? {
    let isOurs = try doing("cannot move the group \(entry.id)") { try root.renameIfPresent(entry.path, to: moved.path) }
    guard isOurs else { return nil }  // commit
    note(kind, entry.id.description) {
      writeEvent(moved, from: entry, by: by, reason: reason, body: nil, to: &$0)
    }
    return moved
  }

  /// Logs a move that nobody logged, as done by somebody unknown, if it is one that a group may make; else puts the group
  /// back where it was, and logs that.
  /// - Returns: where it stands now; nil when it was moved on meanwhile.
  public func acknowledgeMove(_ entry: GroupEntry, from: GroupEntry) throws -> GroupEntry? {
    let isAllowed = from.state == entry.state || from.state.event(movingTo: entry.state) != nil
    guard isAllowed else {
      let allowed = from.state.allowed.compactMap { from.state.after($0)?.rawValue }
      let what = "a group that is \(from.state.rawValue) can't become \(entry.state.rawValue)"
      let reason =
        "put back: \(what)" + (allowed.isEmpty ? "" : ", only \(Set(allowed).sorted().joined(separator: ", "))")
      return try rename(entry, to: from, .groupMoved, by: "unknown", reason: reason)
    }
    note(.groupMoved, entry.id.description) {
      writeEvent(entry, from: from, by: "unknown", reason: "its file was moved", body: nil, to: &$0)
    }
    return entry
  }

  static func state(after event: GroupEvent, _ entry: GroupEntry) throws -> GroupState {
    if let state = entry.state.after(event) { return state }
    let allowed = entry.state.allowed.map(\.rawValue)
    throw SpoolError(
      .notAllowed, "cannot \(event.rawValue) the group \(entry.id): it is \(entry.state.rawValue)",
      hint: allowed.isEmpty
        ? "nothing can be done with it any more" : "allowed now: \(allowed.joined(separator: ", "))")
  }

  func writeEvent(
    _ entry: GroupEntry, from: GroupEntry?, by: String?, reason: String?, body: [UInt8]?, to writer: inout JSONWriter
  ) {
    writer.beginObject()
    writer.member("state", entry.state.rawValue)
    writer.member("from", ifPresent: from?.state.rawValue)
    writer.member("by", ifPresent: by)
    writer.member("reason", ifPresent: reason)
    writer.member("name", entry.name.description)
    if let body {
      writer.key("group")
      writer.raw(body.dropLast())
    }
    writer.endObject()
  }

  // MARK: What dead processes left

  /// Finishes, or takes back, what processes that died were doing to groups. Each call is a round of the observer's.
  /// - Throws: why something could not be done; once, and with all the rest done.
  public func settleGroupMoves(_ observations: inout GroupObservations) throws {
    try doing("cannot look at the groups on the move") {
      _ = try settleMoves(of: GroupEntry.self, &observations.moves)
    }
    observations.moves.endRound()
    try observations.moves.throwProblem()
  }
}
