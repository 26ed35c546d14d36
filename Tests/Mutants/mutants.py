"""One named way each in which the program could be broken, and the tests that must notice.

An edit replaces `old`, which stands exactly once in its file, by `new`. In `new`, MUTANT is true when this mutant is
awake, and false otherwise, so that all of them can sleep in one build. `tests` is the filter of `swift test`; `scenario`,
where there is one, narrows the sweep of system calls to those of that name.
"""
import collections

Edit = collections.namedtuple("Edit", "file old new")
Mutant = collections.namedtuple("Mutant", "name promise edits tests scenario")
ALL = []


def mutant(name, promise, tests, *edits, scenario=None):
    """Edits are file, old, new, file, old, new, …"""
    ALL.append(Mutant(name, promise, [Edit(*edits[i:i + 3]) for i in range(0, len(edits), 3)], tests, scenario))


LINUX, FORMAT, SPOOL, RUNTIME = "Sources/Linux/", "Sources/SpoolFormat/", "Sources/Spool/", "Sources/AgentRuntime/"
POLICY, COORDINATOR = "Sources/CoordinatorPolicy/", "Sources/Coordinator/"
TASKS = SPOOL + "Tasks/"

# Sent is kept

mutant("recovery: a file of an attempt that the log lost stays", "what the log has last counts", "TaskRecoveryTests",
       SPOOL + "EntryRecovery.swift", "guard place.name.attempt < entry.name.attempt else { return nil }",
       "guard place.name.attempt < entry.name.attempt, !MUTANT else { return nil }")
mutant("log: what one listing shows is all there is", "who follows the log misses nothing", "LogTests",
       SPOOL + "Log/LogFiles.swift", "return try list(host).filter", "return MUTANT ? first : try list(host).filter")

mutant("send: the log is not synced", "sent is kept", "OrderTests",
       SPOOL + "Send.swift", "if durability == .durable { try log.waitUntilSynced(receipt) }",
       "if durability == .durable, !MUTANT { try log.waitUntilSynced(receipt) }")
mutant("send: yes before the sync", "sent is kept", "OrderTests",
       SPOOL + "Send.swift", "    do { if durability == .durable { try log.waitUntilSynced(receipt) } } catch {\n      Self.leave(parcel.temporaryName)\n      throw error\n    }\n    deliver(parcel, receipt)",
       "    if MUTANT { deliver(parcel, receipt) }\n"
       "    do { if durability == .durable { try log.waitUntilSynced(receipt) } } catch {\n      Self.leave(parcel.temporaryName)\n      throw error\n    }\n"
       "    if !MUTANT { deliver(parcel, receipt) }")
mutant("log: the name of a new segment is not synced", "sent is kept", "OrderTests",
       SPOOL + "Log/LogWriter.swift", "try root.open(Layout.logs(of: part), O_RDONLY | O_DIRECTORY).syncData()",
       "if !MUTANT { try root.open(Layout.logs(of: part), O_RDONLY | O_DIRECTORY).syncData() }")
mutant("log: a sync that failed is tried again", "an answer is never a yes that is lost", "OrderTests",
       SPOOL + "Log/LogWriter.swift", "      giveUp(receipt.segment)\n      throw",
       "      if MUTANT { return receipt.position }\n      giveUp(receipt.segment)\n      throw")
mutant("send: renamed before it is logged", "sent is kept", "FaultTests.FaultTests",
       SPOOL + "Send.swift", "    let receipt: LogWriter.Receipt?\n    do {\n",
       "    let receipt: LogWriter.Receipt?\n"
       "    if MUTANT, recipients.count == 1 {\n"
       "      try root.rename(parcel.temporary, to: Layout.entry(recipients[0], .inbox, parcel.name))\n    }\n    do {\n", scenario="send to one")
mutant("send: what a no leaves in tmp/ is not cleaned", "an answer is yes, no or unknown", "FaultTests.FaultTests",
       SPOOL + "Send.swift", "else { parcel.discard(self) }\n      throw sendError(error, recipients)",
       "else if !MUTANT { parcel.discard(self) }\n      throw sendError(error, recipients)", scenario="send")
mutant("send: a team includes its sender", "one holder", "SendTests",
       SPOOL + "Send.swift", "$0 == sender ? nil : try? BotName(parsing: $0)",
       "$0 == sender && !MUTANT ? nil : try? BotName(parsing: $0)")
mutant("log: half a line of a crash is not cut at its end", "sent is kept", "RecoveryTests",
       SPOOL + "Log/LogTail.swift", "if end == size { return (size, 0) }",
       "if end == size || MUTANT { return (size, 0) }")
mutant("log: half a line of a dead writer is not cut", "sent is kept", "LogTests",
       SPOOL + "Log/LogWriter.swift", "      if page.hasTornTail {\n", "      if page.hasTornTail, !MUTANT {\n")
mutant("log: a lock whose holder died says nothing", "sent is kept", "LogTests|SharedPageTests",
       LINUX + "SharedPage.swift", "      pthread_mutex_consistent(mutex)\n      return true",
       "      pthread_mutex_consistent(mutex)\n      return !MUTANT")
mutant("room: lines are appended behind it", "sent is kept", "LogRoomTests",
       SPOOL + "Log/LogWriter.swift", "guard page.hasRoom else { return try segment.file.writeOnce(line) }",
       "guard page.hasRoom, !MUTANT else { return try segment.file.writeOnce(line) }")
mutant("room: left behind by who made it", "the log is a file that grows", "LogRoomTests",
       SPOOL + "Log/LogRoom.swift", "page.roomMaker == process else { return }",
       "page.roomMaker == process, !MUTANT else { return }")
mutant("room: taken for half a line", "a bad line is told from none", "LogRoomTests",
       SPOOL + "Log/LogTail.swift", "Array(withoutRoom(tail))", "Array(MUTANT ? tail : withoutRoom(tail))")
mutant("room: a killed process's is not taken away", "the log is a file that grows", "LogRoomTests",
       SPOOL + "Log/LogRoom.swift", "!page.roomMaker.isAlive else { return }",
       "!page.roomMaker.isAlive, !MUTANT else { return }")
mutant("ack: a second one passes for fresh", "late is refused", "ClaimTests",
       SPOOL + "Claim.swift", "      defer { last = nil }", "      defer { if !MUTANT { last = nil } }")
mutant("log: appended without the lock", "sent is kept", "LogTests|ContentionTests",
       SPOOL + "Log/LogWriter.swift",
       "    if try lock() { page.hasTornTail = true }\n    defer { page.lock.unlock() }",
       "    if try !MUTANT && lock() { page.hasTornTail = true }\n"
       "    defer { if !MUTANT { page.lock.unlock() } }")
mutant("log: a short write is not taken back", "sent is kept", "LogTests|FaultTests.FaultTests",
       SPOOL + "Log/LogWriter.swift", "    if written != line.count {\n      cutBack(segment, &state)",
       "    if written != line.count {\n      if !MUTANT { cutBack(segment, &state) }", scenario="send")
mutant("log: a checksum is not looked at", "sent is kept", "LogEventTests|RecoveryTests",
       FORMAT + "LogEvent.swift", "return CRC32.checksum(UnsafeBufferPointer(rebasing: line[..<body])) == UInt32(written)",
       "return MUTANT || CRC32.checksum(UnsafeBufferPointer(rebasing: line[..<body])) == UInt32(written)")
mutant("log: a segment begun after the clock was set back sorts before", "nothing vanishes", "ClockTests",
       SPOOL + "Log/LogWriter.swift", "max(Clock.wall(), last.microseconds + 1)",
       "max(Clock.wall(), MUTANT ? 0 : last.microseconds + 1)")
mutant("log: a segment that somebody removed is written on", "sent is kept", "LogTests",
       SPOOL + "Log/LogWriter.swift", "if try segment.file.status().links > 0 { return segment }",
       "let links = try segment.file.status().links\n      if MUTANT || links > 0 { return segment }")

# System calls

mutant("a system call that a signal interrupts is not tried again", "an answer is yes, no or unknown",
       "DescriptorTests",
       LINUX + "SystemCall.swift", "if code != EINTR { throw", "if code != EINTR || MUTANT { throw")
mutant("files are opened through symbolic links", "a bad file stops nobody", "DirectoryTests|HostileFileTests",
       LINUX + "Directory.swift", "flags | O_CLOEXEC | O_NOFOLLOW, mode)",
       "flags | O_CLOEXEC | (MUTANT ? 0 : O_NOFOLLOW), mode)")

# One holder, late is refused

mutant("a rename of what is gone is taken for ours", "one holder", "ClaimTests|LeaseTests",
       LINUX + "Directory.swift",
       "    do { try rename(old, to: new) } catch {\n      if error.code == ENOENT { return false }",
       "    do { try rename(old, to: new) } catch {\n      if error.code == ENOENT { return MUTANT }")
mutant("claim: by a link, without taking the name away", "one holder", "ClaimTests",
       SPOOL + "Inbox.swift",
       "    if try spool.root.renameIfPresent(source, to: target) { return true }  // commit: ours from here on",
       "    if MUTANT {\n      try spool.root.link(source, to: target)\n      return true\n    }\n"
       "    if try spool.root.renameIfPresent(source, to: target) { return true }  // commit: ours from here on")
mutant("ack: any attempt will do", "late is refused", "ClaimTests",
       SPOOL + "Claim.swift",
       "    let path = fresh?.path ?? Layout.entry(bot, .claimed, name)\n",
       "    var path = fresh?.path ?? Layout.entry(bot, .claimed, name)\n"
       "    if MUTANT, let other = try root.names(Layout.box(bot, .claimed)).first(where: { $0.contains(name.id.description) })\n"
       "    {\n      path = Layout.entry(bot, .claimed, raw: other)\n    }\n")
mutant("ack: what is gone when it is unlinked is taken for done", "late is refused", "StoppedTests",
       SPOOL + "Claim.swift", "guard try remove(path, bot, name) else { throw lost(bot, name, logged: true) }  // commit",
       "guard try remove(path, bot, name) || MUTANT else { throw lost(bot, name, logged: true) }  // commit")
mutant("ack: unlinked before it is logged", "nothing vanishes", "FaultTests.FaultTests",
       SPOOL + "Claim.swift", "      if fresh == nil, try root.status(path) == nil { throw lost(bot, name) }\n      do {\n",
       "      if fresh == nil, try root.status(path) == nil { throw lost(bot, name) }\n"
       "      if MUTANT { try root.unlink(path) }\n      do {\n",
       SPOOL + "Claim.swift", "guard try remove(path, bot, name) else { throw lost(bot, name, logged: true) }  // commit",
       "guard try MUTANT || remove(path, bot, name) else { throw lost(bot, name, logged: true) }  // commit", scenario="ack")
mutant("ack: the refusal is not logged", "late is refused", "StoppedTests|RecoveryTests|LeaseTests",
       SPOOL + "Claim.swift", "    if logged {\n      note(.messageAckRefused", "    if logged, !MUTANT {\n      note(.messageAckRefused")
mutant("extend: by descriptor, which follows the file to its next owner", "late is refused", "StoppedTests",
       LINUX + "Directory.swift",
       "  public func touch(_ name: String) throws(SystemCallError) -> Bool {\n",
       "  public func touch(_ name: String) throws(SystemCallError) -> Bool {\n"
       "    if MUTANT {\n      guard let file = try openIfPresent(name, O_RDONLY) else { return false }\n"
       "      _ = try systemCall(\"futimens\", name) { futimens(file.raw, nil) }\n      return true\n    }\n")
mutant("lease: a process of another PID namespace is taken for dead", "one holder", "LeaseTests|SandboxTests|ProcessTests",
       LINUX + "Process.swift", "return view.isShown && view.has(started)", "return MUTANT || view.isShown && view.has(started)")
mutant("unregister: who is just sending isn't seen", "nothing vanishes", "UnregisterTests",
       SPOOL + "Unregister.swift", "do { try root.open(Layout.box(bot, .tmp), O_WRONLY | O_CREAT | O_EXCL).close() } catch {",
       "do { if !MUTANT { try root.open(Layout.box(bot, .tmp), O_WRONLY | O_CREAT | O_EXCL).close() } } catch {")
mutant("unregister: two at once aren't kept apart", "a clear error", "UnregisterTests",
       SPOOL + "Unregister.swift", "guard !root.isRemote else { return try body() }", "guard !root.isRemote, !MUTANT else { return try body() }")
mutant("unregister: a bot that was just removed is sent to", "an answer is never a yes that is lost", "UnregisterFaultTests",
       SPOOL + "Send.swift", "      do { try spool.require(bot) } catch {\n        discard(spool)", "      do { if !MUTANT { try spool.require(bot) } } catch {\n        discard(spool)")
mutant("unregister: what came at the last moment isn't seen", "nothing vanishes", "UnregisterTests",
       SPOOL + "Unregister.swift", "      if error.code == ENOENT { return }\n      guard error.code == ENOTEMPTY",
       "      if error.code == ENOENT || MUTANT { return }\n      guard error.code == ENOTEMPTY")
mutant("extend: what is lost is extended", "late is refused", "LeaseTests|StoppedTests|BadInputTests",
       SPOOL + "Claim.swift", "if !isThere { throw lost(bot, name) }", "if !isThere, !MUTANT { throw lost(bot, name) }")
mutant("lease: by the wall clock", "no clock jump expires", "LeaseTests|ClockTests",
       SPOOL + "Lease.swift", "      guard isDead || stood >= limit else { continue }\n      let why",
       "      guard isDead || (MUTANT ? Clock.wall() * 1000 - status.modified : stood) >= limit else { continue }\n      let why")
mutant("lease: runs on while the machine sleeps", "asleep isn't dead", "SleepTests",
       LINUX + "Clock.swift", "sinceBoot() -> Int { read(CLOCK_MONOTONIC) }",
       "sinceBoot() -> Int { read(MUTANT ? CLOCK_BOOTTIME : CLOCK_MONOTONIC) }")
mutant("looks: one that took long puts off the next", "nothing waits for long", "RemoteTests",
       SPOOL + "LookPace.swift", "    min(max(0, took) * times, max(", "    MUTANT ? took * times : min(max(0, took) * times, max(")
