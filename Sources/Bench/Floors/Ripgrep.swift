import Glibc

/// `rg -c` on the files of a log, as a process from start to end.
struct Ripgrep {
  static let program = "rg"
  private let path: String

  init() throws {
    guard let path = Processes.find(Ripgrep.program) else { throw BenchError("\(Ripgrep.program) is not on the PATH") }
    self.path = path
  }

  /// Nanoseconds to count the lines that have `word`, which must be `expected` of them.
  func time(_ word: String, in files: [String], expected: Int) throws -> Int {
    let (output, input) = try makePipe()
    defer { close(output) }
    let began = nanoseconds()
    let pid: pid_t
    do {
      defer { close(input) }
      pid = try Processes.spawn(path, ["--no-config", "--no-filename", "-c", word] + files, output: input)
    }
    // A few digits for each file: it never waits for us to read them.
    let status = try Processes.wait(for: pid)
    let ended = nanoseconds()
    var text = [UInt8](repeating: 0, count: 65_536)
    let count = try check(read(output, &text, text.count), "read", "rg's output")
    let counts = try text[..<count].split(separator: UInt8(ascii: "\n")).map(integer)
    guard status == 0, counts.reduce(0, +) == expected else {
      throw BenchError("rg found \(counts.reduce(0, +)) lines of \(expected), and ended with status \(status)")
    }
    return ended - began
  }
}
