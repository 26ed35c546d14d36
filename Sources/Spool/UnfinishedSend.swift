import Glibc
import Linux
import SpoolFormat
import Synchronization

/// A sender died between its file in `tmp/` and the last inbox, or was stopped for so long that it was taken for dead.
/// The name of that file is the right to deliver the message: whoever settles it first renames it to a name of its own,
/// and every delivery is a link from that name, which fails once somebody else has taken it. So of any number of
/// processes that find it, the late sender among them, one delivers, and no recipient gets it again after its ack.
extension Spool {
  /// The names of files that this process has left in some `tmp/` or `moving/` of its own. It is at work on the others.
  private static let left = Mutex<Set<String>>([])

  static func leave(_ name: some CustomStringConvertible) { left.withLock { _ = $0.insert("\(name)") } }

  /// Whether a file of this process's is one that it has left.
  func isLeft(_ name: some CustomStringConvertible) -> Bool { Self.left.withLock { $0.contains("\(name)") } }

  /// The same; whoever asks is at work on it from now on.
  func takeLeft(_ name: some CustomStringConvertible) -> Bool { Self.left.withLock { $0.remove("\(name)") != nil } }

  /// In one round, for what dead senders left: each may take a look through all of the log, and who has claims must renew
  /// them meanwhile.
  private static let settlingNanoseconds = 250_000_000

  /// How many other bots are looked at in a round, at random, and of those with whom something was seen to stand.
  private static let othersMax = 4

  /// Settles what senders left with a bot; and with others: a sender that died half-way through its recipients, or could
  /// not go on, left its file with the first of them, who may not be receiving now, and the rest must not wait for that.
  func settleSends(lookingFrom bot: BotName, _ observations: inout LeaseObservations, _ limit: Int) throws -> Bool {
    let patience = Clock.sinceBoot() + Self.settlingNanoseconds
    var looked: Set<String> = []
    var changed = false
    for bot in try [bot] + observations.bots.shuffled().prefix(Self.othersMax) + someBots(besides: bot) {
      guard looked.insert("\(bot)").inserted, isOwn(bot) else { continue }
      var names: [EntryName] = []
      // One that can't be looked into keeps nobody from the others.
      guard (try? root.list(Layout.box(bot, .tmp), { if let name = EntryName($0) { names.append(name) } })) != nil
      else { continue }
      // The oldest first: there may be more than there is time for.
      for name in names.sorted(by: { $0.id < $1.id }) {
        changed = settleIfLeft(bot, name, &observations, limit, until: patience) || changed
      }
    }
    observations.keep { LeaseObservations.bot($0).map { !looked.contains("\($0)") } ?? false }
    return changed
  }

  /// Settles a file in a `tmp/` whose sender is dead, or has not touched it for a lease, or has left it to be settled.
  private func settleIfLeft(
    _ bot: BotName, _ name: EntryName, _ observations: inout LeaseObservations, _ limit: Int, until patience: Int
  ) -> Bool {
    let path = Layout.entry(bot, .tmp, name)
    guard let holder = name.holder, holder != self.holder || isLeft(name), let status = try? root.status(path) else {
      return false
    }
    let seen = "\(bot)/\(name)"
    let now = Clock.sinceBoot()
    let stood = observations.observe(seen, modified: status.modified, now: now, limit: limit)
    guard holder == self.holder || isGone(holder) || stood >= limit, now < patience else { return false }
    let isSettled = observations.attempt(seen, at: path) { try settleUnfinishedSend(bot, name) } == true
    if isSettled, holder == self.holder { _ = takeLeft(name) }
    return isSettled
  }

  /// Each as likely as the others, without making a text of every name: there may be thousands, and as many who ask.
  private func someBots(besides bot: BotName) throws(SystemCallError) -> [BotName] {
    var chosen: [[UInt8]] = []
    var count: UInt64 = 0
    // A linear congruential generator (Knuth's MMIX): asking the kernel for each name takes longer than all the rest.
    var random = Random.bits()
    try root.list(Layout.bots) { name in
      guard !name.elementsEqual(bot.description.utf8) else { return }
      count += 1
      if chosen.count < Self.othersMax { return chosen.append(Array(name)) }
      random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let place = (random >> 33) % count
      if place < UInt64(Self.othersMax) { chosen[Int(place)] = Array(name) }
    }
    return chosen.compactMap { try? BotName(parsing: String(decoding: $0, as: UTF8.self)) }
  }

