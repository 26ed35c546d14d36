import CoordinatorPolicy
import Linux
import Spool
import SpoolFormat

/// How members are found: ask, choose among the offers, invite, and once more with the next best where somebody won't.
extension Hub {
  /// Begins to look for those who do what nobody is at; in its turn, when many do.
  func search(_ group: HubGroup) {
    let now = Clock.sinceBoot()
    guard group.search == nil, !group.record.open.isEmpty else { return }
    let end = group.queuedUntil ?? min(group.deadline, now + Int(options.groupSeconds * 1e9))
    guard searching < Self.searchesMax else {
      if queue[group.entry.name] == nil { queue[group.entry.name] = now }
      group.queuedUntil = end
      return
    }
    group.queuedUntil = nil
    let explained = group.record.parts.isEmpty ? [] : group.record.explanation
    group.search = HubGroup.Search(until: now, began: now, end: end, explained: explained)
    // A replacement may be known from before.
    if group.offers.isEmpty { ask(group, now) } else { choose(group, now) }
  }

  /// Groups that wait for answers. More than that would ask the same bots for the same places.
  private static let searchesMax = 48

  private var searching: Int {
    groups.values.count { group in
      switch group.search?.phase {
      case .asking, .inviting: true
      case .pausing, nil: false
      }
    }
  }

  /// Begins with those whose turn has come: who has waited for too long first, then the most urgent, the oldest of equals.
  func searchNext() {
    guard !queue.isEmpty else { return }
    var room = Self.searchesMax - searching
    let aged = Clock.sinceBoot() - Int(options.ageingSeconds * 1e9)
    while room > 0,
      let next = queue.min(by: { left, right in
        if (left.value <= aged) != (right.value <= aged) { return left.value <= aged }
        return left.value <= aged ? left.value < right.value : left.key < right.key
      })
    {
      let name = next.key
      queue[name] = nil
      guard let group = groups[name.id], group.search == nil else { continue }
      room -= 1
      search(group)
    }
  }

  /// Does what the time says.
  func step(_ group: HubGroup, _ now: Int) {
    if now >= group.deadline {
      return attempt(group) {
        if try endAtLast(group) { return }
        fail(group, "its deadline has come" + (group.search == nil ? "" : ": \(missing(group))"))
      }
    }
    if let end = group.queuedUntil, group.search == nil, now >= end {
      return fail(group, "its turn to be formed didn't come within \(BotText.seconds(options.groupSeconds))")
    }
    guard let search = group.search else { return }
    if now >= search.end {
      return fail(group, "no group within \(BotText.seconds(options.groupSeconds)): \(missing(group))")
    }
    guard now >= search.until else { return }
    switch search.phase {
    case .asking:
      // Who was silent isn't asked again at once: each time would cost all the others the wait.
      for bot in search.waiting { group.refusals[bot] = ("didn't answer in time", now + Self.silenceNanoseconds) }
      group.search?.waiting = []
      choose(group, now)
    case .pausing: ask(group, now)
    case .inviting:
      // Who doesn't answer an invitation is passed over.
      for bot in search.waiting { bar(bot, "didn't answer the invitation in time", in: group) }
      choose(group, now)
    }
  }

  func bar(_ bot: BotName, _ why: String, in group: HubGroup) {
    group.barred[bot] = why
    group.offers[bot] = nil
    group.search?.agreed.remove(bot)
    group.search?.waiting.remove(bot)
  }

  // MARK: Asking

  /// Asks those who may be able to, and haven't been asked or will perhaps say otherwise now.
  private func ask(_ group: HubGroup, _ now: Int) {
    guard var search = group.search else { return }
    let perSkill = options.askedPerSkill << min(search.rounds, 8)
    let bots = candidates(group, perSkill: perSkill, now)
    search.rounds += 1
    group.record.rounds += 1
    guard !bots.isEmpty else {
      group.search = search
      guard group.record.announcement.ifUncovered == .fail else { return pause(group, now) }
      // Judged by who is there now: somebody may have come since the last look.
      if roster.lookedAt >= search.began { return giveUp(group) }
      pause(group, now)
      group.search?.until = now
      return
    }
    search.phase = .asking
    search.until = min(now + Int(options.replySeconds * 1e9), search.end)
    let announcement = group.record.announcement
    var query = announcement
    query.skills = group.record.open
    let message = query.message
    let replyBy = Timestamp(microseconds: Clock.wall()).advanced(bySeconds: options.replySeconds)
    var asking = Message(content: announcement.text)
    asking.from = Self.name
    asking.type = .skillQuery
    asking.conversation = group.id.description
    asking.priority = announcement.priority
    asking.data = message.data
    asking.context = announcement.context
    asking.perform(.queryIf, replyBy: replyBy)
    search.waiting = reach(bots, group, now) { bots in
      asking.to = bots.map(\.description)
      let id = try spool.send(asking, durability: .relaxed)
      group.queries.insert(id.description)
      for bot in bots { askedAt[bot] = now }
    }
    group.search = search
    goOn(group)
  }

