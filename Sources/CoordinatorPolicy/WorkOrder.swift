/// The order in which a text wants done what it says, where it isn't that of its words: `before you deploy, run the tests`,
/// `deploy it after testing`.
struct WorkOrder {
  /// The place of each word in that order; nil when it can't be told.
  let ranks: [Int]?

  private enum Mark { case before, after }

  /// The words from one break, or word that gives an order, to the next.
  private struct Clause {
    let range: Range<Int>
    let mark: Mark?
    let isFirst: Bool
    let isAfterBreak: Bool
    /// Whether any of the work is in it.
    let works: Bool
  }

  /// - Parameter worked: the places of the words that say what is to be done.
  init(_ tokens: Tokens, _ cues: [Vocabulary.Cue: [Lexicon.Match]], worked: Set<Int>) {
    var order: [Clause] = []
    var clauses = Self.clauses(tokens, cues, worked)[...]
    while let clause = clauses.popFirst() {
      // `and before you deploy, …` begins like a sentence.
      let begins = clause.isFirst || order.last?.works == false
      switch clause.mark {
      case .before where begins:
        // `Before that`, and `before deploying test it`, in which nothing says where it ends.
        guard clause.works, let next = clauses.first, next.isAfterBreak, !next.isFirst else {
          ranks = nil
          return
        }
        order += [clauses.removeFirst(), clause]
      case .after where !begins: order.insert(clause, at: order.count - 1)
      case .before, .after, nil: order.append(clause)
      }
    }
    var ranks = [Int](repeating: 0, count: tokens.all.count)
    for (rank, place) in order.flatMap(\.range).enumerated() { ranks[place] = rank }
    self.ranks = ranks
  }

  private static func clauses(
    _ tokens: Tokens, _ cues: [Vocabulary.Cue: [Lexicon.Match]], _ worked: Set<Int>
  ) -> [Clause] {
    var marks: [Int: Mark] = [:]
    for match in cues[.sequencePostponing] ?? [] { marks[match.position] = .before }
    for match in cues[.sequenceReversed] ?? [] { marks[match.position] = .after }
    let plain = Set((cues[.sequence] ?? []).map(\.position))
    func isFirst(_ place: Int) -> Bool { place == 0 || tokens.all[place].sentence != tokens.all[place - 1].sentence }
    let starts = tokens.all.indices.filter { place in
      isFirst(place) || tokens.all[place].isAfterBreak || marks[place] != nil || plain.contains(place)
    }
    return starts.enumerated().map { index, start in
      let range = start..<(index + 1 < starts.count ? starts[index + 1] : tokens.all.count)
      return Clause(
        range: range, mark: marks[start], isFirst: isFirst(start), isAfterBreak: tokens.all[start].isAfterBreak,
        works: range.contains(where: worked.contains))
    }
  }
}
