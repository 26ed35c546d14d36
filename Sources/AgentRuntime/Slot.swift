import Glibc
import Linux
import Spool
import SpoolFormat

/// A place for one message or task in hand, and the process that works on it.
final class Slot {
  var child: Child?
  var job: Job?
  /// Streaming: when to start the program again; nanoseconds since boot.
  var restartAt = 0
  /// Streaming: how often in a row it ended without an answer.
  private(set) var failures = 0

  /// A message or task in hand.
  struct Job {
    let work: Work
    let started: Int
    /// Seconds that it may take.
    let timeout: Double?
    /// When to renew the lease; nanoseconds since boot.
    var renewAt: Int
    /// When it has taken too long.
    var deadline: Int
    /// Decided, and carried out as soon as the process can do no more about it.
    var verdict: Verdict?
    /// What its program has told of its progress, and nobody else knows yet.
    var progress: Progress?
    /// When that may be told; nanoseconds since boot.
    var progressAt = 0
    /// It is somebody else's now: whatever the process does counts for nothing.
    var isLost = false
    /// When to carry the verdict out; nil as long as the process is at work.
    var settleAt: Int?
    /// How often carrying it out has failed.
    var failures = 0
    /// The last of these failures.
    var problem: String?
    /// How often the disk didn't confirm what was sent.
    var unconfirmed = 0
  }

  func countFailure() { failures += 1 }
  func countAnswer() { failures = 0 }

  /// Ends the process, because the verdict has been decided without it.
  func end(_ verdict: Verdict, by kill: (Child) -> Void) {
    if job?.verdict == nil { job?.verdict = verdict }
    if let child { kill(child) }
  }

  /// When `Worker` has something to do here though nothing happens; nanoseconds since boot.
  func nextDeadline(startsProgram: Bool) -> Int {
    var next = child?.nextDeadline ?? (startsProgram ? restartAt : .max)
    if let job, !job.isLost {
      next = min(next, job.renewAt)
      if job.verdict == nil { next = min(next, job.deadline) }
      if let at = job.settleAt { next = min(next, at) }
      if job.progress != nil { next = min(next, job.progressAt) }
    }
    return next
  }
}
