import CLinux
import Glibc

/// How a directory tree is used that belongs to several users, of whom none trusts the others: what is made in it gets
/// the modes that `mode` says, whatever the umask; no call leaves it or follows a symbolic link, at no part of a path; and
/// only regular files are read and written, by the descriptor and not by the name.
public struct SharedTree: Sendable {
  /// The mode of what is made under a path relative to the tree.
  public let mode: @Sendable (_ path: String, _ isDirectory: Bool) -> mode_t
  /// What the process takes away from modes.
  let mask: mode_t
  let resolution: Resolution

  public enum Resolution: Sendable {
    /// The kernel looks after it. C: openat2(2), RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, RESOLVE_NO_MAGICLINKS.
    case kernel
    /// Part by part, each a directory and no link: for kernels and containers without openat2(2).
    case parts
  }

  /// - Parameter resolution: for tests; otherwise the best there is.
  public init(
    resolution: Resolution? = nil, mode: @escaping @Sendable (_ path: String, _ isDirectory: Bool) -> mode_t
  ) {
    self.mode = mode
    self.resolution = resolution ?? Self.best
    mask = Accounts.fileModeMask()
  }

  private static let best: Resolution = {
    let probe = clinux_openat2(AT_FDCWD, ".", clinux_path_only | O_DIRECTORY | O_CLOEXEC, 0, beneath)
    if probe != -1 { _ = Glibc.close(probe) }
    // Also refused: a working directory that isn't there any more (ENOENT) says nothing of the call.
    return probe == -1 && [ENOSYS, EPERM, EINVAL, E2BIG].contains(errno) ? .parts : .kernel
  }()

  /// Whether a failure means that there is nothing to be seen for this process: what others made as they liked (a link, a
  /// closed directory) is as good as not there, and must not stop who looks at all there is.
  static func isHidden(_ code: CInt) -> Bool { [ENOENT, ENOTDIR, ELOOP, EXDEV, EACCES].contains(code) }

  /// RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS
  private static let beneath: UInt32 = 0x08 | 0x04 | 0x02

  /// As openat(2), of a path without links that stays below.
  func open(_ root: CInt, _ path: String, _ flags: CInt, _ mode: mode_t) throws(SystemCallError) -> Descriptor {
    if resolution == .kernel {
      let opened = try systemCall("openat2", path, changing: .open(root, path, flags)) {
        clinux_openat2(root, path, flags | O_CLOEXEC | O_NOFOLLOW, mode, Self.beneath)
      }
      return Descriptor(raw: opened, path: path)
    }
    let parts = path.split(separator: "/")
    guard !path.hasPrefix("/"), !parts.contains(".."), let last = parts.last else {
      throw SystemCallError("openat", path, EXDEV)
    }
    var parent = Descriptor(raw: -1, path: path)
    var above = root
    for part in parts.dropLast() {
      let opened = try systemCall("openat", path) {
        clinux_openat(above, String(part), clinux_path_only | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0)
      }
      parent = Descriptor(raw: opened, path: path)
      above = parent.raw
    }
    let opened = try systemCall("openat", path, changing: .open(above, String(last), flags)) {
      clinux_openat(above, String(last), flags | O_CLOEXEC | O_NOFOLLOW, mode)
    }
    return Descriptor(raw: opened, path: path)
  }
}

extension Directory {
  /// Opens a file of a tree that others write in, too.
  func openShared(
    _ tree: SharedTree, _ name: String, _ flags: CInt, _ mode: mode_t?
  ) throws(SystemCallError) -> Descriptor {
    if flags & (O_DIRECTORY | clinux_path_only) != 0 { return try tree.open(raw, name, flags, 0) }
    let isMaking = flags & O_CREAT != 0
    let mode = isMaking ? mode ?? tree.mode(name, false) : 0
    // A FIFO mustn't be waited for.
    var flags = flags | O_NONBLOCK
    if flags & O_TRUNC != 0 {
      // Never through a name that somebody may have put there.
      flags = (flags & ~O_TRUNC) | O_EXCL
      do { return try made(tree.open(raw, name, flags, mode), mode, tree) } catch {
        guard error.code == EEXIST else { throw error }
        try unlinkIfPresent(name)
      }
    }
    if isMaking, flags & O_EXCL != 0 { return try made(tree.open(raw, name, flags, mode), mode, tree) }
    let file = try tree.open(raw, name, flags, mode)
    let status = try file.status()
    guard status.isRegular else { throw SystemCallError("openat2", name, EINVAL) }
    if flags & O_ACCMODE != O_RDONLY, status.links > 1 {
      // Somebody linked another file of ours to where we would write.
      throw SystemCallError("openat2", name, EMLINK)
    }
    if isMaking, status.owner == geteuid(), status.mode & 0o777 != mode { try file.setMode(mode) }
    return file
  }

