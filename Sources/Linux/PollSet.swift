import CLinux
import Glibc

/// What an event loop waits for in one turn; emptied and filled again each time, without allocating.
public struct PollSet {
  private var entries: [pollfd] = []

  public init() {}

  public mutating func removeAll() { entries.removeAll(keepingCapacity: true) }

  /// Waits for a descriptor to become readable (or writable), to reach its end or to fail.
  /// - Returns: the place to ask `isReady` about.
  public mutating func add(_ descriptor: CInt, forWriting: Bool = false) -> Int {
    entries.append(pollfd(fd: descriptor, events: Int16(forWriting ? POLLOUT : POLLIN), revents: 0))
    return entries.count - 1
  }

  /// Waits until something is ready, or until a moment by the clock since boot; nil waits without limit.
  /// A signal ends the wait early with nothing ready. C: ppoll(2).
  public mutating func wait(until deadline: Int?) throws(SystemCallError) {
    let nanoseconds = deadline.map { max(0, $0 - Clock.sinceBoot()) } ?? -1
    let count = entries.count
    if clinux_poll(&entries, count, Int64(nanoseconds)) == -1 {
      guard errno == EINTR else { throw SystemCallError("ppoll", "", errno) }
      for index in entries.indices { entries[index].revents = 0 }
    }
  }

  public func isReady(_ place: Int?) -> Bool { place.map { entries[$0].revents != 0 } ?? false }
}
