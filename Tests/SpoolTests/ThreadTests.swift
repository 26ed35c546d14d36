import Linux
import SpoolFormat
import TestSupport
import Testing

@testable import Spool

@Suite struct ThreadTests {
  @Test func `what is said after the clock was set back belongs to the conversation`() throws {
    let fixture = try Fixture("coder")
    let question = try fixture.send("question")
    try fixture.spool.log.append(
      .messageSent, MessageID(time: question.time, random: 1).description, time: question.time.advanced(bySeconds: -5)
    ) { writer in
      var answer = Message(content: "answer")
      answer.conversation = question.description
      writer.beginObject()
      writer.key("message")
      answer.write(to: &writer)
      writer.endObject()
    }
    #expect(
      try History(fixture.spool).thread(question.description).compactMap(\.message?.content).sorted() == [
        "answer", "question",
      ])
  }
}
