#if DEBUG
  import Glibc
  import TestSupport
  import TestThreads
  import Testing

  /// Messages and tasks that are claimed while no process can be started.
  @Suite(.waiting) struct UnstartedTests {
    @Test(arguments: [EAGAIN, ENOMEM, EMFILE, ETXTBSY, EIO, ESTALE])
    func `what no program could be started for has had no attempt`(code: CInt) throws {
      let scratch = try Scratch(inMemory: true)
      let spool = try scratch.makeSpool(bots: ["coder"], settings: ["attempts_max": 1])
      func done(_ arguments: [String], _ environment: [String: String] = [:]) throws -> SpoolCommand.Outcome {
        let outcome = try SpoolCommand.run(arguments, in: spool, environment: environment)
        #expect(outcome.isDone, "\(arguments): \(outcome)")
        return outcome
      }
      let message = try done(["send", "coder", "hi"]).line
      let task = try done(["task", "add", "do it", "--to", "coder", "--max-attempts", "1"]).line
      for kind in [[], ["--tasks"]] {
        let script = "echo $SPOOL_ATTEMPT >>'\(scratch.path)/attempts'"
        let work = ["work", "coder", "--until-empty"] + kind + ["--", "sh", "-c", script]
        let outcome = try done(work, ["SPOOL_FAULT": "\(code):execvp#1"])
        #expect(outcome.error.contains("cannot run sh"), "it met the fault: \(outcome)")
      }
      #expect(Scratch.text("\(scratch.path)/attempts") == "1\n1\n")
      #expect(SpoolReader(spool).ackedAttempt(message, by: "coder") == 1)
      #expect(try done(["task", "show", task, "--json"]).output.contains(#""state":"completed""#))
      _ = try done(["doctor", "--repair"])
      #expect(SpoolReader(spool).violations(settled: true).isEmpty)
    }

    @Test func `a message that no program can be started with is given up like any other`() throws {
      let scratch = try Scratch(inMemory: true)
      let spool = try scratch.makeSpool(bots: ["coder"], settings: ["attempts_max": 1])
      #expect(try SpoolCommand.run(["send", "coder", "hi"], in: spool).isDone)
      let outcome = try SpoolCommand.run(
        ["work", "coder", "--until-empty", "--", "true"], in: spool, environment: ["SPOOL_FAULT": "\(E2BIG):execvp#1"])
      #expect(outcome.error.contains("given up"), "\(outcome)")
      #expect(Scratch.names("\(spool)/bots/coder/dead").count == 2, "it, and why")
    }

    @Test func `what was put back unseen isn't one of those that the worker was to do`() throws {
      let scratch = try Scratch(inMemory: true)
      let spool = try scratch.makeSpool(bots: ["coder"])
      let message = try SpoolCommand.run(["send", "coder", "hi"], in: spool).line
      let outcome = try SpoolCommand.run(
        ["work", "coder", "--max", "1", "--", "true"], in: spool, environment: ["SPOOL_FAULT": "\(EAGAIN):execvp#1"])
      #expect(outcome.isDone && outcome.error.contains("cannot run true"), "\(outcome)")
      #expect(SpoolReader(spool).ackedAttempt(message, by: "coder") == 1)
    }
  }
#endif
