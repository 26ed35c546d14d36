import CoordinatorPolicy
import Linux
import Spool
import SpoolFormat

/// How a group works: its parts are tasks of its members, and who dies, refuses or is late is replaced.
extension Hub {
  // MARK: Forming

  /// All have agreed: the group is formed, or whole again.
  func establish(_ group: HubGroup, _ selection: Selection) throws {
    let isNew = group.entry.state == .forming
    var record = group.record
    let offered = Set(selection.members.map(\.bot))
    for member in selection.members {
      // The same whoever hands it out, and however often.
      let task = MessageID.derived("part \(record.parts.count) \(member.bot)", from: group.id)
      record.parts.append(GroupRecord.Part(bot: member.bot, skills: member.skills, task: task))
    }
    let offers = Dictionary(record.offers.map { ($0.bot, $0) }) { $1 }.merging(group.offers) { $1 }
    record.offers = offers.values.sorted { $0.bot < $1.bot }
    record.formedAt = record.formedAt ?? Timestamp(microseconds: Clock.wall())
    record.task = record.task ?? MessageID.derived("group", from: group.id)
    let began = Clock.withSleep()
    guard let entry = try spool.change(group.entry, isNew ? .form : .change, to: record, by: Self.name)  // commit
    else { throw lost(group) }
    group.entry = entry
    group.record = record
    group.search = nil
    for bot in offered { group.offers[bot] = nil }
    let who = record.parts.suffix(selection.members.count).map { part in
      "\(part.bot): \(part.skills.map(\.name).joined(separator: ", "))"
    }
    report(.group(id: group.id.description, text: record.announcement.text, what: who.joined(separator: "; ")))
    _ = try send(.groupFormed, .inform, to: everybody(group), group, who.joined(separator: "; "), data: parts(group))
    try addTasks(group, record.parts.suffix(selection.members.count), isNew: isNew, since: began)
    _ = try send(.taskStart, .request, to: Array(offered), group, record.announcement.text, data: parts(group))
    // Who left while these were looked for.
    search(group)
  }

  func lost(_ group: HubGroup) -> SpoolError {
    SpoolError(.claimLost, "the group \(group.id) was taken or moved by another", hint: "see: spool trace \(group.id)")
  }

  /// The members, and who announced it.
  func everybody(_ group: HubGroup) -> [BotName] { group.record.members + [group.announcer].compactMap { $0 } }

  private func parts(_ group: HubGroup) -> JSONText {
    var writer = JSONWriter()
    writer.beginObject()
    writer.member("task", identifier: group.record.task)
    writer.key("parts")
    writer.beginArray()
    for part in group.record.parts where part.outcome != .left { part.write(to: &writer) }
    writer.endArray()
    writer.endObject()
    return writer.text
  }

  private func addTasks(
    _ group: HubGroup, _ parts: some Sequence<GroupRecord.Part>, isNew: Bool, since began: Int
  ) throws {
    guard let whole = group.record.task else { return }
    if isNew { try spool.addTask(task(of: group, whole), blockedFor: "its group works on it", by: Self.name) }
    for part in parts {
      let record = task(of: part, group, whole)
      try spool.addPart(record, of: group.id, since: began, by: Self.name)
      follow(part, group, record.timeoutSeconds ?? 0)
    }
  }

  /// The task that stands for all of it: its children are the parts.
  private func task(of group: HubGroup, _ id: MessageID) -> TaskRecord {
    let announcement = group.record.announcement
    var record = TaskRecord(title: Requests.title(announcement.text))
    record.id = id
    record.parent = announcement.parent
    record.requiredSkills = announcement.skills
    record.createdBy = announcement.from
    record.conversation = group.id.description
    record.priority = announcement.priority
    record.dueAt = announcement.deadline
    record.assignTo = Spool.hub
    record.extra = [GroupPart(group: group.id, depth: announcement.depth).field]
    return record
  }

