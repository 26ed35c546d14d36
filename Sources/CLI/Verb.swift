import Spool
import SpoolFormat

/// A command: what it takes, and what it does.
struct Verb: Sendable {
  let name: String
  /// What it does, in half a sentence.
  let summary: String
  /// What follows the name, such as `BOT [--wait DURATION]`.
  let usage: String
  var options: [Option] = []
  let example: String
  /// What its statuses mean, such as `0 got one, 1 none, 67 no such bot`.
  let exits: String
  /// What else there is to know, in a few lines: the contract with a program that it runs.
  var notes = ""
  /// A noun's: what can be done with it, each with a name such as `task add`.
  var actions: [Verb] = []
  /// What others call its actions: for whoever types that, the name here. Not a dictionary either:
  /// see `Spool.LogAccess`.
  var otherWords: KeyValuePairs<String, String> = [:]
  let run: @Sendable (Invocation) throws -> Exit

  /// What stands after the noun.
  var action: String { name.split(separator: " ").last.map(String.init) ?? name }

  /// A noun with its actions. Its `run` is never reached: a command line without an action ends before.
  static func noun(
    _ name: String, summary: String, example: String, exits: String, notes: String, _ actions: [Verb],
    otherWords: KeyValuePairs<String, String> = [:]
  ) -> Verb {
    Verb(
      name: name, summary: summary, usage: "ACTION …          spool \(name) ACTION --help tells more", example: example,
      exits: exits, notes: notes, actions: actions, otherWords: otherWords
    ) { _ throws(UsageError) in throw UsageError("ACTION is missing") }
  }

  struct Option: Sendable {
    let name: String
    /// What its value is called; nil for one that takes none.
    let value: String?
    let about: String

    static func flag(_ name: String, _ about: String) -> Option { Option(name: name, value: nil, about: about) }
    static func value(_ name: String, _ value: String, _ about: String) -> Option {
      Option(name: name, value: value, about: about)
    }
  }

  /// What every verb takes.
  static let common: [Option] = [
    .value("--spool", "DIR", "the spool (else $SPOOL_DIR, else the nearest upward)"),
    .flag("--json", "for programs: one JSON object a line"),
  ]

  var allOptions: [Option] { options + Self.common }

  var help: String {
    let width = allOptions.map { Help.left($0).count }.max() ?? 0
    let lines = allOptions.map { option in
      let left = Help.left(option)
      return left + String(repeating: " ", count: width - left.count) + "   " + option.about
    }
    return """
      spool \(name): \(summary)

      Usage:    spool \(name)\(usage.isEmpty ? "" : " " + usage)\(actions.isEmpty ? "" : "\n" + Help.list(actions))
      Options:  \(lines.joined(separator: "\n          "))
      Example:  \(example.split(separator: "\n").joined(separator: "\n          "))
      Exit:     \(exits)
      \(notes.isEmpty ? "" : "\n" + notes + "\n")
      """
  }
}

enum Help {
  static func left(_ option: Verb.Option) -> String { option.value.map { "\(option.name) \($0)" } ?? option.name }

  /// Verbs, or the actions of a noun, a line each.
  static func list(_ verbs: [Verb]) -> String {
    let width = verbs.map(\.action.count).max() ?? 0
    let lines = verbs.map { "  \($0.action)\(String(repeating: " ", count: width - $0.action.count))   \($0.summary)" }
    return lines.joined(separator: "\n")
  }

  static func overview(_ verbs: [Verb]) -> String {
    """
    spool: messages between bots, and tasks for them, as files

    Usage:    spool VERB …          spool VERB --help tells more
    \(list(verbs))

    Begin:    spool init /tmp/team && export SPOOL_DIR=/tmp/team
              spool register coder && spool send coder "hello" && spool receive coder --ack

    """
  }
}

/// A command line, taken apart as its verb says.
struct Invocation {
  let output: Output
  /// With what follows `--`, unless that is a program.
  let operands: [String]
  /// What follows `--` where a program stands there.
  let program: [String]
  private let takesProgram: Bool
  private let takesText: Bool
  private let usage: String
  /// How many operands stand before `--`: behind it even `-` is a text.
  private let plainCount: Int
  /// In the order in which they were given. Not a dictionary: see `Spool.LogAccess`.
  private let values: [(option: String, value: String)]

  init(_ verb: Verb, _ arguments: [String], _ output: Output) throws(UsageError) {
    self.output = output
    takesProgram = verb.usage.contains("-- PROGRAM")
    takesText = ["TEXT", "JSON", "QUERY"].contains { verb.usage.contains($0) }
    usage = "spool \(verb.name) \(verb.usage)"
    var operands: [String] = []
    var values: [(option: String, value: String)] = []
    var rest: [String] = []
    var index = 0
    while index < arguments.count {
      let argument = arguments[index]
      index += 1
      if argument == "--" {
        rest = Array(arguments[index...])
        break
      }
      guard argument.hasPrefix("-"), argument != "-" else {
        operands.append(argument)
        continue
      }
      let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard let option = verb.allOptions.first(where: { $0.name == parts[0] }) else {
        throw Self.unknown(parts[0], verb)
      }
      if option.value == nil {
        guard parts.count == 1 else { throw UsageError("\(option.name) takes no value") }
        values.append((option.name, ""))
      } else if parts.count == 2 {
        values.append((option.name, parts[1]))
      } else {
        guard index < arguments.count else { throw UsageError("\(option.name) needs a value (\(option.value!))") }
        values.append((option.name, arguments[index]))
        index += 1
      }
    }
    plainCount = operands.count
    program = takesProgram ? rest : []
    // A text that is one operand needs no quotes there.
    let words = verb.usage.split(separator: " ")
    if let place = words.firstIndex(where: { $0.contains("|-|--file") || $0 == "[TEXT]" }) {
      let named = rest.prefix(max(0, place - operands.count))
      let text = rest.dropFirst(named.count)
      rest = named + (text.isEmpty ? [] : [text.joined(separator: " ")])
    }
    self.operands = takesProgram ? operands : operands + rest
    self.values = values
  }

