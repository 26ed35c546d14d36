import CLinux
import Glibc

/// An open file, with one owner. `close()` ends the good path and reports its error; going out of
/// scope closes it on every other path.
public struct Descriptor: ~Copyable, Sendable {
  public private(set) var raw: CInt
  /// What it was opened as, for error messages.
  let path: String

  init(raw: CInt, path: String) {
    self.raw = raw
    self.path = path
  }

  deinit { if raw != -1 { _ = Glibc.close(raw) } }

  /// Closes, reporting what the file system had kept to itself until now (NFS reports lost writes here).
  /// C: close(2).
  public consuming func close() throws(SystemCallError) {
    let raw = raw
    self.raw = -1
    // EINTR or not, it is closed: closing it again might close what another thread has just opened.
    _ = try systemCall("close", path) { Glibc.close(raw) == -1 && errno != EINTR ? -1 : 0 }
  }

  /// Opens an absolute path. C: open(2) with O_CLOEXEC.
  public static func open(_ path: String, _ flags: CInt, mode: mode_t = 0o666) throws(SystemCallError) -> Descriptor {
    let raw = try systemCall("open", path) { clinux_openat(AT_FDCWD, path, flags | O_CLOEXEC, mode) }
    return Descriptor(raw: raw, path: path)
  }

  /// Another descriptor of what is open already: where it stands in a file is the same for both. C: fcntl(2),
  /// F_DUPFD_CLOEXEC.
  public static func duplicate(_ raw: CInt, _ name: String) throws(SystemCallError) -> Descriptor {
    Descriptor(raw: try systemCall("fcntl", name) { fcntl(raw, F_DUPFD_CLOEXEC, 0) }, path: name)
  }

  /// Memory that looks like a file, for handing bytes to a child. C: memfd_create(2).
  public static func memory(_ name: String, _ bytes: [UInt8]) throws(SystemCallError) -> Descriptor {
    let raw = try systemCall("memfd_create", name) { clinux_memfd_create(name) }
    let descriptor = Descriptor(raw: raw, path: name)
    try descriptor.write(bytes)
    _ = try systemCall("lseek", name) { lseek(raw, 0, SEEK_SET) }
    return descriptor
  }

  /// Writes all of `bytes`, in one call unless the file system stops short.
  public borrowing func write(_ bytes: [UInt8]) throws(SystemCallError) {
    var written = 0
    while written < bytes.count {
      written += try writeOnce(bytes, from: written)
    }
  }

  /// One write(2) from `start`; returns how much of it went through.
  public borrowing func writeOnce(_ bytes: [UInt8], from start: Int = 0) throws(SystemCallError) -> Int {
    var count = bytes.count - start
    #if DEBUG
      count = FaultPoint.writable(count)
    #endif
    let raw = raw
    return try systemCall("write", path, changing: .write(raw, bytes, from: start)) {
      bytes.withUnsafeBytes { Glibc.write(raw, $0.baseAddress! + start, count) }
    }
  }

  /// One pwrite(2) at `offset`, which is not heeded where the file was opened with `O_APPEND`; returns how much of it
  /// went through.
  public borrowing func writeOnce(_ bytes: [UInt8], at offset: Int) throws(SystemCallError) -> Int {
    var count = bytes.count
    #if DEBUG
      count = FaultPoint.writable(count)
    #endif
    let raw = raw
    return try systemCall("pwrite", path, changing: .writeAt(raw, bytes, offset)) {
      bytes.withUnsafeBytes { pwrite(raw, $0.baseAddress!, count, off_t(offset)) }
    }
  }

  /// Reads up to `maximum` bytes more; empty at the end. A descriptor that would block gives nil.
  public borrowing func read(maximum: Int) throws(SystemCallError) -> [UInt8]? {
    let raw = raw
    var failure: SystemCallError?
    let bytes = [UInt8](unsafeUninitializedCapacity: maximum) { buffer, count in
      do throws(SystemCallError) {
        count = try systemCall("read") { Glibc.read(raw, buffer.baseAddress, maximum) }
      } catch { failure = error }
    }
    guard let failure else { return bytes }
    if failure.code == EAGAIN { return nil }
    throw SystemCallError("read", path, failure.code)
  }

  /// The end of what is written before `end`, from `offset` on: what follows it up to there is a hole. `offset` when there
  /// is nothing. Where the file system doesn't know holes, `end`. C: lseek(2), SEEK_DATA, SEEK_HOLE.
  public borrowing func dataEnd(from offset: Int, before end: Int) throws(SystemCallError) -> Int {
    let raw = raw
    func seek(_ place: Int, _ kind: CInt) throws(SystemCallError) -> Int? {
      do throws(SystemCallError) {
        return Int(try systemCall("lseek", path) { lseek(raw, off_t(place), kind) })
      } catch {
        if error.code == ENXIO { return nil }
        throw error
      }
    }
    var (place, last) = (offset, offset)
    while place < end, let data = try seek(place, clinux_seek_data), data < end {
      place = try seek(data, clinux_seek_hole) ?? end
      last = min(place, end)
    }
    return last
  }