  private func task(of part: GroupRecord.Part, _ group: HubGroup, _ whole: MessageID) -> TaskRecord {
    let announcement = group.record.announcement
    let skills = part.skills.map(\.name).joined(separator: ", ")
    var record = TaskRecord(title: Requests.title("\(skills): \(announcement.text)"))
    record.id = part.task
    record.description = announcement.text
    record.requiredSkills = part.skills
    record.assignTo = part.bot
    record.parent = whole
    record.step = part.skills.map(\.name).joined(separator: "+")
    record.createdBy = Self.name
    record.conversation = group.id.description
    record.priority = announcement.priority
    record.dueAt = announcement.deadline
    record.attemptsMax = 2
    record.timeoutSeconds = max(0.1, Double(group.deadline - Clock.sinceBoot()) / 1e9)
    record.context = context(of: part, group)
    record.extra = [GroupPart(group: group.id, depth: announcement.depth).field]
    return record
  }

  /// What all members share, and what was there of this part when another had it.
  private func context(of part: GroupRecord.Part, _ group: HubGroup) -> JSONText {
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("group")
    writer.beginObject()
    writer.member("id", identifier: group.id)
    writer.member("text", group.record.announcement.text)
    writer.key("members")
    writer.beginArray()
    for member in group.record.parts where member.outcome != .left {
      writer.beginObject()
      writer.member("bot", member.bot.description)
      writer.member("skills", member.skills.map { "\($0.name):\($0.level.rawValue)" })
      writer.member("task", identifier: member.task)
      writer.endObject()
    }
    writer.endArray()
    writer.endObject()
    writer.member("shared", ifPresent: group.record.announcement.context)
    let names = Set(part.skills.map(\.name))
    let before = group.record.parts.filter { earlier in
      earlier.partial != nil && earlier.skills.contains { names.contains($0.name) }
    }
    if !before.isEmpty {
      writer.key("partial")
      writer.beginArray()
      for earlier in before { writer.raw(earlier.partial!) }
      writer.endArray()
    }
    writer.endObject()
    return writer.text
  }

  private func follow(_ part: GroupRecord.Part, _ group: HubGroup, _ seconds: Double) {
    let now = Clock.sinceBoot()
    guard byTask[part.task] == nil else { return }
    byTask[part.task] = group.id
    if let whole = group.record.task { byTask[whole] = group.id }
    inHand[part.bot, default: 0] += 1
    group.lateAt[part.task] = now + patience(with: part, group, now)
  }

  /// Nanoseconds that a part may take from now on before it is late: late enough that something can still be done about it.
  private func patience(with part: GroupRecord.Part, _ group: HubGroup, _ now: Int) -> Int {
    let expected = group.record.offers.first { $0.bot == part.bot }?.seconds
    let left = Double(group.deadline - now) / 1e9
    return Int(min(expected.map { max(3 * $0, 5) } ?? .infinity, Self.latePart * left) * 1e9)
  }

  /// The share of the time until the deadline after which a part counts as late: the rest is for another.
  static let latePart = 0.6

  /// After another hub: tasks that it didn't get to add.
  func ensureTasks(_ group: HubGroup) throws {
    guard let whole = group.record.task else { return }
    let began = Clock.withSleep()
    let found = try spool.findTasks(Set(group.working.map(\.task) + [whole]))
    var added: [BotName] = []
    if found[whole] == nil {
      try spool.addTask(task(of: group, whole), blockedFor: "its group works on it", by: Self.name)
    }
    for part in group.working {
      if found[part.task] == nil {
        try spool.addPart(task(of: part, group, whole), of: group.id, since: began, by: Self.name)
        added.append(part.bot)
      }
      follow(part, group, 0)
    }
    if !added.isEmpty {
      _ = try send(.groupFormed, .inform, to: everybody(group), group, "goes on", data: parts(group))
      _ = try send(.taskStart, .request, to: added, group, group.record.announcement.text, data: parts(group))
    }
  }

  // MARK: Watching

  /// What has become of the parts.
  func takeMoves() throws {
    if let moves = try tasks.takeMoves() {
      for entry in moves {
        guard let id = byTask[entry.id], let group = groups[id] else { continue }
        attempt(group) { try note(entry, group) }
      }
    } else {
      nextListing = 0
    }
    if let moves = try files.takeMoves() { for entry in moves { notice(entry) } }
  }

