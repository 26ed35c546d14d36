import CLinux
import Glibc
import Synchronization

/// Tells when something may have changed in directories. Every event is only a hint to look: the
/// directory is the truth. Uses inotify; where a user's instances or watches are used up, dnotify, which has no
/// such limit; and where there is neither, nothing, and the owner looks at intervals.
public final class DirectoryWatcher {
  public enum Mechanism: String, Sendable { case inotify, dnotify, polling }

  public private(set) var mechanism: Mechanism
  private let directory: Directory
  private let tellsRemovals: Bool
  private var source: CInt
  private var names: Set<String> = []
  /// dnotify: the directories must stay open to be watched.
  private var watched: [Directory] = []
  /// inotify: what each watch is of.
  private var directories: [CInt: String] = [:]
  private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 16384, alignment: 8)

  /// Starts with the best mechanism there is, or with the one demanded.
  /// C: inotify_init1(2); fcntl(2) with F_NOTIFY.
  /// - Parameter tellsRemovals: whether names that go are told, too, and not only those that come.
  public init(
    _ directory: Directory, using demanded: Mechanism? = nil, tellsRemovals: Bool = false
  ) throws(SystemCallError) {
    self.directory = directory
    self.tellsRemovals = tellsRemovals
    if demanded == nil || demanded == .inotify {
      do {
        source = try systemCall("inotify_init1") { inotify_init1(CInt(IN_NONBLOCK) | CInt(IN_CLOEXEC)) }
        mechanism = .inotify
        return
      } catch { if demanded == .inotify { throw error } }
    }
    if demanded != .polling, let pipe = Self.takeSignalPipe() {
      source = pipe
      mechanism = .dnotify
      return
    }
    source = -1
    mechanism = .polling
  }

  deinit {
    buffer.deallocate()
    release()
  }

  private func release() {
    switch mechanism {
    case .inotify: _ = Glibc.close(source)
    case .dnotify: Self.signalPipe.withLock { $0.isTaken = false }
    case .polling: break
    }
  }

  /// One pipe for the process: a signal handler has no other way to say whom it is for. It stays open for good, because
  /// a signal may still be on its way when the watcher that it was for is gone.
  private struct SignalPipe {
    var readEnd: CInt = -1
    var isTaken = false
  }
  private static let signalPipe = Mutex(SignalPipe())

  private static func takeSignalPipe() -> CInt? {
    signalPipe.withLock { pipe in
      if pipe.isTaken { return nil }
      if pipe.readEnd == -1 {
        var ends: [CInt] = [-1, -1]
        guard clinux_pipe2(&ends, O_CLOEXEC | O_NONBLOCK) == 0 else { return nil }
        guard clinux_dnotify_install(ends[1]) == 0 else {
          for end in ends { _ = Glibc.close(end) }
          return nil
        }
        pipe.readEnd = ends[0]
      }
      pipe.isTaken = true
      return pipe.readEnd
    }
  }

  /// To wait on with poll(2); nil when this watcher has to look at intervals.
  public var descriptor: CInt? { source == -1 ? nil : source }

  /// Watches one more directory. It may be there no longer, or come later: watch it again then.
  /// False when it isn't there. What can't be watched by this mechanism is watched by the next best, with all the others.
  public func watch(_ name: String) throws(SystemCallError) -> Bool {
    names.insert(name)
    do throws(SystemCallError) { return try add(name) } catch {
      // The user's watches are used up; no memory; dnotify was switched off.
      guard [ENOSPC, ENOMEM, EINVAL].contains(error.code) else { throw error }
    }
    release()
    let pipe = mechanism == .inotify ? Self.takeSignalPipe() : nil
    (mechanism, source) = pipe.map { (.dnotify, $0) } ?? (.polling, -1)
    watched = []
    for other in names where other != name { _ = try watch(other) }
    return try watch(name)
  }

  /// Events that tell of a name.
  private var namesMask: UInt32 {
    UInt32(IN_MOVED_TO | IN_CLOSE_WRITE | IN_CREATE) | (tellsRemovals ? UInt32(IN_DELETE | IN_MOVED_FROM) : 0)
  }

  private func add(_ name: String) throws(SystemCallError) -> Bool {
    switch mechanism {
    case .inotify:
      let mask = namesMask | UInt32(IN_MOVE_SELF | IN_DELETE_SELF | IN_ONLYDIR)
      let raw = source
      do {
        let number = try directory.watchedPath(name) { (path) throws(SystemCallError) in
          try systemCall("inotify_add_watch", name) { inotify_add_watch(raw, path, mask) }
        }
        directories[CInt(number)] = name
      } catch {
        if error.code == ENOENT || error.code == ENOTDIR { return false }
        throw error
      }
    case .dnotify:
      let found = try? directory.watchedPath(name) { (path) throws(SystemCallError) in try Directory(path) }
      guard let opened = found else { return false }
      _ = try systemCall("fcntl", name) { clinux_dnotify_watch(opened.raw, tellsRemovals ? 1 : 0) }
      watched.append(opened)
    case .polling: break
    }
    return true
  }

  /// What the events that are waiting say.
  public struct Changes: Sendable {
    /// Something happened that names don't tell: look at the whole directory.
    public var lookAgain = false
    /// A directory was replaced or removed: watch it again, then look.
    public var watchAgain = false
    /// Names that appeared or were closed after writing, or went where that is told, byte for byte.
    public var names: [[UInt8]] = []
    /// Which of the watched directories each of them is in, as it was named to `watch`.
    public var directories: [String] = []
  }

  /// Takes the events that are waiting; never blocks.
  public func takeChanges() throws(SystemCallError) -> Changes {
    var changes = Changes()
    guard let raw = descriptor else { return Changes(lookAgain: true) }
    while true {
      let filled: Int
      do { filled = try systemCall("read") { Glibc.read(raw, buffer.baseAddress, buffer.count) } } catch {
        if error.code == EAGAIN { return changes }
        throw error
      }
      if mechanism == .dnotify {
        changes.lookAgain = true
        continue
      }
      var offset = 0
      while offset < filled {
        // struct inotify_event: watch 4, mask 4, cookie 4, length 4, name.
        let mask = buffer.load(fromByteOffset: offset + 4, as: UInt32.self)
        let length = Int(buffer.load(fromByteOffset: offset + 12, as: UInt32.self))
        if mask & UInt32(IN_Q_OVERFLOW) != 0 { changes.lookAgain = true }
        if mask & UInt32(IN_IGNORED | IN_MOVE_SELF | IN_DELETE_SELF) != 0 { changes.watchAgain = true }
        if length > 0, mask & namesMask != 0 {
          // Padded with NUL.
          let name = UnsafeRawBufferPointer(rebasing: buffer[(offset + 16)..<(offset + 16 + length)])
          changes.directories.append(directories[buffer.load(fromByteOffset: offset, as: CInt.self)] ?? "")
          changes.names.append(Array(name[..<strnlen(name.baseAddress!.assumingMemoryBound(to: CChar.self), length)]))
        }
        offset += 16 + length
      }
      // A short read means that the queue is empty; asking again would only cost a call.
      if filled < buffer.count - 512 { return changes }
    }
  }
}

/// Waits until a descriptor is readable or the time is over.
public enum Poll {
  /// The state of each descriptor: true when it is readable or at its end. Nil waits without limit.
  /// A signal ends the wait early with nothing ready. C: ppoll(2).
  public static func wait(_ descriptors: [CInt], nanoseconds: Int?) throws(SystemCallError) -> [Bool] {
    var entries = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    let count = entries.count
    if clinux_poll(&entries, count, Int64(nanoseconds.map { max(0, $0) } ?? -1)) == -1 {
      if errno == EINTR { return descriptors.map { _ in false } }
      throw SystemCallError("ppoll", "", errno)
    }
    return entries.map { $0.revents != 0 }
  }
}
