import AgentRuntime
import CoordinatorPolicy
import Linux
import Routing
import Spool
import SpoolFormat

/// Forms groups: takes announcements from the inbox of the bot `hub`, asks who can do them, chooses, invites, hands the
/// parts out as tasks, replaces who fails, and ends the group. Any number of hubs run side by side, one in each
/// coordinator, leading or not: an announcement is the hub's whose claim of it stands, and another's when that one dies.
/// All that must be known is in the group's file and the tasks.
final class Hub {
  let spool: Spool
  let options: HubOptions
  let report: (CoordinatorEvent) -> Void
  let inbox: Inbox
  let tasks: TaskWatcher
  let files: GroupWatcher
  var roster = Roster()
  private var records: [BotName: (record: BotRecord, at: Int)] = [:]
  /// In this turn, of those that were known.
  private var recordsRead = 0
  var groups: [MessageID: HubGroup] = [:]
  /// The groups that tasks in hand are parts of, and those that whole groups stand behind.
  var byTask: [MessageID: MessageID] = [:]
  /// Parts that this hub has given each bot and that are still in hand.
  var inHand: [BotName: Int] = [:]
  /// When each bot was asked last, so that of equals all have their turn.
  var askedAt: [BotName: Int] = [:]
  /// Groups whose turn to look for members hasn't come, with when they came; nanoseconds since boot.
  var queue: [EntryName: Int] = [:]
  /// Groups that were this hub's and are over.
  private var ended: Set<MessageID> = []
  private var endedOrder: [MessageID] = []
  /// Groups that live, whoever's they are, as they were listed last.
  private var living: (ids: Set<String>, at: Int) = ([], -1)
  var observations = GroupObservations()
  var handMoves: [MessageID: (entry: GroupEntry, at: Int)] = [:]
  var nextMaintenance = 0
  var nextListing = 0
  private var claimsAgainAt = 0
  private var troubles = Troubles()

  static let name = Spool.hub.description
  private static let endedMax = 10_000
  private static let claimsPerTurn = 128
  /// How long an answer to a group that isn't this hub's is left to the one whose it is.
  private static let foreignSeconds = 2.0

  init(_ spool: Spool, _ options: HubOptions, report: @escaping (CoordinatorEvent) -> Void) throws {
    self.spool = spool
    self.options = options
    self.report = report
    try spool.registerHub()
    inbox = try Inbox(spool, Spool.hub)
    tasks = try TaskWatcher(spool)
    files = try GroupWatcher(spool)
    try inbox.watch()
    inbox.wants = { [unowned self] in wants($0) }
  }

  var isIdle: Bool { groups.isEmpty && (try? spool.count(Spool.hub))?.waiting == 0 }

  // MARK: The event loop

  func watch(_ poll: inout PollSet) {
    // While nothing is claimed, what comes is no reason to wake.
    let messages = Clock.sinceBoot() >= claimsAgainAt ? inbox.watchedDescriptor : nil
    for descriptor in [messages, tasks.descriptor, files.descriptor] {
      if let descriptor { _ = poll.add(descriptor) }
    }
  }

  var nextDue: Int {
    groups.values.reduce(min(max(inbox.nextWake(), claimsAgainAt), nextMaintenance)) { min($0, $1.nextDue) }
  }

  func turn() {
    recordsRead = 0
    attempt { if try !roster.refresh(spool).isEmpty { wakePausing() } }
    attempt { try takeMessages() }
    attempt { try takeMoves() }
    let now = Clock.sinceBoot()
    for group in groups.values where group.nextDue <= now { step(group, now) }
    searchNext()
    if now >= nextMaintenance {
      nextMaintenance = now + Int(options.maintenanceSeconds * 1e9)
      maintain(now)
    }
  }

  /// What a trouble of the moment keeps from being done is done in a later round.
  func attempt(_ body: () throws -> Void) {
    do { try body() } catch { tell("\(error)") }
  }

  private func tell(_ text: String) { if troubles.isNews(text) { report(.problem(text)) } }

  /// The same for one group: should somebody else have it by now, it is let go.
  func attempt(_ group: HubGroup, _ body: () throws -> Void) {
    do { try body() } catch let error as SpoolError where error.code == .claimLost {
      // Cancelled, or moved by hand: that is heeded soon.
      if let found = (try? spool.findGroup(group.id)) ?? nil, found.term == group.entry.term, found != group.entry {
        handMoves[group.id] = (found, Clock.sinceBoot())
      } else {
        forget(group)
      }
    } catch {
      group.resumesAt = Clock.sinceBoot() + 1_000_000_000
      tell("group \(group.id): \(error)")
    }
  }

