import Glibc
import Linux
import SpoolFormat

/// Takes messages out of a bot's inbox, most urgent first, oldest first among equals. Any number of these, in any
/// number of processes, may work on one inbox: each message has one winner. Belongs to one thread.
///
/// Waiting is: watch, then look, then sleep until something happens. Events are only hints; the directory is the truth,
/// and is looked at again at intervals whatever they say.
public final class Inbox {
  public let spool: Spool
  public let bot: BotName
  /// Who the claims are made by.
  public let holder: Holder
  /// Seconds that a claim stands without being renewed.
  public let lease: Double
  public let attemptsMax: Int

  /// Which messages it takes: what it doesn't want stays where it is, for others. Nil takes all.
  /// What was passed over isn't read again before `reconsider`.
  public var wants: ((Message) -> Bool)?
  /// How often somebody has rung for the bot's tasks, or may have.
  public private(set) var bells = 0
  private var passedOver: Set<EntryName> = []
  /// Those of them that are still there.
  private var stillPassedOver: Set<EntryName> = []
  private var candidates = Candidates()
  var dropped = DroppedFiles()
  /// Claims that somebody moved back by hand, and that still bear their holder's name.
  private var putBack: [EntryName] = []
  private var watcher: DirectoryWatcher?
  private var isWatching = false
  private var isLooking = false
  /// Which directory is watched: another may come in its place without an event that says so.
  private var watchedInode: UInt64?
  private var observations: LeaseObservations
  private let demandedMechanism: DirectoryWatcher.Mechanism?
  private let isOnNetwork: Bool
  /// When to look for what other hosts did.
  private var pace = LookPace()
  /// By the clock since boot, nanoseconds.
  private var nextLook = 0
  private var lastLook = 0
  private var nextLeaseRound = 0
  /// When an event last told of something here, or a message was last there.
  private var lastActivity = 0
  private var spinPace = SpinPace()

  /// How often the whole inbox is looked at even though no event said so.
  private static let lookNanoseconds = 5_000_000_000
  /// The same when nothing has happened for long, and for the claims on a network file system while there are none: a
  /// thousand processes that wait must cost next to nothing.
  private static let idleLookNanoseconds = 15_000_000_000
  private static let idleNanoseconds = 60_000_000_000
  /// The same where there are no events.
  private static let pollNanoseconds = 200_000_000

  /// - Parameters:
  ///   - detached: no process stands behind the claims; each lasts for its lease (a one-shot command).
  ///   - watching: for tests: the mechanism, in place of the best there is.
  /// - Throws: `.noSuchBot`.
  public init(_ spool: Spool, _ bot: BotName, detached: Bool = false, watching: DirectoryWatcher.Mechanism? = nil)
    throws
  {
    self.spool = spool
    self.bot = bot
    let card = try? spool.card(of: bot)
    if card == nil { try spool.require(bot) }
    try spool.requireOwn(bot, to: "receive for")
    holder = detached ? spool.detachedHolder() : spool.holder
    lease = card?.leaseSeconds ?? spool.settings.leaseSeconds
    attemptsMax = card?.attemptsMax ?? spool.settings.attemptsMax
    observations = spool.loadObservations(of: bot)
    demandedMechanism = watching
    isOnNetwork = spool.root.isRemote
  }

  // MARK: Claiming

  /// Claims the most urgent message that is due, or returns nil when there is none.
  /// What can't be read is set aside on the way, and what has expired is dead-lettered.
  /// Cost in a full inbox: one renameat(2), one file read, one line of log.
  /// - Throws: `.inputOutput` and its like; losing a race is no error.
  public func claim() throws -> Claim? {
    let asked = Clock.sinceBoot()
    try look()
    if let claim = try claimNext(since: asked) { return claim }
    // There may be more than are kept at once, or some that came since the last look, if no event would have told.
    guard candidates.isPartial || dropped.areMore || (!hasEvents && lastLook < asked) else { return nil }
    if candidates.isPartial { candidates.keepMore() }
    nextLook = 0
    try look()
    return try claimNext(since: asked)
  }

  private func claimNext(since asked: Int) throws -> Claim? {
    while let name = candidates.popFirst() {
      if let claim = try claim(name), try spool.confirm(claim, since: asked, lease: lease) { return claim }
    }
    return nil
  }

  /// Takes what was found that stops nobody, but should be told; a sentence each.
  public func takeProblems() -> [String] {
    (observations.takeProblems() + dropped.takeProblems()).map(\.description)
  }

  /// Whether every change in the inbox is told by an event.
  public var hasEvents: Bool { isWatching && watcher?.mechanism != .polling && !isOnNetwork }

