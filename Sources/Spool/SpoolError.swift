import Glibc
import Linux
import SpoolFormat

/// What went wrong, in a sentence that names what and where, and the cure when there is one.
public struct SpoolError: Error, Sendable, CustomStringConvertible {
  public let code: Code
  public let message: String
  /// What to do about it.
  public let hint: String?
  public let cause: SystemCallError?

  public enum Code: Sendable, Hashable {
    /// The directory is no spool, or of a later format.
    case notASpool
    case noSuchBot
    /// A message, id or file that isn't there.
    case notFound
    /// The claim is no longer the caller's: its lease ran out, or it was settled before.
    case claimLost
    case badData
    /// The transition isn't one that a task can make from where it stands.
    case notAllowed
    case cannotCreate
    /// Full, busy, or out of some resource: the same call may go through later.
    case tryAgain
    case notPermitted
    /// The file system failed.
    case inputOutput
    /// Whether it happened can't be told: it may have, and recovery will settle it.
    case outcomeUnknown
  }

  /// Whether there was no room for what was to be written.
  var isForLackOfRoom: Bool { cause?.isForLackOfRoom ?? false }

  public init(_ code: Code, _ message: String, hint: String? = nil, cause: SystemCallError? = nil) {
    self.code = code
    self.message = message
    self.hint = hint
    self.cause = cause
  }

  /// From a failed system call: `doing` is the sentence's beginning, such as `cannot send to coder`.
  public init(_ doing: String, _ error: SystemCallError) {
    let (code, hint): (Code, String?) =
      switch error.code {
      case ENOSPC, EDQUOT:
        (.tryAgain, "make room on the disk; nothing was lost, and what is waiting can still be received")
      case EFBIG where error.isForLackOfRoom:
        (.tryAgain, "raise the limit of the file size (ulimit -f); nothing was lost")
      case EMFILE, ENFILE, ENOMEM, EAGAIN, ETIMEDOUT, ENOLCK: (.tryAgain, "try again in a moment")
      case EACCES, EPERM: (.notPermitted, "check the owner and mode of the file")
      case EROFS: (.notPermitted, "the file system is mounted read-only")
      case ENOENT where Layout.isInTop(error.path): (.inputOutput, "if a directory is missing: spool doctor --repair")
      default: (.inputOutput, nil)
      }
    self.init(code, "\(doing): \(error)", hint: hint, cause: error)
  }

  public var description: String { hint.map { "\(message) (\($0))" } ?? message }
}

extension SystemCallError {
  /// Whether there was no room for what was to be written: on the disk, or up to the limit of the file size. A file that has
  /// too much in it to be read has the same code as the last.
  var isForLackOfRoom: Bool { code == ENOSPC || code == EDQUOT || code == EFBIG && call.description != "read" }
}

extension SystemCallError {
  /// What is wrong with a file that can't be read, in words: what it should be, and how much it may have.
  func fault(ofFile noun: String, bytesMax: Int) -> String {
    switch code {
    case ELOOP: "a symbolic link, where a \(noun) should be (links are not followed)"
    case EINVAL, ENXIO, EISDIR: "not a regular file"
    case EFBIG: "more bytes than the \(bytesMax) that a \(noun) may have"
    default: "cannot be read: \(reason.lowercased())"
    }
  }
}

/// Runs system calls, putting what was being done in front of their errors.
func doing<Result>(_ what: @autoclosure () -> String, _ body: () throws -> Result) throws -> Result {
  do { return try body() } catch let error as SystemCallError { throw SpoolError(what(), error) }
}

extension Error {
  /// Whether what was to be done is in the log, and perhaps not on the disk: it is finished, and nobody is told yes.
  var isUnknownOutcome: Bool { (self as? SpoolError)?.code == .outcomeUnknown }
}
