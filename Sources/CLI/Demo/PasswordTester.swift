import Glibc

/// What a check found wrong, as it goes back to the implementer.
struct Complaint: Equatable, Sendable {
  /// The name of the check; one that the maker doesn't know is no harm.
  let check: String
  /// What was measured, for people.
  let text: String
  /// The part of the candidate that is at fault; empty when it is the whole.
  let piece: String
}

/// What a tester says of a candidate.
struct TestReport: Equatable, Sendable {
  let findings: [PasswordTester.Finding]
  /// Out of 5, by `scoreRule`.
  let score: Int
  var passed: Bool { findings.allSatisfy(\.passed) }
  var verdict: String { passed ? "PASS" : "FAIL" }
  var complaints: [Complaint] {
    findings.filter { !$0.passed }.map { Complaint(check: $0.check.rawValue, text: $0.text, piece: $0.piece) }
  }

  static let scoreRule = """
    one point each: the length; the characters; no repetition and no sequence; the plan's entropy; \
    \(PasswordTester.strongBits) bits
    """
}

/// Measures candidates against a plan, and has no other idea of how they were made.
struct PasswordTester {
  enum Check: String, CaseIterable, Sendable { case length, classes, alphabet, repetition, sequence, entropy, variety }

  struct Finding: Equatable, Sendable {
    let check: Check
    let passed: Bool
    /// Measured against required: "length 24, wanted 24".
    let text: String
    /// The part of the candidate that is at fault.
    var piece = ""
  }

  let plan: PasswordPlan

  /// Out of reach of an attacker who has stolen the hash, by today's common advice.
  static let strongBits = 80

  /// Patterns are looked for so far and no further, because that takes the square of the length; the longest
  /// passphrase has 171 characters, and what is longer than it should be has failed already.
  static let patternCharactersMax = 512

  /// Passes a candidate that passes every check of `Check`.
  func report(on candidate: String) -> TestReport {
    let findings = Check.allCases.map { finding($0, of: candidate) }
    func passes(_ checks: Check...) -> Bool { findings.allSatisfy { $0.passed || !checks.contains($0.check) } }
    let points = [
      passes(.length), passes(.classes, .alphabet), passes(.repetition, .sequence), passes(.entropy, .variety),
      bits(of: candidate) >= Double(Self.strongBits),
    ]
    return TestReport(findings: findings, score: points.filter { $0 }.count)
  }

  func finding(_ check: Check, of candidate: String) -> Finding {
    switch check {
    case .length:
      let count = length(of: candidate)
      return Finding(
        check: check, passed: count == plan.length, text: "length \(count) \(plan.unit), wanted \(plan.length)")
    case .classes:
      let missing = plan.classes.filter { !candidate.contains(where: $0.characters.contains) }.map(\.rawValue)
      let found = "character classes \(plan.classes.count - missing.count), wanted \(plan.classes.count)"
      let text = missing.isEmpty ? found : found + ": no \(missing.joined(separator: ", "))"
      return Finding(check: check, passed: missing.isEmpty, text: text)
    case .alphabet:
      let strangers = strangers(in: candidate)
      let text = "\(strangers.count) \(plan.kind == .passphrase ? "words" : "characters") not allowed, wanted 0"
      return Finding(check: check, passed: strangers.isEmpty, text: text, piece: strangers.first ?? "")
    case .repetition: return pattern(check, repetition(in: String(candidate.prefix(Self.patternCharactersMax))))
    case .sequence: return pattern(check, sequence(in: Array(candidate.prefix(Self.patternCharactersMax))))
    case .entropy:
      let bits = Int(bits(of: candidate))
      return Finding(
        check: check, passed: bits >= plan.minimumBits, text: "entropy \(bits) bits, wanted \(plan.minimumBits)")
    case .variety:
      // Half of what so many units can show: a fair draw seldom shows less, and "aaaaaaaa" shows none.
      let units = units(of: candidate)
      let distinct = plan.kind == .passphrase ? passphraseWords.count : plan.alphabet.count
      let wanted = Double(units.count) * log2(Double(max(min(units.count, distinct), 1))) / 2
      let shown = observedBits(units)
      let text = "variety \(Int(shown)) bits observed, wanted \(Int(wanted.rounded(.up)))"
      return Finding(check: check, passed: !units.isEmpty && shown >= wanted, text: text)
    }
  }

