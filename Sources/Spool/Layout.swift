import SpoolFormat

/// Where things are in a spool: the only place that puts a path together. All are relative to its root.
enum Layout {
  static let settings = "spool.json"
  static let bots = "bots"
  static let topics = "topics"
  static let log = "log"
  static let quarantine = "quarantine"
  static let keys = "keys"
  static let tmp = "tmp"
  static let recordDirectories = "records"
  static let tasks = "tasks"
  static let tasksMoving = "tasks/moving"
  static let tasksTemporary = "tasks/tmp"
  static let groups = "groups"
  static let groupsMoving = "groups/moving"
  static let top =
    [bots, topics, log, quarantine, keys, tmp, coordinator, tasks, tasksMoving, tasksTemporary]
    + TaskState.allCases.map { tasks($0) } + [groups, groupsMoving] + GroupState.allCases.map { groups($0) }
    + [state, stateVersions, stateTemporary]
  /// Whether a file's directory is one that every spool has.
  static func isInTop(_ path: String) -> Bool {
    path.lastIndex(of: "/").map { top.contains(String(path[..<$0])) } ?? false
  }

  /// The directories of a bot.
  enum Box: String, CaseIterable {
    case inbox, claimed, done, dead, presence, tmp
  }
  /// In a shared spool nobody but the bot's user looks into these.
  static let privateBoxes = ["claimed", "done", "dead", "senders"]
  /// In a shared spool: who sent what was copied.
  static func senders(_ bot: BotName) -> String { "bots/\(bot)/senders" }
  static func sender(_ bot: BotName, _ id: MessageID) -> String { "bots/\(bot)/senders/\(id)" }
  static func senderTemporary(_ bot: BotName, _ name: String) -> String { "bots/\(bot)/senders/.\(name)" }

  static func bot(_ bot: BotName) -> String { "bots/\(bot)" }
  static func box(_ bot: BotName, _ box: Box) -> String { "bots/\(bot)/\(box.rawValue)" }
  static func entry(_ bot: BotName, _ box: Box, _ name: EntryName) -> String {
    entry(bot, box, count: name.textCount) { name.write(to: $0) }
  }
  static func entry(_ bot: BotName, _ box: Box, raw name: String) -> String {
    entry(bot, box, count: name.utf8.count) { put(name, to: $0) }
  }

  /// In one piece: every delivery makes eight of these, and a message to a thousand bots as many.
  private static func entry(
    _ bot: BotName, _ box: Box, count: Int, _ writeName: (UnsafeMutablePointer<UInt8>) -> Void
  ) -> String {
    let (bot, box) = (bot.description, box.rawValue)
    let count = bots.utf8.count + bot.utf8.count + box.utf8.count + 3 + count
    return String(unsafeUninitializedCapacity: count) { text in
      var end = text.baseAddress!
      func put(_ part: String) {
        self.put(part, to: end)
        end += part.utf8.count
        end[0] = UInt8(ascii: "/")
        end += 1
      }
      put(bots)
      put(bot)
      put(box)
      writeName(end)
      return count
    }
  }

  private static func put(_ part: String, to end: UnsafeMutablePointer<UInt8>) {
    var part = part
    part.withUTF8 { end.update(from: $0.baseAddress!, count: $0.count) }
  }

  static func card(_ bot: BotName) -> String { "bots/\(bot)/card.json" }
  /// What the log taught of the bot: where users share the spool, each has learned for himself.
  static func record(_ bot: BotName, for user: UInt32?) -> String {
    user.map { "records/\($0)/bots/\(bot).json" } ?? "bots/\(bot)/record.json"
  }
  /// How far the log was read for the records.
  static func records(for user: UInt32?) -> String { user.map { "records/\($0)/records.json" } ?? "records.json" }
  /// Beside a dead letter or a quarantined file: why it is there.
  static func reason(besides path: String) -> String { path + ".reason" }
  static func presence(_ bot: BotName, _ holder: Holder) -> String { "bots/\(bot)/presence/\(holder)" }
  /// When this host's one-shot commands first saw each claim of a bot as it stands.
  static func leases(_ bot: BotName, host: String) -> String { "bots/\(bot)/presence/\(host)\(leasesSuffix)" }
  static let leasesSuffix = ".leases"

  /// How much this user's processes on this host may still send there before its inbox is counted again.
  static func credit(_ bot: BotName, host: String, user: UInt32) -> String {
    "bots/\(bot)/tmp/\(creditPrefix)\(host).\(user)"
  }
  static let creditPrefix = ".credit."

