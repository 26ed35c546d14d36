import Linux
import Spool
import SpoolFormat

extension Verb {
  static let state = Verb.noun(
    "state", summary: "small values that all share, a file each: set, get, watch, compare and swap, …",
    example: "spool state set light '{\"on\":true}'\nspool state watch light",
    exits: "0 done, 1 no such value, 3 it was changed since, 65 no JSON, 69 no spool",
    notes: """
      A value is a file, replaced as a whole: cat $SPOOL_DIR/state/light.json. Each change gets the next version
      and a line in the log, who made it with it. A file with nothing but a value that is put there by hand is a
      change too, and so is rm; an edit within what spool has written there is not seen as one.
      """,
    [.stateSet, .stateGet, .stateList, .stateDelete, .stateCas, .stateWatch, .stateHistory],
    otherWords: [
      "put": "set", "read": "get", "show": "get", "cat": "get", "ls": "list", "keys": "list", "rm": "delete",
      "remove": "delete", "unset": "delete", "swap": "cas", "follow": "watch", "log": "history",
    ])

  private static let changeOptions: [Option] = [
    .value("--by", "WHO", "who does it, for the log (else $SPOOL_BOT, else your name)"),
    .flag("--relaxed", "don't wait for the disk"),
  ]
  private static let valueOptions: [Option] = [
    .flag("--text", "the value is the text as it is, not JSON"),
    .value("--file", "F", "the value is what is in the file"),
  ]

  static let stateSet = Verb(
    name: "state set", summary: "give a key a value", usage: "KEY JSON|-|--file F [--text]",
    options: valueOptions + changeOptions,
    example: "spool state set build '{\"green\":true,\"at\":\"8f3a\"}'\nspool state set mood --text \"all is well\"",
    exits: "0 done, 65 no JSON, or too long, 69 no spool, 75 no room"
  ) { invocation in
    try invocation.expect(atMost: 2)
    return try change(invocation, expecting: nil)
  }

  static let stateCas = Verb(
    name: "state cas", summary: "give a key a value if it is at the version that you know",
    usage: "KEY JSON|-|--file F --version N [--text]",
    options: [.value("--version", "N", "the version it must be at; 0: it must have no value")] + valueOptions
      + changeOptions,
    example: """
      version=$(spool state get count --json | jq .version)
      spool state cas count 8 --version $version || echo "somebody was first"
      """,
    exits: "0 done, 3 it is at another version, 65 no JSON, 69 no spool"
  ) { invocation in
    try invocation.expect(atMost: 2)
    guard let version = try invocation.number("--version", in: 0...Int.max) else {
      throw UsageError("--version is missing: spool state get KEY --json tells it")
    }
    return try change(invocation, expecting: version)
  }

  private static func change(_ invocation: Invocation, expecting version: Int?) throws -> Exit {
    let name = try invocation.operand(0, "KEY")
    let key = try StateKey(parsing: name)
    let text = try invocation.text(operand: 1)
    let value: JSONText
    if invocation.has("--text") {
      value = JSONText(string: text)
    } else {
      do { value = try JSONText(validating: text) } catch {
        throw FormatError("the value is not JSON: \(error); for a plain text give --text")
      }
    }
    let spool = try invocation.spool()
    let author = try invocation.author()
    let done = try spool.setState(
      key, to: value, by: author, expecting: version, durability: invocation.has("--relaxed") ? .relaxed : nil)
    if invocation.isJSON { write(done, invocation.output) } else { Output.talk("\(key) is at version \(done.version)") }
    return .done
  }

  static let stateGet = Verb(
    name: "state get", summary: "print a value", usage: "KEY",
    example: "spool state get light\nspool state get light --json | jq .version",
    exits: "0 done, 1 no such value, 65 the file holds no JSON, 69 no spool"
  ) { invocation in
    try invocation.expect(atMost: 1)
    let key = try StateKey(parsing: try invocation.operand(0, "KEY"))
    let spool = try invocation.spool()
    guard let value = try spool.state(key) else { return try missing(key, spool) }
    if invocation.isJSON { write(value, invocation.output) } else { invocation.output.line(shown(value)) }
    return .done
  }

  private static func missing(_ key: StateKey, _ spool: Spool) throws -> Exit {
    let near = NearMatch.of(key.description, among: try spool.stateKeys().map(\.description))
    let hint = near.isEmpty ? "spool state list shows what has one" : "did you mean \(near.joined(separator: ", "))?"
    Output.talk("spool: \(key) has no value (\(hint))")
    return .nothing
  }

