import CLinux
import Glibc

/// A thread of one's own, for calls that block.
public enum Thread {
  private final class Start: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }

  /// Runs `body` on a new thread that cleans up after itself. C: pthread_create(3).
  public static func detach(_ body: @escaping @Sendable () -> Void) throws(SystemCallError) {
    var thread = pthread_t()
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, CInt(PTHREAD_CREATE_DETACHED))
    pthread_attr_setstacksize(&attributes, 512 * 1024)
    let start = Unmanaged.passRetained(Start(body))
    let code = pthread_create(
      &thread, &attributes,
      { argument in
        Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue().body()
        return nil
      }, start.toOpaque())
    if code != 0 {
      start.release()
      throw SystemCallError("pthread_create", "", code)
    }
  }

  /// Lets others run first. C: sched_yield(2).
  public static func yield() { sched_yield() }

  /// How many processors this process may use. C: sched_getaffinity(2).
  public static let processors = Int(clinux_processors())

  /// A moment, some tens of nanoseconds, in a loop that waits for another processor; the other half of the core can work.
  public static func pause() { clinux_pause() }

  /// Runs the bodies side by side, and returns when all have ended.
  /// - Throws: when not all could be begun; those that were have ended.
  public static func run(_ bodies: [@Sendable () -> Void]) throws(SystemCallError) {
    let done = try Pipe()
    let write = done.writeEnd.raw
    var left = 0
    // The pipe has to stand for as long as one of them may write to it.
    func wait() throws(SystemCallError) {
      while left > 0 { left -= (try done.readEnd.read(maximum: left) ?? []).count }
    }
    for body in bodies {
      do throws(SystemCallError) {
        try detach {
          body()
          var byte: UInt8 = 1
          _ = Glibc.write(write, &byte, 1)
        }
        left += 1
      } catch {
        try wait()
        throw error
      }
    }
    try wait()
  }
}
