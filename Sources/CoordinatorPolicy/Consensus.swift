import SpoolFormat

/// What a team answered to a question: who holds which position, and whether they agree.
///
/// A position is what an answer's data has under `position`, else what its first words say: yes or no and their like are for
/// and against, words of doubt abstain; where the question is whether this *or* that, one of the two words beside the `or`.
/// An answer that says none of these counts as its own position only when its data names one; else it is heard, and counted
/// as unclear.
public struct Consensus: Sendable {
  public struct Answer: Sendable, Hashable {
    public let bot: String
    public let text: String
    /// Any JSON; of an object the `position` counts.
    public let data: JSONText?

    public init(bot: String, text: String, data: JSONText? = nil) {
      self.bot = bot
      self.text = text
      self.data = data
    }
  }

  /// Those who say the same.
  public struct Camp: Sendable, Hashable {
    /// `for`, `against`, `abstain`, `unclear`, or what they named.
    public let position: String
    public let answers: [Answer]
  }

  public enum Agreement: String, Sendable {
    /// All who took a position took the same, and nobody is of two minds.
    case unanimous
    /// More than half of those who took a position.
    case majority
    /// No position has more than half.
    case split
    /// Nobody took a position.
    case none
  }

  public let question: String
  /// The largest first, and of equals in the order of the alphabet; those without a position at the end.
  public let camps: [Camp]
  /// Those who were asked and did not answer.
  public let silent: [String]
  public let agreement: Agreement
  /// What the largest camp holds; nil when none is the largest.
  public let position: String?
  /// The part of those who took a position that holds it, from 0 to 1.
  public let share: Double

  public init(question: String, answers: [Answer], silent: [String] = []) {
    self.question = question
    self.silent = silent
    let choice = Self.choice(question)
    let grouped = Dictionary(grouping: answers) { Self.position(of: $0, choice) }
    let isPosition = { (name: String) in name != Self.abstain && name != Self.unclear }
    camps = grouped.map { Camp(position: $0.key, answers: $0.value.sorted { $0.bot < $1.bot }) }.sorted {
      (isPosition($0.position) ? 0 : 1, -$0.answers.count, $0.position)
        < (isPosition($1.position) ? 0 : 1, -$1.answers.count, $1.position)
    }
    let held = camps.filter { isPosition($0.position) }
    let voters = held.reduce(0) { $0 + $1.answers.count }
    guard let first = held.first else {
      (agreement, position, share) = (.none, nil, 0)
      return
    }
    share = Double(first.answers.count) / Double(voters)
    let isTied = held.count > 1 && held[1].answers.count == first.answers.count
    position = isTied ? nil : first.position
    agreement = isTied || share <= 0.5 ? .split : held.count == 1 && camps.count == 1 ? .unanimous : .majority
  }

  static let abstain = "abstain"
  static let unclear = "unclear"

  /// Bytes of a position that an answer names itself.
  private static let positionBytesMax = 200

  // MARK: What an answer says

  static func position(of answer: Answer, _ choice: [String] = []) -> String {
    if let named = answer.data?.value["position"]?.string {
      let text = normal(named)
      if let chosen = chosen(text, choice) { return chosen }
      if !text.isEmpty { return word(text.split(separator: " ").first.map(String.init) ?? text, whole: text) ?? text }
    }
    let text = normal(String(answer.text.prefix(400)))
    return chosen(text, choice) ?? leading(text) ?? unclear
  }

  /// The two words beside the `or` of a question such as `Postgres or MySQL?`; empty when it has none, or asks `or not`.
  static func choice(_ question: String) -> [String] {
    let words = normal(question).split(separator: " ").map(String.init)
    guard let place = words.firstIndex(of: "or"), place > 0 else { return [] }
    let second = words[(place + 1)...].first { !articles.contains($0) }
    guard let second, second != "not", word(second, whole: nil) == nil, second != words[place - 1] else { return [] }
    return [words[place - 1], second]
  }

  private static func chosen(_ text: String, _ choice: [String]) -> String? {
    guard choice.count == 2 else { return nil }
    var isAgainst = false
    for name in text.split(separator: " ").prefix(8).map(String.init) {
      if let place = choice.firstIndex(of: name) { return choice[isAgainst ? 1 - place : place] }
      if ["against", "not", "don't", "never", "oppose", "reject"].contains(name) { isAgainst = true; continue }
      guard forWords.contains(name) || fillers.contains(name) || choosing.contains(name) else { return nil }
    }
    return nil
  }

  private static func normal(_ text: String) -> String {
    let words = text.lowercased().replacing("\u{2019}", with: "'").split {
      !$0.isLetter && !$0.isNumber && $0 != "+" && $0 != "-" && $0 != "'"
    }
    return String(words.joined(separator: " ").prefix(positionBytesMax))
  }

