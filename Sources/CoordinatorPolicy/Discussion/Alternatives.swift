/// What a question lets its answers choose from: `Postgres, MySQL or SQLite?`
struct Alternatives {
  struct Option: Equatable {
    let name: String
    /// Words that stand in no other option: an answer that says one means it.
    let words: Set<String>
  }

  let options: [Option]
  /// Stems of the other words of the question, which an answer may repeat: *rewrite it in* Rust.
  private let repeated: Set<String>
  static let none = Alternatives(options: [], repeated: [])

  /// Of one option, words, and of a question, options.
  private static let wordsMax = 6
  private static let optionsMax = 12

  private init(options: [Option], repeated: Set<String>) {
    self.options = options
    self.repeated = repeated
  }

  /// None where the question has no `or`, asks `or not`, or what it lets choose can't be told apart.
  init(of question: String) {
    self = Self.sentences(question).lazy.compactMap(Self.options).first ?? .none
  }

  private static func sentences(_ text: String) -> [Spoken] {
    text.split { "?!\n".contains($0) }.map { Spoken(String($0.split(separator: ":").last ?? "")) }
  }

  private static func options(_ sentence: Spoken) -> Alternatives? {
    var parts = parts(sentence)
    guard parts.count > 1, parts.count <= optionsMax, let last = parts.popLast(), !last.isEmpty else { return nil }
    let end = phrase(of: last, endingAt: { isBoundary($0) })
    // `… or keep the monolith`: what was to be done stands before the `or`, as a whole.
    let isDeed = end.dropFirst().contains { articles.contains($0) || linking.contains($0) || pronouns.contains($0) }
    var phrases: [[String]] = []
    for (index, part) in parts.enumerated() {
      let own = afterLead(part)
      if index == 0, !isDeed {
        phrases.append(object(own.words, count: bare(end).count))
      } else {
        if isDeed, index == 0, !own.isLed { return nil }
        phrases.append(own.words)
      }
    }
    phrases.append(isDeed ? last : end)
    guard let options = distinct(phrases) else { return nil }
    let own = Set(options.flatMap(\.words))
    return Alternatives(
      options: options, repeated: Set(sentence.words.map(\.text).filter { !own.contains($0) }.map(Spoken.stem)))
  }

  /// What stands between the commas and the `or`s of a sentence that has an `or`; before its first part nothing else.
  private static func parts(_ sentence: Spoken) -> [[String]] {
    var parts: [[String]] = [[]]
    var place: Int?
    for word in sentence.words {
      if place != nil, word.isAfterBreak, word.text != "or", !parts[parts.count - 1].isEmpty { break }
      if word.text == "or" {
        place = parts.count
        if !parts[parts.count - 1].isEmpty { parts.append([]) }
      } else {
        if word.isAfterBreak, !parts[parts.count - 1].isEmpty { parts.append([]) }
        parts[parts.count - 1].append(word.text)
      }
    }
    guard place != nil else { return [] }
    if let first = parts.dropLast().lastIndex(where: { afterLead($0).isLed }) { parts.removeFirst(first) }
    while parts.count > 2, let word = parts[0].first, asking.contains(word) { parts.removeFirst() }
    return parts
  }

  /// What follows `should we`, and its like.
  private static func afterLead(_ part: [String]) -> (words: [String], isLed: Bool) {
    let places = part.indices.dropFirst().filter { people.contains(part[$0]) && modals.contains(part[$0 - 1]) }
    guard let place = places.last else { return (part, false) }
    return (Array(part[(place + 1)...]), true)
  }

  /// The last words of the first part: after a verb of choosing, an article or a preposition all, else as many as the last
  /// option has.
  private static func object(_ words: [String], count: Int) -> [String] {
    var words = words
    while let last = words.last, pronouns.contains(last) { words.removeLast() }
    // The last is never an article: option *a*.
    let ends = words.dropLast().lastIndex { isBoundary($0) || choosing.contains($0) || asking.contains($0) }
    let run = Array(words.dropFirst(ends.map { $0 + 1 } ?? 0))
    let isBounded = run.count < words.count || run.count == 1
    return isBounded && run.count <= 3 ? run : Array(run.suffix(max(1, count)))
  }

  private static func phrase(of words: [String], endingAt isEnd: (String) -> Bool) -> [String] {
    let kept = words.drop { articles.contains($0) }
    // A verb phrase has its own articles and prepositions: where one of them ends a noun can't be told from that.
    guard let first = kept.first, kept.count > 1, !people.contains(first) else { return Array(kept) }
    if let next = kept.dropFirst().first, articles.contains(next) || pronouns.contains(next) || away.contains(next) {
      return Array(kept)
    }
    return [first] + kept.dropFirst().prefix { !isEnd($0) }
  }

  private static func isBoundary(_ word: String) -> Bool {
    articles.contains(word) || linking.contains(word) || modals.contains(word) || people.contains(word)
  }

