import Testing

@testable import SpoolFormat

@Suite struct JSONSliceTests {
  @Test func `a slice gives what the value is, and nil for what it isn't`() throws {
    let text = try JSONText(
      validating: #" {"s":"a\n\u00e9","n":-12,"d":1.5e2,"b":true,"f":false,"z":null,"a":[1,[2],{"x":3}]} "#)
    #expect(text.kind == .object)
    text.withSlice { object in
      #expect(object["s"]?.string == "a\né")
      #expect(object["n"]?.int == -12)
      #expect(object["n"]?.double == -12)
      #expect(object["d"]?.double == 150)
      #expect(object["d"]?.int == nil)
      #expect(object["b"]?.bool == true)
      #expect(object["f"]?.bool == false)
      #expect(object["z"]?.kind == .null)
      #expect(object["z"]?.bool == nil)
      #expect(object["s"]?.int == nil)
      #expect(object["n"]?.string == nil)
      #expect(object["a"]?["x"] == nil)
      #expect(object["x"] == nil)
      #expect(object["a"]?.text.description == #"[1,[2],{"x":3}]"#)
      var elements: [String] = []
      object["a"]?.forEachElement { elements.append($0.text.description) }
      #expect(elements == ["1", "[2]", #"{"x":3}"#])
      var keys: [String] = []
      object.forEachMember { key, _ in keys.append(key.string ?? "?") }
      #expect(keys == ["s", "n", "d", "b", "f", "z", "a"])
      object.forEachElement { _ in Issue.record("an object has no elements") }
    }
  }

  @Test(arguments: [
    ("1152921504606846976", WholeNumber.max), ("-1152921504606846976", -WholeNumber.max),
    ("1152921504606846977", nil), ("-1152921504606846977", nil), ("9999999999999999999", nil),
    ("9223372036854775807", nil), ("-9223372036854775808", nil), ("99999999999999999999999", nil), ("1.0", nil),
    ("1e3", nil), ("-0", 0), ("7", 7),
  ])
  func `an integer is read when it can be counted with`(text: String, expected: Int?) throws {
    #expect(try JSONText(validating: text).withSlice { $0.int } == expected)
    #expect(try JSONText(validating: text).value.int == expected)
  }

  @Test func `a number that is too big for a double is none`() throws {
    #expect(try JSONText(validating: "1e999").withSlice { $0.double } == nil)
    #expect(try JSONText(validating: "-1e999").value.double == nil)
    #expect(try JSONText(validating: "1e-999").withSlice { $0.double } == 0)
    #expect(try JSONText(validating: "0.1").withSlice { $0.double } == 0.1)
    #expect(try JSONText(validating: "1e999").description == "1e999")
  }

  @Test(arguments: [
    (#""to""#, true), (#""\u0074o""#, true), (#""t\u006f""#, true), (#""To""#, false), (#""to ""#, false),
    (#""t""#, false),
    (#""\u0074""#, false), (#""t\n""#, false), ("12", false), ("[1]", false), (#""""#, false),
  ])
  func `a string is compared by what it reads like`(literal: String, isEqual: Bool) throws {
    #expect(try JSONText(validating: literal).withSlice { $0.equals("to") } == isEqual)
  }

  @Test func `a text is kept without the white space around it`() throws {
    #expect(try JSONText(validating: " \n[1, 2]\t").description == "[1, 2]")
    #expect(throws: JSONError.self) { try JSONText(validating: "[1, 2]]") }
    #expect(JSONText(string: "a\"b\u{1}é/").description == #""a\"b\u0001é/""#)
  }

  @Test func `an error says where`() {
    let error = JSONError(reason: "trailing comma", offset: 7, line: 2, column: 4)
    #expect(error.description == "trailing comma at line 2, column 4")
    #expect(
      refusal([UInt8]("{\n\"é\":1,\n}".utf8)) == JSONError(reason: "trailing comma", offset: 8, line: 2, column: 7))
  }
}

@Suite struct JSONWriterTests {
  @Test func `a writer puts the commas`() throws {
    var writer = JSONWriter()
    writer.beginObject()
    writer.member("s", "a\"\\\n\u{1}/é\u{7f}")
    writer.member("i", Int.min)
    writer.member("d", 0.1)
    writer.member("b", true)
    writer.member("l", ["x", "y"])
    writer.member("none", ifPresent: nil as String?)
    writer.member("some", ifPresent: "z")
    writer.member("t", try JSONText(validating: "[1.0]"))
    writer.key("o" as String)
    writer.beginObject()
    writer.endObject()
    writer.key("a")
    writer.beginArray()
    writer.null()
    writer.bool(false)
    writer.int(UInt64.max)
    writer.int(UInt8(0))
    writer.double(.nan)
    writer.double(-.infinity)
    writer.beginArray()
    writer.endArray()
    writer.raw([UInt8]("{}".utf8))
    writer.endArray()
    writer.endObject()
    let expected =
      #"{"s":"a\"\\\n\u0001/é\#u{7f}","i":-9223372036854775808,"d":0.1,"b":true,"l":["x","y"],"some":"z","t":[1.0],"#
      + #""o":{},"a":[null,false,18446744073709551615,0,null,null,[],{}]}"#
    #expect(String(decoding: writer.bytes, as: UTF8.self) == expected)
    #expect(refusal(writer.bytes) == nil)
  }

  @Test func `any text comes back, whichever byte needs an escape and wherever it stands`() throws {
    for length in 0..<40 {
      for position in 0..<max(1, length) {
        for odd in ["\"", "\\", "\u{0}", "\u{1f}", "é", "😀"] {
          var characters = Array(repeating: "x", count: length)
          if length > 0 { characters[position] = odd }
          let text = characters.joined()
          let literal = JSONText(string: text)
          #expect(try JSONText(validating: literal.bytes).withSlice { $0.string } == text)
        }
      }
    }
  }

  @Test func `doubles come back exactly, in JSON's grammar`() throws {
    for double in [
      0.0, -0.0, 1, 1e21, 1e-7, .leastNonzeroMagnitude, .greatestFiniteMagnitude, 0.1 + 0.2, -1.5, 123456789012345680,
    ] {
      var writer = JSONWriter()
      writer.double(double)
      let back = try JSONText(validating: writer.bytes).withSlice { $0.double }
      #expect(back?.bitPattern == double.bitPattern)
    }
  }
}

@Suite struct JSONValueTests {
  @Test func `a tree is read, changed and printed for people`() throws {
    let value = try JSONValue(
      parsing: [UInt8](#"{"name":"coder","skills":{"swift":5},"none":[],"max":2.50,"l":[1,{}]}"#.utf8))
    #expect(value["name"]?.string == "coder")
    #expect(value["skills"]?["swift"]?.int == 5)
    #expect(value["max"]?.double == 2.5)
    #expect(value["l"]?.array?.count == 2)
    #expect(value["missing"] == nil)
    #expect(value["name"]?["x"] == nil)
    guard case .object(var object) = value else { return #expect(Bool(false), "an object was parsed") }
    object["name"] = .string("tester")
    object["none"] = nil
    object["new"] = .bool(true)
    let printed = """
      {
        "name": "tester",
        "skills": {
          "swift": 5
        },
        "max": 2.50,
        "l": [
          1,
          {}
        ],
        "new": true
      }
      """
    #expect(JSONValue.object(object).prettyPrinted() == printed)
    #expect(JSONValue.object(object) != value)
    #expect(JSONValue.object(["a": .null]).text.description == #"{"a":null}"#)
  }

  @Test func `a tree of a bad document is refused`() {
    #expect(throws: JSONError.self) { try JSONValue(parsing: [UInt8]("[1,]".utf8)) }
  }
}
