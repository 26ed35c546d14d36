import Glibc
import Linux
import Synchronization

/// Writes to standard output or error from a thread of its own: a reader that stands still (`less`, Ctrl-S, a stuck
/// collector of logs) must not keep who writes from what can't wait, such as its leases. What comes while too much waits
/// is dropped, each piece as a whole, and how much is said when it can be.
final class BackgroundWriter: Sendable {
  private struct State {
    var waiting: [UInt8] = []
    var bytesDropped = 0
    /// A thread is at it.
    var isWriting = false
    var failure: CInt?

    /// Of what is longer than all that may wait the first is kept.
    func hasRoom(for bytes: Int) -> Bool { waiting.isEmpty || waiting.count + bytes <= bytesMax }
  }

  private let descriptor: CInt
  private let note: @Sendable (_ bytesDropped: Int) -> [UInt8]
  private let state = Mutex(State())

  /// Bytes that may wait besides those that are being written: what a busy program says while its reader takes a breath.
  private static let bytesMax = 256 << 10
  /// A reader that only is slower than who writes is waited for so long, once until it has taken all; nanoseconds.
  private static let patience = 100_000_000
  /// What waits at the end has so long; seconds.
  private static let lastSeconds = 1.0

  init(_ descriptor: CInt, note: @escaping @Sendable (_ bytesDropped: Int) -> [UInt8]) {
    self.descriptor = descriptor
    self.note = note
  }

  func write(_ bytes: [UInt8]) {
    let end = Clock.sinceBoot() + Self.patience
    while state.withLock({ $0.failure == nil && $0.bytesDropped == 0 && !$0.hasRoom(for: bytes.count) }),
      Clock.sinceBoot() < end
    { usleep(1000) }
    let begins = state.withLock { state in
      guard state.failure == nil else { return false }
      guard state.hasRoom(for: bytes.count) else {
        state.bytesDropped += bytes.count
        return false
      }
      state.waiting += bytes
      defer { state.isWriting = true }
      return !state.isWriting
    }
    guard begins else { return }
    // Without a thread it waits for the next piece.
    do { try Thread.detach { self.writeAll() } } catch { state.withLock { $0.isWriting = false } }
  }

  /// Gives what waits a moment.
  /// - Returns: why it can't be written any more; nil when it can.
  func finish() -> CInt? {
    let end = Clock.sinceBoot() + Int(Self.lastSeconds * 1e9)
    while state.withLock({ $0.isWriting }), Clock.sinceBoot() < end { usleep(1000) }
    return state.withLock { $0.failure }
  }

  /// Gives what waits in both a moment.
  /// - Returns: how a command ends whose standard output and error these are.
  static func finish(_ output: BackgroundWriter, _ errors: BackgroundWriter) -> Exit {
    _ = errors.finish()
    guard let failure = output.finish() else { return .done }
    Output.talk("spool: cannot write to standard output: \(String(cString: strerror(failure)))")
    return .inputOutput
  }

  /// What stands in the place of what was dropped.
  static func notShown(_ bytes: Int) -> String { "\(bytes) bytes not shown: nobody read them" }

  private func writeAll() {
    while let bytes = next() {
      var written = 0
      while written < bytes.count {
        let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + written, $0.count - written) }
        if count > 0 {
          written += count
        } else if errno == EAGAIN {
          // Whoever it shares the descriptor with has made it one that doesn't block.
          var room = PollSet()
          _ = room.add(descriptor, forWriting: true)
          do { try room.wait(until: nil) } catch { return fail(error.code) }
        } else if errno != EINTR {
          return fail(errno)
        }
      }
    }
  }

  private func next() -> [UInt8]? {
    state.withLock { state in
      var bytes = state.waiting
      if state.bytesDropped > 0 { bytes += note(state.bytesDropped) }
      state.waiting = []
      state.bytesDropped = 0
      state.isWriting = !bytes.isEmpty
      return bytes.isEmpty ? nil : bytes
    }
  }

  private func fail(_ code: CInt) {
    state.withLock { state in
      state.failure = code
      state.waiting = []
      state.isWriting = false
    }
  }
}
