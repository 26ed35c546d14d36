import SpoolFormat

/// Makes a plan of a request by a template for each approach.
///
/// - One step for whoever is best at it (`direct_response`, `route_to_specialist`).
/// - A step for each domain in the order of the work, each with the result of the one before (`sequential_workflow`).
/// - A step for each domain, all at once (`parallel_delegation`); their results are joined by the task above them.
/// - A step for each domain, in the order of their stages, those of one stage at once, each with all that came of the stage
///   before (`decompose_and_delegate`); of one domain alone a plan, the work by it, and a check.
///
/// What such tasks taught before is in each step's context.
public enum Decomposition {
  /// - Parameters:
  ///   - vocabulary: for the stages of domains.
  ///   - learnings: of the domains, the newest first; at most `learningsMax` are passed on.
  public static func plan(
    _ request: String, _ analysis: Analysis, _ vocabulary: Vocabulary = .builtIn, learnings: [String] = []
  ) -> Workflow {
    let domains = Array(analysis.domains.prefix(Analysis.domainsMax))
    let builder = Builder(request: request, context: context(request, learnings), names: names(of: domains))
    var steps: [Workflow.Step] = []
    switch analysis.approach {
    case .directResponse, .routeToSpecialist, .teamDiscussion:
      steps = [builder.step(name: "answer", domain: domains.first, after: [], doing: request)]
    case .sequentialWorkflow:
      for domain in domains { steps.append(builder.step(domain, after: steps.last.map { [$0] } ?? [])) }
    case .parallelDelegation:
      steps = domains.map { builder.step($0, after: []) }
    case .decomposeAndDelegate where domains.count > 1:
      var before: [Workflow.Step] = []
      let stages = Dictionary(grouping: domains) { vocabulary.stage($0) }
      for (_, domains) in stages.sorted(by: { $0.key < $1.key }) {
        before = domains.map { builder.step($0, after: before) }
        steps += before
      }
    case .decomposeAndDelegate:
      let domain = domains.first
      let plan = builder.step(name: "plan", domain: domain, after: [], doing: "Plan how to do this, in steps")
      let work = builder.step(name: "work", domain: domain, after: [plan], doing: "Do this, by the plan")
      let check = builder.step(name: "check", domain: "quality", after: [work], doing: "Check that this was done well")
      steps = [plan, work, check]
    }
    if steps.isEmpty { steps = [builder.step(name: "answer", domain: nil, after: [], doing: request)] }
    return Workflow(title: builder.title, steps: steps)
  }

  public static let learningsMax = 10

  private static func context(_ request: String, _ learnings: [String]) -> JSONText {
    var writer = JSONWriter()
    writer.beginObject()
    writer.member("request", inert(request))
    if !learnings.isEmpty { writer.member("learnings", learnings.prefix(learningsMax).map(inert)) }
    writer.endObject()
    return JSONText(trusted: writer.bytes)
  }

  /// What each domain's step is called: the domain, as far as it can stand in a template.
  private static func names(of domains: [String]) -> [String: String] {
    var names: [String: String] = [:]
    for domain in domains where names[domain] == nil {
      let kept = String(domain.lowercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" }.prefix(48))
      let name = Template.isStepName(kept) ? kept : "step"
      names[domain] = names.values.contains(name) ? "\(name)\(names.count + 1)" : name
    }
    return names
  }

  /// A text in which nothing is taken for a template.
  private static func inert(_ text: String) -> String {
    guard text.contains("{{") else { return text }
    var result = ""
    for character in text {
      if character == "{", result.last == "{" { result.append(" ") }
      result.append(character)
    }
    return result
  }

  /// What each domain does with a request; others work on it.
  private static let phrases = [
    "research": "Find out what is known about this", "data": "Gather and analyse the data for this",
    "design": "Design this", "development": "Build this", "quality": "Test and review this",
    "operations": "Bring this into operation", "writing": "Write this up",
  ]

  private struct Builder {
    let request: String
    let context: JSONText
    let names: [String: String]

    /// The first line of the request, short enough for a list.
    var title: String {
      let line = request.split(whereSeparator: \.isNewline).first.map(String.init) ?? "(an empty request)"
      var title = line.count > 80 ? line.prefix(79) + "…" : line[...]
      // A character may have any number of bytes, and what is to be done stands before it.
      while title.utf8.count > TaskRecord.titleBytesMax / 2 { title = title.dropLast(2) + "…" }
      return Decomposition.inert(String(title))
    }

    func step(_ domain: String, after before: [Workflow.Step]) -> Workflow.Step {
      step(
        name: names[domain] ?? "step", domain: domain, after: before,
        doing: Decomposition.phrases[domain] ?? "Work on the part of this that is \(domain)")
    }

    func step(name: String, domain: String?, after before: [Workflow.Step], doing: String) -> Workflow.Step {
      var step = Workflow.Step(name: name, title: doing == request ? title : "\(Decomposition.inert(doing)): \(title)")
      step.domain = domain
      step.dependsOn = before.map(\.name)
      step.context = context
      var text = doing == request ? Decomposition.inert(request) : "\(doing): \(Decomposition.inert(request))"
      for earlier in before { text += "\n\nWhat came of \(earlier.name):\n{{\(earlier.name).result}}" }
      step.description = text
      return step
    }
  }
}
