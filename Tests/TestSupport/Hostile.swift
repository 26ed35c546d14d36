import Glibc

/// What nobody should put into an inbox, and what becomes of it.
public struct Hostile: Sendable, CustomStringConvertible {
  public enum Outcome: Sendable {
    /// Set aside, for a reason in which this stands.
    case setAside(String)
    /// Strange, but a message.
    case delivered
  }

  public let description: String
  public let outcome: Outcome
  public let make: @Sendable (_ path: String) throws -> Void

  /// So much JSON that a debug build, which takes a hundred times as long as a release build, takes seconds for it.
  public var isLarge: Bool {
    ["four megabytes", "200,000", "50,000", "as large", "a million", "100,000", "one byte too many"].contains {
      description.contains($0)
    }
  }

  public var reason: String { if case .setAside(let reason) = outcome { reason } else { "" } }

  public static let all = files + documents + strange
  public static let bad = files + documents

  private static let messageBytesMax = 4 << 20

  init(_ name: String, _ reason: String, _ make: @escaping @Sendable (String) throws -> Void) {
    description = name
    outcome = .setAside(reason)
    self.make = make
  }

  init(_ name: String, _ reason: String, bytes: [UInt8]) { self.init(name, reason) { try Plain.write($0, bytes) } }
  init(_ name: String, _ reason: String, text: String) { self.init(name, reason, bytes: Array(text.utf8)) }

  private init(delivered name: String, _ text: String) {
    description = name
    outcome = .delivered
    make = { try Plain.write($0, text) }
  }

