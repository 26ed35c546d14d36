import Glibc
import Linux
import SpoolFormat

extension Spool {
  /// Sets aside what can't be read, with the reason beside it; its neighbours go on. False when it is gone.
  @discardableResult
  func quarantine(_ bot: BotName, _ box: Layout.Box, _ name: [UInt8], reason: String) throws -> Bool {
    let shown = String(decoding: name, as: UTF8.self).escapedForTerminal()
    let plain = shown.utf8.prefix(120).map { byte -> UInt8 in
      byte > 32 && byte < 127 && byte != UInt8(ascii: "/") && byte != UInt8(ascii: "\\") ? byte : UInt8(ascii: "_")
    }
    let kept = "\(now().compact)-\(bot)-\(String(decoding: plain, as: UTF8.self))"
    let target = Layout.quarantined(kept)
    return try doing("cannot set \(shown) aside") {
      // On a full disk there may be no room for the reason; the file is in the way all the same.
      _ = try? writeReason(besides: target, bot: bot, reason: reason)
      guard try root.renameIfPresent(in: Layout.box(bot, box), name, to: target) else {  // commit
        _ = try? root.unlink(Layout.reason(besides: target))
        return false
      }
      note(.messageQuarantined, EntryName(shown)?.id.description ?? shown) { writer in
        writer.beginObject()
        writer.member("bot", bot.description)
        writer.member("reason", reason)
        writer.member("kept", target)
        writer.endObject()
      }
      return true
    }
  }

  /// What is set aside: the name in `quarantine/`, and why.
  /// - Parameter moment: only what was set aside since.
  public func quarantined(since moment: Timestamp? = nil) throws -> [(name: String, reason: String)] {
    try quarantinedNames(since: moment).map { name in
      (name, reason(besides: Layout.quarantined(name)) ?? "no reason is kept")
    }
  }

  /// The same without reading why.
  func quarantinedNames(since moment: Timestamp? = nil) throws -> [String] {
    try doing("cannot look into quarantine") {
      // The names begin with the time.
      let first = moment?.compact ?? ""
      return try root.names(Layout.quarantine).filter { name in
        if name.hasSuffix(".reason") || name < first { return false }
        // What others set aside is theirs to look at, and what they say of it theirs to say.
        guard let sharing else { return true }
        let reason = Layout.reason(besides: Layout.quarantined(name))
        return try (root.status(reason) ?? root.status(Layout.quarantined(name)))?.owner == sharing.user
      }
    }
  }

  func reason(besides path: String) -> String? {
    guard let bytes = try? root.readFile(Layout.reason(besides: path), maximum: 1 << 20) else { return nil }
    return (try? JSONValue(parsing: bytes))?["reason"]?.string
  }
}

extension Directory {
  /// Removes what a process that died left, or what has been done; a directory, which somebody put under its name, is set
  /// aside, and keeps nobody from the rest.
  /// - Returns: whether there was anything.
  @discardableResult
  func clear(_ path: String) throws(SystemCallError) -> Bool {
    do { return try unlinkIfPresent(path) } catch {
      guard error.code == EISDIR || error.code == EPERM else { throw error }
      let name = "\(UInt32.random(in: .min ... .max))-" + path.split(separator: "/").joined(separator: "-").suffix(200)
      do throws(SystemCallError) { return try renameIfPresent(path, to: Layout.quarantined(name)) } catch {
        // Somebody else's, perhaps, in a directory where only the owner may remove.
        return false
      }
    }
  }
}
