import SpoolFormat

/// Whoever is best: `any`, `any:development`, `any:skill=swift`, `any:skill=swift>=advanced`, or several of these that must
/// all hold, with `/` between them.
public struct RouteAddress: Sendable, Hashable, CustomStringConvertible {
  /// In lower case, as its skills.
  public let needs: TaskNeeds
  /// As it was written.
  public let description: String

  public static let prefix = "any:"
  private static let termsMax = 20
  private static let example = "write any, any:development, or any:skill=swift>=advanced"

  /// Whether a text is meant as one. `any` alone may also be a bot's name.
  public static func isOne(_ text: String) -> Bool { text == "any" || text.hasPrefix(prefix) }

  public init(parsing text: String) throws(FormatError) {
    description = text
    guard text != "any" else {
      needs = TaskNeeds()
      return
    }
    let shown = String(text.prefix(80)).escapedForTerminal()
    guard text.hasPrefix(Self.prefix), text.utf8.count <= 2048 else {
      throw FormatError("\"\(shown)\" is no address of anybody: \(Self.example)")
    }
    var domain: String?
    var skills: [Card.Skill] = []
    let terms = text.dropFirst(Self.prefix.count).split(separator: "/", omittingEmptySubsequences: false)
    guard terms.count <= Self.termsMax else { throw FormatError("\"\(shown)\" asks for too much: at most 20 terms") }
    for term in terms.map(String.init) {
      if term.hasPrefix("skill=") {
        skills.append(try Self.skill(String(term.dropFirst(6)), shown))
        continue
      }
      let word = term.hasPrefix("domain=") ? String(term.dropFirst(7)) : term
      guard !word.isEmpty, !word.contains(where: { "=<>:".contains($0) }) else {
        let what = String(term.prefix(40)).escapedForTerminal()
        throw FormatError(
          term.isEmpty
            ? "\"\(shown)\" has an empty term: \(Self.example)"
            : "\"\(what)\" in \"\(shown)\" is neither a domain nor a skill: \(Self.example)")
      }
      guard domain == nil else { throw FormatError("\"\(shown)\" has two domains, and a bot has one: \(Self.example)") }
      domain = word
    }
    needs = TaskNeeds(domain: domain, skills: skills)
  }

  /// `swift`, `swift>=advanced` or `swift:advanced`. Without a level any will do.
  private static func skill(_ text: String, _ shown: String) throws(FormatError) -> Card.Skill {
    var (name, level) = (text, Card.Level.novice)
    let mark = text.firstIndex { ">:<=".contains($0) }
    if let mark {
      name = String(text[..<mark])
      let rest = text[mark...]
      let word: Substring
      if rest.hasPrefix(">=") {
        word = rest.dropFirst(2)
      } else if rest.hasPrefix(":") {
        word = rest.dropFirst()
      } else {
        throw FormatError("a skill in \"\(shown)\" is NAME or NAME>=LEVEL: \(example)")
      }
      level = try Card.Level(parsing: String(word))
    }
    guard !name.isEmpty, name.utf8.count <= 64 else {
      throw FormatError("a skill in \"\(shown)\" has no name: \(example)")
    }
    return Card.Skill(name: name, level: level)
  }
}
