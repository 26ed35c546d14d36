/// Whether an answer is for or against what a question asks, as the words at its beginning say.
///
/// What can't be told for certain has no stance: an answer that isn't counted does less harm than one that is counted wrongly.
struct Stance {
  enum Side: String {
    case `for`, against, abstain

    var opposite: Side? {
      switch self {
      case .for: .against
      case .against: .for
      case .abstain: nil
      }
    }
  }

  private let spoken: Spoken
  /// Stems of the words that say what is asked about.
  private let subject: Set<String>
  private var words: [Spoken.Word] { spoken.words }

  /// - Parameter question: what it answers; nil where only yes, no and their like count.
  static func side(of answer: Spoken, to question: Spoken?) -> Side? {
    let subject = question.map { $0.asked.map(\.text).filter { !StanceWords.common.contains($0) }.map(Spoken.stem) }
    let stance = Stance(spoken: answer, subject: Set(subject ?? []))
    // Who says the question again answers it after that.
    guard let first = answer.words.first(where: { !answer.questions.contains($0.sentence) }) else {
      // `Yes?`, and `sure, why not?`
      let isPlain = answer.words.first.map { word in
        StanceWords.yes.contains(word.text) || StanceWords.no.contains(word.text)
          || StanceWords.certain.contains(word.text) && answer.words.count > 1 && answer.ends(1)
      }
      return isPlain == true ? stance.read(0) : nil
    }
    return answer.words.firstIndex { $0.sentence == first.sentence }.flatMap { stance.read($0) }
  }

  private func text(_ place: Int) -> String { place < words.count ? words[place].text : "" }

  /// Words that may stand before the one that says it.
  private static let lookMax = 12

  private func read(_ start: Int) -> Side? {
    var proposes = false
    var place = start
    while place < min(words.count, start + Self.lookMax) {
      let word = text(place)
      if StanceWords.nots.contains(word) { return negated(place) }
      if let side = said(place) { return side }
      if StanceWords.certain.contains(word) || word == "of" && text(place + 1) == "course" {
        return assured(place + (word == "of" ? 2 : 1), proposes)
      }
      if word == "for", StanceWords.forWhom.contains(text(place + 1)) {
        place += 2
        continue
      }
      if word == "let", text(place + 1) == "us" {
        proposes = true
        place += 2
        continue
      }
      if proposes || ["do", "go"].contains(word) && place == start, concerns(place), isWhole(place) { return .for }
      if StanceWords.proposing.contains(word), place == start || !StanceWords.things.contains(text(place - 1)) {
        proposes = true
        if spoken.ends(place + 1) { return .for }
      } else if ["would", "will"].contains(word), place > start, ["i", "we"].contains(text(place - 1)) {
        proposes = true
        if spoken.ends(place + 1) { return .for }
      } else if !StanceWords.fillers.contains(word) {
        return nil
      }
      place += 1
    }
    return nil
  }

  /// After `definitely` and its like, which say yes only when nothing else follows.
  private func assured(_ place: Int, _ proposes: Bool) -> Side? {
    let isDenied = StanceWords.nots.contains(text(place)) || StanceWords.no.contains(text(place))
    if spoken.ends(place), !isDenied { return isMixed(place - 1, .for) ? .abstain : .for }
    if proposes, concerns(place), isWhole(place) { return .for }
    return read(place)
  }

  /// What the word at a place says by itself.
  private func said(_ place: Int) -> Side? {
    let word = text(place)
    if StanceWords.yes.contains(word) { return isMixed(place, .for) ? .abstain : .for }
    if StanceWords.no.contains(word) { return refused(place) }
    if StanceWords.abstaining.contains(word) { return .abstain }
    if word == "agree" || word == "agreed" { return text(place + 1) == "to" ? nil : .for }
    if word == "disagree" { return .against }
    if word == "so", place > 0, StanceWords.thinking.contains(text(place - 1)) {
      return spoken.ends(place + 1) ? .for : nil
    }
    if StanceWords.backing.contains(word) { return isAboutIt(place + 1) ? .for : nil }
    if StanceWords.fighting.contains(word) { return isAboutIt(place + 1) ? .against : nil }
    if let side = StanceWords.praise[word] {
      let isJudged = StanceWords.ideas.contains(text(place + 1))
      let isForAll = spoken.ends(place + 1) || StanceWords.forWhom.contains(text(place + 2)) && spoken.ends(place + 3)
      return isJudged || place > 0 && isForAll ? side : nil
    }
    return nil
  }

