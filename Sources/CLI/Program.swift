import Glibc
import Spool
import SpoolFormat

/// The statuses that `spool` ends with; those from 64 on are those of `sysexits.h`.
enum Exit: CInt {
  case done = 0
  /// Nothing there, or the wait ended.
  case nothing = 1
  /// Of a wait: what was waited for failed, was cancelled, or can't go on.
  case failed = 2
  case claimLost = 3
  case usage = 64
  case badData = 65
  case noSuchBot = 67
  case noSpool = 69
  case cannotCreate = 73
  case inputOutput = 74
  case tryAgain = 75
  case notPermitted = 77

  init(_ code: SpoolError.Code) {
    self =
      switch code {
      case .notASpool: .noSpool
      case .noSuchBot: .noSuchBot
      case .notFound: .nothing
      case .claimLost: .claimLost
      case .badData, .notAllowed: .badData
      case .cannotCreate: .cannotCreate
      case .tryAgain: .tryAgain
      case .notPermitted: .notPermitted
      case .inputOutput, .outcomeUnknown: .inputOutput
      }
  }
}

/// A command line that can't be understood.
struct UsageError: Error {
  let message: String
  init(_ message: String) { self.message = message }
}

enum Program {
  static let version = "0.1"

  /// The command line as the kernel gave it: Swift would mend what isn't UTF-8 by putting something else in its place.
  static func run(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Exit {
    var texts: [String] = []
    for index in 1..<max(1, Int(count)) {
      guard let text = String(validatingCString: arguments[index]!) else {
        let shown = String(cString: arguments[index]!).prefix(80).description.escapedForTerminal()
        return fail("\"\(shown)\" is not UTF-8", "iconv -t UTF-8 makes it that", .badData)
      }
      texts.append(text)
    }
    return run(texts)
  }

  /// Runs a command line. What goes wrong is said in one line on standard error.
  static func run(_ arguments: [String]) -> Exit {
    let output = Output()
    guard let name = arguments.first, name != "--help", name != "-h" else {
      output.write(Help.overview(Command.allCases.map(\.verb)))
      return output.finish(arguments.isEmpty ? .usage : .done)
    }
    if name == "--version" || name == "version" {
      output.write("spool \(version), format \(Settings.formatVersion)\n")
      return output.finish(.done)
    }
    if name == "help" {
      guard arguments.count > 1 else {
        output.write(Help.overview(Command.allCases.map(\.verb)))
        return output.finish(.done)
      }
      return run(arguments.dropFirst().prefix(2) + ["--help"])
    }
    guard let verb = Command.allCases.first(where: { $0.rawValue == name })?.verb else {
      return unknown(name, among: Command.allCases.map(\.rawValue), "no command", "spool --help")
    }
    guard !verb.actions.isEmpty else { return run(verb, Array(arguments.dropFirst()), output) }
    guard arguments.count > 1, arguments[1] != "--help", arguments[1] != "-h" else {
      output.write(verb.help)
      return output.finish(arguments.count == 1 ? .usage : .done)
    }
    guard let action = verb.actions.first(where: { $0.action == arguments[1] }) else {
      let names = verb.actions.map(\.action)
      let near = verb.otherWords.first { $0.key == arguments[1] }.map { [$0.value] }
      return unknown(arguments[1], among: names, "no command \(name)", "spool \(name) --help", near)
    }
    return run(action, Array(arguments.dropFirst(2)), output)
  }

  private static func unknown(
    _ name: String, among names: [String], _ what: String, _ help: String, _ known: [String]? = nil
  ) -> Exit {
    let near = known ?? NearMatch.of(name, among: names)
    let see = name.hasPrefix("-") ? "options come after the command; see: \(help)" : "see: \(help)"
    let hint = near.isEmpty ? see : "did you mean \(near.joined(separator: ", "))?"
    return fail("\(what) \"\(name.escapedForTerminal())\"", hint, .usage)
  }

  private static func run(_ verb: Verb, _ arguments: [String], _ output: Output) -> Exit {
    if arguments.prefix(while: { $0 != "--" }).contains(where: { $0 == "--help" || $0 == "-h" }) {
      output.write(verb.help)
      return output.finish(.done)
    }
    do {
      let invocation = try Invocation(verb, arguments, output)
      return output.finish(try verb.run(invocation))
    } catch {
      _ = output.finish(.done)
      return report(error, verb)
    }
  }

  private static func report(_ error: any Error, _ verb: Verb) -> Exit {
    switch error {
    case let error as UsageError: fail("\(verb.name): \(error.message)", "see: spool \(verb.name) --help", .usage)
    case let error as SpoolError: fail(error.message, error.hint, Exit(error.code))
    case let error as FormatError: fail(error.description, nil, .badData)
    default: fail("\(error)", nil, .inputOutput)
    }
  }

  private static func fail(_ message: String, _ hint: String?, _ exit: Exit) -> Exit {
    Output.talk("spool: \(message)\(hint.map { " (\($0))" } ?? "")")
    return exit
  }
}
