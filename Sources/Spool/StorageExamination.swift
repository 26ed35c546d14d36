import Glibc
import Linux
import SpoolFormat

/// What was measured of the storage that hosts share.
public struct StorageCheck: Sendable, Hashable {
  /// `mount`, `rename`, `links`, `visibility`, `clock`, `locks` or `names`; between two hosts `names`, `new-file`, `renamed-file`,
  /// `grown-file`, `replaced-file`, `clocks`, `renames`, `links`, `locks`, and `meeting` when that went wrong.
  public let name: String
  /// What was found, with its unit.
  public let found: String
  /// Nil when it is fit for several hosts; otherwise what to do about it.
  public let cure: String?
  /// The other host, of what was measured between two.
  public let peer: String?

  init(name: String, found: String, cure: String?, peer: String? = nil) {
    self.name = name
    self.found = found
    self.cure = cure
    self.peer = peer
  }

  func with(_ peer: String) -> StorageCheck { StorageCheck(name: name, found: found, cure: cure, peer: peer) }
}

/// Measures whether a spool's storage is fit to be used by several hosts. It makes files in `tmp/`, and removes them.
struct StorageExamination {
  let spool: Spool
  private var root: Directory { spool.root }

  /// What each check says; empty when the storage is this host's own.
  /// Cost: some twenty questions to the server.
  func run() throws(SystemCallError) -> [StorageCheck] {
    guard root.isRemote else { return [] }
    var checks = [try mount(), try names()]
    guard spool.logProblem == nil else { return checks }
    let place = Layout.temporary("storage-\(spool.holder)-\(UInt32.random(in: .min ... .max))")
    defer { for suffix in ["", ".new", ".link"] { _ = try? root.unlinkIfPresent(place + suffix) } }
    for check in [rename, links, visibility, clock, locks] { checks.append(check(place)) }
    return checks
  }

  // MARK: What the mount says

  private func mount() throws(SystemCallError) -> StorageCheck {
    let system = try root.fileSystem()
    let mounts = MountTable()
    let device = try root.status().device
    guard let mount = mounts.entries.last(where: { $0.device == device }) else {
      return StorageCheck(name: "mount", found: system.name, cure: nil)
    }
    var cures = mount.cures
    let twins = mounts.entries.filter {
      $0.source == mount.source && $0.type == mount.type && $0.device != device && $0.place != mount.place
    }
    if let twin = twins.first, mount.type.hasPrefix("nfs") {
      cures.append("unmount \(twin.place), which is the same with a cache of its own, or mount both with sharecache")
    }
    let shown = (["vers", "proto", "local_lock", "lookupcache"].compactMap { mount.option($0) } + mount.suspicious)
    let found = "\(mount.type) at \(mount.place)" + (shown.isEmpty ? "" : ", " + shown.joined(separator: ","))
    return StorageCheck(name: "mount", found: found, cure: cures.isEmpty ? nil : cures.joined(separator: "; "))
  }

  private func names() throws(SystemCallError) -> StorageCheck {
    let hosts = Set(try LogFiles(root: root).hosts().map { LogPart.host(of: $0) })
    let wanted = Spool.currentHost()
    guard spool.host == wanted else {
      return StorageCheck(
        name: "names", found: "another machine is called \(wanted), too; this one goes by \(spool.host) here",
        cure:
          "give each host its own name, or each its own SPOOL_HOST; machines that were cloned their own /etc/machine-id"
      )
    }
    return StorageCheck(
      name: "names", found: "\(hosts.count) \(hosts.count == 1 ? "host has" : "hosts have") written here", cure: nil)
  }

  // MARK: What it does

