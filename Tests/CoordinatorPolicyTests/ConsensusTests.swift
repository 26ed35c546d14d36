import SpoolFormat
import Testing

@testable import CoordinatorPolicy

@Suite struct ConsensusTests {
  /// The position of an answer.
  private func position(_ text: String, to question: String, data: String? = nil) throws -> String {
    let data = try data.map { try JSONText(validating: Array($0.utf8)) }
    return Positions(question).of([Consensus.Answer(bot: "ada", text: text, data: data)])[0]
  }

  @Test(arguments: [
    ("Yes.", "for"), ("I agree, but slowly", "for"), ("I'm not against it", "for"), ("+1", "for"),
    ("No objection", "for"), ("Of course", "for"), ("Of course, it scales", "for"), ("Absolutely!", "for"),
    ("I think we should migrate.", "for"), ("We should definitely migrate now", "for"), ("In our view yes", "for"),
    ("Hell yes!", "for"), ("I'm leaning towards yes", "for"), ("Let's do it", "for"), ("Let's migrate", "for"),
    ("I don't see why not", "for"), ("I don't see a problem", "for"), ("I see no reason not to", "for"),
    ("I think so", "for"), ("I don't think it's a bad idea", "for"), ("Not a bad idea", "for"),
    ("Good idea!", "for"), ("No problem", "for"), ("I couldn't agree more", "for"), ("I would migrate", "for"),
    ("I'm for it", "for"), ("I support it", "for"), ("I support the proposal", "for"), ("Sure, no problem", "for"),
    ("Yes, no doubt", "for"), ("Yes, no objections", "for"), ("yes, it scales", "for"), ("Do it", "for"),
    ("Agreed.", "for"), ("Sounds good to me", "for"), ("Go ahead", "for"), ("Let's go ahead", "for"),
    ("Yes we should", "for"), ("We must migrate", "for"), ("Not opposed", "for"), ("I wouldn't oppose it", "for"),
  ])
  func `the first words of an answer say what it is for`(text: String, position: String) throws {
    #expect(try self.position(text, to: "Should we migrate to microservices?") == position)
  }

  @Test(arguments: [
    ("No: we are three people.", "against"), ("I do not agree", "against"), ("We strongly oppose that", "against"),
    ("-1 from me", "against"), ("My position: no", "against"), ("Absolutely not", "against"),
    ("Definitely not.", "against"), ("Certainly not, it is too early", "against"), ("Sure not", "against"),
    ("Of course never", "against"), ("Of course not", "against"), ("We should not migrate.", "against"),
    ("We shouldn't migrate", "against"), ("We shouldn't", "against"), ("I think we should not", "against"),
    ("We should absolutely not migrate", "against"), ("We should never migrate", "against"),
    ("In my opinion, no.", "against"), ("Hell no", "against"), ("I lean towards no.", "against"),
    ("Let's not do it", "against"), ("Let's not", "against"), ("I don't see why", "against"),
    ("I don't see the point", "against"), ("No reason to", "against"), ("I don't think so", "against"),
    ("I don't think we should migrate", "against"), ("It's a bad idea", "against"), ("Not yet", "against"),
    ("Not this year.", "against"), ("Not really", "against"), ("No way", "against"), ("No need", "against"),
    ("I can't agree", "against"), ("I would not migrate", "against"), ("For me, no", "against"),
    ("Never", "against"), ("Don't do it", "against"), ("Don't migrate", "against"),
    ("Should we migrate? No.", "against"), ("Well. No.", "against"), ("Against", "against"),
    ("against it", "against"), ("no, never", "against"), ("no, not now", "against"), ("I lean no", "against"),
    ("Personally, I would say no", "against"), ("I do not want to migrate", "against"),
    ("I'm not convinced", "against"), ("Probably not", "against"), ("Not for me", "against"),
  ])
  func `the first words of an answer say what it is against`(text: String, position: String) throws {
    #expect(try self.position(text, to: "Should we migrate to microservices?") == position)
  }

