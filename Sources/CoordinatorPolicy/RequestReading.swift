/// What the words of one request say.
struct RequestReading {
  private let tokens: Tokens
  private let matches: [Lexicon.Match]
  private let vocabulary: Vocabulary
  private let cues: [Vocabulary.Cue: [Lexicon.Match]]
  private let objectEnds: Set<Int>
  private let determiners: Set<Int>
  /// A check at the end of the work: `with security review`.
  private let gate: Lexicon.Match?

  init(_ tokens: Tokens, _ matches: [Lexicon.Match], _ vocabulary: Vocabulary) {
    self.tokens = tokens
    self.matches = matches
    self.vocabulary = vocabulary
    var cues: [Vocabulary.Cue: [Lexicon.Match]] = [:]
    for match in matches { if case .cue(let cue) = match.meaning { cues[cue, default: []].append(match) } }
    self.cues = cues
    objectEnds = Set((cues[.objectEnds] ?? []).map(\.position))
    determiners = Set((cues[.determiners] ?? []).map(\.position))
    let marks = Set((cues[.gateMarks] ?? []).map(\.position))
    gate = cues[.gates]?.first { gate in
      (1...3).contains { offset in
        let mark = gate.position - offset
        return marks.contains(mark) && tokens.all[mark].sentence == tokens.all[gate.position].sentence
      }
    }
  }

  /// Whether a word that may be a verb is a noun here: the tests, a failing test.
  private func isNoun(_ position: Int) -> Bool {
    for place in [position - 1, position - 2] {
      guard place >= 0, tokens.all[place].sentence == tokens.all[position].sentence,
        !tokens.all[place + 1].isAfterBreak
      else { return false }
      if determiners.contains(place) { return true }
      if objectEnds.contains(place) { return false }
    }
    return false
  }

  func first(_ cue: Vocabulary.Cue) -> String? { cues[cue]?.first?.text }

  private func isQuestion(_ position: Int) -> Bool { tokens.isQuestion[tokens.all[position].sentence] }
  private func isAtStart(_ position: Int) -> Bool {
    position == 0 || tokens.all[position - 1].sentence != tokens.all[position].sentence
  }

  // MARK: - Domains

  private struct Tally {
    /// Words that say that its work is to be done.
    var actions: [Lexicon.Match] = []
    /// Verbs that may mean it, without an object of a domain.
    var verbs: [Lexicon.Match] = []
    var things: [Lexicon.Match] = []

    var weight: Int { 2 * actions.count + things.count }
    /// Of its work; what it is about stands elsewhere: test the *parser*.
    var places: [Int] { (actions + verbs).isEmpty ? things.map(\.position) : (actions + verbs).map(\.position) }
  }

  struct Domains {
    /// Places in the vocabulary of those that count, in its order.
    var indices: [Int]
    /// Where the text speaks of each, by the words for which it counts; of what is only implied nowhere.
    var places: [Int: [Int]]
  }

  func domains(_ reasons: inout [String]) -> Domains {
    let topicStart = topicStarts()
    func isTopic(_ match: Lexicon.Match) -> Bool {
      topicStart[tokens.all[match.position].sentence].map { match.position >= $0 } ?? false
    }
    let counted = tally(matches.filter { !isTopic($0) })
    let chosen = choose(counted)
    let tallies = chosen.isEmpty ? tally(matches) : counted
    var domains = chosen.isEmpty ? choose(tallies) : chosen
    var places: [Int: [Int]] = [:]
    for index in domains {
      places[index] = tallies[index].places
      let words = (tallies[index].actions + tallies[index].verbs + tallies[index].things).map(\.text)
      reasons.append("\(vocabulary.domains[index].name): \(Self.quoted(words))")
    }
    for match in matches {
      guard case .implication(let index) = match.meaning else { continue }
      // One may name a domain twice.
      for need in implied(by: vocabulary.implications[index], domains) where !domains.contains(need) {
        domains.append(need)
        let reason = vocabulary.implications[index].reason
        reasons.append("\(vocabulary.domains[need].name): \"\(match.text)\", and \(reason)")
      }
    }
    return Domains(indices: domains.sorted(), places: places)
  }

  /// Where in each sentence begins what it is only about.
  private func topicStarts() -> [Int: Int] {
    var starts: [Int: Int] = [:]
    for match in cues[.topicMarks] ?? [] {
      let sentence = tokens.all[match.position].sentence
      starts[sentence] = min(starts[sentence] ?? .max, match.position)
    }
    return starts
  }

