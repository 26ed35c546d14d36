import Spool
import SpoolFormat
import Testing

@testable import CLI

@Suite struct MessageViewTests {
  @Test(arguments: [LogEvent.Kind.topicSubscribed, LogEvent.Kind("other.\u{1b}[2Jverb")])
  func `no line of the log drives a terminal, whatever stands in it`(kind: LogEvent.Kind) throws {
    let bytes = LogEvent.line(
      kind: kind, subject: "co\u{1b}[2Jder", source: "/pi/1.1", number: 1, time: Timestamp(microseconds: 1_000_000)
    ) { writer in
      writer.beginObject()
      writer.member("topic", "new\u{1b}[2Js")
      writer.endObject()
    }
    let event = try #require(bytes.withUnsafeBufferPointer { LogEvent(line: $0) })
    let line = MessageView.line(event)
    #expect(!line.contains("\u{1b}") && line.contains(#"co\u001b[2Jder"#), "\(line.debugDescription)")
  }

  @Test func `names of skills drive no terminal`() {
    #expect(GroupView.names(["sql", "a\u{1b}[2Jb"]) == #"sql, a\u001b[2Jb"#)
  }
}
