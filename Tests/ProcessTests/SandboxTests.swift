import Glibc
import SpoolFormat
import TestSupport
import TestThreads
import Testing

/// A process in a PID namespace of its own, which goes by its host's name.
private enum Sandbox {
  static let unshare = ["unshare", "--pid", "--fork", "--kill-child"]
  static let isPossible: Bool = {
    let outcome = try? SpoolCommand.start(program: "/usr/bin/env", unshare + ["--mount-proc", "true"]).wait(seconds: 20)
    return outcome?.isDone == true
  }()
}

/// Bots in sandboxes that go by their host's name, and number their processes anew, beside bots outside of them.
@Suite(.waiting, .enabled(if: Sandbox.isPossible, "needs unshare(1), and the right to use it")) struct SandboxTests {
  private let scratch: Scratch
  private let spool: String

  init() throws {
    scratch = try Scratch(inMemory: true)
    spool = try scratch.makeSpool(bots: ["coder"])
  }

  private func sandboxed(_ arguments: [String]) throws -> Running {
    try SpoolCommand.start(
      program: "/usr/bin/env", Sandbox.unshare + ["--mount-proc", try SpoolCommand.path.get()] + arguments, in: spool)
  }

  /// What a shell there prints, where `/proc` shows the processes outside. `$SPOOL` is the command.
  private func sandboxedShell(_ script: String) throws -> SpoolCommand.Outcome {
    try SpoolCommand.start(
      program: "/usr/bin/env", Sandbox.unshare + ["sh", "-c", script], in: spool,
      environment: ["SPOOL": try SpoolCommand.path.get()]
    ).wait(seconds: SpoolCommand.secondsMax)
  }

  private func claims() -> [String] { Scratch.names("\(spool)/bots/coder/claimed") }

  @Test(arguments: [true, false])
  func `nobody takes from a worker what it has in hand, though its number is nobody's on the other side`(isInside: Bool)
    throws
  {
    let work = [
      "work", "coder", "--", "sh", "-c", "until [ -e \"$SPOOL_DIR/tmp/go\" ]; do sleep 0.05; done; echo done",
    ]
    let worker = isInside ? try sandboxed(work) : try SpoolCommand.start(work, in: spool)
    let id = try SpoolCommand.run(["send", "coder", "hi"], in: spool).line
    #expect(eventually { claims().count == 1 })
    let claim = try #require(claims().first)

    for arguments in [["receive", "coder"], ["receive", "coder", "--wait", "2500ms"]] {
      for outcome in [
        try SpoolCommand.run(arguments, in: spool), try sandboxed(arguments).wait(seconds: SpoolCommand.secondsMax),
      ] {
        #expect(outcome.status == 1, "\(outcome)")
      }
    }
    for outcome in [
      try SpoolCommand.run(["doctor", "--repair"], in: spool),
      try sandboxed(["doctor", "--repair"]).wait(seconds: SpoolCommand.secondsMax),
    ] {
      #expect(outcome.isDone, "\(outcome)")
    }
    #expect(claims() == [claim])

    try Plain.write("\(spool)/tmp/go", "")
    #expect(eventually { SpoolReader(spool).ackedAttempt(id, by: "coder") == 1 })
    worker.kill(isInside ? SIGKILL : SIGTERM)
    _ = try worker.wait(seconds: 20)
  }

  @Test func `in a sandbox that sees the processes outside under their numbers, nobody is taken for dead`() throws {
    _ = try SpoolCommand.run(["send", "coder", "hi"], in: spool)
    let outcome = try sandboxedShell(
      """
      "$SPOOL" work coder -- sh -c 'until [ -e "$SPOOL_DIR/tmp/go" ]; do sleep 0.05; done' &
      until ls "$SPOOL_DIR/bots/coder/claimed" | grep -q json; do sleep 0.05; done
      "$SPOOL" receive coder; echo $?
      touch "$SPOOL_DIR/tmp/go"
      until ! ls "$SPOOL_DIR/bots/coder/claimed" | grep -q json; do sleep 0.05; done
      """)
    #expect(outcome.line == "1", "\(outcome)")
  }

  @Test func `a task's program there tells its progress to its own worker`() throws {
    let id = try SpoolCommand.run(["task", "add", "x", "--to", "coder"], in: spool).line
    let outcome = try sandboxedShell(
      #""$SPOOL" work coder --tasks --until-empty -- sh -c 'echo 40 half >"$SPOOL_PROGRESS"; echo done'"#)
    #expect(outcome.isDone, "\(outcome)")
    let trace = try SpoolCommand.run(["trace", id], in: spool)
    #expect(trace.output.contains("progressed") && trace.output.contains("completed"), "\(trace)")
  }

  @Test func `what a killed sandbox had in hand comes back at once where it can be seen, else after its lease`() throws
  {
    try Plain.write("\(spool)/bots/coder/card.json", #"{"name":"coder","lease_seconds":2}"#)
    let worker = try sandboxed(["work", "coder", "--", "sleep", "600"])
    let id = try SpoolCommand.run(["send", "coder", "hi"], in: spool).line
    #expect(eventually { claims().count == 1 })
    worker.kill()
    _ = try worker.wait(seconds: 20)
    let outcome = try SpoolCommand.run(["receive", "coder", "--wait", "20s", "--json", "--ack"], in: spool)
    #expect(outcome.output.contains(id) && outcome.output.contains(#""attempt":2"#), "\(outcome)")
  }

  @Test func `commands of many sandboxes with the same numbers send and receive side by side`() throws {
    let senders = try (0..<8).map { number in
      try sandboxed(["send", "coder", "\(number)", "--durable"])
    }
    for sender in senders { #expect(try sender.wait(seconds: 30).isDone) }
    let receivers = try (0..<8).map { _ in try sandboxed(["receive", "coder", "--wait", "5s", "--ack", "--json"]) }
    let outcomes = try receivers.map { try $0.wait(seconds: 30) }
    #expect(outcomes.allSatisfy { $0.isDone }, "\(outcomes)")
    #expect(
      Set(outcomes.compactMap { try? JSONValue(parsing: Array($0.line.utf8))["message"]?["content"]?.string }).count
        == 8)
    // One part of the log for all: none for each sandbox.
    #expect(Scratch.names("\(spool)/log").count == 1)
  }
}
