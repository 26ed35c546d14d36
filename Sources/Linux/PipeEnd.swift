import CLinux
import Glibc

/// One end of a pipe, closed when its last owner lets go of it.
public final class PipeEnd {
  public let descriptor: Descriptor

  private init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }

  /// Both ends of a new pipe. C: pipe2(2).
  public static func pair() throws(SystemCallError) -> (reading: PipeEnd, writing: PipeEnd) {
    let pipe = try Pipe()
    return (PipeEnd(pipe.readEnd), PipeEnd(pipe.writeEnd))
  }

  /// This end alone: the process at the other end sees an ordinary pipe. C: fcntl(2), O_NONBLOCK.
  public func setNonBlocking() throws(SystemCallError) {
    let raw = descriptor.raw
    _ = try systemCall("fcntl", "pipe") { fcntl(raw, F_SETFL, fcntl(raw, F_GETFL) | O_NONBLOCK) }
  }

  /// Bytes that were written and that nobody has read yet, as both ends tell. C: ioctl(2), FIONREAD.
  public func unread() throws(SystemCallError) -> Int {
    let raw = descriptor.raw
    var count: CInt = 0
    _ = try systemCall("ioctl", "pipe") { ioctl(raw, UInt(FIONREAD), &count) }
    return Int(count)
  }
}
