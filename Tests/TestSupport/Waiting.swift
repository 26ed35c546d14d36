import Glibc
import Linux

/// Waits until the condition holds; false when it still doesn't after so many seconds. The limit is only there to end a
/// test that fails: it is generous, because the machine may be busy.
public func eventually(_ seconds: Double = 45, _ condition: () throws -> Bool) rethrows -> Bool {
  let deadline = Clock.sinceBoot() + Int(seconds * 1e9)
  while true {
    if try condition() { return true }
    if Clock.sinceBoot() >= deadline { return false }
    usleep(2000)
  }
}

/// How long it took, in seconds.
public func seconds(of body: () throws -> Void) rethrows -> Double {
  let start = Clock.sinceBoot()
  try body()
  return Double(Clock.sinceBoot() - start) / 1e9
}

/// Runs a shell script in a directory, as a person would; its standard error is the test's own.
public func shell(_ script: String, in directory: String) throws {
  let null = try Descriptor.open("/dev/null", O_RDWR)
  let child = try ChildProcess(
    ["/bin/sh", "-euc", "cd \"$HERE\"\n" + script], environment: ["HERE": directory],
    input: null.raw, output: null.raw, error: 2)
  let ending = try child.reap(waiting: true)
  guard ending == .exited(0) else { throw Failure("\(script): \(ending.map { "\($0)" } ?? "")") }
}

/// Whether tests that need not to be root, or to be it, can run.
public let isRoot = geteuid() == 0
