import Testing

@testable import SpoolFormat

@Suite struct TemplateTests {
  private let results: [String: JSONText]

  init() throws {
    results = [
      "design": try JSONText(
        validating: #"{"files": ["a.swift", "b.swift"], "size": 2.50, "note": "say {{test.result}}"}"#),
      "test": try JSONText(validating: "\"all\\npassed\""),
    ]
  }

  private func expand(_ text: String, _ given: [String: JSONText]? = nil) throws -> String {
    Template.expand(text, try TemplateValues(of: Template.references(in: text), in: given ?? results))
  }

  @Test func `a template is replaced by the result, or by a member of it`() throws {
    #expect(try expand("It {{test.result}}.") == "It all\npassed.")
    #expect(try expand("{{ design.result.files.1 }} of {{design.result.size}}") == "b.swift of 2.50")
    #expect(try expand("{{design.result.files}}") == #"["a.swift","b.swift"]"#)
    #expect(try expand("nothing { to } do }} here") == "nothing { to } do }} here")
    // An accent that follows is no part of the brace.
    #expect(try expand("{{test.result}}\u{301}.").unicodeScalars.elementsEqual("all\npassed\u{301}.".unicodeScalars))
  }

  @Test func `what a result brings isn't expanded again`() throws {
    #expect(try expand("{{design.result.note}}") == "say {{test.result}}")
  }

  @Test func `braces that are no template stay, and are told as mistakes`() throws {
    let text = "{{design}} {{a b.result}} {{{{test.result}} {{"
    #expect(Template.mistakes(in: text) == ["{{design}}", "{{a b.result}}"])
    #expect(Template.references(in: text).map(\.description) == ["test.result"])
    #expect(try expand(text) == "{{design}} {{a b.result}} {{all\npassed {{")
  }

  @Test(arguments: [
    ("{{build.result}}", "{{build.result}}: there is no result of the step \"build\""),
    (
      "{{design.result.colour}}",
      "{{design.result.colour}}: design.result has no \"colour\"; it has files, size, note"
    ),
    (
      "{{design.result.files.2}}",
      "{{design.result.files.2}}: design.result.files has no \"2\": it is a list of 2, counted from 0"
    ),
    (
      "{{test.result.x}}",
      "{{test.result.x}}: test.result has no \"x\": it is a text; to give an object, its program prints {\"result\": {…}}"
    ), ("{{design.result.size.x}}", "{{design.result.size.x}}: design.result.size has no \"x\": it is no object"),
  ])
  func `what is missing is named`(text: String, wanted: String) {
    #expect {
      try expand(text)
    } throws: {
      "\($0)" == wanted
    }
  }

  @Test func `a text that would fill the memory is refused`() throws {
    let large = ["a": JSONText(string: String(repeating: "x", count: 1 << 20))]
    let text = String(repeating: "{{a.result}}", count: 17)
    #expect(throws: FormatError.self) { try expand(text, large) }
  }

  @Test func `a task gets the results of the steps that it names, in its context as what they are`() throws {
    var task = TaskRecord(title: "Check {{d.result.size}}")
    task.description = "of {{d.result.files.0}}"
    task.requirements = ["{{t.result}}"]
    task.context = try JSONText(validating: #"{"all": "{{d.result.files}}", "some": ["<{{t.result}}>", 1]}"#)
    #expect(try task.expanded { _ in nil } == task)
    let moment = Timestamp(microseconds: 1_795_218_312_345_678)
    let ids = ["d": MessageID(time: moment, random: 1), "t": MessageID(time: moment, random: 2)]
    task.stepNames = ids
    let expanded = try task.expanded { id in id == ids["d"] ? results["design"] : results["test"] }
    #expect(expanded.title == "Check 2.50")
    #expect(expanded.description == "of a.swift")
    #expect(expanded.requirements == ["all\npassed"])
    #expect(expanded.context?.description == #"{"all":["a.swift","b.swift"],"some":["<all\npassed>",1]}"#)
    #expect(throws: FormatError.self) { try task.expanded { _ in nil } }
    task.title = "{{t.result}}"
    let long = try task.expanded { id in
      id == ids["d"] ? results["design"] : JSONText(string: String(repeating: "é", count: 2000))
    }
    #expect(long.title.utf8.count <= TaskRecord.titleBytesMax && long.title.hasSuffix("é…"))
  }
}
