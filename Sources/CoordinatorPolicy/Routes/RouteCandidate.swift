import SpoolFormat

/// Whether a bot answers messages, as far as its files and the log tell.
public enum RouteState: Sendable, Hashable {
  /// A process takes its messages.
  case present
  /// It did something within `RouteCandidate.presentSeconds`, though no process of it is there: it may take its messages
  /// by hand, or have been ended in good order.
  case seen
  /// Nobody is known to run it.
  case absent
  /// It stopped answering, and is tried again from then on.
  case stopped(until: Timestamp)
  /// It stopped answering, and it is time to try it again.
  case onTrial
  /// Its processes take tasks alone.
  case tasksOnly

  /// Before whom a message goes to it, if at all.
  var rank: RouteTeam.Rank {
    switch self {
    case .present, .onTrial: .present
    case .seen: .seen
    case .absent: .absent
    case .stopped, .tasksOnly: .out
    }
  }
}

/// A bot that a message may go to, with all that is needed to choose, prepared so that a choice costs next to nothing.
public struct RouteCandidate: Sendable {
  public let profile: BotProfile
  public let state: RouteState
  /// Messages that wait for it, or are in hand.
  public let load: Int
  /// From 0 to 1, `BotRecord.expectedReward`.
  public let reward: Double
  /// Microseconds; nil when no message to it is remembered.
  public let wait: Double?
  public let actions: Int
  /// By sender.
  public let paths: [String: Double]
  let loadPart: Double
  let latencyPart: Double
  public var bot: BotName { profile.card.name }

  /// How long a message may wait for a bot that has nothing in hand, before that counts as no answer.
  public static let patienceSeconds = 30.0
  /// Until a bot that didn't answer is tried again, for the first message that it left; doubled for each one more.
  public static let pauseSeconds = 60.0
  public static let pauseSecondsMax = 3600.0
  /// Who has done something so lately is likelier there than others without a process.
  public static let presentSeconds = 300.0
  /// A wait that counts as half good.
  public static let goodWaitMicroseconds = 100_000.0

  /// - Parameters:
  ///   - now: the present.
  ///   - standing: what the bot's files say.
  public init(card: Card, record: BotRecord, standing: BotStanding, now: Timestamp) {
    profile = BotProfile(card: card, record: record, now: now)
    state = Self.state(standing, lastSeen: record.lastSeen, now: now)
    load = standing.waiting + standing.claimed
    reward = record.expectedReward(now: now)
    wait = record.recentWait
    actions = record.actions
    paths = record.paths.mapValues { $0.weight(now: now) }
    loadPart = Double(card.capacity) / Double(card.capacity + load)
    latencyPart = wait.map { Self.goodWaitMicroseconds / (Self.goodWaitMicroseconds + $0) } ?? 1
  }

  /// Why what it is sent would not be read; nil when somebody reads it.
  var deafness: String? {
    switch state {
    case .stopped(let end): "doesn't answer; tried again from \(end.rfc3339)"
    case .tasksOnly: "takes tasks alone"
    case .present, .seen, .absent, .onTrial: nil
    }
  }

  /// A bot has stopped answering when a process of it died and none is left that takes its messages, or when a message has
  /// waited for 30 s, it has nothing in hand, and has done nothing since. It is passed over then, and is tried again once a
  /// minute has passed since the last message that it was sent or took; two minutes when it left two, and so on doubling, an
  /// hour at most; before others that are there only when a process of it lives. What bears a time yet to come says nothing
  /// of when that was. The state machine is that of a circuit breaker (Nygard, "Release It!", 2007): closed, open, half
  /// open.
  static func state(_ standing: BotStanding, lastSeen: Timestamp?, now: Timestamp) -> RouteState {
    let age = { (moment: Timestamp) in now.seconds(since: moment) }
    let hasWaited =
      standing.claimed == 0
      && (standing.oldest.map {
        age($0) > patienceSeconds && (lastSeen ?? $0) <= $0.advanced(bySeconds: patienceSeconds)
      }
        ?? false)
    let isDead = standing.hasDied && !standing.takesMessages && !standing.takesTasks
    if hasWaited || isDead {
      let since = [standing.newest, lastSeen].compactMap { $0 }.filter { -age($0) <= Lesson.aheadSecondsMax }.max()
      var pause = pauseSeconds
      for _ in 1..<max(2, min(standing.waiting, 20)) where standing.waiting > 1 && pause < pauseSecondsMax {
        pause *= 2
      }
      if let end = since?.advanced(bySeconds: min(pause, pauseSecondsMax)), end > now { return .stopped(until: end) }
      return standing.takesMessages ? .onTrial : .absent
    }
    if standing.takesMessages { return .present }
    if standing.takesTasks { return .tasksOnly }
    return lastSeen.map { abs(age($0)) <= presentSeconds } ?? false ? .seen : .absent
  }
}
