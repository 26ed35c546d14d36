import Testing

@testable import SpoolFormat

@Suite struct LogEventTests {
  private func line(_ data: String = #"{"bot":"coder","attempt":2,"recipients":["a","b"]}"#) throws -> [UInt8] {
    let data = try JSONText(validating: data)
    return LogEvent.line(
      kind: .messageClaimed, subject: "s\"1", source: "/pi/12.ff", number: 17, time: Timestamp(microseconds: 1_000_001)
    ) { $0.raw(data) }
  }

  private func event(_ bytes: [UInt8]) -> LogEvent? { bytes.withUnsafeBufferPointer { LogEvent(line: $0) } }

  @Test func `a line is a CloudEvent with its checksum last, and reads back`() throws {
    let bytes = try line()
    let text = String(decoding: bytes, as: UTF8.self)
    #expect(
      text.hasPrefix(#"{"specversion":"1.0","id":"17","source":"/pi/12.ff","type":"message.claimed","subject":"s\"1","#)
    )
    #expect(text.hasSuffix("\"}\n"))
    let read = try #require(event(bytes))
    #expect(read.id == "17")
    #expect(read.source == "/pi/12.ff")
    #expect(read.kind == .messageClaimed)
    #expect(read.subject == "s\"1")
    #expect(read.time.microseconds == 1_000_001)
    #expect(read.text("bot") == "coder")
    #expect(read.number("attempt") == 2)
    #expect(read.texts("recipients") == ["a", "b"])
    #expect(read.text("attempt") == nil && read.number("bot") == nil && read.texts("bot").isEmpty)
    #expect(read.message == nil && read.messageBytes == nil)
  }

  @Test func `a line has room for the longest of all that stands in it`() throws {
    let kind = LogEvent.Kind(String(repeating: "k", count: 300))
    let bytes = LogEvent.line(
      kind: kind, subject: String(repeating: "\u{1}", count: 300), source: String(repeating: "s", count: 300),
      number: .max, time: Timestamp(microseconds: .max), reserving: 1
    ) { $0.null() }
    let read = try #require(event(bytes))
    #expect(read.kind == kind && read.id == "\(Int.max)" && read.subject.count == 300)
  }

  @Test func `the checksum is that of zlib over what comes before it`() throws {
    // From zlib's crc32, for the classic check value.
    #expect(Array("123456789".utf8).withUnsafeBufferPointer { CRC32.checksum($0) } == 0xcbf4_3926)
    let text = String(decoding: try line(), as: UTF8.self)
    let parts = text.split(separator: ",\"crc32\":\"")
    #expect(parts.count == 2)
    let checksum = Array(parts[0].utf8).withUnsafeBufferPointer { CRC32.checksum($0) }
    #expect(UInt32(parts[1].prefix(8), radix: 16) == checksum)
  }

  @Test func `a line behind half of another is found, and a million beginnings cost no more than some`() throws {
    let bytes = try line()
    var glued = Array(bytes.prefix(40)) + bytes
    #expect(glued.withUnsafeBufferPointer { LogEvent.wholeStart(in: $0) } == 40)
    let beginning = Array("{\"specversion\":\"1.0\",".utf8)
    glued = Array(repeatElement(beginning, count: 1_000_000).joined()) + bytes.suffix(30)
    #expect(glued.withUnsafeBufferPointer { LogEvent.wholeStart(in: $0) } == nil)
  }

  @Test func `no flipped bit and no missing byte goes unnoticed`() throws {
    let bytes = try line()
    #expect(event(bytes) != nil)
    for place in bytes.indices {
      for bit in 0..<8 {
        var damaged = bytes
        damaged[place] ^= 1 << bit
        #expect(event(damaged) == nil, "bit \(bit) of byte \(place)")
      }
      #expect(event(Array(bytes[..<place])) == nil)
      #expect(event(Array(bytes[(place + 1)...])) == nil)
      var zeroed = bytes
      for later in place..<bytes.count { zeroed[later] = 0 }
      #expect(event(zeroed) == nil)
    }
  }

  @Test func `the message in a line keeps its bytes, however deep it is`() throws {
    let deep = String(repeating: "[", count: JSON.depthMax - 1) + String(repeating: "]", count: JSON.depthMax - 1)
    let body = "{\"content\":\"x\",\"n\":1.50,\"deep\":\(deep)}"
    #expect(throws: Never.self) { try Message(parsing: Array(body.utf8)) }
    let bytes = LogEvent.line(
      kind: .messageSent, subject: "s", source: "/pi/1.1", number: 1, time: Timestamp(microseconds: 0)
    ) { writer in
      writer.beginObject()
      writer.member("recipients", ["coder"])
      writer.key("message")
      writer.raw(Array(body.utf8))
      writer.endObject()
    }
    let read = try #require(event(bytes))
    #expect(read.messageBytes.map { String(decoding: $0, as: UTF8.self) } == body)
    #expect(read.message?.content == "x")
  }

  @Test func `a good checksum over something else is no event`() {
    func signed(_ text: String) -> [UInt8] {
      var bytes = Array(text.utf8)
      let checksum = bytes.withUnsafeBufferPointer { CRC32.checksum($0) }
      bytes += Array(",\"crc32\":\"".utf8)
      let digits = String(checksum, radix: 16)
      return bytes + Array((String(repeating: "0", count: 8 - digits.count) + digits + "\"}\n").utf8)
    }
    let fields = #"{"id":"1","source":"s","type":"t","subject":"x","time":"2026-01-01T00:00:00Z","data":{}"#
    #expect(event(signed(fields)) != nil)
    #expect(event(signed(fields.replacing(#""subject":"x","#, with: ""))) == nil)
    #expect(event(signed(fields.replacing(#""2026-01-01T00:00:00Z""#, with: "5"))) == nil)
    #expect(event(signed(#"{"a":1"#)) == nil)
    #expect(event(signed("[1")) == nil)
    #expect(event([]) == nil)
    #expect(event(Array("\n".utf8)) == nil)
    #expect(event(Array(",\"crc32\":\"00000000\"}\n".utf8)) == nil)
  }
}