  private func claim(_ waiting: EntryName) throws -> Claim? {
    if let due = waiting.notBefore, due > spool.now() {
      candidates.wait(for: waiting, until: due)
      return nil
    }
    var held = waiting
    held.attempt += 1
    held.place = .held(holder)
    let source = Layout.entry(bot, .inbox, waiting)
    guard try isWanted(waiting, source) else { return nil }
    guard held.attempt <= attemptsMax else {
      _ = try spool.bury(bot, from: source, waiting, reason: Spool.givenUp(waiting.attempt))
      return nil
    }
    let target = Layout.entry(bot, .claimed, held)
    let isOurs: Bool
    do { isOurs = try rename(source, to: target) } catch {
      // What is no file can't be a message; one that can't even be moved stays where it is, and stops nobody.
      if let status = try? spool.root.status(source), !status.isRegular { return nil }
      throw SpoolError("cannot claim \(waiting.id) for \(bot)", error)
    }
    guard isOurs else { return nil }
    guard let (message, sender) = try read(held, at: target) else { return nil }
    if let expiry = message.expiresAt, expiry <= spool.now() {
      try spool.bury(bot, held, reason: "expired at \(expiry.rfc3339)")
      return nil
    }
    // What was to wait hasn't waited for this bot.
    let due = max(message.notBefore ?? held.id.time, held.id.time)
    let waited = max(0, spool.now().microseconds - due.microseconds)
    let subject = held.id.description
    spool.note(.messageClaimed, subject) { writer in
      spool.settle(&writer, bot, held)
      writer.member("waited_us", waited)
      writer.member("from", ifPresent: message.from)
      writer.endObject()
    }
    let end = Clock.withSleep() + Int(min(lease / 2, 1) * 1e9)
    spool.lastClaim.withLock { $0 = Spool.FreshClaim(bot: bot, name: held, path: target, subject: subject, end: end) }
    return Claim(bot: bot, name: held, message: message, sender: sender)
  }

  /// What can't be read as a message is taken, and set aside.
  private func isWanted(_ name: EntryName, _ path: String) throws -> Bool {
    guard let wants else { return true }
    let bytes: [UInt8]?
    do { bytes = try spool.root.readFile(path, maximum: Message.bytesMax + 1) } catch {
      guard Self.faultsOfFiles.contains(error.code) else { throw SpoolError("cannot read \(path)", error) }
      return true
    }
    guard let bytes, let message = try? Self.message(bytes, name.id), !wants(message) else { return true }
    passedOver.insert(name)
    return false
  }

  /// Looks again at what it didn't want.
  public func reconsider() {
    guard !passedOver.isEmpty else { return }
    passedOver = []
    nextLook = 0
  }

  /// Whether there is something that it didn't want.
  public var hasPassedOver: Bool { !passedOver.isEmpty }

  /// Whether the rename was ours. ENOENT means that somebody else was first, or that a bot made by hand has no
  /// `claimed/` yet.
  private func rename(_ source: String, to target: String) throws(SystemCallError) -> Bool {
    if try spool.root.renameIfPresent(source, to: target) { return true }  // commit: ours from here on
    guard try spool.root.status(Layout.box(bot, .claimed)) == nil else { return false }
    try spool.root.makeDirectory(Layout.box(bot, .claimed))
    return try spool.root.renameIfPresent(source, to: target)
  }

  /// Failures that are the file's own. Any other says nothing of it: the disk's, the network's, a limit.
  static let faultsOfFiles = [ELOOP, EINVAL, ENXIO, EISDIR, EFBIG, EACCES, EPERM]

  /// The message in a claimed file; nil when it can't be read as one, and was set aside.
  private func read(_ held: EntryName, at path: String) throws -> (Message, Sender?)? {
    do {
      guard spool.isShared else {
        guard let bytes = try spool.root.readFile(path, maximum: Message.bytesMax + 1) else { return nil }
        return (try Self.message(bytes, held.id), nil)
      }
      guard let (bytes, status) = try spool.root.readFileWithStatus(path, maximum: Message.bytesMax + 1),
        let (message, sender) = try spool.secure(held, bot, at: path, bytes, status)
      else { return nil }
      return (Self.named(message, held.id), sender)
    } catch let error as SystemCallError where !Self.faultsOfFiles.contains(error.code) {
      // Not the file's fault: back with it.
      _ = try? spool.requeue(bot, held, delay: 1, reason: "could not be read: \(error)", attemptsMax: attemptsMax)
      throw SpoolError("cannot read \(held.id)", error)
    } catch let error as NotSecured {
      _ = try? spool.requeue(
        bot, held, delay: 1, reason: "could not be taken: \(error.cause)", attemptsMax: attemptsMax)
      throw (error.cause as? SystemCallError).map { SpoolError("cannot take \(held.id)", $0) } ?? error.cause
    } catch {
      if error is FormatError, DroppedFile.isUnfinished(spool, path) {
        // Somebody is copying a file with a proper name into the inbox: one that was dropped, until it is complete.
        if let name = try spool.putBackAsDropped(bot, held) { dropped.note(Array(name.utf8)) }
        return nil
      }
      let reason = (error as? SystemCallError).map(DroppedFile.reason) ?? "\(error)"
      // Where it can't be moved it stays claimed, and is tried again and given up like any other.
      _ = try? spool.quarantine(bot, .claimed, Array(held.description.utf8), reason: reason)
      return nil
    }
  }