  /// Sends to all at once; when that can't be, since the inbox of one is full perhaps, to each by itself. Who can't be
  /// reached counts for a while as one that won't.
  /// - Returns: those that it was sent to.
  func reach(
    _ bots: [BotName], _ group: HubGroup, _ now: Int, _ send: ([BotName]) throws -> Void
  ) -> Set<BotName> {
    do {
      try send(bots)
      return Set(bots)
    } catch {
      guard bots.count == 1 else { return Set(bots.flatMap { reach([$0], group, now, send) }) }
      group.refusals[bots[0]] = ("can't be reached: \(error)", now + Self.silenceNanoseconds)
      return []
    }
  }

  /// Again in a moment: bots may be starting, or get free.
  private func pause(_ group: HubGroup, _ now: Int) {
    guard var search = group.search else { return }
    search.phase = .pausing
    search.waiting = []
    search.until = min(now + Self.pauseNanoseconds << min(search.rounds, 4), search.end)
    group.search = search
    roster.refreshSoon()
  }

  /// Somebody came: those that pause needn't any longer.
  func wakePausing() {
    let now = Clock.sinceBoot()
    for group in groups.values {
      if case .pausing? = group.search?.phase { group.search?.until = now }
    }
  }

  /// A bot of these skills got free: the most urgent of those that pause for one of them needn't any longer.
  func wakePausing(for skills: [Card.Skill]) {
    let names = Set(skills.map(\.name))
    let first = groups.values.filter { group in
      guard case .pausing? = group.search?.phase else { return false }
      return group.record.open.contains { names.contains($0.name) }
    }.min { $0.entry.name < $1.entry.name }
    first?.search?.until = Clock.sinceBoot()
  }

  /// The first pause; doubled each time, up to 16 times as long.
  private static let pauseNanoseconds = 250_000_000
  private static let silenceNanoseconds = 5_000_000_000
  /// A refusal stands for so long.
  private static let refusalNanoseconds = 200_000_000

  /// Of each skill that nobody is at, those that have it at the level: who has least in hand first, and of these who was
  /// asked longest ago.
  private func candidates(_ group: HubGroup, perSkill: Int, _ now: Int) -> [BotName] {
    let wanted = group.record.open
    var chosen: Set<BotName> = []
    var able: [[(bot: BotName, load: Int, asked: Int)]] = wanted.map { _ in [] }
    for (bot, member) in roster.members where member.negotiates && group.barred[bot] == nil {
      if group.offers[bot] != nil { continue }
      if let refusal = group.refusals[bot], now - refusal.at < Self.refusalNanoseconds { continue }
      guard hasRoom(bot, member) else { continue }
      let profile = BotProfile(card: member.card, record: record(of: bot), now: Timestamp(microseconds: Clock.wall()))
      for (index, skill) in wanted.enumerated() {
        guard let level = profile.level(skill.name), level >= skill.level else { continue }
        able[index].append((bot, inHand[bot] ?? 0, askedAt[bot] ?? 0))
      }
    }
    for bots in able {
      let sorted = bots.sorted { left, right in
        if left.load != right.load { return left.load < right.load }
        return left.asked != right.asked ? left.asked < right.asked : left.bot < right.bot
      }
      for bot in sorted.prefix(perSkill) { chosen.insert(bot.bot) }
    }
    return chosen.sorted()
  }

  /// Whether a bot has less in hand for this hub than it may have.
  func hasRoom(_ bot: BotName, _ member: Roster.Member) -> Bool {
    inHand[bot] ?? 0 < min(member.card.capacity, options.tasksPerBot ?? .max)
  }

  // MARK: Hearing

  /// An answer from a bot.
  func hear(_ message: Message, _ claim: Claim, _ group: HubGroup) {
    attempt(group) {
      guard let bot = message.from.flatMap({ try? BotName(parsing: $0) }) else { return }
      switch message.type {
      case .skillOffer:
        if let problem = doubt(message, bot, claim, group) { return try refuse(message, problem) }
        try takeOffer(message, bot, group)
      case .groupAccept:
        guard spool.isWritten(claim, by: bot) else { return }
        guard let search = group.search, case .inviting = search.phase, search.waiting.contains(bot) else {
          if group.record.members.contains(bot) || group.search?.agreed.contains(bot) == true { return }
          return try refuse(message, "too late: \(bot) isn't invited any more")
        }
        group.search?.agreed.insert(bot)
        group.search?.waiting.remove(bot)
      case .groupReject:
        guard spool.isWritten(claim, by: bot) else { return }
        group.refusals[bot] = (message.content ?? "no reason", Clock.sinceBoot())
        if group.search?.agreed.contains(bot) != true { group.offers[bot] = nil }
        let wasWaitedFor = group.search?.waiting.remove(bot) != nil
        if case .inviting? = group.search?.phase {
          if wasWaitedFor { choose(group, Clock.sinceBoot()) }
          return
        }
      case .taskComplete where message.performative == .cancel:
        if try spool.exists(bot), !spool.isWritten(claim, by: bot) { return }
        return try cancel(group, by: message.from, message.content)
      default: return
      }
      goOn(group)
    }
  }

