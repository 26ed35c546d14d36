import Glibc
import Linux
import Spool
import SpoolFormat
import TestSupport
import TestThreads
import Testing

@testable import Coordinator

@Suite(.waiting) struct LearningsTests {
  private func keep(_ text: String, _ domain: String?, in spool: Spool, at microseconds: Int = 1) throws {
    var record = TaskRecord(title: text)
    let time = Timestamp(microseconds: microseconds)
    record.id = MessageID(time: time, random: UInt64(text.utf8.count))
    record.domain = domain
    record.learnings = [text]
    try Learnings(spool).keep(record, bot: nil, time: time)
  }

  @Test func `what is learned again takes no other's place`() throws {
    let stage = try Stage()
    try keep("the oldest", "data", in: stage.spool, at: 1)
    for time in [4, 2, 3] { try keep("again", "data", in: stage.spool, at: time) }
    try keep("again", "design", in: stage.spool, at: 1)
    let found = try Learnings(stage.spool).search([], limit: 3)
    #expect(Set(found.map { "\($0.domain): \($0.text)" }) == ["data: again", "data: the oldest", "design: again"])
    #expect(found.first?.domain == "data" && found.first?.text == "again")
    let newest = MessageID(time: Timestamp(microseconds: 4), random: UInt64("again".utf8.count))
    #expect(found.first?.task == newest.description)
  }

  @Test func `each field has a file of its own, whatever it is called`() throws {
    let stage = try Stage()
    let long = String(repeating: "試", count: 100)
    for domain in ["研究", "開発", "Qualité", "machine learning", long] {
      try keep("of \(domain)", domain, in: stage.spool)
    }
    let learnings = Learnings(stage.spool)
    #expect(try learnings.search([], domains: ["研究"]).map(\.text) == ["of 研究"])
    #expect(try learnings.search([], domains: ["qualité"]).map(\.domain) == ["qualité"])
    #expect(try learnings.search(["開発"]).map(\.domain) == ["開発"])
    #expect(try learnings.search([], domains: ["machine-learning"]).map(\.domain) == ["machine-learning"])
    #expect(try learnings.search([], domains: [long]).count == 1)
    #expect(try stage.spool.coordinatorFiles(in: "learnings").contains("%E7%A0%94%E7%A9%B6.jsonl"))
  }

  @Test func `a planner gets what tasks of the request's fields taught, and who isn't one reads nothing`() throws {
    var options = CoordinatorOptions()
    options.analyzer = [
      "/bin/sh", "-c",
      #"if grep -q Hello; then A=direct_response; else A=route_to_specialist; fi; "#
        + #"echo "{\"complexity\":\"low\",\"domains\":[],\"requires_team\":false,\"recommended_approach\":\"$A\"}""#,
    ]
    options.planner = [
      "/bin/sh", "-c", #"cat > "$SPOOL_DIR/asked"; echo '{"title":"t","steps":[{"name":"a","title":"a"}]}'"#,
    ]
    let stage = try Stage(options)
    try stage.spool.register(Card(name: Coordinator.human))
    try keep("of no field", nil, in: stage.spool)
    try keep("of writing", "writing", in: stage.spool)
    let id = try stage.ask("whatever")
    #expect(try stage.turns { try stage.spool.findTask(Goal.id(for: id)) != nil })
    let asked = String(decoding: try Plain.read("\(stage.path)/asked"), as: UTF8.self)
    #expect(asked.contains("of no field") && !asked.contains("of writing"))
    // What can't be read would be told of.
    #expect(unlink("\(stage.path)/coordinator/learnings/general.jsonl") == 0)
    #expect(mkdir("\(stage.path)/coordinator/learnings/general.jsonl", 0o755) == 0)
    try stage.ask("Hello!")
    #expect(try stage.turns { try !stage.messages(to: "human").isEmpty })
    #expect(stage.problems.isEmpty, "\(stage.problems)")
    try stage.ask("whatever else")
    #expect(try stage.turns { stage.problems.contains { $0.contains("general.jsonl") } })
  }
}
