#if DEBUG
  import Glibc
  import Spool
  import SpoolFormat
  import TestSupport
  import TestThreads
  import Testing

  @Suite(.waiting) struct StateRaceTests {
    @Test func `who looks at a value just when somebody puts it back removes nothing`() throws {
      let stage = try Stage(bots: [])
      let key = try StateKey(parsing: "light")
      var number = 0
      var wasStopped = true
      while wasStopped, number < 300 {
        number += 1
        _ = try stage.bystander.setState(key, to: JSONText(validating: "\(number)"))
        // Its maker was stopped with an earlier deletion before it took the file away, and found this one.
        let file = "\(stage.path)/state/light.json"
        let taken = "\(stage.path)/state/tmp/light~1~\(stage.bystander.holder)~5~deleted.json.taken"
        #expect(rename(file, taken) == 0)
        let get = try SpoolCommand.start(
          ["state", "get", "light"], in: stage.path, environment: ["SPOOL_FAULT": "stop-before:\(number)"])
        #expect(eventually { get.isStoppedOrOver })
        wasStopped = try Plain.text("/proc/\(get.pid)/stat").contains(") T ")
        #expect(link(taken, file) == 0 || errno == EEXIST || errno == ENOENT)
        unlink(taken)
        get.kill(SIGCONT)
        let outcome = try get.wait(seconds: SpoolCommand.secondsMax)
        #expect(outcome.isDone && outcome.line == "\(number)", "\(number): \(outcome)")
        #expect(try stage.bystander.state(key)?.value?.description == "\(number)", "\(number)")
      }
      #expect(number > 20 && !wasStopped)
    }
  }
#endif
