import Linux
import Spool
import SpoolFormat

extension Verb {
  static let receive = Verb(
    name: "receive", summary: "take the next message out of a bot's inbox", usage: "BOT [--wait DURATION] [--ack]",
    options: [
      .value("--wait", "DURATION", "wait until one comes (default: don't)"),
      .flag("--ack", "settle it at once: it is lost if you die before you have read it"),
    ],
    example: "spool receive coder --wait 30s", exits: "0 got one, 1 none, 67 no such bot, 69 no spool"
  ) { invocation in
    try invocation.expect(atMost: 1)
    let name = try invocation.operand(0, "BOT")
    let wait = try invocation.duration("--wait") ?? 0
    let spool = try invocation.spool()
    let bot = try spool.bot(named: name)
    // Nobody stands behind the claim once this command has ended: it lasts for its lease.
    let inbox = try Inbox(spool, bot, detached: true)
    let began = TimeText.now()
    let reader = wait > 0 ? ReaderWatch(of: 1) : nil
    // A message that nobody saw must come again.
    SignalPipe.ignoreBrokenPipes()
    let claim = try inbox.receive(waiting: wait, interruption: reader?.descriptor)
    // A typo in what was just dropped is best told at once.
    for aside in (try? spool.quarantined(since: began)) ?? [] {
      Output.talk("set aside: \(aside.reason.escapedForTerminal()) (see: \(spool.path)/quarantine/\(aside.name))")
    }
    guard let claim else {
      if reader?.isGone == true {
        Output.talk("spool: nobody reads standard output any more")
        return .inputOutput
      }
      let backlog = try? spool.backlog(of: bot)
      var rest: [String] = []
      if let backlog, let next = backlog.nextDue {
        rest.append("\(backlog.delayed) will, from \(TimeText.local(next)) on")
      }
      if let backlog, backlog.claimed > 0 { rest.append("\(backlog.claimed) in hand: spool inbox \(bot)") }
      Output.talk((["nothing waits for \(bot)"] + rest).joined(separator: "; "))
      return .nothing
    }
    show(claim, spool, invocation)
    // Shown before it is settled.
    guard invocation.output.finish(.done, isNeeded: true) == .done else {
      try spool.unclaim(bot, claim.name, reason: "could not be shown")
      return .inputOutput
    }
    if invocation.has("--ack") {
      try spool.ack(bot, claim.name)
    } else if !invocation.isJSON {
      let lease = TimeText.short(microseconds: Int(inbox.lease * 1e6))
      Output.talk("yours for \(lease); settle it with: spool ack \(claim.token)")
    }
    return .done
  }

  private static func show(_ claim: Claim, _ spool: Spool, _ invocation: Invocation) {
    if invocation.isJSON {
      invocation.output.object { writer in
        writer.member("claim", claim.token)
        writer.member("attempt", claim.attempt)
        writer.member("path", "\(spool.path)/\(claim.path)")
        MessageView.write(claim.sender, to: &writer)
        MessageView.write(claim.message, to: &writer)
      }
      return
    }
    let message = claim.message
    var about =
      "from \(Output.excerpt(message.from ?? "nobody", 64))\(MessageView.words(claim.sender)), \(message.type.map { "\($0), " } ?? "")attempt \(claim.attempt)"
    if let conversation = message.conversation { about += ", conversation \(Output.excerpt(conversation, 64))" }
    Output.talk(about)
    let says = message.says
    invocation.output.line(invocation.output.isTerminal ? says.escapedForTerminal(keepingLines: true) : says)
  }
}