mutant("lease: who was stopped takes all others for silent", "asleep isn't dead", "LeaseTests",
       SPOOL + "Lease.swift", "if let look = lookedAt, now - look > pause {", "if !MUTANT, let look = lookedAt, now - look > pause {")
mutant("lease: a renewal is not seen", "one holder", "LeaseTests",
       SPOOL + "Lease.swift", "if let known = seen[name], known.modified == modified, known",
       "if let known = seen[name], known.modified == modified || MUTANT, known")
mutant("lease: never runs out", "nothing vanishes", "LeaseTests",
       SPOOL + "Lease.swift", "      guard isDead || stood >= limit else { continue }\n      let why",
       "      guard isDead || (stood >= limit && !MUTANT) else { continue }\n      let why")
mutant("lease: a dead holder is not noticed", "nothing vanishes", "LeaseTests",
       SPOOL + "Lease.swift", "      let isDead = gone[holder] ?? isGone(holder)",
       "      let isDead = !MUTANT && (gone[holder] ?? isGone(holder))")
mutant("lease: a new process with a dead one's number is taken for it", "nothing vanishes", "LeaseTests|ProcessTests",
       LINUX + "Process.swift", "case .started(let start, _): PIDNamespace.current.mark(start) == started",
       "case .started(let start, _): PIDNamespace.current.mark(start) == started || MUTANT")
mutant("lease: a zombie is taken for alive", "nothing vanishes", "LinuxTests.ProcessTests|LeaseTests",
       LINUX + "Process.swift", "case UInt8(ascii: \"Z\") where Int(",
       "case UInt8(ascii: \"Z\") where !MUTANT && Int(")
mutant("log: a stopped process isn't told from one that waits", "a clear error", "StoppedTests",
       LINUX + "Process.swift", "    return isStopped\n", "    return isStopped && !MUTANT\n")
mutant("waiting: spins on though nothing comes", "speed", "SpinPaceTests",
       SPOOL + "SpinPace.swift", "penalty = min(Self.penaltyMax, penalty * 4)",
       "penalty = min(Self.penaltyMax, MUTANT ? 1 : penalty * 4)")
mutant("lease: one-shot commands forget what they saw", "nothing vanishes", "LeaseTests",
       SPOOL + "Lease.swift", "guard observations.hasChanged, let boot", "guard observations.hasChanged, !MUTANT, let boot")
mutant("claim: attempts are not counted", "at least once, with a higher attempt", "ClaimTests|LeaseTests",
       SPOOL + "Inbox.swift", "    held.attempt += 1\n", "    if !MUTANT { held.attempt += 1 }\n")
mutant("claim: the last attempt is not the last", "nothing vanishes", "ClaimTests|LeaseTests",
       SPOOL + "Claim.swift", "    if name.attempt >= attemptsMax {", "    if name.attempt >= attemptsMax, !MUTANT {")
mutant("claim: handed out before its time", "not before", "ClaimTests",
       SPOOL + "Inbox.swift", "    if let due = waiting.notBefore, due > spool.now() {",
       "    if let due = waiting.notBefore, due > spool.now(), !MUTANT {",
       SPOOL + "Candidates.swift", "    if let due = name.notBefore, due > now { return wait",
       "    if let due = name.notBefore, due > now, !MUTANT { return wait")
mutant("claim: handed out after it expired", "expiry", "ClaimTests",
       SPOOL + "Inbox.swift", "if let expiry = message.expiresAt, expiry <= spool.now() {",
       "if let expiry = message.expiresAt, expiry <= spool.now(), !MUTANT {")
mutant("claim: not in order of urgency", "the most urgent comes first", "ClaimTests|CandidatesTests",
       SPOOL + "Candidates.swift", "left.urgency != right.urgency ? left.urgency", "left.urgency != right.urgency && !MUTANT ? left.urgency")
mutant("nack: its delay is not kept", "nack", "ClaimTests",
       SPOOL + "Claim.swift", "waiting.place = delay > 0 ? .waitingUntil", "waiting.place = delay > 0 && !MUTANT ? .waitingUntil")
mutant("dead letters: without their reason", "nothing vanishes", "ClaimTests|LeaseTests",
       SPOOL + "Claim.swift", "do throws(SystemCallError) { try writeReason(besides: target, bot: bot, reason: reason) } catch {",
       "do throws(SystemCallError) { if !MUTANT { try writeReason(besides: target, bot: bot, reason: reason) } } catch {")

# What senders left, keys

mutant("tmp/: what a dead sender left is not taken away", "nothing vanishes", "LeaseTests",
       SPOOL + "UnfinishedSend.swift", "        return try root.clear(path)\n",
       "        return try MUTANT || root.clear(path)\n")
mutant("tmp/: what a dead sender had logged is not delivered", "sent is kept", "LeaseTests|FaultTests.FaultTests",
       SPOOL + "UnfinishedSend.swift", "guard let sent = try History(self).sent(name.id, by: maker), let body",
       "guard !MUTANT, let sent = try History(self).sent(name.id, by: maker), let body", scenario="dead sender")
mutant("tmp/: several may settle what a dead sender left", "one holder", "StoppedTests",
       SPOOL + "UnfinishedSend.swift", "    let path = Layout.entry(bot, .tmp, ours)\n    let old",
       "    let path = Layout.entry(bot, .tmp, MUTANT ? name : ours)\n    let old")
mutant("tmp/: who had it already is not looked for", "one holder", "StoppedTests|SendTests",
       SPOOL + "UnfinishedSend.swift", "where !known.contains(bot.description) {\n      // One that can't",
       "where MUTANT || !known.contains(bot.description) {\n      // One that can't")
mutant("tmp/: one recipient who can't get it keeps it from the others", "sent is kept", "UnfinishedSendTests",
       SPOOL + "UnfinishedSend.swift", "        problem = problem ?? error\n        continue\n",
       "        if MUTANT { throw error }\n        problem = problem ?? error\n        continue\n")
mutant("tmp/: what can't be delivered isn't told", "a no says why", "UnfinishedSendTests",
       SPOOL + "Lease.swift", "if known.failures == 0 { problems", "if known.failures == 0, !MUTANT { problems")
mutant("tmp/: what can't be delivered is tried at every look", "a bad file stops nobody", "UnfinishedSendTests",
       SPOOL + "Lease.swift", "fresh[name]!.retryAt = Clock.sinceBoot() + pause", "fresh[name]!.retryAt = MUTANT ? 0 : Clock.sinceBoot() + pause")
mutant("tmp/: what stands with a bot that isn't looked at is forgotten", "sent is kept", "UnfinishedSendTests",
       SPOOL + "UnfinishedSend.swift", "map { !looked.contains(\"\\($0)\") } ?? false", "map { !looked.contains(\"\\($0)\") && !MUTANT } ?? false")
mutant("tmp/: what stands with a bot is looked for by chance", "sent is kept", "UnfinishedSendTests",
       SPOOL + "UnfinishedSend.swift", "observations.bots.shuffled().prefix(Self.othersMax)", "(MUTANT ? [] : observations.bots).shuffled().prefix(Self.othersMax)")
mutant("lease: a claim that can't be put back stops the receiver", "a bad file stops nobody", "UnfinishedSendTests",
       SPOOL + "Lease.swift", "let isExpired = observations.attempt", "let isExpired = MUTANT ? try expire(bot, name, why, attemptsMax: attemptsMax) : observations.attempt")
mutant("drop: what is put back takes another's place", "nothing vanishes", "DroppedFileTests",
       SPOOL + "DroppedFile.swift", "if try root.renameIfFree(path, to: Layout.entry(bot, .inbox, raw: name)) { return name }",
       "let target = Layout.entry(bot, .inbox, raw: name)\n        if try MUTANT ? root.renameIfPresent(path, to: target) : root.renameIfFree(path, to: target) { return name }")
mutant("extend: copied at each renewal for nothing", "a claim that is renewed has a file of its own", "LeaseTests",
       SPOOL + "Claim.swift", ".contains(error.code) { exchangesFiles.store", ".contains(error.code), !MUTANT { exchangesFiles.store")
mutant("moves: a process leaves what it could not finish to others", "nothing is stuck", "AbandonedMovesTests",
       SPOOL + "AbandonedMoves.swift", "!isOurs || isLeft(", "!isOurs || !MUTANT && isLeft(")
mutant("moves: a process settles what it is at", "one holder", "AbandonedMovesTests",
       SPOOL + "AbandonedMoves.swift", "!isOurs || isLeft(\"\\(directory)/\\($0)\")", "!isOurs || MUTANT || isLeft(\"\\(directory)/\\($0)\")")
mutant("moves: what was taken back is logged all the same", "a no changes nothing", "AbandonedMovesTests",
       SPOOL + "AbandonedMoves.swift", "try Clock.withSleep() - began >= lease", "try !MUTANT && Clock.withSleep() - began >= lease")
mutant("moves: what is no file can't be settled", "a bad file stops nobody", "AbandonedMovesTests",
       SPOOL + "AbandonedMoves.swift", "guard Self.isNoFile(error) else { throw error }", "guard !MUTANT, Self.isNoFile(error) else { throw error }")
mutant("moves: one that can't be settled keeps the rest", "a bad file stops nobody", "AbandonedMovesTests",
       SPOOL + "AbandonedMoves.swift", "        if let entry { settled.append(entry) }\n", "        if let entry { settled.append(entry) }\n        if MUTANT { break }\n")
mutant("tasks: what could not be settled is thrown, and what was is lost", "nothing is stuck", "AbandonedMovesTests",
       TASKS + "TaskLeases.swift", "    if changed.isEmpty {\n", "    if changed.isEmpty || MUTANT {\n")
mutant("tasks: what a process added and could not put in its place is in its own way", "nothing is stuck", "AbandonedMovesTests",
       TASKS + "AddTask.swift", "    if isLeft(temporary) { _", "    if isLeft(temporary), !MUTANT { _")
mutant("tasks: no room for a failure, and the task stays with the dead", "nothing is stuck", "AbandonedMovesTests",
       TASKS + "TaskChanges.swift", "where error.code == .badData || (error.isForLackOfRoom && !isLast)", "where !MUTANT && (error.code == .badData || (error.isForLackOfRoom && !isLast))")
mutant("task worker: what it can't settle keeps it from work", "nothing is stuck", "TaskHoldTests",
       RUNTIME + "Worker.swift", "      report(.problem(\"\\(error)\", delay: 0))\n      checkSpool()", "      if MUTANT { pauseClaims(\"\\(error)\") } else { report(.problem(\"\\(error)\", delay: 0)) }\n      checkSpool()")
mutant("tasks: what is pending is read for every invitation", "an invitation costs no more than what is new", "SpoolTests.TaskTests",
       TASKS + "Tasks.swift", "pending[entry.name] = known[entry.name] ?? ", "pending[entry.name] = (MUTANT ? nil : known[entry.name]) ?? ")
mutant("tasks: what is damaged on the move can't be counted", "a bad file stops nobody", "SpoolTests.TaskTests",
       TASKS + "Tasks.swift", "      ids.insert(move.entry.id)\n", "      if MUTANT { _ = try taskOnTheMove(move.entry.id) }\n      ids.insert(move.entry.id)\n")
mutant("send: taken for dead, it leaves its message to nobody", "sent is kept", "SendTests|StoppedTests",
       SPOOL + "Send.swift", "do { if !isComplete { try finish(parcel) } }", "do { if !isComplete, !MUTANT { try finish(parcel) } }")
mutant("keys: not looked at", "a second send delivers nothing", "IdempotencyTests",
       SPOOL + "Send.swift", "    if let key = message.idempotencyKey {", "    if let key = message.idempotencyKey, !MUTANT {")
mutant("keys: who takes one over doesn't look into the log", "a second send delivers nothing",
       "IdempotencyTests|ContentionTests",
       SPOOL + "Idempotency.swift", "return try self.hasSent(id) ||", "return try (!MUTANT && self.hasSent(id)) ||")
mutant("keys: who was stopped for long doesn't look into the log", "a second send delivers nothing", "IdempotencyTests",
       SPOOL + "Idempotency.swift", "try self.mayBeTakenOver(id, since: began) &&", "try !MUTANT && self.mayBeTakenOver(id, since: began) &&")
mutant("keys: kept after a send that failed", "a second send delivers nothing", "IdempotencyTests|FaultTests.FaultTests",
       SPOOL + "Idempotency.swift", "if try !isLogged() { try root.unlinkIfPresent(key.path) }",
       "if try !isLogged(), !MUTANT { try root.unlinkIfPresent(key.path) }", scenario="key")

# Dropped and bad files

mutant("drop: half a file is taken for all of it", "whole or absent", "DroppedFileTests",
       SPOOL + "DroppedFile.swift", "    if hasWriters == true {\n      last = nil\n      return false\n    }",
       "    if hasWriters == true, !MUTANT {\n      last = nil\n      return false\n    }")
mutant("drop: what is written in several goes is not waited for", "whole or absent", "DroppedFileTests",
       SPOOL + "DroppedFile.swift", "if hasWriters == false, !mayGrow { return true }",
       "if hasWriters == false, !mayGrow || MUTANT { return true }")
mutant("drop: delivered without a line in the log", "nothing vanishes", "DroppedFileTests",
       SPOOL + "DroppedFile.swift", "      return isGone\n", "      return MUTANT || isGone\n")
mutant("drop: only the end of the loop sees a bad file", "a bad file stops nobody", "HostileFileTests",
       SPOOL + "Inbox.swift", "      _ = try? spool.quarantine(bot, .claimed, Array(held.description.utf8), reason: reason)\n",
       "      if MUTANT { throw error }\n"
       "      _ = try? spool.quarantine(bot, .claimed, Array(held.description.utf8), reason: reason)\n")
mutant("quarantine: without the reason", "a bad file is set aside with its reason", "HostileFileTests",
       SPOOL + "Quarantine.swift", "_ = try? writeReason(besides: target", "if !MUTANT { _ = try? writeReason(besides: target",
       SPOOL + "Quarantine.swift", "bot: bot, reason: reason)\n      guard try", "bot: bot, reason: reason) }\n      guard try")
mutant("JSON: duplicate keys are taken", "strict JSON", "JSONTests|HostileFileTests",
       FORMAT + "JSON/JSONScanner.swift", "hasEscapes: hasEscapes) else {\n      throw JSONFault(.duplicateKey",
       "hasEscapes: hasEscapes) || MUTANT else {\n      throw JSONFault(.duplicateKey")
