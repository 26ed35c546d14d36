import TestSupport
import Testing

@testable import SpoolFormat

@Suite struct NamesTests {
  private static let identifier = "20261120T234512.345678Z-0123456789abcdef"

  // MARK: Entries

  @Test(arguments: [
    "5-\(identifier).json", "0-\(identifier).json", "9-\(identifier)~1.json", "5-\(identifier)~9999.json",
    "5-\(identifier)~1~pi.1234.5f3a.json", "5-\(identifier)~0~pi.1234.5f3a.json",
    "5-\(identifier)~3~build.host-7.0.1.json",
    "5-\(identifier)~0~20270101T000000.000000Z.json", "5-\(identifier)~2~20270101T000000.000000Z.json",
  ])
  func `a proper name reads, and is written as it was`(text: String) throws {
    let name = try #require(EntryName(text))
    #expect(name.description == text)
    #expect(name.id.description == Self.identifier)
  }

  @Test func `the parts of a name are what they say`() throws {
    let held = try #require(EntryName("3-\(Self.identifier)~2~pi.local.1234.5f3a.json"))
    #expect(held.urgency == 3)
    #expect(held.attempt == 2)
    #expect(held.holder == Holder(host: "pi.local", pid: 1234, start: 0x5f3a))
    #expect(held.notBefore == nil)
    let delayed = try #require(EntryName("3-\(Self.identifier)~2~20270101T000000.000000Z.json"))
    #expect(delayed.holder == nil)
    #expect(delayed.notBefore?.rfc3339 == "2027-01-01T00:00:00.000000Z")
    #expect(delayed.id.random == 0x0123_4567_89ab_cdef)
  }

  @Test(arguments: [
    "", ".json", "x.json", "5-\(identifier)", "5-\(identifier).jso", "5-\(identifier).JSON", "5-\(identifier).json ",
    "a-\(identifier).json", "55-\(identifier).json", "-\(identifier).json", "5_\(identifier).json",
    " 5-\(identifier).json",
    "5-\(identifier)~.json", "5-\(identifier)~0.json", "5-\(identifier)~01.json", "5-\(identifier)~+1.json",
    "5-\(identifier)~10000.json", "5-\(identifier)~99999999999999999999.json", "5-\(identifier)~1~.json",
    "5-\(identifier)~~pi.1.2.json", "5-\(identifier)~1~pi.json", "5-\(identifier)~1~pi.1.json",
    "5-\(identifier)~1~pi.1.g.json",
    "5-\(identifier)~1~pi.01.2.json", "5-\(identifier)~1~pi.+1.2.json", "5-\(identifier)~1~pi.-1.2.json",
    "5-\(identifier)~1~pi.1.02.json", "5-\(identifier)~1~pi.1.2F.json", "5-\(identifier)~1~.1.2.json",
    "5-\(identifier)~1~p i.1.2.json", "5-\(identifier)~1~pi.1.2~x.json", "5-\(identifier)~1~pi/x.1.2.json",
    "5-\(identifier)~1~pi.1.12345678901234567.json", "5-\(identifier)~1~p\u{e9}.1.2.json",
    "5-\(identifier)~1~pi.1.2.json\0",
    "5-20261120T234512.345678Z-0123456789ABCDEF.json", "5-20261120T234512.345678Z-123456789abcdef.json",
    "5-20261131T234512.345678Z-0123456789abcdef.json", "5-20261120T235960.000000Z-0123456789abcdef.json",
    "5-\(identifier)~1~20270101T000060.000000Z.json",
  ])
  func `a name that this program would not have written is none`(text: String) {
    #expect(EntryName(text) == nil)
  }

  @Test func `a holder may be as long as a file name allows, and no longer`() throws {
    let longest = Holder(host: String(repeating: "h", count: 64), pid: .max, start: .max)
    let identifier = try #require(MessageID(Self.identifier))
    let name = EntryName(urgency: 5, id: identifier, attempt: EntryName.attemptMax, place: .held(longest))
    #expect(name.description.utf8.count <= 255)
    #expect(EntryName(name.description) == name)
    let tooLong = "5-\(Self.identifier)~1~\(String(repeating: "h", count: 250)).1.2.json"
    #expect(EntryName(tooLong) == nil)
  }

  @Test func `names sort as ls lists them, by urgency and then age`() throws {
    var random = SeededGenerator()
    let names = (0..<500).map { _ in
      EntryName(
        urgency: .random(in: 0...9, using: &random),
        id: MessageID(
          time: Timestamp(microseconds: .random(in: 0...253_402_300_799_999_999, using: &random)),
          random: .random(in: .min ... .max, using: &random)))
    }
    #expect(names.sorted().map(\.description) == names.map(\.description).sorted(), "seed \(random.seed)")
    #expect(names.sorted() != names)
  }

