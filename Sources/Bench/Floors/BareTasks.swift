import Glibc

/// The calls that a task takes at the least: its file is written and renamed into place, renamed twice more as it is assigned
/// and begun, and replaced by another with its result; one after the other.
struct BareTasks {
  private let path: String

  init(in scratch: Scratch) throws {
    path = try scratch.directory("bare-tasks")
    for directory in ["tmp", "pending", "assigned", "in_progress", "completed"] {
      try makeDirectories("\(path)/\(directory)")
    }
  }

  /// Tasks a second. Their files are gone afterwards.
  func rate(_ count: Int) throws -> Double {
    let root = try openDirectory(path)
    defer { close(root) }
    var payload = Payload()
    let began = nanoseconds()
    for number in 0..<count {
      let content = payload.numbered(number)
      try write(content, "tmp/\(number)", root)
      try check(renameat(root, "tmp/\(number)", root, "pending/\(number)"), "renameat")
      try check(renameat(root, "pending/\(number)", root, "assigned/\(number)"), "renameat")
      try check(renameat(root, "assigned/\(number)", root, "in_progress/\(number)"), "renameat")
      try write(content, "tmp/\(number)", root)
      try check(renameat(root, "tmp/\(number)", root, "completed/\(number)"), "renameat")
      try check(unlinkat(root, "in_progress/\(number)", 0), "unlinkat")
    }
    let ended = nanoseconds()
    for number in 0..<count { try check(unlinkat(root, "completed/\(number)", 0), "unlinkat") }
    return Double(count) / (Double(ended - began) / 1e9)
  }

  private func write(_ content: [UInt8], _ name: String, _ root: CInt) throws {
    let file = try check(openat(root, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644), "openat", name)
    defer { close(file) }
    try content.withUnsafeBytes { try writeAll($0, to: file, name) }
  }
}
