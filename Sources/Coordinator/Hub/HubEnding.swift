import Linux
import Spool
import SpoolFormat

/// How a group ends: completed and dissolved, failed with what it had, or cancelled.
extension Hub {
  /// All parts are done.
  func complete(_ group: HubGroup) throws {
    group.record.endedAt = Timestamp(microseconds: Clock.wall())
    group.search = nil
    if group.entry.state == .forming {
      // Its last open part was done by the one that was taken for dead.
      guard let entry = try spool.change(group.entry, .form, to: group.record, by: Self.name) else { throw lost(group) }
      group.entry = entry
    }
    guard let entry = try spool.change(group.entry, .complete, to: group.record, by: Self.name)  // commit
    else { throw lost(group) }
    group.entry = entry
    try dissolve(group)
  }

  /// Tells all that it is done, and frees them. May be done twice, by two hubs one after the other.
  func dissolve(_ group: HubGroup) throws {
    let results = group.record.results
    if let task = group.record.task {
      try endTask(task) { try self.spool.complete($0, result: results, by: Self.name, durability: .relaxed) }
    }
    _ = try send(.taskComplete, .inform, to: everybody(group), group, "completed", data: outcome(group))
    guard let entry = try spool.move(group.entry, .dissolve, by: Self.name) else { throw lost(group) }
    group.entry = entry
    report(.group(id: group.id.description, text: group.record.announcement.text, what: "completed"))
    try finish(group, because: nil)
  }

  /// Ends what is done, or has been told to end, and goes on when a trouble of the moment kept it from that.
  /// - Returns: false when there is something else to do for it.
  func endAtLast(_ group: HubGroup) throws -> Bool {
    if group.isDone {
      try complete(group)
    } else if !group.entry.state.isLive {
      try begin(group)
    } else {
      return false
    }
    return true
  }

  /// It can't be done: what there is of it is kept.
  func fail(_ group: HubGroup, _ why: String) {
    attempt(group) {
      var record = group.record
      record.error = why
      record.endedAt = Timestamp(microseconds: Clock.wall())
      guard let entry = try failed(group, record, why) else { throw lost(group) }
      group.entry = entry
      group.record = record
      let agreed = Array(group.search?.agreed ?? [])
      group.search = nil
      try end(group, .failure, why, besides: agreed)
    }
  }

  private func failed(_ group: HubGroup, _ record: GroupRecord, _ why: String) throws -> GroupEntry? {
    do {
      return try spool.change(group.entry, .fail, to: record, by: Self.name, reason: why)  // commit
    } catch let error as SpoolError where error.code == .badData {
      // Written by another hand, it may be so large that there is no room in it for more: the log says why.
      return try spool.move(group.entry, .fail, by: Self.name, reason: why)
    }
  }

  /// Somebody wants it no more.
  func cancel(_ group: HubGroup, by: String?, _ why: String?) throws {
    let reason = why ?? "cancelled"
    var record = group.record
    record.error = reason
    record.endedAt = Timestamp(microseconds: Clock.wall())
    // Whoever cancels it by its file has moved it already, and knows a better reason than what follows from that.
    if group.entry.state.isLive {
      guard let entry = try spool.change(group.entry, .dissolve, to: record, by: by ?? Self.name, reason: reason)
      else { throw lost(group) }
      group.entry = entry
    }
    group.record = record
    let agreed = Array(group.search?.agreed ?? [])
    group.search = nil
    try end(group, .cancel, reason, besides: agreed)
  }

  /// What a failed or cancelled group leaves: nobody goes on with its parts, and everybody hears of it.
  func end(
    _ group: HubGroup, _ performative: Performative, _ why: String, besides agreed: [BotName] = []
  ) throws {
    if let task = group.record.task {
      try endTask(task) { entry in
        performative == .cancel
          ? try self.spool.cancel(entry, reason: why, by: Self.name)
          : try self.spool.change(entry, .fail, by: Self.name, reason: why, durability: .relaxed) { record in
            record.error = why
            record.result = group.record.results
            record.end(nil, Timestamp(microseconds: Clock.wall()))
          }
      }
    }
    for part in group.working {
      guard let entry = try spool.findTask(part.task), !entry.state.isFinal else { continue }
      _ = try spool.cancelWithChildren(entry, reason: "its group ended: \(why)", by: Self.name)
    }
    _ = try send(.taskComplete, performative, to: everybody(group) + agreed, group, why, data: outcome(group))
    report(.group(id: group.id.description, text: group.record.announcement.text, what: "ended: \(why)"))
    try finish(group, because: why)
  }

