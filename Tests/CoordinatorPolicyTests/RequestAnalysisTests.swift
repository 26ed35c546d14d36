import CoordinatorPolicy
import SpoolFormat
import Testing

@Suite struct RequestAnalysisTests {
  static let analyser = RequestAnalysis()

  struct Judgement: Sendable, CustomTestStringConvertible {
    let text: String
    let complexity: Analysis.Complexity?
    let domains: [String]
    let approach: Analysis.Approach

    init(_ text: String, _ complexity: Analysis.Complexity?, _ domains: [String], _ approach: Analysis.Approach) {
      self.text = text
      self.complexity = complexity
      self.domains = domains
      self.approach = approach
    }

    var testDescription: String { text }
  }

  static let judged = [
    Judgement("What's the latest in AI?", .medium, ["research"], .routeToSpecialist),
    Judgement(
      "Build and test a feature to track user engagement", .high, ["development", "quality"], .decomposeAndDelegate),
    Judgement(
      "Build and launch a mobile app for fitness tracking", .high, ["development", "design", "quality"],
      .parallelDelegation),
    Judgement(
      "Build a login system with security review", .high, ["development", "quality"], .sequentialWorkflow),
    Judgement("Should we migrate to microservices?", .high, ["operations"], .teamDiscussion),
    // Small talk, and what needs no specialist.
    Judgement("hello", .low, [], .directResponse),
    Judgement("Good morning, everyone!", .low, [], .directResponse),
    Judgement("Thanks, that was great", .low, [], .directResponse),
    Judgement("How are you?", .low, [], .directResponse),
    Judgement("Who are you?", .low, [], .directResponse),
    Judgement("Hello, how are you?", .low, [], .directResponse),
    Judgement("hi bob", .low, [], .directResponse),
    Judgement("What can you do?", .low, [], .directResponse),
    Judgement("Who's here?", .low, [], .directResponse),
    Judgement("Which bots are there?", .low, [], .directResponse),
    Judgement("help", .low, [], .directResponse),
    Judgement("ok", .low, [], .directResponse),
    Judgement("", .low, [], .directResponse),
    Judgement(" \n\t?!", .low, [], .directResponse),
    // What no domain knows is somebody's work all the same.
    Judgement("What is the capital of France?", .low, [], .routeToSpecialist),
    Judgement("2+2?", .low, [], .routeToSpecialist),
    Judgement("Hello, 2+2?", .low, [], .routeToSpecialist),
    Judgement("Hi! Organise a birthday party for Anna", .low, [], .routeToSpecialist),
    Judgement("Help me move house", .low, [], .routeToSpecialist),
    Judgement("Is Pluto a planet or a moon?", .low, [], .routeToSpecialist),
    Judgement("whatever", .low, [], .routeToSpecialist),
    // One domain.
    Judgement("Fix the typo in the README", .low, ["development"], .routeToSpecialist),
    Judgement("Hi! Please fix the crash on startup", .medium, ["development"], .routeToSpecialist),
    Judgement("Write a function that sorts a list", .medium, ["development"], .routeToSpecialist),
    Judgement("Write a blog post about our new API", .medium, ["writing"], .routeToSpecialist),
    Judgement("Please summarize this article", .medium, ["writing"], .routeToSpecialist),
    Judgement("Translate the manual into German", .medium, ["writing"], .routeToSpecialist),
    Judgement("Design a logo for the bakery", .medium, ["design"], .routeToSpecialist),
    Judgement("Make the onboarding flow prettier", .medium, ["design"], .routeToSpecialist),
    Judgement("Review the login code", .medium, ["quality"], .routeToSpecialist),
    Judgement("Run a security audit of the API", .medium, ["quality"], .routeToSpecialist),
    Judgement("Fix the failing tests", .medium, ["development"], .routeToSpecialist),
    Judgement("Write a test report", .medium, ["writing"], .routeToSpecialist),
    Judgement("Write tests for the parser", .medium, ["quality"], .routeToSpecialist),
    Judgement("How do I deploy to kubernetes?", .medium, ["operations"], .routeToSpecialist),
    Judgement("The production server is down", .medium, ["operations"], .routeToSpecialist),
    Judgement("Restart the staging cluster", .medium, ["operations"], .routeToSpecialist),
    Judgement("Analyze the churn of last quarter", .medium, ["data"], .routeToSpecialist),
    Judgement("Plot our sales figures by month", .medium, ["data"], .routeToSpecialist),
    Judgement("What are the alternatives to Kafka?", .medium, ["research"], .routeToSpecialist),
    Judgement("Compare Postgres and MySQL", .medium, ["research"], .routeToSpecialist),
    Judgement("Tell me about docker", .medium, ["operations"], .routeToSpecialist),
    Judgement("Build a distributed database from scratch", .high, ["development"], .decomposeAndDelegate),
    // Several.
    Judgement("Create a website for a bakery", .high, ["development", "design"], .decomposeAndDelegate),
    Judgement("Research competitors and write a report", nil, ["research", "writing"], .decomposeAndDelegate),
    Judgement(
      "Research the market, then write a summary", .medium, ["research", "writing"], .sequentialWorkflow),
    Judgement("Deploy the new version after testing it", .medium, ["quality", "operations"], .sequentialWorkflow),
    Judgement("Before you deploy, run the tests", nil, ["quality", "operations"], .sequentialWorkflow),
    Judgement("Before you test it, deploy it to staging", nil, ["operations", "quality"], .sequentialWorkflow),
    Judgement("Deploy it. Before that, test it.", nil, ["quality", "operations"], .sequentialWorkflow),
    Judgement("Test the app after deploying it", nil, ["operations", "quality"], .sequentialWorkflow),
    Judgement("After deploying it, test the app", nil, ["operations", "quality"], .sequentialWorkflow),
    Judgement(
      "Fix the bug, and before you deploy it, test it", nil, ["development", "quality", "operations"],
      .sequentialWorkflow),
    Judgement(
      "Write the code, then deploy it after testing", nil, ["development", "quality", "operations"],
      .sequentialWorkflow),
    Judgement(
      "Write a parser and unit tests for it, then document it", nil, ["development", "quality", "writing"],
      .sequentialWorkflow),
    Judgement("Test the app before deploying it", .medium, ["quality", "operations"], .sequentialWorkflow),
    Judgement(
      "Fix the bug and update the docs in parallel", nil, ["development", "writing"], .parallelDelegation),
    Judgement(
      "Design, implement and document a new checkout", .high, ["development", "design", "writing"],
      .parallelDelegation),
    Judgement(
      "Implement a parser with code review", nil, ["development", "quality"], .sequentialWorkflow),
    Judgement("Analyze the survey results and write a report", nil, ["writing", "data"], .decomposeAndDelegate),
    Judgement(
      "Build a website with a security review", .high, ["design", "development", "quality"], .sequentialWorkflow),
    // Opinions.
    Judgement("What do you think about tabs?", .medium, [], .teamDiscussion),
    Judgement("Which database should we use?", nil, ["development"], .teamDiscussion),
    Judgement("Is it worth rewriting the parser in Rust?", nil, ["development"], .teamDiscussion),
    Judgement("Is it a good idea to rewrite the backend in Rust?", nil, ["development"], .teamDiscussion),
    Judgement("Is it wise to deploy on Fridays?", nil, ["operations"], .teamDiscussion),
    Judgement("Postgres or MySQL?", .medium, [], .teamDiscussion),
    Judgement("Vote: tabs or spaces", .medium, [], .teamDiscussion),
    Judgement("Let's discuss the roadmap", .medium, [], .teamDiscussion),
    Judgement("Should you see an error, restart the server", .medium, ["operations"], .routeToSpecialist),
    // Other languages, and words that nobody knows.
    Judgement("Bonjour!", .low, [], .directResponse),
    Judgement("Привет, как дела?", .low, [], .directResponse),
    Judgement("你好", .low, [], .directResponse),
    Judgement("Räum bitte heute noch den Keller auf", .low, [], .routeToSpecialist),
    Judgement("Pouvez-vous réparer le toit de la maison ?", .low, [], .routeToSpecialist),
    Judgement("Organise a birthday party for Anna", .low, [], .routeToSpecialist),
  ]