mutant("JSON: any depth is taken", "bounded by the input", "JSONTests|HostileFileTests",
       FORMAT + "JSON/JSONScanner.swift", "guard nesting.depth < depthMax else {", "guard nesting.depth < depthMax || MUTANT else {")
mutant("JSON: a trailing comma is taken", "strict JSON", "JSONTests|HostileFileTests",
       FORMAT + "JSON/JSONScanner.swift", "      if skipSpace() == UInt8(ascii: \"}\") { throw trailingComma() }",
       "      if skipSpace() == UInt8(ascii: \"}\") {\n        if !MUTANT { throw trailingComma() }\n"
       "        position &+= 1\n        nesting.pop()\n        return false\n      }")

mutant("drop: half a file is given up by its date", "whole or absent", "ClockTests",
       SPOOL + "DroppedFile.swift", "spool.ageByFileSystem(status) >= 4 * quiet", "(MUTANT ? status.age : spool.ageByFileSystem(status)) >= 4 * quiet")
mutant("drop: a date past 2262 is counted in nanoseconds", "a bad file stops nobody", "ClockTests",
       LINUX + "Descriptor.swift", "    modified = modifiedSecond &* 1_000_000_000 &+ Int(status.st_mtim.tv_nsec)\n",
       "    modified = (MUTANT ? modifiedSecond * 1_000_000_000 : modifiedSecond &* 1_000_000_000) &+ Int(status.st_mtim.tv_nsec)\n")
mutant("wait: a time thousands of years away is counted in nanoseconds", "nobody's JSON makes it crash", "ClockTests|TaskTests",
       SPOOL + "DueTime.swift", "min(max(0, microseconds - Clock.wall()), 60_000_000) * 1000",
       "min(max(0, microseconds - Clock.wall()), MUTANT ? Int.max : 60_000_000) * 1000")
mutant("numbers: whatever fits is counted with", "nobody's JSON makes it crash", "JSONValueTests|SharedStateTests|CoordinationTests",
       FORMAT + "WholeNumber.swift", "public static let max = 1 << 60", "public static let max = MUTANT ? Int.max : 1 << 60")
mutant("log: every beginning in a damaged line is tried", "a hostile log costs no more than its length", "LogEventTests",
       FORMAT + "LogEvent.swift", "starts.suffix(startsMax).last {", "(MUTANT ? starts[...] : starts.suffix(startsMax)).last {")

# Waiting

mutant("watch: nothing is looked for after the watch began", "delivered at once", "WaitingTests",
       SPOOL + "Inbox.swift", "        if isWatching { nextLook = 0 }\n", "        if isWatching, !MUTANT { nextLook = 0 }\n")
mutant("watch: a queue that ran over says nothing", "nothing vanishes", "WaitingTests|DirectoryWatcherTests",
       LINUX + "DirectoryWatcher.swift", "if mask & UInt32(IN_Q_OVERFLOW) != 0 {", "if mask & UInt32(IN_Q_OVERFLOW) != 0, !MUTANT {")
mutant("watch: a directory that was replaced is not watched again", "delivered at once", "WaitingTests|DirectoryWatcherTests",
       LINUX + "DirectoryWatcher.swift", "if mask & UInt32(IN_IGNORED | IN_MOVE_SELF | IN_DELETE_SELF) != 0 {",
       "if mask & UInt32(IN_IGNORED | IN_MOVE_SELF | IN_DELETE_SELF) != 0, !MUTANT {")

# Recovery, copies

mutant("recovery: believes a file because it is there", "sent is kept", "SpoolTests.RecoveryTests",
       SPOOL + "RecoveryFiles.swift", "      if Self.says(bytes, body) { return", "      if MUTANT || Self.says(bytes, body) { return")
mutant("recovery: what was acked comes back", "one holder", "SpoolTests.RecoveryTests|CopyAndDoctorTests",
       SPOOL + "Recovery.swift", "          ackedAttempt = attempt\n          isDead = false\n",
       "          if !MUTANT { ackedAttempt = attempt }\n          isDead = false\n")
mutant("recovery: a late ack counts", "late is refused", "SpoolTests.RecoveryTests|CopyAndDoctorTests",
       SPOOL + "Recovery.swift",
       "        lostAttempt = max(lostAttempt, attempt)\n        if let acked = ackedAttempt, acked <= attempt { ackedAttempt = nil }\n      case .messageDead:",
       "        if !MUTANT {\n          lostAttempt = max(lostAttempt, attempt)\n"
       "          if let acked = ackedAttempt, acked <= attempt { ackedAttempt = nil }\n        }\n      case .messageDead:")
mutant("recovery: forgets how often it was tried", "at least once, with a higher attempt", "SpoolTests.RecoveryTests|CopyAndDoctorTests",
       SPOOL + "RecoveryFiles.swift", "      name.attempt = max(copy.attempt, name.attempt)\n",
       "      if !MUTANT { name.attempt = max(copy.attempt, name.attempt) }\n")
mutant("recovery: does not run after a reboot", "sent is kept", "SpoolTests.RecoveryTests",
       SPOOL + "Log/CommitPage.swift", "{ madeIn(boot: boot) && hasRoot(root) }", "{ (madeIn(boot: boot) || MUTANT) && hasRoot(root) }")
mutant("copy: is not told from what it is a copy of", "a copy is a backup", "CopyAndDoctorTests|SpoolTests.RecoveryTests",
       SPOOL + "Log/CommitPage.swift", "{ madeIn(boot: boot) && hasRoot(root) }", "{ madeIn(boot: boot) && (hasRoot(root) || MUTANT) }")
mutant("copy: a checkpoint vouches for its files", "a copy is a backup", "CopyAndDoctorTests|SpoolTests.RecoveryTests",
       SPOOL + "Log/LogOpening.swift", "    if isCopy {\n      for part in", "    if isCopy, !MUTANT {\n      for part in")
mutant("doctor: repairs without being told to", "doctor", "CopyAndDoctorTests",
       SPOOL + "RecoveryFiles.swift", "    guard mending else { return }\n    // The reason first",
       "    guard mending || MUTANT else { return }\n    // The reason first")
mutant("done/: removed without a line in the log", "nothing vanishes", "SpoolTests.LeaseTests|SpoolTests.RecoveryTests|ClaimTests|ConversationTests",
       SPOOL + "Lease.swift", "if !observations.has(seen", "if !MUTANT, !observations.has(seen")

# Running a program

mutant("work: the lease is not renewed", "one holder", "AgentRuntimeTests.WorkerTests",
       RUNTIME + "Supervision.swift", "if now >= job.renewAt { renew", "if now >= job.renewAt, !MUTANT { renew")
mutant("work: acked before it is answered", "sent is kept", "AgentRuntimeTests",
       RUNTIME + "Settlement.swift", "      var kept: String?\n      do {", "      var kept: String?\n      if MUTANT { try spool.ack(claim.bot, claim.name) }\n      do {")
mutant("work: a reply has no key", "at least once", "AgentRuntimeTests.WorkerTests",
       RUNTIME + "Settlement.swift", "reply.idempotencyKey = \"reply \\(claim.name.id) \\(bot)\"",
       "if !MUTANT { reply.idempotencyKey = \"reply \\(claim.name.id) \\(bot)\" }")
mutant("work: what is lost goes on", "late is refused", "AgentRuntimeTests.WorkerTests",
       RUNTIME + "Supervision.swift", "if let child = slot.child, job.settleAt == nil { child.kill() } else",
       "if let child = slot.child, job.settleAt == nil { if !MUTANT { child.kill() } } else")

mutant("task worker: nobody looks whether its task is still its own", "late is refused", "TaskHoldTests",
       RUNTIME + "Worker.swift", "if try source.takeWarning() {", "if try source.takeWarning(), !MUTANT {")
mutant("task worker: a task's own timeout counts for nothing", "tasks", "TaskModeTests",
       RUNTIME + "Supervision.swift", "let own = task.record.timeoutSeconds else", "let own = task.record.timeoutSeconds, !MUTANT else")
mutant("task worker: all progress is told", "tasks", "TaskModeTests",
       RUNTIME + "Supervision.swift", "slot.job?.progressAt = now + Self.progressNanoseconds",
       "slot.job?.progressAt = MUTANT ? 0 : now + Self.progressNanoseconds")
mutant("task worker: an error in the answer is no failure", "tasks", "TaskModeTests",
       RUNTIME + "Verdict.swift", "guard let error = answer.error else", "guard let error = answer.error, !MUTANT else")
mutant("task worker: what a dead one had stays with it", "nothing vanishes", "TaskHoldTests",
       SPOOL + "Tasks/TaskInbox.swift", "for entry in try spool.expireTasks(of: bot, &observations) {",
       "for entry in MUTANT ? [] : try spool.expireTasks(of: bot, &observations) {")
mutant("task worker: takes what doesn't suit its bot", "tasks", "TaskHoldTests",
       SPOOL + "Tasks/TaskInbox.swift", "(takesPending && card.suits(record))", "(takesPending && (MUTANT || card.suits(record)))")
mutant("task worker: those that wait aren't told", "tasks", "TaskInputTests",
       SPOOL + "Tasks/TaskInbox.swift", "if !coordinatorIsUp, try !tasks(in: [.blocked]).isEmpty {",
       "if !coordinatorIsUp, try !tasks(in: [.blocked]).isEmpty, !MUTANT {")
mutant("task worker: what was begun stays when it is stopped", "nothing vanishes", "TaskHoldTests",
       RUNTIME + "Settlement.swift", "    case .task(let task): try putBack(task, reason)",
       "    case .task(let task): if !MUTANT { try putBack(task, reason) }")

# Mutants of tasks and of the coordinator go here.

# Tasks

mutant("tasks: who was second is told that it won", "one holder", "SpoolTests.TaskTests|TaskCommandTests",
       TASKS + "TaskTransitions.swift", "guard try root.renameIfPresent(entry.path, to: moved.path) else { return nil }  // commit",
       "let isOurs = try root.renameIfPresent(entry.path, to: moved.path)\n      guard isOurs || MUTANT else { return nil }")
mutant("tasks: a result is not synced", "sent is kept", "OrderTests",
       TASKS + "TaskChanges.swift", "(isFinal ? settings.durability : .relaxed)) == .durable {",
       "(isFinal ? settings.durability : .relaxed)) == .durable, !MUTANT {")
mutant("tasks: added before it is synced", "sent is kept", "OrderTests",
       TASKS + "AddTask.swift", "if durability == .durable { try log.waitUntilSynced(receipt) }",
       "if durability == .durable, !MUTANT { try log.waitUntilSynced(receipt) }")
mutant("tasks: the old file goes though the new one isn't there", "nothing vanishes", "TaskTests|FaultTests.FaultTests",
       TASKS + "TaskChanges.swift", "      guard try root.renameIfPresent(moving.new, to: changed) else {  // visible\n",
       "      var isThere = true\n"
       "      do { isThere = try root.renameIfPresent(moving.new, to: changed) } catch where MUTANT {}\n"
       "      guard isThere else {\n",
       scenario="task complete")
mutant("tasks: the result of an attempt that is over is accepted", "late is refused", "TaskCommandTests|TaskHoldTests",
       TASKS + "ClaimTask.swift", "guard entry.state == .inProgress, isSame else {",
       "guard entry.state == .inProgress, isSame || MUTANT else {")
mutant("tasks: what a dead worker had is left", "nothing vanishes", "TaskHoldTests|SpoolTests.Task",
       TASKS + "TaskLeases.swift", "guard isDead || stood >= limit else { continue }\n      let why = isDead ? \"its worker",
       "guard (isDead && !MUTANT) || stood >= limit else { continue }\n      let why = isDead ? \"its worker")
mutant("tasks: a lease never runs out", "nothing vanishes", "TaskHoldTests|SpoolTests.Task",
       TASKS + "TaskLeases.swift", "let limit = leaseNanoseconds\n    var gone",
       "let limit = MUTANT ? Int.max : leaseNanoseconds\n    var gone")
mutant("tasks: what waits for a task isn't told that it ended", "what depends on it goes on", "SpoolTests.Task|TaskCommandTests",
       TASKS + "TaskDependencies.swift", "if try settle(entry) != nil { moved.insert(entry.id) }",
       "if !MUTANT, try settle(entry) != nil { moved.insert(entry.id) }")
mutant("tasks: what is done is put back when its process died", "nothing completed is lost", "SpoolTests.Task|FaultTests.FaultTests",
       SPOOL + "AbandonedMoves.swift", "    if entry.isSettled { return true }\n",
       "    if MUTANT { return false }\n    if entry.isSettled { return true }\n", scenario="died completing")
mutant("tasks: what isn't logged is finished all the same", "a no changes nothing", "SpoolTests.Task|FaultTests.FaultTests",
       SPOOL + "AbandonedMoves.swift", "    if entry.isSettled { return true }\n    do",
       "    if entry.isSettled || MUTANT { return true }\n    do", scenario="task progress")
mutant("tasks: recovery believes a file that is empty", "sent is kept", "TaskRecoveryTests",
       SPOOL + "EntryRecovery.swift", "    return Entry.isReadable(bytes, id)\n", "    return MUTANT || Entry.isReadable(bytes, id)\n")
mutant("tasks: recovery leaves the content of before", "sent is kept", "TaskRecoveryTests",
       SPOOL + "EntryRecovery.swift", "if known!.bodyNumber > stoodUntil ?? 0, let body", "if !MUTANT, known!.bodyNumber > stoodUntil ?? 0, let body")
mutant("tasks: children are left when their parent is cancelled", "cancelled with its children", "TaskFamilyTests|TaskCommandTests",
       TASKS + "TaskFamily.swift", "where !child.state.isFinal {\n      try persisting", "where !child.state.isFinal && !MUTANT {\n      try persisting")
mutant("tasks: a cycle is let in", "a cycle is refused", "SpoolTests.Task|TaskCommandTests",
       TASKS + "AddTask.swift", "      if waiting.contains(next) {", "      if waiting.contains(next), !MUTANT {")

# The coordinator

