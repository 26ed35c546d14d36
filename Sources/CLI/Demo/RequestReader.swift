/// What a request in plain English says about a password, before anything is decided. It knows phrases and no
/// grammar; numbers and bans that it doesn't understand go into `notes`, so that nothing asked is dropped in silence.
struct RequestReader {
  private(set) var isPIN = false
  private(set) var isPassphrase = false
  private(set) var isHex = false
  /// In characters.
  private(set) var length: Int?
  private(set) var words: Int?
  /// "letters only": nothing else may be used.
  private(set) var only: Set<CharacterClass>?
  /// "alphanumeric": nothing else, unless it is asked for as well.
  private(set) var base: Set<CharacterClass>?
  /// Of each of these sets at least one class is asked for ("letters" is upper or lower).
  private(set) var demanded: [Set<CharacterClass>] = []
  private(set) var excluded: Set<CharacterClass> = []
  private(set) var avoidsLookAlikes = false
  /// Only passphrases have spaces.
  private(set) var forbidsSpaces = false
  /// The words that ask for more strength than usual.
  private(set) var sensitiveWords: [String] = []
  private(set) var purpose = ""
  private(set) var notes: [String] = []

  private let request: String
  private let tokens: [RequestToken]
  /// Numbers and bans that were understood.
  private var usedTokens: Set<Int> = []
  /// Class words that a count made the only ones, as in "12 lowercase letters".
  private var countedTokens: Set<Int> = []

  /// More than anyone says about one password.
  static let requestCharactersMax = 2000
  static let purposeCharactersMax = 80

  init(_ request: String) throws(PasswordError) {
    self.request = String(request.prefix(Self.requestCharactersMax))
    tokens = RequestToken.tokens(of: self.request)
    if self.request != request { notes.append("only the first \(Self.requestCharactersMax) characters were read") }
    if !tokens.contains(where: { $0.word != "," }) { notes.append("the request says nothing: all is as usual") }
    readKind()
    try readNumbers()
    try readClasses()
    readPurpose()
    noteWhatWasNotUnderstood()
  }

  /// The word at a place; empty beyond both ends.
  private func word(_ index: Int) -> String { tokens.indices.contains(index) ? tokens[index].word : "" }

  /// The request's own text from one token to another, safe to show: control characters are left out.
  private func text(_ range: Range<Int>) -> String {
    guard let first = range.first, let last = range.last else { return "" }
    let part = request[tokens[first].range.lowerBound..<tokens[last].range.upperBound]
    let shown = part.unicodeScalars.filter { ![.control, .format].contains($0.properties.generalCategory) }
    return String(String(shown).prefix(Self.purposeCharactersMax))
  }

  private mutating func readKind() {
    let memorable: Set = ["memorable", "remember", "passphrase", "passphrases", "diceware"]
    let sensitive: Set = [
      "bank", "banking", "admin", "administrator", "server", "root", "production", "database", "vault", "master",
      "strong", "secure",
    ]
    for index in tokens.indices {
      let word = word(index)
      if ["pin", "pins"].contains(word) { isPIN = true }
      if memorable.contains(word) || word == "pass" && self.word(index + 1) == "phrase" { isPassphrase = true }
      if ["hex", "hexadecimal"].contains(word) { isHex = true }
      if word == "unambiguous" { avoidsLookAlikes = true }
      let ban = (index - 3..<index).last { Self.excluding.contains(self.word($0)) }
      if let ban, ["space", "spaces"].contains(word) {
        forbidsSpaces = true
        usedTokens.insert(ban)
      }
      if sensitive.contains(word), !sensitiveWords.contains(word) { sensitiveWords.append(word) }
    }
  }
}

/// Numbers.
extension RequestReader {
  private static let units: Set = [
    "character", "characters", "char", "chars", "long", "word", "words", "digit", "digits", "number", "numbers",
    "letter",
    "letters",
  ]
  private static let clauseStarts: Set = [
    "", ",", "#", "of", "for", "with", "without", "no", "and", "that", "in", "using", "please",
  ]

  private mutating func readNumbers() throws(PasswordError) {
    var counts: [ClosedRange<Int>] = []
    for index in tokens.indices where word(index) == "#" {
      var unit = index + 1
      // "16 or more random characters"
      while unit < index + 4, !Self.units.contains(word(unit)), !Self.clauseStarts.contains(word(unit)) { unit += 1 }
      switch word(unit) {
      case "word", "words":
        isPassphrase = true
        try set(\.words, at: index)
      case "long" where unit > index + 1: break
      case "character", "characters", "char", "chars", "long": try set(\.length, at: index)
      case "digit", "digits", "number", "numbers", "letter", "letters":
        if isHex || word(unit + 1) == "long" && !isPIN {
          try set(\.length, at: index)
        } else {
          counts.append(index...unit)
        }
      default:
        if isNamed(index) { try set(isPassphrase && !isPIN ? \.words : \.length, at: index) }
      }
    }
    // "12 digits" is the length and the only class when nothing else gives a length, else a class to have.
    let isLength = isPIN || !isPassphrase && length == nil && counts.count == 1
    for count in counts {
      let index = count.lowerBound
      let isDemand = ["least", "include", "including", "contain", "containing"].contains(word(index - 1))
      if isPIN || isLength && !isDemand && tokens[index].number >= PasswordPlan.lengthBounds.lowerBound {
        try set(\.length, at: index)
        countedTokens.formUnion(count)
      } else {
        usedTokens.insert(index)
        if tokens[index].number > 1 { notes.append("\"\(text(Range(count)))\" is read as at least one") }
      }
    }
  }

