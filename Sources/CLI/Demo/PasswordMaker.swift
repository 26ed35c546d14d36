/// Makes passwords from a plan. It holds a few random bytes that it has not used, so it changes as it draws.
struct PasswordMaker {
  let plan: PasswordPlan
  /// Gives so many random bytes. In the program `Random.bytes`, getrandom(2); in tests a generator with a known seed.
  let randomBytes: (Int) throws -> [UInt8]
  private var unused: [UInt8] = []

  /// The hardest plan (four classes in four characters) takes 15 draws on average; 10,000 mean it can't be met.
  static let drawsMax = 10_000

  init(plan: PasswordPlan, randomBytes: @escaping (Int) throws -> [UInt8]) {
    self.plan = plan
    self.randomBytes = randomBytes
  }

  /// Draws a candidate: whole strings, evenly among all that the plan's alphabet gives, until one has every required
  /// class, so that no place in it favours a class. After a failed try, `complaints` rule out what failed:
  /// the checks that they name, and the pieces of text that they quote.
  /// - Throws: `PasswordError` when nothing drawn will do; whatever `randomBytes` throws.
  mutating func candidate(avoiding complaints: [Complaint] = []) throws -> String {
    let tester = PasswordTester(plan: plan)
    let checks = Set([.classes] + complaints.compactMap { PasswordTester.Check(rawValue: $0.check) })
    let pieces = complaints.map(\.piece).filter { !$0.isEmpty }
    for _ in 0..<Self.drawsMax {
      let candidate = try draw()
      let isClean = !pieces.contains { candidate.contains($0) }
      if isClean, checks.allSatisfy({ tester.finding($0, of: candidate).passed }) { return candidate }
    }
    throw PasswordError(
      message: "\(Self.drawsMax) draws gave no \(plan.kind.rawValue) without what the tester complained of",
      hint: "Ask for a longer one, or allow more characters")
  }

  private mutating func draw() throws -> String {
    guard plan.kind == .passphrase else {
      let characters = Array(plan.alphabet)
      var result = ""
      for _ in 0..<plan.length { result.append(characters[try index(below: characters.count)]) }
      return result
    }
    var words: [String] = []
    for _ in 0..<plan.length {
      let word = passphraseWords[try index(below: passphraseWords.count)]
      words.append(plan.spelled(word))
    }
    if plan.classes.contains(.digits) { words.append(String(10 + (try index(below: 90)))) }
    return words.joined(separator: String(plan.separator))
  }

  /// An even choice of `0..<bound`, at most 65,536: of two random bytes, those beyond the last whole
  /// multiple of the bound are thrown away, because they would favour the low numbers.
  mutating func index(below bound: Int) throws -> Int {
    let end = 65_536 - 65_536 % bound
    for _ in 0..<Self.drawsMax {
      if unused.count < 2 { unused = try randomBytes(64) }
      guard unused.count >= 2 else { break }
      let value = Int(unused.removeLast()) << 8 | Int(unused.removeLast())
      if value < end { return value % bound }
    }
    throw PasswordError(message: "the source of randomness is stuck", hint: "Look at the generator in use")
  }
}

extension PasswordPlan {
  /// A word of the list in the form that a passphrase of this plan has it.
  func spelled(_ word: String) -> String {
    guard classes.contains(.upper) else { return word }
    return classes.contains(.lower) ? word.prefix(1).uppercased() + word.dropFirst() : word.uppercased()
  }
}