  static func message(_ bytes: [UInt8], _ id: MessageID) throws -> Message { named(try Message(parsing: bytes), id) }

  /// The name counts for the id.
  private static func named(_ message: Message, _ id: MessageID) -> Message {
    var message = message
    message.id = id
    message.createdAt = message.createdAt ?? id.time
    return message
  }

  // MARK: Looking

  private func look() throws {
    let now = Clock.sinceBoot()
    if let watcher, isWatching {
      let changes = try watcher.takeChanges()
      if changes.watchAgain {
        isWatching = false
        nextLook = 0
      }
      if changes.lookAgain { nextLook = 0 }
      if isOnNetwork, !changes.names.isEmpty { pace.noteChange() }
      if changes.lookAgain || changes.names.contains(where: Layout.isTaskBell) { bells += 1 }
      for name in changes.names { name.withUnsafeBufferPointer { sort($0) } }
      if changes.lookAgain || changes.watchAgain || !changes.names.isEmpty { lastActivity = now }
    }
    if lastActivity == 0 { lastActivity = now }
    if isIdle(now), now >= nextLook || now >= nextLeaseRound {
      // Both at once: waking up costs as much as looking.
      nextLook = 0
      nextLeaseRound = 0
    }
    if now >= nextLeaseRound {
      // Should it fail, what waits can be claimed all the same.
      nextLeaseRound = now + leaseRoundNanoseconds
      try doing("cannot look at the claims of \(bot)") {
        let hasChanged = try spool.expireLeases(of: bot, &observations, lease: lease, attemptsMax: attemptsMax)
        if hasChanged { nextLook = 0 }
      }
      if observations.seen.isEmpty { nextLeaseRound = now + emptyRoundNanoseconds }
    }
    if now >= nextLook { try lookAtAll(now) }
    candidates.wake(at: spool.now())
    if !putBack.isEmpty { try renamePutBack() }
    if !dropped.isEmpty, dropped.adopt(spool, bot, into: &candidates) { nextLook = 0 }
  }

  private func renamePutBack() throws {
    defer { putBack = [] }
    for name in putBack {
      var waiting = name
      waiting.place = .waiting
      let isOurs = try doing("cannot put back \(name.id)") {
        try spool.root.renameIfPresent(Layout.entry(bot, .inbox, name), to: Layout.entry(bot, .inbox, waiting))
      }
      if isOurs { candidates.insert(waiting, now: spool.now()) }
    }
  }

  /// While nothing is claimed: what is claimed meanwhile is seen soon enough to be given back after one lease more.
  private var emptyRoundNanoseconds: Int {
    let isQuiet = isOnNetwork || isIdle(Clock.sinceBoot())
    return min(isQuiet ? Self.idleLookNanoseconds : Self.lookNanoseconds, max(100_000_000, Int(lease * 1e9)))
  }

  private func isIdle(_ now: Int) -> Bool {
    hasEvents && now - lastActivity > Self.idleNanoseconds && observations.seen.isEmpty && dropped.isEmpty
  }

  private var leaseRoundNanoseconds: Int { min(2_000_000_000, max(100_000_000, Int(lease * 1e9) / 4)) }