  private mutating func set(_ what: WritableKeyPath<Self, Int?>, at index: Int) throws(PasswordError) {
    var number = tokens[index].number
    let isMore = ["more", "longer"].contains(word(index - 2)) && word(index - 1) == "than"
    if isMore, !["no", "not"].contains(word(index - 3)) { number += 1 }
    // "8 to 16" and "8-16": the first bound belongs to the range.
    let first = word(index - 1) == "#" ? index - 1 : index - 2
    if word(first) == "#", ["#", "to", "and", "or"].contains(word(index - 1)), !usedTokens.contains(first) {
      usedTokens.insert(first)
      notes.append("of \(tokens[first].number) to \(number), the last is taken")
    }
    usedTokens.insert(index)
    if let before = self[keyPath: what], before != number {
      throw PasswordError(message: "the request has two lengths, \(before) and \(number)", hint: "Give one of them")
    }
    self[keyPath: what] = number
  }

  /// Whether a number without a unit is a length: "length 24", "a password of 20", "a length of at least 12".
  private func isNamed(_ index: Int) -> Bool {
    let fillers: Set = ["about", "exactly", "is", "at", "least", "most"]
    var before = index - 1
    while fillers.contains(word(before)) { before -= 1 }
    let name = word(before) == "of" ? word(before - 1) : word(before)
    if ["length", "size"].contains(name) || word(index + 1) == "in" && word(index + 2) == "length" { return true }
    return ["of", "password", "pin", "passphrase"].contains(word(before)) && Self.clauseStarts.contains(word(index + 1))
  }
}

/// Character classes.
extension RequestReader {
  /// The empty set stands for look-alikes.
  private static let classWords: [String: Set<CharacterClass>] = {
    var words: [String: Set<CharacterClass>] = [:]
    for word in ["lowercase", "lower"] { words[word] = [.lower] }
    for word in ["uppercase", "upper", "capital", "capitals", "caps"] { words[word] = [.upper] }
    for word in ["letter", "letters", "alphabetic", "mixed"] { words[word] = [.lower, .upper] }
    for word in ["digit", "digits", "number", "numbers", "numeric", "numerals"] { words[word] = [.digits] }
    for word in ["symbol", "symbols", "special", "specials", "punctuation"] { words[word] = [.symbols] }
    words["alphanumeric"] = [.lower, .upper, .digits]
    for word in ["ambiguous", "lookalike", "lookalikes", "alike", "alikes", "similar", "confusing"] { words[word] = [] }
    return words
  }()
  private static let excluding: Set = [
    "no", "not", "without", "excluding", "exclude", "avoid", "avoiding", "dont", "never", "omit", "except", "cannot",
  ]
  private static let requiring: Set = [
    "with", "include", "including", "must", "need", "needs", "contain", "contains", "containing", "have", "has",
    "having", "plus", "use", "using", "add", "least",
  ]
  private static let conjunctions: Set = ["and", "or", "nor"]
  private static let caseClasses: Set<CharacterClass> = [.lower, .upper]

  private enum Mode { case excluded, only, required }

  /// The class words of one list, such as "symbols, digits or look-alikes".
  private struct Group {
    var items: [(classes: Set<CharacterClass>, isAfterComma: Bool)] = []
    var end: Int
    var endsInConjunction = false
  }

  private mutating func readClasses() throws(PasswordError) {
    var index = 0
    while index < tokens.count {
      guard isClassWord(index) else {
        index += 1
        continue
      }
      let group = group(from: index)
      let before = mode(before: index)
      let after = countedTokens.contains(index) ? .only : mode(after: group.end)
      // A ban ends at the comma in "no symbols, lowercase only" and "no symbols, digits",
      // but not in "no capitals, digits or symbols".
      let endsAtComma = before == .excluded && (after == .only || !group.endsInConjunction)
      if after == .excluded { usedTokens.formUnion(group.end..<group.end + 3) }
      let comma = group.items.firstIndex(where: \.isAfterComma)
      let cut = endsAtComma ? comma ?? group.items.count : group.items.count
      try apply(before == .excluded ? before : after ?? before, group.items[..<cut].map(\.classes))
      try apply(after ?? .required, group.items[cut...].map(\.classes))
      index = group.end
    }
  }

  private func isClassWord(_ index: Int) -> Bool {
    guard Self.classWords[word(index)] != nil, !["hex", "hexadecimal"].contains(word(index - 1)) else { return false }
    switch word(index) {
    case "special": return ["no", "without"].contains(word(index - 1)) || word(index + 1).hasPrefix("char")
    case "mixed": return word(index + 1) == "case"
    case "number": return word(index + 1) != "of"
    default: return true
    }
  }

