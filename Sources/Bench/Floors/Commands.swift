import Glibc

/// The median time of starting a program and waiting for its end, in nanoseconds.
func commandTime(_ path: String, _ arguments: [String] = [], times: Int) throws -> Int {
  var samples: [Int] = []
  for _ in 0..<times {
    let began = nanoseconds()
    let status = try Processes.wait(for: try Processes.spawn(path, arguments))
    samples.append(nanoseconds() - began)
    guard status == 0 else { throw BenchError("\(path) ended with status \(status)") }
    try Interruption.check()
  }
  return percentile(50, of: samples)
}

/// The median time of appending a log line's worth of bytes to a file and syncing it, in nanoseconds.
func syncedAppendTime(in scratch: Scratch, times: Int) throws -> Int {
  let path = "\(scratch.path)/append"
  let file = try check(open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644), "open", path)
  defer {
    close(file)
    unlink(path)
  }
  let line = [UInt8](repeating: UInt8(ascii: "x"), count: 700)
  var samples: [Int] = []
  for _ in 0..<times {
    let began = nanoseconds()
    try check(write(file, line, line.count), "write", path)
    try check(fdatasync(file), "fdatasync", path)
    samples.append(nanoseconds() - began)
  }
  return percentile(50, of: samples)
}

/// Resident memory of a process, in MiB.
func residentMemory(of pid: pid_t) throws -> Double {
  for line in try readFile("/proc/\(pid)/status").split(separator: "\n") where line.hasPrefix("VmRSS:") {
    if let kibibytes = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap({ Double($0) })
    {
      return kibibytes / 1_024
    }
  }
  throw BenchError("process \(pid) has no resident memory")
}
