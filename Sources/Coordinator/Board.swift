import Spool
import SpoolFormat

/// What a coordinator knows of the tasks: those that live with what they say, those that have ended by their state alone.
/// Kept up to date by moves; the directories are the truth.
struct Board {
  struct Live {
    var entry: TaskEntry
    /// Without what is long and isn't needed to decide.
    var record: TaskRecord
    /// When it was first seen in the state and the attempt it is in; nanoseconds since boot.
    var since: Int
  }

  private(set) var live: [MessageID: Live] = [:]
  private(set) var ended: [MessageID: TaskState] = [:]
  /// Blocked tasks by what they depend on.
  private var dependents: [MessageID: Set<MessageID>] = [:]
  private var children: [MessageID: Set<MessageID>] = [:]
  /// Tasks that wait for their children.
  private var waitingParents = 0
  private(set) var inState: [TaskState: Int] = [:]
  /// Tasks that each bot has.
  private var loads: [BotName: Int] = [:]

  func state(of id: MessageID) -> TaskState? { live[id]?.entry.state ?? ended[id] }

  func isKnown(_ entry: TaskEntry) -> Bool {
    if let known = live[entry.id] { return known.entry == entry }
    return ended[entry.id] == entry.state
  }

  /// - Parameter record: nil for one that has ended, which isn't read.
  mutating func note(_ entry: TaskEntry, _ record: TaskRecord?, now: Int) {
    let id = entry.id
    count(state(of: id), -1)
    count(entry.state, 1)
    countLoad(live[id]?.entry, -1)
    countLoad(entry, 1)
    if entry.state.isFinal {
      unlink(id)
      children[id] = nil
      ended[id] = entry.state
      return
    }
    ended[id] = nil
    guard var record = record ?? live[id]?.record else { return }
    record.description = nil
    record.context = nil
    record.result = nil
    record.requirements = []
    record.constraints = []
    record.extra = []
    let isNew = live[id] == nil
    let isSame = live[id].map { $0.entry.state == entry.state && $0.entry.attempt == entry.attempt } ?? false
    let since = isSame ? live[id]!.since : now
    live[id] = Live(entry: entry, record: record, since: since)
    guard isNew else { return }
    for dependency in record.dependsOn { dependents[dependency, default: []].insert(id) }
    if let parent = record.parent { children[parent, default: []].insert(id) }
    if record.awaitsChildren { waitingParents += 1 }
    for child in record.children { children[id, default: []].insert(child) }
  }

  /// One that had ended when it came to be known.
  mutating func addChild(_ id: MessageID, of parent: MessageID?) {
    if let parent, live[parent] != nil { children[parent, default: []].insert(id) }
  }

  /// It is there no longer. Should it come back, it has the children that it had.
  mutating func forget(_ id: MessageID) {
    count(state(of: id), -1)
    countLoad(live[id]?.entry, -1)
    unlink(id)
    ended[id] = nil
  }

  /// It waits for nothing any more.
  private mutating func unlink(_ id: MessageID) {
    for dependency in live[id]?.record.dependsOn ?? [] {
      dependents[dependency]?.remove(id)
      if dependents[dependency]?.isEmpty == true { dependents[dependency] = nil }
    }
    if let record = live[id]?.record, record.awaitsChildren { waitingParents -= 1 }
    live[id] = nil
  }

  private mutating func count(_ state: TaskState?, _ change: Int) {
    if let state { inState[state, default: 0] += change }
  }

  private mutating func countLoad(_ entry: TaskEntry?, _ change: Int) {
    guard let entry, let bot = entry.bot, entry.state == .assigned || entry.state == .inProgress else { return }
    loads[bot, default: 0] += change
  }

  /// Tasks that are assigned to a bot, or that it works on.
  func load(of bot: BotName) -> Int { loads[bot] ?? 0 }

  // MARK: Who waits for whom

  /// Those that a move of this one may concern: who depends on it, and its parent.
  func waiting(for id: MessageID, parent: MessageID?) -> [TaskEntry] {
    var found = dependents[id] ?? []
    if let parent { found.insert(parent) }
    return found.compactMap { live[$0]?.entry }.filter { $0.state == .blocked }
  }

  var hasWaitingParents: Bool { waitingParents > 0 }

  /// The children of a task that live.
  func parts(of id: MessageID) -> [MessageID] { (children[id] ?? []).filter { live[$0] != nil } }

  func standings(_ record: TaskRecord) -> Spool.Standings {
    var states: [MessageID: TaskState] = [:]
    for id in record.dependsOn { states[id] = standing(of: id) }
    guard record.awaitsChildren, let id = record.id else { return (states, []) }
    return (states, (children[id] ?? []).compactMap(standing))
  }

  /// As those see it that wait for it: what can't begin has failed.
  private func standing(of id: MessageID) -> TaskState? {
    guard let known = live[id] else { return ended[id] }
    return known.entry.state == .blocked && known.record.blockedBy != nil ? .failed : known.entry.state
  }

  /// What has ended and was taken away since, as far as nobody waits for it.
  mutating func forgetEnded(but there: Set<MessageID>) {
    for id in ended.keys where !there.contains(id) && dependents[id] == nil {
      count(ended[id], -1)
      ended[id] = nil
    }
  }

  /// After the directories were listed: those known that weren't seen there.
  func missing(from seen: Set<MessageID>) -> [MessageID] { live.keys.filter { !seen.contains($0) } }
}
