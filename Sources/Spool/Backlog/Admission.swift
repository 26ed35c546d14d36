import Glibc
import Linux
import SpoolFormat

/// What a process knows of how much may wait in a bot's inbox.
struct KnownLimits: Sendable {
  var limits: InboxLimits
  /// Tells these limits, of this inbox, from others.
  var mark = 0
  /// Nil where nothing is limited.
  var credit: SendingCredit?
  /// The card that they are from.
  var card: Int?
  /// Nanoseconds since boot.
  var readAt: Int
}

/// What a process knows of the inboxes that it sends to. The first, which for most is the only one, is kept without a
/// dictionary, whose type would have to be looked up: see `Spool.LogAccess`.
struct KnownInboxes {
  private var first: (bot: BotName, known: KnownLimits)?
  private var others: Others?

  private final class Others {
    var all: [BotName: KnownLimits] = [:]
  }

  /// Of more it forgets all.
  private static let countMax = 20_000

  subscript(bot: BotName) -> KnownLimits? {
    get { first?.bot == bot ? first!.known : others?.all[bot] }
    set {
      if first == nil || first!.bot == bot {
        first = newValue.map { (bot, $0) }
        return
      }
      if others == nil || others!.all.count >= Self.countMax { others = Others() }
      others!.all[bot] = newValue
    }
  }
}

/// Backpressure: whoever sends is refused while too much waits. Nothing is counted on most sends: a count gives credit for a
/// part of what is free, and that is used up first. What is brought back into an inbox (by a nack, by recovery), what a
/// worker answers to the sender and what is dropped by hand is never refused, and counts.
extension Spool {
  /// A card that was changed counts after so long, nanoseconds.
  private static let limitsNanosecondsMax = 2_000_000_000
  /// Of what is free, the part that is given away by one count. Each further host, and each further user, may have as
  /// much of its own: by so much a limit may be passed.
  private static let grantedPart = 4
  /// When so many counts in a row show an inbox that others are just filling up, it counts as full.
  private static let countsMax = 5

  /// Takes room for one message in each inbox.
  /// - Throws: `.tryAgain`, naming those that are full; nothing is taken then.
  func admit(_ recipients: [BotName], bytes: Int) throws {
    let now = Clock.sinceBoot()
    var limited: [(bot: BotName, known: KnownLimits)] = []
    var unknown: [BotName] = []
    knownLimits.withLock { all in
      for bot in recipients {
        guard let known = all[bot], now - known.readAt < Self.limitsNanosecondsMax else {
          unknown.append(bot)
          continue
        }
        if known.credit != nil { limited.append((bot, known)) }
      }
    }
    for bot in unknown {
      let known = learnLimits(of: bot, now)
      if known.credit != nil { limited.append((bot, known)) }
    }
    if limited.isEmpty { return }
    var taken: [SendingCredit] = []
    var full: [(bot: BotName, limits: InboxLimits, count: InboxCount)] = []
    for (bot, known) in limited {
      if let count = try takeRoom(bot, known, bytes, now) {
        full.append((bot, known.limits, count))
      } else {
        taken.append(known.credit!)
      }
    }
    guard !full.isEmpty else { return }
    for credit in taken { credit.giveBack(bytes: bytes) }
    throw fullError(full, of: recipients.count, bytes: bytes)
  }

  /// The limits of a bot's inbox: its card's, else the spool's.
  public func inboxLimits(of bot: BotName) -> InboxLimits { statedLimits(of: bot).limits }

  /// With what tells this card from a later one.
  private func statedLimits(of bot: BotName) -> (limits: InboxLimits, card: Int?) {
    guard let (bytes, status) = (try? root.readFileWithStatus(Layout.card(bot), maximum: Card.bytesMax)) ?? nil else {
      return (settings.inboxLimits, nil)
    }
    guard Self.mentionsLimits(bytes), let card = try? Card(name: bot, parsing: bytes) else {
      return (settings.inboxLimits, status.changed)
    }
    return (card.inboxLimits.overruling(settings.inboxLimits), status.changed)
  }

  /// Most cards don't, and reading one as JSON takes longer than reading the file.
  private static func mentionsLimits(_ card: [UInt8]) -> Bool {
    card.withUnsafeBufferPointer { bytes in
      limitSearches.contains { $0.firstMatch(in: bytes, from: 0) != nil }
    }
  }
  private static let limitSearches = [TextSearch("inbox_"), TextSearch("sender_")]