  private func rename(_ place: String) -> StorageCheck {
    let name = "rename"
    do throws(SystemCallError) {
      try root.unlinkIfPresent(place)
      try write("old", to: place + ".new")
      try write("new", to: place)
      let inode = try root.status(place)?.inode
      let began = Clock.sinceBoot()
      try root.rename(place, to: place + ".new")
      let took = Clock.sinceBoot() - began
      let isGone = try root.status(place) == nil
      let isSame = try root.status(place + ".new")?.inode == inode
      let content = try root.readFile(place + ".new", maximum: 16)
      let isRefused = try !root.renameIfPresent(place, to: place + ".link")
      guard isGone, isSame, isRefused, content == Array("new".utf8) else {
        return StorageCheck(
          name: name, found: "a rename is not one step, or makes another file of it", cure: "use another file system")
      }
      return StorageCheck(name: name, found: "in one step, \(Self.milliseconds(took))", cure: nil)
    } catch { return failed(name, error) }
  }

  private func links(_ place: String) -> StorageCheck {
    let name = "links"
    do throws(SystemCallError) {
      try write("link", to: place)
      try root.unlinkIfPresent(place + ".link")
      try root.link(place, to: place + ".link")
      let links = try root.status(place)?.links ?? 0
      try root.unlinkIfPresent(place + ".new")
      try write("other", to: place + ".new")
      do throws(SystemCallError) { try root.link(place + ".new", to: place + ".link") } catch {
        guard error.code == EEXIST else { throw error }
        return links == 2
          ? StorageCheck(name: name, found: "made once", cure: nil)
          : StorageCheck(
            name: name, found: "\(links) of 2 are counted", cure: "use a file system with hard links")
      }
      return StorageCheck(
        name: name, found: "a name that is taken is given again", cure: "use a file system with hard links")
    } catch { return failed(name, error) }
  }

  /// How long until the server has what was written, and how long a look at a directory takes.
  private func visibility(_ place: String) -> StorageCheck {
    let name = "visibility"
    do throws(SystemCallError) {
      let file = try root.open(place, O_WRONLY | O_CREAT | O_TRUNC)
      let began = Clock.sinceBoot()
      try file.write(Array("written\n".utf8))
      try file.writeOut()
      let written = Clock.sinceBoot()
      try root.list(Layout.tmp) { _ in }
      let looked = Clock.sinceBoot()
      return StorageCheck(
        name: name,
        found: "at the server after \(Self.milliseconds(written - began)), a look takes "
          + "\(Self.milliseconds(looked - written)); others look after 0.1 s while busy, 4.4 s at most", cure: nil)
    } catch { return failed(name, error) }
  }

  /// Clocks that are apart by this much put lines of the log in a wrong order, and delays off by as much. Nothing else
  /// goes by them. Seconds.
  static let clockSecondsMax = 1.0

  private func clock(_ place: String) -> StorageCheck {
    let name = "clock"
    do throws(SystemCallError) {
      try root.unlinkIfPresent(place)
      let before = Clock.wall()
      let file = try root.open(place, O_WRONLY | O_CREAT | O_EXCL)
      let status = try file.status()
      let after = Clock.wall()
      let offset = Double(status.changed / 1000 - (before + after) / 2) / 1e6
      let found = "\(Self.short(abs(offset))) s \(offset < 0 ? "ahead of" : "behind") the server's"
      return StorageCheck(
        name: name, found: found,
        cure: abs(offset) > Self.clockSecondsMax ? "set the clocks of all hosts by NTP, such as chrony" : nil)
    } catch { return failed(name, error) }
  }

  private func locks(_ place: String) -> StorageCheck {
    let name = "locks"
    do throws(SystemCallError) {
      try write("lock", to: place)
      let first = try root.open(place, O_RDWR)
      let second = try root.open(place, O_RDWR)
      let began = Clock.sinceBoot()
      try first.lock()
      let took = Clock.sinceBoot() - began
      let isTaken = try second.tryLock()
      try first.unlock()
      return isTaken
        ? StorageCheck(
          name: name, found: "two have one lock", cure: "mount it with locks: without nolock, nobrl or local_lock")
        : StorageCheck(name: name, found: "one at a time, \(Self.milliseconds(took))", cure: nil)
    } catch {
      return error.code == ENOLCK || error.code == ENOTSUP
        ? StorageCheck(name: name, found: error.reason, cure: "use NFSv4, or run rpc.statd on server and clients")
        : failed(name, error)
    }
  }

  private func write(_ text: String, to path: String) throws(SystemCallError) {
    let file = try root.open(path, O_WRONLY | O_CREAT | O_TRUNC)
    try file.write(Array(text.utf8))
    try file.close()
  }

