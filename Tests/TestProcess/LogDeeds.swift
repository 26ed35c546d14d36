#if DEBUG
  import Glibc
  import Linux
  import SpoolFormat
  import Synchronization
  import TestSupport

  @testable import Spool

  let logDeeds = [
    // Three threads of 60 lines each, two of which share a spool. Tells what went wrong.
    Deed("append") { arguments in
      let (path, process) = (arguments[0], arguments[1])
      let failures = Mutex<[String]>([])
      let shared = try Spool(at: path)
      try Thread.run(
        (0..<3).map { thread in
          { @Sendable in
            do {
              let spool = thread == 0 ? try Spool(at: path) : shared
              for number in 0..<60 {
                try spool.log.appendPadding("\(process)-\(thread)-\(number)", number * 7)
              }
            } catch { failures.withLock { $0.append("\(error)") } }
          }
        })
      for failure in failures.withLock({ $0 }) { say(failure) }
    },
    // A file and what is put at its end may be given: half a line.
    Deed("die with the lock") { arguments in
      let spool = try Spool(at: arguments[0])
      _ = try spool.log.page.lock.lock(seconds: 5)
      if arguments.count > 2 { try Plain.write(arguments[1], arguments[2], append: true) }
      die()
    },
    // All of it, forwards and backwards. Tells how many events there are, and how much memory that took at the most.
    Deed("read the log") { arguments in
      let spool = try Spool(at: arguments[0])
      let before = peakBytes()
      var count = 0
      try History(spool).forEach(History.Filter()) { _ in
        count += 1
        return true
      }
      let newest = try History(spool).newest(History.Filter(), limit: .max).count
      try require(newest == count, "\(newest) backwards are \(count) forwards")
      say("\(count) \(peakBytes() - before)")
    },
    // The file that traces calls hears when the spool is open.
    Deed("append one") { arguments in
      let spool = try Spool(at: arguments[0])
      if arguments.count > 1 { try Plain.write(arguments[1], "opened\n", append: true) }
      try? spool.log.appendPadding("one", 2000)
    },
    // A message with a key, synced twice after its segment has ended, and then sent again under its key. Tells each answer;
    // the file that traces calls hears when it is synced first.
    Deed("sync what has ended") { arguments in
      let spool = try Spool(at: arguments[0])
      func answer(_ body: () throws -> Void) throws {
        do {
          try body()
          say("yes")
        } catch let error as SpoolError { say("\(error.code)") }
      }
      var message = Message(content: "x")
      message.id = spool.newIdentifier()
      message.to = ["coder"]
      message.idempotencyKey = "k"
      let key = IdempotencyKey(text: "k", from: nil, to: ["coder"], askedFor: nil, user: nil)
      try require(key.take(for: message.id!, by: spool.holder, in: spool.root), "the key is new")
      let parcel = try Parcel(message, [BotName(parsing: "coder")], spool)
      let receipt = try spool.log.append(.messageSent, parcel.subject) { parcel.writeLogData(to: &$0) }!
      try spool.log.appendPadding("next", 4000)
      if arguments.count > 1 { try Plain.write(arguments[1], "syncs\n", append: true) }
      for _ in 0..<2 { try answer { try spool.log.waitUntilSynced(receipt) } }
      if arguments.count > 1 { try Plain.write(arguments[1], "synced\n", append: true) }
      message.id = nil
      try answer { try spool.send(message, durability: .durable) }
    },
    Deed("append without descriptors") { arguments in
      let spool = try Spool(at: arguments[0])
      var limit = rlimit()
      getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
      limit.rlim_cur = 0
      setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
      do { try spool.log.append(.botRegistered, "x") { $0.int(1) } } catch {
        say("refused")
      }
    },
    Deed("send durably") { arguments in try Spool(at: arguments[0]).sendToCoder(arguments[1], durable: true) },
    // With half a line in it, if one is given.
    Deed("die with room") { arguments in
      let spool = try Spool(at: arguments[0])
      try spool.makeRoom()
      if !arguments[1].isEmpty {
        _ = try spool.log.page.lock.lock(seconds: 5)
        try spool.writeAtEnd(Array(arguments[1].utf8))
      }
      die()
    },
    Deed("die with a line in room that isn't counted") { arguments in
      let spool = try Spool(at: arguments[0])
      try spool.makeRoom()
      _ = try spool.log.page.lock.lock(seconds: 5)
      let line = LogEvent.line(
        kind: .botRegistered, subject: "b", source: "/x/1.1", number: 1, time: Timestamp(microseconds: Clock.wall())
      ) { $0.int(1) }
      try spool.writeAtEnd(line)
      die()
    },
    Deed("send where no file may be long") { arguments in
      signal(SIGXFSZ, SIG_IGN)
      let spool = try Spool(at: arguments[0])
      var limit = rlimit(rlim_cur: 100_000, rlim_max: .max)
      setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
      try spool.log.hurry()
      for number in 0..<20 { try spool.sendToCoder("\(number)", durable: true) }
      try require(!spool.log.page.hasRoom, "there is no room")
    },
    // Tells which it was answered with yes; the file that traces calls hears when the spool is open.
    Deed("send three in a hurry") { arguments in
      let spool = try Spool(at: arguments[0])
      if arguments.count > 1 { try Plain.write(arguments[1], "opened\n", append: true) }
      for number in 0..<3 {
        try spool.log.hurry()
        guard (try? spool.sendToCoder("\(number)", durable: true)) != nil else { continue }
        say("\(number)")
      }
    },
  ]

  extension LogWriter {
    func appendPadding(_ subject: String, _ padding: Int) throws {
      try append(.messageSent, subject) { writer in
        writer.beginObject()
        writer.member("padding", String(repeating: "x", count: padding))
        writer.endObject()
      }
    }

    /// As though this process had sent as many as it takes to get room, and of that the least, however fast it is.
    func hurry() {
      for _ in 0..<16 { pace.withLock { $0.note(Clock.sinceBoot(), written: .max) } }
    }
  }

  extension Spool {
    func sendToCoder(_ content: String, durable: Bool) throws {
      var message = Message(content: content)
      message.to = ["coder"]
      try send(message, durability: durable ? .durable : .relaxed)
    }

    /// Sends one message as though it were one of many, and keeps the room that it gets for as long as the test takes.
    func makeRoom(_ content: String = "first") throws {
      try log.hurry()
      try sendToCoder(content, durable: true)
      guard try log.page.hasRoom else { throw Failure("it got no room") }
      try log.page.roomUsed = Clock.sinceBoot() + 3600 * 1_000_000_000
    }

    fileprivate func writeAtEnd(_ bytes: [UInt8]) throws {
      let segment = try Layout.segment(of: host, log.page.segmentStart)
      _ = try root.open(segment, O_WRONLY).writeOnce(bytes, at: log.page.segmentEnd)
    }
  }
#endif
