import Glibc

/// What cannot be done, and what to ask for instead.
struct PasswordError: Error, Equatable, CustomStringConvertible {
  let message: String
  let hint: String
  var description: String { "\(message). \(hint)" }

  static func contradiction(_ what: String) -> PasswordError {
    PasswordError(message: "the request contradicts itself: \(what)", hint: "Drop one of the two, or allow more")
  }
}

enum CharacterClass: String, CaseIterable, Sendable {
  case lower, upper, digits, symbols

  var characters: String {
    switch self {
    case .lower: "abcdefghijklmnopqrstuvwxyz"
    case .upper: "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    case .digits: "0123456789"
    case .symbols: "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
    }
  }
}

/// What a password has to be, as the planner reads it from a request. It travels to the other
/// roles as text fields, so that an implementer or tester can be any program.
struct PasswordPlan: Equatable, Sendable {
  enum Kind: String, Sendable { case password, pin = "PIN", passphrase }

  let kind: Kind
  /// In characters; of a passphrase, in words.
  let length: Int
  /// Each of these appears at least once. A passphrase's follow from its form: capitalized words
  /// have `lower` and `upper`, `digits` is a number as the last word, `symbols` the hyphens.
  let classes: [CharacterClass]
  /// The characters to draw from, each once; of a passphrase, those that may appear.
  let alphabet: String
  let minimumBits: Int
  /// In the words of the request; empty when it names none.
  let purpose: String
  /// How the request was read, a sentence each, for people.
  let notes: [String]

  /// Attackers try all passwords of few characters in any case; 256 is the most that common systems take.
  static let lengthBounds = 4...256
  /// Two words are found in a moment; nobody remembers more than 24.
  static let wordBounds = 3...24

  var bounds: ClosedRange<Int> { kind == .passphrase ? Self.wordBounds : Self.lengthBounds }
  var unit: String { kind == .passphrase ? "words" : kind == .pin ? "digits" : "characters" }
  /// Stands between the words of a passphrase.
  var separator: Character { classes.contains(.symbols) ? "-" : " " }

  /// The entropy of what the maker draws, in bits: log2 of the number of passwords it chooses among evenly.
  /// That is length × log2(alphabet), less what requiring the classes costs: by inclusion and exclusion, the
  /// share of all strings that lack no class. A passphrase has 9 bits a word, and log2(90) for its number.
  func generationBits(length: Int) -> Double {
    if kind == .passphrase {
      let wordBits = log2(Double(passphraseWords.count))
      return Double(length) * wordBits + (classes.contains(.digits) ? log2(90) : 0)
    }
    let total = Double(alphabet.count)
    let sizes = classes.map { Double(alphabet.filter($0.characters.contains).count) }
    var share = 0.0
    for absent in 0..<(1 << sizes.count) {
      let missing = sizes.indices.filter { absent >> $0 & 1 == 1 }
      let left = missing.reduce(total) { $0 - sizes[$1] }
      share += (missing.count % 2 == 0 ? 1 : -1) * pow(left / total, Double(length))
    }
    return share > 0 ? Double(length) * log2(total) + log2(share) : 0
  }

  /// The plan as flat text, in a fixed order; the notes are lines of one text.
  var fields: [(String, String)] {
    [
      ("kind", kind.rawValue), ("length", String(length)),
      ("classes", classes.map(\.rawValue).joined(separator: ",")), ("alphabet", alphabet),
      ("minimum_bits", String(minimumBits)), ("purpose", purpose), ("notes", notes.joined(separator: "\n")),
    ]
  }

  /// Reads a plan that another process wrote. Fields it doesn't know are left alone.
  /// - Throws: a field that is missing, out of bounds, or at odds with another.
  init(fields: [(String, String)]) throws(PasswordError) {
    let values = Dictionary(fields, uniquingKeysWith: { first, _ in first })
    func value(_ name: String) throws(PasswordError) -> String {
      guard let value = values[name] else { throw Self.invalid("has no \(name)") }
      return value
    }
    guard let kind = Kind(rawValue: try value("kind")) else { throw Self.invalid("is of no known kind") }
    guard let length = Int(try value("length")), let bits = Int(try value("minimum_bits")), bits >= 0 else {
      throw Self.invalid("has a length or minimum_bits that is no number")
    }
    var classes: [CharacterClass] = []
    for name in try value("classes").split(separator: ",") {
      guard let one = CharacterClass(rawValue: String(name)), !classes.contains(one) else {
        throw Self.invalid("has classes other than lower, upper, digits, symbols, each once")
      }
      classes.append(one)
    }
    self.kind = kind
    self.length = length
    self.classes = classes
    alphabet = try value("alphabet")
    minimumBits = bits
    purpose = values["purpose"] ?? ""
    notes = (values["notes"] ?? "").split(separator: "\n").map(String.init)
    try check()
  }