  private func learnLimits(of bot: BotName, _ now: Int) -> KnownLimits {
    if var known = knownLimits.withLock({ $0[bot] }),
      known.card == ((try? root.status(Layout.card(bot))) ?? nil)?.changed
    {
      known.readAt = now
      knownLimits.withLock { $0[bot] = known }
      return known
    }
    let (limits, card) = statedLimits(of: bot)
    var known = KnownLimits(limits: limits, card: card, readAt: now)
    if !limits.isEmpty {
      known.mark = mark(of: limits, bot)
      // Where the page that all share can't be had, each process counts for itself: a limit is one all the same.
      known.credit = (try? credit(for: bot)) ?? (try? SendingCredit())
    }
    knownLimits.withLock { $0[bot] = known }
    return known
  }

  /// Never 0, which is what an empty page has.
  private func mark(of limits: InboxLimits, _ bot: BotName) -> Int {
    let inode = ((try? root.status(Layout.box(bot, .inbox))) ?? nil)?.inode ?? 0
    var hash = FNV1a()
    for value in [
      limits.messages, limits.bytes, limits.senderMessages, limits.senderBytes, Int(truncatingIfNeeded: inode),
    ] {
      hash.add(value ?? 0)
    }
    return Int(truncatingIfNeeded: hash.value | 1)
  }

  private func credit(for bot: BotName) throws -> SendingCredit {
    let path = Layout.credit(bot, host: host, user: geteuid())
    let file: Descriptor
    do { file = try openCredit(path) } catch {
      guard error.code == ENOENT, try exists(bot) else { throw error }
      try root.makeDirectory(Layout.box(bot, .tmp))
      file = try openCredit(path)
    }
    let status = try file.status()
    // Another user who made it before us, or has it open since it was another file of ours, could cut it short under our
    // feet.
    guard status.isRegular, status.owner == geteuid(), !isShared || status.mode & 0o077 == 0 else {
      throw SystemCallError("open", path, EPERM)
    }
    return try SendingCredit(file)
  }

  /// Made with its mode, or opened as it is: never given a mode that it hadn't.
  private func openCredit(_ path: String) throws(SystemCallError) -> Descriptor {
    for _ in 0..<3 {
      do { return try root.open(path, O_RDWR) } catch { if error.code != ENOENT { throw error } }
      do { return try root.open(path, O_RDWR | O_CREAT | O_EXCL, mode: 0o600) } catch {
        if error.code != EEXIST { throw error }
      }
    }
    throw SystemCallError("open", path, EEXIST)
  }

  /// Nil when there was room, and it was taken; else what is in the way.
  private func takeRoom(_ bot: BotName, _ known: KnownLimits, _ bytes: Int, _ now: Int) throws -> InboxCount? {
    let credit = known.credit!
    if credit.take(bytes: bytes, mark: known.mark) { return nil }
    if let count = credit.refusal(now: now, mark: known.mark), !known.limits.allow(count, bytes) { return count }
    let limits = known.limits
    // Somewhat further, for those who want to know how much it is.
    let upTo = limits.messages.map { max(100_000, $0 + 1) } ?? .max
    var tries = 0
    while true {
      let started = Clock.sinceBoot()
      let before = credit.taken
      let counted: InboxCount
      do { counted = try countWaiting(for: bot, limits, upTo: upTo) } catch let error as SystemCallError {
        throw SpoolError("cannot count what waits for \(bot), and nothing was sent", error)
      }
      let isFull = !limits.allow(counted, bytes)
      // What others took meanwhile may have come too late for the count.
      var all = counted
      let after = credit.taken
      all.add(messages: after.messages &- before.messages, bytes: after.bytes &- before.bytes)
      all.addOwn(messages: after.messages &- before.messages, bytes: after.bytes &- before.bytes)
      if !isFull, limits.allow(all, bytes) {
        let free = limits.free(all)
        credit.grant(
          messages: max(1, free.messages / Self.grantedPart), bytes: max(bytes, free.bytes / Self.grantedPart),
          taking: bytes, mark: known.mark)
        return nil
      }
      tries += 1
      if !isFull, tries < Self.countsMax { continue }
      let end = Clock.sinceBoot()
      let pause = isFull ? min(SendingCredit.refusalNanosecondsMax, 20 * (end - started)) : 0
      credit.refuse(until: end + pause, counted, mark: known.mark)
      return all
    }
  }

