import SpoolFormat

/// How much a bot matters for a message to many, from 0 to 1: half its expected reward, half how far the message is about
/// what it does.
///
/// What it does: 0.8 when its field is one of those that the message is about, and up to 0.2 more for the best of its skills
/// that the message names; for such a skill alone 0.7 as a novice to 1 as an expert; a quarter when there is neither. One
/// that doesn't answer counts after all others.
public struct Attention: Sendable, Hashable {
  public let bot: BotName
  public let score: Double
  public let reward: Double
  public let relevance: Double
  /// Why nobody reads what it is sent: it stopped answering, or takes tasks alone. Nil when somebody does.
  public let deafness: String?
  public var isDeaf: Bool { deafness != nil }
  /// What it matters by, for people.
  public let reason: String

  static let indifference = 0.25

  init(_ candidate: RouteCandidate, domains: Set<String>, words: Set<String>) {
    bot = candidate.bot
    reward = candidate.reward
    let domain = candidate.profile.domain.flatMap { domains.contains($0) || words.contains($0) ? $0 : nil }
    let named = candidate.profile.card.skills.map { $0.name.lowercased() }.filter(words.contains).sorted()
    var skill: (name: String, level: Card.Level)?
    for name in named {
      let level = candidate.profile.level(name) ?? .novice
      if skill.map({ level.rank > $0.level.rank }) ?? true { skill = (name, level) }
    }
    switch (domain, skill) {
    case (nil, nil): (relevance, reason) = (Self.indifference, "nothing of what it does is named")
    case (let domain?, nil): (relevance, reason) = (0.8, "its domain is \(domain)")
    case (nil, let skill?):
      (relevance, reason) = (0.7 + 0.1 * Double(skill.level.rank), "has \(skill.name) as \(skill.level.rawValue)")
    case (let domain?, let skill?):
      relevance = 0.8 + 0.05 * Double(skill.level.rank + 1)
      reason = "its domain is \(domain), and it has \(skill.name) as \(skill.level.rawValue)"
    }
    deafness = candidate.deafness
    score = (reward + relevance) / 2
  }

  /// Those words of a text that may name a field or a skill, in lower case: without punctuation around them.
  public static func words(_ text: String) -> Set<String> {
    let pieces = text.lowercased().split { $0.isWhitespace || ",;:!?()[]{}\"'`/".contains($0) }
    return Set(pieces.map { piece in String(piece.reversed().drop { $0 == "." }.reversed()) })
  }
}

extension RouteTeam {
  /// The bots of a list by how much they matter for a message, most first; of equals the first by name. Those that aren't
  /// known count as new ones.
  /// - Parameters:
  ///   - domains: what the message is about, in lower case.
  ///   - words: `Attention.words` of it.
  public func attention(_ bots: [BotName], domains: Set<String>, words: Set<String>, now: Timestamp) -> [Attention] {
    let known = Dictionary(candidates.map { ($0.bot, $0) }, uniquingKeysWith: { first, _ in first })
    let all = bots.map { bot in
      Attention(
        known[bot]
          ?? RouteCandidate(
            card: Card(name: bot), record: BotRecord(), standing: BotStanding(), now: now),
        domains: domains, words: words)
    }
    return all.sorted { left, right in
      if left.isDeaf != right.isDeaf { return right.isDeaf }
      return left.score != right.score ? left.score > right.score : left.bot < right.bot
    }
  }
}
