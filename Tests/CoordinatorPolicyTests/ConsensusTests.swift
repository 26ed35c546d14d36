import SpoolFormat
import Testing

@testable import CoordinatorPolicy

@Suite struct ConsensusTests {
  @Test(arguments: [
    ("Yes.", "for"), ("No: we are three people.", "against"), ("I agree, but slowly", "for"),
    ("I do not agree", "against"), ("I'm not against it", "for"), ("We strongly oppose that", "against"),
    ("+1", "for"), ("-1 from me", "against"), ("It depends on the budget", "abstain"), ("Maybe later", "abstain"),
    ("My position: no", "against"), ("The weather is fine", "unclear"), ("", "unclear"), ("nobody knows", "unclear"),
    ("Yesterday was fine", "unclear"), ("Northern lights", "unclear"), ("Not sure, it depends", "abstain"),
    ("I'm not sure", "abstain"), ("I don\u{2019}t know", "abstain"), ("No idea", "abstain"), ("No objection", "for"),
  ])
  func `the first words of an answer say what it is for`(text: String, position: String) {
    #expect(Consensus.position(of: Consensus.Answer(bot: "ada", text: text)) == position)
  }

  @Test(arguments: [
    (#"{"position":"Postgres"}"#, "postgres"), (#"{"position":"yes"}"#, "for"), (#"{"position":"against"}"#, "against"),
    (#"{"position":"no SQL at all please"}"#, "no sql at all please"), (#"{"position":""}"#, "for"), (#"[1]"#, "for"),
  ])
  func `a position in the data counts before the words`(data: String, position: String) throws {
    let answer = Consensus.Answer(bot: "ada", text: "Yes", data: try JSONText(validating: Array(data.utf8)))
    #expect(Consensus.position(of: answer) == position)
  }

  @Test(arguments: [
    ("For Postgres", "postgres"), ("Let's go with MySQL.", "mysql"), ("Postgres, because we know it", "postgres"),
    ("Against MySQL", "postgres"), ("not Postgres!", "mysql"), ("Yes", "for"), ("Neither", "unclear"),
  ])
  func `where the question is this or that, an answer names one of them`(text: String, position: String) throws {
    let choice = Consensus.choice("Should we use Postgres or MySQL?")
    #expect(Consensus.position(of: Consensus.Answer(bot: "ada", text: text), choice) == position)
    let data = try JSONText(validating: Array(#"{"position":"for Postgres"}"#.utf8))
    #expect(Consensus.position(of: Consensus.Answer(bot: "ada", text: text, data: data), choice) == "postgres")
    #expect(Consensus.choice("Should we migrate or not?") == [] && Consensus.choice("or what?") == [])
    #expect(Consensus.choice("Yes or no?") == [] && Consensus.choice("Tea or the coffee") == ["tea", "coffee"])
  }

  private func consensus(_ says: String..., silent: [String] = []) -> Consensus {
    let answers = says.enumerated().map { Consensus.Answer(bot: "bot\($0)", text: $1) }
    return Consensus(question: "Should we?", answers: answers, silent: silent)
  }

  @Test func `agreement is unanimous, a majority, a split or none`() {
    #expect(consensus("yes", "yes").agreement == .unanimous)
    #expect(consensus("yes", "yes", "maybe").agreement == .majority)
    #expect(consensus("yes", "no", "no").agreement == .majority && consensus("yes", "no", "no").position == "against")
    #expect(consensus("yes", "no").agreement == .split && consensus("yes", "no").position == nil)
    #expect(consensus("maybe", "what?").agreement == .none)
    #expect(consensus().agreement == .none)
  }

  @Test func `the text and the JSON name who held what, and who was silent`() throws {
    let outcome = consensus("yes, it scales", "no: three people", "no, never", silent: ["mute"])
    let text = outcome.text
    #expect(text.hasPrefix("Consensus: against (majority, 2 of 3)."))
    for part in ["Against (2): bot1, bot2", "For (1): bot0", "- bot0: yes, it scales", "No answer from: mute"] {
      #expect(text.contains(part))
    }
    var writer = JSONWriter()
    outcome.write(to: &writer)
    let value = try JSONValue(parsing: writer.bytes)
    #expect(value["consensus"]?.string == "majority" && value["share"]?.double == 0.667)
    #expect(value["positions"]?.array?.first?["bots"]?.array?.map(\.string) == ["bot1", "bot2"])
    #expect(value["silent"]?.array?.map(\.string) == ["mute"])
  }

  @Test func `a summary has the parts in the order of the plan, and what is missing first`() throws {
    func part(_ step: String, _ state: TaskState, _ result: String?, _ problem: String? = nil) -> Summary.Part {
      Summary.Part(
        step: step, title: "The \(step)", bot: "coder", state: state, result: result.map { JSONText(string: $0) },
        problem: problem)
    }
    let one = Summary(request: "r", parts: [part("build", .completed, "built")])
    #expect(one.text == "built" && one.isComplete && one.problem == nil)
    let two = Summary(
      request: "r", parts: [part("build", .completed, "built"), part("test", .failed, nil, "no machine")])
    #expect(!two.isComplete && two.problem == "test failed: no machine")
    #expect(
      two.text
        == "Not all of it could be done: test failed: no machine\n\n## The build (coder)\nbuilt\n\n"
        + "## The test (coder)\ntest failed: no machine")
    #expect(!Summary(request: "r", parts: []).isComplete)
  }
}