  /// Ends the task that stands for a group, wherever it stands; nothing when it has ended.
  private func endTask(_ id: MessageID, _ end: @escaping (TaskEntry) throws -> TaskEntry?) throws {
    guard let entry = try spool.findTask(id) else { return }
    _ = try spool.persisting(entry) { entry -> Bool? in
      if entry.state.isFinal { return true }
      var entry = entry
      // A hand unblocked it. Nobody works on it, and only what is blocked can be completed without that.
      if entry.state == .pending || entry.state == .assigned {
        guard let blocked = try self.spool.block(entry, reason: "its group works on it", by: Self.name) else {
          return nil
        }
        entry = blocked
      }
      return try end(entry).map { _ in true }
    }
    try spool.settleAfter(entry)
  }

  /// Nothing is left to do: the announcement is done with.
  func finish(_ group: HubGroup, because why: String?) throws {
    defer { forget(group) }
    try spool.ack(Spool.hub, group.claim, output: why)
  }

  private func outcome(_ group: HubGroup) -> JSONText {
    var writer = JSONWriter()
    writer.beginObject()
    writer.member("results", group.record.results)
    writer.member("error", ifPresent: group.record.error)
    writer.key("parts")
    writer.beginArray()
    for part in group.record.parts { part.write(to: &writer) }
    writer.endArray()
    writer.endObject()
    return writer.text
  }

  // MARK: Hands

  /// Takes up that a group's file was moved; whether by a program, the next look tells.
  func notice(_ entry: GroupEntry) {
    guard let group = groups[entry.id], group.entry != entry else { return }
    handMoves[entry.id] = (entry, Clock.sinceBoot())
  }

  /// What a person did to a group in hand with `mv` is logged and acted on; what no group can do is undone.
  func respondToHands() throws {
    for (id, move) in handMoves {
      handMoves[id] = nil
      guard let group = groups[id], group.entry != move.entry, try spool.findGroup(id) == move.entry else { continue }
      // Another hub has it: that one says so.
      if move.entry.term != group.entry.term {
        forget(group)
        continue
      }
      attempt(group) { try respond(to: move.entry, group) }
    }
  }

  private func respond(to entry: GroupEntry, _ group: HubGroup) throws {
    // Cancelled by `spool group cancel`, or moved by a program that said so.
    let isLogged = try History(spool).lastOfGroup(group.id)?.group == entry
    if !isLogged {
      guard let stands = try spool.acknowledgeMove(entry, from: group.entry) else { return }
      report(
        .group(
          id: group.id.description, text: group.record.announcement.text,
          what: stands == entry ? "moved by hand to \(entry.state.rawValue)" : "put back to \(stands.state.rawValue)"))
      if stands != entry { return }
    }
    group.entry = entry
    switch entry.state {
    case .forming, .active:
      if group.search == nil { search(group) }
    case .completed: try dissolve(group)
    case .failed: try end(group, .failure, "somebody ended it", besides: Array(group.search?.agreed ?? []))
    case .dissolved:
      try cancel(group, by: "unknown", try spool.record(of: entry)?.error ?? "somebody dissolved it")
    }
  }

  /// Groups that live and whose announcement nobody has: put back by hand, or left by an `rm`. They are announced again.
  func findOrphans() throws {
    let now = Timestamp(microseconds: Clock.wall())
    let live = try spool.groups(in: [.forming, .active, .completed]).filter {
      groups[$0.id] == nil && now.seconds(since: $0.id.time) > 5
    }
    guard !live.isEmpty else { return }
    let announced = try spool.announced(among: Set(live.map(\.id)))
    for entry in live where !announced.contains(entry.id) {
      // One that can't be read keeps no other.
      attempt { try announceAgain(entry) }
    }
  }

  private func announceAgain(_ entry: GroupEntry) throws {
    guard let record = try spool.record(of: entry) else { return }
    // Back from where it had ended: what no group can do is undone.
    if let last = try History(spool).lastOfGroup(entry.id)?.group, last.name == entry.name, last.state != entry.state {
      guard try spool.acknowledgeMove(entry, from: last) == entry else { return }
    }
    var message = record.announcement.message
    message.to = [Self.name]
    message.conversation = entry.id.description
    var writer = JSONWriter()
    writer.beginObject()
    writer.member("resume", entry.id.description)
    writer.endObject()
    message.data = writer.text
    message.idempotencyKey = "resume \(entry.id) \(entry.term)"
    try spool.send(message)
  }
}