  private func tally(_ matches: [Lexicon.Match]) -> [Tally] {
    var tallies = [Tally](repeating: Tally(), count: vocabulary.domains.count)
    let objects = objects(matches)
    // Words before the object of a verb only say which one it is: a *test* report.
    let attributes = Set(objects.values.flatMap { $0.attributes })
    for match in matches {
      switch match.meaning {
      case .action(let index):
        let isObject = attributes.contains(match.position) || isNoun(match.position)
        if isObject, gate?.position != match.position {
          tallies[index].things.append(match)
        } else {
          tallies[index].actions.append(match)
        }
      case .thing(let index): tallies[index].things.append(match)
      case .verb(let index): if objects[match.position] == nil { tallies[index].verbs.append(match) }
      case .implication, .cue: continue
      }
    }
    let verbs = Dictionary(objects.map { ($0.value.position, [$0.key]) }, uniquingKeysWith: +)
    for match in matches {
      let index: Int
      switch match.meaning {
      case .thing(let domain): index = domain
      case .action(let domain) where isNoun(match.position): index = domain
      case .action, .verb, .implication, .cue: continue
      }
      for verb in verbs[match.position] ?? [] {
        let text = tokens.all[verb].word + " … " + match.text
        tallies[index].actions.append(
          Lexicon.Match(position: verb, count: match.count, meaning: match.meaning, text: text))
      }
    }
    for index in tallies.indices { tallies[index].actions.sort { $0.position < $1.position } }
    return tallies
  }

  private struct Object {
    var position: Int
    var attributes: [Int]
  }

  /// Words that the object of a verb may be away from it.
  private static let objectWordsMax = 6

  /// For the position of each verb of many trades the last thing in the words that follow it, up to one that ends an
  /// object.
  private func objects(_ matches: [Lexicon.Match]) -> [Int: Object] {
    var things: Set<Int> = []
    var actions: Set<Int> = []
    var verbs: Set<Int> = Set((cues[.making] ?? []).map(\.position))
    for match in matches {
      switch match.meaning {
      case .thing: things.insert(match.position)
      case .action:
        if isNoun(match.position) { things.insert(match.position) } else { actions.insert(match.position) }
      case .verb: verbs.insert(match.position)
      case .implication, .cue: continue
      }
    }
    var objects: [Int: Object] = [:]
    for verb in verbs where !actions.contains(verb) {
      var object: Object?
      var passed: [Int] = []
      for place in verb + 1..<max(verb + 1, min(verb + 1 + Self.objectWordsMax, tokens.all.count)) {
        let token = tokens.all[place]
        if token.isAfterBreak || token.sentence != tokens.all[verb].sentence || objectEnds.contains(place) { break }
        if things.contains(place) { object = Object(position: place, attributes: passed) }
        if actions.contains(place) { passed.append(place) }
      }
      objects[verb] = object
    }
    return objects
  }

  private func choose(_ tallies: [Tally]) -> [Int] {
    let hasThings = tallies.contains { !$0.things.isEmpty }
    var tallies = tallies
    for index in tallies.indices where !tallies[index].things.isEmpty || !hasThings {
      tallies[index].actions += tallies[index].verbs
    }
    let acting = tallies.indices.filter { !tallies[$0].actions.isEmpty }
    // A verb says too little to be told by when it stands alone with many others.
    let candidates = acting.isEmpty ? tallies.indices.filter { !tallies[$0].things.isEmpty } : acting
    let most = candidates.map { tallies[$0].weight }.max() ?? 0
    return candidates.filter { tallies[$0].weight * 10 >= most }
  }

  private func implied(by implication: Vocabulary.Implication, _ domains: [Int]) -> [Int] {
    let names = domains.map { vocabulary.domains[$0].name }
    guard !implication.onlyWhenMaking || cues[.making] != nil,
      implication.with.isEmpty || implication.with.contains(where: names.contains)
    else { return [] }
    return implication.needs.compactMap { need in vocabulary.domains.firstIndex { $0.name == need } }
  }

  /// At most four, each once.
  private static func quoted(_ words: [String]) -> String {
    var shown: [String] = []
    for word in words where shown.count < 4 && !shown.contains("\"\(word)\"") { shown.append("\"\(word)\"") }
    return shown.joined(separator: ", ")
  }

  // MARK: - Complexity

