import CoordinatorPolicy
import Coordinator
import Routing
import Spool
import SpoolFormat

extension Verb {
  static let routingOptions: [Option] = [
    .flag("--explain", "say of each bot why it was chosen or not, on standard error"),
    .value("--threshold", "SHARE", "any: passes over bots whose expected reward is below it (0.3)"),
    .value("--explore", "SHARE", "how often any: takes another than the best (0.05)"),
    .value("--seed", "N", "any: chooses the same again, when all else is the same"),
  ]

  static let routingNotes = """
    any is whoever is best: any:development of a field, any:skill=swift>=advanced with a skill (quote the >),
    any:data/skill=sql both. Bots are scored by reward (what their last messages and tasks were worth), load, skill,
    latency and how this sender's messages to them did; those tried seldom get a bonus. A message that is taken in less
    than 50 ms is worth 1, 100 ms 0.8, 200 ms 0.6, else 0.4, one given up 0; a task 1 or 0. Who left a message for 30 s
    with nothing in hand, or whose process died, is passed over, and tried again after a minute, two, up to an hour. Bots
    with a process come before those that were only seen in the last 5 min, and these before those that nobody runs.
    """
}

/// Recipients that are chosen, not named, and what came of choosing.
final class Routes {
  /// Those that are named: bots, `team`, topics.
  let named: [String]
  private let spool: Spool
  private let addresses: [RouteAddress]
  private let attention: Int?
  private let asked: [String]
  private let explains: Bool
  private var rule = RouteTeam.Rule()
  private var random: Source
  private var choices: [(address: RouteAddress, choice: RouteTeam.Choice, scores: [RouteScore])] = []
  private var attended: [Attention] = []

  /// The system's randomness, or one that can be had again.
  private struct Source: RandomNumberGenerator {
    var state: UInt64?
    private var system = SystemRandomNumberGenerator()

    init(seed: UInt64?) { state = seed }

    /// SplitMix64 (Steele, Lea, Flood 2014).
    mutating func next() -> UInt64 {
      guard let before = state else { return system.next() }
      let next = before &+ 0x9e37_79b9_7f4a_7c15
      state = next
      var value = (next ^ (next >> 30)) &* 0xbf58_476d_1ce4_e5b9
      value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
      return value ^ (value >> 31)
    }
  }

  /// - Throws: a `UsageError` or `FormatError` for what can't be meant.
  init(_ invocation: Invocation, _ spool: Spool, _ to: [String]) throws {
    self.spool = spool
    asked = to
    // A bot that is called any is meant by its name.
    let isBot = try to.contains("any") && spool.exists(BotName(parsing: "any"))
    let isRoute = { (name: String) in RouteAddress.isOne(name) && !(name == "any" && isBot) }
    addresses = try to.filter(isRoute).map { try RouteAddress(parsing: $0) }
    named = to.filter { !isRoute($0) }
    attention = try invocation.number("--attention", in: 1...Message.recipientsMax)
    explains = invocation.has("--explain")
    rule.threshold = try invocation.share("--threshold") ?? rule.threshold
    rule.exploration = try invocation.share("--explore") ?? rule.exploration
    random = Source(seed: try invocation.number("--seed", in: 0...Int.max).map { UInt64($0) })
    if attention != nil, !addresses.isEmpty {
      throw UsageError("--attention chooses among several, and any: is one already")
    }
    if explains, addresses.isEmpty, attention == nil { throw UsageError("--explain is about any: and --attention") }
    for option in ["--threshold", "--explore", "--seed"] where invocation.has(option) && addresses.isEmpty {
      throw UsageError("\(option) is about any:, and \(to.joined(separator: ",")) is named")
    }
  }

  /// Puts those who were chosen among the recipients. Nothing is changed when there is nobody.
  func apply(to message: inout Message) throws {
    guard !addresses.isEmpty || attention != nil || explains else { return }
    var router = try Router(spool)
    router.rule = rule
    try router.refresh()
    for address in addresses {
      let choice = try router.choose(address, from: message.from, random: &random)
      let scores = explains ? router.team.scores(address.needs, from: message.from, rule: rule) : []
      choices.append((address, choice, scores))
    }
    if !addresses.isEmpty {
      message.to = named + choices.map(\.choice.bot.description)
      message.note(askedFor: asked.joined(separator: ","))
    }
    if attention != nil { try attend(&message, router) }
    if explains { explain() }
  }