  private func failed(_ name: String, _ error: SystemCallError) -> StorageCheck {
    StorageCheck(name: name, found: "\(error)", cure: "use a file system that can do this")
  }

  private static func milliseconds(_ nanoseconds: Int) -> String { "\(short(Double(nanoseconds) / 1e6)) ms" }

  static func short(_ value: Double, digits: Int = 1) -> String {
    let scale = (0..<digits).reduce(1.0) { scale, _ in scale * 10 }
    return "\((value * scale).rounded() / scale)"
  }
}

/// What is mounted, as `/proc/self/mountinfo` has it.
struct MountTable {
  struct Entry {
    let device: UInt64
    let place: String
    let type: String
    let source: String
    let options: [String]

    /// `name=…` or `name`.
    func option(_ name: String) -> String? { options.last { $0 == name || $0.hasPrefix(name + "=") } }

    /// Options that several hosts do not go with, as they stand there.
    var suspicious: [String] {
      options.filter { option in
        Self.unfit.contains { option == $0.option || (option.hasPrefix($0.option + "=") && $0.anyValue) }
      }
    }

    private static let unfit: [(option: String, anyValue: Bool, cure: String)] = [
      ("nolock", false, "mount it without nolock: locks must hold between hosts"),
      ("local_lock=all", false, "mount it with local_lock=none: locks must hold between hosts"),
      ("local_lock=flock", false, "mount it with local_lock=none: locks must hold between hosts"),
      ("local_lock=posix", false, "mount it with local_lock=none: locks must hold between hosts"),
      ("nobrl", false, "mount it without nobrl: locks must hold between hosts"),
      ("nocto", false, "mount it without nocto: opening a file must show what others wrote"),
      ("soft", false, "mount it with hard: with soft, what was done may be answered with an error"),
      ("softerr", false, "mount it with hard: with softerr, what was done may be answered with an error"),
      ("cache=loose", false, "mount it with cache=none or cache=strict: others' changes must be seen"),
      ("cache=fscache", false, "mount it with cache=none: others' changes must be seen"),
      ("cache=mmap", false, "mount it with cache=none: others' changes must be seen"),
    ]

    var cures: [String] {
      var cures = Self.unfit.filter { unfit in suspicious.contains { $0 == unfit.option } }.map(\.cure)
      for kind in ["sshfs", "s3fs", "gcsfuse", "goofys", "rclone", "davfs"] where type.contains(kind) {
        cures.append(
          "use NFSv4 or another file system that is made for several hosts: \(kind) doesn't tell them of each other")
      }
      return cures
    }
  }

  private(set) var entries: [Entry] = []

  init() {
    var text: [UInt8] = []
    if let file = try? Descriptor.open("/proc/self/mountinfo", O_RDONLY) {
      text = Self.all(of: file)
    }
    self.init(String(decoding: text, as: UTF8.self))
  }

  private static func all(of file: borrowing Descriptor) -> [UInt8] {
    var text: [UInt8] = []
    while let more = (try? file.read(maximum: 64 << 10)) ?? nil, !more.isEmpty { text += more }
    return text
  }

  /// See proc_pid_mountinfo(5).
  init(_ text: String) {
    for line in text.split(separator: "\n") {
      let fields = line.split(separator: " ").map(String.init)
      guard let dash = fields.firstIndex(of: "-"), dash >= 6, fields.count >= dash + 4 else { continue }
      let numbers = fields[2].split(separator: ":").compactMap { UInt64($0) }
      guard numbers.count == 2 else { continue }
      // As stat(2) has it: C: makedev(3).
      let (major, minor) = (numbers[0], numbers[1])
      let device = (major & 0xfff) << 8 | minor & 0xff | (minor & ~0xff) << 12 | (major & ~0xfff) << 32
      entries.append(
        Entry(
          device: device, place: fields[4], type: fields[dash + 1], source: fields[dash + 2],
          options: (fields[5] + "," + fields[dash + 3]).split(separator: ",").map(String.init)))
    }
  }
}
