import SpoolFormat

/// The cheapest set of offers that covers every wanted skill within a size.
///
/// Exact by dynamic programming over sets of skills while that takes no more than `exactStepsMax` steps; past that by
/// branch and bound, exact when it ends within `nodesMax` nodes, and else the best that it found. It says which.
/// Of sets that cost the same, the smaller one, and then the one whose names come first.
public struct Matching: Sendable, Hashable {
  /// One who may be chosen.
  public struct Candidate: Sendable, Hashable {
    public let bot: BotName
    /// Bit i: it can do the i-th wanted skill at the wanted level, at least.
    public let covers: UInt32
    public let cost: Double

    public init(bot: BotName, covers: UInt32, cost: Double) {
      self.bot = bot
      self.covers = covers
      self.cost = cost
    }

    /// The bits for an offer.
    public static func covered(_ wanted: [Card.Skill], by skills: [Card.Skill]) -> UInt32 {
      var bits: UInt32 = 0
      // By index: a copy of each name would cost more than comparing it.
      for own in skills.indices {
        for want in wanted.indices
        where wanted[want].name == skills[own].name && skills[own].level >= wanted[want].level { bits |= 1 << want }
      }
      return bits
    }
  }

  public enum Method: Sendable, Hashable {
    /// Nothing is cheaper.
    case exact(steps: Int)
    /// The best of so many nodes.
    case bounded(nodes: Int)

    public var text: String {
      switch self {
      case .exact(let steps): "exact, \(steps) steps"
      case .bounded(let nodes): "the best of a bounded search, \(nodes) nodes"
      }
    }
  }

  /// The chosen, by name; empty when there is no such set.
  public let chosen: [Candidate]
  public let cost: Double
  public let method: Method
  /// Bits of the skills that nobody covers.
  public let missing: UInt32
  /// How many were looked at, and how many of them are worth choosing at all.
  public let candidates: Int
  public let kept: Int

  public var isCovered: Bool { !chosen.isEmpty }

  public static let exactStepsMax = 400_000
  public static let nodesMax = 20_000

  /// - Parameters:
  ///   - skills: how many are wanted; at most `Announcement.skillsMax`.
  ///   - size: how many may be chosen, and must be.
  public init(_ all: [Candidate], skills: Int, size: ClosedRange<Int>) {
    let full = UInt32((1 << skills) - 1)
    candidates = all.count
    let union = all.reduce(UInt32(0)) { $0 | $1.covers }
    missing = full & ~union
    let useful = Self.undominated(all, size)
    kept = useful.count
    var choice: [Candidate]?
    var found = Method.exact(steps: 0)
    if missing == 0, skills > 0, useful.count >= size.lowerBound {
      let most = min(size.upperBound, max(skills, size.lowerBound))
      let steps = useful.count * most << skills
      if steps <= Self.exactStepsMax {
        choice = Programme(useful, full: full, least: size.lowerBound, most: most).best
        found = .exact(steps: steps)
      } else {
        var search = Search(useful, full: full, least: size.lowerBound, most: most)
        search.run()
        choice = search.best
        found = search.isComplete ? .exact(steps: search.nodes) : .bounded(nodes: search.nodes)
      }
    }
    method = found
    chosen = (choice ?? []).sorted { $0.bot < $1.bot }
    cost = chosen.reduce(0) { $0 + $1.cost }
  }

  /// Cheaper first; of the same cost the one whose name comes first.
  static func precedes(_ left: Candidate, _ right: Candidate) -> Bool {
    left.cost != right.cost ? left.cost < right.cost : left.bot < right.bot
  }

  /// Without those that cover nothing more than enough others do that come before them. Where the size must be filled
  /// up, as many of a kind are needed as there may be members.
  private static func undominated(_ all: [Candidate], _ size: ClosedRange<Int>) -> [Candidate] {
    let enough = size.lowerBound > 1 ? size.upperBound : 1
    // Of each kind the first ones are found without sorting all of them.
    var kinds: [UInt32: [Candidate]] = [:]
    for candidate in all {
      if candidate.covers == 0 { continue }
      var kind = kinds[candidate.covers] ?? []
      if kind.count == enough, let last = kind.last, !precedes(candidate, last) { continue }
      let place = kind.firstIndex { precedes(candidate, $0) } ?? kind.count
      kind.insert(candidate, at: place)
      if kind.count > enough { kind.removeLast() }
      kinds[candidate.covers] = kind
    }
    var kept: [Candidate] = []
    for candidate in kinds.values.joined().sorted(by: precedes) {
      var better = 0
      for other in kept where other.covers & candidate.covers == candidate.covers {
        better += 1
        if better == enough { break }
      }
      if better < enough { kept.append(candidate) }
    }
    return kept
  }

