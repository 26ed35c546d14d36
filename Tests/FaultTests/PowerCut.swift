import Foundation
import Glibc
import TestSupport

/// What was changed in a directory, in order, as debug builds of the program record it; and what a power cut at any
/// moment may leave of that. It shares no code with what made the recording.
struct PowerCut {
  enum Change {
    case create(inode: Int, String)
    case write(inode: Int, Int, [UInt8])
    /// A file made longer by zeros, or shorter.
    case resize(inode: Int, Int, growsOnly: Bool)
    case makeDirectory(String)
    case rename(String, String)
    case link(String, String)
    case unlink(String)
    case sync(inode: Int)
    case syncDirectory(String)
    case syncAll
  }

  /// Which names the file system may have lost: all after some moment (a journal); in each directory all after some
  /// moment, where a rename is two changes; or any at all that were not synced, where a rename is two changes or one.
  enum Order: CaseIterable { case journal, directory, any, anyWhole }

  /// Files and directories by their path in the spool.
  struct State: Hashable {
    var files: [String: [UInt8]] = [:]
    var directories: Set<String> = []
  }

  private(set) var changes: [Change] = []
  private let before: State
  private let inodes: [Int: String]

  /// As the directory is now: all on the disk.
  init(of root: String) {
    var state = State()
    var inodes: [Int: String] = [:]
    for case let name as String in FileManager.default.enumerator(atPath: root) ?? .init() {
      var status = stat()
      guard lstat("\(root)/\(name)", &status) == 0 else { continue }
      if status.st_mode & S_IFMT == S_IFDIR {
        state.directories.insert(name)
      } else {
        state.files[name] = FileManager.default.contents(atPath: "\(root)/\(name)").map { Array($0) }
        inodes[Int(status.st_ino)] = name
      }
    }
    before = state
    self.inodes = inodes
  }

  /// Reads what was recorded until now.
  mutating func read(_ recording: String, root: String) {
    let bytes = FileManager.default.contents(atPath: recording).map { Array($0) } ?? []
    changes = []
    var next = 0
    func inner(_ path: Substring) -> String { String(path.dropFirst(root.utf8.count + 1)) }
    while next < bytes.count, let end = bytes[next...].firstIndex(of: 10) {
      let words = String(decoding: bytes[next..<end], as: UTF8.self).split(separator: " ")
      next = end + 1
      switch words[0] {
      case "create": changes.append(.create(inode: Int(words[1])!, inner(words[2])))
      case "write":
        let count = Int(words[3])!
        changes.append(.write(inode: Int(words[1])!, Int(words[2])!, Array(bytes[next..<next + count])))
        next += count + 1
      case "truncate": changes.append(.resize(inode: Int(words[1])!, Int(words[2])!, growsOnly: false))
      case "allocate": changes.append(.resize(inode: Int(words[1])!, Int(words[2])!, growsOnly: true))
      case "mkdir": changes.append(.makeDirectory(inner(words[1])))
      case "rename": changes.append(.rename(inner(words[1]), inner(words[2])))
      case "link": changes.append(.link(inner(words[1]), inner(words[2])))
      case "unlink": changes.append(.unlink(inner(words[1])))
      case "sync": changes.append(.sync(inode: Int(words[1])!))
      case "sync-directory": changes.append(.syncDirectory(inner(words[1])))
      case "sync-all": changes.append(.syncAll)
      default: preconditionFailure("an unknown change: \(words)")
      }
    }
  }

  // MARK: What may be left

  private struct Node {
    var base: [UInt8] = []
    var changes: [Change] = []
    /// How many of them are on the disk.
    var synced = 0
  }

  private struct NameChange {
    let moment: Int
    let path: String
    /// Nil: removed.
    let node: Int?
    var isDirectory = false
    var isSynced = false
    var directory: String { PowerCut.parent(path) }
  }

  private static func parent(_ path: String) -> String {
    path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
  }

  /// One of the states that a power cut after so many changes may leave.
  func state(after count: Int, _ order: Order, _ chooser: inout Chooser) -> State {
    var nodes: [Node] = []
    var names: [NameChange] = []
    var (byInode, byPath): ([Int: Int], [String: Int]) = ([:], [:])
    for (inode, path) in inodes {
      byInode[inode] = nodes.count
      byPath[path] = nodes.count
      names.append(NameChange(moment: -1, path: path, node: nodes.count, isSynced: true))
      nodes.append(Node(base: before.files[path]!))
    }
    for (moment, change) in changes.prefix(count).enumerated() {
      switch change {
      case .create(let inode, let path):
        byInode[inode] = nodes.count
        byPath[path] = nodes.count
        names.append(NameChange(moment: moment, path: path, node: nodes.count))
        nodes.append(Node())
      case .write(let inode, _, _), .resize(let inode, _, _):
        if let node = byInode[inode] { nodes[node].changes.append(change) }
      case .makeDirectory(let path):
        names.append(NameChange(moment: moment, path: path, node: nil, isDirectory: true))
      case .rename(let old, let new):
        names.append(NameChange(moment: moment, path: new, node: byPath[old]))
        names.append(NameChange(moment: moment, path: old, node: nil))
        byPath[new] = byPath.removeValue(forKey: old)
      case .link(let old, let new):
        names.append(NameChange(moment: moment, path: new, node: byPath[old]))
        byPath[new] = byPath[old]
      case .unlink(let path):
        names.append(NameChange(moment: moment, path: path, node: nil))
        byPath[path] = nil
      case .sync(let inode):
        if let node = byInode[inode] { nodes[node].synced = nodes[node].changes.count }
      case .syncDirectory(let path):
        for index in names.indices where names[index].directory == path { names[index].isSynced = true }
      case .syncAll:
        for index in names.indices { names[index].isSynced = true }
        for index in nodes.indices { nodes[index].synced = nodes[index].changes.count }
      }
    }
    return assemble(nodes, kept(names, order, &chooser), &chooser)
  }

