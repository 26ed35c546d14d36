import SpoolFormat
import TestSupport
import Testing

@Suite struct WorkflowTests {
  private func read(_ text: String) throws -> Workflow { try Workflow(parsing: Array(text.utf8)) }

  private func problems(_ text: String) -> String {
    do {
      _ = try read(text)
      return "none"
    } catch { return "\(error)" }
  }

  static let login = """
    {
      "title": "A login page",
      "description": "for everybody",
      "steps": [
        {"name": "design", "title": "Draw it", "domain": "design", "priority": "high", "timeout": "5m"},
        {"name": "build", "title": "Build {{design.result.name}}", "domain": "development", "depends_on": "design",
         "required_skills": ["swift:advanced"], "max_attempts": 5, "retry_backoff": 0.5, "context": {"d": "{{design.result}}"}},
        {"name": "test", "depends_on": ["build"], "on_dependency_failure": "cancel",
         "description": "Test {{build.result}} against {{design.result}}"}
      ]
    }
    """

  @Test func `a workflow becomes tasks, with ids that the caller gives`() throws {
    let workflow = try read(Self.login)
    let moment = Timestamp(microseconds: 1_795_218_312_345_678)
    let ids = (1...4).map { MessageID(time: moment, random: $0) }
    let origin = Workflow.Origin(createdBy: "ann", createdAt: moment, priority: Priority(value: 3)!)
    let parent = workflow.parentRecord(id: ids[3], stepIDs: Array(ids[..<3]), origin: origin)
    #expect(parent.title == "A login page" && parent.isJoin && parent.waitsForChildren)
    #expect(parent.children == Array(ids[..<3]))
    let tasks = workflow.records(ids: Array(ids[..<3]), parent: ids[3], origin: origin)
    #expect(tasks.compactMap(\.id) == Array(ids[..<3]))
    #expect(tasks.allSatisfy { $0.parent == ids[3] && $0.createdBy == "ann" })
    #expect(tasks.map(\.dependsOn) == [[], [ids[0]], [ids[1]]])
    #expect(tasks.map(\.priority.value) == [7, 3, 3])
    #expect(tasks[0].timeoutSeconds == 300)
    #expect(tasks[1].attemptsMax == 5 && tasks[1].retryBackoffSeconds == 0.5)
    #expect(tasks[1].stepNames == ["design": ids[0]])
    // Named by a template, although it depends on it only through the other.
    #expect(tasks[2].stepNames == ["design": ids[0], "build": ids[1]])
    #expect(tasks[2].title == "test" && tasks[2].onDependencyFailure == .cancel)
    for task in tasks + [parent] { #expect(try TaskRecord(parsing: task.encoded) == task) }
  }

  @Test func `a workflow reads as it was written`() throws {
    let workflow = try read(Self.login)
    #expect(try Workflow(parsing: workflow.encoded) == workflow)
    #expect(try read(workflow.prettyPrinted) == workflow)
  }

  @Test func `steps are sorted after what they depend on`() throws {
    let workflow = try read(
      #"{"title": "t", "steps": [{"name": "c", "depends_on": ["a", "b"]}, {"name": "b", "depends_on": "a"}, {"name": "a"}]}"#
    )
    #expect(workflow.sorted.steps.map(\.name) == ["a", "b", "c"])
  }

  @Test func `all that is wrong is told at once, each with its line, its field and a cure`() {
    let text = """
      {
        "titel": "x",
        "steps": [
          {"name": "design", "titel": "x"},
          {"name": "a b", "depends_on": ["desing", "design", "design"]},
          {"name": "design", "priority": 11, "timeout": "soon"},
          {"title": "{{design}}", "required_skills": ["swift:guru"]},
          {"name": "late", "description": "{{design.result}} {{dessign.result}} {{late.result}}", "max_attempts": 0},
          7
        ]
      }
      """
    #expect(
      problems(text) == """
        line 2: titel: unknown field: did you mean title?
        line 4: steps[0].titel: unknown field: did you mean title?
        line 5: steps[1].name: "a b" won't do: use 1 to 64 of a-z, A-Z, 0-9, _ and -, so that templates can name it
        line 5: steps[1].depends_on: there is no step "desing": did you mean design?
        line 5: steps[1].depends_on: "design" stands here twice: name it once
        line 6: steps[2].priority: 11 won't do: write 1 to 10, or low, normal, high, urgent, critical
        line 6: steps[2].timeout: "soon" is no such duration: write seconds, or a text such as "90s" or "5m"
        line 6: steps[2].name: there is a step "design" already in line 4: give each its own name
        line 7: steps[3].name: a step needs one: write "name": "…"
        line 7: steps[3].required_skills: level "guru" is not novice, intermediate, advanced or expert
        line 7: steps[3].title: {{design}} is no template: write {{step.result}} or {{step.result.field}}
        line 8: steps[4].max_attempts: 0 won't do: write a number from 1 to 9999
        line 8: steps[4].description: {{design.result}}: doesn't wait for the step "design": put "design" into its depends_on
        line 8: steps[4].description: {{dessign.result}}: there is no such step: did you mean design?
        line 8: steps[4].description: {{late.result}}: is the step's own result: name a step that it waits for
        line 9: steps[5]: a number where an object should be: write {…}
        """)
  }

