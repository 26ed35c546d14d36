import Glibc

/// Delivery by the bare system calls that the spool's delivery comes down to: create, write and
/// rename; wake, rename, read and unlink. No JSON, no log.
struct BareFiles: Endpoint {
  private let synced: Bool
  private var outgoing: Directories?
  private var incoming: Directories?
  private var name: FileName
  private var arrivals: Arrivals?
  private var message = [UInt8](repeating: 0, count: 4096)

  private struct Directories {
    let inbox: CInt
    let claimed: CInt
    let tmp: CInt

    init(_ path: String) throws {
      inbox = try openDirectory("\(path)/inbox")
      claimed = try openDirectory("\(path)/claimed")
      tmp = try openDirectory("\(path)/tmp")
    }

    func close() {
      for descriptor in [inbox, claimed, tmp] { Glibc.close(descriptor) }
    }
  }

  init(_ address: Address, synced: Bool) throws {
    self.synced = synced
    name = FileName()
    if !address.outgoing.isEmpty { outgoing = try Directories("\(address.place)/\(address.outgoing)") }
    if !address.incoming.isEmpty {
      let path = "\(address.place)/\(address.incoming)"
      incoming = try Directories(path)
      arrivals = try Arrivals("\(path)/inbox")
    }
  }

  mutating func send(_ message: [UInt8]) throws {
    guard let outgoing else { throw BenchError("no inbox to send to") }
    let name = name.next()
    let file = try check(openat(outgoing.tmp, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644), "openat")
    try check(write(file, message, message.count), "write")
    if synced { try check(fsync(file), "fsync") }
    Glibc.close(file)
    try check(renameat(outgoing.tmp, name, outgoing.inbox, name), "renameat")
    if synced { try check(fsync(outgoing.inbox), "fsync") }
  }

  mutating func receive(waiting: Bool) throws -> Int? {
    guard let incoming else { throw BenchError("no inbox to receive from") }
    while true {
      while let name = try arrivals?.next() {
        if let serial = try claim(name, incoming) { return serial }
      }
      if waiting {
        try arrivals?.wait()
      } else if try arrivals?.scanAgain() != true {
        return nil
      }
    }
  }

  /// Nil when another receiver was first.
  private mutating func claim(_ name: UnsafePointer<CChar>, _ incoming: Directories) throws -> Int? {
    if renameat(incoming.inbox, name, incoming.claimed, name) < 0 {
      if errno == ENOENT { return nil }
      throw CallError(call: "renameat", subject: String(cString: name), number: errno)
    }
    arrivals?.claimed += 1
    let file = try check(openat(incoming.claimed, name, O_RDONLY | O_CLOEXEC), "openat")
    let count = try check(read(file, &message, message.count), "read")
    Glibc.close(file)
    let serial = try message.withUnsafeBytes { try Payload.serial(of: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
    try check(unlinkat(incoming.claimed, name, 0), "unlinkat")
    return serial
  }

  mutating func close() {
    outgoing?.close()
    incoming?.close()
    arrivals?.close()
  }
}

/// Names as long as the spool's, none twice among all processes.
private struct FileName {
  private var characters = Array("5-20261120T234512.345678Z-0000000000000000.json".utf8CString)
  private var count = 0
  private static let counterEnd = 42
  private static let digits: [CChar] = Array("0123456789abcdef".utf8CString)

  init() { write(Int(getpid()), endingAt: FileName.counterEnd - 8) }

  mutating func next() -> [CChar] {
    count += 1
    write(count, endingAt: FileName.counterEnd)
    return characters
  }

  private mutating func write(_ number: Int, endingAt end: Int) {
    for place in 0..<8 {
      characters[end - 1 - place] = FileName.digits[(number >> (4 * place)) & 15]
    }
  }
}

/// The names in an inbox: those that are there, then those that inotify reports.
private struct Arrivals {
  private let watch: CInt
  private let stream: OpaquePointer
  private var scanning = true
  private let events = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 8)
  private var position = 0
  private var end = 0
  /// How many of the names turned out to be ours since the scan began.
  var claimed = 0

  init(_ inbox: String) throws {
    // Watch before the scan: what arrives between the two is then seen by both, not by neither.
    watch = try check(inotify_init1(CInt(IN_CLOEXEC)), "inotify_init1")
    try check(inotify_add_watch(watch, inbox, UInt32(IN_MOVED_TO)), "inotify_add_watch", inbox)
    guard let stream = opendir(inbox) else { throw CallError(call: "opendir", subject: inbox, number: errno) }
    self.stream = stream
  }

  /// The next name, valid until the next call; nil when all that are known were handed out.
  mutating func next() throws -> UnsafePointer<CChar>? {
    while scanning {
      guard let entry = readdir(stream) else {
        scanning = false
        break
      }
      let offset = MemoryLayout<dirent>.offset(of: \.d_name) ?? 0
      let name = UnsafeRawPointer(entry).advanced(by: offset).assumingMemoryBound(to: CChar.self)
      if name.pointee != CChar(UInt8(ascii: ".")) { return name }
    }
    while position < end {
      let event = UnsafeRawBufferPointer(rebasing: events[position..<end])
      let header = event.loadUnaligned(as: inotify_event.self)
      let headerSize = MemoryLayout<inotify_event>.size
      position += headerSize + Int(header.len)
      if header.mask & UInt32(IN_Q_OVERFLOW) != 0 {
        rewinddir(stream)
        scanning = true
        return try next()
      }
      if header.len > 0 { return event.baseAddress?.advanced(by: headerSize).assumingMemoryBound(to: CChar.self) }
    }
    return nil
  }

  /// Sleeps until something has arrived.
  mutating func wait() throws {
    end = try check(read(watch, events.baseAddress, events.count), "read", "inotify")
    position = 0
  }

  /// Begins another scan; false when the last one brought nothing.
  mutating func scanAgain() throws -> Bool {
    guard claimed > 0 else { return false }
    claimed = 0
    rewinddir(stream)
    scanning = true
    return true
  }

  func close() {
    Glibc.close(watch)
    closedir(stream)
    events.deallocate()
  }
}

/// The directories that `BareFiles` delivers into.
final class BareDirectories: Service {
  let system: System
  let place: String
  private let scratch: Scratch

  init(_ system: System, in scratch: Scratch) throws {
    self.system = system
    self.scratch = scratch
    place = try scratch.directory("files-\(nanoseconds())")
  }

  func makeInbox(_ name: String) throws {
    for directory in ["inbox", "claimed", "tmp"] { try makeDirectories("\(place)/\(name)/\(directory)") }
  }

  func removeInbox(_ name: String) throws { scratch.discard("\(place)/\(name)") }

  func stop() { scratch.discard(place) }
}
