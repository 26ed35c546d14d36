import Glibc
import Linux
import SpoolFormat

/// Takes the tasks that were given to a bot, most urgent first, oldest first among equals. Any number of these, in any
/// number of processes, may work for one bot: each task has one winner. Belongs to one thread.
///
/// Where no coordinator runs it also does what that would do: what died or failed with this bot is taken up by it again,
/// and what waited for a task that has ended, and wasn't told, goes on.
public final class TaskInbox {
  public let spool: Spool
  public let bot: BotName
  /// Whether it takes pending tasks that suit the bot, too.
  public let takesPending: Bool
  /// Seconds that a task stands in progress without being renewed.
  public var lease: Double { spool.settings.leaseSeconds }

  /// Somebody else watches the inbox, and calls `ring` for every bell; it has no watcher of its own then, unless it needs
  /// one for pending tasks. The value says whether every bell is told by an event.
  public var isRung: Bool?

  private let card: Card
  /// The next one is the last.
  private var candidates: [TaskEntry] = []
  /// Whether pending ones are for this bot, as far as they were read.
  private var verdicts: [EntryName: Bool] = [:]
  /// Those that couldn't be read, and what their files were then: changed since, they are tried again.
  private var unreadable: [EntryName: Version] = [:]
  private struct Version: Equatable {
    let changed: Int?
    let size: Int?
  }
  private var nextDue: Timestamp?
  private var problems: [String] = []
  private var watcher: DirectoryWatcher?
  private var isWatching = false
  private var watchedInode: UInt64?
  private var observations = TaskObservations()
  private let isOnNetwork: Bool
  /// When to look for what other hosts did.
  private var pace = LookPace()
  /// By the clock since boot, nanoseconds.
  private var lastLook = 0
  private var nextLook = 0
  /// When to look again though there is something to take.
  private var afterLook = 0
  private var nextCheck = 0
  private var nextLeaseRound = 0
  private var nextOverlooked = 0
  /// When something last happened to its tasks.
  private var lastActivity = Clock.sinceBoot()

  /// How often it looks though no event said so.
  private static let lookNanoseconds = 5_000_000_000
  /// The same, and how often it looks for workers that died, when nothing has happened for long: a thousand that wait must
  /// cost next to nothing.
  private static let idleLookNanoseconds = 15_000_000_000
  var idleNanoseconds = 60_000_000_000
  /// The same where there are no events.
  private static let pollNanoseconds = 500_000_000
  /// How often it looks at most while it has found something.
  private static let busyNanoseconds = 20_000_000
  /// How often what is in hand is looked at though nobody rang: a person's `mv` doesn't.
  private static let checkNanoseconds = 2_000_000_000
  /// How often it looks for what nobody told that it can go on; less often where that takes more than a thousandth of it.
  private static let overlookedNanoseconds = 30_000_000_000
  /// Tasks that are read for that at most: the worker has leases to renew.
  private static let overlookedReadsMax = 10_000
  /// Pending tasks that are read in one look: the worker has leases to renew between two of them.
  private static let readsMax = 2000

  /// - Throws: `.noSuchBot`.
  public init(_ spool: Spool, _ bot: BotName, takesPending: Bool = false) throws {
    try spool.require(bot)
    try spool.requireOwn(bot, to: "take tasks for")
    self.spool = spool
    self.bot = bot
    self.takesPending = takesPending
    card = (try? spool.card(of: bot)) ?? Card(name: bot)
    isOnNetwork = spool.root.isRemote
  }

  /// Begins the most urgent task that is this bot's, or returns nil when there is none.
  /// Cost: a file read and one renameat(2); after a ring or every few seconds a listing of `tasks/assigned/`.
  /// - Throws: `.inputOutput` and its like; losing a race is no error.
  public func next() throws -> StoredTask? {
    let asked = Clock.sinceBoot()
    try takeEvents()
    let isDue = nextDue.map { $0 <= spool.now() } ?? false
    if isDue || Clock.sinceBoot() >= nextLook { try look() }
    if let task = try startNext() { return task }
    // There may be some that came since the last look, if no event would have told.
    guard !hasEvents, lastLook < asked else { return nil }
    try look()
    return try startNext()
  }

  private func startNext() throws -> StoredTask? {
    while let entry = candidates.popLast() {
      guard let record = try readable(entry) else { continue }
      lastActivity = Clock.sinceBoot()
      // It wins the race here.
      guard let started = try spool.start(entry, bot: bot, worker: spool.holder) else { continue }
      return StoredTask(entry: started, record: record, wasAssigned: entry.state == .assigned)
    }
    return nil
  }

  /// Takes what was found that can't be worked on, a sentence each.
  public func takeProblems() -> [String] {
    defer { problems = [] }
    return problems
  }

