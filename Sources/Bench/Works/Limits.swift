import Glibc
import Spool
import SpoolFormat

/// What happens at the limits: a thousand workers, a million files in an inbox, ten million messages in the log.
extension Work {
  // MARK: Workers

  /// `spool work` a thousand times, until the last has taken a message to all.
  static func workersBroadcast(_ bench: Bench, _ name: String) -> Work {
    Work(
      name: name, unit: "ms", targets: [.below(2000)],
      ours: Contender(SpoolService.name) {
        let crowd = try WorkerCrowd(bench.count(1000), in: bench.scratch)
        return Session(
          measure: { milliseconds(try crowd.broadcast(secondsMax: bench.secondsMax)) }, stop: { crowd.end() })
      })
  }

  /// Their processor time when nothing happens, per cent of a core, all together.
  static func workersIdle(_ bench: Bench, _ name: String) -> Work {
    Work(
      name: name, unit: "%", targets: [.below(5)],
      ours: Contender(SpoolService.name) {
        let crowd = try WorkerCrowd(bench.count(1000), in: bench.scratch)
        _ = try crowd.broadcast(secondsMax: bench.secondsMax)
        // So long they look more often, as something has just happened.
        try crowd.rest(seconds: 75)
        return Session(measure: { try crowd.busyPercent(seconds: 30) }, stop: { crowd.end() })
      })
  }

  /// The memory that is each one's own, on average.
  static func workersMemory(_ bench: Bench, _ name: String) -> Work {
    Work(
      name: name, unit: "MiB", targets: [.below(8)],
      ours: Contender(SpoolService.name) {
        let crowd = try WorkerCrowd(bench.count(1000), in: bench.scratch)
        _ = try crowd.broadcast(secondsMax: bench.secondsMax)
        return Session(measure: { try crowd.privateMemory() }, stop: { crowd.end() })
      })
  }

  // MARK: A full inbox

  static let fullInboxFiles = 1_000_000

  /// From opening the spool to the first of so many messages in hand.
  static func fullFirst(_ bench: Bench, _ name: String) -> Work {
    Work(
      name: name, unit: "ms", targets: [.below(5000)],
      ours: Contender(SpoolService.name) {
        let inbox = try FullInbox(bench.count(fullInboxFiles), in: bench.scratch)
        return Session(measure: { milliseconds(try inbox.firstTime()) }, stop: { inbox.end() })
      })
  }

  /// The memory of the process that takes the first of them.
  static func fullMemory(_ bench: Bench, _ name: String) -> Work {
    Work(
      name: name, unit: "MiB", targets: [.below(30)],
      ours: Contender(SpoolService.name) {
        let inbox = try FullInbox(bench.count(fullInboxFiles), in: bench.scratch)
        return Session(measure: { try inbox.receiverMemory() }, stop: { inbox.end() })
      })
  }

  /// A send to it, beside one to an empty inbox; limits are set, so that both are counted.
  static func fullSend(_ bench: Bench, _ name: String) -> Work {
    let times = bench.count(2000)
    return Work(
      name: name, unit: "µs", targets: [.atMost(2, of: Target.floor)],
      ours: Contender(SpoolService.name) {
        let inbox = try FullInbox(bench.count(fullInboxFiles), in: bench.scratch)
        return Session(measure: { try inbox.sendTime(times) }, stop: { inbox.end() })
      },
      floor: Contender("empty inbox") {
        let inbox = try FullInbox(0, in: bench.scratch)
        return Session(measure: { try inbox.sendTime(times) }, stop: { inbox.end() })
      })
  }

  /// 4 receivers that take from it at once, messages a second; beside the same from an inbox of a tenth.
  static func fullDrain(_ bench: Bench, _ name: String) -> Work {
    func contender(_ title: String, _ files: Int) -> Contender {
      Contender(
        title,
        measure: {
          let inbox = try FullInbox(bench.count(files), in: bench.scratch)
          defer { inbox.end() }
          return try inbox.drainRate(bench.count(90_000))
        })
    }
    return Work(
      name: name, unit: "msg/s", targets: [.atLeast(0.5, of: Target.floor)],
      ours: contender(SpoolService.name, fullInboxFiles), floor: contender("100,000 files", fullInboxFiles / 10))
  }

  /// A command that looks at it, as a process; beside `ls -f` of the inbox, which does no more than read the names.
  static func fullLook(_ bench: Bench, _ name: String, _ arguments: [String], atMost ratio: Double) -> Work {
    func contender(_ title: String, _ measure: @escaping (FullInbox) throws -> Int) -> Contender {
      Contender(title) {
        let inbox = try FullInbox(bench.count(fullInboxFiles), in: bench.scratch)
        return Session(measure: { milliseconds(try measure(inbox)) }, stop: { inbox.end() })
      }
    }
    return Work(
      name: name, unit: "ms", targets: [.atMost(ratio, of: Target.floor)],
      ours: contender(SpoolService.name) { try $0.lookTime(arguments) },
      floor: contender("ls -f") { try $0.listTime() })
  }

  // MARK: A long log

  static let longLogLines = 10_000_000

  /// One for all rows: it takes long to write.
  private static func longLog(_ bench: Bench) throws -> LongLog {
    let log = try bench.shared.longLog ?? LongLog(bench.count(longLogLines), in: bench.scratch)
    bench.shared.longLog = log
    return log
  }

  /// Every message with a rare phrase, beside `rg -c` on the same files.
  static func longLogSearch(_ bench: Bench, _ name: String) -> Work {
    var floor: Contender?
    if Processes.find(Ripgrep.program) != nil {
      floor = Contender("rg") {
        let (log, ripgrep) = (try longLog(bench), try Ripgrep())
        return Session(
          measure: {
            milliseconds(try ripgrep.time(LongLog.rarePhrase, in: log.files(), expected: log.rareMessages))
          }, stop: {})
      }
    }
    return Work(
      name: name, unit: "ms", targets: [.atMost(2, of: Target.floor)],
      ours: Contender(SpoolService.name) {
        let log = try longLog(bench)
        // Once for nothing, so that the files are in the page cache.
        _ = try log.time(.search)
        return Session(measure: { milliseconds(try log.time(.search)) }, stop: {})
      }, floor: floor)
  }

  /// The last 20 messages; the newest thread; all about a new message; about one from the middle: in the library, and the
  /// first of them as a command.
  static func longLog(_ bench: Bench, _ name: String, _ question: LongLog.Question, below bound: Double) -> Work {
    Work(
      name: name, unit: "ms", targets: [.below(bound)],
      ours: Contender(SpoolService.name) {
        let log = try longLog(bench)
        return Session(measure: { milliseconds(try log.time(question)) }, stop: {})
      })
  }
}
