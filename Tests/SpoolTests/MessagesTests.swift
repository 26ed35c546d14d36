import Glibc
import Linux
import SpoolFormat
import Synchronization
import TestSupport
import TestThreads
import Testing

@testable import Spool

@Suite(.waiting) struct MessagesTests {
  @Test func `messages come as a sequence, those that wait and those that come later`() async throws {
    let fixture = try Fixture("coder")
    for number in 0..<5 { try fixture.send("\(number)") }
    var contents: [String] = []
    for try await claim in Messages(fixture.spool, try fixture.bot()) {
      contents.append(claim.message.content ?? "")
      #expect(fixture.names("claimed").count == 1)
      try fixture.spool.ack(claim.bot, claim.name)
      if contents.count < 10 { try fixture.send("\(contents.count + 4)") }
      if contents.count == 14 { break }
    }
    #expect(contents == (0..<14).map { "\($0)" })
    #expect(fixture.names("claimed").isEmpty && fixture.names("inbox").isEmpty)
  }

  @Test func `a cancelled task ends its sequence, and nothing stays claimed`() async throws {
    let fixture = try Fixture("coder")
    let (spool, bot) = (fixture.spool, try fixture.bot())
    for round in 0..<10 {
      let task = Task {
        var count = 0
        for try await claim in Messages(spool, bot) {
          count += 1
          try spool.ack(claim.bot, claim.name)
        }
        return count
      }
      // At once, or when it waits, or while a message is on its way.
      if round % 3 == 1 { try await Task.sleep(for: .milliseconds(30)) }
      if round % 3 == 2 { try fixture.send("\(round)") }
      task.cancel()
      let result = await task.result
      if case .failure(let error) = result { #expect(error is CancellationError) }
      #expect(eventually { fixture.names("claimed").isEmpty })
    }
    let left = try fixture.drain().count
    let acked = try fixture.events(.messageAcked).count
    #expect(acked == 3)
    #expect(left <= 3)
  }

  @Test func `a sequence that is left early has nothing in hand and ends its thread`() async throws {
    let fixture = try Fixture("coder")
    for number in 0..<3 { try fixture.send("\(number)") }
    let before = Plain.names("/proc/self/task").count
    for _ in 0..<3 {
      for try await claim in Messages(fixture.spool, try fixture.bot()) {
        try fixture.spool.ack(claim.bot, claim.name)
        break
      }
    }
    #expect(fixture.names("claimed").isEmpty && fixture.names("inbox").isEmpty)
    // Other tests have threads too, but hundreds would be these.
    for _ in 0..<200 {
      try fixture.send("x")
      for try await claim in Messages(fixture.spool, try fixture.bot()) {
        try fixture.spool.ack(claim.bot, claim.name)
        break
      }
    }
    #expect(eventually { Plain.names("/proc/self/task").count < before + 100 })
  }

  @Test func `one sequence looks at its inbox once, not once a message`() throws {
    let fixture = try Fixture("coder")
    let (path, trace) = (fixture.path, fixture.home("trace"))
    for number in 0..<50 { try fixture.send("\(number)") }
    let outcome = try OwnProcess.run(
      "take fifty as a sequence", [path], environment: ["SPOOL_FAULT_TRACE": trace])
    #expect(outcome.isDone, "\(outcome)")
    let calls = try Plain.text(trace).split(separator: "\n")
    #expect(calls.filter { $0 == "renameat" }.count >= 50)
    #expect(calls.filter { $0 == "inotify_init1" }.count == 1)
    #expect(calls.filter { $0 == "getdents64" }.count < 50)
  }

  @Test func `what makes receiving impossible is thrown to who iterates`() async throws {
    let fixture = try Fixture("coder")
    let missing = try fixture.bot("missing")
    await #expect(throws: SpoolError.self) {
      for try await _ in Messages(fixture.spool, missing) {}
    }
  }
}
