import CoordinatorPolicy
import Linux
import Routing
import Spool
import SpoolFormat

/// How a bot answers when groups are formed.
public struct NegotiationOptions: Sendable {
  /// A program that gets the announcement as JSON, and prints `{"offer": {…}}` or `{"refuse": "why"}`; without one it is
  /// decided by level, load and deadline (`Bid`).
  public var bidder: [String] = []
  /// Tasks that the bot may have at once; nil for what its card says.
  public var tasksMax: Int?

  public init() {}
}

/// Answers for a bot: offers, agrees and refuses. It agrees to no more than the bot may have in hand, counting what it has
/// agreed to and hasn't got yet, and takes nothing back. Other messages in the bot's inbox are left to others.
final class Negotiator {
  private struct RunningBid {
    let claim: Claim
    let load: Int
    let capacity: Int
    let program: ProgramRun
  }

  let inbox: Inbox
  /// Nothing new is agreed to.
  var isStopping = false
  private let spool: Spool
  /// From the root: a bidder may change its directory.
  private let spoolPath: String
  private let bot: BotName
  private let options: NegotiationOptions
  private let report: (WorkerEvent) -> Void
  private var bids: [RunningBid] = []
  private var profile: BotProfile
  private var cardVersion: Int?
  /// Whether pending tasks are the bot's own, as far as they were read.
  private var pending: [EntryName: Bool] = [:]
  private var recordsReadAt = -recordsNanoseconds
  private var resumesAt = 0
  /// The last turn didn't come to the end of what waits.
  private var mayHaveMore = false
  /// When the claims of bids that programs are at are renewed; nanoseconds since boot.
  private var renewsAt = 0

  private static let recordsNanoseconds = 30_000_000_000
  /// Messages in one turn, so that tasks needn't wait for a flood of them.
  private static let messagesPerTurn = 32
  /// Programs that are at bids at once.
  static let bidsMax = 16

  init(
    _ spool: Spool, _ bot: BotName, _ options: NegotiationOptions, report: @escaping (WorkerEvent) -> Void
  ) throws {
    self.spool = spool
    spoolPath = try spool.absolutePath()
    self.bot = bot
    self.options = options
    self.report = report
    profile = BotProfile(card: Card(name: bot))
    inbox = try Inbox(spool, bot)
    inbox.wants = { message in message.type?.isForMembers == true && message.performative != nil }
  }

  // MARK: The event loop

  func watch(_ poll: inout PollSet) {
    if isListening, let descriptor = inbox.watchedDescriptor { _ = poll.add(descriptor) }
    for bid in bids { bid.program.watch(&poll) }
  }

  func respond(to poll: PollSet) { for bid in bids { bid.program.respond(to: poll) } }

  var nextDue: Int {
    let next = bids.map(\.program.nextDeadline).reduce(!hasRoom ? .max : mayHaveMore ? 0 : inbox.nextWake(), min)
    return max(resumesAt, bids.isEmpty ? next : min(next, renewsAt))
  }

  private var hasRoom: Bool { bids.count < Self.bidsMax }

  /// While nobody looks into the inbox, what stirs there must wake nobody: it would go on stirring.
  private var isListening: Bool { hasRoom && Clock.sinceBoot() >= resumesAt }

  var isIdle: Bool { bids.isEmpty }

  /// Ends at once: kills the programs that are at bids, and puts back what they were asked, for others of the bot's workers.
  func abandon() {
    let claims = bids.map(\.claim)
    bids = []  // kills them
    for claim in claims { _ = try? spool.release(bot, claim.name, reason: "the worker stopped") }
  }

  func turn() {
    guard Clock.sinceBoot() >= resumesAt else { return }
    do {
      renewBids()
      while let index = bids.firstIndex(where: { $0.program.outcome != nil }) {
        let bid = bids.remove(at: index)
        try carryOut(bid.claim) { try finish(bid) }
      }
      mayHaveMore = false
      for _ in 0..<Self.messagesPerTurn where hasRoom {
        guard let claim = try inbox.claim() else { return }
        try carryOut(claim) { try handle(claim) }
      }
      mayHaveMore = true
    } catch {
      resumesAt = Clock.sinceBoot() + 500_000_000
      report(.problem("\(error)", delay: 0.5))
    }
  }

