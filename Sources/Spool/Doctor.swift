import Glibc
import Linux
import SpoolFormat

/// Looks for what is wrong in a spool, says what it would do, and does it when told to.
public struct Doctor {
  let spool: Spool

  public init(_ spool: Spool) { self.spool = spool }

  /// What is wrong: leftovers of dead processes, claims without a holder, files that the log knows better, damage in
  /// the log, missing directories. With `repairing`, each is put right, except what only a person can decide.
  /// Cost: reads all of the log.
  public func examine(repairing: Bool) throws -> RecoveryReport {
    var report = RecoveryReport()
    try doing("cannot examine \(spool.path)") {
      for name in Layout.top { try examineDirectory(name, repairing, &report) }
      if case .refused(let error) = spool.logAccess, isFault(error) {
        report.add(Layout.log, "\(error)", left: "nothing can be sent: see who owns what is there")
      }
      try examineRemovals(repairing, &report)
      for bot in try spool.bots() where spool.isOwn(bot) { try examine(bot, repairing, &report) }
      try examineTasks(repairing, &report)
      try examineGroups(repairing, &report)
      try examineTemporary(repairing, &report)
      try examineUndecided(repairing, &report)
      try examineSharing(repairing, &report)
      try examineLostSegments(repairing, &report)
      let log = try? spool.log
      func recover() throws {
        try spool.recovery(with: log).run(fromCheckpoint: false, mending: repairing, live: true, &report)
      }
      if repairing { try Recovery.alone(in: spool.root, as: spool.sharing?.user, recover) } else { try recover() }
      examineDamage(repairing, &report)
    }
    return report
  }

  /// Whether who looks should have been able to write: not in another's spool, or on what is mounted read-only.
  private func isFault(_ refusal: SpoolError) -> Bool {
    refusal.cause?.code != EROFS && (try? spool.root.status())?.owner == geteuid()
  }

  /// Bots that were not wholly removed.
  private func examineRemovals(_ repairing: Bool, _ report: inout RecoveryReport) throws {
    for name in try spool.root.names(Layout.bots) {
      guard let bot = try? BotName(parsing: name), try spool.isClosed(bot), spool.isOwn(bot) else { continue }
      do {
        try spool.alone(with: bot) {
          // Whoever was just at it has ended.
          guard try spool.isClosed(bot) else { return }
          report.add(
            Layout.bot(bot), "was being removed by somebody who died", "a bot again; remove it with spool unregister")
          if repairing { try spool.reopen(bot) }
        }
      } catch let error as SpoolError where error.code == .noSuchBot || error.code == .tryAgain {
        // Somebody is at it, or was through just now.
      }
    }
  }

  private func examine(_ bot: BotName, _ repairing: Bool, _ report: inout RecoveryReport) throws {
    // Its inbox makes it a bot, and who needs another directory makes it.
    for box in Layout.Box.allCases {
      try examineDirectory(Layout.box(bot, box), mayBeMissing: true, repairing, &report)
    }
    do { _ = try spool.card(of: bot) } catch {
      let card = Layout.card(bot)
      let problem = "\(error)".replacing("\(card): ", with: "")
      report.add(card, problem, left: "mend it by hand, or write a new one with spool register --file")
    }
    try examineClaims(bot, repairing, &report)
    for name in try spool.root.names(Layout.box(bot, .presence)) {
      guard let holder = Holder(name), spool.isGone(holder) else { continue }
      report.add(Layout.presence(bot, holder), "is a process that has ended", "removed")
      if repairing { try spool.root.clear(Layout.presence(bot, holder)) }
    }
    let dead = try spool.root.names(Layout.box(bot, .dead))
    for name in dead where name.hasSuffix(".reason") && !dead.contains(String(name.dropLast(7))) {
      let path = Layout.entry(bot, .dead, raw: name)
      // It is there before its letter.
      guard let status = try spool.root.status(path), try spool.ageByRemoteClock(status) > Self.reasonNanosecondsMax,
        try spool.root.status(String(path.dropLast(7))) == nil
      else { continue }
      report.add(path, "is a reason without its letter", "removed")
      if repairing { try spool.root.clear(path) }
    }
  }

  /// Longer than anybody takes from a reason to its letter.
  private static let reasonNanosecondsMax = 60_000_000_000

