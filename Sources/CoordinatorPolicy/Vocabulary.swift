import SpoolFormat

/// The words by which requests are understood, and what they mean. Data, which a user can edit: `coordinator/vocabulary.json`.
///
/// Words are given in their basic form, in lower case; `s`, `es`, `ed`, `ing` and their spellings are known from them.
/// A word may be several (`mobile app`).
public struct Vocabulary: Sendable, Hashable {
  /// In the order in which an analysis lists them.
  public var domains: [Domain]
  public var implications: [Implication]
  public var cues: [Cue: [String]]

  public struct Domain: Sendable, Hashable {
    public var name: String
    /// Where it comes in a piece of work: research 1 … writing 6. Domains of one stage don't wait for each other.
    public var stage: Int
    /// Verbs that mean this domain, whatever their object: `deploy`.
    public var actions: [String]
    /// Verbs that mean it when their object is of it, or of none: `write` (a report, but also a function).
    public var verbs: [String]
    /// What its work is about: `server`.
    public var things: [String]
  }

  /// What nobody says, because everybody knows it.
  public struct Implication: Sendable, Hashable {
    public var words: [String]
    /// It holds only together with one of these; always when there are none.
    public var with: [String]
    /// It holds only when something is made.
    public var onlyWhenMaking: Bool
    public var needs: [String]
    public var reason: String
  }

  /// Words that say how, and not what.
  public enum Cue: String, Sendable, CaseIterable {
    /// A text without a domain that says nothing else is small talk.
    case greetings
    /// A statement without a domain that begins with one is small talk.
    case thanks
    /// Asks about the coordinator itself, when nothing else is said.
    case aboutCoordinator = "about_coordinator"
    /// Something new is made.
    case making
    /// Asks for opinions, in a question.
    case discussion
    /// Asks for opinions when a question begins with it.
    case discussionOpeners = "discussion_openers"
    /// Asks for opinions in any sentence.
    case debate
    /// Asks for opinions when a sentence begins with it, and a colon or the like follows.
    case debateOpeners = "debate_openers"
    /// Between what there is to choose from. A question that has one, and no question word, asks for opinions.
    case alternatives
    case questionWords = "question_words"
    /// One after the other, in the order of the words.
    case sequence
    /// Where a sentence begins with it, its first part comes after the second. It is a word of `sequence`, too.
    case sequencePostponing = "sequence_postponing"
    /// What follows one comes before what is said before it.
    case sequenceReversed = "sequence_reversed"
    /// With one of `gate_marks` up to three words before: the work has to pass it at its end.
    case gates
    case gateMarks = "gate_marks"
    case parallel
    case large, small
    /// What follows in the sentence is only what the work is about.
    case topicMarks = "topic_marks"
    /// An action up to two words after one is a noun: *the failing* tests.
    case determiners
    /// Ends the object of a verb.
    case objectEnds = "object_ends"
  }

  public init(domains: [Domain], implications: [Implication] = [], cues: [Cue: [String]] = [:]) {
    self.domains = domains
    self.implications = implications
    self.cues = cues
  }

  public static let bytesMax = 1 << 20

  public func domain(_ name: String) -> Domain? { domains.first { $0.name == name } }

  /// Its stage; 3, that of development, for one that isn't known.
  public func stage(_ name: String) -> Int { domain(name)?.stage ?? 3 }
}

// MARK: - The file

extension Vocabulary {
  private static let documentFields = ["domains", "implications", "cues"]
  private static let domainFields = ["name", "stage", "actions", "verbs", "things"]
  private static let implicationFields = ["words", "with", "only_when_making", "needs", "reason"]

  /// Reads a vocabulary. What it leaves out of `cues` is as it is built in; so are `implications`, if there are none.
  /// - Throws: all that is wrong, each with its line, its field and a cure.
  public init(parsing bytes: [UInt8]) throws(FileProblems) {
    guard bytes.count <= Self.bytesMax else {
      throw FileProblems([FileProblem(line: 1, field: "", "\(bytes.count) bytes", cure: "use at most \(Self.bytesMax)")]
      )
    }
    let document: JSONNode
    do { document = try JSONNode(parsing: bytes) } catch { throw FileProblems(error) }
    var check = FileChecker()
    guard document.kind == .object else {
      let message = "\(document.kindName) where a vocabulary should be"
      throw FileProblems([FileProblem(line: document.line, field: "", message, cure: "write {\"domains\": […]}")])
    }
    check.onlyKnown(document, "", Self.documentFields)
    self.init(domains: Self.domains(document, &check), cues: Vocabulary.builtIn.cues)
    implications = Vocabulary.builtIn.implications
    if check.member(document, "implications") != nil {
      implications = Self.implications(document, Set(domains.map(\.name)).subtracting([""]), &check)
    } else {
      let known = Set(domains.map(\.name))
      implications = implications.filter { known.isSuperset(of: $0.needs) }
    }
    if let node = check.member(document, "cues") {
      check.onlyKnown(node, "cues", Cue.allCases.map(\.rawValue))
      if node.kind != .object { check.note(node.line, "cues", "\(node.kindName) where an object of lists should be") }
      for cue in Cue.allCases where node[cue.rawValue] != nil {
        cues[cue] = Self.words(node, "cues", cue.rawValue, &check)
      }
    }
    try check.finish()
  }

