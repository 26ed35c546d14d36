import Glibc

/// A system call that failed: which, on what, and why.
public struct SystemCallError: Error, Sendable, CustomStringConvertible {
  /// The C name of the call, such as `renameat`.
  public let call: StaticString
  /// What it was called on; empty when it takes no path.
  public let path: String
  /// The value of `errno`.
  public let code: CInt

  public init(_ call: StaticString, _ path: String, _ code: CInt) {
    self.call = call
    self.path = path
    self.code = code
  }

  /// The system's words for the code, such as `No space left on device`.
  public var reason: String { String(cString: strerror(code)) }

  public var description: String {
    path.isEmpty ? "\(call): \(reason)" : "\(call) \(path): \(reason)"
  }
}

/// The one place that every system call passes: EINTR is tried again, errno becomes an error, and
/// (in debug builds) a test may fail the call or kill the process before or after it, and have what it changes recorded.
@inline(__always)
func systemCall<Result: FixedWidthInteger & SignedInteger & Sendable>(
  _ name: StaticString, _ path: @autoclosure () -> String = "",
  changing change: @autoclosure () -> FileSystemChange? = nil, _ body: () -> Result
) throws(SystemCallError) -> Result {
  while true {
    #if DEBUG
      let failure = FaultPoint.before(name)
      if failure == EINTR { continue }
      if let failure { throw SystemCallError(name, path(), failure) }
      let result = Recording.around(change(), body)
      let code = errno
      if result != -1, let failure = FaultPoint.after(name) { throw SystemCallError(name, path(), failure) }
    #else
      let result = body()
      let code = errno
    #endif
    if result != -1 { return result }
    if code != EINTR { throw SystemCallError(name, path(), code) }
  }
}