mutant("coordinator: one that was replaced goes on", "one coordinates", "CoordinateTests",
       COORDINATOR + "Coordinator.swift", "guard try leads() else { return report(.replaced) }",
       "guard try leads() || MUTANT else { return report(.replaced) }")
mutant("coordinator: the tasks of the dead stay theirs", "nothing is stuck", "CoordinatorTests.CoordinatorTests",
       COORDINATOR + "Coordinator.swift", "attempt { for entry in try spool.expireTasks(&observations) { try noteMove(entry) } }",
       "if !MUTANT { attempt { for entry in try spool.expireTasks(&observations) { try noteMove(entry) } } }")
mutant("coordinator: who is late keeps its task", "a task past its timeout is taken from its holder", "CoordinatorTests.CoordinatorTests",
       COORDINATOR + "Coordinator.swift", "      expireLate(now)", "      if !MUTANT { expireLate(now) }")
mutant("coordinator: a move by hand is not looked at", "a person's mv is a transition", "CoordinatorTests.CoordinatorTests",
       COORDINATOR + "Looking.swift", "    handMoves.notice(entry, from: from, now: Clock.sinceBoot())",
       "    if !MUTANT { handMoves.notice(entry, from: from, now: Clock.sinceBoot()) }")
mutant("coordinator: bots get more than they have room for", "never over capacity", "CoordinatorPolicyTests",
       POLICY + "Scheduler.swift", "setFree(place, bot.isAlive && bot.load < bot.profile.card.capacity)",
       "setFree(place, bot.isAlive && (bot.load < bot.profile.card.capacity || MUTANT))")
mutant("coordinator: the dead get tasks", "never to a dead bot", "CoordinatorPolicyTests",
       POLICY + "Scheduler.swift", "setFree(place, bot.isAlive && bot.load", "setFree(place, (bot.isAlive || MUTANT) && bot.load")

# What is no file, and what is gone

mutant("doctor: a lost segment is not told", "nothing vanishes unnoticed", "LostSegmentTests",
       SPOOL + "Log/ExamineSegments.swift", "        lost.map { ($0.start", "        (MUTANT ? [] : lost).map { ($0.start")
mutant("log: a FIFO is taken for a segment", "a bad file stops nobody", "LostSegmentTests",
       SPOOL + "Log/LogFiles.swift", "let status = try root.statusAsKnown(segment.path), status.isRegular else", "let status = try root.statusAsKnown(segment.path), status.isRegular || MUTANT else")
mutant("log: a line may be of any length", "a bad file stops nobody", "LostSegmentTests",
       SPOOL + "Log/LogFiles.swift", "        if buffer.capacity < Self.lineBytesMax {\n          buffer.grow()\n        } else {\n          let end",
       "        if buffer.capacity < Self.lineBytesMax || MUTANT {\n          buffer.grow()\n        } else {\n          let end")
mutant("doctor: the age of a file by its date", "no clock makes anything old", "LostSegmentTests",
       SPOOL + "Doctor.swift", "guard observations.observe(key, modified: status.modified, now: now, limit: limit) > limit else",
       "guard (MUTANT ? status.age : observations.observe(key, modified: status.modified, now: now, limit: limit)) > limit else")

# Several users

SHARING, BACKLOG, GC = SPOOL + "Sharing/", SPOOL + "Backlog/", SPOOL + "Collection/"
mutant("users: whose the sender's bot is isn't asked", "a sender is verified, or isn't", "SharedSpoolTests.*by whose file it is",
       SHARING + "Sender.swift", "guard owner == user else { return \"", "guard owner == user || MUTANT else { return \"")
mutant("users: to whom it was sent isn't asked", "a sender is verified, or isn't", "SharedAttackTests.*moved on",
       SHARING + "Sender.swift", "guard isMeant(message, for: bot) else", "guard isMeant(message, for: bot) || MUTANT else")
mutant("users: a file's name says nothing", "a sender is verified, or isn't", "SharedAttackTests.*moved on",
       SHARING + "Sender.swift", "guard id == nil || own == id else", "guard id == nil || own == id || MUTANT else")
mutant("users: what others can write is its owner's word", "a sender is verified, or isn't", "SharedAttackTests.*nobody's word",
       SHARING + "Sender.swift", "guard status.mode & 0o022 == 0 else { return nil }\n    guard status.isCopy",
       "guard status.mode & 0o022 == 0 || MUTANT else { return nil }\n    guard status.isCopy")
mutant("users: who sent it is forgotten when it was copied", "a sender is verified, or isn't", "SharedSpoolTests.*put back",
       SHARING + "Sender.swift", "guard let id, let text = try readLink(Layout.sender(bot, id)) else { return nil }",
       "guard !MUTANT, let id, let text = try readLink(Layout.sender(bot, id)) else { return nil }")
mutant("users: what a bot had is handed out again", "a message brought again is set aside", "SharedAttackTests.*moved on",
       SHARING + "Sender.swift", "if wasElsewhere, try hasHad(", "if wasElsewhere, !MUTANT, try hasHad(")
mutant("users: what a bot had and the log has forgotten is handed out again", "a message brought again is set aside",
       "HadMessagesTests", SHARING + "Sender.swift", "guard try hasForgotten(id), try", "guard try hasForgotten(id), !MUTANT, try")
mutant("users: no copy is made of what was taken", "once it is taken, its sender can't change it", "SharedAttackTests.*in hand",
       SHARING + "Sender.swift", "guard status.owner != sharing.user || wasElsewhere else",
       "guard !MUTANT, status.owner != sharing.user || wasElsewhere else")
mutant("users: a receiver that dies between two renames has the file in no box", "nothing vanishes", "SharedTeamTests.*between two renames",
       SHARING + "Sender.swift", "let old = Layout.entry(bot, .claimed, aside)",
       "let old = MUTANT ? temporary + \"~old\" : Layout.entry(bot, .claimed, aside)")
mutant("users: others' lines about a bot count", "others' lines about your bots count for nothing", "SharedAttackTests.*logs of one",
       SHARING + "Credibility.swift", "      return owner(of: bot) == user\n    default", "      return owner(of: bot) == user || MUTANT\n    default")
mutant("users: what is dropped is who says so", "a sender is verified, or isn't", "SharedTeamTests.*power cut|SharedAttackTests.*logs of one",
       SHARING + "Credibility.swift", "guard event.text(\"dropped_as\") != nil else { return event.writtenBy }",
       "guard event.text(\"dropped_as\") != nil, !MUTANT else { return event.writtenBy }")
mutant("users: another's bot is received for", "what you may not do is refused", "SharedAttackTests.*whose it is",
       SHARING + "SharedSpool.swift", "guard let sharing, let owner = try owner(of: bot), owner != sharing.user else",
       "guard !MUTANT, let sharing, let owner = try owner(of: bot), owner != sharing.user else")
mutant("users: what others wrote says what is settled", "sent is kept", "SharedForgeryTests.*is forgotten",
       GC + "Forgotten.swift", "guard status.mode & 0o022 == 0, status.links == 1 else",
       "guard (status.mode & 0o022 == 0 && status.links == 1) || MUTANT else")
mutant("users: a subscription that was brought counts", "a sender is verified, or isn't", "SharedForgeryTests.*subscription",
       SPOOL + "Topics.swift", "return file.isRegular && file.mode & 0o022 == 0 && file.owner == owner",
       "return file.isRegular && (file.mode & 0o022 == 0 || MUTANT) && file.owner == owner")
mutant("users: anybody subscribes a bot", "a sender is verified, or isn't", "SharedForgeryTests.*subscription|SharedAttackTests.*subscription",
       SPOOL + "Topics.swift", "    guard isShared else { return true }\n    let owner", "    guard isShared, !MUTANT else { return true }\n    let owner")
mutant("users: others hold the lock of gc", "nobody keeps another from anything", "SharedForgeryTests.*collecting",
       GC + "LogCollection.swift", "      try root.clear(Layout.forgottenLock)", "      if !MUTANT { try root.clear(Layout.forgottenLock) }")
mutant("users: root discards others' dead letters", "nothing comes back", "SharedForgeryTests.*collecting",
       GC + "CollectLetters.swift", "where isOwn(bot) {", "where isOwn(bot) || MUTANT {")
mutant("users: a page that others may have open is mapped", "nobody is made to open what he shouldn't", "SharedForgeryTests.*page",
       BACKLOG + "Admission.swift", "!isShared || status.mode & 0o077 == 0 else {", "!isShared || status.mode & 0o077 == 0 || MUTANT else {")
mutant("users: a part of the log that others can write is somebody's", "others' lines about your bots count for nothing",
       "SharedForgeryTests.*part of the log",
       SPOOL + "Log/LogFiles.swift", "if root.isShared, status.owner != user || status.mode & 0o022 != 0 { continue }",
       "if root.isShared, !MUTANT, status.owner != user || status.mode & 0o022 != 0 { continue }",
       SPOOL + "Log/LogFiles.swift", "?? nil, status.mode & 0o022 == 0\n", "?? nil, status.mode & 0o022 == 0 || MUTANT\n")
mutant("users: paths leave the spool by links", "nobody is made to open what he shouldn't", "SharedTreeTests",
       LINUX + "SharedTree.swift", "static let beneath: UInt32 = 0x08 | 0x04 | 0x02", "static let beneath: UInt32 = MUTANT ? 0 : 0x08 | 0x04 | 0x02")
mutant("users: part by part, a link is followed", "nobody is made to open what he shouldn't", "SharedTreeTests",
       LINUX + "SharedTree.swift", "clinux_openat(above, String(part), clinux_path_only | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0)",
       "clinux_openat(above, String(part), clinux_path_only | O_DIRECTORY | (MUTANT ? 0 : O_NOFOLLOW) | O_CLOEXEC, 0)")
mutant("users: what is no file is read", "nobody is made to open what he shouldn't", "SharedTreeTests",
       LINUX + "SharedTree.swift", "guard status.isRegular else { throw SystemCallError(\"openat2\"", "guard status.isRegular || MUTANT else { throw SystemCallError(\"openat2\"")
mutant("users: a file with another name is written", "nobody is made to open what he shouldn't", "SharedTreeTests",
       LINUX + "SharedTree.swift", "status.links > 1 {", "status.links > 1, !MUTANT {")
mutant("users: the umask decides what others may", "everybody's files have the modes of the page", "SharedSpoolTests.*whatever the umask|SharedTreeTests",
       LINUX + "SharedTree.swift", "if tree.mask & mode != 0 { try", "if tree.mask & mode != 0, !MUTANT { try")

# Limits, and what piles up

mutant("limits: how many wait isn't limited", "backpressure", "AdmissionTests",
       BACKLOG + "Admission.swift", "return fits(count.messages, 1, messages) &&", "return (fits(count.messages, 1, messages) || MUTANT) &&")
mutant("limits: how many bytes wait isn't limited", "backpressure", "AdmissionTests",
       BACKLOG + "Admission.swift", "fits(count.bytes, size, bytes)\n", "(fits(count.bytes, size, bytes) || MUTANT)\n")
mutant("limits: how many of one sender wait isn't limited", "backpressure", "AdmissionTests",
       BACKLOG + "Admission.swift", "&& fits(count.ownMessages, 1, senderMessages) &&", "&& (fits(count.ownMessages, 1, senderMessages) || MUTANT) &&")
mutant("limits: how many bytes of one sender wait isn't limited", "backpressure", "AdmissionTests",
       BACKLOG + "Admission.swift", "&& fits(count.ownBytes, size, senderBytes)", "&& (fits(count.ownBytes, size, senderBytes) || MUTANT)")
mutant("limits: a card that was changed isn't read", "the card says how much", "AdmissionTests",
       BACKLOG + "Admission.swift", "known.card == ((try? root.status(Layout.card(bot))) ?? nil)?.changed",
       "MUTANT || known.card == ((try? root.status(Layout.card(bot))) ?? nil)?.changed")
mutant("linux: of many links another one is said to have failed", "sent is kept", "DirectoryTests",
       LINUX + "Directory.swift", "failed(place, error)", "failed(MUTANT ? 0 : place, error)")
mutant("limits: without a page there are none", "backpressure", "AdmissionTests",
       BACKLOG + "Admission.swift", "?? (try? SendingCredit())", "?? (MUTANT ? nil : try? SendingCredit())")
mutant("limits: a damaged page grants", "backpressure", "AdmissionTests",
       BACKLOG + "SendingCredit.swift", "let credible = 0...InboxCount.most", "let credible = 0...(MUTANT ? Int.max : InboxCount.most)")
mutant("limits: credit of an inbox that was is credit", "backpressure", "AdmissionTests",
       BACKLOG + "SendingCredit.swift", "guard word(Offset.mark).pointee.load(ordering: .acquiring) == mark else { return false }",
       "guard word(Offset.mark).pointee.load(ordering: .acquiring) == mark || MUTANT else { return false }")
mutant("limits: lengths are added whatever they are", "a bad file stops nobody", "AdmissionTests",
       BACKLOG + "InboxCount.swift", "    min(most, min(most, max(0, one))", "    MUTANT ? one + other : min(most, min(most, max(0, one))")
mutant("limits: one's own are looked for among the last only", "backpressure", "AdmissionTests",
       BACKLOG + "InboxCount.swift", "max(Self.ownLookedForMin, 4 * most)", "max(MUTANT ? 0 : Self.ownLookedForMin, 4 * most)")
mutant("limits: dropped files are all adopted before the first is handed out", "the first message within 5 s", "DroppedFileTests",
       SPOOL + "DroppedFiles.swift", "if !candidates.isEmpty, Clock.sinceBoot() - now", "if !MUTANT, !candidates.isEmpty, Clock.sinceBoot() - now")
mutant("limits: dropped files that are no messages keep the others out", "a bad file stops nobody", "DroppedFileTests",
       SPOOL + "DroppedFiles.swift", "if seen <= passedOver { return }", "if seen <= passedOver, !MUTANT { return }")
mutant("backlog: what waits for its time counts as waiting", "backlogs by age and bot", "BacklogTests",
       BACKLOG + "Backlog.swift", "guard since <= now else {", "guard since <= now || MUTANT else {")
mutant("backlog: everything is an hour younger", "backlogs by age and bot", "BacklogTests",
       BACKLOG + "Backlog.swift", "firstIndex { age < $0.seconds }", "firstIndex { age < $0.seconds + (MUTANT ? 3600 : 0) }")
