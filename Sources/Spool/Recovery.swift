import Glibc
import Linux
import SpoolFormat

/// What recovery found, and did or would do about it.
public struct RecoveryReport: Sendable {
  /// One thing that is not as it should be.
  public struct Finding: Sendable {
    /// Where, relative to the spool.
    public let path: String
    public let problem: String
    public let remedy: String
    /// Whether it is for somebody to mend by hand.
    public let isLeft: Bool
  }
  /// At most `findingsMax` of them; `count` counts all, and `leftCount` all that are left.
  public private(set) var findings: [Finding] = []
  public private(set) var count = 0
  public private(set) var leftCount = 0
  /// Bytes of half a line that were cut from the end of the log and set aside.
  public internal(set) var tornBytes = 0
  public internal(set) var messagesLookedAt = 0
  /// Stretches of the log that are no events. Nothing brings them back, and the doctor tells of each once.
  var damaged: [(position: LogCursor.Position, count: Int)] = []
  public var damagedCount: Int { damaged.count }

  /// A spool that lost a disk may have a million things wrong; nobody reads more than this.
  public static let findingsMax = 1000

  mutating func add(_ path: String, _ problem: String, _ remedy: String) {
    add(Finding(path: path, problem: problem, remedy: remedy, isLeft: false))
  }

  mutating func add(_ path: String, _ problem: String, left why: String) {
    add(Finding(path: path, problem: problem, remedy: "left: \(why)", isLeft: true))
  }

  private mutating func add(_ finding: Finding) {
    count += 1
    if finding.isLeft { leftCount += 1 }
    if findings.count < Self.findingsMax { findings.append(finding) }
  }
}

extension Spool {
  /// Recovery by this process, that logs what it does where there is a log to write.
  func recovery(with log: LogWriter?) -> Recovery {
    Recovery(root: root, host: host, part: part, user: sharing?.user, log: log)
  }
}

/// Makes the files agree with the log, after a power cut or in a copy: each recipient of each message that was sent and
/// not settled has its file, with the right bytes. A file is believed for what is in it, not for being there.
/// Killed half-way and run again, it ends the same.
struct Recovery {
  let root: Directory
  let host: String
  /// The directory below `log/` of this host, and of this user where several share the spool.
  let part: String
  /// Nil where one user has the spool alone.
  let user: uid_t?
  let log: LogWriter?
  /// Nobody is sending in a copy that nobody has opened yet.
  var isCopy = false

  /// What the log says of one recipient's copy.
  struct Copy {
    var attempt = 0
    var ackedAttempt: Int?
    /// The last attempt that ended otherwise.
    var lostAttempt = 0
    var isDead = false
    var deadReason: String?
    /// The attempts of which a claim was logged.
    private var claimed: Set<Int> = []
    /// It may still be on its way, and nobody has said that it came.
    var isInFlight = false

    init(isInFlight: Bool = false) { self.isInFlight = isInFlight }

    /// An ack counts unless something else was logged for the same or a later attempt. A move by hand is one whatever was
    /// logged for the same attempt before: there was a file under that name to be moved.
    mutating func apply(_ event: LogEvent) {
      let attempt = event.number("attempt") ?? 0
      isInFlight = false
      switch event.kind {
      case .messageClaimed:
        // Put back by hand, or by one that died before it said so: its attempts count from none again. Of one that wasn't
        // dead only a second claim for the same tells that: a first one may have been logged late.
        let isAgain = isDead || (ackedAttempt == nil && claimed.contains(attempt))
        if isAgain, attempt <= lostAttempt { self = Copy() }
        claimed.insert(attempt)
        self.attempt = max(self.attempt, attempt)
        if let acked = ackedAttempt, acked < attempt { ackedAttempt = nil }
      case .messageAcked:
        let isMoved = event.text("by") == "mv"
        if isMoved ? isDead || attempt >= self.attempt : attempt >= self.attempt && attempt > lostAttempt {
          ackedAttempt = attempt
          isDead = false
        }
      case .messageAckRefused, .messageRequeued:
        // Put back unseen, it is as it was before that claim.
        let isUnseen = event.kind == .messageRequeued && attempt == self.attempt - 1
        self.attempt = isUnseen ? attempt : max(self.attempt, attempt)
        lostAttempt = max(lostAttempt, attempt)
        if let acked = ackedAttempt, acked <= attempt { ackedAttempt = nil }
      case .messageDead:
        self.attempt = max(self.attempt, attempt)
        lostAttempt = max(lostAttempt, attempt)
        if let acked = ackedAttempt, acked <= attempt { ackedAttempt = nil }
        isDead = true
        deadReason = event.text("reason")
      case .messageRevived:
        // Logged late, by then it may be done.
        if ackedAttempt == nil { self = Copy() }
      default: break
      }
    }
  }

