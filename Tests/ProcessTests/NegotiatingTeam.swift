import Glibc
import SpoolFormat
import TestSupport
import Testing

/// A spool, bots that work with `--negotiate` as processes of their own, and coordinators.
final class NegotiatingTeam {
  let scratch: Scratch
  let path: String
  let bots: [String: String]
  private(set) var workers: [String: Running] = [:]
  private(set) var hubs: [Running] = []
  var files: String { scratch.path }

  /// - Parameter bots: each with its skills, separated by spaces.
  init(_ bots: [String: String], capacity: Int = 1, settings: [String: Any] = [:]) throws {
    self.bots = bots
    scratch = try Scratch()
    path = try scratch.makeSpool(bots: [], settings: settings)
    for (bot, skills) in bots.sorted(by: { $0.key < $1.key }) {
      let options = skills.split(separator: " ").flatMap { ["--skill", String($0)] }
      let outcome = try spool(["register", bot, "--capacity", "\(capacity)"] + options)
      try #require(outcome.isDone, "\(outcome)")
    }
  }

  func spool(_ arguments: [String], environment: [String: String] = [:]) throws -> SpoolCommand.Outcome {
    try SpoolCommand.run(arguments, in: path, environment: environment)
  }

  /// The objects that a command prints, one a line.
  func lines(_ arguments: [String]) throws -> [JSONValue] {
    try spool(arguments).output.split(separator: "\n").map { try JSONValue(parsing: Array($0.utf8)) }
  }

  /// The messages of a conversation, oldest first.
  func thread(_ id: String) throws -> [JSONValue] {
    try lines(["thread", id, "--json"]).compactMap { $0["data"]?["message"] }
  }

  /// Starts all bots (or one) with a program of the shell, and waits until they are there.
  func work(_ script: String, _ arguments: [String] = [], only: String? = nil) throws {
    let started = only.map { [$0] } ?? bots.keys.sorted()
    for bot in started {
      workers[bot] = try SpoolCommand.start(
        ["work", bot, "--negotiate"] + arguments + ["--", "/bin/sh", "-c", script], in: path,
        environment: ["FILES": files])
    }
    try require("the bots are there") {
      started.allSatisfy { !Scratch.names("\(path)/bots/\($0)/presence").filter { !$0.hasSuffix(".leases") }.isEmpty }
    }
  }

  @discardableResult
  func coordinate(_ arguments: [String] = [], environment: [String: String] = [:]) throws -> Running {
    let hub = try SpoolCommand.start(["coordinate"] + arguments, in: path, environment: environment)
    hubs.append(hub)
    return hub
  }

  /// Kills the worker of a bot.
  func kill(_ bot: String) {
    guard let worker = workers.removeValue(forKey: bot) else { return }
    worker.kill()
    _ = try? worker.wait(seconds: 20)
  }

  /// Whether a process has ended, though nobody has waited for it yet.
  func hasEnded(_ process: Running) -> Bool {
    let fields = Scratch.text("/proc/\(process.pid)/stat").split(separator: ")").last?.split(separator: " ")
    return fields?.first.map { $0 == "Z" || $0 == "X" } ?? true
  }

  func killHub(_ hub: Running) {
    hubs.removeAll { $0.pid == hub.pid }
    hub.kill()
    _ = try? hub.wait(seconds: 20)
  }

  func stop() {
    for process in Array(workers.values) + hubs {
      process.kill(SIGTERM)
      process.kill(SIGTERM)
    }
    for process in Array(workers.values) + hubs { _ = try? process.wait(seconds: 20) }
    workers = [:]
    hubs = []
  }

  /// The directory that a group lies in.
  func state(_ id: String) -> String? {
    GroupState.allCases.map(\.rawValue).first { state in
      Scratch.names("\(path)/groups/\(state)").contains { $0.contains(id) }
    }
  }

  func text(_ name: String) -> String? {
    guard let file = fopen("\(files)/\(name)", "r") else { return nil }
    defer { fclose(file) }
    var buffer = [UInt8](repeating: 0, count: 65536)
    let count = fread(&buffer, 1, buffer.count, file)
    return String(decoding: buffer[..<count], as: UTF8.self)
  }

  func require(_ what: String, _ condition: () throws -> Bool) throws {
    try #require(try eventually(120, condition), "waited in vain until \(what)")
  }
}
