#if DEBUG
  import Glibc
  import Synchronization
  import TestSupport

  @testable import Linux

  let linuxDeeds = [
    Deed("die with the lock of a page") { arguments in
      let page = try SharedPage(try Descriptor.open(arguments[0], O_RDWR | O_CREAT))
      _ = try RobustLock(page.pointer(at: 64, as: pthread_mutex_t.self)).lock(seconds: 5)
      withExtendedLifetime(page) { die() }
    },
    // Tells what came of it.
    Deed("map a page") { arguments in
      let file = try Descriptor.open(arguments[0], O_RDWR | O_CREAT)
      do throws(SystemCallError) {
        _ = try SharedPage(file)
        say("mapped")
      } catch { say("\(error.call) \(error.code)") }
    },
    Deed("die with a child") { arguments in
      let file = arguments[0]
      let null = try Descriptor.open("/dev/null", O_RDWR)
      _ = try ChildProcess(
        ["/bin/sh", "-c", "echo $$ > \"$FILE.new\"; mv \"$FILE.new\" \"$FILE\"; exec sleep 1000"],
        environment: ["FILE": file], input: null.raw, output: null.raw, error: 2)
      try require(eventually { Plain.exists(file) }, "the child has started")
      die()
    },
    // Tells the code of each that could not be made.
    Deed("make directories") { arguments in
      let directory = try Directory(arguments[0])
      for name in arguments.dropFirst() {
        do throws(SystemCallError) { try directory.makeDirectory(name) } catch { say("\(name) \(error.code)") }
      }
    },
    Deed("write ten bytes") { arguments in
      let file = try Descriptor.open(arguments[0], O_WRONLY | O_CREAT)
      say("\(try file.writeOnce(Array("0123456789".utf8)))")
    },
    Deed("watch by dnotify") { arguments in
      let path = arguments[0]
      let directory = try Directory(path)
      // As a process has it that a pool of threads started.
      var all = sigset_t()
      sigfillset(&all)
      pthread_sigmask(SIG_BLOCK, &all, nil)
      let watcher = try DirectoryWatcher(directory, using: .dnotify)
      try require(watcher.mechanism == .dnotify, "dnotify is used")
      try require(watcher.watch("inbox"), "it is watched")
      // Another thread of this process may let them through, and then all else goes well.
      var blocked = sigset_t()
      pthread_sigmask(SIG_BLOCK, nil, &blocked)
      for signal in [SIGIO, __libc_current_sigrtmin() + 7] {
        try require(sigismember(&blocked, signal) == 0, "signal \(signal) is let through")
      }
      try require(!watcher.watch("none"), "nothing isn't")
      try Plain.write(path + "/a", "1")
      try directory.rename("a", to: "inbox/moved")
      try require(next(watcher)?.lookAgain == true, "a move is told")
      try directory.link("inbox/moved", to: "inbox/linked")
      try require(next(watcher)?.lookAgain == true, "a link is told")
      try Plain.write(path + "/inbox/written", "1")
      try require(next(watcher)?.lookAgain == true, "a write is told")
      // What the kernel sends where too many signals are queued.
      try require(kill(getpid(), SIGIO) == 0 && next(watcher)?.lookAgain == true, "SIGIO tells of something, too")
      // The only one that there can be; others look at intervals.
      try require(DirectoryWatcher(directory, using: .dnotify).mechanism == .polling, "there is only one")
    },
    Deed("watch by dnotify again and again") { arguments in
      let path = arguments[0]
      let directory = try Directory(path)
      try Plain.write(path + "/inbox/a", "1")
      for _ in 0..<50 {
        let watcher = try DirectoryWatcher(directory, using: .dnotify)
        try require(watcher.mechanism == .dnotify, "dnotify is used")
        try require(watcher.watch("inbox"), "it is watched")
        try directory.rename("inbox/a", to: "inbox/b")
        try require(next(watcher)?.lookAgain == true, "a move is told")
        try directory.rename("inbox/b", to: "inbox/a")
      }
    },
    Deed("watch by whatever there is") { arguments in
      let path = arguments[0]
      let watcher = try DirectoryWatcher(Directory(path))
      say("\(watcher.mechanism)")
      try require(watcher.watch("inbox"), "it is watched")
      try Plain.write(path + "/inbox/x", "1")
      try require(next(watcher)?.lookAgain == true, "a write is told")
    },
    // Two directories. Tells by what in the end.
    Deed("watch two by whatever there is") { arguments in
      let path = arguments[0]
      let watcher = try DirectoryWatcher(Directory(path))
      try require(watcher.watch("other") && watcher.watch("inbox"), "they are watched")
      for name in ["other/x", "inbox/x"] where watcher.descriptor != nil {
        try Plain.write("\(path)/\(name)", "1")
        try require(next(watcher) != nil, "a write is told")
      }
      say("\(watcher.mechanism)")
    },
    Deed("run more threads than there is room for") { _ in
      let (begun, ended) = (Counter(), Counter())
      let pages = try Plain.text("/proc/self/statm").split(separator: " ").first.flatMap { UInt($0) } ?? 0
      var limit = rlimit()
      getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
      limit.rlim_cur = pages * UInt(getpagesize()) + 8 << 20
      setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
      defer {
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
      }
      do throws(SystemCallError) {
        try Thread.run(
          (0..<100).map { _ in
            { @Sendable in
              begun.add()
              usleep(200_000)
              ended.add()
            }
          })
      } catch { say("\(error.call) \(ended.value > 0 && ended.value == begun.value)") }
    },
    Deed("watch by inotify") { arguments in
      let directory = try Directory(arguments[0])
      do throws(SystemCallError) { _ = try DirectoryWatcher(directory, using: .inotify) } catch { say("\(error.code)") }
    },
  ]

  private final class Counter: Sendable {
    private let count = Atomic<Int>(0)
    var value: Int { count.load(ordering: .sequentiallyConsistent) }
    func add() { count.add(1, ordering: .sequentiallyConsistent) }
  }

  /// Waits for an event, and returns what the events that there are say.
  private func next(_ watcher: DirectoryWatcher) throws -> DirectoryWatcher.Changes? {
    guard let descriptor = watcher.descriptor else { return nil }
    // A signal may end a wait early.
    let isReady = try eventually { try Poll.wait([descriptor], nanoseconds: 1_000_000_000) == [true] }
    return isReady ? try watcher.takeChanges() : nil
  }
#endif
