import CLinux
import Glibc

/// Requests to stop, as something to wait on with poll(2): each is a byte in a pipe. They come from signals, and from
/// `raise`, which any thread may call.
public final class SignalPipe: Sendable {
  private let pipe: Pipe
  private let signals: [CInt]

  /// What asks a process that stays up to stop; SIGHUP comes when its terminal is closed.
  public static let stopSignals = [SIGTERM, SIGINT, SIGHUP]

  /// Catches these signals for as long as it lives. A process has one such pipe at a time that catches any; a signal
  /// that the process was started to ignore stays ignored (nohup, `&` in a script). C: sigaction(2).
  public init(catching signals: [CInt] = []) throws(SystemCallError) {
    pipe = try Pipe(nonBlocking: true)
    self.signals = signals
    let end = pipe.writeEnd.raw
    for number in signals { _ = try systemCall("sigaction") { clinux_signal_catch(number, end) } }
  }

  deinit { for number in signals { clinux_signal_release(number) } }

  /// Readable when there is something to `take`.
  public var descriptor: CInt { pipe.readEnd.raw }

  /// As though a signal had come.
  public func raise() { _ = try? pipe.writeEnd.writeOnce([0]) }

  /// How many have come since the last call; never blocks.
  public func take() -> Int { ((try? pipe.readEnd.read(maximum: 64)) ?? nil)?.count ?? 0 }

  /// From now on writing into a pipe that nobody reads is an error (EPIPE), not the end of the process.
  public static func ignoreBrokenPipes() { _ = signal(SIGPIPE, SIG_IGN) }

  /// From now on writing past the limit of the file size is an error (EFBIG), not the end of the process.
  public static func ignoreFileSizeLimit() { _ = signal(SIGXFSZ, SIG_IGN) }
}