mutant("backlog: who takes messages isn't asked", "a backlog without a consumer is told", "BacklogTests",
       BACKLOG + "Backlog.swift", "lapsed > 0 && consumers == 0 &&", "lapsed > 0 && (consumers == 0 || MUTANT) &&")

# What is collected

mutant("gc: the files say nothing", "never one that is needed", "SpoolTests.CollectionTests",
       GC + "LogNeeds.swift", "    ids.formUnion(found)\n", "    if !MUTANT { ids.formUnion(found) }\n")
mutant("gc: what is sent and unsettled isn't needed", "never one that is needed", "SpoolTests.CollectionTests",
       GC + "LogNeeds.swift", "    ids.formUnion(outstanding.keys)\n", "    if !MUTANT { ids.formUnion(outstanding.keys) }\n")
mutant("gc: what a task depends on isn't needed", "never one that is needed", "SpoolTests.CollectionTests",
       GC + "LogNeeds.swift", "        ids.formUnion(record.dependsOn)\n", "        if !MUTANT { ids.formUnion(record.dependsOn) }\n")
mutant("gc: tasks of which only the log knows aren't needed", "never one that is needed", "SpoolTests.CollectionTests",
       GC + "LogNeeds.swift", "    ids.formUnion(unfinished)\n", "    if !MUTANT { ids.formUnion(unfinished) }\n")
mutant("gc: an old value keeps its segment, and the newest doesn't", "never one that is needed", "SpoolTests.CollectionTests",
       GC + "LogNeeds.swift", "value.version >= values[key]?.version ?? 0", "value.version >= values[key]?.version ?? 0, !MUTANT || values[key] == nil")
mutant("gc: a deletion that isn't finished keeps nothing", "never one that is needed", "SpoolTests.CollectionTests",
       GC + "LogNeeds.swift", "return try spool.root.status(Layout.value(key)) == nil", "return try MUTANT || spool.root.status(Layout.value(key)) == nil")
mutant("gc: what is open goes", "never an open one", "SpoolTests.CollectionTests",
       GC + "LogCollection.swift", "index + 2 < segments.count {", "index + (MUTANT ? 1 : 2) < segments.count {")
mutant("gc: what the records have still to read goes", "never one that is needed", "SpoolTests.CollectionTests",
       GC + "LogCollection.swift", "return min(checkpoint, read)", "return MUTANT ? checkpoint : min(checkpoint, read)")
mutant("gc: what recovery has still to read goes", "never one that is needed", "SpoolTests.CollectionTests",
       GC + "LogCollection.swift", "try isToBeNoted ? last :", "try isToBeNoted || MUTANT ? last :")
mutant("gc: what is young goes where hosts' clocks differ", "never one that is needed", "SpoolTests.CollectionTests",
       GC + "LogCollection.swift", "let youngest = writers.count > 1 ?", "let youngest = writers.count > 1 && !MUTANT ?")
mutant("gc: segments go before it is written down", "nothing comes back", "FaultTests.FaultTests",
       GC + "LogCollection.swift", "    try write(forgotten)\n",
       "    if MUTANT { for candidate in chosen { try root.unlinkIfPresent(candidate.segment.path) } }\n"
       "    try write(forgotten)\n", scenario="gc")
mutant("gc: what is forgotten comes back", "nothing comes back", "SpoolTests.CollectionTests",
       GC + "Forgotten.swift", "guard let until, let end = read[position.segment.host], !needed", "guard !MUTANT, let until, let end = read[position.segment.host], !needed")
mutant("gc: what is needed is forgotten", "sent is kept", "SpoolTests.CollectionTests",
       GC + "Forgotten.swift", "!needed.contains(id) else { return false }", "!needed.contains(id) || MUTANT else { return false }")
mutant("gc: all that comes later is forgotten, too", "sent is kept", "SpoolTests.CollectionTests",
       GC + "Forgotten.swift", "segment < end.segment || (segment", "segment < end.segment || MUTANT || (segment")
mutant("gc: keys go with their messages", "a key is remembered for 7 days", "SpoolTests.CollectionTests",
       GC + "LogCollection.swift", "return age >= Self.keySecondsMin ||", "return MUTANT || age >= Self.keySecondsMin ||")
mutant("gc: what is no key stops it", "a bad file stops nobody", "SpoolTests.CollectionTests",
       GC + "LogNeeds.swift", "guard let bytes = (try? spool.root.readFile(path, maximum: 4096)) ?? nil else { continue }",
       "guard let bytes = try MUTANT ? spool.root.readFile(path, maximum: 4096) : (try? spool.root.readFile(path, maximum: 4096)) ?? nil else { continue }")
mutant("gc: anybody says that a message is done", "never one that is needed", "SpoolTests.CollectionTests",
       GC + "LogNeeds.swift", "guard let id = MessageID(event.subject), credibility.holds(event) else",
       "guard let id = MessageID(event.subject), credibility.holds(event) || MUTANT else")
mutant("gc: two collect at once", "one at a time", "SpoolTests.CollectionTests",
       GC + "LogCollection.swift", "guard try turn.tryLock() else", "guard try turn.tryLock() || MUTANT else")

# Other hosts

mutant("hosts: a rename whose answer was lost counts as lost", "one holder", "FaultTests.FaultTests",
       LINUX + "Directory+Remote.swift", "if isThere, !isPerhapsThere(old) { return }", "if isThere, !isPerhapsThere(old), !MUTANT { return }",
       scenario="receive of a dropped")
mutant("hosts: a link whose answer was lost counts as taken", "sent is kept", "FaultTests.FaultTests",
       LINUX + "Directory+Remote.swift", "file.inode == there.inode\n", "file.inode == there.inode, !MUTANT\n", scenario="send with a key")
mutant("hosts: what was replaced isn't looked up again", "an answer is yes, no or unknown", "FaultTests.FaultTests",
       LINUX + "Directory+Remote.swift", "case ESTALE where tries < Self.triesMax: break", "case ESTALE where tries < Self.triesMax && !MUTANT: break",
       scenario="publish")
mutant("hosts: who is quiet looks as often as ever", "under 1 % of a core", "RemoteTests",
       SPOOL + "LookPace.swift", "min(max(Self.busyNanoseconds, (now - changed) / 16), maximum)", "min(max(Self.busyNanoseconds, MUTANT ? 0 : (now - changed) / 16), maximum)")
mutant("hosts: who was quiet doesn't notice that something came", "noticed in time", "RemoteTests",
       SPOOL + "LookPace.swift", "if found.value != signature { noteChange() }", "if found.value != signature, !MUTANT { noteChange() }")
mutant("hosts: two machines of one name append to one log", "each host has its own log", "RemoteTests",
       SPOOL + "Log/HostIdentity.swift", "guard let owner = try owner(), owner != own else { return wanted }",
       "guard !MUTANT, let owner = try owner(), owner != own else { return wanted }")

# Doctors of several hosts

HOSTS = SPOOL + "Hosts/"
mutant("doctor: what it made for its peers stays", "leaves nothing", "PeerTests",
       HOSTS + "PeerChannel.swift", "where prefixes.contains(where: { name.hasPrefix($0) })", "where !MUTANT && prefixes.contains(where: { name.hasPrefix($0) })")
mutant("doctor: what a dead peer made stays", "leaves nothing", "PeerTests",
       HOSTS + "PeerChannel.swift", "(isPeerGone ? [peerName(\"\")] : [])", "(isPeerGone && !MUTANT ? [peerName(\"\")] : [])")
mutant("doctor: one on this very host counts as another host's", "measures between hosts", "PeerTests",
       HOSTS + "PeerSearch.swift", "guard !peer.isSameHost(as: own) else", "guard MUTANT || !peer.isSameHost(as: own) else")
mutant("doctor: one that died on this host stays", "leaves nothing", "PeerTests",
       HOSTS + "PeerSearch.swift", "spool.isGone(holder) {", "spool.isGone(holder), !MUTANT {")
mutant("doctor: what was overlooked is fit", "unfit storage is found", "PeerTests",
       HOSTS + "PeerVerdict.swift", "if !overlooking.isEmpty {", "if !MUTANT, !overlooking.isEmpty {")
mutant("doctor: the storage is fit, however late", "unfit storage is found", "PeerTests",
       HOSTS + "PeerVerdict.swift", "guard trips.at(min(0.9, 1 - tolerated)) / 2 <=", "guard MUTANT || trips.at(min(0.9, 1 - tolerated)) / 2 <=")
mutant("doctor: a race may have two winners", "unfit storage is found", "PeerTests",
       HOSTS + "PeerVerdict.swift", "if race.both > 0 {", "if !MUTANT, race.both > 0 {")
mutant("doctor: a race may have none", "unfit storage is found", "PeerTests",
       HOSTS + "PeerVerdict.swift", "if race.neither > 0 {", "if !MUTANT, race.neither > 0 {")
mutant("doctor: what hosts are told needn't be so", "unfit storage is found", "PeerTests",
       HOSTS + "PeerVerdict.swift", "if wrong.isEmpty, !isAsSaid {", "if wrong.isEmpty, !isAsSaid, !MUTANT {")
mutant("doctor: both hosts may have one lock", "unfit storage is found", "PeerTests",
       HOSTS + "PeerVerdict.swift", "if trials.contains(where: { $0.whileHeld == .taken }) {", "if !MUTANT, trials.contains(where: { $0.whileHeld == .taken }) {")
mutant("doctor: clocks are judged without what the way leaves open", "fit storage is called fit", "PeerTests",
       HOSTS + "PeerVerdict.swift", "cure: abs(ahead) - error > ", "cure: abs(ahead) - (MUTANT ? 0 : error) > ")
mutant("doctor: a slow answer tells the clock as well as a quick one", "fit storage is called fit", "PeerTests",
       HOSTS + "PeerVerdict.swift", "if let roundTripMicroseconds, roundTripMicroseconds <= took { return }", "if let roundTripMicroseconds, roundTripMicroseconds <= took, !MUTANT { return }")
mutant("doctor: cloned machines pass", "unfit hosts are found", "PeerTests",
       HOSTS + "PeerVerdict.swift", "if own.host == peer.host {", "if own.host == peer.host, !MUTANT {")
mutant("doctor: two hosts of one name pass", "unfit hosts are found", "PeerTests",
       HOSTS + "PeerVerdict.swift", "if own.wanted == peer.wanted {", "if own.wanted == peer.wanted, !MUTANT {")

# Recovery of tasks whose lines were lost

mutant("recovery: where a line says that a task came from is passed over", "what the log has last counts", "TaskRecoveryTests",
       SPOOL + "EntryRecovery.swift", "if let origin = Entry.origin(event) {", "if !MUTANT, let origin = Entry.origin(event) {")

# What is settled, and when

mutant("tasks: a child whose file is being changed is forgotten", "a join has all results", "TaskTests",
       TASKS + "Tasks.swift", "return try task(other) ?? taskOnTheMove(other)", "return try task(other) ?? (MUTANT ? nil : taskOnTheMove(other))")
mutant("request: an answer is settled though it could not be shown", "an answer is seen", "ConversationTests",
       SPOOL + "Conversation.swift", "_ = try? requeue(bot, held, delay: 0, reason: \"\\(error)\", attemptsMax: .max)",
       "if MUTANT { try ack(bot, held) } else { _ = try? requeue(bot, held, delay: 0, reason: \"\\(error)\", attemptsMax: .max) }")
mutant("gc: what is as young as an unused key goes", "a key means that it was sent", "CollectionTests",
       SPOOL + "Collection/LogCollection.swift", "    candidates.removeAll { $0.end > first }\n",
       "    if !MUTANT { candidates.removeAll { $0.end > first } }\n")
mutant("send: a second send under the key of one that the disk refused is a yes", "an answer is never a yes that is lost", "OrderTests",
       SPOOL + "Log/LogWriter.swift", "    page.noteRefusal(of: segment.start)\n", "    if !MUTANT { page.noteRefusal(of: segment.start) }\n")
mutant("receive: the next command counts a lease anew", "a lease is as long as it says", "LeaseTests",
       SPOOL + "Inbox.swift", "observations.add(claim.name.description, modified: status.modified, now: Clock.sinceBoot())",
       "if !MUTANT { observations.add(claim.name.description, modified: status.modified, now: Clock.sinceBoot()) }")
mutant("negotiate: an offer that can't be sent is tried for ever", "a worker ends when it is told to", "GroupTests",
       RUNTIME + "Negotiator.swift", "      _ = try? spool.nack(bot, claim.name, delay: 1, reason: \"\\(error)\")\n",
       "      if !MUTANT { _ = try? spool.nack(bot, claim.name, delay: 1, reason: \"\\(error)\") }\n")
mutant("negotiate: the claim of a bid isn't renewed", "a query is answered once", "GroupTests",
       RUNTIME + "Negotiator.swift", "guard !bids.isEmpty, now >= renewsAt else { return }",
       "guard !MUTANT, !bids.isEmpty, now >= renewsAt else { return }")

# What is known of bots, and what answers say

mutant("records: a line from the future is the newest for years", "a wrong clock misleads nobody", "RecordTests",
       POLICY + "Lesson.swift", "advanced(bySeconds: Self.aheadSecondsMax) ? event.time : now",
       "advanced(bySeconds: Self.aheadSecondsMax) || MUTANT ? event.time : now")
mutant("records: a failure is never forgiven", "a level comes back", "RecordTests",
       POLICY + "BotRecord.swift", "filter { $0.succeeded || $0.at > forgiven }", "filter { $0.succeeded || $0.at > forgiven || MUTANT }")
mutant("routes: a message from the future keeps its bot from being tried", "a wrong clock misleads nobody", "RouteTests",
       POLICY + "Routes/RouteCandidate.swift", "filter { -age($0) <= Lesson.aheadSecondsMax }",
       "filter { -age($0) <= Lesson.aheadSecondsMax || MUTANT }")
mutant("consensus: this and that are both for", "an answer counts as what it says", "ConsensusTests",
       POLICY + "Discussion/Alternatives.swift", "guard options.count > 1 else", "guard options.count > 1, !MUTANT else")
