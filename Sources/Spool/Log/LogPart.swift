import SpoolFormat

/// The directories below `log/`, in each of which the processes of one host append: of one user alone, where users share
/// the spool, so that nobody writes in another's part. The only place that knows how they are named.
enum LogPart {
  /// `HOST`, or `HOST~USER` with the number of the user.
  static func name(host: String, user: UInt32?) -> String { user.map { "\(host)~\($0)" } ?? host }

  /// Whether a directory bears the name of one.
  static func isName(_ text: String) -> Bool {
    guard let mark = text.lastIndex(of: "~") else { return Holder.hostName(text) == text }
    let (host, user) = (String(text[..<mark]), text[text.index(after: mark)...])
    return Holder.hostName(host) == host && UInt32(user).map { "\($0)" == user } == true
  }

  /// The user that a part is called after; whose it is, its owner says.
  static func user(of part: String) -> UInt32? {
    part.lastIndex(of: "~").flatMap { UInt32(part[part.index(after: $0)...]) }
  }

  /// The host that appends there.
  static func host(of part: String) -> String { part.lastIndex(of: "~").map { String(part[..<$0]) } ?? part }
}
