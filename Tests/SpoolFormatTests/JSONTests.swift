import Testing

@testable import SpoolFormat

/// The document's canonical form, or why it was refused.
func minified(_ bytes: [UInt8]) throws(JSONError) -> String {
  var output: [UInt8] = []
  var fault: JSONError?
  bytes.withUnsafeBufferPointer { document in
    do throws(JSONError) { try JSON.minify(document, into: &output) } catch { fault = error }
  }
  if let fault { throw fault }
  return String(decoding: output, as: UTF8.self)
}

func refusal(_ bytes: [UInt8]) -> JSONError? {
  bytes.withUnsafeBufferPointer { document in
    do throws(JSONError) {
      try JSON.validate(document)
      return nil
    } catch { return error }
  }
}

@Suite struct JSONGrammarTests {
  static let accepted: [(document: String, canonical: String)] = [
    (#"{}"#, #"{}"#), (#"[]"#, #"[]"#), (" [ ] \n", "[]"), ("{ }", "{}"), ("\t\r\n null ", "null"),
    (#"{"content":"hello"}"#, #"{"content":"hello"}"#),
    ("{ \"a\" : [ 1 , 2.50 , -0 ] , \"b\" : { } }", #"{"a":[1,2.50,-0],"b":{}}"#),
    ("true", "true"), ("false", "false"), (#""""#, #""""#), ("0", "0"), ("-0.0e+00", "-0.0e+00"), ("1E400", "1E400"),
    ("123456789012345678901234567890", "123456789012345678901234567890"),
    (#""\u0041\/\u00e9\ud83d\ude00""#, #""A/é😀""#),
    (#""\"\\\b\f\n\r\t\u0000\u001F""#, #""\"\\\b\f\n\r\t\u0000\u001f""#),
    (#""\u0008\u000C\u000a\u000D\u0009\u0022\u005C""#, #""\b\f\n\r\t\"\\""#),
    (
      "\"\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}\"",
      "\"\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}\""
    ),
    (#""\ud7ff\ue000\uDBFF\uDFFF""#, "\"\u{d7ff}\u{e000}\u{10ffff}\""),
    (
      #"{"a":1,"A":2,"":3," ":4,"a ":5,"\u00e9":6,"e\u0301":7}"#,
      "{\"a\":1,\"A\":2,\"\":3,\" \":4,\"a \":5,\"é\":6,\"e\u{301}\":7}"
    ),
    (#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}"#, #"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}"#),
    (#"["1234567890123456\"789012345678901234567890"]"#, #"["1234567890123456\"789012345678901234567890"]"#),
  ]

  @Test(arguments: accepted)
  func `a valid document is accepted and gets its canonical form`(document: String, canonical: String) throws {
    #expect(try minified([UInt8](document.utf8)) == canonical)
    #expect(try minified([UInt8](canonical.utf8)) == canonical)
    #expect(refusal([UInt8](document.utf8)) == nil)
  }

  static let refused: [(document: String, description: String)] = [
    ("[1,]", "trailing comma at line 1, column 3"),
    ("{\n \"a\":1 ,\n}", "trailing comma at line 2, column 8"),
    (#"{"to":1,"to":2}"#, #"duplicate key "to" at line 1, column 9"#),
    (#"{"to":1,"t\u006f":2}"#, #"duplicate key "to" at line 1, column 9"#),
    (#"{"t\u006f":1,"to":2}"#, #"duplicate key "to" at line 1, column 14"#),
    (#"[[{"x":{"":1,"":2}}]]"#, #"duplicate key "" at line 1, column 14"#),
    (#"{"\n\u202e":1,"\n\u202e":2}"#, #"duplicate key "\u{a}\u{202e}" at line 1, column 15"#),
    ("{}{}", #"unexpected "{" after the end of the document at line 1, column 3"#),
    ("[1] x", #"unexpected "x" after the end of the document at line 1, column 5"#),
    ("NaN", #"unexpected "NaN" where a value should be at line 1, column 1"#),
    ("[Infinity]", #"unexpected "Infinity" where a value should be at line 1, column 2"#),
    ("[-Infinity]", "a minus sign without a number at line 1, column 3"),
    ("[nul]", #"unexpected "nul" where a value should be at line 1, column 2"#),
    ("[True]", #"unexpected "True" where a value should be at line 1, column 2"#),
    ("[truex]", #"unexpected "x" where a comma or ] should be at line 1, column 6"#),
    ("[01]", "a number with a leading zero at line 1, column 3"),
    ("[-01]", "a number with a leading zero at line 1, column 4"),
    ("[1.]", "a number without digits after its point at line 1, column 4"),
    ("[1e]", "a number without digits in its exponent at line 1, column 4"),
    ("[1e+]", "a number without digits in its exponent at line 1, column 5"),
    ("[+1]", #"unexpected "+" where a value should be at line 1, column 2"#),
    ("[.5]", #"unexpected "." where a value should be at line 1, column 2"#),
    ("[0x10]", #"unexpected "x" where a comma or ] should be at line 1, column 3"#),
    ("[1 2]", #"unexpected "2" where a comma or ] should be at line 1, column 4"#),
    ("[1}", #"unexpected "}" where a comma or ] should be at line 1, column 3"#),
    (#"{"a":1]"#, #"unexpected "]" where a comma or } should be at line 1, column 7"#),
    (#"{"a" 1}"#, #"unexpected "1" where a colon should be at line 1, column 6"#),
    (#"{a:1}"#, #"unexpected "a" where a key should be at line 1, column 2"#),
    (#"{1:1}"#, #"unexpected "1" where a key should be at line 1, column 2"#),
    (#"{"a":1,,"b":2}"#, #"unexpected "," where a key should be at line 1, column 8"#),
    ("{,}", #"unexpected "," where a key should be at line 1, column 2"#),
    ("[,]", #"unexpected "," where a value should be at line 1, column 2"#),
    ("{'a':1}", "a single quote where a key should be (strings take double quotes) at line 1, column 2"),
    ("{“a”:1}", #"unexpected "“" where a key should be at line 1, column 2"#),
    ("// hi\n{}", "a comment where a value should be at line 1, column 1"),
    ("[1 /* one */]", "a comment where a comma or ] should be at line 1, column 4"),
    ("]", #"unexpected "]" where a value should be at line 1, column 1"#),
    ("\u{feff}{}", "starts with a byte order mark; save it as UTF-8 without one at line 1, column 1"),
    ("[\u{a0}1]", "unexpected \"\u{a0}\" where a value should be at line 1, column 2"),
    ("\u{0c}[]", #"unexpected "\u{c}" where a value should be at line 1, column 1"#),
    ("[\u{1b}[31m]", #"unexpected "\u{1b}" where a value should be at line 1, column 2"#),
    ("[\"a\nb\"]", "a line break inside a string, where \\n should be at line 1, column 4"),
    ("[\"a\tb\"]", "a tab inside a string, where \\t should be at line 1, column 4"),
    ("[\"\u{1b}[2J\"]", "control character 0x1b inside a string at line 1, column 3"),
    ("[\"a\0\"]", "a NUL byte at line 1, column 4"), ("[1\0]", "a NUL byte at line 1, column 3"),
    ("\0\0\0\0\0", "a NUL byte at line 1, column 1"), ("\0", "a NUL byte at line 1, column 1"),
    (#"["\x41"]"#, #"unknown escape "\x" at line 1, column 3"#),
    (#"["\u12G4"]"#, "\\u without four hex digits at line 1, column 3"),
    (#"["\ud800"]"#, "half of a surrogate pair at line 1, column 3"),
    (#"["\udc00"]"#, "half of a surrogate pair at line 1, column 3"),
    (#"["\udc00\ud800"]"#, "half of a surrogate pair at line 1, column 3"),
    (#"["\ud800\n"]"#, "half of a surrogate pair at line 1, column 3"),
    (#"["\ud800\u0041"]"#, "half of a surrogate pair at line 1, column 3"),
    (#"["\ud800\ud800"]"#, "half of a surrogate pair at line 1, column 3"),
    (#"{"\ud800":1}"#, "half of a surrogate pair at line 1, column 3"),
  ]

  @Test(arguments: refused)
  func `a bad document is refused with the reason and the place`(document: String, description: String) {
    let refusal = refusal([UInt8](document.utf8))
    #expect(refusal?.description == description)
    #expect(refusal?.isTruncation == false)
    #expect(throws: JSONError.self) { try minified([UInt8](document.utf8)) }
  }

  static let refusedBytes: [(document: [UInt8], reason: String)] = [
    ([0xFE, 0xFF, 0, 0x7B], "looks like UTF-16"), ([0xFF, 0xFE, 0x7B, 0], "looks like UTF-16"),
    ([0x7B, 0, 0x7D, 0], "looks like UTF-16"), ([0, 0x7B, 0, 0x7D], "looks like UTF-16"),
    ([0xFF, 0xFE, 0, 0], "looks like UTF-32"), ([0, 0, 0xFE, 0xFF], "looks like UTF-32"),
    ([0x7B, 0, 0, 0], "looks like UTF-32"), ([0, 0, 0, 0x7B], "looks like UTF-32"),
    ([0x22, 0x80, 0x22], "invalid UTF-8"), ([0x22, 0xBF, 0x22], "invalid UTF-8"),
    ([0x22, 0xC0, 0x80, 0x22], "invalid UTF-8"), ([0x22, 0xC1, 0xBF, 0x22], "invalid UTF-8"),
    ([0x22, 0xE0, 0x9F, 0xBF, 0x22], "invalid UTF-8"), ([0x22, 0xF0, 0x8F, 0xBF, 0xBF, 0x22], "invalid UTF-8"),
    ([0x22, 0xED, 0xA0, 0x80, 0x22], "invalid UTF-8"), ([0x22, 0xED, 0xBF, 0xBF, 0x22], "invalid UTF-8"),
    ([0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], "invalid UTF-8"), ([0x22, 0xF5, 0x80, 0x80, 0x80, 0x22], "invalid UTF-8"),
    ([0x22, 0xC3, 0x22], "invalid UTF-8"), ([0x22, 0xE2, 0x82, 0x22, 0x22], "invalid UTF-8"),
    ([0x22, 0xFF, 0x22], "invalid UTF-8"), ([0x22, 0xE2, 0x28, 0xA1, 0x22], "invalid UTF-8"),
    ([0xEF, 0xBB], "starts with a byte order mark; save it as UTF-8 without one"),
    ([0x5B, 0xFF, 0x5D], "unexpected byte 0xff where a value should be"),
  ]

  @Test(arguments: refusedBytes)
  func `what is not UTF-8 is refused`(document: [UInt8], reason: String) {
    #expect(refusal(document)?.reason == reason)
    #expect(refusal(document)?.isTruncation == false)
  }

  static let truncated: [(document: String, reason: String)] = [
    ("", "empty"), (" \n\t\r", "empty"), ("{", "ends in the middle of an object"),
    (#"{"a""#, "ends in the middle of an object"), (#"{"a":"#, "ends in the middle of an object"),
    (#"{"a":1"#, "ends in the middle of an object"), (#"{"a":1,"#, "ends in the middle of an object"),
    ("[", "ends in the middle of an array"), ("[1 ,", "ends in the middle of an array"),
    (#"["#, "ends in the middle of an array"), (#"""#, "ends in the middle of a string"),
    (#""\"#, "ends in the middle of a string"), (#""\u"#, "ends in the middle of a string"),
    (#""\ud"#, "ends in the middle of a string"), (#""\ud8"#, "ends in the middle of a string"),
    (#""\ud800"#, "ends in the middle of a string"), (#""\ud800\"#, "ends in the middle of a string"),
    (#""\ud800\u"#, "ends in the middle of a string"), (#""\ud800\udf"#, "ends in the middle of a string"),
    ("-", "ends in the middle of a number"), ("1.", "ends in the middle of a number"),
    ("1e", "ends in the middle of a number"), ("1e-", "ends in the middle of a number"),
    ("t", "ends in the middle of true"), ("fals", "ends in the middle of false"), ("nul", "ends in the middle of null"),
  ]

  @Test(arguments: truncated)
  func `a document that ends too early is told from a bad one`(document: String, reason: String) {
    #expect(refusal([UInt8](document.utf8))?.reason == reason)
    #expect(refusal([UInt8](document.utf8))?.isTruncation == true)
  }

  @Test(arguments: [
    #""\udc"#, #""\uDF"#, #""\ud800x"#, #""\ud800\n"#, #""\ud800\u0"#, #""\ud800\ud8"#, #"{"a":1,"a""#, "[1,}", "01",
    "-x",
  ])
  func `a document that no more bytes could make valid is not called truncated`(document: String) {
    #expect(refusal([UInt8](document.utf8))?.isTruncation == false)
  }

  @Test func `a character cut in two is a truncation only while it could be completed`() {
    #expect(refusal([0x22, 0xE2, 0x82])?.isTruncation == true)
    #expect(refusal([0x22, 0xF0])?.isTruncation == true)
    #expect(refusal([0x22, 0xE0, 0x80])?.isTruncation == false)
    #expect(refusal([0x22, 0xF4, 0x90])?.isTruncation == false)
  }

  @Test(arguments: [("[", "]"), (#"{"a":"#, "}")])
  func `nesting is bounded, and never overflows the stack`(open: String, close: String) {
    func nested(_ depth: Int, _ inside: String) -> [UInt8] {
      let text = String(repeating: open, count: depth) + inside + String(repeating: close, count: depth)
      return [UInt8](text.utf8)
    }
    #expect(refusal(nested(128, "1")) == nil)
    #expect(refusal(nested(129, "1"))?.reason == "nested deeper than 128")
    #expect(refusal(nested(129, "1"))?.offset == 128 * open.utf8.count)
    #expect(refusal(nested(100_000, "1"))?.reason == "nested deeper than 128")
    #expect(refusal([UInt8](String(repeating: open, count: 100_000).utf8))?.isTruncation == false)
    let deep = try? JSONValue(parsing: nested(128, "1"))
    #expect(deep?.text.bytes == nested(128, "1"))
  }
}
