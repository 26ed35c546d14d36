import CoordinatorPolicy
import Routing
import Spool
import SpoolFormat

/// The words that requests are analysed by.
public enum VocabularyFile {
  public static let name = "vocabulary.json"

  /// What a person wrote into `coordinator/vocabulary.json`; the built-in words without one.
  /// - Throws: `.badData`, with what is wrong in which line.
  public static func read(_ spool: Spool) throws -> Vocabulary {
    guard let bytes = try spool.readCoordinatorFile(name) else { return .builtIn }
    do { return try Vocabulary(parsing: bytes) } catch {
      throw SpoolError(.badData, "coordinator/\(name): \(error)", hint: "see: spool analyze --vocabulary")
    }
  }
}

/// How the bots that take tasks now would be chosen for a request: for people, who want to know why.
public struct Ranking {
  private var scheduler = Scheduler()
  /// Of the bots that take tasks, those that have as many as they may have.
  private var busy: Set<BotName> = []

  /// Cost: a look at every bot, and at the tasks that live.
  public init(_ spool: Spool) throws {
    var roster = Roster()
    _ = try roster.refresh(spool)
    var loads: [BotName: Int] = [:]
    for entry in try spool.tasks(in: [.assigned, .inProgress]) {
      if let bot = entry.bot { loads[bot, default: 0] += 1 }
    }
    var book = try RecordBook(spool)
    try book.catchUp()
    scheduler.learn(book.team)
    for (bot, member) in roster.members where member.takesTasks && bot != Coordinator.bot {
      scheduler.setBot(member.card, load: loads[bot] ?? 0, isAlive: true)
      if loads[bot] ?? 0 >= member.card.capacity { busy.insert(bot) }
    }
  }

  /// Whether a bot that takes tasks now could do a task, were it free.
  public func canBeDone(_ record: TaskRecord) -> Bool { !able(record).isEmpty }

  private func able(_ record: TaskRecord) -> [BotName] {
    scheduler.scores(TaskNeeds(record)).filter { $0.disqualification == nil }.map(\.bot)
  }

  /// Why nobody has a task that is ready; nil when one who can do it is free.
  public func whyWaiting(_ record: TaskRecord) -> String? {
    let able = able(record)
    guard !able.isEmpty else { return "no bot that takes tasks can do it\(TaskNeeds(record).remark)" }
    guard able.allSatisfy(busy.contains) else { return nil }
    return able.count == 1 ? "\(able[0]), the only one who can, is busy" : "all \(able.count) who can are busy"
  }

  /// For each of its domains the bots, best first, those that can't at the end.
  public func ranks(for analysis: Analysis) -> [(domain: String?, scores: [BotScore])] {
    let domains: [String?] = analysis.domains.isEmpty ? [nil] : analysis.domains
    return domains.map { domain in (domain, scheduler.scores(TaskNeeds(domain: domain))) }
  }
}
