import Glibc
import Linux
import Spool
import SpoolFormat

/// What happens to a message or task between its claim and its settlement: a process works on it, its lease is renewed,
/// its time runs out.
extension Worker {
  func begin(_ work: Work, in slot: Slot) {
    let now = Clock.sinceBoot()
    let timeout = timeout(of: work)
    slot.job = Slot.Job(
      work: work, started: now, timeout: timeout, renewAt: now + renewNanoseconds,
      deadline: timeout.map { now + Int(min($0, 1e9) * 1e9) } ?? .max)
    let line: [UInt8]
    do { line = try input(of: work) } catch {
      let code = (error as? SpoolError)?.code
      // What a limit refuses for a moment says nothing of the work.
      if code == .tryAgain { pauseClaims("\(error)") }
      slot.job?.verdict =
        code == .badData ? .giveUp("\(error)") : code == .tryAgain ? .putBackUnseen("\(error)") : .retry("\(error)")
      slot.job?.settleAt = 0
      return settle(slot)
    }
    if let child = slot.child {
      claimFailures = 0
      child.give(line)
    } else {
      start(slot, line, environment(of: work))
    }
  }

  /// What the worker allows or what the task allows, whichever is less.
  private func timeout(of work: Work) -> Double? {
    guard case .task(let task) = work, let own = task.record.timeoutSeconds else { return options.timeout }
    return min(own, options.timeout ?? own)
  }

  /// One line of JSON.
  private func input(of work: Work) throws -> [UInt8] {
    switch work {
    case .message(let claim):
      var message = claim.message
      if message.to.isEmpty { message.to = [bot.description] }
      if let sender = claim.sender { message.tell(of: sender) }
      return message.encoded + [UInt8(ascii: "\n")]
    case .task(let task): return try TaskInput(task, spool).line
    }
  }

  private var renewNanoseconds: Int { Int(source.lease * 1e9) / 4 }

  private func environment(of work: Work?) -> [String: String] {
    var variables = ["SPOOL_DIR": spoolPath, "SPOOL_BOT": bot.description]
    variables["SPOOL_CARD"] = "\(spoolPath)/\(spool.cardPath(of: bot))"
    // Read each time: what is changed in the card counts from the next message on. What can't stand in an environment
    // is in the file. Empty without one, or a bot that another one started would have the other's.
    let card = try? spool.card(of: bot)
    func put(_ name: String, _ text: String?, bytesMax: Int) {
      variables[name] = text.map { $0.utf8.count <= bytesMax ? Self.withoutNUL($0) : "" } ?? ""
    }
    put("SPOOL_PERSONALITY", card?.personality, bytesMax: Card.personalityBytesMax)
    put("SPOOL_INSTRUCTIONS", card?.instructions, bytesMax: Card.instructionsBytesMax)
    guard let work else { return variables }
    variables["SPOOL_ATTEMPT"] = String(work.attempt)
    switch work {
    case .message(let claim):
      variables["SPOOL_ID"] = claim.name.id.description
      variables["SPOOL_FROM"] = Self.withoutNUL(claim.message.from ?? "")
      // Only where users share the spool.
      variables["SPOOL_FROM_VERIFIED"] = claim.sender.map { "\($0.isVerified)" }
      variables["SPOOL_FROM_USER"] = claim.sender?.name
      variables["SPOOL_CONVERSATION"] = Self.withoutNUL(claim.message.conversationKey ?? "")
      variables["SPOOL_CLAIM"] = claim.token
    case .task(let task):
      variables["SPOOL_TASK"] = task.id.description
      if let part = GroupPart(task.record) { variables["SPOOL_GROUP"] = part.group.description }
      variables["SPOOL_CONVERSATION"] = Self.withoutNUL(task.record.conversation ?? "")
    }
    return variables
  }

  /// No variable can hold one: what followed it would be lost.
  private static func withoutNUL(_ text: String) -> String { text.contains("\0") ? text.filter { $0 != "\0" } : text }

