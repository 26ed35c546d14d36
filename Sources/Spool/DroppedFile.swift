import Glibc
import Linux
import SpoolFormat

extension Spool {
  /// Nanoseconds since a file was last changed, by the clock of the file system that it is on. Its date may have been set
  /// to anything, and the file system's host may have another time than this one. 0 when it can't be told.
  /// Cost: a file is made and removed.
  func ageByFileSystem(_ status: FileStatus) -> Int {
    let name = Layout.temporary("clock-\(holder)-\(UInt32.random(in: .min ... .max))")
    guard let file = try? root.open(name, O_WRONLY | O_CREAT | O_EXCL) else { return 0 }
    defer { _ = try? root.unlink(name) }
    guard let now = try? file.status().changed else { return 0 }
    return now &- status.changed
  }

  /// Nanoseconds since a file was modified, by the clock of whoever serves the file system, as far as it is known: asked
  /// for once a minute. Whatever this host's wall clock says, it stays out of it where the file system is shared.
  func ageByRemoteClock(_ status: FileStatus) throws(SystemCallError) -> Int {
    guard root.isRemote else { return status.age }
    let now = Clock.withSleep()
    let known = remoteClock.withLock { $0 }
    if let known, now - known.asked < Self.remoteClockNanoseconds { return now &+ known.ahead &- status.modified }
    let name = Layout.temporary("clock-\(holder)-\(UInt32.random(in: .min ... .max))")
    let file: Descriptor
    do { file = try root.open(name, O_WRONLY | O_CREAT | O_EXCL) } catch { return status.age }
    defer { _ = try? root.unlink(name) }
    let ahead = try file.status().changed &- now
    remoteClock.withLock { $0 = (ahead, now) }
    return now &+ ahead &- status.modified
  }

  private static let remoteClockNanoseconds = 60_000_000_000
}

/// A `.json` file that somebody put into an inbox by hand, under a name of their own. It is a message as soon as it is
/// complete, and gets its proper name then; until then it is left alone.
struct DroppedFile {
  let name: [UInt8]
  /// Not looked at before, lest a slow writer's file be read for each message that is claimed; nanoseconds since boot.
  var examineAt = 0
  /// How often it could neither be taken nor set aside.
  var failures = 0
  /// As it was when last looked at, and since when; nanoseconds since boot.
  private var last: (size: Int, modified: Int, since: Int)?

  enum Verdict {
    case incomplete, gone
    case adopted(EntryName)
  }

  /// How long a file that nobody has open must stand unchanged before half a message is taken for all there will be:
  /// somebody may write it in several goes. Short enough to have it set aside within a second.
  private static let quietNanoseconds = 500_000_000
  /// The same where it can't be told whether somebody has it open.
  private static let quietUnknownNanoseconds = 3_000_000_000

  init(name: [UInt8]) { self.name = name }

  /// Looks at the file: adopts it, sets it aside, or leaves it for later.
  mutating func examine(_ spool: Spool, _ bot: BotName) throws -> Verdict {
    guard name.allSatisfy({ $0 != 0 }), String(validating: name, as: UTF8.self) != nil else {
      return try setAside(spool, bot, "its name is not UTF-8")
    }
    let path = Layout.entry(bot, .inbox, raw: String(decoding: name, as: UTF8.self))
    do {
      guard let status = try spool.root.status(path) else { return .gone }
      guard status.isRegular else { return try setAside(spool, bot, "a \(status.kind), where a message should be") }
      guard let file = try spool.root.openIfPresent(path, O_RDONLY | O_NONBLOCK) else { return .gone }
      // Asked before reading: what is read after everybody has closed the file is all there is.
      let hasWriters = file.hasWriters()
      let opened = try file.status()
      let size = opened.size
      guard size <= Message.bytesMax else {
        return try setAside(spool, bot, "\(size) bytes, and a message may have \(Message.bytesMax)")
      }
      if spool.isShared, opened.links > 1 {
        // It may be any file of ours, which the log would then tell to the group.
        return try setAside(spool, bot, "its file has another name elsewhere (hard links are not taken)")
      }
      let bytes = try file.read(at: 0, count: size)
      do {
        return try adopt(Message(parsing: bytes), bytes, opened, spool, bot)
      } catch let error as FormatError {
        if try file.status().links == 0 { return .gone }
        let isFinal = isQuiet(opened, hasWriters, mayGrow: Self.isTruncated(bytes), spool)
        return isFinal ? try setAside(spool, bot, error.description) : .incomplete
      }
    } catch let error as SystemCallError {
      // Somebody else was first.
      if [ENOENT, ESTALE].contains(error.code) { return .incomplete }
      guard Inbox.faultsOfFiles.contains(error.code) else { throw error }
      return try setAside(spool, bot, Self.reason(error))
    }
  }

  private static func isTruncated(_ bytes: [UInt8]) -> Bool {
    do { try bytes.withUnsafeBufferPointer { try JSON.validate($0) } } catch let error as JSONError {
      return error.isTruncation
    } catch {}
    return false
  }

  /// Whether a file that is no message may become one: it ends too early, and is being written, or was until just now.
  static func isUnfinished(_ spool: Spool, _ path: String) -> Bool {
    guard let status = try? spool.root.status(path), status.isRegular, status.size <= Message.bytesMax,
      let file = try? spool.root.openIfPresent(path, O_RDONLY | O_NONBLOCK)
    else { return false }
    let hasWriters = file.hasWriters()
    guard let bytes = try? file.read(at: 0, count: status.size) else { return false }
    // It may have been completed since it was read.
    guard isTruncated(bytes) else { return (try? Message(parsing: bytes)) != nil }
    return hasWriters == true || spool.ageByFileSystem(status) < quietNanoseconds
  }

