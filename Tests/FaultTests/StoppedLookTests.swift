#if DEBUG
  import Glibc
  import Spool
  import SpoolFormat
  import TestSupport
  import TestThreads
  import Testing

  /// Who only looks, and is stopped at each of its calls while others change what it looks at.
  @Suite(.waiting) struct StoppedLookTests {
    /// - Parameter call: such as `getdents64#`; nothing for all of them.
    /// - Returns: how often it was stopped.
    private func stopAtEach(
      _ call: String = "", of arguments: [String], before: (Int) throws -> Stage,
      meanwhile: (Int, Stage) throws -> Void,
      after: (Int, SpoolCommand.Outcome) throws -> Void
    ) throws -> Int {
      for number in 1...500 {
        let stage = try before(number)
        let look = try SpoolCommand.start(
          arguments, in: stage.path, environment: ["SPOOL_FAULT": "stop-before:\(call)\(number)"])
        #expect(eventually { look.isStoppedOrOver })
        let wasStopped = try Plain.text("/proc/\(look.pid)/stat").contains(") T ")
        try meanwhile(number, stage)
        look.kill(SIGCONT)
        try after(number, try look.wait(seconds: SpoolCommand.secondsMax))
        if !wasStopped { return number - 1 }
      }
      throw Failure("it has no end")
    }

    @Test func `a directory that is removed while somebody lists it is none`() throws {
      let stage = try Stage(bots: ["a"])
      let directory = "\(stage.path)/tasks/moving/afar.17.17"
      let count = try stopAtEach("getdents64#", of: ["task", "list"]) { _ in
        #expect(mkdir(directory, 0o777) == 0)
        return stage
      } meanwhile: { _, _ in
        rmdir(directory)
      } after: { number, outcome in
        #expect(!outcome.error.contains("getdents64"), "\(number): \(outcome)")
      }
      #expect(count > 4)
    }

    @Test func `the doctor misses no segment that is begun, or collected, meanwhile`() throws {
      func begin(_ stage: Stage) throws {
        for _ in 0..<3 { try stage.send(String(repeating: "x", count: 3000), to: "a") }
      }
      let count = try stopAtEach("getdents64#", of: ["doctor"]) { _ in
        let stage = try Stage(bots: ["a"], settings: ["segment_bytes_max": 4096])
        try begin(stage)
        return stage
      } meanwhile: { number, stage in
        try begin(stage)
        if number % 2 == 0 { _ = try SpoolCommand.run(["gc", "--older-than", "0s"], in: stage.path) }
      } after: { number, outcome in
        #expect(!outcome.output.contains("what was logged in it is lost"), "\(number): \(outcome)")
      }
      #expect(count > 10)
    }

    @Test func `who looks at a value just when somebody puts it back removes nothing`() throws {
      let stage = try Stage(bots: [])
      let key = try StateKey(parsing: "light")
      let file = "\(stage.path)/state/light.json"
      // Its maker was stopped with an earlier deletion before it took the file away, and found this one.
      let taken = "\(stage.path)/state/tmp/light~1~\(stage.bystander.holder)~5~deleted.json.taken"
      let count = try stopAtEach(of: ["state", "get", "light"]) { number in
        _ = try stage.bystander.setState(key, to: JSONText(validating: "\(number)"))
        #expect(rename(file, taken) == 0)
        return stage
      } meanwhile: { _, _ in
        #expect(link(taken, file) == 0 || errno == EEXIST || errno == ENOENT)
        unlink(taken)
      } after: { number, outcome in
        #expect(outcome.isDone && outcome.line == "\(number)", "\(number): \(outcome)")
        let value = try stage.bystander.state(key)?.value
        #expect(value?.description == "\(number)", "\(number)")
      }
      #expect(count > 20)
    }
  }
#endif
