/// beanstalkd: `put`; `reserve` and `delete`. Every call waits for its answer.
struct BeanstalkdEndpoint: Endpoint {
  private var connection: Connection
  private var bytes: [UInt8] = []

  init(_ address: Address) throws {
    connection = try Connection(port: address.place)
    if !address.outgoing.isEmpty { try ask("use \(address.outgoing)", expecting: "USING") }
    if !address.incoming.isEmpty {
      try ask("watch \(address.incoming)", expecting: "WATCHING")
      try ask("ignore default", expecting: "WATCHING")
    }
  }

  mutating func send(_ message: [UInt8]) throws {
    bytes.removeAll(keepingCapacity: true)
    // Priority 0, no delay, 60 seconds until a reserved job is taken back.
    bytes.append("put 0 0 60 \(message.count)\r\n")
    bytes += message
    bytes.append("\r\n")
    try connection.write(bytes)
    try expect("INSERTED")
  }

  mutating func receive(waiting: Bool) throws -> Int? {
    try write(waiting ? "reserve" : "reserve-with-timeout 0")
    let words = try connection.line().split(separator: UInt8(ascii: " "))
    if words.count == 1 && words[0].elementsEqual("TIMED_OUT".utf8) { return nil }
    guard words.count == 3, words[0].elementsEqual("RESERVED".utf8) else {
      throw BenchError("beanstalkd answered a reserve with \(String(decoding: words.joined(), as: UTF8.self))")
    }
    let serial = try connection.block(try integer(words[2])) { try Payload.serial(of: $0) }
    try ask("delete \(String(decoding: words[1], as: UTF8.self))", expecting: "DELETED")
    return serial
  }

  mutating func close() { connection.close() }

  private mutating func write(_ command: String) throws {
    bytes.removeAll(keepingCapacity: true)
    bytes.append(command)
    bytes.append("\r\n")
    try connection.write(bytes)
  }

  private mutating func ask(_ command: String, expecting answer: String) throws {
    try write(command)
    try expect(answer)
  }

  private mutating func expect(_ answer: String) throws {
    let line = try connection.line()
    guard line.starts(with: answer.utf8) else {
      throw BenchError("beanstalkd answered \(String(decoding: line, as: UTF8.self)), not \(answer)")
    }
  }
}

/// A beanstalkd of the bench's own.
final class Beanstalkd: Service {
  static let name = "beanstalkd"
  static let program = "beanstalkd"
  let system = System.beanstalkd
  private let server: Server
  var place: String { server.port }
  var pid: Int32 { server.pid }

  /// In memory alone; or, if `durable`, each job synced to its binlog.
  init(durable: Bool, in scratch: Scratch) throws {
    server = try Server(Beanstalkd.program, in: scratch) { port, directory in
      ["-l", "127.0.0.1", "-p", port] + (durable ? ["-b", directory, "-f", "0"] : [])
    } greet: { port in
      try Connection(port: port).close()
    }
  }

  // A tube is there from its first use until it is empty and unused.
  func makeInbox(_ name: String) {}
  func removeInbox(_ name: String) {}

  func stop() { server.stop() }
}