  private func made(
    _ file: consuming Descriptor, _ mode: mode_t, _ tree: SharedTree
  ) throws(SystemCallError) -> Descriptor {
    if tree.mask & mode != 0 { try file.setMode(mode) }
    return file
  }

  /// Makes a directory that nobody can enter before it has its mode.
  func makeShared(_ tree: SharedTree, _ name: String) throws(SystemCallError) {
    try within(name) { (parent, last) throws(SystemCallError) in
      do throws(SystemCallError) {
        _ = try systemCall("mkdirat", name, changing: .makeDirectory(parent, last)) { mkdirat(parent, last, 0o700) }
      } catch {
        if error.code != EEXIST { throw error }
        return
      }
      // By descriptor: where others may rename, the name may be a link to elsewhere by now.
      let opened = try systemCall("openat", name) {
        clinux_openat(parent, last, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0)
      }
      let directory = Descriptor(raw: opened, path: name)
      guard try directory.status().owner == geteuid() else { throw SystemCallError("mkdirat", name, EACCES) }
      try directory.setMode(tree.mode(name, true))
    }
  }

  /// Swaps what two names stand for; false when one of them is not there.
  /// - Throws: EINVAL where the file system can't. C: renameat2(2), RENAME_EXCHANGE.
  public func exchangeIfPresent(_ one: String, _ other: String) throws(SystemCallError) -> Bool {
    try within(one) { (parent, last) throws(SystemCallError) in
      try within(other) { (otherParent, otherLast) throws(SystemCallError) in
        do throws(SystemCallError) {
          _ = try systemCall("renameat2", one) { clinux_exchange(parent, last, otherParent, otherLast) }
        } catch {
          if error.code == ENOENT { return false }
          throw error
        }
        return true
      }
    }
  }

  /// False when something bears the new name already, which stays. Where the file system can't see to that, it is looked
  /// for before. C: renameat2(2), RENAME_NOREPLACE.
  public func renameIfFree(_ old: String, to new: String) throws(SystemCallError) -> Bool {
    if !isRemote {
      do throws(SystemCallError) {
        try within(old) { (parent, last) throws(SystemCallError) in
          try within(new) { (newParent, newLast) throws(SystemCallError) in
            _ = try systemCall("renameat2", old, changing: .rename(raw, old, new)) {
              clinux_rename_new(parent, last, newParent, newLast)
            }
          }
        }
        return true
      } catch {
        if error.code == EEXIST { return false }
        guard error.code == EINVAL || error.code == ENOSYS else { throw error }
      }
    }
    if try status(new) != nil { return false }
    try rename(old, to: new)
    return true
  }

  /// A symbolic link that points nowhere, and whose text is what counts: a small file that is there whole, or not at all,
  /// even after a power cut. C: symlinkat(2).
  public func writeLink(_ name: String, _ text: String) throws(SystemCallError) {
    try within(name) { (parent, last) throws(SystemCallError) in
      _ = try systemCall("symlinkat", name) { symlinkat(text, parent, last) }
    }
  }

  /// The text of a symbolic link; nil when there is none. C: readlinkat(2).
  public func readLink(_ name: String) throws(SystemCallError) -> String? {
    try within(name) { (parent, last) throws(SystemCallError) in
      var buffer = [CChar](repeating: 0, count: 256)
      do throws(SystemCallError) {
        let count = try systemCall("readlinkat", name) { readlinkat(parent, last, &buffer, buffer.count) }
        return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
      } catch {
        if error.code == ENOENT || error.code == EINVAL || error.code == ENOTDIR { return nil }
        throw error
      }
    }
  }

  /// Gives `body` a descriptor and a name below it that mean the same as `name`: in a tree that others write in, the
  /// directory itself, however it is called by now.
  func within<Result>(
    _ name: String, _ body: (_ parent: CInt, _ last: String) throws(SystemCallError) -> Result
  ) throws(SystemCallError) -> Result {
    guard let tree, let slash = name.utf8.lastIndex(of: UInt8(ascii: "/")) else { return try body(raw, name) }
    let parent = try tree.open(raw, String(name[..<slash]), clinux_path_only | O_DIRECTORY, 0)
    return try body(parent.raw, String(name[name.utf8.index(after: slash)...]))
  }
}