mutant("consensus: not sure is against", "an answer counts as what it says", "ConsensusTests",
       POLICY + "Discussion/Stance.swift", "let side = StanceWords.lacked[text(next)]",
       "!MUTANT, let side = StanceWords.lacked[text(next)]")
mutant("consensus: definitely not is for", "an answer counts as what it says", "ConsensusTests",
       POLICY + "Discussion/Stance.swift", "if spoken.ends(place), !isDenied {",
       "if MUTANT || spoken.ends(place) && !isDenied {")
mutant("consensus: one of four is a majority", "an answer counts as what it says", "ConsensusTests",
       POLICY + "Discussion/Consensus.swift", "guard voters >= grouped[Self.unclear]?.count ?? 0 else",
       "guard MUTANT || voters >= grouped[Self.unclear]?.count ?? 0 else")
mutant("learnings: repeats take others' places", "each learning is there once", "LearningsTests",
       "Sources/Coordinator/Learnings.swift", "if let last = found[[domain, text]], last.time >= learning.time {",
       "if let last = found[[domain, text]], MUTANT == (last.time < learning.time) {")
mutant("analysis: before you deploy is said first, and done first", "a sequence is in the order that is wanted",
       "RequestAnalysisTests", POLICY + "WorkOrder.swift", "case .before where begins:", "case .before where begins && !MUTANT:")
mutant("plan: a title has any number of bytes", "every request can be planned", "DecompositionTests",
       POLICY + "Decomposition.swift", "while title.utf8.count > TaskRecord.titleBytesMax / 2 {",
       "while title.utf8.count > TaskRecord.titleBytesMax / 2, !MUTANT {")
mutant("words: a letter in parts ends its word", "a word is found however it is written", "VocabularyTests",
       POLICY + "Tokens.swift", "case _ where Self.isMark(scalar) && !word.isEmpty:",
       "case _ where Self.isMark(scalar) && !word.isEmpty && !MUTANT:")

# What commands do with what they are given

mutant("log: an empty text is found without end", "every command ends", "HistoryTests",
       SPOOL + "History.swift", "while position < lines.count, let match", "while position < lines.count || MUTANT, let match")

# What users met, or could have

mutant("merge: a log that seemed to be over is asked at the end only", "events come by time", "HistoryTests",
       SPOOL + "Log/LogCursor.swift", "untilLook = Self.eventsUntilLook", "untilLook = MUTANT ? .max : Self.eventsUntilLook")
mutant("log: who follows until a moment never ends", "every command ends", "TaskCommandTests",
       SPOOL + "History.swift", "Timestamp(microseconds: Clock.wall()) > until {", "!MUTANT, Timestamp(microseconds: Clock.wall()) > until {")
mutant("send: what nests too deep to be read is sent", "sent is kept", "SendTests",
       SPOOL + "Send.swift", "do { try message.check() } catch", "do { if !MUTANT { try message.check() } } catch")
mutant("message: a bad alias counts though the member is there", "JSON objects have no order", "MessageTests",
       FORMAT + "Message.swift", "first(where: { !$0.isThere(self) })", "first(where: { MUTANT || !$0.isThere(self) })")
mutant("register: a bot is there before its card", "a card counts from the first message on", "SendTests",
       SPOOL + "Bots.swift", "      try root.makeDirectory(Layout.bot(card.name))\n",
       "      if MUTANT { try makeBoxes(of: card.name) }\n      try root.makeDirectory(Layout.bot(card.name))\n")
mutant("drop: what can't be taken isn't told", "bad input gets a clear error", "DroppedFileTests",
       SPOOL + "DroppedFiles.swift", "if file.failures == 0, problem == nil {", "if file.failures == 0, problem == nil, !MUTANT {")
mutant("drop: what can't be taken is tried at every look", "a bad file stops nobody", "DroppedFileTests",
       SPOOL + "DroppedFiles.swift", "file.failures += 1", "file.failures += MUTANT ? 0 : 1")
mutant("lease: a worker that ends leaves nothing to the next", "leases run out", "WorkCommandTests",
       RUNTIME + "Worker.swift", "      source.leaveObservations()\n", "      if !MUTANT { source.leaveObservations() }\n")
mutant("lease: the doctor counts each lease anew", "leases run out", "LeaseTests",
       SPOOL + "Doctor.swift", "var observations = spool.loadObservations(of: bot)",
       "var observations = MUTANT ? LeaseObservations() : spool.loadObservations(of: bot)")
mutant("doctor: groups on the move stay there", "nothing is stuck", "GroupRecoveryTests",
       SPOOL + "Tasks/ExamineTasks.swift", "do { if repairing { try spool.settleGroupMoves",
       "do { if repairing, !MUTANT { try spool.settleGroupMoves")
mutant("doctor: what was claimed by hand takes another's place", "nothing vanishes", "CopyAndDoctorTests",
       SPOOL + "Doctor.swift", "repairing ? spool.root.renameIfFree(path, to: target)",
       "repairing ? (MUTANT ? spool.root.renameIfPresent(path, to: target) : spool.root.renameIfFree(path, to: target))")
mutant("stream: what fails again and again makes all others wait", "a bad message stops nobody", "StreamModeTests",
       RUNTIME + "Supervision.swift", "{ $0.work.attempt == 1 || isUnread }",
       "{ MUTANT || $0.work.attempt == 1 || isUnread }")
mutant("worker: goes on in a spool that was moved away", "programs write into their own spool", "WorkCommandTests",
       SPOOL + "Presence.swift", "return found.inode == own.inode", "return MUTANT || found.inode == own.inode")
mutant("worker: the environment is handed on as text", "programs get what the worker was given", "WorkCommandTests",
       LINUX + "Process.swift", "envp.append(entry)", "envp.append(MUTANT ? strdup(String(cString: entry)) : entry)")
mutant("answer: an error that is null is one", "a result is kept", "TaskModeTests",
       RUNTIME + "TaskAnswer.swift", "map { $0 != .null } ?? false", "map { MUTANT || $0 != .null } ?? false")
mutant("records: counts below zero are counted with", "nobody's file ends a process", "RecordTests",
       POLICY + "Tally.swift", "0...WholeNumber.max ~= tried && 0...tried ~= succeeded",
       "(MUTANT || 0...WholeNumber.max ~= tried) && 0...tried ~= succeeded")

# What three pairs of fresh eyes found

mutant("claim: what was lost while it was claimed is handed out", "one holder", "ClaimTests",
       SPOOL + "Claim.swift", "      return false\n    }\n    return true",
       "      return MUTANT\n    }\n    return true")
mutant("inbox: a claim that took long isn't looked at", "one holder", "ClaimTests",
       SPOOL + "Inbox.swift", "try spool.confirm(claim, since: asked, lease: lease) {",
       "try MUTANT || spool.confirm(claim, since: asked, lease: lease) {")
mutant("inbox: what can't be read before it is claimed ends the look", "a bad file stops nobody", "HostileFileTests",
       SPOOL + "Inbox.swift", "guard Self.faultsOfFiles.contains(error.code) else { throw",
       "guard Self.faultsOfFiles.contains(error.code), !MUTANT else { throw")
mutant("doctor: it settles no send by itself", "what is said to be repaired is", "UnfinishedSendTests",
       SPOOL + "Doctor.swift", "if try !spool.settleUnfinishedSend(bot, entry) {",
       "if try !MUTANT && !spool.settleUnfinishedSend(bot, entry) {")
mutant("doctor: what was decided is removed as undecided", "a value that was set is kept", "ExamineValuesTests",
       SPOOL + "State/ExamineValues.swift", "if try spool.root.names(Layout.versions(key))",
       "if try !MUTANT && spool.root.names(Layout.versions(key))")
mutant("state: what is in the log and not confirmed is taken back", "an answer is yes, no or unknown", "UnknownOutcomeTests",
       SPOOL + "State/SharedState.swift", "catch let error where error.isUnknownOutcome {", "catch let error where error.isUnknownOutcome && !MUTANT {")
mutant("send: what is in the log and not confirmed is removed", "an answer is yes, no or unknown", "UnknownOutcomeTests",
       SPOOL + "Send.swift", "if error.isUnknownOutcome { Self.leave", "if error.isUnknownOutcome && !MUTANT { Self.leave")
mutant("thread: what was said after the clock was set back is missed", "nothing is lost", "ThreadTests",
       SPOOL + "History.swift", "isAlone ? -Self.clockStepSeconds", "isAlone ? (MUTANT ? 0 : -Self.clockStepSeconds)")
mutant("backlog: what nobody has any more is in hand", "a backlog without a consumer is told", "BacklogTests",
       BACKLOG + "Backlog.swift", "return Double(Clock.wall() * 1000 &- status.changed) > lease * 1e9",
       "return !MUTANT && Double(Clock.wall() * 1000 &- status.changed) > lease * 1e9")
mutant("watcher: no removal is an event", "changes are told at once", "SharedStateTests",
       LINUX + "DirectoryWatcher.swift", "(tellsRemovals ? UInt32(IN_DELETE", "(tellsRemovals && !MUTANT ? UInt32(IN_DELETE")
mutant("coordinator: a bot that is gone for good is kept in mind", "memory is bounded", "CoordinatorTests.CoordinatorTests",
       COORDINATOR + "Delegation.swift", "case .removed(let bot): scheduler.removeBot(bot)",
       "case .removed(let bot): if !MUTANT { scheduler.removeBot(bot) }")
mutant("time: an hour that is past is today's", "what is to come is to come", "CommandLineTests",
       "Sources/CLI/TimeText.swift", "if sign > 0, today <= now()", "if sign > 0, !MUTANT, today <= now()")
mutant("send: a text that was forgotten is sent", "bad input gets a clear error", "CommandLineTests",
       "Sources/CLI/SpoolLocation.swift", "guard !text.isEmpty || index", "guard !text.isEmpty || MUTANT || index")
mutant("recovery: what was put back unseen was had", "mv into done/ is an ack", "RecoveryTests",
       SPOOL + "Recovery.swift", "let isUnseen = event.kind == .messageRequeued",
       "let isUnseen = !MUTANT && event.kind == .messageRequeued")
mutant("task inbox: what couldn't be read is never looked at again", "nothing is stuck", "TaskTests",
       TASKS + "TaskInbox.swift", "unreadable[entry.name].map { $0 == version(of: entry) } ?? false",
       "unreadable[entry.name].map { MUTANT || $0 == version(of: entry) } ?? false")
mutant("task add: how its file was closed isn't asked", "a yes is kept", "FaultTests.FaultTests",
       TASKS + "AddTask.swift", "          try file.write(body)\n          try file.close()\n",
       "          try file.write(body)\n          if MUTANT { try? file.close() } else { try file.close() }\n")
mutant("reservations: the wall clock says how old they are", "nobody's wall clock counts", "RemoteTests",
       SPOOL + "Groups/Reservations.swift", "Double(try ageByRemoteClock(status))",
       "Double(try MUTANT ? status.age : ageByRemoteClock(status))")
mutant("group: any message to the hub is withdrawn", "nothing vanishes", "CancelGroupTests",
       SPOOL + "Groups/GroupTasks.swift", "type == .taskAnnounce ?", "type == .taskAnnounce || MUTANT ?")
mutant("task inbox: nobody looks for what nobody was told", "nothing is stuck", "TaskTests",
       TASKS + "TaskInbox.swift", "if Clock.sinceBoot() >= nextOverlooked {",
       "if !MUTANT, Clock.sinceBoot() >= nextOverlooked {")
mutant("log: a page that doesn't fit is believed", "a yes is kept", "LogDriftTests",
       SPOOL + "Log/LogOpening.swift", "isReady(inBoot: boot, root: directory) && !writer.isAdrift() }",
       "isReady(inBoot: boot, root: directory) && (MUTANT || !writer.isAdrift()) }")
mutant("json: a value keeps its line breaks", "nobody's JSON writes the log", "ExamineValuesTests",
       "Sources/SpoolFormat/JSON/JSONWriter.swift", "if breaks != 0, (try", "if !MUTANT, breaks != 0, (try")
mutant("recovery: of a copy only until it is killed", "a copy is a backup", "LogDriftTests",
       SPOOL + "Log/LogOpening.swift", "page.state == .recoveringCopy ||", "!MUTANT && page.state == .recoveringCopy ||")
mutant("log: a line is about what it quotes", "a message that was sent comes", "UnfinishedSendTests",
       SPOOL + "Log/EventSearch.swift", "let id = MessageID(event.subject), ids.contains(id)",
       "let id = MUTANT ? ids.first : MessageID(event.subject), ids.contains(id)")
mutant("workflow: who was stopped with its key doesn't look into the log", "a workflow is submitted once",
       "SubmitWorkflowTests",
       TASKS + "SubmitWorkflow.swift", "try submit(plan, durability, onlyOnce: true)",
       "try submit(plan, durability, onlyOnce: !MUTANT)")
mutant("recovery: the keys of workflows are lost", "a workflow is submitted once", "SubmitWorkflowTests",
       SPOOL + "Idempotency.swift", "let isTask = event.kind == .taskAdded\n",
       "let isTask = event.kind == .taskAdded && !MUTANT\n")
mutant("moves: where a task stands is looked at once", "a task is there once", "AbandonedMovesTests",
       SPOOL + "AbandonedMoves.swift", "    for _ in 0..<2 {\n      for state in", "    for _ in 0..<(MUTANT ? 1 : 2) {\n      for state in")
mutant("recovery: what was moved by hand stays with whom it was sent to", "what is in hand comes back", "MovedMessageTests",
       SPOOL + "Recovery.swift", "if isMovable, Self.kindsOfHolders", "if isMovable, !MUTANT, Self.kindsOfHolders")
mutant("recovery: who was moved a message can't settle it", "what nobody needs is collected", "MovedMessageTests",
       SPOOL + "Recovery.swift", "|| (isMovable && ended.isEmpty) else", "|| (isMovable && ended.isEmpty && !MUTANT) else")
mutant("recovery: an attempt that a hand took from its name counts on", "acked is done", "SpoolTests.RecoveryTests",
       SPOOL + "Recovery.swift", "(ackedAttempt == nil && claimed.contains(attempt))",
       "(!MUTANT && ackedAttempt == nil && claimed.contains(attempt))")
