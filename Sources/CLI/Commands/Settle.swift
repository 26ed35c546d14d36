import Spool
import SpoolFormat

extension Verb {
  private static let lostExits =
    "0 done, 3 one is no longer in hand, 65 a part of several, 69 no spool; the others are done all the same"

  static let ack = Verb(
    name: "ack", summary: "say that claimed messages are done", usage: "CLAIM…",
    example: "spool ack coder/5-20261120T234512.345678Z-0123456789abcdef~1~pi.0.5f3a.json", exits: lostExits
  ) { invocation in
    try forEachClaim(invocation) { spool, bot, name in try spool.ack(bot, name) }
  }

  static let nack = Verb(
    name: "nack", summary: "put claimed messages back, or give them up", usage: "CLAIM… [--delay DURATION] [--dead]",
    options: [
      .value("--delay", "DURATION", "not handed out again before that"),
      .value("--reason", "TEXT", "why; the log keeps it"),
      .flag("--dead", "dead-letter them at once"),
    ],
    example: "spool nack \"$claim\" --delay 5m --reason \"the compiler is down\"", exits: lostExits
  ) { invocation in
    let delay = try invocation.duration("--delay") ?? 0
    let reason = invocation.value("--reason")
    let isDead = invocation.has("--dead")
    if isDead, delay > 0 { throw UsageError("--dead or --delay, not both") }
    return try forEachClaim(invocation) { spool, bot, name in
      if isDead {
        try spool.bury(bot, name, reason: reason ?? "given up by hand")
      } else if try !spool.nack(bot, name, delay: delay, reason: reason ?? "nacked") {
        Output.talk(
          "given up: attempt \(name.attempt) was its last; put it back with: spool dead \(bot) --retry \(name.id)")
      }
    }
  }

  static let extend = Verb(
    name: "extend", summary: "renew the lease of claimed messages by one length", usage: "CLAIM…",
    example: "spool extend \"$claim\"", exits: lostExits
  ) { invocation in
    try forEachClaim(invocation) { spool, bot, name in try spool.extend(bot, name) }
  }

  private static func forEachClaim(
    _ invocation: Invocation, _ body: (Spool, BotName, EntryName) throws -> Void
  ) throws -> Exit {
    guard !invocation.operands.isEmpty else { throw UsageError("CLAIM is missing; receive prints it") }
    let spool = try invocation.spool()
    return try Invocation.forEach(invocation.operands) { operand in
      let (bot, name) = try spool.claim(named: operand)
      try body(spool, bot, name)
    }
  }
}
