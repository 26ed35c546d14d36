import Glibc
import SpoolFormat
import TestSupport
import TestThreads
import Testing

/// Groups of real processes: announced, formed, at work, dissolved.
@Suite(.waiting, .serialized) struct GroupTests {
  @Test func `a group forms, works and is dissolved, and its thread tells the story`() throws {
    let team = try NegotiatingTeam(["ada": "ml:expert", "bea": "sql", "cyn": "viz", "dan": "stats"])
    defer { team.stop() }
    try team.work("cat >/dev/null; echo \"done by $SPOOL_BOT\"")
    try team.coordinate()
    let outcome = try team.spool([
      "announce", "predict churn", "--skill", "ml:advanced", "--skill", "sql", "--skill", "viz", "--skill", "stats",
      "--deadline", "1m", "--from", "ada", "--wait", "--json",
    ])
    #expect(outcome.isDone, "\(outcome)")
    let group = try JSONValue(parsing: Array(outcome.output.utf8))
    #expect(group["results"]?["ml"]?.string == "done by ada")
    #expect(group["results"]?["stats"]?.string == "done by dan")
    let id = try #require(group["id"]?.string)
    try team.require("it is dissolved") { team.state(id) == "dissolved" }
    let thread = try team.thread(id)
    let told = thread.map { "\($0["type"]?.string ?? ""):\($0["performative"]?.string ?? "")" }
    #expect(told.first == "task_announce:cfp")
    #expect(told.last == "task_complete:inform")
    for (kind, count) in [
      ("skill_query:query-if", 1), ("skill_offer:propose", 4), ("group_invite:accept-proposal", 1),
      ("group_accept:agree", 4), ("group_formed:inform", 1), ("task_start:request", 1),
    ] { #expect(told.count { $0 == kind } == count, "\(kind): \(told)") }
    #expect(thread.allSatisfy { $0["reply_by"]?.string != nil && ($0["conversation"]?.string ?? id) == id })
    let tree = try team.spool(["task", "tree", "--all"])
    #expect(tree.output.contains("4 of 4"), "\(tree)")
  }

  @Test func `what nobody can do is said to be missing, at once or when the time is over`() throws {
    let team = try NegotiatingTeam(["ada": "ml:novice"])
    defer { team.stop() }
    try team.work("cat >/dev/null; echo done")
    try team.coordinate(["--group-timeout", "1s"])
    let missing = ["announce", "x", "--skill", "ml:expert", "--skill", "sql", "--deadline", "1m", "--wait"]
    let failed = try team.spool(missing + ["--if-uncovered", "fail"])
    #expect(failed.status == 2 && failed.error.contains("nobody for ml:expert, sql:intermediate"), "\(failed)")
    let late = try team.spool(missing)
    #expect(late.status == 2 && late.error.contains("no group within 1 s: nobody for ml:expert"), "\(late)")
  }

  @Test func `a member that dies is replaced, and the next one gets what it had done`() throws {
    let team = try NegotiatingTeam(["ada": "ml:expert", "bea": "ml:expert", "cyn": "sql"])
    defer { team.stop() }
    // Whoever is first tells of its progress, and is killed with its worker.
    try team.work(
      """
      input=$(cat)
      case $input in *'"partial":'*) echo "$input"; exit 0;; esac
      if [ "$SPOOL_BOT" = cyn ]; then echo queried; exit 0; fi
      echo '40 half of it' >&3; echo $SPOOL_BOT >> $FILES/first; sleep 60
      """)
    try team.coordinate()
    let announced = try team.spool([
      "announce", "predict", "--skill", "ml", "--skill", "sql", "--deadline", "1m", "--from", "cyn",
    ])
    #expect(announced.isDone, "\(announced)")
    let id = announced.line
    try team.require("somebody has told of its progress") {
      try team.thread(id).contains { $0["content"]?.string?.contains("40%") == true }
    }
    let first = try #require(team.text("first")?.split(separator: "\n").first.map(String.init))
    team.kill(first)
    try team.require("it is dissolved") { team.state(id) == "dissolved" }
    let group = try #require(try team.lines(["group", "show", id, "--json"]).first)
    let parts = group["parts"]?.array ?? []
    let left = parts.first { $0["outcome"]?.string == "left" }
    #expect(left?["bot"]?.string == first)
    #expect(left?["partial"]?["progress"]?.int == 40)
    #expect(group["results"]?["ml"]?.text.description.contains("half of it") == true, "\(group.text)")
    #expect(group["results"]?["sql"]?.string == "queried")
  }

  @Test func `what nothing can come of is refused, with the reason and the status of bad data`() throws {
    let team = try NegotiatingTeam(["ada": "ml"])
    func refuses(_ arguments: [String], _ status: Int, _ text: String) throws {
      let outcome = try team.spool(["announce"] + arguments)
      #expect(outcome.status == status && outcome.error.contains(text), "\(arguments): \(outcome)")
      #expect(SpoolMessage.isOneLine(outcome.error), "\(outcome)")
    }
    try refuses(["x", "--skill", "ml:wizard"], 65, "level \"wizard\" is not novice, intermediate, advanced or expert")
    try refuses(["x", "--skill", "ml", "--min-group", "2", "--max-group", "3"], 65, "and the team has 1")
    try refuses(["x", "--skill", "ml", "--min-group", "4", "--max-group", "3"], 65, "a group of 4 to 3 members")
    try refuses(["x", "--skill", "ml", "--deadline", "2020-01-01T00:00:00Z"], 65, "is past")
    try refuses(["x"], 64, "--skill is missing")
    try refuses(["x", "--skill", "ml", "--if-uncovered", "cry"], 64, "ask or fail, not cry")
    try refuses(["x", "--skill", "ml", "--timeout", "1s"], 64, "--timeout goes with --wait")
    try refuses(["", "--skill", "ml"], 65, "a text of 1 to")
    #expect(Scratch.names("\(team.path)/bots/hub/inbox").isEmpty)
    for verb in ["show", "cancel", "wait"] {
      let outcome = try team.spool(["group", verb, "8f3a8f3a"])
      #expect(outcome.status == 1 && outcome.error.contains("no group 8f3a8f3a"), "\(verb): \(outcome)")
    }
  }

  @Test func `an announcement waits for a hub, and can be withdrawn before one comes`() throws {
    let team = try NegotiatingTeam(["ada": "ml"])
    defer { team.stop() }
    let withdrawn = try team.spool(["announce", "never", "--skill", "ml"])
    #expect(withdrawn.error.contains("no coordinator is running"), "\(withdrawn)")
    #expect(try team.spool(["group", "cancel", withdrawn.line]).isDone)
    let kept = try team.spool(["announce", "later", "--skill", "ml"]).line
    try team.work("cat >/dev/null; echo done")
    try team.coordinate()
    let waited = try team.spool(["group", "wait", kept, "--timeout", "30s"])
    #expect(waited.isDone && waited.line == #"{"ml":"done"}"#, "\(waited)")
    #expect(team.state(withdrawn.line) == nil)
    let late = try team.spool(["group", "cancel", kept])
    #expect(late.status == 65, "\(late)")
    #expect(try team.spool(["group", "list", "dissolved"]).output.contains("  done"))
  }

  @Test func `a group that is cancelled frees its members, who hear why`() throws {
    let team = try NegotiatingTeam(["ada": "ml", "bea": "sql"])
    defer { team.stop() }
    try team.work("cat >/dev/null; touch $FILES/begun-$SPOOL_BOT; sleep 60")
    try team.coordinate()
    let id = try team.spool(["announce", "x", "--skill", "ml", "--skill", "sql", "--from", "ada"]).line
    try team.require("both are at it") { Scratch.names(team.files).count { $0.hasPrefix("begun") } == 2 }
    #expect(try team.spool(["group", "cancel", id, "--reason", "not needed"]).isDone)
    try team.require("all have heard") {
      try team.thread(id).contains { $0["performative"]?.string == "cancel" && $0["content"]?.string == "not needed" }
    }
    #expect(team.state(id) == "dissolved")
    #expect(try team.spool(["group", "list", "--all"]).output.contains("  not needed"))
    try team.require("nothing is in hand") {
      ["assigned", "in_progress", "blocked"].allSatisfy { Scratch.names("\(team.path)/tasks/\($0)").isEmpty }
    }
  }

  @Test func `a member whose program fails is replaced by another`() throws {
    let team = try NegotiatingTeam(["ada": "ml:expert", "bea": "ml"])
    defer { team.stop() }
    try team.work("cat >/dev/null; [ $SPOOL_BOT = bea ] && echo done && exit; echo no licence >&2; exit 65")
    try team.coordinate()
    let outcome = try team.spool(["announce", "x", "--skill", "ml", "--deadline", "30s", "--wait", "--json"])
    let group = try JSONValue(parsing: Array(outcome.output.utf8))
    #expect(group["results"]?["ml"]?.string == "done", "\(outcome)")
    #expect(group["parts"]?.array?.first?["reason"]?.string?.contains("no licence") == true, "\(outcome)")
  }

  @Test func `with too few left a group is formed again, and fails with what it had when that can't be`() throws {
    let team = try NegotiatingTeam(["ada": "ml", "bea": "sql"])
    defer { team.stop() }
    try team.work(
      """
      cat >/dev/null; [ $SPOOL_BOT = ada ] && echo "a model" && exit
      until [ -e $FILES/go ]; do sleep 0.05; done; exit 65
      """)
    try team.coordinate(["--group-timeout", "5s"])
    let id = try team.spool(["announce", "x", "--skill", "ml", "--skill", "sql", "--min-group", "2"]).line
    try team.require("the model is there") {
      try team.lines(["task", "list", "completed", "--json"]).contains { $0["result"]?.string == "a model" }
    }
    try Scratch.write("", to: "\(team.files)/go")
    let outcome = try team.spool(["group", "wait", id, "--timeout", "30s"])
    #expect(outcome.status == 2 && outcome.line == #"{"ml":"a model"}"#, "\(outcome)")
    #expect(outcome.error.contains("no group within 5 s: nobody for sql:intermediate (bea failed:"), "\(outcome)")
    #expect(try team.lines(["trace", id, "--json"]).contains { $0["type"]?.string == "group.reformed" })
  }

  @Test func `a member doesn't leave for another announcement`() throws {
    let team = try NegotiatingTeam(["ada": "ml"])
    defer { team.stop() }
    try team.work("cat >/dev/null; touch $FILES/begun; until [ -e $FILES/go ]; do sleep 0.05; done; echo done")
    try team.coordinate()
    let first = try team.spool(["announce", "x", "--skill", "ml"]).line
    try team.require("ada is at it") { team.text("begun") != nil }
    let more = ["announce", "y", "--skill", "ml", "--priority", "critical", "--if-uncovered", "fail", "--wait"]
    let second = try team.spool(more)
    #expect(second.status == 2 && second.error.contains("all who can do ml:intermediate are busy"), "\(second)")
    let status = try team.spool(["status"])
    #expect(status.output.contains("\ngroups       1 active"), "\(status)")
    try Scratch.write("", to: "\(team.files)/go")
    #expect(try team.spool(["group", "wait", first]).line == #"{"ml":"done"}"#)
  }

  @Test func `a program may make the offers, and refuse with its reason`() throws {
    let team = try NegotiatingTeam(["ada": "ml:expert", "bea": "ml:expert", "cyn": "ml"])
    defer { team.stop() }
    let answer = "cat >/dev/null; echo \"by $SPOOL_BOT\""
    try team.work(
      answer, ["--bid", #"grep -q '"skills":\["ml:novice"\]' && echo '{"refuse":"beneath me"}'"#], only: "ada")
    try team.work(answer, ["--bid", #"echo '{"offer":{"skills":["ml:expert"],"price":0.5}}'"#], only: "bea")
    try team.work(answer, only: "cyn")
    try team.coordinate()
    let outcome = try team.spool([
      "announce", "x", "--skill", "ml:novice", "--deadline", "30s", "--from", "ada", "--wait", "--json",
    ])
    let group = try JSONValue(parsing: Array(outcome.output.utf8))
    #expect(group["results"]?["ml"]?.string == "by bea", "\(outcome)")
    let id = try #require(group["id"]?.string)
    #expect(try team.thread(id).contains { $0["from"]?.string == "ada" && $0["content"]?.string == "beneath me" })
  }

  @Test func `a query that can't be answered is given up long before its lease is over`() throws {
    let team = try NegotiatingTeam(["ada": "ml:expert"], settings: ["attempts_max": 2])
    defer { team.stop() }
    try team.work("echo done", ["--bid", "cat >/dev/null; echo '{}'"])
    try Scratch.write(
      #"{"from":"nobody","type":"skill_query","performative":"cfp","content":"x","data":{"skills":["ml"],"#
        + #""deadline":"2099-01-01T00:00:00Z"}}"#, to: "\(team.path)/bots/ada/inbox/query.json")
    // Half of a lease.
    #expect(eventually(30) { !Scratch.names("\(team.path)/bots/ada/dead").isEmpty })
  }

  @Test func `a bid that takes longer than a lease is made once, and keeps no worker from ending`() throws {
    let team = try NegotiatingTeam(["ada": "ml:expert"], settings: ["lease_seconds": 3, "attempts_max": 2])
    defer { team.stop() }
    let bid = "\(team.files)/bid.sh"
    try Scratch.write(
      """
      #!/bin/sh
      cat >/dev/null; touch $FILES/asked; until [ -e $FILES/go ]; do sleep 0.05; done
      echo '{"offer":{"skills":["ml:expert"],"price":0.5}}'

      """, to: bid)
    chmod(bid, 0o755)
    try team.work("echo done", ["--bid", bid])
    try team.coordinate(["--reply-timeout", "40s"])
    let id = try team.spool(["announce", "x", "--skill", "ml:expert", "--deadline", "2m"]).line
    try team.require("it is asked") { team.text("asked") != nil }
    // Somebody else looks after the inbox, for more than two leases.
    #expect(try team.spool(["receive", "ada", "--wait", "7s"]).status == 1)
    try Scratch.write("", to: "\(team.files)/go")
    let outcome = try team.spool(["group", "wait", id, "--timeout", "30s"])
    #expect(outcome.line == #"{"ml":"done"}"#, "\(outcome)")
    let types = try team.thread(id).compactMap { $0["type"]?.string }
    #expect(types.count { $0 == "skill_offer" } == 1, "\(types)")
    let worker = try #require(team.workers["ada"])
    worker.kill(SIGTERM)
    #expect(try worker.wait(seconds: 20).isDone)
  }

  @Test func `a worker with an offer that it can't send any more ends when its spool is gone`() throws {
    let team = try NegotiatingTeam(["ada": "ml:expert"], settings: ["lease_seconds": 1])
    defer { team.stop() }
    let bid = "\(team.files)/bid.sh"
    try Scratch.write(
      "#!/bin/sh\ncat >/dev/null; touch $FILES/asked; until [ -e $FILES/gone ]; do sleep 0.05; done; echo '{\"refuse\":\"x\"}'\n",
      to: bid)
    chmod(bid, 0o755)
    try team.work("cat >/dev/null", ["--bid", bid])
    try team.coordinate()
    #expect(try team.spool(["announce", "x", "--skill", "ml:expert", "--deadline", "1m"]).isDone)
    try team.require("it is asked") { team.text("asked") != nil }
    let worker = try #require(team.workers["ada"])
    worker.kill(SIGTERM)
    TemporaryDirectory.removeTree(team.path)
    try Scratch.write("", to: "\(team.files)/gone")
    let end = try worker.wait(seconds: 30)
    #expect(end.status == 69 && end.error.contains("is gone"), "\(end)")
  }
}
