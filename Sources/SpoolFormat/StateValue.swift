/// A small value that all share, as its file has it: `{"value":…,"version":7,"by":"coder","at":"…"}`, and
/// `{"deleted":true,"version":8,…}` for one that is no more.
public struct StateValue: Sendable, Hashable {
  public let key: StateKey
  /// Nil for one that was deleted.
  public let value: JSONText?
  /// Counts the changes of this key; 1 for the first.
  public let version: Int
  /// Who set it, as they said; `unknown` for a file that was written by hand.
  public let by: String?
  public let at: Timestamp?

  /// The most bytes that a value may have: who shares more shares the name of a file.
  public static let bytesMax = 64 << 10
  /// The most that its file may have, with room for white space of an editor's.
  public static let fileBytesMax = 2 * bytesMax

  public init(key: StateKey, value: JSONText?, version: Int, by: String? = nil, at: Timestamp? = nil) {
    self.key = key
    self.value = value
    self.version = version
    self.by = by
    self.at = at
  }

  /// Nil for JSON of any other form, which is then itself what somebody wrote there by hand as the value.
  public init?(_ text: JSONText, key: StateKey) {
    let found = text.withSlice { slice -> StateValue? in
      guard let version = slice["version"]?.int, version > 0 else { return nil }
      let value = slice["value"].map { JSONText(trusted: Array($0.bytes)) }
      guard value != nil || slice["deleted"]?.bool == true else { return nil }
      return StateValue(
        key: key, value: value, version: version, by: slice["by"]?.string,
        at: slice["at"]?.string.flatMap(Timestamp.init(rfc3339:)))
    }
    guard let found else { return nil }
    self = found
  }

  /// As it stands in its file and in the log, less the line feed.
  public func write(to writer: inout JSONWriter) {
    writer.beginObject()
    if let value { writer.member("value", value) } else { writer.member("deleted", true) }
    writer.member("version", version)
    writer.member("by", ifPresent: by)
    if let at {
      writer.key("at")
      writer.moment(at)
    }
    writer.endObject()
  }
}

/// The name of the one file in `state/versions/KEY/`: `7` when the value is at version 7, `7~deleted` when that version
/// took it away, and `8~HOLDER~SERIAL` from when version 8 is decided until it can be seen.
public struct StateToken: Sendable, Hashable, CustomStringConvertible {
  public enum Mark: Sendable, Hashable {
    case settled
    case deleted
    case deciding(by: Holder, serial: UInt32)
  }

  public let version: Int
  public let mark: Mark

  public init(version: Int, mark: Mark) {
    self.version = version
    self.mark = mark
  }

  /// Nil for any name that isn't exactly of this form.
  public init?(_ text: String) {
    let parts = text.split(separator: "~", omittingEmptySubsequences: false)
    guard let version = Int(parts[0]), version >= 0 else { return nil }
    switch parts.count {
    case 1: self.init(version: version, mark: .settled)
    case 2 where parts[1] == "deleted": self.init(version: version, mark: .deleted)
    case 3:
      guard let holder = Holder(parts[1]), let serial = UInt32(parts[2], radix: 16) else { return nil }
      self.init(version: version, mark: .deciding(by: holder, serial: serial))
    default: return nil
    }
    guard description == text else { return nil }
  }

  public var description: String {
    switch mark {
    case .settled: "\(version)"
    case .deleted: "\(version)~deleted"
    case .deciding(let holder, let serial): "\(version)~\(holder)~\(String(serial, radix: 16))"
    }
  }
}
