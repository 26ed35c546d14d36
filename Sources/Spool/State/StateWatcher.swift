import Linux
import SpoolFormat

/// Tells of changes of shared values as they become visible. Of several changes of a key in quick succession the last one
/// is certain to be told.
public final class StateWatcher {
  private let spool: Spool
  private let keys: Set<StateKey>?
  private let watcher: DirectoryWatcher
  /// When to look for what other hosts did.
  private var pace = LookPace(atMost: LookPace.readerNanosecondsMax)
  private var isWatching = false
  private var known: [StateKey: StateValue] = [:]
  private var changes: [StateValue] = []
  private var nextLook = 0

  /// How often all files are looked at, whatever the events say; nanoseconds.
  private static let lookNanoseconds = 5_000_000_000
  /// The same where events don't tell of everything.
  private static let pollNanoseconds = 200_000_000

  /// - Parameters:
  ///   - keys: which to watch; nil for all, those to come too.
  ///   - fromNow: whether what is there already is left out.
  public init(_ spool: Spool, keys: [StateKey]? = nil, fromNow: Bool = true) throws {
    self.spool = spool
    self.keys = keys.map(Set.init)
    watcher = try doing("cannot watch the shared values") {
      try DirectoryWatcher(spool.root, tellsRemovals: true)
    }
    try watch()
    try lookAtAll()
    if fromNow { changes = [] }
  }

  private func watch() throws {
    try doing("cannot watch the shared values") {
      isWatching = try watcher.watch(Layout.state)
      guard !isWatching, spool.logProblem == nil else { return }
      try spool.root.makeDirectory(Layout.state)
      isWatching = try watcher.watch(Layout.state)
    }
  }

  /// The next change, waiting at most so many seconds (nil: for ever); a value that is nil was deleted. Nil when the
  /// time is over, or `interruption` became readable.
  public func next(waiting seconds: Double? = nil, interruption: CInt? = nil) throws -> StateValue? {
    let deadline = seconds.map { Clock.sinceBoot() + Int(min($0, 1e9) * 1e9) }
    while true {
      if !changes.isEmpty { return changes.removeFirst() }
      let now = Clock.sinceBoot()
      if let deadline, now >= deadline { return nil }
      let until = min(deadline ?? .max, nextLook)
      let ready = try Poll.wait([watcher.descriptor, interruption].compactMap { $0 }, nanoseconds: until - now)
      if interruption != nil, ready.last == true { return nil }
      try look()
    }
  }

  private func look() throws {
    let events = try doing("cannot watch the shared values") { try watcher.takeChanges() }
    if events.watchAgain { try watch() }
    if events.lookAgain || events.watchAgain || Clock.sinceBoot() >= nextLook { return try lookAtAll() }
    for name in events.names {
      let text = String(decoding: name, as: UTF8.self)
      if text.hasSuffix(".json"), let key = try? StateKey(parsing: String(text.dropLast(5))) { try look(at: key) }
    }
  }

  private func lookAtAll() throws {
    nextLook =
      Clock.sinceBoot()
      + (spool.root.isRemote
        ? pace.interval() : watcher.descriptor == nil ? Self.pollNanoseconds : Self.lookNanoseconds)
    for key in Set(try spool.stateKeys()).union(known.keys).sorted() { try look(at: key) }
  }

  private func look(at key: StateKey) throws {
    if let keys, !keys.contains(key) { return }
    let value: StateValue?
    // One that can't be told (yet) must not keep the others from being told; it is looked at again.
    do { value = try spool.state(key) } catch { return }
    if let value {
      guard known.updateValue(value, forKey: key) != value else { return }
      changes.append(value)
      pace.noteChange()
    } else if let last = known.removeValue(forKey: key) {
      let stored = try doing("cannot look at \(key)") { try spool.deletion(of: key) }
      changes.append(stored ?? StateValue(key: key, value: nil, version: last.version + 1))
    }
  }
}

extension Spool {
  /// What is known of a deletion that others see already: who did it stands in the log.
  func deletion(of key: StateKey) throws -> StateValue? {
    try History(self).states(key).last.flatMap { $0.value == nil ? $0 : nil }
  }
}
