import Testing

@testable import CLI

@Suite struct DemoTesterTests {
  private func report(_ request: String, _ candidate: String) throws -> TestReport {
    PasswordTester(plan: try PasswordPlan(reading: request)).report(on: candidate)
  }

  @Test(arguments: [
    ("8 lowercase letters", "aaaaaaaa", "repetition variety", 2),
    ("8 lowercase letters", "abcdefgh", "sequence", 3),
    ("8 digits", "12345678", "sequence", 3),
    ("8 digits", "40871623", "", 4),
    ("8 lowercase letters", "xkqwerty", "sequence", 3),
    ("8 lowercase letters", "pablkjhg", "sequence", 3),
    ("8 lowercase letters", "kmkmqrvx", "repetition", 3),
    ("8 lowercase letters", "xkmpyxkm", "repetition", 3),
    ("a 4 digit PIN", "1234", "sequence", 3),
    ("a 4 digit PIN", "4321", "sequence", 3),
    ("a 4 digit PIN", "7890", "sequence", 3),
    ("a 4 digit PIN", "1111", "repetition variety", 2),
    ("a 4 digit PIN", "1212", "repetition", 3),
    ("a 4 digit PIN", "8617", "", 4),
    ("a 4 digit PIN", "861", "length entropy", 2),
    ("12 characters", "xV7#", "length entropy", 2),
    ("12 characters", "", "length classes entropy variety", 1),
    ("12 characters, no symbols", "xV7#kQ2mRw9T", "alphabet", 3),
    ("12 characters", "xV7okQ2mRw9T", "classes", 3),
    ("12 characters", "xV7okQ2mRw9é", "classes alphabet", 3),
    ("24 characters", "xV7okQ2mRw9T#fLz&4Hs]Y1p", "", 5),
    ("3 memorable words", "acorn-tiger-lemon", "", 4),
    ("3 memorable words", "acorn-acorn-lemon", "repetition", 3),
    ("3 memorable words", "acorn-zzyzx-lemon", "alphabet", 3),
    ("3 memorable words", "Acorn-tiger-lemon", "alphabet", 3),
    ("3 memorable words", "acorn tiger lemon", "length classes alphabet entropy", 1),
    ("alphanumeric passphrase of 3 words", "Acorn Tiger Lemon 42", "", 4),
    ("alphanumeric passphrase of 3 words", "Acorn Tiger Lemon 07", "alphabet", 3),
    ("alphanumeric passphrase of 3 words", "Acorn Tiger Lemon", "length classes entropy", 1),
  ])
  func `a candidate fails the checks that it should, and no others`(
    request: String, candidate: String, failing: String, score: Int
  ) throws {
    let report = try report(request, candidate)
    #expect(report.complaints.map(\.check).joined(separator: " ") == failing, "\(report.findings.map(\.text))")
    #expect(report.verdict == (failing.isEmpty ? "PASS" : "FAIL"))
    #expect(report.score == score)
  }

  @Test func `a finding says what was measured against what was wanted, and where`() throws {
    let report = try report("a 4 digit PIN", "1234")
    #expect(
      report.findings.map(\.text) == [
        "length 4 digits, wanted 4", "character classes 1, wanted 1", "0 characters not allowed, wanted 0",
        "no repetition, wanted none", "sequence \"1234\", wanted none", "entropy 13 bits, wanted 13",
        "variety 8 bits observed, wanted 4",
      ])
    #expect(
      report.complaints == [Complaint(check: "sequence", text: "sequence \"1234\", wanted none", piece: "1234")])
  }

  @Test func `a candidate of a million characters is measured at once`() throws {
    let report = try report("24 characters", String(repeating: "xV7#kQ2m", count: 125_000))
    #expect(report.complaints.map(\.check).contains("length"))
  }
}
