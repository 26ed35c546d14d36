import Spool
import SpoolFormat

extension Verb {
  static let initialize = Verb(
    name: "init", summary: "make a spool in an empty or new directory (else $SPOOL_DIR, else here)", usage: "[DIR]",
    options: [
      .value("--lease", "DURATION", "how long a claim stands without being renewed (60s)"),
      .value("--attempts", "N", "claims of one message before it is dead-lettered (5)"),
      .value("--durability", "LEVEL", "durable (survives a power cut) or relaxed (does not); durable unless told"),
      .value("--shared", "GROUP", "for several users, the members of GROUP (a name or a number)"),
    ] + limitOptions,
    example: "spool init /tmp/team && export SPOOL_DIR=/tmp/team",
    exits:
      "0 made, or there already; 69 a later format; 73 other things or settings are there, or no such group; 77 you aren't in it"
  ) { invocation in
    try invocation.expect(atMost: 1)
    if let named = invocation.operands.first, let other = invocation.value("--spool"), named != other {
      throw UsageError("\(named.escapedForTerminal()) or --spool \(other.escapedForTerminal()): which of them?")
    }
    let path = invocation.operands.first ?? invocation.value("--spool") ?? Invocation.environment("SPOOL_DIR") ?? "."
    let lease = try invocation.duration("--lease")
    let attempts = try invocation.number("--attempts", in: 1...EntryName.attemptMax)
    let durability = try invocation.value("--durability").map { try Durability(parsing: $0) }
    if let lease, lease < 0.1 { throw UsageError("--lease is at least 100ms") }
    let isNew = try Spool.create(at: path, sharedWith: invocation.value("--shared")) { settings in
      if let lease { settings.leaseSeconds = lease }
      if let attempts { settings.attemptsMax = attempts }
      try invocation.readLimits(into: &settings.inboxLimits)
      if let durability { settings.durability = durability }
    }
    let spool = try Spool(at: path)
    if invocation.isJSON {
      invocation.output.object { writer in
        writer.member("spool", path)
        writer.member("id", spool.settings.identity)
        writer.member("made", isNew)
        writer.member("shared_with", ifPresent: spool.settings.sharedWith)
      }
    } else {
      let here = Invocation.workingDirectory()
      let fromAnywhere = path.hasPrefix("/") ? path : path == "." ? here : "\(here)/\(path)"
      Output.talk(
        isNew
          ? "made a spool in \(path); next: export SPOOL_DIR=\(fromAnywhere.quotedForShell)"
          : "\(path) is a spool already; nothing was changed")
    }
    return .done
  }
}