  /// JSON, and no task.
  public static let rubbishTask = Hostile("rubbish", "", text: #"{"title":7,"attempt":{},"depends_on":"x"}"#)

  private static let deep = 100_000
  /// The first of them: what is no regular file, or no JSON.
  public static let files: [Hostile] = [
    Hostile("empty", "empty", text: ""),
    Hostile("white space", "empty", text: " \n\t "),
    Hostile("truncated", "not JSON", text: #"{"content":"x"#),
    Hostile("no object", "an array", text: "[1,2]"),
    Hostile("null", "null", text: "null"),
    Hostile("two objects", "not JSON", text: "{}{}"),
    Hostile("NaN", "not JSON", text: #"{"content":"x","data":NaN}"#),
    Hostile("Infinity", "not JSON", text: #"{"content":"x","data":Infinity}"#),
    Hostile("comment", "not JSON", text: "{\"content\":\"x\"} // done"),
    Hostile("trailing comma", "trailing comma", text: #"{"content":"x",}"#),
    Hostile("duplicate keys", "duplicate", text: #"{"content":"x","content":"y"}"#),
    Hostile("duplicate keys, deep", "duplicate", text: #"{"content":"x","data":{"a":[{"b":1,"\u0062":2}]}}"#),
    Hostile("lone surrogate", "not JSON", text: #"{"content":"\ud800"}"#),
    Hostile("priority 1e999", "priority", text: #"{"content":"x","priority":1e999}"#),
    Hostile("priority past 64 bits", "priority", text: #"{"content":"x","priority":99999999999999999999}"#),
    Hostile("says nothing", "says nothing", text: #"{"text":"x"}"#),
    Hostile("type with an escape", "type", text: #"{"type":"\u001b[2J","content":"x"}"#),
    Hostile("byte order mark", "not JSON", bytes: [0xef, 0xbb, 0xbf] + Array(#"{"content":"x"}"#.utf8)),
    Hostile("UTF-16", "not JSON", bytes: [0xff, 0xfe] + Array(#"{"content":"x"}"#.utf16).flatMap { [UInt8($0), 0] }),
    Hostile(
      "invalid UTF-8", "not JSON", bytes: Array(#"{"content":""#.utf8) + [0xff, 0xc0, 0x80] + Array(#""}"#.utf8)),
    Hostile("NUL bytes", "not JSON", bytes: Array(#"{"content":"x"}"#.utf8) + [0, 0, 0]),
    Hostile("nothing but NUL", "not JSON", bytes: [UInt8](repeating: 0, count: 4096)),
    Hostile("raw escapes", "not JSON", text: "{\"content\":\"\u{1b}[2J\"}"),
    Hostile(
      "depth 100,000 of arrays", "not JSON", text: #"{"content":"x","data":"# + String(repeating: "[", count: deep)),
    Hostile(
      "depth 100,000, closed", "not JSON",
      text: #"{"content":"x","data":"# + String(repeating: "[", count: deep) + String(repeating: "]", count: deep) + "}"
    ),
    Hostile("a million names", "at most 10000 names") { path in
      try Plain.write(path, "{\"content\":\"x\",\"to\":[" + String(repeating: "\"a\",", count: 999_999) + "\"a\"]}")
    },
    Hostile("one byte too many", "a message may have") { path in
      try Plain.write(path, "{\"content\":\"\(String(repeating: "x", count: messageBytesMax - 13))\"}")
    },
    Hostile("10 GB, sparse", "a message may have") { path in
      try Plain.write(path, "")
      guard truncate(path, 10 << 30) == 0 else { throw Failure(errno) }
    },
    Hostile("directory", "a directory, where a message should be") { path in
      guard mkdir(path, 0o755) == 0 else { throw Failure(errno) }
      try Plain.write(path + "/inner.json", #"{"content":"inner"}"#)
    },
    Hostile("FIFO", "a FIFO, where a message should be") { path in
      guard mkfifo(path, 0o644) == 0 else { throw Failure(errno) }
    },
    Hostile("socket", "a socket, where a message should be") { path in
      // Bound under a short name, because a socket's path has at most 108 bytes.
      let raw = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
      defer { close(raw) }
      let short = "/proc/self/fd/"
      let directory = open(String(path.prefix(upTo: path.lastIndex(of: "/")!)), O_RDONLY | O_DIRECTORY)
      defer { close(directory) }
      var address = sockaddr_un()
      address.sun_family = sa_family_t(AF_UNIX)
      let name = Array("\(short)\(directory)/s".utf8)
      withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
      let result = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          bind(raw, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
      }
      guard result == 0, rename(path.prefix(upTo: path.lastIndex(of: "/")!) + "/s", path) == 0 else {
        throw Failure(errno)
      }
    },
    Hostile("symbolic link to a good message", "symbolic link, where a message should be") { path in
      try Plain.write(path + ".target", #"{"content":"secret"}"#)
      guard symlink(path + ".target", path) == 0 else { throw Failure(errno) }
    },
    Hostile("dangling link", "symbolic link, where a message should be") { path in
      guard symlink("/nowhere", path) == 0 else { throw Failure(errno) }
    },
    Hostile("link to a device that never ends", "symbolic link, where a message should be") { path in
      guard symlink("/dev/zero", path) == 0 else { throw Failure(errno) }
    },
  ]

  private static func member(_ text: String) -> String { "{\"content\":\"x\",\(text)}" }
  private static func long(_ count: Int) -> String { String(repeating: "n", count: count) }
  private static func raw(_ bytes: [UInt8]) -> [UInt8] { Array("{\"content\":\"".utf8) + bytes + Array("\"}".utf8) }

  /// Regular files that are no message: no JSON, or members that won't do.
  private static let documents: [Hostile] = [
    Hostile("leading zero", "not JSON", text: member("\"n\":01")),
    Hostile("plus sign", "not JSON", text: member("\"n\":+1")),
    Hostile("point without a digit before", "not JSON", text: member("\"n\":.5")),
    Hostile("point without a digit after", "not JSON", text: member("\"n\":1.")),
    Hostile("minus alone", "not JSON", text: member("\"n\":-")),
    Hostile("hexadecimal", "not JSON", text: member("\"n\":0x10")),
    Hostile("exponent without digits", "not JSON", text: member("\"n\":1e")),
    Hostile("minus infinity", "not JSON", text: member("\"n\":-Infinity")),
    Hostile("single quotes", "not JSON", text: "{'content':'x'}"),
    Hostile("key without quotes", "not JSON", text: "{content:\"x\"}"),
    Hostile("no colon", "not JSON", text: "{\"content\" \"x\"}"),
    Hostile("no comma", "not JSON", text: "{\"content\":\"x\" \"data\":1}"),
    Hostile("comma first", "not JSON", text: "{,\"content\":\"x\"}"),
    Hostile("wrong bracket", "not JSON", text: "{\"content\":\"x\"]"),
    Hostile("one brace too many", "not JSON", text: "{\"content\":\"x\"}}"),
    Hostile("cut in an escape", "not JSON", text: "{\"content\":\"\\u12"),
    Hostile("no such escape", "not JSON", text: "{\"content\":\"\\x41\"}"),
    Hostile("escape that isn't hexadecimal", "not JSON", text: "{\"content\":\"\\u12G4\"}"),
    Hostile("second half of a surrogate", "not JSON", text: "{\"content\":\"\\udc00\"}"),
    Hostile("two first halves", "not JSON", text: "{\"content\":\"\\ud800\\ud800\"}"),
    Hostile("line feed in a text", "not JSON", text: "{\"content\":\"a\nb\"}"),
    Hostile("tab in a text", "not JSON", text: "{\"content\":\"a\tb\"}"),
    Hostile("vertical tab as space", "not JSON", text: "\u{b}{\"content\":\"x\"}"),
    Hostile("space that doesn't break", "not JSON", text: "\u{a0}{\"content\":\"x\"}"),
    Hostile("word cut short", "not JSON", text: member("\"n\":tru}")),
    Hostile("word in capitals", "not JSON", text: member("\"n\":TRUE")),
    Hostile("overlong UTF-8", "not JSON", bytes: raw([0xc0, 0xaf])),
    Hostile("surrogate in UTF-8", "not JSON", bytes: raw([0xed, 0xa0, 0x80])),
    Hostile("past the last character", "not JSON", bytes: raw([0xf4, 0x90, 0x80, 0x80])),
    Hostile("continuation alone", "not JSON", bytes: raw([0x80])),
    Hostile("character cut short", "not JSON", bytes: raw([0xc3])),
    Hostile("five bytes for a character", "not JSON", bytes: raw([0xf8, 0x88, 0x80, 0x80, 0x80])),
    Hostile("UTF-16, other end first", "not JSON", bytes: [0xfe, 0xff, 0, 0x7b, 0, 0x7d]),
    Hostile("UTF-32", "not JSON", bytes: [0xff, 0xfe, 0, 0, 0x7b, 0, 0, 0]),
    Hostile("gzip", "not JSON", bytes: [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0x4b, 4, 0, 0x83, 0x16]),
    Hostile("XML", "not JSON", text: "<?xml version=\"1.0\"?><content>x</content>"),
    Hostile("YAML", "not JSON", text: "content: x\n"),
    Hostile("prose", "not JSON", text: "please do it"),
    Hostile("a number", "number", text: "42"),
    Hostile("a text", "a string", text: "\"hi\""),
    Hostile("true", "true", text: "true"),
    Hostile("a brace", "not JSON", text: "{"),
    Hostile("a quote", "not JSON", text: "\""),
    Hostile("four megabytes of spaces", "empty") { try Plain.write($0, String(repeating: " ", count: 4 << 20)) },
    Hostile("four megabytes of brackets", "not JSON") { try Plain.write($0, String(repeating: "[", count: 4 << 20)) },
    Hostile(
      "depth 129", "not JSON",
      text: member("\"data\":" + String(repeating: "[", count: 128) + String(repeating: "]", count: 128))),
    Hostile("depth 100,000 of objects", "not JSON") { path in
      try Plain.write(path, "{\"content\":\"x\",\"data\":" + String(repeating: "{\"a\":", count: 100_000))
    },
    Hostile("200,000 keys, the last twice", "duplicate") { path in
      try Plain.write(path, "{" + (0..<200_000).map { "\"k\($0)\":0," }.joined() + "\"k199999\":0}")
    },
    Hostile("content is a number", "content", text: "{\"content\":42}"),
    Hostile("content is a list", "content", text: "{\"content\":[\"x\"]}"),
    Hostile("from is a number", "from", text: member("\"from\":7")),
    Hostile("from of 513 bytes", "from", text: member("\"from\":\"\(long(513))\"")),
    Hostile("to is a number", "to", text: member("\"to\":7")),
    Hostile("to is an object", "to", text: member("\"to\":{}")),
    Hostile("to has a number in it", "to", text: member("\"to\":[\"a\",1]")),
    Hostile("to of 513 bytes", "to", text: member("\"to\":\"\(long(513))\"")),
    Hostile("type in capitals", "type", text: member("\"type\":\"Request\"")),
    Hostile("type of 65 letters", "type", text: member("\"type\":\"\(long(65))\"")),
    Hostile("type is empty", "type", text: member("\"type\":\"\"")),
    Hostile("priority 0", "priority", text: member("\"priority\":0")),
    Hostile("priority 11", "priority", text: member("\"priority\":11")),
    Hostile("priority 5.5", "priority", text: member("\"priority\":5.5")),
    Hostile("priority in words", "priority", text: member("\"priority\":\"very\"")),
    Hostile("priority true", "priority", text: member("\"priority\":true")),
    Hostile("made at no time", "created_at", text: member("\"created_at\":\"yesterday\"")),
    Hostile("a day that isn't", "not_before", text: member("\"not_before\":\"2026-02-30T00:00:00Z\"")),
    Hostile("year 10000", "expires_at", text: member("\"expires_at\":\"10000-01-01T00:00:00Z\"")),
    Hostile("a time of 1e999 seconds", "not_before", text: member("\"not_before\":1e999")),
    Hostile("conversation is a number", "conversation", text: member("\"conversation\":1")),
    Hostile("conversation of 513 bytes", "conversation", text: member("\"conversation\":\"\(long(513))\"")),
    Hostile("in_reply_to is a list", "in_reply_to", text: member("\"in_reply_to\":[]")),
    Hostile("idempotency key of 513 bytes", "idempotency_key", text: member("\"idempotency_key\":\"\(long(513))\"")),
  ]

  /// Messages, however odd.
  private static let strange: [Hostile] = [
    Hostile(delivered: "an id that is a path", member("\"id\":\"../../../etc/passwd\"")),
    Hostile(delivered: "an id that is a number", member("\"id\":7")),
    Hostile(delivered: "from a path", member("\"from\":\"../../etc\"")),
    Hostile(delivered: "to a path", member("\"to\":\"../../etc\"")),
    Hostile(delivered: "made before 1970", member("\"created_at\":-1")),
    Hostile(delivered: "made in 1970", member("\"created_at\":0")),
    Hostile(delivered: "made in 9999", member("\"created_at\":\"9999-12-31T23:59:59.999999Z\"")),
    Hostile(delivered: "expires in 9999", member("\"expires_at\":\"9999-12-31T23:59:59Z\"")),
    Hostile(delivered: "line ends of another system", "{\r\n\"content\":\"x\"\r\n}\r\n"),
    Hostile(delivered: "terminal escapes, escaped", "{\"content\":\"\\u001b[2J\\u0007\\u0000\"}"),
    Hostile(delivered: "text that runs backwards", member("\"from\":\"\u{202e}nimda\"")),
    Hostile(delivered: "empty key", member("\"\":1")),
    Hostile(delivered: "__proto__", member("\"__proto__\":{\"admin\":true}")),
    Hostile(delivered: "1e999 in data", member("\"data\":[1e999,-1e999,1e-999]")),
    Hostile(delivered: "thousand digits", member("\"data\":" + String(repeating: "9", count: 1000))),
    Hostile(
      delivered: "depth 128",
      member("\"data\":" + String(repeating: "[", count: 127) + String(repeating: "]", count: 127))),
    Hostile(
      delivered: "all members null but one", "{\"content\":null,\"to\":null,\"priority\":null,\"type\":\"status\"}"),
    Hostile(delivered: "keys that are equivalent characters", "{\"content\":\"x\",\"\u{e9}\":1,\"e\u{301}\":2}"),
    Hostile(delivered: "50,000 keys", "{\"content\":\"x\"" + (0..<50_000).map { ",\"k\($0)\":0" }.joined() + "}"),
    Hostile(delivered: "as large as may be", "{\"content\":\"" + long(messageBytesMax - 14) + "\"}"),
  ]
}