  struct Outstanding {
    let position: LogCursor.Position
    let time: Timestamp
    let name: EntryName
    /// Where users share the spool: whose it was.
    let sender: UInt32?
    var copies: [String: Copy]
    /// Of what was sent to one: who had it last. It is one file, that somebody may have moved to another bot.
    var lastBot: String?
    /// Those of them who threw it away, or set it aside.
    private(set) var ended: Set<String> = []

    var isDone: Bool {
      if copies.isEmpty { return true }
      return lastBot == nil
        ? copies.allSatisfy { $0.value.ackedAttempt != nil } : copies.contains { $0.value.ackedAttempt != nil }
    }

    /// Whether nobody was ever done with it.
    var isUntouched: Bool { ended.isEmpty && copies.allSatisfy { $0.value.ackedAttempt == nil } }

    /// Whether somebody who is there lacks it.
    func isMissing(_ id: MessageID, in places: [String: [MessageID: Recovery.Place]]) -> Bool {
      // Moved by hand.
      if lastBot != nil, places.contains(where: { $0.value[id] != nil }) { return false }
      return due.contains { bot, _ in places[bot].map { $0[id] == nil } ?? false }
    }

    /// What is still to be done, and by whom.
    var due: [String: Copy] {
      isDone ? [:] : copies.filter { lastBot == nil ? $0.value.ackedAttempt == nil : $0.key == lastBot }
    }

    mutating func apply(_ event: LogEvent) {
      guard let bot = event.text("bot") else { return }
      let isMovable = lastBot != nil
      if event.kind == .messageDiscarded || event.kind == .messageQuarantined {
        ended.insert(bot)
        copies[bot] = nil
        if isMovable { copies = [:] }
        return
      }
      // One that was thrown away may have been put back just then; nothing else that is said of it late brings it back.
      if event.kind == .messageRevived, isMovable ? !ended.isEmpty : ended.contains(bot) {
        ended = isMovable ? [] : ended.subtracting([bot])
        copies[bot] = Copy()
      }
      // An ack may come late, from whom it was moved away.
      guard copies[bot] != nil || (isMovable && ended.isEmpty) else { return }
      if isMovable, Self.kindsOfHolders.contains(event.kind) { lastBot = bot }
      copies[bot, default: Copy()].apply(event)
    }

    /// Whoever has one of these logged had it in his hands.
    private static let kindsOfHolders: Set<LogEvent.Kind> = [
      .messageClaimed, .messageRequeued, .messageDead, .messageRevived, .messageRestored,
    ]
  }

  /// Calls `body` while nobody else of this machine recovers the spool: of two hosts that are one machine (containers, say)
  /// and open it at once, the second finds the first at work. Of several machines each takes the others to be at work.
  static func alone<Result>(in root: Directory, as user: uid_t?, _ body: () throws -> Result) throws -> Result {
    if root.isRemote { return try body() }
    guard let lock = try lock(in: root, as: user) else { return try body() }
    try RecoveryTurn.wait(for: lock)
    defer { _ = try? lock.unlock() }
    return try body()
  }

  private static func lock(in root: Directory, as user: uid_t?) throws(SystemCallError) -> Descriptor? {
    guard let user else { return try root.open(Layout.log, O_RDONLY | O_DIRECTORY) }
    // Where users share the spool each recovers what is his.
    return try root.openPrivate(Layout.recoveryLock(of: user), of: user)
  }

  /// Messages logged less than this long ago by another machine, or by a user into whose `tmp/` nobody can look, may still be
  /// on their way to their inboxes. Of others a file in a `tmp/` tells.
  static let inFlightSeconds = 10.0

