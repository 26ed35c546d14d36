import Spool

extension Work {
  /// Both sides search the same files, which are the log of some other host: were they this host's own, opening the
  /// spool would look for a million messages' files.
  static func search(_ bench: Bench, _ name: String) -> Work {
    let log = LogFiles(lines: bench.count(1_000_000))
    let ours = Contender(SpoolService.name) {
      let service = try SpoolService(.spool, in: bench.scratch)
      try log.make(in: "\(service.place)/log/elsewhere")
      var filter = History.Filter()
      filter.phrases = [LogFiles.rareWord]
      func time() throws -> Int {
        let began = nanoseconds()
        let found = try History(service.spool).newest(filter, limit: 100)
        let ended = nanoseconds()
        guard found.count == LogFiles.rareLines else {
          throw BenchError("found \(found.count) messages of \(LogFiles.rareLines)")
        }
        return ended - began
      }
      // Once for nothing, so that the files are in the page cache.
      _ = try time()
      return Session(measure: { milliseconds(try time()) }, stop: { service.stop() })
    }
    var floor: Contender?
    if Processes.find(Ripgrep.program) != nil {
      floor = Contender("rg") {
        let ripgrep = try Ripgrep()
        return Session(
          measure: {
            milliseconds(try ripgrep.time(LogFiles.floorWord, in: log.files, expected: LogFiles.rareLines))
          }, stop: {})
      }
    }
    return Work(name: name, unit: "ms", targets: [.atMost(2, of: Target.floor)], ours: ours, floor: floor)
  }
}
