import Glibc
import TestSupport
import TestThreads
import Testing

@Suite(.waiting) struct TaskListTests {
  @Test func `a task that somebody is just changing isn't taken for none`() throws {
    let stage = try TaskStage()
    #expect(try stage.run(["task", "list"]).error.contains("no tasks yet"))
    let id = try stage.add("write")
    let mover = "\(stage.spool)/tasks/moving/elsewhere.1.1"
    #expect(mkdir("\(stage.spool)/tasks/moving", 0o755) == 0 || errno == EEXIST)
    #expect(mkdir(mover, 0o755) == 0)
    #expect(rename("\(stage.spool)/tasks/pending/5-\(id).json", "\(mover)/pending~5-\(id).json") == 0)
    for arguments in [["task", "list"], ["task", "list", "pending"]] {
      let listed = try stage.run(arguments)
      #expect(listed.status == 1 && listed.error.contains("1 task is just being changed"), "\(listed)")
      #expect(!listed.error.contains("no tasks yet"), "\(listed)")
    }
  }
}
