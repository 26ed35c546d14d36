import Testing

@testable import CLI

/// The whole plan in one line: kind, length, classes, size of the alphabet, bits, purpose.
private func summary(_ plan: PasswordPlan) -> String {
  let classes = plan.classes.map { String($0.rawValue.prefix(1)) }.joined()
  return
    "\(plan.kind.rawValue) \(plan.length) \(classes) \(plan.alphabet.count) >=\(plan.minimumBits) [\(plan.purpose)]"
}

@Suite struct DemoPlanTests {
  @Test(arguments: [
    ("Generate a 24-character password for server admin", "password 24 luds 94 >=90 [server admin]"),
    ("banking password", "password 20 luds 94 >=90 [banking]"),
    ("8 characters for my bank", "password 8 luds 94 >=51 [my bank]"),
    ("a 6 digit PIN", "PIN 6 d 10 >=13 []"),
    ("PIN", "PIN 6 d 10 >=13 []"),
    ("a PIN for banking", "PIN 8 d 10 >=19 [banking]"),
    ("a 2-digit PIN", "PIN 4 d 10 >=13 []"),
    ("memorable passphrase of 5 words", "passphrase 5 ls 27 >=45 []"),
    ("something easy to remember, no symbols, for my wifi", "passphrase 6 l 27 >=45 [my wifi]"),
    ("passphrase of four short words with capitals and digits", "passphrase 4 luds 63 >=42 []"),
    ("memorable alphanumeric password with 20 characters", "passphrase 6 lud 63 >=45 []"),
    ("a memorable 16-character password for server admin", "passphrase 8 ls 27 >=70 [server admin]"),
    ("passphrase of 2 words", "passphrase 3 ls 27 >=27 []"),
    ("16 characters no symbols", "password 16 lud 62 >=60 []"),
    ("16 chars long, without numbers", "password 16 lus 84 >=60 []"),
    ("length 24", "password 24 luds 94 >=60 []"),
    ("a password of 20", "password 20 luds 94 >=60 []"),
    ("twelve characters, must include a symbol", "password 12 luds 94 >=60 []"),
    ("twenty-four characters", "password 24 luds 94 >=60 []"),
    ("one hundred and twenty characters", "password 120 luds 94 >=60 []"),
    ("between 8 and 16 characters", "password 16 luds 94 >=60 []"),
    ("16 or more random characters", "password 16 luds 94 >=60 []"),
    ("more than 15 characters", "password 16 luds 94 >=60 []"),
    ("no more than 20 characters", "password 20 luds 94 >=60 []"),
    ("99999999999999999999999999 characters", "password 256 luds 94 >=60 []"),
    ("0 characters", "password 4 luds 94 >=22 []"),
    ("1,000 characters", "password 256 luds 94 >=60 []"),
    ("", "password 16 luds 94 >=60 []"),
    ("\u{0}\u{1b}[31m…🔑", "password 16 luds 94 >=60 []"),
    ("٢٤ characters for 管理者 🔑", "password 24 luds 94 >=60 [管理者]"),
    ("for \u{1b}[2J my\u{7} server", "password 20 luds 94 >=90 [2J my server]"),
    ("letters only, 20 characters", "password 20 lu 52 >=60 []"),
    ("lowercase only", "password 16 l 26 >=60 []"),
    ("12 lowercase letters", "password 12 l 26 >=56 []"),
    ("a numeric password", "password 19 d 10 >=60 []"),
    ("alphanumeric", "password 16 lud 62 >=60 []"),
    ("alphanumeric with symbols", "password 16 luds 94 >=60 []"),
    ("32 hex digits", "password 32  16 >=60 []"),
    ("no symbols, lowercase only", "password 16 l 26 >=60 []"),
    ("no symbols or numbers", "password 16 lu 52 >=60 []"),
    ("no digits, symbols, or capitals", "password 16 l 26 >=60 []"),
    ("not only letters but also digits", "password 16 luds 94 >=60 []"),
    ("no symbols, with digits", "password 16 lud 62 >=60 []"),
    ("must not include special characters", "password 16 lud 62 >=60 []"),
    ("symbols are not allowed", "password 16 lud 62 >=60 []"),
    ("don’t use digits and avoid ambiguous characters", "password 16 lus 76 >=60 []"),
    ("24 characters, no look-alikes", "password 24 luds 84 >=60 []"),
    ("a PIN without look-alikes", "PIN 6 d 10 >=13 []"),
    ("a 16 character password with 2 digits", "password 16 luds 94 >=60 []"),
  ])
  func `a request is read as its plan`(request: String, expected: String) throws {
    #expect(summary(try PasswordPlan(reading: request)) == expected)
  }

