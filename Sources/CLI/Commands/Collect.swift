import Routing
import Spool
import SpoolFormat

extension Verb {
  static let collect = Verb(
    name: "gc", summary: "remove old segments of the log that nobody needs any more",
    usage: "[--older-than DURATION] [--keep-bytes SIZE] [--tasks DURATION] [--dry-run]",
    options: [
      .value("--older-than", "DURATION", "segments that ended so long ago, such as 30d"),
      .value(
        "--keep-bytes", "SIZE", "the oldest, until the rest has no more than that, such as 10G; never the last hour's"),
      .value("--tasks", "DURATION", "files of tasks and groups that ended so long ago, with all that they belong to"),
      .value("--dead", "DURATION", "dead letters of bots of yours that were sent so long ago, too"),
      .value("--quarantine", "DURATION", "what was set aside so long ago, too"),
      .flag("--dry-run", "only say what would be removed"),
    ],
    example: "spool gc --older-than 30d --keep-bytes 10G --tasks 90d\nspool gc --older-than 30d --dry-run",
    exits:
      "0 done, also when there was nothing to remove; 64 nothing was asked for; 69 no spool; 75 another gc is at work",
    notes: """
      A segment stays while it has a line about a message that waits, is in hand or dead, an unfinished task or group and
      what belongs to it, or the value of a shared key; so do the last two of each host, and what recovery or the records
      of bots have still to read. What goes is gone from log, thread, search, trace, show and stats; records keep what
      they learned from it, unless they are made anew. Idempotency keys are remembered for 7 days after that.

      A task's file goes when all that it is connected with has ended as long ago: parents, children, what it depends on
      and what depends on it; a group's when those of its tasks are gone. The log keeps what they said (spool trace), or
      has it once more if it had forgotten it.

      Make no copy (cp -a) of the spool meanwhile: what was acked might come again in it.
      """
  ) { invocation in
    try invocation.expect(atMost: 0)
    var wish = CollectionWish()
    wish.olderThan = try age(invocation, "--older-than")
    wish.keepBytes = try invocation.size("--keep-bytes")
    wish.isDryRun = invocation.has("--dry-run")
    let deadAge = try age(invocation, "--dead")
    let quarantineAge = try age(invocation, "--quarantine")
    let taskAge = try age(invocation, "--tasks")
    guard wish.olderThan != nil || wish.keepBytes != nil || deadAge != nil || quarantineAge != nil || taskAge != nil
    else { throw UsageError("say what is to go: --older-than 30d, --keep-bytes 10G, --tasks 90d, or several") }
    let spool = try invocation.spool()
    // First what can go from a full disk.
    let aside = try quarantineAge.map { try spool.clearQuarantine(olderThan: $0, dryRun: wish.isDryRun) }
    let dead = try deadAge.map { try spool.discardDeadLetters(olderThan: $0, dryRun: wish.isDryRun) }
    var report = CollectionReport()
    if wish.olderThan != nil || wish.keepBytes != nil {
      report = try spool.collect(wish, records: try learned(spool, isDryRun: wish.isDryRun))
    }
    // After the log: what this has only just forgotten of a task is written down once more.
    let tasks = try taskAge.map { try spool.collectTasks(olderThan: $0, dryRun: wish.isDryRun) }
    let groups = try taskAge.map { try spool.collectGroups(olderThan: $0, dryRun: wish.isDryRun) }
    let others = Others(dead: dead, aside: aside, tasks: tasks, groups: groups)
    if invocation.isJSON {
      write(report, others, wish, invocation.output)
    } else {
      show(report, others, wish, invocation.output)
    }
    return .done
  }

  /// What bots did is learned from the log: before it goes. Where there is no room to keep it, what was kept before does,
  /// and all that follows stays.
  /// - Returns: up to where it is kept, or would be.
  private static func learned(_ spool: Spool, isDryRun: Bool) throws -> RecordBook.Positions {
    var book = try RecordBook(spool)
    try book.catchUp()
    if isDryRun { return book.positions }
    var refusal: SpoolError?
    do { try book.save() } catch let error as SpoolError where error.code == .tryAgain { refusal = error }
    let kept = try spool.readRecordsPosition().flatMap { try? JSONValue(parsing: $0) }
    if kept == nil, let refusal { throw refusal }
    return RecordBook.positions(kept?["read"])
  }

  /// Elsewhere a number alone is seconds. Here somebody who means days would lose the log.
  private static func age(_ invocation: Invocation, _ name: String) throws -> Double? {
    if let text = invocation.value(name), text.last?.isNumber == true {
      let shown = text.escapedForTerminal()
      throw UsageError("\(name) \(shown) has no unit: write \(shown)d for days, or s, m, h")
    }
    return try invocation.duration(name)
  }

  /// How many of what isn't the log.
  private struct Others {
    let dead: Int?
    let aside: Int?
    let tasks: Int?
    let groups: Int?
  }

  private static func show(
    _ report: CollectionReport, _ others: Others, _ wish: CollectionWish, _ output: Output
  ) {
    let verb = wish.isDryRun ? "would be removed" : "removed"
    for segment in report.removed { output.line("\(segment.path) \(SizeText.short(segment.bytes)): \(verb)") }
    for segment in report.kept {
      output.line("\(segment.path) \(SizeText.short(segment.bytes)): stays, it \(segment.reason ?? "")")
    }
    if let dead = others.dead { output.line("\(Output.count(dead, "dead letter")) \(verb)") }
    if let aside = others.aside { output.line("\(Output.count(aside, "file")) in quarantine/ \(verb)") }
    if let tasks = others.tasks { output.line("\(Output.count(tasks, "task")) \(verb)") }
    if let groups = others.groups, groups > 0 { output.line("\(Output.count(groups, "group")) \(verb)") }
    guard wish.olderThan != nil || wish.keepBytes != nil else { return }
    let left = report.bytesBefore - report.bytesRemoved
    let since = report.since.map { ", with all since \(TimeText.local($0))" } ?? ""
    let keys = report.keys > 0 ? ", and \(Output.count(report.keys, "idempotency key"))" : ""
    output.line(
      "\(Output.count(report.removed.count, "segment")) of \(SizeText.short(report.bytesRemoved))\(keys) \(verb); the log has "
        + "\(SizeText.short(left))\(since)")
  }

  private static func write(
    _ report: CollectionReport, _ others: Others, _ wish: CollectionWish, _ output: Output
  ) {
    output.object { writer in
      func segments(_ some: [CollectionReport.Segment]) {
        writer.beginArray()
        for segment in some {
          writer.beginObject()
          writer.member("path", segment.path)
          writer.member("bytes", segment.bytes)
          writer.member("reason", ifPresent: segment.reason)
          writer.endObject()
        }
        writer.endArray()
      }
      writer.member("dry_run", wish.isDryRun)
      writer.key("removed")
      segments(report.removed)
      writer.key("kept")
      segments(report.kept)
      writer.member("bytes_removed", report.bytesRemoved)
      writer.member("bytes_left", report.bytesBefore - report.bytesRemoved)
      writer.member("keys", report.keys)
      writer.member("dead_letters", ifPresent: others.dead)
      writer.member("quarantined", ifPresent: others.aside)
      writer.member("tasks", ifPresent: others.tasks)
      writer.member("groups", ifPresent: others.groups)
      if let since = report.since {
        writer.member("since", moment: since)
      }
    }
  }
}
