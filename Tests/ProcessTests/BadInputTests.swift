import Foundation
import Glibc
import TestSupport
import TestThreads
import Testing

/// What is refused: with a status, with one line that says why, and with nothing changed.
struct Refusal: Sendable, CustomTestStringConvertible {
  let arguments: [String]
  let status: Int
  /// In the line on standard error.
  let says: String
  var input = SpoolCommand.Input.empty
  var testDescription: String { arguments.map { String($0.prefix(40)).debugDescription }.joined(separator: " ") }

  init(_ arguments: [String], _ status: Int, _ says: String, input: SpoolCommand.Input = .empty) {
    self.arguments = arguments
    self.status = status
    self.says = says
    self.input = input
  }

  private static let long = String(repeating: "n", count: 300)

  static let commandLines = [
    Refusal(["sned", "coder", "hi"], 64, "did you mean send"),
    Refusal(["--frobnicate"], 64, "no command"),
    Refusal(["--spool", "here", "register", "coder"], 64, "options come after the command"),
    Refusal(["task", "--spool", "here", "list"], 64, "options come after the command"),
    Refusal(["send", "coder", "hi", "--priorty", "3"], 64, "did you mean --priority"),
    Refusal(["send", "coder", "--text", "hi"], 64, "no option --text (see"),
    Refusal(["request", "coder,planner", "hi"], 64, "a request goes to one bot"),
    Refusal(["bots", "--spool", ""], 64, "--spool is empty"),
    Refusal(["send", "coder", "hi", "--expires", "1m", "--not-before", "1h30m"], 65, "would expire"),
    Refusal(["send", "coder", "hi", "--expires", "2020-01-01"], 65, "would have expired already"),
    Refusal(["send", "coder", "hi", "--expires", "0"], 65, "would have expired already"),
    Refusal(
      ["request", "coder", "hi", "--from", "new", "--expires", "1m", "--not-before", "1h30m"], 65, "would expire"),
    Refusal(["receive", "coder", "--wait", "1h30"], 64, "is no duration"),
    Refusal(["receive", "coder", "--wait", "1h30x"], 64, "is no duration"),
    Refusal(["send", "coder", "hi", "--jsno"], 64, "did you mean --json"),
    Refusal(["send", "coder", "hi", "there"], 64, "too many: quote texts"),
    Refusal(["work", "coder", "./review.sh"], 64, "too many: the program goes after --"),
    Refusal(["receive", "coder", "planner"], 64, "one word too many"),
    Refusal(["send", "coder", "hi", "--priority"], 64, "needs a value"),
    Refusal(["send"], 64, "TO is missing"),
    Refusal(["receive"], 64, "BOT is missing"),
    Refusal(["ack"], 64, "CLAIM is missing"),
    Refusal(["receive", "coder", "--ack=yes"], 64, "takes no value"),
    Refusal(["receive", "coder", "--wait", "soon"], 64, "is no duration"),
    Refusal(["receive", "coder", "--wait", "-3s"], 64, "is no duration"),
    Refusal(["receive", "coder", "--wait", "1e999"], 64, "is no duration"),
    Refusal(["receive", "coder", "--wait", ""], 64, "is no duration"),
    Refusal(["receive", "coder", "--wait", "s"], 64, "is no duration"),
    Refusal(["send", "coder", "hi", "--not-before", "tomorrow"], 64, "is no time"),
    Refusal(["send", "coder", "hi", "--expires", "2026-02-30T00:00:00Z"], 64, "is no time"),
    Refusal(["inbox", "coder", "--limit", "0"], 64, "whole number"),
    Refusal(["inbox", "coder", "--limit", "99999999999999999999"], 64, "whole number"),
    Refusal(["send", "coder", "hi", "--relaxed", "--durable"], 64, "not both"),
    Refusal(["nack", "coder/x", "--dead", "--delay", "1s"], 64, "not both"),
    Refusal(["send", "coder", "hi", "--file", "/etc/hostname"], 64, "not both"),
    Refusal(["-hi"], 64, "no command"),
    Refusal(["send", "coder", "-hi"], 64, "goes after --"),
    Refusal(["search"], 64, "WORD is missing"),
    Refusal(["log", "--bot", ""], 64, "--bot is empty"),
    Refusal(["log", "--from", ""], 64, "--from is empty"),
    Refusal(["search", "parser", "--to", ""], 64, "--to is empty"),
    Refusal(["log", "--since", "2026"], 64, "2026s"),
    Refusal(["send", "coder", "hi", "--expires", "20261122"], 64, "may be a date"),
    Refusal(["gc", "--older-than", "30"], 64, "write 30d"),
    Refusal(["register", "new", "--skill", "swift:godlike"], 65, "godlike"),
    Refusal(["register", "new", "--capacity", "0"], 64, "whole number"),
    Refusal(["send", "coder", "hi", "--key", long + long], 64, "--key has 600 bytes"),
    Refusal(["send", "coder", "hi", "--key", ""], 64, "--key"),
    Refusal(["send", "coder", "hi", "--conversation", long + long], 64, "--conversation"),
  ]

