import Linux
import SpoolFormat

/// What the doctor says of shared values.
extension Doctor {
  /// What who died had begun and never decided on, and what he had decided and not yet made visible. The name is its
  /// maker's alone, and a dead process decides nothing.
  func examineUndecided(_ repairing: Bool, _ report: inout RecoveryReport) throws {
    for name in try spool.root.names(Layout.stateTemporary) {
      guard let (key, token) = Self.undecided(name), let holder = token.holder, spool.isGone(holder) else { continue }
      let path = Layout.undecided(key, token)
      if try spool.root.names(Layout.versions(key)).contains("\(token)") {
        let problem = "is a change that nobody sees, as its maker died"
        do {
          if repairing { _ = try spool.settledToken(key) }
          report.add(path, problem, "finished")
        } catch { report.add(path, problem, left: "\(error)") }
        continue
      }
      do {
        if repairing { try spool.root.clear(path) }
        report.add(path, "was left by a process that died", "removed: it never counted")
      } catch { report.add(path, "was left by a process that died", left: "\(error)") }
    }
  }

  private static func undecided(_ name: String) -> (StateKey, StateToken)? {
    guard name.hasSuffix(".json"), let end = name.firstIndex(of: "~"),
      let key = try? StateKey(parsing: String(name[..<end])),
      let token = StateToken(String(name[name.index(after: end)...].dropLast(5)))
    else { return nil }
    return (key, token)
  }

  /// Those that can't be read, a line each.
  func valueRemarks() throws -> [String] {
    try spool.stateKeys().compactMap { key in
      do { _ = try spool.state(key) } catch let error as SpoolError where error.code == .badData { return "\(error)" }
      return nil
    }
  }
}
