/// What the command line asked for.
struct Options {
  var json = false
  var directory = "."
  var only: [String] = []
  var rounds = 5
  var scale = 1.0
  var help = false
  /// A file with an assignment problem that is to be solved.
  var problem: String?

  /// Rounds cost tens of seconds each; more than this is a slip of the finger.
  static let roundsMax = 1_000
  /// Counts grow with the scale; 100 is 100,000,000 log lines.
  static let scaleMax = 100.0

  init(parsing arguments: some Sequence<String>, works: [String]) throws(UsageError) {
    var rest = Array(arguments)[...]
    while let argument = rest.popFirst() {
      switch argument {
      case "--json": json = true
      case "--help", "-h": help = true
      case "--dir": directory = try Options.value(of: argument, from: &rest)
      case "--only":
        only.append(try Options.work(try Options.value(of: argument, from: &rest), works))
      case "--solve": problem = try Options.value(of: argument, from: &rest)
      case "--rounds":
        let text = try Options.value(of: argument, from: &rest)
        guard let number = Int(text), (1...Options.roundsMax).contains(number) else {
          throw UsageError("--rounds takes a number from 1 to \(Options.roundsMax), not \(text)")
        }
        rounds = number
      case "--scale":
        let text = try Options.value(of: argument, from: &rest)
        guard let number = Double(text), number > 0, number <= Options.scaleMax else {
          throw UsageError("--scale takes a number above 0, at most \(short(Options.scaleMax)), not \(text)")
        }
        scale = number
      case _ where !argument.hasPrefix("-"): only.append(try Options.work(argument, works))
      default: throw UsageError("unknown argument \(argument). See: spool-bench --help")
      }
    }
  }

  private static func work(_ name: String, _ works: [String]) throws(UsageError) -> String {
    guard works.contains(where: { $0.hasPrefix(name) }) else {
      throw UsageError("no work is called \(name). There are: \(works.joined(separator: ", "))")
    }
    return name
  }

  func wants(_ work: String) -> Bool {
    only.isEmpty || only.contains { work.hasPrefix($0) }
  }

  private static func value(of option: String, from rest: inout ArraySlice<String>) throws(UsageError) -> String {
    guard let value = rest.popFirst() else { throw UsageError("\(option) needs a value. See: spool-bench --help") }
    return value
  }
}

struct UsageError: Error {
  let message: String
  init(_ message: String) { self.message = message }
}

func helpText(_ works: [CatalogueEntry]) -> String {
  let width = works.map(\.name.count).max() ?? 0
  let list = works.map { work in
    "          \(work.name)\(String(repeating: " ", count: width - work.name.count + 2))\(work.what)"
  }
  return """
    spool-bench: measure the spool beside bare system calls and other message systems

    Usage:    spool-bench [WORK]... [--dir DIR] [--rounds N] [--scale F] [--json]
    Options:  WORK          only the works whose names begin so (default: all); --only WORK is the same
              --dir DIR     measure on the file system of DIR (default: the current directory)
              --rounds N    rounds, of which the median counts (default: 5)
              --scale F     multiply the number of messages by F (default: 1)
              --json        one object a line instead of a table
              --solve F     measure nothing: print the total score of the assignment problem in F, by each method:
                            {"scores": [[0.5, null], …], "capacities": [1, 3]}, a row for each task
    Works:
    \(list.joined(separator: "\n"))
    Ours:     by the library, the file of each message 500 bytes long, its JSON written and read, all logged:
              deliver, latency, compete, fanout relaxed (nothing synced, as the floor), durable-N synced
    Peers:    redis-server, beanstalkd and nats-server are started and measured when they are on the
              PATH: one message a call as ours, each answer awaited. Those not durable keep messages
              in memory alone (nats: in files), which is as fast as they are
    Example:  spool-bench deliver --rounds 3
    Exit:     0 measured, 64 usage, 73 no scratch directory, 74 a measurement failed
    """
}
