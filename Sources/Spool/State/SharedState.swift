import Glibc
import Linux
import SpoolFormat

/// Small values that all share, a file each: `state/KEY.json`. Reading one is reading that file, which is replaced as a
/// whole and so seen whole or not at all.
///
/// A change takes the next version by renaming the key's token, the one file in `state/versions/KEY/`, from the exact
/// name that it was decided on: of any number of changes at once one wins, and the others look again. What was won is in
/// the log before it can be seen. Nobody waits for who died in between: the new content lies ready under the token's
/// name, and whoever comes next puts it in place; a rename from that name succeeds once, whoever tries.
extension Spool {
  /// How long a change that is decided and can't be seen yet is left to its maker, unless that has died; nanoseconds.
  static let patienceNanoseconds = 1_000_000_000
  /// How often a value is read anew that is older than its token, on storage that other hosts change, too.
  private static let looksMax = 8

  // MARK: Reading

  /// What a key stands for now; nil when there is no such value, or no more.
  /// A file that somebody wrote by hand becomes the key's next version here, by `unknown`, if this process may write.
  /// - Throws: `.badData` when the file holds no JSON.
  public func state(_ key: StateKey) throws -> StateValue? {
    switch try stored(key) {
    case .value(let value): return value
    case .handwritten(let text):
      guard logProblem == nil else { return StateValue(key: key, value: text, version: try versionNumber(key) + 1) }
      return try current(key).value
    case .missing:
      // Removed by hand, it is to be known as deleted.
      if logProblem == nil, try versionNumber(key) > 0 { return try current(key).value }
      return nil
    case .unreadable(let reason):
      throw SpoolError(
        .badData, "\(Layout.value(key)) is no value: \(reason)", hint: "set it anew: spool state set \(key) JSON")
    }
  }

  /// The keys that have a value, sorted; those whose file can't be read too.
  public func stateKeys() throws -> [StateKey] {
    try doing("cannot list the shared values") {
      try root.names(Layout.state).compactMap { name in
        name.hasSuffix(".json") ? try? StateKey(parsing: String(name.dropLast(5))) : nil
      }
    }
  }

  // MARK: Changing

  /// Sets a value, and returns it with its version when every process can see it and it is kept: it survives a crash,
  /// and with `durability` `.durable` a power cut.
  /// - Parameter expected: only if the key is at this version; 0 when it must have no value.
  /// - Throws: `.claimLost` when it is at another, with nothing changed; `.badData` for more than
  ///   `StateValue.bytesMax`, and after `StateValue.versionMax`; `.tryAgain` (no room); `.outcomeUnknown`.
  @discardableResult
  public func setState(
    _ key: StateKey, to value: JSONText, by author: String? = nil, expecting expected: Int? = nil,
    durability: Durability? = nil
  ) throws -> StateValue {
    guard value.bytes.count <= StateValue.bytesMax else {
      throw SpoolError(
        .badData, "the value has \(value.bytes.count) bytes, and may have \(StateValue.bytesMax)",
        hint: "put it into a file, and share the file's name")
    }
    try checkAuthor(author)
    do { try value.checkNesting(within: 1) } catch {
      throw SpoolError(.badData, "the value can't be kept: \(error.reason)")
    }
    return try change(key, by: author, expecting: expected, durability) { _ in .some(value) }!
  }

  /// Takes a value away. Nil when there was none.
  /// - Throws: as `setState`.
  @discardableResult
  public func deleteState(
    _ key: StateKey, by author: String? = nil, expecting expected: Int? = nil, durability: Durability? = nil
  ) throws -> StateValue? {
    try checkAuthor(author)
    return try change(key, by: author, expecting: expected, durability) { $0 == nil ? nil : .some(nil) }
  }

  /// A file has room for the value and so much more.
  private func checkAuthor(_ author: String?) throws {
    guard let count = author?.utf8.count, count > Message.labelBytesMax else { return }
    throw SpoolError(
      .badData, "the name of who changes it has \(count) bytes, and may have \(Message.labelBytesMax)")
  }