  @Test func `mutated names read as themselves or not at all`() {
    var random = SeededGenerator()
    let seedlings = [
      "5-\(Self.identifier)~12~pi.1234.5f3a.json", "0-\(Self.identifier)~0~20270101T000000.000000Z.json",
    ]
    var readable = 0
    for _ in 0..<20_000 {
      var bytes = Array(seedlings.randomElement(using: &random)!.utf8)
      for _ in 0..<Int.random(in: 1...2, using: &random) {
        let place = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: bytes[place] = UInt8.random(in: .min ... .max, using: &random)
        case 1: bytes.remove(at: place)
        default: bytes.insert(bytes.randomElement(using: &random)!, at: place)
        }
      }
      guard let name = bytes.withUnsafeBufferPointer({ EntryName($0) }) else { continue }
      readable += 1
      #expect(Array(name.description.utf8) == bytes, "seed \(random.seed)")
    }
    #expect((100..<20_000).contains(readable), "seed \(random.seed)")
  }

  @Test(arguments: [
    ("x.json", true), ("message.json", true), ("a b.json", true), ("-rf.json", true), ("\u{e9}.json", true),
    (".x.json", false), (".json", false), ("x.json~", false), ("x.json.swp", false), ("x.json.tmp", false),
    (".x.json.Ab12Cd", false), ("x.txt", false), ("json", false), ("x.JSON", false), ("", false), ("#x.json#", false),
  ])
  func `other json files are dropped messages, an editor's leftovers are not`(text: String, isDropped: Bool) {
    #expect(Array(text.utf8).withUnsafeBufferPointer { EntryName.isDropped($0) } == isDropped)
  }

  // MARK: Identifiers

  @Test func `an id reads from its whole text only`() throws {
    let identifier = try #require(MessageID(Self.identifier))
    #expect(identifier.description == Self.identifier)
    #expect(identifier.description.utf8.count == MessageID.textCount)
    for count in 0..<MessageID.textCount { #expect(MessageID(String(Self.identifier.prefix(count))) == nil) }
    #expect(MessageID(Self.identifier + "0") == nil)
    #expect(MessageID("5-" + Self.identifier) == nil)
    #expect(MessageID(Self.identifier.replacing("Z-", with: "Z_")) == nil)
  }

  @Test func `ids sort by time, then by their random part, as their texts do`() {
    let early = Timestamp(microseconds: 1000)
    let late = Timestamp(microseconds: 1001)
    let sorted = [
      MessageID(time: early, random: 0), MessageID(time: early, random: 10), MessageID(time: early, random: .max),
      MessageID(time: late, random: 0), MessageID(time: late, random: 1),
    ]
    #expect(sorted.reversed().sorted() == sorted)
    #expect(sorted.map(\.description) == sorted.map(\.description).sorted())
  }

  // MARK: Bots

  @Test(arguments: ["a", "0", "coder", "coder-2", "a.b_c-d", "team2", "steam", String(repeating: "x", count: 64)])
  func `a good name is kept as it is`(text: String) throws {
    #expect(try BotName(parsing: text).description == text)
  }

  @Test(arguments: [
    ("", "empty"), ("team", "every bot"), ("a/b", "a-z"), ("../x", "a-z"), ("..", "a-z"), (".", "a-z"),
    (".hidden", "a-z"),
    ("-rf", "a-z"), ("--help", "a-z"), ("_x", "a-z"), ("Coder", "a-z"), ("c\u{f6}der", "a-z"), ("co der", "a-z"),
    ("a\nb", "a-z"), ("a\0b", "a-z"), ("a\u{1b}[31mb", "a-z"), ("a~b", "a-z"), ("#a", "a-z"), ("a:b", "a-z"),
    ("\u{202e}abc", "a-z"), (String(repeating: "x", count: 65), "65 bytes"),
    (String(repeating: "x", count: 300), "300 bytes"),
  ])
  func `a bad name is refused with what is wrong, and nothing that drives a terminal`(text: String, reason: String) {
    let error = #expect(throws: FormatError.self) { try BotName(parsing: text) }
    #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
    #expect(error?.description.unicodeScalars.contains { $0.value < 32 || $0.value == 0x202e } == false)
    #expect((error?.description.utf8.count ?? 0) < 400)
  }

  // MARK: Holders and priorities

  @Test func `a machine's name becomes one that can stand in a file name, once`() {
    for name in [
      "pi", "pi.local", "Build-7", "a b/c~d", "", ".", "..", ".x", "h\u{f6}st", String(repeating: "x", count: 300),
      "." + String(repeating: "h", count: 70),
    ] {
      let kept = Holder.hostName(name)
      #expect(!kept.isEmpty && kept.utf8.count <= 64)
      #expect(!kept.hasPrefix(".") && !kept.contains("/") && !kept.contains("~"))
      #expect(Holder.hostName(kept) == kept, "\(name)")
      let holder = Holder(host: kept, pid: 12, start: 0xff)
      #expect(Holder(holder.description) == holder)
    }
  }

  @Test func `priority is 1 to 10 or a word, and urgency its opposite`() throws {
    #expect(try Priority(parsing: "1").urgency == 9)
    #expect(try Priority(parsing: "10").urgency == 0)
    #expect(Priority.normal.urgency == 5)
    for (word, value) in [("low", 3), ("normal", 5), ("HIGH", 7), ("Urgent", 9), ("critical", 10), ("medium", 5)] {
      #expect(try Priority(parsing: word).value == value)
    }
    for text in ["0", "11", "-1", "", "5.0", "very", "\u{1b}[2J", "99999999999999999999"] {
      let error = #expect(throws: FormatError.self) { try Priority(parsing: text) }
      #expect(error?.description.contains("1 to 10") == true)
      #expect(error?.description.contains("\u{1b}") == false)
    }
  }

  @Test func `control characters and marks that reorder text are shown escaped`() {
    #expect("plain \u{e9} \u{1f600}".escapedForTerminal() == "plain \u{e9} \u{1f600}")
    #expect("a\u{1b}[31mred".escapedForTerminal() == "a\\u001b[31mred")
    #expect("a\u{9b}2Jb\u{7f}c\0d\re".escapedForTerminal() == "a\\u009b2Jb\\u007fc\\u0000d\\u000de")
    #expect("\u{202e}gnp.exe\u{2066}".escapedForTerminal() == "\\u202egnp.exe\\u2066")
    #expect("a\nb\tc".escapedForTerminal() == "a\\nb\\u0009c")
    #expect("a\nb\tc\r\n".escapedForTerminal(keepingLines: true) == "a\nb\tc\\u000d\n")
  }
}