  /// When all have answered, the next step needn't wait for the time.
  func goOn(_ group: HubGroup) {
    guard let search = group.search, search.waiting.isEmpty else { return }
    switch search.phase {
    case .asking: choose(group, Clock.sinceBoot())
    case .inviting(let selection):
      if selection.members.allSatisfy({ search.agreed.contains($0.bot) }) {
        attempt(group) { try establish(group, selection) }
      }
    case .pausing: break
    }
  }

  /// Why an offer can't be its sender's own. Bots of one Unix user can forge anything that another could write; what can
  /// be known is whether the sender was asked, answers that very question, and has the skill by its card.
  private func doubt(_ message: Message, _ bot: BotName, _ claim: Claim, _ group: HubGroup) -> String? {
    guard let query = message.inReplyTo, group.queries.contains(query) else {
      return "the offer answers no question of this announcement, and doesn't count"
    }
    guard let member = roster.members[bot], member.negotiates else {
      return "no process of \(bot) negotiates, so the offer isn't its own"
    }
    guard spool.isWritten(claim, by: bot) else {
      return "the offer was written by another user than \(bot) belongs to, and doesn't count"
    }
    return nil
  }

  private func takeOffer(_ message: Message, _ bot: BotName, _ group: HubGroup) throws {
    var offer: SkillOffer
    do { offer = try SkillOffer(bot: bot, message.data?.value ?? .null) } catch {
      group.search?.waiting.remove(bot)
      return try refuse(message, "the offer can't be read: \(error)")
    }
    guard let card = roster.members[bot]?.card, group.barred[bot] == nil else { return }
    let profile = BotProfile(card: card, record: record(of: bot), now: Timestamp(microseconds: Clock.wall()))
    // No more than its card and what it has shown.
    offer.skills = offer.skills.compactMap { skill in
      profile.level(skill.name).map { Card.Skill(name: skill.name, level: min($0, skill.level)) }
    }
    group.offers[bot] = offer
    group.search?.waiting.remove(bot)
  }

  // MARK: Choosing

  func choose(_ group: HubGroup, _ now: Int) {
    guard let search = group.search else { return }
    let selection = select(group, search)
    explain(selection, group, search)
    guard selection.matching.isCovered else {
      // With those who agreed already nothing can be done yet; they are kept.
      return ask(group, now)
    }
    invite(selection, group, now)
  }

  /// Why these are chosen, below what was said of earlier choices: each look of one search takes the place of the one before.
  private func explain(_ selection: Selection, _ group: HubGroup, _ search: HubGroup.Search) {
    let most = GroupRecord.explanationLinesMax
    guard !search.explained.isEmpty, let left = group.record.parts.last(where: { $0.outcome == .left }) else {
      return group.record.explanation = Array(selection.explanation.prefix(most))
    }
    let heading = "in place of \(left.bot) (\(left.reason?.prefix(120) ?? "it left")):"
    let lines = [heading] + selection.explanation.prefix(most / 2)
    group.record.explanation = search.explained.prefix(most - lines.count) + lines
  }

  private func select(_ group: HubGroup, _ search: HubGroup.Search) -> Selection {
    let announcement = group.record.announcement
    let members = group.record.members.count
    let most = max(1, announcement.sizeMax - members)
    let least = min(most, max(1, announcement.sizeMin - members))
    let offers = group.offers.values.sorted { $0.bot < $1.bot }.filter { group.barred[$0.bot] == nil }
    return Selection(
      offers, wanted: group.record.open, size: least...most, agreed: search.agreed,
      records: { self.record(of: $0) }, fairness: options.fairness)
  }

  private func missing(_ group: HubGroup) -> String {
    guard let search = group.search else { return "" }
    let selection = select(group, search)
    let names = selection.missing.map { "\($0.name):\($0.level)" }.joined(separator: ", ")
    let refusals = group.refusals.merging(group.barred.mapValues { ($0, 0) }) { first, _ in first }
      .sorted { $0.key < $1.key }.prefix(10).map { "\($0.key) \($0.value.reason)" }.joined(separator: "; ")
    let busy = selection.missing.filter { skill in
      roster.members.contains { bot, member in
        guard member.negotiates, group.barred[bot] == nil else { return false }
        return BotProfile(card: member.card, record: record(of: bot), now: Timestamp(microseconds: Clock.wall())).level(
          skill.name
        ).map { $0 >= skill.level }
          ?? false
      }
    }
    if !busy.isEmpty, busy.count == selection.missing.count, group.refusals.isEmpty {
      return "all who can do \(names) are busy"
    }
    let what = names.isEmpty ? selection.problem ?? "those who were chosen didn't agree" : "nobody for \(names)"
    return refusals.isEmpty ? what : "\(what) (\(refusals))"
  }

  private func giveUp(_ group: HubGroup) { fail(group, "it isn't covered: \(missing(group))") }
}

enum BotText {
  static func seconds(_ value: Double) -> String { value == value.rounded() ? "\(Int(value)) s" : "\(value) s" }
}
