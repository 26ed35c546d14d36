import Spool
import SpoolFormat

extension Verb {
  static let group = Verb.noun(
    "group", summary: "see and end the groups that form for announcements: list, show, wait, cancel",
    example: "spool group list\nspool group show 8f3a --explain",
    exits: "0 done, 1 no such group, 65 not from where it stands, 69 no spool",
    notes: """
      ID is any unambiguous part of a group's id, which is that of its announcement. Where a group stands is where
      its file lies: ls $SPOOL_DIR/groups/active says which work, and mv between these directories counts too.
      """,
    [.groupList, .groupShow, .groupWait, .groupCancel],
    otherWords: ["ls": "list", "get": "show", "view": "show", "rm": "cancel", "delete": "cancel", "kill": "cancel"])

  static let groupList = Verb(
    name: "group list", summary: "list groups, by state, urgency and age", usage: "[STATE…] [--all]",
    options: [
      .flag("--all", "those that have ended, too (default: forming and active)"),
      .value("--limit", "N", "at most so many (100)"),
    ],
    example: "spool group list\nspool group list failed --json | jq -r .error",
    exits: "0 done, 1 there are none, 69 no spool",
    notes: """
      STATE is forming, active, completed, failed or dissolved. One that is completed is dissolved as soon as all have
      heard of it; OUTCOME tells whether it is done, or why not.
      """
  ) { invocation in
    let limit = try invocation.number("--limit", in: 1...10_000_000) ?? 100
    let spool = try invocation.groupSpool()
    let named = try invocation.operands.map { try GroupState(parsing: $0) }
    let states = !named.isEmpty ? named : invocation.has("--all") ? GroupState.allCases : [.forming, .active]
    let entries = try spool.groups(in: states)
    var rows: [[String]] = []
    for entry in entries.prefix(limit) {
      let group: StoredGroup
      do {
        guard let record = try spool.record(of: entry) else { continue }
        group = StoredGroup(entry: entry, record: record)
      } catch let error as SpoolError {
        if invocation.isJSON { GroupView.write(entry, problem: error.message, to: invocation.output) }
        rows.append([
          MessageView.short(entry.id.description), "unreadable", "", "", Output.excerpt(error.message, 90), "",
        ])
        continue
      }
      if invocation.isJSON {
        invocation.output.object { GroupView.write(group, nil, to: &$0) }
      } else {
        rows.append(GroupView.row(group))
      }
    }
    if !invocation.isJSON, !rows.isEmpty {
      invocation.output.table(["ID", "STATE", "MEMBERS", "AGE", "TEXT", "OUTCOME"], rows)
    }
    if entries.count > limit { Output.talk("and \(entries.count - limit) more; see: spool group list --limit …") }
    if entries.isEmpty {
      Output.talk(
        invocation.has("--all")
          ? "no groups yet; form one with: spool announce TEXT --skill SKILL"
          : "no groups now; those that ended too: spool group list --all")
    }
    return entries.isEmpty ? .nothing : .done
  }

  static let groupShow = Verb(
    name: "group show", summary: "how a group stands, who does what in it, and why these", usage: "ID [--explain]",
    options: [.flag("--explain", "why these members were chosen: each offer, its cost, and what else there was")],
    example: "spool group show 8f3a --explain", exits: "0 done, 1 no such group, 65 an id of several, 69 no spool"
  ) { invocation in
    try invocation.expect(atMost: 1)
    let spool = try invocation.groupSpool()
    let entry = try spool.group(named: try invocation.operand(0, "ID"))
    guard let group = try spool.group(entry.id) else {
      throw SpoolError(.notFound, "\(entry.id) is gone", hint: "see: spool trace \(entry.id)")
    }
    var tasks: [MessageID: StoredTask] = [:]
    for (id, entry) in try spool.findTasks(Set(group.record.parts.map(\.task))) {
      if let record = try? spool.record(of: entry) { tasks[id] = StoredTask(entry: entry, record: record) }
    }
    if invocation.isJSON {
      invocation.output.object { GroupView.write(group, tasks, to: &$0) }
    } else {
      GroupView.show(group, tasks, explaining: invocation.has("--explain"), on: invocation.output)
    }
    return .done
  }

  static let groupCancel = Verb(
    name: "group cancel", summary: "end a group that nobody wants any more, with its parts",
    usage: "ID… [--reason TEXT]",
    options: [
      .value("--reason", "TEXT", "why; the members are told"), .value("--by", "NAME", "who does that, for the log"),
    ],
    example: "spool group cancel 8f3a --reason \"done by hand\"",
    exits: "0 done, 1 no such group, 65 it has ended, 69 no spool"
  ) { invocation in
    _ = try invocation.operand(0, "ID")
    let spool = try invocation.groupSpool()
    let author = try invocation.author()
    return try Invocation.forEach(invocation.operands) { text in
      let entry = try spool.cancelGroup(named: text, reason: invocation.value("--reason"), by: author)
      if invocation.isJSON {
        invocation.output.object { writer in
          writer.member("id", entry?.id.description ?? text)
          writer.member("state", entry?.state.rawValue ?? "withdrawn")
        }
      } else {
        Output.talk(entry == nil ? "withdrawn: no hub had it yet" : "cancelled")
      }
    }
  }
}

extension Invocation {
  /// The spool, in which what processes that died were doing to groups is done or undone.
  func groupSpool() throws -> Spool {
    let spool = try spool()
    var observations = GroupObservations()
    _ = try? spool.settleGroupMoves(&observations)
    return spool
  }
}
