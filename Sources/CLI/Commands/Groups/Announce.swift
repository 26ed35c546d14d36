import Spool
import SpoolFormat

extension Verb {
  static let announce = Verb(
    name: "announce", summary: "have something done by a group that forms for it",
    usage: "TEXT|-|--file F --skill NAME:LEVEL… [--deadline WHEN]",
    options: [
      .value("--skill", "NAME:LEVEL", "what it takes: novice, intermediate, advanced or expert; several times"),
      .value("--deadline", "WHEN", "when all must be done: a time, or a duration from now (1h)"),
      .value("--max-group", "N", "members at most (5)"),
      .value("--min-group", "N", "members at least (1)"),
      .value("--priority", "P", "\(Priority.choices) (5)"),
      .value("--if-uncovered", "WORD", "nobody can do some of it: ask again until the time is over (default), or fail"),
      .value("--context", "JSON", "what all members should know"),
      .value("--parent", "TASK", "the task that it is a part of (else $SPOOL_TASK)"),
      .value("--from", "BOT", "who announces, and hears of it (else $SPOOL_BOT, else you)"),
      .flag("--wait", "wait until it has ended: prints the results, by skill"),
      .value("--timeout", "DURATION", "with --wait: no longer than that (until the deadline, and 10s)"),
      .value("--file", "F", "take the text from a file"),
    ],
    example: """
      spool announce "predict churn" --skill ml:expert --skill sql:advanced --deadline 1h --max-group 5 --priority high
      spool announce "restore the service" --skill network --skill database --deadline 10m --wait
      """,
    exits: "0 kept (prints its id), or done, 1 the wait ended, 2 it failed, 65 nothing can come of it, 69 no spool",
    notes: """
      A running coordinator asks the bots that work with --negotiate, chooses the cheapest that cover all skills, and
      gives them their parts as tasks. spool thread ID tells the story, spool group show ID how it stands and why.
      """
  ) { invocation in
    try invocation.expect(atMost: 1)
    let announcement = try announcement(invocation)
    let wait = try invocation.duration("--timeout")
    if wait != nil, !invocation.has("--wait") { throw UsageError("--timeout goes with --wait") }
    let spool = try invocation.taskSpool()
    var parented = announcement
    if let parent = invocation.value("--parent") { parented.parent = try spool.task(named: parent).id }
    let id = try spool.announce(parented)
    if !spool.coordinatorIsUp { Output.talk("no coordinator is running; it waits for one: spool coordinate") }
    guard invocation.has("--wait") else {
      if invocation.isJSON {
        invocation.output.object { $0.member("id", identifier: id) }
      } else {
        invocation.output.line("\(id)")
      }
      return invocation.output.finish(kept: id)
    }
    let seconds = wait ?? max(0, announcement.deadline.seconds(since: TimeText.now())) + 10
    return try waitForEnd(of: id, seconds, spool, invocation)
  }

  static let groupWait = Verb(
    name: "group wait", summary: "wait until a group has ended: prints the results, by skill", usage: "ID",
    options: [.value("--timeout", "DURATION", "how long to wait at most (until the deadline, and 10s)")],
    example: "spool group wait 8f3a --timeout 5m",
    exits: "0 done, 1 the wait ended or there is no such group, 2 it failed or was cancelled, 69 no spool"
  ) { invocation in
    try invocation.expect(atMost: 1)
    let wait = try invocation.duration("--timeout")
    let spool = try invocation.groupSpool()
    let text = try invocation.operand(0, "ID")
    // One that was announced a moment ago may have no file yet.
    let id: MessageID
    if let known = MessageID(text), try spool.isAnnounced(known) {
      id = known
    } else {
      id = try spool.group(named: text).id
    }
    let deadline = try spool.group(id)?.record.announcement.deadline
    let left = deadline.map { max(0, $0.seconds(since: TimeText.now())) + 10 } ?? 3600
    return try waitForEnd(of: id, wait ?? left, spool, invocation)
  }

  private static func waitForEnd(
    of id: MessageID, _ seconds: Double, _ spool: Spool, _ invocation: Invocation
  ) throws -> Exit {
    let progress = GroupProgress(spool)
    let group = try spool.waitForGroup(id, seconds: seconds) { progress.show($0) }
    progress.clear()
    return show(group, id, invocation)
  }

  private static func announcement(_ invocation: Invocation) throws -> Announcement {
    let skills = try invocation.all("--skill").map { text in
      do { return try Card.Skill(parsing: text) } catch { throw SpoolError(.badData, "--skill \(error)") }
    }
    guard !skills.isEmpty else { throw UsageError("--skill is missing: name one skill that it takes, at least") }
    let deadline = try invocation.moment("--deadline", sign: 1) ?? TimeText.now().advanced(bySeconds: 3600)
    var announcement = Announcement(try invocation.text(operand: 0), skills: skills, deadline: deadline)
    let limit = Announcement.sizeLimit
    let least = try invocation.number("--min-group", in: 1...limit)
    announcement.sizeMin = least ?? 1
    announcement.sizeMax = try invocation.number("--max-group", in: 1...limit) ?? max(5, announcement.sizeMin)
    announcement.priority = try invocation.value("--priority").map { try Priority(parsing: $0) } ?? .normal
    if let word = invocation.value("--if-uncovered") {
      guard let uncovered = Announcement.Uncovered(rawValue: word) else {
        throw UsageError("--if-uncovered is ask or fail, not \(word.escapedForTerminal())")
      }
      announcement.ifUncovered = uncovered
    }
    announcement.context = try invocation.json("--context")
    announcement.from = try invocation.sender()
    if !invocation.has("--parent"), let task = Invocation.environment("SPOOL_TASK") {
      announcement.parent = MessageID(task)
    }
    return announcement
  }

  private static func show(_ group: StoredGroup?, _ id: MessageID, _ invocation: Invocation) -> Exit {
    guard let group, !group.state.isLive else {
      Output.talk("spool: it hasn't ended yet, and stands: spool group wait \(id)")
      return .nothing
    }
    let isDone = group.record.error == nil
    if invocation.isJSON {
      invocation.output.object { GroupView.write(group, nil, to: &$0) }
    } else {
      invocation.output.line(group.record.results.description)
    }
    if let error = group.record.error { Output.talk("spool: \(id): \(Output.excerpt(error, 400))") }
    return isDone ? .done : .failed
  }
}

/// How far a group is, on one line of a terminal that is drawn again and again; nothing elsewhere.
private final class GroupProgress {
  private let spool: Spool
  private let progress = ProgressLine()

  init(_ spool: Spool) { self.spool = spool }

  func show(_ group: StoredGroup?) {
    if progress.isShown { progress.show(line(group)) }
  }

  private func line(_ group: StoredGroup?) -> String {
    guard let group else { return "waiting for a hub…" }
    let parts = group.record.parts.filter { $0.outcome != .left }
    let open = group.record.open.map(\.name)
    let found = (try? spool.findTasks(Set(parts.map(\.task)))) ?? [:]
    let done = parts.count { part in part.outcome == .completed || found[part.task]?.state == .completed }
    let who = parts.map { "\($0.bot): \(found[$0.task]?.state.rawValue ?? "?")" }.joined(separator: ", ")
    let looking = open.isEmpty ? "" : "  looking for \(open.joined(separator: ", "))"
    return "\(group.state.rawValue) \(done)/\(parts.count + (open.isEmpty ? 0 : 1))  \(who)\(looking)"
  }

  func clear() { progress.clear() }
}