  /// Looks at all parts of these groups: where they stand now. What has ended is looked for only when it isn't among
  /// what lives: there is much more of it.
  func takeStock(_ groups: [HubGroup]) throws {
    var wanted = Set(groups.flatMap { $0.working.map(\.task) })
    guard !wanted.isEmpty else { return }
    var found: [MessageID: TaskEntry] = [:]
    for entry in try spool.tasks(in: TaskState.live) where wanted.remove(entry.id) != nil { found[entry.id] = entry }
    found.merge(try spool.findTasks(wanted)) { live, _ in live }
    for group in groups {
      attempt(group) {
        for part in group.working where self.groups[group.id] === group {
          if let entry = found[part.task] {
            try note(entry, group)
          } else if try History(spool).lastOfTask(part.task) == nil {
            // There was no room for it.
            try ensureTasks(group)
          } else if try !spool.isOnTheMove(part.task) {
            try replace(part, group, "its task is gone")
          }
        }
      }
    }
  }

  private func note(_ entry: TaskEntry, _ group: HubGroup) throws {
    if entry.id == group.record.task {
      if entry.state == .cancelled || entry.state == .failed {
        try cancel(group, by: "unknown", "its task is \(entry.state.rawValue)")
      }
      return
    }
    guard let index = group.part(of: entry.id) else { return }
    let part = group.record.parts[index]
    switch entry.state {
    case .pending, .assigned, .blocked: break
    case .inProgress: try noteProgress(entry, part, group)
    case .completed:
      guard let task = try spool.record(of: entry) else { return }
      group.record.parts[index].outcome = .completed
      group.record.parts[index].result = group.record.kept(task.result, of: part)
      letGo(part, group)
      guard !group.isDone else { return try complete(group) }
      tell(group, besides: part.bot, "\(part.bot) has done \(names(part))", task, group.record.parts[index])
    case .failed:
      let why = try spool.record(of: entry)?.error ?? "no reason was given"
      try replace(part, group, "failed: \(why)")
    case .cancelled: try replace(part, group, "its task was cancelled")
    }
  }

  func names(_ part: GroupRecord.Part) -> String { part.skills.map(\.name).joined(separator: ", ") }

  private func letGo(_ part: GroupRecord.Part, _ group: HubGroup) {
    byTask[part.task] = nil
    group.goneSince[part.task] = nil
    group.lateAt[part.task] = nil
    group.told[part.task] = nil
    inHand[part.bot, default: 1] -= 1
    wakePausing(for: part.skills)
  }

  /// How often the members hear of one part's progress at most.
  private static let progressNanoseconds = 1_000_000_000

  private func noteProgress(_ entry: TaskEntry, _ part: GroupRecord.Part, _ group: HubGroup) throws {
    guard let record = try spool.record(of: entry), let progress = record.progress else { return }
    let now = Clock.sinceBoot()
    if let told = group.told[part.task], told.progress == progress || now - told.at < Self.progressNanoseconds {
      return
    }
    // Who gets on isn't late yet.
    if progress > group.told[part.task]?.progress ?? 0, let late = group.lateAt[part.task] {
      group.lateAt[part.task] = max(late, now + patience(with: part, group, now))
    }
    group.told[part.task] = (progress, now)
    tell(
      group, besides: part.bot,
      "\(part.bot) is at \(progress)% of \(names(part))\(record.progressText.map { ": \($0)" } ?? "")",
      record, part)
  }

  /// An update to all members. It is news only: that somebody's inbox is full keeps the group from nothing.
  private func tell(
    _ group: HubGroup, besides bot: BotName?, _ text: String, _ task: TaskRecord?, _ part: GroupRecord.Part
  ) {
    var writer = JSONWriter()
    writer.beginObject()
    writer.member("bot", part.bot.description)
    writer.member("skills", part.skills.map(\.name))
    writer.member("task", identifier: part.task)
    writer.member("progress", ifPresent: task?.progress)
    writer.member("result", ifPresent: part.result)
    writer.endObject()
    attempt {
      _ = try send(.taskUpdate, .inform, to: everybody(group).filter { $0 != bot }, group, text, data: writer.text)
    }
  }

  // MARK: Replacing

