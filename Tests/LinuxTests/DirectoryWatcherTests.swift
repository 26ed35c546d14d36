import Glibc
import TestSupport
import TestThreads
import Testing

@testable import Linux

@Suite(.waiting) struct DirectoryWatcherTests {
  private let home: TemporaryDirectory
  private let directory: Directory

  init() throws {
    home = try TemporaryDirectory()
    directory = try Directory(home.path)
    try directory.makeDirectory("inbox")
  }

  /// Waits for an event, and returns what the events that there are say.
  private static func next(_ watcher: DirectoryWatcher) throws -> DirectoryWatcher.Changes? {
    let descriptor = try #require(watcher.descriptor)
    // A signal may end a wait early.
    let isReady = try eventually { try Poll.wait([descriptor], nanoseconds: 1_000_000_000) == [true] }
    return isReady ? try watcher.takeChanges() : nil
  }

  @Test func `inotify tells of files that are moved in, linked, or closed after writing`() throws {
    let watcher = try DirectoryWatcher(directory, using: .inotify)
    #expect(try watcher.watch("inbox"))
    #expect(try watcher.takeChanges().names.isEmpty)
    try Plain.write(home("a"), "1")
    try directory.rename("a", to: "inbox/moved")
    #expect(try Self.next(watcher)?.names.map(text) == ["moved"])
    try directory.link("inbox/moved", to: "inbox/linked")
    #expect(try Self.next(watcher)?.names.map(text) == ["linked"])
    try Plain.write(home("inbox/written"), "1")
    #expect(try Self.next(watcher)?.names.map(text) == ["written", "written"])
    #expect(try watcher.takeChanges().names.isEmpty)
  }

  private func text(_ name: [UInt8]) -> String { String(decoding: name, as: UTF8.self) }

  @Test func `inotify gives a name as it is, whatever its bytes`() throws {
    let watcher = try DirectoryWatcher(directory, using: .inotify)
    #expect(try watcher.watch("inbox"))
    let name: [UInt8] = [0xff, UInt8(ascii: "x")]
    let raw = creat((Array(home("inbox/").utf8) + name + [0]).map { CChar(bitPattern: $0) }, 0o600)
    guard raw != -1 else { return }
    close(raw)
    #expect(try Self.next(watcher)?.names.first == name)
  }

  @Test func `a directory that is replaced or removed is to be watched again`() throws {
    let watcher = try DirectoryWatcher(directory, using: .inotify)
    #expect(try watcher.watch("inbox"))
    try directory.rename("inbox", to: "elsewhere")
    #expect(try Self.next(watcher)?.watchAgain == true)
    #expect(try !watcher.watch("inbox"))
    try directory.makeDirectory("inbox")
    #expect(try watcher.watch("inbox"))
    try Plain.write(home("inbox/x"), "1")
    #expect(try Self.next(watcher)?.names.map(text).contains("x") == true)
    TemporaryDirectory.removeTree(home("inbox"))
    #expect(try Self.next(watcher)?.watchAgain == true)
  }

  @Test func `a queue that ran over says to look again`() throws {
    let limit = Int(try Plain.text("/proc/sys/fs/inotify/max_queued_events").filter(\.isNumber)) ?? .max
    // A machine with an enormous queue would need as enormous a test.
    guard limit <= 100_000 else { return }
    let watcher = try DirectoryWatcher(directory, using: .inotify)
    #expect(try watcher.watch("inbox"))
    try Plain.write(home("inbox/a"), "1")
    for _ in 0..<(limit / 2 + 100) {
      try directory.rename("inbox/a", to: "inbox/b")
      try directory.rename("inbox/b", to: "inbox/a")
    }
    var count = 0
    var lookAgain = false
    while try Poll.wait([#require(watcher.descriptor)], nanoseconds: 0) == [true] {
      let changes = try watcher.takeChanges()
      count += changes.names.count
      lookAgain = lookAgain || changes.lookAgain
    }
    #expect(lookAgain)
    #expect(count > limit - 1000)
  }

  /// A process has one dnotify watcher, so each of these is a process.
  @Test(arguments: ["watch by dnotify", "watch by dnotify again and again"])
  func `dnotify wakes for the same, without names; its place can be had again, and no signal kills`(deed: String)
    throws
  {
    let outcome = try OwnProcess.run(deed, [home.path])
    #expect(outcome.isDone, "\(outcome)")
  }

  @Test func `without inotify instances the next best is taken`() throws {
    // The second call of the process, after the one that opens the directory.
    let fault = ["SPOOL_FAULT": "\(EMFILE):2"]
    let outcome = try OwnProcess.run("watch by whatever there is", [home.path], environment: fault)
    #expect(outcome.isDone && outcome.line == "dnotify", "\(outcome)")
    #expect(try OwnProcess.run("watch by inotify", [home.path], environment: fault).line == "\(EMFILE)")
  }

  @Test func `when the watches are used up all is watched by the next best, and at last looked at`() throws {
    try directory.makeDirectory("other")
    func run(_ faults: [String]) throws -> (said: String, calls: [String]) {
      let trace = home("trace")
      let outcome = try OwnProcess.run(
        "watch two by whatever there is", [home.path],
        environment: ["SPOOL_FAULT_TRACE": trace, "SPOOL_FAULT": faults.joined(separator: ",")])
      #expect(outcome.isDone, "\(outcome)")
      let calls = try Plain.text(trace).split(separator: "\n").map(String.init)
      unlink(trace)
      return (outcome.line, calls)
    }
    let first = try run([])
    let second = "\(ENOSPC):\(try #require(first.calls.lastIndex(of: "inotify_add_watch")) + 1)"
    let fallen = try run([second])
    #expect(first.said == "inotify" && fallen.said == "dnotify")
    let refused = "\(EINVAL):\(try #require(fallen.calls.lastIndex(of: "fcntl")) + 1)"
    #expect(try run([second, refused]).said == "polling")
  }

  @Test func `threads that were begun have ended when not all could be`() throws {
    let outcome = try OwnProcess.run("run more threads than there is room for", [])
    #expect(outcome.line == "pthread_create true", "\(outcome)")
  }

  @Test func `without events there is nothing to wait on, and always reason to look`() throws {
    let watcher = try DirectoryWatcher(directory, using: .polling)
    #expect(watcher.mechanism == .polling)
    #expect(watcher.descriptor == nil)
    #expect(try watcher.watch("inbox"))
    #expect(try watcher.takeChanges().lookAgain)
  }
}
