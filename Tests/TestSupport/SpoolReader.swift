import Foundation
import Glibc

/// Reads a spool as a stranger would who has only `spool-layout.md`: with plain file calls, Foundation's JSON, and
/// none of the program's own code, so that a mistake there can't hide itself here.
public struct SpoolReader {
  /// A file in one of a bot's boxes.
  public struct Entry {
    public let bot: String
    /// `inbox`, `claimed`, `done`, `dead` or `tmp`.
    public let box: String
    public let fileName: String
    /// Nil for a dropped file.
    public let id: String?
    public let attempt: Int
    /// The third part of the name: the holder, or the time before which it is not to be claimed.
    public let third: String?
    public let message: [String: Any]?
    public var path: String { "bots/\(bot)/\(box)/\(fileName)" }
  }

  /// A good line of the log.
  public struct Event {
    public let type: String
    public let subject: String
    public let data: [String: Any]
    /// Which process wrote it, and its count: no two lines have the same.
    public let identity: String
    public var bot: String? { data["bot"] as? String }
    public var attempt: Int { data["attempt"] as? Int ?? 0 }
    public var recipients: [String] { data["recipients"] as? [String] ?? [] }
    public var message: [String: Any]? { data["message"] as? [String: Any] }
  }

  public let path: String
  public private(set) var entries: [Entry] = []
  public private(set) var events: [Event] = []
  /// The events about each message.
  public private(set) var histories: [String: [Event]] = [:]
  private var copies: [String: [Entry]] = [:]
  private var identities: Set<String> = []
  public private(set) var quarantined: [String] = []
  /// What is in the spool's `tmp/`: normally nothing.
  public private(set) var temporary: [String] = []
  /// What lies in the states of `tasks/`, in `tasks/moving/`, and the names in `tasks/tmp/`.
  public let taskFiles: [TaskFile]
  public let tasksMoving: [TaskFile]
  public let tasksTemporary: [String]
  /// What no moment of any command's life may show.
  public private(set) var problems: [String] = []
  /// Bytes after the last line feed of a segment that are not the spaces of room.
  public private(set) var tornBytes = 0

  public init(_ path: String) {
    self.path = path
    // Before the log is read: what it says was done is then done.
    (taskFiles, tasksMoving, tasksTemporary) = Self.readTasks(path)
    for host in Scratch.names("\(path)/log") { readLog("log/\(host)") }
    for bot in Scratch.names("\(path)/bots") {
      for box in ["inbox", "claimed", "done", "dead", "tmp"] { readBox(bot, box) }
    }
    quarantined = Scratch.names("\(path)/quarantine")
    temporary = Scratch.names("\(path)/tmp")
    for name in Scratch.names("\(path)/keys") { readKey(name) }
  }

  // MARK: Looking

  /// The copies of a message that a bot has, in hand or waiting or given up.
  public func places(_ id: String, of bot: String) -> [Entry] { copies[id]?.filter { $0.bot == bot } ?? [] }
  public func entries(_ bot: String, _ box: String) -> [Entry] { entries.filter { $0.bot == bot && $0.box == box } }
  public func sent(_ id: String) -> Event? { histories[id]?.first { $0.type == "message.sent" } }
  public var sent: [Event] { events.filter { $0.type == "message.sent" } }
  public func entries(saying content: String) -> [Entry] {
    entries.filter { $0.box != "tmp" && $0.message?["content"] as? String == content }
  }

  /// The attempt whose ack counts: nothing else was logged for the same or a later one.
  public func ackedAttempt(_ id: String, by bot: String) -> Int? {
    let events = (histories[id] ?? []).filter { $0.bot == bot }
    let revived = events.lastIndex { $0.type == "message.revived" }.map { $0 + 1 } ?? 0
    var acked: Int?
    var overruled = 0  // the last attempt that no ack counts for
    for event in events[revived...] {
      switch event.type {
      case "message.acked": acked = max(acked ?? 0, event.attempt)
      case "message.claimed": overruled = max(overruled, event.attempt - 1)
      case "message.requeued", "message.ack_refused", "message.dead": overruled = max(overruled, event.attempt)
      default: break
      }
    }
    return acked.flatMap { $0 > overruled ? $0 : nil }
  }

  // MARK: Judging

  /// What is not as it must be.
  /// - Parameter settled: nothing is under way and `doctor --repair` has run; otherwise a command may have died
  ///   half-way, and what it left for the next one to finish is fine.
  public func violations(settled: Bool) -> [String] {
    var found = problems
    if tornBytes > 0, settled { found.append("\(tornBytes) bytes of half a line at the end of the log") }
    for entry in entries { found += violations(of: entry, settled: settled) }
    found += taskViolations(settled: settled)
    for (id, history) in histories {
      let sent = history.filter { $0.type == "message.sent" }
      if sent.count > 1 { found.append("\(id) is logged as sent \(sent.count) times") }
      for bot in sent.first?.recipients ?? [] { found += violations(of: id, bot, settled: settled) }
    }
    return found
  }

