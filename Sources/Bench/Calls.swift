import Glibc
import Synchronization

/// A system call that failed: which, on what, and why.
struct CallError: Error, CustomStringConvertible {
  let call: String
  let subject: String
  let number: CInt

  var description: String {
    "\(call)\(subject.isEmpty ? "" : " " + subject): \(String(cString: strerror(number)))"
  }
}

/// A measurement that came out wrong, or could not be made.
struct BenchError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// Throws unless the call answered zero or more.
@discardableResult @inline(__always)
func check(_ result: CInt, _ call: StaticString, _ subject: @autoclosure () -> String = "") throws -> CInt {
  if result < 0 { throw CallError(call: "\(call)", subject: subject(), number: errno) }
  return result
}

@discardableResult @inline(__always)
func check(_ result: Int, _ call: StaticString, _ subject: @autoclosure () -> String = "") throws -> Int {
  if result < 0 { throw CallError(call: "\(call)", subject: subject(), number: errno) }
  return result
}

/// Opens a directory for use with the `…at` calls.
func openDirectory(_ path: String) throws -> CInt {
  try check(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), "open", path)
}

/// Writes all of `bytes`, however many writes it takes.
func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: CInt, _ subject: String) throws {
  var rest = bytes
  while !rest.isEmpty {
    let written = write(descriptor, rest.baseAddress, rest.count)
    if written < 0 && errno == EINTR { continue }
    rest = UnsafeRawBufferPointer(rebasing: rest[try check(written, "write", subject)...])
  }
}

/// The two ends of a new pipe, numbered high enough that handing them to a child as 3 and 4
/// cannot overwrite one with the other.
func makePipe() throws -> (read: CInt, write: CInt) {
  var ends: [CInt] = [-1, -1]
  try check(pipe(&ends), "pipe")
  defer { for end in ends { close(end) } }
  let high = try ends.map { try check(fcntl($0, F_DUPFD_CLOEXEC, 16), "fcntl") }
  return (high[0], high[1])
}

/// Nanoseconds of the clock that never jumps and is the same in every process.
@inline(__always)
func nanoseconds() -> Int {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// Set by SIGINT and SIGTERM. Every wait looks at it, so that an interrupted bench still stops its
/// servers and removes its scratch directory.
enum Interruption {
  static let requested = Atomic<Bool>(false)

  static func watch() {
    requested.store(false, ordering: .relaxed)
    for number in [SIGINT, SIGTERM] {
      signal(number) { _ in Interruption.requested.store(true, ordering: .relaxed) }
    }
    // A child that died early is reported as such, not by a signal to its parent.
    signal(SIGPIPE, SIG_IGN)
  }

  static func check() throws {
    if requested.load(ordering: .relaxed) { throw BenchError("interrupted") }
  }
}
