import Glibc

/// A server that the bench starts on loopback in a scratch directory of its own, and stops.
final class Server {
  let pid: pid_t
  let port: String
  private let directory: String

  /// Starts `program` and waits, ten seconds at most, until `greet` succeeds on its port.
  init(
    _ program: String, in scratch: Scratch, arguments: (_ port: String, _ directory: String) -> [String],
    greet: (_ port: String) throws -> Void
  ) throws {
    guard let path = Processes.find(program) else { throw BenchError("\(program) is not on the PATH") }
    port = try freePort()
    directory = try scratch.directory("\(program)-\(port)")
    let log = try check(
      open("\(directory)/output", O_WRONLY | O_CREAT | O_CLOEXEC, 0o644), "open", "\(directory)/output")
    defer { close(log) }
    pid = try Processes.spawn(path, arguments(port, directory), output: log, passing: [(log, 2)])
    do {
      try waitUntilReady(program, greet)
    } catch {
      stop()
      throw error
    }
  }

  private func waitUntilReady(_ program: String, _ greet: (_ port: String) throws -> Void) throws {
    let deadline = nanoseconds() + 10_000_000_000
    while true {
      do {
        return try greet(port)
      } catch {
        try Interruption.check()
        guard nanoseconds() < deadline, !Processes.hasEnded(pid) else {
          let output = (try? readFile("\(directory)/output", limit: 2_000)) ?? ""
          let said = output.split(separator: "\n").joined(separator: "; ")
          throw BenchError("\(program) did not get ready (\(error)); it said: \(said)")
        }
        usleep(10_000)
      }
    }
  }

  func stop() {
    Processes.stop(pid)
    removeTree(directory)
  }
}