  @Test func `a cycle is named`() {
    let text = """
      {"title": "t", "steps": [
        {"name": "z", "depends_on": "a"},
        {"name": "a", "depends_on": "b"},
        {"name": "b", "depends_on": "c"},
        {"name": "c", "depends_on": "a"}
      ]}
      """
    #expect(
      problems(text) == """
        line 3: steps[1].depends_on: a cycle: a → b → c → a, each waits for the next: take one of these dependencies out
        """)
    #expect(problems(#"{"title": "t", "steps": [{"name": "a", "depends_on": "a"}]}"#).contains("a cycle: a → a"))
  }

  @Test(arguments: ["", "{", "[]", "7", "{}", #"{"title": "t"}"#, #"{"title": "t", "steps": []}"#, #"{"title": 7}"#])
  func `what is no workflow is refused`(text: String) { #expect(problems(text) != "none") }

  @Test func `a file that is wrong everywhere gets a page, not a book`() {
    let steps = (0..<900).map { _ in "{\"nam\": 1}" }.joined(separator: ",\n")
    #expect(
      problems("{\"title\": \"t\", \"steps\": [\(steps)]}").split(separator: "\n").count == FileChecker.problemsMax)
    let many = (0...Workflow.stepsMax).map { "{\"name\": \"s\($0)\"}" }.joined(separator: ",")
    #expect(problems("{\"title\": \"t\", \"steps\": [\(many)]}").contains("use at most \(Workflow.stepsMax)"))
  }

  /// A random workflow without a cycle is taken, its steps sorted; with one more dependency that closes a circle it isn't.
  @Test func `random workflows are sorted, or their cycle is found`() throws {
    var random = SeededGenerator()
    for _ in 0..<200 {
      let count = Int.random(in: 2...12, using: &random)
      let order = (0..<count).shuffled(using: &random)
      var steps = (0..<count).map { Workflow.Step(name: "s\($0)", title: "t") }
      for place in 1..<count {
        for earlier in 0..<place where Int.random(in: 0..<3, using: &random) == 0 {
          steps[order[place]].dependsOn.append("s\(order[earlier])")
        }
      }
      let workflow = Workflow(title: "t", steps: steps)
      let sorted = try Workflow(parsing: workflow.encoded).sorted
      var seen: Set<String> = []
      for step in sorted.steps {
        #expect(seen.isSuperset(of: step.dependsOn), "seed \(random.seed)")
        seen.insert(step.name)
      }
      guard let dependent = steps.indices.first(where: { !steps[$0].dependsOn.isEmpty }) else { continue }
      let other = steps.firstIndex { $0.name == steps[dependent].dependsOn[0] }!
      steps[other].dependsOn.append(steps[dependent].name)
      let closed = String(decoding: Workflow(title: "t", steps: steps).encoded, as: UTF8.self)
      #expect(problems(closed).contains("a cycle: "), "seed \(random.seed)")
    }
  }
}