  func complexity(_ domainCount: Int, isDiscussed: Bool, _ reasons: inout [String]) -> Analysis.Complexity {
    var points = domainCount
    if let cue = first(.making), domainCount > 0 {
      points += 1
      reasons.append("something is made (\"\(cue)\")")
    }
    if let cue = first(.large) {
      points += 1
      reasons.append("it is large (\"\(cue)\")")
    }
    if let cue = first(.small) {
      points -= 1
      reasons.append("it is small (\"\(cue)\")")
    }
    if isDiscussed { points += 1 }
    let count = tokens.all.count
    if count > 60 {
      points += count > 300 ? 2 : 1
      reasons.append("it takes \(count) words to say")
    }
    return points <= 0 ? .low : points < 3 ? .medium : .high
  }

  // MARK: - Approach

  /// The words that ask for opinions.
  var discussionCue: String? {
    if let match = cues[.debate]?.first { return match.text }
    if let match = cues[.debateOpeners]?.first(where: { isAtStart($0.position) && isBroken(after: $0) }) {
      return match.text
    }
    if let alternatives = bareAlternatives { return alternatives }
    if let match = cues[.discussion]?.first(where: { isQuestion($0.position) }) { return match.text }
    return cues[.discussionOpeners]?.first { isAtStart($0.position) && isQuestion($0.position) }?.text
  }

  private func isBroken(after match: Lexicon.Match) -> Bool {
    let next = match.position + match.count
    return next < tokens.all.count && tokens.all[next].isAfterBreak
  }

  /// Words that a question has at most that is nothing but what there is to choose from.
  private static let alternativesWordsMax = 8

  /// The `or` of a text that is a choice and nothing else: `Tabs or spaces?`
  private var bareAlternatives: String? {
    guard tokens.isQuestion == [true], tokens.all.count <= Self.alternativesWordsMax, cues[.questionWords] == nil,
      let match = cues[.alternatives]?.first, match.position > 0, match.position < tokens.all.count - 1
    else { return nil }
    return match.text
  }

  /// Words that small talk has at most.
  private static let smallTalkWordsMax = 12

  /// Why a text without a domain is to be answered at once; nil when it isn't.
  var smallTalk: String? {
    guard tokens.all.count <= Self.smallTalkWordsMax else { return nil }
    let isQuestion = tokens.isQuestion.contains(true)
    // What follows thanks is rarely work.
    if !isQuestion, let thanks = cues[.thanks]?.first(where: { $0.position == 0 }) {
      return "small talk (\"\(thanks.text)\")"
    }
    let polite = (cues[.greetings] ?? []) + (cues[.thanks] ?? []) + (cues[.aboutCoordinator] ?? [])
    let said = Set(polite.flatMap { $0.position..<$0.position + $0.count })
    guard said.contains(0), let first = polite.first(where: { $0.position == 0 }) else { return nil }
    let rest = tokens.all.indices.filter { !said.contains($0) }
    // One more word may be a name; in a question it may be what is asked.
    guard rest.count <= (isQuestion ? 0 : 1) else { return nil }
    return "small talk (\"\(first.text)\")"
  }

  /// The words that give an order.
  var sequenceCue: String? {
    let words = (cues[.sequence] ?? []) + (cues[.sequenceReversed] ?? [])
    return words.min { $0.position < $1.position }?.text ?? gate.map { $0.text }
  }

  /// The domains' names in the order in which the text wants their work done; by their stages when it doesn't say.
  func inOrderOfWork(_ domains: Domains) -> [String] {
    let isSaid = cues[.sequence] != nil || cues[.sequenceReversed] != nil
    let steps = domains.places.mapValues(Set.init)
    let order = isSaid ? WorkOrder(tokens, cues, worked: steps.values.reduce(into: []) { $0.formUnion($1) }) : nil
    let ranks = order?.ranks.flatMap { ranks in steps.mapValues { places in places.map { ranks[$0] }.min()! } }
    guard let ranks, domains.indices.allSatisfy({ ranks[$0] != nil }) else {
      let staged = domains.indices.sorted { (vocabulary.domains[$0].stage, $0) < (vocabulary.domains[$1].stage, $1) }
      return staged.map { vocabulary.domains[$0].name }
    }
    return domains.indices.sorted { (ranks[$0]!, $0) < (ranks[$1]!, $1) }.map { vocabulary.domains[$0].name }
  }
}
