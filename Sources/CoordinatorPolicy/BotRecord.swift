import SpoolFormat

/// What a bot has shown that it can do, and how it answers: from what the log says of it, each line for itself.
///
/// Sums of whole numbers, extremes, and the newest of sets, so that records of parts of the log, folded in any order and
/// merged, are equal to the record of all of it: it can be computed again at any time, and a copy is only there to save
/// that. (Past `labelsMax` domains, skills or senders of one bot it depends on the order which of them are kept.)
public struct BotRecord: Sendable, Hashable {
  public private(set) var all = Tally()
  public private(set) var domains: [String: Tally] = [:]
  public private(set) var skills: [String: Tally] = [:]
  /// When it was registered, or the log first spoke of it.
  public private(set) var firstSeen: Timestamp?
  /// When it last did something.
  public private(set) var lastSeen: Timestamp?
  /// Messages that it took or gave up, and attempts at tasks.
  public private(set) var actions = 0
  /// Their rewards together, hundredths.
  public private(set) var rewards = 0
  /// Messages that it took, each counted at its first claim, and how long they had waited.
  public private(set) var deliveries = 0
  public private(set) var waitedMicroseconds = 0
  public private(set) var waits = Times()
  /// The newest `memoryMax` actions, oldest first.
  public private(set) var memory: [Action] = []
  /// By who sent to it, or wanted its tasks done.
  public private(set) var paths: [String: Path] = [:]
  /// Lines of the log that are in here.
  public private(set) var lessons = 0

  /// Domains, skills, and senders, that one record keeps: enough for any bot, and a bound for what hostile tasks can make
  /// of it. Those past it count only in `all`.
  public static let labelsMax = 256
  /// Actions that are remembered one by one.
  public static let memoryMax = 32

  public init() {}

  public mutating func count(_ outcome: TaskOutcome) {
    countTally(outcome)
    seen(outcome.at)
    let reward = Reward.of(outcome)
    note(
      Action(kind: .task, from: outcome.requester, reward: reward, microseconds: outcome.microseconds, at: outcome.at))
  }

  /// Only what is told of kinds of tasks, for a record of many bots together.
  mutating func countTally(_ outcome: TaskOutcome) {
    all.count(outcome, difficulty: outcome.difficulty)
    if let domain = outcome.needs.domain, Self.hasRoom(domains, domain) {
      domains[domain, default: Tally()].count(outcome, difficulty: outcome.difficulty)
    }
    for skill in outcome.needs.skills where Self.hasRoom(skills, skill.name) {
      let difficulty = TaskOutcome.difficulty(skill.level, failedBefore: outcome.failedBefore)
      skills[skill.name, default: Tally()].count(outcome, difficulty: difficulty)
    }
  }

  /// Takes in what one line of the log teaches of this bot.
  public mutating func count(_ lesson: Lesson) {
    lessons += 1
    switch lesson.what {
    case .registered: firstSeen = min(firstSeen ?? lesson.at, lesson.at)
    case .seen: seen(lesson.at)
    case .outcome(let outcome): count(outcome)
    case .delivery(let from, let microseconds):
      seen(lesson.at)
      deliveries += 1
      waitedMicroseconds = WholeNumber.sum(waitedMicroseconds, microseconds)
      waits.count(microseconds: microseconds)
      let reward = Reward.ofDelivery(microseconds: microseconds)
      note(Action(kind: .message, from: from, reward: reward, microseconds: microseconds, at: lesson.at))
    case .givenUp(let from):
      seen(lesson.at)
      note(Action(kind: .givenUp, from: from, reward: 0, microseconds: nil, at: lesson.at))
    }
  }

  private mutating func seen(_ moment: Timestamp) {
    firstSeen = min(firstSeen ?? moment, moment)
    lastSeen = max(lastSeen ?? moment, moment)
  }