  /// A member can't go on: what there is of its part is kept, and another is looked for.
  func replace(_ part: GroupRecord.Part, _ group: HubGroup, _ reason: String) throws {
    guard let index = group.part(of: part.task) else { return }
    var record = group.record
    let task = try spool.task(part.task)
    record.parts[index].outcome = .left
    record.parts[index].reason = reason
    record.parts[index].partial = record.kept(task.flatMap { Self.partial($0.record, part.bot, reason) }, of: part)
    let isTooSmall = record.members.isEmpty || record.members.count < record.announcement.sizeMin
    let event: GroupEvent = group.entry.state == .active && isTooSmall ? .reform : .change
    guard let entry = try spool.change(group.entry, event, to: record, by: Self.name, reason: "\(part.bot): \(reason)")
    else { throw lost(group) }
    group.entry = entry
    group.record = record
    letGo(part, group)
    bar(part.bot, reason, in: group)
    report(.group(id: group.id.description, text: record.announcement.text, what: "\(part.bot) left: \(reason)"))
    if let task, !task.state.isFinal {
      _ = try spool.cancelWithChildren(task.entry, reason: "another does it: \(reason)", by: Self.name)
    }
    tell(group, besides: nil, "\(part.bot) left: \(reason)", task?.record, part)
    search(group)
  }

  /// What was there of a part; nil when there is nothing to go on from.
  private static func partial(_ task: TaskRecord, _ bot: BotName, _ reason: String) -> JSONText? {
    guard task.progress != nil || task.progressText != nil || task.result != nil else { return nil }
    var writer = JSONWriter()
    writer.beginObject()
    writer.member("bot", bot.description)
    writer.member("reason", reason)
    writer.member("progress", ifPresent: task.progress)
    writer.member("text", ifPresent: task.progressText)
    writer.member("result", ifPresent: task.result)
    writer.endObject()
    return writer.text
  }

  // MARK: Maintenance

  /// What no event tells: claims to renew, members that died or are late, files that were moved by hand.
  func maintain(_ now: Int) {
    attempt { try spool.settleGroupMoves(&observations) }
    if inbox.hasPassedOver { inbox.reconsider() }
    for group in groups.values where now >= group.renewAt {
      group.renewAt = now + renewNanoseconds
      attempt(group) { try spool.extend(Spool.hub, group.claim) }
    }
    let isListing = now >= nextListing
    if isListing { nextListing = now + Self.listingNanoseconds }
    if isListing { attempt { try takeStock(Array(groups.values)) } }
    for group in groups.values {
      attempt(group) {
        guard try !endAtLast(group) else { return }
        for part in group.working where groups[group.id] === group { try examine(part, group, now) }
        // What nobody is at, whatever kept it from being looked for.
        if groups[group.id] === group, group.entry.state.isLive, group.queuedUntil == nil { search(group) }
      }
    }
    attempt { try respondToHands() }
    if isListing { attempt { try findOrphans() } }
  }

  /// All parts are looked at so often though no event said so.
  private static let listingNanoseconds = 5_000_000_000

  private func examine(_ part: GroupRecord.Part, _ group: HubGroup, _ now: Int) throws {
    let isHere = roster.members[part.bot]?.takesTasks ?? false
    if isHere {
      group.goneSince[part.task] = nil
    } else {
      let since = group.goneSince[part.task] ?? now
      group.goneSince[part.task] = since
      // Twice in a row: it may just be starting again.
      if now - since >= Int(options.maintenanceSeconds * 0.9e9) {
        return try replace(part, group, "no process of \(part.bot) is alive")
      }
    }
    guard let late = group.lateAt[part.task], now >= late else { return }
    let others = roster.members.filter { bot, member in
      guard member.negotiates, bot != part.bot, group.barred[bot] == nil else { return false }
      let profile = BotProfile(card: member.card, record: record(of: bot), now: Timestamp(microseconds: Clock.wall()))
      return part.skills.allSatisfy { skill in profile.level(skill.name).map { $0 >= skill.level } ?? false }
    }
    // Nobody else could do better: it has until the deadline.
    guard !others.isEmpty else { return group.lateAt[part.task] = .max }
    // Those who could do it have other work: perhaps not for long.
    guard others.contains(where: { hasRoom($0, $1) }) else {
      return group.lateAt[part.task] = now + Self.listingNanoseconds
    }
    try replace(part, group, "is late")
  }
}