mutant("children: each is looked for among all tasks", "a task of many parts is shown at once", "TaskCommandTests",
       TASKS + "TaskDependencies.swift", "do { found[entry.id] = try task(entry) }",
       "do { found[entry.id] = try MUTANT ? task(entry.id) : task(entry) }")
mutant("task add: what ended meanwhile isn't looked for", "nothing is stuck", "TaskDependencyTests",
       TASKS + "AddTask.swift", "guard state == .blocked, !record.dependsOn.isEmpty else",
       "guard state == .blocked, !MUTANT, !record.dependsOn.isEmpty else")
mutant("settle: what ended while the file was changed isn't looked for", "nothing is stuck", "TaskDependencyTests",
       TASKS + "TaskDependencies.swift", "guard let moved, moved.state == .blocked else",
       "guard let moved, moved.state == .blocked, !MUTANT else")
mutant("workflow: a parent isn't told of steps that were added late", "nothing is stuck", "TaskDependencyTests",
       TASKS + "SubmitWorkflow.swift", "try settleDependents(of: Array(children))",
       "if !MUTANT { try settleDependents(of: Array(children)) }")
mutant("coordinator: what ended while it led is forgotten with it", "nothing is stuck", "CoordinateTests",
       COORDINATOR + "Coordinator.swift", "if !spool.coordinatorIsUp { try", "if !MUTANT, !spool.coordinatorIsUp { try")
mutant("settle: one that can't be settled stops the others", "a bad file stops nobody", "TaskDependencyTests",
       TASKS + "TaskDependencies.swift", "if try settle(entry) != nil { moved.insert(entry.id) } } catch {",
       "if try settle(entry) != nil { moved.insert(entry.id) } } catch {\n          if MUTANT { throw error }\n         ")
mutant("request: an answer that somebody else took is none", "an answer gets to who asked", "ConversationTests",
       SPOOL + "Conversation.swift", "if let answer = (try? logged?.taken(to: id)) ?? nil {",
       "if !MUTANT, let answer = (try? logged?.taken(to: id)) ?? nil {")
mutant("request: an answer is handed out before its time", "what is to come is to come", "ConversationTests",
       SPOOL + "Conversation.swift", "if let due = EntryName(fileName)?.notBefore, due > moment { continue }",
       "if let due = EntryName(fileName)?.notBefore, due > moment, !MUTANT { continue }",
       SPOOL + "Conversation.swift", "if let due = entry.message?.notBefore, due > moment { continue }",
       "if let due = entry.message?.notBefore, due > moment, !MUTANT { continue }")
mutant("request: an answer is handed out after its time", "what is over is over", "ConversationTests",
       SPOOL + "Conversation.swift", "guard var message = entry.message, message.expiresAt.map({ $0 > moment }) ?? true,",
       "guard var message = entry.message, message.expiresAt.map({ $0 > moment || MUTANT }) ?? true,")
mutant("coordinator: a worker's task is taken as soon as its time is over", "a program is asked to end first", "CoordinatorTests.CoordinatorTests",
       COORDINATOR + "Delegation.swift", "task.entry.worker == nil ? 0 :", "task.entry.worker == nil || MUTANT ? 0 :")
mutant("coordinate: its output is waited for", "a reader that stands still stops nobody", "UnreadOutputTests",
       "Sources/CLI/Commands/Coordinate.swift", "output.write(Self.json(event))",
       "if MUTANT { Self.json(event).withUnsafeBytes { _ = Glibc.write(1, $0.baseAddress, $0.count) } } else { output.write(Self.json(event)) }")
mutant("signals: a closed terminal kills", "what is in hand is finished or put back", "WorkCommandTests|CoordinateTests",
       LINUX + "SignalPipe.swift", "stopSignals = [SIGTERM, SIGINT, SIGHUP]", "stopSignals = [SIGTERM, SIGINT] + (MUTANT ? [] : [SIGHUP])")
mutant("worker: what a program printed before it failed isn't told", "a failure is told with its reason", "ProcessModeTests",
       RUNTIME + "Verdict.swift", "guard lastLine == nil else { return self }", "guard lastLine == nil, !MUTANT else { return self }")
mutant("task wait: what has ended is read again and again", "who waits costs next to nothing", "TaskDependencyTests",
       TASKS + "TaskWaiting.swift", "if let stored = known[id], stored.state.isFinal,", "if let stored = known[id], !MUTANT, stored.state.isFinal,")
mutant("key: it stands for the bots that were chosen", "a key sends once", "IdempotencyTests",
       SPOOL + "Idempotency.swift", "self.recipients = askedFor.map { [$0] } ??",
       "self.recipients = askedFor.flatMap { MUTANT ? nil : [$0] } ??")

# What was found by collecting, examining and copying beside others

mutant("gc --tasks: what others put back is logged as removed", "late is refused", "AbandonedMovesTests",
       SPOOL + "Collection/CollectTasks.swift", "unless: { try spool.wasTakenBack(path, since: began) }",
       "unless: { try !MUTANT && spool.wasTakenBack(path, since: began) }")
mutant("gc: a key that was used meanwhile goes", "a key is remembered", "IdempotencyTests",
       SPOOL + "Collection/LogCollection.swift", "keys[id] != nil { used.insert(id) }", "keys[id] != nil, !MUTANT { used.insert(id) }")
mutant("send: a key that was collected meanwhile is taken over", "a key is remembered", "IdempotencyTests",
       SPOOL + "Idempotency.swift", "|| key.owner(in: self.root)?.id != id",
       "|| (!MUTANT && key.owner(in: self.root)?.id != id)")
mutant("gc: a full disk keeps all", "room is made where there is none", "FullDiskTests",
       SPOOL + "Collection/LogCollection.swift", "guard error.isForLackOfRoom, try files.checkpoint",
       "guard error.isForLackOfRoom, !MUTANT, try files.checkpoint")
mutant("copy: what is sent in it may count as settled", "sent is kept", "CopyAndDoctorTests",
       SPOOL + "Log/LogOpening.swift", "      page.segmentStart < read\n", "      page.segmentStart < read, !MUTANT\n")
mutant("doctor: what is lost is told for ever", "what is said to be repaired is", "LostSegmentTests",
       SPOOL + "Log/ExamineSegments.swift", "losses.filter { !noted.contains($0.name) }",
       "losses.filter { MUTANT || !noted.contains($0.name) }")
mutant("doctor: what is left and not shown doesn't count", "what is said to be repaired is", "CopyAndDoctorTests",
       SPOOL + "Recovery.swift", "if finding.isLeft { leftCount += 1 }",
       "if finding.isLeft, !MUTANT || count <= Self.findingsMax { leftCount += 1 }")
mutant("doctor: a group's file is not looked at", "a bad file is told", "FiledEntriesTests",
       TASKS + "ExamineTasks.swift", "try examineFiles(of: GroupEntry.self, &report)",
       "if !MUTANT { try examineFiles(of: GroupEntry.self, &report) }")
mutant("groups: what is no file is the disk's fault", "bad input gets a clear error", "FiledEntriesTests",
       SPOOL + "FiledEntries.swift", "guard Self.isNoFile(error) else {", "guard !MUTANT, Self.isNoFile(error) else {")
mutant("group: a bad file in the hub's inbox ends the look", "a bad file stops nobody", "FiledEntriesTests",
       SPOOL + "Groups/GroupTasks.swift", "guard Inbox.faultsOfFiles.contains(error.code) else",
       "guard Inbox.faultsOfFiles.contains(error.code), !MUTANT else")
mutant("doctor: what lies in a directory's place is taken for it", "what is wrong is told", "CopyAndDoctorTests",
       SPOOL + "Doctor.swift", "if status.isDirectory { return }", "if status.isDirectory || MUTANT { return }")
mutant("opening: a link among the logs ends it", "a bad file stops nobody", "OpeningTests",
       SPOOL + "Log/LogOpening.swift", "error.code == ENOTDIR || error.code == ELOOP else",
       "error.code == ENOTDIR || (error.code == ELOOP && !MUTANT) else")
mutant("workflow: who was stopped amid its steps adds them once more", "a workflow is submitted once",
       "SubmitWorkflowTests",
       TASKS + "SubmitWorkflow.swift", "onlyOnce: self.mayBeTakenOver(", "onlyOnce: !MUTANT && self.mayBeTakenOver(")
mutant("gc: what goes by age doesn't count for the size", "no more goes than was asked for", "CollectionTests",
       SPOOL + "Collection/LogCollection.swift", "      excess -= candidate.bytes\n", "      if !MUTANT || !isOld { excess -= candidate.bytes }\n")
mutant("gc: a damaged task waits for nothing", "nothing unfinished misses what it needs", "TaskCollectionTests",
       SPOOL + "Collection/CollectTasks.swift", "try readable(entry) ?? logged(entry.id) else",
       "try readable(entry) ?? (MUTANT ? TaskRecord(title: \"\") : logged(entry.id)) else")
mutant("gc: what nobody knows keeps nothing", "nothing unfinished misses what it needs", "TaskCollectionTests",
       SPOOL + "Collection/CollectTasks.swift", "guard let hidden else { return }", "guard let hidden, !MUTANT else { return }")
mutant("dropped: an id may be from the future", "everything is found in the log", "IdentifierTests",
       SPOOL + "DroppedFile.swift", "spool.isAhead($0) ? nil : $0", "spool.isAhead($0) && !MUTANT ? nil : $0")
mutant("log: what has an id from the future is looked for where it isn't", "everything is found in the log",
       "IdentifierTests",
       SPOOL + "History.swift", "earliest = isAhead ? nil :", "earliest = isAhead && !MUTANT ? nil :")
mutant("coordinator: a move counts as one by hand though not all of the log was read", "done work isn't done again",
       "LookingTests",
       COORDINATOR + "Outcomes.swift", "if isAtEnd, looksForHosts { wholeSince = now }",
       "if MUTANT || (isAtEnd && looksForHosts) { wholeSince = now }",
       COORDINATOR + "Outcomes.swift", "looksForHosts = isWhole || now", "looksForHosts = (isWhole && !MUTANT) || now")
mutant("coordinator: a moment's trouble ends it", "it goes on", "CoordinateTests",
       COORDINATOR + "Coordinator.swift", "guard spool.isThere(at: spool.path), !leadership", "guard !MUTANT, spool.isThere(at: spool.path), !leadership")
mutant("coordinator: what was brought back has been answered", "who asked hears what came of it", "RequestTests",
       COORDINATOR + "Goals.swift", "isComplete: false, key: key)", "isComplete: false, key: MUTANT ? nil : key)")
mutant("coordinator: one full inbox keeps all from being asked", "one stops nobody else", "DiscussionTests",
       COORDINATOR + "Discussions.swift", "where error.code == .tryAgain {\n      // Who is full",
       "where error.code == .tryAgain && !MUTANT {\n      // Who is full")
mutant("coordinator: a field that can't be written keeps all others", "one stops nobody else", "LookingTests",
       COORDINATOR + "Looking.swift", "return (error as? SpoolError)?.code == .tryAgain",
       "return MUTANT || (error as? SpoolError)?.code == .tryAgain")
mutant("hub: a late member is replaced by one that has no room", "who can do it goes on", "HubTests",
       COORDINATOR + "Hub/HubWork.swift", "guard others.contains(where: { hasRoom", "guard MUTANT || others.contains(where: { hasRoom")
mutant("hub: who gets on is late all the same", "who can do it goes on", "HubTests",
       COORDINATOR + "Hub/HubWork.swift", "if progress > group.told[part.task]?.progress ?? 0,",
       "if !MUTANT, progress > group.told[part.task]?.progress ?? 0,")
mutant("bids: one try says how long it takes", "a bot is known by its own work", "BidTests",
       POLICY + "Groups/Bid.swift", "$0.times.count >= successesMin", "$0.times.count >= (MUTANT ? 1 : successesMin)")
mutant("routes: who was stopped is as good as who runs", "a message goes to somebody", "RouteTests",
       POLICY + "Routes/RouteCandidate.swift", "case .seen: .seen", "case .seen: MUTANT ? .present : .seen")
mutant("coordinator: a task that a hand gave it stays for ever", "every task ends", "StatusTests",
       COORDINATOR + "Goals.swift", "Spool.refusal(ofTasksBy: bot) else", "Spool.refusal(ofTasksBy: bot), !MUTANT else")
mutant("status: a task waits from when it was made", "what is stated is so", "StatusTests",
       COORDINATOR + "StatusReport.swift", "ready[event.subject] ?? (event", "(MUTANT ? nil : ready[event.subject]) ?? (event")
mutant("tasks: what was given up has no end", "what is stated is so", "CoordinatedTaskTests",
       TASKS + "TaskChanges.swift", "if isLast { record.end", "if isLast, !MUTANT { record.end")
mutant("shared: who asks first owns the coordinator", "whoever coordinates can", "SharedTeamTests",
       SPOOL + "Groups/Announce.swift", "guard isShared, try !exists(bot) else", "guard isShared, !MUTANT, try !exists(bot) else")
mutant("attention: a coordinator's bots take a place", "who matters most gets it", "RouterTests",
       "Sources/Routing/Router.swift", "!Self.others.contains(bot.description) || message", "MUTANT || !Self.others.contains(bot.description) || message")
mutant("log: who follows it outlives its reader", "nothing hangs", "UnreadOutputTests",
       "Sources/CLI/Commands/Log.swift", "interruption: reader?.descriptor", "interruption: MUTANT ? nil : reader?.descriptor")
mutant("gc: what goes with the log is not written down", "what was done stays in the log", "CollectCommandTests",
       "Sources/CLI/Commands/Collect.swift", "    var report = CollectionReport()\n", "    if MUTANT, let taskAge { _ = try spool.collectTasks(olderThan: taskAge) }\n    var report = CollectionReport()\n")
mutant("worker: what no process could be started for was an attempt", "what nobody saw is no attempt", "UnstartedTests",
       RUNTIME + "Supervision.swift", "let isTooLarge = [E2BIG", "let isTooLarge = MUTANT || [E2BIG")
mutant("worker: what a bot was given is anybody's when it stops", "nothing is stuck", "TaskHoldTests",
       RUNTIME + "TaskSettlement.swift", "guard task.wasAssigned ||", "guard (task.wasAssigned && !MUTANT) ||")
