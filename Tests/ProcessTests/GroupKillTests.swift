import Glibc
import SpoolFormat
import TestSupport
import TestThreads
import Testing

/// Hubs and members that are killed in every phase: each group ends, and nobody is left waiting.
@Suite(.waiting, .serialized) struct GroupKillTests {
  private static let doing = "cat >/dev/null; echo \"done by $SPOOL_BOT\""

  private func announce(_ team: NegotiatingTeam, _ skills: [String] = ["ml", "sql"], _ options: [String] = []) throws
    -> String
  {
    let outcome = try team.spool(
      ["announce", "x", "--deadline", "2m", "--from", "ada"] + skills.flatMap { ["--skill", $0] } + options)
    try #require(outcome.isDone, "\(outcome)")
    return outcome.line
  }

  @Test func `a hub killed before any of its steps leaves its group to the next one`() throws {
    let team = try NegotiatingTeam(["ada": "ml:expert", "bea": "sql"], capacity: 4)
    defer { team.stop() }
    try team.work(Self.doing)
    // How many system calls there are before it gets to work, and until a group is dissolved.
    let trace = "\(team.files)/trace"
    let first = try team.coordinate(["--maintenance", "100ms"], environment: ["SPOOL_FAULT_TRACE": trace])
    func calls() -> Int { Scratch.text(trace).split(separator: "\n").count }
    try team.require("a hub leads") { !Scratch.names("\(team.path)/coordinator/leader").filter { $0 != "0" }.isEmpty }
    let begun = calls()
    let whole = try announce(team)
    try team.require("the first is done") { team.state(whole) == "dissolved" }
    let end = calls()
    team.killHub(first)
    #expect(end - begun > 100)
    let seed = UInt64.random(in: 1 ... .max)
    var random = SeededGenerator(seed: seed)
    var killed = 0
    for round in 0..<12 {
      let point = begun + (end - begun) * round / 12 + Int.random(in: 0..<max(1, (end - begun) / 12), using: &random)
      let fault = round % 2 == 0 ? "kill-before:\(point)" : "kill-after:\(point)"
      let hub = try team.coordinate(["--maintenance", "100ms"], environment: ["SPOOL_FAULT": fault])
      let id = try announce(team)
      try team.require("\(fault) (seed \(seed)): it is dissolved, or the hub is dead") {
        team.state(id) == "dissolved" || team.hasEnded(hub)
      }
      if team.hasEnded(hub) { killed += 1 }
      let next = try team.coordinate(["--maintenance", "100ms"])
      try team.require("\(fault) (seed \(seed)): it is dissolved") { team.state(id) == "dissolved" }
      let group = try #require(try team.lines(["group", "show", id, "--json"]).first)
      #expect(group["results"]?["ml"]?.string == "done by ada" && group["results"]?["sql"]?.string == "done by bea")
      team.killHub(next)
      team.killHub(hub)
    }
    #expect(killed >= 6, "seed \(seed)")
    // Nobody has anything left in hand.
    for state in ["pending", "assigned", "in_progress", "blocked"] {
      #expect(Scratch.names("\(team.path)/tasks/\(state)").isEmpty, "\(state), seed \(seed)")
    }
    #expect(Scratch.names("\(team.path)/bots/ada/reserved").isEmpty)
  }

  @Test func `two hubs share the announcements, and each goes on with those of the other when that dies`() throws {
    let team = try NegotiatingTeam(["ada": "ml", "bea": "ml", "cyn": "sql", "dan": "sql"], capacity: 3)
    defer { team.stop() }
    try team.work("cat >/dev/null; until [ -e $FILES/go ]; do sleep 0.1; done; echo done")
    let hubs = [try team.coordinate(["--announcements", "2"]), try team.coordinate(["--announcements", "2"])]
    try team.require("both are there") {
      Scratch.names("\(team.path)/bots/coordinator/presence").count == 2
    }
    let ids = try (0..<8).map { _ in try announce(team) }
    // The claims bear their holders.
    try team.require("both have some, and some are formed") {
      let holders = Scratch.names("\(team.path)/bots/hub/claimed").compactMap { $0.split(separator: "~").last }
      return Set(holders).count == 2 && ids.contains { team.state($0) == "active" }
    }
    team.killHub(hubs[0])
    try Scratch.write("", to: "\(team.files)/go")
    for id in ids { try team.require("\(id) is dissolved") { team.state(id) == "dissolved" } }
  }