  // MARK: Messages

  private func wants(_ message: Message) -> Bool {
    let age = message.id.map { Timestamp(microseconds: Clock.wall()).seconds(since: $0.time) } ?? .infinity
    guard message.type != .taskAnnounce else {
      return groups.count < options.announcementsMax || age >= options.ageingSeconds
    }
    guard let id = message.conversation.flatMap({ MessageID($0) }), message.performative != nil else { return true }
    if groups[id] != nil || ended.contains(id) { return true }
    return age >= Self.foreignSeconds && !isLive(id)
  }

  /// Whether some hub has it, or will.
  private func isLive(_ id: MessageID) -> Bool {
    let now = Clock.sinceBoot()
    if living.at < 0 || now - living.at > 1_000_000_000 {
      let all = (try? spool.groups(in: [.forming, .active])) ?? []
      living = (Set(all.map(\.id.description)), now)
    }
    return living.ids.contains(id.description)
  }

  private func takeMessages() throws {
    let now = Clock.sinceBoot()
    guard now >= claimsAgainAt else { return }
    do {
      for _ in 0..<Self.claimsPerTurn {
        guard let claim = try inbox.claim() else { break }
        try handle(claim)
      }
      claimsAgainAt = 0
    } catch {
      claimsAgainAt = now + 1_000_000_000
      throw error
    }
  }

  private func handle(_ claim: Claim) throws {
    let message = claim.message
    do {
      guard message.type != .taskAnnounce else { return try adopt(claim) }
      if let id = message.conversation.flatMap({ MessageID($0) }), message.performative != nil {
        if let group = groups[id] { hear(message, claim, group) } else { try tellOver(message, id) }
      }
      try spool.ack(claim.bot, claim.name)
    } catch let error as SpoolError where error.code == .claimLost {
    } catch let error as SpoolError where error.code == .badData || error.code == .noSuchBot {
      try spool.bury(claim.bot, claim.name, reason: error.message)
      report(.problem("\(message.type?.description ?? "message") \(claim.name.id): \(error.message)"))
    } catch {
      // No room, perhaps: back with it, for this hub or another; the others go on.
      report(.problem("\(message.type?.description ?? "message") \(claim.name.id): \(error)"))
      try spool.nack(claim.bot, claim.name, delay: Double(min(claim.attempt, 60)), reason: "\(error)")
    }
  }

  /// An answer that came when nobody waited for it any more.
  private func tellOver(_ message: Message, _ id: MessageID) throws {
    guard message.type == .skillOffer || message.type == .groupAccept else { return }
    let state = try spool.findGroup(id)?.state
    let what = state.map { "it is \($0.rawValue)" } ?? "there is no such announcement"
    try refuse(message, "too late, and nothing was changed: \(what)")
  }

  /// Answers an offer or an agreement that doesn't count.
  func refuse(_ message: Message, _ why: String) throws {
    guard let bot = message.from.flatMap({ try? BotName(parsing: $0) }), try spool.exists(bot) else { return }
    var content = Message(content: why)
    content.type = .groupReject
    content.perform(.refuse, replyBy: nil)
    try spool.send(spool.reply(to: message, from: Self.name, content), durability: .relaxed, evenIfFull: true)
  }

  /// Says something to members, and to who announced it.
  func send(
    _ type: MessageType, _ performative: Performative, to bots: [BotName], _ group: HubGroup, _ text: String,
    data: JSONText? = nil, replyBy: Timestamp? = nil, key: String? = nil
  ) throws -> MessageID? {
    let there = try Set(bots).filter { try spool.exists($0) }.sorted()
    guard !there.isEmpty else { return nil }
    var message = Message(content: text)
    message.from = Self.name
    message.to = there.map(\.description)
    message.type = type
    message.conversation = group.id.description
    message.priority = group.record.announcement.priority
    message.data = data
    message.idempotencyKey = key
    message.perform(performative, replyBy: replyBy ?? group.record.announcement.deadline)
    // Who belongs to a group hears what becomes of it: else one that doesn't read would keep it from its end.
    let isOwed = [.groupFormed, .taskStart, .taskComplete].contains(type)
    return try spool.send(message, durability: .relaxed, evenIfFull: isOwed)
  }

  // MARK: Groups in hand

