import SpoolFormat
import Testing

/// What filling in the templates of a task costs at most.
@Suite struct TemplateLimitTests {
  private static let id = MessageID(time: Timestamp(microseconds: 1_795_218_312_345_678), random: 1)

  private func task(_ edit: (inout TaskRecord) throws -> Void) rethrows -> TaskRecord {
    var task = TaskRecord(title: "a task")
    task.stepNames = ["a": Self.id]
    try edit(&task)
    return task
  }

  @Test func `all that the templates of a task bring in together is limited, wherever they stand`() throws {
    let template = "{{a.result}}"
    let large = JSONText(string: String(repeating: "x", count: 1 << 20))
    func size(_ edit: (inout TaskRecord) throws -> Void) throws -> Int? {
      do { return try task(edit).expanded { _ in large }.encoded.count } catch is FormatError { return nil }
    }
    for count in [15, 17] {
      let list = try JSONText(
        validating: "[" + Array(repeating: "\"\(template)\"", count: count).joined(separator: ",") + "]")
      let sizes = [
        try size { $0.context = list },
        try size { $0.requirements = Array(repeating: template, count: count) },
        try size {
          $0.description = template
          $0.constraints = Array(repeating: template, count: count - 1)
        },
      ]
      for size in sizes { #expect((size ?? 0 > count << 20) == (count == 15)) }
    }
  }

  @Test func `a task may ask for a great many members of a large result`() throws {
    let members = (0..<50_000).map { "\"k\($0)\":\($0)" }.joined(separator: ",")
    let result = try JSONText(validating: "{\"all\":{\(members)},\"list\":[7,8]}")
    let asked = (0..<20_000).map { $0 * 2 }
    let expanded = try task {
      $0.description = asked.map { "{{a.result.all.k\($0)}}" }.joined() + "{{a.result.list.1}}"
    }.expanded { _ in result }
    #expect(expanded.description == asked.map(String.init).joined() + "8")
  }
}
