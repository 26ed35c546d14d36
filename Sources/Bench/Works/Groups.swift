import CoordinatorPolicy
import Glibc
import Linux
import Spool
import SpoolFormat

extension Work {
  /// The choice among the offers of 1,000 bots of 10 skills each, of which 4 are wanted: costs, set and explanation.
  static func matching(_ bench: Bench, _ name: String) -> Work {
    let times = bench.count(200)
    return Work(
      name: name, unit: "ms", targets: [.below(1)],
      ours: Contender(SpoolService.name) {
        let offers = try (0..<1000).map { number in
          let skills = (0..<10).map { index in
            Card.Skill(name: "skill\((number * 7 + index * 13) % 60)", level: Card.Level.allCases[(number + index) % 4])
          }
          var offer = SkillOffer(bot: try BotName(parsing: "bot\(number)"), skills: skills)
          offer.seconds = Double(number % 97)
          offer.load = number % 3
          offer.capacity = 4
          return offer
        }
        let wanted = [3, 17, 29, 41].map { Card.Skill(name: "skill\($0)", level: .advanced) }
        return Session(
          measure: {
            let began = nanoseconds()
            for _ in 0..<times {
              let selection = Selection(offers, wanted: wanted, size: 1...5, records: { _ in nil }, fairness: 0.3)
              guard selection.matching.isCovered else { throw BenchError("no group was found") }
            }
            return milliseconds(nanoseconds() - began) / Double(times)
          }, stop: {})
      })
  }

  /// From an announcement of four skills until its group is formed, 100 bots as processes, one announcement after another.
  static func groupForming(_ bench: Bench, _ name: String, percent: Double, below bound: Double) -> Work {
    Work(
      name: name, unit: "ms", targets: [.below(bound)],
      ours: Contender(SpoolService.name) {
        let team = try NegotiatingBots(in: bench.scratch)
        return Session(
          measure: { milliseconds(percentile(percent, of: try team.formingTimes(bench.count(200)))) },
          stop: { team.end() })
      })
  }

  /// 50 groups of four announced at once, 100 bots as processes: until all are formed, worked and dissolved.
  static func groupsAtOnce(_ bench: Bench, _ name: String) -> Work {
    Work(
      name: name, unit: "ms", targets: [],
      ours: Contender(SpoolService.name) {
        let team = try NegotiatingBots(in: bench.scratch)
        return Session(
          measure: { milliseconds(try team.pass(50, skills: 4, secondsMax: bench.secondsMax)) }, stop: { team.end() })
      })
  }

  /// Announcements a minute, of two skills each, formed, worked and dissolved, 100 bots as processes.
  static func announcements(_ bench: Bench, _ name: String) -> Work {
    let count = bench.count(1000)
    return Work(
      name: name, unit: "/min", targets: [.above(5000)],
      ours: Contender(SpoolService.name) {
        let team = try NegotiatingBots(in: bench.scratch)
        return Session(
          measure: {
            60e9 * Double(count) / Double(try team.pass(count, skills: 2, secondsMax: bench.secondsMax))
          }, stop: { team.end() })
      })
  }
}

/// A spool with 100 bots that negotiate, and a coordinator, each a process of its own.
private final class NegotiatingBots {
  static let count = 100
  private static let skills = ["ml", "sql", "statistics", "reporting"]

  private let spool: Spool
  private let path: String
  private let scratch: Scratch
  private var processes: [pid_t] = []

  init(in scratch: Scratch) throws {
    self.scratch = scratch
    let command = try SpoolCommand()
    try command.require("announce")
    path = try scratch.directory("groups-\(UInt32.random(in: 0 ... .max))")
    try Spool.create(at: path)
    spool = try Spool(at: path)
    do {
      for number in 0..<Self.count {
        var card = Card(name: try BotName(parsing: "bot\(number)"))
        card.skills = [Card.Skill(name: Self.skills[number % Self.skills.count], level: .expert)]
        card.capacity = 4
        try spool.register(card)
        processes.append(
          try Processes.spawn(
            command.path, ["work", "--spool", path, card.name.description, "--negotiate", "--", "true"]))
      }
      processes.append(try Processes.spawn(command.path, ["coordinate", "--spool", path]))
      let began = nanoseconds()
      while try spool.coordinator() == nil || spool.bots().contains(where: { try isMissing($0) }) {
        guard nanoseconds() - began < 60_000_000_000 else { throw BenchError("the bots didn't start in 60 s") }
        try Interruption.check()
        usleep(20_000)
      }
      // The hub has seen them all.
      sleep(1)
    } catch {
      end()
      throw error
    }
  }

  private func isMissing(_ bot: BotName) throws -> Bool {
    bot.description.hasPrefix("bot") && spool.presenceIsEmpty(bot)
  }

  private func announcement(_ skills: Int, _ number: Int) -> Announcement {
    let wanted = (0..<skills).map { Card.Skill(name: Self.skills[(number + $0) % 4], level: .advanced) }
    let deadline = Timestamp(microseconds: Clock.wall()).advanced(bySeconds: 120)
    return Announcement("one of many", skills: wanted, deadline: deadline)
  }

  /// Nanoseconds from before each announcement until its group is active.
  func formingTimes(_ count: Int) throws -> [Int] {
    let watcher = try GroupWatcher(spool)
    return try (0..<count).map { number in
      let began = nanoseconds()
      let id = try spool.announce(announcement(4, number))
      let formed = try awaitMove(watcher, until: { $0.id == id && $0.state == .active }, began)
      // The next one when its members are free again.
      _ = try awaitMove(watcher, until: { $0.id == id && $0.state == .dissolved }, began)
      return formed - began
    }
  }

  private func awaitMove(_ watcher: GroupWatcher, until isThere: (GroupEntry) -> Bool, _ began: Int) throws -> Int {
    while true {
      guard let moves = try watcher.takeMoves() else { throw BenchError("more groups than the queue of events holds") }
      if moves.contains(where: isThere) { return nanoseconds() }
      guard nanoseconds() - began < 20_000_000_000 else { throw BenchError("a group wasn't formed in 20 s") }
      _ = try Poll.wait([watcher.descriptor].compactMap { $0 }, nanoseconds: 1_000_000_000)
    }
  }

  /// Announces so many as fast as can be, and returns after how many nanoseconds all were dissolved.
  func pass(_ count: Int, skills: Int, secondsMax: Int) throws -> Int {
    let before = try spool.groups(in: [.dissolved]).count
    let began = nanoseconds()
    let spool = spool
    let announcements = (0..<count).map { announcement(skills, $0) }
    let threads = 4
    try Linux.Thread.run(
      (0..<threads).map { thread in
        { for index in stride(from: thread, to: count, by: threads) { _ = try? spool.announce(announcements[index]) } }
      })
    while true {
      let done = try spool.groups(in: [.dissolved]).count - before
      if done == count { return nanoseconds() - began }
      if let failed = try spool.groups(in: [.failed]).first {
        throw BenchError("a group failed: \(try spool.record(of: failed)?.error ?? "?")")
      }
      guard nanoseconds() - began < secondsMax * 1_000_000_000 else {
        throw BenchError("\(done) of \(count) groups were done in time")
      }
      try Interruption.check()
      usleep(5000)
    }
  }

  func end() {
    for process in processes { kill(process, SIGTERM) }
    for process in processes { Processes.stop(process) }
    scratch.discard(path)
  }
}

extension Spool {
  /// Whether no process says that it runs the bot.
  fileprivate func presenceIsEmpty(_ bot: BotName) -> Bool { ((try? presence(of: bot)) ?? []).isEmpty }
}