  private func check() throws(PasswordError) {
    guard bounds.contains(length) else {
      throw Self.invalid("wants \(length) \(unit), outside \(bounds.lowerBound) to \(bounds.upperBound)")
    }
    let printable = alphabet.unicodeScalars.allSatisfy { (32...126).contains($0.value) }
    guard printable, alphabet.count >= 2, Set(alphabet).count == alphabet.count else {
      throw Self.invalid("needs an alphabet of two or more printable ASCII characters, each once")
    }
    for one in classes where !alphabet.contains(where: one.characters.contains) {
      throw Self.invalid("requires \(one.rawValue) and has none in its alphabet")
    }
    guard kind != .passphrase || classes.contains(.lower) || classes.contains(.upper) else {
      throw Self.invalid("is for words and has no letters")
    }
    let most = Int(generationBits(length: length))
    guard minimumBits <= most else {
      throw Self.invalid("wants \(minimumBits) bits, and \(length) \(unit) give at most \(most)")
    }
  }

  private static func invalid(_ what: String) -> PasswordError {
    PasswordError(message: "the plan \(what)", hint: "Ask the planner for a new one")
  }
}

extension PasswordPlan {
  /// Reads a request such as "Generate a 24-character password for server admin". What it leaves open gets a
  /// default, and `notes` say which; what cannot be had is brought within bounds, and `notes` say so.
  /// - Throws: a request that contradicts itself.
  init(reading request: String) throws(PasswordError) {
    let reading = try RequestReader(request)
    let kind: Kind = reading.isPIN ? .pin : reading.isPassphrase ? .passphrase : .password
    var notes: [String] = []
    switch kind {
    case .pin: notes.append("a PIN: digits only" + (reading.isPassphrase ? ", and no words" : ""))
    case .passphrase: notes.append("to be remembered: words from a list of \(passphraseWords.count), 9 bits each")
    case .password: notes.append("a password: neither a PIN nor words are asked for")
    }
    let classes = try Self.classes(of: kind, asked: reading)
    var alphabet: String
    switch kind {
    case .passphrase:
      alphabet = classes.filter { $0 != .symbols }.map(\.characters).joined()
      alphabet.append(classes.contains(.symbols) ? "-" : " ")
    case .password where reading.isHex:
      alphabet = classes == [.upper, .digits] ? "0123456789ABCDEF" : "0123456789abcdef"
    default: alphabet = classes.map(\.characters).joined()
    }
    if reading.avoidsLookAlikes {
      let before = alphabet
      if kind != .passphrase { alphabet = Self.withoutLookAlikes(alphabet) }
      let removed = before.filter { !alphabet.contains($0) }
      notes.append(removed.isEmpty ? "look-alikes: nothing to remove here" : "look-alikes removed: \(removed)")
    }
    let required = reading.isHex && kind == .password ? [] : classes
    notes.append("characters: \(classes.map(\.rawValue).joined(separator: ", ")), \(alphabet.count) in all")
    // The length decides nothing about the entropy of one unit, so a draft can be asked how many are needed.
    let draft = PasswordPlan(kind: kind, length: 0, classes: required, alphabet: alphabet)
    let strength = draft.strength(asked: reading, notes: &notes)
    self.init(
      kind: kind, length: strength.length, classes: required, alphabet: alphabet, minimumBits: strength.bits,
      purpose: reading.purpose, notes: notes + reading.notes)
  }

  private init(
    kind: Kind, length: Int, classes: [CharacterClass], alphabet: String, minimumBits: Int = 0,
    purpose: String = "", notes: [String] = []
  ) {
    self.kind = kind
    self.length = length
    self.classes = classes
    self.alphabet = alphabet
    self.minimumBits = minimumBits
    self.purpose = purpose
    self.notes = notes
  }

