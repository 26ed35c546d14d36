import CoordinatorPolicy
import Spool
import SpoolFormat

extension BotRecord {
  /// What is kept of a bot, as whoever caught up last left it; empty where nobody has yet.
  /// Cost: one small file is read.
  public static func kept(of bot: BotName, in spool: Spool) -> BotRecord {
    guard let bytes = (try? spool.readRecord(of: bot)) ?? nil, let value = try? JSONValue(parsing: bytes),
      let record = try? BotRecord(value)
    else { return BotRecord() }
    return record
  }
}