  /// - Parameter decide: what the value, which it is given, is to become (nil for deleted); nil to leave all as it is.
  private func change(
    _ key: StateKey, by author: String?, expecting expected: Int?, _ durability: Durability?,
    _ decide: (JSONText?) -> JSONText??
  ) throws -> StateValue? {
    try doing("cannot change \(key)") {
      while true {
        let (token, value) = try current(key, expecting: expected)
        try check(key, value, token, expected)
        guard let decided = decide(value?.value) else { return nil }
        let next = StateValue(
          key: key, value: decided, version: max(token.version, value?.version ?? 0) + 1, by: author, at: now())
        if try take(next, from: token, durability ?? settings.durability) { return next }
      }
    }
  }

  private func check(_ key: StateKey, _ value: StateValue?, _ token: StateToken, _ expected: Int?) throws {
    guard let expected else { return }
    if let value {
      guard value.version != expected else { return }
      throw SpoolError(
        .claimLost, "\(key) is at version \(value.version), not \(expected): it was changed since",
        hint: "look at it again: spool state get \(key)")
    }
    guard expected == 0 || expected == token.version else {
      throw SpoolError(.claimLost, "\(key) has no value, and isn't at version \(expected)", hint: "expect version 0")
    }
  }

  /// Makes a value the next one after a token; false when another was first.
  private func take(_ next: StateValue, from token: StateToken, _ durability: Durability) throws -> Bool {
    let key = next.key
    guard next.version <= StateValue.versionMax else {
      throw SpoolError(
        .badData, "\(key) has had all the versions that there are: somebody wrote one by hand",
        hint: "begin anew: remove \(Layout.value(key)), and \(Layout.versions(key)) if that isn't enough")
    }
    let decided = StateToken(
      version: next.version, holder: holder, serial: .random(in: .min ... .max), isDeleted: next.value == nil)
    let (old, new) = (Layout.version(key, token), Layout.version(key, decided))
    let file = Layout.undecided(key, decided)
    var writer = JSONWriter(reserving: (next.value?.bytes.count ?? 0) + 128)
    next.write(to: &writer)
    let identity = try write(writer.bytes + [10], to: file)
    let receipt: LogWriter.Receipt?
    do {
      receipt = try log.append(
        next.value == nil ? .stateDeleted : .stateSet, key.description, time: next.at,
        reserving: writer.bytes.count + 256,
        // Under the log's lock, so that a change that was refused is in no log.
        unless: { [root] in try !root.renameIfPresent(old, to: new) },  // commit: this is the next version
        data: { $0.raw(writer.bytes) })
    } catch let error where error.isUnknownOutcome {
      // It is in the log, so it is to be seen as well.
      _ = try? show(key, decided)
      throw error
    } catch {
      // Unless somebody has finished it meanwhile, it is as though it had never been.
      guard try root.unlinkIfPresent(file) else { return true }
      _ = try root.renameIfPresent(new, to: old)
      throw error
    }
    guard let receipt else {
      try root.unlinkIfPresent(file)
      return false
    }
    if durability == .durable { try log.waitUntilSynced(receipt) }
    if try show(key, decided), next.value != nil { remember(next, decided, identity) }
    return true
  }

  /// Puts what was decided where it can be seen, and lets the next change begin; false when somebody else has.
  private func show(_ key: StateKey, _ decided: StateToken) throws(SystemCallError) -> Bool {
    let file = Layout.undecided(key, decided)
    guard decided.isDeleted else { return try root.renameIfPresent(file, to: Layout.value(key)) }  // visible
    guard try root.status(file) != nil else { return false }
    try remove(key, upTo: decided)
    return try root.unlinkIfPresent(file)
  }

  /// Takes a value away that is older than a token. Whoever was stopped before this, for so long that there is another
  /// value by now, finds that in hand, and puts it back unless there is a newer one yet.
  private func remove(_ key: StateKey, upTo decided: StateToken) throws(SystemCallError) {
    let taken = Layout.undecided(key, decided) + ".taken"
    guard try root.renameIfPresent(Layout.value(key), to: taken) else { return }  // gone
    if let bytes = try root.readFile(taken, maximum: StateValue.fileBytesMax),
      let value = StateValue(parsing: bytes, key: key), value.version > decided.version
    {
      try putBack(key, taken)
    }
    try root.unlinkIfPresent(taken)
  }

