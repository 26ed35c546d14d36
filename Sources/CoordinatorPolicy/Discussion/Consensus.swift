import SpoolFormat

/// What a team answered to a question: who holds which position, and whether they agree.
///
/// A position is what an answer's data has under `position`, else what its first words say: yes or no and their like are for
/// and against, words of doubt abstain. Where the question lets choose (`Postgres, MySQL or SQLite?`) it is what is chosen;
/// where it asks what, which or who, it is the short phrase that two answers or more begin with. Any other answer is heard,
/// and counted as unclear.
public struct Consensus: Sendable {
  public struct Answer: Sendable, Hashable {
    public let bot: String
    public let text: String
    /// Any JSON; of an object the `position` counts.
    public let data: JSONText?

    public init(bot: String, text: String, data: JSONText? = nil) {
      self.bot = bot
      self.text = text
      self.data = data
    }
  }

  /// Those who say the same.
  public struct Camp: Sendable, Hashable {
    /// `for`, `against`, `abstain`, `unclear`, or what they named.
    public let position: String
    public let answers: [Answer]
  }

  public enum Agreement: String, Sendable {
    /// All who took a position took the same, and nobody is of two minds.
    case unanimous
    /// More than half of those who took a position.
    case majority
    /// No position has more than half.
    case split
    /// Nobody took a position, or fewer than those whose answers are unclear.
    case none
  }

  public let question: String
  /// The largest first, and of equals in the order of the alphabet; those without a position at the end.
  public let camps: [Camp]
  /// Those who were asked and did not answer.
  public let silent: [String]
  public let agreement: Agreement
  /// What the largest camp holds; nil when none is the largest.
  public let position: String?
  /// The part of those who took a position that holds it, from 0 to 1.
  public let share: Double

  public init(question: String, answers: [Answer], silent: [String] = []) {
    self.question = question
    self.silent = silent
    let positions = Positions(question).of(answers)
    let grouped = Dictionary(grouping: answers.indices) { positions[$0] }
    let isPosition = { (name: String) in name != Self.abstain && name != Self.unclear }
    camps = grouped.map { Camp(position: $0.key, answers: $0.value.map { answers[$0] }.sorted { $0.bot < $1.bot }) }
      .sorted {
        (isPosition($0.position) ? 0 : 1, -$0.answers.count, $0.position)
          < (isPosition($1.position) ? 0 : 1, -$1.answers.count, $1.position)
      }
    let held = camps.filter { isPosition($0.position) }
    let voters = held.reduce(0) { $0 + $1.answers.count }
    guard let first = held.first else {
      (agreement, position, share) = (.none, nil, 0)
      return
    }
    share = Double(first.answers.count) / Double(voters)
    let isTied = held.count > 1 && held[1].answers.count == first.answers.count
    // Of those that can't be read each may be for anything.
    guard voters >= grouped[Self.unclear]?.count ?? 0 else {
      (agreement, position) = (.none, nil)
      return
    }
    position = isTied ? nil : first.position
    agreement = isTied || share <= 0.5 ? .split : held.count == 1 && camps.count == 1 ? .unanimous : .majority
  }

  static let abstain = "abstain"
  static let unclear = "unclear"

  // MARK: Telling

  /// The outcome, and who said what, for people.
  public var text: String {
    var lines: [String] = []
    let voters = camps.filter { $0.position != Self.abstain && $0.position != Self.unclear }
    let count = voters.reduce(0) { $0 + $1.answers.count }
    switch agreement {
    case .none:
      lines.append(
        "No consensus: \(voters.isEmpty ? "nobody took a position" : "most answers take no clear position").")
    case .split: lines.append("No consensus: the team is split.")
    case .majority, .unanimous:
      let held = Int((share * Double(count)).rounded())
      lines.append("Consensus: \(position ?? "") (\(agreement.rawValue), \(held) of \(count)).")
    }
    for camp in camps {
      lines.append("")
      let name = camp.position.prefix(1).uppercased() + camp.position.dropFirst()
      lines.append("\(name) (\(camp.answers.count)): \(camp.answers.map(\.bot).joined(separator: ", "))")
      for answer in camp.answers { lines.append("- \(answer.bot): \(Self.excerpt(answer))") }
    }
    if !silent.isEmpty {
      lines.append("")
      lines.append("No answer from: \(silent.sorted().joined(separator: ", "))")
    }
    return lines.joined(separator: "\n")
  }

  private static let excerptCharacters = 500

  private static func excerpt(_ answer: Answer) -> String {
    let says = answer.text.isEmpty ? answer.data?.description ?? "" : answer.text
    let line = says.split(whereSeparator: \.isNewline).joined(separator: " ")
    return line.count > excerptCharacters ? line.prefix(excerptCharacters - 1) + "…" : line
  }

  public func write(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.member("question", question)
    writer.member("consensus", agreement.rawValue)
    writer.member("position", ifPresent: position)
    writer.member("share", (share * 1000).rounded() / 1000)
    writer.key("positions")
    writer.beginArray()
    for camp in camps {
      writer.beginObject()
      writer.member("position", camp.position)
      writer.member("count", camp.answers.count)
      writer.member("bots", camp.answers.map(\.bot))
      writer.key("answers")
      writer.beginArray()
      for answer in camp.answers {
        writer.beginObject()
        writer.member("bot", answer.bot)
        writer.member("text", answer.text)
        writer.member("data", ifPresent: answer.data)
        writer.endObject()
      }
      writer.endArray()
      writer.endObject()
    }
    writer.endArray()
    writer.member("silent", silent.sorted())
    writer.endObject()
  }
}
