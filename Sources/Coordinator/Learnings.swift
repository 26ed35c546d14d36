import Spool
import SpoolFormat

/// What tasks taught: `coordinator/learnings/DOMAIN.jsonl`, a line each with `time`, `task`, `bot` and `text`. A field
/// keeps its newest 2 to 4 MiB; all is in the log.
public struct Learnings {
  public struct Learning: Sendable, Hashable {
    public let domain: String
    public let time: String
    public let task: String
    public let bot: String?
    public let text: String
  }

  private let spool: Spool
  private static let directory = "learnings"
  /// Of tasks that have none, the field.
  static let general = "general"
  /// Bytes that a field keeps at least; with twice as many the oldest go.
  private static let bytesKept = 2 << 20
  /// Of one task, and bytes of each; more is in its file alone.
  private static let taskMax = 100
  private static let textBytesMax = 4096

  public init(_ spool: Spool) { self.spool = spool }

  /// Keeps what an ended task taught. Kept twice it does no harm: readers take each once.
  func keep(_ record: TaskRecord, bot: String?, time: Timestamp) throws {
    guard !record.learnings.isEmpty, let id = record.id else { return }
    var lines: [UInt8] = []
    for text in record.learnings.prefix(Self.taskMax) {
      var writer = JSONWriter()
      writer.beginObject()
      writer.member("time", moment: time)
      writer.member("task", id.description)
      writer.member("bot", ifPresent: bot)
      writer.member("text", String(decoding: text.utf8.prefix(Self.textBytesMax), as: UTF8.self))
      writer.endObject()
      lines += writer.bytes + [10]
    }
    try spool.appendToCoordinatorFile(
      Self.directory, Self.fileName(record.domain), lines, keepingLast: Self.bytesKept)
  }

  /// A domain may be any words; a file's name may not. What isn't ASCII is percent-encoded (RFC 3986, 2.1).
  private static func fileName(_ domain: String?) -> String {
    var name = ""
    for scalar in (domain ?? general).lowercased().unicodeScalars.prefix(100) {
      var text: String
      switch scalar {
      case "a"..."z", "0"..."9", "-", "_": text = String(scalar)
      case _ where scalar.isASCII: text = "-"
      default:
        text = String(scalar).utf8.reduce(into: "") { $0 += "%" + String($1, radix: 16, uppercase: true) }
      }
      guard name.utf8.count + text.utf8.count <= nameBytesMax else { break }
      name += text
    }
    return name + ".jsonl"
  }

  private static let nameBytesMax = 240

  /// The domain that a file is for.
  private static func domain(_ fileName: String) -> String {
    var bytes: [UInt8] = []
    var rest = Array(fileName.utf8.dropLast(6))[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%"), let code = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) {
        bytes.append(code)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Those that say all the words, newest first; of these domains only, if any are named. No words are all learnings.
  /// What was learned again in a domain is there once, as it was learned last: it must take no other's place.
  public func search(_ words: [String], domains: [String] = [], limit: Int = .max) throws -> [Learning] {
    let wanted = Set(domains.map { Self.fileName($0) })
    let words = words.map { $0.lowercased() }
    var found: [[String]: Learning] = [:]
    for name in try spool.coordinatorFiles(in: Self.directory) where wanted.isEmpty || wanted.contains(name) {
      guard name.hasSuffix(".jsonl"), let bytes = try spool.readCoordinatorFile("\(Self.directory)/\(name)") else {
        continue
      }
      let domain = Self.domain(name)
      for line in bytes.split(separator: 10) {
        // Half a line of a writer that died is nobody's learning.
        guard let value = try? JSONValue(parsing: Array(line)), let text = value["text"]?.string else { continue }
        let said = text.lowercased() + " " + domain
        guard words.allSatisfy({ said.contains($0) }) else { continue }
        let learning = Learning(
          domain: domain, time: value["time"]?.string ?? "", task: value["task"]?.string ?? "",
          bot: value["bot"]?.string, text: text)
        if let last = found[[domain, text]], last.time >= learning.time { continue }
        found[[domain, text]] = learning
      }
    }
    return Array(found.values.sorted { ($0.time, $0.text, $0.domain) > ($1.time, $1.text, $1.domain) }.prefix(limit))
  }
}
