import Foundation
import Glibc
import Spool
import SpoolFormat
import TestSupport
import TestThreads
import Testing

/// Every hostile file, put before each process that reads an inbox: none crashes, none hangs, and the good message beside
/// it arrives within a second.
@Suite(.waiting) struct HostileReadersTests {
  /// A command that takes all that comes to a bot.
  struct Reader: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// Run by a shell; `$0` is `spool`.
    let script: String
    /// Whose inbox it reads.
    var bot = "a"

    static let all = [
      Reader(
        testDescription: "receive",
        script: #"while :; do "$0" receive a --wait 5s --ack >/dev/null 2>&1 || [ $? = 1 ] || exit 9; done"#),
      Reader(testDescription: "work", script: #"exec "$0" work a --no-reply -- true"#),
      Reader(
        testDescription: "work --stream",
        script: #"exec "$0" work a --stream -- sh -c 'while read -r line; do echo "{}"; done'"#),
      Reader(testDescription: "coordinate", script: #"exec "$0" coordinate 2>/dev/null"#, bot: "coordinator"),
      Reader(
        testDescription: "doctor --repair, beside a receiver",
        script: """
          while :; do "$0" receive a --wait 5s --ack >/dev/null 2>&1 || [ $? = 1 ] || exit 9; done & r=$!
          trap 'kill $r' EXIT
          while :; do "$0" doctor --repair >/dev/null || exit 9; "$0" doctor >/dev/null || [ $? = 1 ] || exit 9; done
          """),
    ]
  }

  /// `SPOOL_HOSTILE=.build/release/spool swift test --filter HostileReadersTests` measures what users get.
  private static let command = getenv("SPOOL_HOSTILE").map { String(cString: $0) }
  private static let isRelease = command != nil

  @Test func `the table has at least 70 cases, each with a name of its own`() {
    #expect(Hostile.all.count >= 70)
    #expect(Set(Hostile.all.map(\.description)).count == Hostile.all.count)
    print("\(Hostile.all.count) hostile files, \(Hostile.bad.count) of them to be set aside")
  }

  @Test(arguments: Reader.all)
  func `no hostile file stops a reader, or keeps the message beside it`(reader: Reader) throws {
    let scratch = try Scratch(inMemory: true)
    let path = try scratch.makeSpool(bots: [reader.bot])
    let spool = try Spool(at: path)
    let inbox = "\(path)/bots/\(reader.bot)/inbox"
    let running = try SpoolCommand.start(
      program: "/bin/sh", ["-c", reader.script, try Self.command ?? SpoolCommand.path.get()], in: path)
    defer { running.kill() }
    // What takes a debug build seconds to read is for the release build alone.
    let cases = Hostile.all.filter { !$0.isLarge || Self.isRelease }
    var waits: [Double] = []
    for (number, hostile) in cases.enumerated() {
      try hostile.make("\(scratch.path)/new")
      try #require(rename("\(scratch.path)/new", "\(inbox)/hostile-\(1000 + number).json") == 0)
      var message = Message(content: "good")
      message.to = [reader.bot]
      // A request would become tasks.
      message.type = .notification
      let began = monotonicSeconds()
      let id = try spool.send(message, durability: .relaxed)
      let name = "5-\(id).json"
      let isTaken = eventually(30) { access("\(inbox)/\(name)", F_OK) != 0 }
      waits.append(monotonicSeconds() - began)
      try #require(isTaken, "\(reader.testDescription) never took the message beside \(hostile.description)")
      try #require(kill(running.pid, 0) == 0, "\(reader.testDescription) ended at \(hostile.description)")
    }
    let isQuiet = eventually(60) {
      Scratch.names(inbox).isEmpty && Scratch.names("\(path)/bots/\(reader.bot)/claimed").isEmpty
    }
    #expect(isQuiet, "\(Scratch.names(inbox)) are left")
    let aside = Scratch.names("\(path)/quarantine")
    for (number, hostile) in cases.enumerated() {
      let mine = aside.filter { $0.contains("hostile-\(1000 + number).json") && $0.hasSuffix(".reason") }
      switch hostile.outcome {
      case .setAside(let reason):
        let says = mine.first.flatMap { FileManager.default.contents(atPath: "\(path)/quarantine/\($0)") } ?? Data()
        #expect(mine.count == 1 && String(decoding: says, as: UTF8.self).contains(reason), "\(hostile.description)")
      case .delivered: #expect(mine.isEmpty, "\(hostile.description) was set aside")
      }
    }
    // A second is meant, of a machine that isn't busy. On a busy one a loop in a shell, which starts a process for each
    // message, has to wait for its turn now and then; what only the slow look found would be late again and again.
    let judged = Array(zip(cases, waits))
    let late = judged.filter { $0.1 > 1 }.map { "\($0.0.description): \(Int($0.1 * 1000)) ms" }
    #expect(late.count <= judged.count / 5 && judged.count { $0.1 > 4.5 } <= 3, "late beside \(late)")
    let sorted = judged.map { Int($0.1 * 1000) }.sorted()
    print(
      "\(reader.testDescription): beside \(sorted.count) files p50 \(sorted[sorted.count / 2]) ms, most \(sorted.last!) ms"
    )
    #expect(kill(running.pid, 0) == 0)
  }
}
