/// What a call that succeeds changes in the file system, or makes lasting there.
enum FileSystemChange {
  case open(_ directory: CInt, String, _ flags: CInt)
  case write(_ file: CInt, [UInt8], from: Int)
  case writeAt(_ file: CInt, [UInt8], Int)
  case truncate(_ file: CInt, Int)
  case allocate(_ file: CInt, Int)
  case rename(_ directory: CInt, String, String)
  case link(_ directory: CInt, String, String)
  case unlink(_ directory: CInt, String)
  case makeDirectory(_ directory: CInt, String)
  /// Of a file, its data; of a directory, its names.
  case sync(_ file: CInt)
  case syncAll
}

#if DEBUG
  import Glibc
  import Synchronization

  /// What the processes of a test change in the file system, in the order in which they do it: a test makes from it
  /// whatever a power cut might have left. `SPOOL_RECORDING=FILE` gets for each change one of these lines, with absolute
  /// paths that have no spaces, and the numbers of inodes:
  ///
  ///     create INODE PATH             truncate INODE SIZE       rename OLD NEW       sync INODE
  ///     write INODE OFFSET COUNT      allocate INODE SIZE       link OLD NEW         sync-directory PATH
  ///     (then COUNT bytes, and \n)    mkdir PATH                unlink PATH          sync-all
  ///
  /// Debug builds only: a release build has none of this.
  enum Recording {
    private static let file: CInt = {
      guard let path = getenv("SPOOL_RECORDING") else { return -1 }
      return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
    }()
    /// Between threads; `flock` is between processes.
    private static let turn = Mutex<Void>(())

    /// Makes a call, and notes what it has changed before anybody else changes anything.
    static func around<Result: FixedWidthInteger & SignedInteger & Sendable>(
      _ change: @autoclosure () -> FileSystemChange?, _ body: () -> Result
    ) -> Result {
      guard file != -1, let change = change() else { return body() }
      return turn.withLock { _ in
        while flock(file, LOCK_EX) == -1, errno == EINTR {}
        var isNew = false
        if case .open(let directory, let name, let flags) = change {
          isNew = flags & O_CREAT != 0 && faccessat(directory, name, F_OK, AT_SYMLINK_NOFOLLOW) == -1
        }
        let result = body()
        let code = errno
        if result != -1 { note(change, Int(result), isNew: isNew) }
        flock(file, LOCK_UN)
        errno = code
        return result
      }
    }

    private static func note(_ change: FileSystemChange, _ result: Int, isNew: Bool) {
      switch change {
      case .open(let directory, let name, let flags):
        let inode = status(CInt(result)).st_ino
        if isNew { put("create \(inode) \(path(directory, name))") }
        if !isNew, flags & O_TRUNC != 0 { put("truncate \(inode) 0") }
      case .write(let file, let bytes, let start):
        let status = status(file)
        guard status.st_mode & S_IFMT == S_IFREG else { return }
        let end = Int(lseek(file, 0, SEEK_CUR))
        put("write \(status.st_ino) \(end - result) \(result)", bytes[start..<start + result])
      case .writeAt(let file, let bytes, let offset):
        put("write \(status(file).st_ino) \(offset) \(result)", bytes[..<result])
      case .truncate(let file, let size): put("truncate \(status(file).st_ino) \(size)")
      case .allocate(let file, let size): put("allocate \(status(file).st_ino) \(size)")
      case .rename(let directory, let old, let new):
        put("rename \(path(directory, old)) \(path(directory, new))")
      case .link(let directory, let old, let new):
        put("link \(path(directory, old)) \(path(directory, new))")
      case .unlink(let directory, let name): put("unlink \(path(directory, name))")
      case .makeDirectory(let directory, let name): put("mkdir \(path(directory, name))")
      case .sync(let file):
        let status = status(file)
        let isDirectory = status.st_mode & S_IFMT == S_IFDIR
        put(isDirectory ? "sync-directory \(path(file, ""))" : "sync \(status.st_ino)")
      case .syncAll: put("sync-all")
      }
    }

    private static func put(_ line: String, _ bytes: ArraySlice<UInt8>? = nil) {
      let record = Array(line.utf8) + [10] + (bytes.map { $0 + [10] } ?? [])
      _ = record.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
    }

    private static func status(_ file: CInt) -> stat {
      var status = stat()
      fstat(file, &status)
      return status
    }

    private static func path(_ directory: CInt, _ name: String) -> String {
      if name.hasPrefix("/") { return name }
      var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
      let count = max(0, readlink("/proc/self/fd/\(directory)", &buffer, buffer.count))
      let parent = String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
      return name.isEmpty ? parent : "\(parent)/\(name)"
    }
  }
#endif
