import Glibc
import Linux
import SpoolFormat

/// What makes a spool one that several users share: who this process acts as in it.
struct SharedSpool: Sendable {
  let user = Accounts.user
  /// Where links may be made to the files of others (fs.protected_hardlinks is off), or nobody here can tell.
  let linksAreLoose: Bool

  init(isOnNetwork: Bool) {
    let setting = (try? Descriptor.open("/proc/sys/fs/protected_hardlinks", O_RDONLY).read(maximum: 8)) ?? nil
    linksAreLoose = isOnNetwork || setting?.first != UInt8(ascii: "1")
  }

  /// The tree's rules for who makes something in it.
  static let tree = SharedTree { path, isDirectory in Permissions.mode(path, isDirectory: isDirectory) }

  /// Opens the root of a spool.
  /// - Throws: `.notASpool`; `.notPermitted` for who isn't in its group.
  static func openRoot(_ path: String) throws -> Directory {
    do { return try Directory(path) } catch {
      if error.code == EACCES, let status = try? Directory(parent(of: path)).status(name(of: path)), status.isDirectory
      {
        guard status.mode & S_ISGID != 0, status.mode & 0o050 == 0o050 else {
          throw SpoolError(
            .notPermitted,
            "the spool at \(path) belongs to \(Accounts.shown(user: status.owner)), and is closed to others",
            hint: "a spool for several users is made with: spool init --shared GROUP DIR", cause: error)
        }
        let group = Accounts.shown(group: status.group)
        throw SpoolError(
          .notPermitted,
          "the spool at \(path) is closed to \(Accounts.shown(user: Accounts.user)): it is shared by the group \(group)",
          hint: "have root add you, usermod -a -G \(group) \(Accounts.shown(user: Accounts.user)), and log in again",
          cause: error)
      }
      guard Spool.isAbsence(error.code) else { throw SpoolError("cannot open the spool at \(path)", error) }
      let why = error.code == ENOTDIR ? "is not a directory" : error.reason.lowercased()
      throw SpoolError(
        .notASpool, "no spool at \(path): \(why)", hint: "make one with: spool init \(path)", cause: error)
    }
  }

  private static func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  private static func name(of path: String) -> String { path.split(separator: "/").last.map(String.init) ?? "." }

  /// The number of the group that a spool is to be shared by.
  /// - Throws: `.cannotCreate` when there is none of that name; `.notPermitted` for who isn't in it.
  static func group(named text: String) throws -> gid_t {
    guard let group = Accounts.group(text) else {
      throw SpoolError(
        .cannotCreate, "there is no group \(text.escapedForTerminal())",
        hint: "have root make it: groupadd \(text.escapedForTerminal())")
    }
    guard Accounts.isMember(of: group) else {
      let user = Accounts.shown(user: Accounts.user)
      throw SpoolError(
        .notPermitted, "\(user) is not in the group \(Accounts.shown(group: group)), and can't share a spool with it",
        hint: "have root add you, usermod -a -G \(Accounts.shown(group: group)) \(user), and log in again")
    }
    return group
  }
}

extension Spool {
  /// Whether several users share the spool.
  public var isShared: Bool { sharing != nil }

  /// The user to whom a bot belongs; nil where the spool isn't shared, and for a bot that isn't there.
  public func owner(of bot: BotName) throws -> UInt32? {
    guard sharing != nil else { return nil }
    return try doing("cannot look at \(bot)") { try root.status(Layout.bot(bot))?.owner }
  }

  /// What that user is called, or the number; nil where the spool isn't shared.
  public func ownerName(of bot: BotName) throws -> String? { try owner(of: bot).map { Accounts.shown(user: $0) } }

  /// Whether a bot is this user's, to receive for and to settle; all are where the spool isn't shared.
  public func isOwn(_ bot: BotName) -> Bool {
    guard let sharing else { return true }
    return (try? root.status(Layout.bot(bot)))??.owner == sharing.user
  }

  /// Refuses what only the user may do to whom a bot belongs. Root, too: what it made would be in that user's way.
  /// - Throws: `.notPermitted`.
  func requireOwn(_ bot: BotName, to doWhat: String) throws {
    guard let sharing, let owner = try owner(of: bot), owner != sharing.user else { return }
    let name = Accounts.shown(user: owner)
    throw SpoolError(
      .notPermitted,
      "cannot \(doWhat) \(bot): it belongs to \(name), and you are \(Accounts.shown(user: sharing.user))",
      hint: "run it as \(name), or register a bot of your own")
  }
}
