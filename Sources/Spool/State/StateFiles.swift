import Glibc
import Linux
import SpoolFormat

extension Directory {
  func storedState(_ key: StateKey) throws(SystemCallError) -> Spool.StoredState {
    let bytes: [UInt8]?
    do { bytes = try readFile(Layout.value(key), maximum: StateValue.fileBytesMax) } catch {
      guard Inbox.faultsOfFiles.contains(error.code) else { throw error }
      return .unreadable(error.fault(ofFile: "value", bytesMax: StateValue.fileBytesMax))
    }
    guard let bytes else { return .missing }
    if let value = StateValue(parsing: bytes, key: key), value.value != nil { return .value(value) }
    do throws(JSONError) {
      let text = try JSONText(validating: bytes)
      do throws(JSONError) { try text.checkNesting(within: 1) } catch { return .unreadable("\(error.reason)") }
      guard text.bytes.count <= StateValue.bytesMax else {
        return .unreadable("it has \(text.bytes.count) bytes, and may have \(StateValue.bytesMax)")
      }
      return .handwritten(text)
    } catch { return .unreadable("not JSON: \(error)") }
  }

  /// Moves what can't be read out of a value's place, with the reason beside it.
  func setAside(_ key: StateKey, _ reason: String) throws(SystemCallError) {
    let now = Timestamp(microseconds: Clock.wall()).compact
    let target = Layout.quarantined("\(now)-state-\(key).json")
    guard try renameIfPresent(Layout.value(key), to: target) else { return }
    var writer = JSONWriter()
    writer.beginObject()
    writer.member("reason", reason)
    writer.member("key", key.description)
    writer.endObject()
    let temporary = Layout.temporary("state-\(key)-\(getpid())-\(UInt32.random(in: .min ... .max))")
    _ = try? replace(Layout.reason(besides: target), with: writer.bytes + [10], through: temporary)
  }

  /// A directory takes the place of one that isn't there or is empty, and of no other.
  /// - Returns: whether it did.
  @discardableResult
  func makeToken(_ key: StateKey, _ token: StateToken, through name: String) throws(SystemCallError) -> Bool {
    for directory in [Layout.state, Layout.stateVersions, Layout.stateTemporary] { try makeDirectory(directory) }
    let temporary = "\(Layout.stateTemporary)/\(name)"
    try makeDirectory(temporary)
    try open("\(temporary)/\(token)", O_WRONLY | O_CREAT | O_EXCL).close()
    do { try rename(temporary, to: Layout.versions(key)) } catch {
      try unlinkIfPresent("\(temporary)/\(token)")
      try removeDirectory(temporary)
      guard error.code == ENOTEMPTY || error.code == EEXIST else { throw error }
      return false
    }
    return true
  }
}

extension History {
  /// What a key ever stood for, as the log has it, oldest first.
  /// Cost: reads all of the log.
  public func states(_ key: StateKey) throws -> [StateValue] {
    let search = TextSearch("\"type\":\"state.")
    var found: [StateValue] = []
    try doing("cannot read the log") {
      for segment in try files.allSegments() {
        try files.readForwards(segment) { lines, _ in
          forEachMatch(of: search, in: lines) { line in
            guard let event = LogEvent(line: line), event.kind.isOfState, event.subject == key.description,
              let value = StateValue(parsing: event.data.bytes, key: key)
            else { return true }
            found.append(value)
            return true
          }
        }
      }
    }
    // Who finished a change for another may have logged it a second time.
    var seen: Set<StateValue> = []
    return found.filter { seen.insert($0).inserted }.sorted { $0.version < $1.version }
  }
}