  @Test(arguments: [
    ("It depends on the budget", "abstain"), ("Maybe later", "abstain"), ("The weather is fine", "unclear"),
    ("nobody knows", "unclear"), ("Yesterday was fine", "unclear"), ("Northern lights", "unclear"),
    ("Not sure, it depends", "abstain"), ("I'm not sure", "abstain"), ("I don\u{2019}t know", "abstain"),
    ("No idea", "abstain"), ("Yes and no.", "abstain"), ("Yes, but no", "abstain"), ("Yes/no", "abstain"),
    ("No and yes", "abstain"), ("Yes, but not now", "abstain"), ("We should wait", "unclear"),
    ("We should not wait", "unclear"), ("We should think about it", "unclear"),
    ("We should avoid migrating", "unclear"), ("We should migrate, but not now", "unclear"),
    ("Let's wait", "unclear"), ("Let's not wait", "unclear"), ("I don't think we should wait", "unclear"),
    ("Not only for the money", "unclear"), ("Not necessarily", "unclear"), ("Not entirely", "unclear"),
    ("No one wants that", "unclear"), ("I'd wait", "unclear"), ("For what it's worth, no", "unclear"),
    ("I'm for waiting", "unclear"), ("Support is expensive", "unclear"), ("Object storage is slow", "unclear"),
    ("Never mind", "abstain"), ("Never been surer", "unclear"), ("I don't understand the question", "unclear"),
    ("Why?", "unclear"), ("What?", "unclear"), ("Definitely maybe", "abstain"),
    ("It will migrate itself", "unclear"), ("It should migrate by itself", "unclear"),
    ("This will not scale", "unclear"), ("No strong opinion", "abstain"), ("I have no strong preference", "abstain"),
    ("I do not want to wait", "unclear"), ("Definitely worth it", "unclear"), ("Not without tests", "unclear"),
    ("", "unclear"),
  ])
  func `an answer that may mean either is counted for neither`(text: String, position: String) throws {
    #expect(try self.position(text, to: "Should we migrate to microservices?") == position)
  }

  @Test(arguments: [
    ("We should use Go", "unclear"), ("We should use Rust", "for"), ("We should not use Go", "unclear"),
    ("We should use it", "for"),
  ])
  func `who is for something else is not for what was asked`(text: String, position: String) throws {
    #expect(try self.position(text, to: "Should we use Rust?") == position)
  }

  @Test(arguments: [
    ("We should hire Ann", "unclear"), ("Hire more people", "unclear"), ("We should hire more people", "for"),
    ("No more people", "unclear"), ("We need more people", "unclear"), ("Not more people", "against"),
    ("I believe so", "for"), ("I guess not", "against"), ("I hope not", "unclear"), ("I'd rather not", "against"),
    ("Why not?", "unclear"), ("Sure, why not?", "for"), ("yes?", "for"), ("Should we?", "unclear"),
    ("I would not say no", "for"), ("I would not say that", "unclear"), ("No, I think we should", "against"),
    ("Honestly no", "against"), ("I can't see why not", "for"), ("Absolutely no", "against"),
    ("Certainly no doubt", "for"), ("I have no doubt we should hire", "for"), ("Under no circumstances", "unclear"),
    ("Not under any circumstances", "unclear"), ("I am all for it", "for"), ("I'm in favour", "for"),
    ("I'm in favour of hiring", "for"), ("I'm not in favour", "against"), ("I'm in favour of waiting", "unclear"),
    ("I doubt it", "unclear"), ("Rejected", "against"), ("I strongly disagree", "against"),
    ("I agree to disagree", "unclear"), ("I wouldn't", "against"), ("I won't object", "for"),
    ("By all means no", "unclear"), ("Let us not", "against"), ("Let us do it", "for"), ("My vote is no", "against"),
    ("My vote is yes", "for"), ("I vote no", "against"), ("I vote for it", "for"), ("I vote yes", "for"),
    ("I vote against it", "against"), ("We should never do that", "against"), ("It's a yes from me", "for"),
    ("It's a no from me", "against"), ("That would be wrong", "against"), ("That is right", "for"),
    ("Right now, no", "unclear"), ("All good", "for"), ("Not good", "against"),
  ])
  func `an answer is for or against the whole of what was asked`(text: String, position: String) throws {
    #expect(try self.position(text, to: "Should we hire more people?") == position)
  }

