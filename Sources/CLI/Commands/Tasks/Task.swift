import Spool
import SpoolFormat

extension Verb {
  static let task = Verb.noun(
    "task", summary: "work with a state, a file each: add, list, claim, complete, …",
    example: """
      id=$(spool task add "write the parser" --domain development)
      claim=$(spool task claim $id --as coder); spool task complete $claim "in parser.swift"
      """,
    exits: "0 done, 1 no such task, 3 no longer in hand, 65 not from where it stands, 67 no such bot, 69 no spool",
    notes: """
      ID is any unambiguous part of a task's id, or the name of its file. Where a task stands is where its file
      lies: ls $SPOOL_DIR/tasks/in_progress says who works on what, and mv between these directories counts too.
      """,
    [
      .taskAdd, .taskList, .taskShow, .taskTree, .taskClaim, .taskProgress, .taskComplete, .taskFail, .taskBlock,
      .taskUnblock, .taskRelease, .taskAssign, .taskCancel, .taskRetry, .taskWait,
    ],
    otherWords: [
      "ls": "list", "new": "add", "create": "add", "get": "show", "view": "show", "start": "claim", "begin": "claim",
      "take": "claim", "done": "complete", "finish": "complete", "close": "complete", "give": "assign",
      "rm": "cancel", "delete": "cancel", "remove": "cancel", "kill": "cancel", "again": "retry",
    ])

  static let notThere = "1 no such task, 65 an id of several"
  static let notAllowed = "65 not from where it stands"
}

extension Invocation {
  /// The spool, in which what processes that died were doing to tasks is done or undone: otherwise a task might be
  /// nowhere until a worker or a coordinator looks.
  func taskSpool() throws -> Spool {
    let spool = try spool()
    var observations = TaskObservations()
    // One that can't be written is read all the same.
    do { try spool.settleMoves(&observations) } catch {
      Output.talk("spool: what processes that died were doing to tasks can't be looked after now: \(error)")
    }
    return spool
  }

  /// Who does it, for the log: `--by`, `--as`, `$SPOOL_BOT`, else the user's name.
  func author() throws -> String {
    try value("--by") ?? value("--as") ?? sender()
  }

  /// The bot that says that a task is its own: `--as`, else `$SPOOL_BOT`; nil for a person, who may do what bots may.
  func holdingBot(_ spool: Spool) throws -> BotName? {
    guard let name = value("--as") ?? Self.environment("SPOOL_BOT") else { return nil }
    return try spool.bot(named: name)
  }

  /// A task wherever it stands; one that is named by a claim, or with `--as`, must be in hand.
  func task(_ text: String, _ spool: Spool) throws -> TaskEntry {
    guard text.contains("~") || has("--as") else { return try spool.task(named: text) }
    return try spool.taskInHand(named: text, of: try value("--as").map { try spool.bot(named: $0) })
  }

  /// An option's value as JSON.
  func json(_ name: String) throws -> JSONText? {
    guard let text = value(name) else { return nil }
    do { return try JSONText(validating: text) } catch { throw FormatError("\(name) is not JSON: \(error)") }
  }

  /// What was done to a task: an object for programs, a word on standard error for people.
  func report(_ entry: TaskEntry, _ words: @autoclosure () -> String) {
    if isJSON { TaskView.write(entry, to: output) } else { Output.talk(words()) }
  }
}

extension Spool {
  /// Does what follows from tasks' ends for those that wait for them. That it couldn't is said, and is no failure of
  /// what was done: a worker, or a coordinator, does it.
  func settleAndTell(_ entries: [TaskEntry]) {
    if entries.isEmpty || coordinatorIsUp { return }
    do { try settleDependents(of: entries.map(\.id)) } catch {
      Output.talk("spool: \(error); what waits for it will be looked at again later")
    }
  }

  /// When the attempt that is being made began, as the log has it.
  func lastStart(of entry: TaskEntry) throws -> Timestamp? {
    try History(self).trace(entry.id).last { $0.kind == .taskStarted }?.time
  }
}
