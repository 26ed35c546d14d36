import SpoolFormat

/// What a bot answers when it is asked whether it can do some of an announcement.
///
/// It offers those of the wanted skills that it has at the wanted level, at least, unless it has as many tasks as it may
/// have, or is known to need longer for them than `timeShareMax` of the time that is left.
public enum Bid: Sendable, Hashable {
  case offer(SkillOffer)
  case refuse(String)

  /// The most of the time until the deadline that a bot's own mean may take: the rest is for others to step in.
  public static let timeShareMax = 0.8

  /// - Parameters:
  ///   - load: tasks that it has in hand or has agreed to.
  ///   - capacity: how many it may have.
  ///   - secondsLeft: until the deadline.
  public static func answer(
    _ wanted: [Card.Skill], bot: BotProfile, load: Int, capacity: Int, secondsLeft: Double
  ) -> Bid {
    guard secondsLeft > 0 else { return .refuse("the deadline is past") }
    var have: [Card.Skill] = []
    var lacks: [String] = []
    for skill in wanted {
      guard let level = bot.level(skill.name.lowercased()) else {
        lacks.append("no \(skill.name)")
        continue
      }
      if level >= skill.level {
        have.append(Card.Skill(name: skill.name, level: level))
      } else {
        lacks.append("\(skill.name) only as \(level.rawValue)")
      }
    }
    guard !have.isEmpty else { return .refuse("has \(lacks.joined(separator: ", "))") }
    guard load < capacity else { return .refuse("has \(load) of at most \(capacity) tasks") }
    let seconds = seconds(have, bot.record)
    if let seconds, seconds > secondsLeft * timeShareMax {
      return .refuse(
        "takes \(BotScore.short(seconds)) s on average, more than \(BotScore.short(timeShareMax)) of the "
          + "\(BotScore.short(secondsLeft)) s that are left")
    }
    var offer = SkillOffer(bot: bot.card.name, skills: have)
    offer.seconds = seconds
    offer.load = load
    offer.capacity = capacity
    return .offer(offer)
  }

  /// Successes at a skill from which it is known how long a bot takes for it.
  static let successesMin = 3

  /// What it takes on average for the skill that takes longest; nil when of one too little is known. Other work says
  /// nothing of that.
  private static func seconds(_ skills: [Card.Skill], _ record: BotRecord) -> Double? {
    let means = skills.map { skill in
      record.skills[skill.name.lowercased()].flatMap { $0.times.count >= successesMin ? $0.meanSeconds : nil }
    }
    return means.contains(nil) ? nil : means.compactMap { $0 }.max()
  }
}