  private func examineDirectory(
    _ path: String, mayBeMissing: Bool = false, _ repairing: Bool, _ report: inout RecoveryReport
  ) throws(SystemCallError) {
    if let status = try spool.root.status(path) {
      if status.isDirectory { return }
      report.add(
        path, "is a \(status.kind), where a directory should be", left: "move it away by hand, and repair once more")
    } else if !mayBeMissing {
      report.add(path, "is missing", "made")
      if repairing { try spool.root.makeDirectory(path) }
    }
  }

  /// Claims whose holder has died, and what dead senders left.
  private func examineClaims(_ bot: BotName, _ repairing: Bool, _ report: inout RecoveryReport) throws {
    for name in try spool.root.names(Layout.box(bot, .claimed)) {
      guard let entry = EntryName(name), let holder = entry.holder else {
        if name.hasSuffix(".json") { try examineUnheld(name, of: bot, repairing, &report) }
        continue
      }
      if spool.isGone(holder) {
        report.add(Layout.entry(bot, .claimed, entry), "is held by a process that has died", "put back into the inbox")
      }
    }
    for name in try spool.root.names(Layout.box(bot, .tmp)) {
      guard let entry = EntryName(name), let holder = entry.holder, spool.isGone(holder) else { continue }
      let sent = try History(spool).sent(entry.id)
      let isLogged = sent != nil
      let closed = try sent.flatMap(closedInbox)
      let cure = closed == nil ? nil : "see its owner and mode"
      var why = repairing ? nil : cure
      // Each of them here: who takes messages goes on with them only for a moment at a time.
      if repairing {
        do {
          if try !spool.settleUnfinishedSend(bot, entry) { why = "another process is at it" }
        } catch { why = cure ?? "it cannot be settled now: \(error)" }
      }
      let path = Layout.entry(bot, .tmp, entry)
      let problem = closed.map { "waits for \($0)/, which can't be written" } ?? "was left by a sender that died"
      if let why {
        report.add(path, problem, left: why)
      } else {
        report.add(path, problem, isLogged ? "delivered: the log has it" : "removed: it was never sent")
      }
    }
    guard repairing else { return }
    // A claim may have stood since an earlier one looked.
    var observations = spool.loadObservations(of: bot)
    let card = try? spool.card(of: bot)
    _ = try spool.expireLeases(
      of: bot, &observations, lease: card?.leaseSeconds ?? spool.settings.leaseSeconds,
      attemptsMax: card?.attemptsMax ?? spool.settings.attemptsMax)
    spool.saveObservations(observations, of: bot)
    for problem in observations.takeProblems() {
      // What waits for another bot's inbox is met with each of some bots.
      if report.findings.contains(where: { $0.path == problem.path }) { continue }
      report.add(problem.path, "cannot be settled: \(problem.error)", left: "whoever looks next tries again")
    }
  }

  /// The first inbox of this user's that a message can't be put into.
  private func closedInbox(_ sent: LogEvent) throws(SystemCallError) -> String? {
    for name in sent.texts("recipients") {
      guard let bot = try? BotName(parsing: name), spool.isOwn(bot) else { continue }
      let inbox = Layout.box(bot, .inbox)
      if try !spool.root.mayWrite(into: inbox) { return inbox }
    }
    return nil
  }

  /// What a hand has put among the claims.
  private func examineUnheld(
    _ name: String, of bot: BotName, _ repairing: Bool, _ report: inout RecoveryReport
  ) throws(SystemCallError) {
    let path = Layout.entry(bot, .claimed, raw: name)
    let target = Layout.entry(bot, .inbox, raw: name)
    do {
      if try repairing ? spool.root.renameIfFree(path, to: target) : spool.root.status(target) == nil {
        report.add(path, "is claimed by nobody", "put back into the inbox")
      } else {
        report.add(path, "is claimed by nobody", left: "another of its name waits in the inbox; give it a new one")
      }
    } catch { if error.code != ENOENT { throw error } }
  }

  /// So long nobody writes a small file, nanoseconds.
  private static let temporaryNanosecondsMax = 3_600_000_000_000