  /// Where what is written begins again, from `offset` on; `end` when nothing is before it. C: lseek(2), SEEK_DATA.
  public borrowing func dataStart(from offset: Int, before end: Int) throws(SystemCallError) -> Int {
    let raw = raw
    do throws(SystemCallError) {
      return min(end, Int(try systemCall("lseek", path) { lseek(raw, off_t(offset), clinux_seek_data) }))
    } catch {
      if error.code == ENXIO { return end }
      throw error
    }
  }

  /// Reads `count` bytes at `offset`, or fewer at the end of the file. C: pread(2).
  public borrowing func read(at offset: Int, count: Int) throws(SystemCallError) -> [UInt8] {
    var failure: SystemCallError?
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      let wanted = UnsafeMutableBufferPointer(rebasing: buffer[..<count])
      do throws(SystemCallError) { filled = try read(at: offset, into: wanted) } catch { failure = error }
    }
    if let failure { throw failure }
    return bytes
  }

  /// What one pread(2) from the beginning gives; nil unless it is less than `count`, and more than nothing.
  borrowing func read(upTo count: Int) throws(SystemCallError) -> [UInt8]? {
    let raw = raw
    var failure: SystemCallError?
    let bytes = withUnsafeTemporaryAllocation(byteCount: count, alignment: 16) { buffer -> [UInt8]? in
      do throws(SystemCallError) {
        let filled = try systemCall("pread", path) { pread(raw, buffer.baseAddress, count, 0) }
        return filled > 0 && filled < count ? Array(buffer[..<filled]) : nil
      } catch { failure = error }
      return nil
    }
    if let failure { throw failure }
    return bytes
  }

  /// Fills `buffer` from `offset`; returns how much there was. C: pread(2).
  public borrowing func read(
    at offset: Int, into buffer: UnsafeMutableBufferPointer<UInt8>
  ) throws(SystemCallError) -> Int {
    let raw = raw
    var filled = 0
    while filled < buffer.count {
      let start = filled
      let got = try systemCall("pread", path) {
        pread(raw, buffer.baseAddress! + start, buffer.count - start, off_t(offset + start))
      }
      if got == 0 { break }
      filled += got
    }
    return filled
  }

  /// C: fstat(2).
  public borrowing func status() throws(SystemCallError) -> FileStatus {
    var status = stat()
    let raw = raw
    _ = try systemCall("fstat", path) { fstat(raw, &status) }
    return FileStatus(status)
  }

  /// Waits until the file's data, and what is needed to find it, are on the disk. C: fdatasync(2).
  public borrowing func syncData() throws(SystemCallError) {
    let raw = raw
    _ = try systemCall("fdatasync", path, changing: .sync(raw)) { fdatasync(raw) }
  }

  /// Waits until the file's data have reached the file system's host, where others see them; they need not be on its disk.
  /// C: sync_file_range(2).
  public borrowing func writeOut() throws(SystemCallError) {
    let raw = raw
    _ = try systemCall("sync_file_range", path) { clinux_write_out(raw) }
  }

  /// Waits until the whole file system is on the disk. C: syncfs(2).
  public borrowing func syncFileSystem() throws(SystemCallError) {
    let raw = raw
    _ = try systemCall("syncfs", path, changing: .syncAll) { clinux_syncfs(raw) }
  }

  /// C: ftruncate(2).
  public borrowing func truncate(to size: Int) throws(SystemCallError) {
    let raw = raw
    _ = try systemCall("ftruncate", path, changing: .truncate(raw, size)) { ftruncate(raw, off_t(size)) }
  }

  /// An exclusive lock that dies with its holder, against other processes of this host. C: flock(2).
  public borrowing func lock() throws(SystemCallError) {
    let raw = raw
    _ = try systemCall("flock", path) { flock(raw, LOCK_EX) }
  }

  /// The same without waiting: false when another has it.
  public borrowing func tryLock() throws(SystemCallError) -> Bool {
    let raw = raw
    do { _ = try systemCall("flock", path) { flock(raw, LOCK_EX | LOCK_NB) } } catch {
      if error.code == EWOULDBLOCK { return false }
      throw error
    }
    return true
  }

  public borrowing func unlock() throws(SystemCallError) {
    let raw = raw
    _ = try systemCall("flock", path) { flock(raw, LOCK_UN) }
  }

  /// The process that has the lock of the file; nil when none has, or it can't be seen from here, as from another container.
  /// C: proc_locks(5).
  public borrowing func lockHolder() throws(SystemCallError) -> Int? {
    let status = try status()
    let locks = try Descriptor.open("/proc/locks", O_RDONLY)
    var text: [UInt8] = []
    while let part = try locks.read(maximum: 64 << 10), !part.isEmpty { text += part }
    // 1: FLOCK  ADVISORY  WRITE 25237 08:01:131072 0 EOF
    let held = String(decoding: text, as: UTF8.self).split(separator: "\n").map { $0.split(separator: " ") }
      .filter { $0.count > 5 && $0[1] == "FLOCK" && $0[5].hasSuffix(":\(status.inode)") }
    // Some file systems, btrfs for one, have another device there than stat(2) has.
    let own = held.first { $0[5].hasPrefix(status.deviceInLocks) } ?? held.first
    return own.flatMap { Int($0[4]) }.flatMap { $0 > 0 ? $0 : nil }
  }

  /// C: fchmod(2).
  public borrowing func setMode(_ mode: mode_t) throws(SystemCallError) {
    let raw = raw
    _ = try systemCall("fchmod", path) { fchmod(raw, mode) }
  }

  /// Whether a process of this host has the file open for writing; nil where that can't be told
  /// (another user's file, some network file systems). C: fcntl(2), F_SETLEASE.
  public borrowing func hasWriters() -> Bool? {
    let raw = raw
    do {
      _ = try systemCall("fcntl", path) { clinux_probe_writers(raw) }
      return false
    } catch {
      return error.code == EAGAIN ? true : nil
    }
  }
}

