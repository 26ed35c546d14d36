/// Redis Streams over RESP2: `XADD`; `XREADGROUP … COUNT 1 BLOCK 0` and `XACK`. Every call waits for
/// its answer, since a send is a call of its own and a receiver claims one message at a time, as ours.
struct RedisEndpoint: Endpoint {
  private var client: RedisClient
  private let address: Address
  private var identifier: [UInt8] = []

  init(_ address: Address) throws {
    self.address = address
    client = try RedisClient(port: address.place)
  }

  mutating func send(_ message: [UInt8]) throws {
    try client.request(["XADD", address.outgoing, "*", "m"], last: message)
    guard case .bulk = try client.reply() else { throw BenchError("XADD was not answered with an id") }
  }

  mutating func receive(waiting: Bool) throws -> Int? {
    let block = waiting ? ["BLOCK", "0"] : []
    try client.request(
      ["XREADGROUP", "GROUP", "bench", address.incoming, "COUNT", "1"] + block + ["STREAMS", address.incoming, ">"])
    var serial: Int?
    var place = 0
    // The answer is [[stream, [[id, [field, message]]]]]: the second string is the id, the fourth the message.
    let reply = try client.reply { string in
      place += 1
      if place == 2 { identifier = Array(string) }
      if place == 4 { serial = try Payload.serial(of: string) }
    }
    if case .null = reply { return nil }
    guard let serial else { throw BenchError("XREADGROUP was answered without a message") }
    try client.request(["XACK", address.incoming, "bench"], last: identifier)
    guard case .integer(1) = try client.reply() else { throw BenchError("XACK was refused") }
    return serial
  }

  mutating func close() { client.close() }
}

/// As much of RESP2 as that takes.
struct RedisClient {
  enum Reply { case status, integer(Int), bulk, null, array }

  private var connection: Connection
  private var bytes: [UInt8] = []

  init(port: String) throws { connection = try Connection(port: port) }

  func close() { connection.close() }

  mutating func request(_ words: [String], last: [UInt8]? = nil) throws {
    bytes.removeAll(keepingCapacity: true)
    compose(words, last: last)
    try connection.write(bytes)
  }

  /// Sends several requests in one write; their replies come in the same order.
  mutating func pipeline(_ requests: [[String]], last: [UInt8]) throws {
    bytes.removeAll(keepingCapacity: true)
    for words in requests { compose(words, last: last) }
    try connection.write(bytes)
  }

  private mutating func compose(_ words: [String], last: [UInt8]?) {
    bytes.append("*\(words.count + (last == nil ? 0 : 1))\r\n")
    for word in words { bytes.append("$\(word.utf8.count)\r\n\(word)\r\n") }
    if let last {
      bytes.append("$\(last.count)\r\n")
      bytes += last
      bytes.append("\r\n")
    }
  }

  /// Reads one whole reply; hands the strings in it, however nested, to `onString` in order.
  mutating func reply(_ onString: (UnsafeRawBufferPointer) throws -> Void = { _ in }) throws -> Reply {
    let line = try connection.line()
    switch line.first {
    case UInt8(ascii: "+"): return .status
    case UInt8(ascii: ":"): return .integer(try integer(line.dropFirst()))
    case UInt8(ascii: "$"):
      let count = try integer(line.dropFirst())
      if count < 0 { return .null }
      try connection.block(count, onString)
      return .bulk
    case UInt8(ascii: "*"):
      let count = try integer(line.dropFirst())
      if count < 0 { return .null }
      for _ in 0..<count { _ = try reply(onString) }
      return .array
    default: throw BenchError("redis answered: \(String(decoding: line, as: UTF8.self))")
    }
  }

  /// Makes a request whose answer matters only if it is an error.
  mutating func run(_ words: [String]) throws {
    try request(words)
    _ = try reply()
  }
}

/// A Redis of the bench's own.
final class Redis: Service {
  static let name = "redis"
  static let program = "redis-server"
  let system = System.redis
  private let server: Server
  private var client: RedisClient
  var place: String { server.port }
  var pid: Int32 { server.pid }

  /// In memory alone, as fast as Redis is; or, if `durable`, each write synced to its append-only
  /// file before it is answered.
  init(durable: Bool, in scratch: Scratch) throws {
    server = try Server(Redis.program, in: scratch) { port, directory in
      [
        "--port", port, "--bind", "127.0.0.1", "--dir", directory, "--save", "",
        "--appendonly", durable ? "yes" : "no", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0",
      ]
    } greet: { port in
      var client = try RedisClient(port: port)
      defer { client.close() }
      try client.run(["PING"])
    }
    client = try RedisClient(port: server.port)
  }

  func makeInbox(_ name: String) throws {
    try client.run(["XGROUP", "CREATE", name, "bench", "$", "MKSTREAM"])
  }

  func removeInbox(_ name: String) throws { try client.run(["DEL", name]) }

  /// Sends one message to each of `streams`, all in one pipeline; returns how many nanoseconds it took.
  func sendToAll(_ streams: [String]) throws -> Int {
    var payload = Payload()
    let began = nanoseconds()
    try client.pipeline(streams.map { ["XADD", $0, "*", "m"] }, last: payload.numbered(0))
    for _ in streams {
      guard case .bulk = try client.reply() else { throw BenchError("XADD was not answered with an id") }
    }
    return nanoseconds() - began
  }

  func stop() {
    client.close()
    server.stop()
  }
}
