import Foundation
import Glibc

/// A directory that is gone when its test is.
public final class Scratch: Sendable {
  public static let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
  public let path: String

  /// - Parameter inMemory: where the disk is not what is tested, and would only cost time.
  public init(inMemory: Bool = false) throws {
    let parent = inMemory && access("/dev/shm", R_OK | W_OK | X_OK) == 0 ? "/dev/shm" : Self.parent
    var name = Array("\(parent)/nanospool-XXXXXX".utf8CString)
    guard mkdtemp(&name) != nil else { throw SpoolCommand.Failure(description: "cannot make a directory in \(parent)") }
    path = String(decoding: name.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// A spool made without the program, as `spool-layout.md` says it may be.
  public func makeSpool(_ name: String = "spool", bots: [String], settings: [String: Any] = [:]) throws -> String {
    let spool = "\(path)/\(name)"
    for directory in ["bots", "topics", "log", "quarantine", "keys", "tmp"] {
      try Self.makeDirectory("\(spool)/\(directory)")
    }
    for bot in bots {
      for box in ["inbox", "claimed", "dead", "presence", "tmp"] {
        try Self.makeDirectory("\(spool)/bots/\(bot)/\(box)")
      }
    }
    var content: [String: Any] = ["nanospool": 1, "id": "0123456789abcdef0123456789abcdef"]
    content.merge(settings) { $1 }
    try Self.write(JSONSerialization.data(withJSONObject: content), to: "\(spool)/spool.json")
    return spool
  }

  public static func makeDirectory(_ path: String) throws {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  public static func write(_ text: String, to path: String) throws { try write(Data(text.utf8), to: path) }
  public static func write(_ data: Data, to path: String) throws { try Plain.write(path, data) }

  /// What a file says; nothing when it isn't there.
  public static func text(_ path: String) -> String {
    FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }

  public static func names(_ path: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
  }

  /// Every file below, with its kind, size and content, so that any change at all shows; the log's shared page, which
  /// every command that opens the spool maps, is left out.
  public static func listing(_ path: String) -> [String] {
    let below = FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
    return below.sorted().filter { !$0.hasSuffix("/commit") }.map { name in
      let full = "\(path)/\(name)"
      let kind =
        (try? FileManager.default.attributesOfItem(atPath: full)[.type] as? FileAttributeType)?.rawValue ?? "gone"
      guard kind == FileAttributeType.typeRegular.rawValue else { return "\(name) \(kind)" }
      let content = FileManager.default.contents(atPath: full)
      return "\(name) \(content?.count ?? -1) \(content?.hashValue ?? 0)"
    }
  }
}