  static let names = [
    Refusal(["send", "codre", "hi"], 67, "did you mean coder"),
    Refusal(["receive", "codr"], 67, "did you mean coder"),
    Refusal(["inbox", "nobody"], 67, "no bot named nobody"),
    Refusal(["dead", "plnner"], 67, "did you mean planner"),
    Refusal(["subscribe", "coders", "news"], 67, "did you mean coder"),
    Refusal(["send", "coder,nobody", "hi"], 67, "nobody"),
    Refusal(["register", "a/b"], 65, "won't do"),
    Refusal(["register", ".."], 65, "won't do"),
    Refusal(["register", "../../etc"], 65, "won't do"),
    Refusal(["register", "."], 65, "won't do"),
    Refusal(["register", ""], 65, "empty name"),
    Refusal(["register", "a\u{1b}[2Jb"], 65, "won't do"),
    Refusal(["register", "a\nb"], 65, "won't do"),
    Refusal(["register", "--", "-x"], 65, "won't do"),
    Refusal(["register", "-x"], 64, "no option -x"),
    Refusal(["register", long], 65, "300 bytes"),
    Refusal(["register", "Coder"], 65, "won't do"),
    Refusal(["register", "team"], 65, "taken"),
    Refusal(["register", "größe"], 65, "won't do"),
    Refusal(["send", "../coder", "hi"], 65, "won't do"),
    Refusal(["send", "coder/../planner", "hi"], 65, "won't do"),
    Refusal(["send", "", "hi"], 65, "nobody"),
    Refusal(["task", "add", "x", "--to", "coordinator"], 65, "takes requests"),
    Refusal(["task", "assign", "cafe", "hub"], 65, "takes announcements"),
    Refusal(["send", ",", "hi"], 65, "nobody"),
    Refusal(["send", "a\u{7}b", "hi"], 65, "won't do"),
    Refusal(["send", long, "hi"], 65, "300 bytes"),
    Refusal(["send", "coder", "hi", "--from", "a/b"], 65, "won't do"),
    Refusal(["publish", "../x", "hi"], 65, "won't do"),
    Refusal(["publish", "nothing", "hi"], 1, "nobody to send to"),
    Refusal(["subscribe", "coder", "a/b"], 65, "won't do"),
  ]