  /// After `no`: what nobody has says little, and `no` before any other noun says something else.
  private func refused(_ place: Int) -> Side? {
    let next = place + 1
    if isMixed(place, .against) { return .abstain }
    if spoken.ends(next) || !["no", "nope", "nay", "nein", "non"].contains(text(place)) { return .against }
    let rest = spoken.clause(next)
    for (index, word) in rest.prefix(3).enumerated() {
      // `No doubt it will fail`
      if StanceWords.doubts.contains(word) {
        let after = next + index + 1
        return (after < words.count ? read(after) : nil) ?? (spoken.ends(after) ? .for : nil)
      }
      if word == "reason" { return rest.contains("not") ? .for : .against }
      if let side = StanceWords.lacked[word] { return side }
      if StanceWords.afterNo.contains(word), index == 0 { return .against }
    }
    if text(next) == "to" { return isAboutIt(next + 1) ? .against : nil }
    return nil
  }

  /// Yes and no: `yes and no`, `no, but yes`, `yes, but not now`.
  private func isMixed(_ place: Int, _ side: Side) -> Bool {
    var next = place + 1
    while next < words.count, next < place + 3, StanceWords.joining.contains(text(next)) { next += 1 }
    return side == .for ? next < words.count && read(next) == .against : StanceWords.yes.contains(text(next))
  }

  /// After `not`.
  private func negated(_ place: Int) -> Side? {
    var isPartial = false
    var next = place + 1
    while !spoken.ends(next), StanceWords.degrees.contains(text(next)) || StanceWords.partly.contains(text(next)) {
      isPartial = isPartial || StanceWords.partly.contains(text(next))
      next += 1
    }
    if !spoken.ends(next), let side = StanceWords.lacked[text(next)] { return side }
    // `not entirely` may be either.
    guard !isPartial else { return nil }
    if spoken.ends(next) { return .against }
    let (word, after) = (text(next), text(next + 1))
    if word == "agree", after == "more" { return .for }
    if word == "see" { return seen(spoken.clause(next + 1)) }
    if StanceWords.thinking.contains(word) || word == "vote" { return read(next + 1)?.opposite }
    if word == "for", StanceWords.forWhom.contains(after) { return .against }
    if StanceWords.notYet.contains(word) || word == "this" && StanceWords.spans.contains(after) { return .against }
    if StanceWords.yes.contains(word) || StanceWords.no.contains(word) { return nil }
    if let side = said(next) { return side.opposite }
    if StanceWords.wanting.contains(word) {
      let object = text(next + 1) == "to" ? next + 2 : next + 1
      return spoken.ends(object) || concerns(object) ? .against : nil
    }
    return concerns(next) ? .against : nil
  }

  /// What who doesn't see it thinks: `why not`, `a problem`, `the point`.
  private func seen(_ what: [String]) -> Side? {
    for (index, word) in what.prefix(4).enumerated() {
      if ["why", "reason", "cause"].contains(word) { return what.dropFirst(index).contains("not") ? .for : .against }
      if StanceWords.harms.contains(word) { return .for }
      if StanceWords.uses.contains(word) { return .against }
    }
    return nil
  }

  // MARK: What it speaks of

  /// Whether the clause from here on speaks of nothing but what was asked: `it`, `so`, `migrate now`.
  private func concerns(_ place: Int) -> Bool {
    guard place < words.count else { return false }
    var said = spoken.clause(place).prefix { !StanceWords.reasoning.contains($0) }
    if said.first == "go", said.count > 1, ["ahead", "for", "with"].contains(said[1]) { said = said.dropFirst() }
    let names = said.map { subject.contains(Spoken.stem($0)) || StanceWords.it.contains($0) }
    return names.contains(true)
      && zip(said, names).allSatisfy { word, names in
        names || StanceWords.around.contains(word) || word.hasSuffix("ly")
      }
  }

  /// Whether who is for or against something is so of what was asked.
  private func isAboutIt(_ place: Int) -> Bool {
    spoken.ends(place)
      || text(place) != "what"
        && spoken.clause(place).prefix(4).contains { word in
          subject.contains(Spoken.stem(word)) || StanceWords.it.contains(word) || StanceWords.ideas.contains(word)
        }
  }

  /// Nothing in the sentence takes back or delays what is proposed.
  private func isWhole(_ place: Int) -> Bool {
    let sentence = words[place].sentence
    return !spoken.questions.contains(sentence)
      && !words[place...].contains { $0.sentence == sentence && StanceWords.limiting.contains($0.text) }
  }
}
