import Glibc
import Linux
import SpoolFormat

/// One run of a program that answers on its standard output, for an event loop that has other things to do.
public final class ProgramRun {
  private let child: Child
  private let name: String
  private let deadline: Int
  private var isLate = false
  private var isTooLong = false

  /// Bytes of output at most.
  public static let outputBytesMax = 4 << 20

  /// Starts it with `input` as its standard input.
  /// - Parameters:
  ///   - name: what it is called where it fails, such as "the planner".
  ///   - timeout: seconds until its process group is killed.
  /// - Throws: the errors of execvp(3), pipe(2), fork(2).
  public init(
    _ name: String, _ arguments: [String], environment: [String: String], input: [UInt8], timeout: Double
  ) throws(SystemCallError) {
    self.name = name
    child = try Child(arguments, environment: environment, message: input)
    deadline = Clock.sinceBoot() + Int(min(timeout, 1e9) * 1e9)
  }

  deinit { child.killAndWait() }

  public func watch(_ poll: inout PollSet) { child.watch(&poll) }

  /// When to call `respond` though nothing happens; nanoseconds since boot.
  public var nextDeadline: Int { min(child.nextDeadline, isLate ? .max : deadline) }

  /// Takes up what the poll set says.
  public func respond(to poll: PollSet) {
    let now = Clock.sinceBoot()
    child.respond(to: poll) { _ in }
    child.step(now)
    if now >= deadline, !isLate {
      isLate = true
      child.kill()
    }
    if child.received.count > Self.outputBytesMax {
      isTooLong = true
      _ = child.takeOutput()
      child.kill()
    }
  }

  public enum Outcome: Sendable, Equatable {
    /// It ended with status 0.
    case done(output: [UInt8])
    /// Why it is no answer, in words.
    case failed(String)
  }

  /// Nil as long as it runs.
  public var outcome: Outcome? {
    guard child.isFinished, let ending = child.ending else { return nil }
    if isLate { return .failed("\(name) took too long") }
    if isTooLong { return .failed("\(name) printed more than \(Self.outputBytesMax) bytes") }
    guard ending == .exited(0) else {
      return .failed("\(name): \(Verdict.reason(ending, child.errorTail.orEnd(of: child.received)))")
    }
    return .done(output: child.received)
  }
}