  private static func unknown(_ name: String, _ verb: Verb) -> UsageError {
    // Without the dashes, which all have, and which would make any two short ones look alike.
    let plain = String(name.drop { $0 == "-" })
    let options = verb.allOptions.map { String($0.name.dropFirst(2)) }
    var near = NearMatch.of(plain, among: options)
    // Some verbs have the one, and some the other.
    let other = plain == "wait" ? "timeout" : plain == "timeout" ? "wait" : ""
    if near.isEmpty, options.contains(other) { near = [other] }
    let hint = near.isEmpty ? "" : "; did you mean \(near.map { "--" + $0 }.joined(separator: ", "))?"
    let text = name.hasPrefix("--") ? "" : "; what begins with - and is no option goes after --"
    return UsageError("no option \(name.escapedForTerminal())\(hint)\(hint.isEmpty ? text : "")")
  }

  func has(_ name: String) -> Bool { values.contains { $0.option == name } }
  func value(_ name: String) -> String? { values.last { $0.option == name }?.value }
  func all(_ name: String) -> [String] { values.filter { $0.option == name }.map { $0.value } }
  var isJSON: Bool { has("--json") }

  /// What followed the verb, for a shell, with another value of an option.
  func words(with option: String, _ value: Int) -> String {
    let others = values.filter { $0.option != option }.map { other in
      other.value.isEmpty ? other.option : "\(other.option) \(other.value.quotedForShell)"
    }
    return (operands.map(\.quotedForShell) + others + ["\(option) \(value)"]).joined(separator: " ")
  }

  /// The operand at a place.
  func operand(_ index: Int, _ name: String) throws(UsageError) -> String {
    guard index < operands.count else { throw UsageError("\(name) is missing") }
    return operands[index]
  }

  /// Whether an operand stands for standard input.
  func isStandardInput(_ index: Int) -> Bool { index < plainCount && operands[index] == "-" }

  /// Refuses more operands than the verb takes: a forgotten quote would otherwise lose half a text.
  func expect(atMost count: Int) throws(UsageError) {
    guard operands.count > count else { return }
    let extra = operands[count].escapedForTerminal()
    let cure =
      takesProgram ? "the program goes after --" : takesText ? "quote texts with spaces" : "what it takes: \(usage)"
    throw UsageError("\"\(extra)\" is one word too many: \(cure)")
  }

  /// Does something to each of several. One that won't do is said, and doesn't keep it from being done to the others.
  /// - Returns: the status of the first that wouldn't.
  static func forEach<Item>(_ items: [Item], _ body: (Item) throws -> Void) throws -> Exit {
    var exit = Exit.done
    for item in items {
      do { try body(item) } catch let error as SpoolError {
        Output.talk("spool: \(error)")
        if exit == .done { exit = Exit(error.code) }
      }
    }
    return exit
  }

  func number(_ name: String, in range: ClosedRange<Int>) throws(UsageError) -> Int? {
    guard let text = value(name) else { return nil }
    guard let number = Int(text), range ~= number else {
      throw UsageError(
        "\(name) \(text.escapedForTerminal()) is not a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  /// Seconds.
  func duration(_ name: String) throws(UsageError) -> Double? {
    guard let text = value(name) else { return nil }
    guard let seconds = TimeText.duration(text) else {
      throw UsageError("\(name) \(text.escapedForTerminal()) is no duration: write 500ms, 30s, 5m, 2h or 1d")
    }
    return seconds
  }

  /// A moment: a time, as `TimeText` reads it, or a duration before (`sign` −1) or after (1) now.
  func moment(_ name: String, sign: Double) throws(UsageError) -> Timestamp? {
    guard let text = value(name) else { return nil }
    if let moment = TimeText.moment(text, sign: sign) { return moment }
    if text.utf8.count >= 4, text.utf8.allSatisfy({ 48...57 ~= $0 }) {
      throw UsageError("\(name) \(text) may be a date or seconds: write it as in 2026-11-20, or \(text)s")
    }
    let span = sign < 0 && text.hasSuffix(" ago") ? String(text.dropLast(4)) : text
    if let seconds = TimeText.duration(span) { return TimeText.now().advanced(bySeconds: sign * seconds) }
    throw UsageError(
      "\(name) \(text.escapedForTerminal()) is no time: write 2026-11-20T23:45:00Z, or a duration such as 10m")
  }
}