  private static let forWords: Set<String> = [
    "yes", "yeah", "yep", "aye", "agree", "agreed", "support", "approve", "approved", "for", "pro", "+1", "sure",
    "definitely", "absolutely", "certainly", "accept", "favor", "favour", "ja", "oui", "si", "sí",
  ]
  private static let againstWords: Set<String> = [
    "no", "nope", "nay", "disagree", "oppose", "opposed", "reject", "rejected", "against", "contra", "-1", "never",
    "object", "nein", "non", "don't", "not",
  ]
  private static let abstainWords: Set<String> = [
    "abstain", "abstaining", "neutral", "unsure", "undecided", "maybe", "perhaps", "depends", "unclear",
  ]
  /// Words before the one that says it: `I would strongly support`, `we are against`.
  private static let fillers: Set<String> = [
    "i", "i'm", "i'd", "we", "we'd", "we're", "am", "are", "is", "it", "it's", "would", "will", "strongly", "fully",
    "my", "position", "vote", "answer", "in", "a", "clear", "definite", "to", "on", "the", "this", "that", "be", "say",
    "think", "answer:", "the answer", "well", "so", "personally", "from", "me",
  ]

  private static let articles: Set<String> = ["a", "an", "the", "to"]
  /// Words before what is chosen: `let's go with Postgres`.
  private static let choosing: Set<String> = [
    "choose", "prefer", "take", "use", "go", "with", "pick", "let's", "do", "of",
  ]
  /// What nobody has who says so: `no idea`, `no objection`, `not sure`.
  private static let lacked = [
    "idea": abstain, "opinion": abstain, "preference": abstain, "sure": abstain, "certain": abstain, "know": abstain,
    "objection": "for", "objections": "for", "problem": "for", "doubt": "for",
  ]

  /// The side that the words at the beginning of a text take; nil when they take none.
  private static func leading(_ text: String) -> String? {
    let words = text.split(separator: " ").map(String.init)
    for (index, name) in words.prefix(8).enumerated() {
      if let side = word(name, whole: nil) {
        let next = index + 1 < words.count ? words[index + 1] : ""
        if ["no", "not", "don't"].contains(name), let side = lacked[next] { return side }
        // `I do not agree`, `not against it`.
        if name == "not" || name == "don't", let next = word(next, whole: nil) {
          return next == "for" ? "against" : next == "against" ? "for" : next
        }
        return side
      }
      guard fillers.contains(name) || name == "do" else { return nil }
    }
    return nil
  }

  private static func word(_ name: String, whole: String?) -> String? {
    // A named position of several words is its own, unless it is one of ours with a reason behind it.
    if let whole, whole != name, !forWords.contains(name), !againstWords.contains(name) { return nil }
    if let whole, whole.split(separator: " ").count > 3 { return nil }
    if forWords.contains(name) { return "for" }
    if againstWords.contains(name) { return "against" }
    if abstainWords.contains(name) { return abstain }
    return nil
  }

  // MARK: Telling

  /// The outcome, and who said what, for people.
  public var text: String {
    var lines: [String] = []
    let voters = camps.filter { $0.position != Self.abstain && $0.position != Self.unclear }
    let count = voters.reduce(0) { $0 + $1.answers.count }
    switch agreement {
    case .none: lines.append("No consensus: nobody took a position.")
    case .split: lines.append("No consensus: the team is split.")
    case .majority, .unanimous:
      let held = Int((share * Double(count)).rounded())
      lines.append("Consensus: \(position ?? "") (\(agreement.rawValue), \(held) of \(count)).")
    }
    for camp in camps {
      lines.append("")
      let name = camp.position.prefix(1).uppercased() + camp.position.dropFirst()
      lines.append("\(name) (\(camp.answers.count)): \(camp.answers.map(\.bot).joined(separator: ", "))")
      for answer in camp.answers { lines.append("- \(answer.bot): \(Self.excerpt(answer))") }
    }
    if !silent.isEmpty {
      lines.append("")
      lines.append("No answer from: \(silent.sorted().joined(separator: ", "))")
    }
    return lines.joined(separator: "\n")
  }

  private static let excerptCharacters = 500

  private static func excerpt(_ answer: Answer) -> String {
    let says = answer.text.isEmpty ? answer.data?.description ?? "" : answer.text
    let line = says.split(whereSeparator: \.isNewline).joined(separator: " ")
    return line.count > excerptCharacters ? line.prefix(excerptCharacters - 1) + "…" : line
  }

  public func write(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.member("question", question)
    writer.member("consensus", agreement.rawValue)
    writer.member("position", ifPresent: position)
    writer.member("share", (share * 1000).rounded() / 1000)
    writer.key("positions")
    writer.beginArray()
    for camp in camps {
      writer.beginObject()
      writer.member("position", camp.position)
      writer.member("count", camp.answers.count)
      writer.member("bots", camp.answers.map(\.bot))
      writer.key("answers")
      writer.beginArray()
      for answer in camp.answers {
        writer.beginObject()
        writer.member("bot", answer.bot)
        writer.member("text", answer.text)
        writer.member("data", ifPresent: answer.data)
        writer.endObject()
      }
      writer.endArray()
      writer.endObject()
    }
    writer.endArray()
    writer.member("silent", silent.sorted())
    writer.endObject()
  }
}
