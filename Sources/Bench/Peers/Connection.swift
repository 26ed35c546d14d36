import Glibc

/// A blocking connection to a server on loopback, with a buffer to read from.
struct Connection {
  private let descriptor: CInt
  private var buffer = [UInt8](repeating: 0, count: 65_536)
  private var start = 0
  private var end = 0

  init(port: String) throws {
    guard let number = UInt16(port) else { throw BenchError("\(port) is not a port") }
    descriptor = try check(socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0), "socket")
    do {
      var address = loopback(port: number)
      let result = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
      try check(result, "connect", "port \(port)")
      // A request is one write, and waits for its answer: Nagle's delay would only falsify it.
      var on: CInt = 1
      try check(
        setsockopt(descriptor, CInt(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<CInt>.size)), "setsockopt")
    } catch {
      Glibc.close(descriptor)
      throw error
    }
  }

  func close() { Glibc.close(descriptor) }

  func write(_ bytes: [UInt8]) throws {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        send(descriptor, $0.baseAddress?.advanced(by: sent), bytes.count - sent, CInt(MSG_NOSIGNAL))
      }
      if count < 0 && errno == EINTR { continue }
      sent += try check(count, "send")
    }
  }

  /// The next line, without its CRLF.
  mutating func line() throws -> ArraySlice<UInt8> {
    var scanned = start
    while true {
      while scanned + 1 < end {
        if buffer[scanned] == UInt8(ascii: "\r") && buffer[scanned + 1] == UInt8(ascii: "\n") {
          defer { start = scanned + 2 }
          return buffer[start..<scanned]
        }
        scanned += 1
      }
      let done = scanned - start
      try fill()
      scanned = start + done
    }
  }

  /// Hands the next `count` bytes to `body`, and passes over the CRLF after them.
  mutating func block<Value>(_ count: Int, _ body: (UnsafeRawBufferPointer) throws -> Value) throws -> Value {
    while end - start < count + 2 { try fill() }
    defer { start += count + 2 }
    return try buffer.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[start..<start + count])) }
  }

  /// Whether there is something to read, or comes within so many milliseconds.
  func hasInput(within milliseconds: CInt) throws -> Bool {
    if end > start { return true }
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    let count = poll(&entry, 1, milliseconds)
    if count < 0 && errno == EINTR { return try hasInput(within: milliseconds) }
    return try check(count, "poll") > 0
  }

  private mutating func fill() throws {
    if start == end {
      (start, end) = (0, 0)
    } else if end == buffer.count {
      guard start > 0 else { throw BenchError("an answer of more than \(buffer.count) bytes") }
      buffer.replaceSubrange(0..<end - start, with: Array(buffer[start..<end]))
      (start, end) = (0, end - start)
    }
    let room = end
    let count = buffer.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress! + room, $0.count - room, 0) }
    if count < 0 && errno == EINTR { return }
    guard try check(count, "recv") > 0 else { throw BenchError("the server closed the connection") }
    end += count
  }
}

private func loopback(port: UInt16) -> sockaddr_in {
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = port.bigEndian
  address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
  return address
}

/// A port on loopback that nobody listened on a moment ago.
func freePort() throws -> String {
  let descriptor = try check(socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0), "socket")
  defer { close(descriptor) }
  var address = loopback(port: 0)
  var size = socklen_t(MemoryLayout<sockaddr_in>.size)
  let result = withUnsafeMutablePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      bind(descriptor, $0, size) < 0 ? -1 : getsockname(descriptor, $0, &size)
    }
  }
  try check(result, "bind")
  return "\(UInt16(bigEndian: address.sin_port))"
}

extension [UInt8] {
  mutating func append(_ text: String) { append(contentsOf: text.utf8) }
}

/// The number in a line of decimal digits, perhaps with a sign.
func integer(_ digits: ArraySlice<UInt8>) throws -> Int {
  guard let number = Int(String(decoding: digits, as: UTF8.self)) else {
    throw BenchError("an answer has \(String(decoding: digits, as: UTF8.self)) for a number")
  }
  return number
}
