import SpoolFormat

/// What one line of the log teaches of one bot. It depends on that line alone (and on the reader's clock, where the line is
/// from the future), so that lines may be taken in any order, and each host's log for itself.
public struct Lesson: Sendable, Hashable {
  public let bot: BotName
  public let at: Timestamp
  public let what: What

  public enum What: Sendable, Hashable {
    case registered
    /// It did something that has no reward.
    case seen
    /// It took a message, whoever sent it, that had waited so long.
    case delivery(from: String?, microseconds: Int)
    /// A message was dead-lettered, because it failed too often with this bot, or was refused.
    case givenUp(from: String?)
    case outcome(TaskOutcome)
  }

  /// Nil for a line that teaches nothing of a bot.
  /// - Parameter now: the present: a clock that was ahead must not make one line the newest for years.
  public init?(_ event: LogEvent, now: Timestamp) {
    let moment = event.time <= now.advanced(bySeconds: Self.aheadSecondsMax) ? event.time : now
    let what: What
    let name: String?
    switch event.kind {
    case .botRegistered:
      name = event.subject
      what = .registered
    case .messageClaimed:
      name = event.text("bot")
      // Of a message that is handed out again only the first wait says something of the bot.
      guard event.number("attempt") == 1, let waited = event.number("waited_us") else { return nil }
      what = .delivery(from: event.text("from"), microseconds: max(0, waited))
    case .messageAcked:
      name = event.text("bot")
      what = .seen
    case .messageDead:
      name = event.text("bot")
      // What was never taken says nothing of whom it was for.
      what = event.number("attempt") ?? 0 > 0 ? .givenUp(from: event.text("from")) : .seen
    case .taskStarted:
      name = event.text("bot")
      what = .seen
    case .taskCompleted, .taskFailed, .taskRetried, .taskExpired:
      name = event.text("bot")
      // Retried by hand, failed without having been tried: nobody's doing.
      guard event.text("from") == TaskState.inProgress.rawValue,
        let bot = name.flatMap({ try? BotName(parsing: $0) })
      else { return nil }
      what = .outcome(Self.outcome(event, bot, at: moment))
    default: return nil
    }
    guard let bot = name.flatMap({ try? BotName(parsing: $0) }) else { return nil }
    self.bot = bot
    self.what = what
    at = moment
  }

  /// As far the clocks of hosts may be apart.
  static let aheadSecondsMax = 60.0

  private static func outcome(_ event: LogEvent, _ bot: BotName, at moment: Timestamp) -> TaskOutcome {
    let task = event.data.withSlice { $0["task"].map { Array($0.bytes) } }
    let record = task.flatMap { try? TaskRecord(parsing: $0) }
    let succeeded = event.kind == .taskCompleted
    return TaskOutcome(
      bot: bot, needs: record.map { TaskNeeds($0) } ?? TaskNeeds(), succeeded: succeeded,
      seconds: succeeded ? record?.startedAt.map { max(0, event.time.seconds(since: $0)) } : nil, at: moment,
      failedBefore: max(0, (event.number("attempt") ?? 1) - 1), requester: record?.createdBy)
  }
}
