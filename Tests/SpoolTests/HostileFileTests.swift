import Glibc
import Linux
import SpoolFormat
import Synchronization
import TestSupport
import Testing

@testable import Spool

/// What nobody should put into an inbox. Each comes beside a good message, which must not be delayed.
@Suite struct HostileFileTests {
  @Test func `a name that is not UTF-8 is told of as what is set aside for it`() throws {
    let fixture = try Fixture("coder")
    let file = Array(fixture.box("inbox").utf8) + Array("/x".utf8) + [0xff] + Array(".json".utf8) + [0]
    let made = file.withUnsafeBytes { creat($0.baseAddress!.assumingMemoryBound(to: CChar.self), 0o600) }
    try #require(made >= 0)
    close(made)
    #expect(try fixture.spool.entries(of: fixture.bot()).map(\.problem) == ["its name is not UTF-8"])
  }

  /// All of them at once, under names of their own or proper ones, with good messages before, between and after.
  @Test(arguments: [false, true])
  func `bad files are set aside with their reasons, and their neighbours are delivered`(hasProperName: Bool) throws {
    let fixture = try Fixture("coder")
    let receiver = try DroppedFileTests.Receiver(fixture)
    func name(_ number: Int) -> String {
      let digits = String(1000 + number)
      return hasProperName ? "5-20261120T234512.345678Z-abcdefabcdef\(digits).json" : "bad-\(digits).json"
    }
    for (number, hostile) in Hostile.files.enumerated() {
      try hostile.make(fixture.home("new"))
      #expect(rename(fixture.home("new"), fixture.box("inbox") + "/" + name(number)) == 0)
      try fixture.send("\(number)")
    }
    #expect(eventually(90) { receiver.contents.count >= Hostile.files.count })
    #expect(eventually(90) { fixture.names("../../quarantine").count == 2 * Hostile.files.count })
    try receiver.stop()
    #expect(receiver.contents == (0..<Hostile.files.count).map { "\($0)" })
    let aside = try fixture.spool.quarantined()
    for (number, hostile) in Hostile.files.enumerated() {
      let mine = aside.filter { ["\(1000 + number).json", "\(1000 + number)~"].contains(where: $0.name.contains) }
      #expect(mine.count == 1, "\(hostile.description)")
      let reason = mine.first?.reason ?? ""
      // Read through a claim, what is no file has fewer words to be told apart by.
      let isTold = reason.contains(hostile.reason) || (hasProperName && reason == "not a regular file")
      #expect(isTold, "\(hostile.description): \(reason)")
      #expect(!reason.unicodeScalars.contains { $0.value < 32 })
    }
    #expect(fixture.names("inbox").isEmpty && fixture.names("claimed").isEmpty && fixture.names("dead").isEmpty)
    #expect(try fixture.events(.messageQuarantined).count == Hostile.files.count)
    // What was linked to is as it was.
    #expect(try Plain.text(fixture.home("new.target")) == #"{"content":"secret"}"#)
  }

  @Test func `a bad file is set aside within a second, though it might still grow`() throws {
    let fixture = try Fixture("coder")
    let receiver = try DroppedFileTests.Receiver(fixture)
    let took = try seconds {
      for (number, name) in zip(1..., ["a", "b", "c"]) {
        try Plain.write(fixture.box("inbox") + "/\(name).json", "")
        #expect(eventually { fixture.names("../../quarantine").count == 2 * number })
      }
    }
    try receiver.stop()
    // A second is meant for each; a busy machine gets more, but less than two intervals of the slow look.
    #expect(took < 9)
  }

