import Foundation
import Glibc
import TestSupport
import TestThreads
import Testing

/// What users do together in a spool that they share.
@Suite(.waiting, .serialized, .enabled(if: SharedStage.isPossible, SharedStage.whyNot)) struct SharedSpoolTests {
  typealias User = SharedStage.User

  @Test func `a spool that its user keeps for himself is nobody's to join`() throws {
    let stage = try SharedStage()
    let own = "\(stage.scratch.path)/own"
    #expect(try SpoolCommand.run(["init", own], in: own).isDone && chmod(own, 0o700) == 0)
    let refused = try stage.shell(.mallory, "SPOOL_DIR=\(own) spool bots")
    #expect(refused.status == 77 && refused.error.contains("belongs to root, and is closed to others"), "\(refused)")
  }

  @Test(arguments: ["022", "077", "000"])
  func `everything gets its mode, its owner and the group, whatever the umask`(mask: String) throws {
    let stage = try SharedStage(mask: mask)
    #expect(try stage.run(.bob, ["send", "ada-bot", "x", "--from", "bob-bot"], mask: mask).isDone)
    #expect(try stage.run(.bob, ["send", "ada-bot", "y", "--from", "bob-bot", "--key", "k"], mask: mask).isDone)
    #expect(try stage.run(.ada, ["receive", "ada-bot"], mask: mask).isDone)
    #expect(try stage.run(.ada, ["subscribe", "ada-bot", "builds"], mask: mask).isDone)
    #expect(try stage.run(.bob, ["task", "add", "t"], mask: mask).isDone)
    #expect(try stage.run(.eve, ["state", "set", "light", "1"], mask: mask).isDone)
    #expect(try stage.run(.eve, ["skills"], mask: mask).status != nil)
    let found = try SpoolCommand.start(
      program: "/bin/sh", ["-c", "cd \(stage.path) && find . -printf '%M %U %G %P\n'"]
    ).wait(seconds: 20).output
    var modes: [String: String] = [:]
    for line in found.split(separator: "\n") {
      let fields = line.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false).map(String.init)
      #expect(fields[2] == "\(SharedStage.group)", "\(line)")
      #expect(fields[0].hasPrefix("l") || fields[0].hasSuffix("---") || fields[0].hasSuffix("--T"), "\(line)")
      modes[fields[3]] = "\(fields[0]) \(fields[1])"
    }
    let (ada, bob) = (User.ada.rawValue, User.bob.rawValue)
    let expected = [
      "": "drwxr-s--- 0", "spool.json": "-rw-r----- 0", "bots": "drwxrws--T 0", "tasks": "drwxr-s--- 0",
      "tasks/pending": "drwxrws--- 0", "log": "drwxrws--T 0", "quarantine": "drwxrws--T 0", "state": "drwxrws--- 0",
      "topics/builds": "drwxrws--T \(ada)", "topics/builds/ada-bot": "-rw-r----- \(ada)",
      "bots/ada-bot": "drwxr-s--- \(ada)", "bots/ada-bot/card.json": "-rw-r----- \(ada)",
      "bots/ada-bot/inbox": "drwx-ws--T \(ada)", "bots/ada-bot/tmp": "drwx-ws--T \(ada)",
      "bots/ada-bot/claimed": "drwx--S--- \(ada)", "bots/ada-bot/dead": "drwx--S--- \(ada)",
      "bots/ada-bot/done": "drwx--S--- \(ada)", "bots/ada-bot/senders": "drwx--S--- \(ada)",
      "bots/ada-bot/presence": "drwxr-s--- \(ada)", "keys/\(bob)": "drwx--S--- \(bob)",
    ]
    for (path, mode) in expected { #expect(modes[path] == mode, "\(path): \(modes[path] ?? "not there")") }
    func mode(of prefix: String, _ suffix: String) -> String? {
      modes.first { $0.key.hasPrefix(prefix) && $0.key.hasSuffix(suffix) }?.value
    }
    #expect(mode(of: "bots/ada-bot/inbox/", ".json") == "-rw-r----- \(bob)")
    #expect(mode(of: "bots/ada-bot/claimed/", ".json") == "-rw------- \(ada)")
    #expect(mode(of: "tasks/pending/", ".json") == "-rw-rw---- \(bob)")
    #expect(mode(of: "state/light", ".json") == "-rw-rw---- \(User.eve.rawValue)")
    #expect(mode(of: "log/", "~\(bob)") == "drwxr-s--- \(bob)")
    #expect(mode(of: "log/", "~\(bob)/commit") == "-rw------- \(bob)")
    #expect(
      modes.contains { $0.key.hasPrefix("log/") && $0.key.hasSuffix(".jsonl") && $0.value == "-rw-r----- \(bob)" })
  }

  @Test func `who sent a message is told by whose file it is, and not by what it says`() throws {
    let stage = try SharedStage()
    #expect(try stage.run(.bob, ["send", "ada-bot", "true", "--from", "bob-bot"]).isDone)
    #expect(try stage.run(.eve, ["send", "ada-bot", "false", "--from", "bob-bot"]).isDone)
    let shown = try stage.objects(.ada, ["inbox", "ada-bot"])
    #expect(shown.map(\.isVerified) == [true, false])
    #expect(shown.map(\.user) == ["\(User.bob.rawValue)", "\(User.eve.rawValue)"])
    #expect(try stage.run(.ada, ["inbox", "ada-bot"]).output.contains("bob-bot (?\(User.eve.rawValue))"))
    let honest = try stage.receive(.ada)
    #expect(honest.content == "true" && honest.isVerified == true && honest.user == "\(User.bob.rawValue)")
    let forged = try stage.receive(.ada)
    #expect(forged.content == "false" && forged.isVerified == false && forged.user == "\(User.eve.rawValue)")
    #expect(forged.problem == "bob-bot belongs to \(User.bob.rawValue)")
  }

  @Test func `one user's own spool says nothing of users`() throws {
    let scratch = try Scratch(inMemory: true)
    let spool = try scratch.makeSpool(bots: ["a", "b"])
    #expect(try SpoolCommand.run(["send", "a", "x", "--from", "b"], in: spool).isDone)
    let received = try SpoolCommand.run(["receive", "a", "--json"], in: spool).output
    #expect(!received.contains("from_verified") && !received.contains("from_user"))
    #expect(!(try SpoolCommand.run(["log", "--json"], in: spool).output.contains("\"user\"")))
  }

  @Test func `a message stays its sender's after it was put back, and after its worker died`() throws {
    let stage = try SharedStage()
    #expect(try stage.run(.bob, ["send", "ada-bot", "x", "--from", "bob-bot"]).isDone)
    let first = try stage.objects(.ada, ["receive", "ada-bot"]).first ?? [:]
    #expect(first.isVerified == true)
    #expect(try stage.run(.ada, ["nack", first["claim"] as? String ?? ""]).isDone)
    #expect(try stage.objects(.ada, ["inbox", "ada-bot"]).first?.isVerified == true)
    let second = try stage.objects(.ada, ["receive", "ada-bot"]).first ?? [:]
    #expect(second["attempt"] as? Int == 2 && second.isVerified == true && second.user == "\(User.bob.rawValue)")
    #expect(try stage.run(.ada, ["extend", second["claim"] as? String ?? ""]).isDone)
    #expect(try stage.run(.ada, ["ack", second["claim"] as? String ?? ""]).isDone)
    #expect(stage.names("senders", of: .ada).isEmpty && stage.names("claimed", of: .ada).isEmpty)
  }

  @Test func `a broadcast, a topic, a reply and a request reach bots of all users, verified`() throws {
    let stage = try SharedStage()
    for user in [User.ada, .eve] { #expect(try stage.run(user, ["subscribe", "\(user)-bot", "builds"]).isDone) }
    #expect(try stage.run(.bob, ["send", "team", "all", "--from", "bob-bot"]).isDone)
    #expect(try stage.run(.bob, ["publish", "builds", "some", "--from", "bob-bot"]).isDone)
    for user in [User.ada, .eve] {
      for content in ["all", "some"] {
        let message = try stage.receive(user)
        #expect(message.content == content && message.isVerified == true, "\(user): \(message)")
      }
      #expect(try stage.run(user, ["receive", "\(user)-bot"]).status == 1)
    }
    let id = try stage.run(.bob, ["send", "ada-bot", "how?", "--from", "bob-bot"]).line
    #expect(try stage.receive(.ada).content == "how?")
    #expect(try stage.run(.ada, ["reply", id, "so", "--from", "ada-bot"]).isDone)
    let reply = try stage.receive(.bob)
    #expect(reply.content == "so" && reply.isVerified == true)
  }

  @Test func `a bot's program is told who sent what it gets`() throws {
    let stage = try SharedStage()
    let script = "\(stage.scratch.path)/answer.sh"
    try Scratch.write("#!/bin/sh\ncat >&2\necho \"$SPOOL_FROM_VERIFIED $SPOOL_FROM_USER\"\n", to: script)
    chmod(script, 0o755)
    let worker = try stage.start(.ada, ["work", "ada-bot", "--", script])
    let honest = try stage.run(.bob, ["request", "ada-bot", "x", "--from", "bob-bot", "--wait", "20s"])
    #expect(honest.line == "true \(User.bob.rawValue)", "\(honest)")
    // Answers go to whom the request says that it is from.
    #expect(try stage.run(.eve, ["send", "ada-bot", "y", "--from", "bob-bot"]).isDone)
    let answer = try stage.receive(.bob, wait: "20s")
    #expect(answer.content == "false \(User.eve.rawValue)" && answer.isVerified == true, "\(answer)")
    worker.kill(SIGTERM)
    _ = try worker.wait(seconds: 20)
    let stream = "\(stage.scratch.path)/stream.sh"
    try Scratch.write(
      "#!/bin/sh\nwhile read -r line; do echo \"$line\" | jq -c '{content: \"\\(.from_verified) \\(.from_user)\"}'; done\n",
      to: stream)
    chmod(stream, 0o755)
    let streaming = try stage.start(.ada, ["work", "ada-bot", "--stream", "--", stream])
    let told = try stage.run(
      .bob, ["request", "ada-bot", "z", "--from", "bob-bot", "--wait", "20s", "--data", #"{"a":1}"#])
    #expect(told.line == "true \(User.bob.rawValue)", "\(told)")
    streaming.kill(SIGTERM)
    _ = try streaming.wait(seconds: 20)
  }

  @Test func `the log of all is read by all, with the user who wrote it`() throws {
    let stage = try SharedStage()
    let id = try stage.run(.bob, ["send", "ada-bot", "a rare word", "--from", "bob-bot"]).line
    #expect(try stage.receive(.ada).content == "a rare word")
    for user in [User.ada, .bob, .eve] {
      #expect(try stage.run(user, ["search", "rare"]).output.contains("a rare word"))
      let events = try stage.objects(user, ["trace", id])
      #expect(events.map { $0["type"] as? String } == ["message.sent", "message.claimed", "message.acked"])
      #expect(
        events.map { $0["user"] as? String }
          == ["\(User.bob.rawValue)", "\(User.ada.rawValue)", "\(User.ada.rawValue)"])
      #expect(try stage.run(user, ["thread", id]).isDone)
    }
  }

  @Test func `a hand's drop from another user is taken, and one that can't be read is told of`() throws {
    let stage = try SharedStage()
    let drop = #"echo '{"content":"dropped","from":"bob-bot"}' > bots/ada-bot/inbox/x.json"#
    #expect(try stage.shell(.bob, drop).isDone)
    let message = try stage.receive(.ada)
    #expect(message.content == "dropped" && message.user == "\(User.bob.rawValue)")
    #expect(message.isVerified == false && message.problem == "it isn't addressed to ada-bot")
    let addressed =
      #"echo '{"content":"to you","from":"bob-bot","to":"ada-bot","id":"20261121T112647.241178Z-5d6f3922d68f3d50"}'"#
      + " > bots/ada-bot/inbox/x.json"
    #expect(try stage.shell(.bob, addressed).isDone)
    #expect(try stage.receive(.ada).isVerified == true)
    #expect(try stage.shell(.bob, drop, mask: "077").isDone)
    #expect(try stage.run(.bob, ["send", "ada-bot", "neighbour", "--from", "bob-bot"]).isDone)
    let next = try stage.run(.ada, ["receive", "ada-bot", "--ack"])
    #expect(next.line == "neighbour" && next.error.contains("cannot be read: permission denied"), "\(next)")
    #expect(Scratch.names("\(stage.path)/quarantine").contains { $0.hasSuffix("x.json") })
  }

  /// As though the machine had been started again: the boot's id is in the pages of all users.
  private func reboot(_ stage: SharedStage) throws {
    for part in Scratch.names("\(stage.path)/log") {
      let raw = open("\(stage.path)/log/\(part)/commit", O_WRONLY)
      if raw == -1 { continue }
      #expect(pwrite(raw, String(repeating: "0", count: 32), 32, 16) == 32)
      close(raw)
    }
  }

  @Test func `who closes his part of the log to the others keeps nobody from opening the spool after a reboot`() throws
  {
    let stage = try SharedStage()
    #expect(try stage.run(.eve, ["send", "ada-bot", "x", "--from", "eve-bot"]).isDone)
    #expect(try stage.shell(.eve, "chmod 2700 log/*~\(User.eve.rawValue)").isDone)
    try reboot(stage)
    let sent = try stage.run(.bob, ["send", "ada-bot", "y", "--from", "bob-bot"])
    #expect(sent.isDone, "\(sent)")
    #expect(try stage.run(.bob, ["doctor", "--repair"]).isDone)
    #expect(try stage.receive(.ada).content == "x" && stage.receive(.ada).content == "y")
  }

  @Test func `nor from sending again under a key, from the choice of a bot, or from the records`() throws {
    let stage = try SharedStage()
    #expect(try stage.run(.eve, ["send", "ada-bot", "x", "--from", "eve-bot"]).isDone)
    let send = ["send", "bob-bot", "once", "--from", "ada-bot", "--key", "k", "--durable"]
    #expect(try stage.run(.ada, send).isDone)
    #expect(try stage.run(.ada, ["reputation"]).isDone)
    #expect(try stage.shell(.eve, "chmod 600 log/*~\(User.eve.rawValue)/*.jsonl").isDone)
    for arguments in [send, ["reputation"], ["stats"]] {
      let outcome = try stage.run(.ada, arguments)
      #expect(outcome.isDone, "\(arguments): \(outcome)")
    }
  }

  @Test func `a shared value that its maker closed to the others is set aside by who sets it, and by recovery`() throws
  {
    let stage = try SharedStage()
    #expect(try stage.shell(.eve, "spool state set light 1 && chmod 600 state/light.json").isDone)
    let closed = try stage.run(.bob, ["state", "get", "light"])
    #expect(closed.status == 65 && closed.error.contains("permission denied"), "\(closed)")
    let set = try stage.run(.bob, ["state", "set", "light", "2"])
    #expect(set.isDone, "\(set)")
    #expect(try stage.shell(.bob, "chmod 600 state/light.json").isDone)
    try reboot(stage)
    #expect(try stage.run(.ada, ["state", "get", "light"]).line == "2")
    #expect(try stage.run(.eve, ["state", "get", "light"]).line == "2")
    #expect(Scratch.names("\(stage.path)/quarantine").filter { $0.hasSuffix("-state-light.json") }.count == 2)
  }

  @Test(arguments: ["--sender-max", "--inbox-max"])
  func `a sender who can't look into an inbox is refused by his own messages that wait there`(limit: String) throws {
    let stage = try SharedStage()
    #expect(try stage.run(.ada, ["register", "ada-bot", limit, "3"]).isDone)
    func send(_ user: User) throws -> SpoolCommand.Outcome {
      try stage.run(user, ["send", "ada-bot", "x", "--from", "\(user)-bot"])
    }
    for _ in 0..<3 { #expect(try send(.bob).isDone) }
    let refused = try send(.bob)
    #expect(refused.status == 75 && refused.error.contains("3 messages"), "\(refused)")
    #expect(try send(.eve).isDone, "others aren't in his way")
    #expect(stage.names("inbox", of: .ada).count == 4)
    while try stage.receive(.ada).content != nil {}
    // A refusal stands until the next count, which is soon where a count is short.
    var sent = try send(.bob)
    for _ in 0..<200 where !sent.isDone {
      usleep(20000)
      sent = try send(.bob)
    }
    #expect(sent.isDone, "\(sent)")
  }
}