  /// The cheapest way to cover each set of skills with each number of members.
  private struct Programme {
    var best: [Candidate]?

    init(_ candidates: [Candidate], full: UInt32, least: Int, most: Int) {
      let sets = Int(full) + 1
      // cost[size * sets + set], and who was taken last to get there.
      var cost = [Double](repeating: .infinity, count: (most + 1) * sets)
      // A chain of who was taken: an index into `links`; −1 for nobody.
      var chain = [Int32](repeating: -1, count: (most + 1) * sets)
      var links: [(candidate: Int32, before: Int32)] = []
      cost[0] = 0
      for (index, candidate) in candidates.enumerated() {
        let covers = Int(candidate.covers)
        for size in stride(from: min(most, index + 1), through: 1, by: -1) {
          for set in 0..<sets {
            let before = cost[(size - 1) * sets + set]
            guard before < .infinity else { continue }
            let place = size * sets + (set | covers)
            // Names come in order among equal costs, so the first stays.
            guard before + candidate.cost < cost[place] - 1e-12 else { continue }
            links.append((Int32(index), chain[(size - 1) * sets + set]))
            cost[place] = before + candidate.cost
            chain[place] = Int32(links.count - 1)
          }
        }
      }
      var chosen: Int32?
      var lowest = Double.infinity
      for size in max(1, least)...max(1, most, least) where size <= most {
        let place = size * sets + Int(full)
        guard cost[place] < lowest - 1e-12 else { continue }
        (lowest, chosen) = (cost[place], chain[place])
      }
      guard var link = chosen, lowest < .infinity else { return }
      var members: [Candidate] = []
      while link >= 0 {
        members.append(candidates[Int(links[Int(link)].candidate)])
        link = links[Int(link)].before
      }
      best = members
    }
  }

  /// Depth first, over those that cover the skill that fewest do; cut where even the cheapest share of what is missing
  /// costs more than the best that is known.
  private struct Search {
    private let candidates: [Candidate]
    private let full: UInt32
    private let least: Int
    private let most: Int
    /// Of each skill who covers it, cheapest for a skill first.
    private let covering: [[Int]]
    /// Of each skill the lowest cost for one skill of those that cover it.
    private let share: [Double]
    private let widest: Int
    private(set) var best: [Candidate]?
    private var bestCost = Double.infinity
    private(set) var nodes = 0
    private(set) var isComplete = true
    private var taken: [Int] = []

    init(_ candidates: [Candidate], full: UInt32, least: Int, most: Int) {
      self.candidates = candidates
      self.full = full
      self.least = least
      self.most = most
      func perSkill(_ index: Int) -> Double {
        candidates[index].cost / Double(max(1, candidates[index].covers.nonzeroBitCount))
      }
      var covering = [[Int]](repeating: [], count: full.nonzeroBitCount)
      for index in candidates.indices {
        for skill in covering.indices where candidates[index].covers & (1 << skill) != 0 {
          covering[skill].append(index)
        }
      }
      for skill in covering.indices { covering[skill].sort { perSkill($0) < perSkill($1) } }
      self.covering = covering
      share = covering.map { $0.first.map(perSkill) ?? .infinity }
      widest = candidates.map(\.covers.nonzeroBitCount).max() ?? 1
    }

    mutating func run() { visit(covered: 0, cost: 0) }

    private mutating func visit(covered: UInt32, cost: Double) {
      nodes += 1
      guard nodes <= Matching.nodesMax else { return isComplete = false }
      let missing = full & ~covered
      if missing == 0 { return fill(cost) }
      let count = missing.nonzeroBitCount
      guard taken.count + (count + widest - 1) / widest <= most else { return }
      var bound = cost
      var scarcest = -1
      for skill in share.indices where missing & (1 << skill) != 0 {
        bound += share[skill]
        if scarcest < 0 || covering[skill].count < covering[scarcest].count { scarcest = skill }
      }
      guard bound < bestCost - 1e-12 else { return }
      for index in covering[scarcest] {
        taken.append(index)
        visit(covered: covered | candidates[index].covers, cost: cost + candidates[index].cost)
        taken.removeLast()
        if !isComplete { return }
      }
    }

    /// Adds the cheapest others where a group must be larger.
    private mutating func fill(_ cost: Double) {
      var members = taken
      var cost = cost
      for index in candidates.indices where members.count < least && !members.contains(index) {
        members.append(index)
        cost += candidates[index].cost
      }
      guard members.count >= least, cost < bestCost - 1e-12 else { return }
      bestCost = cost
      best = members.map { candidates[$0] }
    }
  }
}
