/// What a bot or a person said, in words: lower case, without punctuation, its contractions written out, so that every
/// `not` stands by itself.
struct Spoken {
  struct Word {
    let text: String
    /// A comma, a full stop or the like stands before it.
    let isAfterBreak: Bool
    /// Counted from 0.
    let sentence: Int
  }

  private(set) var words: [Word] = []
  /// Sentences that end as questions.
  private(set) var questions: Set<Int> = []

  /// - Parameter charactersMax: of the text those that are looked at; what somebody is for stands at the beginning.
  init(_ text: String, charactersMax: Int = 400) {
    var word = ""
    var sentence = 0
    var isAfterBreak = false
    func flush(_ words: inout [Word]) {
      for part in Self.writtenOut(word) {
        words.append(Word(text: part, isAfterBreak: isAfterBreak, sentence: sentence))
        isAfterBreak = false
      }
      word = ""
    }
    let characters = Array(text.prefix(charactersMax).lowercased().replacing("\u{2019}", with: "'"))
    for (index, character) in characters.enumerated() {
      let next = index + 1 < characters.count ? characters[index + 1] : " "
      // `node.js` and `1,000` are words.
      let isInside = !word.isEmpty && ".,:".contains(character) && (next.isLetter || next.isNumber)
      if character.isLetter || character.isNumber || "+-'".contains(character) || isInside {
        word.append(character)
        continue
      }
      flush(&words)
      guard !character.isWhitespace || character.isNewline else { continue }
      isAfterBreak = isAfterBreak || !"/\"`*_".contains(character)
      guard ".!?\n".contains(character), words.last?.sentence == sentence else { continue }
      if character == "?" { questions.insert(sentence) }
      sentence += 1
    }
    flush(&words)
  }

  private static let contractions = [
    "can't": ["can", "not"], "cannot": ["can", "not"], "won't": ["will", "not"], "ain't": ["is", "not"],
    "let's": ["let's"],
  ]
  private static let endings = ["'m": "am", "'d": "would", "'re": "are", "'ll": "will", "'ve": "have", "'s": "is"]

  private static func writtenOut(_ word: String) -> [String] {
    let text = String(word.drop { $0 == "'" })
    if let parts = contractions[text] { return parts }
    if text.hasSuffix("n't") { return [String(text.dropLast(3)), "not"] }
    for (ending, full) in endings where text.hasSuffix(ending) && text.count > ending.count {
      return [String(text.dropLast(ending.count)), full]
    }
    return text.contains { $0.isLetter || $0.isNumber } ? [text] : []
  }

  /// The words of its questions; all, if it has none.
  var asked: [Word] { questions.isEmpty ? words : words.filter { questions.contains($0.sentence) } }

  /// Whether a clause ends before this place: nothing is there, or it stands after a break.
  func ends(_ place: Int) -> Bool { place >= words.count || words[place].isAfterBreak }

  /// The words from a place on to the end of its clause.
  func clause(_ place: Int) -> [String] {
    guard place < words.count else { return [] }
    let rest = words[place...].enumerated().prefix { $0.offset == 0 || !$0.element.isAfterBreak }
    return rest.map(\.element.text)
  }

  /// A basic form: `migrate`, `migrating` and `migration` have the same.
  static func stem(_ word: String) -> String {
    for ending in ["ing", "ion", "ed", "es", "s", "e"] where word.hasSuffix(ending) && word.count >= ending.count + 2 {
      return String(word.dropLast(ending.count))
    }
    return word
  }
}
