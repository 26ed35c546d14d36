import Foundation
import Glibc
import Spool
import SpoolFormat
import TestSupport
import Testing

/// A spool that a command is about to be run on, again and again, each time on a new one. A process that has had it open
/// since before (this one) stands by, to see that it can go on whatever happens to the command.
final class Stage {
  let scratch: Scratch
  let path: String
  private(set) var bystander: Spool
  /// The command to run, and on what.
  var arguments: [String] = []
  /// The message that it is about, when there was one before.
  var id = ""

  init(bots: [String], settings: [String: Any] = [:]) throws {
    scratch = try Scratch(inMemory: true)
    path = try scratch.makeSpool(bots: bots, settings: settings)
    bystander = try Spool(at: path)
  }

  var reader: SpoolReader { SpoolReader(path) }

  @discardableResult
  func send(_ content: String, to bot: String, from: String = "tester") throws -> String {
    var message = Message(content: content)
    message.to = [bot]
    message.from = from
    return try bystander.send(message, durability: .relaxed).description
  }

  /// As after a power cut: the log's page was made in another boot, and nobody has the spool open. `bystander` must not
  /// be used until `reopen`.
  func reboot() throws {
    for host in Scratch.names("\(path)/log") {
      let raw = open("\(path)/log/\(host)/commit", O_WRONLY)
      defer { close(raw) }
      try #require(pwrite(raw, String(repeating: "0", count: 32), 32, 16) == 32)
    }
  }

  func reopen() throws { bystander = try Spool(at: path) }

  /// A holder that is dead: no process has such a number.
  var dead: String { DeadProcess.holder(on: bystander.host) }

  /// Renames as a person would, by the names that the directories show.
  func move(_ old: String, to new: String) throws {
    try #require(rename("\(path)/\(old)", "\(path)/\(new)") == 0, "cannot rename \(old)")
  }

  /// Claims as `spool receive` does; returns what `ack` takes.
  func claim(_ bot: String) throws -> String {
    let inbox = try Inbox(bystander, BotName(parsing: bot), detached: true)
    return try #require(try inbox.claim()).token
  }

  /// Fills a segment of the log, and the next one so far that it has no room for another message.
  func fillSegments() throws {
    func segments() -> [Int] {
      let logs = Scratch.names("\(path)/log").map { "\(path)/log/\($0)" }
      let files = logs.flatMap { log in Scratch.names(log).filter { $0.hasSuffix(".jsonl") }.map { "\(log)/\($0)" } }
      return files.map { FileManager.default.contents(atPath: $0)?.count ?? 0 }
    }
    while segments().count < 2 || segments().last! < 4096 - 350 { try send("filling", to: "filler") }
  }

  func run(_ environment: [String: String] = [:]) throws -> SpoolCommand.Outcome {
    try SpoolCommand.run(arguments, in: path, environment: environment)
  }

  /// Sends, receives and acks another message as if nothing had been.
  func goesOn(_ bot: String) throws {
    var message = Message(content: "the world goes on")
    message.to = [bot]
    message.priority = Priority(value: 10)
    let sent = try bystander.send(message, durability: .durable)
    let inbox = try Inbox(bystander, BotName(parsing: bot))
    let claim = try #require(try inbox.claim())
    #expect(claim.message.id == sent)
    try bystander.ack(claim.bot, claim.name)
    let reader = reader
    #expect(reader.places(sent.description, of: bot).isEmpty)
    #expect(reader.ackedAttempt(sent.description, by: bot) != nil)
  }
}
