#if DEBUG
  import Glibc
  import Linux
  import SpoolFormat
  import TestSupport

  @testable import Spool

  let spoolDeeds = [
    // The spool, the content, the key (or nothing), and the recipients. Tells the id, or the code of its refusal.
    Deed("send") { arguments in
      let spool = try Spool(at: arguments[0])
      var message = Message(content: arguments[1])
      message.idempotencyKey = arguments[2].isEmpty ? nil : arguments[2]
      message.to = Array(arguments[3...])
      do { say("\(try spool.send(message))") } catch let error as SpoolError {
        say("\(error.code)")
        throw error
      }
    },
    Deed("send with keys, five times") { arguments in
      let spool = try Spool(at: arguments[0])
      for round in 0..<5 {
        var message = Message(content: "\(round)")
        message.to = ["coder"]
        message.idempotencyKey = "key \(round)"
        say("\(try spool.send(message))")
      }
    },
    // Of one step. Tells the parent's id.
    Deed("submit a workflow with a key") { arguments in
      let spool = try Spool(at: arguments[0])
      let workflow = try Workflow(parsing: Array(#"{"title": "all", "steps": [{"name": "a"}]}"#.utf8))
      say("\(try spool.submit(workflow, Workflow.Origin(), key: "k").parent)")
    },
    Deed("open") { arguments in
      let spool = try Spool(at: arguments[0])
      say("\(spool.host) \(spool.recovery?.count ?? -1)")
    },
    // Tells what came. The file that traces calls hears when the spool is open, and when the message is sent.
    Deed("receive what was sent") { arguments in
      let spool = try Spool(at: arguments[0])
      try Plain.write(arguments[1], "opened\n", append: true)
      try spool.sendToCoder("x", durable: false)
      try Plain.write(arguments[1], "sent\n", append: true)
      say(try Inbox(spool, BotName(parsing: "coder")).receive(waiting: 5)?.message.content ?? "nothing")
    },
    // Tells where they are then. The file that traces calls hears when the spool is open.
    Deed("expire tasks") { arguments in
      let spool = try Spool(at: arguments[0])
      try Plain.write(arguments[1], "opened\n", append: true)
      var observations = TaskObservations()
      say(try spool.expireTasks(&observations).map(\.state.rawValue).joined(separator: " "))
    },
    // Of a message that went to `a` and `b`. The file that traces calls hears when it is claimed.
    Deed("renew twice") { arguments in
      let spool = try Spool(at: arguments[0])
      guard let claim = try Inbox(spool, BotName(parsing: "a")).claim() else { throw Failure("nothing there") }
      try Plain.write(arguments[1], "claimed\n", append: true)
      for _ in 0..<2 { try spool.extend(claim.bot, claim.name) }
    },
    Deed("take and ack") { arguments in
      let spool = try Spool(at: arguments[0])
      guard let claim = try Inbox(spool, BotName(parsing: arguments[1])).claim() else { throw Failure("nothing there") }
      try spool.ack(claim.bot, claim.name)
    },
    // Tells who it was.
    Deed("claim and die") { arguments in
      let spool = try Spool(at: arguments[0])
      try require(Inbox(spool, BotName(parsing: arguments[1])).claim() != nil, "there is something to claim")
      say("\(spool.holder)")
      die()
    },
    Deed("leave a claim and die") { arguments in
      let spool = try Spool(at: arguments[0])
      var message = Message(content: "x")
      message.to = [arguments[1]]
      let held = EntryName(
        urgency: 5, id: MessageID(time: Timestamp(microseconds: 1), random: 1), attempt: 1, place: .held(spool.holder))
      try Plain.write("\(spool.path)/bots/\(arguments[1])/claimed/\(held)", message.encoded)
      die()
    },
    // Tells to how many groups the bot has agreed when an hour seems to have passed.
    Deed("agree, and set the clock forward") { arguments in
      let spool = try Spool(at: arguments[0])
      let bot = try BotName(parsing: "coder")
      try spool.reserve(bot, for: spool.newIdentifier())
      try Plain.write(arguments[1], "3600")
      say("\(try spool.reservations(of: bot).count)")
    },
    Deed("take fifty as a sequence") { arguments in
      let spool = try Spool(at: arguments[0])
      var count = 0
      for try await claim in Messages(spool, try BotName(parsing: "coder")) {
        try spool.ack(claim.bot, claim.name)
        count += 1
        if count == 50 { break }
      }
    },
    Deed("wait for ten") { arguments in
      let spool = try Spool(at: arguments[0])
      try waitForTen(spool, by: arguments[1])
    },
    // How much memory there is for what a power cut may have left, in bytes.
    Deed("look for leftovers") { arguments in
      let root = try Directory(arguments[0])
      let before = try residentBytes()
      let leftovers = try Leftovers(root: root, isAlone: true, isOwn: { _ in true })
      say("\(try residentBytes() - before)")
      withExtendedLifetime(leftovers) {}
    },
    // How much memory it took at the most to read a message from a file, in bytes.
    Deed("parse") { arguments in
      let bytes = try Plain.read(arguments[0])
      let before = peakBytes()
      let message = try? Message(parsing: bytes)
      say("\(peakBytes() - before)")
      withExtendedLifetime(message) {}
    },
  ]

  /// What it has of memory now. A peak may be that of the process which started this one.
  private func residentBytes() throws -> Int {
    let pages = try Plain.text("/proc/self/statm").split(separator: " ")
    return (Int(pages[1]) ?? 0) * sysconf(Int32(_SC_PAGESIZE))
  }

  func peakBytes() -> Int {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss * 1024
  }

  private func waitForTen(_ spool: Spool, by mechanism: String) throws {
    let inbox = try Inbox(spool, BotName(parsing: "coder"), watching: DirectoryWatcher.Mechanism(rawValue: mechanism))
    try inbox.watch()
    try require((inbox.watchedDescriptor == nil) == (mechanism == "polling"), "it watches by \(mechanism)")
    let sent = try Pipe()
    let (wait, tell) = (sent.readEnd.raw, sent.writeEnd.raw)
    try Thread.detach {
      // Each only when the one before has been received.
      for number in 0..<10 {
        var byte: UInt8 = 0
        _ = Glibc.read(wait, &byte, 1)
        var message = Message(content: "\(number)")
        message.to = ["coder"]
        _ = try? spool.send(message)
      }
    }
    let took = try seconds {
      for number in 0..<10 {
        var byte: UInt8 = 1
        _ = Glibc.write(tell, &byte, 1)
        let claim = try inbox.receive(waiting: 30)
        try require(claim?.message.content == "\(number)", "number \(number) has come")
        try claim.map { try spool.ack($0.bot, $0.name) }
      }
    }
    // Found by the slow look, ten of them would take fifty seconds.
    try require(took < 35, "it took \(took) s")
  }
#endif
