import Glibc
import TestSupport

/// What tests need another process for: to die in, to have limits or a fault of its own, or to be many. Run with the name
/// of a deed and what it is done to; see `OwnProcess`. Debug builds only, because it looks behind the library's doors.
@main
struct TestProcess {
  static func main() async {
    #if DEBUG
      let arguments = Array(CommandLine.arguments.dropFirst())
      guard let name = arguments.first,
        let deed = (linuxDeeds + spoolDeeds + logDeeds).first(where: { $0.name == name })
      else {
        complain("no such deed: \(arguments)")
        exit(64)
      }
      do {
        try await deed.body(Array(arguments.dropFirst()))
      } catch {
        complain("\(name): \(error)")
        exit(1)
      }
    #endif
  }
}

#if DEBUG
  /// Something that a test has done elsewhere. Its arguments are texts, as those of every program.
  struct Deed: Sendable {
    let name: String
    let body: @Sendable ([String]) async throws -> Void

    init(_ name: String, _ body: @escaping @Sendable ([String]) async throws -> Void) {
      self.name = name
      self.body = body
    }
  }

  func complain(_ text: String) {
    let line = text + "\n"
    _ = Glibc.write(2, line, line.utf8.count)
  }

  func say(_ text: String) {
    let line = text + "\n"
    _ = Glibc.write(1, line, line.utf8.count)
  }

  func require(_ condition: Bool, _ what: String) throws {
    if !condition { throw Failure("not so: \(what)") }
  }

  /// As when somebody kills it: nothing is tidied up.
  func die() -> Never {
    kill(getpid(), SIGKILL)
    while true { pause() }
  }
#endif
