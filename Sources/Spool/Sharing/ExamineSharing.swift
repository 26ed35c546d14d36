import Glibc
import Linux
import SpoolFormat

/// What the doctor looks for where several users share the spool: modes and owners that aren't as they should be, which it
/// puts right where they are this user's; notes of who sent what is no longer there.
extension Doctor {
  func examineSharing(_ repairing: Bool, _ report: inout RecoveryReport) throws {
    guard let sharing = spool.sharing else { return }
    var paths = ["."] + Layout.top + [Layout.recordDirectories]
    let parts = try spool.root.names(Layout.log).filter { LogPart.isName($0) }
    paths += parts.map { Layout.logs(of: $0) }
    for bot in try spool.bots() where spool.isOwn(bot) {
      paths.append(Layout.bot(bot))
      paths += Layout.Box.allCases.map { Layout.box(bot, $0) } + [Layout.senders(bot)]
      try examineMode(Layout.card(bot), isDirectory: false, sharing.user, repairing, &report)
      try examineSenders(bot, repairing, &report)
    }
    for path in paths { try examineMode(path, isDirectory: true, sharing.user, repairing, &report) }
    for part in parts {
      guard let named = LogPart.user(of: part), let status = try spool.root.status(Layout.logs(of: part)),
        status.owner != named
      else { continue }
      report.add(
        Layout.logs(of: part), "belongs to \(Accounts.shown(user: status.owner)), and is called after another user",
        left: "who made the spool may move it away")
    }
  }

  private func examineMode(
    _ path: String, isDirectory: Bool, _ user: uid_t, _ repairing: Bool, _ report: inout RecoveryReport
  ) throws {
    guard let status = try spool.root.status(path), status.isDirectory == isDirectory else { return }
    let wanted = Permissions.mode(path, isDirectory: isDirectory)
    // A user may keep more to himself than that.
    let isPart = path.hasPrefix(Layout.log + "/")
    guard status.mode != wanted, !(isPart && status.mode | wanted == wanted) else { return }
    let problem = "has mode \(Self.octal(status.mode)), and should have \(Self.octal(wanted))"
    guard status.owner == user || user == 0 else {
      return report.add(path, problem, left: "only \(Accounts.shown(user: status.owner)) can")
    }
    report.add(path, problem, "given that mode")
    guard repairing else { return }
    let file = try spool.root.open(path, isDirectory ? O_RDONLY | O_DIRECTORY : O_RDONLY)
    try file.setMode(wanted)
  }

  private static func octal(_ mode: mode_t) -> String { "0" + String(mode, radix: 8) }

  /// Notes of messages that are no more, and copies that a receiver which died had begun. What is being received is in
  /// `claimed/` before its note is made.
  private func examineSenders(_ bot: BotName, _ repairing: Bool, _ report: inout RecoveryReport) throws {
    let names = try spool.root.names(Layout.senders(bot))
    if names.isEmpty { return }
    var there: Set<String> = []
    // Twice: what moves from one to another while they are looked at must not be missed.
    for _ in 0..<2 {
      for box in [Layout.Box.inbox, .claimed, .dead, .done] {
        try spool.root.list(Layout.box(bot, box)) {
          if let name = EntryName($0) { there.insert(name.id.description) }
          if let id = MessageID($0.dropLast(5)) { there.insert(id.description) }
        }
      }
    }
    for name in names where !there.contains(name) {
      let path = "\(Layout.senders(bot))/\(name)"
      if name.hasPrefix(".") {
        // `.HOST.PID.START-RANDOM`, of a process.
        let end = name.lastIndex(of: "-") ?? name.endIndex
        guard let holder = Holder(String(name[name.index(after: name.startIndex)..<end])), spool.isGone(holder) else {
          continue
        }
        report.add(path, "was left by a receiver that died", "removed")
      } else {
        report.add(path, "notes who sent a message that is gone", "removed")
      }
      if repairing { try spool.root.clear(path) }
    }
  }

  /// What this user can't look at, one line each.
  func sharingRemarks() throws -> [String] {
    guard let sharing = spool.sharing else { return [] }
    let group = try doing("cannot look at \(spool.path)") { try spool.root.status().group }
    var remarks = [
      "shared by the group \(Accounts.shown(group: group)); you are \(Accounts.shown(user: sharing.user))"
    ]
    var others: [String: Int] = [:]
    for bot in try spool.bots() where !spool.isOwn(bot) {
      others[(try spool.owner(of: bot)).map { Accounts.shown(user: $0) } ?? "nobody", default: 0] += 1
    }
    if !others.isEmpty {
      let shown = others.sorted { $0.key < $1.key }.map { "\($0.value) of \($0.key)" }.joined(separator: ", ")
      remarks.append("not looked at, because only their users can: the boxes of other users' bots (\(shown))")
    }
    if sharing.linksAreLoose {
      remarks.append(
        "links may be made to others' files here (fs.protected_hardlinks): every message is checked for it")
    }
    return remarks
  }
}