  /// Takes up what has happened, and takes back what died.
  /// - Returns: whether what is in hand should be looked at: somebody may have taken it away.
  public func takeWarning() throws -> Bool {
    try takeEvents()
    let now = Clock.sinceBoot()
    if isIdle(now), now >= nextLook || now >= nextLeaseRound {
      // Both at once: waking up costs as much as looking.
      nextLook = 0
      nextLeaseRound = 0
    }
    if now >= nextLeaseRound {
      nextLeaseRound = now + min(2_000_000_000, leaseNanoseconds / 4)
      try expire()
    }
    guard now >= nextCheck else { return false }
    nextCheck = now + Self.checkNanoseconds
    return true
  }

  private var leaseNanoseconds: Int { max(400_000_000, Int(lease * 1e9)) }

  private func expire() throws {
    // What comes back from `expireTasks` may be anybody's: a name in `pending/` doesn't say.
    let ours = Set(try spool.tasks(in: [.inProgress]).filter { $0.bot == bot }.map(\.id))
    let isQuiet = isOnNetwork || isIdle(Clock.sinceBoot())
    let quiet = isQuiet ? Self.idleLookNanoseconds : Self.lookNanoseconds
    // What is begun meanwhile is seen soon enough to be taken back after one lease more.
    if ours.isEmpty { nextLeaseRound = Clock.sinceBoot() + min(quiet, leaseNanoseconds) }
    for entry in try spool.expireTasks(of: bot, &observations) {
      if entry.state.isFinal {
        try spool.settleAfter(entry)
      } else if entry.state == .pending, ours.contains(entry.id) {
        try spool.assignBack(entry, to: bot)
      }
    }
    if Clock.sinceBoot() >= nextOverlooked { try settleOverlooked() }
  }

  private func settleOverlooked() throws {
    let began = Clock.sinceBoot()
    // Should it fail, not at once again.
    nextOverlooked = began + Self.overlookedNanoseconds
    guard !spool.coordinatorIsUp else { return }
    let overlooked = try spool.overlooked(readsMax: Self.overlookedReadsMax)
    nextOverlooked = began + max(Self.overlookedNanoseconds, 1000 * (Clock.sinceBoot() - began))
    try spool.settle(overlooked)
  }

  // MARK: Looking

  /// The record of a task that is there and can be read.
  private func readable(_ entry: TaskEntry) throws -> TaskRecord? {
    // Asked before it is read: should it change meanwhile, it is tried again.
    let version = version(of: entry)
    do {
      let record = try spool.record(of: entry)
      unreadable[entry.name] = nil
      return record
    } catch let error as SpoolError where error.code == .badData || error.code == .notPermitted {
      if unreadable.updateValue(version, forKey: entry.name) != version { problems.append(error.description) }
      return nil
    }
  }

  private func version(of entry: TaskEntry) -> Version {
    let status = (try? spool.root.status(entry.path)) ?? nil
    return Version(changed: status?.changed, size: status?.size)
  }

  /// Whether it couldn't be read, and is as it was.
  private func isUnreadable(_ entry: TaskEntry) -> Bool {
    unreadable[entry.name].map { $0 == version(of: entry) } ?? false
  }

  private func look() throws {
    let began = Clock.sinceBoot()
    // Should it fail, not at once again.
    nextLook = began + Self.pollNanoseconds
    nextDue = nil
    let assigned = try spool.tasks(in: [.assigned])
    if isOnNetwork { noteFound(assigned) }
    var found = assigned.filter { $0.bot == bot && !isUnreadable($0) }
    var isComplete = true
    if takesPending || !spool.coordinatorIsUp { isComplete = try lookAtPending(&found) }
    candidates = found.sorted { $1.name < $0.name }
    if isWatching, try inboxInode() != watchedInode { isWatching = false }
    lastLook = began
    let end = Clock.sinceBoot()
    let local = isIdle(end) ? Self.idleLookNanoseconds : Self.lookNanoseconds
    let pause = hasEvents ? local : isOnNetwork ? pace.interval(now: end) : Self.pollNanoseconds
    // Most of the time must be left for what was found.
    let rest = LookPace.rest(after: end - began)
    nextLook = isComplete ? end + max(pause, rest) : end
    afterLook = end + max(Self.busyNanoseconds, rest)
  }

  private func noteFound(_ assigned: [TaskEntry]) {
    var signature = LookPace.Signature()
    for entry in assigned where entry.bot == bot { signature.add(entry.name.description) }
    pace.note(signature)
  }

  /// - Returns: whether all were looked at.
  private func lookAtPending(_ found: inout [TaskEntry]) throws -> Bool {
    let pending = try spool.tasks(in: [.pending])
    let now = spool.now()
    var reads = 0
    var known: [EntryName: Bool] = [:]
    defer { verdicts = known }
    for entry in pending where !isUnreadable(entry) {
      if let due = entry.notBefore, due > now { nextDue = min(nextDue ?? due, due) }
      var isOurs = verdicts[entry.name]
      if isOurs == nil, reads < Self.readsMax {
        reads += 1
        let record = try readable(entry)
        isOurs = record.map(self.isOurs)
        if let record, record.isJoin, !record.wasCompleted { try putBack(entry) }
      }
      known[entry.name] = isOurs
      if isOnNetwork, isOurs == true { pace.noteChange() }
      if isOurs == true, entry.notBefore.map({ $0 <= now }) ?? true { found.append(entry) }
    }
    return reads < Self.readsMax
  }