  static func topic(_ topic: BotName) -> String { "topics/\(topic)" }
  static func subscription(_ topic: BotName, _ bot: BotName) -> String { "topics/\(topic)/\(bot)" }

  static func logs(of host: String) -> String { "log/\(host)" }
  static func segment(of host: String, _ start: Timestamp) -> String { "log/\(host)/\(start.compact).jsonl" }
  /// Which machine the host's name belongs to.
  static func machine(of host: String) -> String { "log/\(host)/machine" }
  static func commitPage(of host: String) -> String { "log/\(host)/commit" }
  /// What is noted as lost.
  static func lost(of host: String) -> String { "log/\(host)/lost" }
  /// What an observer saw in `tmp/`, and since when.
  static func temporariesSeen(by host: String) -> String { "log/\(host)/temporaries" }
  /// What was removed of all logs as nobody needed it any more.
  static let forgotten = "log/.gc"
  static let forgottenLock = "log/.gc-lock"
  /// Held by who recovers what is that user's.
  static func recoveryLock(of user: UInt32) -> String { "log/.recovery-lock.\(user)" }
  /// Held by who makes or removes a bot of that user's.
  static func botsLock(of user: UInt32) -> String { "log/.bots-lock.\(user)" }
  static func checkpoint(of host: String) -> String { "log/\(host)/checkpoint" }

  /// Rung when something was done to a bot's tasks: closing it after writing wakes whoever watches the inbox.
  static func taskBell(_ bot: BotName) -> String { "bots/\(bot)/inbox/.tasks" }
  static let taskBellName = Array(".tasks".utf8)
  /// Where users share the spool, the bell has a name of each who rings it.
  static func isTaskBell(_ name: [UInt8]) -> Bool { name.starts(with: taskBellName) }

  static func tasks(_ state: TaskState) -> String { "tasks/\(state.rawValue)" }
  static func task(_ state: TaskState, _ name: EntryName) -> String { "tasks/\(state.rawValue)/\(name)" }
  static func taskTemporary(_ name: EntryName) -> String { "tasks/tmp/\(name)" }
  /// Where a process keeps the tasks whose content it is changing.
  static func tasksMoving(by mover: Holder) -> String { "tasks/moving/\(mover)" }
  static func taskMoving(by mover: Holder, raw name: String) -> String { "tasks/moving/\(mover)/\(name)" }

  static func groups(_ state: GroupState) -> String { "groups/\(state.rawValue)" }
  static func group(_ state: GroupState, _ name: EntryName) -> String { "groups/\(state.rawValue)/\(name)" }
  /// Where a process keeps the groups whose content it is changing.
  static func groupsMoving(by mover: Holder) -> String { "groups/moving/\(mover)" }
  static func groupMoving(by mover: Holder, raw name: String) -> String { "groups/moving/\(mover)/\(name)" }
  /// The groups that a bot has agreed to work for, and whose tasks haven't come yet.
  static func reservations(_ bot: BotName) -> String { "bots/\(bot)/reserved" }
  static func reservation(_ bot: BotName, _ group: MessageID) -> String { "bots/\(bot)/reserved/\(group)" }

  static let state = "state"
  static let stateVersions = "state/versions"
  static let stateTemporary = "state/tmp"
  static func value(_ key: StateKey) -> String { "state/\(key).json" }
  /// Holds one empty file, whose name says which version the value has.
  static func versions(_ key: StateKey) -> String { "state/versions/\(key)" }
  static func version(_ key: StateKey, _ token: StateToken) -> String { "state/versions/\(key)/\(token)" }
  /// A value that is to become visible under this token.
  static func undecided(_ key: StateKey, _ token: StateToken) -> String { "state/tmp/\(key)~\(token).json" }

  static let coordinator = "coordinator"
  static let leader = "coordinator/leader"
  static func leader(_ name: String) -> String { "coordinator/leader/\(name)" }
  static func coordinator(_ file: String) -> String { "coordinator/\(file)" }

  static func key(_ digest: String, of user: UInt32?) -> String {
    user.map { "keys/\($0)/\(digest)" } ?? "keys/\(digest)"
  }
  static func keys(of user: UInt32) -> String { "keys/\(user)" }
  static func quarantined(_ name: String) -> String { "quarantine/\(name)" }
  static func temporary(_ name: String) -> String { "tmp/\(name)" }
}