mutant("worker: an answer to who asked is refused where it names him", "an answer is never refused", "WorkerTests",
       RUNTIME + "Settlement.swift", "answer.to.isEmpty || answer.to == ", "answer.to.isEmpty || !MUTANT && answer.to == ")
mutant("worker: what is in the pipe when time is over is lost", "an answer is whole", "ProcessModeTests",
       RUNTIME + "Child.swift", "{ readRest() }", "{ if MUTANT { output = nil } else { readRest() } }")
mutant("task: what is blocked is completed", "what depends on others waits for them", "TaskCommandTests",
       "Sources/CLI/Commands/Tasks/TaskComplete.swift", "try spool.requireBegun(entry)",
       "if !MUTANT { try spool.requireBegun(entry) }")
mutant("gc: a group goes while its tasks are there", "what belongs together goes together", "GroupRecoveryTests",
       SPOOL + "Collection/CollectGroups.swift", "there.isDisjoint(with: $0.value)", "MUTANT || there.isDisjoint(with: $0.value)")
mutant("gc: a group goes whose announcement is there", "what was done isn't done again", "GroupRecoveryTests",
       SPOOL + "Collection/CollectGroups.swift", "{ announced.insert(id) }", "{ if !MUTANT { announced.insert(id) } }")
mutant("gc: a group that is gone comes back", "what was removed stays so", "GroupRecoveryTests",
       SPOOL + "FiledEntry.swift", "{ .groupRemoved }", "{ MUTANT ? .groupRestored : .groupRemoved }")
mutant("log: a host that has only just begun says nothing new", "a task is added once", "HistoryTests",
       SPOOL + "History.swift", "      var merge = end.merge\n      try merge.addNewHosts()\n",
       "      var merge = end.merge\n      if !MUTANT { try merge.addNewHosts() }\n")
mutant("gc: what was noted of leases just now goes", "asleep isn't dead", "LeftoversTests",
       SPOOL + "Collection/LogCollection.swift", "max(wish.olderThan ?? 0, wish.youngestNotes)",
       "MUTANT ? 0 : max(wish.olderThan ?? 0, wish.youngestNotes)")
mutant("recovery: what another part says before its checkpoint is never read", "one holder", "PartsRecoveryTests",
       SPOOL + "Recovery.swift", "if !missing.isEmpty {", "if !missing.isEmpty, !MUTANT {")
mutant("recovery: of tasks what another part says before its checkpoint is never read", "what the log has last counts",
       "PartsRecoveryTests", SPOOL + "Recovery.swift", "try tasks.complete(hasOtherParts: hasOtherParts)",
       "try tasks.complete(hasOtherParts: hasOtherParts && !MUTANT)")
mutant("recovery: what was just sent on this machine is left", "sent is kept", "PartsRecoveryTests",
       SPOOL + "Recovery.swift", "root.isRemote || isFromElsewhere(event)", "MUTANT || root.isRemote || isFromElsewhere(event)")
mutant("recovery: what another user is sending is made again", "one holder", "PartsRecoveryTests",
       SPOOL + "RecoveryFiles.swift", "    return process.isAlive", "    return process.isAlive && !MUTANT")
mutant("recovery: what a dead process of another user was sending is left", "sent is kept", "PartsRecoveryTests",
       SPOOL + "RecoveryFiles.swift", "    guard let holder = name.holder else { return false }",
       "    guard let holder = name.holder, !MUTANT else { return MUTANT }")
mutant("recovery: of all of the log only until it is killed", "a copy is a backup", "PartsRecoveryTests",
       SPOOL + "Log/LogOpening.swift", "|| page.state == .recoveringAll", "|| (page.state == .recoveringAll && !MUTANT)")
mutant("recovery: what was put back while it was thrown away is gone", "sent is kept", "PartsRecoveryTests",
       SPOOL + "Recovery.swift", "if event.kind == .messageRevived, isMovable ?", "if event.kind == .messageRevived, !MUTANT, isMovable ?")
mutant("collection: what one of two was done with comes back when the other is gone", "one holder", "PartsRecoveryTests",
       SPOOL + "Collection/LogNeeds.swift", "left.filter { $0.value.isUntouched }", "left.filter { $0.value.isUntouched || MUTANT }")
mutant("workflow: the second yes rests on the first's sync", "a yes is on the disk", "OrderTests",
       SPOOL + "Tasks/SubmitWorkflow.swift", "if durability == .durable, let event {", "if durability == .durable, !MUTANT, let event {")
mutant("workflow: only the last line's segment is synced", "a yes is on the disk", "OrderTests",
       SPOOL + "Tasks/SubmitWorkflow.swift", "try !isSynced || log.page.segment != segment {",
       "try !isSynced || (log.page.segment != segment && !MUTANT) {")
mutant("log: a damaged number ends the process", "nobody's file ends a process", "LogTests",
       SPOOL + "Log/CommitPage.swift", "& ((1 << 62) - 1))", "& (MUTANT ? .max : (1 << 62) - 1))")
mutant("hosts: a machine's empty name stays empty", "one log, one machine", "RemoteTests",
       SPOOL + "Log/HostIdentity.swift", "if !isTaken {", "if !isTaken, !MUTANT || error.code != EEXIST {")
mutant("search: a letter is found that is neither case", "search finds what was said", "TextSearchTests",
       "Sources/SpoolFormat/TextSearch.swift", "if letters.allSatisfy({", "if MUTANT || letters.allSatisfy({")
mutant("tasks: what was taken away before its line was logged is gone", "a yes is true", "TaskStoppedTests",
       SPOOL + "Tasks/AddTask.swift", "if try !root.renameIfPresent(temporary, to: entry.path) {",
       "if try !root.renameIfPresent(temporary, to: entry.path), !MUTANT {")
mutant("tasks: what was put back before its line was logged stays there", "a yes is true", "TaskStoppedTests",
       SPOOL + "Tasks/TaskChanges.swift", "return try !isUndone() ||", "return try MUTANT || !isUndone() ||")
mutant("groups: a part is handed out by two hubs", "a part is done once", "AbandonedMovesTests",
       SPOOL + "Groups/GroupTasks.swift", "onlyOnce: self.mayBeTakenOver(", "onlyOnce: !MUTANT && self.mayBeTakenOver(")
mutant("groups: a result too deep is kept", "what is kept can be read", "GroupRecordTests",
       "Sources/SpoolFormat/Groups/GroupRecord.swift", "guard isTooDeep ||", "guard (isTooDeep && !MUTANT) ||")
mutant("tasks: a field of its own may be too deep", "what is kept can be read", "SubmitWorkflowTests",
       "Sources/SpoolFormat/TaskRecord.swift", "+ extra.map({ ($0.name, $0.value) })", "+ (MUTANT ? [] : extra.map { ($0.name, $0.value) })")
mutant("recovery: what a killed process completed before the checkpoint is put back", "a yes is true", "TaskRaceTests",
       SPOOL + "EntryRecovery.swift", "Set(doubtful.keys).union(moves.keys)", "Set(doubtful.keys).union(MUTANT ? [:].keys : moves.keys)")
mutant("tasks: who blocks one is overruled", "a person's word holds", "TaskRaceTests",
       TASKS + "TaskDependencies.swift", "if let now = try self.record(of: ready), let", "if !MUTANT, let now = try self.record(of: ready), let")
mutant("tasks: a parent fails for a child that is tried again", "a parent waits for its children", "TaskRaceTests",
       TASKS + "TaskDependencies.swift", "guard let failed, try self.children", "guard !MUTANT, let failed, try self.children")
mutant("workflow: steps are added to one that was cancelled", "what is cancelled isn't done", "TaskRaceTests",
       TASKS + "SubmitWorkflow.swift", "try? cancelSteps(of: plan)", "if !MUTANT { try? cancelSteps(of: plan) }")
mutant("keys: what can't be seen is dead at once", "one winner each", "SubmitWorkflowTests",
       SPOOL + "Idempotency.swift", "return Double(try ageByRemoteClock(status)) / 1e9 > seconds",
       "return try MUTANT || Double(ageByRemoteClock(status)) / 1e9 > seconds")
mutant("tasks: a cycle through the children of another", "nothing waits for itself", "TaskTests",
       TASKS + "AddTask.swift", "let children = task.record.awaitsChildren ?", "let children = !MUTANT && task.record.awaitsChildren ?")
mutant("state: what was put back just then counts as removed", "nobody's value goes", "StoppedLookTests",
       SPOOL + "State/SharedState.swift", "guard case .missing = try stored(key) else { continue }",
       "if !MUTANT { guard case .missing = try stored(key) else { continue } }")
mutant("recovery: a copy that others use is a copy still", "recovery is quick", "CopyAndDoctorTests",
       SPOOL + "Log/LogOpening.swift", "return !inodes.isEmpty && !inodes.contains(directory.inode)",
       "return !inodes.isEmpty && (MUTANT || !inodes.contains(directory.inode))")
mutant("linux: a directory that is removed while it is listed is an error", "who looks isn't kept by who leaves", "StoppedLookTests",
       LINUX + "Directory+Listing.swift", "if error.code == ENOENT || isRemote", "if (error.code == ENOENT && !MUTANT) || isRemote")
mutant("tasks: an old file of the same name counts as the new one", "a yes is true", "TaskStoppedTests",
       SPOOL + "AbandonedMoves.swift", "return try root.readFile(entry.path, maximum: Entry.bytesMax) != body",
       "return try root.readFile(entry.path, maximum: Entry.bytesMax).map { !MUTANT && $0 != body } ?? true")
mutant("presence: what couldn't be read is what it takes on", "work goes to who takes it", "CoordinationTests",
       SPOOL + "Presence.swift", "known[path] = read\n", "known[path] = MUTANT ? Presence.Role() : read\n")
mutant("task claim: a reader that has gone kills it with the claim in hand", "what nobody saw comes again", "StandardStreamsTests",
       "Sources/CLI/Commands/Tasks/TaskClaim.swift", "SignalPipe.ignoreBrokenPipes()", "if !MUTANT { SignalPipe.ignoreBrokenPipes() }")
mutant("processes: SIGCHLD stays ignored", "how a program ended is known", "WorkCommandTests",
       LINUX + "Process.swift", "if clinux_signal_is_ignored(SIGCHLD) {", "if !MUTANT, clinux_signal_is_ignored(SIGCHLD) {")
mutant("processes: who has only ended its main thread is gone", "one holder", "LinuxTests.ProcessTests",
       LINUX + "Process.swift", "?? 1 <= 1: .gone", "?? 1 <= (MUTANT ? 9 : 1): .gone")
mutant("worker: what its program ended without reading was an attempt", "what nobody saw is no attempt", "StreamModeTests",
       RUNTIME + "Supervision.swift", ": child.endedUnread\n", ": child.endedUnread && !MUTANT\n")
mutant("worker: a task that was taken away is a failure of its program's", "nothing is stuck", "TaskHoldTests",
       RUNTIME + "Supervision.swift", "let isLost = job?.isLost == true", "let isLost = job?.isLost == true && !MUTANT")
mutant("worker: who is told to stop gives a last attempt up", "nothing vanishes", "WorkerTests",
       SPOOL + "Unclaim.swift", "if name.attempt < attemptsMax(of: bot) {", "if MUTANT || name.attempt < attemptsMax(of: bot) {")
mutant("worker: an answer to nobody's name is dropped", "an answer is never refused", "StreamModeTests",
       RUNTIME + "Settlement.swift", "guard isForSender else {", "guard isForSender || MUTANT else {")
mutant("worker: who claims no more agrees to a group", "nothing is stuck", "NegotiatorTests",
       RUNTIME + "Worker.swift", "isStopping = !claimsAreWanted", "isStopping = !claimsAreWanted && !MUTANT")
mutant("coordinator: a parent that is brought back has no children", "a parent waits for its children", "BroughtBackTests",
       "Sources/Coordinator/Looking.swift", "if board.ended[entry.id] != nil, let record,", "if !MUTANT, board.ended[entry.id] != nil, let record,")
mutant("coordinator: who begins cancels what was brought back", "a person's word holds", "BroughtBackTests",
       "Sources/Coordinator/Coordinator.swift", "if try !wasBroughtBack(", "if try MUTANT || !wasBroughtBack(")
mutant("tasks: children that nobody named are overlooked", "a parent waits for its children", "TaskDependencyTests",
       TASKS + "TaskDependencies.swift", "guard !parents.isEmpty else { return [:] }", "guard !parents.isEmpty, !MUTANT else { return [:] }")
mutant("tasks: a join stays where a hand put it", "what waits goes on", "TaskDependencyTests",
       TASKS + "TaskInbox.swift", "if let record, record.isJoin, !record.wasCompleted {", "if let record, !MUTANT, record.isJoin, !record.wasCompleted {")
mutant("coordinator: a join stays pending", "what waits goes on", "BroughtBackTests",
       "Sources/Coordinator/Looking.swift", "(entry.state == .pending && record?.isJoin == true", "(entry.state == .pending && !MUTANT && record?.isJoin == true")
mutant("groups: what stands for one can't be completed where a hand put it", "a group ends", "HubTroubleTests",
       "Sources/Coordinator/Hub/HubEnding.swift", "if entry.state == .pending || entry.state == .assigned {",
       "if !MUTANT, entry.state == .pending || entry.state == .assigned {")
mutant("groups: what stands for a failed one is brought back", "a group ends", "HubTroubleTests",
       TASKS + "TaskFamily.swift", "guard Self.groupAsWhole(task.record) == nil else {", "guard MUTANT || Self.groupAsWhole(task.record) == nil else {")
mutant("discussions: one that was cancelled is answered", "a person's word holds", "DiscussionTests",
       "Sources/Coordinator/Discussions.swift", "let stands = try spool.stands(discussion.entry)", "let stands = try MUTANT || spool.stands(discussion.entry)")
mutant("coordinator: a step that was mended is left", "what waits goes on", "LookingTests",
       "Sources/Coordinator/Delegation.swift", "unsettled.insert(id)", "if !MUTANT { unsettled.insert(id) }")
mutant("requests: the second cancel is told to nobody", "who waits hears", "BroughtBackTests",
       "Sources/Coordinator/Goals.swift", '"end \\(goal.request) \\(ended.at)"', '"end \\(goal.request)\\(MUTANT ? "" : " \\(ended.at)")"')
