import Foundation
import Glibc
import Spool
import SpoolFormat
import TestSupport
import Testing

/// What is done with tasks, killed and failing at every call. That each is in one state, whole, and as the log has it, is
/// said in `SpoolReader.taskViolations`.
extension Scenario {
  static let tasks =
    taskTransitions + [
      Scenario(name: "task add", callsMin: 15) {
        let stage = try Stage(bots: ["a"])
        stage.arguments = ["task", "add", "payload", "--by", "tester"]
        return stage
      } afterwards: { _, outcome, reader in
        addedOrNot(outcome, reader)
      } inTheEnd: { _, outcome, reader in
        addedOrNot(outcome, reader)
          + (reader.added(titled: "payload").count == reader.tasks(in: "pending").count ? [] : ["it is not pending"])
      },
      workflow,
      unfinished("task list, when somebody died completing", to: "completed"),
      unfinished("task list, when somebody died before it was completed", to: "in_progress"),
      deadAdder,
    ]

  private static func addedOrNot(_ outcome: SpoolCommand.Outcome, _ reader: SpoolReader) -> [String] {
    let added = reader.added(titled: "payload").map(\.subject)
    if outcome.isDone { return added == [outcome.line] ? [] : ["it said \(outcome.line), and the log has \(added)"] }
    let isUnknown = outcome.error.contains("may or may not")
    if !outcome.isKilled, !isUnknown, !added.isEmpty { return ["it said no, and the log has it"] }
    return added.isEmpty && !reader.tasks(titled: "payload").isEmpty ? ["it is there, and not in the log"] : []
  }

  // MARK: One task

  private static let taskTransitions = [
    task("task claim", callsMin: 15, ["task", "claim", "ID", "--as", "a"], from: "pending", to: "in_progress") {
      stage in
      try stage.addTask()
    },
    task(
      "task claim of what was assigned", callsMin: 15, ["task", "claim", "--next", "--as", "a"], from: "assigned",
      to: "in_progress"
    ) { stage in
      try stage.addTask { $0.assignTo = try BotName(parsing: "a") }
    },
    task("task progress", callsMin: 20, ["task", "progress", "CLAIM", "40"], from: "in_progress", to: "in_progress") {
      stage in
      try stage.beginTask()
    } check: { stage, outcome, reader in
      guard let file = reader.tasks(stage.id).first else { return [] }
      let progress = file.content?["progress"] as? Int
      return outcome.isDone && progress != 40 ? ["it said done, and it is at \(progress ?? -1)"] : []
    },
    task("task complete", callsMin: 25, ["task", "complete", "CLAIM", "42"], from: "in_progress", to: "completed") {
      stage in
      let id = try stage.beginTask()
      // What is given up in between is done by the next, and by the doctor.
      _ = try stage.addTask(titled: "afterwards") { $0.dependsOn = [MessageID(id)!] }
      return id
    } check: { stage, _, reader in
      let isDone = reader.standing(stage.id) == "completed"
      let next = reader.tasks(titled: "afterwards").map(\.state)
      return next.allSatisfy { $0 == "blocked" } || isDone ? [] : ["what depends on it is \(next)"]
    } atLast: { _, reader in
      reader.tasks(titled: "afterwards").map(\.state) == ["pending"] ? [] : ["what depends on it was not let go"]
    },
    task("task fail", callsMin: 20, ["task", "fail", "CLAIM", "oh"], from: "in_progress", to: "pending") {
      try $0.beginTask()
    },
    task(
      "task fail --final", callsMin: 20, ["task", "fail", "CLAIM", "oh", "--final"], from: "in_progress", to: "failed"
    ) {
      try $0.beginTask()
    },
    task("task block", callsMin: 20, ["task", "block", "ID", "oh"], from: "in_progress", to: "blocked") {
      try $0.beginTask()
    },
    task("task cancel", callsMin: 15, ["task", "cancel", "ID"], from: "pending", to: "cancelled") { stage in
      let id = try stage.addTask()
      _ = try stage.addTask(titled: "child") { $0.parent = MessageID(id)! }
      return id
    } atLast: { _, reader in
      reader.tasks(titled: "child").map(\.state) == ["cancelled"] ? [] : ["its child was not cancelled"]
    },
    task("task retry", callsMin: 15, ["task", "retry", "ID"], from: "failed", to: "pending") { stage in
      let id = try stage.beginTask()
      _ = try stage.bystander.fail(stage.entry(id), error: "oh", isRetryable: false)
      return id
    },
    task("task release", callsMin: 15, ["task", "release", "ID"], from: "in_progress", to: "pending") {
      try $0.beginTask()
    },
  ]