  private func start(_ slot: Slot, _ message: [UInt8]?, _ environment: [String: String]) {
    do {
      slot.child = try Child(
        options.arguments, environment: environment, message: message, tellsProgress: options.work != .messages)
      claimFailures = 0
    } catch {
      let failure = Self.cannotRun(options.arguments[0], error)
      let isGone = "\(error.call)" == "execvp" && [ENOENT, EACCES, ENOTDIR, ENOEXEC, ELOOP, EPERM].contains(error.code)
      if isGone { fail(failure) } else { pauseClaims(failure.message) }
      if slot.job != nil {
        // These are of what it was to be given, which is given up in the end; whatever else, nobody has seen it.
        let isTooLarge = [E2BIG, EFBIG].contains(error.code)
        slot.job?.verdict = isTooLarge ? .retry(failure.message) : .putBackUnseen(failure.message)
        slot.job?.settleAt = 0
        settle(slot)
      } else if !isGone {
        restartLater(slot, after: nil, failure.message)
      }
    }
  }

  private func restartLater(_ slot: Slot, after job: Slot.Job?, _ reason: String, isUnread: Bool = false) {
    // What was taken away it was killed for: that is no failure.
    let isLost = job?.isLost == true
    // What failed before waits for longer each time, of itself, and must not make all others wait; what was never read
    // doesn't wait.
    if !isLost, job.map({ $0.work.attempt == 1 || isUnread }) ?? true { slot.countFailure() }
    // The first time at once: most often it is one bad message.
    let delay = isLost || slot.failures < 2 ? 0 : options.backoff.delay(after: slot.failures - 1)
    slot.restartAt = Clock.sinceBoot() + Int(delay * 1e9)
    report(.restarting(reason: reason, delay: delay))
  }

  /// Does what the time says.
  func step(_ slot: Slot, _ now: Int) {
    slot.child?.step(now)
    if let job = slot.job, !job.isLost {
      if now >= job.renewAt { renew(slot, now) }
      if now >= job.deadline, job.verdict == nil {
        slot.end(.retry("timed out after \(Self.seconds(job.timeout!))")) { $0.terminate() }
      }
      if job.progress != nil, now >= job.progressAt { tellProgress(slot, now) }
      if let at = job.settleAt, now >= at || stops > 0 { settle(slot) }
    }
    if let child = slot.child, child.isFinished { finish(slot, child) }
    if options.isStream, slot.child == nil, now >= slot.restartAt, claimsAreWanted {
      start(slot, nil, environment(of: nil))
    }
  }

  private static func seconds(_ value: Double) -> String {
    value == value.rounded() && value < 1e15 ? "\(Int(value)) s" : "\(value) s"
  }

  private func renew(_ slot: Slot, _ now: Int) {
    guard let work = slot.job?.work else { return }
    slot.job?.renewAt = now + renewNanoseconds
    do { if try !renew(work) { lose(slot) } } catch { report(.problem("\(error)", delay: source.lease / 4)) }
  }

  /// Looks whether what is in hand is still ours. Only tasks are taken away by somebody who tells.
  func check(_ slot: Slot) {
    guard let job = slot.job, !job.isLost, case .task(let task) = job.work else { return }
    // What can't be told now is told when it is renewed.
    if let isOurs = try? spool.stands(task.entry), !isOurs { lose(slot) }
  }

  /// How often the progress of a task is told at most.
  private static let progressNanoseconds = 300_000_000

  private func tellProgress(_ slot: Slot, _ now: Int) {
    guard let job = slot.job, !job.isLost, let progress = job.progress, case .task(let task) = job.work else { return }
    slot.job?.progress = nil
    slot.job?.progressAt = now + Self.progressNanoseconds
    do {
      let told = try spool.progress(
        task.entry, percent: progress.percent, text: progress.text, by: bot.description)
      if told != nil { return report(.progressed(job.work, progress)) }
      if try !spool.stands(task.entry) { lose(slot) }
    } catch { report(.problem("\(error)", delay: 0)) }
  }

  /// It is somebody else's: what works on it here must end at once.
  private func lose(_ slot: Slot) {
    guard let job = slot.job, !job.isLost else { return }
    summary.lost += 1
    report(.lost(job.work))
    slot.job?.isLost = true
    if let child = slot.child, job.settleAt == nil { child.kill() } else { slot.job = nil }
  }

  /// Does what the poll set says.
  func respond(_ slot: Slot) {
    guard let child = slot.child else { return }
    child.respond(to: poll) { report(.errorOutput($0)) }
    if let progress = child.takeProgress() {
      let told = progress.after(slot.job?.progress)
      slot.job?.progress = told
    }
    if options.isStream { readAnswers(slot, child) }
    if child.received.count > Message.bytesMax + 1 {
      slot.end(.giveUp("printed more than the \(Message.bytesMax) bytes that a message may have")) { $0.kill() }
      _ = child.takeOutput()
    }
  }

