import CLinux

/// Tells when nobody reads any more what is written to a pipe or a socket.
public final class ReaderWatch {
  private let end: Descriptor

  /// Nil where there is no such thing as a reader: of a file. C: epoll_create1(2), epoll_ctl(2).
  public init?(of descriptor: CInt) {
    guard let raw = try? systemCall("epoll_ctl", "", { clinux_watch_end(descriptor) }) else { return nil }
    end = Descriptor(raw: raw, path: "epoll")
  }

  /// Becomes readable when the last reader has gone.
  public var descriptor: CInt { end.raw }

  public var isGone: Bool { (try? Poll.wait([descriptor], nanoseconds: 0)) == [true] }
}
