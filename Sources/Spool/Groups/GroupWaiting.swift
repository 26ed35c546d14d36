import Linux
import SpoolFormat

extension Spool {
  /// Waits until a group has ended: completed and dissolved, failed, or cancelled.
  /// - Parameters:
  ///   - seconds: waits so long at most; nil waits for ever.
  ///   - body: called with how it stands, nil as long as no hub has taken it, at first and whenever that may be new.
  /// - Returns: how it stands in the end; nil when no hub has taken it.
  public func waitForGroup(
    _ id: MessageID, seconds: Double? = nil, _ body: (StoredGroup?) -> Void = { _ in }
  ) throws -> StoredGroup? {
    let watcher = try GroupWatcher(self)
    let end = seconds.map { Clock.sinceBoot() + Int(min($0, 1e9) * 1e9) } ?? .max
    var pace = LookPace()
    var last: GroupEntry?
    while true {
      let group = try group(id)
      if group?.entry != last { pace.noteChange() }
      last = group?.entry
      body(group)
      // One that is completed is dissolved in a moment, when all have heard of it.
      if let group, !group.state.isLive, group.state != .completed { return group }
      let step =
        Clock.sinceBoot()
        + (root.isRemote ? pace.interval() : watcher.descriptor == nil ? 200_000_000 : 2_000_000_000)
      wait: while true {
        let left = min(end, step) - Clock.sinceBoot()
        guard left > 0 else { break }
        let descriptors = [watcher.descriptor].compactMap { $0 }
        _ = try doing("cannot wait for a group") { try Poll.wait(descriptors, nanoseconds: left) }
        guard let moves = try watcher.takeMoves() else { break wait }
        if moves.contains(where: { $0.id == id }) { break wait }
      }
      if Clock.sinceBoot() >= end { return group }
    }
  }
}