  private func violations(of entry: Entry, settled: Bool) -> [String] {
    var found: [String] = []
    let isAdoption = entry.box == "claimed" && entry.attempt == 0
    if entry.box == "tmp" {
      return settled ? ["\(entry.path) was left by a sender that died"] : []
    }
    if entry.message == nil { found.append("\(entry.path) is no whole JSON object") }
    guard let id = entry.id else {
      if entry.box != "inbox" { found.append("\(entry.path) has no proper name") }
      return found
    }
    let hasTime = entry.third.map { $0.wholeMatch(of: Self.moment) != nil } ?? false
    switch entry.box {
    case "claimed":
      if entry.third == nil || hasTime { found.append("\(entry.path) is claimed by nobody") }
      if isAdoption, settled { found.append("\(entry.path) is being given a name by a process that died") }
    case "inbox": if entry.third != nil, !hasTime { found.append("\(entry.path) waits, and has a holder") }
    case "done": if settled { found.append("\(entry.path) was acked by hand, and the log never heard of it") }
    default: if entry.third != nil { found.append("\(entry.path) is dead, and has a holder") }
    }
    // On a full disk it comes with the next recovery.
    if entry.box == "dead", settled, !FileManager.default.fileExists(atPath: "\(path)/\(entry.path).reason") {
      found.append("\(entry.path) has no reason beside it")
    }
    if places(id, of: entry.bot).count > 1 { found.append("\(entry.path) is in two places") }
    if isAdoption { return found }
    guard let sent = sent(id) else { return found + ["\(entry.path) is not in the log"] }
    if !sent.recipients.contains(entry.bot) { found.append("\(entry.path) was not sent to this bot") }
    if !Self.same(sent.message, entry.message) { found.append("\(entry.path) is not what the log says was sent") }
    return found
  }

  private func violations(of id: String, _ bot: String, settled: Bool) -> [String] {
    let places = places(id, of: bot)
    if let acked = ackedAttempt(id, by: bot) {
      // An ack that died between its line and its unlink had not said yes.
      let isHalfDone = places.allSatisfy { ["claimed", "done"].contains($0.box) && $0.attempt == acked }
      return isHalfDone ? [] : ["\(id) was acked by \(bot), and is in \(places.map(\.path))"]
    }
    if places.count == 1 { return [] }
    let isOver = (histories[id] ?? []).contains {
      $0.bot == bot && ["message.discarded", "message.quarantined"].contains($0.type)
    }
    if isOver || (places.isEmpty && isForgotten(id)) { return [] }
    let isOnItsWay = entries.contains { $0.box == "tmp" && $0.id == id }
    if !settled, isOnItsWay { return [] }
    return ["\(id) was sent to \(bot), is not acked, and is in \(places.count) places"]
  }

  /// Whether it was done when the log was collected, by what that has written down.
  private func isForgotten(_ id: String) -> Bool {
    let lines = Scratch.text("\(path)/log/.gc").split(separator: "\n")
    let until = lines.first { $0.hasPrefix("until ") }?.dropFirst(6)
    return until.map { id.prefix($0.count) < $0 } ?? false && !lines.contains("needed \(id)")
  }

  private static func same(_ one: [String: Any]?, _ other: [String: Any]?) -> Bool {
    guard let one, let other else { return false }
    return NSDictionary(dictionary: one).isEqual(to: other)
  }

  // MARK: Reading

  // Made once: made for each name, they took nearly half the time of reading.
  nonisolated(unsafe) static let properName =
    #/([0-9])-(\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{16})(?:~(\d+)(?:~(.+))?)?\.json/#
  nonisolated(unsafe) private static let moment = #/\d{8}T\d{6}\.\d{6}Z/#
  nonisolated(unsafe) private static let keyName = #/[0-9a-f]{32}/#
  nonisolated(unsafe) private static let keyOwner = #/\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{16} [A-Za-z0-9._-]+\n/#

  private mutating func readBox(_ bot: String, _ box: String) {
    let directory = "\(path)/bots/\(bot)/\(box)"
    let names = Scratch.names(directory)
    for name in names {
      if name.hasSuffix(".reason") || name.hasPrefix(".") { continue }
      guard name.hasSuffix(".json") else {
        problems.append("bots/\(bot)/\(box)/\(name) is no name of this format")
        continue
      }
      let parts = name.wholeMatch(of: Self.properName)
      let bytes = FileManager.default.contents(atPath: "\(directory)/\(name)")
      let message = bytes.flatMap { try? JSONSerialization.jsonObject(with: $0) as? [String: Any] }
      let entry = Entry(
        bot: bot, box: box, fileName: name, id: parts.map { String($0.output.2) },
        attempt: parts?.output.3.flatMap { Int($0) } ?? 0, third: parts?.output.4.map(String.init), message: message)
      entries.append(entry)
      if let id = entry.id, box != "tmp" { copies[id, default: []].append(entry) }
    }
  }