  private func group(from start: Int) -> Group {
    let fillers: Set = ["case", "character", "characters", "char", "chars", "any", "a", "an", "the", "look"]
    var group = Group(end: start)
    var separator = ""
    for index in start..<tokens.count {
      let word = word(index)
      if isClassWord(index) {
        // In "lowercase letters" and "upper and lower case letters" the case is already said.
        let repeatsCase = separator.isEmpty && group.items.last?.classes.isSubset(of: Self.caseClasses) == true
        if !repeatsCase || Self.classWords[word] != Self.caseClasses {
          group.items.append((Self.classWords[word] ?? [], separator.contains(",")))
        }
        group.endsInConjunction = !separator.isEmpty && separator != ","
        group.end = index + 1
        separator = ""
      } else if word == "," || Self.conjunctions.contains(word) {
        separator += word
      } else if !fillers.contains(word), word != "#" || tokens[index].number != 1 {
        break
      }
    }
    return group
  }

  /// What the words before a list say about it. A ban anywhere in the clause wins ("must not include").
  private mutating func mode(before start: Int) -> Mode {
    var mode = Mode.required
    if ["all", "in"].contains(word(start - 1)) { mode = .only }
    for index in stride(from: start - 1, to: max(start - 6, -1), by: -1) {
      let word = word(index)
      if word == "not", self.word(index + 1) == "only" { return .required }
      if Self.excluding.contains(word)
        || word == "but" && ["all", "anything", "everything"].contains(self.word(index - 1))
      {
        usedTokens.insert(index)
        return .excluded
      }
      if ["only", "just"].contains(word) { mode = .only }
      let isConjunction = Self.conjunctions.contains(word) && index < start - 1
      if isConjunction || [",", "but", "with", "for"].contains(word) || isClassWord(index) { break }
      if word == "#" && tokens[index].number != 1 { break }
      // "no spaces and use symbols": the verb starts a clause of its own.
      if Self.requiring.contains(word), Self.conjunctions.contains(self.word(index - 1)) { break }
    }
    return mode
  }

  /// What the words after a list say about it, if anything.
  private func mode(after end: Int) -> Mode? {
    let fillers: Set = ["character", "characters", "char", "chars", "case", "are", "is"]
    let nouns: Set = ["password", "passphrase", "code", "string", "key", "token"]
    let index = (end...).first { !fillers.contains(word($0)) } ?? end
    if ["only", "alone"].contains(word(index)) || nouns.contains(word(index)) && index == end { return .only }
    return ["free", "excluded", "forbidden", "not", "arent"].contains(word(index)) ? .excluded : nil
  }

  private mutating func apply(_ mode: Mode, _ items: [Set<CharacterClass>]) throws(PasswordError) {
    if mode == .excluded, items.contains([]) { avoidsLookAlikes = true }
    let classes = items.filter { !$0.isEmpty }
    guard !classes.isEmpty else { return }
    let all = classes.reduce(into: Set()) { $0.formUnion($1) }
    switch mode {
    case .excluded: excluded.formUnion(all)
    case .only where isHex && all.isSubset(of: Self.caseClasses) && classes.count == 1: demanded += classes
    case .only:
      only = only.map(all.intersection) ?? all
      guard only?.isEmpty == false else { throw .contradiction("two classes, each the only one") }
    case .required:
      if classes.count == 1, all.count == 3 { base = all } else { demanded += classes }
    }
  }
}

/// The purpose, and the rest.
extension RequestReader {
  private mutating func readPurpose() {
    let ends: Set = [
      ",", "with", "without", "no", "that", "using", "must", "which", "containing", "including", "excluding",
    ]
    for start in tokens.indices where word(start) == "for" && purpose.isEmpty {
      let isEnd = { [self] (index: Int) in
        ends.contains(word(index)) || isClassWord(index) || usedTokens.contains(index)
      }
      var end = (start + 1..<tokens.count).first(where: isEnd) ?? tokens.count
      while ["of", "length", "a", "an"].contains(word(end - 1)) { end -= 1 }
      guard end > start + 1 else { continue }
      purpose = text(start + 1..<end)
      usedTokens.formUnion(start + 1..<end)
    }
    if purpose.isEmpty {
      purpose = sensitiveWords.filter { !["strong", "secure"].contains($0) }.joined(separator: " ")
    }
  }

  private mutating func noteWhatWasNotUnderstood() {
    var unread: [String] = []
    for index in tokens.indices where !usedTokens.contains(index) {
      if word(index) == "#", tokens[index].number != 1 { unread.append("\"\(tokens[index].number)\"") }
      guard Self.excluding.contains(word(index)) else { continue }
      if ["more", "less", "longer", "shorter"].contains(word(index + 1)) { continue }
      let end = (index..<min(index + 4, tokens.count)).first { word($0) == "," } ?? min(index + 4, tokens.count)
      unread.append("\"\(text(index..<end))\"")
    }
    if !unread.isEmpty { notes.append("not understood, and left out: \(unread.prefix(5).joined(separator: ", "))") }
  }
}