  /// Unless there is a newer one by now, or somebody else has.
  private func putBack(_ key: StateKey, _ taken: String) throws(SystemCallError) {
    do { try root.link(taken, to: Layout.value(key)) } catch {
      guard error.code == EEXIST || error.code == ENOENT else { throw error }
    }
  }

  /// The value of a token, which somebody had in hand who died before he could put it back; false when there is none.
  private func bringBack(_ key: StateKey, _ token: StateToken) throws(SystemCallError) -> Bool {
    for name in try root.names(Layout.stateTemporary) where name.hasPrefix("\(key)~") && name.hasSuffix(".taken") {
      let taken = "\(Layout.stateTemporary)/\(name)"
      guard let bytes = try? root.readFile(taken, maximum: StateValue.fileBytesMax),
        StateValue(parsing: bytes, key: key)?.version == token.version
      else { continue }
      try putBack(key, taken)
      try root.unlinkIfPresent(taken)
      return true
    }
    return false
  }

  /// Writes a new file, and says which it is.
  private func write(_ bytes: [UInt8], to path: String) throws(SystemCallError) -> FileStatus {
    do { return try create(path, bytes) } catch {
      guard error.code == ENOENT else { throw error }
      for directory in [Layout.state, Layout.stateTemporary] { try root.makeDirectory(directory) }
      return try create(path, bytes)
    }
  }

  private func create(_ path: String, _ bytes: [UInt8]) throws(SystemCallError) -> FileStatus {
    let file = try root.open(path, O_WRONLY | O_CREAT | O_EXCL)
    do throws(SystemCallError) {
      try file.write(bytes)
      let status = try file.status()
      try file.close()
      return status
    } catch {
      _ = try? root.unlink(path)
      throw error
    }
  }

  // MARK: Remembering

  /// How a key stood when this process last set it, and which file that is: while the file is the same nobody has put
  /// another there by hand, and while the token can be renamed nobody has set another.
  struct RememberedState {
    let token: StateToken
    let value: StateValue
    let file: FileStatus
  }

  /// A class, so that a process that sets no value looks up no dictionary's type: see `LogAccess`.
  final class RememberedStates {
    var all: [StateKey: RememberedState] = [:]
  }

  /// The most keys whose last value is remembered.
  private static let rememberedMax = 256

  private func remember(_ value: StateValue, _ token: StateToken, _ file: FileStatus) {
    let new = RememberedState(token: token, value: value, file: file)
    rememberedStates.withLock { states in
      if states == nil { states = RememberedStates() }
      if states!.all.count >= Self.rememberedMax, states!.all[value.key] == nil { states!.all.removeAll() }
      states!.all[value.key] = new
    }
  }

  /// As it was remembered, if it may be so still; only once, so that who was wrong looks the next time.
  private func remembered(_ key: StateKey) throws(SystemCallError) -> RememberedState? {
    guard let last = rememberedStates.withLock({ $0?.all.removeValue(forKey: key) }),
      let file = try root.status(Layout.value(key)), file.inode == last.file.inode,
      file.modified == last.file.modified, file.size == last.file.size
    else { return nil }
    return last
  }

  // MARK: What there is

  enum StoredState {
    case missing
    case value(StateValue)
    case handwritten(JSONText)
    case unreadable(String)
  }

  func stored(_ key: StateKey) throws(SystemCallError) -> StoredState { try root.storedState(key) }

