/// The bots that can do the tasks of one class, and those of its tasks that wait.
///
/// Those that can: who has the required skills, and is of the field; when no living bot is of the field, whoever has the
/// skills (`BotScore.isStranger`).
struct TaskClass: Sendable {
  let needs: TaskNeeds
  /// By a bot's place, the parts of its score that its load doesn't change; nan for one that can't.
  private(set) var fixed: [Double] = []
  private(set) var isStranger: [Bool] = []
  var queue = TaskQueue()
  /// What the team needed on average when the bots were scored.
  var teamSeconds: Double?
  /// Place in the scheduler's list of the classes that can be served; nil when it isn't there.
  var servablePlace: Int?
  /// Pending tasks of it that wait for their time.
  var delayedCount = 0
  private var living = Counts()
  private var free = Counts()

  private struct Counts: Sendable {
    var own = 0
    var strangers = 0

    mutating func add(_ number: Int, stranger: Bool) { if stranger { strangers += number } else { own += number } }
  }

  init(_ needs: TaskNeeds) { self.needs = needs }

  /// Whether strangers do its tasks, because nobody of the field lives.
  var isForStrangers: Bool { living.own == 0 }
  var livingCount: Int { isForStrangers ? living.strangers : living.own }
  var freeCount: Int { isForStrangers ? free.strangers : free.own }
  var isIdle: Bool { queue.count == 0 && delayedCount == 0 }

  /// Whether a bot is one of those that are to do its tasks now, if it lives.
  func includes(_ bot: Int) -> Bool { !fixed[bot].isNaN && isStranger[bot] == isForStrangers }

  /// Sets what a bot is worth here, of which nothing is counted at the moment.
  mutating func set(_ bot: Int, _ score: BotScore.Fixed?) {
    while fixed.count <= bot {
      fixed.append(.nan)
      isStranger.append(false)
    }
    fixed[bot] = score?.sum ?? .nan
    isStranger[bot] = score?.isStranger ?? false
  }

  /// Counts a bot in (1) or out (−1).
  mutating func count(_ bot: Int, living number: Int) {
    if !fixed[bot].isNaN { living.add(number, stranger: isStranger[bot]) }
  }

  mutating func count(_ bot: Int, free number: Int) {
    if !fixed[bot].isNaN { free.add(number, stranger: isStranger[bot]) }
  }
}