  /// - Parameters:
  ///   - fromCheckpoint: believe the files of messages before the checkpoint; not in a copy.
  ///   - mending: do it; otherwise only say what would be done.
  ///   - live: others of this host may be sending and settling meanwhile.
  func run(fromCheckpoint: Bool, mending: Bool, live: Bool, _ report: inout RecoveryReport) throws {
    let files = LogFiles(root: root)
    // After a power cut a file may be back under each name that it ever had. Nobody moves anything meanwhile, unless
    // other hosts are at work here.
    let isAlone = try isCopy || files.hosts().allSatisfy { $0 == part || !isOurs($0, files) }
    var leftovers = live ? nil : try Leftovers(root: root, isAlone: isAlone, isOwn: isOwn)
    var credibility = Credibility(root: root)
    var outstanding: [MessageID: Outstanding] = [:]
    var unknown: Set<MessageID> = []
    var ackedBefore: Set<MessageID> = []
    let forgotten = try Forgotten(in: root)
    var tasks = EntryRecovery<TaskEntry>(root: root, host: host, part: part, log: log, isCopy: isCopy)
    var groups = EntryRecovery<GroupEntry>(root: root, host: host, part: part, log: log, isCopy: isCopy)
    var states = StateRecovery(root: root, isAlone: !live && isAlone && user == nil)
    var merge = try LogMerge(files) { host in fromCheckpoint ? try files.checkpoint(of: host) : nil }
    while let (event, position) = try merge.next() {
      if let id = MessageID(event.subject), forgotten.covers(id, position, event.time) { continue }
      if event.kind.isOfTask { tasks.apply(event, position) }
      if event.kind.isOfGroup { groups.apply(event, position) }
      if event.kind.isOfState { states.apply(event, position) }
      if mending, user == nil || event.writtenBy == user { try restoreKey(event) }
      guard !event.kind.isOfTask, !event.kind.isOfGroup, let id = MessageID(event.subject) else { continue }
      guard concerns(event, &credibility) else { continue }
      if event.kind == .messageSent {
        report.messagesLookedAt += 1
        begin(event, id, position, &outstanding, &credibility)
        if ackedBefore.contains(id) { unknown.insert(id) }
      } else if outstanding[id] != nil {
        outstanding[id]!.apply(event)
        // Most messages are done: only the others are kept in memory.
        if outstanding[id]!.isDone, leftovers?.has(id) != true { outstanding[id] = nil }
      } else if event.kind == .messageAcked {
        // Once more, or of a message that was never sent: that brings nothing back. Unless its sending comes later.
        ackedBefore.insert(id)
        if leftovers?.has(id) == true { unknown.insert(id) }
      } else {
        unknown.insert(id)
      }
    }
    // Sent before the checkpoint and moved since (on some file systems a move may lose a file in a power cut), or
    // overruled after an ack, or logged by a host whose clock is behind.
    if !unknown.isEmpty { try resurrect(unknown, files, &outstanding, &credibility) }
    // Somebody may have collected while this was read, and an ack been among what went.
    let since = try Forgotten(in: root)
    if since != forgotten { outstanding = outstanding.filter { !since.covers($0, $1.position, $1.time) } }
    leaveInFlight(&outstanding)
    report.damaged = merge.badLines
    for (id, message) in outstanding {
      for (bot, copy) in message.copies {
        try leftovers?.clear(
          id, of: bot, isAcked: message.isDone || copy.ackedAttempt != nil, isDead: copy.isDead, mending: mending,
          &report)
      }
    }
    try leftovers?.clearRest(mending: mending, &report)
    let places = try places(live: live, &outstanding)
    try tasks.look()
    try groups.look()
    // What was settled while the directories were looked at is in the log by now: its line comes before its file goes.
    try merge.addNewHosts()
    while let (event, position) = try merge.next() {
      if event.kind.isOfTask { tasks.apply(event, position) }
      if event.kind.isOfGroup { groups.apply(event, position) }
      guard event.kind != .messageSent, !event.kind.isOfTask, !event.kind.isOfGroup,
        let id = MessageID(event.subject), outstanding[id] != nil, concerns(event, &credibility)
      else { continue }
      outstanding[id]!.apply(event)
    }
    if since != forgotten {
      tasks.forget(what: since)
      groups.forget(what: since)
    }
    if fromCheckpoint {
      // What became of it may stand before the checkpoint of another host than the sender's.
      let hasOtherParts = try files.hosts().count > 1
      let missing = outstanding.filter { id, message in hasOtherParts && message.isMissing(id, in: places) }
      if !missing.isEmpty {
        try resurrect(Set(missing.keys), files, &outstanding, &credibility)
        let since = try Forgotten(in: root)
        outstanding = outstanding.filter { !since.covers($0, $1.position, $1.time) }
        leaveInFlight(&outstanding)
      }
      try tasks.complete(hasOtherParts: hasOtherParts)
      try groups.complete(hasOtherParts: hasOtherParts)
    }
    try mend(outstanding, places, files, mending: mending, &report)
    // Where users share the spool, others of them may be at work on these already.
    try tasks.mend(mending: mending, live: live || user != nil, &report)
    try groups.mend(mending: mending, live: live || user != nil, &report)
    try states.mend(mending: mending, &report)
  }