  private static func bare(_ words: [String]) -> [String] {
    let last = words.indices.last
    let named = words.indices.filter { $0 == last && !pronouns.contains(words[$0]) || !particles.contains(words[$0]) }
    let rest = named.map { words[$0] }.filter { !choosing.contains($0) }
    return !rest.isEmpty ? rest : !named.isEmpty ? named.map { words[$0] } : words
  }

  private static func distinct(_ phrases: [[String]]) -> [Option]? {
    var options: [Option] = []
    let told = phrases.map(bare)
    for (index, phrase) in told.enumerated() {
      let others = Set(told.enumerated().filter { $0.offset != index }.flatMap(\.element))
      var words = Set(phrase).subtracting(others)
      let named = words.subtracting(linking)
      if !named.isEmpty { words = named }
      let isStance = words.contains { StanceWords.yes.contains($0) || StanceWords.no.contains($0) }
      guard !words.isEmpty, phrase.count <= wordsMax, !isStance, words.isDisjoint(with: nothings) else { return nil }
      let name = phrases[index].count == 1 ? phrases[index][...] : phrases[index].drop { articles.contains($0) }
      options.append(Option(name: name.joined(separator: " "), words: words))
    }
    return options.count > 1 ? options : nil
  }

  // MARK: What an answer chooses

  private static let lookMax = 10

  /// The option that an answer names at its beginning; nil when it names none, or several, or only speaks of one.
  func chosen(by answer: Spoken) -> String? {
    guard options.count > 1 else { return nil }
    var isAgainst = false
    var isWanted = false
    for (place, word) in answer.words.prefix(Self.lookMax).enumerated() {
      if let hit = options.firstIndex(where: { $0.words.contains(word.text) }) {
        guard isMeant(options[hit], in: answer, at: place, isWanted: isWanted) else { return nil }
        guard isAgainst else { return options[hit].name }
        return options.count == 2 ? options[1 - hit].name : nil
      }
      if Self.refusing.contains(word.text) {
        // `No, Postgres`, but not `not sure, Postgres`.
        let isAlone = answer.ends(place + 1)
        guard isAlone || !["sure", "certain"].contains(answer.words[place + 1].text) else { return nil }
        isAgainst = !isAlone
        continue
      }
      let isOfQuestion = repeated.contains(Spoken.stem(word.text))
      guard isOfQuestion || Self.passed.contains(word.text) else { return nil }
      isWanted = isWanted || Self.choosing.contains(word.text) || isOfQuestion && !Self.particles.contains(word.text)
    }
    return nil
  }

  /// `Postgres is slow` is no vote for it, and neither is `Postgres or MySQL`.
  private func isMeant(_ option: Option, in answer: Spoken, at place: Int, isWanted: Bool) -> Bool {
    let own = Set(option.name.split(separator: " ").map(String.init)).union(Self.articles)
    let rest = answer.clause(place).drop { own.contains($0) }
    guard let next = rest.first else { return true }
    if ["or", "and", "vs", "versus"].contains(next) { return false }
    if Self.telling.contains(next) {
      return rest.contains { Self.better.contains($0) } && !rest.contains { StanceWords.limiting.contains($0) }
    }
    return isWanted || Self.reasoning.contains(next) || repeated.contains(Spoken.stem(next))
  }

  private static func set(_ text: String) -> Set<String> { Set(text.split(separator: " ").map(String.init)) }
  private static let articles = set("a an the our my your their its to")
  private static let pronouns = set("it them this that these those one ones us")
  private static let particles = articles.union(pronouns)
  private static let linking = set(
    "for in on at with by from as of about into than over instead because when if while is are")
  private static let away = set("with on at from off out to up away")
  private static let people = set("we i they you it one people everyone")
  private static let modals = set("should shall do does would could can will must may")
  private static let asking = set("what which who where when why how whether if hi hello hey")
  private static let nothings = set("not what something whatever else neither none never")
  /// Verbs before what is chosen: `let's go with Postgres`.
  private static let choosing = set(
    "choose prefer take use go pick adopt buy try for favor favour select recommend suggest stay stick keep vote say rather "
      + "want need")
  private static let passed = choosing.union(StanceWords.fillers).union(StanceWords.yes).union(StanceWords.certain)
    .subtracting(["see", "have", "seems", "sounds"]).union([
      "should", "let's", "must", "of", "course", "with", "option",
    ])
  private static let refusing = set("against not never oppose reject no avoid")
  /// After an option that is all that was said so far: `Postgres because …`
  private static let reasoning = set(
    "because since as for please over than rather instead all definitely always obviously clearly any every")
  private static let telling = set(
    "is are was were would will can could has have had does did might may seems needs costs lacks fails breaks looks sounds"
  )
  private static let better = set(
    "best better good great right enough safer simpler faster easier cheaper preferred favourite favorite winner fine")
}