  private func readAnswers(_ slot: Slot, _ child: Child) {
    if let job = slot.job, job.verdict == nil, !job.isLost {
      if let line = child.takeLine() {
        do {
          slot.job?.verdict = try Verdict(line: line, answering: job.work)
          slot.job?.settleAt = 0
          slot.countAnswer()
          settle(slot)
        } catch {
          let shown = String(decoding: line.prefix(80), as: UTF8.self).escapedForTerminal()
          slot.end(
            .retry("its answer is \(options.work == .messages ? "no message" : "no result") (\(error)): \(shown)")
          ) { $0.kill() }
        }
      } else if child.refusesInput || child.hasClosedOutput {
        // Its status says more than this.
        child.expectEnd()
      }
    }
    let isIdle = slot.job.map { $0.settleAt != nil } ?? true
    if isIdle, child.hasStrayOutput, !child.isEnding {
      // Whatever it answers from here on may belong to another message.
      report(.problem("it printed more than one line for a message, or one that nobody asked for", delay: 0))
      child.kill()
    } else if isIdle, child.hasUnreadInput, !child.isEnding {
      // The rest of that message would stand before the next one.
      report(.problem("it answered before it had read all of its message", delay: 0))
      child.kill()
    }
  }

  /// The process has ended, and all it printed is here.
  private func finish(_ slot: Slot, _ child: Child) {
    slot.child = nil
    let ending = child.ending!
    let reason = Verdict.reason(ending, child.errorTail)
    let before = slot.job
    // Only then: what is put back unseen leaves more to be claimed.
    defer {
      if options.isStream, claimsAreWanted { restartLater(slot, after: before, reason, isUnread: child.endedUnread) }
    }
    guard let job = before, job.settleAt == nil else { return }
    if job.isLost {
      slot.job = nil
      return
    }
    if job.verdict == nil {
      slot.job?.verdict =
        !options.isStream
        ? Verdict(ending, of: job.work, output: child.takeOutput(), errorTail: child.errorTail)
        : child.endedUnread
          ? .putBackUnseen("it ended before it read anything: \(reason)")
          : .retry("it \(child.refusesInput ? "closed its standard input" : "ended without an answer"): \(reason)")
    }
    slot.job?.settleAt = 0
    settle(slot)
  }

  // MARK: Verdicts

  /// Carries the verdict out. What can't be done now (a full disk) stays in hand, renewed, and is tried again, without
  /// running the program once more; when the worker is stopping, it goes back instead.
  private func settle(_ slot: Slot) {
    tellProgress(slot, Clock.sinceBoot())
    guard let job = slot.job, !job.isLost, let verdict = job.verdict else { return }
    do {
      if stops > 0, let problem = job.problem {
        try putBack(job.work, problem)
      } else {
        try carryOut(verdict, of: job)
      }
      slot.job = nil
    } catch let error as SpoolError where error.code == .claimLost {
      lose(slot)
      slot.job = nil
    } catch {
      guard stops == 0 else {
        // Its holder is about to be dead: others take it then.
        report(.problem("\(error)", delay: 0))
        slot.job = nil
        return
      }
      let delay = Self.troubleBackoff.delay(after: job.failures + 1)
      slot.job?.failures += 1
      slot.job?.problem = "\(error)"
      if (error as? SpoolError)?.code == .outcomeUnknown { slot.job?.unconfirmed += 1 }
      slot.job?.settleAt = Clock.sinceBoot() + Int(delay * 1e9)
      report(.problem("\(error)", delay: delay))
      checkSpool()
      if fatal != nil { slot.job = nil }
    }
  }

  /// Ends at once: kills what runs, and puts back what is in hand.
  func abandon(_ reason: String) {
    negotiator?.abandon()
    for slot in slots {
      slot.child?.killAndWait()
      slot.child = nil
      guard let job = slot.job else { continue }
      slot.job = nil
      guard !job.isLost else { continue }
      do { try putBack(job.work, reason) } catch { report(.problem("\(error)", delay: 0)) }
    }
  }
}
