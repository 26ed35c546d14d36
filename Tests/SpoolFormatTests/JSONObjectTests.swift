import Glibc
import Testing

@testable import SpoolFormat

@Suite struct JSONObjectTests {
  /// The members that were handed out, and how it ended.
  private func members(of document: String, depthMax: Int = JSON.depthMax) -> ([String], JSONError?) {
    var members: [String] = []
    do {
      try JSON.readObject([UInt8](document.utf8), depthMax: depthMax) { key, value in
        members.append("\(key.string ?? "?")=\(value.text)")
      }
      return (members, nil)
    } catch let error as JSONError {
      return (members, error)
    } catch {
      Issue.record(error)
      return (members, nil)
    }
  }

  @Test func `members come in order, whole`() {
    let (read, error) = members(of: #" { "a" : 1.50 , "b\n":{"x":[1, {"y":"}"}]}, "c":"\u00e9", "d":true,"e":[ ] } "#)
    #expect(error == nil)
    #expect(read == ["a=1.50", #"b"# + "\n" + #"={"x":[1, {"y":"}"}]}"#, #"c="\u00e9""#, "d=true", "e=[ ]"])
    #expect(members(of: "{}").0.isEmpty)
  }

  @Test func `members before a fault are handed out, and the fault is thrown`() {
    let (read, error) = members(of: #"{"a":1,"b":[1,2,],"c":3}"#)
    #expect(read == ["a=1"])
    #expect(error?.reason == "trailing comma")
    #expect(members(of: #"{"a":1}}"#).0 == ["a=1"])
    #expect(members(of: #"{"a":1}}"#).1 != nil)
  }

  @Test(arguments: [
    ("[{}]", "an array where an object should be"), (#""{}""#, "a string where an object should be"),
    ("12", "a number where an object should be"), ("-1", "a number where an object should be"),
    ("null", "null where an object should be"), ("false", "true or false where an object should be"),
    ("test message", #"unexpected "test" where an object should be"#),
    ("nullable", #"unexpected "nullable" where an object should be"#),
    ("NaN", #"unexpected "NaN" where an object should be"#), ("}", #"unexpected "}" where an object should be"#),
  ])
  func `what is not an object is refused`(document: String, reason: String) {
    let (read, error) = members(of: document)
    #expect(read.isEmpty)
    #expect(error?.reason == reason)
    #expect(error?.isTruncation == false)
  }

  @Test func `an empty document is empty and not a wrong kind`() {
    #expect(members(of: "").1?.reason == "empty")
    #expect(members(of: " \n").1?.reason == "empty")
    #expect(members(of: " \n").1?.isTruncation == true)
    #expect(throws: JSONError.self) { try JSON.readObject(UnsafeBufferPointer(start: nil, count: 0)) { _, _ in } }
  }

  @Test func `what the caller throws comes through`() {
    struct Stop: Error {}
    #expect(throws: Stop.self) { try JSON.readObject([UInt8](#"{"a":1}"#.utf8)) { _, _ in throw Stop() } }
  }

  @Test func `an envelope may allow more depth than what it carries`() {
    let carried = String(repeating: "[", count: 128) + String(repeating: "]", count: 128)
    let envelope = #"{"data":{"message":\#(carried)}}"#
    #expect(members(of: envelope).1?.reason == "nested deeper than 128")
    #expect(members(of: envelope, depthMax: 130).1 == nil)
  }

  @Test(arguments: [2, 10, 24, 25, 26, 40, 63, 64, 65, 129, 1_000])
  func `a duplicate is found among any number of keys, wherever it stands`(count: Int) {
    // Some written with escapes, and with another big object in between.
    func key(_ number: Int, escaped: Bool) -> String { escaped ? #"\u006b\#(number)"# : "k\(number)" }
    let inner = "{" + (0..<30).map { #""k\#($0)":\#($0)"# }.joined(separator: ",") + "}"
    for position in Set([0, 1, count / 2, count - 1]) {
      var members = (0..<count).map { #""\#(key($0, escaped: $0 % 3 == 0))":\#($0 % 7 == 0 ? inner : "0")"# }
      #expect(refusal([UInt8]("{\(members.joined(separator: ","))}".utf8)) == nil)
      members.append(#""\#(key(position, escaped: position % 2 == 0))":1"#)
      let refused = refusal([UInt8]("{\(members.joined(separator: ","))}".utf8))
      #expect(refused?.reason == #"duplicate key "k\#(position)""#)
    }
  }

  @Test func `a duplicate key of any length is shown shortened`() {
    let key = String(repeating: "k", count: 10_000)
    let refused = refusal([UInt8](#"{"\#(key)":1,"\#(key)":2}"#.utf8))
    #expect(refused?.reason == "duplicate key \"" + String(repeating: "k", count: 40) + "…\"")
  }

  @Test func `many keys cost no more than in proportion`() {
    // By this thread's processor time, which other work on the machine doesn't lengthen.
    func nanosecondsToCheck(keys count: Int) -> Int {
      var writer = JSONWriter()
      writer.beginObject()
      for number in 0..<count {
        writer.key(String(number))
        writer.int(number)
      }
      writer.endObject()
      let start = threadTime()
      #expect(refusal(writer.bytes) == nil)
      return threadTime() - start
    }
    let few = nanosecondsToCheck(keys: 5_000)
    let many = nanosecondsToCheck(keys: 80_000)
    // Sixteen times as many; comparing each with each would make it 256 times.
    #expect(many < few * 80, "\(few) ns for 5,000 keys, \(many) ns for 80,000")
  }

  private func threadTime() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
  }
}
