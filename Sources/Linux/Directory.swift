import CLinux
import Glibc

/// An open directory; every other path is relative to it, so that a spool can be moved while it is in use.
public final class Directory: Sendable {
  public let raw: CInt
  /// What it was opened as, for messages.
  public let path: String
  /// Whether other hosts may change it: see `Directory+Remote.swift` for what is done differently then.
  public let isRemote: Bool
  private let descriptor: Descriptor
  /// Nil where all that write in it are one user.
  let tree: SharedTree?

  /// Opens a directory. C: open(2) with O_DIRECTORY.
  public init(_ path: String) throws(SystemCallError) {
    descriptor = try Descriptor.open(path, O_RDONLY | O_DIRECTORY)
    raw = descriptor.raw
    self.path = path
    let type = clinux_file_system_type(descriptor.raw)
    isRemote =
      FileSystem.isDeclaredRemote || (type != -1 && FileSystem(type: UInt32(truncatingIfNeeded: type)).isNetwork)
    tree = nil
  }

  /// The same directory, as one that several users write in.
  public init(_ directory: Directory, sharedAs tree: SharedTree) throws(SystemCallError) {
    let opened = try systemCall("openat", directory.path) {
      clinux_openat(directory.raw, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
    }
    descriptor = Descriptor(raw: opened, path: directory.path)
    raw = opened
    path = directory.path
    isRemote = directory.isRemote
    self.tree = tree
  }

  /// Gives the directory itself to a group, with a mode. C: fchown(2), fchmod(2).
  public func give(toGroup group: gid_t, mode: mode_t) throws(SystemCallError) {
    _ = try systemCall("fchown", path) { fchown(raw, uid_t.max, group) }
    try descriptor.setMode(mode)
  }

  /// Whether others write in it, too.
  public var isShared: Bool { tree != nil }

  /// The mode that a file gets which is made there; nil where the umask decides.
  public func mode(ofFile path: String) -> mode_t? { tree?.mode(path, false) }

  /// Opens a file below; a symbolic link as the last part is refused (ELOOP), and as any part where others write, too.
  /// - Parameter mode: of a file that is made; what is usual there unless told.
  /// C: openat(2), openat2(2).
  public func open(_ name: String, _ flags: CInt, mode: mode_t? = nil) throws(SystemCallError) -> Descriptor {
    if isRemote {
      return try insisting(on: name, isMade: flags & O_CREAT != 0) { () throws(SystemCallError) in
        try open(once: name, flags, mode)
      }
    }
    return try open(once: name, flags, mode)
  }

  private func open(once name: String, _ flags: CInt, _ mode: mode_t?) throws(SystemCallError) -> Descriptor {
    if let tree { return try openShared(tree, name, flags, mode) }
    let mode = mode ?? 0o666
    let opened = try systemCall("openat", name, changing: .open(raw, name, flags)) {
      // A String that is passed as it is, is copied first; here, and where files are renamed and removed, that tells.
      name.withCString { clinux_openat(raw, $0, flags | O_CLOEXEC | O_NOFOLLOW, mode) }
    }
    return Descriptor(raw: opened, path: name)
  }

  /// As `open`, but nil when there is no such file.
  public func openIfPresent(_ name: String, _ flags: CInt) throws(SystemCallError) -> Descriptor? {
    do { return try open(name, flags) } catch {
      if error.code == ENOENT { return nil }
      throw error
    }
  }

  /// C: renameat(2).
  public func rename(_ old: String, to new: String) throws(SystemCallError) {
    if isRemote { return try renameRemote(old, to: new) }
    try rename(once: old, to: new)
  }

  func rename(once old: String, to new: String) throws(SystemCallError) {
    if tree != nil { return try renameShared(old, new) }
    _ = try systemCall("renameat", old, changing: .rename(raw, old, new)) {
      old.withCString { old in new.withCString { new in renameat(raw, old, raw, new) } }
    }
  }

  private func renameShared(_ old: String, _ new: String) throws(SystemCallError) {
    try within(old) { (parent, last) throws(SystemCallError) in
      try within(new) { (newParent, newLast) throws(SystemCallError) in
        _ = try systemCall("renameat", old) { renameat(parent, last, newParent, newLast) }
      }
    }
  }

  /// Whether the rename was ours: false when `old` is not there, because somebody else was first.
  public func renameIfPresent(_ old: String, to new: String) throws(SystemCallError) -> Bool {
    do { try rename(old, to: new) } catch {
      if error.code == ENOENT { return false }
      throw error
    }
    return true
  }

  /// As `renameIfPresent`, for a name that may be any bytes but `/` and NUL.
  public func renameIfPresent(in directory: String, _ name: [UInt8], to new: String) throws(SystemCallError) -> Bool {
    do throws(SystemCallError) { if try renameIfPresent(once: directory, name, to: new) { return true } } catch {
      guard isRemote else { throw error }
      if try status(new) != nil { return true }
      guard error.code == ESTALE else { throw error }
      forget("\(directory)/")
      return try renameIfPresent(once: directory, name, to: new)
    }
    // Where the answer was lost it was done all the same: `new` is a name that only this process gives.
    guard isRemote else { return false }
    return try status(new) != nil
  }

  private func renameIfPresent(
    once directory: String, _ name: [UInt8], to new: String
  ) throws(SystemCallError) -> Bool {
    if let tree {
      // One name in a directory, and a path.
      let parent = try tree.open(raw, directory, clinux_path_only | O_DIRECTORY, 0)
      let last = (name + [0]).map { CChar(bitPattern: $0) }
      do throws(SystemCallError) {
        try within(new) { (newParent, newLast) throws(SystemCallError) in
          _ = try systemCall("renameat", new) { renameat(parent.raw, last, newParent, newLast) }
        }
      } catch {
        if error.code == ENOENT { return false }
        throw error
      }
      return true
    }
    let path = (Array(directory.utf8) + [UInt8(ascii: "/")] + name + [0]).map { CChar(bitPattern: $0) }
    let old = { String(decoding: path.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self) }
    do {
      _ = try systemCall("renameat", new, changing: .rename(raw, old(), new)) { renameat(raw, path, raw, new) }
    } catch {
      if error.code == ENOENT { return false }
      throw error
    }
    return true
  }

  /// C: linkat(2).
  public func link(_ old: String, to new: String) throws(SystemCallError) {
    if isRemote { return try linkRemote(old, to: new) }
    try link(once: old, to: new)
  }

  func link(once old: String, to new: String) throws(SystemCallError) {
    if tree != nil {
      return try within(old) { (parent, last) throws(SystemCallError) in
        try within(new) { (newParent, newLast) throws(SystemCallError) in
          _ = try systemCall("linkat", new) { linkat(parent, last, newParent, newLast, 0) }
        }
      }
    }
    try link(raw, old, old, to: new)
  }

  private func link(_ parent: CInt, _ last: String, _ old: String, to new: String) throws(SystemCallError) {
    _ = try systemCall("linkat", new, changing: .link(raw, old, new)) {
      last.withCString { last in new.withCString { new in linkat(parent, last, raw, new, 0) } }
    }
  }

  /// For fewer links it isn't worth it to open the directory that the file is in.
  private static let manyLinks = 8

  /// The same for many names; `failed` is told which couldn't be made.
  public func link(_ old: String, toEach names: [String], failed: (Int, SystemCallError) -> Void) {
    let slash = old.utf8.lastIndex(of: UInt8(ascii: "/"))
    var parent: Descriptor?
    if names.count > Self.manyLinks, !isRemote, tree == nil, let slash {
      parent = try? open(String(old[..<slash]), clinux_path_only | O_DIRECTORY)
    }
    let last = parent == nil ? old : String(old[old.utf8.index(after: slash!)...])
    let raw = parent?.raw
    for place in names.indices {
      do throws(SystemCallError) {
        if let raw { try link(raw, last, old, to: names[place]) } else { try link(old, to: names[place]) }
      } catch {
        failed(place, error)
      }
    }
  }

  /// C: unlinkat(2).
  public func unlink(_ name: String) throws(SystemCallError) {
    try within(name) { (parent, last) throws(SystemCallError) in
      _ = try systemCall("unlinkat", name, changing: .unlink(parent, last)) {
        last.withCString { unlinkat(parent, $0, 0) }
      }
    }
  }

  /// Whether there was such a file to remove.
  @discardableResult
  public func unlinkIfPresent(_ name: String) throws(SystemCallError) -> Bool {
    do { try unlink(name) } catch {
      if error.code == ENOENT { return false }
      throw error
    }
    return true
  }

  /// Makes a directory; one that is there already is fine. C: mkdirat(2).
  public func makeDirectory(_ name: String) throws(SystemCallError) {
    if let tree { return try makeShared(tree, name) }
    do { _ = try systemCall("mkdirat", name, changing: .makeDirectory(raw, name)) { mkdirat(raw, name, 0o777) } } catch
    {
      if error.code != EEXIST { throw error }
    }
  }

  /// Removes an empty directory. C: unlinkat(2) with AT_REMOVEDIR.
  public func removeDirectory(_ name: String) throws(SystemCallError) {
    try within(name) { (parent, last) throws(SystemCallError) in
      _ = try systemCall("unlinkat", name) { unlinkat(parent, last, AT_REMOVEDIR) }
    }
  }

  /// What is at the path, without following a symbolic link; nil when nothing is. C: fstatat(2).
  public func status(_ name: String) throws(SystemCallError) -> FileStatus? {
    if isRemote { return try statusAnew(name) }
    return try statusAsKnown(name)
  }

  /// The same, as this host remembers it if it does: for what doesn't change while it has its name.
  public func statusAsKnown(_ name: String) throws(SystemCallError) -> FileStatus? {
    var status = stat()
    do throws(SystemCallError) {
      if tree == nil {
        _ = try systemCall("fstatat", name) { fstatat(raw, name, &status, AT_SYMLINK_NOFOLLOW) }
      } else {
        try within(name) { (parent, last) throws(SystemCallError) in
          _ = try systemCall("fstatat", name) { fstatat(parent, last, &status, AT_SYMLINK_NOFOLLOW) }
        }
      }
    } catch {
      if error.code == ENOENT || error.code == ENOTDIR { return nil }
      if tree != nil, SharedTree.isHidden(error.code) { return nil }
      throw error
    }
    return FileStatus(status)
  }

  /// Sets the modification time to now; false when there is no such file. C: utimensat(2).
  public func touch(_ name: String) throws(SystemCallError) -> Bool {
    // What is remembered of the name may have another name by now, and would be renewed for its new holder.
    if isRemote { forget(name) }
    do throws(SystemCallError) {
      try within(name) { (parent, last) throws(SystemCallError) in
        _ = try systemCall("utimensat", name) { utimensat(parent, last, nil, AT_SYMLINK_NOFOLLOW) }
      }
    } catch {
      if error.code == ENOENT { return false }
      throw error
    }
    return true
  }

  private static let smallFileBytes = 8192

  /// A whole file of at most `maximum` bytes; nil when there is none. Files that aren't regular, and
  /// larger ones, are an error (EINVAL, EFBIG).
  public func readFile(_ name: String, maximum: Int) throws(SystemCallError) -> [UInt8]? {
    try rereading { () throws(SystemCallError) in try readFile(once: name, maximum: maximum) }
  }

  private func readFile(once name: String, maximum: Int) throws(SystemCallError) -> [UInt8]? {
    guard let file = try openIfPresent(name, O_RDONLY | O_NONBLOCK) else { return nil }
    // Most are small. Of what isn't regular, pread(2) has nothing that is more than nothing and less than was asked for.
    if let bytes = try? file.read(upTo: min(maximum, Self.smallFileBytes)) { return bytes }
    let status = try file.status()
    guard status.isRegular else { throw SystemCallError("read", name, EINVAL) }
    guard status.size <= maximum else { throw SystemCallError("read", name, EFBIG) }
    return try file.read(at: 0, count: status.size)
  }

  /// As `readFile`, with what the file system says of the very file that was read. In this order: what it says then also
  /// holds for what was read.
  public func readFileWithStatus(
    _ name: String, maximum: Int
  ) throws(SystemCallError) -> (bytes: [UInt8], status: FileStatus)? {
    try rereading { () throws(SystemCallError) in try readFileWithStatus(once: name, maximum) }
  }

  private func readFileWithStatus(
    once name: String, _ maximum: Int
  ) throws(SystemCallError) -> (bytes: [UInt8], status: FileStatus)? {
    guard let file = try openIfPresent(name, O_RDONLY | O_NONBLOCK) else { return nil }
    let status = try file.status()
    guard status.isRegular else { throw SystemCallError("read", name, EINVAL) }
    guard status.size <= maximum else { throw SystemCallError("read", name, EFBIG) }
    return (try file.read(at: 0, count: status.size), status)
  }

  /// A path by which the directory below can be watched, while `body` runs.
  func watchedPath<Result>(
    _ name: String, _ body: (String) throws(SystemCallError) -> Result
  ) throws(SystemCallError) -> Result {
    guard let tree else { return try body("/proc/self/fd/\(raw)/\(name)") }
    let directory = try tree.open(raw, name, clinux_path_only | O_DIRECTORY, 0)
    return try body("/proc/self/fd/\(directory.raw)")
  }

  /// Waits until the file system that holds this directory is on the disk. C: syncfs(2).
  public func syncFileSystem() throws(SystemCallError) { try descriptor.syncFileSystem() }

  /// C: fstat(2).
  public func status() throws(SystemCallError) -> FileStatus { try descriptor.status() }

  /// `ext4`, `tmpfs`, `nfs`, …; `unknown (0x…)` for one we have no name for. C: fstatfs(2).
  public func fileSystem() throws(SystemCallError) -> FileSystem {
    let type = try systemCall("fstatfs", path) { clinux_file_system_type(raw) }
    return FileSystem(type: UInt32(truncatingIfNeeded: type))
  }
}
