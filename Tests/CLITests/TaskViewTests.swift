import Spool
import SpoolFormat
import Testing

@testable import CLI

@Suite struct TaskViewTests {
  private func task(_ state: TaskState, _ edit: (inout TaskRecord) -> Void = { _ in }) -> StoredTask {
    let id = MessageID(time: Timestamp(microseconds: 1_700_000_000_000_000), random: 0x8f3a_91c2_0000_0001)
    var record = TaskRecord(title: "build")
    edit(&record)
    return StoredTask(entry: TaskEntry(state: state, name: EntryName(urgency: 5, id: id)), record: record)
  }

  @Test(arguments: [
    (-5, "░░░░░░░░░░"), (0, "░░░░░░░░░░"), (39, "███░░░░░░░"), (100, "██████████"), (400, "██████████"),
  ])
  func `a bar is always as wide as another`(percent: Int, bar: String) {
    #expect(TaskView.bar(percent) == bar)
  }

  @Test func `ids in a sentence are as short as lists have them, and nothing else is touched`() {
    let id = "20261120T234512.345678Z-0123456789abcdef"
    #expect(TaskView.shortened("\(id), which it depends on, failed") == "01234567, which it depends on, failed")
    #expect(TaskView.shortened("\(id): x  \(id)") == "01234567: x  01234567")
    for text in ["", " ", "\(id)0", "no id, at all"] { #expect(TaskView.shortened(text) == text) }
  }

  @Test func `a remark says what a list's reader wants to know, and nothing of what is over`() {
    let past = TimeText.now().advanced(bySeconds: -90)
    #expect(TaskView.remark(task(.pending)) == "")
    #expect(TaskView.remark(task(.pending) { $0.dueAt = past }).hasPrefix("overdue by 90"))
    #expect(TaskView.remark(task(.completed) { $0.dueAt = past }) == "")
    #expect(TaskView.remark(task(.failed) { $0.error = "no\u{1b}network" }) == "no\\u001bnetwork")
    #expect(TaskView.remark(task(.blocked) { $0.isJoin = true }) == "for its children")
    #expect(TaskView.remark(task(.inProgress) { $0.progressText = "half of it" }) == "half of it")
  }

  @Test func `what a file says of its own state counts for nothing`() throws {
    let stored = task(.pending) {
      $0.extra = [
        Message.Field(name: "state", value: JSONText(string: "completed")),
        Message.Field(name: "mine", value: JSONText(string: "kept")),
      ]
    }
    var writer = JSONWriter()
    writer.beginObject()
    TaskView.write(stored, to: &writer)
    writer.endObject()
    // A second "state" would be refused.
    let shown = try JSONValue(parsing: writer.bytes)
    #expect(shown["state"]?.string == "pending" && shown["mine"]?.string == "kept")
  }

  @Test func `an assignment is shown with its reason`() throws {
    let line = LogEvent.line(
      kind: .taskAssigned, subject: "20261120T234512.345678Z-0123456789abcdef", source: "here.1.2", number: 1,
      time: TimeText.now(), reserving: 256
    ) { writer in
      writer.beginObject()
      writer.member("bot", "coder")
      writer.member("by", "coordinator")
      writer.member("reason", "score 0.86")
      writer.endObject()
    }
    let event = try #require(line.withUnsafeBufferPointer { LogEvent(line: $0) })
    #expect(TaskView.details(event) == "to coder by coordinator: score 0.86")
  }

  @Test func `the exit of a wait tells completed, failed or stuck, and not yet apart`() {
    #expect(Verb.exit([task(.completed), task(.completed)]) == .done)
    #expect(Verb.exit([task(.completed), task(.inProgress)]) == .nothing)
    #expect(Verb.exit([task(.inProgress), task(.failed)]) == .failed)
    #expect(Verb.exit([task(.cancelled)]) == .failed)
    #expect(Verb.exit([task(.blocked)]) == .nothing)
    #expect(Verb.exit([task(.blocked) { $0.blockedBy = MessageID(time: TimeText.now(), random: 1) }]) == .failed)
  }
}
