import Glibc
import Linux
import Spool
import SpoolFormat

/// What happens to a message between its claim and its settlement: a process works on it, its lease is renewed, its time
/// runs out.
extension Worker {
  func begin(_ claim: Claim, in slot: Slot) {
    let now = Clock.sinceBoot()
    slot.job = Slot.Job(
      claim: claim, started: now, renewAt: now + renewNanoseconds,
      deadline: options.timeout.map { now + Int(min($0, 1e9) * 1e9) } ?? .max)
    var message = claim.message
    if message.to.isEmpty { message.to = [bot.description] }
    let line = message.encoded + [UInt8(ascii: "\n")]
    if let child = slot.child {
      child.give(line)
    } else {
      start(slot, line, environment(of: claim))
    }
  }

  private var renewNanoseconds: Int { Int(inbox.lease * 1e9) / 4 }

  private func environment(of claim: Claim?) -> [String: String] {
    var variables = ["SPOOL_DIR": spoolPath, "SPOOL_BOT": bot.description]
    guard let claim else { return variables }
    variables["SPOOL_ID"] = claim.name.id.description
    variables["SPOOL_ATTEMPT"] = String(claim.attempt)
    variables["SPOOL_FROM"] = Self.withoutNUL(claim.message.from ?? "")
    variables["SPOOL_CONVERSATION"] = Self.withoutNUL(claim.message.conversationKey ?? "")
    variables["SPOOL_CLAIM"] = claim.token
    return variables
  }

  /// No variable can hold one: what followed it would be lost.
  private static func withoutNUL(_ text: String) -> String { text.contains("\0") ? text.filter { $0 != "\0" } : text }

  private func start(_ slot: Slot, _ message: [UInt8]?, _ environment: [String: String]) {
    do {
      slot.child = try Child(options.arguments, environment: environment, message: message)
      claimFailures = 0
    } catch {
      let failure = Self.cannotRun(options.arguments[0], error)
      let isGone = "\(error.call)" == "execvp" && [ENOENT, EACCES, ENOTDIR, ENOEXEC, ELOOP, EPERM].contains(error.code)
      if isGone { fail(failure) } else { pauseClaims(failure.message) }
      if slot.job != nil {
        slot.job?.verdict = .retry(failure.message)
        slot.job?.settleAt = 0
        settle(slot)
      } else if !isGone {
        restartLater(slot, failure.message)
      }
    }
  }

  private func restartLater(_ slot: Slot, _ reason: String) {
    slot.countFailure()
    // The first time at once: most often it is one bad message.
    let delay = slot.failures < 2 ? 0 : options.backoff.delay(after: slot.failures - 1)
    slot.restartAt = Clock.sinceBoot() + Int(delay * 1e9)
    report(.restarting(reason: reason, delay: delay))
  }

  /// Does what the time says.
  func step(_ slot: Slot, _ now: Int) {
    slot.child?.step(now)
    if let job = slot.job, !job.isLost {
      if now >= job.renewAt { renew(slot, now) }
      if now >= job.deadline, job.verdict == nil {
        slot.end(.retry("timed out after \(Self.seconds(options.timeout!))")) { $0.terminate() }
      }
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
    guard let claim = slot.job?.claim else { return }
    slot.job?.renewAt = now + renewNanoseconds
    do { try spool.extend(claim.bot, claim.name) } catch let error as SpoolError where error.code == .claimLost {
      lose(slot)
    } catch { report(.problem("\(error)", delay: inbox.lease / 4)) }
  }

  /// The claim is somebody else's: what works on it here must end at once.
  private func lose(_ slot: Slot) {
    guard let job = slot.job, !job.isLost else { return }
    summary.lost += 1
    report(.lost(job.claim))
    slot.job?.isLost = true
    if let child = slot.child, job.settleAt == nil { child.kill() } else { slot.job = nil }
  }

  /// Does what the poll set says.
  func respond(_ slot: Slot) {
    guard let child = slot.child else { return }
    child.respond(to: poll) { report(.errorOutput($0)) }
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
          slot.job?.verdict = try Verdict(line: line, answering: job.claim.message)
          slot.job?.settleAt = 0
          slot.countAnswer()
          settle(slot)
        } catch {
          let shown = String(decoding: line.prefix(80), as: UTF8.self).escapedForTerminal()
          slot.end(.retry("its answer is no message (\(error)): \(shown)")) { $0.kill() }
        }
      } else if child.refusesInput, !child.isEnding {
        slot.end(.retry("it closed its standard input")) { $0.kill() }
      } else if child.hasClosedOutput {
        // Most often it is just ending; its status says more than this.
        child.close()
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
    if options.isStream, claimsAreWanted { restartLater(slot, Verdict.reason(ending, child.errorTail)) }
    guard let job = slot.job, job.settleAt == nil else { return }
    if job.isLost {
      slot.job = nil
      return
    }
    if job.verdict == nil {
      slot.job?.verdict =
        options.isStream
        ? .retry("it ended without an answer: " + Verdict.reason(ending, child.errorTail))
        : Verdict(ending, output: child.takeOutput(), errorTail: child.errorTail)
    }
    slot.job?.settleAt = 0
    settle(slot)
  }

  // MARK: Verdicts

  /// Carries the verdict out. What can't be done now (a full disk) stays in hand, renewed, and is tried again, without
  /// running the program once more; when the worker is stopping, it goes back instead.
  private func settle(_ slot: Slot) {
    guard let job = slot.job, let verdict = job.verdict else { return }
    do {
      if stops > 0, let problem = job.problem {
        try putBack(job.claim, problem)
      } else {
        try carryOut(verdict, of: job.claim, since: job.started)
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
      slot.job?.settleAt = Clock.sinceBoot() + Int(delay * 1e9)
      report(.problem("\(error)", delay: delay))
      checkSpool()
      if fatal != nil { slot.job = nil }
    }
  }

  /// Ends at once: kills what runs, and puts back what is in hand.
  func abandon(_ reason: String) {
    for slot in slots {
      slot.child?.killAndWait()
      slot.child = nil
      guard let job = slot.job else { continue }
      slot.job = nil
      guard !job.isLost else { continue }
      do { try putBack(job.claim, reason) } catch { report(.problem("\(error)", delay: 0)) }
    }
  }
}
