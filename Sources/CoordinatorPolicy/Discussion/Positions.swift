import SpoolFormat

/// What the answers to one question say: the position of each.
struct Positions {
  private let question: Spoken
  private let alternatives: Alternatives
  /// Asks what, which, who or how: what is said in answer to it is no yes or no.
  private let isOpen: Bool

  /// A question may have its story told before it.
  private static let questionCharactersMax = 10_000
  /// Bytes of a position that an answer names itself.
  private static let bytesMax = 200

  init(_ question: String) {
    self.question = Spoken(question, charactersMax: Self.questionCharactersMax)
    alternatives = Alternatives(of: question)
    // `Should we migrate, and how?` asks for a yes or no first.
    let first = self.question.asked.first { Self.asking.contains($0.text) || Self.deciding.contains($0.text) }
    isOpen = alternatives.options.isEmpty && first.map { Self.asking.contains($0.text) } == true
  }

  /// The position of each answer, in their order.
  func of(_ answers: [Consensus.Answer]) -> [String] {
    let told = answers.map(position)
    guard isOpen else { return told.map { $0 ?? Consensus.unclear } }
    // A phrase that two begin with is what they are for; one alone may be the beginning of anything.
    let phrases = zip(told, answers).map { $0 ?? phrase(Spoken($1.text)) }
    let counts = Dictionary(phrases.compactMap { $0 }.map { ($0, 1) }, uniquingKeysWith: +)
    return zip(told, phrases).map { position, phrase in
      position ?? phrase.flatMap { counts[$0]! > 1 ? $0 : nil } ?? Consensus.unclear
    }
  }

  /// `for`, `against`, `abstain`, or what the answer names; nil when that isn't clear.
  private func position(_ answer: Consensus.Answer) -> String? {
    if let named = answer.data?.value["position"]?.string {
      let spoken = Spoken(named)
      let text = spoken.words.map(\.text).joined(separator: " ")
      if !text.isEmpty { return position(spoken) ?? String(text.prefix(Self.bytesMax)) }
    }
    return position(Spoken(answer.text))
  }

  private func position(_ spoken: Spoken) -> String? {
    if let chosen = alternatives.chosen(by: spoken) { return chosen }
    // Where it isn't a yes or no that is asked for, its words say nothing for or against it.
    let isPlain = isOpen || !alternatives.options.isEmpty
    return Stance.side(of: spoken, to: isPlain ? nil : question)?.rawValue
  }

  // MARK: Open questions

  private static let phraseWordsMax = 3

  /// The short phrase that an answer begins with: `Postgres. It is best`, `I would use Postgres, because …`
  private func phrase(_ answer: Spoken) -> String? {
    let clause = answer.clause(0).prefix { !Self.ending.contains($0) }
    guard !clause.contains(where: { StanceWords.nots.contains($0) || StanceWords.no.contains($0) }) else { return nil }
    var words = Array(clause)
    // `The capital is Paris`
    if let place = words.lastIndex(where: { ["is", "are"].contains($0) }) {
      let after = words[(place + 1)...]
      words = after.contains { StanceWords.praise[$0] != nil || $0 == "best" } ? Array(words[..<place]) : Array(after)
    }
    let said = words.drop { StanceWords.fillers.contains($0) || Self.leading.contains($0) }
    return (1...Self.phraseWordsMax).contains(said.count) ? said.joined(separator: " ") : nil
  }

  private static let asking: Set = ["what", "which", "who", "whom", "whose", "where", "when", "why", "how"]
  private static let deciding: Set = ["should", "shall", "do", "does", "is", "are", "would", "will", "can", "could"]
  private static let ending: Set = [
    "because", "since", "as", "if", "but", "though", "although", "which", "that", "due",
  ]
  private static let leading: Set = [
    "use", "choose", "take", "pick", "prefer", "with", "for", "let's", "should", "definitely", "recommend", "suggest",
  ]
}
