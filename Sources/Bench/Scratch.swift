import Glibc
import Linux

/// A fresh directory under `--dir` in which everything is made, and which is removed at the end.
struct Scratch {
  let path: String
  let fileSystem: String

  init(under parent: String) throws {
    guard let resolved = realpath(parent, nil) else {
      throw CallError(call: "realpath", subject: parent, number: errno)
    }
    defer { free(resolved) }
    let directory = String(cString: resolved)
    var template = Array("\(directory == "/" ? "" : directory)/spool-bench.XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw CallError(call: "mkdtemp", subject: directory, number: errno)
    }
    path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    fileSystem = try fileSystemName(of: path)
  }

  /// Makes the directory `name`, with its parents, and returns its path.
  func directory(_ name: String) throws -> String {
    let whole = "\(path)/\(name)"
    try makeDirectories(whole)
    return whole
  }

  /// Writes what the measurement before left in memory and in the journal, so that it is not paid for in the next.
  func settle() throws {
    try Descriptor.open(path, O_RDONLY | O_DIRECTORY).syncFileSystem()
  }

  /// Removes a tree in the scratch directory; at the end of all, where there are inodes enough for that. Without a
  /// journal ext4 doesn't use an inode again for minutes, and each new file has to step over those that are kept
  /// back: a contender's files, once removed, would slow those who come after it.
  func discard(_ tree: String) {
    var status = statvfs()
    if statvfs(path, &status) == 0, status.f_ffree > Scratch.freeInodesMin { return }
    removeTree(tree)
  }

  /// Several times what all works make together.
  private static let freeInodesMin: fsfilcnt_t = 4_000_000

  func remove() {
    removeTree(path)
  }
}

/// Like `mkdir -p`.
func makeDirectories(_ path: String) throws {
  if mkdir(path, 0o755) == 0 || errno == EEXIST { return }
  guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
    throw CallError(call: "mkdir", subject: path, number: errno)
  }
  try makeDirectories(String(path[..<slash]))
  try check(mkdir(path, 0o755), "mkdir", path)
}

/// Like `rm -rf`, on a tree that only this bench writes to. Errors leave files behind, no more.
func removeTree(_ path: String) {
  emptyDirectory(path)
  rmdir(path)
}

/// Removes all that is in a directory.
func emptyDirectory(_ path: String) {
  if let stream = opendir(path) {
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name == "." || name == ".." { continue }
      if entry.pointee.d_type == UInt8(DT_DIR) {
        removeTree("\(path)/\(name)")
      } else {
        unlinkat(dirfd(stream), name, 0)
      }
    }
    closedir(stream)
  }
}

/// The kernel's own name of the file system that holds `path` (absolute, without links): the last
/// mount in `/proc/self/mountinfo` whose mount point is a prefix of it. (`statfs` has one number
/// for ext2, ext3 and ext4, and one for every FUSE file system.)
func fileSystemName(of path: String) throws -> String {
  var best = (length: 0, name: "unknown")
  for line in try readFile("/proc/self/mountinfo").split(separator: "\n") {
    let fields = line.split(separator: " ")
    guard fields.count > 4, let dash = fields.firstIndex(of: "-"), dash + 1 < fields.count else { continue }
    let point = fields[4] == "/" ? "" : fields[4]
    guard path == point || path.hasPrefix("\(point)/"), point.utf8.count >= best.length else { continue }
    best = (point.utf8.count, String(fields[dash + 1]))
  }
  return best.name
}

/// A small text file, whole; at most `limit` bytes of it.
func readFile(_ path: String, limit: Int = 1 << 20) throws -> String {
  let file = try check(open(path, O_RDONLY | O_CLOEXEC), "open", path)
  defer { close(file) }
  var bytes: [UInt8] = []
  var block = [UInt8](repeating: 0, count: 4096)
  while bytes.count < limit {
    let count = try check(read(file, &block, block.count), "read", path)
    if count == 0 { break }
    bytes += block[..<count]
  }
  return String(decoding: bytes, as: UTF8.self)
}
