import Glibc

extension Work {
  static func command(_ bench: Bench, _ name: String) -> Work {
    let times = bench.count(50)
    func trueTime() throws -> Int {
      guard let path = Processes.find("true") else { throw BenchError("true is not on the PATH") }
      return try commandTime(path, times: times)
    }
    func appendTime() throws -> Int { try syncedAppendTime(in: bench.scratch, times: times) }
    let ours = Contender(SpoolService.name) {
      let command = try SpoolCommand()
      try command.require("send")
      let spool = try SpoolService(.spoolDurable, in: bench.scratch)
      try spool.makeInbox("bot")
      let arguments = ["send", "--spool", spool.place, "--from", "bench", "bot", SpoolService.content]
      return Session(
        measure: { milliseconds(try commandTime(command.path, arguments, times: times)) }, stop: { spool.stop() })
    }
    return Work(
      name: name, unit: "ms", targets: [.atMost(3, of: Target.floor)], ours: ours,
      floor: Contender("true + append") { milliseconds(try trueTime() + appendTime()) },
      beside: [
        Contender("true") { milliseconds(try trueTime()) },
        Contender("append") { milliseconds(try appendTime()) },
      ])
  }

  static func idleMemory(_ bench: Bench, _ name: String) -> Work {
    let peers: [(name: String, program: String, start: () throws -> (pid: pid_t, service: any Service))] = [
      (
        Redis.name, Redis.program,
        {
          let redis = try Redis(durable: false, in: bench.scratch)
          return (redis.pid, redis)
        }
      ),
      (
        Beanstalkd.name, Beanstalkd.program,
        {
          let beanstalkd = try Beanstalkd(durable: false, in: bench.scratch)
          return (beanstalkd.pid, beanstalkd)
        }
      ),
      (
        Nats.name, Nats.program,
        {
          let nats = try Nats(in: bench.scratch)
          return (nats.pid, nats)
        }
      ),
    ]
    return Work(
      name: name, unit: "MiB", targets: [.below(15)], ours: idleWorker(bench),
      peers: peers.filter { Processes.find($0.program) != nil }.map { peer in
        Contender(peer.name) {
          let (pid, service) = try peer.start()
          return Session(measure: { try residentMemory(of: pid) }, stop: { service.stop() })
        }
      })
  }

  /// A `spool work` that has had one message, and waits for the next.
  private static func idleWorker(_ bench: Bench) -> Contender {
    Contender(SpoolService.name) {
      let command = try SpoolCommand()
      try command.require("work")
      let spool = try SpoolService(.spool, in: bench.scratch)
      try spool.makeInbox("bot")
      let pid = try Processes.spawn(command.path, ["work", "--spool", spool.place, "bot", "--", "true"])
      do {
        try spool.sendAndAwait("bot", secondsMax: 10)
      } catch {
        Processes.stop(pid)
        spool.stop()
        throw error
      }
      return Session(
        measure: { try residentMemory(of: pid) },
        stop: {
          Processes.stop(pid)
          spool.stop()
        })
    }
  }
}
