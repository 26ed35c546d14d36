import Glibc
import Linux
import SpoolFormat
import Synchronization

/// A bot's messages as they come, each claimed for the one who iterates:
///
///     for try await claim in Messages(spool, bot) {
///       …
///       try spool.ack(claim.bot, claim.name)
///     }
///
/// The next message is claimed when it is asked for, so that no more than one is in hand. Waiting is done by a thread of
/// its own, and ends when the task is cancelled.
public struct Messages: AsyncSequence, Sendable {
  public typealias Element = Claim
  private let spool: Spool
  private let bot: BotName

  public init(_ spool: Spool, _ bot: BotName) {
    self.spool = spool
    self.bot = bot
  }

  public func makeAsyncIterator() -> Iterator { Iterator(source: Source(spool, bot)) }

  public struct Iterator: AsyncIteratorProtocol {
    fileprivate let source: Source

    public mutating func next() async throws -> Claim? {
      try Task.checkCancellation()
      let source = source
      return try await withTaskCancellationHandler {
        try await withCheckedThrowingContinuation { source.ask($0) }
      } onCancel: {
        source.stop()
      }
    }
  }

  /// The thread that waits, and what passes between it and the tasks.
  fileprivate final class Source: Sendable {
    typealias Continuation = CheckedContinuation<Claim?, any Error>
    private struct State {
      var waiting: [Continuation] = []
      var isStopped = false
      var hasThread = false
    }
    private let spool: Spool
    private let bot: BotName
    private let state = Mutex(State())
    private let bell: Result<Pipe, SystemCallError>

    init(_ spool: Spool, _ bot: BotName) {
      self.spool = spool
      self.bot = bot
      do throws(SystemCallError) { bell = .success(try Pipe(nonBlocking: true)) } catch { bell = .failure(error) }
    }

    deinit { stop() }

    func ask(_ continuation: Continuation) {
      let needsThread = state.withLock { state -> Bool? in
        if state.isStopped { return nil }
        state.waiting.append(continuation)
        defer { state.hasThread = true }
        return !state.hasThread
      }
      guard let needsThread else { return continuation.resume(returning: nil) }
      guard needsThread else { return }
      do { try Thread.detach { [self] in run() } } catch { fail(error) }
    }

    func stop() {
      state.withLock { $0.isStopped = true }
      ring()
    }

    private func ring() {
      switch bell {
      case .success(let pipe): _ = try? pipe.writeEnd.writeOnce([1])
      case .failure: break
      }
    }

    /// Serves those who ask, and ends when nobody does.
    private func run() {
      do {
        let inbox = try Inbox(spool, bot)
        while true {
          let isWanted = state.withLock { state in
            if state.waiting.isEmpty { state.hasThread = false }
            return !state.waiting.isEmpty
          }
          guard isWanted else { return }
          let claim = try inbox.receive(waiting: nil, interruption: try interruption())
          let isStopped = state.withLock { $0.isStopped }
          let next = state.withLock { $0.waiting.isEmpty ? nil : $0.waiting.removeFirst() }
          if let next {
            next.resume(returning: claim)
          } else if let claim {
            // Nobody is left to take it: at once back, not after its lease.
            _ = try? spool.nack(bot, claim.name, reason: "its receiver was cancelled")
          }
          if isStopped { return fail(nil) }
        }
      } catch { fail(error) }
    }

    private func interruption() throws -> CInt {
      switch bell {
      case .success(let pipe): return pipe.readEnd.raw
      case .failure(let error): throw error
      }
    }

    private func fail(_ error: (any Error)?) {
      let waiting = state.withLock { state in
        state.hasThread = false
        defer { state.waiting = [] }
        return state.waiting
      }
      for continuation in waiting {
        if let error { continuation.resume(throwing: error) } else { continuation.resume(returning: nil) }
      }
    }
  }
}