  private mutating func note(_ action: Action) {
    actions += 1
    rewards += action.reward
    if memory.count < Self.memoryMax || memory[0] < action {
      memory.insert(action, at: (memory.lastIndex { !(action < $0) } ?? -1) + 1)
      if memory.count > Self.memoryMax { memory.removeFirst() }
    }
    if let from = action.from, paths.count < Self.labelsMax || paths[from] != nil {
      paths[from, default: Path()].count(action)
    }
  }

  private static func hasRoom(_ tallies: [String: Tally], _ label: String) -> Bool {
    tallies.count < labelsMax || tallies[label] != nil
  }

  public mutating func merge(_ other: BotRecord) {
    mergeTallies(other)
    firstSeen = [firstSeen, other.firstSeen].compactMap { $0 }.min()
    lastSeen = [lastSeen, other.lastSeen].compactMap { $0 }.max()
    lessons = WholeNumber.sum(lessons, other.lessons)
    actions = WholeNumber.sum(actions, other.actions)
    rewards = WholeNumber.sum(rewards, other.rewards)
    deliveries = WholeNumber.sum(deliveries, other.deliveries)
    waitedMicroseconds = WholeNumber.sum(waitedMicroseconds, other.waitedMicroseconds)
    waits += other.waits
    memory = Array((memory + other.memory).sorted().suffix(Self.memoryMax))
    for (from, path) in other.paths.sorted(by: { $0.key < $1.key })
    where paths.count < Self.labelsMax || paths[from] != nil {
      paths[from, default: Path()] += path
    }
  }

  mutating func mergeTallies(_ other: BotRecord) {
    all += other.all
    for (label, tally) in other.domains.sorted(by: { $0.key < $1.key }) where Self.hasRoom(domains, label) {
      domains[label, default: Tally()] += tally
    }
    for (label, tally) in other.skills.sorted(by: { $0.key < $1.key }) where Self.hasRoom(skills, label) {
      skills[label, default: Tally()] += tally
    }
  }

  // MARK: - What follows from it

  /// How many successes raise a skill by a level, and the share of successes that it takes besides.
  public static let successesPerLevel = 20
  public static let shareForLevel = 0.8
  /// Below this share a level is lost, and below half of it two, with so many failures at least.
  public static let shareAgainstLevel = 0.5
  public static let failuresAgainstLevel = 6
  public static let failuresAgainstTwo = 10
  /// Days after which a failure counts no more against a level: who isn't asked any more could never win it back.
  public static let failureDays = 7.0

  /// The level that a bot has by now in a skill that its card states. It is judged by the last 20 attempts at tasks that
  /// required the skill, without the failures of more than `failureDays` ago:
  /// - four in five succeeded: one level more for every 20 successes there ever were;
  /// - fewer than half did, and 6 at least failed: one level less; fewer than a quarter, and 10 failed: two;
  /// - else as stated.
  /// Between the two bounds nothing moves to and fro. Another success never costs a level. A skill that the card doesn't
  /// state isn't gained.
  public func level(_ skill: String, stated: Card.Level, now: Timestamp) -> Card.Level {
    let levels = Card.Level.allCases
    let forgiven = now.advanced(bySeconds: -Self.failureDays * 86_400).microseconds
    guard let tally = skills[skill] else { return stated }
    let recent = tally.recent.filter { $0.succeeded || $0.at > forgiven }
    guard !recent.isEmpty else { return stated }
    let failures = recent.count { !$0.succeeded }
    let share = 1 - Double(failures) / Double(recent.count)
    var place = levels.firstIndex(of: stated)!
    if share >= Self.shareForLevel {
      place += tally.succeeded / Self.successesPerLevel
    } else if failures >= Self.failuresAgainstTwo, share < Self.shareAgainstLevel / 2 {
      place -= 2
    } else if failures >= Self.failuresAgainstLevel, share < Self.shareAgainstLevel {
      place -= 1
    }
    return levels[min(max(place, 0), levels.count - 1)]
  }

  /// A new bot counts as one that has done 3 of 4 tasks: good enough to be tried, and not above one that is proven.
  public static let priorShare = 0.75
  public static let priorTasks = 4.0