  private func pattern(_ check: Check, _ piece: String?) -> Finding {
    let text = piece.map { "\(check.rawValue) \"\($0)\", wanted none" } ?? "no \(check.rawValue), wanted none"
    return Finding(check: check, passed: piece == nil, text: text, piece: piece ?? "")
  }

  /// The generation entropy of a candidate of this length, in bits: the plan's `generationBits`, for
  /// characters log2(alphabet^length), for passphrases log2(list^words). It says how many others were as likely,
  /// which can't be seen in the candidate itself.
  private func bits(of candidate: String) -> Double { plan.generationBits(length: length(of: candidate)) }

  /// The observed entropy in bits, length × Σ p·log2(1/p) over how often each unit occurs: an estimate from below.
  private func observedBits(_ units: [String]) -> Double {
    let total = Double(units.count)
    return Dictionary(grouping: units, by: { $0 }).values.reduce(0) { sum, same in
      sum + Double(same.count) * log2(total / Double(same.count))
    }
  }

  /// Characters, or the words of a passphrase.
  private func units(of candidate: String) -> [String] {
    plan.kind == .passphrase
      ? candidate.split(separator: plan.separator, omittingEmptySubsequences: false).map(String.init)
      : candidate.map { String($0) }
  }

  private func length(of candidate: String) -> Int {
    // The number at the end of a passphrase is no word.
    units(of: candidate).count - (plan.kind == .passphrase && plan.classes.contains(.digits) ? 1 : 0)
  }

  private func strangers(in candidate: String) -> [String] {
    var units = units(of: candidate)
    guard plan.kind == .passphrase else { return units.filter { !plan.alphabet.contains($0) } }
    let hasNumber = plan.classes.contains(.digits) && units.last?.count == 2
    if hasNumber, let number = units.last.flatMap({ Int($0) }), (10...99).contains(number) { units.removeLast() }
    let words = Set(passphraseWords.map(plan.spelled))
    return units.filter { !words.contains($0) }
  }

  /// The shortest piece that counts as a pattern: 3, or what a fair draw of this plan shows by chance in fewer than
  /// three of ten; so 3 for most, 5 for 256 digits. A shorter one would fail good passwords.
  private func shortest(from least: Int, chances: Int) -> Int {
    let alphabet = plan.kind == .passphrase ? 26 : Double(plan.alphabet.count)
    return (least...).first { Double(chances) / pow(alphabet, Double($0 - 1)) <= 0.3 } ?? least
  }

  /// The first run of one character, chunk said twice on end ("abab"), or longer chunk that comes back
  /// ("x7kmx7k"); of a passphrase, the first word that comes twice.
  private func repetition(in candidate: String) -> String? {
    if plan.kind == .passphrase {
      var seen: Set<String> = []
      return units(of: candidate).first { !seen.insert($0).inserted }
    }
    let characters = Array(candidate)
    let run = shortest(from: 3, chances: 3 * plan.length)
    let apart = shortest(from: 4, chances: plan.length * plan.length * 2) - 1
    for start in characters.indices {
      let rest = characters[start...]
      let same = rest.prefix { $0 == characters[start] }
      if same.count >= run { return String(same) }
      let pair = rest.prefix(run - 1)
      if pair.count == run - 1, rest.dropFirst(run - 1).starts(with: pair) { return String(pair + pair) }
      let chunk = rest.prefix(apart)
      let after = rest.dropFirst(apart)
      let returns = after.indices.contains { after[$0...].starts(with: chunk) }
      if chunk.count == apart, returns { return String(chunk) }
    }
    return nil
  }

  private static let rows = [
    "abcdefghijklmnopqrstuvwxyz", "0123456789", "qwertyuiop", "asdfghjkl", "zxcvbnm", "1234567890",
  ].map(Array.init)

  /// The first run along the alphabet, the digits or a row of the keyboard, in either direction and any case.
  private func sequence(in characters: [Character]) -> String? {
    // Words have runs such as "def" of their own; none has four.
    let least = plan.kind == .passphrase ? 4 : shortest(from: 3, chances: 3 * plan.length)
    for row in Self.rows {
      let places = characters.map { character in
        row.firstIndex { String($0) == character.lowercased() }
      }
      for step in [1, -1] {
        var start = 0
        for index in places.indices {
          let follows = index > start && places[index] != nil && places[index] == places[index - 1].map { $0 + step }
          if !follows { start = index }
          let isLast = index + 1 == places.count || places[index + 1] != places[index].map { $0 + step }
          if isLast, index - start + 1 >= least { return String(characters[start...index]) }
        }
      }
    }
    return nil
  }
}