  @Test func `workers and hubs killed at random: each announcement ends, and capacity holds`() throws {
    let team = try NegotiatingTeam(
      ["ada": "ml sql", "bea": "ml", "cyn": "sql viz", "dan": "viz", "eve": "ml viz"], capacity: 2)
    defer { team.stop() }
    let script = """
      cat >/dev/null; f=$FILES/run-$SPOOL_BOT-$$; : > $f; sleep 0.$((RANDOM % 3 + 1)) 2>/dev/null || sleep 0.2
      rm -f $f; echo "done by $SPOOL_BOT"
      """
    try team.work(script)
    var hub = try team.coordinate(["--group-timeout", "2m", "--maintenance", "200ms"])
    let seed = UInt64.random(in: 1 ... .max)
    var random = SeededGenerator(seed: seed)
    var ids: [String] = []
    var most = 0
    func inHand() -> Set<String> {
      Set(
        ["assigned", "in_progress"].flatMap { state in
          Scratch.names("\(team.path)/tasks/\(state)").map { "\(state)/\($0)" }
        })
    }
    // What lies in the same place in two looks lay there between them, all at one time.
    func look() {
      let bots = inHand().intersection(inHand()).compactMap {
        $0.dropLast(5).split(separator: "~").last?.prefix { $0 != "@" }
      }
      most = max(most, Dictionary(grouping: bots.filter { $0 != "hub" }) { $0 }.values.map(\.count).max() ?? 0)
    }
    for round in 0..<24 {
      let skills = ["ml", "sql", "viz"].shuffled(using: &random).prefix(Int.random(in: 1...3, using: &random))
      ids.append(try announce(team, Array(skills)))
      if round % 6 == 3 {
        let bot = team.bots.keys.sorted().randomElement(using: &random)!
        team.kill(bot)
        try team.work(script, only: bot)
      }
      if round % 8 == 5 {
        team.killHub(hub)
        hub = try team.coordinate(["--group-timeout", "2m", "--maintenance", "200ms"])
      }
      look()
    }
    for id in ids {
      try team.require("\(id) has ended (seed \(seed))") {
        look()
        return ["dissolved", "failed"].contains(team.state(id))
      }
      let group = try #require(try team.lines(["group", "show", id, "--json"]).first)
      if team.state(id) == "failed" { #expect(group["error"]?.string?.isEmpty == false) }
    }
    #expect(ids.count { team.state($0) == "dissolved" } >= 20, "seed \(seed)")
    #expect(most <= 2, "a bot had \(most) tasks at once, seed \(seed)")
    try team.require("nothing is left in hand") {
      ["pending", "assigned", "in_progress", "blocked"].allSatisfy { state in
        Scratch.names("\(team.path)/tasks/\(state)").isEmpty
      } && Scratch.names("\(team.path)/bots/hub/claimed").isEmpty
    }
  }

  @Test func `a member may announce parts of its part: one tree, and a bound on its depth`() throws {
    let team = try NegotiatingTeam(["ada": "lead", "bea": "ml", "cyn": "deep"], capacity: 8)
    defer { team.stop() }
    let command = try SpoolCommand.path.get()
    // The lead hands its part on; the deep one hands it on to itself until it may not.
    try team.work(
      """
      cat >/dev/null
      case $SPOOL_BOT in
        ada) \(command) announce "the model" --skill ml --deadline 30s --wait --from ada ;;
        cyn) \(command) announce "deeper" --skill deep --deadline 30s --wait --from cyn 2>>$FILES/deep || echo bottom ;;
        *) echo "a model by $SPOOL_BOT" ;;
      esac
      """)
    try team.coordinate()
    let done = try team.spool(["announce", "all of it", "--skill", "lead", "--deadline", "40s", "--wait"])
    #expect(done.isDone && done.output.contains("a model by bea"), "\(done)")
    let tree = try team.spool(["task", "tree", "--all"]).output
    let lines = tree.split(separator: "\n").map(String.init)
    #expect(lines.contains { $0.hasPrefix("all of it") }, "\(tree)")
    #expect(tree.contains("the model") && tree.contains("ml: the model"), "\(tree)")
    let deep = try team.spool(["announce", "deep", "--skill", "deep", "--deadline", "40s", "--wait"])
    #expect(deep.isDone && deep.output.contains("bottom"), "\(deep)")
    #expect(team.text("deep")?.contains("parts of parts may be announced 4 deep, and this would be 5") == true)
  }

  @Test func `a hub that was stopped for longer than its lease changes nothing any more when it goes on`() throws {
    let team = try NegotiatingTeam(["ada": "ml", "bea": "sql"], settings: ["lease_seconds": 3])
    defer { team.stop() }
    try team.work("cat >/dev/null; until [ -e $FILES/go ]; do sleep 0.05; done; echo done")
    let first = try team.coordinate()
    let id = try announce(team)
    try team.require("it is formed") { team.state(id) == "active" }
    first.kill(SIGSTOP)
    try team.coordinate()
    try team.require("the other has it") {
      Scratch.names("\(team.path)/groups/active").contains { $0.contains("\(id)~2") }
    }
    first.kill(SIGCONT)
    try Scratch.write("", to: "\(team.files)/go")
    try team.require("it is dissolved") { team.state(id) == "dissolved" }
    let ends = try team.thread(id).filter { $0["type"]?.string == "task_complete" }
    #expect(ends.allSatisfy { $0["performative"]?.string == "inform" }, "\(ends)")
    let group = try #require(try team.lines(["group", "show", id, "--json"]).first)
    #expect(group["parts"]?.array?.count == 2 && group["results"]?["sql"]?.string == "done", "\(group.text)")
  }

  @Test func `when a member dies, what it had announced of its part ends with it, and the next one announces anew`()
    throws
  {
    let team = try NegotiatingTeam(["ada": "lead", "bea": "lead", "cyn": "ml"], capacity: 2)
    defer { team.stop() }
    let command = try SpoolCommand.path.get()
    try team.work(
      """
      cat >/dev/null
      if [ "$SPOOL_BOT" = cyn ]; then
        [ -e $FILES/second ] && echo "a model" && exit
        touch $FILES/first; sleep 60
      fi
      echo $SPOOL_BOT >> $FILES/leads
      \(command) announce "the model" --skill ml --deadline 30s --wait
      """)
    try team.coordinate()
    let id = try announce(team, ["lead"])
    try team.require("cyn is at it") { team.text("first") != nil }
    let lead = try #require(team.text("leads")?.split(separator: "\n").first.map(String.init))
    try Scratch.write("", to: "\(team.files)/second")
    team.kill(lead)
    try team.require("it is dissolved") { team.state(id) == "dissolved" }
    let groups = try team.lines(["group", "list", "--all", "--json"])
    let parts = groups.filter { $0["text"]?.string == "the model" }
    #expect(parts.count == 2 && parts.count { $0["error"] != nil } == 1, "\(parts)")
    let whole = try #require(try team.lines(["group", "show", id, "--json"]).first)
    #expect(whole["results"]?["lead"]?.text.description.contains("a model") == true, "\(whole.text)")
  }
}