  private func attend(_ message: inout Message, _ router: Router) throws {
    let analysis = RequestAnalysis.analyse(message.content ?? "", try VocabularyFile.read(spool))
    attended = try router.attention(on: message, domains: Set(analysis.domains))
    let chosen = attended.prefix(attention!)
    // The same message, whether one of many gets it or all do.
    message.type = message.type ?? .broadcast
    message.to = chosen.map(\.bot.description)
    message.note(askedFor: asked.joined(separator: ","))
    let left = attended.dropFirst(attention!)
    let names = left.prefix(20).map { "\($0.bot) \(Output.decimals($0.score))" }.joined(separator: ", ")
    let rest = left.count > 20 ? " and \(left.count - 20) more" : ""
    Output.talk(
      "to \(message.to.prefix(20).joined(separator: ", ")); "
        + (left.isEmpty ? "nobody was left out" : "left out: \(names)\(rest)"))
  }

  private func explain() {
    for (address, choice, scores) in choices {
      let shown = String(address.description.prefix(80)).escapedForTerminal()
      let how = choice.isExploring ? ", to see how it does (not the best)" : ""
      Output.talk("\(shown): \(choice.bot), \(Output.decimals(choice.score))\(how)")
      let rows = scores.map { score in
        [score.bot.description, Output.decimals(score.total)] + score.parts.map { Output.decimals($0.value) }
          + [(score.remark ?? "").escapedForTerminal()]
      }
      let weights = scores.first?.parts.map { "\($0.name.uppercased())×\(Output.decimals($0.weight))" } ?? []
      Output.talk(Output.lines(["BOT", "SCORE"] + weights + [""], rows).joined(separator: "\n"))
    }
    guard !attended.isEmpty else { return }
    let rows = attended.map { entry in
      [
        entry.bot.description, Output.decimals(entry.score), Output.decimals(entry.reward),
        Output.decimals(entry.relevance),
        (entry.deafness.map { $0 + "; " } ?? "") + entry.reason.escapedForTerminal(),
      ]
    }
    Output.talk(
      Output.lines(["BOT", "ATTENTION", "REWARD×0.50", "RELEVANCE×0.50", "BECAUSE"], rows).joined(separator: "\n"))
  }

  /// Members beside the id: who it went to, where that was chosen.
  func write(to writer: inout JSONWriter) {
    guard !choices.isEmpty || !attended.isEmpty else { return }
    let chosen = choices.map(\.choice.bot.description)
    writer.member("to", attended.isEmpty ? named + chosen : attended.prefix(attention ?? 0).map(\.bot.description))
    if attention != nil { writer.member("left_out", attended.dropFirst(attention!).map(\.bot.description)) }
    guard !choices.isEmpty else { return }
    writer.key("routes")
    writer.beginArray()
    for (address, choice, scores) in choices {
      writer.beginObject()
      writer.member("asked_for", address.description)
      writer.member("bot", choice.bot.description)
      writer.member("score", Output.rounded(choice.score))
      writer.member("exploring", choice.isExploring)
      if explains {
        writer.key("candidates")
        writer.beginArray()
        for score in scores { Self.write(score, to: &writer) }
        writer.endArray()
      }
      writer.endObject()
    }
    writer.endArray()
  }

  private static func write(_ score: RouteScore, to writer: inout JSONWriter) {
    writer.beginObject()
    writer.member("bot", score.bot.description)
    writer.member("score", Output.rounded(score.total))
    writer.member("passed_over", ifPresent: score.passedOver)
    for part in score.parts {
      writer.key(part.name)
      writer.double(Output.rounded(part.value))
    }
    writer.endObject()
  }
}

extension Invocation {
  /// From 0 to 1.
  func share(_ name: String) throws(UsageError) -> Double? {
    guard let text = value(name) else { return nil }
    guard let share = Double(text), 0...1 ~= share else {
      throw UsageError("\(name) \(text.escapedForTerminal()) is not a share from 0 to 1")
    }
    return share
  }
}