  /// The key's token, and its value if it has one, once no change is half done and nothing is there that was written by
  /// hand. What is only remembered is good enough to try a change on, and not to refuse one.
  private func current(
    _ key: StateKey, expecting expected: Int? = nil
  ) throws -> (token: StateToken, value: StateValue?) {
    if let last = try remembered(key), last.value.version == expected ?? last.value.version {
      return (last.token, last.value)
    }
    var looks = 0
    while true {
      let token = try settledToken(key)
      let next: JSONText?
      switch try stored(key) {
      case .value(let value):
        // Of another host's change this one may know the token already, and still the file that was there before. What is
        // older all the same was put there by hand.
        guard root.isRemote, value.version < token.version, looks < Self.looksMax else { return (token, value) }
        looks += 1
        root.forget(Layout.value(key))
        continue
      case .handwritten(let text): next = text
      case .unreadable(let reason):
        // Twice: a server may refuse a file once.
        if case .unreadable = try stored(key) { try root.setAside(key, reason) }
        continue
      case .missing:
        if token.isDeleted || token.version == 0 { return (token, nil) }
        // Not before the token is seen to be the same still: a change of just now is no removal.
        guard try settledToken(key) == token, case .missing = try stored(key) else { continue }
        if try bringBack(key, token) { continue }
        // Or whoever had it in hand has put it back just then.
        guard case .missing = try stored(key) else { continue }
        next = nil
      }
      let adopted = StateValue(key: key, value: next, version: token.version + 1, by: "unknown", at: now())
      _ = try take(adopted, from: token, settings.durability)
    }
  }

  private func versionNumber(_ key: StateKey) throws -> Int {
    try doing("cannot look at \(key)") { try tokens(key).map(\.version).max() ?? 0 }
  }

  private func tokens(_ key: StateKey) throws(SystemCallError) -> [StateToken] {
    var tokens: [StateToken] = []
    try root.list(Layout.versions(key)) {
      if let token = StateToken(String(decoding: $0, as: UTF8.self)) { tokens.append(token) }
    }
    return tokens
  }

  /// The token once no change is half done; what others left half done is finished.
  func settledToken(_ key: StateKey) throws -> StateToken {
    var since: (tokens: [StateToken], at: Int) = ([], Clock.sinceBoot())
    while true {
      // A listing during a rename may show both names, or neither.
      let tokens = try tokens(key)
      let isKnown = tokens.count == 1
      if isKnown, try root.status(Layout.undecided(key, tokens[0])) == nil { return tokens[0] }
      let now = Clock.sinceBoot()
      if tokens != since.tokens { since = (tokens, now) }
      let isOverdue = now - since.at > Self.patienceNanoseconds
      if isKnown, tokens[0].holder.map(isGone) ?? true || isOverdue {
        try finish(key, tokens[0])
      } else if tokens.isEmpty, try root.status(Layout.versions(key)) == nil || isOverdue {
        // Nobody makes a token where something else lies.
        guard try makeToken(key) || !isOverdue || !self.tokens(key).isEmpty else {
          throw SpoolError(
            .inputOutput, "\(Layout.versions(key)) holds something else than the key's version",
            hint: "remove it; the next change makes the version anew")
        }
      } else if !isKnown, isOverdue {
        throw SpoolError(
          .inputOutput, "\(Layout.versions(key)) holds \(tokens.count) files, and should hold one",
          hint: "spool doctor --repair")
      }
      Thread.yield()
    }
  }

  /// Finishes a change whose maker died or sleeps: into the log, unless it is there already, and into sight.
  private func finish(_ key: StateKey, _ token: StateToken) throws {
    let file = Layout.undecided(key, token)
    guard let bytes = try root.readFile(file, maximum: StateValue.fileBytesMax) else { return }
    guard let value = StateValue(parsing: bytes, key: key) else {
      // Decided, and then lost with the machine's power; nobody was told that it is kept.
      try root.unlinkIfPresent(file)
      return
    }
    let isLogged = try History(self).states(key).contains { $0.version == value.version && $0.value == value.value }
    if !isLogged {
      var writer = JSONWriter(reserving: bytes.count)
      value.write(to: &writer)
      let receipt = try log.append(
        value.value == nil ? .stateDeleted : .stateSet, key.description, reserving: bytes.count + 256
      ) { $0.raw(writer.bytes) }
      if settings.durability == .durable, let receipt { try log.waitUntilSynced(receipt) }
    }
    _ = try show(key, token)
  }

  /// Makes the directory of a key's token with the token in it, at once: of two that do so one wins.
  private func makeToken(_ key: StateKey) throws(SystemCallError) -> Bool {
    var version = 0
    if case .value(let value) = try stored(key) { version = value.version }
    return try root.makeToken(
      key, StateToken(version: version), through: "\(holder)-\(UInt32.random(in: .min ... .max))")
  }
}
