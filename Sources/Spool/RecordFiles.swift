import Glibc
import Linux
import SpoolFormat

/// The files in which what the log taught of bots is kept: `bots/BOT/record.json`, and `records.json`, which says how far
/// the log was read. What stands in them is the business of whoever keeps them.
extension Spool {
  /// The most that is read of one.
  private static let recordBytesMax = 16 << 20

  /// Nil when there is none.
  public func readRecord(of bot: BotName) throws -> [UInt8]? {
    try readRecordFile(Layout.record(bot, for: sharing?.user))
  }

  /// Replaces it whole. A bot that is gone has none.
  public func writeRecord(of bot: BotName, _ bytes: [UInt8]) throws {
    let path = Layout.record(bot, for: sharing?.user)
    guard try hasRecordDirectories() else { return }
    do throws(SystemCallError) { try replace(path, with: bytes) } catch {
      guard error.code != ENOENT else { return }
      throw SpoolError("cannot write \(path)", error)
    }
  }

  public func readRecordsPosition() throws -> [UInt8]? { try readRecordFile(Layout.records(for: sharing?.user)) }

  public func writeRecordsPosition(_ bytes: [UInt8]) throws {
    let path = Layout.records(for: sharing?.user)
    guard try hasRecordDirectories() else { return }
    try doing("cannot write \(path)") { try replace(path, with: bytes) }
  }

  /// Where users share the spool, each keeps his own. False when somebody made a directory in the place of this user's:
  /// nothing is believed that is in there, and all is learned anew each time.
  private func hasRecordDirectories() throws -> Bool {
    guard let user = sharing?.user else { return true }
    let own = "\(Layout.recordDirectories)/\(user)"
    do throws(SystemCallError) {
      for name in [own, "\(own)/bots"] { try root.makeOwn(name, of: user) }
    } catch {
      if error.code == EPERM || error.code == EACCES { return false }
      throw SpoolError("cannot make \(own)", error)
    }
    return true
  }

  private func readRecordFile(_ path: String) throws -> [UInt8]? {
    guard try hasRecordDirectories() else { return nil }
    return try doing("cannot read \(path)") { try root.readFile(path, maximum: Self.recordBytesMax) }
  }
}
