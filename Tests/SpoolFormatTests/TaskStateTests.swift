import Testing

@testable import SpoolFormat

@Suite struct TaskStateTests {
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