  @Test(arguments: [
    ("digits only, with symbols", "digits only, and symbols as well"),
    ("no letters, no digits, no symbols", "nothing is left"),
    ("no letters, digits or symbols", "nothing is left"),
    ("must include symbols but no symbols", "symbols asked for and ruled out"),
    ("letters only and digits only", "the only one"),
    ("a PIN with symbols", "digits only, and symbols as well"),
    ("a PIN without digits", "a PIN needs digits"),
    ("hex without numbers", "hexadecimal needs"),
    ("a passphrase with digits only", "made of letters"),
    ("a passphrase without spaces or symbols", "neither spaces nor symbols"),
    ("12 characters, or 20 characters", "two lengths, 12 and 20"),
  ])
  func `a contradiction is refused, and the error names it and the cure`(request: String, says: String) {
    let error = #expect(throws: PasswordError.self) { try PasswordPlan(reading: request) }
    #expect(error?.message.contains(says) == true, "\(error?.message ?? "none")")
    #expect(error?.hint.isEmpty == false)
  }

  @Test(arguments: [
    ("banking", "because of \"banking\""),
    ("password", "because the request names none"),
    ("300 characters", "300 asked for, and the bounds are 4 to 256"),
    ("8 characters for banking", "weak"),
    ("8 to 16 characters", "of 8 to 16, the last is taken"),
    ("no quotes", "left out: \"no quotes\""),
    ("3 passwords", "left out: \"3\""),
    ("", "the request says nothing"),
    (String(repeating: "no ", count: 100_000), "only the first 2000"),
  ])
  func `the notes say what was assumed, changed or left out`(request: String, says: String) throws {
    let notes = try PasswordPlan(reading: request).notes
    #expect(notes.contains { $0.contains(says) }, "\(notes)")
  }

  @Test(arguments: ["24 characters for \"a\\b\" 🔑", "PIN", "passphrase, no symbols", "hex", "no look-alikes"])
  func `a plan travels as fields and arrives the same`(request: String) throws {
    let plan = try PasswordPlan(reading: request)
    #expect(!plan.notes.isEmpty)
    #expect(try PasswordPlan(fields: plan.fields.reversed() + [("unknown", "left alone")]) == plan)
  }

  @Test(arguments: [
    ("kind", "word"), ("length", "3"), ("length", "257"), ("length", "many"), ("classes", "lower,runes"),
    ("classes", "lower,lower"), ("alphabet", ""), ("alphabet", "aab"), ("alphabet", "aé"), ("alphabet", "abc"),
    ("minimum_bits", "-1"), ("minimum_bits", "10000"), ("kind", "passphrase"), ("length", nil), ("alphabet", nil),
  ])
  func `a plan with a bad field is refused`(name: String, value: String?) throws {
    let good = try PasswordPlan(reading: "40 characters").fields
    let bad = good.filter { $0.0 != name } + (value.map { [(name, $0)] } ?? [])
    #expect(throws: PasswordError.self) { try PasswordPlan(fields: bad) }
  }

  @Test func `the word list has 512 distinct plain words, none with a sequence that the tester fails`() throws {
    let tester = PasswordTester(plan: try PasswordPlan(reading: "passphrase"))
    #expect(passphraseWords.allSatisfy { tester.finding(.sequence, of: $0).passed })
    #expect(passphraseWords.count == 512)
    #expect(Set(passphraseWords).count == 512)
    #expect(passphraseWords.allSatisfy { (3...6).contains($0.count) && $0.allSatisfy { ("a"..."z").contains($0) } })
  }

  @Test func `generation entropy counts the passwords that there are`() throws {
    let digits = try PasswordPlan(reading: "4 digit PIN")
    #expect(abs(digits.generationBits(length: 4) - 13.288) < 0.001)
    // All four classes in four characters: 26 × 26 × 10 × 32 in any of 24 orders.
    let four = try PasswordPlan(reading: "4 characters")
    #expect(abs(four.generationBits(length: 4) - 22.308) < 0.001)
    #expect(four.generationBits(length: 3) == 0)
  }
}