  private func isOurs(_ record: TaskRecord) -> Bool {
    // Put here by a hand; a coordinator puts it back.
    if record.wasCompleted || record.isJoin { return false }
    if let wanted = record.assignTo { return wanted == bot }
    return record.failures.last?.bot == bot.description || (takesPending && card.suits(record))
  }

  /// Lets a join wait on that a hand made pending, where no coordinator does.
  private func putBack(_ entry: TaskEntry) throws {
    guard !spool.coordinatorIsUp, let blocked = try spool.blockJoin(entry, by: bot.description) else { return }
    try spool.settle([blocked])
  }

  // MARK: Waiting

  /// Starts watching, so that `watchedDescriptor` tells of tasks that were given to the bot, or taken from it.
  public func watch() throws {
    if isRung != nil, !takesPending { return }
    try doing("cannot watch the inbox of \(bot)") {
      if watcher == nil { watcher = try DirectoryWatcher(spool.root) }
      guard !isWatching else { return }
      // In this order: should it be replaced in between, the next look notices.
      watchedInode = try inboxInode()
      isWatching = try watcher!.watch(Layout.box(bot, .inbox))
      if takesPending {
        try spool.makingTaskDirectories { () throws(SystemCallError) in
          guard try watcher!.watch(Layout.tasks(.pending)) else {
            throw SystemCallError("inotify_add_watch", Layout.tasks(.pending), ENOENT)
          }
        }
      }
      if isWatching { nextLook = 0 }
    }
  }

  private func inboxInode() throws -> UInt64? {
    try doing("cannot look at the inbox of \(bot)") { try spool.root.status(Layout.box(bot, .inbox))?.inode }
  }

  /// Whether every change is told by an event.
  private var hasEvents: Bool {
    (isRung == true && !takesPending || isWatching && watcher?.mechanism != .polling) && !isOnNetwork
  }

  private func isIdle(_ now: Int) -> Bool {
    hasEvents && candidates.isEmpty && now - lastActivity > idleNanoseconds
  }

  /// A bell: something was done to the bot's tasks.
  public func ring() {
    lastActivity = Clock.sinceBoot()
    nextCheck = 0
    pace.noteChange()
    // While there is something to take, what is more urgent can wait a moment: every task that ends rings, too.
    nextLook = candidates.isEmpty ? 0 : min(nextLook, afterLook)
  }

  private func takeEvents() throws {
    guard let watcher, isWatching else { return }
    let changes = try doing("cannot watch the inbox of \(bot)") { try watcher.takeChanges() }
    if changes.watchAgain { isWatching = false }
    let hasRung = changes.lookAgain || changes.watchAgain || changes.names.contains(where: Layout.isTaskBell)
    if hasRung {
      nextCheck = 0
      pace.noteChange()
    }
    guard hasRung || changes.directories.contains(Layout.tasks(.pending)) else { return }
    lastActivity = Clock.sinceBoot()
    // While there is something to take, what is more urgent can wait a moment: every task that ends rings, too.
    nextLook = candidates.isEmpty ? 0 : min(nextLook, afterLook)
  }

  /// Readable when it is time to call `takeWarning` and `next` again; nil where only `nextWake` tells.
  public var watchedDescriptor: CInt? { watcher?.descriptor }

  /// When to call `takeWarning` again though nothing has happened, and `next` if more is wanted: nanoseconds since boot.
  /// - Parameter hasInHand: whether something may be taken away by hand, without a bell.
  public func nextWake(isWanted: Bool, hasInHand: Bool = true) -> Int {
    if !isWatching, watcher != nil { try? watch() }
    var next = hasInHand ? min(nextCheck, nextLeaseRound) : nextLeaseRound
    guard isWanted else { return next }
    next = min(next, nextLook)
    if let nextDue { next = min(next, nextDue.nextAsked) }
    return next
  }
}

extension Spool {
  /// Whether a task still stands as it did: nobody has moved it. One whose content another process is changing counts
  /// as standing.
  public func stands(_ entry: TaskEntry) throws -> Bool {
    let isThere = try doing("cannot look at \(entry.id)") { try root.status(entry.path) != nil }
    if isThere { return true }
    if let found = try findTask(entry.id) { return found == entry }
    return try isOnTheMove(entry.id)
  }

  /// Gives a task that came back to `pending/` to the bot that had it, where no coordinator decides who gets it.
  public func assignBack(_ entry: TaskEntry, to bot: BotName) throws {
    if !coordinatorIsUp { try assign(entry, to: bot, by: bot.description) }
  }

  /// What follows for others from a task's end, where no coordinator sees to that.
  public func settleAfter(_ entry: TaskEntry) throws {
    // Most often nothing waits; looking for the task among all that there are costs more.
    if !coordinatorIsUp, try !tasks(in: [.blocked]).isEmpty { try settleDependents(of: entry.id) }
  }
}
