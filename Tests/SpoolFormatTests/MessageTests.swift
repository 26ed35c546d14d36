import Testing

@testable import SpoolFormat

@Suite struct MessageTests {
  private func message(_ text: String) throws -> Message { try Message(parsing: Array(text.utf8)) }

  private func refusal(of text: String) -> String {
    do {
      _ = try message(text)
      return "read"
    } catch { return "\(error)" }
  }

  @Test func `an id and a time are read with escapes as without`() throws {
    let id = "20261120T234512.345678Z-0123456789abcdef"
    let time = "2026-11-20T23:45:12.345678Z"
    let plain = try Message(parsing: Array(#"{"id":"\#(id)","content":"x","created_at":"\#(time)"}"#.utf8))
    let escaped = #"{"id":"\u0032\#(id.dropFirst())","content":"x","created_at":"\u0032\#(time.dropFirst())"}"#
    #expect(try Message(parsing: Array(escaped.utf8)) == plain)
    #expect(plain.id?.description == id && plain.createdAt?.rfc3339 == time)
  }

  @Test func `a member counts, whatever its other names say, before it or after it`() throws {
    for (member, aliases) in [
      (#""from":"ann""#, [#""agent":7"#, #""sender_id":[]"#]), (#""type":"request""#, [#""action":"Run tests""#]),
      (#""created_at":"2026-11-20T23:45:12Z""#, [#""timestamp":"soon""#]), (#""to":"coder""#, [#""recipient_id":{}"#]),
      (#""conversation":"c""#, [#""conversation_id":1"#]), (#""in_reply_to":"x""#, [#""response_to_id":1"#]),
    ] {
      for alias in aliases {
        let before = try message(#"{"content":"x",\#(alias),\#(member)}"#)
        let after = try message(#"{"content":"x",\#(member),\#(alias)}"#)
        #expect(before == after && before.extra.count == 1)
        #expect(refusal(of: #"{"content":"x",\#(alias)}"#) != "read", "\(alias)")
      }
    }
  }

  @Test func `what would be nested too deep to be read again is no message`() throws {
    func nested(_ depth: Int) throws -> JSONText {
      try JSONText(validating: String(repeating: "[", count: depth) + String(repeating: "]", count: depth))
    }
    for place in [\Message.data, \.context] {
      var message = Message(content: "x")
      message[keyPath: place] = try nested(JSON.depthMax - 1)
      try message.check()
      #expect(try Message(parsing: message.encoded) == message)
      message[keyPath: place] = try nested(JSON.depthMax)
      #expect(throws: FormatError.self) { try message.check() }
    }
  }

  @Test func `every field is read, and written as it was`() throws {
    let text = """
      {"id":"20261120T234512.345678Z-0123456789abcdef","from":"ann","to":["coder","#builds"],"type":"request",\
      "content":"hello \u{e9}\\n","data":{"n":1.50},"context":[true,null],"conversation":"c-1","in_reply_to":"x",\
      "priority":8,"created_at":"2026-11-20T23:45:12.345678Z","not_before":"2026-11-21T00:00:00.000000Z",\
      "expires_at":"2026-11-22T00:00:00.000000Z","idempotency_key":"k","mine":1e2}
      """
    let read = try message(text)
    #expect(read.id?.description == "20261120T234512.345678Z-0123456789abcdef")
    #expect(read.from == "ann")
    #expect(read.to == ["coder", "#builds"])
    #expect(read.type == .request)
    #expect(read.content == "hello \u{e9}\n")
    #expect(read.data?.description == #"{"n":1.50}"#)
    #expect(read.context?.description == "[true,null]")
    #expect(read.conversation == "c-1")
    #expect(read.conversationKey == "c-1")
    #expect(read.inReplyTo == "x")
    #expect(read.priority?.value == 8)
    #expect(read.createdAt?.compact == "20261120T234512.345678Z")
    #expect(read.notBefore?.compact == "20261121T000000.000000Z")
    #expect(read.expiresAt?.compact == "20261122T000000.000000Z")
    #expect(read.idempotencyKey == "k")
    #expect(read.extra.map(\.name) == ["mine"])
    #expect(String(decoding: read.encoded, as: UTF8.self) == text)
    #expect(try message(String(decoding: read.encoded, as: UTF8.self)) == read)
  }

  @Test func `the least message is content alone`() throws {
    let read = try message(#"{"content":"hello"}"#)
    #expect(read.content == "hello")
    #expect(read.to.isEmpty && read.from == nil && read.type == nil && read.id == nil && read.extra.isEmpty)
    #expect(try message(#"{"content":""}"#).content == "")
    #expect(try message(#"{"data":null,"type":"status"}"#).type == .status)
    #expect(try message(#" {"data" : [ ]} "#).data?.description == "[ ]")
    #expect(try message(#"{"to":"coder","content":"x"}"#).to == ["coder"])
  }

  @Test func `names that other systems write are read as well`() throws {
    let read = try message(
      #"{"sender_id":"ann","recipient_id":"coder","message_type":"handoff","conversation_id":"c","response_to_id":"r","#
        + #""timestamp":"2026-11-20","content":"x"}"#)
    #expect(read.from == "ann")
    #expect(read.to == ["coder"])
    #expect(read.type == .handoff)
    #expect(read.conversation == "c")
    #expect(read.inReplyTo == "r")
    #expect(read.createdAt?.compact == "20261120T000000.000000Z")
    #expect(read.extra.isEmpty)
    let other = try message(#"{"agent":"bob","action":"build","data":1}"#)
    #expect(other.from == "bob")
    #expect(other.type?.description == "build")
    #expect(
      try message(#"{"content":"x","timestamp":1795218312.5}"#).createdAt?.rfc3339 == "2026-11-20T23:45:12.500000Z")
  }

  @Test func `our own names win over the others', which stay`() throws {
    let read = try message(#"{"from":"ann","agent":"bob","type":"request","action":"jump","content":"x"}"#)
    #expect(read.from == "ann")
    #expect(read.type == .request)
    #expect(read.extra.map(\.name) == ["agent", "action"])
    #expect(try message(#"{"sender_id":"bob","from":"ann","content":"x"}"#).from == "ann")
  }

  @Test func `null is as good as missing`() throws {
    let read = try message(
      #"{"id":null,"from":null,"to":null,"type":null,"content":"x","data":null,"context":null,"conversation":null,"#
        + #""in_reply_to":null,"priority":null,"created_at":null,"not_before":null,"expires_at":null,"idempotency_key":null}"#
    )
    #expect(read == Message(content: "x"))
    #expect(refusal(of: #"{"content":null}"#).contains("says nothing"))
    #expect(try message(#"{"content":"x","other":null}"#).extra.map(\.value.description) == ["null"])
  }

  @Test(arguments: [
    (#"{"content":5}"#, #""content" must be a text; put structures under "data""#),
    (#"{"content":{}}"#, #""content" must be a text; put structures under "data""#),
    (#"{"from":5,"content":"x"}"#, #""from" must be a text of at most 512 bytes"#),
    (#"{"agent":[],"content":"x"}"#, #""agent" must be a text of at most 512 bytes"#),
    (#"{"sender_id":{},"content":"x"}"#, #""sender_id" must be a text of at most 512 bytes"#),
    (#"{"conversation":1,"content":"x"}"#, #""conversation" must be a text of at most 512 bytes"#),
    (#"{"conversation_id":1,"content":"x"}"#, #""conversation_id" must be a text of at most 512 bytes"#),
    (#"{"in_reply_to":1,"content":"x"}"#, #""in_reply_to" must be a text of at most 512 bytes"#),
    (#"{"response_to_id":1,"content":"x"}"#, #""response_to_id" must be a text of at most 512 bytes"#),
    (#"{"idempotency_key":1,"content":"x"}"#, #""idempotency_key" must be a text of at most 512 bytes"#),
    (#"{"to":5,"content":"x"}"#, #""to" must be a name, or a list of names"#),
    (#"{"to":["a",5],"content":"x"}"#, #""to" must be a name, or a list of names"#),
    (#"{"to":{"a":1},"content":"x"}"#, #""to" must be a name, or a list of names"#),
    (#"{"type":5,"content":"x"}"#, #""type" must be a word such as "request""#),
    (#"{"type":"Two Words","content":"x"}"#, #"type "Two Words" won't do: use a word such as request"#),
    (#"{"type":"\u001b[2J","content":"x"}"#, #"type "\u001b[2J" won't do"#),
    (#"{"priority":0,"content":"x"}"#, #""priority" must be a whole number from 1 to 10"#),
    (#"{"priority":5.5,"content":"x"}"#, #""priority" must be a whole number from 1 to 10"#),
    (#"{"priority":1e999,"content":"x"}"#, #""priority" must be a whole number from 1 to 10"#),
    (#"{"priority":99999999999999999999,"content":"x"}"#, #""priority" must be a whole number from 1 to 10"#),
    (#"{"priority":"soon","content":"x"}"#, "priority soon is not 1 to 10"),
    (#"{"created_at":"yesterday","content":"x"}"#, #""created_at" must be a time such as 2026-11-20T23:45:12Z"#),
    (#"{"not_before":true,"content":"x"}"#, #""not_before" must be a time such as"#),
    (#"{"expires_at":"2026-02-30","content":"x"}"#, #""expires_at" must be a time such as"#),
    (#"{"expires_at":1e999,"content":"x"}"#, #""expires_at" must be a time such as"#),
  ])
  func `a field of the wrong kind is named, with what it must be`(text: String, reason: String) {
    #expect(refusal(of: text).hasPrefix(reason), "\(refusal(of: text))")
  }

  @Test(arguments: [
    ("{}", #"says nothing: give it "content" or "data""#),
    (#"{"text":"x"}"#, #"says nothing: give it "content" or "data"; it has "text""#),
    (#"{"\u001b[2J":"x"}"#, #"says nothing: give it "content" or "data"; it has "\u001b[2J""#),
    (#"{"from":"ann","to":"coder"}"#, "says nothing"),
    ("", "not JSON: empty"), ("[]", "not JSON: an array where an object should be"), ("null", "not JSON: null"),
    ("{}{}", "not JSON:"), (#"{"content":"x""#, "not JSON:"),
    (#"{"content":"x","content":"y"}"#, "not JSON: duplicate"),
    ("\u{feff}{\"content\":\"x\"}", "not JSON:"), (#"{"content":"\ud800"}"#, "not JSON:"),
    (#"{"data":NaN}"#, "not JSON:"),
    (#"{"content":"x",}"#, "not JSON: trailing comma"), ("{\"content\":\"a\0b\"}", "not JSON:"),
  ])
  func `what is no message is refused with the place and the cure`(text: String, reason: String) {
    #expect(refusal(of: text).hasPrefix(reason), "\(refusal(of: text))")
  }

  @Test func `unknown fields stay untouched, numbers with their text, in their order`() throws {
    let fields =
      #""z":1.0,"big":123456789012345678901234567890,"small":-0.0e-10,"a":{"nested":[1E5,"\u00e9"]},"max":18446744073709551616"#
    let read = try message("{\"content\":\"x\",\(fields)}")
    #expect(read.extra.map(\.name) == ["z", "big", "small", "a", "max"])
    #expect(String(decoding: read.encoded, as: UTF8.self) == "{\"content\":\"x\",\(fields)}")
  }

  @Test func `what is written has no field twice, whatever was read`() throws {
    for text in [
      #"{"id":"msg-1","content":"x"}"#, #"{"id":17,"content":"x"}"#, #"{"\u0069d":"msg-1","content":"x"}"#,
      #"{"\u0066rom":"ann","content":"x"}"#, #"{"id":"msg-1","original_id":"y","content":"x"}"#,
    ] {
      var read = try message(text)
      read.id = MessageID(time: Timestamp(microseconds: 17), random: 17)
      read.from = "me"
      let again = try message(String(decoding: read.encoded, as: UTF8.self))
      #expect(again.id == read.id, "\(text)")
      #expect(again.from == "me", "\(text)")
    }
    // The sender's own id is worth keeping: it may look for it in an answer.
    #expect(try message(#"{"id":"msg-1","content":"x"}"#).extra.map(\.value.description) == [#""msg-1""#])
  }

  @Test func `a list of a million recipients is refused, and ten thousand are not`() throws {
    func list(_ count: Int) -> String {
      "{\"content\":\"x\",\"to\":[" + String(repeating: "\"a\",", count: count - 1) + "\"a\"]}"
    }
    #expect(try message(list(Message.recipientsMax)).to.count == 10_000)
    #expect(refusal(of: list(1_000_000)) == #""to" must be at most 10000 names; use a topic"#)
  }

  @Test func `bounds hold to the byte`() throws {
    let longest = String(repeating: "x", count: Message.labelBytesMax)
    #expect(try message("{\"content\":\"\",\"conversation\":\"\(longest)\"}").conversation == longest)
    #expect(refusal(of: "{\"content\":\"\",\"conversation\":\"\(longest)y\"}").contains("at most 512 bytes"))
    let room = Message.bytesMax - 14
    let largest = "{\"content\":\"" + String(repeating: "x", count: room) + "\"}"
    #expect(largest.utf8.count == Message.bytesMax)
    #expect(try message(largest).content?.utf8.count == room)
    #expect(refusal(of: largest + " ").contains("4194305 bytes: a message may have 4194304"))
  }

  @Test func `types are an open set of words`() throws {
    for text in ["request", "x", "task.update", "a_b-c", String(repeating: "x", count: 64)] {
      #expect(try MessageType(parsing: text).description == text)
    }
    for text in ["", "Request", "1x", "-x", "a b", "a/b", "\u{e9}", "a\n", String(repeating: "x", count: 65)] {
      #expect(throws: FormatError.self) { try MessageType(parsing: text) }
    }
    #expect(MessageType.response.endsExchange && MessageType.error.endsExchange && !MessageType.request.endsExchange)
  }

  @Test func `priorities are numbers or words`() throws {
    #expect(try message(#"{"content":"x","priority":"high"}"#).priority?.value == 7)
    #expect(try message(#"{"content":"x","priority":"3"}"#).priority?.value == 3)
    #expect(try message(#"{"content":"x","priority":10}"#).priority?.urgency == 0)
  }
}
