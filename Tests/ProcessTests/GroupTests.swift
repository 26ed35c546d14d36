import Glibc
import SpoolFormat
import TestSupport
import Testing

/// Groups of real processes: announced, formed, at work, dissolved.
@Suite(.serialized) struct GroupTests {
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
}