  /// The classes that may be used, after what the request asks for and rules out.
  private static func classes(of kind: Kind, asked: RequestReader) throws(PasswordError) -> [CharacterClass] {
    let isHex = kind == .password && asked.isHex
    let hexLetters: CharacterClass = asked.demanded.contains([.upper]) ? .upper : .lower
    let fixed: Set<CharacterClass>? = kind == .pin ? [.digits] : isHex ? [hexLetters, .digits] : nil
    let usual: Set<CharacterClass> = kind == .passphrase ? [.lower, .symbols] : Set(CharacterClass.allCases)
    var allowed = fixed ?? asked.only ?? asked.base ?? usual
    for wanted in asked.demanded {
      if wanted.isSubset(of: asked.excluded) { throw .contradiction("\(list(wanted)) asked for and ruled out") }
      guard allowed.isDisjoint(with: wanted) else { continue }
      if fixed != nil || asked.only != nil {
        throw .contradiction("\(list(allowed)) only, and \(list(wanted)) as well")
      }
      allowed.formUnion(wanted)
    }
    if let fixed, !fixed.isSubset(of: (asked.only ?? fixed).subtracting(asked.excluded)) {
      throw .contradiction("\(isHex ? "hexadecimal" : "a PIN") needs \(list(fixed))")
    }
    allowed.subtract(asked.excluded)
    if allowed.isEmpty { throw .contradiction("nothing is left to draw from") }
    if kind == .passphrase, allowed.isDisjoint(with: [.lower, .upper]) {
      throw .contradiction("a passphrase is made of letters")
    }
    if kind == .passphrase, asked.forbidsSpaces, !allowed.contains(.symbols) {
      throw .contradiction("words with neither spaces nor symbols between them")
    }
    return CharacterClass.allCases.filter(allowed.contains)
  }

  /// How long, and at least how many bits: what the request says, else what the kind and the purpose suggest.
  /// A stated length is kept even when it is weak, because the system it is for may take no other.
  private func strength(asked: RequestReader, notes: inout [String]) -> (length: Int, bits: Int) {
    let isSensitive = !asked.sensitiveWords.isEmpty
    let usual: (length: Int, bits: Int) =
      switch kind {
      case .password: isSensitive ? (20, 90) : (16, 60)
      case .passphrase: isSensitive ? (8, 70) : (6, 45)
      case .pin: isSensitive ? (8, 19) : (6, 13)
      }
    var length: Int
    if let told = kind == .passphrase ? asked.words : asked.length {
      length = min(max(told, bounds.lowerBound), bounds.upperBound)
      let number = told < RequestToken.numberMax ? String(told) : "far more"
      let outside = "\(number) asked for, and the bounds are \(bounds.lowerBound) to \(bounds.upperBound)"
      notes.append("length: \(length) \(unit), " + (length == told ? "as asked" : outside))
    } else if kind == .passphrase, let characters = asked.length {
      // Even the shortest words, each with its separator, are as long as this together.
      let shortest = (passphraseWords.map(\.count).min() ?? 1) + 1
      length = min(max((characters + shortest) / shortest, usual.length), bounds.upperBound)
      notes.append("length: \(length) words, which have \(characters) characters or more")
    } else {
      length = max(usual.length, fewest(giving: usual.bits) ?? bounds.upperBound)
      notes.append("length: \(length) \(unit), because the request names none")
    }
    let given = Int(generationBits(length: length))
    let bits = min(usual.bits, given)
    let reason = isSensitive ? " because of \"\(asked.sensitiveWords.joined(separator: " "))\"" : ""
    notes.append("strength: at least \(bits) bits\(reason); these \(length) \(unit) give \(given)")
    if bits < usual.bits {
      let cure = fewest(giving: usual.bits).map { ": \($0) \(unit) would" } ?? ""
      notes.append("weak: the length asked for does not reach the usual \(usual.bits) bits\(cure)")
    }
    return (length, bits)
  }

  /// The least length that has these bits, or nil when none within the bounds has.
  private func fewest(giving bits: Int) -> Int? {
    bounds.first { generationBits(length: $0) >= Double(bits) }
  }

  /// A character is a look-alike only beside its twin: digits alone keep their 0 and 1.
  private static func withoutLookAlikes(_ alphabet: String) -> String {
    let alike = ["Il1|", "O0o", "`'\""].filter { group in alphabet.filter(group.contains).count > 1 }.joined()
    return alphabet.filter { !alike.contains($0) }
  }

  private static func list(_ classes: Set<CharacterClass>) -> String {
    CharacterClass.allCases.filter(classes.contains).map(\.rawValue).joined(separator: " and ")
  }
}