/// Both ends of a pipe; neither is inherited by children.
public struct Pipe: ~Copyable, Sendable {
  public let readEnd: Descriptor
  public let writeEnd: Descriptor

  /// C: pipe2(2).
  public init(nonBlocking: Bool = false) throws(SystemCallError) {
    var ends: [CInt] = [-1, -1]
    _ = try systemCall("pipe2") { clinux_pipe2(&ends, O_CLOEXEC | (nonBlocking ? O_NONBLOCK : 0)) }
    readEnd = Descriptor(raw: ends[0], path: "pipe")
    writeEnd = Descriptor(raw: ends[1], path: "pipe")
  }
}

/// What the file system says of a file.
public struct FileStatus: Sendable {
  public let isRegular: Bool
  public let isDirectory: Bool
  /// Bytes.
  public let size: Int
  public let links: Int
  public let inode: UInt64
  public let device: UInt64
  public let owner: uid_t
  public let group: gid_t
  /// Who may do what, with the set-group-id and sticky bits.
  public let mode: mode_t
  /// Nanoseconds since 1970 by the file system's clock, wrapping round far from now: to be compared for equality.
  public let modified: Int
  private let modifiedSecond: Int
  /// As `modified`: the last change of the file or of what is known of it. Nobody can set it.
  public let changed: Int
  /// Nanoseconds since it was modified, by the wall clock: negative for what is from the future, within 30 years. Only for
  /// what does no harm when a clock was set.
  public var age: Int {
    let limit = 1_000_000_000
    let seconds = Clock.wall() / 1_000_000 - max(-limit, min(3 * limit, modifiedSecond))
    return abs(seconds) > limit ? seconds.signum() * limit * 1_000_000_000 : Clock.wall() * 1000 - modified
  }
  /// As proc_locks(5) has it.
  fileprivate var deviceInLocks: String {
    func hexadecimal(_ number: UInt64) -> String { (number < 16 ? "0" : "") + String(number, radix: 16) }
    let (major, minor) = (device >> 8 & 0xfff | device >> 32 & ~0xfff, device & 0xff | device >> 12 & 0xfff_ff00)
    return "\(hexadecimal(major)):\(hexadecimal(minor)):"
  }
  /// `directory`, `FIFO`, … for a sentence about a file that isn't regular.
  public let kind: String

  init(_ status: stat) {
    let format = status.st_mode & S_IFMT
    isRegular = format == S_IFREG
    isDirectory = format == S_IFDIR
    size = Int(status.st_size)
    links = Int(status.st_nlink)
    inode = UInt64(status.st_ino)
    device = UInt64(status.st_dev)
    owner = status.st_uid
    group = status.st_gid
    mode = status.st_mode & 0o7777
    changed = Int(status.st_ctim.tv_sec) &* 1_000_000_000 &+ Int(status.st_ctim.tv_nsec)
    // Anybody may give a file any date, and one past 2262 has no place in nanoseconds.
    modifiedSecond = Int(status.st_mtim.tv_sec)
    modified = modifiedSecond &* 1_000_000_000 &+ Int(status.st_mtim.tv_nsec)
    kind =
      switch format {
      case S_IFREG: "file"
      case S_IFDIR: "directory"
      case S_IFLNK: "symbolic link"
      case S_IFIFO: "FIFO"
      case S_IFSOCK: "socket"
      default: "device"
      }
  }
}