  @Test(arguments: [
    (#"{"position":"Postgres"}"#, "postgres"), (#"{"position":"yes"}"#, "for"), (#"{"position":"against"}"#, "against"),
    (#"{"position":"no SQL at all please"}"#, "no sql at all please"), (#"{"position":""}"#, "for"), (#"[1]"#, "for"),
    (#"{"position":"No, it is too early"}"#, "against"),
  ])
  func `a position in the data counts before the words`(data: String, position: String) throws {
    #expect(try self.position("Yes", to: "Should we?", data: data) == position)
  }

  @Test(arguments: [
    ("For Postgres", "postgres"), ("Let's go with MySQL.", "mysql"), ("Postgres, because we know it", "postgres"),
    ("Against MySQL", "postgres"), ("not Postgres!", "mysql"), ("Yes", "for"), ("Neither", "unclear"),
    ("We should not use MySQL", "postgres"), ("Not sure, Postgres maybe", "abstain"),
    ("Postgres or MySQL, I don't care", "unclear"), ("Postgres over MySQL", "postgres"),
    ("We should use both", "unclear"), ("I'd rather have Postgres than MySQL", "unclear"),
    ("Stick with Postgres", "postgres"), ("Definitely Postgres", "postgres"), ("I hate Postgres", "unclear"),
    ("I worry about Postgres", "unclear"), ("Postgres sucks", "unclear"), ("Forget Postgres", "unclear"),
    ("No, Postgres", "postgres"), ("I see Postgres as a risk", "unclear"), ("We have MySQL already", "unclear"),
    ("I would use Postgres", "postgres"), ("use postgres", "postgres"), ("I think Postgres", "postgres"),
    ("I think that we should use Postgres", "postgres"), ("My vote: Postgres", "postgres"),
    ("I recommend MySQL", "mysql"),
  ])
  func `where the question is this or that, an answer names one of them`(text: String, position: String) throws {
    #expect(try self.position(text, to: "Should we use Postgres or MySQL?") == position)
  }

  @Test func `a choice in the data counts before the words`() throws {
    let data = #"{"position":"for Postgres"}"#
    #expect(try position("Go with MySQL", to: "Should we use Postgres or MySQL?", data: data) == "postgres")
  }

  @Test(arguments: [
    ("Should we use Postgres, MySQL or SQLite?", ["postgres", "mysql", "sqlite"]),
    ("Should we use Postgres, MySQL, or SQLite for the new service?", ["postgres", "mysql", "sqlite"]),
    ("Tea or the coffee", ["tea", "coffee"]),
    ("Should we migrate to microservices or keep the monolith?", ["migrate to microservices", "keep the monolith"]),
    ("Vote: tabs or spaces?", ["tabs", "spaces"]),
    ("Should we migrate or not?", []),
    ("or what?", []),
    ("Yes or no?", []),
    ("Postgres, MySQL or SQLite?", ["postgres", "mysql", "sqlite"]),
    ("Should we build it or buy it?", ["build it", "buy it"]),
    ("Should we migrate now or wait?", ["now", "wait"]),
    ("Should we use Google Spanner or Postgres?", ["google spanner", "postgres"]),
    ("Should we go with option A or option B?", ["option a", "option b"]),
    ("Which is better, Postgres or MySQL?", ["postgres", "mysql"]),
    ("Which of Postgres or MySQL should we use?", ["postgres", "mysql"]),
    ("Given the budget, should we hire Ann or Bob?", ["ann", "bob"]),
    ("Should we rewrite the backend in Rust or Go?", ["rust", "go"]),
    ("Should we move the team to the cloud, stay on premises, or do both?", ["cloud", "stay on premises", "do both"]),
    ("Do we hire a designer or a developer first?", ["designer", "developer first"]),
    ("Should we deploy on Friday or wait until Monday?", ["friday", "wait until monday"]),
    ("Light mode or dark mode?", ["light mode", "dark mode"]),
    ("Is it better to use tabs or spaces?", ["tabs", "spaces"]),
  ])
  func `a question names what there is to choose from`(question: String, options: [String]) {
    #expect(Alternatives(of: question).options.map(\.name) == options)
  }

  @Test(arguments: [
    ("Should we use Postgres, MySQL or SQLite?", "Postgres. It is best", "postgres"),
    ("Should we use Postgres, MySQL or SQLite?", "MySQL. It is best", "mysql"),
    ("Should we use Postgres, MySQL or SQLite?", "I prefer SQLite", "sqlite"),
    ("Should we use Postgres, MySQL or SQLite?", "not Postgres", "unclear"),
    ("Should we use Postgres, MySQL or SQLite?", "Postgres is slow", "unclear"),
    ("Should we use Postgres, MySQL or SQLite?", "Postgres is the best", "postgres"),
    ("Should we use Postgres, MySQL or SQLite?", "Anything but MySQL", "unclear"),
    ("Should we use Postgres, MySQL or SQLite?", "Both Postgres and MySQL", "unclear"),
    ("Should we use Postgres, MySQL, or SQLite for the new service?", "We should use SQLite", "sqlite"),
    ("Tea or the coffee", "Tea", "tea"),
    ("Should we migrate to microservices or keep the monolith?", "Keep the monolith", "keep the monolith"),
    ("Should we migrate to microservices or keep the monolith?", "Migrate", "migrate to microservices"),
    ("Should we migrate to microservices or keep the monolith?", "Microservices are a trap", "unclear"),
    ("Should we migrate to microservices or keep the monolith?", "Stay with the monolith", "keep the monolith"),
    (
      "Should we migrate to microservices or keep the monolith?", "We should migrate to microservices",
      "migrate to microservices"
    ),
    ("Should we migrate to microservices or keep the monolith?", "Microservices", "migrate to microservices"),
    ("Vote: tabs or spaces?", "Tabs", "tabs"),
    ("Vote: tabs or spaces?", "spaces!", "spaces"),
    ("Yes or no?", "yes", "for"),
    ("Postgres, MySQL or SQLite?", "mysql", "mysql"),
    ("Should we build it or buy it?", "Build it", "build it"),
    ("Should we build it or buy it?", "Buy", "buy it"),
    ("Should we migrate now or wait?", "Wait.", "wait"),
    ("Should we migrate now or wait?", "Now", "now"),
    ("Should we use Google Spanner or Postgres?", "Google Spanner", "google spanner"),
    ("Should we use Google Spanner or Postgres?", "Postgres", "postgres"),
    ("Should we go with option A or option B?", "Option B", "option b"),
    ("Should we go with option A or option B?", "B", "option b"),
    ("Which is better, Postgres or MySQL?", "MySQL", "mysql"),
    ("Which of Postgres or MySQL should we use?", "MySQL", "mysql"),
    ("Given the budget, should we hire Ann or Bob?", "Ann", "ann"),
    ("Given the budget, should we hire Ann or Bob?", "Hire Bob", "bob"),
    ("Should we rewrite the backend in Rust or Go?", "Rust", "rust"),
    ("Should we rewrite the backend in Rust or Go?", "Go.", "go"),
    ("Should we rewrite the backend in Rust or Go?", "Rewrite it in Rust", "rust"),
    ("Should we move the team to the cloud, stay on premises, or do both?", "Stay on premises", "stay on premises"),
    ("Should we move the team to the cloud, stay on premises, or do both?", "The cloud", "cloud"),
    ("Do we hire a designer or a developer first?", "A designer", "designer"),
    ("Do we hire a designer or a developer first?", "the developer, of course", "developer first"),
    ("Do we hire a designer or a developer first?", "We need a developer", "developer first"),
    ("Should we deploy on Friday or wait until Monday?", "Wait until Monday", "wait until monday"),
    ("Should we deploy on Friday or wait until Monday?", "Monday", "wait until monday"),
    ("Should we deploy on Friday or wait until Monday?", "Friday is fine", "friday"),
    ("Should we deploy on Friday or wait until Monday?", "Deploy on Friday", "friday"),
    ("Light mode or dark mode?", "dark mode", "dark mode"),
    ("Light mode or dark mode?", "dark", "dark mode"),
    ("Is it better to use tabs or spaces?", "spaces", "spaces"),
  ])
  func `an answer chooses from what the question names`(question: String, text: String, position: String) throws {
    #expect(try self.position(text, to: question) == position)
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

  @Test func `of several options the one that most name has the majority`() {
    let says = ["Postgres. It is best", "postgres. It is best", "Postgres. It is best", "MySQL. It is best"]
    let answers = says.enumerated().map { Consensus.Answer(bot: "bot\($0)", text: $1) }
    for question in ["Should we use Postgres, MySQL or SQLite?", "Which database should we use?"] {
      let outcome = Consensus(question: question, answers: answers)
      #expect(outcome.position == "postgres" && outcome.agreement == .majority, "\(outcome.text)")
    }
    let text = Consensus(question: "Should we use Postgres, MySQL or SQLite?", answers: answers).text
    #expect(text.hasPrefix("Consensus: postgres (majority, 3 of 4)."), "\(text)")
  }

  @Test(arguments: [
    (["Paris.", "paris", "It is Paris", "The capital is Paris."], ["paris"]),
    (["Postgres, because we know it", "I'd use Postgres", "MySQL"], ["postgres", "unclear"]),
    (["No idea", "one", "two"], ["unclear", "abstain"]),
    (["Hard to say, really", "not Paris", "not Paris"], ["unclear"]),
  ])
  func `where no yes or no is asked for, those agree who begin with the same phrase`(says: [String], camps: [String]) {
    let answers = says.enumerated().map { Consensus.Answer(bot: "bot\($0)", text: $1) }
    let found = Set(Consensus(question: "What is it?", answers: answers).camps.map(\.position))
    #expect(found == Set(camps))
  }

  @Test(arguments: [
    ("Absolutely, but not this year", "abstain"), ("Yes, we should not", "abstain"),
    ("No doubt it will fail", "unclear"),
    ("No question, it is a bad idea", "against"), ("No doubt we should migrate", "for"), ("No doubt, it scales", "for"),
    ("Definitely a bad idea", "against"), ("Certainly: no", "against"), ("Of course it depends", "abstain"),
    ("Of course there are risks", "unclear"),
    ("We should? No!", "against"), ("I have nothing against it", "unclear"), ("Never again", "unclear"),
  ])
  func `what follows may turn what an answer begins with`(text: String, position: String) throws {
    #expect(try self.position(text, to: "Should we migrate to microservices?") == position)
  }

  @Test func `a question that asks for a yes or no first is no open one`() throws {
    #expect(try position("I think we should migrate", to: "Should we migrate, and how?") == "for")
    #expect(try position("I think we should migrate", to: "It is late. Should we migrate?") == "for")
    #expect(try position("We should use what is there", to: "Given that, which one should we use?") == "unclear")
  }

  @Test func `what is told before a question is no part of it`() throws {
    let question = String(repeating: "We could wait. ", count: 50) + "Should we migrate?"
    #expect(try position("We should wait", to: question) == "unclear")
    #expect(try position("We should migrate", to: question) == "for")
  }

  @Test func `fewer than those who are unclear have no majority`() {
    let few = consensus("yes", "it rains", "the sky is blue")
    #expect(few.agreement == .none && few.position == nil)
    #expect(few.text.hasPrefix("No consensus: most answers take no clear position.") && few.text.contains("For (1)"))
    #expect(consensus("yes", "it rains").agreement == .majority)
    #expect(consensus("what?").text.hasPrefix("No consensus: nobody took a position."))
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