  static func reason(_ error: SystemCallError) -> String {
    error.fault(ofFile: "message", bytesMax: Message.bytesMax)
  }

  private mutating func isQuiet(
    _ status: FileStatus, _ hasWriters: Bool?, mayGrow: Bool, _ spool: Spool
  ) -> Bool {
    let now = Clock.sinceBoot()
    if last?.size != status.size || last?.modified != status.modified { last = (status.size, status.modified, now) }
    if hasWriters == true {
      last = nil
      return false
    }
    if hasWriters == false, !mayGrow { return true }
    let quiet = hasWriters == nil ? Self.quietUnknownNanoseconds : Self.quietNanoseconds
    // Or others have seen it so before us, who may be gone in a moment.
    return now - last!.since >= quiet || spool.ageByFileSystem(status) >= 4 * quiet
  }

  private func setAside(_ spool: Spool, _ bot: BotName, _ reason: String) throws -> Verdict {
    try spool.quarantine(bot, .inbox, name, reason: reason)
    return .gone
  }

  /// Gives the message its proper name and puts it into the log. It passes through `claimed/` as attempt 0, so that
  /// one adopter wins, and its death half-way makes it a dropped file again.
  private func adopt(
    _ message: Message, _ bytes: [UInt8], _ status: FileStatus, _ spool: Spool, _ bot: BotName
  ) throws -> Verdict {
    let urgency = (message.priority ?? .normal).urgency
    // A file that has passed through this before bears its id.
    let named = MessageID(name.dropLast(5))
    let own = message.id.flatMap { spool.isAhead($0) ? nil : $0 }
    var waiting = EntryName(urgency: urgency, id: own ?? named ?? spool.newIdentifier())
    if let due = message.notBefore, due > spool.now() { waiting.place = .waitingUntil(due) }
    var held = waiting
    held.place = .held(spool.holder)
    // The second is another thread's, that adopts another file with this id. A claim takes the place of one with its name.
    if try [Layout.entry(bot, .inbox, waiting), Layout.entry(bot, .claimed, held)].contains(where: {
      try spool.root.status($0) != nil
    }) || (own ?? named).map({ try spool.isInHand($0, bot) }) ?? false {
      waiting.id = spool.newIdentifier()
      held.id = waiting.id
    }
    let passing = Layout.entry(bot, .claimed, held)
    try spool.root.makeDirectory(Layout.box(bot, .claimed))
    guard try spool.root.renameIfPresent(in: Layout.box(bot, .inbox), name, to: passing) else { return .gone }
    let maker = try !spool.isShared ? nil : spool.maker(status, bot, named)
    if spool.isShared {
      if let own, try spool.hasHad(own, bot, spool.sharing!.user, from: maker) {
        try spool.quarantine(bot, .claimed, Array(held.description.utf8), reason: "\(BroughtAgain(bot: bot))")
        return .gone
      }
      // What is logged here is what will be handed out, whatever its maker does to his file.
      guard try spool.keep(held, bot, at: passing, bytes, from: maker) else { return .gone }
    }
    var body: [UInt8] = []
    try bytes.withUnsafeBufferPointer { try JSON.minify($0, into: &body) }
    let dropped = String(decoding: name, as: UTF8.self)
    // Stopped for longer than a lease, we may have been taken for dead, and the message be done: it must not begin anew.
    var isGone = false
    let isTaken = {
      isGone = try spool.root.status(passing) == nil
      return isGone
    }
    spool.note(.messageSent, waiting.id.description, unless: isTaken) { writer in
      writer.beginObject()
      writer.member("recipients", [bot.description])
      writer.member("name", waiting.description)
      writer.member("dropped_as", dropped)
      if let maker { writer.member("dropped_by", Int(maker)) }
      writer.key("message")
      writer.raw(body)
      writer.endObject()
    }
    if isGone { return .gone }
    do throws(SystemCallError) {
      if try spool.root.renameIfFree(passing, to: Layout.entry(bot, .inbox, waiting)) { return .adopted(waiting) }
    } catch {
      guard error.code == ENOENT else { throw error }
      return .gone
    }
    // Another with the same id came first.
    _ = try spool.putBackAsDropped(bot, held)
    return .gone
  }
}

extension Spool {
  fileprivate func isInHand(_ id: MessageID, _ bot: BotName) throws(SystemCallError) -> Bool {
    var isInHand = false
    try root.list(Layout.box(bot, .claimed)) {
      if let name = EntryName($0), name.id == id, name.attempt > 0 { isInHand = true }
    }
    return isInHand
  }

  /// Makes a claim of what never got its proper name a dropped file again. It is named by its id, which the log may have;
  /// by a new one when another of that id waits there.
  /// - Returns: its name; nil when somebody else was first.
  func putBackAsDropped(_ bot: BotName, _ held: EntryName) throws(SystemCallError) -> String? {
    let path = Layout.entry(bot, .claimed, held)
    do {
      for id in [held.id, newIdentifier()] {
        let name = "\(id).json"
        if try root.renameIfFree(path, to: Layout.entry(bot, .inbox, raw: name)) { return name }
      }
    } catch { if error.code != ENOENT { throw error } }
    return nil
  }
}