  /// Files that no running command can still be writing: those that have stood for an hour by the observer's own clock
  /// since boot, as leases do. A wall clock that was set makes none of them old.
  private func examineTemporary(_ repairing: Bool, _ report: inout RecoveryReport) throws {
    let names = try spool.root.names(Layout.tmp)
    let seen = Layout.temporariesSeen(by: spool.part)
    let boot = try Clock.bootIdentity()
    let known = try spool.root.readFile(seen, maximum: 64 << 20) ?? []
    if names.isEmpty, known.isEmpty { return }
    var observations = LeaseObservations(decoding: known, boot: boot)
    let now = Clock.sinceBoot()
    for name in names {
      let path = Layout.temporary(name)
      guard let status = try spool.root.status(path), status.isRegular else { continue }
      // The format of what is kept has no other place for spaces.
      let key = name.replacing(" ", with: "/").replacing("\n", with: "//")
      let limit = Self.temporaryNanosecondsMax
      guard observations.observe(key, modified: status.modified, now: now, limit: limit) > limit else { continue }
      report.add(path, "was left by a command that died", "removed")
      if repairing { try spool.root.clear(path) }
    }
    observations.endRound()
    guard repairing, observations.hasChanged else { return }
    _ = try? spool.replace(seen, with: observations.encoded(boot: boot))
  }

  /// Whether what the spool lies on is fit to be used by several hosts; empty when it is this host's own.
  public func examineStorage() throws -> [StorageCheck] {
    try doing("cannot measure the storage of \(spool.path)") { try StorageExamination(spool: spool).run() }
  }

  /// Meets the doctors of other hosts that do the same at this time, and measures with each what holds between the two: by
  /// files in `tmp/`, which are removed. Empty when the storage is this host's own.
  /// - Parameters:
  ///   - hosts: how many there are together with this one; at least 2.
  ///   - seconds: how long each of the others is waited for.
  ///   - progress: told what is being done, again and again.
  /// - Throws: `.notPermitted` for who may not write.
  public func examineHosts(
    _ hosts: Int, waiting seconds: Double, progress: @escaping (String) -> Void = { _ in }
  ) throws -> [StorageCheck] {
    guard spool.isRemote else { return [] }
    _ = try spool.log
    return try doing("cannot measure \(spool.path) together with other hosts") {
      var search = try PeerSearch(spool, waiting: seconds, progress: progress)
      return try search.run(hosts - 1)
    }
  }

  /// Where the spool lies, and who shares it: one line each.
  public func surroundings() throws -> [String] {
    let system = try doing("cannot look at the file system") { try spool.root.fileSystem() }
    let polling = system.isNetwork ? " (network: other hosts' changes are found by polling)" : ""
    return try ["file system: \(system.name)\(polling)"] + sharingRemarks()
  }

  /// What is no fault of the spool's, but worth looking at: one line each.
  public func remarks() throws -> [String] {
    var remarks: [String] = []
    if case .refused(let error) = spool.logAccess, !isFault(error) { remarks.append("cannot write: \(error)") }
    let watcher = try? DirectoryWatcher(spool.root)
    if let watcher, watcher.mechanism != .inotify {
      remarks.append(
        "no inotify instance left (see fs.inotify.max_user_instances): new watchers use \(watcher.mechanism.rawValue)")
    }
    let aside = try spool.quarantinedNames().count
    if aside > 0 { remarks.append("\(aside) in quarantine/: see the .reason beside each") }
    remarks += try settingsRemarks() + valueRemarks() + strayRemarks() + clockRemarks()
    remarks += try copyRemarks(of: TaskEntry.self) + copyRemarks(of: GroupEntry.self) + roomRemarks()
    for bot in try spool.bots() where spool.isOwn(bot) {
      let backlog = try spool.backlog(of: bot)
      let (done, dead) = try doing("cannot look at \(bot)") {
        (try spool.root.names(Layout.box(bot, .done)), try spool.root.names(Layout.box(bot, .dead)))
      }
      let told = done.count { EntryName($0) != nil }
      if told > 0 {
        remarks.append(
          "\(bot) has \(told) in done/ that the log doesn't know of yet: the next receive or work tells it")
      }
      let nameless = [(Layout.Box.done, done.count - told), (.dead, dead.count { isNameless($0) })]
      for (box, count) in nameless where count > 0 {
        remarks.append(
          "\(bot) has \(count) in \(box.rawValue)/ that never got a proper name, and are in no log: they stay until "
            + "somebody removes them")
      }
      if backlog.dead > 0 {
        remarks.append("\(bot) has \(backlog.dead) dead letter\(backlog.dead == 1 ? "" : "s"): see spool dead \(bot)")
      }
      if let remark = remark(on: backlog) { remarks.append(remark) }
    }
    return remarks
  }

  private func isNameless(_ name: String) -> Bool { name.hasSuffix(".json") && EntryName(name) == nil }

