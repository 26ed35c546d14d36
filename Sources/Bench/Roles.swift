import Glibc

/// What one process of a measurement does, as it stands on its command line.
struct Role {
  enum Job: String {
    /// Sends `amount` messages.
    case send
    /// Sends for `amount` milliseconds.
    case sendFor
    /// Receives `amount` messages, each of them once.
    case receive
    /// Receives until there is nothing left, and reports the serial numbers.
    case drain
    /// Sends a message, awaits the answer, `amount` times, and reports the round trips.
    case ping
    /// Answers `amount` messages.
    case pong
  }

  let job: Job
  let amount: Int
  let address: Address

  static let flag = "--role"
  static let ready = UInt8(ascii: "!")
  static let go = UInt8(ascii: ">")

  init(_ job: Job, _ amount: Int, _ address: Address) {
    self.job = job
    self.amount = amount
    self.address = address
  }

  var arguments: [String] {
    [job.rawValue, "\(amount)", address.system.rawValue, address.place, address.outgoing, address.incoming]
  }

  init(arguments: [String]) throws {
    guard arguments.count == 6, let job = Job(rawValue: arguments[0]), let amount = Int(arguments[1]),
      let system = System(rawValue: arguments[2])
    else { throw BenchError("this is not how a role is given") }
    self.init(
      job, amount,
      Address(system: system, place: arguments[3], outgoing: arguments[4], incoming: arguments[5]))
  }

  /// Gets ready, says so, waits for the start, and does the job.
  func perform() throws -> Report {
    var endpoint = try address.open()
    defer { endpoint.close() }
    var payload = Payload()
    var report = Report()
    try waitForStart()
    report.began = nanoseconds()
    switch job {
    case .send:
      for serial in 0..<amount { try endpoint.send(payload.numbered(serial)) }
      report.count = amount
    case .sendFor:
      let end = report.began + amount * 1_000_000
      while nanoseconds() < end {
        try endpoint.send(payload.numbered(report.count))
        report.count += 1
      }
    case .receive:
      var seen = SerialSet(count: amount)
      while report.count < amount {
        guard let serial = try endpoint.receive(waiting: true) else { throw BenchError("nothing to receive") }
        try seen.insert(serial)
        report.count += 1
      }
    case .drain:
      while let serial = try endpoint.receive(waiting: false) { report.samples.append(serial) }
      report.count = report.samples.count
    case .ping: try ping(&endpoint, &payload, &report)
    case .pong:
      for _ in 0..<amount {
        guard let serial = try endpoint.receive(waiting: true) else { throw BenchError("nothing to answer") }
        try endpoint.send(payload.numbered(serial))
      }
      report.count = amount
    }
    report.ended = nanoseconds()
    return report
  }

  private func ping(_ endpoint: inout any Endpoint, _ payload: inout Payload, _ report: inout Report) throws {
    report.samples.reserveCapacity(amount)
    for serial in 0..<amount {
      let sent = nanoseconds()
      try endpoint.send(payload.numbered(serial))
      guard try endpoint.receive(waiting: true) == serial else { throw BenchError("the wrong answer came back") }
      report.samples.append(nanoseconds() - sent)
    }
    report.count = amount
  }

  private func waitForStart() throws {
    var byte = Role.ready
    try check(write(Processes.resultDescriptor, &byte, 1), "write", "result pipe")
    guard try check(read(Processes.startDescriptor, &byte, 1), "read", "start pipe") == 1 else {
      throw BenchError("the bench ended before the start")
    }
  }
}

/// Does the role on the command line and returns the exit status.
func performRole(_ arguments: ArraySlice<String>) -> CInt {
  var text: String
  var status: CInt = 0
  do {
    guard let seconds = arguments.first.flatMap({ UInt32($0) }) else { throw BenchError("no time limit") }
    // Should the bench be killed, nobody waits for ever for a message that won't come.
    alarm(seconds + 5)
    text = try Role(arguments: Array(arguments.dropFirst())).perform().text
  } catch {
    text = "\(error)"
    status = 74
  }
  text.withUTF8 { try? writeAll(UnsafeRawBufferPointer($0), to: Processes.resultDescriptor, "result pipe") }
  return status
}

/// What a process has to say at its end. Times are of the clock that all processes share.
struct Report {
  var began = 0
  var ended = 0
  var count = 0
  var samples: [Int] = []

  init() {}

  var text: String {
    var text = "\(began) \(ended) \(count)"
    for sample in samples { text += " \(sample)" }
    return text
  }

  init(parsing bytes: ArraySlice<UInt8>) throws {
    let numbers = bytes.split(separator: UInt8(ascii: " ")).map { Int(String(decoding: $0, as: UTF8.self)) }
    guard numbers.count >= 3, !numbers.contains(nil) else { throw BenchError("a process reported nonsense") }
    let values = numbers.compactMap { $0 }
    (began, ended, count) = (values[0], values[1], values[2])
    samples = Array(values[3...])
  }
}

extension [Report] {
  /// Nanoseconds from when the first began until the last ended.
  var span: Int { (map(\.ended).max() ?? 0) - (map(\.began).min() ?? 0) }
}

/// The 500 bytes of a message; the first eight are its serial number in decimal.
struct Payload {
  static let size = 500
  static let digits = 8
  private var bytes: [UInt8]

  init() {
    let words = Array("the quick brown fox jumps over the lazy dog and hands the build to the tester ".utf8)
    bytes = (0..<Payload.size).map { words[$0 % words.count] }
  }

  mutating func numbered(_ serial: Int) -> [UInt8] {
    var rest = serial
    for place in (0..<Payload.digits).reversed() {
      bytes[place] = UInt8(ascii: "0") + UInt8(rest % 10)
      rest /= 10
    }
    return bytes
  }

  /// The serial number of a received message, which must have come whole.
  static func serial(of message: UnsafeRawBufferPointer) throws -> Int {
    guard message.count == Payload.size else {
      throw BenchError("a message of \(message.count) bytes came, not of \(Payload.size)")
    }
    return try serial(ofContent: message)
  }

  /// The serial number of a message that carries other things beside its content.
  static func serial(ofContent content: UnsafeRawBufferPointer) throws -> Int {
    guard content.count >= Payload.digits else { throw BenchError("a message came cut off") }
    var serial = 0
    for byte in content[..<Payload.digits] {
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { throw BenchError("a message came damaged") }
      serial = serial * 10 + Int(byte - UInt8(ascii: "0"))
    }
    return serial
  }
}

/// Serial numbers below `count`, each allowed in once.
struct SerialSet {
  private var seen: [Bool]
  private(set) var size = 0

  init(count: Int) { seen = Array(repeating: false, count: count) }

  mutating func insert(_ serial: Int) throws {
    guard seen.indices.contains(serial) else { throw BenchError("message \(serial) was never sent") }
    guard !seen[serial] else { throw BenchError("message \(serial) came twice") }
    seen[serial] = true
    size += 1
  }
}
