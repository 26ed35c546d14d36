extension Workflow {
  /// Reads a workflow's file, and checks the whole of it: names, dependencies, cycles, templates. A workflow that was
  /// read can be carried out.
  ///
  /// Fields: `title` (or `name`), `description`, `steps`; of a step `name`, `title`, `description`, `domain`,
  /// `requirements`, `constraints`, `required_skills`, `priority`, `depends_on`, `on_dependency_failure`, `due_at`,
  /// `assign_to`, `max_attempts`, `timeout` and `retry_backoff` (seconds, or a text such as `5m`), `context`.
  /// - Throws: all that is wrong, each with its line, its field and a cure.
  public init(parsing bytes: [UInt8]) throws(FileProblems) {
    guard bytes.count <= Self.bytesMax else {
      throw FileProblems([FileProblem(line: 1, field: "", "\(bytes.count) bytes", cure: "use at most \(Self.bytesMax)")]
      )
    }
    let document: JSONNode
    do { document = try JSONNode(parsing: bytes) } catch { throw FileProblems(error) }
    var reader = WorkflowReader()
    self = try reader.read(document)
  }
}

private struct WorkflowReader {
  private var check = FileChecker()
  /// Where each step stands.
  private var places: [(node: JSONNode, field: String)] = []

  private static let workflowFields = ["name", "title", "description", "steps"]
  private static let stepFields = [
    "name", "title", "description", "domain", "requirements", "constraints", "required_skills", "priority",
    "depends_on", "on_dependency_failure", "due_at", "assign_to", "max_attempts", "timeout", "retry_backoff", "context",
  ]

  mutating func read(_ document: JSONNode) throws(FileProblems) -> Workflow {
    guard document.kind == .object else {
      let cure = "write {\"title\": \"…\", \"steps\": [{\"name\": \"…\", \"title\": \"…\"}]}"
      check.note(document.line, "", "\(document.kindName) where a workflow should be", cure: cure)
      try check.finish()
      return Workflow(title: "", steps: [])
    }
    check.onlyKnown(document, "", Self.workflowFields)
    let name = check.text(document, "", "name", bytesMax: TaskRecord.titleBytesMax)
    let title = check.text(document, "", "title", bytesMax: TaskRecord.titleBytesMax) ?? name
    if title?.isEmpty ?? true, check.problems.isEmpty {
      check.note(document.line, "title", "a workflow needs one", cure: "write \"title\": \"…\"")
    }
    var workflow = Workflow(title: title ?? "", description: check.text(document, "", "description"), steps: [])
    places = check.objects(document, "", "steps")
    if places.isEmpty {
      let line = document["steps"]?.line ?? document.line
      check.note(line, "steps", "a workflow needs one at least", cure: "write \"steps\": [{\"name\": \"…\"}]")
    } else if places.count > Workflow.stepsMax {
      let message = "\(places.count) steps"
      check.note(document["steps"]!.line, "steps", message, cure: "use at most \(Workflow.stepsMax)")
      try check.finish()
    }
    for place in places { workflow.steps.append(step(place.node, place.field)) }
    relate(workflow)
    try check.finish()
    return workflow
  }

  private mutating func step(_ node: JSONNode, _ field: String) -> Workflow.Step {
    check.onlyKnown(node, field, Self.stepFields)
    let name = check.text(node, field, "name") ?? ""
    if check.member(node, "name") == nil {
      check.note(node.line, "\(field).name", "a step needs one", cure: "write \"name\": \"…\"")
    } else if node["name"]?.kind == .string, !Template.isStepName(name) {
      let cure = "use 1 to 64 of a-z, A-Z, 0-9, _ and -, so that templates can name it"
      check.note(node["name"]!.line, "\(field).name", "\"\(name.prefix(80))\" won't do", cure: cure)
    }
    let title = check.text(node, field, "title", bytesMax: TaskRecord.titleBytesMax)
    var step = Workflow.Step(name: name, title: title.flatMap { $0.isEmpty ? nil : $0 } ?? name)
    step.description = check.text(node, field, "description")
    step.domain = check.text(node, field, "domain", bytesMax: TaskRecord.labelBytesMax)
    step.requirements = check.texts(node, field, "requirements").map(\.text)
    step.constraints = check.texts(node, field, "constraints").map(\.text)
    step.requiredSkills = skills(node, field)
    step.priority = priority(node, field)
    step.dependsOn = check.texts(node, field, "depends_on").map(\.text)
    if let text = check.text(node, field, "on_dependency_failure") {
      if let value = TaskRecord.DependencyFailure(rawValue: text) {
        step.onDependencyFailure = value
      } else {
        note(node, field, "on_dependency_failure", "\"\(text.prefix(40))\" won't do", "write \"block\" or \"cancel\"")
      }
    }
    step.dueAt = due(node, field)
    if let text = check.text(node, field, "assign_to") {
      do { step.assignTo = try BotName(parsing: text) } catch { note(node, field, "assign_to", error.description, nil) }
    }
    let attempts = Double(EntryName.attemptMax)
    step.attemptsMax =
      check.number(
        node, field, "max_attempts", 1...attempts, wanted: "write a number from 1 to \(EntryName.attemptMax)"
      )
      .map { Int($0) }
    step.timeoutSeconds = check.seconds(node, field, "timeout", 0.01...1e9)
    step.retryBackoffSeconds = check.seconds(node, field, "retry_backoff", 0...1e6)
    step.context = check.member(node, "context")?.value.text
    return step
  }

