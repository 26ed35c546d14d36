#if DEBUG
  import Foundation
  import Glibc
  import Spool
  import SpoolFormat
  import Synchronization
  import TestSupport
  import TestThreads
  import Testing

  /// A command that is stopped before each of its system calls in turn, for longer than a lease, while others go on, and
  /// then continues: it must notice what was done without it.
  @Suite(.waiting) struct StoppedTests {
    /// What the command is, and what the message that it is about says.
    struct Command: Sendable, CustomTestStringConvertible {
      let testDescription: String
      let arguments: [String]
      /// Whether a message is there and claimed before, and the claim is the second argument.
      var isAboutClaim = false
      /// Whether a sender died after its line was in the log, and left its file.
      var isAboutLeftover = false
      var recipients = ["a"]
      var callsMin = 15

      static let all = [
        Command(testDescription: "send to one", arguments: ["send", "a", "payload", "--from", "z"]),
        Command(
          testDescription: "send to all", arguments: ["send", "a,b", "payload", "--from", "z"], recipients: ["a", "b"]),
        Command(
          testDescription: "send with a key", arguments: ["send", "a", "payload", "--from", "z", "--key", "k"]),
        Command(
          testDescription: "settling what a dead sender left", arguments: ["doctor", "--repair"], isAboutLeftover: true,
          recipients: ["a", "b"]),
        Command(testDescription: "ack", arguments: ["ack"], isAboutClaim: true),
        Command(testDescription: "extend", arguments: ["extend"], isAboutClaim: true, callsMin: 10),
        Command(testDescription: "nack", arguments: ["nack"], isAboutClaim: true),
        Command(testDescription: "nack --dead", arguments: ["nack", "--dead"], isAboutClaim: true),
      ]
    }

    @Test(arguments: Command.all)
    func `a command stopped at any system call changes nothing that was done without it`(command: Command) throws {
      let range = try Self.calls(of: command)
      let calls = range.count
      #expect(calls >= command.callsMin, "\(command.testDescription) makes only \(calls) calls")
      let results = Mutex(Results())
      // Most of the time is spent waiting for leases to run out.
      let next = Atomic<Int>(range.lowerBound)
      let group = DispatchGroup()
      for _ in 0..<8 {
        group.enter()
        Thread.detachNewThread {
          while true {
            let number = next.add(1, ordering: .relaxed).oldValue
            guard number <= range.upperBound else { break }
            let place = "\(command.testDescription) stopped at call \(number) of \(range)"
            do { try Self.run(command, at: number, place, results) } catch {
              results.withLock { $0.found.append("\(place): \(error)") }
            }
          }
          group.leave()
        }
      }
      group.wait()
      let (found, stopped, late) = results.withLock { ($0.found, $0.stopped, $0.late) }
      #expect(found.isEmpty, "\(found.joined(separator: "\n"))")
      #expect(stopped > calls * 3 / 4, "stopped at only \(stopped) of \(calls) calls")
      if command.isAboutClaim { #expect(late > 0) }
      print("\(command.testDescription): stopped at \(stopped) of \(calls) system calls, too late \(late) times")
    }

    @Test func `a late ack whose message somebody took by hand is taken back in the log`() throws {
      let stage = try Stage(bots: ["a"])
      let id = try stage.send("payload", to: "a")
      let claim = try stage.claim("a")
      stage.arguments = ["ack", claim]
      let traced = try Stage(bots: ["a"])
      try traced.send("payload", to: "a")
      traced.arguments = ["ack", try traced.claim("a")]
      #expect(try traced.run(["SPOOL_FAULT_TRACE": "\(traced.scratch.path)/trace"]).isDone)
      let calls = try String(contentsOfFile: "\(traced.scratch.path)/trace", encoding: .utf8).split(separator: "\n")
      let unlink = try #require(calls.lastIndex(of: "unlinkat")) + 1
      let ack = try SpoolCommand.start(
        stage.arguments, in: stage.path, environment: ["SPOOL_FAULT": "stop-before:\(unlink)"])
      let isLogged = eventually { stage.reader.events.contains { $0.type == "message.acked" } }
      #expect(isLogged)
      let box = "\(stage.path)/bots/a"
      let held = try #require(claim.split(separator: "/").last)
      #expect(rename("\(box)/claimed/\(held)", "\(box)/inbox/5-\(id)~1.json") == 0)
      ack.kill(SIGCONT)
      #expect(try ack.wait(seconds: SpoolCommand.secondsMax).status == 3)
      #expect(stage.reader.events.contains { $0.type == "message.ack_refused" && $0.subject == id })
      #expect(stage.reader.violations(settled: true).isEmpty)
    }

    @Test func `who was stopped with a new claim for longer than its lease hands nothing out`() throws {
      let scratch = try Scratch(inMemory: true)
      let path = try scratch.makeSpool(bots: ["a"], settings: ["lease_seconds": 0.1])
      let (send, receive) = (["send", "a", "payload", "--from", "z"], ["receive", "a", "--ack"])
      var claims: [Int] = []
      for _ in 0..<2 {
        _ = try SpoolCommand.run(send, in: path)
        let trace = "\(scratch.path)/trace"
        #expect(try SpoolCommand.run(receive, in: path, environment: ["SPOOL_FAULT_TRACE": trace]).isDone)
        let calls = try String(contentsOfFile: trace, encoding: .utf8).split(separator: "\n")
        claims.append(try #require(calls.firstIndex(of: "renameat")) + 1)
        #expect(unlink(trace) == 0)
      }
      _ = try SpoolCommand.run(send, in: path)
      let late = try SpoolCommand.start(
        receive, in: path, environment: ["SPOOL_FAULT": "stop-before:\(claims[1] + 1)"])
      #expect(eventually { Scratch.names("\(path)/bots/a/claimed").count == 1 })
      let other = try SpoolCommand.run(receive + ["--wait", "1m"], in: path)
      #expect(other.isDone && other.output == "payload\n", "\(other)")
      late.kill(SIGCONT)
      let outcome = try late.wait(seconds: SpoolCommand.secondsMax)
      #expect(outcome.status == 1 && outcome.output == "", "\(outcome)")
    }

    @Test func `who settles what a dead sender left has it under a name of its own, which is the right to deliver it`()
      throws
    {
      let command = try #require(Command.all.first { $0.isAboutLeftover })
      let traced = try Stopped(command, at: nil)
      #expect(try traced.end().isDone)
      let calls = try String(contentsOfFile: traced.trace, encoding: .utf8).split(separator: "\n")
      let link = try #require(calls.lastIndex(of: "linkat"))
      let stage = try Stopped(command, at: link + 1)
      #expect(stage.waitUntilStopped())
      #expect(stage.holdsLeftover, "\(stage.leftovers)")
      #expect(try stage.end().isDone)
      #expect(stage.leftovers == [])
    }

    @Test func `who waits for a process that was stopped with the lock in hand is told which`() throws {
      let send = try #require(Command.all.first)
      let traced = try Stopped(send, at: nil)
      #expect(try traced.end().isDone)
      let calls = try String(contentsOfFile: traced.trace, encoding: .utf8).split(separator: "\n")
      // Its line is the last that it writes.
      let stage = try Stopped(send, at: #require(calls.lastIndex(of: "write")) + 1)
      #expect(stage.waitUntilStopped())
      let error = #expect(throws: SpoolError.self) { try stage.sendAnother() }
      #expect(error?.code == .tryAgain)
      #expect(error?.description.contains("process \(stage.pid) was stopped") == true, "\(String(describing: error))")
      #expect(try stage.end().isDone)
      try stage.sendAnother()
    }

    private struct Results {
      var found: [String] = []
      var (stopped, late) = (0, 0)
    }

    private static func run(
      _ command: Command, at number: Int, _ place: String, _ results: borrowing Mutex<Results>
    ) throws {
      let stage = try Stopped(command, at: number)
      let wasStopped = stage.waitUntilStopped()
      if wasStopped { try stage.goOnWithoutIt() }
      let outcome = try stage.end()
      try stage.receiveRest()
      let found = stage.judge(outcome)
      results.withLock { results in
        if !found.isEmpty {
          results.found.append("\(place): \(found.joined(separator: "; ")); the command: \(outcome)")
        }
        if wasStopped { results.stopped += 1 }
        if outcome.status == 3 { results.late += 1 }
      }
    }

    /// Those of its system calls that matter, numbered from 1.
    private static func calls(of command: Command) throws -> ClosedRange<Int> {
      let stage = try Stopped(command, at: nil)
      #expect(try stage.end().isDone)
      let calls = try String(contentsOfFile: stage.trace, encoding: .utf8).split(separator: "\n")
      guard command.isAboutLeftover else { return 1...calls.count }
      // The doctor does much else.
      let first = try #require(calls.firstIndex(of: "renameat"))
      return try first...(#require(calls.lastIndex(of: "linkat")) + 8)
    }
  }

  /// One command, stopped at one call, and what others saw meanwhile.
  private final class Stopped {
    private let scratch = try! Scratch(inMemory: true)
    private let path: String
    private let bystander: Spool
    private let command: StoppedTests.Command
    private let running: Running
    private var claim = ""
    var trace: String { "\(scratch.path)/trace" }
    /// By bot: each time that the message was handed out, and whether it had been acked with yes before.
    private var handedOut: [String: [Bool]] = [:]
    private var acked: [String: Int] = [:]
    /// Whether somebody got it before the command went on.
    private var wasLostMeanwhile = false
    private static let lease = 0.1

    init(_ command: StoppedTests.Command, at number: Int?) throws {
      self.command = command
      path = try scratch.makeSpool(bots: ["a", "b"], settings: ["lease_seconds": Self.lease])
      bystander = try Spool(at: path)
      var arguments = command.arguments
      if command.isAboutClaim {
        var message = Message(content: "payload")
        message.to = ["a"]
        try bystander.send(message, durability: .relaxed)
        let inbox = try Inbox(bystander, BotName(parsing: "a"), detached: true)
        arguments.insert(try #require(try inbox.claim()).token, at: 1)
      }
      if command.isAboutLeftover {
        let send = ["send", "a,b", "payload", "--from", "z", "--durable"]
        _ = try SpoolCommand.run(["send", "b", "the first, which makes the log", "--from", "z"], in: path)
        _ = try SpoolCommand.run(["receive", "b", "--ack"], in: path)
        let calls = try SpoolCommand.run(send, in: path, environment: ["SPOOL_FAULT_TRACE": "\(scratch.path)/send"])
        for bot in ["a", "b"] { _ = try SpoolCommand.run(["receive", bot, "--ack"], in: path) }
        let trace = try String(contentsOfFile: "\(scratch.path)/send", encoding: .utf8).split(separator: "\n")
        let synced = try #require(trace.lastIndex(of: "fdatasync")) + 1
        let died = try SpoolCommand.run(send, in: path, environment: ["SPOOL_FAULT": "kill-after:\(synced)"])
        #expect(calls.isDone && died.isKilled, "\(calls) \(died)")
      }
      let fault = number.map { ["SPOOL_FAULT": "stop-before:\($0)"] } ?? ["SPOOL_FAULT_TRACE": "\(scratch.path)/trace"]
      running = try SpoolCommand.start(arguments, in: path, environment: fault)
    }

    func waitUntilStopped() -> Bool { running.waitUntilStopped() }

    var pid: Int { Int(running.pid) }

    func sendAnother() throws {
      var message = Message(content: "another")
      message.to = ["b"]
      try bystander.send(message, durability: .relaxed)
    }

    var leftovers: [String] { Scratch.names("\(path)/bots/a/tmp").filter { $0.hasSuffix(".json") } }
    /// Whether the file that the dead sender left bears this command's name.
    var holdsLeftover: Bool { leftovers.contains { $0.contains(".\(running.pid).") } }

    /// Others receive and ack, for two leases at least.
    func goOnWithoutIt() throws {
      for bot in command.recipients {
        // It may have been stopped with the log's lock in hand: then they are told to try again later.
        do { try receive(bot, for: 3 * Self.lease) } catch let error as SpoolError where error.cause?.code == ETIMEDOUT
        {
        } catch let error as SpoolError where error.code == .tryAgain {}
      }
    }

    func receiveRest() throws {
      for bot in command.recipients { try receive(bot, for: 3 * Self.lease) }
    }

    private func receive(_ bot: String, for seconds: Double) throws {
      let inbox = try Inbox(bystander, BotName(parsing: bot), detached: true)
      while let claim = try inbox.receive(waiting: seconds) {
        handedOut[bot, default: []].append(acked[bot] != nil)
        try bystander.ack(claim.bot, claim.name)
        acked[bot, default: 0] += 1
      }
    }

    func end() throws -> SpoolCommand.Outcome {
      wasLostMeanwhile = !handedOut.isEmpty
      running.kill(SIGCONT)
      return try running.wait(seconds: SpoolCommand.secondsMax)
    }

    func judge(_ outcome: SpoolCommand.Outcome) -> [String] {
      var found = SpoolReader(path).violations(settled: true)
      for bot in command.recipients {
        let times = handedOut[bot] ?? []
        if command.isAboutLeftover, times.isEmpty { found.append("\(bot) never got it") }
        if times.contains(true) { found.append("\(bot) got it after its ack") }
        if command.isAboutClaim {
          found += judgeClaim(outcome, wasHandedOut: !times.isEmpty)
        } else if outcome.isDone, times.isEmpty {
          found.append("it said yes, and \(bot) never got it")
        }
      }
      return found
    }

    private func judgeClaim(_ outcome: SpoolCommand.Outcome, wasHandedOut: Bool) -> [String] {
      guard outcome.isDone || outcome.status == 3 else { return ["it ended otherwise"] }
      switch command.testDescription {
      case "nack": return wasHandedOut ? [] : ["nobody got it"]
      case "extend": return outcome.isDone && wasLostMeanwhile ? ["it renewed what was another's"] : []
      default:
        return outcome.isDone == wasHandedOut ? ["done is \(outcome.isDone), and handed out \(wasHandedOut)"] : []
      }
    }
  }
#endif