  // MARK: Whose it is

  func isOwn(_ bot: BotName) -> Bool {
    guard let user else { return true }
    return ((try? root.status(Layout.bot(bot))) ?? nil)?.owner == user
  }

  private func isOurs(_ part: String, _ files: LogFiles) -> Bool { user == nil || files.user(of: part) == user }

  /// Whether an event is one to go by: what was sent to a bot of this user, or what somebody who can know says of one.
  private func concerns(_ event: LogEvent, _ credibility: inout Credibility) -> Bool {
    guard let user else { return true }
    if event.kind == .messageSent {
      return event.texts("recipients").contains { credibility.owner(of: $0) == user }
    }
    return credibility.holds(event) && event.text("bot").map { credibility.owner(of: $0) == user } ?? false
  }

  private func leaveInFlight(_ outstanding: inout [MessageID: Outstanding]) {
    guard user != nil else { return }
    for id in outstanding.keys { outstanding[id]!.copies = outstanding[id]!.copies.filter { !$0.value.isInFlight } }
    outstanding = outstanding.filter { !$0.value.copies.isEmpty }
  }

  private func isInFlight(_ event: LogEvent, _ position: LogCursor.Position) -> Bool {
    guard !isCopy, root.isRemote || isFromElsewhere(event), position.segment.host != part || log == nil else {
      return false
    }
    return abs(Timestamp(microseconds: Clock.wall()).seconds(since: event.time)) < Self.inFlightSeconds
  }

  /// Whether its file in a `tmp/`, while it is sent, lies where this user can't look: with the first who is to have it.
  private func isFromElsewhere(_ event: LogEvent) -> Bool {
    guard let user, event.writtenBy != user else { return false }
    return event.texts("recipients").first.flatMap { try? BotName(parsing: $0) }.map { !isOwn($0) } ?? false
  }

  func begin(
    _ event: LogEvent, _ id: MessageID, _ position: LogCursor.Position, _ outstanding: inout [MessageID: Outstanding],
    _ credibility: inout Credibility
  ) {
    let isInFlight = isInFlight(event, position)
    if isInFlight, user == nil { return }
    let sender = user == nil ? nil : credibility.sender(event)
    if let known = outstanding[id] {
      // Somebody says that he has sent another's message: who may bear the name that it says it is from, is believed.
      guard known.sender != sender, let from = event.message?.from, credibility.owner(of: from) == sender else {
        return
      }
      guard let other = (try? LogFiles(root: root).event(at: known.position))?.message?.from,
        credibility.owner(of: other) != known.sender
      else { return }
    }
    var recipients = event.texts("recipients")
    if let user { recipients = recipients.filter { credibility.owner(of: $0) == user } }
    let copies = Dictionary(recipients.map { ($0, Copy(isInFlight: isInFlight)) }) { first, _ in first }
    let name = event.text("name").flatMap { EntryName($0) } ?? EntryName(urgency: Priority.normal.urgency, id: id)
    // Whoever sees messages of all users can't tell who may have moved them.
    let only = copies.count == 1 && (user != nil || !root.isShared) ? copies.first?.key : nil
    outstanding[id] = Outstanding(
      position: position, time: event.time, name: name, sender: sender, copies: copies, lastBot: only)
  }

  /// The file of an idempotency key isn't synced: the log says again what was sent, or submitted, under it.
  private func restoreKey(_ event: LogEvent) throws {
    guard let key = IdempotencyKey(of: event, user: user), let id = MessageID(event.subject) else { return }
    if try key.owner(in: root) != nil { return }
    _ = try key.take(for: id, by: Holder(host: host, pid: 0, start: 0), in: root)
  }

  /// Goes once more through the whole log, for all that it says of these messages, and forgets what was known of them.
  func resurrect(
    _ ids: Set<MessageID>, _ files: LogFiles, _ outstanding: inout [MessageID: Outstanding],
    _ credibility: inout Credibility
  ) throws {
    for id in ids { outstanding[id] = nil }
    let forgotten = try Forgotten(in: root)
    let events = try files.events(about: ids).filter { event, position in
      guard let id = MessageID(event.subject), concerns(event, &credibility) else { return false }
      return !forgotten.covers(id, position, event.time)
    }
    for (event, position) in events where event.kind == .messageSent {
      begin(event, MessageID(event.subject)!, position, &outstanding, &credibility)
    }
    for (event, _) in events where event.kind != .messageSent {
      if let id = MessageID(event.subject), outstanding[id] != nil { outstanding[id]!.apply(event) }
    }
  }
}