  /// Takes an announcement in hand: a new one, or one whose hub died.
  private func adopt(_ claim: Claim) throws {
    let resumed = claim.message.data.flatMap { $0.value["resume"]?.string }.flatMap { MessageID($0) }
    let id = resumed ?? claim.name.id
    // Asked to go on with one that is in hand.
    if groups[id] != nil { return try spool.ack(claim.bot, claim.name) }
    var found: StoredGroup?
    if claim.attempt > 1 || resumed != nil {
      try spool.settleGroupMoves(&observations)
      found = try spool.group(id)
      // Whoever had it may have died while changing it. As long as that isn't certain nobody knows what it says.
      if found == nil, try spool.groupIsMoving(id) {
        _ = try spool.nack(claim.bot, claim.name, delay: 1, reason: "another process is changing the group")
        return
      }
    }
    let announcement: Announcement
    if let found {
      announcement = found.record.announcement
    } else {
      do {
        announcement = try Announcement(claim.message)
        // That the deadline has passed is told as any other failure.
        try announcement.check(
          now: min(Timestamp(microseconds: Clock.wall()), announcement.deadline.advanced(bySeconds: -1)))
      } catch {
        try refuseAnnouncement(claim.message, error.description)
        throw SpoolError(.badData, error.description)
      }
    }
    var record = found?.record ?? GroupRecord(id: id, announcement)
    record.createdAt = record.createdAt ?? claim.message.createdAt ?? id.time
    let entry: GroupEntry
    if let found {
      guard let taken = try spool.take(found.entry, term: claim.attempt, by: Self.name) else {
        return try spool.ack(claim.bot, claim.name)
      }
      entry = taken
    } else {
      entry = try spool.addGroup(record, term: claim.attempt, by: announcement.from)
    }
    let now = Clock.sinceBoot()
    let left = announcement.deadline.seconds(since: Timestamp(microseconds: Clock.wall()))
    let announcer = announcement.from.flatMap { try? BotName(parsing: $0) }
    let group = HubGroup(
      claim: claim.name, entry: entry, record: record, announcer: announcer, renewAt: now + renewNanoseconds,
      endsAt: Clock.withSleep() + Int(min(max(left, 0), 1e9) * 1e9))
    groups[id] = group
    report(.group(id: id.description, text: announcement.text, what: found == nil ? "announced" : "taken over"))
    attempt(group) { try begin(group) }
  }

  var renewNanoseconds: Int { Int(inbox.lease / 4 * 1e9) }

  private func refuseAnnouncement(_ message: Message, _ why: String) throws {
    guard let bot = message.from.flatMap({ try? BotName(parsing: $0) }), try spool.exists(bot) else { return }
    var content = Message(content: why)
    content.type = .error
    content.perform(.refuse, replyBy: nil)
    try spool.send(spool.reply(to: message, from: Self.name, content), evenIfFull: true)
  }

  /// Goes on from where a group stands.
  func begin(_ group: HubGroup) throws {
    switch group.entry.state {
    // One that is formed again has members already.
    case .forming, .active:
      try ensureTasks(group)
      try takeStock([group])
      if groups[group.id] === group { search(group) }
    case .completed: try dissolve(group)
    case .failed: try end(group, .failure, group.record.error ?? "it failed")
    case .dissolved: try end(group, .cancel, group.record.error ?? "it is dissolved")
    }
  }

  /// It is another's now, or over.
  func forget(_ group: HubGroup) {
    groups[group.id] = nil
    // What another hub had handed out isn't counted here.
    for part in group.working where byTask[part.task] != nil { inHand[part.bot, default: 1] -= 1 }
    for part in group.record.parts { byTask[part.task] = nil }
    if let task = group.record.task { byTask[task] = nil }
    queue[group.entry.name] = nil
    guard ended.insert(group.id).inserted else { return }
    endedOrder.append(group.id)
    if endedOrder.count > Self.endedMax {
      for id in endedOrder.prefix(Self.endedMax / 10) { ended.remove(id) }
      endedOrder.removeFirst(Self.endedMax / 10)
    }
  }

  /// What a bot has shown. Read when it is wanted, and a few again in each turn: with a thousand bots all at once would
  /// keep an announcement waiting.
  func record(of bot: BotName) -> BotRecord {
    let now = Clock.sinceBoot()
    if let known = records[bot], now - known.at < Self.recordNanoseconds || recordsRead >= Self.recordsPerTurn {
      return known.record
    }
    recordsRead += 1
    let record = BotRecord.kept(of: bot, in: spool)
    records[bot] = (record, now)
    return record
  }

  private static let recordNanoseconds = 10_000_000_000
  private static let recordsPerTurn = 8
}