  private static func task(
    _ name: String, callsMin: Int, _ arguments: [String], from: String, to: String,
    prepare: @escaping @Sendable (Stage) throws -> String,
    check: @escaping @Sendable (Stage, SpoolCommand.Outcome, SpoolReader) -> [String] = { _, _, _ in [] },
    atLast: @escaping @Sendable (Stage, SpoolReader) -> [String] = { _, _ in [] }
  ) -> Scenario {
    @Sendable func judge(_ stage: Stage, _ outcome: SpoolCommand.Outcome, _ reader: SpoolReader) -> [String] {
      let states = reader.tasks(stage.id).map(\.state)
      // From the log on it is so, and what can't be renamed now is later.
      let isBetween = states.isEmpty && reader.isTaskOnItsWay(stage.id)
      if outcome.isDone, states != [to], !isBetween { return ["it said done, and it is \(states)"] }
      if !isBetween, states != [from], states != [to] { return ["it is \(states)"] }
      return check(stage, outcome, reader)
    }
    return Scenario(name: name, callsMin: callsMin) {
      let stage = try Stage(bots: ["a"])
      stage.id = try prepare(stage)
      let claim = try stage.entry(stage.id).name.description
      stage.arguments = arguments.map { ["ID": stage.id, "CLAIM": claim][$0] ?? $0 } + ["--by", "tester"]
      return stage
    } afterwards: { stage, outcome, reader in
      judge(stage, outcome, reader)
    } inTheEnd: { stage, outcome, reader in
      var found = judge(stage, outcome, reader)
      if !outcome.isDone {
        // Done again, as one would who had no answer: it is done, or it was.
        let again = try stage.run()
        if ![0, 1, 3, 65].contains(again.status) { found.append("again: \(again)") }
        let states = stage.reader.tasks(stage.id).map(\.state)
        if states != [to] { found.append("done again, it is \(states): \(again)") }
      }
      _ = try Doctor(stage.bystander).examine(repairing: true)
      return found + atLast(stage, stage.reader)
    }
  }

  // MARK: Workflows

  private static let workflow = Scenario(name: "workflow submit", callsMin: 25) {
    let stage = try Stage(bots: ["a"])
    try Scratch.write(
      """
      {"title": "payload", "steps": [{"name": "one", "title": "first"},
      {"name": "two", "title": "second", "depends_on": ["one"]}]}
      """, to: "\(stage.scratch.path)/flow.json")
    stage.arguments = ["workflow", "submit", "\(stage.scratch.path)/flow.json", "--by", "tester"]
    return stage
  } afterwards: { _, outcome, reader in
    let titles = reader.taskFiles.compactMap { $0.content?["title"] as? String }.filter { $0 != "payload" }
    let isSubmitted = !reader.added(titled: "payload").isEmpty
    if !isSubmitted, !titles.isEmpty { return ["\(titles) are there, and not what they are steps of"] }
    let isUnknown = outcome.error.contains("may or may not") || outcome.error.contains("is submitted, but")
    if !outcome.isDone, !outcome.isKilled, !isUnknown, isSubmitted { return ["it said no, and the log has it"] }
    return []
  } inTheEnd: { stage, outcome, reader in
    let added = reader.added(titled: "payload").map(\.subject)
    if outcome.isDone, added != [outcome.line] { return ["it said \(outcome.line), and the log has \(added)"] }
    let steps = ["first": "pending", "second": "blocked", "payload": "blocked"]
    return steps.flatMap { title, state -> [String] in
      let states = reader.tasks(titled: title).map(\.state)
      return states == (added.isEmpty ? [] : [state]) ? [] : ["\(title) is \(states)"]
    }
  }

  // MARK: What dead processes leave

  /// A task whose content was being changed: with the line in the log, or without.
  private static func unfinished(_ name: String, to: String) -> Scenario {
    Scenario(name: name, callsMin: 15) {
      let stage = try Stage(bots: ["a"])
      stage.id = try stage.beginTask()
      let old = try stage.entry(stage.id)
      let content = try Scratch.text("\(stage.path)/\(stage.entry(stage.id).path)")
      let moving = "tasks/moving/\(stage.dead)"
      try Scratch.makeDirectory("\(stage.path)/\(moving)")
      if to == "completed" {
        let new = try #require(try stage.bystander.complete(old, result: nil))
        try stage.move(new.path, to: "\(moving)/completed+\(new.name)")
        try Scratch.write(content, to: "\(stage.path)/\(moving)/in_progress~\(old.name)")
      } else {
        try Scratch.write("{\"title\":", to: "\(stage.path)/\(moving)/completed+5-\(stage.id)~1~a.json")
        try stage.move(old.path, to: "\(moving)/in_progress~\(old.name)")
      }
      stage.arguments = ["task", "list", "--all"]
      return stage
    } inTheEnd: { stage, _, reader in
      let states = reader.tasks(stage.id).map(\.state)
      return states == [to] ? [] : ["it is \(states)"]
    }
  }

  private static let deadAdder = Scenario(name: "task list, when somebody died adding", callsMin: 15) {
    let stage = try Stage(bots: ["a"])
    stage.id = try stage.addTask()
    try stage.move("tasks/pending/5-\(stage.id).json", to: "tasks/tmp/5-\(stage.id)~0~\(stage.dead).json")
    let unsent = "20261121T023209.718105Z-10dcf6a1c42eee1d"
    try Scratch.write("{\"title\":\"unsent\"}\n", to: "\(stage.path)/tasks/tmp/5-\(unsent)~0~\(stage.dead).json")
    stage.arguments = ["task", "list"]
    return stage
  } inTheEnd: { stage, _, reader in
    let files = reader.taskFiles.map(\.path)
    return files == ["tasks/pending/5-\(stage.id).json"] ? [] : ["there are \(files)"]
  }
}

extension Stage {
  func addTask(titled title: String = "payload", _ change: (inout TaskRecord) throws -> Void = { _ in }) throws
    -> String
  {
    var record = TaskRecord(title: title)
    try change(&record)
    return try bystander.addTask(record, by: "tester", durability: .relaxed).id.description
  }

  /// One that bot `a` works on, by hand.
  func beginTask() throws -> String {
    let id = try addTask()
    _ = try bystander.claimTask(entry(id), for: BotName(parsing: "a"))
    return id
  }

  func entry(_ id: String) throws -> TaskEntry { try #require(try bystander.findTask(MessageID(id)!)) }
}
