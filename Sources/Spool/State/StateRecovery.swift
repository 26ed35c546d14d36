import Glibc
import Linux
import SpoolFormat

/// The part of recovery that concerns shared values: each key has the newest version that the log knows, or a newer one,
/// in a file that can be read, and one token that says which.
struct StateRecovery {
  let root: Directory
  let files: LogFiles
  /// Whether nobody can be changing anything.
  let isAlone: Bool

  private var newest: [StateKey: (version: Int, position: LogCursor.Position)] = [:]

  init(root: Directory, isAlone: Bool) {
    self.root = root
    self.isAlone = isAlone
    files = LogFiles(root: root)
  }

  mutating func apply(_ event: LogEvent, _ position: LogCursor.Position) {
    guard let key = try? StateKey(parsing: event.subject), let value = StateValue(parsing: event.data.bytes, key: key),
      value.version >= newest[key]?.version ?? 0
    else { return }
    newest[key] = (value.version, position)
  }

  func mend(mending: Bool, _ report: inout RecoveryReport) throws {
    let listed = try root.names(Layout.stateVersions).compactMap { try? StateKey(parsing: $0) }
    let keys = Set(listed).union(newest.keys).sorted()
    if !isAlone { try mendTokensInUse(of: keys, mending: mending, &report) }
    if mending, isAlone { try clearTemporary(&report) }
    for (key, known) in newest.sorted(by: { $0.key < $1.key }) {
      try alone(Layout.value(key), &report) {
        try mendValue(key, known.version, known.position, mending: mending, &$0)
      }
    }
    guard isAlone else { return }
    for key in keys { try alone(Layout.versions(key), &report) { try mendToken(key, mending: mending, &$0) } }
  }

  /// What somebody put where it doesn't belong, or closed, is told of, and keeps nobody from the rest. Any other failure
  /// (the disk's, a limit) ends this recovery, for the next to begin again.
  private func alone(
    _ path: String, _ report: inout RecoveryReport, _ body: (inout RecoveryReport) throws -> Void
  ) throws {
    do { try body(&report) } catch let error as SystemCallError
      where [ENOTDIR, ENOTEMPTY, EEXIST].contains(error.code) || Inbox.faultsOfFiles.contains(error.code)
    {
      report.add(path, "can't be mended: \(error)", left: "see what lies there, and whose it is")
    }
  }

  /// The content of a change that was decided, and that the log doesn't know, is forgotten: nobody was told of it.
  private func clearTemporary(_ report: inout RecoveryReport) throws {
    for name in try root.names(Layout.stateTemporary) {
      let path = "\(Layout.stateTemporary)/\(name)"
      try alone(path, &report) { _ in
        guard try root.status(path)?.isDirectory == true else { return _ = try root.clear(path) }
        for inner in try root.names(path) { try root.clear("\(path)/\(inner)") }
        try root.removeDirectory(path)
      }
    }
  }

  private func mendValue(
    _ key: StateKey, _ version: Int, _ position: LogCursor.Position, mending: Bool, _ report: inout RecoveryReport
  ) throws {
    let path = Layout.value(key)
    let tokens = try tokens(key)
    // What is just being done is done by others.
    if !isAlone, try tokens.count != 1 || root.status(Layout.undecided(key, tokens[0])) != nil { return }
    guard let event = try files.event(at: position), let wanted = StateValue(parsing: event.data.bytes, key: key) else {
      return
    }
    let problem: String
    switch try root.storedState(key) {
    case .handwritten: return
    case .value(let value):
      if value.version >= version { return }
      problem = "is at version \(value.version), and the log at \(version)"
    case .missing:
      if wanted.value == nil || tokens.contains(where: { $0.version > version }) { return }
      problem = "is missing"
    case .unreadable(let reason):
      problem = reason
      // What a power cut left is a file, and is replaced. All else was put there.
      let isFile = (try? root.readFile(path, maximum: StateValue.fileBytesMax)) != nil
      if mending, !isFile { try root.setAside(key, reason) }
    }
    var writer = JSONWriter()
    wanted.write(to: &writer)
    guard wanted.value == nil || writer.bytes.count < StateValue.fileBytesMax else {
      return report.add(path, problem, left: "what the log has is too long for a file: set it anew")
    }
    report.add(path, problem, wanted.value == nil ? "removed: it was deleted" : "made again from the log")
    guard mending else { return }
    if wanted.value == nil {
      try root.unlinkIfPresent(path)
    } else {
      try root.replace(path, with: writer.bytes + [10], through: "\(Layout.stateTemporary)/recovery-\(key)")
    }
  }

  private func tokens(_ key: StateKey) throws(SystemCallError) -> [StateToken] {
    try root.names(Layout.versions(key)).compactMap { StateToken($0) }
  }

  /// Of several tokens the newest counts: a copy may have been laid over another. Those that are seen a second time: a
  /// listing during a rename may show both names.
  private func mendTokensInUse(of keys: [StateKey], mending: Bool, _ report: inout RecoveryReport) throws {
    let several = keys.map { (key: $0, tokens: (try? tokens($0)) ?? []) }.filter { $0.tokens.count > 1 }
    if several.isEmpty { return }
    _ = try Poll.wait([], nanoseconds: Spool.patienceNanoseconds)
    for (key, seen) in several {
      try alone(Layout.versions(key), &report) { report in
        guard try tokens(key) == seen, let newest = seen.max(by: { $0.version < $1.version }) else { return }
        report.add(Layout.versions(key), "holds \(seen.count) versions", "the newest is left")
        guard mending else { return }
        for token in seen where token != newest { try root.clear(Layout.version(key, token)) }
      }
    }
  }

  /// One token, that fits the value.
  private func mendToken(_ key: StateKey, mending: Bool, _ report: inout RecoveryReport) throws {
    let tokens = try tokens(key)
    let logged = newest[key]?.version ?? 0
    let highest = max(tokens.map(\.version).max() ?? 0, logged)
    let right: StateToken
    switch try root.storedState(key) {
    case .value(let value): right = StateToken(version: max(value.version, highest))
    case .handwritten, .unreadable: right = StateToken(version: highest)
    case .missing: right = StateToken(version: highest, isDeleted: true)
    }
    if tokens.count == 1, tokens[0].version == right.version, tokens[0].isDeleted == right.isDeleted { return }
    let path = Layout.versions(key)
    report.add(path, "doesn't say that the version is \(right.version)", "made to")
    guard mending else { return }
    for name in try root.names(path) { try root.clear("\(path)/\(name)") }
    try root.makeToken(key, right, through: "recovery-\(key)-token")
  }
}
