import SpoolFormat

/// What the demo's bots hand on to each other, as the `context` of their messages: all that each knows of the work.
struct SharedContext: Equatable, Sendable {
  var request: String
  var plan: [(name: String, value: String)] = []
  /// The implementation: the latest candidate.
  var candidate: String?
  /// What the tester said of each candidate, oldest first.
  var tests: [Test] = []
  /// What each bot did, oldest first.
  var history: [Step] = []

  struct Test: Equatable, Sendable {
    var verdict: String
    var score: Int
    var findings: [String]
    var complaints: [Complaint]
  }

  struct Step: Equatable, Sendable {
    var bot: String
    var phase: String
    var did: String
    var at: Timestamp
  }

  /// Times that a FAIL is sent back to the implementer.
  static let returnsMax = 3

  init(request: String) { self.request = request }

  static func == (left: SharedContext, right: SharedContext) -> Bool { left.text == right.text }

  /// Complaints about all candidates so far: the next one has to heed them all.
  var complaints: [Complaint] { tests.flatMap(\.complaints) }

  init(_ text: JSONText) throws(FormatError) {
    let value = text.value
    guard let request = value["request"]?.string else {
      throw FormatError("a handoff without a request in its context")
    }
    self.init(request: request)
    if case .object(let members)? = value["plan"] { plan = members.map { ($0.key, $0.value.string ?? "") } }
    candidate = value["implementation"]?.string
    for test in value["tests"]?.array ?? [] {
      let complaints = (test["complaints"]?.array ?? []).map { complaint in
        Complaint(
          check: complaint["check"]?.string ?? "", text: complaint["text"]?.string ?? "",
          piece: complaint["piece"]?.string ?? "")
      }
      tests.append(
        Test(
          verdict: test["verdict"]?.string ?? "", score: test["score"]?.int ?? 0,
          findings: (test["findings"]?.array ?? []).compactMap(\.string), complaints: complaints))
    }
    for step in value["history"]?.array ?? [] {
      guard let at = step["at"]?.string.flatMap(Timestamp.init(rfc3339:)) else { continue }
      history.append(
        Step(
          bot: step["bot"]?.string ?? "", phase: step["phase"]?.string ?? "", did: step["did"]?.string ?? "", at: at))
    }
  }

  var text: JSONText {
    var writer = JSONWriter(reserving: 1024)
    writer.beginObject()
    writer.member("request", request)
    if !plan.isEmpty {
      writer.key("plan")
      writer.beginObject()
      for field in plan {
        writer.key(field.name)
        writer.string(field.value)
      }
      writer.endObject()
    }
    writer.member("implementation", ifPresent: candidate)
    writer.key("tests")
    writer.beginArray()
    for test in tests { write(test, to: &writer) }
    writer.endArray()
    writer.key("history")
    writer.beginArray()
    for step in history {
      writer.beginObject()
      writer.member("bot", step.bot)
      writer.member("phase", step.phase)
      writer.member("did", step.did)
      writer.member("at", moment: step.at)
      writer.endObject()
    }
    writer.endArray()
    writer.endObject()
    return JSONText(trusted: writer.bytes)
  }

  private func write(_ test: Test, to writer: inout JSONWriter) {
    writer.beginObject()
    writer.member("verdict", test.verdict)
    writer.member("score", test.score)
    writer.member("findings", test.findings)
    writer.key("complaints")
    writer.beginArray()
    for complaint in test.complaints {
      writer.beginObject()
      writer.member("check", complaint.check)
      writer.member("text", complaint.text)
      writer.member("piece", complaint.piece)
      writer.endObject()
    }
    writer.endArray()
    writer.endObject()
  }
}