  private func settingsRemarks() throws -> [String] {
    let bytes = try doing("cannot read \(Layout.settings)") {
      try spool.root.readFile(Layout.settings, maximum: Settings.bytesMax)
    }
    return Settings.problems(in: bytes ?? []).map { "\(Layout.settings): \($0)" }
  }

  private func roomRemarks() throws -> [String] {
    guard let what = try doing("cannot look at the file system", { try spool.root.lack() }) else { return [] }
    return [
      "the disk is full: no \(what) left where the spool lies, and nothing can be sent until there is room; "
        + "make some there, or with spool gc"
    ]
  }

  private func clockRemarks() throws -> [String] {
    let files = LogFiles(root: spool.root)
    return try doing("cannot look at the log") {
      try files.hosts().compactMap { host in
        guard let start = try files.segments(of: host).last?.start, spool.now().seconds(since: start) < -3600 else {
          return nil
        }
        return
          "\(Layout.logs(of: host)) goes on in a segment of \(start.rfc3339), which is yet to come: a clock was wrong; until then "
          + "spool gc keeps what is logged there"
      }
    }
  }

  /// What lies where messages, tasks and bots are looked for, and is passed over for its name.
  private func strayRemarks() throws -> [String] {
    var remarks = try strays(in: Layout.bots, "a bot's name has no capitals, and no spaces") {
      (try? BotName(parsing: $0)) != nil
    }
    for bot in try spool.bots() where spool.isOwn(bot) {
      remarks += try strays(in: Layout.box(bot, .inbox), "a message's name ends in .json") {
        EntryName($0) != nil || $0.hasSuffix(".json")
      }
    }
    return try remarks + strays(of: TaskEntry.self, "tasks are made with spool task add")
      + strays(of: GroupEntry.self, "groups form for what spool announce says")
  }

  private func strays<Entry: FiledEntry>(of _: Entry.Type, _ why: String) throws -> [String] {
    try Entry.State.allCases.flatMap { state in
      try strays(in: Entry.directory(state), why) { EntryName($0, of: Entry.kind).map(Entry.isName) ?? false }
    }
  }

  private func strays(in directory: String, _ why: String, unless isKnown: (String) -> Bool) throws -> [String] {
    let strays = try doing("cannot look into \(directory)") {
      try spool.root.names(directory).filter { !$0.hasPrefix(".") && !isKnown($0) }.sorted()
    }
    if strays.isEmpty { return [] }
    let named = strays.prefix(3).map { String($0.prefix(80)) }.joined(separator: ", ")
    return ["\(directory)/ has \(strays.count) that nobody looks at: \(named)\(strays.count > 3 ? ", …" : ""); \(why)"]
  }

  /// The backlogs of this user's bots that are no passing ones: nobody takes them, they are full, or have waited for long.
  public func backlogs() throws -> [Backlog] {
    try spool.bots().filter(spool.isOwn).map(spool.backlog).filter(isWorthTelling)
  }

  private func isWorthTelling(_ backlog: Backlog) -> Bool {
    guard !backlog.isAbandoned else { return true }
    guard let oldest = backlog.oldest else { return false }
    return backlog.isFull || spool.now().seconds(since: oldest) > Self.backlogSecondsMax
  }

  private func remark(on backlog: Backlog) -> String? {
    guard isWorthTelling(backlog) else { return nil }
    let bot = backlog.bot
    var parts: [String] = []
    if backlog.oldest != nil {
      let ages = zip(Backlog.ageNames, backlog.byAge).filter { $0.1 > 0 }
        .map { $0.0 == "older" ? "\($0.1) older" : "\($0.1) under \($0.0)" }
      let full = backlog.isFull ? ", and no more may" : ""
      parts.append("\(backlog.waiting) waiting\(full) (\(ages.joined(separator: ", ")))")
    }
    if backlog.lapsed > 0 { parts.append("\(backlog.lapsed) in hand that nobody has any more") }
    let cure =
      if backlog.isAbandoned {
        "nobody takes them: \(backlog.taker)"
      } else if backlog.consumers == 0 {
        "\(backlog.claimed) in hand, and no worker: spool work \(bot) -- PROGRAM"
      } else {
        "\(backlog.consumers) take them: let more do it, or see why it takes so long: spool stats"
      }
    return "\(bot) has \(parts.joined(separator: ", ")); \(cure)"
  }

  /// So long a message may wait before it is told of.
  private static let backlogSecondsMax = 900.0
}