  private func lookAtAll(_ now: Int) throws {
    candidates.removeAll()
    try doing("cannot look into the inbox of \(bot)") {
      isLooking = true
      defer { isLooking = false }
      stillPassedOver = []
      dropped.beginLook()
      var signature = LookPace.Signature()
      let inode = try spool.root.listInode(Layout.box(bot, .inbox)) {
        if isOnNetwork { signature.add($0) }
        sort($0)
      }
      if isOnNetwork { pace.note(signature) }
      passedOver = stillPassedOver
      dropped.endLook()
      // An inbox that was moved away may come back. So may a bot that is just being replaced; one that was removed won't.
      if inode == nil, try spool.root.status(Layout.bot(bot)) == nil {
        _ = try Poll.wait([], nanoseconds: 200_000_000)
        try spool.require(bot)
      }
      if isWatching, inode != watchedInode { isWatching = false }
    }
    if case .granted(let log) = spool.logAccess { log.tidy() }
    let end = Clock.sinceBoot()
    lastLook = now
    // A huge inbox takes long to look at: most of the time must be left for what was found.
    if !candidates.isEmpty { lastActivity = end }
    let local = isIdle(end) ? Self.idleLookNanoseconds : Self.lookNanoseconds
    let pause = hasEvents ? local : isOnNetwork ? pace.interval(now: end) : Self.pollNanoseconds
    nextLook = end + max(pause, LookPace.rest(after: end - now))
  }

  private func sort(_ name: UnsafeBufferPointer<UInt8>) {
    if isLooking, passedOver.isEmpty, candidates.leavesOut(name) { return }
    if let entry = EntryName(name) {
      guard entry.holder == nil else { return putBack.append(entry) }
      if passedOver.contains(entry) {
        if isLooking { stillPassedOver.insert(entry) }
        return
      }
      candidates.insert(entry, now: spool.now())
    } else if EntryName.isDropped(name) {
      if isLooking { dropped.see(name) } else { dropped.note(Array(name)) }
    }
  }

  // MARK: Waiting

  /// As `claim`, waiting at most so many seconds (nil: for ever), or until the descriptor `interruption` is readable.
  /// - Returns: nil when the time is over, or the wait was interrupted.
  /// - Throws: as `claim`; `.noSuchBot` when it was removed; with 0 s or detached, what is wrong with a dropped file.
  public func receive(waiting seconds: Double? = 0, interruption: CInt? = nil) throws -> Claim? {
    if seconds == 0 { return try ended(with: claim()) }
    let isDetached = holder.pid == 0
    let deadline = seconds.map { Clock.sinceBoot() + Int(min($0, 1e9) * 1e9) }
    try watch()
    while true {
      if let claim = try claim() { return isDetached ? try ended(with: claim) : claim }
      let now = Clock.sinceBoot()
      if let deadline, now >= deadline { return isDetached ? try ended(with: nil) : nil }
      let until = min(deadline ?? .max, nextWake())
      let ready = try spinPace.wait([watchedDescriptor, interruption].compactMap { $0 }, nanoseconds: until - now)
      if interruption != nil, ready.last == true { return nil }
    }
  }

  /// What a one-shot command saw is the next one's to know. A claim without a process behind it counts from now: nobody
  /// else has seen it yet.
  private func ended(with claim: Claim?) throws -> Claim? {
    if holder.pid == 0, let claim, let status = (try? spool.root.status(claim.path)) ?? nil {
      observations.add(claim.name.description, modified: status.modified, now: Clock.sinceBoot())
    }
    leaveObservations()
    if claim == nil { try dropped.throwProblem() }
    return claim
  }

  /// Keeps for the next process how long claims have stood. For one that ends soon: else no lease would ever run out.
  public func leaveObservations() { spool.saveObservations(observations, of: bot) }

  /// Starts watching, so that `watchedDescriptor` tells of messages; for an event loop of one's own.
  public func watch() throws {
    try doing("cannot watch the inbox of \(bot)") {
      if watcher == nil { watcher = try DirectoryWatcher(spool.root, using: demandedMechanism) }
      if !isWatching {
        // In this order: should it be replaced in between, the next look notices.
        watchedInode = try inboxInode()
        isWatching = try watcher!.watch(Layout.box(bot, .inbox))
        // While it isn't there it is looked for at intervals, as everything is that no event tells of.
        if isWatching { nextLook = 0 }
      }
    }
  }

  private func inboxInode() throws -> UInt64? {
    try doing("cannot look at the inbox of \(bot)") { try spool.root.status(Layout.box(bot, .inbox))?.inode }
  }

  /// Readable when it is time to call `claim` again; nil where there is no such thing, and only `nextWake` tells.
  public var watchedDescriptor: CInt? { watcher?.descriptor }

  /// When to call `claim` again though nothing has happened: nanoseconds since boot.
  public func nextWake() -> Int {
    if !isWatching, watcher != nil { try? watch() }
    var next = min(nextLook, nextLeaseRound)
    if let due = dropped.nextLook { next = min(next, due) }
    if let due = candidates.nextDue { next = min(next, due.nextAsked) }
    return next
  }
}
