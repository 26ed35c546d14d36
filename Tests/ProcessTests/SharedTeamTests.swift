import Foundation
import Glibc
import TestSupport
import TestThreads
import Testing

/// Tasks, coordination, recovery and copies where several users share a spool.
@Suite(.waiting, .serialized, .enabled(if: SharedStage.isPossible, SharedStage.whyNot)) struct SharedTeamTests {
  typealias User = SharedStage.User

  private func script(_ stage: SharedStage, _ name: String, _ text: String) throws -> String {
    let path = "\(stage.scratch.path)/\(name)"
    try Scratch.write("#!/bin/sh\n\(text)\n", to: path)
    chmod(path, 0o755)
    return path
  }

  /// What still has something to do ends it while the spool is there.
  private func end(_ processes: [Running]) {
    for process in processes { process.kill(SIGTERM) }
    for process in processes {
      do { _ = try process.wait(seconds: 20) } catch { Issue.record("\(error)") }
    }
  }

  private func isRunning(_ stage: SharedStage, _ bot: String) -> Bool {
    !Scratch.names("\(stage.path)/bots/\(bot)/presence").isEmpty
  }

  @Test func `one user's task is done by another's bot, and a third one's coordinator answers a request`() throws {
    let stage = try SharedStage()
    // Who asks first must not get the coordinator's bots for his own.
    for asking in [["ask", "x", "--no-wait"], ["announce", "x", "--skill", "ml", "--deadline", "1h"]] {
      let early = try stage.run(.bob, asking + ["--from", "bob-bot"])
      #expect(early.status == 67 && early.error.contains("spool coordinate"), "\(early)")
    }
    let program = try script(stage, "work.sh", #"cat >/dev/null; echo "done by $(id -u)""#)
    let worker = try stage.start(.ada, ["work", "ada-bot", "--tasks", "--", program])
    let coordinator = try stage.start(.eve, ["coordinate"])
    defer { end([worker, coordinator]) }
    #expect(eventually { isRunning(stage, "ada-bot") && isRunning(stage, "coordinator") })
    let id = try stage.run(.bob, ["task", "add", "write it", "--to", "ada-bot"]).line
    let waited = try stage.run(.bob, ["task", "wait", id, "--timeout", "20s"])
    #expect(waited.isDone, "\(waited)")
    #expect(try stage.run(.bob, ["task", "show", id]).output.contains("done by \(User.ada.rawValue)"))
    let answer = try stage.run(.bob, ["ask", "Build and test a parser", "--from", "bob-bot", "--timeout", "25s"])
    #expect(answer.isDone && answer.output.contains("done by \(User.ada.rawValue)"), "\(answer)")
    // Who coordinates is one user's; another's is refused, and told why.
    let second = try stage.run(.bob, ["coordinate"])
    #expect(second.status == 77 && second.error.contains("belongs to \(User.eve.rawValue)"), "\(second)")
  }

  @Test func `a task is taken in hand by its bot's user only, and given on by everybody`() throws {
    let stage = try SharedStage()
    let id = try stage.run(.bob, ["task", "add", "t", "--to", "ada-bot"]).line
    #expect(try stage.run(.eve, ["task", "claim", id, "--as", "ada-bot"]).status == 77)
    let claim = try stage.run(.ada, ["task", "claim", id, "--as", "ada-bot"])
    #expect(claim.isDone, "\(claim)")
    #expect(try stage.run(.ada, ["task", "progress", claim.line, "50", "half"]).isDone)
    #expect(try stage.run(.ada, ["task", "complete", claim.line, "all"]).isDone)
    let other = try stage.run(.ada, ["task", "add", "u"]).line
    #expect(try stage.run(.eve, ["task", "cancel", other]).isDone)
    #expect(try stage.run(.bob, ["task", "retry", other]).isDone)
    #expect(try stage.shell(.bob, "mv tasks/pending/* tasks/cancelled/").isDone)
    let workflow = "\(stage.scratch.path)/flow.json"
    try Scratch.write(
      #"{"title":"r","steps":[{"name":"a","title":"a"},{"name":"b","title":"b","depends_on":["a"]}]}"#, to: workflow)
    #expect(try stage.run(.bob, ["workflow", "submit", workflow]).isDone)
    #expect(try stage.run(.eve, ["task", "tree"]).output.contains("b"))
  }

  @Test func `values are set, changed and deleted by all, and watched`() throws {
    let stage = try SharedStage(mask: "077")
    #expect(try stage.run(.ada, ["state", "set", "light", "1"], mask: "077").isDone)
    #expect(try stage.run(.bob, ["state", "set", "light", "2"], mask: "077").isDone)
    #expect(try stage.run(.eve, ["state", "cas", "light", "3", "--version", "2"], mask: "077").isDone)
    #expect(try stage.run(.ada, ["state", "get", "light"]).line == "3")
    #expect(try stage.run(.bob, ["state", "delete", "light"], mask: "077").isDone)
    #expect(try stage.run(.eve, ["state", "get", "light"]).status == 1)
    #expect(try stage.run(.eve, ["state", "set", "light", "4"], mask: "077").isDone)
  }

  @Test func `a group forms of bots of several users, and an offer that another user forged doesn't count`() throws {
    let stage = try SharedStage(bots: [])
    for (user, skill) in [(User.ada, "ml"), (.bob, "sql")] {
      #expect(try stage.run(user, ["register", "\(user)-bot", "--skill", "\(skill):expert"]).isDone)
    }
    #expect(try stage.run(.eve, ["register", "eve-bot"]).isDone)
    let part = try script(stage, "part.sh", "cat >/dev/null; echo done")
    // Ada's bot thinks for long enough to be forestalled, and then won't.
    let bid = try script(stage, "bid.sh", "cat >/dev/null; sleep 10; exit 1")
    let hub = try stage.start(.eve, ["coordinate", "--reply-timeout", "20s"])
    let ada = try stage.start(.ada, ["work", "ada-bot", "--negotiate", "--bid", bid, "--", part])
    let bob = try stage.start(.bob, ["work", "bob-bot", "--negotiate", "--", part])
    defer { end([hub, ada, bob]) }
    #expect(
      eventually { isRunning(stage, "ada-bot") && isRunning(stage, "bob-bot") && isRunning(stage, "coordinator") })
    let honest = try stage.run(.eve, ["announce", "count", "--skill", "sql:expert", "--deadline", "20s", "--wait"])
    #expect(honest.isDone, "\(honest)")
    let announced = try stage.run(
      .eve, ["announce", "predict", "--skill", "ml:expert", "--deadline", "20s", "--if-uncovered", "fail"])
    #expect(announced.isDone, "\(announced)")
    let id = announced.line
    func messages(_ type: String) throws -> [[String: Any]] {
      try stage.objects(.bob, ["thread", id]).compactMap {
        ($0["data"] as? [String: Any])?["message"] as? [String: Any]
      }
      .filter { $0["type"] as? String == type }
    }
    let isAsked = try eventually { try !messages("skill_query").isEmpty }
    let log = try stage.run(.eve, ["log"]).output
    #expect(isAsked, "\(log)")
    let query = try messages("skill_query").first?["id"] as? String ?? ""
    let forged =
      #"{"from":"ada-bot","to":"hub","type":"skill_offer","performative":"propose","conversation":"\#(id)","#
      + #""in_reply_to":"\#(query)","data":{"skills":["ml:expert"],"price":0.01}}"#
    let offer = try stage.shell(.bob, "echo '\(forged)' > tmp/x; mv tmp/x bots/hub/inbox/x.json")
    #expect(offer.isDone, "\(offer)")
    let isRefused = try eventually {
      try messages("group_reject").contains {
        ($0["content"] as? String)?.contains("was written by another user") == true
      }
    }
    let thread = try stage.run(.bob, ["thread", id]).output.split(separator: "\n").joined(separator: " | ")
    #expect(isRefused, "\(thread)")
    #expect(try messages("group_invite").isEmpty)
  }

  /// As after a power cut: the machine was started again, and what was in the inboxes is gone.
  private func reboot(_ stage: SharedStage, emptying boxes: [String]) throws {
    let script = """
      cd \(stage.path)
      for page in log/*/commit; do dd if=/dev/zero of=$page bs=1 seek=16 count=32 conv=notrunc 2>/dev/null; done
      for box in \(boxes.joined(separator: " ")); do rm -f bots/*/$box/*; done
      """
    let done = try SpoolCommand.start(program: "/bin/sh", ["-ec", script]).wait(seconds: 20)
    guard done.isDone else { throw Failure("\(done)") }
  }

  @Test func `after a power cut each user's bots have their messages again, from whom they were`() throws {
    let stage = try SharedStage()
    #expect(try stage.run(.bob, ["send", "ada-bot", "acked", "--from", "bob-bot"]).isDone)
    #expect(try stage.receive(.ada).content == "acked")
    #expect(try stage.run(.bob, ["send", "ada-bot", "one", "--from", "bob-bot"]).isDone)
    #expect(try stage.run(.eve, ["send", "ada-bot", "forged", "--from", "bob-bot"]).isDone)
    #expect(try stage.run(.bob, ["send", "team", "all", "--from", "bob-bot"]).isDone)
    #expect(try stage.shell(.bob, #"echo '{"content":"by hand"}' > bots/ada-bot/inbox/x.json"#).isDone)
    #expect(try stage.objects(.ada, ["receive", "ada-bot"]).first?.content == "one")
    try reboot(stage, emptying: ["inbox", "claimed", "senders"])
    // The others can't look into ada's boxes, and leave them to her.
    #expect(try stage.run(.bob, ["bots"]).isDone)
    #expect(try stage.run(.eve, ["bots"]).isDone)
    #expect(stage.names("inbox", of: .ada).isEmpty)
    #expect(try stage.objects(.ada, ["inbox", "ada-bot"]).map(\.content) == ["one", "forged", "all", "by hand"])
    // What others logged only just now, to somebody else first, may still be on its way.
    let isAll = try eventually(30) {
      for user in [User.ada, .eve] { _ = try stage.run(user, ["doctor", "--repair"]) }
      return stage.names("inbox", of: .ada).count == 4 && stage.names("inbox", of: .eve).count == 1
    }
    #expect(isAll)
    let restored = try stage.objects(.ada, ["inbox", "ada-bot"])
    #expect(restored.map(\.content) == ["one", "forged", "all", "by hand"])
    #expect(restored.map(\.isVerified) == [true, false, true, false])
    #expect(
      restored.map(\.user)
        == [User.bob, .eve, .bob, .bob].map { "\($0.rawValue)" })
    #expect(try stage.receive(.eve).isVerified == true)
    #expect(try stage.run(.ada, ["doctor"]).isDone)
  }

  @Test(.serialized, arguments: [false, true])
  func `a sender that dies anywhere has sent to all, whoever they belong to, or to nobody`(isAfter: Bool) throws {
    let stage = try SharedStage()
    var number = 1
    while number < 1000 {
      let fault = "\(isAfter ? "kill-after" : "kill-before"):\(number)"
      let sent = try stage.run(
        .bob, ["send", "ada-bot,bob-bot,eve-bot", fault, "--from", "bob-bot"], environment: ["SPOOL_FAULT": fault])
      // Round and round: each user has something to do for the others.
      var got: [User: Int] = [:]
      for user in [User.ada, .eve, .bob, .ada, .eve, .bob] {
        while true {
          let message = try stage.receive(user)
          guard let content = message.content else { break }
          #expect(content == fault && message.isVerified == true, "\(fault): \(user) got \(message)")
          got[user, default: 0] += 1
        }
      }
      let isSent = try stage.run(.bob, ["search", fault]).isDone
      let expected = isSent ? 1 : 0
      #expect(User.allCases.dropLast().allSatisfy { got[$0] ?? 0 == expected }, "\(fault): \(isSent), \(got)")
      #expect(User.allCases.dropLast().allSatisfy { stage.names("tmp", of: $0).filter { !$0.hasPrefix(".") }.isEmpty })
      if sent.isDone { break }
      number += 1
    }
    #expect(21..<1000 ~= number)
  }

  @Test(arguments: ["kill-before", "kill-after", "\(EINVAL)", "\(ENOSPC)"])
  func `a receiver that dies or fails anywhere loses neither a message nor from whom it is`(fault: String) throws {
    let stage = try SharedStage()
    var number = 1
    while number < 1000 {
      let id = try stage.run(.bob, ["send", "ada-bot", "\(number)", "--from", "bob-bot"]).line
      // Takes and acks all there is.
      let first = try stage.run(
        .ada, ["inbox", "ada-bot", "--clear"], environment: ["SPOOL_FAULT": "\(fault):\(number)"])
      _ = try stage.run(.ada, ["doctor", "--repair"])
      let kinds = try stage.objects(.ada, ["trace", id]).map { $0["type"] as? String }
      // EINVAL is also how the system says that what was to be read is no file.
      let isAside = fault == "\(EINVAL)" && kinds.contains("message.quarantined")
      let isOver = kinds.contains("message.acked") || isAside
      let message = try stage.receive(.ada, wait: isOver ? "0s" : "5s")
      if message.content == nil {
        #expect(isOver, "\(fault):\(number): \(first), \(kinds)")
      } else {
        #expect(message.content == "\(number)" && message.isVerified == true, "\(fault):\(number): \(message)")
      }
      _ = try stage.run(.ada, ["doctor", "--repair"])
      let left = stage.names("claimed", of: .ada) + stage.names("senders", of: .ada) + stage.names("inbox", of: .ada)
      #expect(left.isEmpty, "\(fault):\(number): \(left)")
      if first.isDone, number > 90 { break }
      number += 3
    }
    #expect(number < 1000)
  }

  @Test func `where files can't be swapped a receiver that dies between two renames loses nothing either`() throws {
    let stage = try SharedStage()
    #expect(try stage.run(.ada, ["register", "ada-bot", "--lease", "0.5s"]).isDone)
    func calls(_ fault: String) throws -> [String] {
      let trace = "\(stage.scratch.path)/trace"
      try Scratch.write("", to: trace)
      chmod(trace, 0o666)
      _ = try stage.run(
        .ada, ["inbox", "ada-bot", "--clear"], environment: ["SPOOL_FAULT": fault, "SPOOL_FAULT_TRACE": trace])
      return try Plain.text(trace).split(separator: "\n").map(String.init)
    }
    #expect(try stage.run(.bob, ["send", "ada-bot", "first", "--from", "bob-bot"]).isDone)
    let swap = try #require(try calls("").firstIndex(of: "renameat2")) + 1
    var kills = 0
    for number in (swap + 1)...(swap + 16) {
      #expect(try stage.run(.bob, ["send", "ada-bot", "\(number)", "--from", "bob-bot"]).isDone)
      kills += try calls("\(EINVAL):\(swap),kill-before:\(number)").count == number ? 1 : 0
      // By the lease alone, without the doctor. It may come twice.
      var got: Set<String> = []
      while let content = try stage.receive(.ada, wait: "3s").content {
        got.insert(content)
        if stage.names("claimed", of: .ada).isEmpty { break }
      }
      let isAcked = try stage.objects(.bob, ["log"]).last { $0["type"] as? String == "message.acked" } != nil
      #expect(got == ["\(number)"] || (got.isEmpty && isAcked && number > swap + 8), "\(number): \(got)")
    }
    #expect(kills == 16)
    _ = try stage.run(.ada, ["doctor", "--repair"])
    #expect(stage.names("senders", of: .ada).isEmpty && stage.names("claimed", of: .ada).isEmpty)
  }

  @Test func `a copy that root made has all that wasn't acked, from whom it was`() throws {
    let stage = try SharedStage()
    #expect(try stage.run(.bob, ["send", "ada-bot", "acked", "--from", "bob-bot"]).isDone)
    #expect(try stage.receive(.ada).content == "acked")
    #expect(try stage.run(.bob, ["send", "ada-bot", "one", "--from", "bob-bot"]).isDone)
    let first = try stage.objects(.ada, ["receive", "ada-bot"]).first ?? [:]
    #expect(try stage.run(.ada, ["nack", first["claim"] as? String ?? ""]).isDone)
    #expect(try stage.run(.bob, ["send", "ada-bot", "two", "--from", "bob-bot"]).isDone)
    let copy = "\(stage.scratch.path)/copy"
    #expect(try SpoolCommand.start(program: "/bin/cp", ["-a", stage.path, copy]).wait(seconds: 20).isDone)
    #expect(
      try SpoolCommand.start(program: "/bin/sh", ["-c", "rm \(copy)/bots/ada-bot/inbox/*"]).wait(seconds: 20).isDone)
    #expect(try stage.run(.bob, ["bots", "--spool", copy]).isDone)
    let messages = try stage.objects(.ada, ["inbox", "ada-bot", "--spool", copy])
    #expect(messages.map(\.content) == ["one", "two"] && messages.map(\.isVerified) == [true, true], "\(messages)")
  }
}
