import SpoolFormat

/// How good a choice a bot is for a message, from 0 to 1, and why: the sum of six parts, each from 0 to 1 and with its weight.
///
/// - reward 0.30: what is to be expected of it now (`BotRecord.expectedReward`).
/// - load 0.20: capacity ÷ (capacity + messages that wait or are in hand): 1 for an idle bot, a half when it is full.
/// - skill 0.15: of its own field 1, with a skill of that name 0.6 to 0.9; for each skill that is asked for 0.7 at the level
///   and 0.1 more for each one above; the mean of both. A half when nothing is asked for.
/// - latency 0.10: 100 ms ÷ (100 ms + what its last messages waited); 1 when none is known.
/// - path 0.05: how well the sender's messages to it did lately (`BotRecord.Path.weight`).
/// - new 0.20: 1 for who has done nothing yet, else ¾ of √(ln(1 + N) ÷ (1 + n)), which counts as 1 at most, with n actions of
///   this bot and N of all: UCB1's bonus for who was tried little (Auer, Cesa-Bianchi, Fischer 2002). So of idle bots that are there, one that is new is tried before one that is
///   proven, and one that was tried seldom is tried again as the others go on.
public struct RouteScore: Sendable {
  public let bot: BotName
  public let total: Double
  public let parts: [Part]
  /// Why it isn't considered; nil for one that is.
  public let passedOver: String?
  let state: RouteState

  /// Why it isn't considered, or only when nobody with a process is; nil for one that has one.
  public var remark: String? {
    switch state {
    case _ where passedOver != nil: passedOver
    case .seen: "seen lately, no process"
    case .absent: "nobody runs it"
    case .present, .onTrial, .stopped, .tasksOnly: nil
    }
  }

  public struct Part: Sendable, Hashable {
    public let name: String
    public let value: Double
    public let weight: Double
  }

  public enum Weight {
    public static let reward = 0.30
    public static let load = 0.20
    public static let skill = 0.15
    public static let latency = 0.10
    public static let path = 0.05
    public static let new = 0.20
  }

  /// Says of what it is made.
  init(_ candidate: RouteCandidate, _ needs: TaskNeeds, from: String?, of team: RouteTeam, threshold: Double) {
    bot = candidate.bot
    let skill = Self.skill(candidate.profile, needs)
    parts = [
      Part(name: "reward", value: candidate.reward, weight: Weight.reward),
      Part(name: "load", value: candidate.loadPart, weight: Weight.load),
      Part(name: "skill", value: skill ?? 0, weight: Weight.skill),
      Part(name: "latency", value: candidate.latencyPart, weight: Weight.latency),
      Part(name: "path", value: from.flatMap { candidate.paths[$0] } ?? 0, weight: Weight.path),
      Part(name: "new", value: team.novelty(candidate.actions), weight: Weight.new),
    ]
    total = parts.reduce(0) { $0 + $1.value * $1.weight }
    state = candidate.state
    passedOver = skill == nil ? "can't: \(Self.lack(candidate.profile, needs))" : Self.reason(candidate, threshold)
  }

  /// A bot that is worth less in a field isn't of it: one for everything, say.
  static let fieldMin = 0.6

  /// Nil for one that is of another field, or lacks a skill.
  static func skill(_ profile: BotProfile, _ needs: TaskNeeds) -> Double? {
    var (sum, count) = (0.0, 0.0)
    if needs.domain != nil {
      let value = BotScore.domain(profile, needs.domain)
      guard value >= fieldMin else { return nil }
      (sum, count) = (value, 1)
    }
    if !needs.skills.isEmpty {
      var skills = 0.0
      for wanted in needs.skills {
        guard let level = profile.level(wanted.name), level >= wanted.level else { return nil }
        skills += 0.7 + 0.1 * Double(level.rank - wanted.level.rank)
      }
      (sum, count) = (sum + skills / Double(needs.skills.count), count + 1)
    }
    return count == 0 ? 0.5 : sum / count
  }

  private static func lack(_ profile: BotProfile, _ needs: TaskNeeds) -> String {
    if let domain = needs.domain, BotScore.domain(profile, domain) < fieldMin {
      return profile.card.domain.map { "its domain is \($0)" } ?? "it has no domain"
    }
    for wanted in needs.skills {
      guard let level = profile.level(wanted.name) else { return "it lacks \(wanted.name)" }
      if level < wanted.level { return "it has \(wanted.name) as \(level.rawValue)" }
    }
    return "it lacks a skill"
  }

  private static func reason(_ candidate: RouteCandidate, _ threshold: Double) -> String? {
    if let deafness = candidate.deafness { return deafness }
    guard candidate.reward < threshold else { return nil }
    return "its reward is below \(BotScore.short(threshold))"
  }
}

extension Card.Level {
  /// 0 to 3.
  var rank: Int {
    switch self {
    case .novice: 0
    case .intermediate: 1
    case .advanced: 2
    case .expert: 3
    }
  }
}