  /// What can't be done goes back into the inbox, and is given up in the end like any other message. A claim that was lost
  /// is another's.
  private func carryOut(_ claim: Claim, _ deed: () throws -> Void) throws {
    do { try deed() } catch let error as SpoolError where error.code == .claimLost {} catch {
      _ = try? spool.nack(bot, claim.name, delay: 1, reason: "\(error)")
      throw error
    }
  }

  private var renewNanoseconds: Int { Int(inbox.lease / 4 * 1e9) }

  private func renewBids() {
    let now = Clock.sinceBoot()
    guard !bids.isEmpty, now >= renewsAt else { return }
    renewsAt = now + renewNanoseconds
    bids.removeAll { bid in
      do { try spool.extend(bot, bid.claim.name) } catch let error as SpoolError where error.code == .claimLost {
        return true
      } catch {}
      return false
    }
  }

  private func handle(_ claim: Claim) throws {
    let message = claim.message
    // Where users share the spool, another than the hub's could speak for it.
    guard spool.isWritten(claim, by: Spool.hub) else { return try spool.ack(bot, claim.name) }
    // What is no id is no group's, and must not become part of a path.
    let group = message.conversation.flatMap { MessageID($0) }
    switch (message.type, group) {
    case (.skillQuery, _):
      if try answer(claim) { return }
    case (.groupInvite, let group?): try accept(message, group)
    case (.groupReject, let group?), (.taskStart, let group?): try spool.unreserve(bot, for: group)
    case (.taskComplete, let group?):
      try spool.unreserve(bot, for: group)
      report(.negotiated(group: group.description, what: "it is over: \(message.content ?? "")"))
    default: break
    }
    try spool.ack(bot, claim.name)
  }

  // MARK: Offers

  /// - Returns: whether a program is at it, and the claim is still needed.
  private func answer(_ claim: Claim) throws -> Bool {
    let message = claim.message
    let now = Timestamp(microseconds: Clock.wall())
    // Whoever asked no longer listens.
    if let end = message.replyBy, end <= now { return false }
    let announcement: Announcement
    do { announcement = try Announcement(message) } catch {
      try send(.groupReject, .refuse, to: message, "the query can't be read: \(error)")
      return false
    }
    if isStopping {
      try send(.groupReject, .refuse, to: message, "is stopping")
      return false
    }
    try refreshProfile()
    let (load, capacity) = try standing()
    let bid = Bid.answer(
      announcement.skills, bot: profile, load: load, capacity: capacity,
      secondsLeft: announcement.deadline.seconds(since: now))
    guard options.bidder.isEmpty else {
      let seconds = min(message.replyBy?.seconds(since: now) ?? 60, 600)
      do {
        let program = try ProgramRun(
          "the bidder", options.bidder,
          environment: [
            "SPOOL_DIR": spoolPath, "SPOOL_BOT": bot.description, "SPOOL_GROUP": message.conversation ?? "",
          ],
          input: input(message, announcement, bid, load, capacity), timeout: max(0.1, seconds))
        if bids.isEmpty { renewsAt = Clock.sinceBoot() + renewNanoseconds }
        bids.append(RunningBid(claim: claim, load: load, capacity: capacity, program: program))
        return true
      } catch {
        try send(.groupReject, .refuse, to: message, "cannot run the bidder: \(error.reason)")
        return false
      }
    }
    try send(bid, to: message)
    return false
  }

  /// What the bidding program gets: the announcement, how busy the bot is, and what would be answered without it.
  private func input(
    _ message: Message, _ announcement: Announcement, _ bid: Bid, _ load: Int, _ capacity: Int
  ) -> [UInt8] {
    var writer = JSONWriter()
    writer.beginObject()
    writer.member("group", ifPresent: message.conversation)
    writer.member("text", announcement.text)
    writer.member("skills", announcement.skills.map { "\($0.name):\($0.level.rawValue)" })
    writer.member("deadline", moment: announcement.deadline)
    writer.member("reply_by", moment: message.replyBy)
    writer.member("priority", announcement.priority.value)
    writer.member("context", ifPresent: announcement.context)
    writer.member("bot", bot.description)
    writer.member("load", load)
    writer.member("capacity", capacity)
    switch bid {
    case .offer(let offer): writer.member("offer", offer.json)
    case .refuse(let why): writer.member("refuse", why)
    }
    writer.endObject()
    return writer.bytes + [10]
  }