  /// Delivers the message if the log has it, and takes the file away.
  /// - Returns: whether anything was done; false when another is at it.
  func settleUnfinishedSend(_ bot: BotName, _ name: EntryName) throws -> Bool {
    guard isOwn(bot) else { return false }
    // One at a time: a dead sender's key may have been taken over by one that is sending the same message now.
    guard try !isInHand(name.id, in: bot, besides: name) else { return false }
    var ours = name
    // Apart from those of senders, which count from 0.
    ours.attempt = .random(in: 5000...EntryName.attemptMax)
    ours.place = .held(holder)
    let path = Layout.entry(bot, .tmp, ours)
    let old = Layout.entry(bot, .tmp, name)
    guard try root.renameIfPresent(old, to: path) else { return false }  // commit: ours to deliver from here on
    do {
      var maker: UInt32?
      if isShared {
        // What nobody can have sent is no message.
        if let status = try root.status(path) { maker = try self.maker(status, bot, nil) }
        if maker == nil { return try root.clear(path) }
      }
      guard let sent = try History(self).sent(name.id, by: maker), let body = sent.messageBytes else {
        return try root.clear(path)
      }
      // It may have been taken over between the first look and the log.
      if try isInHand(name.id, in: bot, besides: ours) {
        _ = try root.renameIfPresent(path, to: old)
        return false
      }
      let waiting = sent.text("name").flatMap { EntryName($0) } ?? EntryName(urgency: name.urgency, id: name.id)
      if let maker, maker != sharing?.user {
        try deliverOwn(of: waiting, body, to: sent.texts("recipients"), from: maker, path, named: name)
      } else {
        try deliverRest(of: waiting, body, to: sent.texts("recipients"), from: path)
      }
      return true
    } catch {
      // Under our own name it would have to wait until we die.
      do { _ = try root.renameIfPresent(path, to: old) } catch { Self.leave(ours) }
      throw error
    }
  }

  /// Finishes a delivery of our own that met an obstacle. When our file is gone, somebody took us for dead: before our
  /// line was in the log, and then nobody has delivered it, or after.
  func finish(_ parcel: Parcel) throws {
    let bot = parcel.recipients[0]
    var name = parcel.temporaryName
    var path = parcel.temporary
    do {
      if try root.status(path) == nil {
        // Who has it may have looked into the log too early, and be about to throw it away.
        let deadline = Clock.sinceBoot() + Self.settlerNanoseconds
        while try isInHand(parcel.name.id, in: bot, besides: nil), Clock.sinceBoot() < deadline {
          _ = try Poll.wait([], nanoseconds: 5_000_000)
        }
        name.attempt = .random(in: 5000...EntryName.attemptMax)
        path = Layout.entry(bot, .tmp, name)
        let file = try root.open(path, O_WRONLY | O_CREAT | O_EXCL)
        try file.write(parcel.line)
        try file.close()
        if try isInHand(parcel.name.id, in: bot, besides: name) { return Self.leave(name) }
      }
      try deliverRest(
        of: parcel.name, Array(parcel.line.dropLast()), to: parcel.recipients.map(\.description), from: path)
    } catch {
      Self.leave(name)
      throw error
    }
  }

  /// So long whoever settles our message is waited for; later on it is left to be seen to.
  private static let settlerNanoseconds = 1_000_000_000

  /// Whether a living process is sending or settling this message.
  private func isInHand(_ id: MessageID, in bot: BotName, besides name: EntryName?) throws(SystemCallError) -> Bool {
    var found: [EntryName] = []
    // Twice: what is renamed while a directory is read may not be seen at all.
    for _ in 0..<2 {
      try root.list(Layout.box(bot, .tmp)) {
        if let other = EntryName($0), other.id == id, other != name { found.append(other) }
      }
    }
    return found.contains { $0.holder.map { !isGone($0) } ?? false }
  }

