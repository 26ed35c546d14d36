import Testing

@testable import SpoolFormat

@Suite struct TaskStateTests {
  @Test func `a time in a task is a text or a number of seconds`() throws {
    for time in [#""2026-09-21T14:13:20.5Z""#, "1790000000.5"] {
      let text = #"{"title":"t","due_at":\#(time),"failures":[{"attempt":1,"at":\#(time),"error":"no"}]}"#
      let task = try TaskRecord(parsing: Array(text.utf8))
      #expect(task.dueAt?.rfc3339 == "2026-09-21T14:13:20.500000Z" && task.failures.first?.at == task.dueAt)
    }
  }

  @Test(arguments: [
    (#""due_at":"soon""#, "a time such as"), (#""due_at":true"#, "a time such as"),
    (#""max_attempts":0"#, "a number from 1 to 9999"), (#""timeout":0"#, "a number from 0.01 to 1000000000"),
    (#""priority":11"#, "urgent, critical"),
  ])
  func `a value that won't do is refused by its name`(member: String, wanted: String) {
    let thrown = #expect(throws: FormatError.self) {
      try TaskRecord(parsing: Array("{\"title\":\"t\",\(member)}".utf8))
    }
    #expect(thrown?.description.contains(wanted) == true, "\(member): \(thrown?.description ?? "")")
  }

  /// Every transition there is; whatever isn't in here is refused.
  private static let table: [TaskState: [TaskEvent: TaskState]] = [
    .pending: [.assign: .assigned, .start: .inProgress, .block: .blocked, .fail: .failed, .cancel: .cancelled],
    .assigned: [
      .assign: .assigned, .start: .inProgress, .release: .pending, .block: .blocked, .fail: .failed,
      .cancel: .cancelled,
    ],
    .inProgress: [
      .progress: .inProgress, .complete: .completed, .fail: .failed, .retry: .pending, .release: .pending,
      .expire: .pending, .block: .blocked, .cancel: .cancelled,
    ],
    .blocked: [
      .unblock: .pending, .block: .blocked, .complete: .completed, .fail: .failed, .cancel: .cancelled,
    ],
    .completed: [:],
    .failed: [.retry: .pending, .cancel: .cancelled, .block: .blocked],
    .cancelled: [.retry: .pending, .block: .blocked],
  ]

  @Test func `the transition table is what it says, pair by pair`() {
    for state in TaskState.allCases {
      for event in TaskEvent.allCases {
        #expect(state.after(event) == Self.table[state]?[event], "\(state) \(event)")
      }
      #expect(Set(state.allowed) == Set(Self.table[state]!.keys))
    }
  }
}