  private mutating func note(_ node: JSONNode, _ field: String, _ name: String, _ message: String, _ cure: String?) {
    check.note(node[name]?.line ?? node.line, "\(field).\(name)", message, cure: cure)
  }

  private mutating func skills(_ node: JSONNode, _ field: String) -> [Card.Skill] {
    var skills: [Card.Skill] = []
    for entry in check.texts(node, field, "required_skills") {
      do { skills.append(try Card.Skill(parsing: entry.text)) } catch {
        check.note(entry.line, "\(field).required_skills", error.description)
      }
    }
    return skills
  }

  private mutating func priority(_ node: JSONNode, _ field: String) -> Priority? {
    guard let value = check.member(node, "priority") else { return nil }
    if let priority = value.int.flatMap(Priority.init(value:)) { return priority }
    if let text = value.string, let priority = try? Priority(parsing: text) { return priority }
    let shown = String(value.text.description.prefix(40))
    note(node, field, "priority", "\(shown) won't do", "write \(Priority.choices)")
    return nil
  }

  private mutating func due(_ node: JSONNode, _ field: String) -> Timestamp? {
    guard let value = check.member(node, "due_at")?.value else { return nil }
    let moment = Timestamp(value)
    if moment == nil {
      let shown = String(value.text.description.prefix(40))
      note(node, field, "due_at", "\(shown) is no time", "write one such as 2026-11-20T23:45:12Z")
    }
    return moment
  }

  // MARK: - What steps have to do with each other

  private mutating func relate(_ workflow: Workflow) {
    var first: [String: Int] = [:]
    for (place, step) in workflow.steps.enumerated() where !step.name.isEmpty {
      if let earlier = first[step.name] {
        let line = places[earlier].node["name"]?.line ?? places[earlier].node.line
        let message = "there is a step \"\(step.name.prefix(64))\" already in line \(line)"
        note(places[place].node, places[place].field, "name", message, "give each its own name")
      } else {
        first[step.name] = place
      }
    }
    let names = workflow.steps.map(\.name)
    let known = Set(names)
    for place in workflow.steps.indices { checkDependencies(workflow.steps[place], places[place], names, known) }
    let graph = StepGraph(workflow)
    if let cycle = graph.cycle {
      let circle = (cycle + [cycle[0]]).map { names[$0] }.joined(separator: " → ")
      note(
        places[cycle[0]].node, places[cycle[0]].field, "depends_on", "a cycle: \(circle), each waits for the next",
        "take one of these dependencies out")
    }
    for place in workflow.steps.indices { checkTemplates(place, graph, names) }
  }

  private mutating func checkDependencies(
    _ step: Workflow.Step, _ place: (node: JSONNode, field: String), _ names: [String], _ known: Set<String>
  ) {
    var seen: Set<String> = []
    for entry in check.texts(place.node, place.field, "depends_on") {
      let field = "\(place.field).depends_on"
      // Looking for near matches takes long, and more problems than a page aren't told.
      if check.problems.count >= FileChecker.problemsMax { return }
      if !known.contains(entry.text) {
        let others = names.filter { $0 != step.name && !$0.isEmpty }
        let cure = FileChecker.nearest(entry.text, among: others, all: "the others are")
        check.note(entry.line, field, "there is no step \"\(entry.text.prefix(64))\"", cure: cure)
      } else if !seen.insert(entry.text).inserted {
        check.note(entry.line, field, "\"\(entry.text.prefix(64))\" stands here twice", cure: "name it once")
      }
    }
  }

  private mutating func checkTemplates(_ place: Int, _ graph: StepGraph, _ names: [String]) {
    let (node, field) = places[place]
    var ancestors: Set<String>?
    for name in ["title", "description", "requirements", "constraints", "context"] {
      guard let member = check.member(node, name) else { continue }
      let (references, mistakes) = Template.contents(of: member.value)
      for text in mistakes {
        let cure = "write {{step.result}} or {{step.result.field}}"
        check.note(member.line, "\(field).\(name)", "\(text.prefix(80)) is no template", cure: cure)
      }
      for reference in references {
        if ancestors == nil { ancestors = Set(graph.ancestors(of: place).map { names[$0] }) }
        guard !ancestors!.contains(reference.step) else { continue }
        let (message, cure) =
          if reference.step == names[place] {
            ("is the step's own result", "name a step that it waits for")
          } else if names.contains(reference.step) {
            (
              "doesn't wait for the step \"\(reference.step)\"", "put \"\(reference.step)\" into its depends_on"
            )
          } else {
            (
              "there is no such step",
              FileChecker.nearest(reference.step, among: names.filter { !$0.isEmpty }, all: "the steps are")
            )
          }
        check.note(member.line, "\(field).\(name)", "{{\(reference)}}: \(message)", cure: cure)
      }
    }
  }
}
