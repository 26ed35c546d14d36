import Spool
import SpoolFormat

/// Shared values as a message system: to send is to set a key, to receive is to be told of its change.
struct StateEndpoint: Endpoint {
  private let spool: Spool
  private let outgoing: StateKey?
  private let watcher: StateWatcher?

  init(_ address: Address) throws {
    spool = try Spool(at: address.place)
    outgoing = address.outgoing.isEmpty ? nil : try StateKey(parsing: address.outgoing)
    watcher = address.incoming.isEmpty ? nil : try StateWatcher(spool, keys: [StateKey(parsing: address.incoming)])
  }

  mutating func send(_ message: [UInt8]) throws {
    guard let outgoing else { throw BenchError("no key to set") }
    try spool.setState(outgoing, to: JSONText(string: String(decoding: message, as: UTF8.self)), durability: .relaxed)
  }

  mutating func receive(waiting: Bool) throws -> Int? {
    guard let watcher else { throw BenchError("no key to watch") }
    guard let change = try watcher.next(waiting: waiting ? nil : 0) else { return nil }
    guard var text = change.value?.value.string else { throw BenchError("a value came that is no text") }
    return try text.withUTF8 { try Payload.serial(of: UnsafeRawBufferPointer($0)) }
  }

  mutating func close() {}
}
