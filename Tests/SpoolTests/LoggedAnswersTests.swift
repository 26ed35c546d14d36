import Glibc
import Linux
import SpoolFormat
import TestSupport
import Testing

@testable import Spool

@Suite struct LoggedAnswersTests {
  /// A host's log of one line.
  private func log(
    _ fixture: Fixture, _ host: String, _ kind: LogEvent.Kind, _ id: MessageID, _ data: String
  ) throws {
    let time = Timestamp(microseconds: Clock.wall())
    mkdir("\(fixture.path)/log/\(host)", 0o755)
    let line = LogEvent.line(
      kind: kind, subject: id.description, source: "/\(host)/1.1", number: 1, time: time
    ) { $0.raw(Array(data.utf8)) }
    try Plain.write("\(fixture.path)/log/\(host)/\(time.compact).jsonl", line)
  }

  @Test func `an answer that another host took is seen, whichever host's log comes first`() throws {
    for (sender, taker) in [("aa", "zz"), ("zz", "aa")] {
      let fixture = try Fixture("coder", "asker")
      let request = try fixture.send("question")
      var answers = try LoggedAnswers(fixture.spool, to: BotName(parsing: "asker"), from: nil)
      let id = MessageID(time: request.time, random: 7)
      let answer = #"{"content":"answer","to":"asker","in_reply_to":"\#(request)"}"#
      try log(fixture, sender, .messageSent, id, #"{"recipients":["asker"],"message":\#(answer)}"#)
      try log(fixture, taker, .messageAcked, id, #"{"bot":"asker"}"#)
      #expect(try answers.taken(to: request)?.content == "answer", "sent by \(sender), taken by \(taker)")
    }
  }
}