  @Test func `a file that grows for ever is left alone while it does, and stops nobody`() throws {
    let fixture = try Fixture("coder")
    let receiver = try DroppedFileTests.Receiver(fixture)
    let raw = open(fixture.box("inbox") + "/growing.json", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
    #expect(write(raw, "{\"content\":\"", 12) == 12)
    for number in 0..<20 {
      try fixture.send("\(number)")
      #expect(write(raw, "xxxx", 4) == 4)
      #expect(eventually { receiver.contents.count == number + 1 })
    }
    #expect(try fixture.spool.quarantined().isEmpty)
    // Until it is larger than a message may be.
    #expect(ftruncate(raw, off_t(Message.bytesMax) + 1) == 0)
    #expect(try eventually { try !fixture.spool.quarantined().isEmpty })
    close(raw)
    try receiver.stop()
  }

  @Test func `names that are no UTF-8 are set aside at once, however many look alike`() throws {
    let fixture = try Fixture("coder")
    let receiver = try DroppedFileTests.Receiver(fixture)
    var made = 0
    let took = seconds {
      for byte in [0xff, 0xfe, 0xc0] as [UInt8] {
        let path = Array((fixture.box("inbox") + "/").utf8) + [byte] + Array(".json".utf8) + [0]
        let raw = creat(path.map { CChar(bitPattern: $0) }, 0o644)
        if raw != -1 {
          close(raw)
          made += 1
        }
        #expect(made > 0 && eventually { fixture.names("../../quarantine").count == 2 * made })
      }
    }
    try receiver.stop()
    #expect(took < 9)
    #expect(try fixture.spool.quarantined().allSatisfy { $0.reason == "its name is not UTF-8" })
  }

  @Test func `integers past 64 bits, escapes and depth within bounds are a message like any other`() throws {
    let fixture = try Fixture("coder")
    let deep = String(repeating: "[", count: 127) + String(repeating: "]", count: 127)
    let text =
      #"{"content":"\u001b[2Jred\u0000\u202e","big":123456789012345678901234567890,"exp":1e999,"deep":\#(deep)}"#
    try Plain.write(fixture.box("inbox") + "/a.json", text)
    let claim = try #require(try fixture.inbox().claim())
    #expect(claim.message.content == "\u{1b}[2Jred\0\u{202e}")
    #expect(claim.message.content?.escapedForTerminal() == "\\u001b[2Jred\\u0000\\u202e")
    #expect(claim.message.extra.map(\.value.description) == ["123456789012345678901234567890", "1e999", deep])
    let sent = try #require(try fixture.events(.messageSent).first)
    #expect(sent.message?.extra == claim.message.extra)
  }

  @Test(.enabled(if: isRoot, "only root makes devices")) func `a device is not opened`() throws {
    let fixture = try Fixture("coder")
    // Not even root in a container without that capability.
    guard mknod(fixture.box("inbox") + "/a.json", S_IFCHR | 0o666, makeDevice(1, 5)) == 0 else { return }
    try fixture.send("good")
    #expect(try fixture.drain() == ["good"])
    #expect(try fixture.spool.quarantined().map(\.reason) == ["a device, where a message should be"])
  }

  private func makeDevice(_ major: UInt32, _ minor: UInt32) -> dev_t { dev_t(major << 8 | minor) }

  @Test(.enabled(if: !isRoot, "root can read everything")) func `a file that can't be read is set aside`() throws {
    let fixture = try Fixture("coder")
    for name in ["a.json", "5-20261120T234512.345678Z-0123456789abcdef.json"] {
      try Plain.write(fixture.home("new"), #"{"content":"x"}"#)
      chmod(fixture.home("new"), 0)
      #expect(rename(fixture.home("new"), fixture.box("inbox") + "/" + name) == 0)
    }
    try fixture.send("good")
    #expect(try fixture.drain() == ["good"])
    #expect(
      try fixture.spool.quarantined().map(\.reason) == Array(repeating: "cannot be read: permission denied", count: 2))
  }

  @Test(.enabled(if: !isRoot, "root can move everything")) func `a directory that can't be moved stops nobody`() throws
  {
    let fixture = try Fixture("coder")
    for name in ["a.json", "0-20261120T234512.345678Z-0123456789abcdef.json"] {
      #expect(mkdir(fixture.box("inbox") + "/" + name, 0o555) == 0)
    }
    for number in 0..<3 { try fixture.send("\(number)") }
    #expect(try fixture.drain() == ["0", "1", "2"])
    let inbox = try fixture.inbox()
    #expect(try inbox.claim() == nil)
    try fixture.send("3")
    #expect(try inbox.receive(waiting: 20)?.message.content == "3")
  }

  @Test func `where nothing can be set aside, neighbours are still delivered`() throws {
    let fixture = try Fixture("coder")
    try Plain.write(fixture.box("inbox") + "/a.json", "{}")
    try Plain.write(fixture.box("inbox") + "/5-20261120T234512.345678Z-0123456789abcdef.json", "{}")
    TemporaryDirectory.removeTree(fixture.path + "/quarantine")
    try Plain.write(fixture.path + "/quarantine", "in the way")
    for number in 0..<3 { try fixture.send("\(number)") }
    #expect(try fixture.drain() == ["0", "1", "2"])
    #expect(fixture.names("inbox") == ["a.json"])
  }

  @Test func `a thousand bad files do not keep a good one`() throws {
    let fixture = try Fixture("coder")
    for number in 0..<1000 { try Plain.write(fixture.box("inbox") + "/\(number).json", "{}") }
    try fixture.send("good")
    #expect(try fixture.drain() == ["good"])
    // A process that another test was just starting may have had one of them open.
    let inbox = try fixture.inbox()
    let areAside = try eventually { try inbox.claim() == nil && fixture.spool.quarantined().count == 1000 }
    let count = try fixture.spool.quarantined().count
    #expect(areAside, "\(count)")
  }

  @Test func `who looks into messages before taking them sets bad files aside, too, and gets to the good ones`() throws
  {
    let fixture = try Fixture("coder")
    for (number, hostile) in Hostile.files.enumerated() {
      try hostile.make(fixture.home("new"))
      let name = "0-20261120T234512.345678Z-abcdefabcdef\(1000 + number).json"
      #expect(rename(fixture.home("new"), fixture.box("inbox") + "/" + name) == 0)
    }
    try fixture.send("another's")
    try fixture.send("wanted")
    let inbox = try fixture.inbox()
    inbox.wants = { $0.content == "wanted" }
    #expect(try inbox.claim()?.message.content == "wanted")
    // Half a message is waited for.
    let areAside = try eventually(90) {
      try inbox.claim() == nil && fixture.spool.quarantined().count == Hostile.files.count
    }
    #expect(areAside)
    #expect(fixture.names("inbox").count == 1 && inbox.hasPassedOver)
  }
}
