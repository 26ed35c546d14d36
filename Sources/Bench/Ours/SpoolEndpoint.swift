import Glibc
import Spool
import SpoolFormat

/// Our side: the library, as a bot in Swift uses it. Each message is claimed, its JSON parsed, and acknowledged.
struct SpoolEndpoint: Endpoint {
  private let spool: Spool
  private let durability: Durability
  private let inbox: Inbox?
  private var message = Message()
  /// What is left of a file of `Payload.size` bytes when everything but the content is taken off.
  private let contentBytes: Int

  init(_ address: Address, durability: Durability) throws {
    self.durability = durability
    spool = try Spool(at: address.place)
    inbox = address.incoming.isEmpty ? nil : try Inbox(spool, BotName(parsing: address.incoming))
    message.from = "bench"
    message.to = [address.outgoing]
    message.type = .request
    var empty = message
    empty.content = ""
    empty.id = MessageID(time: Timestamp(microseconds: 0), random: 0)
    empty.createdAt = Timestamp(microseconds: 0)
    // The file ends with a line feed.
    contentBytes = Payload.size - empty.encoded.count - 1
  }

  mutating func send(_ message: [UInt8]) throws {
    self.message.content = String(decoding: message[..<contentBytes], as: UTF8.self)
    try spool.send(self.message, durability: durability)
  }

  mutating func receive(waiting: Bool) throws -> Int? {
    guard let inbox else { throw BenchError("no inbox to receive from") }
    guard let claim = try waiting ? inbox.receive(waiting: nil) : inbox.claim() else { return nil }
    guard var content = claim.message.content else { throw BenchError("a message came without its content") }
    let serial = try content.withUTF8 { try Payload.serial(ofContent: UnsafeRawBufferPointer($0)) }
    try spool.ack(claim.bot, claim.name)
    return serial
  }

  mutating func close() {}
}

/// A spool of the bench's own.
final class SpoolService: Service {
  static let name = "spool"
  let system: System
  let place: String
  let spool: Spool
  private let scratch: Scratch
  /// Makes a file of about `Payload.size` bytes.
  static let content = {
    var payload = Payload()
    return String(decoding: payload.numbered(0)[..<330], as: UTF8.self)
  }()

  init(_ system: System, in scratch: Scratch) throws {
    self.scratch = scratch
    self.system = system
    place = "\(scratch.path)/spool-\(nanoseconds())"
    try Spool.create(at: place)
    spool = try Spool(at: place)
  }

  func makeInbox(_ name: String) throws { try spool.register(Card(name: BotName(parsing: name))) }

  func removeInbox(_ name: String) throws { scratch.discard("\(place)/bots/\(name)") }

  /// Nanoseconds of one send to all bots: when it returns, the last has its file.
  func sendToAll() throws -> Int {
    var message = Message()
    message.from = "bench"
    message.type = .broadcast
    // A thousand names would stand in the message otherwise, and it would not be one of 500 bytes.
    message.to = ["team"]
    message.content = Self.content
    let began = nanoseconds()
    try spool.send(message, durability: .relaxed)
    return nanoseconds() - began
  }

  /// Sends a message and waits until it is done.
  func sendAndAwait(_ name: String, secondsMax: Int) throws {
    var message = Message(content: Self.content)
    message.to = [name]
    let identifier = try spool.send(message)
    let deadline = nanoseconds() + secondsMax * 1_000_000_000
    while try !History(spool).trace(identifier).contains(where: { $0.kind == .messageAcked }) {
      try Interruption.check()
      guard nanoseconds() < deadline else { throw BenchError("\(name) did not do its work in \(secondsMax) s") }
      usleep(10_000)
    }
  }

  /// Removes the one message that waits.
  func emptyInbox(_ name: String) { emptyDirectory("\(place)/bots/\(name)/inbox") }

  func stop() { scratch.discard(place) }
}

/// The command `spool`, which is built beside this program.
struct SpoolCommand {
  let path: String

  init() throws {
    guard let link = realpath("/proc/self/exe", nil) else { throw BenchError("this program has no path") }
    defer { free(link) }
    let own = String(cString: link)
    path = String(own[...(own.lastIndex(of: "/") ?? own.startIndex)]) + "spool"
    guard access(path, X_OK) == 0 else {
      throw BenchError("not built: there is no \(path). Build it with: swift build -c release --product spool")
    }
  }

  /// Throws unless the command knows the verb.
  func require(_ verb: String) throws {
    let pid = try Processes.spawn(path, [verb, "--help"], passing: [(1, 2)])
    guard try Processes.wait(for: pid) == 0 else { throw BenchError("not built: \(path) has no verb \(verb) yet") }
  }
}
