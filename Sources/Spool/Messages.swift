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

  public func makeAsyncIterator() -> Iterator { Iterator(handle: Handle(Source(spool, bot))) }

  public struct Iterator: AsyncIteratorProtocol {
    fileprivate let handle: Handle

    /// Waits for the next message, and claims it. One may ask again after an error.
    /// - Returns: nil when its task was cancelled while it waited.
    /// - Throws: `CancellationError` when it was before; what `Inbox` and its `receive` throw; `SystemCallError` when
    ///   it gets no thread or no pipe.
    public mutating func next() async throws -> Claim? {
      try Task.checkCancellation()
      let source = handle.source
      return try await withTaskCancellationHandler {
        try await withCheckedThrowingContinuation { source.ask($0) }
      } onCancel: {
        source.stop()
      }
    }
  }

  /// Ends the thread when nobody can ask any more.
  fileprivate final class Handle: Sendable {
    let source: Source
    init(_ source: Source) { self.source = source }
    deinit { source.stop() }
  }

  /// The thread that waits, and what passes between it and the tasks. It stays for as long as somebody may ask, so that
  /// the inbox is looked at once and then watched, and so that it knows for how long claims have stood.
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

    func ask(_ continuation: Continuation) {
      let needsThread = state.withLock { state -> Bool? in
        if state.isStopped { return nil }
        state.waiting.append(continuation)
        defer { state.hasThread = true }
        return !state.hasThread
      }
      guard let needsThread else { return continuation.resume(returning: nil) }
      guard needsThread else { return ring() }
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

    private func interruption() throws -> CInt {
      switch bell {
      case .success(let pipe): return pipe.readEnd.raw
      case .failure(let error): throw error
      }
    }

    /// Serves those who ask, until it is stopped.
    private func run() {
      do {
        let inbox = try Inbox(spool, bot)
        let bell = try interruption()
        while true {
          let (isWanted, isStopped) = state.withLock { state in (!state.waiting.isEmpty, state.isStopped) }
          if isStopped { return fail(nil) }
          guard isWanted else {
            _ = try Poll.wait([bell], nanoseconds: nil)
            try silence()
            continue
          }
          // Only a stop interrupts: nobody asks twice at once.
          let claim = try inbox.receive(waiting: nil, interruption: bell)
          if claim == nil { try silence() }
          serve(claim)
        }
      } catch { fail(error) }
    }

    /// Takes what has been rung; whoever rang has changed the state before.
    private func silence() throws {
      switch bell {
      case .success(let pipe): _ = try pipe.readEnd.read(maximum: 64)
      case .failure(let error): throw error
      }
    }

    private func serve(_ claim: Claim?) {
      guard let claim else { return }
      if let next = state.withLock({ $0.waiting.isEmpty ? nil : $0.waiting.removeFirst() }) {
        next.resume(returning: claim)
      } else {
        // Nobody is left to take it: at once back, not after its lease, and as nobody has seen it, at no attempt's cost.
        _ = try? spool.unclaim(bot, claim.name, reason: "its receiver was cancelled")
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
