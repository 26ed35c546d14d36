import Foundation
import Glibc
import TestSupport
import TestThreads
import Testing

/// What one user of a shared spool may try against another, done for real by another user.
@Suite(.waiting, .serialized, .enabled(if: SharedStage.isPossible, SharedStage.whyNot)) struct SharedAttackTests {
  typealias User = SharedStage.User

  /// Eve's scripts are run where the spool is; each line must fail.
  private func expectRefused(_ stage: SharedStage, _ user: User = .eve, _ script: String) throws {
    for line in script.split(separator: "\n") where !line.allSatisfy(\.isWhitespace) {
      let outcome = try stage.shell(user, String(line))
      #expect(!outcome.isDone, "\(user) could: \(line)")
    }
  }

  @Test func `an inbox can't be listed, and what is in it can't be changed, moved or removed by others`() throws {
    let stage = try SharedStage()
    #expect(try stage.run(.bob, ["send", "ada-bot", "x", "--from", "bob-bot"]).isDone)
    let name = try #require(stage.names("inbox", of: .ada).first)
    try expectRefused(
      stage, .eve,
      """
      ls bots/ada-bot/inbox
      ls bots/ada-bot/tmp
      ls bots/ada-bot/claimed
      ls bots/ada-bot/dead
      rm -f bots/ada-bot/inbox/\(name)
      mv bots/ada-bot/inbox/\(name) bots/eve-bot/inbox/
      mv bots/ada-bot/inbox/\(name) bots/ada-bot/inbox/y.json
      echo y >> bots/ada-bot/inbox/\(name)
      echo y > tmp/y; mv -f tmp/y bots/ada-bot/inbox/\(name)
      chmod 666 bots/ada-bot/inbox/\(name)
      mv bots/ada-bot/inbox bots/ada-bot/was
      mv bots/ada-bot bots/was
      mkdir bots/ada-bot/new
      echo '{}' > bots/ada-bot/card.json
      echo '{}' > tmp/card; mv -f tmp/card bots/ada-bot/card.json
      rm -f bots/ada-bot/card.json
      touch bots/ada-bot/presence/vm.1.1
      touch bots/ada-bot/reserved/x
      touch bots/ada-bot/claimed/x.json
      echo x >> spool.json
      mv tasks/pending tasks/was
      rmdir tasks/cancelled
      """)
    let own = try stage.objects(.ada, ["receive", "ada-bot"])
    #expect(own.first?.content == "x" && own.first?.isVerified == true)
    let claimed = try #require(stage.names("claimed", of: .ada).first)
    try expectRefused(
      stage, .bob,
      """
      cat bots/ada-bot/claimed/\(claimed)
      echo y >> bots/ada-bot/claimed/\(claimed)
      mv bots/ada-bot/claimed/\(claimed) bots/ada-bot/done/
      """)
  }

  @Test func `whoever isn't in the group can do nothing, and is told why`() throws {
    let stage = try SharedStage()
    for arguments in [
      ["bots"], ["send", "ada-bot", "x"], ["receive", "ada-bot"], ["log"], ["state", "get", "x"], ["doctor"],
    ] {
      let outcome = try stage.run(.mallory, arguments)
      #expect(outcome.status == 77 && SpoolMessage.isOneLine(outcome.error), "\(arguments): \(outcome)")
      #expect(outcome.error.contains("is shared by the group \(SharedStage.group)"))
    }
    try expectRefused(stage, .mallory, "ls \(stage.path)\ncat \(stage.path)/spool.json\ntouch \(stage.path)/tmp/x")
    let foreign = try stage.shell(.mallory, "spool init --shared \(SharedStage.group) /tmp/nanospool-none-\(getpid())")
    #expect(foreign.status == 77 && foreign.error.contains("is not in the group"), "\(foreign)")
    let unknown = try stage.shell(.ada, "spool init --shared no-such-group /tmp/nanospool-none-\(getpid())")
    #expect(unknown.status == 73 && unknown.error.contains("there is no group no-such-group"), "\(unknown)")
  }

  @Test func `commands on another user's bot are refused, and say whose it is`() throws {
    let stage = try SharedStage()
    #expect(try stage.run(.bob, ["send", "ada-bot", "x", "--from", "bob-bot"]).isDone)
    let claim = try stage.objects(.ada, ["receive", "ada-bot"]).first?["claim"] as? String ?? ""
    for arguments in [
      ["receive", "ada-bot"], ["inbox", "ada-bot"], ["inbox", "ada-bot", "--clear"], ["dead", "ada-bot"],
      ["register", "ada-bot"], ["subscribe", "ada-bot", "t"], ["unsubscribe", "ada-bot", "t"], ["ack", claim],
      ["nack", claim], ["extend", claim], ["work", "ada-bot", "--", "/bin/true"],
      ["work", "ada-bot", "--tasks", "--", "/bin/true"], ["task", "claim", "--next", "--as", "ada-bot"],
      ["request", "bob-bot", "x", "--from", "ada-bot", "--wait", "1s"],
    ] {
      for user in [User.eve, .bob] {
        let outcome = try stage.run(user, arguments)
        #expect(outcome.status == 77 && SpoolMessage.isOneLine(outcome.error), "\(user) \(arguments): \(outcome)")
        #expect(outcome.error.contains("belongs to \(User.ada.rawValue)"), "\(outcome)")
      }
    }
    // Root, too, would leave files that are in the user's way.
    #expect(try SpoolCommand.run(["receive", "ada-bot"], in: stage.path).status == 77)
    #expect(try stage.run(.ada, ["ack", claim]).isDone)
  }

  @Test func `a message that was moved on, renamed or brought again is not taken for its sender's`() throws {
    let stage = try SharedStage()
    let (mine, theirs) = ("bots/eve-bot/inbox", "bots/ada-bot/inbox")
    // One for eve alone, moved on.
    #expect(try stage.run(.bob, ["send", "eve-bot", "pay eve", "--from", "bob-bot"]).isDone)
    #expect(try stage.shell(.eve, "mv \(mine)/* \(theirs)/").isDone)
    let moved = try stage.receive(.ada)
    #expect(moved.content == "pay eve" && moved.isVerified == false, "\(moved)")
    #expect(moved.problem == "it isn't addressed to ada-bot")
    // One for both, which ada had.
    #expect(try stage.run(.bob, ["send", "ada-bot,eve-bot", "do it", "--from", "bob-bot"]).isDone)
    #expect(try stage.receive(.ada).isVerified == true)
    let name = try #require(stage.names("inbox", of: .eve).first)
    #expect(try stage.shell(.eve, "mv \(mine)/* \(theirs)/").isDone)
    let again = try stage.run(.ada, ["receive", "ada-bot"])
    #expect(again.status == 1 && again.error.contains("somebody put its file here again"), "\(again)")
    #expect(Scratch.names("\(stage.path)/quarantine").contains { $0.contains(name.dropLast(5)) })
    // The same under another name, and as if it were dropped.
    #expect(try stage.run(.bob, ["send", "team", "renamed", "--from", "bob-bot"]).isDone)
    #expect(try stage.receive(.ada).content == "renamed")
    #expect(
      try stage.shell(.eve, "mv \(mine)/* \(theirs)/5-20261121T112647.241178Z-5d6f3922d68f3d50.json").isDone)
    let renamed = try stage.receive(.ada)
    #expect(renamed.isVerified == false && renamed.problem == "its file has the name of another message", "\(renamed)")
    #expect(try stage.run(.bob, ["send", "team", "dropped", "--from", "bob-bot"]).isDone)
    #expect(try stage.receive(.ada).content == "dropped")
    #expect(try stage.shell(.eve, "mv \(mine)/* \(theirs)/x.json").isDone)
    #expect(try stage.run(.ada, ["receive", "ada-bot"]).error.contains("somebody put its file here again"))
  }

  @Test func `where files of others may be linked, none is taken twice or read that shouldn't be`() throws {
    let setting = "/proc/sys/fs/protected_hardlinks"
    let before = try Plain.text(setting)
    guard (try? Plain.write(setting, "0")) != nil, try Plain.text(setting).hasPrefix("0") else { return }
    defer { try? Plain.write(setting, before) }
    let stage = try SharedStage()
    #expect(try stage.run(.bob, ["send", "ada-bot", "once", "--from", "bob-bot"]).isDone)
    let name = try #require(stage.names("inbox", of: .ada).first)
    #expect(try stage.shell(.eve, "ln bots/ada-bot/inbox/\(name) bots/eve-bot/kept").isDone)
    #expect(try stage.receive(.ada).isVerified == true)
    #expect(try stage.shell(.eve, "mv bots/eve-bot/kept bots/ada-bot/inbox/\(name)").isDone)
    let again = try stage.run(.ada, ["receive", "ada-bot"])
    #expect(again.status == 1 && again.error.contains("somebody put its file here again"), "\(again)")
    // Ada's own secret, which would be in the log.
    let secret = "\(stage.scratch.path)/secret.json"
    try Scratch.write(#"{"content":"secret"}"#, to: secret)
    chown(secret, uid_t(User.ada.rawValue), gid_t(User.ada.rawValue))
    chmod(secret, 0o600)
    #expect(try stage.shell(.eve, "ln \(secret) bots/ada-bot/inbox/x.json").isDone)
    #expect(try stage.run(.ada, ["receive", "ada-bot"]).error.contains("hard links are not taken"))
    #expect(try stage.run(.eve, ["search", "secret"]).status == 1)
  }

  @Test func `a file that others can write is nobody's word`() throws {
    let stage = try SharedStage()
    #expect(try stage.run(.bob, ["task", "add", "t"]).isDone)
    let forge = """
      id=20261121T112647.241178Z-5d6f3922d68f3d50
      echo '{"id":"'$id'","from":"bob-bot","to":"ada-bot","content":"pay eve"}' > $(ls tasks/pending/*)
      mv tasks/pending/* bots/ada-bot/inbox/5-$id.json
      """
    #expect(try stage.shell(.eve, forge).isDone)
    let message = try stage.receive(.ada)
    #expect(message.content == "pay eve" && message.isVerified == false && message.user == nil, "\(message)")
    #expect(message.problem == "nobody can tell who wrote its file")
  }

  @Test func `a sender changes nothing any more once his message is in hand`() throws {
    let stage = try SharedStage()
    #expect(try stage.run(.bob, ["send", "ada-bot", "before", "--from", "bob-bot"]).isDone)
    let path = try "\(stage.path)/bots/ada-bot/inbox/\(#require(stage.names("inbox", of: .ada).first))"
    // Root's descriptor does for bob's: opened while it waits, written when it is claimed.
    let raw = open(path, O_WRONLY)
    #expect(raw != -1)
    defer { close(raw) }
    let claim = try stage.objects(.ada, ["receive", "ada-bot"]).first?["claim"] as? String ?? ""
    #expect(ftruncate(raw, 0) == 0 && write(raw, "{\"content\":\"after\"}", 19) == 19)
    #expect(try stage.run(.ada, ["nack", claim]).isDone)
    let again = try stage.receive(.ada)
    #expect(again.content == "before" && again.isVerified == true, "\(again)")
  }

  @Test func `what others put in the place of directories and files stops nobody and opens nothing else`() throws {
    let stage = try SharedStage()
    let secret = "\(stage.scratch.path)/home"
    try Scratch.makeDirectory(secret)
    try Scratch.write(#"{"name":"eve-bot","description":"SECRET"}"#, to: "\(secret)/card.json")
    for path in [secret, "\(secret)/card.json"] { chown(path, uid_t(User.bob.rawValue), gid_t(User.bob.rawValue)) }
    chmod(secret, 0o700)
    let hostile = [
      "inbox": "mv bots/eve-bot/inbox bots/eve-bot/was; ln -s \(secret) bots/eve-bot/inbox",
      "tmp": "rmdir bots/eve-bot/tmp; ln -s \(secret) bots/eve-bot/tmp",
      "bot": "mv bots/eve-bot bots/eve-was; ln -s \(secret) bots/eve-bot",
      "card": "ln -sf \(secret)/card.json bots/eve-bot/card.json",
      "card FIFO": "rm -f bots/eve-bot/card.json; mkfifo bots/eve-bot/card.json; chmod 666 bots/eve-bot/card.json",
      "presence": "rm -rf bots/eve-bot/presence; ln -s \(secret) bots/eve-bot/presence",
      "closed bot": "chmod 0 bots/eve-bot",
      "closed log": "chmod 0 log/*~\(User.eve.rawValue)",
      "closed segment": "chmod 0 log/*~\(User.eve.rawValue)/*.jsonl",
      "log FIFO": "mkfifo -m 666 log/$(ls log | grep '~\(User.eve.rawValue)')/20991121T112647.241178Z.jsonl",
      "log link": "mv log/*~\(User.eve.rawValue) log/was; ln -s \(secret) log/vm~\(User.eve.rawValue)",
      "topic": "ln -s \(secret) topics/t; mkfifo -m 666 topics/u",
      "task FIFO": "mkfifo -m 666 tasks/pending/5-20261121T112647.241178Z-5d6f3922d68f3d50.json",
      "moving": "ln -s \(secret) tasks/moving/vm.1.1; ln -s \(secret) groups/moving/vm.1.1",
      "value": "mkfifo -m 666 state/light.json; ln -s \(secret)/card.json state/dark.json",
      "position": "mkfifo -m 666 coordinator/position.json; ln -s \(secret) coordinator/learnings",
      "leader": "mkdir -p coordinator; rm -rf coordinator/leader; ln -s \(secret) coordinator/leader",
      "records": "mkdir -m 777 records/\(User.bob.rawValue)",
      "inbox FIFO": "mkfifo -m 666 bots/bob-bot/inbox/x.json; mkdir bots/bob-bot/inbox/y.json",
      "inbox link": "ln -s \(secret)/card.json bots/bob-bot/inbox/x.json",
      "temporary": "mkfifo -m 666 bots/bob-bot/tmp/5-20261121T112647.241178Z-5d6f3922d68f3d50~0~vm.1.1.json",
    ]
    let deeds: [[String]] = [
      ["bots"], ["bots", "show", "eve-bot"], ["send", "eve-bot", "x", "--from", "bob-bot"], ["publish", "t", "x"],
      ["send", "team", "y", "--from", "bob-bot"], ["log"], ["search", "x"], ["stats"], ["status"], ["skills"],
      ["task", "list"], ["task", "add", "t"], ["state", "list"], ["state", "get", "light"], ["topics"], ["mesh"],
      ["receive", "bob-bot", "--ack"], ["doctor"], ["doctor", "--repair"],
    ]
    for (what, script) in hostile.sorted(by: { $0.key < $1.key }) {
      let stage = try SharedStage()
      #expect(try stage.run(.eve, ["send", "bob-bot", "neighbour", "--from", "eve-bot"]).isDone)
      #expect(try stage.run(.ada, ["send", "bob-bot", "neighbour", "--from", "ada-bot"]).isDone)
      let done = try stage.shell(.eve, script)
      #expect(done.isDone, "\(what): \(done)")
      for deed in deeds {
        // One that waits for ever is a failure of `run`.
        let outcome = try stage.run(.bob, deed)
        #expect(!outcome.output.contains("SECRET") && !outcome.error.contains("SECRET"), "\(what), \(deed): \(outcome)")
        #expect(outcome.status != nil && (outcome.error.isEmpty || outcome.error.hasSuffix("\n")), "\(what), \(deed)")
      }
      // Nobody else is worse off.
      #expect(try stage.run(.bob, ["send", "ada-bot", "z", "--from", "bob-bot"]).isDone, "\(what)")
      let got = try ["neighbour", "y", "z"].map { _ in try stage.receive(.ada).content }
      #expect(got.contains("z"), "\(what): \(got)")
      #expect(Scratch.names(secret) == ["card.json"], "\(what): \(Scratch.names(secret))")
      #expect(try Plain.text("\(secret)/card.json").contains("SECRET"))
    }
  }

  @Test func `a directory that is swapped for a link while others send leads nobody out of the spool`() throws {
    let stage = try SharedStage()
    let home = "\(stage.scratch.path)/home"
    try Scratch.makeDirectory(home)
    chown(home, uid_t(User.bob.rawValue), gid_t(User.bob.rawValue))
    let swap = """
      cd bots/eve-bot
      while [ ! -e /proc/$PPID ] || [ ! -e ../../tmp/stop ]; do
        mv inbox real; ln -s \(home) inbox; rm inbox; mv real inbox
        mv tmp rtmp; ln -s \(home) tmp; rm tmp; mv rtmp tmp
      done
      """
    let swapping = try SpoolCommand.start(
      program: "/usr/bin/setpriv",
      ["--reuid", "\(User.eve.rawValue)", "--regid", "\(User.eve.rawValue)", "--groups", "\(SharedStage.group)"]
        + ["/bin/sh", "-c", "cd \(stage.path)\n" + swap])
    var sent = 0
    for number in 0..<60 {
      let outcome = try stage.run(.bob, ["send", "eve-bot,ada-bot", "\(number)", "--from", "bob-bot"])
      if outcome.isDone { sent += 1 }
    }
    try Plain.write("\(stage.path)/tmp/stop", "")
    _ = try swapping.wait(seconds: 30)
    #expect(Scratch.names(home).isEmpty)
    print("\(sent) of 60 were sent")
    #expect(stage.names("inbox", of: .ada).count == sent)
  }

  @Test func `what another user logs of one's bots counts for nothing, and nobody writes in another's part`() throws {
    let stage = try SharedStage()
    let id = try stage.run(.bob, ["send", "ada-bot", "true", "--from", "bob-bot"]).line
    // Lines that eve makes up: that ada acked it, that bob sent it with another text, that bob sent one more.
    let python = """
      import zlib, json, glob, os
      part = glob.glob("log/*~\(User.eve.rawValue)")[0]
      def line(kind, subject, data, year=2026):
          body = json.dumps({"specversion":"1.0","id":"1","source":"/vm/1.1","type":kind,"subject":subject,
            "time":"%d-11-21T00:00:00.000000Z" % year,"data":data}, separators=(",",":"))[:-1]
          return body + ',"crc32":"%08x"}\\n' % zlib.crc32(body.encode())
      more = "20261121T000000.000000Z-0000000000000001"
      def sent(id, text):
          return line("message.sent", id, {"recipients":["ada-bot"],"name":"5-"+id+".json",
            "message":{"id":id,"from":"bob-bot","to":"ada-bot","content":text}})
      with open(part + "/20201121T000000.000000Z.jsonl", "w") as out:
          out.write(sent("\(id)", "false") + sent(more, "more"))
          for year in [2026, 2099]:
              out.write(line("message.claimed", "\(id)", {"bot":"ada-bot","attempt":1,"holder":"vm.1.1"}, year))
              out.write(line("message.acked", "\(id)", {"bot":"ada-bot","attempt":1,"holder":"vm.1.1"}, year))
      os.chmod(part + "/20201121T000000.000000Z.jsonl", 0o640)
      """
    #expect(try stage.run(.eve, ["log"]).isDone)
    let forged = try stage.shell(.eve, "python3 - <<'END'\n\(python)\nEND\n")
    #expect(forged.isDone, "\(forged)")
    try expectRefused(
      stage, .eve,
      """
      echo x >> $(ls log/*~\(User.bob.rawValue)/*.jsonl)
      touch $(ls -d log/*~\(User.bob.rawValue))/20201121T000000.000000Z.jsonl
      cat log/*~\(User.bob.rawValue)/commit
      rm -f log/*~\(User.bob.rawValue)/*
      mv log/*~\(User.bob.rawValue) log/was
      flock -n $(ls log/*~\(User.bob.rawValue)/commit) true
      """)
    for path in ["inbox", "claimed"] {
      for name in stage.names(path, of: .ada) { unlink("\(stage.path)/bots/ada-bot/\(path)/\(name)") }
    }
    let isRestored = try eventually(30) {
      _ = try stage.run(.ada, ["doctor", "--repair"])
      return stage.names("inbox", of: .ada).count == 2
    }
    #expect(isRestored)
    let messages = try stage.objects(.ada, ["inbox", "ada-bot"])
    #expect(Set(messages.map(\.content)) == ["true", "more"], "\(messages)")
    for message in messages {
      #expect(message.isVerified == (message.content == "true"), "\(message)")
      #expect(message.user == "\(message.content == "true" ? User.bob.rawValue : User.eve.rawValue)")
    }
    #expect(try stage.run(.eve, ["show", id]).output.contains("true"))
    // Whose a line is, is shown.
    let told = try stage.objects(.ada, ["trace", id])
    #expect(
      Set(told.filter { $0["type"] as? String == "message.acked" }.map { $0["user"] as? String })
        == ["\(User.eve.rawValue)"]
    )
    // Nor can anybody have been taken for the first in a place of his own.
    let squat = "mkdir -m 777 log/$(ls log | grep '~\(User.eve.rawValue)' | sed 's/~.*//')~\(User.mallory.rawValue)"
    #expect(try stage.shell(.eve, squat).isDone)
  }

  @Test func `an answer that another user forged is not taken for it`() throws {
    let stage = try SharedStage()
    let asking = try stage.start(.bob, ["request", "ada-bot", "how?", "--from", "bob-bot", "--wait", "20s"])
    var id: String?
    let isAsked = try eventually {
      id = try stage.objects(.eve, ["log"]).first { $0["type"] as? String == "message.sent" }?["subject"] as? String
      return id != nil
    }
    #expect(isAsked)
    let forged = [
      ["send", "bob-bot", "forged", "--from", "ada-bot", "--reply-to", id ?? ""],
      ["send", "bob-bot", "not asked", "--from", "eve-bot", "--reply-to", id ?? ""],
    ]
    for arguments in forged { #expect(try stage.run(.eve, arguments).isDone) }
    #expect(try stage.run(.ada, ["reply", id ?? "", "so", "--from", "ada-bot"]).isDone)
    let answer = try asking.wait(seconds: 30)
    #expect(answer.isDone && answer.line == "so", "\(answer)")
    #expect(try [stage.receive(.bob).isVerified, stage.receive(.bob).isVerified] == [false, true])
  }

  @Test func `one user can't fill another's inbox, and others send to it all the same`() throws {
    let stage = try SharedStage()
    #expect(try stage.run(.ada, ["register", "ada-bot", "--sender-max", "12"]).isDone)
    var sent = 0
    var last: SpoolCommand.Outcome?
    while sent < 40 {
      last = try stage.run(.eve, ["send", "ada-bot", "\(sent)", "--from", "eve-bot"])
      if last?.isDone != true { break }
      sent += 1
    }
    #expect(sent == 12 && last?.status == 75, "\(sent), \(last.map { "\($0)" } ?? "")")
    #expect(last?.error.contains("12 messages") == true)
    #expect(try stage.run(.bob, ["send", "ada-bot", "other", "--from", "bob-bot"]).isDone)
    for number in 0..<12 { #expect(try stage.receive(.ada).content == "\(number)") }
    // What was refused just now is counted again soon.
    #expect(try eventually { try stage.run(.eve, ["send", "ada-bot", "again", "--from", "eve-bot"]).isDone })
  }

  @Test func `the doctor says what it can't look at, and mends the modes of what is the user's own`() throws {
    let stage = try SharedStage()
    let well = try stage.run(.ada, ["doctor"])
    #expect(well.isDone && well.output.contains("the boxes of other users' bots"), "\(well)")
    #expect(well.output.contains("shared by the group \(SharedStage.group); you are \(User.ada.rawValue)"))
    let open =
      "chmod 777 bots/ada-bot/inbox bots/ada-bot/claimed; chmod 644 bots/ada-bot/card.json; touch bots/ada-bot/senders/x"
    #expect(try stage.shell(.ada, open).isDone)
    #expect(try stage.run(.bob, ["doctor"]).isDone)
    let ill = try stage.run(.ada, ["doctor"])
    #expect(ill.status == 1 && ill.output.contains("has mode 02777, and should have 03730"), "\(ill)")
    #expect(try stage.run(.ada, ["doctor", "--repair"]).isDone)
    #expect(try stage.run(.ada, ["doctor"]).isDone)
    let modes = try stage.shell(.ada, "stat -c %a bots/ada-bot/inbox bots/ada-bot/claimed bots/ada-bot/card.json")
    #expect(modes.output == "3730\n2700\n640\n")
    // A part of the log that its user closes is his to close.
    #expect(try stage.shell(.ada, "chmod 2700 log/*~\(User.ada.rawValue)").isDone)
    #expect(try stage.run(.ada, ["doctor"]).isDone)
    let listed = try stage.run(.bob, ["bots"]).output
    #expect(listed.contains("ada-bot  \(User.ada.rawValue)") && listed.contains("-"), "\(listed)")
  }

  @Test func `a key, a subscription or a bell of another's makes nothing happen`() throws {
    let stage = try SharedStage()
    let bob = User.bob.rawValue
    #expect(try stage.run(.bob, ["send", "ada-bot", "first", "--from", "bob-bot"]).isDone)
    #expect(try stage.shell(.eve, "mkdir -m 777 keys/\(bob)").isDone)
    let keyed = try stage.run(.bob, ["send", "ada-bot", "keyed", "--from", "bob-bot", "--key", "k"])
    #expect(keyed.status == 77, "\(keyed)")
    #expect(try stage.run(.ada, ["subscribe", "ada-bot", "t"]).isDone)
    #expect(try stage.shell(.eve, "touch topics/t/bob-bot").isDone)
    #expect(try stage.run(.eve, ["publish", "t", "x", "--from", "eve-bot"]).isDone)
    #expect(stage.names("inbox", of: .bob).isEmpty && stage.names("inbox", of: .ada).count == 2)
    try expectRefused(stage, .eve, "rm -f topics/t/ada-bot\nmv topics/t topics/was")
  }
}