  private static func domains(_ document: JSONNode, _ check: inout FileChecker) -> [Domain] {
    var domains: [Domain] = []
    for (node, field) in check.objects(document, "", "domains") {
      check.onlyKnown(node, field, domainFields)
      let name = (check.text(node, field, "name", bytesMax: 64) ?? "").lowercased()
      if name.isEmpty, node["name"]?.string != nil || check.member(node, "name") == nil {
        check.note(node.line, "\(field).name", "a domain needs one", cure: "write \"name\": \"…\"")
      } else if domains.contains(where: { $0.name == name }) {
        check.note(node["name"]!.line, "\(field).name", "there is a domain \"\(name)\" already", cure: "join the two")
      }
      let stage = check.number(node, field, "stage", 1...99, wanted: "write a number from 1 to 99")
      domains.append(
        Domain(
          name: name, stage: stage.map { Int($0) } ?? 3, actions: words(node, field, "actions", &check),
          verbs: words(node, field, "verbs", &check), things: words(node, field, "things", &check)))
    }
    if domains.isEmpty {
      let line = document["domains"]?.line ?? document.line
      check.note(
        line, "domains", "a vocabulary needs one at least", cure: "write [{\"name\": \"…\", \"actions\": […]}]")
    }
    return domains
  }

  private static func implications(
    _ document: JSONNode, _ known: Set<String>, _ check: inout FileChecker
  ) -> [Implication] {
    check.objects(document, "", "implications").map { node, field in
      check.onlyKnown(node, field, implicationFields)
      for name in ["with", "needs"] {
        for entry in check.texts(node, field, name) where !known.contains(entry.text) {
          let cure = FileChecker.nearest(entry.text, among: known.sorted(), all: "there are")
          check.note(entry.line, "\(field).\(name)", "there is no domain \"\(entry.text.prefix(64))\"", cure: cure)
        }
      }
      return Implication(
        words: words(node, field, "words", &check), with: check.texts(node, field, "with").map(\.text),
        onlyWhenMaking: check.flag(node, field, "only_when_making") ?? false,
        needs: check.texts(node, field, "needs").map(\.text),
        reason: check.text(node, field, "reason", bytesMax: 1024) ?? "it is needed with that")
    }
  }

  private static func words(
    _ node: JSONNode, _ field: String, _ name: String, _ check: inout FileChecker
  ) -> [String] {
    var words: [String] = []
    for entry in check.texts(node, field, name) {
      let tokens = Tokens.words(entry.text)
      if tokens.isEmpty || tokens.count > Lexicon.phraseWordsMax {
        let shown = "\"\(entry.text.prefix(64))\" has \(tokens.count) words"
        check.note(entry.line, "\(field).\(name)", shown, cure: "use 1 to \(Lexicon.phraseWordsMax)")
      } else {
        words.append(tokens.joined(separator: " "))
      }
    }
    return words
  }

  /// As a file that can be edited, and read again.
  public var prettyPrinted: String {
    func list(_ words: [String]) -> JSONValue { .array(words.map { .string($0) }) }
    var document = JSONObject()
    document["domains"] = .array(
      domains.map {
        .object([
          "name": .string($0.name), "stage": .number("\($0.stage)"), "actions": list($0.actions),
          "verbs": list($0.verbs), "things": list($0.things),
        ])
      })
    document["implications"] = .array(
      implications.map {
        .object([
          "words": list($0.words), "with": list($0.with), "only_when_making": .bool($0.onlyWhenMaking),
          "needs": list($0.needs), "reason": .string($0.reason),
        ])
      })
    var cues = JSONObject()
    for cue in Cue.allCases { cues[cue.rawValue] = list(self.cues[cue] ?? []) }
    document["cues"] = .object(cues)
    return Self.printed(document)
  }

  /// Lists of words on one line each: a page instead of a thousand lines.
  private static func printed(_ document: JSONObject) -> String {
    func isList(_ value: JSONValue) -> Bool { value.array?.allSatisfy { $0.string != nil } ?? true }
    func laidOut(_ value: JSONValue, _ indentation: String) -> String {
      let inner = indentation + "  "
      if let object = value.object, !object.isEmpty {
        let members = object.map { "\(inner)\(JSONText(string: $0.key)): \(laidOut($0.value, inner))" }
        return "{\n\(members.joined(separator: ",\n"))\n\(indentation)}"
      }
      if let elements = value.array, !isList(value) {
        return "[\n\(elements.map { inner + laidOut($0, inner) }.joined(separator: ",\n"))\n\(indentation)]"
      }
      if let elements = value.array { return "[\(elements.map { $0.text.description }.joined(separator: ", "))]" }
      return value.text.description
    }
    return laidOut(.object(document), "") + "\n"
  }
}
