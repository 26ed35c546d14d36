import Glibc

if CommandLine.arguments.dropFirst().first == Role.flag {
  exit(performRole(CommandLine.arguments.dropFirst(2)))
}

/// Measures what was asked for and prints it; a failed measurement is told of on stderr.
func run(_ options: Options) throws -> CInt {
  let scratch: Scratch
  do {
    scratch = try Scratch(under: options.directory)
  } catch {
    complain("cannot make a directory to measure in: \(error). See: spool-bench --dir")
    return 73
  }
  defer { scratch.remove() }
  let bench = Bench(scratch: scratch, scale: options.scale)
  let setting = Setting(
    fileSystem: scratch.fileSystem, processors: sysconf(CInt(_SC_NPROCESSORS_ONLN)), rounds: options.rounds,
    scale: options.scale)
  var outcomes: [Outcome] = []
  for entry in CatalogueEntry.all where options.wants(entry.name) {
    if isatty(2) == 1 { print(to: 2, "measuring \(entry.name): \(entry.what)\n") }
    let outcome = try measure(entry.make(bench, entry.name), rounds: options.rounds, scratch: scratch)
    for failure in outcome.failures { complain(failure) }
    if options.json { print(to: 1, jsonRow(outcome, setting) + "\n") }
    outcomes.append(outcome)
  }
  if !options.json { print(to: 1, table(outcomes, setting) + "\n") }
  return outcomes.allSatisfy(\.failures.isEmpty) ? 0 : 74
}

func print(to descriptor: CInt, _ text: String) {
  var text = text
  text.withUTF8 { try? writeAll(UnsafeRawBufferPointer($0), to: descriptor, "output") }
}

func complain(_ message: String) { print(to: 2, "spool-bench: \(message)\n") }

let status: CInt
do {
  let options = try Options(parsing: CommandLine.arguments.dropFirst(), works: CatalogueEntry.all.map(\.name))
  if options.help {
    print(to: 1, helpText(CatalogueEntry.all) + "\n")
    status = 0
  } else if let file = options.problem {
    print(to: 1, try GivenProblem.solve(Array(try readFile(file, limit: 64 << 20).utf8)) + "\n")
    status = 0
  } else {
    Interruption.watch()
    status = try run(options)
  }
} catch let error as UsageError {
  complain(error.message)
  status = 64
} catch {
  complain("\(error)")
  status = 74
}
exit(status)