  private func countWaiting(for bot: BotName, _ limits: InboxLimits, upTo limit: Int) throws -> InboxCount {
    guard !isOwn(bot), geteuid() != 0 else {
      return try countInbox(of: bot, user: limits.needsFiles ? geteuid() : nil, upTo: limit)
    }
    // Who may add but not look knows of his own messages at least.
    return try countOwn(to: bot, limits)
  }

  private func fullError(
    _ full: [(bot: BotName, limits: InboxLimits, count: InboxCount)], of recipients: Int, bytes: Int
  ) -> SpoolError {
    let first = full[0].bot
    if let never = full.first(where: { $0.limits.bytesMax < bytes }) {
      return SpoolError(
        .badData, "the message has \(bytes) bytes, and no more than \(never.limits.bytesMax) may wait for \(never.bot)",
        hint: "put the content into a file, and its name into the message")
    }
    let shown = full.prefix(8).map { "\($0.bot) (\($0.limits.excess($0.count, bytes)))" }.joined(separator: ", ")
    let more = full.count > 8 ? ", and \(full.count - 8) more" : ""
    let areFull = full.count == 1 ? "is full" : "are full"
    let what =
      recipients == 1
      ? "the inbox of \(first) is full: \(full[0].limits.excess(full[0].count, bytes)); nothing was sent"
      : "\(full.count) of \(recipients) inboxes \(areFull), and nothing was sent to anybody: \(shown)\(more)"
    let isRun = !((try? presence(of: first)) ?? []).isEmpty
    let cure =
      isRun
      ? "try again when \(first) has caught up, or let more work for it: spool work \(first)"
      : "nobody works for \(first): spool work \(first) -- PROGRAM, or see spool inbox \(first)"
    return SpoolError(.tryAgain, what, hint: cure)
  }
}

extension InboxLimits {
  /// Whether one more message of so many bytes may come to what was counted.
  func allow(_ count: InboxCount, _ size: Int) -> Bool {
    func fits(_ used: Int, _ more: Int, _ limit: Int?) -> Bool { limit.map { used + more <= $0 } ?? true }
    return fits(count.messages, 1, messages) && fits(count.bytes, size, bytes)
      && fits(count.ownMessages, 1, senderMessages) && fits(count.ownBytes, size, senderBytes)
  }

  /// How much more of one user's may come.
  func free(_ count: InboxCount) -> (messages: Int, bytes: Int) {
    func least(_ pairs: [(limit: Int?, used: Int)]) -> Int {
      pairs.compactMap { pair in pair.limit.map { $0 - pair.used } }.min() ?? Self.range.upperBound
    }
    return (
      least([(messages, count.messages), (senderMessages, count.ownMessages)]),
      least([(bytes, count.bytes), (senderBytes, count.ownBytes)])
    )
  }

  /// What a message must not be larger than.
  var bytesMax: Int { min(bytes ?? .max, senderBytes ?? .max) }

  /// What is in the way of a message of so many bytes.
  func excess(_ count: InboxCount, _ size: Int) -> String {
    let since = count.oldest.map { ", the oldest since \($0.rfc3339)" } ?? ""
    let atLeast = count.isPartial ? "at least " : ""
    if let limit = messages, count.messages + 1 > limit {
      return "\(atLeast)\(count.messages) messages wait, and \(limit) may\(since)"
    }
    if let limit = bytes, count.bytes + size > limit {
      return "\(atLeast)\(count.messages) messages of \(count.bytes) bytes wait, and \(limit) bytes may, "
        + "this one's \(size) among them\(since)"
    }
    if let limit = senderMessages, count.ownMessages + 1 > limit {
      return "\(atLeast)\(count.ownMessages) messages of this user wait, and \(limit) may\(since)"
    }
    return "\(atLeast)\(count.ownBytes) bytes of this user wait, and \(senderBytes ?? 0) may, this message's \(size) "
      + "among them\(since)"
  }
}
