import Testing

@testable import CLI

/// SplitMix64: a known seed gives the same passwords every time.
private final class SeededBytes {
  var state: UInt64
  init(seed: UInt64) { state = seed }

  func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in
      state &+= 0x9E37_79B9_7F4A_7C15
      var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
      mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
      return UInt8(truncatingIfNeeded: mixed ^ (mixed >> 31))
    }
  }
}

private func maker(_ request: String, seed: UInt64 = 20_261_120) throws -> PasswordMaker {
  PasswordMaker(plan: try PasswordPlan(reading: request), randomBytes: SeededBytes(seed: seed).bytes)
}

@Suite struct DemoMakerTests {
  @Test(arguments: [
    "24 characters for server admin", "4 characters", "a 4 digit PIN", "6 digit PIN", "memorable, 5 words",
    "alphanumeric passphrase", "hex", "lowercase only", "20 characters, no look-alikes, no symbols", "64 digits",
  ])
  func `1,000 candidates keep the plan, and those that fail do so for a pattern and pass when told of it`(
    request: String
  ) throws {
    var maker = try maker(request)
    let tester = PasswordTester(plan: maker.plan)
    var failures = 0
    var seen: Set<String> = []
    for _ in 0..<1000 {
      var candidate = try maker.candidate()
      seen.insert(candidate)
      var complaints: [Complaint] = []
      while let complaint = tester.report(on: candidate).complaints.first {
        // Every try fails for something new, so there are at most as many as these.
        #expect(["repetition", "sequence", "variety"].contains(complaint.check), "\(candidate): \(complaint.text)")
        try #require(!complaints.contains { $0.check == complaint.check }, "\(candidate): \(complaint.text)")
        complaints += tester.report(on: candidate).complaints
        candidate = try maker.candidate(avoiding: complaints)
      }
      failures += complaints.isEmpty ? 0 : 1
    }
    #expect(failures < 300, "a fair draw seldom fails")
    #expect(seen.count > 900 || maker.plan.kind == .pin)
  }

  @Test func `PINs fail often enough that the implementer gets some back`() throws {
    var maker = try maker("PIN")
    let tester = PasswordTester(plan: maker.plan)
    let failed = try (0..<1000).filter { _ in !tester.report(on: try maker.candidate()).passed }.count
    #expect((50...300).contains(failed), "\(failed) of 1,000")
  }

  @Test func `every character comes equally often at every place`() throws {
    var maker = try maker("10 digits")
    var counts = Array(repeating: [Character: Int](), count: 10)
    for _ in 0..<5000 {
      for (place, character) in try maker.candidate().enumerated() { counts[place][character, default: 0] += 1 }
    }
    // 500 expected, standard deviation 21: five deviations either way.
    for place in counts {
      #expect(place.count == 10)
      #expect(place.values.allSatisfy { (393...607).contains($0) }, "\(place)")
    }
  }

  @Test func `bytes beyond the last whole multiple are thrown away, not folded onto the low numbers`() throws {
    // 65,535 is beyond 65,530, the last multiple of 10; then comes 7.
    var bytes: [UInt8] = [7, 0, 255, 255]
    var maker = PasswordMaker(plan: try PasswordPlan(reading: "PIN")) { _ in
      defer { bytes = [] }
      return bytes
    }
    #expect(try maker.index(below: 10) == 7)
  }

  @Test(arguments: [[UInt8](repeating: 255, count: 64), []])
  func `a stuck source of randomness is an error, not a loop`(bytes: [UInt8]) throws {
    var maker = PasswordMaker(plan: try PasswordPlan(reading: "PIN")) { _ in bytes }
    #expect(throws: PasswordError.self) { try maker.candidate() }
  }

  @Test func `an error of the source of randomness comes through`() throws {
    struct Failed: Error {}
    var maker = PasswordMaker(plan: try PasswordPlan(reading: "PIN")) { _ in throw Failed() }
    #expect(throws: Failed.self) { try maker.candidate() }
  }

  @Test func `complaints that rule out everything are an error, and unknown ones are no harm`() throws {
    var maker = try maker("PIN")
    let digits = (0...9).map { Complaint(check: "taste", text: "no \($0)", piece: String($0)) }
    #expect(throws: PasswordError.self) { try maker.candidate(avoiding: digits) }
    let free = try maker.candidate(avoiding: Array(digits.prefix(5)) + [Complaint(check: "", text: "", piece: "")])
    #expect(free.allSatisfy { ("5"..."9").contains($0) })
  }
}
