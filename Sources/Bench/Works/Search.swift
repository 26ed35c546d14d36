extension Work {
  static func search(_ bench: Bench, _ name: String) -> Work {
    var floor: Contender?
    if Processes.find(Ripgrep.program) != nil {
      floor = Contender("rg") {
        let log = try LogFiles(in: bench.scratch, lines: bench.count(1_000_000))
        try log.make()
        let ripgrep = try Ripgrep()
        func time() throws -> Int {
          try ripgrep.time(LogFiles.rareWord, in: log.files, expected: LogFiles.rareLines)
        }
        // Once for nothing, so that the files are in the page cache.
        _ = try time()
        return Session(measure: { milliseconds(try time()) }, stop: { log.remove() })
      }
    }
    return Work(name: name, unit: "ms", targets: [.atMost(2, of: Target.floor)], floor: floor)
  }
}
