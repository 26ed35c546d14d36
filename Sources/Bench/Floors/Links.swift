import Glibc

/// One file linked into 1,000 directories by as many bare calls.
struct Links {
  static let count = 1_000
  private let path: String
  private let targets: [[CChar]]

  init(in scratch: Scratch) throws {
    path = try scratch.directory("links")
    let name = "5-20261120T234512.345678Z-0123456789abcdef.json"
    let names = (0..<Links.count).map { "bots/bot\($0)/inbox" }
    for directory in names { try makeDirectories("\(path)/\(directory)") }
    targets = names.map { Array("\($0)/\(name)".utf8CString) }
    let file = try check(open("\(path)/message", O_WRONLY | O_CREAT | O_CLOEXEC, 0o644), "open", path)
    defer { close(file) }
    var payload = Payload()
    try payload.numbered(0).withUnsafeBytes { try writeAll($0, to: file, path) }
  }

  /// Nanoseconds for all links. They are gone afterwards.
  func time() throws -> Int {
    let root = try openDirectory(path)
    defer { close(root) }
    let began = nanoseconds()
    for target in targets { try check(linkat(root, "message", root, target, 0), "linkat") }
    let ended = nanoseconds()
    for target in targets { try check(unlinkat(root, target, 0), "unlinkat") }
    return ended - began
  }

  func remove() { removeTree(path) }
}
