import Glibc

extension Work {
  static func deliver(_ bench: Bench, _ name: String) -> Work {
    let count = bench.count(20_000)
    func rate(_ service: any Service, _ inboxes: [String]) throws -> Double {
      let reports = try runTogether(
        [
          Role(.receive, count, service.address(from: inboxes[0])),
          Role(.send, count, service.address(to: inboxes[0])),
        ], secondsMax: bench.secondsMax)
      return perSecond(count, reports.span)
    }
    return Work(
      name: name, unit: "messages/s", targets: [.atLeast(0.6, of: Target.floor), .atLeast(1, of: Redis.name)],
      ours: Contender.ours(bench, inboxes: 1, measure: rate),
      floor: Contender("bare", inboxes: 1, starting: { try BareDirectories(.bare, in: bench.scratch) }, measure: rate),
      peers: Contender.peers(bench, inboxes: 1, measure: rate))
  }

  static func latency(_ bench: Bench, _ name: String) -> Work {
    let measure = oneWay(bench)
    return Work(
      name: name, unit: "us", targets: [.atMost(1.6, of: Target.floor)],
      ours: Contender.ours(bench, inboxes: 2, measure: measure),
      floor: Contender(
        "bare", inboxes: 2, starting: { try BareDirectories(.bare, in: bench.scratch) }, measure: measure),
      peers: Contender.peers(bench, inboxes: 2, measure: measure))
  }

  /// Two processes that answer each other by setting a value each.
  static func state(_ bench: Bench, _ name: String) -> Work {
    let measure = oneWay(bench)
    return Work(
      name: name, unit: "us", targets: [.atMost(1.6, of: Target.floor)],
      ours: Contender.ours(bench, .state, inboxes: 2, measure: measure),
      floor: Contender(
        "bare", inboxes: 2, starting: { try BareDirectories(.bare, in: bench.scratch) }, measure: measure))
  }

  /// Half of a round trip between two processes, median, in microseconds.
  private static func oneWay(_ bench: Bench) -> (any Service, [String]) throws -> Double {
    let count = bench.count(5_000)
    return { service, inboxes in
      let reports = try runTogether(
        [
          Role(.pong, count, service.address(to: inboxes[1], from: inboxes[0])),
          Role(.ping, count, service.address(to: inboxes[0], from: inboxes[1])),
        ], secondsMax: bench.secondsMax)
      return Double(percentile(50, of: reports[1].samples)) / 2 / 1_000
    }
  }

  /// The floor here is what the log saves: a sync of each file and of its directory.
  static func durable(_ bench: Bench, _ name: String, processes: Int) -> Work {
    let milliseconds = bench.count(1_000)
    func rate(_ service: any Service, _ inboxes: [String]) throws -> Double {
      let role = Role(.sendFor, milliseconds, service.address(to: inboxes[0]))
      let reports = try runTogether(
        Array(repeating: role, count: processes), secondsMax: bench.secondsMax)
      return perSecond(reports.map(\.count).reduce(0, +), reports.span)
    }
    let targets: [Target] =
      switch processes {
      case 1: [.atLeast(1, of: Redis.name), .atLeast(2, of: Target.floor)]
      case 8: [.atLeast(1, of: Redis.name)]
      default: [.atLeast(0.6, of: Redis.name)]
      }
    return Work(
      name: name, unit: "messages/s", targets: targets,
      ours: Contender.ours(bench, .spoolDurable, inboxes: 1, measure: rate),
      floor: Contender(
        "synced", inboxes: 1, starting: { try BareDirectories(.synced, in: bench.scratch) }, measure: rate),
      peers: Contender.peers(bench, durable: true, inboxes: 1, measure: rate))
  }

  /// The receivers find all messages there already, so that they compete from the first to the last.
  static func compete(_ bench: Bench, _ name: String) -> Work {
    let count = bench.count(20_000)
    func rate(receivers: Int) -> (any Service, [String]) throws -> Double {
      { service, inboxes in
        try fill(service.address(to: inboxes[0]), count)
        let role = Role(.drain, 0, service.address(from: inboxes[0]))
        let reports = try runTogether(Array(repeating: role, count: receivers), secondsMax: bench.secondsMax)
        var seen = SerialSet(count: count)
        for serial in reports.flatMap(\.samples) { try seen.insert(serial) }
        guard seen.size == count else { throw BenchError("\(count - seen.size) of \(count) messages were lost") }
        return perSecond(count, reports.span)
      }
    }
    let bare = [1, 4].map { receivers in
      Contender(
        "bare, \(receivers)", inboxes: 1, starting: { try BareDirectories(.bare, in: bench.scratch) },
        measure: rate(receivers: receivers))
    }
    return Work(
      name: name, unit: "messages/s", targets: [.atLeast(0.6, of: Target.floor)],
      ours: Contender.ours(bench, inboxes: 1, measure: rate(receivers: 4)),
      floor: Contender.ours(bench, named: "one receiver", inboxes: 1, measure: rate(receivers: 1)),
      peers: Contender.peers(bench, inboxes: 1, measure: rate(receivers: 4)), beside: bare)
  }
}

private func fill(_ address: Address, _ count: Int) throws {
  var endpoint = try address.open()
  defer { endpoint.close() }
  var payload = Payload()
  for serial in 0..<count { try endpoint.send(payload.numbered(serial)) }
}

private func perSecond(_ count: Int, _ nanoseconds: Int) -> Double {
  Double(count) * 1e9 / Double(max(nanoseconds, 1))
}

extension Contender {
  static func ours(
    _ bench: Bench, named name: String = SpoolService.name, _ system: System = .spool, inboxes: Int,
    measure: @escaping (any Service, [String]) throws -> Double
  ) -> Contender {
    Contender(name, inboxes: inboxes, starting: { try SpoolService(system, in: bench.scratch) }, measure: measure)
  }

  /// The systems that are on the PATH. JetStream (of the versions that Linux distributions have)
  /// cannot sync each message, so it has no durable side.
  static func peers(
    _ bench: Bench, durable: Bool = false, inboxes: Int, measure: @escaping (any Service, [String]) throws -> Double
  ) -> [Contender] {
    var peers: [Contender] = []
    if Processes.find(Redis.program) != nil {
      peers.append(
        Contender(
          Redis.name, inboxes: inboxes, starting: { try Redis(durable: durable, in: bench.scratch) }, measure: measure))
    }
    if Processes.find(Beanstalkd.program) != nil {
      peers.append(
        Contender(
          Beanstalkd.name, inboxes: inboxes, starting: { try Beanstalkd(durable: durable, in: bench.scratch) },
          measure: measure))
    }
    if !durable && Processes.find(Nats.program) != nil {
      peers.append(
        Contender(Nats.name, inboxes: inboxes, starting: { try Nats(in: bench.scratch) }, measure: measure))
    }
    return peers
  }
}
