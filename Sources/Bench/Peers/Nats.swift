import Glibc

/// NATS JetStream, streams kept in files: a publish that waits for its `PubAck`; a pull of one
/// message from a durable consumer, and a `+ACK` whose receipt is awaited.
struct NatsEndpoint: Endpoint {
  private var client: NatsClient
  private let address: Address

  init(_ address: Address) throws {
    self.address = address
    client = try NatsClient(port: address.place)
  }

  mutating func send(_ message: [UInt8]) throws {
    try client.request(address.outgoing, message) { _, answer in
      guard answer.firstRange(of: "\"seq\":".utf8) != nil else {
        throw BenchError("nats did not store a message: \(String(decoding: answer, as: UTF8.self))")
      }
    }
  }

  mutating func receive(waiting: Bool) throws -> Int? {
    let inbox = address.incoming
    // A pull that finds nothing waits for `expires` nanoseconds on the server.
    let pull = waiting ? #"{"batch":1,"expires":600000000000}"# : #"{"batch":1,"no_wait":true}"#
    try client.publish("$JS.API.CONSUMER.MSG.NEXT.\(inbox).bench", Array(pull.utf8))
    // A pull that is not to wait is not answered at all when another receiver gets the last message just then.
    while !waiting, try !client.hasAnswer(within: 250) {
      try client.publish("$JS.API.CONSUMER.MSG.NEXT.\(inbox).bench", Array(pull.utf8))
    }
    let taken: (serial: Int, reply: String)? = try client.answer { reply, message in
      // Without a message comes a status alone, which has nobody to acknowledge to.
      guard let reply else { return nil }
      return (try Payload.serial(of: message), reply)
    }
    guard let taken else { return nil }
    try client.request(taken.reply, Array("+ACK".utf8)) { _, _ in }
    return taken.serial
  }

  mutating func close() { client.close() }
}

/// As much of the NATS protocol as that takes: one request at a time, answered to one subscription.
struct NatsClient {
  private var connection: Connection
  private var bytes: [UInt8] = []
  private let answers: String

  init(port: String) throws {
    connection = try Connection(port: port)
    // Of this connection alone: the bench's own process has more than one.
    answers = "_INBOX.\(getpid()).\(nanoseconds())"
    _ = try connection.line()  // INFO
    let options = #"{"verbose":false,"pedantic":false,"headers":true,"no_responders":true,"protocol":1}"#
    bytes.append("CONNECT \(options)\r\nSUB \(answers) 1\r\nPING\r\n")
    try connection.write(bytes)
    let answer = try connection.line()
    guard answer.elementsEqual("PONG".utf8) else {
      throw BenchError("nats answered \(String(decoding: answer, as: UTF8.self))")
    }
  }

  func close() { connection.close() }

  /// Publishes `body` and hands the first answer to `read`, with the subject that it wants its own answer on.
  mutating func request<Value>(
    _ subject: String, _ body: [UInt8], _ read: (_ reply: String?, UnsafeRawBufferPointer) throws -> Value
  ) throws -> Value {
    try publish(subject, body)
    return try answer(read)
  }

  func hasAnswer(within milliseconds: CInt) throws -> Bool { try connection.hasInput(within: milliseconds) }

  mutating func publish(_ subject: String, _ body: [UInt8]) throws {
    bytes.removeAll(keepingCapacity: true)
    bytes.append("PUB \(subject) \(answers) \(body.count)\r\n")
    bytes += body
    bytes.append("\r\n")
    try connection.write(bytes)
  }

  mutating func answer<Value>(
    _ read: (_ reply: String?, UnsafeRawBufferPointer) throws -> Value
  ) throws -> Value {
    while true {
      let line = try connection.line()
      let words = line.split(separator: UInt8(ascii: " "))
      switch words.first.map({ String(decoding: $0, as: UTF8.self) }) {
      case "PING":
        try connection.write(Array("PONG\r\n".utf8))
      case "MSG" where words.count == 4 || words.count == 5:
        let reply = words.count == 5 ? String(decoding: words[3], as: UTF8.self) : nil
        return try connection.block(try integer(words[words.count - 1])) { try read(reply, $0) }
      case "HMSG" where words.count == 5 || words.count == 6:
        let reply = words.count == 6 ? String(decoding: words[3], as: UTF8.self) : nil
        let headers = try integer(words[words.count - 2])
        return try connection.block(try integer(words[words.count - 1])) { block in
          try read(reply, UnsafeRawBufferPointer(rebasing: block[headers...]))
        }
      default:
        throw BenchError("nats answered \(String(decoding: line, as: UTF8.self))")
      }
    }
  }

  /// Makes a request of the JetStream interface, and throws when its answer tells of an error.
  mutating func run(_ subject: String, _ body: String = "") throws {
    try request("$JS.API.\(subject)", Array(body.utf8)) { _, answer in
      guard !answer.isEmpty, answer.firstRange(of: "\"error\":".utf8) == nil else {
        throw BenchError("nats refused \(subject): \(String(decoding: answer, as: UTF8.self))")
      }
    }
  }
}

/// A nats-server of the bench's own.
final class Nats: Service {
  static let name = "nats"
  static let program = "nats-server"
  let system = System.nats
  private let server: Server
  private var client: NatsClient
  var place: String { server.port }
  var pid: Int32 { server.pid }

  init(in scratch: Scratch) throws {
    server = try Server(Nats.program, in: scratch) { port, directory in
      ["-a", "127.0.0.1", "-p", port, "-js", "-sd", directory]
    } greet: { port in
      var client = try NatsClient(port: port)
      defer { client.close() }
      try client.run("INFO")
    }
    client = try NatsClient(port: server.port)
  }

  func makeInbox(_ name: String) throws {
    try client.run(
      "STREAM.CREATE.\(name)",
      #"{"name":"\#(name)","subjects":["\#(name)"],"retention":"limits","storage":"file","max_msgs":-1,"#
        + #""max_bytes":-1,"max_age":0,"max_consumers":-1,"max_msg_size":-1,"num_replicas":1}"#)
    try client.run(
      "CONSUMER.DURABLE.CREATE.\(name).bench",
      #"{"stream_name":"\#(name)","config":{"durable_name":"bench","ack_policy":"explicit","#
        + #""deliver_policy":"all","max_ack_pending":-1}}"#)
  }

  func removeInbox(_ name: String) throws { try client.run("STREAM.DELETE.\(name)") }

  func stop() {
    client.close()
    server.stop()
  }
}
