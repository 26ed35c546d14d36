import Glibc
import Linux
import SpoolFormat

/// The files in which what the log taught of bots is kept: `bots/BOT/record.json`, and `records.json`, which says how far
/// the log was read. What stands in them is the business of whoever keeps them.
extension Spool {
  /// The most that is read of one.
  private static let recordBytesMax = 16 << 20

  /// Nil when there is none.
  public func readRecord(of bot: BotName) throws -> [UInt8]? { try readRecordFile(Layout.record(bot)) }

  /// Replaces it whole. A bot that is gone has none.
  public func writeRecord(of bot: BotName, _ bytes: [UInt8]) throws {
    do throws(SystemCallError) { try replace(Layout.record(bot), with: bytes) } catch {
      guard error.code != ENOENT else { return }
      throw SpoolError("cannot write \(Layout.record(bot))", error)
    }
  }

  public func readRecordsPosition() throws -> [UInt8]? { try readRecordFile(Layout.records) }

  public func writeRecordsPosition(_ bytes: [UInt8]) throws {
    try doing("cannot write \(Layout.records)") { try replace(Layout.records, with: bytes) }
  }

  private func readRecordFile(_ path: String) throws -> [UInt8]? {
    try doing("cannot read \(path)") { try root.readFile(path, maximum: Self.recordBytesMax) }
  }
}
