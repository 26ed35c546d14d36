import Glibc
import Linux
import SpoolFormat

/// Which machine a host's name in a shared spool belongs to. Two machines of one name would append to one log, and take
/// each other's processes for dead: so the first to come has the name, and another goes by one of its own.
struct HostIdentity {
  let root: Directory
  /// What the machine calls itself.
  let wanted: String
  /// Whose part of the log is asked for; nil where the spool has one user.
  let user: uid_t?
  private var part: String { LogPart.name(host: wanted, user: user) }

  /// The name that this machine goes by in the spool.
  /// Cost: a small file read, on shared storage only.
  func name() throws(SystemCallError) -> String {
    guard root.isRemote else { return wanted }
    let own = Self.machine()
    let path = Layout.machine(of: part)
    do throws(SystemCallError) {
      if try owner() == nil {
        try root.makeDirectory(Layout.log)
        try root.makeDirectory(Layout.logs(of: part))
        let temporary = Layout.temporary("machine-\(wanted)-\(getpid())-\(UInt32.random(in: .min ... .max))")
        let file = try root.open(temporary, O_WRONLY | O_CREAT | O_EXCL)
        try file.write(Array("\(own)\n".utf8))
        try file.syncData()
        try file.close()
        defer { _ = try? root.unlink(temporary) }
        do throws(SystemCallError) { try root.link(temporary, to: path) } catch {  // of two that come at once, one
          // One that a power cut has emptied is nobody's.
          let isTaken = error.code == EEXIST ? try owner() != nil : false
          if !isTaken { try root.rename(temporary, to: path) }
        }
      }
    } catch {
      // Who may only read appends to no log, and on a full disk neither.
      guard [EROFS, EACCES, EPERM, ENOSPC, EDQUOT].contains(error.code) else { throw error }
      return wanted
    }
    guard let owner = try owner(), owner != own else { return wanted }
    return "\(wanted.prefix(64 - 1 - Self.suffixCount))-\(own.prefix(Self.suffixCount))"
  }

  private static let suffixCount = 6

  private func owner() throws(SystemCallError) -> String? {
    guard let bytes = try root.readFile(Layout.machine(of: part), maximum: 256) else { return nil }
    let text = String(decoding: bytes.filter { $0 > 32 }, as: UTF8.self)
    return text.isEmpty ? nil : text
  }

  /// Tells this machine from others, over reboots: made of its `/etc/machine-id`, which is nobody else's business, or where
  /// there is none (in a container) of the boot. 32 hexadecimal digits.
  static func machine() -> String {
    var bytes: [UInt8] = []
    if let file = try? Descriptor.open("/etc/machine-id", O_RDONLY) {
      bytes = ((try? file.read(maximum: 64)) ?? nil) ?? []
      bytes = bytes.filter { $0 > 32 }
    }
    if bytes.count < 32 { bytes = Array(((try? Clock.bootIdentity()) ?? "").utf8) }
    return Self.digest(Array("nanospool ".utf8) + bytes)
  }

  /// FNV-1a, twice with different beginnings: 128 bits in all.
  static func digest(_ bytes: [UInt8]) -> String {
    [0xcbf2_9ce4_8422_2325, 0x9ae1_6a3b_2f90_404f].map { (basis: UInt64) in
      var hash = FNV1a(basis: basis)
      hash.add(bytes)
      let text = String(hash.value, radix: 16)
      return String(repeating: "0", count: 16 - text.count) + text
    }.joined()
  }
}
