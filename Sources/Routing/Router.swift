import CoordinatorPolicy
import Linux
import Spool
import SpoolFormat

/// Sends messages to whoever is best, from what the files and the log say: no coordinator is needed.
///
/// ```swift
/// var router = try Router(spool)
/// try router.refresh()
/// let (id, choice) = try router.send(message, to: RouteAddress(parsing: "any:development"))
/// ```
public struct Router {
  private let spool: Spool
  private var book: RecordBook
  private var cards: [BotName: (version: Int?, card: Card)] = [:]
  public private(set) var team = RouteTeam([])
  public var rule = RouteTeam.Rule()

  /// Bots that aren't anybody: they are asked by name.
  public static let others = Set(["coordinator", "hub", "human"])

  /// `refresh` must be called before the first choice.
  public init(_ spool: Spool) throws {
    self.spool = spool
    book = try RecordBook(spool)
  }

  /// Looks at how everybody stands now, and reads on in the log. Choices until the next time are made by that.
  /// Cost: a few listings for each bot.
  public mutating func refresh() throws {
    try book.catchUp()
    let now = Timestamp(microseconds: Clock.wall())
    var candidates: [RouteCandidate] = []
    for bot in try spool.bots() where !Self.others.contains(bot.description) {
      let version = try spool.cardVersion(of: bot)
      if cards[bot] == nil || cards[bot]!.version != version {
        // A damaged card is the doctor's business: without it nobody knows what the bot can do.
        cards[bot] = (version, (try? spool.card(of: bot)) ?? Card(name: bot))
      }
      candidates.append(
        RouteCandidate(
          card: cards[bot]!.card, record: book.team.bots[bot] ?? BotRecord(),
          standing: try spool.standing(of: bot), now: now))
    }
    team = RouteTeam(candidates)
  }

  /// Who gets a message.
  /// - Throws: `.noSuchBot` when nobody can do what is asked for, with what is near; `.tryAgain` when nobody of those who
  ///   can is there.
  public func choose(
    _ address: RouteAddress, from: String?, random: inout some RandomNumberGenerator
  ) throws -> RouteTeam.Choice {
    if let choice = team.choose(address.needs, from: from, rule: rule, random: &random) { return choice }
    let scores = team.scores(address.needs, from: from, rule: rule)
    let able = Set(team.fitting(address.needs).map(\.bot))
    let reasons = scores.filter { able.contains($0.bot) }.compactMap { score in
      score.passedOver.map { "\(score.bot) \($0)" }
    }
    guard reasons.isEmpty else {
      let shown =
        reasons.prefix(3).joined(separator: "; ") + (reasons.count > 3 ? "; and \(reasons.count - 3) more" : "")
      throw SpoolError(.tryAgain, "nobody for \(shownAddress(address)) answers now, and nothing was sent: \(shown)")
    }
    throw nobody(address)
  }

  private func shownAddress(_ address: RouteAddress) -> String {
    String(address.description.prefix(80)).escapedForTerminal()
  }

  private func nobody(_ address: RouteAddress) -> SpoolError {
    let needs = address.needs
    var hint: String?
    let cards = team.candidates.map(\.profile.card)
    if let domain = needs.domain, team.fitting(TaskNeeds(domain: domain)).isEmpty {
      let all = Set(cards.compactMap { $0.domain?.lowercased() }).sorted()
      hint = FileChecker.nearest(domain, among: all, all: "the domains are")
    } else if let skill = needs.skills.first(where: { team.fitting(TaskNeeds(skills: [$0])).isEmpty }) {
      let all = Set(cards.flatMap { $0.skills.map { $0.name.lowercased() } }).sorted()
      if all.contains(skill.name) {
        hint = "nobody has \(skill.name) as \(skill.level.rawValue) by now; see: spool skills"
      } else {
        hint = FileChecker.nearest(skill.name, among: all, all: "the skills are")
      }
    } else if cards.isEmpty {
      hint = "there is no bot yet; make one with: spool register coder"
    } else {
      hint = team.fitting(needs).isEmpty ? "nobody has all of that; see: spool skills" : "nobody but the sender itself"
    }
    return SpoolError(
      .noSuchBot, "no bot for \(shownAddress(address)), and nothing was sent", hint: hint?.escapedForTerminal())
  }

  /// Those who would get a message, by how much they matter for it, most first: whoever wants to reach only a few takes the
  /// first of them. By `refresh`.
  /// - Parameter domains: what the message is about, if that is known; its own words count in any case.
  /// - Throws: as `Spool.send`, for recipients that there aren't.
  public func attention(on message: Message, domains: Set<String> = []) throws -> [Attention] {
    // A coordinator and a person are reached by their names: as two of a team they would take the place of bots.
    let bots = try spool.recipients(of: message).filter { bot in
      !Self.others.contains(bot.description) || message.to.contains(bot.description)
    }
    guard !bots.isEmpty else {
      throw SpoolError(
        .notFound, "nobody to send to: \(message.to.joined(separator: ", ")) has no bots but a coordinator's")
    }
    // One alone is looked for when it is sent to, and not before.
    if bots.count == 1 { _ = try spool.bot(named: bots[0].description) }
    return team.attention(
      bots, domains: Set(domains.map { $0.lowercased() }),
      words: Attention.words(message.content ?? ""), now: Timestamp(microseconds: Clock.wall()))
  }

  /// Chooses, and sends; the message says in `asked_for` what was asked for.
  /// - Throws: as `choose`, and as `Spool.send`.
  public func send(
    _ message: Message, to address: RouteAddress, durability: Durability? = nil
  ) throws -> (id: MessageID, choice: RouteTeam.Choice) {
    var random = SystemRandomNumberGenerator()
    let choice = try choose(address, from: message.from, random: &random)
    var message = message
    message.to = [choice.bot.description]
    message.note(askedFor: address.description)
    return (try spool.send(message, durability: durability), choice)
  }
}

extension Message {
  /// Says what was asked for, when the recipients were chosen.
  public mutating func note(askedFor text: String) {
    extra.removeAll { $0.name == "asked_for" }
    extra.append(Field(name: "asked_for", value: JSONText(string: text)))
  }
}
