import Glibc
import Linux
import SpoolFormat

/// What recovery does with files: finds them, holds them against the log, and makes them again.
extension Recovery {
  /// Where a bot's copy of a message lies.
  struct Place {
    let box: Layout.Box
    let name: EntryName
  }

  func mend(
    _ outstanding: [MessageID: Outstanding], _ places: [String: [MessageID: Place]], _ files: LogFiles, mending: Bool,
    _ report: inout RecoveryReport
  ) throws {
    for (id, message) in outstanding.sorted(by: { $0.key < $1.key }) {
      for (bot, copy) in message.due.sorted(by: { $0.key < $1.key }) {
        guard let name = try? BotName(parsing: bot), let there = places[bot] else { continue }
        // Moved by hand, and the log doesn't know yet.
        if there[id] == nil, message.lastBot != nil, places.contains(where: { $0.value[id] != nil }) { continue }
        try mend(id, message, copy, name, there[id], files, mending: mending, &report)
      }
    }
  }

  /// Where everything lies. In a spool that others may be using, what is just being sent is taken out of `outstanding`.
  /// In one in use each directory is looked at twice: what moves from one that is still to come to one that was looked at
  /// before would be missed, and what is renamed within one while it is read may be, too.
  func places(
    live: Bool, _ outstanding: inout [MessageID: Outstanding]
  ) throws -> [String: [MessageID: Place]] {
    let bots = try root.names(Layout.bots).compactMap { try? BotName(parsing: $0) }.filter(isOwn)
    for _ in 0..<2 where live || user != nil {
      for bot in bots {
        for name in try root.names(Layout.box(bot, .tmp)).compactMap({ EntryName($0) }) {
          guard let message = outstanding[name.id] else { continue }
          if try mayBeSending(name, bot, message.sender, live: live) { outstanding[name.id] = nil }
        }
      }
    }
    var places: [String: [MessageID: Place]] = [:]
    for _ in 0..<(live ? 2 : 1) {
      for bot in bots {
        places[bot.description, default: [:]].merge(try placesOf(bot) { outstanding[$0] != nil }) { $1 }
      }
    }
    return places
  }

  /// Whether a file in a `tmp/` is that of a process that may be at it, and the sender's.
  private func mayBeSending(
    _ name: EntryName, _ bot: BotName, _ sender: UInt32?, live: Bool
  ) throws(SystemCallError) -> Bool {
    guard user != nil else { return true }
    guard let status = try root.status(Layout.entry(bot, .tmp, name)), status.owner == sender else { return false }
    if live { return true }
    // None of this user's is at work, or it would be live.
    guard sender != user else { return false }
    guard let holder = name.holder else { return false }
    let process = ProcessIdentity(pid: holder.pid, started: holder.start)
    // Of one that can't be seen from here its age must do.
    guard holder.host == host, process.isVisible else { return status.age < Int(Self.inFlightSeconds * 1e9) }
    return process.isAlive
  }

  /// Of those that are wanted: there may be a million others.
  private func placesOf(
    _ bot: BotName, _ isWanted: (MessageID) -> Bool
  ) throws(SystemCallError) -> [MessageID: Place] {
    var places: [MessageID: Place] = [:]
    for box in [Layout.Box.inbox, .claimed, .dead, .done] {
      try root.list(Layout.box(bot, box)) {
        if let name = EntryName($0), isWanted(name.id) { places[name.id] = Place(box: box, name: name) }
      }
    }
    return places
  }

