import SpoolFormat
import Testing

@testable import CoordinatorPolicy

@Suite struct DecompositionTests {
  private func plan(
    _ approach: Analysis.Approach, _ domains: [String], _ text: String = "Build a thing", learnings: [String] = []
  ) -> Workflow {
    Decomposition.plan(
      text, Analysis(complexity: .high, domains: domains, requiresTeam: true, approach: approach), learnings: learnings)
  }

  private func shape(_ workflow: Workflow) -> [String] {
    workflow.steps.map { "\($0.name)<\($0.dependsOn.joined(separator: "+"))" }
  }

  @Test func `each approach has its shape`() {
    #expect(shape(plan(.routeToSpecialist, ["research"])) == ["answer<"])
    #expect(
      shape(plan(.sequentialWorkflow, ["development", "quality", "operations"])) == [
        "development<", "quality<development", "operations<quality",
      ])
    #expect(shape(plan(.parallelDelegation, ["design", "development"])) == ["design<", "development<"])
    #expect(
      shape(plan(.decomposeAndDelegate, ["quality", "development", "design"])).last == "quality<development"
        || shape(plan(.decomposeAndDelegate, ["quality", "development", "design"])).last?.hasPrefix("quality<") == true)
    #expect(shape(plan(.decomposeAndDelegate, ["development"])) == ["plan<", "work<plan", "check<work"])
    #expect(shape(plan(.sequentialWorkflow, [])) == ["answer<"])
  }

  @Test(arguments: [
    "Build it", "", "{{design.result}} and {{nonsense}}", "line\nline", String(repeating: "x", count: 5000),
    "a \"quoted\" \u{1b}[31m one", "{{{{{{", String(repeating: "{", count: 5000),
    String(repeating: "\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467}\u{200D}\u{1F466}", count: 60),
  ])
  func `every plan is a workflow that can be read again, whatever was asked`(text: String) throws {
    for approach in Analysis.Approach.allCases {
      for domains in [[], ["development"], ["design", "development", "quality"], ["kochen & backen", "über"]] {
        let workflow = plan(approach, domains, text, learnings: ["{{x.result}}"])
        let read = try Workflow(parsing: workflow.encoded)
        #expect(read.steps.map(\.name) == workflow.steps.map(\.name))
      }
    }
  }

  @Test func `learnings reach the workers`() {
    let workflow = plan(.routeToSpecialist, ["research"], learnings: ["look at the date first"])
    #expect(workflow.steps[0].context?.description.contains("look at the date first") == true)
  }
}