  /// The share of tasks in a domain that it will probably do: (succeeded + p·4) ÷ (tried + 4). For a domain p is its
  /// own share in all domains, so that who does well elsewhere is trusted here; for all of them it is 3 in 4.
  public func expectedShare(_ domain: String?) -> Double {
    func share(_ tally: Tally, _ prior: Double) -> Double {
      (Double(tally.succeeded) + prior * Self.priorTasks) / (Double(tally.tried) + Self.priorTasks)
    }
    let overall = share(all, Self.priorShare)
    return domain.map { share(domains[$0] ?? Tally(), overall) } ?? overall
  }

  /// Of the tasks in a domain, or all.
  public func tally(_ domain: String?) -> Tally { domain.map { domains[$0] ?? Tally() } ?? all }
}

extension BotRecord {
  /// Reads what `write` wrote. A number that can't be is an error, because the record can be computed again.
  public init(_ value: JSONValue) throws(FormatError) {
    guard value.object != nil else { throw FormatError("a bot's record is an object") }
    all = try Tally(value["all"] ?? .null, "all")
    domains = try Self.tallies(value, "domains")
    skills = try Self.tallies(value, "skills")
    func moment(_ name: String) -> Timestamp? { value[name]?.string.flatMap(Timestamp.init(rfc3339:)) }
    func number(_ name: String) throws(FormatError) -> Int {
      guard let member = value[name] else { return 0 }
      guard let number = member.int, 0...WholeNumber.max ~= number else { throw FormatError("\"\(name)\" is no count") }
      return number
    }
    (firstSeen, lastSeen) = (moment("first_seen"), moment("last_seen"))
    (lessons, actions, rewards) = (try number("lessons"), try number("actions"), try number("rewards"))
    (deliveries, waitedMicroseconds) = (try number("deliveries"), try number("waited_us"))
    waits = Times(value["waits_us"])
    for entry in (value["memory"]?.array ?? []).suffix(Self.memoryMax) {
      if let action = Action(entry) { memory.append(action) }
    }
    memory.sort()
    for member in value["paths"]?.object ?? [:] where paths.count < Self.labelsMax {
      paths[member.key] = try Path(member.value)
    }
  }

  private static func tallies(_ value: JSONValue, _ name: String) throws(FormatError) -> [String: Tally] {
    var tallies: [String: Tally] = [:]
    for member in value[name]?.object ?? [:] where tallies.count < labelsMax {
      tallies[member.key] = try Tally(member.value, "\(name).\(member.key)")
    }
    return tallies
  }

  public func write(to writer: inout JSONWriter) {
    writer.beginObject()
    writeMembers(to: &writer)
    writer.endObject()
  }

  /// The members of its object.
  public func writeMembers(to writer: inout JSONWriter) {
    func write(_ tallies: [String: Tally]) {
      writer.beginObject()
      for (label, tally) in tallies.sorted(by: { $0.key < $1.key }) {
        writer.key(label)
        tally.write(to: &writer)
      }
      writer.endObject()
    }
    writer.member("first_seen", moment: firstSeen)
    writer.member("last_seen", moment: lastSeen)
    writer.member("actions", actions)
    writer.member("mean_reward", ifPresent: meanReward.map { ($0 * 1e4).rounded() / 1e4 })
    writer.member("lessons", lessons)
    writer.member("rewards", rewards)
    writer.member("deliveries", deliveries)
    writer.member("waited_us", waitedMicroseconds)
    writer.key("all")
    all.write(to: &writer)
    writer.key("domains")
    write(domains)
    writer.key("skills")
    write(skills)
    writer.key("waits_us")
    waits.write(to: &writer)
    writer.key("memory")
    writer.beginArray()
    for action in memory { action.write(to: &writer) }
    writer.endArray()
    writer.key("paths")
    writer.beginObject()
    for (from, path) in paths.sorted(by: { $0.key < $1.key }) {
      writer.key(from)
      path.write(to: &writer)
    }
    writer.endObject()
  }
}
