extension Work {
  static func fanOut(_ bench: Bench, _ name: String) -> Work {
    var peers: [Contender] = []
    if Processes.find(Redis.program) != nil {
      peers.append(
        Contender(Redis.name) {
          let redis = try Redis(durable: false, in: bench.scratch)
          return Session(
            measure: { milliseconds(try redis.sendToAll((0..<Links.count).map { "inbox\($0)" })) },
            stop: { redis.stop() })
        })
    }
    let ours = Contender(SpoolService.name) {
      let spool = try SpoolService(.spool, in: bench.scratch)
      let bots = (0..<Links.count).map { "bot\($0)" }
      for bot in bots { try spool.makeInbox(bot) }
      return Session(
        measure: {
          let time = milliseconds(try spool.sendToAll())
          // The links are gone after each round, as the floor's are.
          for bot in bots { spool.emptyInbox(bot) }
          return time
        }, stop: { spool.stop() })
    }
    return Work(
      name: name, unit: "ms", targets: [.atMost(1.5, of: Target.floor)], ours: ours,
      floor: Contender("linkat") {
        let links = try Links(in: bench.scratch)
        return Session(measure: { milliseconds(try links.time()) }, stop: { links.remove() })
      }, peers: peers)
  }
}

/// Nanoseconds as milliseconds.
func milliseconds(_ nanoseconds: Int) -> Double { Double(nanoseconds) / 1e6 }