  private func finish(_ bid: RunningBid) throws {
    guard let outcome = bid.program.outcome else { return }
    try send(Self.bid(outcome, bot, bid.load, bid.capacity), to: bid.claim.message)
    try spool.ack(bot, bid.claim.name)
  }

  /// What a bidding program said. How busy the bot is, it doesn't say.
  private static func bid(_ outcome: ProgramRun.Outcome, _ bot: BotName, _ load: Int, _ capacity: Int) -> Bid {
    guard case .done(let output) = outcome else {
      guard case .failed(let why) = outcome else { return .refuse("no answer") }
      return .refuse(why)
    }
    guard let value = try? JSONValue(parsing: output) else { return .refuse("its bid is no JSON") }
    if let why = value["refuse"]?.string { return .refuse(why) }
    guard let given = value["offer"] else { return .refuse("its bid has neither \"offer\" nor \"refuse\"") }
    do {
      var offer = try SkillOffer(bot: bot, given)
      offer.load = load
      offer.capacity = capacity
      return load < capacity ? .offer(offer) : .refuse("has \(load) of at most \(capacity) tasks")
    } catch { return .refuse("its bid can't be read: \(error)") }
  }

  private func send(_ bid: Bid, to message: Message) throws {
    switch bid {
    case .refuse(let why): try send(.groupReject, .refuse, to: message, why)
    case .offer(let offer):
      let skills = offer.skills.map { "\($0.name):\($0.level.rawValue)" }.joined(separator: ", ")
      try send(.skillOffer, .propose, to: message, "offers \(skills)", offer.json)
    }
  }

  // MARK: Agreeing

  private func accept(_ message: Message, _ group: MessageID) throws {
    let now = Timestamp(microseconds: Clock.wall())
    if let end = message.replyBy, end <= now {
      return try send(.groupReject, .refuse, to: message, "the invitation came too late")
    }
    guard !isStopping else { return try send(.groupReject, .refuse, to: message, "is stopping") }
    if let refusal = try reserve(group) { return try send(.groupReject, .refuse, to: message, refusal) }
    try send(.groupAccept, .agree, to: message, "agrees")
    report(.negotiated(group: group.description, what: "agreed to work for it"))
  }

  /// Takes one of the places that the bot has.
  /// - Returns: why it can't; nil when it has it.
  private func reserve(_ group: MessageID) throws -> String? {
    var reserved = try spool.reservations(of: bot)
    if reserved.contains(group) { return nil }
    let (load, capacity) = try standing(reserved)
    guard load < capacity else { return "has \(load) of at most \(capacity) tasks by now" }
    try spool.reserve(bot, for: group)
    // Another of the bot's workers may have done so at the same moment: whoever sees too many takes its own back, and one
    // of them looks again.
    reserved = try spool.reservations(of: bot)
    if try standing(reserved).load <= capacity { return nil }
    try spool.unreserve(bot, for: group)
    guard group == reserved.min() else { return "has agreed to as many tasks as it may have, \(capacity)" }
    throw SpoolError(.tryAgain, "another worker of \(bot) was agreeing to something, too")
  }

  /// Tasks that it has or has agreed to, and may have.
  private func standing(_ known: Set<MessageID>? = nil) throws -> (load: Int, capacity: Int) {
    let inHand = try spool.tasksInHand(of: bot, knowing: &pending)
    let reserved = try known ?? spool.reservations(of: bot)
    let capacity = (try? spool.card(of: bot).capacity) ?? 1
    return (inHand + reserved.count, min(capacity, options.tasksMax ?? capacity))
  }

  private func refreshProfile() throws {
    let version = try spool.cardVersion(of: bot)
    let now = Clock.sinceBoot()
    guard version != cardVersion || now - recordsReadAt > Self.recordsNanoseconds else { return }
    cardVersion = version
    recordsReadAt = now
    profile = BotProfile(
      card: try spool.card(of: bot), record: BotRecord.kept(of: bot, in: spool),
      now: Timestamp(microseconds: Clock.wall()))
  }

  private func send(
    _ type: MessageType, _ performative: Performative, to message: Message, _ text: String, _ data: JSONText? = nil
  ) throws {
    var content = Message(content: text)
    content.type = type
    content.data = data
    content.perform(performative, replyBy: message.replyBy)
    let reply = try spool.reply(to: message, from: bot.description, content)
    // Should a power cut take it, the hub asks once more.
    try spool.send(reply, durability: .relaxed)
  }
}