  private func kept(_ names: [NameChange], _ order: Order, _ chooser: inout Chooser) -> [NameChange] {
    switch order {
    case .journal:
      let first = (names.last { $0.isSynced }?.moment ?? -1) + 1
      let moments = Set(names.map(\.moment).filter { $0 >= first }).sorted()
      let kept = chooser.choose(moments.count + 1)
      let end = kept == moments.count ? Int.max : moments[kept]
      return names.filter { $0.moment < end }
    case .directory:
      var ends: [String: Int] = [:]
      for directory in Set(names.map(\.directory)).sorted() {
        let unsynced = names.filter { $0.directory == directory && !$0.isSynced }.map(\.moment)
        let kept = chooser.choose(unsynced.count + 1)
        ends[directory] = kept == unsynced.count ? .max : unsynced[kept]
      }
      return names.filter { $0.isSynced || $0.moment < ends[$0.directory]! }
    case .any: return names.filter { $0.isSynced || chooser.choose(2) == 1 }
    case .anyWhole:
      // One half of a rename may be synced with its directory, and takes the other along.
      var isKept: [Int: Bool] = [:]
      for change in names where change.isSynced { isKept[change.moment] = true }
      for moment in Set(names.map(\.moment)).sorted() where isKept[moment] == nil {
        isKept[moment] = chooser.choose(2) == 1
      }
      return names.filter { isKept[$0.moment]! }
    }
  }

  private func assemble(_ nodes: [Node], _ names: [NameChange], _ chooser: inout Chooser) -> State {
    var state = State(files: [:], directories: before.directories)
    var placed: [String: Int] = [:]
    for change in names {
      if change.isDirectory { state.directories.insert(change.path) } else { placed[change.path] = change.node }
    }
    var contents: [Int: [UInt8]] = [:]
    for (path, node) in placed.sorted(by: { $0.key < $1.key }) {
      let parent = Self.parent(path)
      guard parent.isEmpty || state.directories.contains(parent) else { continue }
      let content = contents[node] ?? content(of: nodes[node], &chooser)
      contents[node] = content
      state.files[path] = content
    }
    return state
  }

  private func content(of node: Node, _ chooser: inout Chooser) -> [UInt8] {
    var bytes = node.base
    for change in node.changes.prefix(node.synced) { Self.apply(change, &bytes) }
    let rest = Array(node.changes.dropFirst(node.synced))
    guard !rest.isEmpty else { return bytes }
    // All, nothing, all but half of the last, zeros where the data should be, or each for itself.
    let kind = chooser.choose(rest.count > 1 ? 5 : 4)
    for (index, change) in rest.enumerated() {
      let fate = kind == 4 ? chooser.choose(4) : kind == 2 ? (index == rest.count - 1 ? 2 : 0) : kind
      Self.apply(change, fate, &bytes)
    }
    return bytes
  }

  private static func apply(_ change: Change, _ fate: Int, _ bytes: inout [UInt8]) {
    switch (fate, change) {
    case (0, _): apply(change, &bytes)
    case (2, .write(let inode, let offset, let data)):
      apply(.write(inode: inode, offset, Array(data.prefix(data.count / 2))), &bytes)
    case (3, .write(let inode, let offset, let data)):
      apply(.write(inode: inode, offset, Array(repeating: 0, count: data.count)), &bytes)
    default: break
    }
  }

  private static func apply(_ change: Change, _ bytes: inout [UInt8]) {
    switch change {
    case .write(_, let offset, let data):
      if bytes.count < offset + data.count { bytes += Array(repeating: 0, count: offset + data.count - bytes.count) }
      bytes.replaceSubrange(offset..<offset + data.count, with: data)
    case .resize(_, let size, let growsOnly):
      if bytes.count < size { bytes += Array(repeating: 0, count: size - bytes.count) }
      if !growsOnly, bytes.count > size { bytes.removeLast(bytes.count - size) }
    default: break
    }
  }
}

/// Chooses at random, or everything there is in turn.
struct Chooser {
  private var random: SeededGenerator?
  private var digits: [(value: Int, count: Int)] = []
  private var place = 0

  init(_ random: SeededGenerator? = nil) { self.random = random }

  mutating func choose(_ count: Int) -> Int {
    if count == 1 { return 0 }
    if random != nil { return Int.random(in: 0..<count, using: &random!) }
    if place == digits.count { digits.append((0, count)) }
    defer { place += 1 }
    return digits[place].value
  }

  /// The next of all ways to choose; false when there are no more.
  mutating func advance() -> Bool {
    place = 0
    if random != nil { return true }
    while let last = digits.popLast() {
      if last.value + 1 < last.count {
        digits.append((last.value + 1, last.count))
        return true
      }
    }
    return false
  }
}