  static let data = [
    Refusal(["send", "coder", "hi", "--data", "{'a':1}"], 65, "--data is not JSON"),
    Refusal(["send", "coder", "hi", "--data", "{\"a\":1,}"], 65, "--data is not JSON"),
    Refusal(["send", "coder", "hi", "--data", "{\"a\":1,\"a\":2}"], 65, "--data is not JSON"),
    Refusal(["send", "coder", "hi", "--context", "NaN"], 65, "--context is not JSON"),
    Refusal(["send", "coder", "hi", "--context", ""], 65, "--context is not JSON"),
    Refusal(["send", "coder", "hi", "--data", String(repeating: "[", count: 100_000)], 65, "--data is not JSON"),
    Refusal(["send", "coder", "hi", "--priority", "11"], 65, "priority"),
    Refusal(["send", "coder", "hi", "--type", "Shouting Loud"], 65, "type"),
    Refusal(["send", "coder", "--file", "/nonexistent/file"], 65, "cannot read"),
    Refusal(["send", "coder", "--file", "/"], 65, "cannot read"),
    Refusal(["send", "coder", "-"], 65, "not UTF-8", input: .bytes([0x68, 0xff, 0xfe])),
    Refusal(["send", "coder", "-"], 65, "more than", input: .bytes([UInt8](repeating: 0x78, count: 5 << 20))),
    Refusal(["send", "coder", "-"], 65, "bytes", input: .bytes([UInt8](repeating: 1, count: 720_000))),
    Refusal(["ack", "garbage"], 3, "nobody has garbage"),
    Refusal(["ack", ""], 65, "no claim"),
    Refusal(["ack", "/"], 65, "no claim"),
    Refusal(["ack", "coder/5-20261121T000000.000000Z-0123456789abcdef~1~h.0.1.json"], 3, "no longer has"),
    Refusal(["extend", "coder/5-20261121T000000.000000Z-0123456789abcdef~1~h.0.1.json"], 3, "no longer has"),
    Refusal(["nack", "coder/5-20261121T000000.000000Z-0123456789abcdef~1~h.0.1.json"], 3, "no longer has"),
    Refusal(["ack", "../../etc/X/5-20261121T000000.000000Z-0123456789abcdef~1~h.0.1.json"], 65, "won't do"),
    Refusal(["ack", "nobody/5-20261121T000000.000000Z-0123456789abcdef~1~h.0.1.json"], 67, "no bot"),
    Refusal(["dead", "coder", "--retry", "cafe"], 1, "no dead letter cafe"),
    Refusal(["reply", "cafe", "hi"], 1, "cafe"),
    Refusal(["reply", "caf", "hi"], 65, "four"),
    Refusal(["send", "coder", "hi", "--reply-to", "cafecafe"], 1, "cafecafe"),
    Refusal(["trace", "cafecafe"], 1, "cafecafe"),
    Refusal(["show", "20261121T000000.000000Z-0123456789abcdef"], 1, "no message"),
    Refusal(["thread", "nothing"], 1, "no conversation"),
  ]
}

@Suite(.waiting) struct BadInputTests {
  @Test(arguments: [Refusal.commandLines, Refusal.names, Refusal.data])
  func `what can't be understood is refused in one line, and changes nothing`(refusals: [Refusal]) throws {
    let scratch = try Scratch(inMemory: true)
    let spool = try scratch.makeSpool(bots: ["coder", "planner"])
    #expect(try SpoolCommand.run(["send", "planner", "a message that must stay"], in: spool).isDone)
    let before = Scratch.listing(spool)
    for refusal in refusals {
      let outcome = try SpoolCommand.run(refusal.arguments, in: spool, input: refusal.input)
      #expect(outcome.status == refusal.status, "\(refusal.testDescription): \(outcome)")
      #expect(outcome.error.contains(refusal.says), "\(refusal.testDescription): \(outcome)")
      #expect(SpoolMessage.isOneLine(outcome.error), "\(refusal.testDescription): \(outcome)")
      #expect(outcome.error.utf8.allSatisfy { $0 == 10 || $0 >= 32 }, "\(refusal.testDescription): \(outcome)")
      #expect(outcome.error.utf8.count < 500 && outcome.output.isEmpty, "\(refusal.testDescription): \(outcome)")
      #expect(Scratch.listing(spool) == before, "\(refusal.testDescription) changed something")
    }
  }

