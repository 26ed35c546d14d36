import Glibc

/// A kind of file system, as far as it matters here.
public struct FileSystem: Sendable {
  public let name: String
  /// Whether other hosts may change it without this host's kernel noticing: events are then not enough.
  public let isNetwork: Bool

  /// `SPOOL_STORAGE=shared` says that other hosts use the spool, too, where its file system doesn't tell: one whose kind isn't known
  /// here, or one that this host itself serves to others.
  public static let isDeclaredRemote = getenv("SPOOL_STORAGE").map { String(cString: $0) == "shared" } ?? false

  init(type: UInt32) {
    // The numbers are from linux/magic.h and statfs(2).
    (name, isNetwork) =
      switch type {
      case 0xEF53: ("ext4", false)
      case 0x5846_5342: ("xfs", false)
      case 0x0102_1994: ("tmpfs", false)
      case 0x9123_683E: ("btrfs", false)
      case 0x2FC1_2FC1: ("zfs", false)
      case 0x794C_7630: ("overlayfs", false)
      case 0xF2F5_2010: ("f2fs", false)
      case 0x6969: ("nfs", true)
      case 0x6573_5546: ("fuse", true)
      case 0xFF53_4D42, 0xFE53_4D42: ("smb", true)
      case 0x0102_1997: ("9p", true)
      case 0x00C3_6400: ("ceph", true)
      case 0x0BD0_0BD0: ("lustre", true)
      case 0x4750_4653: ("gpfs", true)
      case 0x0116_1970: ("gfs2", true)
      case 0x7461_636F: ("ocfs2", true)
      case 0x1983_0326: ("beegfs", true)
      case 0x5346_414F: ("afs", true)
      default: ("unknown (0x\(String(type, radix: 16)))", false)
      }
  }
}

extension Directory {
  /// What the file system has none of any more for this user; nil when there is room. C: fstatvfs(3).
  public func lack() throws(SystemCallError) -> String? {
    var room = statvfs()
    _ = try systemCall("fstatvfs", path) { fstatvfs(raw, &room) }
    let isRoot = geteuid() == 0
    if room.f_blocks > 0, (isRoot ? room.f_bfree : room.f_bavail) == 0 { return "bytes" }
    // Some have no fixed number of inodes, and say 0 of 0.
    return room.f_files > 0 && (isRoot ? room.f_ffree : room.f_favail) == 0 ? "inodes" : nil
  }

  /// Whether this user may put files into a directory below this one; true of what isn't there. C: faccessat(2).
  public func mayWrite(into name: String) throws(SystemCallError) -> Bool {
    do { _ = try systemCall("faccessat", name) { faccessat(raw, name, W_OK | X_OK, AT_EACCESS) } } catch {
      if [EACCES, EPERM, EROFS].contains(error.code) { return false }
      guard error.code == ENOENT || error.code == ENOTDIR else { throw error }
    }
    return true
  }
}
