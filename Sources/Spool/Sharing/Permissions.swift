import Glibc
import Linux
import SpoolFormat

/// Who may do what in a spool that several users share, by what lies where; `spool-layout.md` has the same as a table.
/// All belongs to the group, and is closed to everybody else. In what follows, 3 in front is set-group-id (what is made
/// in it is the group's, too) with the sticky bit (only its owner, or the directory's, may rename or remove it).
enum Permissions {
  /// Private to the user it belongs to; he is the only one who passes.
  static let privateDirectory: mode_t = 0o2700
  /// The user's own, to be read by the group.
  static let shownDirectory: mode_t = 0o2750
  /// Everybody in the group may add, and nobody but the owner sees what is there.
  static let dropBox: mode_t = 0o3730
  /// Everybody may add and see, and each removes only his own.
  static let commonDirectory: mode_t = 0o3770
  /// Everybody may do everything: they are in it together.
  static let workspace: mode_t = 0o2770

  static let privateFile: mode_t = 0o600
  static let shownFile: mode_t = 0o640
  static let workspaceFile: mode_t = 0o660

  static func mode(_ path: String, isDirectory: Bool) -> mode_t {
    let parts = path.split(separator: "/")
    guard let top = parts.first, top != "." else { return isDirectory ? shownDirectory : shownFile }
    if isDirectory, parts.count == 1, let mode = topModes[String(top)] { return mode }
    switch top {
    case "bots":
      if !isDirectory {
        let isPrivate = parts.count == 4 && Layout.privateBoxes.contains(String(parts[2]))
        return isPrivate ? privateFile : shownFile
      }
      guard parts.count > 2 else { return shownDirectory }
      switch parts[2] {
      case "inbox", "tmp": return dropBox
      case "presence", "reserved": return shownDirectory
      default: return privateDirectory
      }
    case "topics": return isDirectory ? commonDirectory : shownFile
    case "log":
      if isDirectory { return shownDirectory }
      // Who can open it could hold its lock.
      return parts.last == "commit" ? privateFile : shownFile
    case "keys": return isDirectory ? privateDirectory : privateFile
    case "records": return isDirectory ? shownDirectory : shownFile
    case "tasks", "groups", "coordinator", "state": return isDirectory ? workspace : workspaceFile
    default: return isDirectory ? commonDirectory : shownFile
    }
  }

  private static let topModes: [String: mode_t] = [
    "bots": commonDirectory, "topics": commonDirectory, "log": commonDirectory, "keys": commonDirectory,
    "quarantine": commonDirectory, "tmp": commonDirectory, "records": commonDirectory,
    // Nobody but who made the spool may put another in the place of a state's directory.
    "tasks": shownDirectory, "groups": shownDirectory,
    "coordinator": workspace, "state": workspace,
  ]
}

extension Directory {
  /// Opens a file to be locked, which is made when it isn't there: what others can open they could hold for ever.
  /// - Returns: nil when it isn't the user's alone.
  func openPrivate(_ path: String, of user: uid_t) throws(SystemCallError) -> Descriptor? {
    guard let file = try? open(path, O_RDWR | O_CREAT, mode: Permissions.privateFile) else { return nil }
    let status = try file.status()
    guard status.owner == user, status.mode & 0o077 == 0 else { return nil }
    return file
  }
}
