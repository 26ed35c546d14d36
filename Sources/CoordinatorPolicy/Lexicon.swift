/// A vocabulary made ready for looking up: which of its words and phrases stand where in a text.
struct Lexicon: Sendable {
  enum Meaning: Sendable, Hashable {
    /// By its place in the vocabulary.
    case action(Int)
    case verb(Int)
    case thing(Int)
    case implication(Int)
    case cue(Vocabulary.Cue)

    var isOfDomain: Bool {
      switch self {
      case .action, .verb, .thing: true
      case .implication, .cue: false
      }
    }
  }

  struct Phrase: Sendable {
    let words: [String]
    var meanings: [Meaning]
  }

  struct Match: Sendable {
    /// Of its first token.
    let position: Int
    let count: Int
    let meaning: Meaning
    let text: String
  }

  /// Words that a phrase may have.
  static let phraseWordsMax = 6

  /// The basic words that a word may be a form of.
  private var bases: [String: [String]] = [:]
  /// By their first word, the longest first.
  private var phrases: [String: [Phrase]] = [:]

  init(_ vocabulary: Vocabulary) {
    for (index, domain) in vocabulary.domains.enumerated() {
      for text in domain.actions { add(text, .action(index)) }
      for text in domain.verbs { add(text, .verb(index)) }
      for text in domain.things { add(text, .thing(index)) }
    }
    for (index, implication) in vocabulary.implications.enumerated() {
      for text in implication.words { add(text, .implication(index)) }
    }
    for (cue, texts) in vocabulary.cues { for text in texts { add(text, .cue(cue)) } }
    for key in phrases.keys {
      phrases[key]!.sort {
        $0.words.count != $1.words.count
          ? $0.words.count > $1.words.count : $0.words.lexicographicallyPrecedes($1.words)
      }
    }
  }

  private mutating func add(_ text: String, _ meaning: Meaning) {
    let words = Tokens.words(text)
    guard let first = words.first else { return }
    for word in words {
      for form in Self.forms(of: word) where !(bases[form]?.contains(word) ?? false) {
        bases[form, default: []].append(word)
      }
    }
    if let index = phrases[first]?.firstIndex(where: { $0.words == words }) {
      if !phrases[first]![index].meanings.contains(meaning) { phrases[first]![index].meanings.append(meaning) }
    } else {
      phrases[first, default: []].append(Phrase(words: words, meanings: [meaning]))
    }
  }

  /// A word with the endings that English gives to verbs and nouns.
  static func forms(of word: String) -> [String] {
    guard word.utf8.count > 2, word.utf8.allSatisfy({ 97...122 ~= $0 }) else { return [word] }
    var forms = [word, word + "s", word + "es", word + "ed", word + "ing", word + "ings"]
    let stem = String(word.dropLast())
    switch word.last {
    case "e": forms += [word + "d", stem + "ing", stem + "ings"]
    case "y": forms += [stem + "ies", stem + "ied"]
    case let last? where !"aeiouwxy".contains(last) && "aeiou".contains(stem.last ?? "x"):
      forms += ["\(word)\(last)ed", "\(word)\(last)ing"]
    default: break
    }
    return forms
  }

  /// What stands in a text, in its order. A phrase hides the shorter ones within it as far as domains go: `mobile app`
  /// isn't also an `app`.
  func matches(in tokens: Tokens) -> [Match] {
    let words = tokens.all.map { bases[$0.word] ?? [] }
    var matches: [Match] = []
    var hiddenUpTo = 0
    for position in words.indices {
      var domainCount = 0
      for base in words[position] {
        for phrase in phrases[base] ?? [] where fits(phrase, at: position, words, tokens) {
          let count = phrase.words.count
          for meaning in phrase.meanings {
            if meaning.isOfDomain {
              guard position >= hiddenUpTo, domainCount == 0 || domainCount == count else { continue }
              domainCount = count
            }
            matches.append(
              Match(position: position, count: count, meaning: meaning, text: phrase.words.joined(separator: " ")))
          }
        }
      }
      hiddenUpTo = max(hiddenUpTo, position + domainCount)
    }
    return matches
  }

  private func fits(_ phrase: Phrase, at position: Int, _ words: [[String]], _ tokens: Tokens) -> Bool {
    guard position + phrase.words.count <= words.count else { return false }
    for (offset, word) in phrase.words.enumerated() {
      let place = position + offset
      guard words[place].contains(word), tokens.all[place].sentence == tokens.all[position].sentence else {
        return false
      }
    }
    return true
  }
}
