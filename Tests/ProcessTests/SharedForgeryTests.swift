import Foundation
import Glibc
import TestSupport
import TestThreads
import Testing

/// What one user of a shared spool may try by bringing files to places where others trust them; done for real by another
/// user, as in SharedAttackTests.
@Suite(.waiting, .serialized, .enabled(if: SharedStage.isPossible, SharedStage.whyNot)) struct SharedForgeryTests {
  typealias User = SharedStage.User

  private func expectRefused(_ stage: SharedStage, _ user: User, _ line: String) throws {
    let outcome = try stage.shell(user, line)
    #expect(!outcome.isDone, "\(user) could: \(line)")
  }

  @Test func `who could write a file that says what is forgotten of the log is not believed`() throws {
    let stage = try SharedStage()
    // Root's, as who made the spool, and to be written by everybody.
    #expect(try SpoolCommand.run(["state", "set", "x", "1"], in: stage.path).isDone)
    #expect(try stage.run(.bob, ["send", "ada-bot", "kept", "--from", "bob-bot"]).isDone)
    let forged = """
      { echo nanospool-gc 1; echo until 20991231T000000.000000Z
        for part in log/*~*; do echo read ${part#log/} 20991231T000000.000000Z 9; done; } > state/x.json
      mv state/x.json log/.gc
      """
    #expect(try stage.shell(.eve, forged).isDone)
    for name in stage.names("inbox", of: .ada) { unlink("\(stage.path)/bots/ada-bot/inbox/\(name)") }
    let isRestored = try eventually(30) {
      _ = try stage.run(.ada, ["doctor", "--repair"])
      return stage.names("inbox", of: .ada).count == 1
    }
    #expect(isRestored)
    // Nor is one that nobody can read the end of anything.
    #expect(try stage.shell(.eve, "mkfifo -m 666 tmp/fifo").isDone)
    #expect(try SpoolCommand.start(program: "/bin/rm", ["\(stage.path)/log/.gc"]).wait(seconds: 20).isDone)
    #expect(try stage.shell(.eve, "mv tmp/fifo log/.gc").isDone)
    #expect(try stage.run(.ada, ["doctor"]).status != nil)
  }

  @Test func `a part of the log that others could write is nobody's, whosever its directory and its files are`() throws
  {
    let stage = try SharedStage()
    #expect(try stage.run(.ada, ["state", "set", "x", "1"]).isDone)
    let id = try stage.run(.bob, ["send", "ada-bot", "kept", "--from", "bob-bot"]).line
    // Both are ada's, and everybody's to write and to move.
    let forged = """
      python3 - <<'END'
      import zlib, json
      with open("state/x.json", "w") as out:
          for kind in ["message.claimed", "message.acked"]:
              body = json.dumps({"specversion":"1.0","id":"1","source":"/vm/1.1","type":kind,"subject":"\(id)",
                "time":"2099-01-01T00:00:00.000000Z","data":{"bot":"ada-bot","attempt":1,"holder":"vm.1.1"}},
                separators=(",",":"))[:-1]
              out.write(body + ',"crc32":"%08x"}\\n' % zlib.crc32(body.encode()))
      END
      mv state/versions/x log/zz~\(User.ada.rawValue)
      mv state/x.json log/zz~\(User.ada.rawValue)/20201121T000000.000000Z.jsonl
      """
    let done = try stage.shell(.eve, forged)
    #expect(done.isDone, "\(done)")
    for name in stage.names("inbox", of: .ada) { unlink("\(stage.path)/bots/ada-bot/inbox/\(name)") }
    let isRestored = try eventually(30) {
      _ = try stage.run(.ada, ["doctor", "--repair"])
      return stage.names("inbox", of: .ada).count == 1
    }
    #expect(isRestored)
  }

  @Test func `nobody else keeps root from collecting, or from collecting all`() throws {
    let stage = try SharedStage()
    let eve = try SpoolCommand.start(
      program: "/usr/bin/setpriv",
      ["--reuid", "\(User.eve.rawValue)", "--regid", "\(User.eve.rawValue)", "--groups", "\(SharedStage.group)"]
        + ["/bin/sh", "-c", "cd \(stage.path); exec 9>log/.gc-lock; flock -n 9 && touch tmp/locked; exec sleep 60"])
    defer { eve.kill(SIGKILL) }
    #expect(eventually { Scratch.names("\(stage.path)/tmp").contains("locked") })
    #expect(try stage.shell(.eve, "head -c 5000 /dev/zero > keys/long").isDone)
    let collected = try SpoolCommand.run(["gc", "--older-than", "1d"], in: stage.path)
    #expect(collected.isDone, "\(collected)")
    try expectRefused(stage, .eve, "flock -n log/.gc-lock true")
    // What root says of ada's bot counts for nothing, so that it must not be root who discards.
    #expect(try stage.run(.bob, ["send", "ada-bot", "dead", "--from", "bob-bot"]).isDone)
    let claim = try stage.objects(.ada, ["receive", "ada-bot"]).first?["claim"] as? String ?? ""
    #expect(try stage.run(.ada, ["nack", claim, "--dead"]).isDone)
    #expect(try SpoolCommand.run(["gc", "--dead", "0s"], in: stage.path).output.contains("0 dead letters"))
    #expect(try stage.run(.bob, ["gc", "--dead", "0s"]).output.contains("0 dead letters"))
    #expect(try stage.run(.ada, ["gc", "--dead", "0s"]).output.contains("1 dead letter"))
    _ = try stage.run(.ada, ["doctor", "--repair"])
    #expect(stage.names("dead", of: .ada).isEmpty)
  }

  @Test func `nobody else keeps a user from removing a bot of his own, and from making it again`() throws {
    for held in ["bots/ada-bot", "log/.bots-lock.\(User.ada.rawValue)"] {
      let stage = try SharedStage(bots: held.hasPrefix("bots") ? [.ada] : [])
      // Where there is nothing yet, eve's file comes first.
      let script = "[ -e \(held) ] || touch \(held); exec 9<\(held); flock -n 9 && touch tmp/locked; exec sleep 60"
      let eve = try SpoolCommand.start(
        program: "/usr/bin/setpriv",
        ["--reuid", "\(User.eve.rawValue)", "--regid", "\(User.eve.rawValue)", "--groups", "\(SharedStage.group)"]
          + ["/bin/sh", "-c", "cd \(stage.path); " + script])
      defer { eve.kill(SIGKILL) }
      #expect(eventually { Scratch.names("\(stage.path)/tmp").contains("locked") }, "\(held)")
      for arguments in [["register", "ada-bot"], ["unregister", "ada-bot"], ["register", "ada-bot"]] {
        let outcome = try stage.run(.ada, arguments)
        #expect(outcome.isDone, "\(held), \(arguments): \(outcome)")
      }
    }
  }

  @Test func `a subscription that another made or brought doesn't make a message one for the bot`() throws {
    let stage = try SharedStage()
    #expect(try stage.run(.eve, ["subscribe", "eve-bot", "t"]).isDone)
    #expect(try stage.run(.ada, ["state", "set", "x", "1"]).isDone)
    for brought in ["touch topics/t/ada-bot", "rm topics/t/ada-bot; mv state/x.json topics/t/ada-bot"] {
      #expect(try stage.shell(.eve, brought).isDone)
      #expect(try stage.run(.bob, ["publish", "t", "pay", "--from", "bob-bot"]).isDone)
      #expect(stage.names("inbox", of: .ada).isEmpty, "\(brought)")
      #expect(try stage.shell(.eve, "mv bots/eve-bot/inbox/*.json bots/ada-bot/inbox/").isDone)
      let message = try stage.receive(.ada)
      #expect(message.problem == "it isn't addressed to ada-bot", "\(brought): \(message)")
    }
  }

  @Test func `who takes the place of a page that others count by frees nobody from a limit, and gets nobody's file`()
    throws
  {
    let stage = try SharedStage()
    #expect(try stage.run(.ada, ["register", "ada-bot", "--sender-max", "3"]).isDone)
    let page = "bots/ada-bot/tmp/.credit.$(ls log | head -n 1 | sed 's/~.*//').\(User.bob.rawValue)"
    #expect(try stage.run(.bob, ["state", "set", "x", "1"]).isDone)
    // A file of bob's that eve may write, and may have open; later one of her own.
    for place in ["mv state/x.json \(page)", "touch \(page)"] {
      #expect(try stage.shell(.eve, place).isDone)
      for number in 1...3 {
        #expect(try stage.run(.bob, ["send", "ada-bot", "\(number)", "--from", "bob-bot"]).isDone)
      }
      let more = try stage.run(.bob, ["send", "ada-bot", "4", "--from", "bob-bot"])
      #expect(more.status == 75, "\(place): \(more)")
      let left = try SpoolCommand.start(
        program: "/bin/sh", ["-c", "cd \(stage.path); stat -c '%a %s' \(page); rm -f \(page)"]
      )
      .wait(seconds: 20)
      #expect(!left.output.contains("4096") && !left.output.hasPrefix("600"), "\(place): \(left)")
      for number in 1...3 { #expect(try stage.receive(.ada).content == "\(number)") }
    }
  }
}