  /// Gives the message to those recipients who neither have it nor ever had it, and removes the file at `path`.
  private func deliverRest(of name: EntryName, _ body: [UInt8], to recipients: [String], from path: String) throws {
    let recovery = recovery(with: try log)
    guard let bytes = try root.readFile(path, maximum: Message.bytesMax + 1) else { return }
    // A power cut may have left nothing in it.
    if !Recovery.says(bytes, body) { try recovery.write(body, to: path, try BotName(parsing: recipients[0])) }
    // The files first, and then the log: what is taken away in between was logged before.
    let wanting = try recipients.compactMap { try? BotName(parsing: $0) }.filter { bot in
      try root.status(Layout.box(bot, .inbox)) != nil && !recovery.hasCopy(name.id, bot)
    }
    let known = try wanting.isEmpty ? [] : recovery.botsKnown(toHaveHad: name.id)
    var problem: (any Error)?
    for bot in wanting where !known.contains(bot.description) {
      // One that can't get it now keeps it from nobody else.
      do { guard try link(path, body, name, to: bot) else { return } } catch {
        problem = problem ?? error
        continue
      }
      noteRestored(name.id, to: bot)
    }
    if let problem { throw problem }
    try root.clear(path)
  }

  private func noteRestored(_ id: MessageID, to bot: BotName) {
    note(.messageRestored, id.description) { writer in
      writer.beginObject()
      writer.member("bot", bot.description)
      writer.member("attempt", 0)
      writer.endObject()
    }
  }

  /// The same, of a message that another user sent: nobody can deliver it to others in that user's name. So the bots of
  /// this user get theirs, and the file goes on to the next user of whom a bot is to have it, who does the same.
  private func deliverOwn(
    of name: EntryName, _ body: [UInt8], to recipients: [String], from sender: UInt32, _ path: String,
    named old: EntryName
  ) throws {
    let recovery = recovery(with: try log)
    var credibility = Credibility(root: root)
    let bots = recipients.compactMap { try? BotName(parsing: $0) }
    let wanting = try bots.filter { bot in try isOwn(bot) && exists(bot) && !recovery.hasCopy(name.id, bot) }
    let known = try wanting.isEmpty ? [] : recovery.botsKnown(toHaveHad: name.id)
    for bot in wanting where !known.contains(bot.description) {
      try recovery.restore(body, to: Layout.entry(bot, .inbox, name), bot, name.id, from: sender)
      noteRestored(name.id, to: bot)
    }
    var users: [UInt32] = []
    var first: [UInt32: BotName] = [:]
    for bot in bots {
      guard let user = credibility.owner(of: bot.description), first[user] == nil else { continue }
      users.append(user)
      first[user] = bot
    }
    guard let here = users.firstIndex(of: sharing!.user), here + 1 < users.count, let next = first[users[here + 1]]
    else {
      try root.clear(path)
      return
    }
    _ = try root.renameIfPresent(path, to: Layout.entry(next, .tmp, old))
  }

  /// False when the file was taken from us.
  private func link(_ path: String, _ body: [UInt8], _ name: EntryName, to bot: BotName) throws -> Bool {
    let target = Layout.entry(bot, .inbox, name)
    do { try root.link(path, to: target) } catch {
      switch error.code {
      case EEXIST: break
      case ENOENT: return false
      // No links here, or no more of them to this file: a copy does as well.
      case EMLINK, EXDEV, EPERM, ENOTSUP, ENOSYS, EACCES:
        guard try root.status(path) != nil else { return false }
        try recovery(with: nil).write(body, to: target, bot)
      default: throw error
      }
    }
    return true
  }
}

extension LeaseObservations {
  /// With whom what was seen lies, if it is what a sender left: that is kept as `BOT/NAME`.
  fileprivate static func bot(_ name: String) -> BotName? {
    name.firstIndex(of: "/").flatMap { try? BotName(parsing: String(name[..<$0])) }
  }
  fileprivate var bots: Set<BotName> { Set(seen.keys.compactMap(Self.bot)) }
}
