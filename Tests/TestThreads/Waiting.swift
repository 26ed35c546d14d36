import Dispatch
import Foundation
import Synchronization
import Testing

/// A suite whose tests mostly wait, for processes or for time. Swift runs all tests on one thread for each processor, and
/// whoever waits holds one: these have threads of their own.
public struct Waiting: SuiteTrait, TestTrait, TestScoping {
  public var isRecursive: Bool { true }

  public func provideScope(
    for test: Test, testCase: Test.Case?, performing body: @Sendable () async throws -> Void
  ) async throws {
    try await withTaskExecutorPreference(WaitingThreads.shared) { try await body() }
  }
}

extension Trait where Self == Waiting {
  public static var waiting: Self { Waiting() }
}

private final class WaitingThreads: TaskExecutor {
  static let shared = WaitingThreads(count: 4)

  private let jobs = Mutex<[UnownedJob]>([])
  private let waiting = DispatchSemaphore(value: 0)

  private init(count: Int) {
    for _ in 0..<count {
      Thread.detachNewThread { [self] in
        while true {
          waiting.wait()
          // The latest first: what goes on, such as a suite whose tests run one by one, comes before what can begin.
          jobs.withLock { $0.removeLast() }.runSynchronously(on: asUnownedTaskExecutor())
        }
      }
    }
  }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    jobs.withLock { $0.append(job) }
    waiting.signal()
  }
}