  private func mend(
    _ id: MessageID, _ message: Outstanding, _ copy: Copy, _ bot: BotName, _ place: Place?, _ files: LogFiles,
    mending: Bool, _ report: inout RecoveryReport
  ) throws {
    // Acked by hand, and soon by the log.
    if place?.box == .done { return }
    guard let body = try files.event(at: message.position)?.messageBytes else { return }
    let target: String
    if let place {
      target = Layout.entry(bot, place.box, place.name)
      guard let (bytes, status) = try? root.readFileWithStatus(target, maximum: Message.bytesMax + 1) else { return }
      // Another user's message lies there, whatever this one says in his part of the log.
      if user != nil, try root.maker(status, bot, id, user) != message.sender { return }
      if Self.says(bytes, body) { return try mendReason(copy, bot, place, target, mending: mending, &report) }
      report.add(target, bytes.isEmpty ? "is empty" : "is not what was sent", "written again from the log")
    } else {
      var name = message.name
      name.attempt = max(copy.attempt, name.attempt)
      if name.attempt > 0 { name.place = .waiting }
      target = Layout.entry(bot, copy.isDead ? .dead : .inbox, name)
      report.add(target, "is missing", "made again from the log")
    }
    guard mending else { return }
    // The reason first: a recovery that dies in between would not find it missing the next time.
    if copy.isDead, place == nil { try writeReason(copy, bot, target) }
    if let place { try mendReason(copy, bot, place, target, mending: true, &report) }
    try restore(body, to: target, bot, id, from: message.sender)
    try log?.append(.messageRestored, id.description) { writer in
      writer.beginObject()
      writer.member("bot", bot.description)
      writer.member("attempt", copy.attempt)
      writer.member("path", target)
      writer.endObject()
    }
  }

  /// There may have been no room for the reason when the message was given up.
  private func mendReason(
    _ copy: Copy, _ bot: BotName, _ place: Place, _ target: String, mending: Bool, _ report: inout RecoveryReport
  ) throws {
    let reason = Layout.reason(besides: target)
    guard place.box == .dead, copy.isDead, try root.status(reason) == nil else { return }
    report.add(reason, "is missing", "made again from the log")
    if mending { try writeReason(copy, bot, target) }
  }

  private func writeReason(_ copy: Copy, _ bot: BotName, _ target: String) throws(SystemCallError) {
    var writer = JSONWriter()
    writer.beginObject()
    writer.member("reason", copy.deadReason ?? "unknown")
    writer.member("bot", bot.description)
    writer.endObject()
    try write(writer.bytes, to: Layout.reason(besides: target), bot)
  }

  /// Makes a message's file again: in a shared spool as a copy, with a note of whose it was.
  func restore(
    _ body: [UInt8], to target: String, _ bot: BotName, _ id: MessageID, from sender: UInt32?
  ) throws(SystemCallError) {
    guard user != nil else { return try write(body, to: target, bot) }
    for box in Layout.Box.allCases { try root.makeDirectory(Layout.box(bot, box)) }
    try root.note(sender, sent: id, to: bot)
    try root.replace(target, with: body + [10], through: temporary, mode: Permissions.privateFile)
  }

  private var temporary: String { Layout.temporary("recovery-\(getpid())-\(UInt32.random(in: .min ... .max))") }

  func write(_ body: [UInt8], to target: String, _ bot: BotName) throws(SystemCallError) {
    for box in Layout.Box.allCases { try root.makeDirectory(Layout.box(bot, box)) }
    try root.replace(target, with: body + [10], through: temporary)
  }

  /// Whether a file holds the message that the log has, byte for byte or but for white space and escapes: a dropped
  /// file is as it was dropped, a sent one as its sender wrote its data.
  static func says(_ file: [UInt8], _ body: [UInt8]) -> Bool {
    if file.last == UInt8(ascii: "\n"), file.dropLast() == body[...] { return true }
    guard let canonical = canonical(file) else { return false }
    return canonical == self.canonical(body)
  }

  private static func canonical(_ bytes: [UInt8]) -> [UInt8]? {
    var result: [UInt8] = []
    do { try bytes.withUnsafeBufferPointer { try JSON.minify($0, into: &result) } } catch { return nil }
    return result
  }

  // MARK: One message

  /// Whether a file of the message lies with a bot. Looked at twice: what moves from a directory that is still to come
  /// to one that was looked at before would be missed.
  func hasCopy(_ id: MessageID, _ bot: BotName) throws(SystemCallError) -> Bool {
    for _ in 0..<2 where try placesOf(bot, { $0 == id })[id] != nil { return true }
    return false
  }

  /// The bots of whom the log says anything about a message, but that it was sent to them.
  func botsKnown(toHaveHad id: MessageID) throws -> Set<String> {
    var known: Set<String> = []
    let files = LogFiles(root: root)
    var credibility = Credibility(root: root)
    for segment in try files.segments(since: id.time) {
      try files.forEachEvent(about: [id], in: segment) { event, _ in
        if event.kind != .messageSent, let bot = event.text("bot"), credibility.holds(event) { known.insert(bot) }
        return true
      }
    }
    return known
  }
}