  /// It may be empty after a power cut, and counts for nothing then.
  private mutating func readKey(_ name: String) {
    let text = FileManager.default.contents(atPath: "\(path)/keys/\(name)").map { String(decoding: $0, as: UTF8.self) }
    if name.wholeMatch(of: Self.keyName) == nil || (text != "" && text?.wholeMatch(of: Self.keyOwner) == nil) {
      problems.append("keys/\(name) is no key: \(text ?? "")")
    }
  }

  /// The end of the log that `commit` tells must be the end of a line.
  private mutating func readPage(_ directory: String) {
    guard let page = FileManager.default.contents(atPath: "\(path)/\(directory)/commit"), page.count >= 256 else {
      return
    }
    func number(_ offset: Int, _ count: Int) -> Int {
      page[offset..<offset + count].reversed().reduce(0) { $0 << 8 | Int($1) }
    }
    var status = stat()
    guard page.prefix(8).elementsEqual([0x28, 0x4e, 0x41, 0x4e, 0x4c, 0x4f, 0x47, 0x31]), number(8, 4) == 2,
      stat(path, &status) == 0, number(48, 8) == Int(status.st_ino), number(56, 8) == Int(status.st_dev)
    else { return }
    let (start, end) = (number(136, 8), number(144, 8))
    var parts = tm()
    var seconds = time_t(start / 1_000_000)
    gmtime_r(&seconds, &parts)
    var text = [CChar](repeating: 0, count: 32)
    strftime(&text, 32, "%Y%m%dT%H%M%S", &parts)
    let fraction = String(1_000_000 + start % 1_000_000).dropFirst()
    let name = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) + ".\(fraction)Z"
    guard end > 0, let segment = FileManager.default.contents(atPath: "\(path)/\(directory)/\(name).jsonl") else {
      return
    }
    if segment.count < end || segment[end - 1] != 10 {
      problems.append("\(directory)/commit says that \(name) ends at \(end), which is in no line's end")
    }
  }

  private mutating func readLog(_ directory: String) {
    readPage(directory)
    for name in Scratch.names("\(path)/\(directory)") where name.hasSuffix(".jsonl") {
      let content = FileManager.default.contents(atPath: "\(path)/\(directory)/\(name)") ?? Data()
      content.withUnsafeBytes { bytes in
        var start = 0
        var number = 0
        while start < bytes.count, let found = memchr(bytes.baseAddress! + start, 10, bytes.count - start) {
          let end = UnsafeRawPointer(found) - bytes.baseAddress!
          let line = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
          start = end + 1
          number += 1
          let good = Self.event(line)
          if good == nil {
            problems.append(
              "\(directory)/\(name) line \(number) is damaged: \(String(decoding: line.prefix(200), as: UTF8.self))")
          }
          guard let event = good ?? Self.lastEvent(line) else { continue }
          if !identities.insert(event.identity).inserted {
            problems.append("\(directory)/\(name) line \(number) is there twice: \(event.identity)")
          }
          events.append(event)
          histories[event.subject, default: []].append(event)
        }
        tornBytes += bytes[start...].count { $0 != UInt8(ascii: " ") }
      }
    }
  }

  /// A line is good when it ends with `,"crc32":"`, the checksum of all that is before, `"` and `}`.
  private static func event(_ line: UnsafeRawBufferPointer) -> Event? {
    guard line.count > 20 else { return nil }
    let body = UnsafeRawBufferPointer(rebasing: line.dropLast(20))
    let tail = String(decoding: line.suffix(20), as: UTF8.self)
    let digits = String(checksum(body), radix: 16)
    guard tail == ",\"crc32\":\"\(String(repeating: "0", count: 8 - digits.count))\(digits)\"}",
      let object = try? JSONSerialization.jsonObject(with: Data(line)) as? [String: Any],
      object["specversion"] as? String == "1.0", let type = object["type"] as? String,
      let subject = object["subject"] as? String, let data = object["data"] as? [String: Any],
      let source = object["source"] as? String, let id = object["id"] as? String
    else { return nil }
    return Event(type: type, subject: subject, data: data, identity: "\(source) \(id)")
  }

  /// What stands at the end of a line whose beginning is damage, the line feed before it included.
  private static func lastEvent(_ line: UnsafeRawBufferPointer) -> Event? {
    let start = Array(#"{"specversion":"#.utf8)
    var place = line.count - start.count
    while place > 0 {
      if line[place] == start[0], line[place..<place + start.count].elementsEqual(start),
        let event = event(UnsafeRawBufferPointer(rebasing: line[place...]))
      {
        return event
      }
      place -= 1
    }
    return nil
  }

  private static let table: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { value, _ in value & 1 == 1 ? 0xEDB8_8320 ^ (value >> 1) : value >> 1 }
  }

  /// CRC-32 as zlib has it.
  public static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    var value = ~UInt32(0)
    table.withUnsafeBufferPointer { table in
      for byte in bytes { value = table[Int((value ^ UInt32(byte)) & 0xFF)] ^ (value >> 8) }
    }
    return ~value
  }
}