  @Test func `a directory that is no spool is refused, and left as it is`() throws {
    let scratch = try Scratch(inMemory: true)
    let foreign = "\(scratch.path)/foreign"
    try Scratch.makeDirectory(foreign)
    try Scratch.write("mine", to: "\(foreign)/letter.txt")
    try Scratch.makeDirectory("\(scratch.path)/later")
    try Scratch.write(#"{"nanospool":2,"id":"x"}"#, to: "\(scratch.path)/later/spool.json")
    try Scratch.makeDirectory("\(scratch.path)/broken")
    try Scratch.write("{", to: "\(scratch.path)/broken/spool.json")
    try Scratch.makeDirectory("\(scratch.path)/other")
    try Scratch.write(#"{"name":"some program's own"}"#, to: "\(scratch.path)/other/spool.json")
    #expect(try SpoolCommand.run(["init", "\(scratch.path)/made"], in: scratch.path).isDone)
    let before = Scratch.listing(scratch.path)
    let cases: [([String], Int, String)] = [
      (["inbox", "a", "--spool", "\(scratch.path)/missing"], 69, "spool init"),
      (["inbox", "a", "--spool", foreign], 69, "no spool.json"),
      (["doctor", "--repair", "--spool", foreign], 69, "no spool.json"),
      (["register", "a", "--spool", "\(foreign)/letter.txt"], 69, "not a directory"),
      (["bots", "--spool", "\(scratch.path)/later"], 69, "format 2"),
      (["bots", "--spool", "\(scratch.path)/broken"], 69, "not JSON"),
      (["bots", "--spool", "\(scratch.path)/other"], 69, "some other program"),
      (["init", foreign], 73, "not empty"),
      (["init", "\(scratch.path)/made", "--inbox-max", "5"], 73, "edit \(scratch.path)/made/spool.json"),
      (["init", "\(scratch.path)/made", "--lease", "3s", "--inbox-max", "0"], 73, "with other settings"),
      (["init", "\(scratch.path)/later"], 69, "format 2"),
      (["init", "\(foreign)/letter.txt"], 73, "cannot make"),
      (["init", "/proc/nothing/here"], 73, "cannot make"),
    ]
    for (arguments, status, says) in cases {
      let outcome = try SpoolCommand.run(arguments, directory: scratch.path)
      #expect(outcome.status == status && outcome.error.contains(says), "\(arguments): \(outcome)")
      #expect(SpoolMessage.isOneLine(outcome.error), "\(arguments): \(outcome)")
      #expect(Scratch.listing(scratch.path) == before, "\(arguments) changed something")
    }
    let nowhere = try SpoolCommand.run(["bots"], directory: scratch.path)
    #expect(nowhere.status == 69 && nowhere.error.contains("no spool here"), "\(nowhere)")
  }

  @Test func `a lost claim is told by its status, and settling it changes nothing`() throws {
    let scratch = try Scratch(inMemory: true)
    let spool = try scratch.makeSpool(bots: ["coder"])
    _ = try SpoolCommand.run(["send", "coder", "hi"], in: spool)
    let got = try SpoolCommand.run(["receive", "coder", "--json"], in: spool)
    let claim = String(try #require(got.output.firstMatch(of: #/"claim":"([^"]+)"/#)).output.1)
    #expect(try SpoolCommand.run(["nack", claim], in: spool).isDone)
    let before = Scratch.listing("\(spool)/bots")
    for arguments in [["ack", claim], ["nack", claim], ["nack", claim, "--dead"], ["extend", claim]] {
      let outcome = try SpoolCommand.run(arguments, in: spool)
      #expect(outcome.status == 3 && SpoolMessage.isOneLine(outcome.error), "\(arguments): \(outcome)")
      #expect(Scratch.listing("\(spool)/bots") == before)
    }
    #expect(SpoolReader(spool).violations(settled: true).isEmpty)
  }

  @Test func `a text that isn't UTF-8 is refused, and nothing is put in its place`() throws {
    let scratch = try Scratch(inMemory: true)
    let spool = try scratch.makeSpool(bots: ["coder"])
    let script = #"exec "$0" send coder "$(printf 'caf\351')" "#
    let outcome = try SpoolCommand.start(program: "/bin/sh", ["-c", script, try SpoolCommand.path.get()], in: spool)
      .wait(seconds: SpoolCommand.secondsMax)
    #expect(outcome.status == 65 && outcome.error.contains("is not UTF-8"), "\(outcome)")
    #expect(Scratch.names("\(spool)/bots/coder/inbox").isEmpty)
  }

  @Test func `an output that can't be written is an error, and loses no message`() throws {
    let scratch = try Scratch(inMemory: true)
    let spool = try scratch.makeSpool(bots: ["coder"], settings: ["lease_seconds": 3600])
    let id = try SpoolCommand.run(["send", "coder", "hi", "--priority", "9"], in: spool).line
    for output in [SpoolCommand.Output.closed, .file("/dev/full")] {
      for arguments in [["receive", "coder"], ["receive", "coder", "--json"], ["receive", "coder", "--ack"]] {
        let outcome = try SpoolCommand.run(arguments, in: spool, output: output)
        #expect(outcome.status == 74, "\(arguments) to \(output): \(outcome)")
        #expect(outcome.error.contains("cannot write to standard output"), "\(outcome)")
        let reader = SpoolReader(spool)
        #expect(reader.entries("coder", "inbox").contains { $0.id == id }, "\(arguments) to \(output) lost the message")
        _ = try SpoolCommand.run(["doctor", "--repair"], in: spool)
        #expect(SpoolReader(spool).violations(settled: true).isEmpty)
      }
      let verbs = [
        ["inbox", "coder"], ["bots"], ["log"], ["stats", "--json"], ["show", id], ["--help"], ["send", "--help"],
      ]
      for arguments in verbs {
        let outcome = try SpoolCommand.run(arguments, in: spool, output: output)
        #expect(outcome.status == 74 && SpoolMessage.isOneLine(outcome.error), "\(arguments) to \(output): \(outcome)")
      }
      // The message is kept, so "no" would be the greater lie; its sender is told that the id was not shown.
      let sent = try SpoolCommand.run(["send", "coder", "not shown"], in: spool, output: output)
      #expect(sent.status == 74, "\(sent)")
      #expect(!SpoolReader(spool).entries(saying: "not shown").isEmpty)
    }
  }

  @Test func `a spool that can't be written is read, and refuses the rest`() throws {
    let scratch = try Scratch()
    let spool = try scratch.makeSpool(bots: ["coder"])
    let id = try SpoolCommand.run(["send", "coder", "hi"], in: spool).line
    let mount = try #require(try ReadOnly(spool), "neither chmod nor a bind mount can make it read-only here")
    defer { mount.undo() }
    let before = Scratch.listing(spool)
    for arguments in [
      ["send", "coder", "no"], ["receive", "coder"], ["register", "new"], ["subscribe", "coder", "news"],
    ] {
      let outcome = try SpoolCommand.run(arguments, in: spool)
      #expect(outcome.status == 77 && SpoolMessage.isOneLine(outcome.error), "\(arguments): \(outcome)")
    }
    for arguments in [["inbox", "coder"], ["bots"], ["log"], ["show", id], ["trace", id], ["stats"], ["thread"]] {
      let outcome = try SpoolCommand.run(arguments, in: spool)
      #expect(outcome.isDone && !outcome.output.isEmpty, "\(arguments): \(outcome)")
    }
    #expect(Scratch.listing(spool) == before)
  }
}

/// A directory tree that can't be written for a while: by its mode, or for root by a mount.
private struct ReadOnly {
  private let path: String
  private let isMount: Bool

  init?(_ path: String) throws {
    self.path = path
    isMount = geteuid() == 0
    if isMount {
      guard mount(path, path, nil, UInt(MS_BIND), nil) == 0 else { return nil }
      guard mount(nil, path, nil, UInt(MS_BIND | MS_REMOUNT | MS_RDONLY), nil) == 0 else {
        umount2(path, CInt(MNT_DETACH))
        return nil
      }
    } else {
      try change { $0 & ~0o222 }
    }
  }

  func undo() {
    if isMount { umount2(path, CInt(MNT_DETACH)) } else { try? change { $0 | 0o200 } }
  }

  private func change(_ mode: (mode_t) -> mode_t) throws {
    let below = FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
    for name in below.map({ "\(path)/\($0)" }) + [path] {
      var status = stat()
      if stat(name, &status) == 0 { chmod(name, mode(status.st_mode & 0o7777)) }
    }
  }
}
