import Glibc
import Linux
import SpoolFormat

extension StoredTask {
  /// It has ended, or can't begin because something that it depends on failed or was cancelled.
  public var hasEnded: Bool { state.isFinal || (state == .blocked && record.blockedBy != nil) }
}

extension Spool {
  /// How often tasks that are waited for are looked at whatever the events say, and where there are none.
  private static let lookNanoseconds = 2_000_000_000
  private static let pollNanoseconds = 200_000_000
  /// Looks at the tasks are this far apart at least, so that a busy spool isn't listed a thousand times a second.
  private static let restNanoseconds = 50_000_000

  /// Waits until all of some tasks have ended, each completed, failed, cancelled, or stuck behind one that was.
  /// - Parameters:
  ///   - others: tasks that `body` is told of as well, and whose end isn't waited for.
  ///   - seconds: waits so long at most; nil waits for ever.
  ///   - interruption: ends the wait when it becomes readable.
  ///   - body: is called with how the tasks stand, at first and whenever something was done to one of them.
  /// - Returns: how they stand in the end, in the order of `ids`.
  /// - Throws: `.notFound` when one isn't there, or no longer.
  public func waitForTasks(
    _ ids: [MessageID], watching others: [MessageID] = [], seconds: Double? = nil, interruption: CInt? = nil,
    _ body: ([StoredTask]) -> Void = { _ in }
  ) throws -> [StoredTask] {
    let watcher = try TaskWatcher(self)
    let pause = watcher.mechanism == .polling ? Self.pollNanoseconds : Self.lookNanoseconds
    var pace = LookPace()
    let wanted = Set(ids + others)
    let end = seconds.map { Clock.sinceBoot() + Int(min($0, 1e9) * 1e9) }
    var known: [MessageID: StoredTask] = [:]
    var observations = TaskObservations()
    while true {
      let looked = Clock.sinceBoot()
      let found = try findTasks(wanted)
      var isMoving = false
      for id in ids + others {
        // What has ended stays as it is, or gets another name.
        if let stored = known[id], stored.state.isFinal, stored.entry == found[id] { continue }
        guard let entry = found[id], let record = try record(of: entry) else {
          // Between two states it is there again in a moment, or when somebody has settled what a dead process began.
          if let stored = try task(id) ?? taskOnTheMove(id) {
            known[id] = stored
            isMoving = true
          } else if try !others.contains(id) && !isOnTheMove(id) && findTask(id) == nil {
            throw SpoolError(.notFound, "\(id) is gone", hint: "see: spool trace \(id)")
          }
          continue
        }
        known[id] = StoredTask(entry: entry, record: record)
      }
      if isMoving { _ = try? settleMoves(&observations) }
      if root.isRemote {
        var signature = LookPace.Signature()
        for entry in found.values { signature.add(entry.path) }
        pace.note(signature)
      }
      let tasks = ids.compactMap { known[$0] }
      body(tasks + others.compactMap { known[$0] })
      if tasks.count == ids.count, tasks.allSatisfy(\.hasEnded) { return tasks }
      let isOver = try !waitForMoves(
        of: wanted, watcher, until: min(end ?? .max, looked + (root.isRemote ? pace.interval() : pause)), interruption)
      if isOver || end.map({ $0 <= Clock.sinceBoot() }) ?? false { return tasks }
      let rest = looked + Self.restNanoseconds - Clock.sinceBoot()
      if rest > 0 { usleep(UInt32(rest / 1000)) }
    }
  }

  /// Sleeps until one of these tasks may have been moved, or the time has come.
  /// - Returns: false when it was interrupted.
  private func waitForMoves(
    of ids: Set<MessageID>, _ watcher: TaskWatcher, until: Int, _ interruption: CInt?
  ) throws -> Bool {
    while true {
      let left = until - Clock.sinceBoot()
      if left <= 0 { return true }
      let descriptors = [watcher.descriptor, interruption].compactMap { $0 }
      let ready = try doing("cannot wait for tasks") { try Poll.wait(descriptors, nanoseconds: left) }
      if interruption != nil, ready.last == true { return false }
      guard watcher.descriptor != nil else { continue }
      guard let moves = try watcher.takeMoves() else { return true }
      if moves.contains(where: { ids.contains($0.id) }) { return true }
    }
  }
}
