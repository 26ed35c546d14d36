import Glibc

/// Users and groups, as `/etc/passwd` and `/etc/group` name them. Those that are kept elsewhere (LDAP and the like) have
/// numbers only: asking for them would take libraries that a static program doesn't have.
public enum Accounts {
  /// The user that this process acts as.
  public static var user: uid_t { geteuid() }

  /// Nil for a user that the file doesn't have.
  public static func name(ofUser user: uid_t) -> String? { users[user] }

  /// The user's name, or the number where there is none.
  public static func shown(user: uid_t) -> String { users[user] ?? "\(user)" }

  /// The number of a group that is named, or given as a number; nil for a name that the file doesn't have.
  public static func group(_ text: String) -> gid_t? { gid_t(text) ?? groups.first { $0.value == text }?.key }

  public static func shown(group: gid_t) -> String { groups[group] ?? "\(group)" }

  /// Whether this process belongs to a group; root may do what every group may. C: getgroups(2).
  public static func isMember(of group: gid_t) -> Bool {
    if geteuid() == 0 || getegid() == group { return true }
    let count = getgroups(0, nil)
    guard count > 0 else { return false }
    var all = [gid_t](repeating: 0, count: Int(count))
    return getgroups(count, &all) > 0 && all.contains(group)
  }

  /// What this process takes away from the modes of the files that it makes; all, where that can't be told.
  /// (Asking the kernel by umask(2) would change it for other threads meanwhile.)
  public static func fileModeMask() -> mode_t {
    let status = (try? Descriptor.open("/proc/self/status", O_RDONLY).read(maximum: 8192)) ?? nil
    for line in String(decoding: status ?? [], as: UTF8.self).split(separator: "\n") where line.hasPrefix("Umask:") {
      return mode_t(line.dropFirst(6).drop { $0 == "\t" || $0 == " " }, radix: 8) ?? 0o777
    }
    return 0o777
  }

  private static let users: [uid_t: String] = read("/etc/passwd")
  private static let groups: [gid_t: String] = read("/etc/group")

  /// `NAME:x:NUMBER:…`; of several names the first counts.
  private static func read(_ path: String) -> [UInt32: String] {
    guard let file = try? Descriptor.open(path, O_RDONLY), let size = try? file.status().size,
      let bytes = try? file.read(at: 0, count: min(size, 16 << 20))
    else { return [:] }
    var names: [UInt32: String] = [:]
    for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
      let fields = line.split(separator: ":", omittingEmptySubsequences: false)
      guard fields.count > 2, let number = UInt32(fields[2]), names[number] == nil else { continue }
      names[number] = String(fields[0])
    }
    return names
  }
}
