/// A small value that all share, as its file has it: `{"value":…,"version":7,"by":"coder","at":"…"}`, and
/// `{"deleted":true,"version":8,…}` in the log for one that is no more.
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

  /// The highest version that counts: the next one is a number still.
  public static let versionMax = WholeNumber.max - 1

  public init(key: StateKey, value: JSONText?, version: Int, by: String? = nil, at: Timestamp? = nil) {
    self.key = key
    self.value = value
    self.version = version
    self.by = by
    self.at = at
  }

  /// Reads a file, or the data of an event. Nil for what isn't an object of this form: JSON that is something else
  /// is itself what somebody wrote there by hand as the value.
  public init?(parsing bytes: [UInt8], key: StateKey) {
    var value: JSONText?
    var version = 0
    var isDeleted = false
    var author: String?
    var time: Timestamp?
    do {
      try JSON.readObject(bytes) { name, slice in
        if name.equals("value") {
          value = JSONText(trusted: Array(slice.bytes))
        } else if name.equals("version") {
          version = slice.int ?? 0
        } else if name.equals("deleted") {
          isDeleted = slice.bool == true
        } else if name.equals("by") {
          author = slice.string
        } else if name.equals("at") {
          time = slice.moment
        }
      }
    } catch { return nil }
    guard 1...Self.versionMax ~= version, value != nil || isDeleted else { return nil }
    self.init(key: key, value: value, version: version, by: author, at: time)
  }

  /// As it stands in its file and in the log, less the line feed.
  public func write(to writer: inout JSONWriter) {
    writer.beginObject()
    if let value { writer.member("value", value) } else { writer.member("deleted", true) }
    writer.member("version", version)
    writer.member("by", ifPresent: by)
    writer.member("at", moment: at)
    writer.endObject()
  }
}

/// The name of the one file in `state/versions/KEY/`, which says which version the value has, and who decided on that:
/// `VERSION[~HOLDER~SERIAL][~deleted]`. The version can be seen once `state/tmp/KEY~TOKEN.json` is no longer there.
public struct StateToken: Sendable, Hashable, CustomStringConvertible {
  public let version: Int
  /// Nil for one that recovery made, and for version 0, which nobody decided on.
  public let holder: Holder?
  /// Tells apart what one holder decides.
  public let serial: UInt32
  /// Whether that version took the value away.
  public let isDeleted: Bool

  public init(version: Int, holder: Holder? = nil, serial: UInt32 = 0, isDeleted: Bool = false) {
    self.version = version
    self.holder = holder
    self.serial = serial
    self.isDeleted = isDeleted
  }

  /// Nil for any name that isn't exactly of this form.
  public init?(_ text: String) {
    var parts = text.split(separator: "~", omittingEmptySubsequences: false)
    let isDeleted = parts.last == "deleted"
    if isDeleted { parts.removeLast() }
    guard let first = parts.first, let version = WholeNumber.parse(first), version <= StateValue.versionMax else {
      return nil
    }
    switch parts.count {
    case 1: self.init(version: version, isDeleted: isDeleted)
    case 3:
      guard let holder = Holder(parts[1]), let serial = UInt32(parts[2], radix: 16) else { return nil }
      self.init(version: version, holder: holder, serial: serial, isDeleted: isDeleted)
    default: return nil
    }
    guard description == text else { return nil }
  }

  public var description: String {
    var text = "\(version)"
    if let holder { text += "~\(holder.description)~\(String(serial, radix: 16))" }
    return isDeleted ? text + "~deleted" : text
  }
}
