import Foundation
import Glibc
import TestSupport
import Testing

/// A spool that real users share, each with processes of his own. The users need no accounts: they are numbers that no
/// machine has. Only root can become them.
final class SharedStage: Sendable {
  enum User: Int, CaseIterable, Sendable {
    case ada = 48001
    case bob, eve
    /// Not in the group.
    case mallory
  }

  static let group = 48700
  static let isPossible = isRoot && access("/usr/bin/setpriv", X_OK) == 0
  static let whyNot: Comment = "needs root and setpriv(1), to act as several users"

  let scratch: Scratch
  let path: String
  private let program: String

  /// With a bot of each user's: `ada-bot` and so on.
  init(mask: String = "022", bots: [User] = [.ada, .bob, .eve]) throws {
    scratch = try Scratch(inMemory: true)
    chmod(scratch.path, 0o755)
    path = "\(scratch.path)/spool"
    let built = try SpoolCommand.path.get()
    let isOpen = try SpoolCommand.start(
      program: "/usr/bin/setpriv", Self.become(.mallory) + ["test", "-x", built]
    ).wait(seconds: 20).isDone
    // Where the tests were built may be closed to others. Copied by another process: one that this one has open to be
    // written might be inherited by a child, and can't be run then.
    program = isOpen ? built : "\(scratch.path)/program"
    if !isOpen {
      let copied = try SpoolCommand.start(program: "/bin/cp", [built, program]).wait(seconds: 60)
      guard copied.isDone else { throw Failure("cp: \(copied)") }
    }
    let made = try SpoolCommand.start(
      program: "/bin/sh",
      ["-c", "umask \(mask) && exec \(program) init --shared \(Self.group) --durability relaxed \(path)"]
    ).wait(seconds: 20)
    guard made.isDone else { throw Failure("init: \(made)") }
    for user in bots {
      let made = try run(user, ["register", "\(user)-bot"], mask: mask)
      guard made.isDone else { throw Failure("register: \(made)") }
    }
  }

  /// Starts `spool` as a user.
  func start(
    _ user: User, _ arguments: [String], mask: String = "022", environment: [String: String] = [:],
    input: SpoolCommand.Input = .empty
  ) throws -> Running {
    try SpoolCommand.start(
      program: "/usr/bin/setpriv",
      Self.become(user) + ["/bin/sh", "-c", "umask \(mask) && exec \"$0\" \"$@\"", program] + arguments, in: path,
      environment: environment, input: input)
  }

  func run(
    _ user: User, _ arguments: [String], mask: String = "022", environment: [String: String] = [:],
    input: SpoolCommand.Input = .empty
  ) throws -> SpoolCommand.Outcome {
    try start(user, arguments, mask: mask, environment: environment, input: input).wait(seconds: 30)
  }

  /// Runs a shell script as a user, in the spool's directory; `spool` is the program.
  func shell(_ user: User, _ script: String, mask: String = "022") throws -> SpoolCommand.Outcome {
    try SpoolCommand.start(
      program: "/usr/bin/setpriv",
      Self.become(user) + [
        "/bin/sh", "-c", "umask \(mask); cd \(path) 2>/dev/null; spool() { \(program) \"$@\"; }\n\(script)",
      ],
      in: path
    ).wait(seconds: 30)
  }

  private static func become(_ user: User) -> [String] {
    let id = "\(user.rawValue)"
    return ["--reuid", id, "--regid", id] + (user == .mallory ? ["--clear-groups"] : ["--groups", "\(Self.group)"])
  }

  /// What a command of a user's printed as JSON, an object a line.
  func objects(_ user: User, _ arguments: [String]) throws -> [[String: Any]] {
    try run(user, arguments + ["--json"]).output.split(separator: "\n").map {
      try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] ?? [:]
    }
  }

  /// Takes and acks the next message of a user's bot.
  func receive(_ user: User, wait: String = "0s") throws -> [String: Any] {
    try objects(user, ["receive", "\(user)-bot", "--ack", "--wait", wait]).first ?? [:]
  }

  func names(_ box: String, of user: User) -> [String] { Scratch.names("\(path)/bots/\(user)-bot/\(box)") }
}

extension [String: Any] {
  var content: String? { (self["message"] as? [String: Any])?["content"] as? String }
  var isVerified: Bool? { self["from_verified"] as? Bool }
  var problem: String? { self["from_problem"] as? String }
  /// The number of the user, as these have no names.
  var user: String? { self["from_user"] as? String }
}
