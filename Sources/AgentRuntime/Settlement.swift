import Linux
import Spool
import SpoolFormat

/// What a worker does with a message or task when it knows what should become of it.
extension Worker {
  /// Done twice it does no harm.
  /// - Throws: `.claimLost`, with nothing changed; `.tryAgain` and its like, to be tried again.
  func carryOut(_ verdict: Verdict, of job: Slot.Job) throws {
    switch job.work {
    case .message(let claim): try carryOut(verdict, of: claim, since: job.started, unconfirmed: job.unconfirmed)
    case .task(let task): try carryOut(verdict, of: task, since: job.started)
    }
    // As though it had never been claimed: it isn't one of those that the worker is to do.
    if case .putBackUnseen = verdict { summary.claimed -= 1 }
  }

  /// Gives back what was begun and not finished, because the worker stops.
  func putBack(_ work: Work, _ reason: String) throws {
    switch work {
    case .message(let claim):
      try spool.release(claim.bot, claim.name, reason: reason)
      summary.requeued += 1
      report(.requeued(work, reason: reason, delay: 0))
    case .task(let task): try putBack(task, reason)
    }
  }

  /// Makes its lease begin anew.
  /// - Returns: false when it is somebody else's by now.
  func renew(_ work: Work) throws -> Bool {
    switch work {
    case .message(let claim):
      do { try spool.extend(claim.bot, claim.name) } catch let error as SpoolError where error.code == .claimLost {
        return false
      }
      return true
    case .task(let task): return try spool.renew(task.entry) || spool.stands(task.entry)
    }
  }
}

extension Worker {
  /// Replies, then acks; or puts back; or gives up, and tells the sender of a request that.
  /// Done twice it does no harm: a reply has an idempotency key.
  /// - Parameter unconfirmed: how often the disk didn't confirm the reply.
  /// - Throws: `.claimLost`, with nothing changed; `.tryAgain` and its like, to be tried again.
  private func carryOut(_ verdict: Verdict, of claim: Claim, since started: Int, unconfirmed: Int) throws {
    switch verdict {
    case .done(let answer):
      var kept: String?
      do { if case .message(let message) = answer { kept = try sendAnswer(message, to: claim, unconfirmed) } } catch let
        error
        as SpoolError where error.code == .badData
      {
        return try giveUp(claim, "its answer can't be sent: \(error.message)")
      }
      try spool.ack(claim.bot, claim.name, output: kept)
      summary.acked += 1
      report(.acked(.message(claim), seconds: Double(Clock.sinceBoot() - started) / 1e9))
    case .retry(let reason, let after, _):
      try putBack(claim, reason, delay: after ?? options.backoff.delay(after: claim.attempt))
    case .putBackUnseen(let reason):
      try spool.unclaim(claim.bot, claim.name, reason: reason)
      summary.requeued += 1
      report(.requeued(.message(claim), reason: reason, delay: 0))
    case .giveUp(let reason, _):
      try giveUp(claim, reason)
    }
  }

  private func putBack(_ claim: Claim, _ reason: String, delay: Double) throws {
    if try spool.nack(claim.bot, claim.name, delay: delay, reason: reason) {
      summary.requeued += 1
      report(.requeued(.message(claim), reason: reason, delay: delay))
    } else {
      noteDeath(of: claim, "\(Spool.givenUp(claim.attempt)); the last: \(reason)")
    }
  }

  private func giveUp(_ claim: Claim, _ reason: String) throws {
    try spool.bury(claim.bot, claim.name, reason: reason)
    noteDeath(of: claim, reason)
  }

  private func noteDeath(of claim: Claim, _ reason: String) {
    summary.dead += 1
    report(.dead(.message(claim), reason: reason))
    guard claim.message.type == nil || claim.message.type == .request else { return }
    do {
      guard try registeredSender(of: claim.message) != nil else { return }
      var notice = Message(content: "\(bot) gave up: \(reason)")
      notice.type = .error
      notice = try spool.reply(to: claim.message, from: bot.description, notice)
      notice.idempotencyKey = "error \(claim.name.id) \(bot)"
      try spool.send(notice, evenIfFull: true)
    } catch { report(.problem("cannot tell the sender of \(claim.name.id): \(error)", delay: 0)) }
  }

  /// Sends the answer to whom it is for; returns it when it is for nobody, to be kept with the ack.
  private func sendAnswer(_ answer: Message, to claim: Claim, _ unconfirmed: Int) throws -> String? {
    let kept = answer.content ?? answer.data?.description
    guard var reply = try addressed(answer, to: claim.message) else { return kept }
    reply.id = nil
    reply.createdAt = nil
    // An attempt that was cut off after its reply must not be answered twice.
    reply.idempotencyKey = "reply \(claim.name.id) \(bot)"
    // What the disk refused once it never confirms: better twice, by a line elsewhere in the log, than perhaps not at all.
    if unconfirmed > 0 { reply.idempotencyKey! += " ~\(unconfirmed + 1)" }
    // Somebody else may be at work on it, if its lease ran out: then nothing is sent.
    try spool.extend(claim.bot, claim.name)
    let isForSender = answer.to.isEmpty || answer.to == [claim.message.from]
    let id: MessageID
    do { id = try spool.send(reply, evenIfFull: isForSender) } catch let error as SpoolError
      where [.noSuchBot, .notFound].contains(error.code)
    {
      // Whoever asked is gone; but nobody would hear of a name that the program got wrong.
      guard isForSender else { throw SpoolError(.badData, error.message) }
      return kept
    }
    summary.replied += 1
    report(.replied(.message(claim), id))
    return nil
  }

  /// The reply, if there is anybody to get it: those the program names, else the sender, unless the message was itself an
  /// answer.
  private func addressed(_ answer: Message, to message: Message) throws -> Message? {
    if !answer.to.isEmpty {
      var reply = answer
      reply.from = bot.description
      reply.conversation = answer.conversation ?? message.conversationKey
      reply.inReplyTo = message.id?.description
      reply.priority = answer.priority ?? message.priority
      return reply
    }
    guard options.repliesToSender, !(message.type?.endsExchange ?? false), try registeredSender(of: message) != nil
    else { return nil }
    return try spool.reply(to: message, from: bot.description, answer)
  }

  /// - Throws: `.inputOutput` when that can't be found out.
  private func registeredSender(of message: Message) throws -> BotName? {
    guard let name = message.from, let sender = try? BotName(parsing: name) else { return nil }
    return try spool.exists(sender) ? sender : nil
  }
}