  static let stateList = Verb(
    name: "state list", summary: "list the values, with their versions and who set them", usage: "[PREFIX]",
    example: "spool state list\nspool state list build-",
    exits: "0 done, 1 there are none, 65 one can't be read, 69 no spool"
  ) { invocation in
    try invocation.expect(atMost: 1)
    let prefix = invocation.operands.first ?? ""
    let spool = try invocation.spool()
    var rows: [[String]] = []
    var (count, unreadable) = (0, 0)
    for key in try spool.stateKeys() where key.description.hasPrefix(prefix) {
      do {
        guard let value = try spool.state(key) else { continue }
        count += 1
        if invocation.isJSON { write(value, invocation.output) } else { rows.append(row(value)) }
      } catch let error as SpoolError where error.code == .badData {
        unreadable += 1
        Output.talk("spool: \(error)")
      }
    }
    if !rows.isEmpty { invocation.output.table(["KEY", "VERSION", "BY", "AT", "VALUE"], rows) }
    if unreadable > 0 { return .badData }
    if count == 0 {
      Output.talk(
        prefix.isEmpty
          ? "no shared values yet; set one with: spool state set KEY JSON"
          : "no shared value's key begins with \(prefix.escapedForTerminal())")
    }
    return count == 0 ? .nothing : .done
  }

  static let stateDelete = Verb(
    name: "state delete", summary: "take a value away", usage: "KEY [--version N]",
    options: [.value("--version", "N", "only if it is at this version")] + changeOptions,
    example: "spool state delete light", exits: "0 done, 1 there was none, 3 it is at another version, 69 no spool"
  ) { invocation in
    try invocation.expect(atMost: 1)
    let key = try StateKey(parsing: try invocation.operand(0, "KEY"))
    let version = try invocation.number("--version", in: 1...Int.max)
    let spool = try invocation.spool()
    let author = try invocation.author()
    let done = try spool.deleteState(
      key, by: author, expecting: version, durability: invocation.has("--relaxed") ? .relaxed : nil)
    guard let done else { return try missing(key, spool) }
    if invocation.isJSON { write(done, invocation.output) }
    return .done
  }

  static let stateWatch = Verb(
    name: "state watch", summary: "print values as they change", usage: "[KEY…] [--current] [--count N]",
    options: [
      .flag("--current", "first what they are now"),
      .value("--count", "N", "end after so many changes"),
      .value("--wait", "DURATION", "end when nothing has changed for so long (default: never)"),
    ],
    example: "spool state watch light --json | while read -r change; do echo \"$change\" | jq .value; done",
    exits: "0 as many as --count says, 1 the wait ended, 69 no spool"
  ) { invocation in
    let keys = try invocation.operands.map { try StateKey(parsing: $0) }
    let limit = try invocation.number("--count", in: 1...Int.max)
    let wait = try invocation.duration("--wait")
    let watcher = try StateWatcher(
      try invocation.spool(), keys: keys.isEmpty ? nil : keys, fromNow: !invocation.has("--current"))
    let reader = ReaderWatch(of: 1)
    var count = 0
    while limit.map({ count < $0 }) ?? true {
      guard let change = try watcher.next(waiting: wait, interruption: reader?.descriptor) else { return .nothing }
      if invocation.isJSON {
        write(change, invocation.output)
      } else {
        invocation.output.line(row(change).joined(separator: "  "))
      }
      guard invocation.output.flush() else { break }
      count += 1
    }
    return .done
  }

  static let stateHistory = Verb(
    name: "state history", summary: "list what a key ever stood for, and who set it, oldest first", usage: "KEY",
    example: "spool state history light", exits: "0 done, 1 it never had a value, 69 no spool"
  ) { invocation in
    try invocation.expect(atMost: 1)
    let key = try StateKey(parsing: try invocation.operand(0, "KEY"))
    let values = try History(try invocation.spool()).states(key)
    for value in values where invocation.isJSON { write(value, invocation.output) }
    if !invocation.isJSON, !values.isEmpty {
      invocation.output.table(
        ["VERSION", "BY", "AT", "VALUE"], values.map { Array(row($0).dropFirst()) })
    }
    if values.isEmpty { Output.talk("spool: \(key) never had a value") }
    return values.isEmpty ? .nothing : .done
  }

  private static func write(_ value: StateValue, _ output: Output) {
    output.object { writer in
      writer.member("key", value.key.description)
      if let text = value.value { writer.member("value", text) } else { writer.member("deleted", true) }
      writer.member("version", value.version)
      writer.member("by", ifPresent: value.by)
      if let at = value.at {
        writer.member("at", moment: at)
      }
    }
  }

  private static func shown(_ value: StateValue) -> String {
    (value.value?.description ?? "").escapedForTerminal(keepingLines: true)
  }

  private static func row(_ value: StateValue) -> [String] {
    [
      value.key.description, "\(value.version)", Output.excerpt(value.by ?? "?", 24),
      value.at.map(TimeText.local) ?? "?", value.value.map { Output.excerpt($0.description, 60) } ?? "(deleted)",
    ]
  }
}