  @Test(arguments: judged)
  func `requests are understood by their words`(wanted: Judgement) {
    let found = Self.analyser.analyse(wanted.text)
    let why = Comment(rawValue: found.reasons.joined(separator: "; "))
    #expect(found.domains == wanted.domains, why)
    #expect(found.approach == wanted.approach, why)
    if let complexity = wanted.complexity { #expect(found.complexity == complexity, why) }
    #expect(found.requiresTeam == ![.directResponse, .routeToSpecialist].contains(found.approach))
    #expect(!found.reasons.isEmpty)
  }

  @Test func `a text of 100 kB is understood in no more time than it takes to read`() {
    let sentence = "Build a login page, test it with review and write the report about the server. "
    let long = String(repeating: sentence, count: 100_000 / sentence.utf8.count)
    let found = Self.analyser.analyse(long)
    #expect(found.complexity == .high)
    #expect(found.domains.contains("development") && found.domains.contains("quality"))
    let noise = String(repeating: "\u{e9}\u{0}{\"x y?", count: 12_000)
    #expect(Self.analyser.analyse(noise).approach == .routeToSpecialist)
    #expect(Self.analyser.analyse(String(repeating: "a", count: 100_000)).approach == .routeToSpecialist)
  }

  @Test func `an analysis reads as it was written, and says what is wrong with one that doesn't`() throws {
    let analysis = Self.analyser.analyse("Build and test a feature")
    var writer = JSONWriter()
    analysis.write(to: &writer)
    #expect(try Analysis(parsing: writer.bytes) == analysis)
    let minimal = try Analysis(
      parsing: Array(#"{"complexity":"High","recommended_approach":"team_discussion","mood":1}"#.utf8))
    #expect(minimal.requiresTeam && minimal.complexity == .high && minimal.domains.isEmpty)
    let text = "{\n \"complexity\": \"hihg\",\n \"approach\": \"x\",\n \"domains\": [\"a\", 5]\n}"
    #expect {
      try Analysis(parsing: Array(text.utf8))
    } throws: { error in
      let text = "\(error)"
      #expect(
        text == """
          line 1: recommended_approach: is missing: write one of direct_response, route_to_specialist, \
          sequential_workflow, parallel_delegation, decompose_and_delegate, team_discussion
          line 2: complexity: "hihg" won't do: did you mean high?
          line 4: domains[1]: a number where a text should be
          """)
      return true
    }
    #expect(throws: FileProblems.self) { try Analysis(parsing: Array("[]".utf8)) }
    #expect(throws: FileProblems.self) { try Analysis(parsing: Array("{".utf8)) }
  }
}
