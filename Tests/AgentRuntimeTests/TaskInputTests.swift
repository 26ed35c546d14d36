import AgentRuntime
import Glibc
import Linux
import Spool
import SpoolFormat
import TestThreads
import Testing

/// What a task waited for, and what its program gets of it.
@Suite(.waiting) struct TaskInputTests {
  @Test func `the results of what a task waited for come with it, by the names of their steps`() throws {
    let team = try Team()
    let design = try team.give("design") { $0.step = "design" }
    let data = try team.give("data")
    let build = try team.give("build") {
      $0.dependsOn = [design, data]
      $0.stepNames = ["design": design]
      $0.assignTo = team.coder
    }
    #expect(try team.spool.findTask(build)?.state == .blocked)
    let (summary, _) = try team.work(
      team.taskScript(
        """
        read -r task
        case $task in
          *'"title":"build"'*) printf %s "$task";;
          *'"title":"design"'*) echo '{"result":{"pages":3}}';;
          *) echo numbers;;
        esac
        """))
    #expect(summary == WorkerSummary(claimed: 3, acked: 3))
    let input = try JSONValue(parsing: Array(try #require(try team.result(of: build)).utf8))
    let given = try #require(input["dependencies"])
    #expect(given.object?.map(\.key) == ["design", data.description])
    #expect(given["design"]?["result"]?["pages"]?.int == 3)
    #expect(given["design"]?["id"]?.string == design.description)
    #expect(given["design"]?["state"]?.string == "completed")
    #expect(given[data.description]?["result"]?.string == "numbers")
    #expect(given[data.description]?["title"]?.string == "data")
  }

  @Test func `templates are filled in with the results of the steps that they name, near and far`() throws {
    let team = try Team()
    let (design, plan) = (try team.give("design"), try team.give("plan"))
    let build = try team.give("build {{design.result.name}}") {
      $0.dependsOn = [plan]
      $0.stepNames = ["design": design, "plan": plan]
      $0.description = "as {{plan.result}} says, {{not.a.template}}"
      $0.requirements = ["{{design.result.pages.0}} pages"]
      $0.context = JSONText(trusted: Array(#"{"design":"{{design.result}}"}"#.utf8))
      $0.priority = Priority(value: 1)!
    }
    try team.work(
      team.taskScript(
        """
        read -r task
        case $task in
          *'"title":"build'*) printf %s "$task";;
          *'"title":"design"'*) echo '{"result":{"name":"parser","pages":[3]}}';;
          *) echo the plan;;
        esac
        """))
    let input = try JSONValue(parsing: Array(try #require(try team.result(of: build)).utf8))
    #expect(input["title"]?.string == "build parser")
    #expect(input["description"]?.string == "as the plan says, {{not.a.template}}")
    #expect(input["requirements"]?.array == [.string("3 pages")])
    #expect(input["context"]?["design"]?["name"]?.string == "parser")
    #expect(input["dependencies"]?.object?.map(\.key) == ["plan"])
    // What is kept is as it was written.
    #expect(try team.spool.task(build)?.record.title == "build {{design.result.name}}")
  }

  @Test func `a template that can't be filled in fails the task for good, without running the program`() throws {
    let team = try Team()
    let design = try team.give("design")
    let build = try team.give("build") {
      $0.dependsOn = [design]
      $0.stepNames = ["design": design]
      $0.description = "{{design.result.pages}}"
    }
    try team.work(team.taskScript("echo $SPOOL_TASK >> $DIR/runs; echo text"))
    let task = try #require(try team.spool.task(build))
    #expect(task.state == .failed)
    #expect(task.record.error?.contains("design.result has no \"pages\"") == true, "\(task.record.error ?? "")")
    #expect(team.text(of: "runs") == "\(design)\n")
  }

  @Test func `a parent that waited for its children gets their results`() throws {
    let team = try Team()
    let parent = try team.give("all") { $0.waitsForChildren = true }
    let children = try ["a", "b"].map { name in
      try team.give(name) {
        $0.parent = parent
        $0.step = name
      }
    }
    try team.work(team.taskScript("read -r task; case $task in *'\"waits'*) printf %s \"$task\";; *) echo x;; esac"))
    let input = try JSONValue(parsing: Array(try #require(try team.result(of: parent)).utf8))
    #expect(input["dependencies"]?.object?.map(\.key) == ["a", "b"])
    #expect(input["dependencies"]?["b"]?["id"]?.string == children[1].description)
    #expect(input["dependencies"]?["b"]?["result"]?.string == "x")
  }
}
