/// One process's end of a message system, as the bench drives it. Each system is one conformance,
/// so that all of them are asked for exactly the same.
protocol Endpoint {
  /// Sends one message to the outgoing inbox. Returns when the system has said yes.
  mutating func send(_ message: [UInt8]) throws

  /// Takes the next message of the incoming inbox, reads it and acknowledges it; returns its serial
  /// number. When there is none, waits for one, or returns nil if not `waiting`.
  mutating func receive(waiting: Bool) throws -> Int?

  mutating func close()
}

/// The systems that are measured.
enum System: String {
  /// Ours, relaxed: a message survives a crash of any process.
  case spool
  /// Ours, durable: and a power cut.
  case spoolDurable
  /// Ours, by shared values; relaxed.
  case state
  /// The bare system calls: no JSON, no log, no sync.
  case bare
  /// The bare system calls, with each file and its directory synced.
  case synced
  case redis
  case beanstalkd
  case nats
}

/// How a process reaches its inboxes. An empty name is an inbox that it doesn't use.
struct Address {
  let system: System
  /// A directory, or a port on loopback.
  let place: String
  var outgoing = ""
  var incoming = ""

  func open() throws -> any Endpoint {
    switch system {
    case .spool: try SpoolEndpoint(self, durability: .relaxed)
    case .spoolDurable: try SpoolEndpoint(self, durability: .durable)
    case .state: try StateEndpoint(self)
    case .bare: try BareFiles(self, synced: false)
    case .synced: try BareFiles(self, synced: true)
    case .redis: try RedisEndpoint(self)
    case .beanstalkd: try BeanstalkdEndpoint(self)
    case .nats: try NatsEndpoint(self)
    }
  }
}

/// A message system that has been started, seen from the bench's own process.
protocol Service: AnyObject {
  var system: System { get }
  var place: String { get }
  func makeInbox(_ name: String) throws
  func removeInbox(_ name: String) throws
  func stop()
}

extension Service {
  func address(to outgoing: String = "", from incoming: String = "") -> Address {
    Address(system: system, place: place, outgoing: outgoing, incoming: incoming)
  }
}

extension Contender {
  /// A contender that does its work through a message system, which runs through all rounds and
  /// has fresh inboxes in each.
  init(
    _ name: String, inboxes: Int, starting service: @escaping () throws -> any Service,
    measure: @escaping (any Service, [String]) throws -> Double
  ) {
    self.init(name) {
      let started = try service()
      var made = 0
      return Session(
        measure: {
          let names = (made..<made + inboxes).map { "inbox\($0)" }
          made += inboxes
          for inbox in names { try started.makeInbox(inbox) }
          let value = try measure(started, names)
          for inbox in names { try started.removeInbox(inbox) }
          return value
        },
        stop: { started.stop() })
    }
  }
}
